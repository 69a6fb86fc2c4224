//! The list of runs at hand.

use crate::catalog::Beside;
use crate::join::RunHead;
use crate::model::RunId;

/// The list of runs.
#[derive(Default)]
pub struct Runs {
    /// Those at hand: a part of the list without a gap, newest first; `None` until they have been read.
    pub heads: Option<Vec<RunHead>>,
    /// There are newer ones than those at hand.
    pub has_newer: bool,
    /// There are older ones than those at hand.
    pub has_older: bool,
    /// The newest of all.
    pub newest: Option<RunId>,
    /// What is being read; only the newest request counts.
    pub asked: Option<Beside>,
    /// The one under the cursor.
    pub at: Option<RunId>,
    /// The first one on screen.
    pub top: usize,
}
