//! How a database that may belong to somebody else is opened without leaving a trace.
//!
//! A plain read-only open of a WAL database creates `-wal` and `-shm` and cannot remove them again; an open reader keeps the last
//! writer from tidying them away; and one that comes just after that writer locks the next one out while it recovers. So a
//! small database is not opened at all: it is read as files, twice, and if both readings are the same, a private copy of them is
//! opened. For a large one the way in depends on what lies there:
//!
//! | header | beside it | way in |
//! |---|---|---|
//! | rollback journal | – | read-only, locks as usual, whatever its size |
//! | WAL | a `-shm` that somebody holds | read-only, waiting for locks; a [shared lock](hold) keeps the files in place meanwhile |
//! | WAL | no `-wal`, or an empty one | `immutable=1`; the [`Stamp`] tells afterwards whether it really stood still |
//! | WAL | a `-wal` that nobody holds: a copied artifact, or a crash | both [as they lie](open_as_it_lies); the [`Stamp`] tells |
//!
//! The last case looks like the first one of WAL but for the lock: SQLite's first connection truncates and rebuilds a `-shm`.
//! No connection that locks the database outlives one reading. And no process both reads and writes a store: POSIX locks belong to a
//! process, and closing any descriptor of a file drops them all.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, fcntl_getlk};
use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::file::open_regular;

/// How long a reading waits for a writer's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long to wait before a lock is tried again: a writer closes a database within milliseconds.
const LOCK_PAUSE: Duration = Duration::from_millis(1);

/// The first bytes of every SQLite 3 database (<https://www.sqlite.org/fileformat2.html#the_database_header>).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The largest database, its `-wal` included, that is read as files: some milliseconds.
const SMALL_BYTES: u64 = 16 << 20;

/// How often a small database is read in the hope that it stands still meanwhile.
const TWIN_ATTEMPTS: u32 = 20;

/// A `-wal` that nobody holds and nobody has touched for this long was not left by a writer between two connections.
const ABANDONED: Duration = Duration::from_secs(2);

/// An open database, or a private copy of it.
pub(super) struct Access {
    pub connection: Connection,
    /// Whether what is read is one state of the database; if not, the [`Stamp`] has to tell that nobody wrote.
    pub is_consistent: bool,
    /// Whether a `-wal` is read that its writer has left behind.
    pub is_abandoned: bool,
    // In this order: closing any descriptor of a file drops the process's locks on it, SQLite's too.
    hold: Option<File>,
    copy: Option<TempDir>,
}

impl Access {
    /// Whether a private copy is read.
    pub const fn is_copy(&self) -> bool {
        self.copy.is_some()
    }

    /// Whether it is in nobody's way, however long it lasts: a private copy, or a database that is taken to stand still.
    pub const fn is_lockless(&self) -> bool {
        self.is_copy() || (!self.is_consistent && self.hold.is_none())
    }
}

/// What can be seen of a database from outside; two equal ones mean that nothing was committed between them.
///
/// Within [`Stamp::taken`]'s clock granularity two commits may look alike to a file's times; the change counters of header and
/// wal-index (<https://www.sqlite.org/walformat.html#the_wal_index_header>) tell them apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stamp {
    main: FileStamp,
    change_counter: [u8; 4],
    wal: Option<FileStamp>,
    wal_index_change: Option<[u8; 4]>,
}

/// How long two changes may look alike to the times of a file.
const CLOCK_TICK: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct FileStamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl FileStamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl Stamp {
    /// Looks at the files, opening no database.
    pub fn taken(path: &Path) -> io::Result<Self> {
        let file = open_regular(path)?;
        let mut change_counter = [0; 4];
        // A file shorter than a header has no counter; `open` says what is wrong with it.
        let _ = file.read_exact_at(&mut change_counter, 24);
        Ok(Self {
            main: FileStamp::of(&file.metadata()?),
            change_counter,
            wal: fs::metadata(beside(path, "-wal")).ok().as_ref().map(FileStamp::of),
            wal_index_change: wal_index_change(&beside(path, "-shm")),
        })
    }
}

impl Stamp {
    /// Whether the last change is long enough ago for any later one to look different.
    pub fn is_settled(&self) -> bool {
        let newest = self.wal.map_or(self.main.modified, |wal| wal.modified.max(self.main.modified));
        let (secs, nanos) = newest;
        let changed = u64::try_from(secs).ok().zip(u32::try_from(nanos).ok());
        let changed = changed.map(|(secs, nanos)| UNIX_EPOCH + Duration::new(secs, nanos));
        changed.is_some_and(|changed| changed.elapsed().is_ok_and(|age| age >= CLOCK_TICK))
    }
}

