//! A RUN that is a ref or a commit, and the precedence of the forms of RUN.

use std::fs;
use std::path::Path;

use rundown::store::RunEnd;

use crate::support::built::{Built, passed_run, run_id};
use crate::support::session::Session;
use crate::support::{stderr, stdout};

/// The refs and commits of the runs, oldest first.
const RUNS: [(&str, &str); 7] = [
    ("refs/heads/main", "c0ffee0000000000000000000000000000000001"),
    ("refs/heads/feature/x", "c0ffee0000000000000000000000000000000001"),
    ("refs/heads/main", "1234500000000000000000000000000000000002"),
    ("refs/tags/v1", "1234500000000000000000000000000000000002"),
    ("dev", "ABCDEF0000000000000000000000000000000003"),
    // Refs whose names are also the beginning of a commit or the end of a run ID.
    ("refs/heads/c0ffee", "1234600000000000000000000000000000000004"),
    ("refs/heads/00000001", "1234700000000000000000000000000000000005"),
];

/// Makes a store with [`RUNS`], which have the IDs `run_id(1)`, `run_id(2)`, ….
fn store() -> Built {
    let mut store = Built::new();
    for (n, _) in (1..).zip(RUNS) {
        passed_run(&mut store, &run_id(n), i64::from(n) * 10_000);
    }
    let connection = rusqlite::Connection::open(store.root().join("rundown.db")).unwrap();
    for (n, (ref_name, sha)) in (1..).zip(RUNS) {
        let sql = "UPDATE runs SET ref_name = ?2, sha = ?3 WHERE id = ?1";
        connection.execute(sql, [run_id(n).as_str(), ref_name, sha]).unwrap();
    }
    store
}

/// Returns the number of the run that a command line selects.
fn selected(dir: &Path, args: &[&str]) -> String {
    let args = [&["--root", ".", "--once", "--format", "json"], args].concat();
    let run = crate::support::json(dir, &args, 0)["run"]["id"].as_str().unwrap().to_owned();
    run.trim_start_matches("01a2078a-83c0-7cf2-8c6a-69110000000").to_owned()
}

#[test]
fn a_ref_or_a_commit_selects_its_newest_run() {
    let store = store();
    for (name, run) in [
        ("main", "3"),
        ("refs/heads/main", "3"),
        ("feature/x", "2"),
        ("refs/heads/feature/x", "2"),
        ("v1", "4"),
        ("refs/tags/v1", "4"),
        ("dev", "5"),
        ("refs/heads/dev", "5"),
        ("12345", "4"),
        ("1234500000000000000000000000000000000002", "4"),
        ("abcdef00", "5"),
        ("ABCD", "5"),
    ] {
        assert_eq!(selected(store.root(), &[name]), run, "{name}");
    }
}

#[test]
fn an_id_precedes_a_ref_and_a_ref_precedes_a_commit() {
    let store = store();
    assert_eq!(selected(store.root(), &["00000001"]), "1", "the end of an id");
    assert_eq!(selected(store.root(), &["refs/heads/00000001"]), "7");
    assert_eq!(selected(store.root(), &["c0ffee"]), "6", "a ref");
    assert_eq!(selected(store.root(), &["c0ffee00"]), "2", "a commit");
}

#[test]
fn an_existing_path_precedes_a_ref() {
    let store = store();
    let root = store.root().to_str().unwrap();
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("feature")).unwrap();
    let printed = |name: &str| stdout(dir.path(), &["--root", root, "--once", name], 0);
    for name in ["main", "feature/x"] {
        assert!(!printed(name).contains("from a file"));
        fs::write(dir.path().join(name), "2026-01-02T03:04:05Z stdout F from a file\n").unwrap();
        assert!(printed(name).contains("from a file"), "{name}");
        assert!(!printed(&format!("refs/heads/{name}")).contains("from a file"), "{name}");
    }
    // An empty directory with the name of a ref precedes the ref, too.
    fs::create_dir(dir.path().join("dev")).unwrap();
    let error_text = stderr(dir.path(), &["--root", root, "--once", "dev"], 5);
    assert!(error_text.contains("for a ref, use --ref"), "{error_text}");
}

#[test]
fn filters_limit_the_runs_that_a_name_matches() {
    let store = store();
    let one = |args: &[&str]| selected(store.root(), args);
    assert_eq!(one(&["--repo", "example", "main"]), "3");
    assert_eq!(one(&["--ref", "main", "12345"]), "3");
    assert_eq!(one(&["--ref", "refs/tags/v1", "v1"]), "4");
    for args in [
        &["--repo", "other", "main"][..],
        &["--ref", "dev", "main"],
        &["--repo", "other", "feature/x"],
    ] {
        let error_text = stderr(store.root(), &[&["--root", ".", "--once"], args].concat(), 5);
        assert!(error_text.contains("no run id, ref or commit matches"), "{error_text}");
    }
}

