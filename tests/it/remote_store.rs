//! A store in a bucket is read like a local one, with few requests, and a run in it is followed
//! while it is pushed.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Output, Stdio};
use std::thread::JoinHandle;

use rundown::catalog::Catalog;
use rundown::cri::Stream;
use rundown::model::RunId;
use rundown::push::{self, Mode, Progress};
use rundown::s3::{Bucket as Client, S3Url, Settings, Variables};
use rundown::store::{JobEnd, RunEnd};

use serde_json::{Value, json};

use crate::support::bucket::Bucket;
use crate::support::built::{Built, run_id, running_run, two_runs};
use crate::support::screen::{LARGE, open_catalog};
use crate::support::session::Session;
use crate::support::wait_until;

const URL: &str = "s3://runs/ci";

fn client(bucket: &Bucket) -> Client {
    let variables = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings {
        endpoint: Some(bucket.address.clone()),
        variables: variables.into_iter().collect::<Variables>(),
        ..Settings::default()
    };
    Client::new(S3Url::parse(URL).unwrap().unwrap(), &settings).unwrap()
}

/// Pushes a run with the real writer.
fn push(store: &Built, bucket: &Bucket, run: &RunId) {
    let (client, mut catalog) = (client(bucket), store.catalog());
    push::push(&client, &mut catalog, run, Mode::Foreground, &Progress::default(), &|_| ())
        .unwrap();
}

/// Returns a bucket with these runs of a store.
fn pushed(store: &Built, runs: &[u32]) -> Bucket {
    let bucket = Bucket::start();
    for run in runs {
        push(store, &bucket, &run_id(*run));
    }
    bucket.requests();
    bucket
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn printed(output: &Output, code: i32) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "--- stdout\n{out}\n--- stderr\n{err}");
    out
}

fn reads(bucket: &Bucket, store: &Built, args: &[&str]) -> Vec<String> {
    bucket.requests();
    let output = bucket.run(store.root(), &[args, &["--root", URL]].concat());
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    bucket.requests()
}

#[test]
fn a_store_in_a_bucket_prints_what_its_source_prints() {
    let store = two_runs();
    let bucket = pushed(&store, &[1, 2]);
    for args in [
        &["list"][..],
        &["list", "--limit", "1", "--format", "json"],
        &["list", "--ref", "main", "--format", "json"],
        &["list", "--repo", "example", "--state", "failed"],
        &["list", "--job", "deploy"],
        &["list", "--before", "latest"],
        &["latest-failed", "--once"],
        &["latest~1", "--once", "--format", "json"],
        &["00000001", "--once"],
        &["main", "--once"],
        &["deadbeef", "--once", "--format", "junit"],
        &["--once", "--format", "jsonl"],
        &["--once", "--format", "raw"],
        &["--follow"],
        &["doctor"],
        &["doctor", "--format", "json"],
        &["export", "--format", "otlp", "latest"],
    ] {
        let [local, remote] = [".", URL].map(|root| {
            let output = bucket.run(store.root(), &[args, &["--root", root]].concat());
            let shown = text(&output.stdout).replace(&format!("--root {root}"), "--root ROOT");
            (output.status.code(), shown, text(&output.stderr))
        });
        assert_eq!(remote.0, local.0, "{args:?}: {}", remote.2);
        assert_eq!(remote.1, local.1, "{args:?}");
    }
}

/// Adds entries of further runs to the list of all: 3,000, of which number 0 is the newest.
fn add_entries(bucket: &Bucket) {
    let lists = bucket.keys();
    let key = lists.iter().find_map(|key| key.strip_prefix("ci/v1/list/all/")).unwrap();
    let (time, rest) = key.split_once('!').unwrap();
    let (_, rest) = rest.split_once('!').unwrap();
    let time: i64 = time.parse().unwrap();
    for n in 0..3000 {
        let key = format!("ci/v1/list/all/{:013}!entry-{n:04}!{rest}", time - 10_000 + n);
        bucket.put(&key, b"");
    }
}

