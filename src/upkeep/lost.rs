//! The rows of commands whose recorder was killed between the creation of the log and the row.
//!
//! Without such a row, readers of version 2 would pair each later row of the job with the log of
//! another command: they pair the n-th row with `sh-<n>.log`.

use std::fs::TryLockError;

use crate::error::{Error, Result};
use crate::file::FilePath;
use crate::log::LogFile;
use crate::log::path::{self, RunDir};
use crate::model::{RunId, ShKey};
use crate::store::Writer;
use crate::time::Time;

/// Adds the missing rows of the commands that have a log, except those that are running.
///
/// # Errors
/// If a log or the database cannot be used.
pub fn add_lost_rows(writer: &mut Writer, run: &RunId, dir: &RunDir) -> Result<()> {
    for job in path::list_jobs(dir)?.ids {
        for log in path::list_logs(dir, &job)?.logs {
            let sh = ShKey { run: run.clone(), job: job.clone(), n: log.n };
            if !writer.has_sh(&sh)? && !is_running(&log.path)? {
                writer.add_lost_sh(&sh, began_at(&log.path)?)?;
            }
        }
    }
    Ok(())
}

/// Returns true if a recorder holds the lock on a log, or if that cannot be determined.
fn is_running(log: &FilePath) -> Result<bool> {
    let file = log.open().map_err(Error::io("open", &**log))?;
    Ok(matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock | TryLockError::Error(_))))
}

/// Returns the time of the first record; of the creation, if the log is empty.
fn began_at(log: &FilePath) -> Result<Time> {
    if let Some(first) = LogFile::open(&log.clone().into())?.first_time()? {
        return Ok(first);
    }
    let modified = log.metadata().and_then(|metadata| metadata.modified());
    Ok(Time::from_system(modified.map_err(Error::io("read", &**log))?))
}
