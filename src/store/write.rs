//! Writes runs, jobs and commands as they happen. Used only by the recorder.
//!
//! Each method is one short transaction, so a crash never leaves a part of its changes. It may
//! leave a run, job or command without its end. A locked database is reported after
//! [`BUSY_TIMEOUT`] ([`Error::Locked`]); the recorder decides how often to retry.
//!
//! A database with rundown's `application_id` may still come from another user. Therefore triggers
//! and views are disabled, the schema has to equal that of rundown's migrations, each transaction
//! has a time limit, and SQLite has a memory limit.

use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, named_params, params};

use super::{access, limits, schema};
use crate::error::{Error, Result};
use crate::file;
use crate::model::{JobId, RunId, ShKey};
use crate::time::Time;

/// The maximum time that a transaction waits for another writer of the same store.
const BUSY_TIMEOUT: Duration = Duration::from_millis(50);

/// The time limit of a transaction, and of opening the database, which may apply migrations. The
/// transactions of a recorder take milliseconds.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// The memory limit of SQLite in this process.
const HEAP_LIMIT_BYTES: u32 = 64 << 20;

/// The length of the header of a database file.
const HEADER_BYTES: u64 = 100;

/// The maximum time that the closing of a database waits for readers, so that the `-wal` can be
/// emptied.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// The maximum time that a recorder waits for another one that sets up the same database.
const SETUP_TIMEOUT: Duration = Duration::from_secs(1);

/// The pause before another attempt to lock the directory.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// A connection that writes to a database. Connections of any other type only read.
pub struct Writer {
    connection: Connection,
    path: PathBuf,
    is_alone: bool,
}

/// A run that is about to be recorded.
pub struct NewRun<'a> {
    /// Its id.
    pub id: &'a RunId,
    /// The repository's name; also the directory under `runs/`.
    pub repo: &'a str,
    /// The full ref; empty if unknown.
    pub ref_name: &'a str,
    /// The commit; empty if unknown.
    pub sha: &'a str,
    /// The directory that it runs in.
    pub workspace: &'a Path,
    /// The time at which the run was requested.
    pub queued_at: Time,
}

/// The end of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunEnd {
    /// Every job passed.
    Complete,
    /// The run failed or was stopped, for the reason that is stored in `failure_kind`.
    Failed(&'static str),
}

/// The end of a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobEnd {
    /// Every command passed.
    Complete,
    /// A command failed, with this exit code.
    Failed(i32),
    /// It never started, because a job that it needs did not pass.
    Skipped,
    /// The run was stopped.
    Aborted,
}

/// A command that is about to be spawned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShStart {
    /// Its run, job and number.
    pub key: ShKey,
    /// The time of its start. Each command of a job starts in a millisecond of its own.
    pub started_at: Time,
    /// The command line: a shell string, or an argv as a JSON array.
    pub cmd: String,
    /// The directory that it runs in.
    pub cwd: PathBuf,
}

/// The end of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShEnd {
    /// The time at which its log was closed, after the command itself had ended.
    pub finished_at: Time,
    /// Its exit code, or 128 + the signal that ended it.
    pub exit_code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The CPU time (user and system) of the command and of the children that it waited for, in
    /// milliseconds.
    pub cpu_ms: Option<i64>,
    /// The largest resident set, in bytes.
    pub max_rss_bytes: Option<i64>,
    /// The number of bytes of its output that are missing from its log; `None` if the log is
    /// complete or was removed.
    pub lost_bytes: Option<i64>,
    /// The length of its closed log in bytes; `None` without a log.
    pub log_bytes: Option<i64>,
    /// The reason why it could not be started; `None` if it was started.
    pub start_error: Option<String>,
}

impl Writer {
    /// Opens a database of rundown for writing, and creates or migrates it if needed.
    ///
    /// # Errors
    /// A database is refused if rundown did not create it, if it is newer than this program, or if
    /// another program changed it. Opening it may still change its files; only [`Writer::check`]
    /// leaves them untouched. A locked database is [`Error::Locked`].
    pub fn open(path: &Path) -> Result<Self> {
        create_private(path)?;
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
        Ok(Self { connection, path: path.to_owned(), is_alone })
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

    /// Adds a run and its jobs, all `pending`.
    ///
    /// # Errors
    /// If SQLite fails. This holds for every method here.
    pub fn begin_run(&mut self, run: &NewRun<'_>, jobs: &[JobId]) -> Result<()> {
        self.transaction(|tx| {
            tx.execute(
                "INSERT INTO runs(id, repo, ref_name, sha, pushed_at_ms, state, queued_at_ms,
                                  workspace_path)
                 VALUES (:id, :repo, :ref_name, :sha, :queued, 'pending', :queued, :workspace)",
                named_params! {
                    ":id": run.id.as_str(),
                    ":repo": run.repo,
                    ":ref_name": run.ref_name,
                    ":sha": run.sha,
                    ":queued": run.queued_at.floor_millis(),
                    ":workspace": run.workspace.to_string_lossy(),
                },
            )?;
            for job in jobs {
                tx.execute(
                    "INSERT INTO jobs(run_id, job_id, state) VALUES (?, ?, 'pending')",
                    params![run.id.as_str(), job.as_str()],
                )?;
            }
            Ok(())
        })
    }