#[test]
fn a_list_takes_one_request_per_thousand_runs() {
    let store = two_runs();
    let bucket = pushed(&store, &[1]);
    add_entries(&bucket);
    let listed = |args: &[&str]| {
        bucket.requests();
        let args = [&["list", "--format", "jsonl", "--root", URL], args].concat();
        let out = printed(&bucket.run(store.root(), &args), 0);
        (out.lines().map(ToOwned::to_owned).collect::<Vec<_>>(), bucket.requests())
    };
    let (lines, requests) = listed(&["--limit", "50"]);
    assert!(lines.len() == 50 && lines[49].contains("entry-0049"), "{lines:?}");
    assert_eq!(requests, ["GET ?ci/v1/list/all/"]);
    let (lines, requests) = listed(&["--limit", "9999"]);
    // Its start is read again after a second, as on a busy machine.
    assert!(lines.len() == 3001 && (4..=5).contains(&requests.len()), "{requests:?}");
    let (lines, requests) = listed(&["--limit", "2", "--before", "entry-1500"]);
    assert!(lines.len() == 2 && lines[0].contains("entry-1501"), "{lines:?}");
    assert!((2..=3).contains(&requests.len()), "{requests:?}");
    let (lines, requests) = listed(&["--limit", "1", "--ref", "main"]);
    assert_eq!((lines.len(), requests), (1, vec!["GET ?ci/v1/list/ref/main/".to_owned()]));
    let (lines, requests) = listed(&["--limit", "1", "--repo", "example"]);
    assert_eq!((lines.len(), requests), (1, vec!["GET ?ci/v1/list/repo/example/".to_owned()]));
}

/// Adds a failed run with a large log, whose cause is far from its end.
fn large_run(store: &mut Built, run: &RunId) {
    store.begin(run, &["build"], 0);
    store.start(run, "build", 1, "cargo test", 10);
    let row = |n: u64| {
        format!("2026-01-02T03:04:05.{n:09}Z stdout F {:x} {:x}\n", n * n * 7919, n * n * n * 31)
    };
    let rows = |range: std::ops::Range<u64>| range.map(row).collect::<String>();
    store.append(run, "build", 1, rows(0..100_000).as_bytes());
    let panic = "thread 'main' panicked at src/parser.rs:42:9:\nassertion failed\n";
    store.print(run, "build", 1, 20, Stream::Stderr, panic);
    store.append(run, "build", 1, rows(100_000..400_000).as_bytes());
    store.end(run, "build", 1, 101, 60_000);
    store.end_job(run, "build", JobEnd::Failed(101), 60_000);
    store.end_run(run, RunEnd::Failed("job-failed"), 60_000);
}

#[test]
fn a_failed_run_opens_at_its_cause_with_few_requests() {
    let mut store = Built::new();
    large_run(&mut store, &run_id(1));
    let bucket = pushed(&store, &[1]);
    let mut sim = open_catalog(Catalog::of_bucket(client(&bucket), None), LARGE);
    let screen = sim.screen();
    assert!(screen.contains("panicked at src/parser.rs"), "{screen}");
    let mut requests = bucket.requests();
    // The list is read again after a second.
    requests.retain(|request| !request.starts_with("GET ?"));
    assert!(requests.len() <= 3, "{requests:#?} {:#?}", bucket.ranges());
    for key in ["Ctrl-d", "Ctrl-u", "g g", "Ctrl-d", "G", "Ctrl-u", "G"] {
        sim.keys(key);
        let requests = bucket.requests();
        assert!(requests.len() <= 1, "{key}: {requests:#?} {:?}", bucket.ranges());
    }
    sim.disk();
    assert_eq!(bucket.requests(), [""; 0], "a complete run is not requested again");
    let tail = reads(&bucket, &store, &["latest", "--once", "--tail", "20"]);
    // Pieces of a row are joined over 16 MiB of a log.
    assert!(tail.len() <= 14, "{tail:#?}");
}

#[test]
fn an_option_names_the_server() {
    let store = two_runs();
    let bucket = pushed(&store, &[1, 2]);
    let run = |args: &[&str]| {
        let mut command = bucket.rundown(store.root());
        command.env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1");
        printed(&command.args(args).args(["--root", URL]).output().unwrap(), 0)
    };
    let server = ["--endpoint", &bucket.address, "--path-style"];
    assert!(run(&["list", "--endpoint", &bucket.address]).contains("00000001"));
    assert!(run(&[&["list"], &server[..]].concat()).contains("00000001"));
    // The commands to run next name it, too.
    let digest = run(&[&["latest", "--once", "--format", "digest"], &server[..]].concat());
    assert!(digest.contains(&format!("--root {URL} {}", server.join(" "))), "{digest}");
}

