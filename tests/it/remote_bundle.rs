//! A bundle in a bucket is read like a file, with few requests.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::built::{Built, two_runs};
use crate::support::rundown;
use crate::support::server::{answer, read_request};

/// A server with one object, which can be written and read in parts.
struct Bucket {
    address: String,
    object: Arc<Mutex<Vec<u8>>>,
    /// The ranges of the reads.
    ranges: Arc<Mutex<Vec<String>>>,
}

impl Bucket {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (object, ranges) = <(Arc<Mutex<Vec<u8>>>, Arc<Mutex<Vec<String>>>)>::default();
        let bucket = Self { address, object: Arc::clone(&object), ranges: Arc::clone(&ranges) };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read_request(&stream);
                let mut object = object.lock().unwrap();
                if request.method == "PUT" {
                    *object = request.body;
                    answer(&mut stream, "200 OK", b"");
                    continue;
                }
                let range = request.header("range").unwrap().to_owned();
                let (first, last) = range["bytes=".len()..].split_once('-').unwrap();
                let size = object.len();
                let part = match (first.parse::<usize>(), last.parse::<usize>()) {
                    (Ok(first), Ok(last)) => first..size.min(last + 1),
                    (_, suffix) => size.saturating_sub(suffix.unwrap())..size,
                };
                let stated = format!("Content-Range: bytes {}-{}/{size}", part.start, part.end - 1);
                ranges.lock().unwrap().push(range);
                let head = format!("206 Partial Content\r\n{stated}\r\nETag: \"1\"");
                answer(&mut stream, &head, &object[part]);
            }
        });
        bucket
    }

    fn run(&self, dir: &Path, args: &[&str]) -> Output {
        let mut command = rundown(dir);
        command.env("AWS_ENDPOINT_URL_S3", &self.address);
        command.env("AWS_ACCESS_KEY_ID", "id").env("AWS_SECRET_ACCESS_KEY", "key");
        command.args(args).output().unwrap()
    }

    /// Returns the number of reads since the last call.
    fn reads(&self) -> usize {
        std::mem::take(&mut *self.ranges.lock().unwrap()).len()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const URL: &str = "s3://runs/ci/x.rundown";

fn bundled(store: &Built) -> Bucket {
    let bucket = Bucket::start();
    let args = ["bundle", "--root", ".", "--last", "9", "-o"];
    let sent = bucket.run(store.root(), &[&args[..], &[URL]].concat());
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    assert!(bucket.run(store.root(), &[&args[..], &["x.rundown"]].concat()).status.success());
    let file = fs::read(store.root().join("x.rundown")).unwrap();
    assert!(*bucket.object.lock().unwrap() == file);
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
    assert!(bucket.object.lock().unwrap().len() > 1 << 20);
    let args = ["--root", URL, "--once", &run.0, "--job", "build", "--sh", "1", "--tail", "20"];
    let shown = bucket.run(store.root(), &args);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    let reads = bucket.reads();
    assert!(reads <= 8, "{reads} reads");
}

#[test]
fn a_bucket_is_never_written_to_by_a_recording() {
    let store = two_runs();
    let bucket = Bucket::start();
    let recorded = bucket.run(store.root(), &["record", "--root", URL, "--", "true"]);
    assert!(recorded.status.success());
    assert!(text(&recorded.stderr).contains("object storage is only read"));
    assert!(!store.root().join("s3:").exists());
    let missing = bucket.run(store.root(), &["s3://r", "--once"]);
    assert_eq!(missing.status.code(), Some(2), "{}", text(&missing.stderr));
}
