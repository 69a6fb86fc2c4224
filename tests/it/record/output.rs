//! The forms of the connection to a command, with the real binary: the order and the bytes of its
//! output, closed readers, processes that it leaves behind, and terminals.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rundown::cri::{Stream, parse};
use rustix::process::Signal;
use rustix::termios::{LocalModes, tcgetattr};
use tempfile::TempDir;

use super::store::joined;
use crate::support::session::Session;
use crate::support::{bytes_of, rundown, script, wait_until};

const FORMS: [&str; 4] = ["--apart", "--merge", "--pty", "--exact"];

/// Returns a command that records a shell script.
fn recorder(dir: &Path, form: &str, text: &str) -> Command {
    let mut command = rundown(dir);
    command.args(["record", "--root", "store", form, "--", "sh", "-c", text]);
    command
}

fn record(dir: &Path, form: &str, text: &str) -> Output {
    recorder(dir, form, text).output().unwrap()
}

/// Returns the only log of the store.
fn log(dir: &Path) -> Vec<u8> {
    let mut logs = bytes_of(&dir.join("store")).into_iter();
    logs.find(|(path, _)| path.ends_with("sh-1.log")).unwrap().1
}

fn written(dir: &Path, stream: Stream) -> String {
    String::from_utf8_lossy(&joined(&log(dir), stream)).into_owned()
}

/// Returns an integer from the only row of the only command.
fn integer(dir: &Path, sql: &str) -> i64 {
    let path = dir.join("store").join(rundown::store::OUR_DATABASE);
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.query_row(sql, (), |row| row.get(0)).unwrap()
}

#[test]
fn alternating_lines_keep_their_exact_order() {
    let text = "i=0; while [ $i -lt 1000 ]; do echo o$i; echo e$i >&2; i=$((i + 1)); done";
    let expected: Vec<String> =
        (0..1000).flat_map(|i| [format!("o{i}"), format!("e{i}")]).collect();
    for (form, streams) in [("--merge", 1), ("--pty", 1), ("--exact", 2)] {
        let dir = TempDir::new().unwrap();
        assert_eq!(record(dir.path(), form, text).status.code(), Some(0));
        let log = log(dir.path());
        let records: Vec<_> = log
            .trim_ascii_end()
            .split(|byte| *byte == b'\n')
            .map(|line| parse(line).unwrap())
            .collect();
        let lines: Vec<_> =
            records.iter().map(|record| String::from_utf8_lossy(record.content)).collect();
        assert!(lines == expected, "{form} misplaced a line");
        let is_apart = |record: &rundown::cri::Record<'_>| {
            (record.stream == Stream::Stderr) == (record.content[0] == b'e')
        };
        assert_eq!(records.iter().all(is_apart), streams == 2, "{form}");
    }
}

#[test]
fn the_output_has_the_bytes_of_an_unrecorded_run() {
    let text = r"printf 'a\r\n\n\377\0b\r'; printf 'oops\r\r\n' >&2; printf '' >&2; printf 'c\nd'
                 head -c 300000 /dev/zero | tr '\0' x; echo; printf end >&2; exit 3";
    for form in FORMS {
        let dir = TempDir::new().unwrap();
        let merge = if form == "--merge" || form == "--pty" { "exec 2>&1; " } else { "" };
        let plain = Command::new("sh").args(["-c", &format!("{merge}{text}")]).output().unwrap();
        let recorded = record(dir.path(), form, text);
        assert_eq!(recorded.status.code(), Some(3), "{form}");
        assert!(recorded.stdout == plain.stdout, "{form} passes stdout on");
        assert!(recorded.stderr == plain.stderr, "{form} passes stderr on");
        let log = log(dir.path());
        assert!(joined(&log, Stream::Stdout) == plain.stdout, "{form} records stdout");
        assert!(joined(&log, Stream::Stderr) == plain.stderr, "{form} records stderr");
    }
}

