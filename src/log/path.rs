//! Where a store keeps its logs, and the refusal of names that would lead elsewhere.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::model::{JobId, RunId};

/// The directory of a run's files: `<root>/runs/<repo>/<run-id>`; `None` when a name is unsafe as a path.
#[must_use]
pub fn run_dir(root: &Path, repo: &str, run: &RunId) -> Option<PathBuf> {
    let _ = (root, repo, run);
    None
}

/// The directory of a job's logs: `<run-dir>/jobs/<job-id>`; `None` when the id is unsafe as a path.
#[must_use]
pub fn job_dir(run_dir: &Path, job: &JobId) -> Option<PathBuf> {
    let _ = (run_dir, job);
    None
}

/// The log of a job's n-th command: `<job-dir>/sh-<n>.log`.
#[must_use]
pub fn sh_log(job_dir: &Path, n: u32) -> PathBuf {
    job_dir.join(format!("sh-{n}.log"))
}

/// A log found in a job's directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundLog {
    /// Its number, from its name.
    pub n: u32,
    /// Where it is.
    pub path: PathBuf,
    /// Its size when it was listed.
    pub bytes: u64,
}

/// The logs of a job, by number; empty when there is no such directory.
///
/// # Errors
/// When the directory is there and cannot be read.
pub fn list_logs(job_dir: &Path) -> Result<Vec<FoundLog>> {
    let _ = job_dir;
    Ok(Vec::new())
}

/// The ids of the jobs that have a directory, by name.
///
/// # Errors
/// When the directory is there and cannot be read.
pub fn list_jobs(run_dir: &Path) -> Result<Vec<JobId>> {
    let _ = run_dir;
    Ok(Vec::new())
}
