//! `rundown export otlp`: the documents, the files, and the requests to a server on this machine.

#[cfg(feature = "remote")]
mod server;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rundown::cri::Stream;
use rundown::model::{JobId, RunDetails};
use rundown::store::{JobEnd, NewJob, RunEnd, ShEnd};
use serde_json::Value;

use crate::support::built::{Built, at, failed_run, passed_run, run_id, running};
use crate::support::{json_lines, run, stderr, stdout, unsynced};

/// Exports signals of a run to stdout, and returns the lines.
#[track_caller]
fn exported(store: &Built, signal: &str, runs: &[&str]) -> Vec<Value> {
    let args = ["export", "otlp", "--root", ".", "--signals", signal];
    json_lines(store.root(), &[&args, runs].concat())
}

/// The keys of the lists of a document.
const SPANS: [&str; 3] = ["resourceSpans", "scopeSpans", "spans"];
const RECORDS: [&str; 3] = ["resourceLogs", "scopeLogs", "logRecords"];
const METRICS: [&str; 3] = ["resourceMetrics", "scopeMetrics", "metrics"];

/// Returns the elements of a list in a document: `lines[..][outer][..][inner][..]`.
fn list(lines: &[Value], [resources, scopes, records]: [&str; 3]) -> Vec<Value> {
    let items = |value: &Value, key: &str| value[key].as_array().unwrap().clone();
    let resources = lines.iter().flat_map(|line| items(line, resources));
    let scopes = resources.flat_map(|resource| items(&resource, scopes));
    scopes.flat_map(|scope| items(&scope, records)).collect()
}

fn spans(store: &Built, runs: &[&str]) -> BTreeMap<String, Value> {
    let lines = exported(store, "traces", runs);
    let spans = list(&lines, SPANS);
    spans.into_iter().map(|span| (span["name"].as_str().unwrap().to_owned(), span)).collect()
}

fn records(store: &Built) -> Vec<Value> {
    list(&exported(store, "logs", &[]), RECORDS)
}

