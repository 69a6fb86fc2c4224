//! Exit statuses when the reader of stdout or stderr closes the pipe, as in
//! `rundown --exit-status | head -1`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use rundown::store::{JobEnd, RunEnd};
use tempfile::TempDir;

use crate::support::built::{Built, failed_run, passed_run, run_id, running, running_run};
use crate::support::{run, rundown};

/// Arguments that print: each format, and options that select rows.
const PRINTED: [&[&str]; 11] = [
    &["--once"],
    &["--format", "json"],
    &["--format", "jsonl"],
    &["--format", "raw"],
    &["--format", "records"],
    &["--format", "markdown"],
    &["--format", "html"],
    &["--format", "trace"],
    &["--failed"],
    &["--tail", "2"],
    &["--failed", "--tail", "2", "--format", "jsonl"],
];

/// Returns a log that is larger than the buffer of a pipe, even after `--once` enlarges it.
fn long_log() -> Vec<u8> {
    "2026-05-06T12:00:00.000000000Z stdout F a row of a long log\n".repeat(50_000).into_bytes()
}

/// Ends an active run as failed.
fn fail(store: &mut Built, number: u32) {
    let run = run_id(number);
    store.end(&run, "build", 1, 2, 1_000);
    store.end_job(&run, "build", JobEnd::Failed(2), 1_000);
    store.end_run(&run, RunEnd::Failed("job-failed"), 1_100);
}

/// Makes a store with one run of each status: passed, failed, interrupted, active. Returns the
/// number and the exit status of each.
fn every_status() -> (Built, [(u32, i32); 4]) {
    let mut store = Built::new();
    passed_run(&mut store, &run_id(1), 0);
    failed_run(&mut store, &run_id(2), 0);
    running_run(&mut store, &run_id(3));
    store.kill_recorder(&run_id(3));
    running_run(&mut store, &run_id(4));
    (store, [(1, 0), (2, 1), (3, 3), (4, 4)])
}

fn id(number: u32) -> String {
    run_id(number).as_str().to_owned()
}

/// Returns the write end of a pipe that no process reads.
fn closed_pipe() -> Stdio {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// Returns the exit status and stderr of rundown if the reader closes stdout before the first byte.
fn without_reader(dir: &Path, args: &[&str]) -> (Option<i32>, String) {
    let child =
        rundown(dir).args(args).stdout(closed_pipe()).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Returns the exit status and stderr of rundown if the reader closes stdout after a few bytes.
fn after_few_bytes(dir: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut child =
        rundown(dir).args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 10]).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_closed_pipe_does_not_change_the_status_of_the_run() {
    let (store, runs) = every_status();
    for (number, code) in runs {
        let run = id(number);
        for printed in PRINTED {
            let args = [&["--root", ".", run.as_str(), "--exit-status"], printed].concat();
            assert_eq!(without_reader(store.root(), &args).0, Some(code), "{args:?}");
        }
    }
    let failed = id(2);
    for printed in PRINTED {
        let args = [&["--root", ".", failed.as_str()], printed].concat();
        assert_eq!(without_reader(store.root(), &args).0, Some(0), "{args:?}");
    }
}

#[test]
fn a_reader_that_exits_early_does_not_change_the_status_of_the_run() {
    let mut store = running();
    store.append(&run_id(1), "build", 1, &long_log());
    fail(&mut store, 1);
    for printed in PRINTED.iter().chain(&[&["--follow"][..]]) {
        let args = [&["--root", "."][..], printed].concat();
        let (status, printed) = after_few_bytes(store.root(), &args);
        assert_eq!(status, Some(0), "{args:?}");
        assert!(!printed.contains("stdout"), "{args:?}: {printed}");
        let args = [&args[..], &["--exit-status"]].concat();
        assert_eq!(after_few_bytes(store.root(), &args).0, Some(1), "{args:?}");
    }
}

#[test]
fn a_closed_stderr_does_not_change_the_status_of_the_run() {
    let (store, runs) = every_status();
    for (number, code) in runs {
        let run = id(number);
        for format in ["text", "records"] {
            // With --tail, the data formats report on stderr that they omit rows.
            let args = ["--root", ".", &run, "--exit-status", "--tail", "1", "--format", format];
            let mut command = rundown(store.root());
            let status =
                command.args(args).stdout(closed_pipe()).stderr(closed_pipe()).status().unwrap();
            assert_eq!(status.code(), Some(code), "{args:?}");
        }
    }
}

#[test]
fn following_with_exit_status_continues_without_a_reader_until_the_run_ends() {
    let (mut store, runs) = every_status();
    for (number, code) in runs.into_iter().filter(|(_, code)| *code != 4) {
        let args = ["--root", ".", "--follow", &id(number)];
        assert_eq!(without_reader(store.root(), &args), (Some(0), String::new()), "{args:?}");
        let args = [&args[..], &["--exit-status"]].concat();
        assert_eq!(without_reader(store.root(), &args), (Some(code), String::new()), "{args:?}");
    }
    let mut command = rundown(store.root());
    command.args(["--root", ".", "--follow", "--exit-status", &id(4)]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 10]).unwrap();
    fail(&mut store, 4);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(1), &b""[..]));
}

/// Without a database, logs have no recorded end and no status, so a script would wait forever.
#[test]
fn following_logs_without_a_database_has_no_exit_status() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("sh-1.log"), long_log()).unwrap();
    let (status, printed) =
        without_reader(dir.path(), &["--follow", "--exit-status", "./sh-1.log"]);
    assert_eq!(status, Some(2));
    assert!(printed.contains("--exit-status needs a run with a row in a database"), "{printed}");
}

#[test]
fn a_closed_pipe_does_not_change_the_status_of_doctor() {
    let (store, _) = every_status();
    store.append(&run_id(2), "build", 1, b"not a record\n");
    for (number, code) in [(1, 0), (2, 1)] {
        for format in ["text", "json"] {
            let args = ["doctor", "--root", ".", "--format", format, &id(number)];
            assert_eq!(run(store.root(), &args).status.code(), Some(code), "{args:?}");
            assert_eq!(without_reader(store.root(), &args).0, Some(code), "{args:?}");
        }
    }
}

#[test]
fn a_closed_stdout_is_an_error_but_not_for_a_recorded_command() {
    let dir = TempDir::new().unwrap();
    let rundown = rundown(dir.path()).get_program().to_owned();
    let closed = |args: &[&str]| {
        let script = r#"exec "$0" "$@" >&-"#;
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).arg(&rundown).args(args).current_dir(&dir);
        shell.output().unwrap()
    };
    let recorded = closed(&["record", "--root", "R", "--", "sh", "-c", "exit 3"]);
    assert_eq!(recorded.status.code(), Some(3));
    fs::write(dir.path().join("p.toml"), "[jobs.a]\ncommands = [\"true\"]\n").unwrap();
    let dry: &[&str] = &["exec", "--dry-run", "p.toml"];
    for args in [&["--root", "R", "--once"][..], &["list", "--root", "R"], &["--help"], dry] {
        let output = closed(args);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(message, "rundown: cannot write to stdout: it is closed\n", "{args:?}");
        assert_eq!(output.status.code(), Some(6), "{args:?}");
        let mut full = Command::new(&rundown);
        full.args(args).current_dir(&dir).stdout(File::create("/dev/full").unwrap());
        let output = full.output().unwrap();
        assert_eq!(output.status.code(), Some(6), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to stdout"));
        // As other programs open it.
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        let mut open = Command::new(&rundown);
        open.args(args).current_dir(&dir).stdout(null);
        assert!(open.status().unwrap().success(), "{args:?}");
    }
}
