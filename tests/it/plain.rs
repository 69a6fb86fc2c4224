//! `--follow`, which prints a run as plain lines. In a terminal that cannot show the screen,
//! rundown prints the same lines.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use insta::assert_snapshot;
use jiff::tz::TimeZone;
use rundown::catalog::{Catalog, RunFilter};
use rundown::cri::Stream;
use rundown::dump::{FollowOptions, Followed, Hooks, PrintOptions, Selection, follow};
use rundown::error::Result;
use rundown::model::RunDetails;
use rundown::store::{JobEnd, RunEnd};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::built::{Built, failed_run, run_id, running};
use crate::support::session::Session;
use crate::support::{rundown, stderr, stdout};

/// Follows the newest run of a catalog, and performs one step after each poll. Following fails if
/// no step is left. Returns the result, the printed lines and the messages.
fn followed(
    catalog: &mut Catalog,
    steps: &mut [&mut dyn FnMut()],
) -> (Result<Followed>, String, String) {
    let wanted =
        FollowOptions { spec: None, filter: RunFilter::default(), selection: Selection::default() };
    let look = PrintOptions::new(TimeZone::UTC);
    let (mut out, mut message) = (Vec::new(), String::new());
    let mut steps = steps.iter_mut();
    let mut pause = || steps.next().map(|step| step()).ok_or(io::Error::other("no step is left"));
    let mut show = |text: &str| message.extend([text, "\n"]);
    let ended = follow(
        catalog,
        &wanted,
        &look,
        &mut Hooks { show: &mut show, pause: &mut pause },
        &mut out,
    );
    (ended, String::from_utf8(out).unwrap(), message)
}

#[test]
fn a_finished_run_is_printed_with_its_failure() {
    let mut store = Built::new();
    failed_run(&mut store, &run_id(1), 0);
    let printed = stdout(store.root(), &["--root", ".", "--follow", "--exit-status"], 1);
    assert_snapshot!("ended", printed);
    let narrowed = [
        "--root", ".", "--follow", "--failed", "--tail", "2", "--stream", "stderr", "-t",
        "relative",
    ];
    assert_snapshot!("ended_narrowed", stdout(store.root(), &narrowed, 0));
}

