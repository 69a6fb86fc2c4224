//! The facts that only rundown records: those about runs, jobs and commands since version 6 of its
//! database, and runs that wait for their next step.

use std::fs;

use insta::assert_snapshot;
use rundown::cri::Stream;
use rundown::model::{JobId, RunDetails, RunId};
use rundown::store::{JobEnd, NewJob, RunEnd, ShEnd, StoredCut};
use rundown::tui::sim::Sim;
use serde_json::json;

use crate::support::built::{Built, at, run_id};
use crate::support::screen::{LARGE, SMALL, open};
use crate::support::session::Session;
use crate::support::{json, stdout};

/// A time decades before the others.
const LONG_AGO_MS: i64 = -800_000_000_000;

fn details() -> RunDetails {
    let some = |text: &str| Some(text.to_owned());
    RunDetails {
        is_open: false,
        name: some("nightly"),
        subject: some("Fix the parser \x1b[2J"),
        author: some("Ada <ada@example.org>"),
        event: some("push"),
        url: some("https://ci.example.org/runs/7"),
        attempt: Some(2),
        ci_job: some("unit"),
        runner: some("agent-3"),
        repeats: Some(run_id(9)),
        traceparent: None,
        variables: vec![("CC".into(), "gcc".into()), ("EVIL".into(), "\x1b[2Jx".into())],
    }
}

fn new_job(id: &str, needs: &[&str], allow_failure: bool) -> NewJob {
    let needs = needs.iter().map(|need| JobId((*need).into())).collect();
    NewJob { id: JobId(id.into()), needs, allow_failure }
}

/// Makes a store with run 1. Its job `lint` is allowed to fail; its job `test` has two attempts of
/// a command, and the second one timed out after its log had reached the size limit.
fn detailed() -> Built {
    let (mut store, run) = (Built::new(), run_id(1));
    let jobs = [
        new_job("lint", &[], true),
        new_job("test", &["lint"], false),
        new_job("deploy", &["test"], false),
        new_job("notify", &["deploy"], false),
    ];
    store.begin_with(&run, &details(), &jobs, 0);
    store.start(&run, "lint", 1, "cargo clippy", 10);
    store.print(&run, "lint", 1, 20, Stream::Stderr, "a lint\n");
    store.end(&run, "lint", 1, 1, 1_000);
    store.end_job(&run, "lint", JobEnd::Failed(1), 1_000);
    store.start_attempt(Some(1), &run, "test", 1, "make test", 1_010);
    store.end(&run, "test", 1, 2, 2_000);
    store.start_attempt(Some(2), &run, "test", 2, "make test", 2_010);
    for row in ["first", "second"] {
        store.print(&run, "test", 2, 2_020, Stream::Stdout, &format!("{row}\n"));
    }
    let cut_at = fs::metadata(store.log_path(&run, "test", 2)).unwrap().len();
    store.print(&run, "test", 2, 5_000, Stream::Stdout, "third\n");
    store.print(&run, "test", 2, 5_010, Stream::Stdout, "last\n");
    let end = ShEnd {
        signal: Some(15),
        output: Some("pty"),
        ended_by: Some("timeout"),
        cut: Some(StoredCut { at: cut_at.try_into().unwrap(), bytes: 1_300_000 }),
        ..ShEnd::new(at(6_000), 143)
    };
    store.finish(&run, "test", 2, &end);
    store.end_job(&run, "test", JobEnd::Failed(143), 6_010);
    store.end_job(&run, "deploy", JobEnd::Skipped, 6_020);
    store.end_job(&run, "notify", JobEnd::Skipped, 6_020);
    store.end_run(&run, RunEnd::Failed("command-failed"), 6_030);
    store
}

/// Begins a run without a recorder, whose first command has ended.
fn open_run(store: &mut Built, run: &RunId, ms: i64) {
    let details = RunDetails { is_open: true, ..details() };
    store.begin_with(run, &details, &[], ms);
    store.start(run, "build", 1, "make", ms + 10);
    store.print(run, "build", 1, ms + 20, Stream::Stdout, "built\n");
    end_step(store, run, 1, 0, ms + 1_000);
}

/// Ends a command, and its recorder.
fn end_step(store: &mut Built, run: &RunId, n: u32, exit_code: i32, ms: i64) {
    store.end(run, "build", n, exit_code, ms);
    store.kill_recorder(run);
}

fn lines_with(sim: &mut Sim, text: &str) -> String {
    let screen = sim.screen();
    let lines: Vec<_> = screen.lines().filter(|line| line.contains(text)).collect();
    assert!(!lines.is_empty(), "no {text:?} in\n{screen}");
    lines.join("\n")
}

