//! The requests for the list of runs, and the answers.

use super::Ticket;
use crate::catalog::Beside;
use crate::join::RunHead;
use crate::model::{Outcome, RunId};

/// A search for runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunsRequest {
    /// Its number; answers to older searches are ignored.
    pub ticket: Ticket,
    /// The typed text.
    pub text: String,
    /// The run before the first one to examine; `None` to examine all runs.
    pub after: Option<RunId>,
}

/// The matching runs of a slice of the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundRuns {
    /// The matching runs, newest first.
    pub heads: Vec<RunHead>,
    /// The number of runs examined.
    pub looked: usize,
    /// True if the slice is the first one: earlier results are discarded.
    pub is_anew: bool,
    /// The place at which the search continues.
    pub next: Next,
}

/// The place at which a search for runs continues.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Next {
    /// The search is in progress.
    #[default]
    Looking,
    /// After this run; the search continues on request.
    After(RunId),
    /// Nowhere: all runs were examined.
    End,
}

/// A step to another run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The run at which the step starts, and its direction.
    pub beside: Beside,
    /// The outcome that the run must have; `None` for any.
    pub outcome: Option<Outcome>,
    /// True if the run must be of the same repository and ref.
    pub same_ref: bool,
    /// True if the run is opened; false if only the cursor moves there.
    pub opens: bool,
}
