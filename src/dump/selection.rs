//! The selection of jobs and commands to print: `--job`, `--sh` and `--failed`.

use std::collections::HashSet;

use crate::join::{JobNode, Place, RunNode, ShNode, ShState};
use crate::model::Outcome;
use crate::record::selects;
use crate::sanitize;

/// The maximum number of jobs in a message.
const MAX_LISTED: usize = 20;

/// The jobs and commands of a run to print.
#[derive(Clone, Default, Debug)]
pub struct Selection {
    /// Only the job with this id or, if no job has it, those whose ids match it as a glob.
    pub job: Option<String>,
    /// Only the command with this number.
    pub n: Option<u32>,
    /// True if only failed commands and failed jobs are printed.
    pub failed: bool,
    /// True if `failed` keeps the passed commands of a job with a failed one.
    pub keeps_passed: bool,
}

fn ids(run: &RunNode) -> Vec<&str> {
    run.jobs.iter().map(|job| job.job.id.as_str()).collect()
}

/// Removes the parts of a run that are not selected. If only some commands are selected, a job
/// without any of them is removed too, unless failures are selected and the job itself failed or
/// was interrupted.
#[must_use]
pub fn select(mut run: RunNode, selection: &Selection) -> RunNode {
    if let Some(job) = &selection.job {
        let selects = selects(job, &ids(&run));
        run.jobs.retain(|job| selects(job.job.id.as_str()));
    }
    let job_failed = |job: &JobNode| job.outcome == Some(Outcome::Failed) || job.interrupted;
    // In a failed job, a command in an unknown state may be the one that failed.
    let failed = |sh: &ShNode, in_failed_job: bool| match sh.state {
        ShState::Failed | ShState::Interrupted => true,
        ShState::Unknown => in_failed_job,
        ShState::Passed | ShState::Running => false,
    };
    let narrowed = selection.failed || selection.n.is_some();
    for job in &mut run.jobs {
        let in_failed_job = job_failed(job);
        let is_failed = |sh: &ShNode| !selection.failed || failed(sh, in_failed_job);
        let keeps_passed = selection.keeps_passed && job.shs.iter().any(is_failed);
        job.shs
            .retain(|sh| (keeps_passed || is_failed(sh)) && selection.n.is_none_or(|n| sh.n == n));
    }
    run.jobs
        .retain(|job| !narrowed || !job.shs.is_empty() || (selection.failed && job_failed(job)));
    let is_of_run = selection.job.is_none() && selection.n.is_none();
    let shows_reason = !selection.failed || run.head.outcome == Some(Outcome::Failed);
    run.log = run.log.filter(|_| is_of_run && shows_reason);
    let of_jobs = run.jobs.iter().map(|job| Place::Job(job.job.id.clone()));
    let of_shs = |job: &JobNode| {
        job.shs.iter().map(|sh| Place::Sh(job.job.id.clone(), sh.n)).collect::<Vec<_>>()
    };
    let kept: HashSet<Place> = of_jobs.chain(run.jobs.iter().flat_map(of_shs)).collect();
    let is_kept = |place: &Place| match place {
        Place::Run => true,
        // If jobs are printed whole, a finding on a command that is not in the tree is kept with
        // its job.
        Place::Sh(job, _) if !narrowed => kept.contains(&Place::Job(job.clone())),
        place => kept.contains(place),
    };
    run.findings = run.findings.into_iter().filter(|finding| is_kept(&finding.place)).collect();
    run
}

/// Describes why the selection of jobs and commands, without that of failures, matches nothing in a
/// run: `no job matches tset; jobs: setup, test`. Returns `None` if it matches.
#[must_use]
pub fn why_nothing(run: &RunNode, selection: &Selection) -> Option<String> {
    let name = |job: &JobNode| sanitize::name(job.job.id.as_str()).into_owned();
    let mut jobs: Vec<&JobNode> = run.jobs.iter().collect();
    if let Some(selector) = &selection.job {
        let selects = selects(selector, &ids(run));
        jobs.retain(|job| selects(job.job.id.as_str()));
        if jobs.is_empty() {
            let known = match listed(run.jobs.iter(), name) {
                known if known.is_empty() => "the run has no jobs".to_owned(),
                known => format!("jobs: {known}"),
            };
            return Some(format!("no job matches `{}`; {known}", sanitize::name(selector)));
        }
    }
    let n = selection.n?;
    if jobs.iter().any(|job| job.shs.iter().any(|sh| sh.n == n)) {
        return None;
    }
    let commands = |job: &JobNode| match job.shs.as_slice() {
        [] => format!("{} (none)", name(job)),
        [only] => format!("{} ({})", name(job), only.n),
        [first, .., last] => format!("{} ({} to {})", name(job), first.n, last.n),
    };
    let known = listed(jobs.into_iter(), commands);
    Some(format!("no command has the number {n}; commands: {known}"))
}

/// Lists the first jobs, each with this text, and the number of the others.
fn listed<'a>(
    mut jobs: impl ExactSizeIterator<Item = &'a JobNode>,
    text: impl Fn(&JobNode) -> String,
) -> String {
    let shown: Vec<String> = jobs.by_ref().take(MAX_LISTED).map(text).collect();
    let more = Some(jobs.len()).filter(|more| *more > 0);
    let more = more.map(|more| format!("… and {more} more"));
    shown.into_iter().chain(more).collect::<Vec<_>>().join(", ")
}