    /// Marks a pending run as active.
    pub fn start_run(&mut self, run: &RunId, at: Time) -> Result<()> {
        self.execute(
            "UPDATE runs SET state = 'active', started_at_ms = max(?2, queued_at_ms) WHERE id = ?1",
            params![run.as_str(), at.floor_millis()],
        )
    }

    /// Marks an active run as ended.
    pub fn finish_run(&mut self, run: &RunId, end: RunEnd, at: Time) -> Result<()> {
        let (state, reason) = match end {
            RunEnd::Complete => ("complete", None),
            RunEnd::Failed(reason) => ("failed", Some(reason)),
        };
        self.execute(
            "UPDATE runs SET state = ?2, failure_kind = ?3,
                    finished_at_ms = max(?4, coalesce(started_at_ms, queued_at_ms)) WHERE id = ?1",
            params![run.as_str(), state, reason, at.floor_millis()],
        )
    }

    /// Marks a pending job as active.
    pub fn start_job(&mut self, run: &RunId, job: &JobId, at: Time) -> Result<()> {
        self.execute(
            "UPDATE jobs SET state = 'active', started_at_ms = ?3 \
             WHERE run_id = ?1 AND job_id = ?2",
            params![run.as_str(), job.as_str(), at.floor_millis()],
        )
    }

    /// Marks a job, active or pending, as ended.
    pub fn finish_job(&mut self, run: &RunId, job: &JobId, end: JobEnd, at: Time) -> Result<()> {
        let (state, exit_code) = match end {
            JobEnd::Complete => ("complete", Some(0)),
            JobEnd::Failed(code) => ("failed", Some(code)),
            JobEnd::Skipped => ("skipped", None),
            JobEnd::Aborted => ("aborted", None),
        };
        self.execute(
            "UPDATE jobs SET state = ?3, exit_code = ?4,
                             finished_at_ms = max(?5, coalesce(started_at_ms, ?5))
             WHERE run_id = ?1 AND job_id = ?2",
            params![run.as_str(), job.as_str(), state, exit_code, at.floor_millis()],
        )
    }

    /// Adds a command that is about to be spawned.
    pub fn begin_sh(&mut self, start: &ShStart) -> Result<()> {
        let ShStart { key, started_at, cmd, cwd } = start;
        self.execute(
            "INSERT INTO sh_calls(run_id, job_id, n, started_at_ms, cmd, cwd) \
             VALUES (?, ?, ?, ?, ?, ?)",
            params![
                key.run.as_str(),
                key.job.as_str(),
                key.n,
                started_at.floor_millis(),
                cmd,
                cwd.to_string_lossy(),
            ],
        )
    }

    /// Stores the process id of a command that was spawned.
    pub fn set_pid(&mut self, key: &ShKey, pid: u32) -> Result<()> {
        self.execute(
            "UPDATE sh_calls SET pid = ?4 WHERE run_id = ?1 AND job_id = ?2 AND n = ?3",
            params![key.run.as_str(), key.job.as_str(), key.n, pid],
        )
    }

