//! The beginnings of runs, jobs and commands, and the changes of their rows before their ends. The
//! ends are written in [`super::finish`].

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::write::Writer;
use crate::error::{Error, Result};
#[cfg(doc)]
use crate::model::Sh;
use crate::model::{JobId, RunDetails, RunId, ShKey};
use crate::time::Time;

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
    /// True if the run starts at this time. Otherwise it is pending until [`Writer::start_run`].
    pub starts: bool,
    /// The facts about it that only rundown records.
    pub details: &'a RunDetails,
}

/// A job that the recorder of its run starts and finishes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// The jobs that it needs.
    pub needs: Vec<JobId>,
    /// True if its run may pass although the job fails.
    pub allow_failure: bool,
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
    /// The number of the attempt, from 1, if the command is repeated when it fails.
    pub attempt: Option<u32>,
    /// The shell of its job as a JSON array, see [`Sh::shell`].
    pub shell: Option<String>,
}

/// Output that was removed from the middle of a log, because the log reached its size limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredCut {
    /// The byte offset in the log at which it was removed.
    pub at: i64,
    /// The number of bytes of output that were removed.
    pub bytes: i64,
}

/// Adds the job of a command, unless it exists.
pub(super) const ADD_JOB: &str = "INSERT OR IGNORE INTO jobs(run_id, job_id, state, started_at_ms)
    VALUES (?, ?, 'active', ?)";

fn insert_details(tx: &Connection, run: &RunId, details: &RunDetails) -> rusqlite::Result<()> {
    tx.execute(
        "INSERT INTO run_details(run_id, is_open, name, subject, author, event, url, attempt,
                                 ci_job, runner, repeats, traceparent)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            run.as_str(),
            details.is_open,
            details.name,
            details.subject,
            details.author,
            details.event,
            details.url,
            details.attempt,
            details.ci_job,
            details.runner,
            details.repeats.as_ref().map(RunId::as_str),
            details.traceparent,
        ],
    )?;
    details.variables.iter().try_for_each(|(name, value)| {
        let sql = "INSERT OR REPLACE INTO run_variables(run_id, name, value) VALUES (?, ?, ?)";
        tx.execute(sql, params![run.as_str(), name, value]).map(drop)
    })
}

fn insert_job(tx: &Connection, run: &RunId, job: &NewJob) -> rusqlite::Result<()> {
    let (run, id) = (run.as_str(), job.id.as_str());
    tx.execute("INSERT INTO jobs(run_id, job_id, state) VALUES (?, ?, 'pending')", [run, id])?;
    let needs: serde_json::Value = job.needs.iter().map(JobId::as_str).collect();
    tx.execute(
        "INSERT INTO job_details(run_id, job_id, needs, allow_failure) VALUES (?, ?, ?, ?)",
        params![run, id, needs.to_string(), job.allow_failure],
    )
    .map(drop)
}

impl NewJob {
    /// Returns a job that needs no other job, and must pass.
    #[must_use]
    pub const fn new(id: JobId) -> Self {
        Self { id, needs: Vec::new(), allow_failure: false }
    }
}

