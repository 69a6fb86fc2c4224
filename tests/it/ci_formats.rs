//! The formats for the log of a CI system and for GitLab's code quality report. Models of the
//! runners execute exactly the commands that rundown adds, wherever the output is made.

use std::collections::HashSet;
use std::path::Path;

use insta::assert_snapshot;
use regex::Regex;
use rundown::cri::Stream;
use rundown::store::{JobEnd, RunEnd};
use serde_json::Value;

use crate::ci_systems::{NAME, Runner, executed, log};
use crate::support::built::{Built, failed_run, run_id};
use crate::support::{fixture, rundown, stdout, store};

const FORMATS: [&str; 4] = ["github", "gitlab", "azure", "codequality"];

fn printed(dir: &Path, format: &str, args: &[&str]) -> String {
    stdout(dir, &[&["--root", ".", "--once", "--format", format], args].concat(), 0)
}

/// Makes a run of two jobs whose names, commands and rows contain commands for all systems: one
/// command passed, and one failed.
fn hostile() -> Built {
    let (mut built, run) = (Built::new(), run_id(1));
    let jobs = [NAME, "+++ x\u{1}", "+++ x␁"];
    built.begin(&run, &jobs, 0);
    for (job, exit_code) in [(jobs[0], 0), (jobs[1], 1), (jobs[2], 0)] {
        built.start(&run, job, 1, NAME, 10);
        built.print(&run, job, 1, 20, Stream::Stdout, &log());
        built.print(&run, job, 1, 30, Stream::Stderr, &format!("error: {NAME} %0A::error::x\n"));
        built.append(&run, job, 1, format!("{NAME} is no record\n").as_bytes());
        built.end(&run, job, 1, exit_code, 40);
        let end = if exit_code == 0 { JobEnd::Complete } else { JobEnd::Failed(exit_code) };
        built.end_job(&run, job, end, 50);
    }
    built.end_run(&run, RunEnd::Failed("job-failed"), 60);
    built
}

/// Returns the beginnings of the commands that a runner executes.
fn commands(rule: fn(&mut Runner, &str), output: &[u8], skips: Option<&str>) -> Vec<String> {
    let heads = Regex::new(r"::\w+|##vso\[[\w.]+|##\[\w+|section_\w+:\d+:[\w.-]+").unwrap();
    let head = |line: &String| heads.find(line).unwrap().as_str().to_owned();
    executed(rule, output, skips).iter().map(head).collect()
}

/// A function with which a runner looks for commands in a line.
type Rule = fn(&mut Runner, &str);

