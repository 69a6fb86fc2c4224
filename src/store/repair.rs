//! The ends of commands whose recorder was killed or outlives the run, and of runs whose recorder
//! was killed. They let every reader see that the command or the run has ended.
//!
//! Each command without an end gets the row in `sh_events` that pairs its log for readers of
//! version 2: they pair the n-th row of a job with `sh-<n>.log`. Its row in `sh_calls` is marked
//! with [`LOST`], so that our own readers show it as interrupted. A command that has only a log
//! first gets a row in `sh_calls`.

use rusqlite::{CachedStatement, Connection, params};

use super::begin::ADD_JOB;
use super::limits;
use super::write::Writer;
use crate::error::{Error, Result};
use crate::model::{INTERRUPTED, JobId, LOST, RunId, ShKey};
use crate::time::Time;

/// The exit code in `sh_events` of a command whose end was not recorded. The column must have a
/// value, and no command that was recorded to its end has this one.
const NO_EXIT_CODE: i32 = -1;

/// Adds the row of a command that has only a log. Its start is moved between the starts of the
/// commands with the next lower and the next higher number.
const ADD_SH: &str = "INSERT OR IGNORE INTO sh_calls(run_id, job_id, n, started_at_ms, cmd, cwd)
    SELECT ?1, ?2, ?3, max(
      min(?4, coalesce((SELECT min(started_at_ms) - 1 FROM sh_calls
                        WHERE run_id = ?1 AND job_id = ?2 AND n > ?3), ?4)),
      coalesce((SELECT max(started_at_ms) + 1 FROM sh_calls
                WHERE run_id = ?1 AND job_id = ?2 AND n < ?3), 0)), '', ''";

/// A command without an end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LostSh {
    /// Its job.
    pub job: JobId,
    /// Its number.
    pub n: u32,
    /// The time at which it was started.
    pub started_at: Time,
}

/// The end of a command, as far as it can be determined from its log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LostEnd {
    /// The command.
    pub sh: LostSh,
    /// The time of the last record of its log; the start of the command without a record.
    pub last_at: Time,
    /// The length of its log in bytes; `None` without a log.
    pub log_bytes: Option<i64>,
}

impl Writer {
    /// Returns true if a command has a row.
    ///
    /// # Errors
    /// If SQLite fails. This holds for every method here.
    pub fn has_sh(&self, sh: &ShKey) -> Result<bool> {
        let sql = "SELECT 1 FROM sh_calls WHERE run_id = ? AND job_id = ? AND n = ?";
        let has_row = |mut statement: CachedStatement<'_>| {
            statement.exists(params![sh.run.as_str(), sh.job.as_str(), sh.n])
        };
        let found = self.connection.prepare_cached(sql).and_then(has_row);
        found.map_err(Error::database("read", &self.path))
    }

    /// Adds the row of a command, and of its job, that has only a log: its recorder was killed
    /// before it wrote them. `at` is the time from its log. The command line is unknown, so it is
    /// empty.
    pub fn add_lost_sh(&mut self, sh: &ShKey, at: Time) -> Result<()> {
        let (run, job, at) = (sh.run.as_str(), sh.job.as_str(), at.floor_millis());
        self.transaction(|tx| {
            tx.prepare_cached(ADD_JOB)?.execute(params![run, job, at])?;
            // Its end must be determined again.
            tx.execute(
                "UPDATE jobs SET state = 'active', started_at_ms = coalesce(started_at_ms, ?3),
                                 finished_at_ms = NULL, exit_code = NULL
                 WHERE run_id = ?1 AND job_id = ?2",
                params![run, job, at],
            )?;
            tx.prepare_cached(ADD_SH)?.execute(params![run, job, sh.n, at]).map(drop)
        })
    }

    /// Returns the commands of a run that have no end, in the order of their starts.
    pub fn lost_shs(&self, run: &RunId) -> Result<Vec<LostSh>> {
        limits::limit_time(&self.connection, self.time_limit)
            .and_then(|()| lost_shs(&self.connection, run))
            .map_err(Error::database("read", &self.path))
    }

    /// Ends an unfinished run: its commands that have no end, its jobs and the run itself, in one
    /// transaction. Returns the number of jobs that it ended.
    pub fn end_lost_run(&mut self, run: &RunId, ends: &[LostEnd]) -> Result<usize> {
        self.transaction(|tx| {
            ends.iter().try_for_each(|end| end_sh(tx, run, end))?;
            let last_ms = last_ms(tx, run)?;
            let jobs = tx.execute(
                "UPDATE jobs SET state = CASE state WHEN 'pending' THEN 'skipped' ELSE 'aborted' END,
                                 finished_at_ms = max(?2, coalesce(started_at_ms, ?2))
                 WHERE run_id = ?1 AND finished_at_ms IS NULL",
                params![run.as_str(), last_ms],
            )?;
            tx.execute(
                "UPDATE runs SET state = 'failed', failure_kind = ?3, finished_at_ms = ?2
                 WHERE id = ?1 AND finished_at_ms IS NULL",
                params![run.as_str(), last_ms, INTERRUPTED],
            )?;
            Ok(jobs)
        })
    }
}

