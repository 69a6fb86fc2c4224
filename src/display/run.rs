//! Facts about a run as short text.

use super::{Status, duration};
use crate::join::RunHead;
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
/// stopped run (`superseded`). Sanitized.
#[must_use]
pub fn reason(head: &RunHead) -> Option<String> {
    let stop = || head.run.state.as_ref().filter(|_| head.outcome == Some(Outcome::Stopped));
    head.run.reason.as_ref().or_else(stop).map(|word| name(word).into_owned())
}
