//! `rundown doctor --repair`: interrupted runs get an end, and are still shown as interrupted.

use std::fs;

use rundown::cri::Stream;
use rundown::log::path;
use rundown::store::JobEnd;

use crate::support::built::{Built, at, passed_run, run_id, running_run};
use crate::support::{bytes_of, json, run, stdout, unsynced};

/// Makes a store with an interrupted run: job `build` has passed, `test` was at its second command,
/// and `deploy` had not begun. The last line of the log is incomplete.
fn interrupted() -> Built {
    let mut store = Built::new();
    let run = run_id(1);
    store.begin(&run, &["build", "test", "deploy"], 0);
    store.start(&run, "build", 1, "make", 10);
    store.end(&run, "build", 1, 0, 1_000);
    store.end_job(&run, "build", JobEnd::Complete, 1_000);
    store.start(&run, "test", 1, "make check", 2_000);
    store.print(&run, "test", 1, 2_500, Stream::Stdout, "ok\n");
    store.end(&run, "test", 1, 0, 3_000);
    store.start(&run, "test", 2, "make slow", 4_000);
    store.print(&run, "test", 2, 7_500, Stream::Stdout, "one\ntwo\n");
    store.append(&run, "test", 2, b"2026-05-06T12:00:0");
    store.kill_recorder(&run);
    store
}

fn sql<T: rusqlite::types::FromSql>(store: &Built, sql: &str) -> Vec<T> {
    let database = unsynced(&store.root().join("rundown.db"));
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map((), |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn repair(store: &Built, code: i32) -> String {
    stdout(store.root(), &["doctor", "--root", ".", "--repair"], code)
}

#[test]
fn an_interrupted_run_gets_an_end_and_is_still_interrupted() {
    let store = interrupted();
    let log = store.log_path(&run_id(1), "test", 2);
    let (before, length) = (fs::read(&log).unwrap(), fs::metadata(&log).unwrap().len());
    let document = || json(store.root(), &["--root", ".", "--format", "json"], 0);
    let shown = |document: &serde_json::Value| {
        let run = &document["run"];
        let jobs = run["jobs"].as_array().unwrap().iter();
        let shs = jobs.flat_map(|job| job["commands"].as_array().unwrap());
        let shown = shs.map(|sh| format!("{} {} {}", sh["cmd"], sh["state"], sh["exit_code"]));
        shown.chain([run["interrupted"].to_string()]).collect::<Vec<_>>()
    };
    let (text_before, shown_before) =
        (stdout(store.root(), &["--root", "."], 0), shown(&document()));
    assert!(text_before.contains("interrupted"), "{text_before}");
    let printed = repair(&store, 1);
    assert_eq!(
        printed.lines().next().unwrap(),
        "00000001: repaired: the run, 2 jobs and 1 command had no end, and are now marked as \
         interrupted"
    );
    // The only finding that is left is the incomplete line.
    assert_eq!(printed.lines().count(), 2, "{printed}");
    assert_eq!(shown(&document()), shown_before);
    let statuses = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with(['✓', '!', '⊘']));
        lines.map(|line| line.split("  ").take(2).collect::<Vec<_>>().join("  ")).collect()
    };
    let text_after = stdout(store.root(), &["--root", "."], 0);
    assert_eq!(statuses(&text_after), statuses(&text_before));
    assert_eq!(
        statuses(&text_after),
        ["! interrupted  00000001", "✓ passed  build", "! interrupted  test", "⊘ skipped  deploy"]
    );
    let code = run(store.root(), &["--root", ".", "--exit-status"]).status.code();
    assert_eq!(code, Some(3));

    let text = |of: &str| sql::<String>(&store, of);
    assert_eq!(text("SELECT state || ' ' || failure_kind FROM runs"), ["failed interrupted"]);
    assert_eq!(
        text("SELECT job_id || ' ' || state FROM jobs ORDER BY job_id"),
        ["build complete", "deploy skipped", "test aborted"]
    );
    assert_eq!(
        text(
            "SELECT job_id || ' ' || exit_code || ' ' || cmd FROM sh_events ORDER BY started_at_ms"
        ),
        ["build 0 make", "test 0 make check", "test -1 make slow"],
        "the n-th row of a job belongs to sh-n.log"
    );
    let last = at(7_500).floor_millis();
    assert_eq!(
        sql::<i64>(&store, "SELECT finished_at_ms FROM sh_events WHERE exit_code = -1"),
        [last]
    );
    assert_eq!(sql::<i64>(&store, "SELECT finished_at_ms FROM runs"), [last]);
    assert_eq!(
        text("SELECT coalesce(ended_by, '-') FROM sh_calls ORDER BY started_at_ms"),
        ["-", "-", "lost"]
    );
    assert_eq!(
        sql::<i64>(&store, "SELECT log_bytes FROM sh_calls WHERE ended_by = 'lost'"),
        [i64::try_from(length).unwrap()]
    );
    assert_eq!(fs::read(&log).unwrap(), before);

    let again = repair(&store, 1);
    assert!(!again.contains("repaired"), "{again}");
}

