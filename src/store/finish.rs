//! The ends of runs, jobs and commands.
//!
//! The recorder of a command ends it, with the facts about its process and its log. The last
//! recorder of a run, or `rundown end`, ends the parts that have no end, and then the run itself.
//! Runs whose recorder was killed are ended in [`super::repair`].

use rusqlite::{Connection, params};

use super::begin::{ADD_JOB, ShStart, StoredCut};
use super::repair::{self, LostEnd};
use super::write::Writer;
use crate::error::Result;
#[cfg(doc)]
use crate::model::Sh;
use crate::model::{JobId, RunId};
use crate::time::Time;

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
    /// The way in which its streams were read, see [`Sh::output`]; `None` if they were not.
    pub output: Option<&'static str>,
    /// The reason for its end, see [`Sh::ended_by`].
    pub ended_by: Option<&'static str>,
    /// The output that was removed from the middle of its log.
    pub cut: Option<StoredCut>,
}

/// The `failure_kind` of a run with a failed command.
pub const COMMAND_FAILED: &str = "command-failed";

/// Finds a job that has not ended.
const UNFINISHED_JOBS: &str = "SELECT 1 FROM jobs WHERE run_id = ? AND finished_at_ms IS NULL";

/// Ends the jobs that have not ended, at the end of their last commands or, if they have none, at
/// `?2`. A job has failed if one of its commands has; its exit code is that of the last such one.
const FINISH_JOBS: &str = "UPDATE jobs SET
      finished_at_ms = max(coalesce(started_at_ms, 0), coalesce((
        SELECT max(finished_at_ms) FROM sh_events AS event
        WHERE event.run_id = jobs.run_id AND event.job_id = jobs.job_id), ?2)),
      exit_code = CASE WHEN started_at_ms IS NOT NULL THEN coalesce((
        SELECT exit_code FROM sh_events AS event
        WHERE event.run_id = jobs.run_id AND event.job_id = jobs.job_id AND exit_code <> 0
        ORDER BY event.started_at_ms DESC LIMIT 1), 0) END,
      state = CASE
        WHEN started_at_ms IS NULL THEN 'skipped'
        WHEN EXISTS (
          SELECT 1 FROM sh_events AS event
          WHERE event.run_id = jobs.run_id AND event.job_id = jobs.job_id AND exit_code <> 0)
        THEN 'failed' ELSE 'complete' END
    WHERE run_id = ?1 AND finished_at_ms IS NULL";

/// Finds a job that makes the run fail.
const FAILED_JOBS: &str = "SELECT 1 FROM jobs LEFT JOIN job_details USING (run_id, job_id)
    WHERE run_id = ? AND state IN ('failed', 'aborted') AND coalesce(allow_failure, 0) = 0";

/// Ends a run, not before its start.
const FINISH_RUN: &str = "UPDATE runs SET state = ?2, failure_kind = ?3,
      finished_at_ms = max(?4, coalesce(started_at_ms, queued_at_ms)) WHERE id = ?1";

impl ShEnd {
    /// Returns the end of a command with an exit code, and with no other fact.
    #[must_use]
    pub const fn new(finished_at: Time, exit_code: i32) -> Self {
        Self {
            finished_at,
            exit_code,
            signal: None,
            cpu_ms: None,
            max_rss_bytes: None,
            lost_bytes: None,
            log_bytes: None,
            start_error: None,
            output: None,
            ended_by: None,
            cut: None,
        }
    }
}

impl Writer {
    /// Ends the commands and jobs of a run that have not ended: their recorders were killed, or
    /// outlive the run. The duration of such a command is unknown, so it ends at its start. Call
    /// this before [`Writer::finish_run`].
    ///
    /// # Errors
    /// If SQLite fails. This holds for every method here.
    pub fn finish_parts(&mut self, run: &RunId, at: Time) -> Result<()> {
        self.transaction(|tx| {
            repair::lost_shs(tx, run)?.into_iter().try_for_each(|sh| {
                let end = LostEnd { last_at: sh.started_at, log_bytes: None, sh };
                repair::end_sh(tx, run, &end)
            })?;
            // Compiling the statement that ends jobs takes longer than looking for them.
            if tx.prepare_cached(UNFINISHED_JOBS)?.exists([run.as_str()])? {
                tx.prepare_cached(FINISH_JOBS)?
                    .execute(params![run.as_str(), at.floor_millis()])?;
            }
            Ok(())
        })
    }

