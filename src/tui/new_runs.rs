//! Detection of runs that have just started, for `--watch`.

use std::collections::HashSet;

use crate::join::RunHead;
use crate::model::{Phase, RunId};

/// The runs that had started when the first page of the list was last read.
#[derive(Clone, Default, Debug)]
pub struct NewRuns {
    /// `None` before the first read.
    started: Option<HashSet<RunId>>,
}

impl NewRuns {
    /// Takes the first page of the list, newest first. Returns the newest run that has started
    /// since the last call, if any; `None` on the first call. A queued run has not started.
    pub fn take_in<'h>(&mut self, heads: &'h [RunHead]) -> Option<&'h RunHead> {
        let has_begun = |head: &&RunHead| head.phase != Phase::Queued;
        let ids = heads.iter().filter(has_begun).map(|head| head.run.id.clone()).collect();
        let known = self.started.replace(ids)?;
        let is_known = |head: &RunHead| known.contains(&head.run.id);
        // A run below all known ones is old: it moved up when another run was deleted.
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
            // `e` was queued after `d`, but begins first.
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
