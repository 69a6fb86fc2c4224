//! Reads runs, jobs and commands of any store in one shape.
//!
//! Values are read leniently: SQLite lets any column contain any type, and other programs wrote
//! these databases. Text that is not UTF-8 is decoded lossily. A run whose id is not UTF-8 is left
//! out, because it could not be looked up again (see [`define_functions`]). A value that is not a
//! number counts as unknown if a number is expected. An unexpected value is never an error.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Params, Row, Statement};

use super::access::{self, Access};
use super::dialect::{self, Dialect, Walk};
use super::files::{self, Stamp};
use super::highlight::{self, Highlight};
use super::limits;
use super::page::{self, Beside, RunPage, outcome_code};
use crate::error::{Error, Result};
use crate::model::{Job, JobId, LOST, Origin, Outcome, Run, RunDetails, RunId, Sh};
use crate::time::Time;

/// The number of attempts to read a busy database without SQLite's locks; later attempts use those
/// locks.
const LOCKLESS_ATTEMPTS: u32 = 6;

/// The pause before the first retry of a reading, if the database changed in the meantime. Each
/// later pause is longer than the last one by this time.
const PAUSE: Duration = Duration::from_millis(1);

/// The time to wait for a lock if the last reading failed because the database was locked.
const SHORT_LOCK_TIMEOUT: Duration = Duration::from_millis(100);

/// The memory limit for the rows of one reading, in bytes. Each row counts as its text plus
/// [`ROW_BYTES`], so a reading returns at most about 32,000 rows. The values that are built from
/// the rows take up to eight times as much memory.
const MOST_BYTES: usize = 8 << 20;

/// The bytes that a row counts in addition to its text.
const ROW_BYTES: usize = 256;

/// The memory limit of a page of runs grows by this number of bytes for each run that the page may
/// list.
const RUN_BYTES: usize = 1 << 10;

/// A reader of a database. It never changes the database. Between readings it holds no lock: it may
/// keep open a private copy, or a connection that takes no locks.
pub struct Reader {
    path: PathBuf,
    seen: Option<Stamp>,
    /// The last opened database and its stamp. It is used again as long as the stamp stays the
    /// same; `None` if the next reading has to open the database.
    kept: RefCell<Option<(Stamp, Opened)>>,
    /// The notices about the last opened database.
    notices: RefCell<Vec<String>>,
    was_locked: Cell<bool>,
    /// The time left for readings. [`Reader::renew`] resets it.
    time_left: Cell<Duration>,
    /// The memory that the rows of one reading may take, in bytes.
    most_bytes: usize,
}

/// A database in a read transaction, with its views.
struct Opened {
    access: Access,
    dialect: Dialect,
}

/// A run with its rows, read in one transaction.
pub struct RunRows {
    /// Its row.
    pub run: Run,
    /// Its jobs in order of execution, each with its commands in the order in which their rows were
    /// written.
    pub jobs: Vec<(Job, Vec<Sh>)>,
    /// True if our recorder wrote it.
    pub ours: bool,
    /// True if the run has more rows than one reading may return, so some of them are missing here.
    pub is_cut: bool,
}

/// A run in a list.
pub struct ListedRun {
    /// Its row.
    pub run: Run,
    /// True if our recorder wrote it.
    pub ours: bool,
}

const RUN_COLUMNS: &str = "id, repo, ref_name, sha, state, reason, queued_at_ms, started_at_ms, finished_at_ms, \
     is_open, name, subject, author, event, url, attempt, ci_job, runner, repeats, traceparent";

const JOB_COLUMNS: &str =
    "job_id, state, exit_code, started_at_ms, finished_at_ms, needs, allow_failure";

/// The columns that [`sh`] reads.
pub(super) const SH_COLUMNS: &str = "job_id, n, cmd, cwd, pid, started_at_ms, finished_at_ms, \
     exit_code, signal, cpu_ms, max_rss_bytes, lost_bytes, log_bytes, \
     start_error, shell, output, attempt, ended_by, cut_at, cut_bytes";

