//! Completion of interrupted runs. Their recorder was killed, so their rows have no end.
//!
//! A command ends at the time of the last record of its log, and the run at its last event. The
//! logs stay as they are, even if the last line of one is incomplete.

use std::fs;
use std::path::Path;

use super::files::{RunDir, StoreFiles, may_continue};
use super::lost::add_lost_rows;
use super::prune::resume;
use crate::error::{Error, Result, line};
use crate::file::FilePath;
use crate::log::{LogFile, RunHold, path};
use crate::model::RunId;
use crate::store::{LostEnd, LostSh, RunRow, RunRowFilter, Writer};
use crate::time::Time;

/// An interrupted run that is now finished.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repaired {
    /// Its id.
    pub run: RunId,
    /// The number of its commands that had no end.
    pub commands: usize,
    /// The number of its jobs that had no end.
    pub jobs: usize,
}

/// The result of a repair.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Repairs {
    /// The runs that were interrupted and are now finished, newest first.
    pub repaired: Vec<Repaired>,
    /// The number of removed runs whose files are now deleted.
    pub removals: u64,
    /// The runs that could not be repaired, with the reason. Untrusted text.
    pub failures: Vec<String>,
}

/// Completes the interrupted runs that match a filter, and then the interrupted removals of runs. A
/// run that cannot be repaired does not affect the others.
///
/// # Errors
/// If the store cannot be used or is not rundown's own.
pub fn repair(root: &Path, filter: &RunRowFilter, now: Time) -> Result<Repairs> {
    let files = StoreFiles::open(root)?;
    let mut writer = Writer::open_for_upkeep(&files.database())?;
    let mut repairs = Repairs::default();
    for row in writer.run_rows(filter)?.iter().filter(|row| row.finished_at.is_none()) {
        match repair_run(&files, &mut writer, row, now) {
            Ok(repaired) => repairs.repaired.extend(repaired),
            Err(error) => repairs.failures.push(format!(
                "run {} was not repaired: {}",
                row.id.short(),
                line(&error)
            )),
        }
    }
    drop(writer);
    let resumed = resume(files, now)?;
    repairs.removals = resumed.resumed;
    repairs.failures.extend(resumed.failures);
    Ok(repairs)
}

/// Completes a run. Returns `None` if it has ended or may still continue.
fn repair_run(
    files: &StoreFiles,
    writer: &mut Writer,
    row: &RunRow,
    now: Time,
) -> Result<Option<Repaired>> {
    let run = files.run(row)?;
    let _hold = match &run {
        Some(run) => match RunHold::take(&run.dir, true).map_err(Error::io("lock", &run.path))? {
            Some(hold) => Some(hold),
            None => return Ok(None),
        },
        None => None,
    };
    // The run may have changed before its lock was taken.
    let Some(row) = writer.run_row(&row.id)?.filter(|row| row.finished_at.is_none()) else {
        return Ok(None);
    };
    if may_continue(run.as_ref(), &row, now)? {
        return Ok(None);
    }
    if let Some(run) = &run {
        add_lost_rows(writer, &row.id, &path::RunDir::named(run.path.clone())?)?;
    }
    let end = |sh| end_of(run.as_ref(), sh);
    let ends: Vec<LostEnd> = writer.lost_shs(&row.id)?.into_iter().map(end).collect();
    let jobs = writer.end_lost_run(&row.id, &ends)?;
    Ok(Some(Repaired { run: row.id, commands: ends.len(), jobs }))
}

/// Determines the end of a command from its log.
fn end_of(run: Option<&RunDir>, sh: LostSh) -> LostEnd {
    let log = run.and_then(|run| {
        let log = path::sh_log(&path::job_dir(&run.path, &sh.job)?, sh.n);
        let within = fs::canonicalize(&run.path).ok()?;
        LogFile::open(&FilePath::found(log, within.into()).into()).ok()
    });
    let last_at = log.as_ref().and_then(|log| log.last_time().ok().flatten());
    let log_bytes = log.and_then(|log| i64::try_from(log.bytes()).ok());
    LostEnd { last_at: last_at.unwrap_or(sh.started_at).max(sh.started_at), log_bytes, sh }
}
