//! Removal of runs that exceed the limits.
//!
//! ```text
//! .trash/                          the directories of runs whose removal has begun
//! last-prune                       locked while a process removes runs; its time is that of the
//!                                  last removal by a recorder
//! ```
//!
//! A run is removed in this order: its lock is taken, its rows are deleted in a transaction, its
//! directory is moved to `.trash`, the transaction is committed, and the directory is deleted. So
//! readers see the run with its rows and its logs, or not at all, except between the move and the
//! commit. A process that is killed leaves a run in `.trash`, possibly with its rows; the next
//! removal deletes both. The commit is on the disk before a file is deleted.
//!
//! `.trash` is outside of `runs`, so no reader lists it. The directories of repositories stay, even
//! if they are empty, because a recorder may be about to use them.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::due::{LAST_PRUNE, open_last_prune};
use super::files::{RunDir, StoreFiles, may_continue};
use super::plan::{Candidate, Limits, plan};
use crate::error::{Error, Result, line};
use crate::file::Dir;
use crate::log::RunHold;
use crate::model::RunId;
use crate::store::{RunRow, RunRowFilter, Writer, read_run_rows};
use crate::time::Time;

/// The directory for runs whose removal has begun.
const TRASH: &str = ".trash";

/// A request to remove runs.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Request {
    /// The limits. They apply to the runs that match the filter, as if there were no other runs.
    pub limits: Limits,
    /// The filter.
    pub filter: RunRowFilter,
    /// True if the runs to remove are only reported. Nothing is written then.
    pub dry_run: bool,
}

/// A run that was removed, or would be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Removal {
    /// Its row.
    pub run: RunRow,
    /// The disk space of its files.
    pub bytes: u64,
}

/// The result of a request.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Pruned {
    /// The number of runs that match the filter.
    pub matching: usize,
    /// The number of runs that were removed.
    pub runs: u64,
    /// The disk space of their files.
    pub bytes: u64,
    /// The number of runs whose removal another process had begun, and this one completed.
    pub resumed: u64,
    /// The runs that should have been removed, but are in use.
    pub in_use: Vec<RunId>,
    /// The runs that could not be removed, with the reason. Untrusted text.
    pub failures: Vec<String>,
}

/// A function that receives each run after its removal. An error ends the removal of runs.
pub type Report<'a> = &'a mut dyn FnMut(&Removal) -> Result<()>;

/// Removes the runs that exceed the limits, oldest first. A run that cannot be removed does not
/// affect the others.
///
/// # Errors
/// If the store cannot be used or is not rundown's own, if another process is removing runs, or if
/// `report` fails.
pub fn prune(root: &Path, request: &Request, now: Time, report: Report<'_>) -> Result<Pruned> {
    let files = StoreFiles::open(root)?;
    if request.dry_run {
        let rows = read_run_rows(&files.database(), &request.filter)?;
        let mut pruned = Pruned { matching: rows.len(), ..Pruned::default() };
        for (run, bytes) in to_remove(&files, &request.limits, rows, now) {
            let bytes = bytes.unwrap_or_else(|| occupied_bytes(&files, &run));
            pruned.count(&Removal { run, bytes }, report)?;
        }
        return Ok(pruned);
    }
    let Some(_lock) = lock(&files)? else {
        let why = "another process is removing runs from it; try again later";
        return Err(Error::io("prune", root)(io::Error::new(ErrorKind::WouldBlock, why)));
    };
    let mut pruner = Pruner::start(files, now)?;
    pruner.prune(request, report)?;
    // The space is used again even if the database is not compacted now.
    let _ = pruner.writer.compact();
    Ok(pruner.pruned)
}

/// Completes the removals that were interrupted. Does nothing while another process is removing
/// runs.
pub(super) fn resume(files: StoreFiles, now: Time) -> Result<Pruned> {
    match files.dir.open(TRASH) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Pruned::default()),
        trash => drop(trash.map_err(Error::io("open", files.path(TRASH)))?),
    }
    let Some(_lock) = lock(&files)? else { return Ok(Pruned::default()) };
    Ok(Pruner::start(files, now)?.pruned)
}

/// Locks the store for the removal of runs. Returns `None` if another process holds the lock.
fn lock(files: &StoreFiles) -> Result<Option<File>> {
    let (lock, _) = open_last_prune(files)?;
    let is_held = matches!(lock.try_lock(), Err(TryLockError::WouldBlock));
    Ok((!is_held).then_some(lock))
}

/// Returns the number of runs in a store whose removal was begun and not completed. Returns 0 while
/// a process is removing runs.
///
/// # Errors
/// If the store cannot be read.
pub fn count_leftovers(root: &Path) -> Result<usize> {
    let names = Dir::named(root).and_then(|dir| {
        let is_locked = || {
            let lock = dir.file(LAST_PRUNE).ok();
            lock.is_some_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
        };
        let count = dir.open(TRASH).and_then(|trash| trash.names()).map(|names| names.len())?;
        Ok(if is_locked() { 0 } else { count })
    });
    match names {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        count => count.map_err(Error::io("read", root.join(TRASH))),
    }
}

impl Pruned {
    fn count(&mut self, removal: &Removal, report: Report<'_>) -> Result<()> {
        self.runs = self.runs.saturating_add(1);
        self.bytes = self.bytes.saturating_add(removal.bytes);
        report(removal)
    }
}

