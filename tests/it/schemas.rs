//! The JSON Schemas of `rundown schema`: the output of every fixture, and of damaged and odd stores,
//! matches them exactly, and every key of the output is in its schema.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jsonschema::Validator;
use rundown::cri::Stream;
use rundown::model::{RunDetails, RunId};
use rundown::store::{NewJob, ShEnd, Writer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::built::{Built, at, failed_run, passed_run, run_id, running_run};
use crate::support::{copy_tree, fixture, run, stderr, stdout, store, unsynced};

const NAMES: [&str; 6] = ["run", "list", "doctor", "prune", "jsonl", "records"];

fn schema(name: &str) -> Value {
    serde_json::from_str(&stdout(Path::new("/"), &["schema", name], 0)).unwrap()
}

/// The name for the schema of a line of `list --format jsonl`.
const LISTED_RUN: &str = "a run of the list";

/// Returns the schema of a line of `list --format jsonl`, which refers to that of the document.
fn listed_run() -> Value {
    json!({ "$ref": "#/$defs/RunSummary", "$defs": schema("list")["$defs"] })
}

/// Forbids keys that a schema does not list. Only whole objects are closed, not their parts.
fn closed(mut schema: Value) -> Value {
    let close = |object: &mut Value| {
        if object["properties"].is_object() {
            object["unevaluatedProperties"] = json!(false);
        }
    };
    close(&mut schema);
    let parts = schema["$defs"].as_object_mut();
    parts.into_iter().flat_map(|parts| parts.values_mut()).for_each(close);
    schema
}

/// The validators of the closed schemas, which also check formats such as `date-time`.
static CLOSED: LazyLock<Vec<(&str, Validator)>> = LazyLock::new(|| {
    let options = || jsonschema::options().should_validate_formats(true);
    let validator = |(name, schema)| (name, options().build(&closed(schema)).unwrap());
    let schemas = NAMES.map(|name| (name, schema(name)));
    schemas.into_iter().chain([(LISTED_RUN, listed_run())]).map(validator).collect()
});

/// Returns the first violation of a closed schema.
fn violation(name: &str, instance: &Value) -> Option<String> {
    let (_, validator) = CLOSED.iter().find(|(other, _)| *other == name).unwrap();
    let mut errors = validator.iter_errors(instance);
    errors.next().map(|error| format!("{}: {error}", error.instance_path()))
}

#[track_caller]
fn assert_valid(name: &str, instance: &Value) {
    if let Some(violation) = violation(name, instance) {
        panic!("{name}: {violation}\n{instance:#}");
    }
}

/// Prints a document, which may report failures by its exit code, and validates it.
fn check_document(root: &Path, name: &str, args: &[&str]) -> Value {
    let output = run(root, args);
    let text = String::from_utf8(output.stdout).unwrap();
    let document = serde_json::from_str(&text);
    let document = document.unwrap_or_else(|error| panic!("{args:?}: {error}\n{text}"));
    assert_valid(name, &document);
    document
}

/// Prints lines, and validates each.
fn check_lines(root: &Path, name: &str, args: &[&str]) -> Vec<Value> {
    let output = run(root, args);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        assert_valid(name, line);
    }
    lines
}

/// Validates all formats of one run, log or directory of logs.
fn check_run(dir: &Path, run: &str) -> (Value, Vec<Value>, Vec<Value>) {
    let format = |format| ["--root", ".", "--once", run, "--format", format];
    let document = check_document(dir, "run", &format("json"));
    let rows = check_lines(dir, "jsonl", &format("jsonl"));
    let records = check_lines(dir, "records", &format("records"));
    (document, rows, records)
}

/// Validates all formats of a store and of each of its runs.
fn check_store(root: &Path) {
    let list = ["--root", ".", "list", "--limit", "1000", "--format", "json"];
    let list = check_document(root, "list", &list);
    check_document(root, "doctor", &["--root", ".", "doctor", "--format", "json"]);
    let runs = list["runs"].as_array().unwrap();
    assert!(!runs.is_empty());
    let lines = ["--root", ".", "list", "--limit", "1000", "--format", "jsonl"];
    assert_eq!(check_lines(root, LISTED_RUN, &lines).len(), runs.len());
    for run in runs {
        check_run(root, run["id"].as_str().unwrap());
    }
}

