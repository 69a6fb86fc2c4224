//! Databases of every schema version of quire, and of future versions. rundown shows their
//! contents, reports the parts that it does not support, and never prints a token.

use std::fs;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{bytes_of, fixture, json, stderr, stdout, unsynced};

/// Makes a store of a schema version, and executes `sql` on its database.
fn store(version: u32, sql: &str) -> (TempDir, Connection) {
    let dir = TempDir::new().unwrap();
    let fixture = fixture(&format!("stores/quire-schema-steps/v{version:02}.sql"));
    let connection = unsynced(&dir.path().join("quire.db"));
    connection.execute_batch(&fs::read_to_string(fixture).unwrap()).unwrap();
    connection.execute_batch(sql).unwrap();
    (dir, connection)
}

/// Returns the rows of a query, each as a list of its values.
fn rows(connection: &Connection, sql: &str) -> Vec<Vec<Value>> {
    let mut statement = connection.prepare(sql).unwrap();
    let width = statement.column_count();
    let value = |value: rusqlite::types::Value| match value {
        rusqlite::types::Value::Integer(number) => json!(number),
        rusqlite::types::Value::Text(text) => json!(text),
        _ => Value::Null,
    };
    let row =
        |row: &rusqlite::Row<'_>| (0..width).map(|column| row.get(column).map(value)).collect();
    statement.query_map((), row).unwrap().collect::<Result<_, _>>().unwrap()
}

