//! A bundle in a bucket is read like a file, with few requests.

use std::fs;

use crate::support::bucket::Bucket;
use crate::support::built::{Built, two_runs};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const URL: &str = "s3://runs/ci/x.rundown";
const KEY: &str = "ci/x.rundown";

fn bundled(store: &Built) -> Bucket {
    let bucket = Bucket::start();
    let args = ["bundle", "--root", ".", "--last", "9", "-o"];
    let sent = bucket.run(store.root(), &[&args[..], &[URL]].concat());
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    assert!(bucket.run(store.root(), &[&args[..], &["x.rundown"]].concat()).status.success());
    let file = fs::read(store.root().join("x.rundown")).unwrap();
    assert!(bucket.get(KEY).unwrap() == file);
    bucket.requests();
    bucket
}

#[test]
fn a_bundle_in_a_bucket_prints_what_its_file_prints() {
    let store = two_runs();
    let bucket = bundled(&store);
    for args in
        [&["list"][..], &["--once", "latest-failed"], &["--once", "--format", "jsonl"], &["doctor"]]
    {
        let [file, object] = ["x.rundown", URL].map(|root| {
            let output = bucket.run(store.root(), &[args, &["--root", root]].concat());
            (output.status.code(), text(&output.stdout))
        });
        assert_eq!(object, file, "{args:?}");
    }
}

#[test]
fn a_large_log_in_a_bucket_is_read_in_part() {
    let store = two_runs();
    let line =
        |n: u64| format!("2026-01-02T03:04:05.{n:09}Z stdout F {}\n", n * n * 7919 % 999_983);
    let log: String = (0..300_000).map(line).collect();
    let run = &crate::support::built::run_id(2);
    fs::write(store.log_path(run, "build", 1), log).unwrap();
    let bucket = bundled(&store);
    assert!(bucket.get(KEY).unwrap().len() > 1 << 20);
    let args = ["--root", URL, "--once", &run.0, "--job", "build", "--sh", "1", "--tail", "20"];
    let shown = bucket.run(store.root(), &args);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    let reads = bucket.requests().len();
    assert!(reads <= 8, "{reads} reads");
}

#[test]
fn a_bucket_is_never_written_to_by_a_recording() {
    let store = two_runs();
    let bucket = Bucket::start();
    let recorded = bucket.run(store.root(), &["record", "--root", URL, "--", "true"]);
    assert!(recorded.status.success());
    assert!(text(&recorded.stderr).contains("needs a store on this machine"));
    assert!(!store.root().join("s3:").exists());
    let missing = bucket.run(store.root(), &["s3://r", "--once"]);
    assert_eq!(missing.status.code(), Some(2), "{}", text(&missing.stderr));
}