#[test]
fn a_runner_executes_only_the_commands_of_the_format() {
    let built = hostile();
    let group = ["::group", "::endgroup", "::group", "::endgroup"];
    let github = [&["::error"][..], &group].concat();
    let issue = ["##vso[task.logissue"];
    let azure_group = ["##[group", "##[endgroup", "##[group", "##[endgroup"];
    let slug: String = NAME
        .chars()
        .take(80)
        .map(|c| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' })
        .collect();
    let sections: Vec<String> = [&*slug, "____x_", "____x_-2"]
        .iter()
        .flat_map(|name| ["start", "end"].map(|kind| format!("section_{kind}:1778068800:{name}.1")))
        .collect();
    let sections: Vec<&str> = sections.iter().map(String::as_str).collect();
    for (format, rules, expected) in [
        ("github", &[Runner::github as Rule, Runner::act][..], github),
        ("gitlab", &[Runner::gitlab as Rule][..], sections),
        ("azure", &[Runner::azure as Rule][..], [&issue[..], &azure_group].concat()),
    ] {
        for variable in ["HOME", "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "CI"] {
            for color in ["always", "never"] {
                let mut command = rundown(built.root());
                command.args(["--root", ".", "--format", format, "--color", color]);
                let output = command.env(variable, "true").output().unwrap();
                assert!(output.status.success());
                for rule in rules {
                    let found = commands(*rule, &output.stdout, None);
                    assert_eq!(found, expected, "{format} {variable} {color}");
                    // A filter such as `grep` may remove the lines that disable commands.
                    let found = commands(*rule, &output.stdout, Some("stop-commands::"));
                    assert_eq!(found, expected, "{format} {variable} {color}");
                }
            }
        }
    }
}

#[test]
fn a_code_quality_report_contains_no_command() {
    let (mut built, run) = (Built::new(), run_id(1));
    built.begin(&run, &["a"], 0);
    built.start(&run, "a", 1, NAME, 10);
    built.print(&run, "a", 1, 20, Stream::Stdout, &format!("src/a.c:1:2: error: {NAME}\n"));
    built.end(&run, "a", 1, 1, 30);
    let report = printed(built.root(), "codequality", &[]);
    let document: Value = serde_json::from_str(&report).unwrap();
    assert!(document[0]["description"].as_str().unwrap().ends_with(NAME), "{report}");
    for rule in [Runner::github, Runner::azure, Runner::gitlab, Runner::act] {
        assert_eq!(executed(rule, report.as_bytes(), None), [""; 0]);
    }
}

/// An annotation, as actions/runner parses it.
struct Parsed {
    kind: String,
    properties: Vec<(String, String)>,
    message: String,
}

/// Parses an annotation like `ActionCommand.TryParseV2`.
fn parsed(line: &str) -> Parsed {
    let (info, data) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
    let (kind, properties) = info.split_once(' ').unwrap();
    let unescaped = |text: &str, escapes: &[(&str, &str)]| {
        escapes.iter().fold(text.to_owned(), |text, (escape, token)| text.replace(escape, token))
    };
    let data_escapes = [("%0D", "\r"), ("%0A", "\n"), ("%25", "%")];
    let escapes = [("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")];
    let property = |text: &str| {
        let (key, value) = text.split_once('=').unwrap();
        (key.to_owned(), unescaped(value, &escapes))
    };
    Parsed {
        kind: kind.to_owned(),
        properties: properties.split(',').map(property).collect(),
        message: unescaped(data, &data_escapes),
    }
}

/// Adds a run of one job whose commands fail, one after the other, each with one error of its own.
fn failures(built: &mut Built, count: u32) {
    let run = run_id(1);
    built.begin(&run, &["a"], 0);
    for n in 1..=count {
        let ms = i64::from(n) * 10;
        built.start(&run, "a", n, &format!("make {n}, 100%"), ms);
        let row = format!("src/a.c:{n}:7: error: expected ';' in 100%\nnote: %0A, a: b\n");
        built.print(&run, "a", n, ms + 1, Stream::Stderr, &row);
        built.end(&run, "a", n, 1, ms + 2);
    }
    built.end_job(&run, "a", JobEnd::Failed(1), 10_000_000);
    built.end_run(&run, RunEnd::Failed("job-failed"), 10_000_000);
}

#[test]
fn github_gets_ten_annotations_and_the_number_of_the_others() {
    for (count, expected, last) in [
        (3, 3, "src/a.c:3:7: error"),
        (10, 10, "src/a.c:10:7: error"),
        (25, 10, "16 more failures have no annotation; see the log"),
    ] {
        let mut built = Built::new();
        failures(&mut built, count);
        let text = printed(built.root(), "github", &[]);
        let annotations: Vec<Parsed> =
            text.lines().filter(|line| line.starts_with("::error ")).map(parsed).collect();
        assert_eq!(annotations.len(), expected);
        assert!(annotations.last().unwrap().message.starts_with(last), "{text}");
        let first = &annotations[0];
        let properties: Vec<(&str, &str)> =
            first.properties.iter().map(|(key, value)| (&**key, &**value)).collect();
        let title = "job a, command 1: make 1, 100%: exit 1";
        let expected = [("file", "src/a.c"), ("line", "1"), ("col", "7"), ("title", title)];
        assert_eq!(properties, expected);
        let message = "src/a.c:1:7: error: expected ';' in 100%\nnote: %0A, a: b";
        assert_eq!((&*first.kind, &*first.message), ("error", message));
    }
}

#[test]
fn messages_have_at_most_the_length_that_a_runner_keeps() {
    let (mut built, run) = (Built::new(), run_id(1));
    built.begin(&run, &["a"], 0);
    built.start(&run, "a", 1, "make", 1);
    let row = format!("error: {}\n", "\u{1f600}%".repeat(100_000));
    built.print(&run, "a", 1, 2, Stream::Stderr, &row);
    built.end(&run, "a", 1, 1, 3);
    let text = printed(built.root(), "github", &[]);
    let annotation = parsed(text.lines().next().unwrap());
    let units = annotation.message.encode_utf16().count();
    assert!(units > 500 && units <= 4096, "{units}");
}

#[test]
fn failures_without_consequences_are_warnings_and_come_last() {
    let (mut built, run) = (Built::new(), run_id(1));
    built.begin(&run, &["a", "b"], 0);
    for (job, n, attempt, exit_code) in
        [("a", 1, Some(1), 1), ("a", 2, Some(2), 0), ("b", 1, None, 2)]
    {
        built.start_attempt(attempt, &run, job, n, "make", i64::from(n));
        built.end(&run, job, n, exit_code, i64::from(n));
    }
    built.end_job(&run, "a", JobEnd::Complete, 3);
    built.end_job(&run, "b", JobEnd::Failed(2), 3);
    built.end_run(&run, RunEnd::Failed("job-failed"), 4);
    let text = printed(built.root(), "github", &[]);
    let annotations: Vec<Parsed> = text.lines().take(2).map(parsed).collect();
    let found: Vec<(&str, &str)> =
        annotations.iter().map(|found| (&*found.kind, &*found.message)).collect();
    assert_eq!(found, [("error", "exit 2"), ("warning", "exit 1")]);
}

#[test]
fn a_run_that_failed_without_a_failed_command_has_an_annotation() {
    let (mut built, run) = (Built::new(), run_id(1));
    built.begin(&run, &["a"], 0);
    built.end_run(&run, RunEnd::Failed("pipeline-failure"), 4);
    let text = printed(built.root(), "github", &[]);
    assert!(text.starts_with("::error title=run::the run failed: pipeline-failure\n"), "{text}");
    let text = printed(built.root(), "azure", &[]);
    let issue = "##vso[task.logissue type=error;]the run failed: pipeline-failure (run)\n";
    assert!(text.starts_with(issue), "{text}");
}

#[test]
fn logs_opened_by_their_path_have_annotations_for_recognized_errors() {
    let dir = fixture("failures");
    let log = dir.join("rust-cascade.log");
    let text = printed(&dir, "github", &[log.to_str().unwrap()]);
    assert!(text.starts_with("::error file="), "{text}");
    let all = printed(&dir, "github", &["."]);
    let annotations: Vec<&str> = all.lines().filter(|line| line.starts_with("::error ")).collect();
    assert_eq!(annotations.len(), 10);
    assert!(annotations[9].contains("more failures have no annotation"), "{}", annotations[9]);
}

#[test]
fn row_options_and_selections_apply_to_the_log() {
    let mut built = Built::new();
    failed_run(&mut built, &run_id(1), 0);
    for format in ["github", "gitlab", "azure"] {
        let text =
            printed(built.root(), format, &["--tail", "1", "--job", "test", "-t", "relative"]);
        assert!(text.contains("E    +34.000s  error: test failed"), "{text}");
        assert!(!text.contains("running 30 tests") && !text.contains("Compiling"), "{text}");
        let failed = printed(built.root(), format, &["--failed"]);
        assert!(failed.contains("running 30 tests") && !failed.contains("Compiling"), "{failed}");
    }
}

#[test]
fn code_quality_errors_have_unique_fingerprints_that_survive_new_lines() {
    let mut built = Built::new();
    failures(&mut built, 30);
    let report: Value = serde_json::from_str(&printed(built.root(), "codequality", &[])).unwrap();
    let errors = report.as_array().unwrap();
    assert_eq!(errors.len(), 30);
    let text = |error: &Value, at: &str| error.pointer(at).unwrap().to_string();
    let prints: HashSet<String> = errors.iter().map(|error| text(error, "/fingerprint")).collect();
    assert_eq!(prints.len(), 30);
    let first = &errors[0];
    assert_eq!(text(first, "/location/path"), "\"src/a.c\"");
    assert_eq!(text(first, "/location/lines/begin"), "1");
    assert_eq!(text(first, "/severity"), "\"major\"");
    assert!(text(first, "/description").contains("expected ';' in 100%"));
    let empty = printed(built.root(), "codequality", &["--job", "a", "--sh", "1", "--failed"]);
    assert_eq!(serde_json::from_str::<Value>(&empty).unwrap().as_array().unwrap().len(), 1);
}

#[test]
fn a_code_quality_report_without_errors_is_an_empty_list() {
    let (mut built, run) = (Built::new(), run_id(1));
    built.begin(&run, &["a"], 0);
    assert_eq!(printed(built.root(), "codequality", &[]), "[]\n");
}

#[test]
fn formats_of_ci_systems_look_as_documented() {
    let mut built = Built::new();
    failed_run(&mut built, &run_id(1), 0);
    let broken = store("quire-v11-broken");
    for format in FORMATS {
        let visible = |text: String| text.replace('\x1b', "␛").replace('\r', "␍");
        let tail: &[&str] = if format == "codequality" { &[] } else { &["--tail", "3"] };
        let text = visible(printed(built.root(), format, tail));
        assert_snapshot!(format!("{format}_failed_run"), text);
        let text = visible(printed(broken.path(), format, &["b1100004"]));
        assert_snapshot!(format!("{format}_b1100004"), text);
    }
}