impl Reader {
    /// Creates a reader. The first reading opens the database, which need not exist before that.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let path = path.to_owned();
        let was_locked = Cell::default();
        Self {
            path,
            seen: None,
            kept: RefCell::default(),
            notices: RefCell::default(),
            was_locked,
            time_left: Cell::new(limits::BUDGET),
            most_bytes: MOST_BYTES,
        }
    }

    /// Returns the path of the database.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns true if anything may have been committed since the last call, and on the first call.
    /// Reads no table.
    ///
    /// # Errors
    /// If the file does not exist (any more) or cannot be opened.
    pub fn changed(&mut self) -> Result<bool> {
        let now = Stamp::taken(&self.path).map_err(Error::io("read", &self.path))?;
        let changed = self.seen.as_ref() != Some(&now);
        self.seen = Some(now).filter(Stamp::is_settled);
        Ok(changed)
    }

    /// Resets the time limit of readings. Call it for each request of a user, which may take
    /// several readings.
    pub fn renew(&self) {
        self.time_left.set(limits::BUDGET);
    }

    /// Gives readings more time, enough to read all of a large database.
    pub fn extend_for_all(&self) {
        let more = limits::time_for(files::occupied_bytes(&self.path));
        self.time_left.set(self.time_left.get().saturating_add(more));
    }

    /// Reads a page of runs, newest first; `None` if the page starts from a run that does not exist
    /// (any more).
    ///
    /// # Errors
    /// If the database cannot be read (this holds for every method here), or if its runs have too
    /// much text.
    pub fn runs(&self, page: &RunPage) -> Result<Option<Vec<ListedRun>>> {
        let most_bytes = page.limit.saturating_mul(RUN_BYTES).saturating_add(self.most_bytes);
        let read = self.read(|opened| {
            let (connection, dialect) = (&opened.access.connection, &opened.dialect);
            let Some(query) = page::query(connection, dialect, RUN_COLUMNS, page)? else {
                return Ok(None);
            };
            let mut room = Room::new(most_bytes);
            limits::allow_arms(connection, dialect.walk == Walk::ByRepo)?;
            let runs = collect(connection, &query.sql, query.params(), &mut room, run);
            limits::allow_arms(connection, false)?;
            let mut runs = runs?;
            if let Some(Beside::Newer(_)) = page.beside {
                runs.reverse();
            }
            let listed =
                runs.into_iter().map(|run| ListedRun { run, ours: dialect.ours }).collect();
            Ok(Some((listed, room.is_full)))
        })?;
        match read {
            Some((_, true)) => Err(Error::TooLarge {
                path: self.path.clone(),
                why: "its runs contain too much text",
            }),
            Some((runs, false)) => Ok(Some(runs)),
            None => Ok(None),
        }
    }

    /// Reads a run with its jobs and commands; `None` if it does not exist.
    pub fn run(&self, id: &RunId) -> Result<Option<RunRows>> {
        Ok(self.runs_with_rows(std::slice::from_ref(id))?.0.pop())
    }

    /// Reads the runs of the first `ids` with their jobs and commands: as many as fit into the
    /// memory for one reading, but at least one. Returns them with the number of ids that were
    /// looked up. Runs that do not exist (any more) are left out.
    pub fn runs_with_rows(&self, ids: &[RunId]) -> Result<(Vec<RunRows>, usize)> {
        self.read(|opened| {
            let mut room = Room::new(self.most_bytes);
            let mut runs = Vec::new();
            for (read, id) in ids.iter().enumerate() {
                let rows = rows_of(opened, id, &mut room)?;
                if room.is_full && read > 0 {
                    return Ok((runs, read));
                }
                runs.extend(rows);
            }
            Ok((runs, ids.len()))
        })
    }

    /// Reads the names of the jobs of the first `ids`: of as many runs as fit into the memory for
    /// one reading, but at least of one.
    pub fn job_names(&self, ids: &[RunId]) -> Result<Vec<Vec<JobId>>> {
        self.read(|opened| {
            let mut room = Room::new(self.most_bytes);
            let mut runs = Vec::new();
            let sql = "SELECT job_id FROM v_jobs WHERE run_id = ?1
                       UNION SELECT job_id FROM v_shs WHERE run_id = ?1";
            let name = |row: &Row<'_>| Ok(JobId(text(row, 0)?.unwrap_or_default()));
            let mut statement = opened.access.connection.prepare(sql)?;
            for id in ids {
                let names = collect_rows(&mut statement, [id.as_str()], &mut room, name)?;
                if room.is_full && !runs.is_empty() {
                    break;
                }
                runs.push(names);
            }
            Ok(runs)
        })
    }

    /// Reads the jobs and numbers of the commands of a run that have not ended.
    pub fn unfinished(&self, run: &RunId) -> Result<Vec<(JobId, u32)>> {
        self.read(|opened| {
            let sql = "SELECT job_id, n FROM v_calls WHERE run_id = ?1 AND finished_at_ms IS NULL";
            let mut room = Room::new(self.most_bytes);
            let key = |row: &Row<'_>| {
                let n = integer(row, 1)?.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
                Ok((JobId(text(row, 0)?.unwrap_or_default()), n))
            };
            collect(&opened.access.connection, sql, [run.as_str()], &mut room, key)
        })
    }

    /// Finds the highlights of runs. The flag of a run is true if the run is unfinished. Runs
    /// without a highlight, and runs whose rows cannot be read in time, are left out.
    pub fn highlights(&self, runs: &[(RunId, bool)]) -> Result<Vec<(RunId, Highlight)>> {
        self.read(|opened| {
            let connection = &opened.access.connection;
            limits::limit_time(connection, self.time_left.get().min(highlight::BUDGET))?;
            let found = runs.iter().map(|(id, is_open)| {
                let highlight = highlight::highlight(connection, id, *is_open).ok().flatten();
                Some((id.clone(), highlight?))
            });
            Ok(found.flatten().collect())
        })
    }

    /// Returns those of `runs` (repository and id) that are not in the database.
    pub fn unknown(&self, runs: Vec<(String, RunId)>) -> Result<Vec<(String, RunId)>> {
        let known: Vec<bool> = self.read(|opened| {
            let mut known =
                opened.access.connection.prepare("SELECT 1 FROM v_runs WHERE id = ?1")?;
            runs.iter().map(|(_, id)| known.exists([id.as_str()])).collect()
        })?;
        Ok(runs
            .into_iter()
            .zip(known)
            .filter(|(_, is_known)| !is_known)
            .map(|(run, _)| run)
            .collect())
    }

    /// Returns messages for the user about the way this database was read.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.notices.borrow().clone()
    }

    /// Runs `work` on a connection in one read transaction, and repeats it if the database was read
    /// without locks and changed in the meantime.
    fn read<T>(&self, work: impl Fn(&Opened) -> rusqlite::Result<T>) -> Result<T> {
        let work = |opened: &Opened| {
            self.timed(&opened.access.connection, || {
                work(opened).map_err(Error::database("read", &self.path))
            })
        };
        let lock_timeout = self.lock_timeout();
        let started = Instant::now();
        let mut pause = PAUSE;
        let mut attempts = 0_u32;
        loop {
            let before = Stamp::taken(&self.path).map_err(Error::io("open", &self.path))?;
            if let Some((_, kept)) =
                self.kept.borrow().as_ref().filter(|(stamp, _)| *stamp == before)
            {
                let read = work(kept);
                if kept.access.is_copy() || self.is_unchanged(&before) {
                    return read;
                }
            }
            let left = lock_timeout.saturating_sub(started.elapsed());
            attempts = attempts.saturating_add(1);
            let read = self
                .begin(left, attempts > LOCKLESS_ATTEMPTS)
                .and_then(|opened| Ok((work(&opened)?, opened)));
            self.was_locked.set(matches!(read, Err(Error::Locked { .. })));
            let is_last = started.elapsed() >= lock_timeout;
            match read {
                Ok((value, opened))
                    if opened.access.is_consistent() || self.is_unchanged(&before) =>
                {
                    self.notices.replace(self.notices_of(&opened));
                    // A stamp that is not settled may also match a later state, so it is not kept.
                    let lasts = |(stamp, opened): &(Stamp, Opened)| {
                        opened.access.is_lockless() && stamp.is_settled()
                    };
                    self.kept.replace(Some((before, opened)).filter(lasts));
                    return Ok(value);
                }
                Ok(_) if is_last => return Err(Error::Unstable { path: self.path.clone() }),
                Err(error) if is_last || self.is_unchanged(&before) => return Err(error),
                Ok(_) | Err(_) => std::thread::sleep(pause),
            }
            pause = pause.saturating_add(PAUSE);
        }
    }

    /// Runs `work` within the time left, and subtracts the time that it took.
    fn timed<T>(&self, connection: &Connection, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let started = Instant::now();
        limits::limit_time(connection, self.time_left.get())
            .map_err(Error::database("read", &self.path))?;
        let done = work();
        self.time_left.set(self.time_left.get().saturating_sub(started.elapsed()));
        done
    }

    /// Returns the time to wait for a lock.
    fn lock_timeout(&self) -> Duration {
        if self.was_locked.get() { SHORT_LOCK_TIMEOUT } else { access::LOCK_TIMEOUT }
    }

    fn notices_of(&self, opened: &Opened) -> Vec<String> {
        let how = if opened.access.is_copy() { "in a private copy" } else { "in place" };
        let left = opened.access.left.filter(|_| !has_open_run(opened)).map(|suffix| {
            let what = format!(
                "its {suffix} file is left over from a crash or a copy, and is read as well ({how})"
            );
            format!("{}: {what}", self.path.display())
        });
        left.into_iter().chain(opened.dialect.notices.iter().cloned()).collect()
    }

    fn is_unchanged(&self, since: &Stamp) -> bool {
        Stamp::taken(&self.path).is_ok_and(|now| now == *since)
    }

    /// Opens a connection in a read transaction, and defines the views and functions on it.
    fn begin(&self, lock_timeout: Duration, with_locks: bool) -> Result<Opened> {
        let access = access::open(&self.path, lock_timeout, with_locks)?;
        let define = || dialect::define_views(&access.connection, &self.path);
        let dialect = self.timed(&access.connection, define)?;
        define_functions(&access.connection).map_err(Error::database("read", &self.path))?;
        Ok(Opened { access, dialect })
    }
}