    /// Marks an active run as ended. If `end` is `None`, the run has failed if one of its jobs
    /// failed that was not allowed to.
    pub fn finish_run(&mut self, run: &RunId, end: Option<RunEnd>, at: Time) -> Result<()> {
        let at = at.floor_millis();
        self.transaction(|tx| {
            let end = match end {
                Some(end) => end,
                None if tx.prepare_cached(FAILED_JOBS)?.exists([run.as_str()])? => {
                    RunEnd::Failed(COMMAND_FAILED)
                }
                None => RunEnd::Complete,
            };
            let (state, reason) = match end {
                RunEnd::Complete => ("complete", None),
                RunEnd::Failed(reason) => ("failed", Some(reason)),
            };
            tx.prepare_cached(FINISH_RUN)?.execute(params![run.as_str(), state, reason, at])?;
            Ok(())
        })
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

    /// Records the end of a command whose log is closed. Adds a row to `sh_events`. Completes the
    /// row in `sh_calls`, or adds a complete one if [`Writer::begin_sh`] failed.
    pub fn finish_sh(&mut self, start: &ShStart, end: &ShEnd) -> Result<()> {
        let (run, job) = (start.key.run.as_str(), start.key.job.as_str());
        let started_ms = start.started_at.floor_millis();
        self.transaction(|tx| {
            tx.prepare_cached(ADD_JOB)?.execute(params![run, job, started_ms])?;
            write_call(tx, start, end)?;
            // The run may have been finished while the command was running.
            tx.prepare_cached(
                "INSERT OR REPLACE INTO sh_events(run_id, job_id, started_at_ms, finished_at_ms,
                                                  exit_code, cmd)
                 VALUES (?1, ?2, ?3, max(?4, ?3), ?5, ?6)",
            )?
            .execute(params![
                run,
                job,
                started_ms,
                end.finished_at.floor_millis(),
                end.exit_code,
                start.cmd
            ])?;
            Ok(())
        })
    }
}

fn write_call(tx: &Connection, start: &ShStart, end: &ShEnd) -> rusqlite::Result<()> {
    let ShStart { key, started_at, cmd, cwd, attempt, shell } = start;
    tx.prepare_cached(
        "INSERT INTO sh_calls(run_id, job_id, n, started_at_ms, cmd, cwd, attempt, shell,
                              signal, cpu_ms, max_rss_bytes, lost_bytes, log_bytes,
                              start_error, output, ended_by, cut_at, cut_bytes)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT(run_id, job_id, n) DO UPDATE SET
           signal = excluded.signal, cpu_ms = excluded.cpu_ms,
           max_rss_bytes = excluded.max_rss_bytes, lost_bytes = excluded.lost_bytes,
           log_bytes = excluded.log_bytes, start_error = excluded.start_error,
           output = excluded.output, ended_by = excluded.ended_by,
           cut_at = excluded.cut_at, cut_bytes = excluded.cut_bytes",
    )?
    .execute(params![
        key.run.as_str(),
        key.job.as_str(),
        key.n,
        started_at.floor_millis(),
        cmd,
        cwd.to_string_lossy(),
        attempt,
        shell,
        end.signal,
        end.cpu_ms,
        end.max_rss_bytes,
        end.lost_bytes,
        end.log_bytes,
        end.start_error,
        end.output,
        end.ended_by,
        end.cut.map(|cut| cut.at),
        end.cut.map(|cut| cut.bytes),
    ])
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::NewJob;
    use super::super::begin::tests::new_run;
    use super::*;
    use crate::model::{RunDetails, ShKey};

    #[test]
    fn a_command_whose_start_was_not_written_gets_a_complete_row_at_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rundown.db");
        let mut writer = Writer::open(&path).unwrap();
        let (run, job) = (RunId("one".into()), JobId("job".into()));
        writer
            .begin_run(&new_run(&run, &RunDetails::default()), &[NewJob::new(job.clone())])
            .unwrap();
        let end = ShEnd {
            signal: Some(9),
            log_bytes: Some(70),
            ..ShEnd::new(Time::from_millis(20), 137)
        };
        for n in 1..=2 {
            let key = ShKey { run: run.clone(), job: job.clone(), n };
            let started_at = Time::from_millis(10 + i64::from(n));
            let cwd = "/src".into();
            let start =
                ShStart { key, started_at, cmd: "make".into(), cwd, attempt: None, shell: None };
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
}
