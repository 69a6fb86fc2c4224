//! Pushing of runs to object storage.
//!
//! ```text
//! store ─► run_parts ─┬─ active   ─► live: every few seconds the new bytes of all logs
//!                     │                 ├──► data-<hash>       the bytes
//!                     │                 ├──► live.json.zst     the rows so far, replaced
//!                     │                 └──► entries of lists  "running"
//!                     └─ finished ─► commit: all logs again, one after the other
//!                                       ├──► data-<hash>       few large objects
//!                                       ├──► run.json.zst      created once: the run exists
//!                                       ├──► entries of lists  the result
//!                                       └──► deletes the objects and entries of `live`
//! ```
//!
//! The store is the only source. It is read like every other reader does, so a recorder does not
//! notice an upload, and an upload that was killed is continued by the next one.
//!
//! Several processes may push the same run. Objects with data are named by their content, so they
//! never replace each other's. `run.json.zst` is created under the condition that it is missing.
//! The process that loses this race has nothing left to do. Only objects that the created document
//! does not name are deleted, and only after it exists.

mod commit;
mod directory;
mod live;
mod volumes;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::join::{Recorder, RunParts};
use crate::model::{Phase, RunId};
use crate::s3::Bucket;
use commit::Before;
use directory::Directory;

/// The interval at which a detached process checks if another one has completed the run, and the
/// number of checks before it does so itself.
const OTHER_INTERVAL: Duration = Duration::from_secs(5);
const OTHER_CHECKS: usize = 2;

/// The interval at which a run that is about to be recorded is looked for.
const FIND_INTERVAL: Duration = Duration::from_millis(100);

/// The state of an upload, for another thread.
#[derive(Default, Debug)]
pub struct Progress {
    /// The bytes of logs that are not in the bucket yet.
    left_bytes: AtomicU64,
    /// True if the recorder of the run has ended, as far as another thread has noticed it.
    is_over: AtomicBool,
}

impl Progress {
    /// Returns the number of bytes of logs that are not in the bucket yet, as far as it is known.
    pub fn left_bytes(&self) -> u64 {
        self.left_bytes.load(Ordering::Relaxed)
    }

    /// Notes that the recorder of the run has ended.
    pub fn set_over(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn set_left(&self, bytes: u64) {
        self.left_bytes.store(bytes, Ordering::Relaxed);
    }

    fn sent(&self, bytes: u64) {
        let left = |left: u64| Some(left.saturating_sub(bytes));
        let _ = self.left_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
    }
}

/// The result of an upload.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Pushed {
    /// True if the run was in the bucket already.
    pub was_there: bool,
    /// The number of logs.
    pub logs: usize,
    /// Their size without compression, in bytes.
    pub bytes: u64,
    /// The size of the objects that were sent, in bytes.
    pub sent_bytes: u64,
    /// Messages for the user about logs that are missing because they could not be read.
    pub missing: Vec<String>,
    /// Messages for the user about objects that could not be deleted.
    pub leftovers: Vec<String>,
}

/// The circumstances of a push.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// A user waits for it.
    Foreground,
    /// The recorder of the run waits for it. The run may not be in the store yet.
    Recorder,
    /// Nothing waits for it. Another process completes the run, if it can.
    Detached,
}

/// An event of a push.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// The run is active, and is pushed until its end.
    Follows,
    /// A part of the active run was not pushed, for this reason. It is tried again.
    Failed(String),
    /// The run has ended.
    Ended,
}

/// Pushes a run. An active run is pushed until it has ended, also if the server does not answer for
/// a while. `report` gets the events of the push.
///
/// # Errors
/// If the run does not exist (any more), if the bucket cannot be written, or if its server ignores
/// the conditions of writes.
pub fn push(
    bucket: &Bucket,
    catalog: &mut Catalog,
    run: &RunId,
    mode: Mode,
    progress: &Progress,
    report: &dyn Fn(Report),
) -> Result<Pushed> {
    let mut found = found(catalog, run, mode, progress)?;
    if run.as_str().is_empty() {
        let path = catalog.path();
        let why = "is a path of logs without a run; only runs can be pushed";
        return Err(Error::Usage(format!("{} {why}", path.display())));
    }
    let is_copy = found.recorder == Recorder::Copied || catalog.is_remote();
    if is_copy && found.run.finished_at.is_none() {
        let id = run.as_str();
        let why = "had not ended when it was copied, and a pushed run never changes";
        return Err(Error::Usage(format!("run {id} {why}\npush it from its store")));
    }
    let mut before = Before::default();
    if is_active(&found) {
        report(Report::Follows);
        (found, before) = live::follow(bucket, catalog, found, mode, progress, report)?;
    }
    report(Report::Ended);
    // A run may end before its last steps.
    while catalog.has_running_command(&found)? {
        thread::park_timeout(FIND_INTERVAL);
        found = parts(catalog, run)?;
    }
    let mut directory = Directory::open(bucket, &found.run)?;
    for _ in 0..OTHER_CHECKS {
        if mode != Mode::Detached || directory.is_committed() {
            break;
        }
        thread::sleep(OTHER_INTERVAL);
        directory = Directory::open(bucket, &found.run)?;
    }
    if before.is_empty() && !directory.is_committed() {
        (_, before) = live::left(&directory)?;
    }
    // If the run was deleted, its logs are missing, and its copy must not replace it.
    let still_exists = || parts(catalog, run).map(drop);
    commit::commit(&directory, found, &before, progress, still_exists)
}

/// Loads a run. Waits for one that is about to be recorded.
fn found(catalog: &mut Catalog, run: &RunId, mode: Mode, progress: &Progress) -> Result<RunParts> {
    loop {
        // Read before the store: what a recorder writes is there before it ends.
        let is_over = progress.is_over();
        match parts(catalog, run) {
            Err(_) if mode == Mode::Recorder && !is_over => thread::park_timeout(FIND_INTERVAL),
            result => return result,
        }
    }
}

/// Loads a run.
fn parts(catalog: &Catalog, run: &RunId) -> Result<RunParts> {
    catalog.renew();
    let gone = || Error::NotFound(format!("run {} was deleted", run.as_str()));
    catalog.run_parts(run)?.ok_or_else(gone)
}

/// Returns true if something may still be added to a run.
fn is_active(parts: &RunParts) -> bool {
    matches!(parts.head().phase, Phase::Queued | Phase::Active)
}