/// Returns true if a run was begun by `rundown begin` and has not ended. Its recorders leave the
/// `-wal` for each other.
fn has_open_run(opened: &Opened) -> bool {
    let sql = "SELECT 1 FROM v_runs WHERE is_open = 1 AND finished_at_ms IS NULL LIMIT 1";
    let exists = |mut statement: Statement<'_>| statement.exists(());
    opened.dialect.ours && opened.access.connection.prepare(sql).and_then(exists).unwrap_or(false)
}

/// The memory left for rows.
struct Room {
    left: usize,
    is_full: bool,
}

impl Room {
    const fn new(bytes: usize) -> Self {
        Self { left: bytes, is_full: false }
    }

    /// Takes memory for a row; returns false if there is not enough.
    fn take(&mut self, row: &Row<'_>) -> rusqlite::Result<bool> {
        let mut bytes = ROW_BYTES;
        for column in 0..row.as_ref().column_count() {
            if let ValueRef::Text(text) | ValueRef::Blob(text) = row.get_ref(column)? {
                bytes = bytes.saturating_add(text.len());
            }
        }
        self.is_full |= bytes > self.left;
        self.left = self.left.saturating_sub(bytes);
        Ok(!self.is_full)
    }
}

/// Reads a run with its jobs and commands; `None` if it does not exist.
fn rows_of(opened: &Opened, id: &RunId, room: &mut Room) -> rusqlite::Result<Option<RunRows>> {
    let connection = &opened.access.connection;
    let sql = format!("SELECT {RUN_COLUMNS} FROM v_runs WHERE id = ?1 LIMIT 1");
    let Some(mut run) = collect(connection, &sql, [id.as_str()], room, run)?.pop() else {
        return Ok(None);
    };
    let sql = "SELECT name, value FROM v_variables WHERE run_id = ?1 ORDER BY name";
    run.details.variables = collect(connection, sql, [id.as_str()], room, variable)?;
    // The jobs are sorted here, because SQLite would need memory for a second copy of the rows.
    let sql = format!("SELECT {JOB_COLUMNS}, place FROM v_jobs WHERE run_id = ?1");
    let placed = |row: &Row<'_>| Ok((integer(row, 7)?, job(row)?));
    let mut jobs = collect(connection, &sql, [id.as_str()], room, placed)?;
    jobs.sort_by(|(place, job), (other_place, other)| {
        (place.is_none(), place, &job.id).cmp(&(other_place.is_none(), other_place, &other.id))
    });
    let sql = format!("SELECT {SH_COLUMNS}, place FROM v_shs WHERE run_id = ?1");
    let placed =
        |row: &Row<'_>| Ok((integer(row, 20)?, JobId(text(row, 0)?.unwrap_or_default()), sh(row)?));
    let mut shs = collect(connection, &sql, [id.as_str()], room, placed)?;
    shs.sort_by_key(|(place, _, sh)| (sh.n.is_none(), place.is_none(), *place, sh.started_at));
    let jobs = jobs.into_iter().map(|(_, job)| job).collect();
    let shs = shs.into_iter().map(|(_, job, sh)| (job, sh)).collect();
    Ok(Some(RunRows {
        run,
        jobs: by_job(jobs, shs),
        ours: opened.dialect.ours,
        is_cut: room.is_full,
    }))
}

