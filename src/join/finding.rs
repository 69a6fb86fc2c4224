//! The oddities of a run as it was recorded, and their places.
//!
//! No finding is an error: a run is shown as far as its data allows. Each class is a
//! [`FindingKind`]; its code is stable for scripts.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::RunNode;
use crate::model::{JobId, RunId};

/// A place in a run.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The run itself.
    Run,
    /// A job.
    Job(JobId),
    /// A command, by its number in the job.
    Sh(JobId, u32),
}

impl Place {
    /// Returns the job itself, or the job of the command.
    #[must_use]
    pub const fn job(&self) -> Option<&JobId> {
        match self {
            Self::Run => None,
            Self::Job(job) | Self::Sh(job, _) => Some(job),
        }
    }

    /// Returns the command's number in its job.
    #[must_use]
    pub const fn n(&self) -> Option<u32> {
        match self {
            Self::Sh(_, n) => Some(*n),
            Self::Run | Self::Job(_) => None,
        }
    }
}

/// An oddity and its place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Its place.
    pub place: Place,
    /// Its class.
    pub kind: FindingKind,
}

/// The findings about a run, in the order in which they were found, with an index by place. The
/// index is needed because a run may have a finding for every command.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Findings {
    all: Vec<Finding>,
    at: HashMap<Place, Vec<usize>>,
}

impl Findings {
    /// Adds a finding.
    pub fn add(&mut self, place: Place, kind: FindingKind) {
        self.at.entry(place.clone()).or_default().push(self.all.len());
        self.all.push(Finding { place, kind });
    }

    /// Returns all findings.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.all.iter()
    }

    /// Returns the findings at a place.
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

/// A class of findings.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum FindingKind {
    /// The run was marked as failed when its writer was restarted.
    Orphaned,
    /// The run's recorder exited before the run was finished.
    Interrupted,
    /// The run was copied before it had ended.
    CopiedEarly,
    /// The run has not ended, although all its jobs ended a while ago.
    Stalled,
    /// The run has not ended, although nothing of it has changed for a long time.
    Silent,
    /// The run was begun by `rundown begin` and has waited for its next command for a long time.
    RunNeverEnded {
        /// The run.
        run: RunId,
        /// The time since its begin, in milliseconds.
        age_ms: i64,
    },
    /// The run failed, although no job or command did. The writer stopped before it had written all
    /// rows.
    FailedAlone,
    /// The store's word for the state of the run or the job is unknown.
    UnknownState(String),
    /// The database has no jobs of the run, although there are logs.
    JobsGone {
        /// The number of logs.
        logs: usize,
        /// True if the run was marked as failed when its writer was restarted: the writer stopped
        /// before it wrote the jobs.
        orphaned: bool,
    },
    /// The logs of all commands of a job or of the run are missing.
    LogsGone {
        /// The number of commands.
        commands: usize,
    },
    /// Some commands have logs but no rows. The place is the first of them.
    RowsEnd {
        /// The number of these commands.
        commands: usize,
        /// True if one of them began in the same millisecond as another command.
        collided: bool,
    },
    /// A row has no log.
    LogMissing,
    /// The log is shorter than it was when the command ended.
    LogShorter {
        /// The difference in bytes.
        by_bytes: u64,
    },
    /// The log is longer than it was when the command ended.
    LogLonger {
        /// The difference in bytes.
        by_bytes: u64,
    },
    /// Some numbers before the job's last log have neither row nor log.
    NumberMissing {
        /// The count of these numbers.
        numbers: u32,
        /// The first of them.
        first_n: u32,
    },
    /// The rows of the job are not in the order of its logs.
    OutOfOrder,
    /// The events contain the start of the command, but the next event of the job is not its end.
    NeverEnded,
    /// The run has ended, but the job has not.
    JobNeverEnded,
    /// The job ended after its run.
    JobOutlivesRun {
        /// The difference in milliseconds.
        by_ms: i64,
    },
    /// A job has logs or events but no row, in a run that has rows of jobs.
    JobWithoutRow,
    /// The end is before the start.
    ClockWentBack {
        /// The difference in milliseconds.
        by_ms: i64,
    },
    /// Some lines of `events.jsonl` are not known events.
    UnknownEvents {
        /// The number of these lines.
        lines: u64,
    },
    /// Only the beginning of `events.jsonl` is read.
    EventsCut {
        /// The number of bytes that are read.
        read_bytes: u64,
    },
    /// Only some of the run's rows are read, because the run has too many.
    RowsCut {
        /// The number of jobs and commands that are read.
        rows: usize,
    },
    /// The repository or the id of the run is unsafe in a path, so the run's files are not read.
    UnsafeRunName,
    /// A name of the run or the job has characters that could control a terminal or hide text.
    UnsafeName,
    /// A file or directory is not read on purpose. The text is the reason, and contains untrusted
    /// names.
    Refused(String),
    /// A file or directory could not be read. The text is the reason, and contains untrusted names.
    Unreadable(String),
    /// Some lines of the log are not records.
    Malformed {
        /// The number of these lines.
        lines: u64,
        /// The number of the first such line, from 1.
        first_line: u64,
    },
    /// The log's last line has no newline, although the command and its run are no longer active.
    Torn,
}