#[test]
fn a_database_is_not_combined_with_a_store_that_has_none() {
    let store = two_runs();
    for args in [&["list", "--root", URL][..], &["--once", URL]] {
        let args = [args, &["--db", "rundown.db"]].concat();
        let refused = Bucket::start().run(store.root(), &args);
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused.stderr).contains("s3://runs/ci is not a directory"));
    }
}

#[test]
fn an_empty_bucket_is_an_empty_store() {
    let store = two_runs();
    let bucket = Bucket::start();
    let run = |args: &[&str]| bucket.run(store.root(), &[args, &["--root", URL]].concat());
    let list = run(&["list"]);
    assert_eq!(printed(&list, 0), "");
    assert!(text(&list.stderr).contains("`rundown push s3://runs/ci` pushes one"));
    let list = run(&["list", "--endpoint", &bucket.address]);
    let command = format!("`rundown push --endpoint {} s3://runs/ci`", bucket.address);
    assert!(text(&list.stderr).contains(&command), "{}", text(&list.stderr));
    let missing = run(&["--once"]);
    assert_eq!(missing.status.code(), Some(5), "{}", text(&missing.stderr));
    assert!(text(&missing.stderr).contains("no runs in s3://runs/ci"));
    printed(&run(&["doctor"]), 0);
    for args in [&["prune", "--keep", "1"][..], &["rerun"], &["doctor", "--repair"]] {
        let refused = run(args);
        let why = text(&refused.stderr);
        assert!(!refused.status.success() && why.contains("s3://runs/ci"), "{args:?}: {why}");
    }
    assert!(!store.root().join("s3:").exists());
}

#[test]
fn a_missing_part_is_reported() {
    let store = two_runs();
    let bucket = pushed(&store, &[2]);
    let data: Vec<String> =
        bucket.keys().into_iter().filter(|key| key.contains("/data-")).collect();
    for key in &data {
        bucket.delete(key);
    }
    let run = |args: &[&str]| bucket.run(store.root(), &[args, &["--root", URL]].concat());
    let once = run(&["--once"]);
    assert_eq!(once.status.code(), Some(6), "{} {}", text(&once.stdout), text(&once.stderr));
    assert!(text(&once.stderr).contains("the bucket has no object"), "{}", text(&once.stderr));
    let found = printed(&run(&["doctor"]), 1);
    assert!(found.contains("the bucket has no object"), "{found}");
    printed(&run(&["list"]), 0);
}

#[test]
fn a_damaged_answer_is_requested_again() {
    let store = two_runs();
    let bucket = pushed(&store, &[2]);
    let once = || bucket.run(store.root(), &["--once", "--root", URL]);
    let is_data = |(key, _): &(String, Vec<u8>)| key.contains("/data-");
    let data: Vec<(String, Vec<u8>)> = bucket.objects().into_iter().filter(is_data).collect();
    for (key, bytes) in &data {
        bucket.put(key, &vec![0; bytes.len()]);
    }
    printed(&once(), 6);
    for (key, bytes) in &data {
        bucket.put(key, bytes);
    }
    printed(&once(), 0);
}

#[test]
fn following_a_server_that_refuses_ends() {
    let store = two_runs();
    let bucket = Bucket::start();
    for (answer, why) in [
        ("403 Forbidden\r\n\r\n<Error><Code>AccessDenied</Code></Error>", "s3:ListBucket"),
        ("200 OK\r\n\r\n<html><body>Sign in</body></html>", "not a list of objects"),
    ] {
        bucket.fail(move |_| Some(answer.to_owned()));
        let output = bucket.run(store.root(), &["--follow", "--root", URL]);
        assert_eq!(output.status.code(), Some(6));
        assert!(text(&output.stderr).contains(why), "{}", text(&output.stderr));
    }
}