/// Reads the commands of a run that have no end, in the order of their starts.
pub(super) fn lost_shs(connection: &Connection, run: &RunId) -> rusqlite::Result<Vec<LostSh>> {
    let sql = "SELECT job_id, n, started_at_ms FROM sh_calls AS call
               WHERE run_id = ? AND NOT EXISTS (
                 SELECT 1 FROM sh_events AS event
                 WHERE event.run_id = call.run_id AND event.job_id = call.job_id
                   AND event.started_at_ms = call.started_at_ms)
               ORDER BY started_at_ms";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([run.as_str()], |row| {
        Ok(LostSh {
            job: JobId(row.get(0)?),
            n: row.get(1)?,
            started_at: Time::from_millis(row.get(2)?),
        })
    })?;
    rows.collect()
}

/// Writes the end of a command whose end was not recorded.
pub(super) fn end_sh(tx: &Connection, run: &RunId, end: &LostEnd) -> rusqlite::Result<()> {
    let LostEnd { sh, last_at, log_bytes } = end;
    tx.prepare_cached(
        "INSERT INTO sh_events(run_id, job_id, started_at_ms, finished_at_ms, exit_code, cmd)
         SELECT run_id, job_id, started_at_ms, max(?4, started_at_ms), ?5, cmd
         FROM sh_calls WHERE run_id = ?1 AND job_id = ?2 AND n = ?3",
    )?
    .execute(params![
        run.as_str(),
        sh.job.as_str(),
        sh.n,
        last_at.floor_millis(),
        NO_EXIT_CODE
    ])?;
    tx.prepare_cached(
        "UPDATE sh_calls SET log_bytes = ?4, ended_by = ?5
         WHERE run_id = ?1 AND job_id = ?2 AND n = ?3",
    )?
    .execute(params![run.as_str(), sh.job.as_str(), sh.n, log_bytes, LOST])?;
    Ok(())
}

/// Returns the time of the last event of a run that is in the database.
fn last_ms(tx: &Connection, run: &RunId) -> rusqlite::Result<i64> {
    let sql = "SELECT max(at) FROM (
                 SELECT max(queued_at_ms, coalesce(started_at_ms, queued_at_ms)) AS at
                 FROM runs WHERE id = ?1
                 UNION ALL
                 SELECT max(max(coalesce(started_at_ms, 0), coalesce(finished_at_ms, 0)))
                 FROM jobs WHERE run_id = ?1
                 UNION ALL
                 SELECT max(finished_at_ms) FROM sh_events WHERE run_id = ?1)";
    tx.query_row(sql, [run.as_str()], |row| row.get(0))
}
