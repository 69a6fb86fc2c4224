//! `examples/big_store.rs`, the generator of large stores, makes valid stores of every kind.

#[path = "../../examples/big_store.rs"]
#[allow(dead_code, reason = "the tests call `generate`, not `main`")]
mod generator;

use clap::Parser;
use generator::{Arguments, generate};
use tempfile::TempDir;

use crate::support::{json, run, stdout};

/// Generates 12 runs of 2 jobs of 3 commands, all with logs, and reads them.
fn assert_reads(kind: &str) {
    let dir = TempDir::new().unwrap();
    let size = "--runs 12 --jobs 2 --commands 3 --logs 12".split(' ');
    let store = dir.path().join("store");
    let arguments = ["big_store", store.to_str().unwrap(), "--kind", kind].into_iter().chain(size);
    let arguments = Arguments::parse_from(arguments);
    generate(&arguments).unwrap();

    let doctor = run(dir.path(), &["doctor", "--root", "store"]);
    let (out, err) =
        (String::from_utf8(doctor.stdout).unwrap(), String::from_utf8(doctor.stderr).unwrap());
    assert_eq!((doctor.status.code(), out.as_str()), (Some(0), ""), "{kind}: {err}");
    let list =
        json(dir.path(), &["list", "--root", "store", "--limit", "99", "--format", "json"], 0);
    let states: Vec<_> =
        list["runs"].as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states.len(), 12, "{kind}");
    let failed = states.iter().filter(|state| state.starts_with("failed")).count();
    assert_eq!(failed, 2, "{kind}: every seventh run fails, from the fourth on");
    let shown = stdout(dir.path(), &["--root", "store", "--once"], 0);
    assert!(shown.contains("command 3 of 1"), "{kind}: {shown}");

    assert!(generate(&arguments).is_err(), "{kind}: an existing directory is rejected");
}

#[test]
fn generated_stores_of_each_kind_have_no_findings() {
    ["ours", "quire2", "quire11"].into_iter().for_each(assert_reads);
}
