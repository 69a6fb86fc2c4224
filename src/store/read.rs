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

use super::access::{self, Access};
use super::dialect::{self, Dialect};
use super::files::Stamp;
use super::page::{self, Beside, RunPage, outcome_code};
use crate::error::{Error, Result};
use crate::model::{Job, JobId, Origin, Outcome, Run, RunId, Sh};
use crate::time::Time;

/// How much longer a reading that is begun again, because the database changed under it, waits each time.
const PAUSE: Duration = Duration::from_millis(1);

/// How long a database that was locked the last time is waited for: whoever asks again knows already.
const SHORT_PATIENCE: Duration = Duration::from_millis(100);

/// A database, looked at without being changed. Between readings it holds no lock on it, at most a private copy of it or a connection
/// that takes no locks.
pub struct Reader {
    path: PathBuf,
    seen: Option<Stamp>,
    /// What was read last, if it can be read again while the database looks as it did then.
    kept: RefCell<Option<(Stamp, Opened)>>,
    /// What was to be said of the database when it was opened last.
    told: RefCell<Vec<String>>,
    was_locked: Cell<bool>,
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
    /// Its jobs in order of execution, and each one's commands in the order in which their rows were written.
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

const RUN_COLUMNS: &str = "id, repo, ref_name, sha, state, reason, queued_at_ms, started_at_ms, finished_at_ms";

impl Reader {
    /// A reader of a database that may not be there yet: it is looked at when something is asked.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let (path, was_locked) = (path.to_owned(), Cell::default());
        Self { path, seen: None, kept: RefCell::default(), told: RefCell::default(), was_locked }
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

    /// A page of runs, newest first; `None` when the run that it lies beside is not there (any more).
    ///
    /// # Errors
    /// When the database cannot be read; so for every method here.
    pub fn runs(&self, page: &RunPage) -> Result<Option<Vec<ListedRun>>> {
        self.read(|opened| {
            let (connection, dialect) = (&opened.access.connection, &opened.dialect);
            let Some(query) = page::query(connection, dialect, RUN_COLUMNS, page)? else { return Ok(None) };
            let mut runs = collect(connection, &query.sql, query.params(), run)?;
            if let Some(Beside::Newer(_)) = page.beside {
                runs.reverse();
            }
            Ok(Some(runs.into_iter().map(|run| ListedRun { run, ours: dialect.ours }).collect()))
        })
    }

    /// A run with its jobs and commands.
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn run(&self, id: &RunId) -> Result<Option<RunRows>> {
        self.read(|opened| {
            let connection = &opened.access.connection;
            let sql = format!("SELECT {RUN_COLUMNS} FROM v_runs WHERE id = ?1");
            let Some(run) = collect(connection, &sql, [id.as_str()], run)?.pop() else { return Ok(None) };
            let mut jobs: Vec<(Job, Vec<Sh>)> = collect(
                connection,
                "SELECT job_id, state, exit_code, started_at_ms, finished_at_ms FROM v_jobs WHERE run_id = ?1
                 ORDER BY place IS NULL, place, job_id",
                [id.as_str()],
                |row| Ok((job(row)?, Vec::new())),
            )?;
            let shs = collect(
                connection,
                "SELECT job_id, n, cmd, cwd, pid, started_at_ms, finished_at_ms, exit_code, signal, cpu_ms, max_rss_bytes, lost_bytes
                 FROM v_shs WHERE run_id = ?1 ORDER BY place IS NULL, place, started_at_ms",
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
            Ok(Some(RunRows { run, jobs, ours: opened.dialect.ours }))
        })
    }

    /// Those of some runs, by repository and id, that the database does not have.
    #[expect(clippy::missing_errors_doc, reason = "see runs")]
    pub fn unknown(&self, runs: Vec<(String, RunId)>) -> Result<Vec<(String, RunId)>> {
        let known: Vec<bool> = self.read(|opened| {
            let mut known = opened.access.connection.prepare("SELECT 1 FROM v_runs WHERE id = ?1")?;
            runs.iter().map(|(_, id)| known.exists([id.as_str()])).collect()
        })?;
        Ok(runs.into_iter().zip(known).filter(|(_, is_known)| !is_known).map(|(run, _)| run).collect())
    }

    /// What a user should know of how this database was read.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.told.borrow().clone()
    }

