//! Terminals of unusual sizes, from zero to the maximum (`stty cols 65535 rows 65535`).

use std::fs;

use rustix::process::Pid;

use crate::support::built::{failed_run, run_id, running};
use crate::support::session::Session;

/// The most memory that the program may use, even on the largest terminal.
const MEMORY_KIB: u64 = 256 << 10;

/// Returns the peak memory of a process, in KiB.
fn peak_kib(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_screen_is_drawn_on_a_huge_terminal() {
    let store = running();
    let program = env!("CARGO_BIN_EXE_rundown");
    let script =
        format!("stty cols 65535 rows 65535; exec '{program}' --root '{}'", store.root().display());
    let session = Session::of_program("sh".as_ref(), &["-c".as_ref(), script.as_ref()], &[]);
    session.shown.wait_for_text("running");
    session.settle(&store, "the last row");
    assert!(peak_kib(session.pid) < MEMORY_KIB, "{} KiB", peak_kib(session.pid));
    session.press("q");
    assert_eq!(session.exit().code(), Some(0));
    session.assert_given_back();
}

#[test]
fn no_terminal_size_causes_a_panic() {
    let mut store = running();
    failed_run(&mut store, &run_id(2), 0);
    // The keys open the log, the list of runs, the help, the header of the command, and a search.
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
            session.redraw(columns, rows);
        }
        session.press("\x1b\x1b");
        session.settle(&store, "the last row");
        assert!(peak_kib(session.pid) < MEMORY_KIB, "{} KiB", peak_kib(session.pid));
        session.press("q");
        assert_eq!(session.exit().code(), Some(0), "{keys:?}");
        session.assert_given_back();
    }
}
