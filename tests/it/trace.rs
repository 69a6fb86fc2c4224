//! Reading leaves no trace: no command that reads a store adds or removes a file, or changes the
//! bytes, the modification time or the mode of a file. This holds for every state of a store.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime};

use rundown::catalog::Catalog;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::support::screen::{LARGE, open_catalog};
use crate::support::{copy_tree, run, rundown, store, wait_until};

const READING: [&[&str]; 17] = [
    &["list"],
    &["list", "--format", "json"],
    &["--once"],
    &["--once", "--failed"],
    &["--once", "--format", "json"],
    &["--once", "--format", "jsonl"],
    &["--once", "--format", "raw"],
    &["--once", "--format", "records"],
    &["--once", "--format", "junit"],
    &["--once", "--format", "github"],
    &["--once", "--format", "markdown"],
    &["--once", "--format", "html"],
    &["--once", "--format", "trace"],
    &["--once", "--tail", "1"],
    &["export", "otlp", "--signals", "logs"],
    &["doctor"],
    // Without a terminal, rundown prints the run.
    &[],
];

/// The state of a file: its bytes, its mode and its modification time. The access time may change.
#[derive(PartialEq, Eq, Debug)]
struct Seen {
    mode: u32,
    modified: (i64, i64),
    bytes: Vec<u8>,
}

/// Returns the state of a directory, and of every file and directory below it.
fn picture(dir: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut found = BTreeMap::new();
    for path in
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).chain([dir.to_owned()])
    {
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() && path != dir {
            found.extend(picture(&path));
            continue;
        }
        let bytes = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        found.insert(
            path,
            Seen {
                mode: metadata.mode(),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
                bytes,
            },
        );
    }
    found
}

/// Opens a store on a simulated screen, and moves to another run, to commands and within a log.
fn read_store(root: &Path) {
    let mut sim = open_catalog(Catalog::of_store(root, None), LARGE);
    assert!(sim.model.run.is_some(), "{}", sim.screen());
    sim.disk().keys("r Down Enter ] ] g G").disk();
}

/// Runs every reading command on a store, and asserts that each leaves no trace. The exit status of
/// `doctor` must be the given one, that of every other command 0. Returns the output of `list`.
#[track_caller]
fn read_all(root: &Path, doctor: i32) -> String {
    let before = picture(root);
    let mut listed = String::new();
    for args in READING {
        let dir = TempDir::new().unwrap();
        let root_arg = root.to_str().unwrap();
        let mut command = rundown(dir.path());
        let output = command
            .args(["--root", root_arg])
            .args(args)
            .env("TMPDIR", dir.path())
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        let code = if args == ["doctor"] { doctor } else { 0 };
        assert_eq!(output.status.code(), Some(code), "{args:?}: {message}");
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            0,
            "{args:?} left something in the temporary directory"
        );
        assert!(picture(root) == before, "{args:?} left a trace: {:?}", picture(root).keys());
        if args == ["list"] {
            listed = String::from_utf8_lossy(&output.stdout).into_owned();
        }
    }
    read_store(root);
    assert!(picture(root) == before, "the screen left a trace: {:?}", picture(root).keys());
    listed
}

/// Makes a store of schema version 2 in WAL mode. Its last change is only in the `-wal` file until
/// the connection is closed.
fn wal_store() -> (TempDir, Connection) {
    let made = store("quire-v2-live");
    let connection = Connection::open(made.path().join("quire.db")).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode = WAL; UPDATE runs SET repo = 'later.git'")
        .unwrap();
    (made, connection)
}

/// Copies the logs of a store, and the given files of its database.
fn copied(from: &Path, names: &[&str]) -> TempDir {
    let dir = TempDir::new().unwrap();
    copy_tree(&from.join("runs"), &dir.path().join("runs"));
    for name in names {
        fs::copy(from.join(name), dir.path().join(name)).unwrap();
    }
    dir
}

#[test]
fn reading_a_cleanly_closed_database_leaves_no_trace() {
    let (made, connection) = wal_store();
    drop(connection);
    assert!(read_all(made.path(), 1).contains("later.git"));
    assert!(
        read_all(store("quire-v2-live").path(), 1).contains("demo.git"),
        "a database in rollback journal mode"
    );
}

#[test]
fn reading_a_database_with_its_wal_leaves_no_trace() {
    let (made, _connection) = wal_store();
    let with_wal = copied(made.path(), &["quire.db", "quire.db-wal"]);
    assert!(read_all(with_wal.path(), 1).contains("later.git"));
    let crashed = copied(made.path(), &["quire.db", "quire.db-wal", "quire.db-shm"]);
    assert!(read_all(crashed.path(), 1).contains("later.git"));
}

#[test]
fn reading_a_database_without_its_wal_leaves_no_trace() {
    let (made, _connection) = wal_store();
    let listed = read_all(copied(made.path(), &["quire.db"]).path(), 1);
    assert!(listed.contains("demo.git") && !listed.contains("later.git"), "{listed}");
}

#[test]
fn reading_a_database_with_two_modes_in_its_header_leaves_no_trace() {
    for versions in [[1, 2], [2, 1]] {
        let (made, connection) = wal_store();
        drop(connection);
        let database = fs::File::options().write(true).open(made.path().join("quire.db")).unwrap();
        database.write_all_at(&versions, 18).unwrap();
        assert!(read_all(made.path(), 1).contains("later.git"));
    }
}