impl Writer {
    /// Adds a run and its jobs. The jobs are pending, and so is the run, unless it
    /// [starts](NewRun::starts) at once.
    ///
    /// # Errors
    /// If SQLite fails. This holds for every method here.
    pub fn begin_run(&mut self, run: &NewRun<'_>, jobs: &[NewJob]) -> Result<()> {
        self.transaction(|tx| {
            tx.execute(
                "INSERT INTO runs(id, repo, ref_name, sha, pushed_at_ms, state, queued_at_ms,
                                  started_at_ms, workspace_path)
                 VALUES (:id, :repo, :ref_name, :sha, :queued, iif(:starts, 'active', 'pending'),
                         :queued, iif(:starts, :queued, NULL), :workspace)",
                named_params! {
                    ":id": run.id.as_str(),
                    ":repo": run.repo,
                    ":ref_name": run.ref_name,
                    ":sha": run.sha,
                    ":queued": run.queued_at.floor_millis(),
                    ":starts": run.starts,
                    ":workspace": run.workspace.to_string_lossy(),
                },
            )?;
            insert_details(tx, run.id, run.details)?;
            jobs.iter().try_for_each(|job| insert_job(tx, run.id, job))
        })
    }

    /// Sets the subject and the author of a run's commit.
    pub fn set_commit(&mut self, run: &RunId, found: &RunDetails) -> Result<()> {
        self.execute(
            "UPDATE run_details SET subject = ?2, author = ?3 WHERE run_id = ?1",
            params![run.as_str(), found.subject, found.author],
        )
    }

    /// Returns the repository of a run that has not ended, so that commands can be added to it.
    /// Returns `None` if there is no such run, or it has ended.
    pub fn repo_of_unfinished(&mut self, run: &RunId) -> Result<Option<String>> {
        let sql = "SELECT repo FROM runs WHERE id = ? AND finished_at_ms IS NULL";
        self.connection
            .query_row(sql, [run.as_str()], |row| row.get(0))
            .optional()
            .map_err(Error::database("read", &self.path))
    }

    /// Returns true if a run is open: [`RunDetails::is_open`], and not ended.
    pub fn is_open(&mut self, run: &RunId) -> Result<bool> {
        let sql = "SELECT 1 FROM runs JOIN run_details ON run_id = id
                   WHERE id = ? AND is_open = 1 AND finished_at_ms IS NULL";
        let mut statement =
            self.connection.prepare_cached(sql).map_err(Error::database("read", &self.path))?;
        statement.exists([run.as_str()]).map_err(Error::database("read", &self.path))
    }

    /// Marks a pending run as active.
    pub fn start_run(&mut self, run: &RunId, at: Time) -> Result<()> {
        self.execute(
            "UPDATE runs SET state = 'active', started_at_ms = max(?2, queued_at_ms) WHERE id = ?1",
            params![run.as_str(), at.floor_millis()],
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

    /// Adds a command that is about to be spawned. If its job does not exist, adds the job, too.
    pub fn begin_sh(&mut self, start: &ShStart) -> Result<()> {
        let ShStart { key, started_at, cmd, cwd, attempt, shell } = start;
        let (run, job, at) = (key.run.as_str(), key.job.as_str(), started_at.floor_millis());
        self.transaction(|tx| {
            tx.prepare_cached(ADD_JOB)?.execute(params![run, job, at])?;
            tx.prepare_cached(
                "INSERT INTO sh_calls(run_id, job_id, n, started_at_ms, cmd, cwd, attempt, shell) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                run,
                job,
                key.n,
                at,
                cmd,
                cwd.to_string_lossy(),
                attempt,
                shell
            ])?;
            Ok(())
        })
    }

    /// Stores the process id of a command that was spawned.
    pub fn set_pid(&mut self, key: &ShKey, pid: u32) -> Result<()> {
        self.execute(
            "UPDATE sh_calls SET pid = ?4 WHERE run_id = ?1 AND job_id = ?2 AND n = ?3",
            params![key.run.as_str(), key.job.as_str(), key.n, pid],
        )
    }

    /// Stores that output was removed from the log of a running command.
    pub fn set_cut(&mut self, key: &ShKey, cut: StoredCut) -> Result<()> {
        self.execute(
            "UPDATE sh_calls SET cut_at = ?4, cut_bytes = ?5
             WHERE run_id = ?1 AND job_id = ?2 AND n = ?3",
            params![key.run.as_str(), key.job.as_str(), key.n, cut.at, cut.bytes],
        )
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn new_run<'a>(id: &'a RunId, details: &'a RunDetails) -> NewRun<'a> {
        let (ref_name, sha, workspace) = ("", "", Path::new("/"));
        let queued_at = Time::from_millis(1);
        NewRun { id, repo: "r", ref_name, sha, workspace, queued_at, starts: false, details }
    }
}