    /// Records the end of a command whose log is closed. Adds a row to `sh_events`. Completes the
    /// row in `sh_calls`, or adds a complete one if [`Writer::begin_sh`] failed.
    pub fn finish_sh(&mut self, start: &ShStart, end: &ShEnd) -> Result<()> {
        let ShStart { key, started_at, cmd, cwd } = start;
        let (run, job, started_ms) =
            (key.run.as_str(), key.job.as_str(), started_at.floor_millis());
        self.transaction(|tx| {
            tx.prepare_cached(
                "INSERT INTO sh_calls(run_id, job_id, n, started_at_ms, cmd, cwd,
                                      signal, cpu_ms, max_rss_bytes, lost_bytes, log_bytes,
                                      start_error)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT(run_id, job_id, n) DO UPDATE SET
                   signal = excluded.signal, cpu_ms = excluded.cpu_ms,
                   max_rss_bytes = excluded.max_rss_bytes, lost_bytes = excluded.lost_bytes,
                   log_bytes = excluded.log_bytes, start_error = excluded.start_error",
            )?
            .execute(params![
                run,
                job,
                key.n,
                started_ms,
                cmd,
                cwd.to_string_lossy(),
                end.signal,
                end.cpu_ms,
                end.max_rss_bytes,
                end.lost_bytes,
                end.log_bytes,
                end.start_error
            ])?;
            tx.prepare_cached(
                "INSERT INTO sh_events(run_id, job_id, started_at_ms, finished_at_ms, exit_code,
                                       cmd)
                 VALUES (?1, ?2, ?3, max(?4, ?3), ?5, ?6)",
            )?
            .execute(params![
                run,
                job,
                started_ms,
                end.finished_at.floor_millis(),
                end.exit_code,
                cmd
            ])?;
            Ok(())
        })
    }

    fn execute(&mut self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        let started = limits::limit_time(&self.connection, TIME_LIMIT);
        let done = started
            .and_then(|()| self.connection.prepare_cached(sql))
            .and_then(|mut statement| statement.execute(params));
        done.map(drop).map_err(Error::database("write", &self.path))
    }

    fn transaction(
        &mut self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let started = limits::limit_time(&self.connection, TIME_LIMIT);
        let done = started
            .and_then(|()| self.connection.transaction())
            .and_then(|tx| work(&tx).and_then(|()| tx.commit()));
        done.map_err(Error::database("write", &self.path))
    }
}

impl Drop for Writer {
    /// Empties the `-wal`. SQLite's own close does not empty it while a reader has the database
    /// open. The database file alone, as a CI server may archive it, would then lack the newest
    /// rows. If the `-wal` cannot be emptied, nothing is lost: readers also read it.
    fn drop(&mut self) {
        let _ = self.connection.busy_timeout(CLOSE_TIMEOUT);
        let _ = limits::limit_time(&self.connection, TIME_LIMIT);
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
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

/// Creates an empty database file that only its owner can access, unless one exists. If SQLite
/// created it, its permissions would depend on the umask.
fn create_private(path: &Path) -> Result<()> {
    match file::create_private(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::io("create", path)(error)),
    }
}

/// Locks the store's directory. If two recorders set up the same store, one migrates it while the
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
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn new_run(id: &RunId) -> NewRun<'_> {
        let (ref_name, sha, workspace) = ("", "", Path::new("/"));
        NewRun { id, repo: "r", ref_name, sha, workspace, queued_at: Time::from_millis(1) }
    }

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
        writer.begin_run(&new_run(&id), &[]).unwrap();
        assert!(matches!(
            writer.execute(endless, ()),
            Err(Error::TooLong { .. } | Error::Database { .. })
        ));
        drop(writer);
        let refused = Writer::open(&path).err().unwrap().to_string();
        assert!(refused.contains("the trigger `evil`"), "{refused}");
    }

    #[test]
    fn a_command_whose_start_was_not_written_gets_a_complete_row_at_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rundown.db");
        let mut writer = Writer::open(&path).unwrap();
        let (run, job) = (RunId("one".into()), JobId("job".into()));
        writer.begin_run(&new_run(&run), std::slice::from_ref(&job)).unwrap();
        let end = ShEnd {
            finished_at: Time::from_millis(20),
            exit_code: 137,
            signal: Some(9),
            cpu_ms: None,
            max_rss_bytes: None,
            lost_bytes: None,
            log_bytes: Some(70),
            start_error: None,
        };
        for n in 1..=2 {
            let key = ShKey { run: run.clone(), job: job.clone(), n };
            let started_at = Time::from_millis(10 + i64::from(n));
            let cwd = "/src".into();
            let start = ShStart { key, started_at, cmd: "make".into(), cwd };
            if n == 1 {
                writer.begin_sh(&start).unwrap();
            }
            writer.finish_sh(&start, &end).unwrap();
        }
        let sql = "SELECT count(*)
                   FROM sh_calls JOIN sh_events USING (run_id, job_id, started_at_ms, cmd)
                   WHERE cmd = 'make' AND cwd = '/src' AND signal = 9 AND log_bytes = 70
                     AND exit_code = 137";
        assert_eq!(writer.connection.query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap(), 2);
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
    fn a_locked_directory_delays_the_setup_only_briefly() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rundown.db");
        let lock = File::open(dir.path()).unwrap();
        lock.lock().unwrap();
        assert!(!Writer::open(&path).unwrap().is_alone());
        assert!(Writer::open(&path).unwrap().is_alone(), "nothing to set up");
    }
}
