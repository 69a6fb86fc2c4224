//! Databases that are locked while a run is recorded or at its end, and signals.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::*;

/// Locks the database for writing until the returned connection is dropped.
fn locked(dir: &TempDir) -> Connection {
    let connection = open(dir);
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

fn start(dir: &TempDir, args: &[&str]) -> Child {
    let mut command = rundown(dir.path());
    command.args(["--root", "store"]).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn a_lock_delays_no_command_and_loses_no_row_once_released() {
    let dir = recorded();
    let lock = locked(&dir);
    let commands = "commands = ['touch 1', 'touch 2; exit 0', 'touch 3; exit 4']";
    fs::write(dir.path().join("p.toml"), format!("[jobs.a]\n{commands}")).unwrap();
    let recorder = start(&dir, &["exec", "p.toml"]);
    // The lock is held until the last command has run.
    wait_until("three commands", || dir.path().join("3").exists());
    drop(lock);
    let output = recorder.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let stderr = text(&output.stderr);
    let notices: Vec<_> = stderr.lines().filter(|line| line.starts_with("rundown: ")).collect();
    assert!(notices[0].starts_with("rundown: failed: job a, command 3: "), "{stderr}");
    assert_eq!(notices.len(), 3, "only the summary: {stderr}");
    let rows = "SELECT concat_ws(' ', n, sh_calls.cmd, exit_code, log_bytes) FROM sh_calls
                JOIN sh_events USING (run_id, job_id, started_at_ms) WHERE job_id = 'a' ORDER BY n";
    assert_eq!(
        sql(&dir, rows),
        ["1 touch 1 0 0", "2 touch 2; exit 0 0 0", "3 touch 3; exit 4 4 0"]
    );
    assert_eq!(sql(&dir, "SELECT state FROM runs ORDER BY id"), ["complete", "failed"]);
    assert_eq!(sql(&dir, "SELECT state FROM jobs WHERE job_id = 'a'"), ["failed"]);
    assert_eq!(text(&crate::support::run(dir.path(), &["--root", "store", "doctor"]).stdout), "");
}

#[test]
fn a_permanent_lock_loses_the_rows_and_is_reported_once() {
    let dir = recorded();
    let lock = locked(&dir);
    let before = SystemTime::now();
    let output = run(dir.path(), &[], &COMMAND);
    let notices = assert_ran(dir.path(), &output, "a lock");
    // The command starts within two seconds, and the recorder ends within five more. The limits
    // are higher, for a busy machine.
    let started = fs::metadata(dir.path().join("ran")).unwrap().modified().unwrap();
    assert!(started.duration_since(before).unwrap() < Duration::from_secs(6));
    assert!(started.elapsed().unwrap() < Duration::from_secs(12));
    assert!(
        notices.starts_with(
            "rundown: the run is not in the database, but its logs are in store/runs/"
        ),
        "{notices}"
    );
    assert!(notices.contains("is locked by another process"), "{notices}");
    assert_eq!(notices.matches("rundown: ").count(), 1, "{notices}");
    drop(lock);
    assert_eq!(sql(&dir, "SELECT count(*) || '' FROM runs"), ["1"]);
    let logs = notices.split("its logs are in ").nth(1).unwrap().split(": ").next().unwrap();
    assert!(
        text(&crate::support::run(dir.path(), &["--once", logs]).stdout).contains("out"),
        "the log is readable"
    );
}

/// Returns true if this process ignores SIGINT, like a background job of a shell. Its children then
/// ignore SIGINT, too.
fn ignores_sigint() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(ignored.trim(), 16).unwrap() & (1 << (Signal::INT.as_raw() - 1)) != 0
}

#[test]
fn a_signal_ends_the_wait_for_a_locked_database() {
    for signal in [Signal::TERM, Signal::INT] {
        if signal == Signal::INT && ignores_sigint() {
            continue; // A recorder keeps ignoring the signals that it ignores at its start.
        }
        let dir = recorded();
        let _lock = locked(&dir);
        let mut recorder = start(&dir, &["record", "--", "sh", "-c", "echo done; exit 7"]);
        let mut line = String::new();
        let mut stdout = BufReader::new(recorder.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n");
        let pid = Pid::from_child(&recorder);
        let started = Instant::now();
        wait_until("the end", || {
            // The recorder forwards signals while the command still runs, so send several.
            let _ = kill_process(pid, signal);
            recorder.try_wait().unwrap().is_some()
        });
        assert!(started.elapsed() < Duration::from_secs(4), "without a signal, it waits 5 s");
        let output = recorder.wait_with_output().unwrap();
        let notices = text(&output.stderr);
        assert!(notices.contains("is not in the database"), "{notices}");
    }
}

#[test]
fn fatal_signals_are_forwarded_to_the_command() {
    let dir = TempDir::new().unwrap();
    // Signal 36 is RTMIN+2. Not every shell has a name for it.
    let traps = "trap 'echo got USR1' USR1; trap 'echo got USR2' USR2; \
                 trap 'echo got ALRM' ALRM; trap 'echo got 36' 36";
    let script = format!("{traps}; echo ready; until [ -e stop ]; do sleep 0.02; done; exit 5");
    let mut recorder = start(&dir, &["record", "--", "bash", "-c", &script]);
    let mut lines = BufReader::new(recorder.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "ready");
    for signal in ["USR1", "USR2", "ALRM", "36"] {
        let pid = recorder.id().to_string();
        assert!(
            Command::new("bash")
                .args(["-c", "kill -s \"$0\" \"$1\"", signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(next(), format!("got {signal}"));
    }
    fs::write(dir.path().join("stop"), "").unwrap();
    assert_eq!(recorder.wait().unwrap().code(), Some(5));
    assert_eq!(sql(&dir, "SELECT state FROM runs"), ["failed"]);
}

#[test]
fn a_reader_with_an_open_database_causes_no_lost_row_and_no_message() {
    let dir = recorded();
    let reader = open(&dir);
    reader.execute_batch("BEGIN; SELECT * FROM runs").unwrap();
    // Disable the final sync of the logs, which reports an interruption by the signals below.
    fs::write(dir.path().join("c.toml"), "sync = false").unwrap();
    let mut recorder =
        start(&dir, &["--config", "c.toml", "record", "--", "sh", "-c", "echo done"]);
    let mut line = String::new();
    BufReader::new(recorder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    wait_until("the end", || {
        let _ = kill_process(Pid::from_child(&recorder), Signal::TERM);
        recorder.try_wait().unwrap().is_some()
    });
    assert_eq!(text(&recorder.wait_with_output().unwrap().stderr), "");
    drop(reader);
    assert_eq!(
        sql(&dir, "SELECT count(*) || '' FROM runs WHERE finished_at_ms IS NOT NULL"),
        ["2"]
    );
}

#[test]
fn a_locked_database_that_is_removed_is_reported() {
    let dir = recorded();
    let lock = locked(&dir);
    let recorder =
        start(&dir, &["record", "--", "sh", "-c", "rm store/rundown.db; touch ran; exit 7"]);
    wait_until("the command", || dir.path().join("ran").exists());
    drop(lock);
    let output = recorder.wait_with_output().unwrap();
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{err}");
    assert!(err.contains("store/rundown.db was removed, moved or replaced"), "{err}");
}