/// Defines two SQL functions. `outcome(state, reason)` is [`Outcome::from_word`], so the meaning of
/// a state is defined in one place. `is_name(id)` is true for valid UTF-8 text: a run with any
/// other id could be neither displayed nor looked up.
pub(super) fn define_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("outcome", 2, flags, |context| {
        let word = |place| context.get_raw(place).as_str().ok();
        Ok(word(0).and_then(|state| Outcome::from_word(state, word(1))).map(outcome_code))
    })?;
    connection.create_scalar_function("is_name", 1, flags, |context| {
        Ok(context.get_raw(0).as_str().is_ok())
    })
}

/// Groups commands by job. Adds a job for commands whose job has no row.
fn by_job(jobs: Vec<Job>, shs: Vec<(JobId, Sh)>) -> Vec<(Job, Vec<Sh>)> {
    let mut jobs: Vec<(Job, Vec<Sh>)> = jobs.into_iter().map(|job| (job, Vec::new())).collect();
    let mut places: HashMap<JobId, usize> =
        jobs.iter().enumerate().map(|(place, (job, _))| (job.id.clone(), place)).collect();
    for (job_id, sh) in shs {
        let place = *places.entry(job_id).or_insert_with_key(|id| {
            let place = jobs.len();
            jobs.push((Job::without_row(id.clone()), Vec::new()));
            place
        });
        if let Some((_, shs)) = jobs.get_mut(place) {
            shs.push(sh);
        }
    }
    jobs
}

