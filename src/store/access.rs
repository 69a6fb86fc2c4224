//! Opens a database, possibly of another user, without leaving a trace.
//!
//! A plain read-only open of a WAL database creates `-wal` and `-shm` and cannot remove them again.
//! An open reader keeps the last writer from removing them. A reader that opens the database just
//! after the last writer has closed it starts a recovery, which locks out the next writer.
//! Therefore a small database is not opened at all: its files are read twice, and if both readings
//! are the same, a [private copy](super::copy) of them is opened. For a large database, the access
//! depends on its files:
//!
//! | mode | beside it | access |
//! |---|---|---|
//! | rollback journal | – | read-only, with SQLite's locks, whatever its size |
//! | WAL | a `-shm` that a process has open | with its `-wal` [in place](open_in_place); stamp |
//! | WAL | the same, if the database keeps changing | read-only, `readonly_shm=1`, SQLite's locks |
//! | WAL | no `-wal`, or an empty one | `immutable=1`; stamp |
//! | WAL | a `-wal` that no process has open | with its `-wal` [in place](open_in_place); stamp |
//! | any | files that SQLite would change | a private copy; stamp |
//!
//! With "stamp", equal [stamps](super::files::Stamp) before and after the reading show that the
//! database did not change. A `-wal` that no process has open comes from a crash or a copied
//! artifact. The last row applies if a `-journal` has to be rolled back, if a `-shm` is broken, or
//! if the user is root and SQLite would change the owner of files.
//!
//! With `readonly_shm` (see SQLite's `os_unix.c`), a reader does not write its read mark to the
//! `-shm`. A `-shm` left by a crash differs from one in use only by the missing lock. The first
//! connection without `readonly_shm` would truncate and rebuild it. SQLite still opens the `-wal`
//! for writing, but writes nothing to it. A [shared lock](hold) keeps the files in place while they
//! are opened. It is then released, because a writer that closes the database while the lock is
//! held leaves its `-wal` and `-shm` behind. Only a reading with SQLite's own locks keeps our lock.
//!
//! No connection that locks the database outlives one reading. No process reads a store while it
//! has the store open for writing: POSIX locks belong to a process, and closing any descriptor of a
//! file releases all locks of the process on that file.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::copy::{SMALL_BYTES, copy_files, open_small};
use super::files::{
    beside, bytes_of, check_beside, is_held, is_hot, is_old, is_owned_by_several, real,
};
use super::limits::guard;
use crate::error::{Error, Result};
use crate::file::open_regular;

/// The time that a reading waits for a writer's lock.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause before another attempt to get a lock.
const LOCK_PAUSE: Duration = Duration::from_millis(3);

/// The first bytes of every SQLite 3 database
/// (<https://www.sqlite.org/fileformat2.html#the_database_header>).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// An open database, or a private copy of it.
pub(super) struct Access {
    // Dropped before `way`: closing any descriptor of a file releases the locks of the whole
    // process on it, including SQLite's.
    pub connection: Connection,
    pub way: Way,
    /// The suffix of a file beside the database, left behind by a writer. Its content is read as
    /// well. `None` if there is no such file.
    pub left: Option<&'static str>,
}

/// The way in which a database is read.
pub(super) enum Way {
    /// In place, with SQLite's own locks.
    Locked,
    /// In place, in WAL mode, with SQLite's locks; our own [lock](hold) keeps the files in place.
    Held(#[expect(dead_code, reason = "held until it is dropped")] File),
    /// In place, without locks.
    Immutable,
    /// In place, with its `-wal`, without locks.
    InPlace,
    /// From a copy of a database that did not change while it was copied.
    ReadStable,
    /// From a copy that was made file by file.
    Copy,
}

impl Access {
    /// Returns true if a private copy is read.
    pub const fn is_copy(&self) -> bool {
        matches!(self.way, Way::ReadStable | Way::Copy)
    }

