//! Runs are pushed to a bucket: complete ones, and active ones in parts.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::support::bucket::Bucket;
use crate::support::built::{Built, run_id, two_runs};
use crate::support::{run, stdout, wait_until};

const URL: &str = "s3://runs/ci";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Pushes with these arguments, and returns stderr.
fn push(bucket: &Bucket, dir: &Path, args: &[&str], code: i32) -> String {
    let output = bucket.run(dir, &[&["push", "--root", "."], args].concat());
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{err}");
    err
}

/// Returns the document of an object.
fn document(bucket: &Bucket, key: &str) -> Value {
    let mut json = vec![0; 16 << 20];
    let packed = bucket.get(key).unwrap_or_else(|| panic!("{key} of {:?}", bucket.keys()));
    let len = zstd_safe::decompress(&mut json[..], &packed).unwrap();
    serde_json::from_slice(&json[..len]).unwrap()
}

#[test]
fn a_run_that_has_ended_is_pushed_with_few_requests() {
    let (store, bucket) = (two_runs(), Bucket::start());
    let err = push(&bucket, store.root(), &[URL], 0);
    eprintln!("{err}{:#?}{:#?}", bucket.requests(), bucket.keys());
}
