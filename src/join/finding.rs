//! What may be odd about a run as it was recorded, and where.
//!
//! Nothing here is an error: a run is shown as far as it is told. Each class is a [`FindingKind`];
//! its code is a promise to scripts.

use std::collections::HashMap;

use super::RunNode;
use crate::model::JobId;

/// Where in a run something is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// The run itself.
    Run,
    /// A job.
    Job(JobId),
    /// A command, by its number in the job.
    Sh(JobId, u32),
}

impl Place {
    /// The job it is or belongs to.
    #[must_use]
    pub const fn job(&self) -> Option<&JobId> {
        match self {
            Self::Run => None,
            Self::Job(job) | Self::Sh(job, _) => Some(job),
        }
    }

    /// The command's number in its job.
    #[must_use]
    pub const fn n(&self) -> Option<u32> {
        match self {
            Self::Sh(_, n) => Some(*n),
            Self::Run | Self::Job(_) => None,
        }
    }
}

/// Something odd, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// What.
    pub kind: FindingKind,
}

/// What is odd about a run: in the order of its finding, and by its place. There may be as many
/// findings as commands.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Findings {
    all: Vec<Finding>,
    at: HashMap<Place, Vec<usize>>,
}

impl Findings {
    /// Adds one.
    pub fn add(&mut self, place: Place, kind: FindingKind) {
        self.at.entry(place.clone()).or_default().push(self.all.len());
        self.all.push(Finding { place, kind });
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.all.iter()
    }

    /// Those at a place.
    pub fn at(&self, place: &Place) -> impl Iterator<Item = &FindingKind> {
        let places = self.at.get(place).into_iter().flatten();
        places.filter_map(|place| self.all.get(*place)).map(|finding| &finding.kind)
    }
}

impl FromIterator<Finding> for Findings {
    fn from_iter<T: IntoIterator<Item = Finding>>(found: T) -> Self {
        let mut findings = Self::default();
        found.into_iter().for_each(|finding| findings.add(finding.place, finding.kind));
        findings
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
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
    /// The run failed, though none of its jobs and commands did: its writer stopped while it wrote
    /// their rows.
    FailedAlone,
    /// The store's word for the state of the run or the job is not known.
    UnknownState(String),
    /// The database has no jobs of the run, though logs are here.
    JobsGone {
        /// How many.
        logs: usize,
        /// Its writer was gone before it wrote them.
        orphaned: bool,
    },
    /// The logs of commands are not here: of a job, or of the whole run.
    LogsGone {
        /// Of how many.
        commands: usize,
    },
    /// Commands, this one the first, have logs and no rows.
    RowsEnd {
        /// How many.
        commands: usize,
        /// Two of them began in one millisecond.
        collided: bool,
    },
    /// A row without a log.
    LogMissing,
    /// The log is shorter than it was when the command ended.
    LogShorter {
        /// By how many bytes.
        by_bytes: u64,
    },
    /// The log is longer than it was when the command ended.
    LogLonger {
        /// By how many bytes.
        by_bytes: u64,
    },
    /// Numbers before the job's last log have neither row nor log.
    NumberMissing {
        /// How many.
        numbers: u32,
        /// The first of them.
        first_n: u32,
    },
    /// The rows of the job are not in the order of its logs.
    OutOfOrder,
    /// The command was started and something else came after it without its end.
    NeverEnded,
    /// The job has not ended, though its run has.
    JobNeverEnded,
    /// The job ended after its run.
    JobOutlivesRun {
        /// How many milliseconds.
        by_ms: i64,
    },
    /// A directory of logs, or events, without a row, in a run that has rows.
    JobWithoutRow,
    /// It ended before it began.
    ClockWentBack {
        /// How many milliseconds.
        by_ms: i64,
    },
    /// Lines of `events.jsonl` are no event that is known.
    UnknownEvents {
        /// How many.
        lines: u64,
    },
    /// Of `events.jsonl` only the beginning is read.
    EventsCut {
        /// So much.
        read_bytes: u64,
    },
    /// Of the run's rows only some are read: it has too many.
    RowsCut {
        /// So many jobs and commands.
        rows: usize,
    },
    /// The names of the run cannot be a path: none of its files is read.
    UnsafeRunName,
    /// A name of the run, or the job's, has characters that could steer a terminal or hide text.
    UnsafeName,
    /// Something that is left alone on purpose: what and why. Untrusted names are in it.
    Refused(String),
    /// Something that could not be read: what and why. Untrusted names are in it.
    Unreadable(String),
    /// Lines of the log are no records.
    Malformed {
        /// How many.
        lines: u64,
        /// The first one's number, from 1.
        first_line: u64,
    },
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
            Self::FailedAlone => "failed-alone",
            Self::UnknownState(_) => "unknown-state",
            Self::JobsGone { .. } => "jobs-gone",
            Self::LogsGone { .. } => "logs-gone",
            Self::RowsEnd { .. } => "rows-end",
            Self::LogMissing => "log-missing",
            Self::LogShorter { .. } => "log-shorter",
            Self::LogLonger { .. } => "log-longer",
            Self::NumberMissing { .. } => "number-missing",
            Self::OutOfOrder => "out-of-order",
            Self::NeverEnded => "never-ended",
            Self::JobNeverEnded => "job-never-ended",
            Self::JobOutlivesRun { .. } => "job-outlives-run",
            Self::JobWithoutRow => "job-without-row",
            Self::ClockWentBack { .. } => "clock-went-back",
            Self::UnknownEvents { .. } => "unknown-events",
            Self::EventsCut { .. } => "events-cut",
            Self::RowsCut { .. } => "rows-cut",
            Self::UnsafeRunName => "unsafe-run-name",
            Self::UnsafeName => "unsafe-name",
            Self::Refused(_) => "refused",
            Self::Unreadable(_) => "unreadable",
            Self::Malformed { .. } => "malformed",
            Self::Torn => "torn",
        }
    }

    /// Whether it means that logs are missing from what is read of a run.
    #[must_use]
    pub const fn is_loss(&self) -> bool {
        matches!(
            self,
            Self::LogsGone { .. }
                | Self::LogMissing
                | Self::LogShorter { .. }
                | Self::NumberMissing { .. }
                | Self::EventsCut { .. }
                | Self::RowsCut { .. }
                | Self::UnsafeRunName
                | Self::Refused(_)
                | Self::Unreadable(_)
        )
    }

    /// Whether it says that logs are not here.
    #[must_use]
    pub const fn is_missing_log(&self) -> bool {
        matches!(self, Self::LogsGone { .. } | Self::LogMissing | Self::NumberMissing { .. })
    }
}

impl RunNode {
    /// Whether a part of it could not be read.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.findings.iter().any(|finding| matches!(finding.kind, FindingKind::Unreadable(_)))
    }
}
