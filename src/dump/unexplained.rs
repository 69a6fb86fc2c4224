//! Failures of jobs and runs without a failed command that explains them.

use super::printing::Printing;
use crate::display;
use crate::join::{JobNode, ShNode};
use crate::model::Outcome;

impl Printing<'_> {
    /// Returns the reason why a job failed or was interrupted, if none of its commands was.
    /// Returns `None` if only some of its commands were selected.
    pub(super) fn job_failure(&self, job: &JobNode) -> Option<String> {
        if self.look.selection.n.is_some() || job.shs.iter().any(|sh| sh.state.is_failure()) {
            return None;
        }
        match (job.interrupted, job.outcome, job.job.exit_code) {
            (true, ..) => Some("interrupted: its end was not recorded".to_owned()),
            (_, Some(Outcome::Failed), Some(code)) => {
                Some(format!("failed without a failed command: exit {code}"))
            }
            (_, Some(Outcome::Failed), None) => Some("failed without a failed command".to_owned()),
            _ => None,
        }
    }

    /// Returns the reason why the run failed or was interrupted, if none of its jobs was. Returns
    /// `None` if only some of its jobs or commands were selected.
    pub(super) fn run_failure(&self) -> Option<String> {
        let (head, selection) = (&self.run.head, &self.look.selection);
        let is_whole = selection.job.is_none() && selection.n.is_none();
        let explains = |job: &JobNode| {
            let failed = job.interrupted || job.outcome == Some(Outcome::Failed);
            !job.job.allow_failure && (failed || job.shs.iter().any(|sh| job_fails(job, sh)))
        };
        if !is_whole || self.run.jobs.iter().any(explains) {
            return None;
        }
        let reason = display::reason(head).map(|reason| format!(": {reason}")).unwrap_or_default();
        match (head.interrupted, head.outcome) {
            (true, _) => Some("the run was interrupted: its end was not recorded".to_owned()),
            (_, Some(Outcome::Failed)) => Some(format!("the run failed{reason}")),
            _ => None,
        }
    }
}

fn job_fails(job: &JobNode, sh: &ShNode) -> bool {
    sh.state.is_failure() && job.counts(sh)
}
