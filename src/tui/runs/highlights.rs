//! The jobs and commands that represent the runs on screen.
//!
//! They are read for the runs on screen only, at most one request at a time, and again when a run
//! has changed.

use std::collections::HashMap;

use crate::catalog::Highlight;
use crate::join::RunHead;
use crate::model::{Outcome, Phase, RunId};
use crate::tui::msg::{MAX_RUNS, WorkerRequest};

/// The highlights that were read.
#[derive(Default)]
pub struct Highlights {
    known: HashMap<RunId, Known>,
    /// The runs of the pending request.
    asked: Vec<RunHead>,
}

/// The highlight of a run as it was when it was read.
struct Known {
    head: RunHead,
    highlight: Option<Highlight>,
    is_stale: bool,
}

impl Highlights {
    /// Returns the highlight of a run, if it has one and it was read.
    #[must_use]
    pub fn of(&self, head: &RunHead) -> Option<&Highlight> {
        let known = self.known.get(&head.run.id).filter(|_| has_highlight(head));
        known?.highlight.as_ref()
    }

    /// Returns a request for the runs on screen whose highlights are unknown or stale; `None` if
    /// there are no such runs or a request is pending.
    pub(super) fn request<'a>(
        &mut self,
        shown: impl Iterator<Item = &'a RunHead>,
    ) -> Option<WorkerRequest> {
        if !self.asked.is_empty() {
            return None;
        }
        let is_due = |head: &&RunHead| {
            let known = self.known.get(&head.run.id);
            has_highlight(head) && known.is_none_or(|known| known.is_stale || known.head != **head)
        };
        self.asked = shown.filter(is_due).cloned().collect();
        (!self.asked.is_empty()).then(|| WorkerRequest::ReadHighlights(self.asked.clone()))
    }

    /// Takes in the answer to a request.
    pub(super) fn arrived(&mut self, asked: &[RunHead], found: Vec<(RunId, Highlight)>) {
        if self.asked != asked {
            return;
        }
        if self.known.len() > MAX_RUNS {
            self.known.clear();
        }
        let mut found: HashMap<_, _> = found.into_iter().collect();
        for head in std::mem::take(&mut self.asked) {
            let highlight = found.remove(&head.run.id);
            self.known.insert(head.run.id.clone(), Known { head, highlight, is_stale: false });
        }
    }

    /// Marks the highlights of active runs as stale. A pending request is given up.
    pub(super) fn outdate(&mut self) {
        self.asked.clear();
        for known in self.known.values_mut() {
            known.is_stale |= known.head.phase == Phase::Active;
        }
    }
}

/// Returns true if a run has failed, was interrupted or is running.
fn has_highlight(head: &RunHead) -> bool {
    head.phase == Phase::Active || head.interrupted || head.outcome == Some(Outcome::Failed)
}