#[test]
fn a_command_ends_with_the_reader_of_its_output() {
    for (form, code) in [("--apart", 141), ("--merge", 141), ("--pty", 129), ("--exact", 1)] {
        for (stream, redirection) in [("stdout", ""), ("stderr", ">&2")] {
            let dir = TempDir::new().unwrap();
            let is_stdout = stream == "stdout" || form == "--merge" || form == "--pty";
            let mut command = recorder(dir.path(), form, &format!("exec yes {redirection}"));
            let mut child = if is_stdout {
                command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
            } else {
                command.stderr(Stdio::piped()).spawn().unwrap()
            };
            let mut line = String::new();
            if is_stdout {
                BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            } else {
                BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
            }
            assert_eq!(child.wait().unwrap().code(), Some(code), "{form} {stream}");
            assert!(String::from_utf8_lossy(&log(dir.path())).contains(" F y\n"), "{form}");
        }
    }
}

/// A recorded command that left a server behind, after the end of the recording.
struct LeftBehind {
    dir: TempDir,
    /// The reader of the recorder's stdout, which returns its lines.
    reader: JoinHandle<Vec<String>>,
    /// True if the reader closes its end at the next line.
    closes: Arc<AtomicBool>,
    notice: String,
}

impl LeftBehind {
    /// Records the command. The server prints lines until the file `go` is removed, or the whole
    /// directory. Then it prints `last` and creates the file `done`.
    fn record(form: &str) -> Self {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("go"), "").unwrap();
        let text = "trap '' HUP
                    (while [ -e go ]; do echo tick; sleep 0.02; done; echo last; echo >done) 2>&- &
                    echo main";
        let notice = fs::File::create(dir.path().join("notice")).unwrap();
        let mut recorder = recorder(dir.path(), form, text);
        let mut child = recorder.stdout(Stdio::piped()).stderr(notice).spawn().unwrap();
        let closes = Arc::new(AtomicBool::new(false));
        let reader = std::thread::spawn({
            let (closes, stdout) = (Arc::clone(&closes), child.stdout.take().unwrap());
            let lines = BufReader::new(stdout).lines().map(Result::unwrap);
            move || lines.take_while(|_| !closes.load(Ordering::Relaxed)).collect()
        });
        assert_eq!(child.wait().unwrap().code(), Some(0));
        let notice = fs::read_to_string(dir.path().join("notice")).unwrap();
        Self { dir, reader, closes, notice }
    }

    fn end(&self) {
        fs::remove_file(self.dir.path().join("go")).unwrap();
        wait_until("the server", || self.dir.path().join("done").exists());
    }
}

#[test]
fn the_output_of_a_server_is_passed_on_after_the_end_of_the_recording() {
    for form in ["--apart", "--merge", "--pty"] {
        let left = LeftBehind::record(form);
        let notice = "later output is passed on but not recorded\n";
        assert!(left.notice.ends_with(notice), "{form}: {}", left.notice);
        assert_eq!(left.notice.lines().count(), 1, "{form}: {}", left.notice);
        left.end();
        // The stream ends only when the relay has ended, too.
        let lines = left.reader.join().unwrap();
        assert_eq!(lines.last().unwrap().trim_end(), "last", "{form}");
    }
}

#[test]
fn a_server_survives_although_the_reader_of_its_output_is_gone() {
    for form in ["--apart", "--merge", "--pty"] {
        let left = LeftBehind::record(form);
        left.closes.store(true, Ordering::Relaxed);
        wait_until("the reader to close its end", || left.reader.is_finished());
        left.end();
    }
}

#[test]
fn the_time_of_a_command_ends_with_its_exit() {
    let dir = TempDir::new().unwrap();
    // The rows after the exit continue for long enough that the recorder has noticed it, and never
    // pause for the second after which it stops reading.
    let text = "pid=$$
                (until grep -q 'State:.Z' /proc/$pid/status; do sleep 0.02; done
                for _ in $(seq 20); do echo late; sleep 0.1; done) &
                echo early";
    record(dir.path(), "--apart", text);
    let log = log(dir.path());
    let last = log.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap();
    let late = parse(last).unwrap();
    assert_eq!(late.content, b"late");
    assert!(integer(dir.path(), "SELECT finished_at_ms FROM sh_events") <= late.at.floor_millis());
}