/// Returns the runs to remove, oldest first, and their sizes if they were needed for that.
fn to_remove(
    files: &StoreFiles,
    limits: &Limits,
    rows: Vec<RunRow>,
    now: Time,
) -> Vec<(RunRow, Option<u64>)> {
    let bytes = |row| limits.max_bytes.map(|_| occupied_bytes(files, row));
    let sizes: Vec<Option<u64>> = rows.iter().map(bytes).collect();
    let candidate = |(row, bytes): (&RunRow, &Option<u64>)| Candidate {
        age_ms: now.millis_since(row.last_at),
        bytes: bytes.unwrap_or(0),
        has_failed: row.has_failed,
        is_active: files.is_active(row, now),
    };
    let candidates: Vec<Candidate> = rows.iter().zip(&sizes).map(candidate).collect();
    let planned = plan(limits, &candidates);
    let runs = rows.into_iter().zip(sizes).zip(planned).rev();
    runs.filter(|(_, is_removed)| *is_removed).map(|(run, _)| run).collect()
}

/// Returns the disk space of a run. A directory that cannot be read counts as empty; the attempt to
/// remove it reports the reason.
fn occupied_bytes(files: &StoreFiles, row: &RunRow) -> u64 {
    let run = files.run(row).ok().flatten();
    run.and_then(|run| run.dir.occupied_bytes().ok()).unwrap_or(0)
}

/// The removal of runs by this process, which holds the lock `last-prune`.
pub(super) struct Pruner {
    files: StoreFiles,
    writer: Writer,
    now: Time,
    pub pruned: Pruned,
}

impl Pruner {
    /// Opens the database, and completes the removals that were interrupted.
    pub fn start(files: StoreFiles, now: Time) -> Result<Self> {
        let writer = Writer::open_for_upkeep(&files.database())?;
        let mut pruner = Self { files, writer, now, pruned: Pruned::default() };
        pruner.resume()?;
        Ok(pruner)
    }

    /// Removes the runs that exceed the limits.
    pub fn prune(&mut self, request: &Request, report: Report<'_>) -> Result<()> {
        let rows = self.writer.run_rows(&request.filter)?;
        self.pruned.matching = rows.len();
        for (run, _) in to_remove(&self.files, &request.limits, rows, self.now) {
            match self.remove(&run) {
                Ok(Some(bytes)) => self.pruned.count(&Removal { run, bytes }, report)?,
                Ok(None) => self.pruned.in_use.push(run.id),
                Err(error) => {
                    let failure =
                        format!("run {} was not removed: {}", run.id.short(), line(&error));
                    self.pruned.failures.push(failure);
                }
            }
        }
        Ok(())
    }

    /// Removes a run, and returns the disk space of its files. Returns `None` if it is in use or
    /// has vanished.
    fn remove(&mut self, planned: &RunRow) -> Result<Option<u64>> {
        let Some(run) = self.files.run(planned)? else {
            self.writer.remove_run(&planned.id, || Ok(()), || ())?;
            return Ok(Some(0));
        };
        let hold = RunHold::take(&run.dir, planned.finished_at.is_none());
        let hold = hold.map_err(Error::io("lock", &run.path))?;
        // The run may have changed before its lock was taken.
        let Some((_hold, row)) = hold.zip(self.writer.run_row(&planned.id)?) else {
            return Ok(None);
        };
        if may_continue(Some(&run), &row, self.now)? {
            return Ok(None);
        }
        let bytes = run.dir.occupied_bytes().map_err(Error::io("read", &run.path))?;
        self.move_and_delete(&run, &row)?;
        Ok(Some(bytes))
    }

    fn move_and_delete(&mut self, run: &RunDir, row: &RunRow) -> Result<()> {
        let trash = self.files.dir.create_private(TRASH).map_err(self.failed("open"))?;
        let move_files =
            || run.parent.move_to(&run.name, &trash).map_err(Error::io("move", &run.path));
        let move_back = || _ = trash.move_to(&run.name, &run.parent);
        self.writer.remove_run(&row.id, move_files, move_back)?;
        self.delete(&trash, &run.name)?;
        let _ = self.files.dir.remove_empty(TRASH);
        Ok(())
    }

    fn delete(&self, trash: &Dir, name: &OsStr) -> Result<()> {
        trash.remove_all(name).map_err(self.failed("delete files in"))
    }

    /// Completes the removals that were interrupted. A run in `.trash` that also has a directory
    /// among the other runs keeps its rows.
    fn resume(&mut self) -> Result<()> {
        let trash = match self.files.dir.open(TRASH) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            trash => trash.map_err(self.failed("open"))?,
        };
        for name in trash.names().map_err(self.failed("read"))? {
            match self.resume_one(&trash, &name) {
                Ok(()) => self.pruned.resumed = self.pruned.resumed.saturating_add(1),
                Err(error) => self.pruned.failures.push(line(&error)),
            }
        }
        let _ = self.files.dir.remove_empty(TRASH);
        Ok(())
    }

    fn resume_one(&mut self, trash: &Dir, name: &OsStr) -> Result<()> {
        if let Some(row) = self.row_named(name)?
            && self.files.run(&row)?.is_none()
        {
            self.writer.remove_run(&row.id, || Ok(()), || ())?;
        }
        self.delete(trash, name)
    }

    fn row_named(&self, name: &OsStr) -> Result<Option<RunRow>> {
        let id = name.to_str().map(|name| RunId(name.to_owned()));
        id.map_or(Ok(None), |id| self.writer.run_row(&id))
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(io::Error) -> Error + use<> {
        Error::io(doing, self.files.path(TRASH))
    }
}
