//! Recordings of one command: its output, its exit code, its rows in the database, and errors while
//! it is recorded.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};

use rundown::cri::Stream;
use rundown::error::Error;
use rundown::log::path;
use rundown::model::RunId;
use rundown::record::{Recording, Stop, record_command, run_pipeline};
use rustix::process::{Pid, Signal, kill_process};

use super::store::{Store, job, joined, mode, pipeline};
use crate::support::process::{self, is_alone};
use crate::support::wait_until;

#[test]
fn each_stream_is_recorded_byte_for_byte() {
    let store = Store::new();
    let ended = store.shell(
        r"printf 'one\r\n\n\377\0two'; printf 'oops\n' >&2; printf ' more'; printf '\n\ttail'",
    );
    assert_eq!((ended.exit_code, ended.warnings.as_slice()), (0, &[][..]));
    assert_eq!(
        store.written(&ended.run, "job", 1, Stream::Stdout),
        b"one\r\n\n\xff\0two more\n\ttail"
    );
    assert_eq!(store.written(&ended.run, "job", 1, Stream::Stderr), b"oops\n");
}

#[test]
fn large_output_on_both_streams_loses_nothing() {
    let store = Store::new();
    let script = "i=0
                  while [ $i -lt 3000 ]; do
                      echo \"out $i\"; echo \"err $i\" >&2; i=$((i + 1))
                  done
                  head -c 3000000 /dev/zero | tr '\\0' x";
    let ended = store.shell(script);
    let lines =
        |word: &str| (0..3000).map(|i| format!("{word} {i}\n")).collect::<Vec<_>>().concat();
    assert!(store.stdout(&ended) == lines("out") + &"x".repeat(3_000_000));
    assert!(store.written(&ended.run, "job", 1, Stream::Stderr) == lines("err").into_bytes());
}

#[test]
fn an_unterminated_prompt_is_logged_while_the_command_waits() {
    let store = Store::new();
    let fifo = store.dir.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let script = "printf 'Password: '; read answer < fifo; echo \"[$answer]\"";
    let ended = store.shell_while(script, || {
        wait_until("the prompt", || joined(&store.first_log(), Stream::Stdout) == b"Password: ");
        std::fs::write(&fifo, "secret\n").unwrap();
    });
    assert_eq!(store.stdout(&ended), "Password: [secret]\n");
    let log = String::from_utf8(store.first_log()).unwrap();
    assert!(log.lines().next().unwrap().ends_with(" stdout P Password: "), "{log}");
}

/// The pauses between the dots are shorter than the age at which the recorder writes an
/// unterminated line.
#[test]
fn an_unterminated_progress_bar_is_logged_as_it_grows() {
    let store = Store::new();
    let script = "until [ -e stop ]; do printf '.'; sleep 0.03; done; echo";
    let ended = store.shell_while(script, || {
        wait_until("a piece", || !store.first_log().is_empty());
        std::fs::write(store.dir.path().join("stop"), "").unwrap();
    });
    assert_eq!(store.stdout(&ended).replace('.', ""), "\n");
}

#[test]
fn a_running_command_has_its_lines_in_the_log_and_active_rows() {
    let store = Store::new();
    let fifo = store.dir.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut lock = None;
    store.shell_while("echo ready; read answer < fifo", || {
        wait_until("the line", || joined(&store.first_log(), Stream::Stdout) == b"ready\n");
        assert_eq!(store.sql::<String>("SELECT state FROM runs"), ["active"]);
        assert_eq!(store.sql::<String>("SELECT state FROM jobs"), ["active"]);
        wait_until("the process id", || {
            store.sql::<Option<i64>>("SELECT pid FROM sh_calls")[0].is_some()
        });
        assert_eq!(store.sql::<i64>("SELECT count(*) FROM sh_events"), [0]);
        let run = store.sql::<String>("SELECT id FROM runs").remove(0);
        let path = path::recorder_lock(&store.run_dir(&RunId(run)));
        let held = lock.insert(std::fs::File::open(path).unwrap());
        assert!(held.try_lock().is_err(), "an active recorder holds its lock");
        std::fs::write(&fifo, "\n").unwrap();
    });
    lock.unwrap().try_lock().unwrap();
    assert_eq!(store.sql::<String>("SELECT state FROM runs"), ["complete"]);
}