#[test]
fn exact_streams_accept_large_writes_and_report_the_limit_to_the_command() {
    let dir = TempDir::new().unwrap();
    let text = "dd if=/dev/zero bs=425952 count=1 2>/dev/null || exit 9
                dd if=/dev/zero bs=5242880 count=1";
    let output = record(dir.path(), "--exact", text);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout.len(), 425_952);
    assert_eq!(joined(&log(dir.path()), Stream::Stdout), output.stdout);
    assert!(written(dir.path(), Stream::Stderr).contains("Message too long"));
}

#[test]
fn a_form_that_the_system_lacks_is_replaced_by_two_pipes() {
    let dir = TempDir::new().unwrap();
    let mut command = recorder(dir.path(), "--exact", "echo out; echo err >&2");
    let output = command.env("TMPDIR", "/nowhere").output().unwrap();
    let notice = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0));
    assert!(notice.contains("two pipes: cannot use `exact`"), "{notice}");
    assert_eq!(written(dir.path(), Stream::Stdout), "out\n");
    assert_eq!(written(dir.path(), Stream::Stderr), "err\n");
    assert_eq!(integer(dir.path(), "SELECT output = 'apart' FROM sh_calls"), 1);
}

#[test]
fn a_configuration_and_the_options_choose_the_form() {
    let text = "test -t 1 && echo terminal";
    for (form, is_terminal) in [("--pty", true), ("--apart", false), ("--sha=1", true)] {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("c.toml"), "output = \"pty\"\n").unwrap();
        let output =
            recorder(dir.path(), form, text).env("RUNDOWN_CONFIG", "c.toml").output().unwrap();
        assert_eq!(output.stdout == b"terminal\n", is_terminal, "{form}");
    }
    let dir = TempDir::new().unwrap();
    assert_eq!(
        rundown(dir.path())
            .args(["record", "--pty", "--merge", "true"])
            .output()
            .unwrap()
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn without_a_terminal_a_command_gets_one_of_the_usual_size_and_our_own_stdin() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("input"), b"a\x03\x04b").unwrap();
    let mut command = recorder(dir.path(), "--pty", "stty size </dev/tty; echo $TERM; exec od -c");
    let output = command.stdin(fs::File::open(dir.path().join("input")).unwrap()).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.starts_with("24 80\nxterm-256color\n"), "{stdout}");
    assert!(stdout.contains("a 003 004   b"), "{stdout}");
}

#[test]
fn a_job_of_a_pipeline_can_have_a_terminal() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("ci.toml"), "[jobs.a]\ncommands = ['test -t 1 && test -t 2']")
        .unwrap();
    let mut exec = rundown(dir.path());
    exec.args(["exec", "--root", "store", "ci.toml"]);
    assert_eq!(exec.output().unwrap().status.code(), Some(1));
    assert_eq!(exec.arg("--pty").output().unwrap().status.code(), Some(0));
}

/// A recorder in a terminal, started by an interactive shell.
struct Desk {
    dir: TempDir,
    session: Session,
}

impl Desk {
    /// Records a shell script, which is written to a file first.
    fn record(text: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let path = script(dir.path(), "command", text);
        let root = dir.path().join("store");
        let args = ["record", "--pty", "--root", root.to_str().unwrap(), "--", &path];
        let session = Session::of(&args.map(OsStr::new), &[]);
        Self { dir, session }
    }

