//! Reading runs, jobs and commands of any store, in one shape.
//!
//! Values are read leniently: SQLite lets any column hold any type, and these databases were written by others. Text that is
//! not UTF-8 is read lossily, what is no number where one belongs is unknown. Nothing here is an error but SQLite's own.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Params, Row};

use super::access::{self, Access, Stamp};
use super::{APPLICATION_ID, dialect};
use crate::error::{Error, Result};
use crate::model::{Job, JobId, Outcome, Run, RunId, Sh};
use crate::time::Time;

/// How much longer a reading that is begun again, because the database changed under it, waits each time.
const PAUSE: Duration = Duration::from_millis(1);

/// How long a database that was locked the last time is waited for: whoever asks again knows already.
const SHORT_PATIENCE: Duration = Duration::from_millis(100);

/// A database, looked at without being changed. Between readings it holds no connection to it, at most a private copy of it.
pub struct Reader {
    path: PathBuf,
    seen: Option<Stamp>,
    /// The copy that was read last, and what the database looked like then.
    copy: RefCell<Option<(Stamp, Access)>>,
    /// The file beside it that was read too although its writer had left it behind.
    abandoned: Cell<Option<&'static str>>,
    was_locked: Cell<bool>,
}

/// A run with its rows, read in one transaction.
pub struct RunRows {
    /// Its row.
    pub run: Run,
    /// Its jobs in order of execution, and each one's commands in order of their start.
    pub jobs: Vec<(Job, Vec<Sh>)>,
    /// Whether a recorder of ours wrote it.
    pub ours: bool,
}

/// A run for a list.
pub struct ListedRun {
    /// Its row.
    pub run: Run,
    /// Whether a recorder of ours wrote it.
    pub ours: bool,
}

/// Which runs to list, newest first.
#[derive(Clone, Default, Debug)]
pub struct RunPage {
    /// Only runs of this repository.
    pub repo: Option<String>,
    /// Only runs of this ref, full or without `refs/heads/` or `refs/tags/`.
    pub ref_name: Option<String>,
    /// Only ids that begin or end like this.
    pub id_part: Option<String>,
    /// Only runs that ended like this.
    pub outcome: Option<Outcome>,
    /// How many newer runs to leave out.
    pub skip: usize,
    /// How many at most.
    pub limit: usize,
}

const RUN_COLUMNS: &str = "id, repo, ref_name, sha, state, reason, queued_at_ms, started_at_ms, finished_at_ms";

impl Reader {
    /// A reader of a database that may not be there yet: it is looked at when something is asked.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let path = path.to_owned();
        Self { path, seen: None, copy: RefCell::default(), abandoned: Cell::default(), was_locked: Cell::default() }
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether anything may have been committed since the last call; the first call says yes. No table is read.
    ///
    /// # Errors
    /// When the file is not there any more.
    pub fn changed(&mut self) -> Result<bool> {
        let now = Stamp::taken(&self.path).map_err(Error::io("read", &self.path))?;
        let changed = self.seen.as_ref() != Some(&now);
        self.seen = Some(now).filter(Stamp::is_settled);
        Ok(changed)
    }

    /// A page of runs, newest first.
    ///
    /// # Errors
    /// When the database cannot be read; so for every method here.
    pub fn runs(&self, page: &RunPage) -> Result<Vec<ListedRun>> {
        let sql = format!(
            "SELECT {RUN_COLUMNS} FROM v_runs
             WHERE (?1 IS NULL OR repo = ?1)
               AND (?2 IS NULL OR ref_name = ?2 OR ref_name = 'refs/heads/' || ?2 OR ref_name = 'refs/tags/' || ?2)
               AND (?3 IS NULL OR substr(id, 1, length(?3)) = ?3 OR substr(id, -length(?3)) = ?3)
               AND (?4 IS NULL OR outcome(state, reason) = ?4)
             ORDER BY order_ms DESC, id DESC LIMIT ?5 OFFSET ?6"
        );
        let (limit, skip) = (as_sql(page.limit), as_sql(page.skip));
        self.read(|connection| {
            let ours = is_ours(connection)?;
            let outcome = page.outcome.map(outcome_code);
            let params = (&page.repo, &page.ref_name, &page.id_part, outcome, limit, skip);
            Ok(collect(connection, &sql, params, run)?.into_iter().map(|run| ListedRun { run, ours }).collect())
        })
    }

    /// A run with its jobs and commands.
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn run(&self, id: &RunId) -> Result<Option<RunRows>> {
        self.read(|connection| {
            let sql = format!("SELECT {RUN_COLUMNS} FROM v_runs WHERE id = ?1");
            let Some(run) = collect(connection, &sql, [id.as_str()], run)?.pop() else { return Ok(None) };
            let mut jobs: Vec<(Job, Vec<Sh>)> = collect(
                connection,
                "SELECT job_id, state, exit_code, started_at_ms, finished_at_ms FROM v_jobs WHERE run_id = ?1
                 ORDER BY place",
                [id.as_str()],
                |row| Ok((job(row)?, Vec::new())),
            )?;
            let shs = collect(
                connection,
                "SELECT job_id, n, cmd, cwd, pid, started_at_ms, finished_at_ms, exit_code, signal, cpu_ms, max_rss_bytes, lost_bytes
                 FROM v_shs WHERE run_id = ?1 ORDER BY started_at_ms, place",
                [id.as_str()],
                |row| Ok((JobId(text(row, 0)?.unwrap_or_default()), sh(row)?)),
            )?;
            let mut places: HashMap<JobId, usize> =
                jobs.iter().enumerate().map(|(place, (job, _))| (job.id.clone(), place)).collect();
            for (job_id, sh) in shs {
                // A command whose job has no row stays: the job is known by it.
                let place = *places.entry(job_id).or_insert_with_key(|id| {
                    jobs.push((Job::without_row(id.clone()), Vec::new()));
                    jobs.len() - 1
                });
                if let Some((_, shs)) = jobs.get_mut(place) {
                    shs.push(sh);
                }
            }
            Ok(Some(RunRows { run, jobs, ours: is_ours(connection)? }))
        })
    }

