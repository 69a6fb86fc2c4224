//! The examples of the library, `examples/record.rs` and `examples/read.rs`, run as documented.

#[path = "../../examples/read.rs"]
#[expect(dead_code, reason = "the test calls `read`, not `main`")]
mod reader;
#[path = "../../examples/record.rs"]
#[expect(dead_code, reason = "the test calls `record`, not `main`")]
mod recorder;

use tempfile::TempDir;

/// Replaces the id of the run.
fn without_id(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix("run ").and_then(|rest| rest.split_once(": ")) {
        Some((_, outcome)) => format!("run ID: {outcome}\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn the_examples_record_a_run_and_read_it() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("store");
    let (mut recorded, mut read) = (Vec::new(), Vec::new());
    recorder::record(&root, &mut recorded).unwrap();
    reader::read(&root, &mut read).unwrap();
    insta::assert_snapshot!(without_id(str::from_utf8(&recorded).unwrap()), @"
    build: exit code 0
    test: exit code 3
    run ID: Some(Failed)
    build: passed, a log of 46 bytes
    test: failed, a log of 116 bytes
    ");
    insta::assert_snapshot!(str::from_utf8(&read).unwrap(), @"
    test, command 1:
      2 tests passed
      error: 1 test failed
    likely cause: error: 1 test failed
    ");
}
