//! The queue of a run's rows, and the thread that writes them in order. A locked or broken database
//! or a slow disk delays a command only briefly ([`SETTLE_TIMEOUT`]).
//!
//! ```text
//! run, execute ── write ──► queue ──► thread: run directory, recorder.lock
//!              ◄─ started, settle, close      ─► open database ─► rows
//! ```
//!
//! Opening a transaction takes longer than adding a row to it. Rows that no caller waits for are
//! therefore collected for a moment ([`COLLECT_TIME`]), and written in one transaction.
//!
//! If the database is locked or the disk is full, the row stays at the head of the queue and is
//! retried, so the rows are written in the order of the events. If a retry would not help (a
//! missing table, a corrupt database), the row is lost, and the next one is written. After
//! [`RowQueue::close`], each pending row still gets one attempt. Only attempts on a locked database
//! are repeated, up to one time limit for all rows.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::ErrorCode;

use super::reserve::Reserve;
use crate::error::{Error, Result, line};
use crate::file::{Identity, dir_of, identity};
use crate::log::path::recorder_lock;
use crate::sanitize;
use crate::store::Writer;

/// The pause before another attempt to write a row to a locked database.
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// The maximum time that a row waits for others, unless a caller waits for it.
const COLLECT_TIME: Duration = Duration::from_millis(10);
/// The pause before another attempt to write a row to a full disk.
const DISK_PAUSE: Duration = Duration::from_secs(1);
/// The maximum time that a command waits for its row before it starts. If a row takes longer, later
/// commands do not wait, until no row is pending.
const SETTLE_TIMEOUT: Duration = Duration::from_millis(100);
/// The time that the thread has to stop after the time limit of [`RowQueue::close`].
const STOP_TIMEOUT: Duration = Duration::from_millis(250);
/// The interval between checks for a signal that ends the waiting at the end of a run.
pub(super) const HURRY_POLL: Duration = Duration::from_millis(20);

/// A function that writes one row. It may be called again after an error.
pub(super) type Write = Box<dyn Fn(&mut Writer) -> Result<()> + Send>;

/// The files of a run, created before its first row.
pub(super) struct RunFiles {
    /// The run's directory.
    pub dir: PathBuf,
    /// The locked `recorder.lock`; `None` if the run was begun by another process.
    pub lock: Option<File>,
    /// Messages for the user about the creation of these files.
    pub warnings: Vec<String>,
}

impl RunFiles {
    /// Removes the files of a run without a row, as far as that is possible. The files of a run
    /// that was begun by another process stay.
    pub fn remove(&self) {
        if self.lock.is_some() {
            remove_run_dir(&self.dir);
        }
    }
}

/// Removes the directory of a run that has no logs.
pub(super) fn remove_run_dir(dir: &Path) {
    let _ = fs::remove_file(recorder_lock(dir));
    let _ = fs::remove_dir(dir.join("jobs"));
    let _ = fs::remove_dir(dir);
}

/// The result of waiting for the beginning of a run.
pub(super) enum RunStart {
    /// Its files and its first row exist.
    Yes(RunFiles),
    /// Its files exist; the database is locked or slow.
    FilesOnly {
        /// The files.
        files: RunFiles,
        /// True if another process has the database locked.
        is_locked: bool,
    },
    /// The store did not respond in time.
    Nothing,
    /// The run cannot be recorded.
    Failed(Error),
}

/// A function that finds the files of a run. It may be called again after an error.
type FindFiles = Box<dyn Fn(&mut Writer) -> Result<RunFiles> + Send>;

/// The way in which the thread begins a run.
pub(super) enum Begin {
    /// Creates a new run: first its files, then its rows.
    Run {
        /// Creates the files.
        files: Box<dyn FnOnce() -> Result<RunFiles> + Send>,
        /// Writes the rows of the run and its jobs.
        rows: Write,
    },
    /// Finds the files of a run that another process began.
    Step(FindFiles),
}

