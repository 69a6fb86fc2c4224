//! `--format digest`: the failures of a run in a few bytes.

use std::fs;

use insta::assert_snapshot;
use rundown::cri::Stream;
use rundown::store::{JobEnd, RunEnd};
use tempfile::TempDir;

use crate::support::built::{Built, run_id};
use crate::support::{run, stdout};

/// Makes a store with a run in which two tests of a command fail, and a command of another job.
fn failed_tests() -> Built {
    let (mut store, run) = (Built::new(), run_id(1));
    store.begin(&run, &["lint", "test", "it's odd"], 0);
    for (job, n, text, exit_code) in [
        ("lint", 1, "all good\n", 0),
        (
            "test",
            1,
            "running 2 tests\ntest a ... FAILED\ntest b ... FAILED\n\nfailures:\n\n\
             ---- a stdout ----\n\nthread 'a' (7) panicked at src/lib.rs:7:5:\n\
             assertion failed: no \x1b[31mway\x1b[0m\n\n\
             ---- b stdout ----\n\nthread 'b' (8) panicked at src/b.rs:12:9:\nb is missing\n",
            101,
        ),
        ("it's odd", 1, "ls: cannot access 'x': No such file or directory\n", 2),
    ] {
        store.start(&run, job, n, "cargo test", 10);
        store.print(&run, job, n, 20, Stream::Stdout, text);
        store.end(&run, job, n, exit_code, 1_000);
        let end = if exit_code == 0 { JobEnd::Complete } else { JobEnd::Failed(exit_code) };
        store.end_job(&run, job, end, 1_000);
    }
    store.end_run(&run, RunEnd::Failed("command-failed"), 3_000);
    store
}

#[test]
fn all_failures_are_reported() {
    let store = failed_tests();
    let digest = stdout(store.root(), &["--root", ".", "--format", "digest"], 0);
    assert_snapshot!(digest, @r#"
    failed: run 00000001, example, main@deadbee, 2026-05-06T12:00:00.000Z, 3.0s
    jobs: 2 failed (test, it's odd), 1 passed
    reason: command-failed

    job test, command 1: cargo test: exit 101
    likely cause, src/lib.rs:7:
        running 2 tests
        test a ... FAILED
        test b ... FAILED
        failures:
        ---- a stdout ----
      > thread 'a' (7) panicked at src/lib.rs:7:5:
        assertion failed: no way
        ---- b stdout ----
      > thread 'b' (8) panicked at src/b.rs:12:9:
        b is missing
    to rerun: rundown rerun 00000001 --job test --sh 1 --root .
    to read more: rundown 00000001 --once --job test --sh 1 --root .

    job it's odd, command 1: cargo test: exit 2
    likely cause:
      > ls: cannot access 'x': No such file or directory
    to rerun: rundown rerun 00000001 --job "it's odd" --sh 1 --root .
    to read more: rundown 00000001 --once --job "it's odd" --sh 1 --root .
    "#);
}

#[test]
fn a_small_digest_contains_the_cause_first() {
    let store = failed_tests();
    let args = ["--root", ".", "--format", "digest", "--max-bytes"];
    let digest = stdout(store.root(), &[&args[..], &["420"]].concat(), 0);
    assert_snapshot!(digest, @r#"
    failed: run 00000001, example, main@deadbee, 2026-05-06T12:00:00.000Z, 3.0s
    jobs: 2 failed (test, it's odd), 1 passed
    reason: command-failed

    job test, command 1: cargo test: exit 101
    likely cause, src/lib.rs:7:
        … 5 lines omitted
      > thread 'a' (7) panicked at src/lib.rs:7:5:
        … 4 lines omitted
    to rerun: rundown rerun 00000001 --job test --sh 1 --root .
        … 2 lines omitted
    "#);
    for max in [0, 1, 50, 100, 200, 1_000, 1_200] {
        let max_bytes = max.to_string();
        let digest = stdout(store.root(), &[&args[..], &[&max_bytes]].concat(), 0);
        assert!(digest.len() <= max, "{max}: {digest}");
        assert!(!digest.contains('\x1b'));
    }
}

#[test]
fn a_run_of_many_failures_and_long_rows_is_cut() {
    let dir = TempDir::new().unwrap();
    let failure =
        "'head -c 90000 /dev/zero | tr \"\\\\0\" x; echo; echo error: no such file; exit 1'";
    let job = |n: usize| format!("[jobs.j{n}]\ncommands = [{failure}]\n");
    fs::write(dir.path().join("p.toml"), (0..40).map(job).collect::<String>()).unwrap();
    run(dir.path(), &["exec", "--root", "R", "--quiet", "--merge", "p.toml"]);
    let digest = stdout(dir.path(), &["--root", "R", "--format", "digest"], 0);
    assert!(digest.len() <= 4_000, "{}", digest.len());
    let causes = digest.lines().filter(|line| *line == "  > error: no such file").count();
    assert!(causes > 10, "{digest}");
    assert!(digest.contains("jobs: 40 failed (j0, "), "{digest}");
    assert!(digest.contains("omitted"), "{digest}");
}

#[test]
fn a_passed_run_and_a_log_without_a_run_have_a_digest() {
    let dir = TempDir::new().unwrap();
    run(dir.path(), &["record", "--root", "R", "--", "true"]);
    let digest = stdout(dir.path(), &["--root", "R", "--format", "digest"], 0);
    assert!(digest.starts_with("passed: run ") && digest.contains("jobs: 1 passed"), "{digest}");
    fs::write(dir.path().join("a.log"), "2026-01-02T03:04:05Z stderr F error: no such file\n")
        .unwrap();
    let digest = stdout(dir.path(), &["a.log", "--format", "digest"], 0);
    assert_eq!(digest, "a.log\nlikely cause:\n  > error: no such file\n");
}

#[test]
fn the_rest_of_the_size_is_spent_on_rows_around_the_first_cause() {
    let (mut store, run) = (Built::new(), run_id(1));
    store.begin(&run, &["a"], 0);
    store.start(&run, "a", 1, "make", 1);
    let steps =
        |from: u32| (from..from + 40).map(|n| format!("step {n}\n")).collect::<Vec<_>>().concat();
    let log = format!("{}error: no rule\n{}", steps(0), steps(40));
    store.print(&run, "a", 1, 2, Stream::Stdout, &log);
    store.end(&run, "a", 1, 2, 3);
    store.end_job(&run, "a", JobEnd::Failed(2), 4);
    store.end_run(&run, RunEnd::Failed("job-failed"), 5);
    let digest = |bytes: &str| {
        let args = ["--root", ".", "--format", "digest", "--max-bytes", bytes];
        stdout(store.root(), &args, 0)
    };
    let (small, large) = (digest("500"), digest("4000"));
    assert!(small.len() <= 500 && !small.contains("step 20\n"), "{small}");
    for row in ["step 10\n", "  > error: no rule\n", "step 68\n"] {
        assert!(large.contains(row), "{row}: {large}");
    }
    assert!(!large.contains("step 9\n") && !large.contains("step 69\n"), "{large}");
}