#[test]
fn rows_contain_the_command_and_its_result() {
    let store = Store::new();
    let ended = store.record(&["sh", "-c", "exit 7", "a \"b\""]);
    assert_eq!(ended.exit_code, 7);
    let text = |sql: &str| store.sql::<String>(sql).join("|");
    assert_eq!(
        text("SELECT concat_ws(' ', repo, ref_name, sha, state, failure_kind) FROM runs"),
        "o/r refs/heads/main ab12 failed command-failed"
    );
    assert_eq!(text("SELECT concat_ws(' ', job_id, state, exit_code) FROM jobs"), "job failed 7");
    assert_eq!(text("SELECT cmd FROM sh_calls"), r#"["sh","-c","exit 7","a \"b\""]"#);
    assert_eq!(
        text("SELECT concat_ws(' ', exit_code, finished_at_ms >= started_at_ms) FROM sh_events"),
        "7 1"
    );
    assert_eq!(
        store
            .sql::<i64>("SELECT max_rss_bytes FROM sh_calls WHERE cpu_ms IS NOT NULL AND n = 1")
            .len(),
        1
    );
    assert!(store.sql::<i64>("SELECT max_rss_bytes FROM sh_calls")[0] > 100_000);
    assert_eq!(store.sql::<String>("SELECT id FROM runs"), [ended.run.as_str()]);
}

#[test]
fn cpu_time_includes_the_command_and_its_children() {
    let store = Store::new();
    store.shell("sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done'");
    assert!(store.sql::<i64>("SELECT cpu_ms FROM sh_calls")[0] >= 10);
}

#[test]
fn a_fatal_signal_is_in_the_row_and_in_the_exit_code() {
    let store = Store::new();
    assert_eq!(store.shell("echo x; kill -9 $$").exit_code, 137);
    assert_eq!(store.sql::<i64>("SELECT signal FROM sh_calls"), [9]);
    assert_eq!(store.sql::<i64>("SELECT exit_code FROM sh_events"), [137]);
}

/// Rust programs ignore SIGPIPE, and their children inherit that unless it is reset.
#[test]
fn sigpipe_ends_a_command_as_without_rundown() {
    assert_eq!(Store::new().shell("kill -PIPE $$; echo survived").exit_code, 128 + 13);
}

#[test]
fn a_command_that_cannot_run_has_the_exit_code_of_a_shell_and_an_empty_log() {
    let store = Store::new();
    std::fs::write(store.dir.path().join("data"), "x").unwrap();
    for (program, exit_code) in [("./missing", 127), ("./data", 126), (".", 126)] {
        let ended = store.record(&[program]);
        assert_eq!(ended.exit_code, exit_code);
        assert!(
            ended.warnings[0].contains(&format!("cannot run `{program}`")),
            "{:?}",
            ended.warnings
        );
        assert_eq!(std::fs::read(store.log_path(&ended.run, "job", 1)).unwrap(), b"");
    }
    assert_eq!(
        store.sql::<i64>("SELECT exit_code FROM sh_events ORDER BY started_at_ms"),
        [127, 126, 126]
    );
    store.shell("exit 127");
    assert_eq!(
        store.sql::<String>("SELECT coalesce(start_error, '-') FROM sh_calls ORDER BY run_id"),
        ["No such file or directory", "Permission denied", "Permission denied", "-"]
    );
}

#[test]
fn a_background_process_that_holds_the_pipe_open_is_not_awaited() {
    let store = Store::new();
    let started = Instant::now();
    let ended = store.shell("sleep 60 & echo $!");
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "the recorder waited for the background process"
    );
    assert_eq!(ended.exit_code, 0);
    assert_eq!(ended.warnings.len(), 1, "{:?}", ended.warnings);
    assert!(ended.warnings[0].contains("holds its output open"), "{:?}", ended.warnings);
    let left_behind =
        String::from_utf8(store.stdout(&ended).into()).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(left_behind).unwrap(), Signal::TERM).unwrap();
}

