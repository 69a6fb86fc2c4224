//! The locks that recorders hold on the files of a run while they work on it: on `recorder.lock`,
//! and on the log of each running command.
//!
//! A reader takes a shared lock for a moment to check if a recorder is alive. Therefore a lock that
//! is held is tried again a few times before it counts as a recorder's.

use std::fs::{File, TryLockError};
use std::io;
use std::thread;
use std::time::Duration;

use super::path::log_number;
use crate::file::{Dir, identity_of};

/// The name of the file that a recorder keeps locked while it works on a run.
pub(super) const RECORDER_LOCK: &str = "recorder.lock";

/// The number of attempts to take a lock.
const ATTEMPTS: u32 = 5;

/// The pause before another attempt.
const PAUSE: Duration = Duration::from_millis(5);

/// The right to change the files of a run: no recorder works on it. Lasts until it is dropped.
#[derive(Debug)]
pub(crate) struct RunHold {
    /// The locked `recorder.lock`; `None` if the run has no such file.
    _lock: Option<File>,
}

impl RunHold {
    /// Takes the lock of a run. Returns `None` if a recorder, or another process that removes or
    /// repairs the run, holds it. A run without `recorder.lock` has no recorder of its own.
    ///
    /// A lock that cannot be taken because its file system has no locks is an error for a run that
    /// may be active (`is_unfinished`).
    pub fn take(run: &Dir, is_unfinished: bool) -> io::Result<Option<Self>> {
        let file = match run.file_to_write(RECORDER_LOCK) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Some(Self { _lock: None }));
            }
            file => file?,
        };
        let is_taken = retried(|| match file.try_lock() {
            Err(TryLockError::Error(error)) if is_unfinished => Err(error),
            Ok(()) | Err(TryLockError::Error(_)) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
        })?;
        Ok(is_taken.then_some(Self { _lock: Some(file) }))
    }
}

/// Returns true if a recorder holds a lock on a file of an unfinished run. Writes nothing, and
/// holds no lock when it returns.
pub(crate) fn is_recorded(run: &Dir) -> io::Result<bool> {
    Ok(is_locked(run, RECORDER_LOCK)? || has_locked_log(run)?)
}

/// Returns true if a recorder holds a lock on the log of a command.
pub(crate) fn has_locked_log(run: &Dir) -> io::Result<bool> {
    let Some(jobs) = unless_missing(run.open("jobs"))? else { return Ok(false) };
    for name in jobs.names()? {
        // Other files in `jobs` are not logs.
        let Ok(job) = jobs.open(&name) else { continue };
        for name in job.names()? {
            let log = name.to_str().filter(|name| log_number(name).is_some());
            if log.map_or(Ok(false), |log| is_locked(&job, log))? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Returns true if another process has an exclusive lock on a file. A link, a directory or a
/// missing file is not locked: a recorder creates only regular files.
fn is_locked(dir: &Dir, name: &str) -> io::Result<bool> {
    let file = match dir.file(name) {
        Err(error) if is_no_file(&error) => return Ok(false),
        file => file?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(is_replaced(&file, dir.file(name))),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Returns true if a file that was opened a moment ago has lost its name to another one, `now`. A
/// recorder that shortens its log locks the new file first, and then unlocks the old one.
pub(crate) fn is_replaced(file: &File, now: io::Result<File>) -> bool {
    let now = now.and_then(|now| identity_of(&now));
    identity_of(file).is_ok_and(|before| now.is_ok_and(|now| now != before))
}

fn is_no_file(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidInput)
}

/// Repeats an attempt until it returns true, a limited number of times.
fn retried(mut attempt: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    for _ in 1..ATTEMPTS {
        if attempt()? {
            return Ok(true);
        }
        thread::sleep(PAUSE);
    }
    attempt()
}

fn unless_missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