    /// Waits until keys go to the terminal of the command.
    fn wait_for_raw_mode(&self) {
        wait_for_raw_mode(&self.session);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Waits until keys go to the terminal of the command. Ctrl-C would reach the recorder before that.
fn wait_for_raw_mode(session: &Session) {
    wait_until("raw mode", || {
        !tcgetattr(&*session.pty).unwrap().local_modes.contains(LocalModes::ICANON)
    });
}

#[test]
fn a_terminal_has_our_size_and_follows_it() {
    let desk = Desk::record("stty size; while :; do stty size; sleep 0.02; done");
    desk.session.shown.wait_for_text("24 80");
    desk.session.resize(100, 30);
    desk.session.shown.wait_for_text("30 100");
    desk.wait_for_raw_mode();
    desk.session.press("\x03");
    assert_eq!(desk.session.exit().code(), Some(130), "Ctrl-C is a key of the command's terminal");
    desk.session.assert_modes_given_back();
}

#[test]
fn prompts_and_silent_input_work_in_a_terminal() {
    let desk = Desk::record(
        "printf 'name: '; read name; stty -echo; printf 'secret: '; read secret; stty echo
         echo; echo \"<$name $secret>\"",
    );
    desk.session.shown.wait_for_text("name: ");
    desk.session.press("ann\r");
    desk.session.shown.wait_for_text("secret: ");
    desk.session.press("hush\r");
    desk.session.shown.wait_for_text("<ann hush>");
    assert_eq!(desk.session.exit().code(), Some(0));
    desk.session.assert_modes_given_back();
    assert_eq!(written(desk.dir.path(), Stream::Stdout), "name: ann\nsecret: \n<ann hush>\n");
}

#[test]
fn an_editor_works_in_a_terminal() {
    if Command::new("vim").arg("--version").output().is_err() {
        return;
    }
    let desk = Desk::record("exec vim -u NONE -N \"${0%/*}/text\"");
    desk.session.shown.wait_for_text("[New");
    desk.session.press("ihello\x1b:wq\r");
    assert_eq!(desk.session.exit().code(), Some(0));
    assert_eq!(fs::read_to_string(desk.path("text")).unwrap(), "hello\n");
    desk.session.assert_given_back();
}

#[test]
fn a_terminal_is_restored_after_a_signal() {
    // The first signal reaches the command, the second one ends the recorder itself.
    for (signal, code) in [(Signal::TERM, Some(128 + 15)), (Signal::XCPU, None)] {
        let desk = Desk::record("stty -echo; echo ready; exec sleep 60");
        desk.session.shown.wait_for_text("ready");
        desk.wait_for_raw_mode();
        desk.session.kill(signal);
        assert_eq!(desk.session.exit().code(), code);
        desk.session.assert_modes_given_back();
    }
}

#[test]
fn ctrl_z_stops_the_command_and_the_recorder_until_they_are_continued() {
    let dir = TempDir::new().unwrap();
    let text = "echo $$ >\"$0.pid\"; echo ready; read line; echo \"<$line>\"";
    let path = script(dir.path(), "command", text);
    let session = Session::of_program(
        "bash".as_ref(),
        &["--norc", "--noprofile", "-i"].map(OsStr::new),
        &[("PS1", "shell> ")],
    );
    session.shown.wait_for_text("shell> ");
    let program = env!("CARGO_BIN_EXE_rundown");
    let root = dir.path().join("store");
    session.press(&format!("clear; {program} record --pty --root {} {path}\r", root.display()));
    session.shown.wait_for_text("ready");
    let pid = fs::read_to_string(format!("{path}.pid")).unwrap();
    let state = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap();
        stat.rsplit(") ").next().unwrap().chars().next()
    };
    wait_for_raw_mode(&session);
    session.press("\x1a");
    session.shown.wait_for_text("Stopped");
    wait_until("the command to stop", || state() == Some('T'));
    session.press("clear; fg\r");
    wait_until("the command to continue", || state() != Some('T'));
    session.press("more\r");
    // Keys that are pressed before the recorder has exited may reach the command that has ended.
    session.shown.wait_for("the prompt after the output", |screen| {
        let text = screen.contents();
        text.contains("<more>") && text.trim_end().ends_with("shell>")
    });
    session.press("exit\r");
    assert!(session.exit().success());
}

#[test]
fn a_log_with_a_limit_loses_its_middle_and_the_output_does_not() {
    let dir = TempDir::new().unwrap();
    let text = "seq -w 1 100000";
    let args = ["record", "--root", "store", "--max-log", "256KiB", "--", "sh", "-c", text];
    let output = rundown(dir.path()).args(args).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout.len(), 700_000, "all output is passed on");
    let (cut_at, cut_bytes) = (
        integer(dir.path(), "SELECT cut_at FROM sh_calls"),
        integer(dir.path(), "SELECT cut_bytes FROM sh_calls"),
    );
    let log = log(dir.path());
    let bytes = |of: &[u8]| i64::try_from(of.len()).unwrap();
    assert_eq!(integer(dir.path(), "SELECT log_bytes FROM sh_calls"), bytes(&log));
    assert_eq!(integer(dir.path(), "SELECT count(lost_bytes) FROM sh_calls"), 0);
    assert!(log.len() <= 256 << 10 && log.len() >= 128 << 10, "{}", log.len());
    let (head, tail) = log.split_at(usize::try_from(cut_at).unwrap());
    let mut kept = joined(head, Stream::Stdout);
    kept.extend(joined(tail, Stream::Stdout));
    assert!(kept.starts_with(b"000001\n") && kept.ends_with(b"100000\n"));
    assert_eq!(bytes(&kept) + cut_bytes, 700_000);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("the log was limited to 256.0 KiB: "), "{stderr}");
    assert!(stderr.trim_end().ends_with(" were left out of its middle"), "{stderr}");
    let status = rundown(dir.path()).args(["doctor", "--root", "store"]).output().unwrap();
    assert_eq!(status.status.code(), Some(0), "{}", String::from_utf8_lossy(&status.stdout));
}

