//! Facts about a run as short text.

use super::{Status, duration, first_line};
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

/// Returns the state of a run: the word of its status, or `waiting for the next step`.
#[must_use]
pub const fn state(head: &RunHead) -> &'static str {
    if head.waiting { "waiting for the next step" } else { Status::of_run(head).word() }
}

/// Returns the name of a run: that of its pipeline, or the one that the user gave it. Shortened and
/// sanitized.
#[must_use]
pub fn pipeline(run: &Run) -> Option<String> {
    run.details.name.as_deref().map(first_line).filter(|name| !name.is_empty())
}

/// Returns the first line of the message of a run's commit. Shortened and sanitized.
#[must_use]
pub fn subject(run: &Run) -> Option<String> {
    run.details.subject.as_deref().map(first_line).filter(|subject| !subject.is_empty())
}

/// Formats the number of an attempt of a run or a command: `attempt 2`. Returns `None` for the
/// first one, which is not remarkable.
#[must_use]
pub fn attempt(number: Option<i64>) -> Option<String> {
    number.filter(|number| *number > 1).map(|number| format!("attempt {number}"))
}

/// Returns the run that a run repeats: `repeats d61998d3`. Sanitized.
#[must_use]
pub fn repeats(run: &Run) -> Option<String> {
    run.details.repeats.as_ref().map(|id| format!("repeats {}", name(id.short())))
}

/// Returns a note on a job that failed and was allowed to.
#[must_use]
pub fn tolerated(job: &JobNode) -> Option<&'static str> {
    job.is_tolerated().then_some("allowed to fail")
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

/// Returns the reason why a job was skipped: `test failed`. If its needs are recorded, the reason
/// is every failed one of them, or else every skipped one. Otherwise the reason is at least one of
/// the failed jobs: `one of lint, test failed`. Returns `None` if the job was not skipped, or if
/// there is no such job. Sanitized.
#[must_use]
pub fn why_skipped(run: &RunNode, job: &JobNode) -> Option<String> {
    job.job.state.as_ref().filter(|word| *word == "skipped")?;
    let needs = &job.job.needs;
    let with = |outcome| {
        let jobs = run.jobs.iter().filter(move |job| job.outcome == Some(outcome));
        let jobs = jobs.filter(|job| !job.is_tolerated()).map(|job| job.job.id.as_str());
        let needed = jobs.filter(|id| needs.is_empty() || needs.iter().any(|need| need == id));
        let names: Vec<_> = needed.take(MOST_FAILED + 1).map(name).collect();
        let (shown, more) = names.split_at(names.len().min(MOST_FAILED));
        let more = if more.is_empty() { "" } else { ", …" };
        let is_vague = needs.is_empty() && shown.len() > 1;
        let one_of = if is_vague { "one of " } else { "" };
        (!shown.is_empty()).then(|| format!("{one_of}{}{more}", shown.join(", ")))
    };
    let failed = with(Outcome::Failed).map(|names| format!("{names} failed"));
    let skipped = || with(Outcome::Skipped).filter(|_| !needs.is_empty());
    let was = |names: String| {
        format!("{names} {} skipped", if names.contains(", ") { "were" } else { "was" })
    };
    failed.or_else(|| skipped().map(was))
}
