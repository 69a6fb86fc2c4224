//! A request for rows of a log and its progress: the groups first where they count, then the row,
//! then the rows around it.

use std::time::Instant;

use crate::search::{Cause, FilteredRead};
use crate::tui::msg::{Goal, PageRequest, Target};

/// A request that is being worked on.
pub(super) struct ReadJob {
    pub(super) request: PageRequest,
    pub(super) step: Step,
    pub(super) target: Option<Target>,
    /// The groups that were folded or opened for it.
    pub(super) changes: Vec<(u64, bool)>,
    pub(super) cause: Option<Box<Cause>>,
    pub(super) is_begun: bool,
    /// The number of bytes that were looked through for it.
    pub(super) looked_bytes: u64,
    /// The time of its start, or of its last progress report.
    pub(super) told: Instant,
}

pub(super) enum Step {
    /// The groups are to be known first.
    Group,
    /// A row is looked for; from here on.
    Seek {
        from: u64,
        has_wrapped: bool,
    },
    Gather(Box<FilteredRead>),
}

impl ReadJob {
    pub(super) fn new(request: PageRequest) -> Self {
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
            is_begun: false,
            looked_bytes: 0,
            told: Instant::now(),
        }
    }

    pub(super) fn change(&mut self, heading: u64, is_folded: bool) {
        self.changes.push((heading, is_folded));
        self.request.folds.choose([(heading, is_folded)]);
    }

    pub(super) fn percent(&self, bytes: u64) -> u8 {
        u8::try_from(u128::from(self.looked_bytes.min(bytes)) * 100 / u128::from(bytes.max(1)))
            .unwrap_or(100)
    }
}
