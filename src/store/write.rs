//! Writing runs, jobs and commands as they happen; used by the recorder only.
//!
//! Each method is one short transaction, so that a crash leaves what was true so far: an unfinished row, never a half one.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, named_params, params};

use super::{access, schema};
use crate::error::{Error, Result};
use crate::model::{JobId, RunId, ShKey};
use crate::time::Time;

/// How long a statement waits for another writer of the same store.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the last reader's reading is waited for at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// The one connection that writes.
pub struct Writer {
    connection: Connection,
    path: PathBuf,
}

/// A run that is about to be recorded.
pub struct NewRun<'a> {
    /// Its id.
    pub id: &'a RunId,
    /// The repository's name; also the directory under `runs/`.
    pub repo: &'a str,
    /// The full ref, or empty where there is none.
    pub ref_name: &'a str,
    /// The commit, or empty where there is none.
    pub sha: &'a str,
    /// The directory that it runs in.
    pub workspace: &'a Path,
    /// When it was asked for.
    pub queued_at: Time,
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunEnd {
    /// Every job passed.
    Complete,
    /// A job failed; the word says why and stands in `failure_kind`.
    Failed(&'static str),
}

/// How a job ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobEnd {
    /// Every command passed.
    Complete,
    /// A command failed, with this exit code.
    Failed(i32),
    /// It never started because a job that it needs did not pass.
    Skipped,
    /// Somebody stopped the run.
    Aborted,
}

/// A command that is about to be spawned.
pub struct ShStart<'a> {
    /// Its run, job and number.
    pub key: &'a ShKey,
    /// When; in the job's rows each start has its own millisecond.
    pub started_at: Time,
    /// The command line: a shell string, or an argv as a JSON array.
    pub cmd: &'a str,
    /// The directory that it runs in.
    pub cwd: &'a Path,
}

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShEnd {
    /// When it had ended and its log was closed.
    pub finished_at: Time,
    /// Its exit code; 128 + signal where a signal ended it.
    pub exit_code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// CPU time, user and system, of it and the children it waited for, in milliseconds.
    pub cpu_ms: Option<i64>,
    /// The largest resident set, in bytes.
    pub max_rss_bytes: Option<i64>,
    /// How many bytes it wrote that its log lacks; `None`: none.
    pub lost_bytes: Option<i64>,
}