/// Makes the stores of the fixtures.
fn fixture_stores() -> Vec<TempDir> {
    let mut stores = Vec::new();
    for entry in fs::read_dir(fixture("stores")).unwrap() {
        let from = entry.unwrap().path();
        if from.join("quire.sql").exists() {
            stores.push(store(from.file_name().unwrap().to_str().unwrap()));
        } else if from.join("rundown.sql").exists() {
            let (dir, sql) = (TempDir::new().unwrap(), from.join("rundown.sql"));
            let database = dir.path().join("rundown.db");
            copy_tree(&from.join("runs"), &dir.path().join("runs"));
            drop(Writer::open(&database).unwrap());
            unsynced(&database).execute_batch(&fs::read_to_string(sql).unwrap()).unwrap();
            stores.push(dir);
        } else {
            stores.extend(fs::read_dir(from).unwrap().map(|sql| {
                let (dir, sql) = (TempDir::new().unwrap(), sql.unwrap().path());
                let database = unsynced(&dir.path().join("quire.db"));
                database.execute_batch(&fs::read_to_string(sql).unwrap()).unwrap();
                dir
            }));
        }
    }
    assert!(stores.len() >= 15, "the fixtures were found");
    stores
}

#[test]
fn schemas_are_valid_and_complete() {
    let mut ids = BTreeSet::new();
    for name in NAMES {
        let text = stdout(Path::new("/"), &["schema", name], 0);
        assert_eq!(text, stdout(Path::new("/"), &["schema", name], 0));
        let schema: Value = serde_json::from_str(&text).unwrap();
        let start: Vec<&String> = schema.as_object().unwrap().keys().take(4).collect();
        assert_eq!(start, ["$schema", "$id", "title", "description"], "{name}");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(ids.insert(schema["$id"].to_string()), "{name}");
        jsonschema::draft202012::meta::validate(&schema).unwrap();
        assert_described(name, &schema);
    }
}

/// Asserts that each property has a description of one line, and each number no foreign format.
fn assert_described(place: &str, schema: &Value) {
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let description = property["description"].as_str().unwrap_or_default();
        let is_sentence = description.ends_with('.') && !description.contains('\n');
        assert!(is_sentence, "{place}/{key}: {description:?}");
        assert!(matches!(property["format"].as_str(), None | Some("date-time")), "{place}/{key}");
    }
    let parts = schema.as_object().into_iter().flat_map(|object| object.iter());
    for (key, part) in parts.filter(|(key, _)| *key != "properties") {
        for part in part.as_array().into_iter().flatten().chain([part]) {
            assert_described(&format!("{place}/{key}"), part);
        }
    }
}

#[test]
fn a_missing_or_unknown_name_is_reported_with_all_names() {
    let missing = stderr(Path::new("/"), &["schema"], 2);
    assert_eq!(
        missing,
        "rundown: `rundown schema` needs a NAME: run, list, doctor, prune, jsonl, records\n"
    );
    let unknown = stderr(Path::new("/"), &["schema", "runs"], 2);
    assert!(NAMES.iter().all(|name| unknown.contains(name)), "{unknown}");
}

#[test]
fn the_output_of_every_fixture_store_matches_its_schema() {
    for store in fixture_stores() {
        check_store(store.path());
    }
}

#[test]
fn the_output_of_damaged_stores_matches_its_schema() {
    let far = "PRAGMA ignore_check_constraints = ON;
        UPDATE runs SET state = 'odd' || char(7), queued_at_ms = 9e18, started_at_ms = -9e18;
        UPDATE jobs SET state = '', exit_code = -1, started_at_ms = 9e18, finished_at_ms = -9e18;";
    for (name, sql) in [("quire-v2-broken", far), ("quire-v2-live", far), ("quire-v11-broken", "")]
    {
        let store = store(name);
        unsynced(&store.path().join("quire.db")).execute_batch(sql).unwrap();
        for (n, (path, mut bytes)) in
            crate::support::bytes_of(&store.path().join("runs")).into_iter().enumerate()
        {
            match n % 4 {
                0 => fs::remove_file(path).unwrap(),
                1 => fs::write(path, &bytes[..bytes.len() / 2]).unwrap(),
                2 => {
                    bytes.iter_mut().step_by(13).for_each(|byte| *byte ^= 0x80);
                    fs::write(path, bytes).unwrap();
                }
                _ => {}
            }
        }
        check_store(store.path());
    }
}

