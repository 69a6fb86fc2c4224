//! What is odd about a run as it was recorded: where, what it means, why it may be. Pure.
//!
//! Nothing here is an error: a run is shown as far as it is told. Each class is a [`FindingKind`]; its code is a promise to scripts.

use std::collections::{HashMap, HashSet};

use super::{JobNode, Pairing, RunHead, RunNode, ShNode};
use crate::model::{JobId, Origin, Phase};
use crate::sanitise;
use crate::time::Time;

/// Something odd, and where: the run itself, a job of it, or a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The job; `None` for the run itself.
    pub job: Option<JobId>,
    /// The command's number in the job.
    pub n: Option<u32>,
    /// What is odd.
    pub kind: FindingKind,
}

/// What is odd.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FindingKind {
    /// The run was called failed when its writer was started anew.
    Orphaned,
    /// Its recorder is gone without having finished it.
    Interrupted,
    /// The run has not ended, though all its jobs have, for a while.
    Stalled,
    /// The database has no jobs of the run, though so many logs are here.
    JobsGone(usize),
    /// The logs of so many commands are not here: of a job, or of the whole run.
    LogsGone(usize),
    /// From this command on, so many commands have logs or events and no rows. Whether two of them began in one millisecond.
    RowsEnd(usize, bool),
    /// A row without a log.
    LogMissing,
    /// Between the job's logs there is a number without row and log.
    NumberMissing,
    /// The rows of the job are not in the order of its logs.
    OutOfOrder,
    /// The command was started and something else came after it without its end.
    NeverEnded,
    /// The job has not ended, though its run has.
    JobNeverEnded,
    /// The job ended so many milliseconds after its run.
    JobOutlivesRun(i64),
    /// A directory of logs without a row, in a run that has rows.
    JobWithoutRow,
    /// It ended so many milliseconds before it began.
    ClockWentBack(i64),
    /// So many lines of `events.jsonl` are no event that is known.
    UnknownEvents(u64),
    /// The names of the run cannot be a path: none of its files is read.
    UnsafeRunName,
    /// A name of the run, or the job's, has characters that could steer a terminal or hide text.
    UnsafeName,
    /// Something that is left alone on purpose: what and why. Untrusted names are in it.
    Refused(String),
    /// Something that could not be read: what and why. Untrusted names are in it.
    Unreadable(String),
    /// Lines of the log that are no records: how many, and the first one's number, from 1.
    Malformed(u64, u64),
    /// The log's last line has no newline, though nobody writes it any more.
    Torn,
}

impl FindingKind {
    /// Its name in the JSON documents.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Orphaned => "orphaned",
            Self::Interrupted => "interrupted",
            Self::Stalled => "stalled",
            Self::JobsGone(_) => "jobs-gone",
            Self::LogsGone(_) => "logs-gone",
            Self::RowsEnd(..) => "rows-end",
            Self::LogMissing => "log-missing",
            Self::NumberMissing => "number-missing",
            Self::OutOfOrder => "out-of-order",
            Self::NeverEnded => "never-ended",
            Self::JobNeverEnded => "job-never-ended",
            Self::JobOutlivesRun(_) => "job-outlives-run",
            Self::JobWithoutRow => "job-without-row",
            Self::ClockWentBack(_) => "clock-went-back",
            Self::UnknownEvents(_) => "unknown-events",
            Self::UnsafeRunName => "unsafe-run-name",
            Self::UnsafeName => "unsafe-name",
            Self::Refused(_) => "refused",
            Self::Unreadable(_) => "unreadable",
            Self::Malformed(..) => "malformed",
            Self::Torn => "torn",
        }
    }

    /// Whether it means that logs are missing from what is read of a run.
    #[must_use]
    pub const fn is_loss(&self) -> bool {
        matches!(
            self,
            Self::LogsGone(_)
                | Self::LogMissing
                | Self::NumberMissing
                | Self::UnsafeRunName
                | Self::Refused(_)
                | Self::Unreadable(_)
        )
    }
}