/// Returns the document at a key, changed by a function.
fn changed(bucket: &Bucket, key: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let packed = bucket.get(key).unwrap();
    let mut json = Vec::with_capacity(1 << 20);
    zstd_safe::decompress(&mut json, &packed).unwrap();
    let mut document = serde_json::from_slice(&json).unwrap();
    change(&mut document);
    packed_json(&serde_json::to_vec(&document).unwrap())
}

fn packed_json(json: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(zstd_safe::compress_bound(json.len()));
    zstd_safe::compress(&mut packed, json, 3).unwrap();
    packed
}

#[test]
fn hostile_documents_are_reported() {
    let store = two_runs();
    let bucket = pushed(&store, &[1]);
    let key = bucket.keys().into_iter().find(|key| key.ends_with("run.json.zst")).unwrap();
    let log = |document: &mut Value, path: &str, value: Value| {
        *document.pointer_mut(&format!("/run/jobs/0/logs/0{path}")).unwrap() = value;
    };
    let documents = [
        changed(&bucket, &key, |it| it["schema"] = "rundown.remote/9".into()),
        changed(&bucket, &key, |it| it["run"]["run"]["id"] = "other".into()),
        changed(&bucket, &key, |it| it["objects"][0]["name"] = "../../secret".into()),
        changed(&bucket, &key, |it| it["objects"][0]["bytes"] = u64::MAX.into()),
        changed(&bucket, &key, |it| it["objects"][0]["bytes"] = 1.into()),
        changed(&bucket, &key, |it| log(it, "/name", "../../../etc/passwd".into())),
        changed(&bucket, &key, |it| log(it, "/bytes", u64::MAX.into())),
        changed(&bucket, &key, |it| log(it, "/pieces/0/bytes", 1.into())),
        changed(&bucket, &key, |it| log(it, "/pieces/0/object", 7.into())),
        changed(&bucket, &key, |it| log(it, "/pieces/0/range/start", 5.into())),
        changed(&bucket, &key, |it| log(it, "/pieces/0/range/end", u64::MAX.into())),
        changed(&bucket, &key, |it| log(it, "/pieces", json!([]))),
        packed_json(&vec![b' '; 70 << 20]),
        packed_json(b"[]"),
        packed_json(&b"[{}".iter().chain(&b",{}".repeat(2_000_000)).copied().collect::<Vec<u8>>()),
        changed(&bucket, &key, |it| {
            it["objects"] = vec![it["objects"][0].clone(); 100_001].into();
        }),
        b"not compressed".to_vec(),
        Vec::new(),
    ];
    for (number, document) in documents.into_iter().enumerate() {
        bucket.put(&key, &document);
        for args in [&["--once"][..], &["doctor"], &["--once", "--format", "json"]] {
            let output = bucket.run(store.root(), &[args, &["--root", URL]].concat());
            let (out, err) = (text(&output.stdout), text(&output.stderr));
            assert!(matches!(output.status.code(), Some(0 | 1 | 6)), "{number} {args:?}: {err}");
            assert!(!format!("{out}{err}").contains("internal error"), "{number}: {out}{err}");
            assert!(
                output.status.code() != Some(0)
                    || out.contains("unreadable")
                    || out.contains("cannot read"),
                "{number} {args:?}: {out}{err}"
            );
        }
    }
}

#[test]
fn a_run_whose_push_has_stopped_is_interrupted() {
    let mut store = Built::new();
    running_run(&mut store, &run_id(1));
    let bucket = Bucket::start();
    let live = live_push(&store, &bucket);
    wait_until("the first part", || bucket.keys().iter().any(|key| key.contains("/list/all/")));
    let root = store.root().to_owned();
    let run = |args: &[&str]| printed(&bucket.run(&root, &[args, &["--root", URL]].concat()), 0);
    assert!(run(&["list"]).contains("running"));
    assert!(run(&["--once"]).contains("the first row"));
    let key = |end: &str| bucket.keys().into_iter().find(|key| key.contains(end)).unwrap();
    bucket.set_age(&key("/list/all/"), 26);
    bucket.set_age(&key("live.json.zst"), 6);
    assert!(run(&["list"]).contains("interrupted"));
    assert!(run(&["--once"]).contains("interrupted"));
    end_run(&mut store, &run_id(1));
    live.join().unwrap();
    assert!(run(&["list"]).contains("passed"));
}