/// Reads rows until the memory for them is used up.
fn collect<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    room: &mut Room,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    collect_rows(&mut connection.prepare(sql)?, params, room, read)
}

/// Calls [`collect`] with a statement that is used several times.
fn collect_rows<T>(
    statement: &mut Statement<'_>,
    params: impl Params,
    room: &mut Room,
    mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut found = Vec::new();
    let mut rows = statement.query(params)?;
    while let Some(row) = rows.next()? {
        if !room.take(row)? {
            break;
        }
        found.push(read(row)?);
    }
    Ok(found)
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
        in_database: true,
        details: RunDetails {
            is_open: integer(row, 9)? == Some(1),
            name: said(row, 10)?,
            subject: said(row, 11)?,
            author: said(row, 12)?,
            event: said(row, 13)?,
            url: said(row, 14)?,
            attempt: integer(row, 15)?,
            ci_job: said(row, 16)?,
            runner: said(row, 17)?,
            repeats: said(row, 18)?.map(RunId),
            traceparent: said(row, 19)?,
            variables: Vec::new(),
        },
    })
}

fn variable(row: &Row<'_>) -> rusqlite::Result<(String, String)> {
    Ok((text(row, 0)?.unwrap_or_default(), text(row, 1)?.unwrap_or_default()))
}

fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        id: JobId(text(row, 0)?.unwrap_or_default()),
        state: text(row, 1)?,
        exit_code: integer(row, 2)?,
        started_at: time(row, 3)?,
        finished_at: time(row, 4)?,
        in_database: true,
        needs: text(row, 5)?.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default(),
        allow_failure: integer(row, 6)? == Some(1),
    })
}

/// Reads a command from [`SH_COLUMNS`]; column 0 is its job.
pub(super) fn sh(row: &Row<'_>) -> rusqlite::Result<Sh> {
    let ended_by = said(row, 17)?;
    // The exit code of a lost command only fills the column.
    let is_lost = ended_by.as_deref() == Some(LOST);
    Ok(Sh {
        origin: if integer(row, 1)?.is_some() { Origin::Call } else { Origin::Row },
        n: integer(row, 1)?.and_then(|n| u32::try_from(n).ok()),
        cmd: text(row, 2)?.unwrap_or_default(),
        cwd: said(row, 3)?,
        pid: integer(row, 4)?,
        started_at: time(row, 5)?,
        finished_at: time(row, 6)?,
        exit_code: integer(row, 7)?.filter(|_| !is_lost),
        signal: integer(row, 8)?.and_then(|signal| i32::try_from(signal).ok()),
        cpu_ms: integer(row, 9)?,
        max_rss_bytes: integer(row, 10)?,
        lost_bytes: integer(row, 11)?,
        log_bytes: integer(row, 12)?,
        start_error: said(row, 13)?,
        shell: text(row, 14)?.and_then(|json| serde_json::from_str(&json).ok()),
        output: said(row, 15)?,
        attempt: integer(row, 16)?,
        ended_by,
        cut_at: integer(row, 18)?,
        cut_bytes: integer(row, 19)?,
        is_abandoned: false,
    })
}

pub(super) fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => None,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
    })
}

/// Reads text; `None` if it is NULL or empty. A `NOT NULL` column contains empty text if the value
/// is unknown.
fn said(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(text(row, column)?.filter(|text| !text.is_empty()))
}

