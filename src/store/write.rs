//! The connection that writes to a database: its opening, its transactions and its closing. The
//! rows are written in [`super::begin`], [`super::finish`] and [`super::repair`].
//!
//! Each method that writes is one short transaction, so a crash never leaves a part of its changes.
//! It may leave a run, job or command without its end. [`Writer::together`] makes several changes
//! in one transaction. A locked database is reported after [`BUSY_TIMEOUT`] ([`Error::Locked`]);
//! the recorder decides how often to retry.
//!
//! A database with rundown's `application_id` may still come from another user. Therefore triggers
//! and views are disabled, the schema has to equal that of rundown's migrations, each transaction
//! has a time limit, and SQLite has a memory limit.

use std::fs::{File, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{access, limits, schema};
use crate::error::{Error, Result};
use crate::file;

/// The maximum time that a transaction waits for another writer of the same store.
const BUSY_TIMEOUT: Duration = Duration::from_millis(50);

/// The time limit of a recorder's transaction, which takes milliseconds, and of opening the
/// database, which may apply migrations.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// The memory limit of SQLite in this process.
const HEAP_LIMIT_BYTES: u32 = 64 << 20;

/// The length of the header of a database file.
const HEADER_BYTES: u64 = 100;

/// The number of pages at which a kept `-wal` is moved into the database. A connection reads all of
/// them when it opens a database that no other connection has open.
const KEPT_PAGES: i32 = 128;

/// The maximum time that the closing of a database waits for readers, so that the `-wal` can be
/// emptied.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// The maximum time that a recorder waits for another one that sets up the same database.
const SETUP_TIMEOUT: Duration = Duration::from_secs(1);

/// The pause before another attempt to use a locked database.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// The pause before another attempt to lock the directory.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// A connection that writes to a database. Connections of any other type only read.
pub struct Writer {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    is_alone: bool,
    keeps_wal: bool,
    /// The time limit of a transaction.
    pub(super) time_limit: Duration,
}

impl Writer {
    /// Opens a database of rundown for writing, and creates or migrates it if needed.
    ///
    /// # Errors
    /// A database is refused if rundown did not create it, if it is newer than this program, or if
    /// another program changed it. Opening it may still change its files; only [`Writer::check`]
    /// leaves them untouched. A locked database is [`Error::Locked`].
    pub fn open(path: &Path) -> Result<Self> {
        create(path)?;
        let failed = || Error::database("open", path);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed())?;
        guard(&connection).map_err(failed())?;
        // SQLite silently falls back to read-only access.
        if connection.is_readonly("main").map_err(failed())? {
            return Err(Error::ReadOnly { doing: "write", path: path.to_owned() });
        }
        let mut is_alone = true;
        if schema::check(&connection, path)? < schema::newest() {
            let lock = lock_directory(path);
            is_alone = lock.is_some();
            schema::migrate(&mut connection, path)?;
        }
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;",
            )
            .map_err(failed())?;
        connection.set_transaction_behavior(TransactionBehavior::Immediate);
        Ok(Self {
            connection,
            path: path.to_owned(),
            is_alone,
            keeps_wal: false,
            time_limit: TIME_LIMIT,
        })
    }

    /// Checks that a database, if it exists, may be opened for writing. Changes nothing. The header
    /// of the file is enough to recognize a database of rundown; every other one is read as a
    /// whole. [`Writer::open`] also refuses a database of rundown that another program changed, but
    /// only after SQLite has opened it, which may move the content of a `-wal` into the database.
    ///
    /// # Errors
    /// If the database must not be written. The error contains the reason.
    pub fn check(path: &Path) -> Result<()> {
        let mut header = Vec::new();
        let opened = file::open_regular(path);
        let read = opened.and_then(|file| file.take(HEADER_BYTES).read_to_end(&mut header));
        if read.is_ok() && schema::is_ours(&header) {
            return Ok(());
        }
        if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0) {
            schema::check(&access::open(path, Duration::ZERO, true)?.connection, path)?;
        }
        Ok(())
    }

    /// Returns false if the database was set up without a lock on the store's directory, because
    /// another process held that lock.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Keeps the `-wal` when this connection is closed. Other recorders of the same run continue to
    /// use it, and the last one of them empties it.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn keep_wal(&mut self) -> Result<()> {
        self.keeps_wal = true;
        self.connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .and_then(|_| self.connection.pragma_update(None, "wal_autocheckpoint", KEPT_PAGES))
            .map_err(Error::database("open", &self.path))
    }

    pub(super) fn execute(&mut self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        let started = limits::limit_time(&self.connection, self.time_limit);
        let done = started
            .and_then(|()| self.connection.prepare_cached(sql))
            .and_then(|mut statement| statement.execute(params));
        done.map(drop).map_err(Error::database("write", &self.path))
    }

    /// Makes several changes in one transaction. If one of them fails, none is made.
    ///
    /// # Errors
    /// The first error of `work`, or of the transaction.
    pub fn together(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.run("BEGIN IMMEDIATE")?;
        let done = work(self).and_then(|()| self.run("COMMIT"));
        if done.is_err() && !self.connection.is_autocommit() {
            self.run("ROLLBACK")?;
        }
        done
    }

    fn run(&self, sql: &str) -> Result<()> {
        limits::limit_time(&self.connection, self.time_limit)
            .and_then(|()| self.connection.execute_batch(sql))
            .map_err(Error::database("write", &self.path))
    }

    /// Makes changes in a transaction of their own, unless [`Writer::together`] has begun one.
    pub(super) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let started = limits::limit_time(&self.connection, self.time_limit);
        let done = started.and_then(|()| {
            if !self.connection.is_autocommit() {
                return work(&self.connection);
            }
            let tx = self.connection.transaction()?;
            work(&tx).and_then(|done| tx.commit().map(|()| done))
        });
        done.map_err(Error::database("write", &self.path))
    }
}

