//! A copy of a real quire store of schema version 2, made while quire was writing to it. rundown
//! reports the same values as `sqlite3`, `grep` and `wc` (`EXPECTED.json`), and does not change the
//! store.

use serde_json::{Value, json};

use crate::support::{bytes_of, fixture, json, json_lines, stderr, stdout, store};

fn expected() -> Value {
    let text = std::fs::read_to_string(fixture("stores/quire-v2-live/EXPECTED.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn ms(time: &Value) -> Value {
    time.as_str().map_or(Value::Null, |time| {
        json!(time.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    })
}

/// Returns the fields of a command that `EXPECTED.json` also contains, in its format.
fn ours(sh: &Value) -> Value {
    let log = &sh["log"];
    json!({
        "n": sh["n"],
        "exit_code": sh["exit_code"],
        "started": ms(&sh["started_at"]),
        "finished": ms(&sh["finished_at"]),
        "cmd": sh["cmd"],
        "log": {
            "bytes": log["bytes"],
            "lines": log["rows"],
            "stdout": log["stdout_records"],
            "stderr": log["stderr_records"],
        },
    })
}

#[test]
fn the_json_of_every_run_has_the_values_that_other_tools_read() {
    let dir = store("quire-v2-live");
    let expected = expected();
    for run in expected["runs"].as_array().unwrap() {
        let id = run["id"].as_str().unwrap();
        let document = json(dir.path(), &["--root", ".", "--once", id, "--format", "json"], 0);
        assert_eq!(document["schema"], "rundown.run/1");
        let ours_run = &document["run"];
        for (ours, theirs) in
            [("id", "id"), ("repo", "repo"), ("ref", "ref"), ("sha", "sha"), ("state", "state")]
        {
            assert_eq!(ours_run[ours], run[theirs], "{id} {ours}");
        }
        assert_eq!(ours_run["duration_ms"], run["duration_ms"], "{id}");
        let (jobs, their_jobs) =
            (ours_run["jobs"].as_array().unwrap(), run["jobs"].as_array().unwrap());
        assert_eq!(jobs.len(), their_jobs.len(), "{id}");
        for (job, theirs) in jobs.iter().zip(their_jobs) {
            assert_eq!(job["id"], theirs["job_id"]);
            assert_eq!(job["state"], theirs["state"]);
            assert_eq!(
                [ms(&job["started_at"]), ms(&job["finished_at"])],
                [theirs["started"].clone(), theirs["finished"].clone()]
            );
            let commands = job["commands"].as_array().unwrap();
            let with_row: Vec<Value> =
                commands.iter().filter(|sh| sh["has_row"] == true).map(ours).collect();
            assert_eq!(Value::Array(with_row), theirs["sh"], "{id} {}", job["id"]);
        }
        let orphans = jobs
            .iter()
            .flat_map(|job| job["commands"].as_array().unwrap())
            .filter(|sh| sh["has_row"] == false);
        assert_eq!(orphans.count(), run["orphan_logs"].as_array().unwrap().len(), "{id}");
    }
}

#[test]
fn a_log_without_a_database_row_is_shown_and_marked() {
    let dir = store("quire-v2-live");
    let document = json(
        dir.path(),
        &["--root", ".", "--once", "433010", "--format", "json", "--job", "burst"],
        0,
    );
    let commands = document["run"]["jobs"][0]["commands"].as_array().unwrap();
    let last = commands.last().unwrap();
    assert_eq!(
        (&last["n"], &last["join"], &last["state"]),
        (&json!(140), &json!("file-only"), &json!("unknown"))
    );
    assert!(
        commands[..139].iter().all(|sh| sh["join"] == "position"),
        "empty logs have no times to compare"
    );
    let text = stdout(dir.path(), &["--root", ".", "--once", "433010"], 0);
    assert!(text.contains("? unknown  140  sh-140.log  (no row in the database"), "{text}");
}

#[test]
fn logs_whose_times_match_their_rows_are_joined_by_time() {
    let dir = store("quire-v2-live");
    let document = json(dir.path(), &["--root", ".", "--once", "d61998d3", "--format", "json"], 0);
    let setup = &document["run"]["jobs"][0]["commands"];
    assert_eq!(
        [&setup[0]["join"], &setup[0]["argv"], &setup[2]["argv"]],
        [&json!("time"), &json!(["git", "--version"]), &Value::Null]
    );
}

#[test]
fn reading_leaves_no_trace() {
    let dir = store("quire-v2-live");
    let before = bytes_of(dir.path());
    for args in [
        &["list"][..],
        &["--once"],
        &["--once", "--format", "json"],
        &["--once", "--format", "jsonl"],
        &["--once", "latest~3", "--failed"],
    ] {
        stdout(dir.path(), &[&["--root", "."], args].concat(), 0);
    }
    assert!(bytes_of(dir.path()) == before);
}

#[test]
fn a_rundown_db_of_another_program_is_never_written() {
    let dir = store("quire-v2-live");
    std::fs::rename(dir.path().join("quire.db"), dir.path().join("rundown.db")).unwrap();
    let before = bytes_of(dir.path());
    let message = stderr(dir.path(), &["record", "--must-record", "--root", ".", "--", "true"], 6);
    assert!(message.contains("it was not created by rundown"), "{message}");
    assert!(bytes_of(dir.path()) == before);
}

#[test]
fn a_rejected_database_keeps_its_wal() {
    let made = store("quire-v2-live");
    let connection = rusqlite::Connection::open(made.path().join("quire.db")).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode=WAL; UPDATE runs SET repo = 'later.git'")
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (from, to) in [("quire.db", "rundown.db"), ("quire.db-wal", "rundown.db-wal")] {
        std::fs::copy(made.path().join(from), dir.path().join(to)).unwrap();
    }
    let before = bytes_of(dir.path());
    stderr(dir.path(), &["record", "--must-record", "--root", ".", "--", "true"], 6);
    assert!(
        stdout(dir.path(), &["--root", ".", "list"], 0).contains("later.git"),
        "a change that is only in the -wal is read"
    );
    assert!(bytes_of(dir.path()) == before);
}

#[test]
fn recording_into_a_quire_store_is_rejected() {
    let dir = store("quire-v2-live");
    let before = bytes_of(dir.path());
    assert!(
        stderr(dir.path(), &["record", "--must-record", "--root", ".", "--", "true"], 6)
            .contains("it belongs to quire")
    );
    assert!(bytes_of(dir.path()) == before);
}

#[test]
fn the_logs_of_a_database_selected_by_db_are_found_beside_it() {
    let dir = store("quire-v2-live");
    let args = ["--db", "quire.db", "--once", "d61998d3", "--format", "json"];
    let document = json(dir.path(), &args, 0);
    assert_eq!(document["run"]["jobs"][0]["commands"][0]["log"]["bytes"], 59);
}

#[test]
fn commands_keep_their_rows_if_the_row_of_their_job_is_missing() {
    let dir = store("quire-v2-live");
    let connection = rusqlite::Connection::open(dir.path().join("quire.db")).unwrap();
    connection
        .execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM jobs WHERE job_id = 'test'")
        .unwrap();
    drop(connection);
    let document = json(
        dir.path(),
        &["--root", ".", "--once", "d61998d3", "--format", "json", "--job", "test"],
        0,
    );
    let job = &document["run"]["jobs"][0];
    assert_eq!(
        (&job["state"], &job["commands"][1]["exit_code"], &job["commands"][1]["join"]),
        (&Value::Null, &json!(0), &json!("time"))
    );
}

#[test]
fn the_renamed_table_of_version_8_is_read() {
    let dir = store("quire-v2-live");
    let connection = rusqlite::Connection::open(dir.path().join("quire.db")).unwrap();
    connection
        .execute_batch("ALTER TABLE sh_events RENAME TO sh; PRAGMA user_version = 8")
        .unwrap();
    drop(connection);
    let document = json(dir.path(), &["--root", ".", "--once", "d61998d3", "--format", "json"], 0);
    assert_eq!(document["run"]["jobs"][0]["commands"].as_array().unwrap().len(), 3);
}

#[test]
fn runs_are_found_by_every_form_of_their_name() {
    let dir = store("quire-v2-live");
    let id = |run: &str| {
        json(dir.path(), &["--root", ".", "--once", run, "--format", "json"], 0)["run"]["id"]
            .clone()
    };
    assert_eq!(id("latest"), "01a2078a-acdf-7522-9490-4f18780b2e4c");
    assert_eq!(id("latest~4"), "01a2078a-83c0-7cf2-8c6a-6911d61998d3");
    assert_eq!(id("latest-passed"), "01a2078a-8a58-72e2-b0d8-7591ec12b006");
    assert_eq!(id("01a2078a-8a"), "01a2078a-8a58-72e2-b0d8-7591ec12b006");
    assert_eq!(id("d61998d3"), "01a2078a-83c0-7cf2-8c6a-6911d61998d3");
    let narrowed = ["--root", ".", "--once", "--ref", "10-burst-2", "--format", "json"];
    assert_eq!(json(dir.path(), &narrowed, 0)["run"]["id"], "01a2078a-9ae5-7980-828a-202fcd433010");
}

#[test]
fn an_unknown_or_ambiguous_run_is_rejected_with_suggestions() {
    let dir = store("quire-v2-live");
    let ambiguous = stderr(dir.path(), &["--root", ".", "--once", "01a2078a"], 5);
    assert_eq!(ambiguous.matches("01a2078a-").count(), 5, "every candidate is listed: {ambiguous}");
    assert!(
        stderr(dir.path(), &["--root", ".", "--once", "ffffffff"], 5)
            .contains("`rundown list` shows")
    );
    assert!(
        stderr(dir.path(), &["--root", ".", "--once", "latest-failed"], 5)
            .contains("no run has failed")
    );
    assert!(
        stderr(dir.path(), &["--root", ".", "--once", "abc"], 5).contains("at least 4 characters")
    );
    let selected = ["--root", ".", "--once", "--job", "no-*"];
    assert!(stderr(dir.path(), &selected, 5).contains("no job matches `no-*`; jobs: "));
}

#[test]
fn the_exit_status_is_that_of_the_run() {
    let dir = store("quire-v2-live");
    for (run, code) in [("d61998d3", 0), ("433010", 4), ("01a2078a-a4e8", 4)] {
        stdout(dir.path(), &["--root", ".", "--once", run, "--exit-status"], code);
    }
}

#[test]
fn the_option_failed_prints_only_failed_commands() {
    let dir = store("quire-v2-live");
    let rows = json_lines(
        dir.path(),
        &["--root", ".", "--once", "12b006", "--failed", "--format", "jsonl"],
    );
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["job"], &rows[0]["n"], &rows[0]["text"]),
        (&json!("z-last"), &json!(2), &json!("z-last second"))
    );
    let message = stderr(dir.path(), &["--root", ".", "--once", "d61998d3", "--failed"], 0);
    assert!(message.contains("nothing failed in this run"), "{message}");
}

#[test]
fn the_list_continues_after_a_given_run() {
    let dir = store("quire-v2-live");
    let list = |args: &[&str]| {
        json(dir.path(), &[&["--root", ".", "list", "--format", "json"], args].concat(), 0)
    };
    let ids = |list: &Value| -> Vec<String> {
        list["runs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| run["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let whole = list(&[]);
    assert_eq!((ids(&whole).len(), &whole["has_more"]), (5, &json!(false)));
    let first = list(&["--limit", "2"]);
    let second = list(&["--limit", "2", "--before", &ids(&first)[1]]);
    let third = list(&["--limit", "2", "--before", "latest~3"]);
    let pages = [&first, &second, &third];
    assert_eq!(pages.map(ids).concat(), ids(&whole));
    assert_eq!(
        pages.map(|list| list["has_more"].clone()),
        [json!(true), json!(true), json!(false)]
    );
    assert_eq!(
        stderr(dir.path(), &["--root", ".", "list", "--limit", "2"], 0),
        "",
        "without a terminal, there is no hint for the next page"
    );
    let none = stderr(dir.path(), &["--root", ".", "list", "--before", "latest~4"], 0);
    assert!(none.contains("no older run"), "{none}");
    assert!(
        stderr(dir.path(), &["--root", ".", "list", "--before", "ffffffff"], 5)
            .contains("no run id, ref or commit matches")
    );
}