#[test]
fn a_name_that_matches_no_run_is_an_error_with_hints() {
    let store = store();
    let error_text = |name: &str| stderr(store.root(), &["--root", ".", "--once", name], 5);
    for (name, what) in [
        ("99999999", "no run id, ref or commit matches `99999999` in ./rundown.db"),
        ("topic/y", "no run id, ref or commit matches `topic/y` in ./rundown.db"),
        (
            "zz",
            "no run has the ref `zz` in ./rundown.db\n         \
             for an id or a commit, use at least 4 characters",
        ),
    ] {
        let list = "         `rundown list` shows all runs\n";
        assert_eq!(error_text(name), format!("rundown: {what}\n{list}"));
    }
    let several = error_text("1234");
    assert!(
        several.starts_with("rundown: several commits begin with `1234`; use more digits:\n"),
        "{several}"
    );
    assert!(several.contains(RUNS[6].1) && several.contains(RUNS[5].1), "{several}");
    // This is a path, because its parent directory exists: the file may be created later.
    let error_text = stderr(store.root(), &["--root", ".", "--once", "runs/y"], 6);
    assert!(error_text.contains("cannot open runs/y"), "{error_text}");
    let error_text = stderr(store.root(), &["--root", ".", "--once", ""], 2);
    assert!(error_text.contains("RUN is empty"), "{error_text}");
}

#[test]
fn an_unknown_name_is_reported_with_the_closest_one() {
    let store = store();
    let error_text = |args: &[&str]| stderr(store.root(), &[&["--root", "."], args].concat(), 5);
    for (args, name, close) in [
        (&["--once", "mian"][..], "mian", "main"),
        (&["mian", "--follow"], "mian", "main"),
        (&["--once", "featre/x"], "featre/x", "feature/x"),
        (&["--once", "a0000001"], "a0000001", "00000001"),
        (&["--once", "devv"], "devv", "dev"),
        (&["doctor", "mian"], "mian", "main"),
        (&["list", "--before", "mian"], "mian", "main"),
    ] {
        let expected = format!("rundown: no run `{name}`; did you mean `{close}`?\n");
        assert_eq!(error_text(args), expected, "{args:?}");
    }
    // The filter excludes all runs that could be suggested.
    assert!(!error_text(&["--once", "--ref", "dev", "mian"]).contains("did you mean"));
    assert!(!error_text(&["--once", "--repo", "other", "latest-failed"]).contains("did you mean"));
}

#[test]
fn only_the_newest_runs_are_read_for_a_suggestion() {
    let mut store = Built::new();
    passed_run(&mut store, &run_id(1), 0);
    let add = |runs: i64, ref_name: &str| {
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?1)
                   INSERT INTO runs(id, repo, ref_name, sha, pushed_at_ms, state, queued_at_ms,
                                    workspace_path)
                   SELECT ?2 || i, 'r', ?2, '', 9e12 + i, 'pending', 9e12 + i, '' FROM n";
        let connection = rusqlite::Connection::open(store.root().join("rundown.db")).unwrap();
        connection.execute(sql, rusqlite::params![runs, ref_name]).unwrap();
    };
    let error_text = || stderr(store.root(), &["--root", ".", "--once", "mian"], 5);
    add(199, "some-other-branch");
    assert!(error_text().contains("did you mean `main`?"));
    add(1, "another-branch");
    assert!(!error_text().contains("did you mean"));
}

#[test]
fn every_command_that_takes_a_run_takes_a_ref() {
    let mut store = store();
    let followed = stdout(store.root(), &["--root", ".", "--follow", "v1"], 0);
    assert!(followed.contains("00000004"), "{followed}");
    assert_eq!(stdout(store.root(), &["--root", ".", "doctor", "main"], 0), "");
    let older = stdout(store.root(), &["--root", ".", "list", "--before", "main"], 0);
    assert!(older.contains("00000002") && !older.contains("00000003"), "{older}");
    let session = Session::start_with(&store, &["feature/x"], &[]);
    session.shown.wait_for_text("feature/x@c0ffee0");
    session.press("q");
    assert_eq!(session.exit().code(), Some(0));
    store.begin(&run_id(8), &["build"], 200_000);
    store.end_run(&run_id(8), RunEnd::Failed("job-failed"), 201_000);
    // Now the newest run of `main` has failed, so the exit status is 1.
    stdout(store.root(), &["--root", ".", "--once", "--exit-status", "main"], 1);
}