/// Returns the attributes of an object as text.
fn attributes(object: &Value) -> BTreeMap<String, String> {
    let attributes = object["attributes"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| {
        let value = value.as_object().unwrap().values().next().unwrap().clone();
        value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
    };
    let pair = |it: &Value| (it["key"].as_str().unwrap().to_owned(), text(&it["value"]));
    attributes.iter().map(pair).collect()
}

fn attribute(object: &Value, key: &str) -> String {
    attributes(object).remove(key).unwrap_or_default()
}

/// Returns a time of a span in nanoseconds.
fn nanos(object: &Value, key: &str) -> u64 {
    object[key].as_str().unwrap().parse().unwrap()
}

fn job(id: &str, needs: &[&str], allow_failure: bool) -> NewJob {
    let needs = needs.iter().map(|need| JobId((*need).into())).collect();
    NewJob { needs, allow_failure, ..NewJob::new(JobId(id.into())) }
}

/// Makes a run in which a job failed, another one was allowed to, and a third one was skipped.
fn nightly() -> Built {
    let (mut store, run) = (Built::new(), run_id(1));
    let details = RunDetails {
        name: Some("nightly".into()),
        url: Some("https://ci.example/7".into()),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        ..RunDetails::default()
    };
    let jobs = [
        job("build", &[], false),
        job("lint", &[], true),
        job("test", &["build", "lint", "gone"], false),
        job("deploy", &["test"], false),
    ];
    store.begin_with(&run, &details, &jobs, 0);
    store.start(&run, "build", 1, "make", 10);
    store.end(&run, "build", 1, 0, 20);
    store.end_job(&run, "build", JobEnd::Complete, 20);
    store.start(&run, "lint", 1, "make lint", 10);
    store.end(&run, "lint", 1, 3, 20);
    store.end_job(&run, "lint", JobEnd::Failed(3), 20);
    store.start(&run, "test", 1, "make check", 30);
    store.print(&run, "test", 1, 40, Stream::Stderr, "src/a.rs:1:2: error: no such thing\n");
    store.end(&run, "test", 1, 2, 50);
    store.end_job(&run, "test", JobEnd::Failed(2), 60);
    store.end_job(&run, "deploy", JobEnd::Skipped, 60);
    store.end_run(&run, RunEnd::Failed("job-failed"), 2_070);
    store
}

#[test]
fn a_run_is_a_trace_of_jobs_and_commands() {
    let store = nightly();
    let spans = spans(&store, &[]);
    let names: Vec<&str> = spans.keys().map(String::as_str).collect();
    let expected =
        ["RUN nightly", "build", "deploy", "lint", "make", "make check", "make lint", "test"];
    assert_eq!(names, expected);
    let id = |name: &str| &spans[name]["spanId"];
    assert_eq!(spans["RUN nightly"]["parentSpanId"], "b7ad6b7169203331");
    assert_eq!(&spans["test"]["parentSpanId"], id("RUN nightly"));
    assert_eq!(&spans["make check"]["parentSpanId"], id("test"));
    let links: Vec<&Value> =
        spans["test"]["links"].as_array().unwrap().iter().map(|link| &link["spanId"]).collect();
    assert_eq!(links, [id("build"), id("lint")], "not a job that does not exist");
    let mut known = HashSet::new();
    for span in spans.values() {
        assert_eq!(span["traceId"], "0af7651916cd43dd8448eb211c80319c");
        assert!(span["spanId"].as_str().unwrap().len() == 16 && known.insert(&span["spanId"]));
        assert!(nanos(span, "startTimeUnixNano") <= nanos(span, "endTimeUnixNano"));
    }
    assert_eq!(self::spans(&store, &[]), spans, "each export has the same ids");
}

#[test]
fn only_failures_with_consequences_are_errors() {
    let spans = spans(&nightly(), &[]);
    for (name, result, error_type, status) in [
        ("RUN nightly", "failure", "job-failed", "{\"code\":2,\"message\":\"job-failed\"}"),
        ("build", "success", "", "null"),
        ("make", "success", "", "null"),
        ("lint", "failure", "3", "null"),
        ("make lint", "failure", "3", "null"),
        ("test", "failure", "2", "{\"code\":2}"),
        (
            "make check",
            "failure",
            "2",
            "{\"code\":2,\"message\":\"src/a.rs:1:2: error: no such thing\"}",
        ),
        ("deploy", "skip", "", "null"),
    ] {
        let span = &spans[name];
        let is_run = name.starts_with("RUN");
        let key = if is_run { "cicd.pipeline.result" } else { "cicd.pipeline.task.run.result" };
        assert_eq!(attribute(span, key), result, "{name}");
        assert_eq!(attribute(span, "error.type"), error_type, "{name}");
        assert_eq!(span["status"].to_string(), status, "{name}");
    }
    assert_eq!(attribute(&spans["make check"], "cicd.pipeline.task.run.id"), "test/1");
    assert_eq!(attribute(&spans["make check"], "process.exit.code"), "2");
    assert_eq!(attribute(&spans["lint"], "rundown.allow_failure"), "true");
}

/// The ends of a run that are no failures, and those that are failures of the CI system.
#[test]
fn stopped_interrupted_and_timed_out_runs_have_different_results() {
    let (mut store, stopped, lost, slow) = (Built::new(), run_id(1), run_id(2), run_id(3));
    for run in [&stopped, &lost, &slow] {
        store.begin(run, &["a"], 0);
        store.start(run, "a", 1, "x", 10);
    }
    let killed = ShEnd { signal: Some(15), ..ShEnd::new(at(20), 143) };
    store.finish(&stopped, "a", 1, &killed);
    store.end_job(&stopped, "a", JobEnd::Aborted, 30);
    store.end_run(&stopped, RunEnd::Failed("aborted"), 30);
    store.kill_recorder(&lost);
    let late = ShEnd { ended_by: Some("timeout"), ..killed };
    store.finish(&slow, "a", 1, &late);
    store.end_job(&slow, "a", JobEnd::Failed(143), 30);
    store.end_run(&slow, RunEnd::Failed("command-failed"), 30);
    for (run, result, error_type, is_error) in [
        ("00000001", "cancellation", "", false),
        ("00000002", "error", "interrupted", true),
        ("00000003", "timeout", "timeout", true),
    ] {
        let spans = spans(&store, &[run]);
        for name in ["a", "x"] {
            let span = &spans[name];
            assert_eq!(attribute(span, "cicd.pipeline.task.run.result"), result, "{run}");
            assert_eq!(attribute(span, "error.type"), error_type, "{run}");
            assert_eq!(span["status"].is_object(), is_error, "{run}");
        }
        assert_eq!(spans["RUN"]["status"].is_object(), is_error, "{run}");
    }
}

#[test]
fn a_span_without_an_end_has_the_last_time_and_no_span_ends_before_it_starts() {
    let store = running();
    let open = spans(&store, &[]);
    for name in ["RUN", "build", "make all"] {
        assert_eq!(attribute(&open[name], "rundown.unfinished"), "true", "{name}");
        let end = nanos(&open[name], "endTimeUnixNano");
        assert_eq!(i128::from(end), at(20).as_nanos(), "{name}");
    }
    assert_eq!(attribute(&open["RUN"], "cicd.pipeline.run.state"), "executing");
    assert!(!open.contains_key("queue"), "it did not wait");
    let (mut store, run) = (Built::new(), run_id(1));
    store.begin(&run, &["a"], 1_000);
    store.start(&run, "a", 1, "x", 900);
    store.end(&run, "a", 1, 0, 500);
    store.end_job(&run, "a", JobEnd::Complete, 400);
    store.end_run(&run, RunEnd::Complete, 300);
    for span in spans(&store, &[]).values() {
        assert!(nanos(span, "startTimeUnixNano") <= nanos(span, "endTimeUnixNano"), "{span}");
    }
    let metrics = list(&exported(&store, "metrics", &[]), METRICS);
    for point in metrics[0]["histogram"]["dataPoints"].as_array().unwrap() {
        assert_eq!(point["sum"], 0.0);
        assert!(nanos(point, "startTimeUnixNano") <= nanos(point, "timeUnixNano"), "{point}");
    }
}

#[test]
fn a_command_that_is_known_only_by_its_log_has_the_times_of_its_rows() {
    let (mut store, run) = (Built::new(), run_id(1));
    passed_run(&mut store, &run, 0);
    let path = store.log_path(&run, "build", 2);
    let row = |ms: i64| format!("{} stdout F row\n", at(ms).rfc3339_nanos());
    fs::write(path, format!("no record\n{}{}", row(500), row(700))).unwrap();
    fs::write(store.log_path(&run, "build", 3), "no record\n").unwrap();
    let output = run_export(&store, &["--signals", "traces"]);
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    let spans = list(&[line], SPANS);
    let times = |name: &str| {
        let span = spans.iter().find(|span| span["name"] == name)?;
        Some(["startTimeUnixNano", "endTimeUnixNano"].map(|key| i128::from(nanos(span, key))))
    };
    assert_eq!(times("sh-2.log"), Some([at(500).as_nanos(), at(700).as_nanos()]));
    assert_eq!(times("sh-3.log"), None);
    let notice = String::from_utf8(output.stderr).unwrap();
    assert!(notice.contains("a job or command has no start time and no span"), "{notice}");
}

#[test]
fn the_time_in_the_queue_is_a_span_and_a_duration() {
    let store = nightly();
    let database = unsynced(&store.root().join("rundown.db"));
    database.execute("UPDATE runs SET queued_at_ms = queued_at_ms - 5000", []).unwrap();
    drop(database);
    let spans = spans(&store, &[]);
    let times =
        |name: &str| ["startTimeUnixNano", "endTimeUnixNano"].map(|key| nanos(&spans[name], key));
    let at = |ms| u64::try_from(at(ms).as_nanos()).unwrap();
    assert_eq!(times("queue"), [at(-5_000), at(0)]);
    assert_eq!(times("RUN nightly"), [at(-5_000), at(2_070)]);
    assert_eq!(spans["queue"]["parentSpanId"], spans["RUN nightly"]["spanId"]);
    let metrics = list(&exported(&store, "metrics", &[]), METRICS);
    let points = metrics[0]["histogram"]["dataPoints"].as_array().unwrap();
    let sums: Vec<&Value> = points.iter().map(|point| &point["sum"]).collect();
    assert_eq!(sums, [5.0, 2.07]);
}

#[test]
fn the_resource_names_the_run_and_the_repository_but_metrics_only_the_repository() {
    let store = nightly();
    let resource = |signal: &str, key: &str| {
        attributes(&exported(&store, signal, &[])[0][key][0]["resource"])
            .into_iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect::<Vec<_>>()
    };
    let of_run = [
        "cicd.pipeline.name=nightly".to_owned(),
        format!("cicd.pipeline.run.id={}", run_id(1).as_str()),
        "cicd.pipeline.run.url.full=https://ci.example/7".to_owned(),
        "service.name=rundown".to_owned(),
        "vcs.ref.head.name=main".to_owned(),
        "vcs.ref.head.revision=deadbeefdeadbeefdeadbeefdeadbeefdeadbeef".to_owned(),
        "vcs.ref.type=branch".to_owned(),
        "vcs.repository.name=example".to_owned(),
    ];
    assert_eq!(resource("traces", "resourceSpans"), of_run);
    assert_eq!(resource("logs", "resourceLogs"), of_run);
    assert_eq!(
        resource("metrics", "resourceMetrics"),
        ["cicd.pipeline.name=nightly", "service.name=rundown", "vcs.repository.name=example"]
    );
}

#[test]
fn each_row_is_a_record_with_the_ids_of_its_command() {
    let mut store = Built::new();
    failed_run(&mut store, &run_id(1), 0);
    let log = b"2026-05-06T12:00:45Z stdout F caf\xe9 \x1b[31mred\x1b[0m ##[error]x\nno record\n";
    store.append(&run_id(1), "test", 1, log);
    let (records, spans) = (records(&store), spans(&store, &[]));
    let of = |id: &str| {
        let has_id = |record: &&Value| attribute(record, "cicd.pipeline.task.run.id") == id;
        records.iter().filter(has_id).collect::<Vec<_>>()
    };
    let (of_format, of_test) = (of("test/1"), of("test/2"));
    assert_eq!((of("build/1").len(), of_format.len(), of_test.len()), (2, 2, 44));
    let last = of_test[43];
    assert_eq!(last["body"]["stringValue"], "error: test failed, to rerun pass `--lib`");
    assert_eq!(attribute(last, "log.iostream"), "stderr");
    assert_eq!(attribute(last, "rundown.row"), "44");
    assert_eq!(i128::from(nanos(last, "timeUnixNano")), at(46_900).as_nanos());
    assert_eq!(last["spanId"], spans["cargo test --workspace"]["spanId"]);
    assert_eq!(last["traceId"], spans["RUN"]["traceId"]);
    assert_eq!(of_format[0]["body"]["stringValue"], "caf\u{fffd} red ##[error]x");
    // A line that is no record has no time, and was observed after the row before it.
    assert_eq!(of_format[1]["timeUnixNano"], Value::Null);
    assert_eq!(i128::from(nanos(of_format[1], "observedTimeUnixNano")), at(45_000).as_nanos());
    let text = stdout(store.root(), &["export", "otlp", "--root", ".", "--signals", "logs"], 0);
    assert!(!text.contains("##[error]"), "a command of a CI system is escaped");
}

#[test]
fn a_line_has_a_limited_number_of_records() {
    let (mut store, run) = (Built::new(), run_id(1));
    store.begin(&run, &["a"], 0);
    store.start(&run, "a", 1, "x", 10);
    store.append(&run, "a", 1, "2026-05-06T12:00:01Z stdout F row\n".repeat(2_500).as_bytes());
    for text in ["\u{1}", "x", "x", "x", "x", "x"] {
        let long = format!("2026-05-06T12:00:01Z stdout F {}\n", text.repeat(400 << 10));
        store.append(&run, "a", 1, long.as_bytes());
    }
    store.end(&run, "a", 1, 0, 20);
    store.end_job(&run, "a", JobEnd::Complete, 20);
    store.end_run(&run, RunEnd::Complete, 30);
    let output = run_export(&store, &["--signals", "logs"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let counts: Vec<usize> =
        lines.iter().map(|line| list(std::slice::from_ref(line), RECORDS).len()).collect();
    assert_eq!(counts, [1000, 1000, 501, 3, 2]);
    assert!(text.lines().all(|line| line.len() < 1 << 20));
    let notice = String::from_utf8(output.stderr).unwrap();
    assert!(notice.contains("omitted 144.0 KiB of a very long row"), "{notice}");
}

fn run_export(store: &Built, args: &[&str]) -> std::process::Output {
    run(store.root(), &[&["export", "otlp", "--root", "."], args].concat())
}

#[test]
fn a_finished_run_has_durations_and_errors() {
    let lines = exported(&nightly(), "metrics", &[]);
    let metrics = list(&lines, METRICS);
    let duration = &metrics[0];
    assert_eq!(
        (&duration["name"], &duration["unit"]),
        (&"cicd.pipeline.run.duration".into(), &"s".into())
    );
    let points = duration["histogram"]["dataPoints"].as_array().unwrap();
    assert_eq!(attribute(&points[0], "cicd.pipeline.run.state"), "pending");
    let executing = &points[1];
    assert_eq!(attribute(executing, "cicd.pipeline.run.state"), "executing");
    assert_eq!(attribute(executing, "cicd.pipeline.result"), "failure");
    assert_eq!((&executing["sum"], &executing["count"]), (&2.07.into(), &"1".into()));
    let counts: Vec<&str> = executing["bucketCounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    assert_eq!(counts.join(""), "001000000000000");
    assert_eq!(executing["explicitBounds"].as_array().unwrap().len(), 14);
    let errors = metrics[1]["sum"]["dataPoints"].as_array().unwrap();
    let errors: Vec<_> =
        errors.iter().map(|point| (attribute(point, "error.type"), &point["asInt"])).collect();
    assert_eq!(errors, [("2".into(), &"1".into()), ("3".into(), &"1".into())]);
    let output = run_export(&running(), &["--signals", "metrics"]);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b""[..]));
    assert!(String::from_utf8(output.stderr).unwrap().contains("has not ended"));
}

#[test]
fn several_runs_are_found_before_the_first_is_written_and_written_once() {
    let mut store = Built::new();
    passed_run(&mut store, &run_id(1), 0);
    passed_run(&mut store, &run_id(2), 5_000);
    let ids = |runs: &[&str]| exported(&store, "traces", runs).len();
    assert_eq!(ids(&["00000001", "latest", "00000002", "latest~1"]), 2);
    let output = run_export(&store, &["--signals", "traces", "00000001", "nothing"]);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(5), &b""[..]));
    let log = store.log_path(&run_id(1), "build", 1);
    let output = run_export(&store, &["--signals", "traces", log.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "a log has no run");
}

#[test]
fn files_are_replaced_as_a_whole() {
    let store = nightly();
    let dir = store.root();
    let export =
        |args: &[&str]| stderr(dir, &[&["export", "otlp", "--root", "."], args].concat(), 0);
    fs::write(dir.join("ci.logs.jsonl"), "old").unwrap();
    let notice = export(&["--to", "ci.jsonl"]);
    assert_eq!(notice, "rundown: wrote ci.traces.jsonl, ci.logs.jsonl, ci.metrics.jsonl\n");
    for signal in ["traces", "logs", "metrics"] {
        let printed = stdout(dir, &["export", "otlp", "--root", ".", "--signals", signal], 0);
        let path = dir.join(format!("ci.{signal}.jsonl"));
        assert_eq!(fs::read_to_string(&path).unwrap(), printed, "{signal}");
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o200, 0o200);
    }
    fs::write(dir.join("target"), "old").unwrap();
    symlink("target", dir.join("link")).unwrap();
    export(&["--signals", "traces", "--to", "link"]);
    assert!(fs::read_to_string(dir.join("target")).unwrap().starts_with("{\"resourceSpans\""));
    assert!(fs::symlink_metadata(dir.join("link")).unwrap().is_symlink());
    assert!(drafts(dir).is_empty());
}