/// The queue of rows, and the thread that writes them.
pub struct RowQueue(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "the thread and its callers wait for each of them"
)]
#[derive(Default)]
struct State {
    files: Option<RunFiles>,
    /// True once the first row is written.
    has_started: bool,
    /// The reason why the run cannot begin.
    refusal: Option<Error>,
    pending: VecDeque<Write>,
    /// True if a caller waits for the pending rows.
    is_awaited: bool,
    is_writing: bool,
    /// True if a command waited for its row until the time limit, and rows are still pending.
    is_behind: bool,
    /// The end of the retries on a locked database; set by [`RowQueue::close`].
    deadline: Option<Instant>,
    /// True if the caller does not wait any more.
    is_abandoned: bool,
    /// True if no row is pending and no more rows will come. The database may still be open.
    is_written: bool,
    /// True if the thread has stopped.
    is_over: bool,
    /// The reason why the current row is retried.
    obstacle: Option<String>,
    /// The first reason why a row was lost.
    failure: Option<String>,
    warnings: Vec<String>,
}

impl RowQueue {
    /// Starts the thread, which opens `database` and begins the run.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(database: PathBuf, begin: Begin) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let theirs = Arc::clone(&shared);
        let work = move || {
            let over = Over(theirs);
            if let Err(error) = work(&over.0, &database, begin) {
                over.0.update(|state| {
                    state.note(&error);
                    state.refusal = Some(error);
                });
            }
        };
        std::thread::Builder::new().name("rows".into()).spawn(work)?;
        Ok(Self(shared))
    }

    /// Waits until the run has started or cannot begin, at most for `timeout`.
    pub fn started(&self, timeout: Duration) -> RunStart {
        let mut state = self.0.wait(timeout, |state| state.has_started || state.is_over);
        let (refusal, files) = (state.refusal.take(), state.files.take());
        let (has_started, is_locked) = (state.has_started, state.obstacle.is_some());
        drop(state);
        match (refusal, files) {
            (Some(error), files) => {
                files.inspect(RunFiles::remove);
                RunStart::Failed(error)
            }
            (None, Some(files)) if has_started => RunStart::Yes(files),
            (None, Some(files)) => RunStart::FilesOnly { files, is_locked },
            (None, None) => RunStart::Nothing,
        }
    }

    /// Adds a row to the queue. Returns at once.
    pub fn write(&self, write: impl Fn(&mut Writer) -> Result<()> + Send + 'static) {
        self.0.update(|state| state.pending.push_back(Box::new(write)));
    }

    /// Returns a function that adds a row to the queue, for another thread.
    pub fn sender(&self) -> impl FnOnce(Write) + Send + use<> {
        let shared = Arc::clone(&self.0);
        move |write| shared.update(|state| state.pending.push_back(write))
    }

    /// Waits for the rows added so far, at most for [`SETTLE_TIMEOUT`], so that a command rarely
    /// starts before its row is written.
    pub fn settle(&self) {
        if self.0.update(|state| {
            state.is_awaited = !state.is_behind;
            state.is_behind
        }) {
            return;
        }
        let mut state = self.0.wait(SETTLE_TIMEOUT, State::is_idle);
        state.is_behind = !state.is_idle();
    }

    /// Waits until all rows are written, `deadline` has passed, or `is_hurried` returns true. In
    /// the last two cases, waits up to [`STOP_TIMEOUT`] more, for the last attempts. Returns
    /// messages for the user.
    pub fn close(
        self,
        run_dir: &Path,
        deadline: Instant,
        is_hurried: impl Fn() -> bool,
    ) -> Vec<String> {
        self.0.update(|state| state.deadline = Some(deadline));
        while !self.0.wait(HURRY_POLL, |state| state.is_over).is_over {
            if is_hurried() || Instant::now() >= deadline {
                self.0.update(|state| state.deadline = Some(Instant::now()));
                break;
            }
        }
        let mut state = self.0.wait(STOP_TIMEOUT, |state| state.is_over);
        state.is_abandoned = true;
        let mut warnings = std::mem::take(&mut state.warnings);
        let obstacle = || {
            state.obstacle.clone().unwrap_or_else(|| "the database did not respond in time".into())
        };
        let is_done = state.is_written || state.is_over;
        let Some(why) = state.failure.clone().or_else(|| (!is_done).then(obstacle)) else {
            return warnings;
        };
        warnings.push(if state.has_started {
            format!("the recording is incomplete: {why}")
        } else {
            format!(
                "the run is not in the database, but its logs are in {}: {why}",
                run_dir.display()
            )
        });
        warnings
    }
}