impl Drop for Writer {
    /// Empties the `-wal`. SQLite's own close does not empty it while a reader has the database
    /// open. The database file alone, as a CI server may archive it, would then lack the newest
    /// rows. If the `-wal` cannot be emptied, nothing is lost: readers also read it.
    fn drop(&mut self) {
        if self.keeps_wal {
            return;
        }
        let _ = self.connection.busy_timeout(CLOSE_TIMEOUT);
        let _ = limits::limit_time(&self.connection, TIME_LIMIT);
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
    }
}

/// Repeats an operation until the database is not locked, or the time is over. Sleeps in between,
/// because the end of another process's lock causes no event. For processes that
/// only wait for the database: a recorder uses its own queue, so that its command does not wait.
///
/// # Errors
/// The error of the last attempt.
pub fn until_unlocked<T>(timeout: Duration, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    loop {
        match attempt() {
            Err(Error::Locked { .. }) if started.elapsed() < timeout => thread::sleep(RETRY_PAUSE),
            done => return done,
        }
    }
}

/// Disables triggers and views for a connection, and limits its time and memory. The database may
/// have been replaced after [`Writer::check`].
fn guard(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    limits::limit_time(connection, TIME_LIMIT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.execute_batch(&format!(
        "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; \
         PRAGMA hard_heap_limit = {HEAP_LIMIT_BYTES}"
    ))
}

/// Creates a database of the newest version that only its owner can access, unless the file exists.
/// The file appears with its whole content: if this process is killed, or the disk is full, no
/// unfinished database remains.
fn create(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    let failed = || Error::database("set up", path);
    let mut memory = Connection::open_in_memory().map_err(failed())?;
    schema::migrate(&mut memory, path)?;
    let content = memory.serialize("main").map_err(failed())?;
    let persist = || -> io::Result<()> {
        let mut new = tempfile::Builder::new().prefix(".new-").tempfile_in(file::dir_of(path))?;
        // The permissions must not depend on the umask.
        let _ = new.as_file().set_permissions(Permissions::from_mode(0o600));
        new.as_file_mut().write_all(&content)?;
        new.as_file().sync_all()?;
        // Another recorder may have been faster, or the file system cannot put a file in place
        // without replacing another one. In both cases, `path` exists afterwards.
        let placed = new.persist_noclobber(path).map(drop);
        placed.or_else(|_| file::create_private(path).map(drop)).or_else(unless_exists)
    };
    persist().map_err(Error::io("create", path))
}

fn unless_exists(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) }
}

