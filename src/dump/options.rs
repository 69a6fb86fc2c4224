//! Output options, as plain data for every format, and the report of missing data.

use std::collections::HashSet;

use globset::GlobMatcher;
use jiff::tz::TimeZone;

use crate::cri::Stream;
use crate::error::{Error, chain};
use crate::join::{JobNode, Place, RunNode, ShNode, ShState};
use crate::model::Outcome;

/// The output format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Text for people.
    Text,
    /// The run as one document, with counts of its logs.
    Json,
    /// One object per row.
    Jsonl,
    /// The bytes that the commands wrote.
    Raw,
    /// One object per physical line.
    Records,
}

/// The time before each row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timestamps {
    /// No time.
    None,
    /// The wall-clock time: `14:00:01.123`.
    Time,
    /// Time since the command's start.
    Relative,
    /// Time since the previous row.
    Delta,
    /// Date, wall-clock time and UTC offset.
    Full,
}

/// The jobs and commands of a run to print.
#[derive(Clone, Default, Debug)]
pub struct Selection {
    /// Only jobs whose id matches.
    pub job: Option<GlobMatcher>,
    /// Only the command with this number.
    pub n: Option<u32>,
    /// True if only failed commands and failed jobs are printed.
    pub failed: bool,
}

/// Options for reading logs and printing rows.
#[derive(Clone, Debug)]
pub struct PrintOptions {
    /// The stream whose rows are printed; `None` for both.
    pub stream: Option<Stream>,
    /// The number of rows to print from the end of each log; `None` for all rows.
    pub tail: Option<usize>,
    /// The time before each row.
    pub timestamps: Timestamps,
    /// True if text has colors.
    pub color: bool,
    /// True if text keeps the hyperlinks of the log.
    pub links: bool,
    /// The time zone for times in text.
    pub time_zone: TimeZone,
}

/// Notices about data that is missing from the output.
#[derive(Default, Debug)]
pub struct Report {
    /// Messages for stderr.
    pub notices: Vec<String>,
    /// True if a log could not be read.
    pub unreadable: bool,
}

impl Report {
    /// Creates a report with one notice.
    #[must_use]
    pub fn notice(text: &str) -> Self {
        Self { notices: vec![text.to_owned()], unreadable: false }
    }

    /// Adds the notices of another report.
    pub fn extend(&mut self, other: Self) {
        self.notices.extend(other.notices);
        self.unreadable |= other.unreadable;
    }

    pub(in crate::dump) fn unreadable(&mut self, error: &Error) {
        self.unreadable = true;
        self.notices.push(chain(error));
    }
}

/// Removes the parts of a run that are not selected. If only some commands are selected, a job
/// without any of them is removed too, unless failures are selected and the job itself failed or
/// was interrupted.
#[must_use]
pub fn select(mut run: RunNode, selection: &Selection) -> RunNode {
    run.jobs
        .retain(|job| selection.job.as_ref().is_none_or(|glob| glob.is_match(job.job.id.as_str())));
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
        job.shs.retain(|sh| {
            (!selection.failed || failed(sh, in_failed_job))
                && selection.n.is_none_or(|n| sh.n == n)
        });
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