/// Pushes run 1 of a store until its end.
fn live_push(store: &Built, bucket: &Bucket) -> JoinHandle<()> {
    let (client, mut catalog) = (client(bucket), store.catalog());
    std::thread::spawn(move || {
        let (mode, progress) = (Mode::Foreground, Progress::default());
        push::push(&client, &mut catalog, &run_id(1), mode, &progress, &|_| ()).unwrap();
    })
}

fn end_run(store: &mut Built, run: &RunId) {
    store.end(run, "build", 1, 0, 60_000);
    store.end_job(run, "build", JobEnd::Complete, 60_000);
    store.end_run(run, RunEnd::Complete, 60_000);
}

#[test]
fn a_live_run_is_followed_across_its_end() {
    let mut store = Built::new();
    running_run(&mut store, &run_id(1));
    let bucket = Bucket::start();
    let live = live_push(&store, &bucket);
    wait_until("the first part", || bucket.keys().iter().any(|key| key.contains("/list/all/")));
    let mut child = bucket
        .rundown(store.root())
        .args(["--follow", "--root", URL])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut sim = open_catalog(Catalog::of_bucket(client(&bucket), None), LARGE);
    assert!(sim.screen().contains("the first row"));
    let mut shown: Vec<String> = Vec::new();
    let mut read_to = |row: &str, shown: &mut Vec<String>| {
        while shown.last().is_none_or(|line| !line.contains(row)) {
            shown.push(lines.next().unwrap().unwrap());
        }
    };
    read_to("the first row", &mut shown);
    // So many bytes are pushed at once.
    let filler = "x".repeat(100);
    let rows: Vec<String> = (0..20_000).map(|n| format!("row {n} {filler}\n")).collect();
    store.print(&run_id(1), "build", 1, 30, Stream::Stdout, &rows.concat());
    read_to("row 19999", &mut shown);
    sim.keys("G");
    wait_until("the new rows on screen", || sim.disk().screen().contains("row 19999"));
    let place = sim.model.log.top;
    store.print(&run_id(1), "build", 1, 40, Stream::Stdout, "the last row\n");
    end_run(&mut store, &run_id(1));
    live.join().unwrap();
    read_to("build, command 1 passed", &mut shown);
    assert!(child.wait().unwrap().success());
    wait_until("the end on screen", || sim.disk().screen().contains("the last row"));
    assert!(sim.screen().contains("passed"), "{}", sim.screen());
    assert!(sim.model.log.top >= place);
    let printed = shown.iter().filter(|line| line.contains(" row")).count();
    assert_eq!(printed, 20_002, "each row once");
    let numbers: Vec<_> = shown.iter().filter_map(|line| line.strip_prefix("  row ")).collect();
    assert!(numbers.iter().enumerate().all(|(n, row)| row.starts_with(&format!("{n} "))));
}

#[test]
fn the_screen_reacts_while_a_server_is_silent() {
    // Connections wait in the queue of the system.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let env = [
        ("AWS_ENDPOINT_URL_S3", &*address),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
    ];
    let session = Session::of(&["--root".as_ref(), URL.as_ref()], &env);
    session.shown.wait_for_text("does not respond");
    session.press("?");
    session.shown.wait_for_text("Keys");
    session.press("q");
    session.press("q");
    assert!(session.exit().success());
}

#[test]
fn a_failure_keeps_what_is_on_screen() {
    let store = two_runs();
    let bucket = pushed(&store, &[1, 2]);
    let mut sim = open_catalog(Catalog::of_bucket(client(&bucket), None), LARGE);
    let before = sim.screen();
    bucket.fail(|_| Some("403 Forbidden".to_owned()));
    wait_until("the failure on screen", || {
        sim.disk();
        sim.model.waiting.is_some()
    });
    assert!(sim.screen().contains("cannot be read"), "{}", sim.screen());
    assert!(sim.screen().contains("test result: FAILED"), "{}", sim.screen());
    bucket.heal();
    wait_until("the store again", || {
        sim.disk();
        sim.model.waiting.is_none()
    });
    assert_eq!(sim.screen(), before);
}
