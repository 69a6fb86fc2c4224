//! What is asked of the list of runs, and what is answered.

use super::Ticket;
use crate::catalog::Beside;
use crate::join::RunHead;
use crate::model::{Outcome, RunId};

/// Which runs are searched for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunsRequest {
    /// Its number; answers to older ones do not count.
    pub ticket: Ticket,
    /// What was typed.
    pub text: String,
    /// Only runs older than this one; `None`: all.
    pub after: Option<RunId>,
}

/// Runs that match, out of a slice of the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundRuns {
    /// Those that match, newest first.
    pub heads: Vec<RunHead>,
    /// How many were looked at.
    pub looked: usize,
    /// The slice is the first: what was found before is not.
    pub is_anew: bool,
    /// Where more may be.
    pub next: Next,
}

/// Where more runs that match may be.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Next {
    /// They are being looked for.
    #[default]
    Looking,
    /// Older than this one; they are looked for when somebody asks.
    After(RunId),
    /// Nowhere.
    End,
}

/// A step to another run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// To the nearest on this side of a run.
    pub beside: Beside,
    /// That ended like this.
    pub outcome: Option<Outcome>,
    /// It is opened; otherwise the cursor goes there.
    pub opens: bool,
}