#[test]
fn a_background_process_that_never_stops_writing_is_abandoned() {
    let store = Store::new();
    let started = Instant::now();
    std::fs::write(store.dir.path().join("go"), "").unwrap();
    let ended = store.shell("while [ -e go ]; do sleep 0.02; echo more; done & exit 3");
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "the recorder kept reading from the background process"
    );
    assert_eq!(ended.exit_code, 3);
    assert!(
        ended.warnings.iter().any(|warning| warning.contains("holds its output open")),
        "{:?}",
        ended.warnings
    );
}

#[test]
fn output_of_a_background_process_is_recorded_while_it_arrives() {
    let store = Store::new();
    let ended = store.shell("(sleep 0.05; echo late) & echo early");
    assert_eq!(store.stdout(&ended), "early\nlate\n");
    assert_eq!(ended.warnings, [] as [String; 0]);
}

#[test]
fn a_database_error_after_the_start_does_not_affect_the_command() {
    let store = Store::new();
    let argv = ["sh", "-c", "echo fine; exit 5"].map(OsString::from);
    let recording = Recording::command(&store.options, &job("job"), &argv).unwrap();
    store.break_table("sh_events");
    let ended = recording.execute(&Stop::new());
    assert_eq!(ended.exit_code, 5);
    assert_eq!(store.stdout(&ended), "fine\n");
    assert_eq!(ended.warnings.len(), 1, "{:?}", ended.warnings);
    assert!(ended.warnings[0].contains("the recording is incomplete"), "{:?}", ended.warnings);
    assert_eq!(store.sql::<String>("SELECT state FROM runs"), ["failed"]);
}

#[test]
fn a_log_that_cannot_be_created_does_not_affect_the_command() {
    let store = Store::new();
    let argv = ["sh", "-c", "echo out; echo err >&2; exit 5"].map(OsString::from);
    let recording = Recording::command(&store.options, &job("job"), &argv).unwrap();
    let jobs = store.run_dir(recording.run()).join("jobs");
    std::fs::remove_dir(&jobs).unwrap();
    std::fs::write(jobs, "in the way").unwrap();
    let ended = recording.execute(&Stop::new());
    assert_eq!(ended.exit_code, 5);
    assert!(ended.warnings[0].contains("the log is incomplete"), "{:?}", ended.warnings);
    assert_eq!(store.sql::<i64>("SELECT exit_code FROM sh_events"), [5]);
}

#[test]
fn a_new_store_is_accessible_to_its_owner_only() {
    let store = Store::new();
    let ended = store.record(&["true"]);
    assert_eq!(mode(&store.root()), 0o700);
    assert_eq!(mode(&store.log_path(&ended.run, "job", 1)), 0o600);
}

#[test]
fn a_run_that_cannot_be_recorded_is_not_started() {
    let store = Store::new();
    let touch = ["touch".into(), store.dir.path().join("ran").into_os_string()];
    let begin = |change: &dyn Fn(&mut rundown::record::Options), name: &str| {
        let mut options = store.options.clone();
        options.must_record = true;
        change(&mut options);
        record_command(&options, &job(name), &touch).unwrap_err()
    };
    assert!(matches!(begin(&|_| (), "../escape"), Error::Usage(_)));
    assert!(matches!(begin(&|options| options.facts.repo = "..".into(), "job"), Error::Usage(_)));
    assert!(matches!(begin(&|options| options.cwd = "/nowhere".into(), "job"), Error::Io { .. }));
    std::fs::create_dir(store.root()).unwrap();
    std::fs::write(store.root().join(rundown::store::OUR_DATABASE), "no database").unwrap();
    assert!(matches!(begin(&|_| (), "job"), Error::NotAStore { .. }));
    assert!(matches!(
        record_command(&store.options, &job("job"), &[]).unwrap_err(),
        Error::Usage(_)
    ));
    assert!(!store.dir.path().join("ran").exists());
}

