//! Faults that occur in real stores, one run for each in `fixtures/stores/quire-v*-broken`. rundown
//! shows the existing records, invents nothing, and reports each fault as a finding.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::{bytes_of, json, run, stderr, stdout, store};

const V2: &str = "quire-v2-broken";
const V11: &str = "quire-v11-broken";

/// Asserts the exit status of `--exit-status` for a run, and the facts of its JSON document:
///
/// ```text
/// state phase reason duration_ms       of the run
/// job: state phase duration_ms         of each job
///   n state exit_code join             of each command; `, no row` or `, no log` if missing
/// own log: 2 rows                      if the run has a log of its own
/// odd: job n kind                      of each finding
/// ```
fn assert_run(name: &str, id: &str, exit_status: i32, expected: &[&str]) {
    let dir = store(name);
    let document = json(
        dir.path(),
        &["--root", ".", "--once", id, "--format", "json", "--exit-status"],
        exit_status,
    );
    assert_eq!(facts(&document["run"]), expected);
}

fn facts(run: &Value) -> Vec<String> {
    let mut facts = vec![words(run, &["state", "phase", "reason", "duration_ms"])];
    for job in run["jobs"].as_array().unwrap() {
        facts.push(format!(
            "{}: {}",
            word(&job["id"]),
            words(job, &["state", "phase", "duration_ms"])
        ));
        facts.extend(job["commands"].as_array().unwrap().iter().map(sh_facts));
    }
    if run["log"].is_object() {
        facts.push(format!("own log: {} rows", run["log"]["rows"]));
    }
    let findings = run["findings"].as_array().unwrap();
    facts.extend(
        findings.iter().map(|finding| format!("odd: {}", words(finding, &["job", "n", "kind"]))),
    );
    facts
}

fn sh_facts(sh: &Value) -> String {
    let row = if sh["has_row"] == true { "" } else { ", no row" };
    let log = if sh["log"].is_object() { "" } else { ", no log" };
    format!("  {}{row}{log}", words(sh, &["n", "state", "exit_code", "join"]))
}

