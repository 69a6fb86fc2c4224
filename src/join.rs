//! Pairs the rows of a database with the log files on disk: pure, no I/O.
//!
//! Where the store keeps a command's number (ours does, `sh_calls`), the pairing is exact. Elsewhere the rule of the first
//! writer holds: the n-th row of a job by start time belongs to `sh-<n>.log`. Real stores break it, so it is checked against the
//! logs' first timestamps; where they disagree rows and logs are paired by time, and the leftovers of either side stay in the
//! tree.

use std::path::PathBuf;

use crate::model::{Job, Outcome, Phase, Run, Sh};

/// A run's row and what is derived from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunHead {
    /// The row.
    pub run: Run,
    /// How far it has come. An interrupted run is finished: nothing more will come.
    pub phase: Phase,
    /// How it ended; `None` while it has not, or where the store's word says nothing.
    pub outcome: Option<Outcome>,
    /// Its recorder is gone without having finished it.
    pub interrupted: bool,
}

/// A run with its jobs and commands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunNode {
    /// The run itself.
    pub head: RunHead,
    /// Where its logs are; `None` when its names are unsafe as a path.
    pub dir: Option<PathBuf>,
    /// Its jobs, in order of execution.
    pub jobs: Vec<JobNode>,
}

/// A job with its commands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobNode {
    /// The row, or what a directory without a row tells.
    pub job: Job,
    /// How far it has come.
    pub phase: Phase,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Its recorder is gone without having finished it.
    pub interrupted: bool,
    /// Its commands, by number.
    pub shs: Vec<ShNode>,
}

/// A command: its row, its log, or both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShNode {
    /// Its number in the job, from 1; of its log, or for a row without a log its place in the order of start.
    pub n: u32,
    /// Its row.
    pub sh: Option<Sh>,
    /// Its log.
    pub log: Option<LogRef>,
    /// How the two were brought together.
    pub pairing: Pairing,
    /// How it stands.
    pub state: ShState,
}

/// A log file as a directory listing tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRef {
    /// Where it is.
    pub path: PathBuf,
    /// Its size when it was listed.
    pub bytes: u64,
}

/// How a row and a log were brought together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pairing {
    /// The store keeps the number.
    Exact,
    /// The log's first timestamp is the row's start.
    Time,
    /// By order alone: the log is empty, there is nothing to check.
    Position,
    /// A row without a log.
    RowOnly,
    /// A log without a row.
    FileOnly,
}

impl Pairing {
    /// The word in the JSON documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Time => "time",
            Self::Position => "position",
            Self::RowOnly => "row-only",
            Self::FileOnly => "file-only",
        }
    }
}

/// How a command stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ShState {
    /// Started, not ended.
    Running,
    /// Ended with exit code 0.
    Passed,
    /// Ended with another, or by a signal.
    Failed,
    /// Started; its recorder is gone.
    Interrupted,
    /// No row, and no way to tell.
    Unknown,
}

impl ShState {
    /// The word in the JSON documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Unknown => "unknown",
        }
    }
}