#[test]
fn repairs_are_reported_in_json_and_are_no_findings() {
    let mut store = Built::new();
    running_run(&mut store, &run_id(1));
    store.kill_recorder(&run_id(1));
    let args = ["doctor", "--root", ".", "--repair", "--format", "json"];
    let document = json(store.root(), &args, 0);
    assert_eq!(document["findings"][0]["kind"], "repaired");
    assert_eq!(document["findings"].as_array().unwrap().len(), 1);
    assert_eq!(json(store.root(), &args, 0)["findings"].as_array().unwrap().len(), 0);
}

/// Sets the time of the only run, and makes it an open one.
fn open(store: &Built, hours_ago: i64) {
    let began = rundown::time::Time::now().floor_millis() - hours_ago * 3_600_000;
    let database = unsynced(&store.root().join("rundown.db"));
    database
        .execute_batch(&format!(
            "UPDATE runs SET queued_at_ms = {began}, started_at_ms = {began};
             UPDATE jobs SET started_at_ms = {began};
             UPDATE sh_calls SET started_at_ms = {began};
             INSERT OR REPLACE INTO run_details(run_id, is_open) SELECT id, 1 FROM runs;"
        ))
        .unwrap();
}

#[test]
fn active_runs_and_those_that_wait_for_a_command_are_left_alone() {
    let mut store = Built::new();
    running_run(&mut store, &run_id(1));
    let before = bytes_of(store.root());
    assert_eq!(repair(&store, 0), "");
    assert_eq!(bytes_of(store.root()), before);

    store.kill_recorder(&run_id(1));
    open(&store, 23);
    fs::remove_file(path::recorder_lock(&store.run_dir(&run_id(1)))).unwrap();
    assert!(!repair(&store, 0).contains("repaired"));
    // Its command is still running.
    open(&store, 25);
    let log = fs::File::open(store.log_path(&run_id(1), "build", 1)).unwrap();
    log.try_lock().unwrap();
    assert!(!repair(&store, 0).contains("repaired"));
    log.unlock().unwrap();
    assert!(repair(&store, 0).contains("repaired"));
}

#[test]
fn only_the_selected_runs_are_repaired() {
    let mut store = Built::new();
    for n in 1..=2 {
        running_run(&mut store, &run_id(n));
        store.kill_recorder(&run_id(n));
    }
    passed_run(&mut store, &run_id(3), 0);
    let args = ["doctor", "--root", ".", "--repair", "00000002"];
    assert!(stdout(store.root(), &args, 0).starts_with("00000002: repaired"));
    assert_eq!(sql::<i64>(&store, "SELECT count(*) FROM runs WHERE finished_at_ms IS NULL"), [1]);
    let dir = store.run_dir(&run_id(1));
    let output = run(store.root(), &["doctor", "--root", ".", "--repair", dir.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
}

/// A recorder that is killed early leaves a directory without logs and without a row, or a log
/// without a row.
#[test]
fn a_recorder_that_was_killed_early_leaves_nothing_to_report_after_a_repair() {
    let mut store = Built::new();
    let run = run_id(1);
    store.begin(&run, &["test", "deploy"], 0);
    store.start(&run, "test", 1, "make", 10);
    store.end(&run, "test", 1, 0, 20);
    for (job, n) in [("test", 2), ("deploy", 1)] {
        let log = store.log_path(&run, job, n);
        fs::create_dir_all(log.parent().unwrap()).unwrap();
        fs::write(log, "").unwrap();
    }
    store.print(&run, "deploy", 1, 500, Stream::Stdout, "printed\n");
    store.kill_recorder(&run);
    fs::create_dir_all(store.run_dir(&run_id(2)).join("jobs")).unwrap();
    let repaired = repair(&store, 0);
    assert!(repaired.contains("the run, 2 jobs and 2 commands had no end"), "{repaired}");
    assert_eq!(repair(&store, 0), "");
    assert_eq!(
        sql::<String>(
            &store,
            "SELECT job_id || ' ' || cmd || ' ' || exit_code FROM sh_events
             ORDER BY job_id, started_at_ms"
        ),
        ["deploy  -1", "test make 0", "test  -1"]
    );
    assert_eq!(
        sql::<i64>(&store, "SELECT started_at_ms FROM sh_calls WHERE job_id = 'deploy'"),
        [at(500).floor_millis()]
    );
    let document = json(store.root(), &["--root", ".", "--format", "json"], 0);
    assert!(document["run"]["jobs"][1]["commands"][0]["cmd"].is_null(), "{document}");
    let text = stdout(store.root(), &["--root", "."], 0);
    assert!(text.contains("! interrupted  1  unknown command"), "{text}");
}
