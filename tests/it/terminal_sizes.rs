//! Terminals of sizes that no monitor has: `stty cols 65535 rows 65535`, or none at all.

use std::fs;
use std::num::NonZeroU16;

use pty_process::Size;
use rundown::cri::Stream;
use rustix::process::Pid;

use crate::support::built::{Built, failed_run, run_id};
use crate::support::session::Session;

/// The bound of the memory of a process that draws on the largest terminal.
const MEMORY_KIB: u64 = 256 << 10;

/// The most memory that a process has had so far.
fn peak_kib(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Waits until what is drawn last is drawn on a screen of 30 rows and 90 columns.
fn settle(session: &Session, store: &Built) {
    let size = |n| NonZeroU16::new(n).unwrap();
    session.shown.parser.lock().unwrap().screen_mut().set_size(size(30), size(90));
    session.pty.resize(Size::new(30, 90)).unwrap();
    store.print(&run_id(1), "build", 1, 30, Stream::Stdout, "the last row\n");
    session.shown.wait_for("the last size", |screen| {
        let hints = screen.rows(0, 90).nth(29).unwrap_or_default();
        screen.contents().contains("the last row") && hints.contains("help")
    });
}

fn running() -> Built {
    let mut store = Built::new();
    store.begin(&run_id(1), &["build"], 0);
    store.start(&run_id(1), "build", 1, "make all", 10);
    store.print(&run_id(1), "build", 1, 20, Stream::Stdout, "the first row\n");
    store
}

#[test]
fn a_terminal_that_starts_huge_is_drawn_on() {
    let store = running();
    let program = env!("CARGO_BIN_EXE_rundown");
    let script =
        format!("stty cols 65535 rows 65535; exec '{program}' --root '{}'", store.root().display());
    let session = Session::of_program("sh".as_ref(), &["-c".as_ref(), script.as_ref()], &[]);
    session.shown.wait_for_text("running");
    settle(&session, &store);
    assert!(peak_kib(session.pid) < MEMORY_KIB, "{} KiB", peak_kib(session.pid));
    session.press("q");
    assert_eq!(session.exit().code(), Some(0));
    session.assert_given_back();
}

#[test]
fn any_size_is_survived_by_any_screen() {
    let mut store = running();
    failed_run(&mut store, &run_id(2), 0);
    // The log, the list of runs, the help, the facts of a command, a scroll, a search.
    for keys in ["", "r", "?", "i", "/ro"] {
        let session = Session::start_with(&store, &[run_id(1).as_str()], &[]);
        session.shown.wait_for_text("the first row");
        session.press(keys);
        for (columns, rows) in [
            (u16::MAX, u16::MAX),
            (0, 0),
            (1, 1),
            (u16::MAX, 1),
            (1, u16::MAX),
            (u16::MAX, 0),
            (0, u16::MAX),
            (u16::MAX, 3),
            (3, u16::MAX),
        ] {
            session.resize(columns, rows);
        }
        session.press("\x1b\x1b");
        settle(&session, &store);
        assert!(peak_kib(session.pid) < MEMORY_KIB, "{} KiB", peak_kib(session.pid));
        session.press("q");
        assert_eq!(session.exit().code(), Some(0), "{keys:?}");
        session.assert_given_back();
    }
}
