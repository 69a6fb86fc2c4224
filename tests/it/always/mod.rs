//! A recorded command always runs, even if the store is unusable. The tests use the real binary, as
//! a CI job does.

mod ends;
mod files;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{rundown, store, wait_until};

/// A command that prints to both streams, creates the file `ran`, and exits with 7.
const COMMAND: [&str; 3] = ["sh", "-c", "echo out; echo err >&2; touch ran; exit 7"];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Compiles `shim.c`, a library that changes the results of system calls. A static (musl) binary
/// cannot load it.
#[cfg(all(target_os = "linux", not(target_env = "musl")))]
fn shim(dir: &Path) -> PathBuf {
    let (source, library) =
        (concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/always/shim.c"), dir.join("shim.so"));
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .args([source, "-ldl"])
        .status();
    assert!(status.unwrap().success(), "the tests need a C compiler, as the build does");
    library
}

/// Makes a directory with a store that contains one run.
fn recorded() -> TempDir {
    let dir = TempDir::new().unwrap();
    assert!(
        crate::support::run(dir.path(), &["--root", "store", "record", "--", "true"])
            .status
            .success()
    );
    dir
}

fn open(dir: &TempDir) -> Connection {
    Connection::open(dir.path().join("store/rundown.db")).unwrap()
}

fn sql(dir: &TempDir, sql: &str) -> Vec<String> {
    let connection = open(dir);
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map((), |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// An unusable store: a description, a function that creates it as `store` in a new directory, and
/// a part of the error message.
type Broken = (&'static str, fn() -> TempDir, &'static str);

const BROKEN: &[Broken] = &[
    ("a file in place of the root", || with("store", b""), "cannot write to store: it is a file"),
    ("a root below a file", || with_link("/dev/null/store"), "cannot create store"),
    (
        "a root where nothing can be made",
        || with_link("/proc/self/fdinfo"),
        "cannot create store/runs",
    ),
    ("no database", || with("store/rundown.db", b"no database"), "it is not an SQLite file"),
    (
        "a database that is cut off",
        || with("store/rundown.db", b"SQLite format 3\0"),
        "it is not an SQLite file",
    ),
    ("a damaged database", damaged, "malformed"),
    ("a later version", || changed("PRAGMA user_version = 99"), "version is 99"),
    ("a runaway trigger", || changed(TRIGGER), "the trigger `evil`"),
    (
        "a view in place of a table",
        || changed("DROP TABLE sh_calls; CREATE VIEW sh_calls AS SELECT 1"),
        "`sh_calls`",
    ),
    ("a foreign database", || changed("PRAGMA application_id = 1"), "not created by rundown"),
    ("quire's store", quire, "it belongs to quire"),
    ("a database that is a directory", || with("store/rundown.db/x", b""), "it is a directory"),
];

const TRIGGER: &str = "CREATE TRIGGER evil AFTER INSERT ON runs BEGIN
    INSERT INTO jobs SELECT new.id, i, 'pending', 0, 0, 0
    FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n); END";

fn with(path: &str, bytes: &[u8]) -> TempDir {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    dir
}

fn with_link(to: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    std::os::unix::fs::symlink(to, dir.path().join("store")).unwrap();
    dir
}

fn changed(sql: &str) -> TempDir {
    let dir = recorded();
    open(&dir).execute_batch(sql).unwrap();
    dir
}

/// Makes a store whose database has a valid header and damaged pages.
fn damaged() -> TempDir {
    let dir = recorded();
    let path = dir.path().join("store/rundown.db");
    let mut bytes = fs::read(&path).unwrap();
    bytes[100..].fill(0xa5);
    fs::write(path, bytes).unwrap();
    dir
}

fn quire() -> TempDir {
    let dir = TempDir::new().unwrap();
    let from = store("quire-v2-live");
    crate::support::copy_tree(from.path(), &dir.path().join("store"));
    dir
}

/// Asserts that [`COMMAND`] ran with its own output and exit code. Returns the notices of rundown.
#[track_caller]
fn assert_ran(dir: &Path, output: &Output, what: &str) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!((output.status.code(), out.as_str()), (Some(7), "out\n"), "{what}\n{err}");
    assert!(dir.join("ran").exists(), "{what}");
    let notices = err.strip_prefix("err\n").unwrap_or_else(|| panic!("{what}: {err}"));
    notices.to_owned()
}

#[test]
fn a_command_runs_with_an_unusable_store_unless_recording_is_required() {
    for (what, made, why) in BROKEN {
        let dir = made();
        let before = bytes_below(dir.path());
        let strict = run(dir.path(), &["--must-record"], &COMMAND);
        assert_eq!((strict.status.code(), text(&strict.stdout).as_str()), (Some(6), ""), "{what}");
        assert!(text(&strict.stderr).contains(why), "{what}: {}", text(&strict.stderr));
        assert!(!dir.path().join("ran").exists(), "{what}");
        let notices = assert_ran(dir.path(), &run(dir.path(), &[], &COMMAND), what);
        assert!(
            notices.starts_with("rundown: not recorded: ") && notices.contains(why),
            "{what}: {notices}"
        );
        assert_eq!(notices.matches("rundown: ").count(), 1, "reported once: {notices}");
        fs::remove_file(dir.path().join("ran")).unwrap();
        assert_eq!(bytes_below(dir.path()), before, "{what}: the store is unchanged");
    }
}

fn bytes_below(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let is_link = dir.join("store").is_symlink();
    if is_link { Vec::new() } else { crate::support::bytes_of(dir).into_iter().collect() }
}

fn run(dir: &Path, options: &[&str], command: &[&str]) -> Output {
    rundown(dir)
        .args(["--root", "store", "record"])
        .args(options)
        .arg("--")
        .args(command)
        .output()
        .unwrap()
}

#[test]
fn a_pipeline_runs_with_an_unusable_store() {
    let dir = with("store", b"");
    fs::write(dir.path().join("p.toml"), "[jobs.a]\ncommands = ['echo one', 'echo two; exit 3']")
        .unwrap();
    let exec = |more: &[&str]| {
        rundown(dir.path()).args(["--root", "store", "exec"]).args(more).output().unwrap()
    };
    let ran = exec(&["p.toml"]);
    assert_eq!((ran.status.code(), text(&ran.stdout).as_str()), (Some(1), "one\ntwo\n"));
    assert!(text(&ran.stderr).contains("a · exit 3"), "{}", text(&ran.stderr));
    let notice = "\nrundown: not recorded: cannot write to store: it is a file, ";
    assert!(text(&ran.stderr).contains(notice), "{}", text(&ran.stderr));
    let quiet = exec(&["--quiet", "p.toml"]);
    assert_eq!(text(&quiet.stdout), "");
    assert_eq!(text(&quiet.stderr).lines().count(), 1);
    assert_eq!(exec(&["--must-record", "p.toml"]).status.code(), Some(6));
}

#[test]
fn a_command_runs_if_the_default_store_cannot_be_created() {
    let dir = TempDir::new().unwrap();
    let output = rundown(dir.path())
        .env("HOME", "/proc/nowhere")
        .args(["record", "--"])
        .args(COMMAND)
        .output();
    let notices = assert_ran(dir.path(), &output.unwrap(), "no home");
    assert!(notices.starts_with("rundown: not recorded: cannot create /proc/nowhere"), "{notices}");
}

#[test]
fn a_command_runs_in_a_deleted_directory() {
    let dir = recorded();
    let gone = dir.path().join("gone");
    fs::create_dir(&gone).unwrap();
    let script =
        r#"cd gone && rmdir ../gone && exec "$0" --root "$1" record -- sh -c 'echo out; exit 7'"#;
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_rundown")]).arg(dir.path().join("store"));
    let output = command.current_dir(dir.path()).output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stdout).as_str()),
        (Some(7), "out\n"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_command_is_recorded_without_a_temporary_directory() {
    let dir = recorded();
    for temporary in ["/nowhere", "/proc"] {
        let mut command = rundown(dir.path());
        command.env("TMPDIR", temporary).args(["--root", "store", "record", "--"]).args(COMMAND);
        assert_eq!(assert_ran(dir.path(), &command.output().unwrap(), temporary), "");
    }
    assert_eq!(sql(&dir, "SELECT count(*) || '' FROM runs WHERE state = 'failed'"), ["2"]);
}

#[test]
fn an_invalid_configuration_is_reported_and_does_not_stop_a_command() {
    let dir = recorded();
    fs::write(dir.path().join("bad.toml"), "sync = 3").unwrap();
    let mut command = rundown(dir.path());
    command.args(["--root", "store", "--config", "bad.toml", "record", "--", "sh", "-c", "exit 7"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert!(text(&output.stderr).contains("bad.toml:1:8"), "{}", text(&output.stderr));
}

/// Simulates a full disk by a limit on the size of files. A write beyond the limit also raises
/// SIGXFSZ, which kills a process that does not handle it.
#[test]
fn a_command_runs_on_a_full_disk() {
    for (limit, has_store) in
        [(0, false), (0, true), (8, false), (8, true), (64, false), (64, true)]
    {
        let dir = if has_store { recorded() } else { TempDir::new().unwrap() };
        let args = ["record", "--", "sh", "-c", "echo out; echo err >&2; exit 7"];
        let output = prepared(dir.path(), &format!("ulimit -f {limit}"), &args);
        let err = text(&output.stderr);
        assert_eq!(
            (output.status.code(), text(&output.stdout).as_str()),
            (Some(7), "out\n"),
            "{limit}: {err}"
        );
        assert!(err.starts_with("err\n"), "{limit}: {err}");
        assert!(limit > 0 || err.contains("rundown: "), "{limit} {has_store}: {err}");
    }
}

/// Runs the binary in a directory, in a process that a shell has prepared (limits, traps, umask).
fn prepared(dir: &Path, preparation: &str, args: &[&str]) -> Output {
    let script = format!("{preparation}; exec \"$0\" --root store \"$@\"");
    let mut command = Command::new("bash");
    command
        .args(["-c", &script, env!("CARGO_BIN_EXE_rundown")])
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null());
    command.output().unwrap()
}

#[test]
fn commands_run_when_file_descriptors_run_out() {
    let dir = recorded();
    fs::write(dir.path().join("p.toml"), "[jobs.sh]\ncommands = ['echo out; exit 7']").unwrap();
    // A limit of 4 leaves one descriptor besides the standard streams. `exec` needs it to read its
    // pipeline. Without posix_spawn, the standard library needs two more to start a command.
    let least = if cfg!(target_env = "musl") { 6 } else { 4 };
    for (limit, args) in (least..40).flat_map(|limit| {
        let record = &["record", "--", "sh", "-c", "echo out; exit 7"][..];
        [(limit, record), (limit, &["exec", "p.toml"][..])]
    }) {
        let output = prepared(dir.path(), &format!("ulimit -n {limit}"), args);
        let (err, code) = (text(&output.stderr), if args[0] == "exec" { 1 } else { 7 });
        assert_eq!(
            (output.status.code(), text(&output.stdout).as_str()),
            (Some(code), "out\n"),
            "{limit} {args:?}: {err}"
        );
        // The log of a finished command is complete (44 bytes), or a message reports the loss.
        let bytes =
            "SELECT coalesce(log_bytes, '-') || '' FROM sh_calls ORDER BY run_id DESC LIMIT 1";
        let is_reported = err.contains("not recorded: ");
        assert!(
            is_reported || sql(&dir, bytes) == ["44"],
            "{limit} {args:?}: {err} {:?}",
            sql(&dir, bytes)
        );
    }
    assert_eq!(
        sql(&dir, "SELECT count(*) || '' FROM sh_calls WHERE log_bytes = 0 AND cmd LIKE '%out%'"),
        ["0"]
    );
}

#[test]
fn a_command_runs_as_usual_if_the_caller_ignores_signals() {
    let dir = TempDir::new().unwrap();
    let output =
        prepared(dir.path(), "trap '' CHLD", &["record", "--", "sh", "-c", "echo out; exit 7"]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(7), ""));
    let status = ["record", "--", "grep", "SigIgn", "/proc/self/status"];
    let output = prepared(dir.path(), "trap '' XFSZ", &status);
    let mask =
        u64::from_str_radix(text(&output.stdout).split_whitespace().last().unwrap(), 16).unwrap();
    assert_ne!(mask & (1 << (25 - 1)), 0, "SIGXFSZ stays ignored for the command: {mask:x}");
}

#[cfg(all(target_os = "linux", not(target_env = "musl")))]
#[test]
fn a_command_is_recorded_on_a_file_system_without_locks_or_modes() {
    for (missing, report) in [("NO_FLOCK", "does not support locks"), ("NO_CHMOD", "")] {
        let dir = TempDir::new().unwrap();
        let mut command = rundown(dir.path());
        command.env("LD_PRELOAD", shim(dir.path())).env(missing, "1");
        let output =
            command.args(["--root", "store", "record", "--"]).args(COMMAND).output().unwrap();
        let notices = assert_ran(dir.path(), &output, missing);
        assert!(
            notices.contains(report) && notices.is_empty() == report.is_empty(),
            "{missing}: {notices}"
        );
        assert_eq!(sql(&dir, "SELECT state FROM runs"), ["failed"], "{missing}");
    }
}

#[cfg(all(target_os = "linux", not(target_env = "musl")))]
#[test]
fn a_command_does_not_wait_for_a_file_system_that_does_not_respond() {
    let dir = TempDir::new().unwrap();
    let mut command = rundown(dir.path());
    command.env("LD_PRELOAD", shim(dir.path())).env("HANG", "1");
    let before = SystemTime::now();
    // Only the recorder hangs: the command does not load the library.
    let script = format!("unset LD_PRELOAD; {}", COMMAND[2]);
    let output =
        command.args(["--root", "store", "record", "--", "sh", "-c", &script]).output().unwrap();
    let notices = assert_ran(dir.path(), &output, "a file system that hangs");
    assert_eq!(
        notices,
        "rundown: not recorded: cannot use the store store: it did not respond in time\n"
    );
    // The command starts within two seconds. The limit is higher, for a busy machine.
    let started = fs::metadata(dir.path().join("ran")).unwrap().modified().unwrap();
    assert!(started.duration_since(before).unwrap() < Duration::from_secs(6));
}

/// Tests a lock on the store's directory, as held by `flock DIR rundown record …`, while a database
/// is updated: an empty one has version 0.
#[test]
fn a_recorder_waits_a_limited_time_for_a_lock_on_the_store_directory() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("store")).unwrap();
    fs::write(dir.path().join("store/rundown.db"), "").unwrap();
    let lock = fs::File::open(dir.path().join("store")).unwrap();
    lock.lock().unwrap();
    let notices = assert_ran(dir.path(), &run(dir.path(), &[], &COMMAND), "a lock");
    assert!(notices.contains("another process holds a lock on the store's directory"), "{notices}");
    assert_eq!(
        assert_ran(dir.path(), &run(dir.path(), &[], &COMMAND), "a lock"),
        "",
        "only the update of a database waits for the lock"
    );
    assert_eq!(sql(&dir, "SELECT state FROM runs"), ["failed", "failed"]);
}

#[test]
fn files_and_directories_are_accessible_to_their_owner_only_under_every_umask() {
    for umask in ["000", "022", "777"] {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("store")).unwrap();
        fs::set_permissions(dir.path().join("store"), Permissions::from_mode(0o755)).unwrap();
        let args = ["record", "--", "sh", "-c", "echo out; exit 7"];
        let output = prepared(dir.path(), &format!("umask {umask}"), &args);
        assert_eq!(output.status.code(), Some(7), "{umask}: {}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "", "{umask}");
        let wrong: Vec<String> = wrong_modes(&dir.path().join("store"));
        assert_eq!(wrong, [""; 0], "{umask}");
    }
}

/// Lists the directories below `dir` whose mode is not `0700`, and the files whose mode is not
/// `0600`.
fn wrong_modes(dir: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let is_dir = path.is_dir();
        if mode != if is_dir { 0o700 } else { 0o600 } {
            wrong.push(format!("{} {mode:o}", path.display()));
        }
        if is_dir {
            wrong.extend(wrong_modes(&path));
        }
    }
    wrong
}
