//! Facts about a run as short text.

use super::{Status, duration};
use crate::join::{JobNode, RunHead, RunNode};
use crate::model::{Outcome, Run};
use crate::sanitize::name;

/// Returns a notice that a run has ended: `rundown: example d61998d3 failed after 1m23s`.
/// Sanitized.
#[must_use]
pub fn ended(head: &RunHead) -> String {
    let repo = head.run.repo.as_deref().map(|repo| format!("{} ", name(repo))).unwrap_or_default();
    let lasted = head.lasted_ms().map(|ms| format!(" after {}", duration(ms))).unwrap_or_default();
    format!("rundown: {repo}{} {}{lasted}", name(head.run.id.short()), Status::of_run(head).word())
}

/// Returns the ref without `refs/heads/`, and the first seven digits of the sha: `main@12d4999`.
/// Returns `None` if both are unknown. Sanitized.
#[must_use]
pub fn revision(run: &Run) -> Option<String> {
    let ref_name =
        run.ref_name.as_deref().map(|name| name.strip_prefix("refs/heads/").unwrap_or(name));
    let sha = run.sha.as_deref().map(|sha| sha.chars().take(7).collect::<String>());
    let text = match (ref_name, sha) {
        (None, None) => return None,
        (Some(ref_name), None) => ref_name.to_owned(),
        (None, Some(sha)) => format!("@{sha}"),
        (Some(ref_name), Some(sha)) => format!("{ref_name}@{sha}"),
    };
    Some(name(&text).into_owned())
}

/// Returns the name of a run's branch or tag, without `refs/heads/` or `refs/tags/`. Returns `None`
/// if no ref is recorded. Sanitized.
#[must_use]
pub fn short_ref(run: &Run) -> Option<String> {
    let full = run.ref_name.as_deref().filter(|full| !full.is_empty())?;
    let short = full.strip_prefix("refs/heads/").or_else(|| full.strip_prefix("refs/tags/"));
    Some(name(short.unwrap_or(full)).into_owned())
}

/// Returns the reason for a run's end as it is stored: the reason of a failure, or the state of a
/// stopped run (`superseded`). `None` for an interrupted run. Sanitized.
#[must_use]
pub fn reason(head: &RunHead) -> Option<String> {
    let stop = || head.run.state.as_ref().filter(|_| head.outcome == Some(Outcome::Stopped));
    let reason = head.run.reason.as_ref().filter(|_| !head.interrupted);
    reason.or_else(stop).map(|word| name(word).into_owned())
}

/// The most names of failed jobs in one text.
const MOST_FAILED: usize = 3;

/// Returns the reason why a job was skipped: `test failed`. Stores contain no needs of jobs. If
/// several jobs have failed, at least one of them is the reason: `one of lint, test failed`.
/// Returns `None` if the job was not skipped, or if no job failed. Sanitized.
#[must_use]
pub fn why_skipped(run: &RunNode, job: &JobNode) -> Option<String> {
    job.job.state.as_ref().filter(|word| *word == "skipped")?;
    let failed = run.jobs.iter().filter(|job| job.outcome == Some(Outcome::Failed));
    let names: Vec<_> = failed.take(MOST_FAILED + 1).map(|job| name(job.job.id.as_str())).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("{one} failed")),
        [some @ .., _] if names.len() > MOST_FAILED => {
            Some(format!("one of {}, … failed", some.join(", ")))
        }
        some => Some(format!("one of {} failed", some.join(", "))),
    }
}
