//! The filters of `rundown list`, with every kind of store.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use rundown::store::Writer;
use rundown::time::Time;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::built::{Built, failed_run, passed_run, run_id, running_run, two_runs};
use crate::support::{copy_tree, fixture, json, json_lines, run, stderr, stdout, store, unsynced};

const STATES: [&str; 8] =
    ["passed", "failed", "stopped", "skipped", "running", "queued", "interrupted", "unknown"];

/// A run as an unfiltered list contains it, with the names of its jobs.
struct Listed {
    id: String,
    outcome: String,
    /// The time that the list is ordered by, in milliseconds.
    at: i64,
    repo: Option<String>,
    /// The jobs that `--job` looks at.
    jobs: Vec<String>,
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(ToOwned::to_owned)
}

/// Makes the store of the pictures in the documentation.
fn tally() -> TempDir {
    let (dir, from) = (TempDir::new().unwrap(), fixture("stores/tally"));
    copy_tree(&from.join("runs"), &dir.path().join("runs"));
    let sql = fs::read_to_string(from.join("rundown.sql")).unwrap();
    let path = dir.path().join("rundown.db");
    Writer::open(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
    dir
}

/// Makes a store of this version of quire, without logs.
fn quire_version(sql: &Path) -> TempDir {
    let dir = TempDir::new().unwrap();
    let sql = fs::read_to_string(sql).unwrap();
    unsynced(&dir.path().join("quire.db")).execute_batch(&sql).unwrap();
    dir
}

fn database(root: &Path) -> Connection {
    let names = ["rundown.db", "quire.db"].map(|name| root.join(name));
    Connection::open(names.iter().find(|path| path.exists()).unwrap()).unwrap()
}

/// Returns the time of each run that the list is ordered by: the first of the columns that exist.
fn times(root: &Path) -> HashMap<String, i64> {
    let db = database(root);
    let of = |column| {
        let mut rows = db.prepare(&format!("SELECT id, {column} FROM runs")).ok()?;
        let rows = rows.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).ok()?;
        Some(rows.map(Result::unwrap).collect())
    };
    ["pushed_at_ms", "created_at"].into_iter().find_map(of).unwrap()
}

/// Returns the jobs that the rows of a run name.
fn row_jobs(root: &Path, id: &str) -> Vec<String> {
    let db = database(root);
    let of = |table| {
        let mut rows = db.prepare(&format!("SELECT job_id FROM {table} WHERE run_id = ?1")).ok()?;
        let rows = rows.query_map([id], |row| row.get(0)).ok()?;
        Some(rows.map(Result::unwrap).collect::<Vec<String>>())
    };
    ["jobs", "sh", "sh_events", "sh_calls"].into_iter().filter_map(of).flatten().collect()
}

/// Returns all runs of a store, newest first.
fn all(root: &Path) -> Vec<Listed> {
    let times = times(root);
    let listed = json(root, &["list", "--root", ".", "--limit", "1000", "--format", "json"], 0);
    let listed = listed["runs"].as_array().unwrap().iter().map(|run| {
        let id = text(&run["id"]).unwrap();
        let whole = json(root, &["--root", ".", &id, "--format", "json"], 0);
        let jobs = whole["run"]["jobs"].as_array().unwrap();
        let jobs = jobs.iter().filter_map(|job| text(&job["id"])).collect();
        // Directories and events count only if no row names a job.
        let in_rows = row_jobs(root, &id);
        Listed {
            outcome: text(&run["outcome"]).unwrap(),
            at: times[&id],
            repo: text(&run["repo"]),
            jobs: if in_rows.is_empty() { jobs } else { in_rows },
            id,
        }
    });
    listed.collect()
}

/// Tests that the options list the runs that `wanted` accepts, in one piece and page by page.
#[track_caller]
fn check(root: &Path, all: &[Listed], options: &[&str], wanted: impl Fn(&Listed) -> bool) {
    let expected: Vec<&str> = all.iter().filter(|run| wanted(run)).map(|run| &run.id[..]).collect();
    let line = [&["list", "--root", ".", "--format", "json"][..], options].concat();
    if expected.is_empty() {
        let error = stderr(root, &line, 5);
        assert!(error.contains("no run matches --") && error.contains(options[0]), "{error}");
        return;
    }
    for limit in [2, 1000] {
        let mut found: Vec<String> = Vec::new();
        loop {
            let limit_text = limit.to_string();
            let mut page = [&line[..], &["--limit", &limit_text]].concat();
            let last = found.last().cloned();
            page.extend(last.iter().flat_map(|last| ["--before", last]));
            let page = json(root, &page, 0);
            found
                .extend(page["runs"].as_array().unwrap().iter().filter_map(|run| text(&run["id"])));
            assert_eq!(page["has_more"], found.len() < expected.len(), "{options:?}, {limit}");
            if found.len() >= expected.len() {
                break;
            }
        }
        assert_eq!(found, expected, "{options:?}, {limit}");
    }
}