/// Marks the thread as stopped when it ends, even by a panic.
struct Over(Arc<Shared>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.update(|state| {
            if std::thread::panicking() {
                let bug = Error::Internal("the thread that writes rows panicked".into());
                state.note(&bug);
                state.refusal = Some(bug);
            }
            state.is_over = true;
        });
    }
}

impl Drop for RowQueue {
    fn drop(&mut self) {
        self.0.update(|state| state.is_abandoned = true);
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.is_over || (self.pending.is_empty() && !self.is_writing)
    }

    /// Keeps the first reason why a row was not written.
    fn note(&mut self, error: &Error) {
        self.failure.get_or_insert_with(|| line(error));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.changed.notify_all();
        changed
    }

    fn wait(&self, timeout: Duration, is_done: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let waited =
            self.changed.wait_timeout_while(self.state(), timeout, |state| !is_done(state));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits before the next attempt, for a shorter time once [`RowQueue::close`] is called.
    /// Returns false if there must be no further attempt.
    fn pause(&self, pause: Duration) -> bool {
        let is_closing = |state: &State| state.is_abandoned || state.deadline.is_some();
        let is_open = !is_closing(&self.wait(pause, is_closing));
        if is_open {
            return true;
        }
        let state = self.wait(LOCK_PAUSE, |state| state.is_abandoned);
        !state.is_abandoned && state.deadline.is_some_and(|deadline| Instant::now() < deadline)
    }

    /// Retries an operation until the database is not locked, or until there is no more time.
    fn until_unlocked<T>(&self, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
        loop {
            match attempt() {
                Err(error @ Error::Locked { .. }) => {
                    self.update(|state| state.obstacle = Some(line(&error)));
                    if !self.pause(LOCK_PAUSE) {
                        return Err(error);
                    }
                }
                done => return done,
            }
        }
    }

    /// Waits for the next rows. The result is empty when no more rows will come.
    fn next(&self) -> VecDeque<Write> {
        let is_over = |state: &State| state.is_abandoned || state.deadline.is_some();
        let mut state = self.state();
        while state.pending.is_empty() && !is_over(&state) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let waits = |state: &mut State| !state.is_awaited && !is_over(state);
        let waited = self.changed.wait_timeout_while(state, COLLECT_TIME, waits);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if state.is_abandoned {
            return VecDeque::new();
        }
        state.is_awaited = false;
        state.is_writing = !state.pending.is_empty();
        std::mem::take(&mut state.pending)
    }
}

/// Does the work of the thread: creates the files, opens the database, writes the rows.
fn work(shared: &Shared, database: &Path, begin: Begin) -> Result<()> {
    shared.until_unlocked(|| Writer::check(database))?;
    let Some((mut writer, dir)) = begin_run(shared, database, begin)? else { return Ok(()) };
    let dir = (dir.clone(), identity(&dir));
    let database = (database.to_owned(), identity(database));
    shared.update(|state| {
        state.has_started = true;
        if !writer.is_alone() {
            state.warnings.push(directory_locked(&database.0));
        }
    });
    let mut reserve = Reserve::take(&dir.0);
    loop {
        let rows = shared.next();
        if rows.is_empty() {
            break;
        }
        write_rows(shared, &mut writer, &mut reserve, rows);
    }
    let moved: Vec<String> =
        [database, dir].iter().filter_map(|(path, before)| moved(path, *before)).take(1).collect();
    shared.update(|state| {
        state.warnings.extend(moved);
        state.is_written = true;
    });
    drop(writer);
    Ok(())
}

/// Begins a run. Returns the connection for its rows, and its directory; `None` if the caller does
/// not wait for it any more.
fn begin_run(shared: &Shared, database: &Path, begin: Begin) -> Result<Option<(Writer, PathBuf)>> {
    match begin {
        Begin::Run { files, rows } => {
            let files = files()?;
            let dir = files.dir.clone();
            if shared.state().is_abandoned {
                files.remove();
                return Ok(None);
            }
            shared.update(|state| state.files = Some(files));
            let mut writer = shared.until_unlocked(|| Writer::open(database))?;
            shared.until_unlocked(|| rows(&mut writer))?;
            Ok(Some((writer, dir)))
        }
        Begin::Step(find) => {
            let mut writer = shared.until_unlocked(|| Writer::open(database))?;
            let files = shared.until_unlocked(|| find(&mut writer))?;
            let dir = files.dir.clone();
            shared.update(|state| state.files = Some(files));
            Ok(Some((writer, dir)))
        }
    }
}

/// Writes rows, in one transaction if possible, and else one by one. If a row may succeed later,
/// puts it and the rows after it back for another attempt.
fn write_rows(
    shared: &Shared,
    writer: &mut Writer,
    reserve: &mut Reserve,
    mut rows: VecDeque<Write>,
) {
    let all = |writer: &mut Writer| rows.iter().try_for_each(|row| row(writer));
    if rows.len() > 1 && writer.together(all).is_ok() {
        rows.clear();
    }
    while let Some(row) = rows.pop_front() {
        if !write_row(shared, writer, reserve, &row) {
            rows.push_front(row);
            break;
        }
    }
    shared.update(|state| {
        state.is_writing = false;
        rows.append(&mut state.pending);
        state.pending = rows;
        state.is_behind &= !state.is_idle();
    });
}

/// Writes one row. If that fails, keeps the reason, or returns false if there should be another
/// attempt.
fn write_row(shared: &Shared, writer: &mut Writer, reserve: &mut Reserve, row: &Write) -> bool {
    let is_last = shared.state().deadline.is_some();
    let written = shared.until_unlocked(|| match row(writer) {
        Err(error) if is_passing(&error) => {
            let has_freed = reserve.give_up();
            if has_freed { row(writer) } else { Err(error) }
        }
        written => written,
    });
    let mut is_retried = false;
    if written.as_ref().is_err_and(is_passing) && !is_last {
        is_retried = shared.pause(DISK_PAUSE);
    }
    shared.update(|state| {
        state.obstacle = None;
        if let Err(error) = written
            && !is_retried
        {
            state.note(&error);
        }
    });
    !is_retried
}

/// Returns true if the same row may succeed later: the disk is full, a quota or a limit on file
/// size is reached, or there are no free descriptors.
fn is_passing(error: &Error) -> bool {
    use ErrorCode::{CannotOpen, DiskFull, SystemIoFailure};
    let Error::Database { source, .. } = error else { return false };
    matches!(source.sqlite_error_code(), Some(DiskFull | SystemIoFailure | CannotOpen))
}

fn directory_locked(database: &Path) -> String {
    format!(
        "another process holds a lock on the store's directory (`flock {0} …`?); {1} was updated \
         without waiting for it",
        dir_of(database).display(),
        database.display()
    )
}

/// Returns a message if a file or directory of the recording is no longer at its path, otherwise
/// `None`.
pub(super) fn moved(path: &Path, before: Option<Identity>) -> Option<String> {
    let is_same = before.is_some() && identity(path) == before;
    let path = sanitize::name(&path.to_string_lossy()).into_owned();
    (!is_same).then(|| {
        format!(
            "{path} was removed, moved or replaced during the recording; the records are in the \
             original, if it still exists"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RunDetails, RunId};
    use crate::record::facts::Facts;
    use crate::record::run::new_run;
    use crate::time::Time;

    /// The rows are collected, and one of them can never be written.
    #[test]
    fn a_row_that_fails_does_not_affect_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("rundown.db");
        let files = RunFiles { dir: dir.path().into(), lock: None, warnings: Vec::new() };
        let begin = Begin::Run { files: Box::new(|| Ok(files)), rows: Box::new(|_| Ok(())) };
        let rows = RowQueue::start(database.clone(), begin).unwrap();
        assert!(matches!(rows.started(Duration::from_mins(1)), RunStart::Yes(_)));
        let ids = ["a", "b", "a", "c"].map(|id| RunId(id.into()));
        for id in ids.clone() {
            rows.write(move |writer| {
                let (facts, details) = (Facts::default(), RunDetails::default());
                let at = Time::from_millis(1);
                let run = new_run(&id, &facts, &details, Path::new("/"), at, true);
                writer.begin_run(&run, &[])
            });
        }
        let warnings = rows.close(dir.path(), Instant::now() + Duration::from_mins(1), || false);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("the recording is incomplete: "), "{warnings:?}");
        let mut writer = Writer::open(&database).unwrap();
        for id in &ids {
            assert!(writer.repo_of_unfinished(id).unwrap().is_some(), "{id:?}");
        }
    }
}