/// The run is alive as long as its last job has ended less than this long ago.
const STALLED_AFTER_MS: i64 = 10_000;

/// What is odd about a run, from the run down to its commands. Those of its files are the loader's to tell.
#[must_use]
pub fn find(run: &RunNode, now: Time) -> Vec<Finding> {
    let mut found = Found { findings: Vec::new() };
    let head = &run.head;
    let is_stalled = is_stalled(run, now);
    for (kind, is_so) in [
        (FindingKind::Orphaned, head.is_orphaned()),
        (FindingKind::Interrupted, head.interrupted),
        (FindingKind::Stalled, is_stalled),
        (FindingKind::UnsafeRunName, run.dir.is_none() && head.run.repo.is_some()),
        (
            FindingKind::UnsafeName,
            [&head.run.repo, &head.run.ref_name].into_iter().flatten().any(|name| is_unsafe(name)),
        ),
    ] {
        found.add_if(is_so, None, None, kind);
    }
    found.clock(None, None, head.run.started_at, head.ended_at());
    let is_settled = head.phase == Phase::Finished || is_stalled;
    if head.run.in_database && is_settled {
        found.missing(run);
    }
    for job in &run.jobs {
        found.job(head, job);
    }
    found.findings
}

fn is_unsafe(name: &str) -> bool {
    !name.chars().all(sanitise::is_harmless)
}

fn is_stalled(run: &RunNode, now: Time) -> bool {
    let ends = || run.jobs.iter().filter_map(|job| job.job.finished_at);
    let have_ended = !run.jobs.is_empty() && run.jobs.iter().all(|job| job.phase == Phase::Finished);
    run.head.phase == Phase::Active
        && have_ended
        && ends().max().is_none_or(|last| now.millis_since(last) > STALLED_AFTER_MS)
}

struct Found {
    findings: Vec<Finding>,
}

impl Found {
    fn add_if(&mut self, is_so: bool, job: Option<&JobNode>, n: Option<u32>, kind: FindingKind) {
        if is_so {
            self.findings.push(Finding { job: job.map(|job| job.job.id.clone()), n, kind });
        }
    }

    fn clock(&mut self, job: Option<&JobNode>, n: Option<u32>, start: Option<Time>, end: Option<Time>) {
        let back = start.zip(end).map_or(0, |(start, end)| start.millis_since(end));
        self.add_if(back > 0, job, n, FindingKind::ClockWentBack(back));
    }

    /// What of the run's rows and logs is not here. Told once, as high up as it holds.
    fn missing(&mut self, run: &RunNode) {
        let shs = || run.jobs.iter().flat_map(|job| &job.shs);
        let logs = shs().filter(|sh| sh.log.is_some()).count();
        let rows = shs().filter(|sh| has_row(sh)).count();
        if run.jobs.iter().all(|job| job.job.state.is_none()) && rows == 0 && logs > 0 {
            return self.add_if(true, None, None, FindingKind::JobsGone(logs));
        }
        if logs == 0 && rows > 0 {
            return self.add_if(true, None, None, FindingKind::LogsGone(rows));
        }
        let known_jobs = run.jobs.iter().any(|job| job.job.state.is_some());
        for job in &run.jobs {
            let has_any_row = job.job.state.is_some() || job.shs.iter().any(has_row);
            self.add_if(!has_any_row && known_jobs, Some(job), None, FindingKind::JobWithoutRow);
            self.missing_rows(job, has_any_row);
            self.missing_logs(job);
        }
    }

    fn missing_rows(&mut self, job: &JobNode, has_any_row: bool) {
        let is_alone = |sh: &&ShNode| sh.log.is_some() && !has_row(sh);
        let alone: Vec<&ShNode> = job.shs.iter().filter(is_alone).collect();
        let Some(first) = alone.first().filter(|_| has_any_row) else { return };
        let mut starts: HashMap<i64, u32> = HashMap::new();
        job.shs.iter().filter_map(began_ms).for_each(|at| *starts.entry(at).or_default() += 1);
        let is_collision = alone.iter().filter_map(|sh| began_ms(sh)).any(|at| starts.get(&at) > Some(&1));
        self.add_if(true, Some(job), Some(first.n), FindingKind::RowsEnd(alone.len(), is_collision));
    }