    /// Returns true if the data that is read is sure to be a single state of the database. If
    /// false, the caller has to check by the [stamp](super::files::Stamp) that no process wrote to
    /// it in the meantime.
    pub const fn is_consistent(&self) -> bool {
        matches!(self.way, Way::Locked | Way::Held(_) | Way::ReadStable)
    }

    /// Returns true if this access blocks no other process, however long it is kept open.
    pub const fn is_lockless(&self) -> bool {
        matches!(self.way, Way::Immutable | Way::ReadStable | Way::Copy)
    }
}

/// Opens a database for one reading, and begins a transaction. Waits up to `lock_timeout` while
/// another process has the database locked. If `with_locks` is true, a large WAL database that is
/// in use is read under SQLite's locks. This is only for a database that keeps changing, because
/// the locks may keep a writer from removing the `-wal` and `-shm`.
pub(super) fn open(path: &Path, lock_timeout: Duration, with_locks: bool) -> Result<Access> {
    let started = Instant::now();
    loop {
        match open_as(path, SMALL_BYTES, with_locks) {
            // SQLite itself retries only ten times a second, and a busy writer releases its lock
            // only for a moment.
            Err(Error::Locked { .. }) if started.elapsed() < lock_timeout => {
                thread::sleep(LOCK_PAUSE);
            }
            opened => return opened,
        }
    }
}

/// Opens a database. It counts as small if it has at most `small_bytes`.
fn open_as(path: &Path, small_bytes: u64, with_locks: bool) -> Result<Access> {
    let path = &real(path).map_err(Error::io("open", path))?;
    // SQLite reads an existing `-wal` regardless of the header.
    let is_wal = check_header(path)? || beside(path, "-wal").exists();
    check_beside(path)?;
    if is_wal && is_hot(&beside(path, "-journal")) {
        // A crash during a change of the journal mode leaves a hot `-journal` beside a WAL
        // database. SQLite would roll it back first.
        return copy_files(path, small_bytes);
    }
    if is_wal && let Some(small) = open_small(path, small_bytes)? {
        return Ok(small);
    }
    if geteuid().is_root() && is_owned_by_several(path) {
        // SQLite would give the files beside the database to the owner of the database.
        return copy_files(path, small_bytes);
    }
    match if is_wal {
        connect_wal(path, with_locks)
    } else {
        connect(path, "readonly_shm=1", Way::Locked)
    } {
        Err(Error::Database { source, .. }) if needs_to_write(&source) => {
            copy_files(path, small_bytes)
        }
        connected => connected,
    }
}

/// Opens a large WAL database in place.
fn connect_wal(path: &Path, with_locks: bool) -> Result<Access> {
    let (wal, shm) = (beside(path, "-wal"), beside(path, "-shm"));
    if is_held(&shm) || bytes_of(&wal) > 0 {
        let hold = hold(path)?;
        // The last writer may have closed the database before the lock was taken. Opening it now
        // would create the `-wal` and `-shm` again.
        let is_live = is_held(&shm);
        if is_live && with_locks {
            return connect(path, "readonly_shm=1", Way::Held(hold));
        }
        if wal.exists() && (is_live || bytes_of(&wal) > 0) {
            let access = open_in_place(path)?;
            return Ok(Access { left: (!is_live && is_old(&wal)).then_some("-wal"), ..access });
        }
    }
    connect(path, "immutable=1", Way::Immutable)
}

/// Returns true if the error means that SQLite would have to recover or create a file first.
fn needs_to_write(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

/// Opens a database and the `-wal` beside it, without locks. SQLite then needs no write permission,
/// and no other process has to wait.
fn open_in_place(path: &Path) -> Result<Access> {
    let connection = open_uri(path, "?mode=ro&vfs=unix-none", OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    set_exclusive(&connection).map_err(Error::database("open", path))?;
    begin(path, connection, Way::InPlace)
}

/// Sets exclusive mode, in which SQLite builds the wal-index in memory instead of a `-shm`. Also
/// keeps SQLite from emptying the `-wal` on close.
fn set_exclusive(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE")
}

/// Locks a database, so that its last writer does not remove the `-wal` and `-shm` when it closes
/// the database. If we opened the database after their removal, we would create both files again,
/// and they would remain. Other processes can still read and write.
fn hold(path: &Path) -> Result<File> {
    let file = open_regular(path).map_err(Error::io("open", path))?;
    match fcntl_lock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(file),
        Err(Errno::AGAIN | Errno::ACCESS) => Err(Error::Locked { path: path.to_owned() }),
        Err(error) => Err(Error::io("lock", path)(error.into())),
    }
}

fn connect(path: &Path, query: &str, way: Way) -> Result<Access> {
    let connection =
        open_uri(path, &format!("?mode=ro&{query}"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    begin(path, connection, way)
}

pub(super) fn open_uri(path: &Path, query: &str, flags: OpenFlags) -> Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(format!("file:{}{query}", uri_path(path)), flags);
    opened.map_err(Error::database("open", path))
}

/// Sets the limits of a connection and begins a transaction. SQLite accesses the file only when the
/// transaction first reads, so this function also reads: a lock or another obstacle is reported
/// here.
pub(super) fn begin(path: &Path, connection: Connection, way: Way) -> Result<Access> {
    let started = guard(&connection).and_then(|()| connection.execute_batch("BEGIN"));
    let read = started.and_then(|()| connection.query_row("PRAGMA schema_version", (), |_| Ok(())));
    read.map(|()| Access { connection, way, left: None }).map_err(Error::database("open", path))
}

/// Returns true if the database is in WAL mode. Refuses a file that is not a database, with the
/// reason.
fn check_header(path: &Path) -> Result<bool> {
    let refuse = |why: &str| Err(Error::NotAStore { path: path.to_owned(), why: why.into() });
    let mut header = Vec::with_capacity(100);
    let file = open_regular(path).map_err(Error::io("open", path))?;
    file.take(100).read_to_end(&mut header).map_err(Error::io("read", path))?;
    match header.first_chunk::<20>() {
        None if header.is_empty() => refuse("the file is empty"),
        // Byte 18 is the format version for writing. SQLite decides by byte 19, the one for
        // reading.
        Some(start) if start.starts_with(MAGIC) => Ok(start[19] == 2),
        _ => refuse("it is not an SQLite file"),
    }
}

/// Encodes a path for an SQLite URI: all bytes except ASCII letters, digits and `/.-_` are
/// percent-encoded.
fn uri_path(path: &Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut uri, &byte| {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(char::from(byte));
            }
            other => write!(uri, "%{other:02X}").unwrap_or_default(),
        }
        uri
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{self, BufRead, BufReader, Write};
    use std::process::{Child, Command, Stdio};

    use std::os::unix::fs::FileExt;

    use tempfile::TempDir;

    use super::super::files::Stamp;
    use super::*;

    /// The size limits that each test uses. With the first, its database counts as small; with the
    /// second, as large.
    const SIZES: [u64; 2] = [SMALL_BYTES, 0];

    fn listing(dir: &Path) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    /// Creates a WAL database with one table, and returns the connection.
    fn wal_database(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1)")
            .unwrap();
        connection
    }

    fn count(access: &Access) -> i64 {
        access.connection.query_row("SELECT count(*) FROM t", (), |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_wal_database_without_connections_is_read_without_a_trace() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("odd name?#%.db");
        drop(wal_database(&path));
        let before = listing(dir.path());
        for small_bytes in SIZES {
            let access = open_as(&path, small_bytes, false).unwrap();
            assert_eq!(
                (access.is_consistent(), access.is_copy()),
                (small_bytes > 0, small_bytes > 0)
            );
            assert_eq!(count(&access), 1);
            drop(access);
            assert_eq!(listing(dir.path()), before);
        }
    }

    #[test]
    fn data_that_is_only_in_the_wal_is_read() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("held.db");
        let writer = wal_database(&path);
        for small_bytes in SIZES {
            assert_eq!(count(&open_as(&path, small_bytes, false).unwrap()), 1);
        }
        drop(writer);
        assert_eq!(listing(dir.path()).len(), 1, "the writer could tidy up");
    }

    #[test]
    fn a_wal_without_connections_is_read_with_or_without_its_shm() {
        let dir = TempDir::new().unwrap();
        let _writer = wal_database(&dir.path().join("held.db"));
        for names in [&["held.db", "held.db-wal"][..], &["held.db", "held.db-wal", "held.db-shm"]] {
            let set_exclusive = TempDir::new().unwrap();
            for name in names {
                fs::copy(dir.path().join(name), set_exclusive.path().join(name)).unwrap();
            }
            let before = listing(set_exclusive.path());
            for small_bytes in SIZES {
                let access =
                    open_as(&set_exclusive.path().join("held.db"), small_bytes, false).unwrap();
                assert_eq!(
                    (access.is_copy(), access.is_consistent()),
                    (small_bytes > 0, small_bytes > 0)
                );
                assert_eq!(count(&access), 1);
                drop(access);
                assert_eq!(listing(set_exclusive.path()), before);
            }
        }
    }

    /// Sets the format versions for writing and for reading.
    fn set_versions(path: &Path, versions: [u8; 2]) {
        File::options().write(true).open(path).unwrap().write_all_at(&versions, 18).unwrap();
    }

    #[test]
    fn the_read_version_and_the_wal_determine_the_journal_mode() {
        for (versions, wal, is_wal) in
            [([1, 2], false, true), ([2, 1], false, false), ([1, 1], true, true)]
        {
            let dir = TempDir::new().unwrap();
            let path = dir.path().join("odd.db");
            drop(wal_database(&path));
            set_versions(&path, versions);
            if wal {
                fs::write(beside(&path, "-wal"), "").unwrap();
            }
            let before = listing(dir.path());
            for small_bytes in SIZES {
                let access = open_as(&path, small_bytes, false).unwrap();
                assert_eq!(
                    (matches!(access.way, Way::Locked), count(&access)),
                    (!is_wal, 1),
                    "{versions:?}"
                );
                drop(access);
                assert_eq!(listing(dir.path()), before, "{versions:?}");
            }
        }
    }

    #[test]
    fn a_private_copy_has_no_name_while_it_is_read() {
        let (dir, journal) = (TempDir::new().unwrap(), hot_journal());
        drop(wal_database(&dir.path().join("hot.db")));
        for (path, small_bytes) in [(&dir, SMALL_BYTES), (&journal, SMALL_BYTES), (&journal, 0)] {
            let access = open_as(&path.path().join("hot.db"), small_bytes, false).unwrap();
            let name = access.connection.path().unwrap_or_default();
            assert_eq!(
                access.is_copy() && name.starts_with(std::env::temp_dir().to_str().unwrap()),
                small_bytes == 0
            );
            assert!(!Path::new(name).exists(), "{name}");
            assert!(sum(&access) > 0);
        }
    }

    #[test]
    fn a_file_that_is_not_a_database_is_rejected_with_a_clear_message() {
        let dir = TempDir::new().unwrap();
        for (content, why) in [(&b""[..], "the file is empty"), (b"hello", "not an SQLite file")] {
            let path = dir.path().join("x.db");
            fs::write(&path, content).unwrap();
            let error = open(&path, LOCK_TIMEOUT, false).err().unwrap().to_string();
            assert!(error.contains(why), "{error}");
        }
        let error = open(dir.path(), LOCK_TIMEOUT, false).err().unwrap();
        assert!(crate::error::chain(&error).contains("it is a directory"), "{error}");
    }

    #[test]
    fn every_commit_changes_the_stamp() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("held.db");
        let writer = wal_database(&path);
        let mut last = Stamp::taken(&path).unwrap();
        for _ in 0..200 {
            writer.execute_batch("UPDATE t SET x = x + 1").unwrap();
            let now = Stamp::taken(&path).unwrap();
            assert_ne!(now, last);
            last = now;
        }
        assert_eq!(Stamp::taken(&path).unwrap(), last);
    }