#[test]
fn text_marks_attempts_tolerated_failures_and_removed_output() {
    let store = detailed();
    assert_snapshot!(stdout(store.root(), &["--root", ".", "--once"], 0), @r#"
    ✗ failed  (command-failed)  00000001  example  main@deadbee  2026-05-06 12:00:00  6.0s  nightly  attempt 2  repeats 00000009

    first failure: job test, command 2: make test: killed by SIGTERM (time limit exceeded); cause not recognized; last lines:
        first
        second
        third
        last

    ✗ failed  lint  990ms  (allowed to fail)
      ✗ failed  1  cargo clippy  990ms  exit 1
      E a lint

    ✗ failed  test  5.0s
      ✗ failed  1  make test  990ms  exit 2
      ✗ failed  2  make test  attempt 2  3.9s  killed by SIGTERM (time limit exceeded)  (1.2 MiB not recorded: size limit)
        first
        second
        … 1.2 MiB not recorded: size limit …
        third
        last

    ⊘ skipped  deploy  (test failed)

    ⊘ skipped  notify  (deploy was skipped)
    "#);
    let tail = stdout(store.root(), &["--root", ".", "--once", "--tail", "1"], 0);
    assert!(!tail.contains("… 1.2 MiB"), "the removed output is above the tail: {tail}");
    let followed = stdout(store.root(), &["--root", ".", "--follow"], 0);
    assert_snapshot!(followed, @r#"
    run 00000001, example, main@deadbee, nightly: failed
    job lint, command 1: cargo clippy
    E a lint
    job lint, command 1 failed: exit 1, after 990ms
    job lint failed: allowed to fail, after 990ms
    job test, command 1: make test
    job test, command 1 failed: exit 2, after 990ms
    job test, command 2, attempt 2: make test
      first
      second
      third
      last
    job test, command 2 failed: killed by SIGTERM (time limit exceeded), after 3.9s (1.2 MiB not recorded: size limit)
    job test failed after 5.0s
    job deploy skipped: test failed
    job notify skipped: deploy was skipped
    run 00000001, example, main@deadbee, nightly failed: command-failed, after 6.0s
    first failure: job test, command 2: make test: killed by SIGTERM (time limit exceeded); cause not recognized; last lines:
      first
      second
      third
      last
    "#);
}

#[test]
fn the_list_has_the_names_of_runs() {
    let mut store = detailed();
    let long = RunDetails { name: Some("long ".repeat(40)), is_open: true, ..details() };
    store.begin_with(&run_id(2), &long, &[], 60_000);
    store.begin_with(&run_id(3), &RunDetails::default(), &[], 120_000);
    assert_snapshot!(stdout(store.root(), &["--root", ".", "list"], 0), @r#"
    ● running      00000003  example  main@deadbee  2026-05-06 12:02:00
    ◐ waiting      00000002  example  main@deadbee  2026-05-06 12:01:00        long long long long long long long long long long long long …
    ✗ failed       00000001  example  main@deadbee  2026-05-06 12:00:00  6.0s  nightly
    "#);
    let list = json(store.root(), &["--root", ".", "list", "--format", "json"], 0);
    let run = &list["runs"][2];
    assert_eq!(
        [&run["name"], &run["commit_subject"], &run["waiting"], &list["runs"][1]["waiting"]],
        [&json!("nightly"), &json!("Fix the parser \x1b[2J"), &json!(false), &json!(true)]
    );
    assert_eq!(list["runs"][0]["name"], json!(null));
    assert_eq!(run.get("variables"), None, "not read for a list");
}

#[test]
fn json_has_the_details_of_runs_jobs_and_commands() {
    let store = detailed();
    let run = &json(store.root(), &["--root", ".", "--format", "json"], 0)["run"];
    let keys = [
        "name",
        "author",
        "event",
        "url",
        "attempt",
        "ci_job",
        "runner",
        "repeats",
        "variables",
        "waiting",
    ];
    let of_run: Vec<_> = keys.iter().map(|key| &run[key]).collect();
    let expected = json!([
        "nightly", "Ada <ada@example.org>", "push", "https://ci.example.org/runs/7", 2, "unit",
        "agent-3", run_id(9).as_str(), {"CC": "gcc", "EVIL": "\x1b[2Jx"}, false
    ]);
    assert_eq!(json!(of_run), expected);
    let job = |n: usize| json!([run["jobs"][n]["needs"], run["jobs"][n]["allow_failure"]]);
    assert_eq!([job(0), job(1)], [json!([[], true]), json!([["lint"], false])]);
    let sh = |n: usize| {
        let sh = &run["jobs"][1]["commands"][n];
        json!([sh["output"], sh["attempt"], sh["ended_by"], sh["cut_bytes"]])
    };
    assert_eq!(sh(0), json!([null, 1, null, null]));
    assert_eq!(sh(1), json!(["pty", 2, "timeout", 1_300_000]));
    assert!(run["jobs"][1]["commands"][1]["cut_at"].as_i64() > Some(0));
}

#[test]
fn the_screen_marks_attempts_tolerated_failures_and_removed_output() {
    let store = detailed();
    let mut sim = open(&store, LARGE);
    assert_snapshot!("failed_120x40", sim.screen());
    let header = sim.keys("Shift-Tab g i").screen();
    let header: Vec<_> = header.lines().filter(|line| !line.contains("│ files ")).collect();
    assert_snapshot!("header_of_a_run_120x40", header.join("\n"));
    let mut sim = open(&store, SMALL);
    assert_snapshot!("failed_80x24", sim.screen());
    let header = sim.keys("i").screen();
    let header: Vec<_> = header.lines().filter(|line| !line.contains("│ log ")).collect();
    assert_snapshot!("header_of_a_command_80x24", header.join("\n"));
    // A wrapped note takes lines of its own, and nothing is covered by it.
    let mut narrow = open(&store, (24, 12));
    let wrapped = narrow.keys("g w").screen();
    assert!(wrapped.contains("size limit") && wrapped.contains("last"), "{wrapped}");
}

#[test]
fn runs_are_found_by_name_and_subject() {
    let mut store = detailed();
    store.begin(&run_id(2), &[], 60_000);
    store.end_run(&run_id(2), RunEnd::Complete, 61_000);
    let passed = RunDetails { attempt: None, repeats: None, ..details() };
    store.begin_with(&run_id(3), &passed, &[], 62_000);
    store.end_run(&run_id(3), RunEnd::Complete, 63_000);
    let mut sim = open(&store, SMALL);
    for (typed, found) in [("nightly", "2 of 3"), ("parser", "2 of 3"), ("nightly fail", "1 of 3")]
    {
        let title = lines_with(sim.keys("r").keys(&spelled(typed)), "Runs ");
        assert!(title.contains(found), "{typed}: {title}");
        sim.keys("Esc Esc");
    }
    assert!(lines_with(sim.keys("r"), "nightly").contains("passed"), "a run without a failure");
}

/// Returns the keys that type a text.
fn spelled(text: &str) -> String {
    let key = |c: char| if c == ' ' { "Space".to_owned() } else { c.to_string() };
    text.chars().map(key).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_waiting_run_is_shown_as_such_until_it_ends() {
    let (mut store, run) = (Built::new(), run_id(1));
    open_run(&mut store, &run, 0);
    let mut sim = open(&store, SMALL);
    assert!(lines_with(&mut sim, "◐ build").contains("◐ build    waiting 990ms"));
    let title = |sim: &mut Sim| sim.screen().lines().next().unwrap().trim().to_owned();
    assert!(title(&mut sim).contains("◐ waiting for the next step 2m00s"), "{}", title(&mut sim));
    store.start(&run, "build", 2, "make check", 2_000);
    assert!(title(sim.disk()).contains("● running"), "{}", title(&mut sim));
    end_step(&mut store, &run, 2, 1, 3_000);
    assert!(title(sim.disk()).contains("◐ waiting"), "{}", title(&mut sim));
    let text = stdout(store.root(), &["--root", ".", "--once"], 0);
    let mut opened = open(&store, SMALL);
    assert!(lines_with(&mut opened, "✗ 2 make check").contains('▌'), "the failed command");
    assert!(text.contains("✗ failed  build  2.9s\n"), "a job with a failed command fails: {text}");
    store.end_job(&run, "build", JobEnd::Failed(1), 3_000);
    store.end_run(&run, RunEnd::Failed("command-failed"), 4_000);
    assert!(title(sim.disk()).contains("✗ failed 4.0s"), "{}", title(&mut sim));
}

#[test]
fn the_end_of_a_waiting_run_is_signaled_but_not_that_of_its_steps() {
    let (mut store, run) = (Built::new(), run_id(1));
    open_run(&mut store, &run, 0);
    let session = Session::start_with(&store, &["--notify"], &[]);
    session.shown.wait_for_text("waiting for the next step");
    store.start(&run, "build", 2, "make check", 2_000);
    session.shown.wait_for_text("running");
    end_step(&mut store, &run, 2, 0, 3_000);
    session.shown.wait_for_text("waiting for the next step");
    assert_eq!(session.bells(), 0);
    store.end_job(&run, "build", JobEnd::Complete, 3_000);
    store.end_run(&run, RunEnd::Complete, 4_000);
    session.wait_for_notice("9;rundown: example 00000001 passed after 4.0s");
    assert_eq!(session.bells(), 1);
}

#[test]
fn a_run_that_was_never_ended_is_a_finding_but_one_that_waits_is_not() {
    let (mut store, run) = (Built::new(), run_id(1));
    let doctor = |store: &Built, code| {
        json(store.root(), &["--root", ".", "doctor", "--format", "json"], code)
    };
    open_run(&mut store, &run, LONG_AGO_MS);
    let findings = &doctor(&store, 1)["findings"];
    assert_eq!(findings.as_array().unwrap().len(), 1, "{findings}");
    let finding = &findings[0];
    assert_eq!(
        [&finding["run"], &finding["job"], &finding["kind"]],
        [&json!(run.as_str()), &json!(null), &json!("run-never-ended")]
    );
    let meaning = finding["meaning"].as_str().unwrap();
    let remedy = format!("ago and never ended; end it with `rundown end {}`", run.as_str());
    assert!(meaning.starts_with("begun ") && meaning.ends_with(&remedy), "{meaning}");
    store.start(&run, "build", 2, "make check", LONG_AGO_MS + 2_000);
    assert_eq!(doctor(&store, 0)["findings"], json!([]), "a command is running");
}
