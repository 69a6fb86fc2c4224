//! Removal of runs by recorders, at most once an hour per store.
//!
//! The modification time of the file `last-prune` is the time of the last removal. A process that
//! removes runs locks the file, so only one of several recorders that end at the same time does.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::files::StoreFiles;
use super::plan::Limits;
use super::prune::{Pruned, Pruner, Request};
use crate::error::{Error, Result};
use crate::time::Time;

/// The name of the file.
pub(super) const LAST_PRUNE: &str = "last-prune";

/// The minimum time between two removals.
const INTERVAL: Duration = Duration::from_hours(1);

/// Removes the runs that exceed the limits, unless a process did that within the last hour or is
/// doing it now. Returns `None` in these cases, and if no limit is set.
///
/// The caller must not have the store's database open, neither for reading nor for writing.
///
/// # Errors
/// As for [`super::prune()`].
pub fn prune_if_due(root: &Path, limits: &Limits) -> Result<Option<Pruned>> {
    if !limits.are_set() {
        return Ok(None);
    }
    prune_if_due_at(root, limits, SystemTime::now())
}

fn prune_if_due_at(root: &Path, limits: &Limits, now: SystemTime) -> Result<Option<Pruned>> {
    let files = StoreFiles::open(root)?;
    let failed = || Error::io("use", files.path(LAST_PRUNE));
    let (lock, is_new) = open_last_prune(&files)?;
    let is_due = || lock.metadata().and_then(|file| file.modified()).map(|last| is_due(last, now));
    if !is_new && !is_due().map_err(failed())? {
        return Ok(None);
    }
    if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
        return Ok(None);
    }
    // Another process may have removed runs since the first check. A new file has its own time.
    if !is_new && !is_due().map_err(failed())? {
        return Ok(None);
    }
    lock.set_modified(now).map_err(failed())?;
    let request = Request { limits: *limits, ..Request::default() };
    let mut pruner = Pruner::start(files, Time::from_system(now))?;
    pruner.prune(&request, &mut |_| Ok(()))?;
    Ok(Some(pruner.pruned))
}

/// Returns true if an interval has passed, or if the clock was set back.
fn is_due(last: SystemTime, now: SystemTime) -> bool {
    now.duration_since(last).map_or(true, |since| since >= INTERVAL)
}

/// Opens the file, and creates it if it is missing. Also returns true if it was created.
pub(super) fn open_last_prune(files: &StoreFiles) -> Result<(File, bool)> {
    let open = || -> io::Result<(File, bool)> {
        match files.dir.file_to_write(LAST_PRUNE) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            file => return Ok((file?, false)),
        }
        match files.dir.create_private_file(LAST_PRUNE) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Ok((files.dir.file_to_write(LAST_PRUNE)?, false))
            }
            file => Ok((file?, true)),
        }
    };
    open().map_err(Error::io("open", files.path(LAST_PRUNE)))
}
