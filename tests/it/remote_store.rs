//! A store in a bucket is read like a local one, with few requests, and a run in it is followed
//! while it is pushed.

use std::fs;
use std::path::Path;
use std::process::Output;

use rundown::catalog::Catalog;
use rundown::cri::Stream;
use rundown::model::RunId;
use rundown::push::{self, Mode, Progress};
use rundown::s3::{Bucket as Client, S3Url, Settings, Variables};
use rundown::store::{JobEnd, RunEnd};

use crate::support::bucket::Bucket;
use crate::support::built::{Built, passed_run, run_id, two_runs};

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
    runs.iter().for_each(|run| push(store, &bucket, &run_id(*run)));
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
        &["--once", "--format", "digest"],
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