#[test]
fn a_run_that_waits_for_its_next_step_is_followed_to_its_end() {
    let (mut store, run) = (Built::new(), run_id(1));
    store.begin_with(&run, &RunDetails { is_open: true, ..RunDetails::default() }, &[], 0);
    let mut catalog = store.catalog();
    let store = std::cell::RefCell::new(store);
    let step = |n, ms| {
        let mut store = store.borrow_mut();
        store.start(&run, "build", n, "make", ms);
        store.print(&run, "build", n, ms + 1, Stream::Stdout, "made\n");
        store.end(&run, "build", n, 0, ms + 2);
        store.kill_recorder(&run);
    };
    let (ended, printed, _) = followed(
        &mut catalog,
        &mut [
            &mut || step(1, 10),
            &mut || step(2, 20),
            &mut || store.borrow().end_job(&run, "build", JobEnd::Complete, 30),
            &mut || store.borrow_mut().end_run(&run, RunEnd::Complete, 30),
        ],
    );
    assert!(ended.unwrap().was_seen_running);
    assert_snapshot!(printed, @r#"
    run 00000001, example, main@deadbee: waiting for the next step
    job build, command 1: make
      made
    job build, command 1 passed after 2ms
    job build, command 2: make
      made
    job build, command 2 passed after 2ms
    job build passed after 20ms
    run 00000001, example, main@deadbee passed after 30ms
    "#);
}

#[test]
fn concurrent_commands_are_distinguished() {
    let mut store = Built::new();
    let run = run_id(1);
    store.begin(&run, &["build", "test"], 0);
    store.start(&run, "build", 1, "make all", 10);
    let mut catalog = store.catalog();
    let store = std::cell::RefCell::new(store);
    let print = |job, ms, stream, text| store.borrow().print(&run, job, 1, ms, stream, text);
    let (ended, printed, _) = followed(
        &mut catalog,
        &mut [
            &mut || print("build", 20, Stream::Stdout, "one\n"),
            &mut || {
                store.borrow().start(&run, "test", 1, "make test", 30);
                print("test", 40, Stream::Stderr, "started, \x1b[2Jand harmless\n");
            },
            &mut || print("build", 50, Stream::Stdout, "two\n"),
            &mut || print("build", 60, Stream::Stdout, "three\n"),
            &mut || {
                print("build", 70, Stream::Stdout, "10%\r");
                print("test", 80, Stream::Stdout, "not kept back\n");
            },
            &mut || print("build", 90, Stream::Stdout, "100%\n"),
            &mut || {
                store.borrow().end(&run, "build", 1, 0, 100);
                store.borrow().end_job(&run, "build", JobEnd::Complete, 100);
            },
            &mut || print("test", 110, Stream::Stdout, "an end without a newline"),
            &mut || {
                store.borrow().end(&run, "test", 1, 2, 1_200);
                store.borrow().end_job(&run, "test", JobEnd::Failed(2), 1_200);
                store.borrow_mut().end_run(&run, RunEnd::Failed("job-failed"), 1_300);
            },
        ],
    );
    assert!(ended.unwrap().was_seen_running);
    assert_snapshot!("parallel", printed);
}

#[test]
fn a_missing_store_is_awaited_and_reported_once() {
    let (dir, mut made) = (TempDir::new().unwrap(), Built::new());
    let root = dir.path().join("not/yet");
    failed_run(&mut made, &run_id(1), 0);
    let mut catalog = Catalog::of_store(&root, None);
    let (ended, printed, message) = followed(
        &mut catalog,
        &mut [
            &mut || {},
            &mut || fs::create_dir_all(root.join("runs")).unwrap(),
            &mut || {},
            &mut || {
                crate::support::copy_tree(made.root(), &root);
            },
        ],
    );
    assert!(!ended.unwrap().was_seen_running);
    assert!(printed.contains("run 00000001, example"), "{printed}");
    let [absent, empty] = &message.lines().collect::<Vec<_>>()[..] else { panic!("{message}") };
    assert!(absent.starts_with("waiting: no store yet ("), "{message}");
    assert!(empty.starts_with("waiting: the store has no runs yet ("), "{message}");
}

#[test]
fn pod_logs_are_followed_across_restarts_and_rotations() {
    let dir = TempDir::new().unwrap();
    let app = dir.path().join("app");
    fs::create_dir(&app).unwrap();
    let line = |text: &str| format!("2026-01-02T03:04:05Z stdout F {text}\n");
    fs::write(app.join("0.log"), line("first")).unwrap();
    let restarted = || {
        // The comparison of the output below fails if the new log causes a finding.
        fs::write(app.join("1.log"), line("after a restart")).unwrap();
    };
    let mut catalog = Catalog::of_path(dir.path());
    let second = std::time::Duration::from_millis(1_001);
    let (ended, printed, _) = followed(
        &mut catalog,
        &mut [
            &mut || {
                fs::rename(app.join("0.log"), app.join("0.log.20260102-030405")).unwrap();
                fs::write(app.join("0.log"), line("fresh")).unwrap();
            },
            &mut || {
                restarted();
                // Without a database, rundown looks for new files once per second.
                std::thread::sleep(second);
            },
            &mut || {},
        ],
    );
    assert!(ended.is_err(), "a run of pod logs never ends");
    assert_eq!(printed, "app 0.log\n  first\n  fresh\napp 1.log\n  after a restart\n");
}

/// The recorder and the follower are separate processes. The test checks the order of the rows of
/// each stream, but not the order between the streams.
#[test]
fn every_row_of_a_run_is_printed_once_while_it_is_recorded() {
    let dir = TempDir::new().unwrap();
    let follower = spawn(dir.path(), &["--root", "R", "--follow", "--exit-status"]);
    let script = "i=0; while [ $i -lt 4000 ]; do i=$((i+1)); echo out $i; echo err $i >&2; done; \
                  printf end; exit 7";
    let mut recorder = rundown(dir.path());
    recorder.args(["record", "--root", "R", "--job", "count", "--", "sh", "-c", script]);
    assert_eq!(
        recorder.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().code(),
        Some(7)
    );
    let output = follower.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    // The summary of the failure repeats the last rows, so it is cut off.
    let (rows, _) = printed.split_once("job count, command 1 failed").unwrap();
    for (lead, word) in [("  ", "out"), ("E ", "err")] {
        let lead = format!("{lead}{word} ");
        let numbers = rows.lines().filter_map(|row| row.strip_prefix(&lead)?.parse::<u32>().ok());
        assert!(numbers.eq(1..=4000), "{word}");
    }
    assert!(rows.ends_with("\n  end\n"));
}

fn spawn(dir: &Path, args: &[&str]) -> Child {
    rundown(dir).args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Starts `rundown --follow` on a store, and waits until it has printed `the first row`.
fn following(store: &Built) -> (Child, BufReader<ChildStdout>) {
    let mut child = spawn(store.root(), &["--root", ".", "--follow"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while line != "  the first row\n" {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the output ended before the first row");
    }
    (child, lines)
}

#[test]
fn signals_and_a_closed_reader_end_the_output() {
    let store = running();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (mut child, _lines) = following(&store);
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
    let (mut child, lines) = following(&store);
    // The program detects that the pipe is closed, although it has nothing more to write.
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut message = String::new();
    child.stderr.take().unwrap().read_to_string(&mut message).unwrap();
    assert_eq!(message, "");
}

#[test]
fn a_killed_recorder_ends_the_output() {
    let mut store = running();
    let (mut child, mut lines) = following(&store);
    store.kill_recorder(&run_id(1));
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(rest.contains("run 00000001, example, main@deadbee interrupted"), "{rest}");
}

#[test]
fn conflicting_options_are_rejected() {
    let mut store = Built::new();
    failed_run(&mut store, &run_id(1), 0);
    let refused = |args: &[&str], code| {
        stderr(store.root(), &[&["--root", ".", "--follow"], args].concat(), code)
    };
    assert!(refused(&["--format", "json"], 2).contains("--follow prints text only"));
    assert!(refused(&["--at", "end"], 2).contains("--at applies to the screen"));
    assert!(refused(&["--once"], 2).contains("cannot be used with"));
    assert!(refused(&["--job", "nothing"], 5).contains("no job matches `nothing`; jobs: "));
    assert!(refused(&["99999999"], 5).contains("no run id, ref or commit matches"));
}

#[test]
fn a_dumb_terminal_gets_plain_lines() {
    let mut store = Built::new();
    failed_run(&mut store, &run_id(1), 0);
    for env in [("ACCESSIBLE", "1"), ("TERM", "dumb")] {
        let session = Session::start(&store, &[env]);
        assert_eq!(session.exit().code(), Some(0));
        session.shown.wait_for_text("first failure: job test, command 2");
        session.shown.wait_for("the main screen", |screen| !screen.alternate_screen());
    }
    let session = Session::start(&store, &[("ACCESSIBLE", "0")]);
    session.shown.wait_for("the screen", vt100::Screen::alternate_screen);
}

#[test]
fn the_terminal_is_notified_of_the_end_of_a_run_that_was_running() {
    let mut store = running();
    let session = Session::start_with(&store, &["--follow", "--notify"], &[]);
    session.shown.wait_for_text("the first row");
    assert_eq!(session.bells(), 0);
    store.end(&run_id(1), "build", 1, 0, 1_000);
    store.end_job(&run_id(1), "build", JobEnd::Complete, 1_000);
    store.end_run(&run_id(1), RunEnd::Complete, 1_010);
    assert_eq!(session.exit().code(), Some(0));
    session.shown.wait_for_text("run 00000001, example, main@deadbee passed");
    session.wait_for_notice("9;rundown: example 00000001 passed after 1.0s");
    assert_eq!(session.bells(), 1);
    // A run that had already ended causes no notification.
    let session = Session::start_with(&store, &["--follow", "--notify"], &[]);
    assert_eq!(session.exit().code(), Some(0));
    session.shown.wait_for_text("run 00000001, example, main@deadbee passed");
    assert_eq!(session.bells(), 0);
}