pub(super) fn integer(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<i64>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Integer(number) => Some(number),
        _ => None,
    })
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Time>> {
    Ok(integer(row, column)?.map(Time::from_millis))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Creates a database that is too large to be copied into memory. No connection has it open.
    fn large_database(path: &Path, runs: &str) {
        let schema = include_str!("../../fixtures/stores/quire-schema-steps/v11.sql");
        let connection = Connection::open(path).unwrap();
        connection.execute_batch(schema).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE ballast(x)").unwrap();
        // SQLite's memory limit applies to all tests of this process together.
        let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20) \
                    SELECT zeroblob(1 << 20) FROM n";
        connection.execute_batch(&format!("INSERT INTO ballast {rows}")).unwrap();
        connection.execute_batch(runs).unwrap();
    }

    fn ids(reader: &Reader) -> Vec<String> {
        let page = RunPage { limit: 2, ..RunPage::default() };
        reader.runs(&page).unwrap().unwrap().into_iter().map(|listed| listed.run.id.0).collect()
    }

    fn add(path: &Path, id: &str) {
        let sql = "INSERT INTO runs(id, repo, ref_name, sha, pushed_at_ms, created_at) \
                   VALUES (?1, 'r', '', '', 9e12, 0)";
        Connection::open(path).unwrap().execute(sql, [id]).unwrap();
    }

    /// Sets the time of a file's last change far into the past, so that the next change gives
    /// another stamp.
    fn settle(path: &Path) {
        let long_ago = std::time::SystemTime::now() - Duration::from_secs(9);
        fs::File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }

    #[test]
    fn a_large_changed_database_is_copied_again_and_never_blocks_its_writer() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("quire.db");
        large_database(&path, "");
        settle(&path);
        let reader = Reader::new(&path);
        let before = ids(&reader);
        assert!(reader.kept.borrow().is_some(), "it is not opened again for each reading");
        add(&path, "new");
        assert_eq!(ids(&reader), ["new".to_owned(), before[0].clone()]);
        settle(&path);
        assert_eq!(ids(&reader)[0], "new");
        fs::remove_file(&path).unwrap();
        assert!(reader.runs(&RunPage::default()).is_err());
        large_database(&path, "DELETE FROM runs");
        assert!(ids(&reader).is_empty(), "another one took its place");
        let names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["quire.db"], "nothing is left behind");
    }

    #[test]
    fn a_wal_left_by_a_crash_is_read_in_place_and_reported() {
        let dir = tempfile::TempDir::new().unwrap();
        let (path, crashed) = (dir.path().join("quire.db"), dir.path().join("crashed.db"));
        large_database(&path, "");
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch("SELECT count(*) FROM runs").unwrap();
        add(&path, "in the wal");
        for suffix in ["", "-wal"] {
            let file = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
            fs::copy(file(&path), file(&crashed)).unwrap();
            settle(&file(&crashed));
        }
        drop(writer);
        let reader = Reader::new(&crashed);
        assert_eq!(ids(&reader)[0], "in the wal");
        assert!(reader.notices().concat().contains("its -wal file is left over from a crash"));
        assert!(reader.kept.borrow().is_none(), "no lock outlives a reading");
        let mut names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(
            names,
            ["crashed.db", "crashed.db-wal", "quire.db"],
            "nothing is added and nothing tidied away"
        );
    }

    #[test]
    fn a_command_that_is_only_in_sh_events_is_read_from_our_stores() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("rundown.db");
        let mut connection = Connection::open(&path).unwrap();
        super::super::schema::migrate(&mut connection, &path).unwrap();
        let rows = "INSERT INTO runs(id, repo, ref_name, sha, pushed_at_ms, state, queued_at_ms,
                                     workspace_path)
                      VALUES ('r', '', '', '', 1, 'pending', 1, '');
                    INSERT INTO jobs(run_id, job_id, state)
                      VALUES ('r', 'both', 'pending'), ('r', 'old', 'pending');
                    INSERT INTO sh_calls(run_id, job_id, n, started_at_ms, cmd, cwd)
                      VALUES ('r', 'both', 1, 30, 'first', '');
                    INSERT INTO sh_events
                      VALUES ('r', 'both', 30, 31, 0, 'first'), ('r', 'both', 20, 21, 7, 'alone'),
                             ('r', 'old', 50, 51, 0, 'written first'),
                             ('r', 'old', 40, 41, 0, 'then')";
        connection.execute_batch(rows).unwrap();
        let reader = Reader::new(&path);
        let run = reader.run(&RunId("r".into())).unwrap().unwrap();
        let of = |job: usize| {
            run.jobs[job].1.iter().map(|sh| (sh.n, &sh.cmd[..], sh.exit_code)).collect::<Vec<_>>()
        };
        assert_eq!(of(0), [(Some(1), "first", Some(0)), (None, "alone", Some(7))]);
        assert_eq!(of(1), [(None, "written first", Some(0)), (None, "then", Some(0))]);

        define_functions(&connection).unwrap();
        dialect::define_views(&connection, &path).unwrap();
        let mut plan = connection
            .prepare("EXPLAIN QUERY PLAN SELECT * FROM v_shs WHERE run_id = 'r'")
            .unwrap();
        let steps = plan.query_map((), |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<String> = steps.map(|step| step.unwrap()).collect();
        assert!(!steps.iter().any(|step| step.contains("SCAN main")), "{steps:?}");
    }

    #[test]
    fn a_lock_is_awaited_only_once() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("quire.db");
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch("CREATE TABLE runs(id); BEGIN EXCLUSIVE").unwrap();
        let reader = Reader::new(&path);
        assert_eq!(reader.lock_timeout(), access::LOCK_TIMEOUT);
        assert!(matches!(reader.runs(&RunPage::default()), Err(Error::Locked { .. })));
        assert_eq!(reader.lock_timeout(), SHORT_LOCK_TIMEOUT);
        drop(writer);
        assert!(ids(&reader).is_empty());
        assert_eq!(reader.lock_timeout(), access::LOCK_TIMEOUT);
    }

    #[test]
    fn runs_with_invalid_names_are_skipped() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("quire.db");
        // The sort column and the repository may contain anything.
        let runs = "CREATE TABLE runs(id, repo NOT NULL, pushed_at_ms NOT NULL);
                    CREATE INDEX by_repo ON runs(repo, pushed_at_ms);
                    INSERT INTO runs
                      VALUES ('a', 'r', 1), (x'62', 'r', 2), (CAST(x'ff' AS TEXT), 'r', 3),
                             (4, 'r', 4), ('e', 'r', CAST(x'fe' AS TEXT)),
                             ('f', CAST(x'fd' AS TEXT), x'00')";
        Connection::open(&path).unwrap().execute_batch(runs).unwrap();
        let reader = Reader::new(&path);
        let mut listed = Vec::new();
        let mut beside = None;
        loop {
            let page = RunPage { limit: 1, beside, ..RunPage::default() };
            let Some(next) = reader.runs(&page).unwrap().unwrap().pop() else { break };
            assert!(reader.run(&next.run.id).unwrap().is_some());
            listed.push(next.run.id.0.clone());
            beside = Some(Beside::Older(next.run.id));
        }
        assert_eq!(listed, ["f", "e", "a"]);
    }

    #[test]
    fn a_view_that_never_ends_is_canceled() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("quire.db");
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                       SELECT CAST(i AS TEXT) AS id FROM n";
        Connection::open(&path)
            .unwrap()
            .execute_batch(&format!("CREATE VIEW runs AS {endless}"))
            .unwrap();
        let reader =
            Reader { time_left: Cell::new(Duration::from_millis(20)), ..Reader::new(&path) };
        for _ in 0..2 {
            assert!(matches!(
                reader.runs(&RunPage { limit: 2, ..RunPage::default() }),
                Err(Error::TooLong { .. })
            ));
            assert_eq!(
                reader.time_left.get(),
                Duration::ZERO,
                "the second reading has no time of its own"
            );
        }
        reader.extend_for_all();
        assert_eq!(
            reader.time_left.get(),
            Duration::ZERO,
            "a small database has no more time for all of it"
        );
        reader.renew();
        assert_eq!(reader.time_left.get(), limits::BUDGET);
    }

    #[test]
    fn a_run_with_too_many_rows_is_read_in_part() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("quire.db");
        let sql = "CREATE TABLE runs(id); CREATE TABLE jobs(run_id, job_id);
                   CREATE TABLE sh(run_id, job_id, started_at_ms, cmd);
                   INSERT INTO runs VALUES ('a'), ('b'), ('c');
                   INSERT INTO sh SELECT 'a', 'j', value, zeroblob(1000)
                     FROM json_each('[3, 1, 2]');
                   INSERT INTO sh SELECT 'b', 'j', value, zeroblob(1000)
                     FROM json_each('[3, 1, 2, 4, 5, 6]')";
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let ids = ["a", "b", "c"].map(|id| RunId(id.into()));
        let reader = Reader { most_bytes: 6_000, ..Reader::new(&path) };
        let (runs, read) = reader.runs_with_rows(&ids).unwrap();
        assert_eq!((runs.len(), read, runs[0].is_cut), (1, 1, false));
        let (runs, read) = reader.runs_with_rows(&ids[1..]).unwrap();
        assert_eq!((runs.len(), read, runs[0].is_cut), (1, 1, true));
        let starts: Vec<_> =
            runs[0].jobs[0].1.iter().map(|sh| sh.started_at.unwrap().floor_millis()).collect();
        assert_eq!(starts, [3, 1, 2, 4], "in the order of their writing");
        let (runs, read) = reader.runs_with_rows(&ids[2..]).unwrap();
        assert_eq!((runs.len(), read, runs[0].is_cut), (1, 1, false));
        let page = RunPage { limit: 3, ..RunPage::default() };
        assert!(reader.runs(&page).is_ok());
        Connection::open(&path)
            .unwrap()
            .execute_batch(
                "ALTER TABLE runs ADD COLUMN repo; UPDATE runs SET repo = zeroblob(9000)",
            )
            .unwrap();
        let error = reader.runs(&page).err().unwrap();
        assert!(
            error.to_string().contains("its runs contain too much text") && error.exit_code() == 6,
            "{error}"
        );
    }
}