    /// What a user should know of how this database was read.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        let left = self.abandoned.get()?;
        let how = if self.copy.borrow().is_some() { "in a private copy" } else { "where it lies" };
        let what = format!("its {left} was left by a crash, or the files were copied: it is read too, {how}");
        Some(format!("{}: {what}", self.path.display()))
    }

    /// Runs `work` on a connection in one read transaction; again when an unlocked database changed meanwhile.
    fn read<T>(&self, work: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let failed = || Error::database("read", &self.path);
        let patience = if self.was_locked.get() { SHORT_PATIENCE } else { access::PATIENCE };
        let (begun, mut pause) = (Instant::now(), PAUSE);
        loop {
            let before = Stamp::taken(&self.path).map_err(Error::io("open", &self.path))?;
            if let Some((_, copy)) = self.copy.borrow().as_ref().filter(|(stamp, _)| *stamp == before) {
                return work(&copy.connection).map_err(failed());
            }
            let left = patience.saturating_sub(begun.elapsed());
            let read = self.begin(left).and_then(|access| Ok((work(&access.connection).map_err(failed())?, access)));
            self.was_locked.set(matches!(read, Err(Error::Locked { .. })));
            let is_last = begun.elapsed() >= patience;
            match read {
                Ok((value, access)) if access.is_consistent || self.stood_still(&before) => {
                    self.keep(before, access);
                    return Ok(value);
                }
                Ok(_) if is_last => return Err(Error::Restless { path: self.path.clone() }),
                Err(error) if is_last || self.stood_still(&before) => return Err(error),
                Ok(_) | Err(_) => std::thread::sleep(pause),
            }
            pause += PAUSE;
        }
    }

    /// Keeps what the next reading can use: a copy, unless the state it is of may look like the next one.
    fn keep(&self, stamp: Stamp, access: Access) {
        self.abandoned.set(access.abandoned);
        let lasts = |(stamp, copy): &(Stamp, Access)| copy.is_copy() && stamp.is_settled();
        self.copy.replace(Some((stamp, access)).filter(lasts));
    }

    fn stood_still(&self, since: &Stamp) -> bool {
        Stamp::taken(&self.path).is_ok_and(|now| now == *since)
    }

    /// A connection in a read transaction that knows the views.
    fn begin(&self, patience: Duration) -> Result<Access> {
        let access = access::open(&self.path, patience)?;
        dialect::define_views(&access.connection, &self.path)?;
        define_outcome(&access.connection).map_err(Error::database("read", &self.path))?;
        Ok(access)
    }
}

/// Makes [`Outcome::from_word`] known to SQL as `outcome(state, reason)`, so that what a word means is said in one place.
fn define_outcome(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("outcome", 2, flags, |context| {
        let word = |place| context.get_raw(place).as_str().ok();
        Ok(word(0).and_then(|state| Outcome::from_word(state, word(1))).map(outcome_code))
    })
}

const fn outcome_code(outcome: Outcome) -> i64 {
    outcome as i64
}

fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok(id == i64::from(APPLICATION_ID))
}

fn collect<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare(sql)?.query_map(params, |row| read(row))?.collect()
}

fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        id: RunId(text(row, 0)?.unwrap_or_default()),
        repo: said(row, 1)?,
        ref_name: said(row, 2)?,
        sha: said(row, 3)?,
        state: text(row, 4)?,
        reason: text(row, 5)?,
        queued_at: time(row, 6)?,
        started_at: time(row, 7)?,
        finished_at: time(row, 8)?,
    })
}

fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        id: JobId(text(row, 0)?.unwrap_or_default()),
        state: text(row, 1)?,
        exit_code: integer(row, 2)?,
        started_at: time(row, 3)?,
        finished_at: time(row, 4)?,
    })
}

/// Columns from 1; 0 is the job.
fn sh(row: &Row<'_>) -> rusqlite::Result<Sh> {
    Ok(Sh {
        n: integer(row, 1)?.and_then(|n| u32::try_from(n).ok()),
        cmd: text(row, 2)?.unwrap_or_default(),
        cwd: said(row, 3)?,
        pid: integer(row, 4)?,
        started_at: time(row, 5)?,
        finished_at: time(row, 6)?,
        exit_code: integer(row, 7)?,
        signal: integer(row, 8)?.and_then(|signal| i32::try_from(signal).ok()),
        cpu_ms: integer(row, 9)?,
        max_rss_bytes: integer(row, 10)?,
        lost_bytes: integer(row, 11)?,
    })
}

fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => None,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
    })
}

/// Text in which empty means unknown: columns that are `NOT NULL` and have nothing to say.
fn said(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(text(row, column)?.filter(|text| !text.is_empty()))
}

fn integer(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<i64>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Integer(number) => Some(number),
        _ => None,
    })
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Time>> {
    Ok(integer(row, column)?.map(Time::from_millis))
}

fn as_sql(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
