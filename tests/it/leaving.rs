//! The line that rundown leaves in the terminal when it quits. It contains a command that opens the
//! same rows again.

use rundown::catalog::RunSpec;
use rundown::cri::Stream;
use rundown::store::RunEnd;
use rundown::tui::Options;
use rundown::tui::at::At;
use rundown::tui::sim::Sim;
use rustix::process::Signal;
use unicode_width::UnicodeWidthStr;

use crate::support::built::{Built, at, failed_run, passed_run, run_id};
use crate::support::screen::{SMALL, options};
use crate::support::session::Session;

/// Opens run 1, at a place if one is given.
fn open_at(store: &Built, place: Option<At>) -> Sim {
    let options = Options { at: place, ..options() };
    Sim::new(store.catalog(), Some(RunSpec::Id(run_id(1).0)), options, SMALL, at(120_000))
}

/// Returns the rows of the log on screen.
fn rows(sim: &Sim) -> Vec<String> {
    let log = &sim.model.log;
    let shown = log.window.rows.iter().skip(log.top).take(sim.model.log.height());
    shown.map(|row| String::from_utf8_lossy(&row.text).into_owned()).collect()
}

/// Makes a run with a job named `job`, whose logs are longer than the screen.
fn long_run(job: &str, running: bool) -> Built {
    let (mut store, run) = (Built::new(), run_id(1));
    store.begin(&run, &[job, "last"], 0);
    for n in 1..=2 {
        store.start(&run, job, n, "make all", i64::from(n) * 10_000);
        for row in 0..200 {
            let text = format!("row {row} of {n}\n");
            store.print(&run, job, n, i64::from(n) * 10_000 + row, Stream::Stdout, &text);
        }
        if n == 1 || !running {
            store.end(&run, job, n, i32::from(n == 1), i64::from(n) * 10_000 + 900);
        }
    }
    store
}

#[test]
fn the_command_printed_on_exit_opens_the_same_rows() {
    for job in ["build", "with blanks, @end", "b12"] {
        for running in [false, true] {
            let store = long_run(job, running);
            for keys in [
                "",
                "g",
                "G",
                "g Ctrl-d j j Ctrl-e",
                "]",
                "] g",
                "[ k k",
                "G k",
                "& 9 Enter g j",
                "Tab j j",
            ] {
                let mut before = open_at(&store, None);
                before.keys(keys);
                let place = before.model.at();
                let read = place.as_ref().map(|place| At::parse(&place.typed().unwrap()).unwrap());
                assert_eq!(read, place, "{keys}");
                let again = open_at(&store, read);
                assert_eq!(
                    again.model.log.document, before.model.log.document,
                    "{job}, {keys}: {place:?}"
                );
                let (rows, expected) = (rows(&again), rows(&before));
                assert_eq!(rows.first(), expected.first(), "{job}, {keys}: {place:?}");
                assert_eq!(
                    again.model.log.follow, before.model.log.follow,
                    "{job}, {keys}: {place:?}"
                );
            }
        }
    }
}

#[test]
fn a_reopened_failure_is_selected_at_the_same_position() {
    let mut store = Built::new();
    failed_run(&mut store, &run_id(1), 0);
    for (keys, place) in [("", "test/2"), ("G", "test/2@end"), ("g", "test/2@b0")] {
        let mut before = open_at(&store, None);
        before.keys(keys);
        let at = before.model.at().unwrap();
        assert_eq!(at.to_string(), place);
        let again = open_at(&store, Some(at));
        let (again_rows, before_rows) = (rows(&again), rows(&before));
        // Only at the cause, the row of the cause is wrapped and takes more lines.
        let same = if place.ends_with("@end") { 1 } else { before_rows.len() };
        let last = |rows: &[String]| rows[rows.len() - same..].to_vec();
        assert_eq!(last(&again_rows), last(&before_rows), "{keys}");
        assert!(
            !keys.is_empty() || again.model.log.cause().is_some(),
            "the run opens at the likely cause"
        );
    }
}

#[test]
fn at_a_cause_among_several_commands_the_first_row_on_screen_is_reopened() {
    let (mut store, run) = (Built::new(), run_id(1));
    store.begin(&run, &["a", "b"], 0);
    for (job, text) in [("a", "one\ntwo\n"), ("b", "error[E0308]: mismatched types\n")] {
        store.start(&run, job, 1, "make", 10);
        store.print(&run, job, 1, 20, Stream::Stderr, text);
        store.end(&run, job, 1, 2, 30);
    }
    store.end_run(&run, RunEnd::Failed("job-failed"), 40);
    let mut sim = open_at(&store, None);
    sim.keys("Esc Esc g Enter g ] C");
    assert!(sim.model.log.has_headings() && sim.model.log.cause().is_some());
    assert_eq!(sim.model.at().unwrap().to_string(), "a/1@b0");
}

#[test]
fn a_missing_address_is_reported_and_the_run_opens_as_usual() {
    let store = long_run("build", false);
    let mut sim = open_at(&store, Some(At::parse("biuld/1@b100").unwrap()));
    assert!(sim.screen().contains("--at: no such command in this run"), "{}", sim.screen());
    assert_eq!(sim.model.log.document, open_at(&store, None).model.log.document);
    let far = open_at(&store, Some(At::parse("build/1@b99999999").unwrap()));
    assert!(!rows(&far).is_empty(), "a position after the end opens the end");
}

