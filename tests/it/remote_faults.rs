//! Pushes and reads through a proxy that damages the traffic.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::support::bucket::Bucket;
use crate::support::built::{Built, two_runs};
use crate::support::proxy::Proxy;
use crate::support::run;

const URL: &str = "s3://runs/ci";

/// Returns the program with a proxy as the server.
fn through(proxy: &Proxy, bucket: &Bucket, dir: &Path, args: &[&str]) -> Command {
    let mut command = bucket.rundown(dir);
    command.env("AWS_ENDPOINT_URL_S3", &proxy.address).args(args);
    command
}

/// Runs a command that succeeds.
fn succeed(mut command: Command) {
    let output = command.output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {err}");
}

/// A store with a log of many blocks.
fn store() -> Built {
    let store = two_runs();
    let line =
        |n: u64| format!("2026-01-02T03:04:05.{n:09}Z stdout F {}\n", n * n * 7919 % 999_983);
    let log: String = (0..100_000).map(line).collect();
    let run = &crate::support::built::run_id(2);
    fs::write(store.log_path(run, "build", 1), log).unwrap();
    store
}

#[test]
fn damaged_traffic_loses_nothing() {
    let store = store();
    let dir = store.root();
    assert!(run(dir, &["bundle", "--last", "9", "-o", "a", "--root", "."]).status.success());
    let local = fs::read(dir.join("a")).unwrap();
    for seed in 0..3 {
        let bucket = Bucket::start();
        let proxy = Proxy::start(&bucket.address, 30, seed);
        let pushed = ["push", "--root", ".", "--last", "9", URL];
        // Two uploaders at the same time.
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| succeed(through(&proxy, &bucket, dir, &pushed)));
            }
        });
        let out = format!("b{seed}");
        let read = ["bundle", "--last", "9", "-o", &out, "--root", URL];
        succeed(through(&proxy, &bucket, dir, &read));
        assert!(fs::read(dir.join(&out)).unwrap() == local, "seed {seed}");
        assert!(proxy.faults() > 5, "{} faults", proxy.faults());
        let left: Vec<String> =
            bucket.keys().into_iter().filter(|key| key.contains("live")).collect();
        assert_eq!(left, [""; 0], "nothing remains of the push");
    }
}