    fn missing_logs(&mut self, job: &JobNode) {
        let is_alone = |sh: &&ShNode| sh.log.is_none() && has_row(sh);
        let alone = job.shs.iter().filter(is_alone).count();
        if alone > 1 && job.shs.iter().all(|sh| sh.log.is_none()) {
            return self.add_if(true, Some(job), None, FindingKind::LogsGone(alone));
        }
        for sh in job.shs.iter().filter(is_alone) {
            self.add_if(true, Some(job), Some(sh.n), FindingKind::LogMissing);
        }
    }

    fn job(&mut self, head: &RunHead, job: &JobNode) {
        self.add_if(is_unsafe(job.job.id.as_str()), Some(job), None, FindingKind::UnsafeName);
        let is_over = head.phase == Phase::Finished;
        self.add_if(is_over && job.interrupted && !head.interrupted, Some(job), None, FindingKind::JobNeverEnded);
        let outlived = head.ended_at().zip(job.job.finished_at).map_or(0, |(run, job)| job.millis_since(run));
        self.add_if(outlived > 0, Some(job), None, FindingKind::JobOutlivesRun(outlived));
        self.clock(Some(job), None, job.job.started_at, job.job.finished_at);
        self.add_if(is_out_of_order(job), Some(job), None, FindingKind::OutOfOrder);
        let numbers: HashSet<u32> = job.shs.iter().map(|sh| sh.n).collect();
        let mut expected = 1;
        for sh in job.shs.iter().filter(|sh| sh.log.is_some()) {
            // The first of a gap: a hostile store may leave out millions.
            let gap = (expected..sh.n).find(|n| !numbers.contains(n));
            self.add_if(gap.is_some(), Some(job), gap, FindingKind::NumberMissing);
            expected = sh.n.saturating_add(1);
        }
        for sh in &job.shs {
            let given_up = sh.sh.as_ref().is_some_and(|sh| sh.origin == Origin::Event && sh.n.is_none());
            self.add_if(given_up, Some(job), Some(sh.n), FindingKind::NeverEnded);
            let times = sh.sh.as_ref().map(|sh| (sh.started_at, sh.finished_at)).unwrap_or_default();
            self.clock(Some(job), Some(sh.n), times.0, times.1);
        }
    }
}

fn has_row(sh: &ShNode) -> bool {
    sh.sh.as_ref().is_some_and(|sh| sh.origin != Origin::Event)
}

/// When a command began, by its row or else by its log.
fn began_ms(sh: &ShNode) -> Option<i64> {
    sh.sh.as_ref().and_then(|sh| sh.started_at).or(sh.first_at).map(Time::floor_millis)
}

/// Whether the times of the rows run backwards in the order of their numbers, where the numbers are those of the logs.
fn is_out_of_order(job: &JobNode) -> bool {
    let by_time = job.shs.iter().filter(|sh| sh.pairing == Pairing::Time);
    let starts: Vec<Option<Time>> = by_time.map(|sh| sh.sh.as_ref().and_then(|sh| sh.started_at)).collect();
    !starts.is_sorted()
}

impl RunNode {
    /// What is odd about the run itself, a job of it, or a command of that.
    pub fn findings_at<'a>(&'a self, job: Option<&'a JobId>, n: Option<u32>) -> impl Iterator<Item = &'a Finding> {
        self.findings.iter().filter(move |finding| finding.job.as_ref() == job && finding.n == n)
    }

    /// Whether a part of it could not be read.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.findings.iter().any(|finding| matches!(finding.kind, FindingKind::Unreadable(_)))
    }
}