    /// Runs as the other process of the tests below. Writes to the database in the environment
    /// variable `DATABASE`, and keeps it open until stdin ends.
    #[test]
    #[ignore = "a process of its own, started by other tests"]
    fn writer_in_a_child_process() {
        let Some(path) = std::env::var_os("DATABASE") else { return };
        let connection = wal_database(Path::new(&path));
        connection.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        println!("\nwritten");
        let _ = io::stdin().read(&mut [0]);
    }

    fn other_writer(path: &Path) -> Child {
        let name = "store::access::tests::writer_in_a_child_process";
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "--nocapture", name]).env("DATABASE", path);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines =
            BufReader::new(child.stdout.as_mut().unwrap()).lines().map_while(io::Result::ok);
        assert!(lines.any(|line| line == "written"));
        child
    }

    #[test]
    fn a_database_with_a_live_writer_is_read_without_changing_a_byte() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("held.db");
        let mut writer = other_writer(&path);
        let before = listing(dir.path());
        assert_eq!(before.len(), 3, "the writer holds a -wal and a -shm");
        for (small_bytes, with_locks) in [(SMALL_BYTES, false), (0, false), (0, true)] {
            let access = open_as(&path, small_bytes, with_locks).unwrap();
            assert_eq!(
                (access.is_consistent(), access.is_copy()),
                (small_bytes > 0 || with_locks, small_bytes > 0)
            );
            assert_eq!(access.left, None);
            assert_eq!(count(&access), 2);
            drop(access);
            assert!(listing(dir.path()) == before);
        }
        // No lock is held even while the database is being read.
        let reading = open_as(&path, 0, false).unwrap();
        drop(writer.stdin.take());
        writer.wait().unwrap();
        assert_eq!(listing(dir.path()).len(), 1, "the writer could tidy up");
        drop(reading);
        assert_eq!(listing(dir.path()).len(), 1);
    }

    #[test]
    fn the_database_of_a_killed_writer_is_read_in_place() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("held.db");
        let mut writer = other_writer(&path);
        writer.kill().unwrap();
        writer.wait().unwrap();
        let before = listing(dir.path());
        for small_bytes in SIZES {
            let access = open_as(&path, small_bytes, false).unwrap();
            assert_eq!((access.is_copy(), count(&access)), (small_bytes > 0, 2));
            drop(access);
            assert!(listing(dir.path()) == before);
        }
    }

    /// Creates a database and its `-journal` in the state after a crash: they are copied in the
    /// middle of a transaction that has already written to the database file.
    fn hot_journal() -> TempDir {
        let made = TempDir::new().unwrap();
        let writer = Connection::open(made.path().join("hot.db")).unwrap();
        let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) \
                    SELECT 1 FROM n";
        writer.execute_batch(&format!("CREATE TABLE t(x); INSERT INTO t {rows}")).unwrap();
        writer.execute_batch("PRAGMA cache_size = 1; BEGIN; UPDATE t SET x = 2").unwrap();
        let crashed = TempDir::new().unwrap();
        for name in ["hot.db", "hot.db-journal"] {
            fs::copy(made.path().join(name), crashed.path().join(name)).unwrap();
        }
        crashed
    }

    fn sum(access: &Access) -> i64 {
        access.connection.query_row("SELECT sum(x) FROM t", (), |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_hot_journal_is_rolled_back_in_a_private_copy() {
        let dir = hot_journal();
        let before = listing(dir.path());
        let path = dir.path().join("hot.db");
        for small_bytes in SIZES {
            let access = open_as(&path, small_bytes, false).unwrap();
            assert_eq!(
                (access.is_copy(), access.left, sum(&access)),
                (true, Some("-journal"), 5000)
            );
            drop(access);
            assert!(listing(dir.path()) == before);
        }
        let stamp = Stamp::taken(&path).unwrap();
        fs::remove_file(beside(&path, "-journal")).unwrap();
        assert_ne!(Stamp::taken(&path).unwrap(), stamp);
        assert!(
            sum(&open(&path, LOCK_TIMEOUT, false).unwrap()) > 5000,
            "the file alone holds half of the change"
        );
    }

    #[test]
    fn a_hot_journal_beside_a_wal_database_is_rolled_back_too() {
        let dir = hot_journal();
        let path = dir.path().join("hot.db");
        set_versions(&path, [2, 2]);
        for small_bytes in SIZES {
            let access = open_as(&path, small_bytes, false).unwrap();
            assert_eq!((sum(&access), access.left), (5000, Some("-journal")));
        }
        let journal = File::options().write(true).open(beside(&path, "-journal")).unwrap();
        journal.write_all_at(&[0; 8], 0).unwrap();
        assert_eq!(open_as(&path, 0, false).unwrap().left, None, "its transaction is over");
    }

    #[test]
    fn a_file_that_a_journal_names_is_not_deleted() {
        let (dir, mut victim) = (hot_journal(), tempfile::NamedTempFile::new().unwrap());
        victim.write_all(b"of worth").unwrap();
        let name = victim.path().to_str().unwrap().as_bytes();
        let sum_of_name: u32 = name.iter().map(|byte| u32::from(*byte)).sum();
        let length = u32::try_from(name.len()).unwrap();
        let end = [
            &[0; 4],
            name,
            &length.to_be_bytes(),
            &sum_of_name.to_be_bytes(),
            b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7",
        ]
        .concat();
        let mut journal =
            File::options().append(true).open(dir.path().join("hot.db-journal")).unwrap();
        journal.write_all(&end).unwrap();
        assert_eq!(sum(&open(&dir.path().join("hot.db"), LOCK_TIMEOUT, false).unwrap()), 5000);
        assert!(victim.path().exists());
    }

    #[test]
    fn the_wal_of_a_linked_database_is_beside_the_link_target() {
        let (dir, links) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let path = dir.path().join("held.db");
        let _writer = wal_database(&path);
        let link = links.path().join("link.db");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for small_bytes in SIZES {
            assert_eq!(count(&open_as(&link, small_bytes, false).unwrap()), 1);
        }
        assert_eq!(Stamp::taken(&link).unwrap(), Stamp::taken(&path).unwrap());
        assert_eq!(fs::read_dir(links.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_special_file_beside_a_database_is_reported() {
        for suffix in ["-wal", "-shm", "-journal"] {
            let dir = TempDir::new().unwrap();
            let path = dir.path().join("x.db");
            drop(wal_database(&path));
            let fifo = beside(&path, suffix);
            rustix::fs::mknodat(
                rustix::fs::CWD,
                &fifo,
                rustix::fs::FileType::Fifo,
                0o600.into(),
                0,
            )
            .unwrap();
            let error = || open(&path, LOCK_TIMEOUT, false).err().unwrap().to_string();
            assert!(
                error().contains(&format!("x.db{suffix} is not a regular file")),
                "{}",
                error()
            );
            fs::remove_file(&fifo).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", &fifo).unwrap();
            assert!(error().contains(&format!("x.db{suffix} is a symbolic link")), "{}", error());
        }
    }

    #[test]
    fn a_copy_without_enough_space_is_rejected_before_it_starts() {
        let dir = hot_journal();
        let path = dir.path().join("hot.db");
        File::options().write(true).open(&path).unwrap().set_len(8 << 40).unwrap();
        let error = open(&path, LOCK_TIMEOUT, false).err().unwrap();
        let message = crate::error::chain(&error);
        assert!(
            message.contains("TMPDIR") && message.contains("it needs 8388608 MiB"),
            "{message}"
        );
    }
}