/// The counter of committed transactions in the wal-index.
fn wal_index_change(shm: &Path) -> Option<[u8; 4]> {
    let mut counter = [0; 4];
    open_regular(shm).ok()?.read_exact_at(&mut counter, 8).ok()?;
    Some(counter)
}

/// Opens a database for one reading.
pub(super) fn open(path: &Path) -> Result<Access> {
    open_as(path, SMALL_BYTES)
}

/// Opens a database that is small up to this size.
fn open_as(path: &Path, small_bytes: u64) -> Result<Access> {
    let wal_mode = check_header(path)?;
    if !wal_mode {
        return connect(path, "", None);
    }
    let (wal, shm) = (beside(path, "-wal"), beside(path, "-shm"));
    if let Some((main, log)) = twin(path, &wal, small_bytes).map_err(Error::io("read", path))? {
        let is_abandoned = !log.is_empty() && !is_held(&shm) && is_old(&wal);
        let access = open_copy(path, |to| {
            fs::write(to, main)?;
            if log.is_empty() { Ok(()) } else { fs::write(beside(to, "-wal"), log) }
        })?;
        return Ok(Access { is_consistent: true, is_abandoned, ..access });
    }
    let has_wal = || fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0);
    if is_held(&shm) || has_wal() {
        let hold = hold(path).map_err(Error::io("lock", path))?;
        // The last writer may have closed the database before the lock was ours.
        if is_held(&shm) {
            return connect(path, "", Some(hold));
        }
        if has_wal() {
            return open_as_it_lies(path, hold, is_old(&wal));
        }
    }
    connect(path, "&immutable=1", None)
}

/// Opens a database and the `-wal` beside it, which nobody holds. In exclusive mode SQLite builds the wal-index in memory, not in a
/// `-shm`; without locks it needs no right to write; and at the end it leaves the `-wal` as it is. A lock of ours keeps a writer that
/// comes meanwhile from taking it away.
fn open_as_it_lies(path: &Path, hold: File, is_abandoned: bool) -> Result<Access> {
    let failed = || Error::database("open", path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let access = open_uri(path, "?mode=ro&vfs=unix-none", flags)?;
    access.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failed())?;
    access.connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE").map_err(failed())?;
    Ok(Access { is_abandoned, hold: Some(hold), ..access })
}

/// The bytes of a small database and of its `-wal` (none: empty) while nobody wrote to them: two readings in turn are the same.
/// `None` for a large one, and for one that never stands still.
fn twin(path: &Path, wal: &Path, small_bytes: u64) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    let size = |path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let read_both = || -> io::Result<_> { Ok((read_small(path)?, read_small_if_there(wal)?)) };
    for attempt in 1..=TWIN_ATTEMPTS {
        if size(path) + size(wal) > small_bytes {
            return Ok(None);
        }
        let once = read_both()?;
        if read_both()? == once {
            return Ok(Some(once));
        }
        thread::sleep(LOCK_PAUSE * attempt);
    }
    Ok(None)
}

fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(2 * SMALL_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_small_if_there(path: &Path) -> io::Result<Vec<u8>> {
    match read_small(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

fn is_old(wal: &Path) -> bool {
    let modified = fs::metadata(wal).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age >= ABANDONED))
}

/// Whether a connection has the wal-index open: each one holds a shared lock on its "dead man switch", byte 128
/// (`UNIX_SHM_DMS` in SQLite's `os_unix.c`).
fn is_held(shm: &Path) -> bool {
    let probe = Flock { start: 128, length: 1, ..Flock::from(FlockType::WriteLock) };
    open_regular(shm).is_ok_and(|file| fcntl_getlk(&file, &probe).is_ok_and(|holder| holder.is_some()))
}

/// Locks a database against its last writer's closing it, which takes the `-wal` and `-shm` away: opened after that, they would be
/// made anew by us and stay. Others read and write on meanwhile.
fn hold(path: &Path) -> io::Result<File> {
    let file = open_regular(path)?;
    let begun = Instant::now();
    loop {
        match fcntl_lock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => return Ok(file),
            Err(Errno::AGAIN | Errno::ACCESS) if begun.elapsed() < BUSY_TIMEOUT => thread::sleep(LOCK_PAUSE),
            Err(error) => return Err(error.into()),
        }
    }
}

fn connect(path: &Path, query: &str, hold: Option<File>) -> Result<Access> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let access = open_uri(path, &format!("?mode=ro{query}"), flags)?;
    Ok(Access { is_consistent: !query.contains("immutable"), hold, ..access })
}

fn open_uri(path: &Path, query: &str, flags: OpenFlags) -> Result<Access> {
    let failed = || Error::database("open", path);
    let connection = Connection::open_with_flags(format!("file:{}{query}", uri_path(path)), flags).map_err(failed())?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed())?;
    // The views of the dialect are temporary: in memory, never in a file.
    connection.pragma_update(None, "temp_store", "memory").map_err(failed())?;
    // A database is somebody's input: its schema may not call functions of ours, nor read outside itself.
    connection.pragma_update(None, "trusted_schema", false).map_err(failed())?;
    Ok(Access { connection, is_consistent: false, is_abandoned: false, hold: None, copy: None })
}