#[test]
fn a_recording_dropped_before_it_executes_releases_its_lock() {
    let store = Store::new();
    let recording = Recording::command(&store.options, &job("job"), &["true".into()]).unwrap();
    let run = recording.run().clone();
    assert_eq!(store.sql::<String>("SELECT state FROM runs"), ["active"]);
    let lock = std::fs::File::open(path::recorder_lock(&store.run_dir(&run))).unwrap();
    assert!(lock.try_lock().is_err());
    drop(recording);
    // A child of another test, between fork and exec, may hold a copy of the descriptor.
    wait_until("a free lock", || lock.try_lock().is_ok());
}

/// A limit on the size of files simulates a full disk: a write stops in the middle of a record.
#[test]
fn a_full_disk_loses_only_the_end_of_the_log() {
    if is_alone() {
        let store = Store::new();
        let script = "i=0
                      while [ $i -lt 30000 ]; do echo \"line $i of this log\"; i=$((i + 1)); done
                      exit 9";
        let ended = store.shell(script);
        assert_eq!(ended.exit_code, 9);
        assert!(ended.warnings[0].contains("the log is incomplete"), "{:?}", ended.warnings);
        let log = std::fs::read(store.log_path(&ended.run, "job", 1)).unwrap();
        assert!(log.len() > 100_000 && log.ends_with(b"\n"), "{} bytes", log.len());
        let lines: String =
            (0..30_000).map(|i| format!("line {i} of this log\n")).collect::<Vec<_>>().concat();
        assert!(lines.starts_with(&store.stdout(&ended)));
        assert_eq!(store.sql::<i64>("SELECT exit_code FROM sh_events"), [9]);
        let lost = lines.len() - store.stdout(&ended).len();
        assert_eq!(
            store.sql::<i64>("SELECT lost_bytes FROM sh_calls"),
            [i64::try_from(lost).unwrap()]
        );
        eprintln!("lost only the end");
        return;
    }
    let script = r#"trap '' XFSZ; ulimit -f 1000; exec "$0" "$@""#;
    let output = within(a_full_disk_loses_only_the_end_of_the_log, script);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.contains("lost only the end"), "{stderr}");
}

/// Runs one test again, in a process of its own that a shell script starts. In the script, `"$0"`
/// and `"$@"` are the program and its arguments.
fn within(test: impl Fn(), script: &str) -> std::process::Output {
    let shell = ["sh", "-c", script].map(OsString::from).to_vec();
    process::command(&[shell, process::argv(test)].concat()).output().unwrap()
}

/// The recorder forwards output to the stdout and the stderr of its own process. So the test runs
/// itself in a child process, and reads the streams of the child.
#[test]
fn output_of_a_pipeline_is_forwarded_and_a_closed_pipe_ends_only_the_forwarding() {
    if is_alone() {
        let mut store = Store::new();
        store.options.quiet = false;
        let text = r"jobs.job.commands = ['''
            printf '\033[1m<<out\n'; printf 'err>>' >&2
            i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i + 1)); done
        ''']";
        let ended = run_pipeline(&store.options, &pipeline(text), &Stop::new()).unwrap();
        assert_eq!(store.stdout(&ended).len(), "\x1b[1m<<out\n".len() + 20_000 * 11);
        eprintln!("recorded as a whole");
        return;
    }
    let inner = |script| {
        within(output_of_a_pipeline_is_forwarded_and_a_closed_pipe_ends_only_the_forwarding, script)
    };
    let whole = inner(r#"exec "$0" "$@""#);
    let stdout = String::from_utf8_lossy(&whole.stdout);
    assert!(whole.status.success() && stdout.contains("\x1b[1m<<out\n0123456789\n"), "{stdout}");
    assert!(String::from_utf8_lossy(&whole.stderr).contains("err>>"));
    assert_eq!(stdout.matches("0123456789\n").count(), 20_000);
    let closed = inner(r#"{ "$0" "$@"; echo "exit $?" >&2; } | head -n 4 >/dev/null"#);
    assert_eq!(closed.status.signal(), None);
    let stderr = String::from_utf8_lossy(&closed.stderr);
    assert!(stderr.contains("err>>") && stderr.contains("recorded as a whole"), "{stderr}");
}