fn ms(time: &Value) -> Value {
    time.as_str().map_or(Value::Null, |time| {
        json!(time.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    })
}

fn run_json(dir: &TempDir, id: &str) -> Value {
    json(dir.path(), &["--root", ".", "--once", id, "--format", "json"], 0)["run"].take()
}

fn listed(dir: &TempDir) -> Vec<Value> {
    let mut list = json(dir.path(), &["list", "--root", ".", "--format", "json"], 0);
    list["runs"].as_array_mut().unwrap().drain(..).collect()
}

#[test]
fn every_schema_version_is_read_correctly() {
    for version in 1..=11 {
        let (dir, connection) = store(version, "");
        let (times, reason) = match version {
            ..=9 => ("queued_at_ms, started_at_ms, finished_at_ms, state", "failure_kind"),
            _ => (
                "created_at, dispatched_at, resolved_at, outcome",
                "nullif(replace(outcome, 'failed-', ''), 'succeeded')",
            ),
        };
        let sql = format!(
            "SELECT id, repo, ref_name, sha, {times}, {reason} FROM runs ORDER BY pushed_at_ms DESC"
        );
        let listed_runs: Vec<Vec<Value>> = listed(&dir)
            .into_iter()
            .map(|mut run| {
                let times = ["queued_at", "started_at", "finished_at"].map(|time| ms(&run[time]));
                let names = ["id", "repo", "ref", "sha"].map(|name| run[name].take());
                [names.to_vec(), times.to_vec(), vec![run["state"].take(), run["reason"].take()]]
                    .concat()
            })
            .collect();
        assert_eq!(listed_runs, rows(&connection, &sql), "version {version}");
        for run in &listed_runs {
            assert_jobs_match_rows(&dir, &connection, version, run[0].as_str().unwrap());
        }
        assert_eq!(stderr(dir.path(), &["list", "--root", "."], 0), "", "version {version}");
    }
}

fn assert_jobs_match_rows(dir: &TempDir, connection: &Connection, version: u32, id: &str) {
    let run = run_json(dir, id);
    assert_eq!(run["phase"], "finished", "version {version}");
    let mut shs = Vec::new();
    let mut jobs = Vec::new();
    for job in run["jobs"].as_array().unwrap() {
        jobs.push(vec![
            job["id"].clone(),
            job["state"].clone(),
            ms(&job["started_at"]),
            ms(&job["finished_at"]),
        ]);
        for sh in job["commands"].as_array().unwrap() {
            let times = ["started_at", "finished_at"].map(|time| ms(&sh[time]));
            let [job, exit_code, cmd] =
                [&job["id"], &sh["exit_code"], &sh["cmd"]].map(Value::clone);
            shs.push([vec![job], times.to_vec(), vec![exit_code, cmd]].concat());
        }
    }
    let sql = format!(
        "SELECT job_id, state, started_at_ms, finished_at_ms FROM jobs
         WHERE run_id = '{id}' ORDER BY rowid"
    );
    assert_eq!(jobs, rows(connection, &sql), "version {version}, {id}");
    let table = match version {
        1 => return assert!(shs.is_empty(), "version 1 stores no commands"),
        2..=7 => "sh_events",
        _ => "sh",
    };
    let sql = format!(
        "SELECT s.job_id, s.started_at_ms, s.finished_at_ms, s.exit_code, s.cmd
         FROM {table} s JOIN jobs USING (run_id, job_id)
         WHERE run_id = '{id}' ORDER BY jobs.rowid, s.started_at_ms, s.rowid"
    );
    assert_eq!(shs, rows(connection, &sql), "version {version}, {id}");
}

#[test]
fn the_phase_of_a_run_without_an_outcome_follows_from_its_times() {
    let unresolved = "UPDATE runs SET resolved_at = NULL, outcome = NULL
                      WHERE ref_name LIKE '%01-all-ok' OR ref_name LIKE '%22-%'";
    let (dir, _) = store(10, unresolved);
    let runs = listed(&dir);
    let state_of = |run: &Value| json!([run["state"], run["phase"], run["reason"]]);
    assert_eq!(state_of(&runs[0]), json!([null, "queued", null]), "this run was never dispatched");
    assert_eq!(state_of(&runs[5]), json!([null, "active", null]));
    let args = ["--root", ".", "--once", "fec00a", "--exit-status"];
    assert!(stdout(dir.path(), &args, 4).starts_with("● running"));
    assert!(stdout(dir.path(), &["list", "--root", "."], 0).contains("○ queued"));
}

#[test]
fn an_unknown_version_is_read_in_part_and_the_rest_is_reported() {
    let later = "PRAGMA user_version = 12;
                 ALTER TABLE runs RENAME COLUMN outcome TO verdict;
                 ALTER TABLE runs ADD COLUMN \"bad\x1b[31mname\" TEXT;
                 ALTER TABLE jobs ADD COLUMN attempt INTEGER;
                 ALTER TABLE sh RENAME COLUMN cmd TO CMD;
                 CREATE TABLE events(x);";
    let (dir, connection) = store(11, later);
    let run = run_json(&dir, "fec00a");
    assert_eq!(
        (&run["state"], &run["phase"], &run["repo"]),
        (&Value::Null, &json!("finished"), &json!("demo.git"))
    );
    assert_eq!(
        run["jobs"][0]["commands"][0]["cmd"], "[\"git\", \"--version\"]",
        "the case of column names is ignored, as in SQLite"
    );
    let message = stderr(dir.path(), &["list", "--root", "."], 0);
    for part in [
        "version 12 is newer than rundown supports (11)",
        "missing: column state or outcome of runs, column failure_kind or outcome of runs",
        "ignored: table events, column attempt of jobs, ",
        "column verdict of runs",
    ] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    assert!(!message.contains('\x1b'), "{message:?}");
    assert_eq!(rows(&connection, "SELECT count(*) FROM runs"), [[json!(6)]]);
}

#[test]
fn missing_or_changed_tables_hide_nothing_else() {
    let ids_alone = "CREATE TABLE all_runs AS SELECT id FROM runs;
                     DROP TABLE sh; DROP TABLE jobs; DROP TABLE runs;
                     CREATE VIEW Runs AS SELECT id AS ID FROM all_runs";
    let (dir, _) = store(11, ids_alone);
    assert_eq!(listed(&dir).len(), 6);
    let run = run_json(&dir, "fec00a");
    assert_eq!(
        (&run["phase"], &run["jobs"]),
        (&Value::Null, &json!([])),
        "the phase and the jobs are unknown"
    );
    assert!(
        stderr(dir.path(), &["list", "--root", "."], 0).contains("missing: column repo of runs")
    );

    let no_rowid =
        "CREATE TABLE j(run_id, job_id, started_at_ms, PRIMARY KEY (run_id, job_id)) WITHOUT ROWID;
                    INSERT INTO j SELECT run_id, job_id, started_at_ms FROM jobs;
                    DROP TABLE sh; DROP TABLE jobs; ALTER TABLE j RENAME TO jobs";
    let (dir, _) = store(11, no_rowid);
    let run = run_json(&dir, "fec00a");
    let jobs: Vec<&Value> = run["jobs"].as_array().unwrap().iter().map(|job| &job["id"]).collect();
    assert_eq!(
        jobs,
        ["setup", "test", "lint", "deploy"],
        "jobs without a rowid are in the order of their start"
    );
    let message = stderr(dir.path(), &["list", "--root", "."], 0);
    assert!(
        message.contains("missing: column state of jobs, ") && message.contains("commands"),
        "{message}"
    );
    assert!(!message.contains("newer"), "{message}");
}

#[test]
fn a_token_is_never_printed_and_reading_leaves_no_trace() {
    for (version, column) in
        [(3, "auth_token"), (6, "run_token"), (9, "run_token"), (11, "run_token")]
    {
        let (dir, connection) = store(version, &format!("UPDATE runs SET {column} = 'tok-5ecret'"));
        drop(connection);
        let before = bytes_of(dir.path());
        for args in [
            &["list"][..],
            &["list", "--format", "json"],
            &["--once"],
            &["--once", "--format", "json"],
            &["--once", "--format", "jsonl"],
            &["--once", "--format", "records"],
            &["--once", "--format", "raw"],
        ] {
            let message = crate::support::run(dir.path(), &[args, &["--root", "."]].concat());
            let message = [message.stdout, message.stderr].concat();
            assert!(
                !String::from_utf8_lossy(&message).contains("5ecret"),
                "version {version} {args:?}"
            );
        }
        assert_eq!(bytes_of(dir.path()), before, "version {version}");
    }
}