/// rundown is killed while its private copy of the database is open: it cannot end, because the
/// test reads only one byte of the output.
#[test]
fn a_private_copy_leaves_no_trace_when_rundown_is_killed() {
    let made = store("quire-v2-live");
    Connection::open(made.path().join("quire.db"))
        .unwrap()
        .execute_batch("PRAGMA journal_mode = WAL")
        .unwrap();
    for log in picture(made.path()).into_keys().filter(|path| path.ends_with("sh-1.log")) {
        fs::write(log, "2026-01-02T03:04:05Z stdout F much to be said\n".repeat(1 << 14)).unwrap();
    }
    let database = fs::File::open(made.path().join("quire.db")).unwrap();
    database.set_modified(SystemTime::now() - Duration::from_mins(1)).unwrap();
    let temporary = TempDir::new().unwrap();
    let mut command = rundown(temporary.path());
    command
        .arg("--root")
        .arg(made.path())
        .args(["--once", "--format", "raw", "latest-passed"])
        .env("TMPDIR", temporary.path());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn reading_a_journal_left_by_a_crash_leaves_no_trace() {
    let made = store("quire-v2-live");
    let writer = Connection::open(made.path().join("quire.db")).unwrap();
    let half = "PRAGMA cache_size = 1; BEGIN; UPDATE runs SET repo = 'half.git';
                UPDATE sh_events SET cmd = hex(zeroblob(999))";
    writer.execute_batch(half).unwrap();
    let crashed = copied(made.path(), &["quire.db", "quire.db-journal"]);
    assert!(!read_all(crashed.path(), 1).contains("half.git"));
    let message = run(crashed.path(), &["--root", ".", "list"]).stderr;
    assert!(
        String::from_utf8_lossy(&message)
            .contains("quire.db: its -journal file is left over from a crash"),
        "{message:?}"
    );
}

/// Starts a recorder, and waits until it writes nothing more while its command runs: the first row
/// is in the log, and the process ID is in the database.
fn recorder(root: &Path) -> Child {
    let mut command = rundown(root);
    command.args(["record", "--root", "."]).args(["--", "sh", "-c", "echo started; read line"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut message = BufReader::new(child.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
    assert!(message.any(|line| line == "started"));
    let is_logged = |path: &Path, seen: &Seen| path.ends_with("sh-1.log") && !seen.bytes.is_empty();
    let has_pid = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = Connection::open_with_flags(root.join("rundown.db"), flags).unwrap();
        connection
            .query_row("SELECT count(pid) FROM sh_calls", (), |row| row.get::<_, i64>(0))
            .unwrap_or(0)
            > 0
    };
    wait_until("a row in the log and a process ID", || {
        picture(root).iter().any(|(path, seen)| is_logged(path, seen)) && has_pid()
    });
    child
}

#[test]
fn reading_beside_a_live_or_killed_writer_leaves_no_trace() {
    let dir = TempDir::new().unwrap();
    let mut live = recorder(dir.path());
    assert!(
        fs::metadata(dir.path().join("rundown.db-wal")).unwrap().len() > 0,
        "the -wal of the active writer contains data"
    );
    assert!(read_all(dir.path(), 0).contains("running"));
    live.kill().unwrap();
    live.wait().unwrap();
    assert!(read_all(dir.path(), 1).contains("interrupted"));
}

#[test]
fn reading_a_log_tree_without_a_database_leaves_no_trace() {
    read_all(copied(store("quire-v2-live").path(), &[]).path(), 0);
}

/// The user root can write to every file, whatever its mode. If root runs the test, it checks only
/// that the modes do not change.
#[test]
fn reading_a_read_only_store_leaves_no_trace() {
    let (made, _connection) = wal_store();
    for names in [
        &["quire.db"][..],
        &["quire.db", "quire.db-wal"],
        &["quire.db", "quire.db-wal", "quire.db-shm"],
    ] {
        let dir = copied(made.path(), names);
        for name in names {
            fs::set_permissions(dir.path().join(name), Permissions::from_mode(0o444)).unwrap();
        }
        fs::set_permissions(dir.path(), Permissions::from_mode(0o555)).unwrap();
        let listed = read_all(dir.path(), 1);
        assert_eq!(listed.contains("later.git"), names.len() > 1, "{listed}");
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn reading_needs_neither_a_home_nor_a_temporary_directory() {
    let (made, _connection) = wal_store();
    let wal = copied(made.path(), &["quire.db", "quire.db-wal"]);
    let rollback = store("quire-v2-live");
    let writer = Connection::open(rollback.path().join("quire.db")).unwrap();
    writer
        .execute_batch(
            "PRAGMA cache_size = 1; BEGIN; UPDATE sh_events SET cmd = hex(zeroblob(999))",
        )
        .unwrap();
    let hot = copied(rollback.path(), &["quire.db", "quire.db-journal"]);
    for root in [wal.path(), hot.path()] {
        let before = picture(root);
        for args in READING {
            let mut command = rundown(root);
            command
                .args(["--root", "."])
                .args(args)
                .env("TMPDIR", "/no/such/dir")
                .env_remove("HOME");
            let output = command.output().unwrap();
            let message = String::from_utf8_lossy(&output.stderr);
            assert_eq!(
                output.status.code(),
                Some(i32::from(args == ["doctor"])),
                "{args:?}: {message}"
            );
        }
        assert!(picture(root) == before);
    }
}