/// Adds a run with every value that only rundown records.
fn detailed_run(store: &mut Built, run: &RunId) {
    let text = |text: &str| Some(text.to_owned());
    let details = RunDetails {
        name: text("nightly"),
        subject: text("fix \x1b[31m\u{202e}"),
        author: text("A"),
        event: text("push"),
        url: text("https://example.org"),
        attempt: Some(2),
        ci_job: text("job"),
        runner: text("machine"),
        repeats: Some(run_id(99)),
        variables: vec![("NAME".into(), "value".into())],
        ..RunDetails::default()
    };
    let job = NewJob { allow_failure: true, ..NewJob::new(rundown::model::JobId("build".into())) };
    store.begin_with(run, &details, &[job], 0);
    store.start_attempt(Some(1), run, "build", 1, "make", 10);
    store.print(run, "build", 1, 20, Stream::Stderr, "error: it failed\n");
    let end = ShEnd {
        signal: Some(9),
        lost_bytes: Some(7),
        output: Some("pty"),
        ended_by: Some("timeout"),
        start_error: Some("no such file".into()),
        ..ShEnd::new(at(30), 137)
    };
    store.finish(run, "build", 1, &end);
}

#[test]
fn the_output_of_runs_in_every_state_matches_its_schema() {
    let mut store = Built::new();
    passed_run(&mut store, &run_id(1), 0);
    failed_run(&mut store, &run_id(2), 0);
    running_run(&mut store, &run_id(3));
    detailed_run(&mut store, &run_id(4));
    let open = RunDetails { is_open: true, ..RunDetails::default() };
    store.begin_with(&run_id(5), &open, &[], 0);
    running_run(&mut store, &run_id(6));
    store.kill_recorder(&run_id(6));
    check_store(store.root());
    let (document, ..) = check_run(store.root(), "00000002");
    assert_eq!(document["run"]["jobs"][1]["commands"][1]["cause"]["matched"], true);
    let repaired = check_document(
        store.root(),
        "doctor",
        &["--root", ".", "doctor", "--repair", "--format", "json"],
    );
    assert!(repaired.to_string().contains("\"repaired\""), "{repaired}");
    for dry_run in [&["--dry-run"][..], &[]] {
        let prune = ["--root", ".", "prune", "--keep", "1", "--format", "json"];
        let document = check_document(store.root(), "prune", &[&prune[..], dry_run].concat());
        assert!(!document["runs"].as_array().unwrap().is_empty());
    }
}

#[test]
fn the_output_of_every_fixture_log_matches_its_schema() {
    let dir = TempDir::new().unwrap();
    for name in ["failures", "groups", "progress"] {
        copy_tree(&fixture(name), dir.path());
    }
    let cases = fs::read_to_string(fixture("cri-corpus/cases.jsonl")).unwrap();
    for (n, case) in cases.lines().enumerate() {
        let case: Value = serde_json::from_str(case).unwrap();
        let bytes = BASE64_STANDARD.decode(case["input_b64"].as_str().unwrap()).unwrap();
        fs::write(dir.path().join(format!("case-{n}.log")), bytes).unwrap();
    }
    let (document, rows, records) = check_run(dir.path(), "./");
    assert!(document["run"]["jobs"][0]["commands"].as_array().unwrap().len() > 150);
    for key in ["bytes", "raw", "malformed", "unterminated"] {
        assert!(records.iter().any(|record| record.get(key).is_some()), "{key}");
    }
    assert!(rows.iter().any(|row| row.get("bytes").is_some()));
    check_document(dir.path(), "doctor", &["doctor", "./", "--format", "json"]);
}

#[test]
fn the_output_of_odd_logs_matches_its_schema() {
    let dir = TempDir::new().unwrap();
    let logs: [(&str, &[u8]); 4] = [
        ("sh-1.log", b"plain text\nnot \xff UTF-8\nunterminated"),
        ("sh-2.log", b""),
        (
            "years.log",
            b"9999-12-31T23:59:59-01:00 stdout F after\n0000-01-01T00:00:00+01:00 stderr P before\n",
        ),
        ("broken.log", b"\n\nx\n2026-01-01T00:00:00Z stdout F \xff\n2026-01-01T00:00:00Z std\xff"),
    ];
    for (name, bytes) in logs {
        fs::write(dir.path().join(name), bytes).unwrap();
        let (document, ..) = check_run(dir.path(), &format!("./{name}"));
        assert_eq!(document["run"]["id"], Value::Null);
    }
    let (_, rows, records) = check_run(dir.path(), "./years.log");
    assert!(rows[0]["at"].as_str().unwrap().starts_with("+10000-"), "{rows:?}");
    assert_eq!(records[1]["tag"], "P");
    let (_, rows, _) = check_run(dir.path(), "./sh-1.log");
    assert_eq!((&rows[0]["at"], rows.len()), (&Value::Null, 3));
}

/// Returns every object of a document, by its path.
fn objects(path: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.push(path.to_owned());
            object.iter().for_each(|(key, value)| objects(&format!("{path}/{key}"), value, found));
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(n, value)| objects(&format!("{path}/{n}"), value, found));
        }
        _ => {}
    }
}