fn check_filters(root: &Path) {
    let all = all(root);
    for state in STATES {
        check(root, &all, &["--state", state], |run| run.outcome == state);
        let two = format!("{state},failed");
        check(root, &all, &["--state", &two], |run| {
            run.outcome == state || run.outcome == "failed"
        });
    }
    let jobs = all.iter().flat_map(|run| &run.jobs).take(4).filter(|job| !job.starts_with('-'));
    for job in jobs {
        check(root, &all, &["--job", job], |run| run.jobs.contains(job));
    }
    let begins_with = |run: &Listed| run.jobs.iter().any(|job| job.starts_with('t'));
    check(root, &all, &["--job", "t*"], begins_with);
    check(root, &all, &["--job", "no such job"], |_| false);
    let repo = all[0].repo.as_deref().unwrap();
    check(root, &all, &["--repo", repo, "--state", "failed", "--job", "t*"], |run| {
        run.repo.as_deref() == Some(repo) && run.outcome == "failed" && begins_with(run)
    });
    let mut times: Vec<i64> = all.iter().map(|run| run.at).collect();
    times.sort_unstable();
    for ms in times.iter().copied().step_by((times.len() / 3).max(1)) {
        let at = &Time::from_millis(ms).rfc3339_millis().unwrap();
        check(root, &all, &["--since", at], |run| run.at >= ms);
        check(root, &all, &["--until", at], |run| run.at <= ms);
        let both = ["--since", at, "--until", at, "--state", "failed,passed,running"];
        check(root, &all, &both, |run| {
            run.at == ms && ["failed", "passed", "running"].contains(&&*run.outcome)
        });
    }
}

#[test]
fn filters_of_every_version_select_the_runs_of_the_whole_list() {
    for name in ["quire-v2-broken", "quire-v11-broken", "quire-v2-live"] {
        check_filters(store(name).path());
    }
    for version in fs::read_dir(fixture("stores/quire-schema-steps")).unwrap() {
        check_filters(quire_version(&version.unwrap().path()).path());
    }
    check_filters(tally().path());
}