    /// Runs `work` on a connection in one read transaction; again when an unlocked database changed meanwhile.
    fn read<T>(&self, work: impl Fn(&Opened) -> rusqlite::Result<T>) -> Result<T> {
        let failed = || Error::database("read", &self.path);
        let patience = if self.was_locked.get() { SHORT_PATIENCE } else { access::PATIENCE };
        let (begun, mut pause) = (Instant::now(), PAUSE);
        loop {
            let before = Stamp::taken(&self.path).map_err(Error::io("open", &self.path))?;
            if let Some((_, kept)) = self.kept.borrow().as_ref().filter(|(stamp, _)| *stamp == before) {
                let read = work(kept).map_err(failed());
                if kept.access.is_copy() || self.stood_still(&before) {
                    return read;
                }
            }
            let left = patience.saturating_sub(begun.elapsed());
            let read = self.begin(left).and_then(|opened| Ok((work(&opened).map_err(failed())?, opened)));
            self.was_locked.set(matches!(read, Err(Error::Locked { .. })));
            let is_last = begun.elapsed() >= patience;
            match read {
                Ok((value, opened)) if opened.access.is_consistent || self.stood_still(&before) => {
                    self.told.replace(self.notices_of(&opened));
                    // What may look like the next state is of no use later.
                    let lasts = |(stamp, opened): &(Stamp, Opened)| opened.access.is_lockless() && stamp.is_settled();
                    self.kept.replace(Some((before, opened)).filter(lasts));
                    return Ok(value);
                }
                Ok(_) if is_last => return Err(Error::Restless { path: self.path.clone() }),
                Err(error) if is_last || self.stood_still(&before) => return Err(error),
                Ok(_) | Err(_) => std::thread::sleep(pause),
            }
            pause += PAUSE;
        }
    }

    fn notices_of(&self, opened: &Opened) -> Vec<String> {
        let how = if opened.access.is_copy() { "in a private copy" } else { "where it lies" };
        let abandoned = opened.access.abandoned.map(|left| {
            let what = format!("its {left} was left by a crash, or the files were copied: it is read too, {how}");
            format!("{}: {what}", self.path.display())
        });
        abandoned.into_iter().chain(opened.dialect.notices.iter().cloned()).collect()
    }

    fn stood_still(&self, since: &Stamp) -> bool {
        Stamp::taken(&self.path).is_ok_and(|now| now == *since)
    }

    /// A connection in a read transaction that knows the views.
    fn begin(&self, patience: Duration) -> Result<Opened> {
        let access = access::open(&self.path, patience)?;
        let dialect = dialect::define_views(&access.connection, &self.path)?;
        define_outcome(&access.connection).map_err(Error::database("read", &self.path))?;
        Ok(Opened { access, dialect })
    }
}

/// Makes [`Outcome::from_word`] known to SQL as `outcome(state, reason)`, so that what a word means is said in one place.
pub(super) fn define_outcome(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("outcome", 2, flags, |context| {
        let word = |place| context.get_raw(place).as_str().ok();
        Ok(word(0).and_then(|state| Outcome::from_word(state, word(1))).map(outcome_code))
    })
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
        in_database: true,
    })
}

fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        id: JobId(text(row, 0)?.unwrap_or_default()),
        state: text(row, 1)?,
        exit_code: integer(row, 2)?,
        started_at: time(row, 3)?,
        finished_at: time(row, 4)?,
        in_database: true,
    })
}

/// Columns from 1; 0 is the job.
fn sh(row: &Row<'_>) -> rusqlite::Result<Sh> {
    Ok(Sh {
        origin: if integer(row, 1)?.is_some() { Origin::Call } else { Origin::Row },
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A database that is too large to be read as a file; nobody has it open.
    fn large_database(path: &Path, runs: &str) {
        let schema = include_str!("../../fixtures/stores/quire-schema-steps/v11.sql");
        let connection = Connection::open(path).unwrap();
        connection.execute_batch(schema).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE ballast(x)").unwrap();
        connection.execute_batch("INSERT INTO ballast VALUES (zeroblob(20 << 20))").unwrap();
        connection.execute_batch(runs).unwrap();
    }

    fn ids(reader: &Reader) -> Vec<String> {
        let page = RunPage { limit: 2, ..RunPage::default() };
        reader.runs(&page).unwrap().unwrap().into_iter().map(|listed| listed.run.id.0).collect()
    }

    fn add(path: &Path, id: &str) {
        let sql =
            "INSERT INTO runs(id, repo, ref_name, sha, pushed_at_ms, created_at) VALUES (?1, 'r', '', '', 9e12, 0)";
        Connection::open(path).unwrap().execute(sql, [id]).unwrap();
    }

    /// Nothing has been written for so long that the next change looks different.
    fn settle(path: &Path) {
        let long_ago = std::time::SystemTime::now() - Duration::from_secs(9);
        fs::File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }

    #[test]
    fn a_large_database_is_read_anew_when_it_changes_and_is_in_nobody_s_way() {
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
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["quire.db"], "nothing is left behind");
    }

    #[test]
    fn a_wal_that_a_crash_left_is_read_where_it_lies_and_said_to_be_there() {
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
        assert!(reader.notices().concat().contains("its -wal was left by a crash"));
        assert!(reader.kept.borrow().is_none(), "no lock outlives a reading");
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["crashed.db", "crashed.db-wal", "quire.db"], "nothing is added and nothing tidied away");
    }
}