/// Opens a private copy that `copy` makes, for writing: only such a connection can recover the wal-index of a `-wal` left alone.
fn open_copy(path: &Path, copy: impl FnOnce(&Path) -> io::Result<()>) -> Result<Access> {
    let private = Permissions::from_mode(0o700);
    let dir = tempfile::Builder::new().prefix("rundown-").permissions(private).tempdir();
    let dir = dir.map_err(Error::io("create a temporary directory for", path))?;
    let main_copy = dir.path().join("copy.db");
    copy(&main_copy).map_err(Error::io("make a private copy of", path))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let access = open_uri(&main_copy, "", flags)?;
    Ok(Access { copy: Some(dir), ..access })
}

/// Whether the database is in WAL mode; refuses, in plain words, what is no database at all.
fn check_header(path: &Path) -> Result<bool> {
    let refuse = |why: &str| Err(Error::NotAStore { path: path.to_owned(), why: why.into() });
    let mut header = Vec::with_capacity(100);
    let file = open_regular(path).map_err(Error::io("open", path))?;
    file.take(100).read_to_end(&mut header).map_err(Error::io("read", path))?;
    match header.first_chunk::<20>() {
        None if header.is_empty() => refuse("the file is empty"),
        Some(start) if start.starts_with(MAGIC) => Ok(start[18] == 2),
        _ => refuse("it is not an SQLite file"),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A path as part of an SQLite URI: everything but plain characters in percent form.
fn uri_path(path: &Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut uri, &byte| {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => uri.push(char::from(byte)),
            other => write!(uri, "%{other:02X}").unwrap_or_default(),
        }
        uri
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every test of a way in goes both ways: as a small database and as a large one.
    const SIZES: [u64; 2] = [SMALL_BYTES, 0];

    fn listing(dir: &Path) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    }

    /// A WAL database with one table; the connection that made it.
    fn wal_database(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1)").unwrap();
        connection
    }

    fn count(access: &Access) -> i64 {
        access.connection.query_row("SELECT count(*) FROM t", (), |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_wal_database_that_nobody_holds_is_read_without_a_trace() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("odd name?#%.db");
        drop(wal_database(&path));
        let before = listing(dir.path());
        for small_bytes in SIZES {
            let access = open_as(&path, small_bytes).unwrap();
            assert_eq!((access.is_consistent, access.is_copy()), (small_bytes > 0, small_bytes > 0));
            assert_eq!(count(&access), 1);
            drop(access);
            assert_eq!(listing(dir.path()), before);
        }
    }

    #[test]
    fn what_is_only_in_the_wal_is_seen() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("held.db");
        let writer = wal_database(&path);
        for small_bytes in SIZES {
            assert_eq!(count(&open_as(&path, small_bytes).unwrap()), 1);
        }
        drop(writer);
        assert_eq!(listing(dir.path()).len(), 1, "the writer could tidy up");
    }

    #[test]
    fn a_wal_left_alone_is_read_from_a_private_copy() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("held.db");
        let writer = wal_database(&path);
        let copy = TempDir::new().unwrap();
        for name in ["held.db", "held.db-wal"] {
            fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
        }
        drop(writer);
        let before = listing(copy.path());
        for small_bytes in SIZES {
            assert_eq!(count(&open_as(&copy.path().join("held.db"), small_bytes).unwrap()), 1);
            assert_eq!(listing(copy.path()), before);
        }
    }

    #[test]
    fn files_left_by_a_crash_stay_as_they_are() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("held.db");
        let writer = wal_database(&path);
        let crashed = TempDir::new().unwrap();
        for name in ["held.db", "held.db-wal", "held.db-shm"] {
            fs::copy(dir.path().join(name), crashed.path().join(name)).unwrap();
        }
        drop(writer);
        let before = listing(crashed.path());
        for small_bytes in SIZES {
            assert_eq!(count(&open_as(&crashed.path().join("held.db"), small_bytes).unwrap()), 1);
            assert_eq!(listing(crashed.path()), before);
        }
    }

    #[test]
    fn what_is_no_database_is_refused_in_plain_words() {
        let dir = TempDir::new().unwrap();
        for (content, why) in [(&b""[..], "the file is empty"), (b"hello", "not an SQLite file")] {
            let path = dir.path().join("x.db");
            fs::write(&path, content).unwrap();
            let error = open(&path).err().unwrap().to_string();
            assert!(error.contains(why), "{error}");
        }
        let error = open(dir.path()).err().unwrap();
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
}