#[test]
fn filters_of_our_store_select_the_runs_of_the_whole_list() {
    let mut store = Built::new();
    failed_run(&mut store, &run_id(1), 0);
    passed_run(&mut store, &run_id(2), 100_000);
    running_run(&mut store, &run_id(3));
    running_run(&mut store, &run_id(4));
    store.kill_recorder(&run_id(4));
    check_filters(store.root());
    let states = |state| {
        let runs = json_lines(
            store.root(),
            &["list", "--root", ".", "--state", state, "--format", "jsonl"],
        );
        runs.iter().map(|run| text(&run["id"]).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(states("waiting"), [run_id(3).0], "a run that waits is running");
    assert_eq!(states("interrupted"), [run_id(4).0]);
}

#[test]
fn filters_apply_to_runs_without_a_database() {
    let dir = TempDir::new().unwrap();
    let ids =
        ["01a2078a-83c0-7cf2-8c6a-6911d61998d3", "01a2178a-83c0-7cf2-8c6a-000000000002", "odd-run"];
    for (id, job) in ids.iter().zip(["build", "test", "test-all"]) {
        let logs = dir.path().join(format!("runs/demo.git/{id}/jobs/{job}"));
        fs::create_dir_all(&logs).unwrap();
        fs::write(logs.join("sh-1.log"), "2026-01-02T03:04:05Z stdout F x\n").unwrap();
    }
    let found = |options: &[&str]| {
        let line = [&["list", "--root", ".", "--format", "json"][..], options].concat();
        let runs = json(dir.path(), &line, 0);
        let ids = runs["runs"].as_array().unwrap().iter().map(|run| text(&run["id"]).unwrap());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(found(&["--state", "unknown"]).len(), 3);
    assert_eq!(found(&["--job", "test*"]), [ids[2], ids[1]]);
    assert_eq!(found(&["--job", "test"]), [ids[1]]);
    // The ids contain the times 2026-11-23 08:34 and 2026-11-26 11:08.
    assert_eq!(found(&["--since", "2026-11-24"]), [ids[1]]);
    assert_eq!(found(&["--until", "2026-11-23"]), [ids[0]]);
    assert_eq!(found(&["--job", "t*", "--before", "odd-run"]), [ids[1]]);
    assert!(
        stderr(dir.path(), &["list", "--root", ".", "--state", "failed"], 5)
            .contains("states: unknown")
    );
}

#[test]
fn jsonl_contains_the_objects_of_json() {
    let store = tally();
    let whole = json(store.path(), &["list", "--root", ".", "--format", "json"], 0);
    let lines = json_lines(store.path(), &["list", "--root", ".", "--format", "jsonl"]);
    assert_eq!(whole["runs"], Value::Array(lines));
}

#[test]
fn a_date_is_a_day_in_the_time_zone_of_the_user() {
    // The runs began at 12:00 UTC, which is the next day on Kiritimati.
    let store = two_runs();
    let code = |options: &[&str]| {
        let line = [&["list", "--root", "."], options].concat();
        run(store.root(), &line).status.code()
    };
    for (zone, day, next) in
        [("UTC", "2026-05-06", "2026-05-07"), ("Pacific/Kiritimati", "2026-05-07", "2026-05-08")]
    {
        assert_eq!(code(&["--timezone", zone, "--since", day, "--until", day]), Some(0), "{zone}");
        assert_eq!(code(&["--timezone", zone, "--since", next]), Some(5), "{zone}");
        assert_eq!(code(&["--timezone", zone, "--since", next, "--until", day]), Some(2), "{zone}");
    }
    assert_eq!(code(&["--since", "1h"]), Some(5), "the runs are older");
    assert_eq!(code(&["--until", "1h"]), Some(0));
    assert_eq!(code(&["--since", "2026-05-06T12:00:00+00:00", "--until", "9999-12-31"]), Some(0));
    let error = stderr(store.root(), &["list", "--since", "yesterday"], 2);
    assert!(
        error.contains("expected an age such as 2h or 7d, a date such as 2026-05-06"),
        "{error}"
    );
}

#[test]
fn a_filter_without_a_match_lists_what_exists() {
    let store = two_runs();
    let list =
        |options: &[&str]| stderr(store.root(), &[&["list", "--root", "."], options].concat(), 5);
    assert_eq!(
        list(&["--job", "tset", "--state", "failed,queued"]),
        "rundown: no run matches --state failed,queued --job tset\n         \
         states: failed, passed\n         \
         jobs: build, deploy, test\n"
    );
    assert_eq!(
        list(&["--repo", "x", "--ref", "y", "--timezone", "UTC", "--since", "2030-01-01T10:00"]),
        "rundown: no run matches --repo x --ref y --since 2030-01-01T10:00:00\n         \
         repositories: example\n         \
         refs: main\n         \
         times: 2026-05-06 11:00:00 to 2026-05-06 12:00:00\n"
    );
    let empty = TempDir::new().unwrap();
    fs::create_dir(empty.path().join("runs")).unwrap();
    let error = stderr(empty.path(), &["list", "--root", ".", "--state", "failed"], 5);
    assert_eq!(error, "rundown: no run matches --state failed\n         the store has no runs\n");
    // With --before, a page without runs is the end of the list.
    let line = ["list", "--root", ".", "--before", "latest~1", "--job", "tset"];
    assert_eq!(stdout(store.root(), &line, 0), "");
}

#[test]
fn a_filter_finds_old_runs_behind_many_others() {
    let mut store = Built::new();
    failed_run(&mut store, &run_id(1), 0);
    for n in 2..200 {
        passed_run(&mut store, &run_id(n), i64::from(n) * 1000);
    }
    let copy = TempDir::new().unwrap();
    copy_tree(store.root(), copy.path());
    for options in [
        &["--state", "failed"][..],
        &["--job", "deploy"],
        &["--state", "failed,queued", "--job", "test"],
    ] {
        let line = [&["list", "--root", ".", "--limit", "1", "--format", "json"], options].concat();
        let found = json(copy.path(), &line, 0);
        assert_eq!(found["runs"][0]["id"], run_id(1).0, "{options:?}");
        assert_eq!(found["has_more"], false);
    }
}