#[test]
fn a_log_limit_applies_from_the_configuration_and_has_a_minimum() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("c.toml"), "max-log = \"128 KiB\"\n").unwrap();
    let args = ["record", "--root", "store", "--config", "c.toml", "--", "seq", "-w", "50000"];
    let output = rundown(dir.path()).args(args).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("limited to 128.0 KiB"), "{stderr}");
    let args = ["record", "--max-log", "1KiB", "--", "true"];
    let output = rundown(dir.path()).args(args).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("expected a size of at least 128KiB"), "{stderr}");
}

#[test]
fn a_shortened_log_of_a_killed_recorder_is_valid_and_its_cut_is_known() {
    let dir = TempDir::new().unwrap();
    let text = "seq -w 1 50000; : >printed; exec cat";
    let args = ["record", "--root", "store", "--max-log", "128KiB", "--", "sh", "-c", text];
    let mut recorder = rundown(dir.path());
    recorder.args(args).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut recorder = recorder.spawn().unwrap();
    let cuts = || {
        let path = dir.path().join("store").join(rundown::store::OUR_DATABASE);
        let connection = rusqlite::Connection::open(path).ok()?;
        let sql = "SELECT count(*) FROM sh_calls WHERE cut_at > 0 AND cut_bytes > 0";
        connection.query_row(sql, (), |row| row.get::<_, i64>(0)).ok()
    };
    wait_until("the first cut is stored", || {
        dir.path().join("printed").exists() && cuts() == Some(1)
    });
    // A recorder that is killed while it shortens its log leaves this file.
    let job = dir.path().join("store/runs");
    let logs: Vec<PathBuf> =
        bytes_of(&job).into_keys().filter(|path| path.ends_with("sh-1.log")).collect();
    let log = job.join(&logs[0]);
    // A write that is interrupted may leave a part of a record.
    wait_until("the last line", || fs::read(&log).is_ok_and(|log| log.ends_with(b" 50000\n")));
    fs::write(log.with_file_name("sh-1.log.cut"), "torn").unwrap();
    recorder.kill().unwrap();
    recorder.wait().unwrap();
    let log = fs::read(log).unwrap();
    assert!(log.trim_ascii_end().split(|byte| *byte == b'\n').all(|line| parse(line).is_ok()));
    let once = rundown(dir.path()).args(["--root", "store", "--once"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&once.stdout).contains("sh-1.log.cut"));
    let repair = rundown(dir.path()).args(["doctor", "--repair", "--root", "store"]).output();
    assert!(repair.unwrap().status.code().is_some_and(|code| code <= 1));
    assert_eq!(cuts(), Some(1));
}