/// Locks the store's directory. If two recorders update the same store, one migrates it while the
/// other waits for this lock. Returns `None` if the lock is not available in time, for example
/// under `flock DIR rundown record …`; in that case, SQLite's own locks still let only one recorder
/// migrate the store.
fn lock_directory(database: &Path) -> Option<File> {
    let dir = File::open(file::dir_of(database)).ok()?;
    let started = Instant::now();
    loop {
        match dir.try_lock() {
            Ok(()) => return Some(dir),
            Err(TryLockError::WouldBlock) if started.elapsed() < SETUP_TIMEOUT => {
                thread::sleep(LOCK_PAUSE);
            }
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::begin::tests::new_run;
    use super::*;
    use crate::model::{RunDetails, RunId};

    /// The database may be replaced by another one after its schema was checked.
    #[test]
    fn a_trigger_does_not_run_and_a_slow_statement_is_canceled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rundown.db");
        let mut writer = Writer::open(&path).unwrap();
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                       SELECT count(*) FROM n";
        let trigger = format!("CREATE TRIGGER evil AFTER INSERT ON runs BEGIN {endless}; END");
        Connection::open(&path).unwrap().execute_batch(&trigger).unwrap();
        let id = RunId("one".into());
        writer.begin_run(&new_run(&id, &RunDetails::default()), &[]).unwrap();
        assert!(matches!(
            writer.execute(endless, ()),
            Err(Error::TooLong { .. } | Error::Database { .. })
        ));
        drop(writer);
        let refused = Writer::open(&path).err().unwrap().to_string();
        assert!(refused.contains("the trigger `evil`"), "{refused}");
    }

    #[test]
    fn changes_are_made_together_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(&dir.path().join("rundown.db")).unwrap();
        let (one, two) = (RunId("one".into()), RunId("two".into()));
        let details = RunDetails::default();
        let add = |writer: &mut Writer, id| writer.begin_run(&new_run(id, &details), &[]);
        let refused = writer.together(|writer| {
            add(writer, &one)?;
            add(writer, &two)?;
            add(writer, &one)
        });
        assert!(refused.unwrap_err().to_string().contains("write"), "the id is not unique");
        assert_eq!(writer.repo_of_unfinished(&one).unwrap(), None);
        writer.together(|writer| add(writer, &one).and_then(|()| add(writer, &two))).unwrap();
        for id in [&one, &two] {
            assert_eq!(writer.repo_of_unfinished(id).unwrap().as_deref(), Some("r"));
        }
    }

    /// The migrations are repeated without a file, so the only new file is the whole database.
    #[test]
    fn a_database_appears_with_its_whole_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rundown.db");
        let names = || std::fs::read_dir(dir.path()).unwrap().count();
        std::thread::scope(|scope| {
            let opened: Vec<_> = (0..4).map(|_| scope.spawn(|| create(&path).unwrap())).collect();
            while !opened.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                if let Ok(bytes) = std::fs::read(&path) {
                    assert!(schema::is_ours(&bytes), "{} bytes", bytes.len());
                }
            }
        });
        assert_eq!(names(), 1);
    }

    #[test]
    fn database_files_are_accessible_to_their_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rundown.db");
        let _writer = Writer::open(&path).unwrap();
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(
                path.metadata().unwrap().permissions().mode() & 0o777,
                0o600,
                "{}",
                path.display()
            );
        }
    }

    /// The lock stands for `flock DIR rundown record …`.
    #[test]
    fn a_locked_directory_delays_an_update_only_briefly() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rundown.db");
        File::create(&path).unwrap();
        let lock = File::open(dir.path()).unwrap();
        lock.lock().unwrap();
        assert!(!Writer::open(&path).unwrap().is_alone());
        assert!(Writer::open(&path).unwrap().is_alone(), "nothing to update");
    }
}