impl Writer {
    /// Opens a database of ours for writing, creating or migrating it where needed.
    ///
    /// # Errors
    /// A database that is not ours, or newer than this program, is refused untouched.
    pub fn open(path: &Path) -> Result<Self> {
        let _alone = lock_directory(path);
        // Looked at as a reader first: opened for writing, SQLite would tidy a `-wal` into a database that is then refused.
        if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0) {
            schema::check(&access::open(path, access::PATIENCE, true)?.connection, path)?;
        }
        let failed = || Error::database("open", path);
        let mut connection = Connection::open(path).map_err(failed())?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed())?;
        schema::migrate(&mut connection, path)?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;")
            .map_err(failed())?;
        connection.set_transaction_behavior(TransactionBehavior::Immediate);
        Ok(Self { connection, path: path.to_owned() })
    }

    /// A run and its jobs, all `pending`.
    ///
    /// # Errors
    /// When SQLite refuses; so for every method here.
    pub fn begin_run(&mut self, run: &NewRun<'_>, jobs: &[JobId]) -> Result<()> {
        self.transaction(|tx| {
            tx.execute(
                "INSERT INTO runs(id, repo, ref_name, sha, pushed_at_ms, state, queued_at_ms, workspace_path)
                 VALUES (:id, :repo, :ref_name, :sha, :queued, 'pending', :queued, :workspace)",
                named_params! {
                    ":id": run.id.as_str(), ":repo": run.repo, ":ref_name": run.ref_name, ":sha": run.sha,
                    ":queued": run.queued_at.floor_millis(), ":workspace": run.workspace.to_string_lossy(),
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

    /// A pending run becomes active.
    #[expect(clippy::missing_errors_doc, reason = "see begin_run")]
    pub fn start_run(&mut self, run: &RunId, at: Time) -> Result<()> {
        self.execute(
            "UPDATE runs SET state = 'active', started_at_ms = max(?2, queued_at_ms) WHERE id = ?1",
            params![run.as_str(), at.floor_millis()],
        )
    }

    /// An active run ends.
    #[expect(clippy::missing_errors_doc, reason = "see begin_run")]
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

    /// A pending job becomes active.
    #[expect(clippy::missing_errors_doc, reason = "see begin_run")]
    pub fn start_job(&mut self, run: &RunId, job: &JobId, at: Time) -> Result<()> {
        self.execute(
            "UPDATE jobs SET state = 'active', started_at_ms = ?3 WHERE run_id = ?1 AND job_id = ?2",
            params![run.as_str(), job.as_str(), at.floor_millis()],
        )
    }

    /// A job ends, active or pending.
    #[expect(clippy::missing_errors_doc, reason = "see begin_run")]
    pub fn finish_job(&mut self, run: &RunId, job: &JobId, end: JobEnd, at: Time) -> Result<()> {
        let (state, exit_code) = match end {
            JobEnd::Complete => ("complete", Some(0)),
            JobEnd::Failed(code) => ("failed", Some(code)),
            JobEnd::Skipped => ("skipped", None),
            JobEnd::Aborted => ("aborted", None),
        };
        self.execute(
            "UPDATE jobs SET state = ?3, exit_code = ?4, finished_at_ms = max(?5, coalesce(started_at_ms, ?5))
             WHERE run_id = ?1 AND job_id = ?2",
            params![run.as_str(), job.as_str(), state, exit_code, at.floor_millis()],
        )
    }

    /// A command is about to be spawned.
    #[expect(clippy::missing_errors_doc, reason = "see begin_run")]
    pub fn begin_sh(&mut self, start: &ShStart<'_>) -> Result<()> {
        self.execute(
            "INSERT INTO sh_calls(run_id, job_id, n, started_at_ms, cmd, cwd) VALUES (?, ?, ?, ?, ?, ?)",
            params![
                start.key.run.as_str(),
                start.key.job.as_str(),
                start.key.n,
                start.started_at.floor_millis(),
                start.cmd,
                start.cwd.to_string_lossy(),
            ],
        )
    }

    /// A command was spawned.
    #[expect(clippy::missing_errors_doc, reason = "see begin_run")]
    pub fn set_pid(&mut self, key: &ShKey, pid: u32) -> Result<()> {
        self.execute(
            "UPDATE sh_calls SET pid = ?4 WHERE run_id = ?1 AND job_id = ?2 AND n = ?3",
            params![key.run.as_str(), key.job.as_str(), key.n, pid],
        )
    }

    /// A command has ended and its log is closed: its row in `sh_events` appears.
    #[expect(clippy::missing_errors_doc, reason = "see begin_run")]
    pub fn finish_sh(&mut self, key: &ShKey, end: &ShEnd) -> Result<()> {
        self.transaction(|tx| {
            tx.prepare_cached(
                "UPDATE sh_calls SET signal = ?4, cpu_ms = ?5, max_rss_bytes = ?6, lost_bytes = ?7
                 WHERE run_id = ?1 AND job_id = ?2 AND n = ?3",
            )?
            .execute(params![
                key.run.as_str(),
                key.job.as_str(),
                key.n,
                end.signal,
                end.cpu_ms,
                end.max_rss_bytes,
                end.lost_bytes
            ])?;
            tx.prepare_cached(
                "INSERT INTO sh_events(run_id, job_id, started_at_ms, finished_at_ms, exit_code, cmd)
                 SELECT run_id, job_id, started_at_ms, max(?4, started_at_ms), ?5, cmd FROM sh_calls
                 WHERE run_id = ?1 AND job_id = ?2 AND n = ?3",
            )?
            .execute(params![
                key.run.as_str(),
                key.job.as_str(),
                key.n,
                end.finished_at.floor_millis(),
                end.exit_code
            ])?;
            Ok(())
        })
    }

    fn execute(&mut self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        let done = self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute(params));
        done.map(drop).map_err(Error::database("write", &self.path))
    }

    fn transaction(&mut self, work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<()>) -> Result<()> {
        let done = self.connection.transaction().and_then(|tx| work(&tx).and_then(|()| tx.commit()));
        done.map_err(Error::database("write", &self.path))
    }
}

impl Drop for Writer {
    /// Empties the `-wal`. SQLite's own closing leaves it as it is while a reader looks on, and then the database file alone, as CI
    /// keeps it for later, would lack the newest rows. Where even this fails, nothing is lost: readers know what to do.
    fn drop(&mut self) {
        let _ = self.connection.busy_timeout(CLOSE_TIMEOUT);
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
    }
}

/// Two recorders may find the same store new: one of them migrates it while the other waits for this lock. Where directories cannot
/// be locked, SQLite's own locks still let only one of them succeed.
fn lock_directory(database: &Path) -> Option<File> {
    let dir = File::open(database.parent()?).ok()?;
    dir.lock().ok().map(|()| dir)
}
