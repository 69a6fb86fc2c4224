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
//! never replace each other's. `run.json.zst` is created under the condition that it is missing. The
//! process that loses this race has nothing left to do. Only objects that the created document does
//! not name are deleted, and only after it exists.

mod commit;
mod directory;
mod volumes;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::join::RunParts;
use crate::model::{Phase, RunId};
use crate::s3::Bucket;
use directory::Directory;

/// The state of an upload, for another thread.
#[derive(Default, Debug)]
pub struct Progress {
    /// The bytes of logs that are not in the bucket yet.
    left_bytes: AtomicU64,
}

impl Progress {
    /// Returns the number of bytes of logs that are not in the bucket yet, as far as it is known.
    pub fn left_bytes(&self) -> u64 {
        self.left_bytes.load(Ordering::Relaxed)
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

/// Pushes a run.
///
/// # Errors
/// If the run does not exist (any more), if the bucket cannot be written, or if its server ignores
/// the conditions of writes.
pub fn push(
    bucket: &Bucket,
    catalog: &Catalog,
    run: &RunId,
    progress: &Progress,
) -> Result<Pushed> {
    let parts = parts(catalog, run)?;
    if run.as_str().is_empty() {
        let path = catalog.path();
        let why = "is a path of logs without a run; only runs can be pushed";
        return Err(Error::Usage(format!("{} {why}", path.display())));
    }
    let directory = Directory::open(bucket, &parts.run)?;
    if is_active(&parts) {
        return Err(Error::Internal("active runs are not pushed yet".into()));
    }
    commit::commit(&directory, parts, &commit::Before::default(), progress)
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