#[test]
fn a_followed_running_command_needs_no_address() {
    let store = long_run("build", true);
    let mut sim = open_at(&store, None);
    sim.keys("[ ]");
    assert_eq!(
        sim.model.at().unwrap().to_string(),
        "build/2@end",
        "a chosen command has an address"
    );
    let mut store = Built::new();
    store.begin(&run_id(1), &["build"], 0);
    store.start(&run_id(1), "build", 1, "make", 10);
    assert_eq!(open_at(&store, None).model.at(), None, "a new screen follows the running command");
}

/// Waits for the end of a session, and returns the line that it leaves on the main screen.
fn line_left(session: &Session) -> String {
    assert_eq!(session.exit().code(), Some(0));
    session.assert_given_back();
    session.shown.wait_for_text("to reopen: ");
    // The line may be wider than the screen and continue on further rows.
    let parser = session.shown.parser.lock().unwrap();
    let mut line = String::new();
    for row in parser.screen().rows(0, 80) {
        line.push_str(&row);
        line.extend(std::iter::repeat_n(' ', 80 - row.width()));
    }
    line.trim().to_owned()
}

#[test]
fn the_printed_command_opens_the_same_rows_in_a_terminal() {
    let store = long_run("it's a job", false);
    let session = Session::start_with(&store, &["--repo", "example"], &[]);
    session.shown.wait_for_text("of 2");
    session.press("g\x05\x05\x05");
    let is_there = |screen: &vt100::Screen| {
        let contents = screen.contents();
        !contents.contains("row 2 of 2")
            && contents.contains("row 3 of 2")
            && contents.contains("row 20 of 2")
    };
    session.shown.wait_for("the row moved to", is_there);
    session.press("q");
    let line = line_left(&session);
    let (state, command) = line.split_once("; to reopen: rundown ").unwrap();
    assert_eq!(state, "rundown: ● running 00000001 example");
    let words = shlex::split(command).unwrap();
    let root = store.root().to_str().unwrap();
    let place = words[5].as_str();
    assert!(place.starts_with("it's a job/2@b") && words.len() == 7, "{words:?}");
    assert_eq!(words, ["--root", root, "--repo", "example", "--at", place, "00000001"]);
    let again = Session::of(&words.iter().map(AsRef::as_ref).collect::<Vec<_>>(), &[]);
    again.shown.wait_for("the same rows", is_there);
    again.press("q");
    let same = line_left(&again);
    assert_eq!(same, line);
}

#[test]
fn a_failed_run_leaves_a_line_with_its_failure() {
    let mut store = Built::new();
    failed_run(&mut store, &run_id(1), 0);
    passed_run(&mut store, &run_id(2), 60_000);
    let left = |args: &[&str]| {
        let session = Session::start_with(&store, args, &[]);
        session.shown.wait_for_text("ended");
        session.kill(Signal::TERM);
        session.exit();
        session.assert_given_back();
        session.shown.wait_for_text("to reopen: ");
        session.shown.parser.lock().unwrap().screen().contents()
    };
    let failed = left(&["latest-failed"]);
    assert!(
        failed.contains("✗ failed 00000001 example after 47.0s, cargo test --workspace: exit 101;"),
        "{failed}"
    );
    let passed = left(&["--ascii"]);
    assert!(
        passed.contains("rundown: + passed 00000002 example after 1.2s; to reopen: "),
        "{passed}"
    );
}

#[test]
fn a_log_opened_by_its_path_is_reopened_by_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a b.log");
    std::fs::write(&path, "2026-01-02T03:04:05Z stdout F one\n".repeat(100)).unwrap();
    let session = Session::of(&[path.as_os_str()], &[]);
    session.shown.wait_for_text("row 1 of 100");
    session.press("\x05");
    session.shown.wait_for_text("row 2 of 100");
    session.press("q");
    let line = line_left(&session);
    let words = shlex::split(line.split_once("to reopen: ").unwrap().1).unwrap();
    assert_eq!(words, ["rundown", "--at", "b34", path.to_str().unwrap()]);
}

#[test]
fn only_notify_signals_the_end_of_the_displayed_run_and_only_once() {
    let mut store = long_run("build", true);
    for notify in ["--notify", "--exit-status"] {
        let run = run_id(if notify == "--notify" { 1 } else { 2 });
        if run == run_id(2) {
            store.begin(&run, &["build", "last"], 100_000);
        }
        let session = Session::start_with(&store, &[notify], &[]);
        session.shown.wait_for_text("running");
        store.end_run(&run, RunEnd::Failed("job-failed"), 101_000);
        session.shown.wait_for_text("✗ failed");
        if notify == "--notify" {
            session.wait_for_notice("9;rundown: example 00000001 failed after 1m41s");
        }
        session.press("q");
        session.exit();
        session.assert_given_back();
        assert_eq!(session.bells(), usize::from(notify == "--notify"));
    }
}