/// Returns the temporary files in a directory.
fn drafts(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    names.filter(|name| name.starts_with(".rundown-")).collect()
}

#[test]
fn output_that_is_not_possible_is_rejected_before_the_store_is_read() {
    let store = nightly();
    fs::write(store.root().join("old"), "old").unwrap();
    for (args, code, message) in [
        (&[][..], 2, "stdout takes one signal: add --signals traces, logs, or metrics"),
        (&["--to", ".", "--signals", "logs"], 2, ". is a directory"),
        (&["--to", "/dev/null", "--signals", "logs"], 2, "/dev/null is not a regular file"),
        (&["--to", "no/such/ci"], 6, "cannot write no/such/ci.traces.jsonl: "),
        (&["--to", "http://key@localhost"], 2, "--to must not contain credentials"),
        (&["--to", "http://localhost/v1/logs"], 2, "the address in --to takes only logs"),
        (&["--to", "http://localhost:1", "--timeout", "18446744073709551615"], 2, "whole number"),
        (&["--signals", "rows"], 2, "invalid value 'rows'"),
        (&["--to", "old", "--signals", "logs", "nothing"], 5, "nothing"),
    ] {
        let args = [&["export", "otlp", "--root", "."], args].concat();
        let error = stderr(store.root(), &args, code);
        assert!(error.contains(message), "{args:?}: {error}");
    }
    assert_eq!(fs::read_to_string(store.root().join("old")).unwrap(), "old");
    assert!(drafts(store.root()).is_empty());
}

/// Tests that a command gets the ids in the environment that its span has in the export.
#[test]
fn a_command_gets_the_ids_of_its_span() {
    let store = Built::new();
    let args = ["record", "--root", ".", "--", "sh", "-c", "echo $TRACEPARENT"];
    let context = stdout(store.root(), &args, 0);
    let lines = exported(&store, "logs", &[]);
    let record = &list(&lines, RECORDS)[0];
    let id = |key: &str| record[key].as_str().unwrap();
    assert_eq!(context.trim(), format!("00-{}-{}-01", id("traceId"), id("spanId")));
    let ids: Vec<Value> = spans(&store, &[]).values().map(|span| span["spanId"].clone()).collect();
    assert!(ids.contains(&record["spanId"]));
}

#[cfg(not(feature = "remote"))]
#[test]
fn without_the_feature_an_address_is_rejected_with_the_way_to_get_it() {
    let error = stderr(nightly().root(), &["export", "otlp", "--to", "http://localhost:1"], 2);
    assert!(error.contains("cargo install rundown --features remote"), "{error}");
}