/// A class of findings, as a word for scripts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(rename = "FindingKind"))]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "FindingKind has the same variants, with their meanings")]
pub enum FindingCode {
    Orphaned,
    Interrupted,
    CopiedEarly,
    Stalled,
    Silent,
    RunNeverEnded,
    FailedAlone,
    UnknownState,
    JobsGone,
    LogsGone,
    RowsEnd,
    LogMissing,
    LogShorter,
    LogLonger,
    NumberMissing,
    OutOfOrder,
    NeverEnded,
    JobNeverEnded,
    JobOutlivesRun,
    JobWithoutRow,
    ClockWentBack,
    UnknownEvents,
    EventsCut,
    RowsCut,
    UnsafeRunName,
    UnsafeName,
    Refused,
    Unreadable,
    Malformed,
    Torn,
}

impl FindingKind {
    /// Returns the name of the class in the JSON documents.
    #[must_use]
    pub const fn code(&self) -> FindingCode {
        match self {
            Self::Orphaned => FindingCode::Orphaned,
            Self::Interrupted => FindingCode::Interrupted,
            Self::CopiedEarly => FindingCode::CopiedEarly,
            Self::Stalled => FindingCode::Stalled,
            Self::Silent => FindingCode::Silent,
            Self::RunNeverEnded { .. } => FindingCode::RunNeverEnded,
            Self::FailedAlone => FindingCode::FailedAlone,
            Self::UnknownState(_) => FindingCode::UnknownState,
            Self::JobsGone { .. } => FindingCode::JobsGone,
            Self::LogsGone { .. } => FindingCode::LogsGone,
            Self::RowsEnd { .. } => FindingCode::RowsEnd,
            Self::LogMissing => FindingCode::LogMissing,
            Self::LogShorter { .. } => FindingCode::LogShorter,
            Self::LogLonger { .. } => FindingCode::LogLonger,
            Self::NumberMissing { .. } => FindingCode::NumberMissing,
            Self::OutOfOrder => FindingCode::OutOfOrder,
            Self::NeverEnded => FindingCode::NeverEnded,
            Self::JobNeverEnded => FindingCode::JobNeverEnded,
            Self::JobOutlivesRun { .. } => FindingCode::JobOutlivesRun,
            Self::JobWithoutRow => FindingCode::JobWithoutRow,
            Self::ClockWentBack { .. } => FindingCode::ClockWentBack,
            Self::UnknownEvents { .. } => FindingCode::UnknownEvents,
            Self::EventsCut { .. } => FindingCode::EventsCut,
            Self::RowsCut { .. } => FindingCode::RowsCut,
            Self::UnsafeRunName => FindingCode::UnsafeRunName,
            Self::UnsafeName => FindingCode::UnsafeName,
            Self::Refused(_) => FindingCode::Refused,
            Self::Unreadable(_) => FindingCode::Unreadable,
            Self::Malformed { .. } => FindingCode::Malformed,
            Self::Torn => FindingCode::Torn,
        }
    }

    /// Returns true if a part of the run, such as logs, is missing from the data that is read.
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

    /// Returns true if the finding reports missing logs.
    #[must_use]
    pub const fn is_missing_log(&self) -> bool {
        matches!(self, Self::LogsGone { .. } | Self::LogMissing | Self::NumberMissing { .. })
    }
}

impl RunNode {
    /// Returns true if a part of the run could not be read.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.findings.iter().any(|finding| matches!(finding.kind, FindingKind::Unreadable(_)))
    }
}
