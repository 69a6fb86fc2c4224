//! Terminals that close, resize repeatedly, or stop reading. The program ends in time. An idle
//! program uses no CPU.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::support::built::running;
use crate::support::script;
use crate::support::session::Session;

/// The time limit for the program to exit after its terminal has closed, on a busy machine.
const SOON: Duration = Duration::from_secs(5);

/// Makes a log that takes seconds to count and to search.
fn long_log() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("long.log");
    let mut out = BufWriter::new(File::create(&path).unwrap());
    let rows = "2026-01-02T03:04:05.123456789Z stdout F a row like any other\n".repeat(1000);
    for _ in 0..1500 {
        out.write_all(rows.as_bytes()).unwrap();
    }
    out.into_inner().unwrap();
    (dir, path)
}

/// Returns the CPU time that a process has used so far.
fn cpu(pid: Pid) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // Linux reports hundredths of a second.
    Duration::from_millis(ticks * 10)
}

#[track_caller]
fn assert_ends_when_closed(session: Session) {
    let started = Instant::now();
    let exits = session.close();
    exits
        .recv_timeout(SOON)
        .unwrap_or_else(|_| panic!("still running after {:?}", started.elapsed()));
}

#[test]
fn a_closed_terminal_ends_rundown_during_any_activity() {
    let store = running();
    let session = Session::start(&store, &[]);
    session.shown.wait_for_text("the first row");
    assert_ends_when_closed(session);

    let (_dir, path) = long_log();
    for keys in ["", "/no such row\r", "&no such row\r", "Y"] {
        let session = Session::of(&[path.as_os_str()], &[]);
        session.shown.wait_for_text("a row like any other");
        session.press(keys);
        assert_ends_when_closed(session);
    }
}

#[test]
fn a_closed_terminal_ends_rundown_while_an_editor_keeps_running() {
    let (dir, store) = (TempDir::new().unwrap(), running());
    // The editor ignores the hangup and ends when its directory is removed.
    let text = format!(
        "trap '' HUP; echo started; while [ -e {} ]; do sleep 0.05; done",
        dir.path().display()
    );
    let editor = script(dir.path(), "nano", &text);
    let session = Session::start(&store, &[("EDITOR", &editor), ("PATH", "/usr/bin:/bin")]);
    session.shown.wait_for_text("the first row");
    session.press("v");
    session.shown.wait_for_text("started");
    assert_ends_when_closed(session);
}

#[test]
fn after_many_resizes_the_last_size_applies() {
    let store = running();
    let session = Session::start(&store, &[]);
    session.shown.wait_for_text("the first row");
    for n in 0..200_u16 {
        session.report_size(1 + n * 13 % 200, 1 + n * 7 % 60);
    }
    session.settle(&store, "after the resizes");
    session.press("q");
    assert_eq!(session.exit().code(), Some(0));
    session.assert_given_back();
}

#[test]
fn an_idle_screen_uses_no_cpu() {
    let store = running();
    let session = Session::start(&store, &[]);
    session.shown.wait_for_text("the first row");
    let before = cpu(session.pid);
    std::thread::sleep(Duration::from_secs(2));
    let taken = cpu(session.pid).checked_sub(before).unwrap();
    assert!(taken < Duration::from_millis(500), "{taken:?} of CPU time in two seconds");
}

/// Tests that a signal ends the program while its event loop blocks in a write to the terminal.
#[test]
fn a_blocked_terminal_does_not_delay_termination_by_a_signal() {
    let store = running();
    let mut session = Session::start(&store, &[]);
    session.shown.wait_for_text("the first row");
    session.stop_reading();
    for n in 0..200_u16 {
        session.report_size(200 + n % 7, 50 + n % 2);
        std::thread::sleep(Duration::from_millis(5));
    }
    session.kill(Signal::TERM);
    assert_eq!(session.exit().code(), Some(128 + 15));
    session.assert_modes_given_back();
}
