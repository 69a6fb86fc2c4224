//! A request for rows of a log, and its progress: first the groups if folds need them, then the
//! requested row, then the rows around it.

use super::Answered;
use crate::document::{Goal, RowsRequest, Target};
use crate::search::{Cause, FilteredRead};

/// A request that is being worked on.
pub(super) struct ReadJob {
    pub(super) request: RowsRequest,
    pub(super) step: Step,
    pub(super) target: Option<Target>,
    /// The groups that were folded or opened for the request.
    pub(super) changes: Vec<(u64, bool)>,
    pub(super) cause: Option<Box<Cause>>,
    pub(super) has_started: bool,
    /// The number of bytes searched for the request.
    pub(super) looked_bytes: u64,
    /// The last answered request, which is restored if this one is not answered.
    pub(super) before: Option<Answered>,
}

pub(super) enum Step {
    /// The scan for groups, which must be known first.
    Group,
    /// The search for the row, from this offset.
    Seek {
        from: u64,
        has_wrapped: bool,
    },
    Gather(Box<FilteredRead>),
}

impl ReadJob {
    pub(super) fn new(request: RowsRequest, before: Option<Answered>) -> Self {
        let step = if request.folds.fold_some() || matches!(request.goal, Goal::Fold(..)) {
            Step::Group
        } else {
            Step::Seek { from: 0, has_wrapped: false }
        };
        let changes = Vec::new();
        Self {
            request,
            step,
            target: None,
            changes,
            cause: None,
            has_started: false,
            looked_bytes: 0,
            before,
        }
    }

    pub(super) fn change(&mut self, heading: u64, is_folded: bool) {
        self.changes.push((heading, is_folded));
        self.request.folds.choose([(heading, is_folded)]);
    }

    /// Returns the searched part of a log of this size, in percent; `None` if nothing is searched.
    pub(super) fn progress(&self, bytes: u64) -> Option<u8> {
        // Skipping rows in folds is not a search.
        let is_search = self.request.row_filter.narrows() || !matches!(self.step, Step::Gather(_));
        let share = u128::from(self.looked_bytes.min(bytes)) * 100 / u128::from(bytes.max(1));
        is_search.then(|| u8::try_from(share).unwrap_or(100))
    }
}
