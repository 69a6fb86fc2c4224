//! What is printed and how: plain data for every format, and the report of what the output does not
//! say.

use std::collections::HashSet;

use globset::GlobMatcher;
use jiff::tz::TimeZone;

use crate::cri::Stream;
use crate::error::{Error, chain};
use crate::join::{JobNode, Place, RunNode, ShNode, ShState};
use crate::model::Outcome;

/// What is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// For people.
    Text,
    /// The run as one document, logs counted.
    Json,
    /// An object per row.
    Jsonl,
    /// The bytes that the commands wrote.
    Raw,
    /// An object per physical line.
    Records,
}

/// The time in front of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timestamps {
    /// Nothing.
    None,
    /// The wall clock: `14:00:01.123`.
    Time,
    /// Since the command's start.
    Relative,
    /// Since the row before.
    Delta,
    /// Date, wall clock and offset.
    Full,
}

/// Which jobs and commands of a run.
#[derive(Clone, Default, Debug)]
pub struct Selection {
    /// Jobs whose id matches.
    pub job: Option<GlobMatcher>,
    /// The command of this number.
    pub n: Option<u32>,
    /// Failed commands, and the jobs that failed.
    pub failed: bool,
}

/// How logs are read and rows are shown.
#[derive(Clone, Debug)]
pub struct PrintOptions {
    /// Only rows of this stream.
    pub stream: Option<Stream>,
    /// Only the last rows of each log.
    pub tail: Option<usize>,
    /// What stands in front of a row.
    pub timestamps: Timestamps,
    /// Whether text carries colors.
    pub color: bool,
    /// Whether colored text keeps the links of its log.
    pub links: bool,
    /// For times in text.
    pub time_zone: TimeZone,
}

/// What the output does not say.
#[derive(Default, Debug)]
pub struct Report {
    /// Things to tell on stderr.
    pub notices: Vec<String>,
    /// Whether a log could not be read.
    pub unreadable: bool,
}

impl Report {
    /// A report with one thing to tell.
    #[must_use]
    pub fn notice(text: &str) -> Self {
        Self { notices: vec![text.to_owned()], unreadable: false }
    }

    /// Adds what another report tells.
    pub fn extend(&mut self, other: Self) {
        self.notices.extend(other.notices);
        self.unreadable |= other.unreadable;
    }

    pub(in crate::dump) fn unreadable(&mut self, error: &Error) {
        self.unreadable = true;
        self.notices.push(chain(error));
    }
}

/// Keeps of a run what is selected: jobs without a selected command go, unless the job itself is
/// what was asked for.
#[must_use]
pub fn select(mut run: RunNode, selection: &Selection) -> RunNode {
    run.jobs
        .retain(|job| selection.job.as_ref().is_none_or(|glob| glob.is_match(job.job.id.as_str())));
    let job_failed = |job: &JobNode| job.outcome == Some(Outcome::Failed) || job.interrupted;
    // In a job that failed, a command of which nothing is known may be the one.
    let failed = |sh: &ShNode, in_failed_job: bool| match sh.state {
        ShState::Failed | ShState::Interrupted => true,
        ShState::Unknown => in_failed_job,
        ShState::Passed | ShState::Running => false,
    };
    let narrowed = selection.failed || selection.n.is_some();
    for job in &mut run.jobs {
        let in_failed_job = job_failed(job);
        job.shs.retain(|sh| {
            (!selection.failed || failed(sh, in_failed_job))
                && selection.n.is_none_or(|n| sh.n == n)
        });
    }
    run.jobs
        .retain(|job| !narrowed || !job.shs.is_empty() || (selection.failed && job_failed(job)));
    let is_of_run = selection.job.is_none() && selection.n.is_none();
    let tells_why = !selection.failed || run.head.outcome == Some(Outcome::Failed);
    run.log = run.log.filter(|_| is_of_run && tells_why);
    let of_jobs = run.jobs.iter().map(|job| Place::Job(job.job.id.clone()));
    let of_shs = |job: &JobNode| {
        job.shs.iter().map(|sh| Place::Sh(job.job.id.clone(), sh.n)).collect::<Vec<_>>()
    };
    let kept: HashSet<Place> = of_jobs.chain(run.jobs.iter().flat_map(of_shs)).collect();
    let is_kept = |place: &Place| match place {
        Place::Run => true,
        // Where jobs are kept whole, a command that no view shows goes with its job.
        Place::Sh(job, _) if !narrowed => kept.contains(&Place::Job(job.clone())),
        place => kept.contains(place),
    };
    run.findings = run.findings.into_iter().filter(|finding| is_kept(&finding.place)).collect();
    run
}
