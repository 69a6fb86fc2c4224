//! Detection of runs that have just started, for `--watch`.

use std::collections::HashSet;

use crate::join::RunHead;
use crate::model::{Phase, RunId};

/// The runs on the last first page of the list that had started.
#[derive(Clone, Default, Debug)]
pub struct NewRuns {
    /// `None` before the first page.
    started: Option<HashSet<RunId>>,
}

impl NewRuns {
    /// Takes the first page of the list, newest first. Returns the newest run that has started
    /// since the last page; `None` for the first page. A run in a queue has not started.
    pub fn take_in<'h>(&mut self, heads: &'h [RunHead]) -> Option<&'h RunHead> {
        let has_begun = |head: &&RunHead| head.phase != Phase::Queued;
        let ids = heads.iter().filter(has_begun).map(|head| head.run.id.clone()).collect();
        let known = self.started.replace(ids)?;
        let is_known = |head: &RunHead| known.contains(&head.run.id);
        // A run behind all known ones is an old run, which the deletion of a run has moved up.
        let end = heads.iter().rposition(is_known).unwrap_or(heads.len());
        heads.iter().take(end).filter(has_begun).find(|head| !is_known(head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::{self, Recorder};
    use crate::model::Run;

    fn page(runs: &[(&str, Phase)]) -> Vec<RunHead> {
        let head = |(id, phase): &(&str, Phase)| {
            let run = Run::without_row(RunId((*id).into()), None);
            RunHead { phase: *phase, ..join::run_head(run, Recorder::Unknown) }
        };
        runs.iter().map(head).collect()
    }

    #[test]
    fn a_run_is_new_once_and_when_it_begins() {
        use Phase::{Active, Finished, Queued};
        let mut new = NewRuns::default();
        for (runs, expected) in [
            // The first page.
            (&[("b", Active), ("a", Finished)][..], None),
            (&[("b", Active), ("a", Finished)], None),
            (&[("c", Queued), ("b", Active), ("a", Finished)], None),
            (&[("c", Active), ("b", Active), ("a", Finished)], Some("c")),
            (&[("c", Finished), ("b", Finished), ("a", Finished)], None),
            // It was queued later than a run that began first.
            (&[("e", Active), ("d", Queued), ("c", Finished)], Some("e")),
            (&[("e", Active), ("d", Active), ("c", Finished)], Some("d")),
            // Several at once.
            (&[("g", Finished), ("f", Active), ("e", Finished)], Some("g")),
            // The newest one was deleted, and an older one moves up.
            (&[("f", Active), ("e", Finished), ("a", Finished)], None),
            // All of them were deleted.
            (&[], None),
            (&[("h", Active)], Some("h")),
        ] {
            let runs = page(runs);
            let found = new.take_in(&runs).map(|head| head.run.id.as_str());
            assert_eq!(found, expected, "{runs:?}");
        }
    }
}
