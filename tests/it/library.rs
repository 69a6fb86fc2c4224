//! The examples of the library, `examples/record.rs`, `examples/read.rs` and `examples/score.rs`,
//! run as documented.

#[path = "../../examples/read.rs"]
#[expect(dead_code, reason = "the test calls `read`, not `main`")]
mod reader;
#[path = "../../examples/record.rs"]
#[expect(dead_code, reason = "the test calls `record`, not `main`")]
mod recorder;
#[path = "../../examples/score.rs"]
#[expect(dead_code, reason = "the test calls `score`, not `main`")]
mod scorer;

use std::fs;

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

#[test]
fn the_search_for_causes_is_scored_on_labelled_logs() {
    let dir = TempDir::new().unwrap();
    let labels = [
        r#"{"file": "rust-cascade.log", "tool": "rust", "lines": [2], "exit_code": 101}"#,
        r#"{"file": "go-build-error.log", "tool": "go", "lines": [6], "exit_code": 1}"#,
        // Wrong labels: a row far from the mark, and a cause in a log that does not contain it.
        r#"{"file": "go-test-fail.log", "tool": "go", "lines": [1], "exit_code": 1}"#,
        r#"{"file": "segfault.log", "tool": "shell", "lines": [], "signal": 11}"#,
        r#"{"file": "timeout-124-hang.log", "tool": "shell", "lines": [], "exit_code": 124}"#,
    ];
    fs::write(dir.path().join("labels.jsonl"), labels.join("\n")).unwrap();
    for name in ["rust-cascade", "go-build-error", "go-test-fail", "segfault", "timeout-124-hang"] {
        let log = format!("fixtures/failures/{name}.log");
        fs::copy(log, dir.path().join(format!("{name}.log"))).unwrap();
    }
    let mut scored = Vec::new();
    scorer::score(dir.path(), &mut scored).unwrap();
    insta::assert_snapshot!(str::from_utf8(&scored).unwrap(), @"
    missed card: go-test-fail.log
      marked 42     orders_test.go:23: Discount(999, 33) = 669, want 670
      labelled 1 ?       git.acme.example/platform/gateway/cmd/gateway   [no test files]
    missed silent: segfault.log
      marked 16 bash: line 1:  3698 Segmentation fault      ./build/engine
    tool                    card    mark  screen  silent
    go                       1/2     1/2     1/2     0/0
    rust                     1/1     1/1     1/1     0/0
    shell                    0/0     0/0     0/0     1/2
    total                    2/3     2/3     2/3     1/2
    ");
}
