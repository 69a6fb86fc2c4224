//! The one loader: database and directories -> runs, used by every view alike.

use crate::error::Result;
use crate::join::{RunHead, RunNode};
use crate::model::RunId;

/// A store, opened for reading.
pub struct Catalog {}

/// Which runs to list.
#[derive(Clone, Default, Debug)]
pub struct RunFilter {
    /// Only runs of this repository.
    pub repo: Option<String>,
    /// Only runs of this ref, full (`refs/heads/main`) or by its last part (`main`).
    pub ref_name: Option<String>,
}

impl Catalog {
    /// The newest runs, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn runs(&mut self, filter: &RunFilter, limit: usize) -> Result<Vec<RunHead>> {
        let _ = (filter, limit);
        Ok(Vec::new())
    }

    /// A run with its jobs and commands; `None` when it is not there (any more).
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn run(&mut self, id: &RunId) -> Result<Option<RunNode>> {
        let _ = id;
        Ok(None)
    }

    /// Whether anything in the database may have changed since the last call. Cheap: no table is read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn changed(&mut self) -> Result<bool> {
        Ok(true)
    }
}