/// Asserts that a schema rejects an instance without any one of its keys, with a key more, and with
/// a value of a wrong type. `optional` are the keys that may be missing.
fn assert_strict(name: &str, instance: &Value, optional: &[&str]) {
    assert_valid(name, instance);
    let mut paths = Vec::new();
    objects("", instance, &mut paths);
    for path in paths.iter().filter(|path| !path.ends_with("/variables")) {
        let keys: Vec<String> =
            instance.pointer(path).unwrap().as_object().unwrap().keys().cloned().collect();
        let changed = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
            let mut changed = instance.clone();
            change(changed.pointer_mut(path).unwrap().as_object_mut().unwrap());
            violation(name, &changed)
        };
        let added = changed(&|object| _ = object.insert("unheard-of".into(), json!(1)));
        assert!(added.is_some(), "{name}{path}: a new key");
        for key in &keys {
            let removed = changed(&|object| _ = object.remove(key)).is_some();
            assert!(removed != optional.contains(&&key[..]), "{name}{path}/{key} is missing");
            let wrong = changed(&|object| _ = object.insert(key.clone(), json!([0.5])));
            assert!(wrong.is_some(), "{name}{path}/{key} has a wrong type");
        }
    }
}

#[test]
fn a_schema_rejects_missing_and_unknown_keys_and_wrong_values() {
    let mut store = Built::new();
    failed_run(&mut store, &run_id(1), 0);
    fs::remove_file(store.log_path(&run_id(1), "build", 1)).unwrap();
    let (document, rows, records) = check_run(store.root(), "latest");
    assert_strict("run", &document, &[]);
    assert_strict("jsonl", &rows[0], &[]);
    assert_strict("records", &records[0], &["run", "job", "n"]);
    for (name, args) in [("list", &["list"][..]), ("doctor", &["doctor"]), ("prune", &["prune"])] {
        let more: &[&str] = if name == "prune" { &["--keep", "0"] } else { &[] };
        let args = [&["--root", "."], args, &["--format", "json"], more].concat();
        assert_strict(name, &check_document(store.root(), name, &args), &[]);
    }
}

#[test]
fn a_schema_lists_the_words_and_limits_of_each_value() {
    let mut store = Built::new();
    failed_run(&mut store, &run_id(1), 0);
    let (document, rows, records) = check_run(store.root(), "latest");
    for (name, instance, path, value) in [
        ("run", &document, "/schema", json!("rundown.run/2")),
        ("run", &document, "/run/outcome", json!("odd")),
        ("run", &document, "/run/outcome", json!("waiting")),
        ("run", &document, "/run/phase", json!("unknown")),
        ("run", &document, "/run/started_at", json!("2026-05-06T12:00:00Z")),
        ("run", &document, "/run/started_at", json!("2026-13-06T12:00:00.000Z")),
        ("run", &document, "/run/jobs/0/commands/0/state", json!("queued")),
        ("run", &document, "/run/jobs/0/commands/0/join", json!("exactly")),
        ("run", &document, "/run/jobs/0/commands/0/log/format", json!("text")),
        ("jsonl", &rows[0], "/row", json!(0)),
        ("jsonl", &rows[0], "/stream", json!("stdin")),
        ("jsonl", &rows[0], "/at", json!("2026-05-06T12:00:00.000Z")),
        ("records", &records[0], "/line", json!(0)),
        ("records", &records[0], "/tag", json!("E")),
        ("records", &records[0], "/n", Value::Null),
    ] {
        let mut changed = instance.clone();
        *changed.pointer_mut(path).unwrap() = value;
        assert!(violation(name, &changed).is_some(), "{name}{path}");
    }
    for (name, line, key, value, is_valid) in [
        ("jsonl", &rows[0], "cut_bytes", json!(5), true),
        ("jsonl", &rows[0], "cut_bytes", json!(0), false),
        ("jsonl", &rows[0], "bytes", json!("/w=="), true),
        ("jsonl", &rows[0], "bytes", Value::Null, false),
        ("records", &records[0], "cut_bytes", json!(5), true),
        ("records", &records[0], "unterminated", json!(true), true),
        ("records", &records[0], "unterminated", json!(false), false),
        ("records", &records[0], "bytes", json!("/w=="), false),
        ("records", &records[0], "malformed", json!("blank line"), false),
    ] {
        let mut line = line.clone();
        line[key] = value;
        assert_eq!(violation(name, &line).is_none(), is_valid, "{name}: {key}");
    }
}