fn words(value: &Value, keys: &[&str]) -> String {
    keys.iter().map(|key| word(&value[*key])).collect::<Vec<_>>().join(" ")
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[test]
fn a_run_whose_rows_end_at_a_collision_keeps_its_state() {
    assert_run(
        V2,
        "b0200001",
        4,
        &[
            "active active - -",
            "build: complete finished 190",
            "  1 passed 0 time",
            "test: complete finished 790",
            "  1 passed 0 time",
            "  2 failed 1 time",
            "  3 passed 0 time",
            "  4 unknown - file-only, no row",
            "deploy: complete finished 90",
            "odd: - - stalled",
            "odd: test 4 rows-end",
        ],
    );
}

#[test]
fn a_collision_is_reported_even_if_the_run_was_abandoned_later() {
    assert_run(
        V2,
        "b0200002",
        1,
        &[
            "failed finished orphaned -",
            "build: complete finished 190",
            "  1 passed 0 time",
            "test: complete finished 790",
            "  1 passed 0 time",
            "  2 failed 1 time",
            "  3 passed 0 time",
            "  4 unknown - file-only, no row",
            "deploy: complete finished 90",
            "odd: - - orphaned",
            "odd: test 4 rows-end",
        ],
    );
}

#[test]
fn an_orphaned_run_has_no_duration() {
    assert_run(
        V2,
        "b0200003",
        1,
        &[
            "failed finished orphaned -",
            "build: active finished -",
            "odd: - - orphaned",
            "odd: build - job-never-ended",
        ],
    );
}

#[test]
fn an_empty_log_does_not_prove_a_collision() {
    assert_run(
        V2,
        "b0200004",
        1,
        &[
            "failed finished orphaned -",
            "build: complete finished 390",
            "  1 passed 0 time",
            "  2 passed 0 position",
            "  3 unknown - file-only, no row",
            "odd: - - orphaned",
            "odd: build 3 rows-end",
        ],
    );
}

#[test]
fn a_job_without_an_end_is_interrupted() {
    assert_run(
        V2,
        "b0200005",
        1,
        &[
            "failed finished - 1500",
            "build: failed finished 390",
            "  1 failed 2 time",
            "test: active finished -",
            "odd: test - job-never-ended",
        ],
    );
}

#[test]
fn a_job_may_end_after_its_run_was_superseded() {
    assert_run(
        V2,
        "b0200006",
        3,
        &[
            "superseded finished - 500",
            "build: complete finished 2490",
            "  1 passed 0 time",
            "odd: build - job-outlives-run",
        ],
    );
}

#[test]
fn logs_are_paired_by_time_after_the_clock_was_set_back() {
    assert_run(
        V2,
        "b0200007",
        0,
        &[
            "complete finished - 1500",
            "build: complete finished 60",
            "  1 passed 0 time",
            "  2 passed 0 time",
            "  3 passed 0 time",
            "odd: build - out-of-order",
        ],
    );
}

#[test]
fn a_command_keeps_its_row_if_its_log_is_removed() {
    assert_run(
        V2,
        "b0200008",
        0,
        &[
            "complete finished - 1500",
            "build: complete finished 390",
            "  1 passed 0 time",
            "  2 passed 0 row-only, no log",
            "  3 passed 0 time",
            "odd: build 2 log-missing",
        ],
    );
}

#[test]
fn commands_keep_their_rows_if_their_directory_is_removed() {
    assert_run(
        V2,
        "b0200009",
        0,
        &[
            "complete finished - 1500",
            "build: complete finished 390",
            "  1 passed 0 row-only, no log",
            "test: complete finished 80",
            "  1 passed 0 row-only, no log",
            "  2 passed 0 row-only, no log",
            "odd: - - logs-gone",
        ],
    );
}

#[test]
fn logs_without_rows_are_shown_in_their_job() {
    assert_run(
        V2,
        "b0200010",
        0,
        &[
            "complete finished - 1500",
            "build: complete finished 390",
            "  1 passed 0 time",
            "rowless: complete finished 80",
            "  2 unknown - file-only, no row",
            "  5 unknown - file-only, no row",
            "stray: - - -",
            "  1 unknown - file-only, no row",
            "odd: rowless 2 rows-end",
            "odd: stray - job-without-row",
            "odd: rowless - number-missing",
        ],
    );
}

#[test]
fn start_times_that_differ_by_a_millisecond_are_equal() {
    assert_run(
        V2,
        "b0200011",
        0,
        &[
            "complete finished - 1500",
            "build: complete finished 390",
            "  1 passed 0 time",
            "  2 passed 0 time",
            "  3 passed 0 time",
        ],
    );
}

#[test]
fn a_job_without_commands_has_no_findings() {
    assert_run(V2, "b0200012", 0, &["complete finished - 1500", "build: complete finished 390"]);
}

#[test]
fn plain_text_logs_have_no_findings() {
    assert_run(
        V2,
        "b0200013",
        0,
        &["complete finished - 1500", "build: complete finished 390", "  1 passed 0 position"],
    );
}

#[test]
fn a_queued_run_has_no_jobs() {
    assert_run(V2, "b0200014", 4, &["pending queued - -"]);
}

#[test]
fn an_upgrade_of_quire_leaves_logs_without_rows() {
    assert_run(
        V11,
        "b1100001",
        1,
        &[
            "failed-pipeline finished pipeline 1500",
            "build: - - -",
            "  1 unknown - file-only, no row",
            "  2 unknown - file-only, no row",
            "test: - - -",
            "  1 unknown - file-only, no row",
            "odd: - - jobs-gone",
        ],
    );
}

#[test]
fn events_provide_the_rows_that_a_collision_prevented() {
    assert_run(
        V11,
        "b1100002",
        1,
        &[
            "failed-internal finished internal 510",
            "quire/push: succeeded finished 4",
            "build: succeeded finished 390",
            "  1 passed 0 time",
            "  2 passed 0 time",
            "  3 passed 0 time, no row",
            "  4 passed 0 position, no row",
            "  5 passed 0 time, no row",
            "test: succeeded finished 85",
            "  1 passed 0 time, no row",
            "odd: - - failed-alone",
            "odd: build 3 rows-end",
            "odd: test - job-without-row",
        ],
    );
}

#[test]
fn a_collision_without_events_leaves_logs_without_rows() {
    assert_run(
        V11,
        "b1100003",
        1,
        &[
            "failed-internal finished internal 510",
            "quire/push: succeeded finished 4",
            "build: succeeded finished 390",
            "  1 passed 0 time",
            "  2 passed 0 time",
            "  3 unknown - file-only, no row",
            "  4 unknown - file-only, no row",
            "  5 unknown - file-only, no row",
            "test: - - -",
            "  1 unknown - file-only, no row",
            "odd: - - failed-alone",
            "odd: build 3 rows-end",
            "odd: test - job-without-row",
        ],
    );
}

#[test]
fn an_orphaned_run_is_completed_from_its_events() {
    assert_run(
        V11,
        "b1100004",
        1,
        &[
            "failed-orphaned finished orphaned -",
            "quire/push: succeeded finished 4",
            "build: - finished -",
            "  1 passed 0 time, no row",
            "  2 interrupted - -, no row, no log",
            "odd: - - orphaned",
            "odd: - - jobs-gone",
            "odd: build - job-never-ended",
        ],
    );
}

#[test]
fn a_compile_error_of_a_pipeline_has_its_own_log() {
    assert_run(V11, "b1100005", 1, &["failed-pipeline finished pipeline 200", "own log: 2 rows"]);
}

#[test]
fn a_running_run_is_completed_from_its_events() {
    assert_run(
        V11,
        "b1100006",
        4,
        &[
            "- active - -",
            "quire/push: succeeded finished 4",
            "build: - active -",
            "  1 passed 0 time, no row",
            "  2 failed 3 time, no row",
            "  3 running - -, no row, no log",
            "own log: 1 rows",
        ],
    );
}

#[test]
fn a_command_whose_program_is_missing_has_no_row_and_no_log() {
    assert_run(
        V11,
        "b1100007",
        1,
        &[
            "failed-pipeline finished pipeline 500",
            "quire/push: succeeded finished 4",
            "build: failed finished 190",
            "  1 passed 0 time",
            "  2 interrupted - -, no row, no log",
            "own log: 1 rows",
            "odd: build 2 never-ended",
        ],
    );
}

#[test]
fn unknown_events_of_a_run_are_counted_and_skipped() {
    assert_run(
        V11,
        "b1100008",
        0,
        &[
            "succeeded finished - 500",
            "quire/push: succeeded finished 4",
            "build: succeeded finished 190",
            "  1 passed 0 time",
            "odd: - - unknown-events",
        ],
    );
}

#[test]
fn a_run_may_be_superseded_before_it_starts() {
    assert_run(V11, "b1100009", 3, &["superseded finished - -"]);
}

#[test]
fn a_repository_in_a_group_has_no_findings() {
    assert_run(
        V11,
        "b1100010",
        0,
        &[
            "succeeded finished - 500",
            "quire/push: succeeded finished 4",
            "build: succeeded finished 190",
            "  1 passed 0 time",
        ],
    );
}

#[test]
fn findings_are_in_plain_words() {
    for (name, runs) in [
        (V2, &["b0200001", "b0200003", "b0200007", "b0200009", "b0200010"][..]),
        (V11, &["b1100001", "b1100002", "b1100004", "b1100005", "b1100006", "b1100007"]),
    ] {
        let dir = store(name);
        for id in runs {
            assert_snapshot!(
                format!("text_{id}"),
                stdout(dir.path(), &["--root", ".", "--once", id], 0)
            );
        }
    }
}

#[test]
fn doctor_lists_each_finding_once() {
    for name in [V2, V11] {
        let dir = store(name);
        let text = stdout(dir.path(), &["--root", ".", "doctor"], 1);
        let document = json(dir.path(), &["--root", ".", "doctor", "--format", "json"], 1);
        let findings = document["findings"].as_array().unwrap();
        let meanings: Vec<&str> =
            findings.iter().map(|finding| finding["meaning"].as_str().unwrap()).collect();
        assert_eq!(text.lines().count(), meanings.len());
        assert!(text.lines().zip(meanings).all(|(line, meaning)| line.ends_with(meaning)));
        assert_snapshot!(format!("doctor_{name}"), text);
    }
}

#[test]
fn doctor_prints_no_findings_for_an_intact_run() {
    for (name, sound) in
        [(V2, "b0200011"), (V2, "b0200012"), (V2, "b0200013"), (V2, "b0200014"), (V11, "b1100009")]
    {
        let dir = store(name);
        assert_eq!(stdout(dir.path(), &["--root", ".", "doctor", sound], 0), "");
        assert_eq!(
            stdout(dir.path(), &["--root", ".", "doctor", sound, "--format", "json"], 0)
                .lines()
                .count(),
            1
        );
    }
}

#[test]
fn reading_never_changes_a_broken_store_or_prints_its_tokens() {
    for name in [V2, V11] {
        let dir = store(name);
        let before = bytes_of(dir.path());
        let listed =
            json(dir.path(), &["--root", ".", "list", "--limit", "100", "--format", "json"], 0);
        let runs = listed["runs"].as_array().unwrap();
        assert!(runs.len() >= 10);
        let ids = runs.iter().map(|run| run["id"].as_str().unwrap());
        let formats =
            ["text", "digest", "markdown", "html", "trace", "json", "jsonl", "raw", "records"];
        let views =
            ids.clone().flat_map(|id| formats.map(|format| vec!["--once", id, "--format", format]));
        let export = |id, signal| vec!["export", "otlp", id, "--signals", signal];
        let exports = ids.flat_map(|id| ["traces", "logs", "metrics"].map(|it| export(id, it)));
        for args in views.chain(exports).chain([vec!["list"], vec!["doctor"]]) {
            let output = run(dir.path(), &[vec!["--root", "."], args].concat());
            assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
            let message = [output.stdout, output.stderr].concat();
            assert!(!String::from_utf8_lossy(&message).contains("token-that-nobody-may-see"));
        }
        assert!(bytes_of(dir.path()) == before);
    }
}

#[test]
fn doctor_for_one_run_reports_a_newer_version_of_its_store() {
    let dir = store(V11);
    rusqlite::Connection::open(dir.path().join("quire.db"))
        .unwrap()
        .execute_batch("PRAGMA user_version = 12")
        .unwrap();
    let message = stdout(dir.path(), &["--root", ".", "doctor", "b1100009"], 1);
    assert!(message.starts_with("store: ") && message.contains("version 12 is newer"), "{message}");
}

#[test]
fn doctor_prints_a_json_document_even_after_an_error() {
    let dir = store(V11);
    let connection = rusqlite::Connection::open(dir.path().join("quire.db")).unwrap();
    // The list of runs is readable. The commands of a run are not.
    let overflow = "DROP TABLE sh; CREATE VIEW sh AS SELECT run_id, job_id,
         abs(-9223372036854775807 - 1) AS started_at_ms, 0 AS finished_at_ms,
         0 AS exit_code, '' AS cmd FROM jobs";
    connection.execute_batch(overflow).unwrap();
    drop(connection);
    let document = json(dir.path(), &["--root", ".", "doctor", "--format", "json"], 6);
    assert_eq!(document["complete"], false);
}

#[test]
fn a_run_with_too_many_rows_is_shown_in_part_with_a_notice() {
    let dir = tempfile::TempDir::new().unwrap();
    let sql = "CREATE TABLE runs(id); CREATE TABLE jobs(run_id, job_id);
               INSERT INTO runs VALUES ('run-1');
               WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 40000)
               INSERT INTO jobs SELECT 'run-1', 'job-' || i FROM n";
    rusqlite::Connection::open(dir.path().join("quire.db")).unwrap().execute_batch(sql).unwrap();
    let run = &json(dir.path(), &["--root", ".", "--once", "--format", "json"], 0)["run"];
    let rows = run["jobs"].as_array().unwrap().len();
    assert!((10_000..40_000).contains(&rows), "{rows}");
    let message = format!("the run is too large; only {rows} of its jobs and commands are shown");
    let findings = run["findings"].as_array().unwrap();
    let cut = findings.iter().find(|finding| finding["kind"] == "rows-cut").unwrap();
    assert_eq!(cut["meaning"], message);
    assert!(
        stdout(dir.path(), &["--root", ".", "--once"], 0).contains(&format!("note: {message}"))
    );
    assert!(stdout(dir.path(), &["--root", ".", "doctor"], 1).contains(&message));
}

#[test]
fn doctor_rejects_a_directory_without_logs() {
    let dir = tempfile::TempDir::new().unwrap();
    assert!(stderr(dir.path(), &["doctor", "./"], 5).contains("no logs under"));
}

#[test]
fn findings_of_a_run_opened_by_its_path_are_reported() {
    let dir = store(V11);
    let runs = dir.path().join("runs/demo.git");
    let named =
        |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().ends_with("b1100008");
    let path =
        std::fs::read_dir(runs).unwrap().map(|entry| entry.unwrap()).find(named).unwrap().path();
    let message = stdout(dir.path(), &["--once", path.to_str().unwrap()], 0);
    assert!(message.starts_with("note: 2 lines of events.jsonl"), "{message}");
}
