//! Output options, as plain data for every format, and the report of missing data.

use std::collections::HashSet;

use jiff::tz::TimeZone;

use super::picker::Grep;
use super::selection::Selection;
use crate::cri::Stream;
use crate::error::{Error, chain};
use crate::log::Row;

/// The output format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Text for people.
    Text,
    /// A short report of the failures.
    Digest,
    /// The run as one document, with counts of its logs.
    Json,
    /// One object per row.
    Jsonl,
    /// The bytes that the commands wrote.
    Raw,
    /// One object per physical line.
    Records,
    /// A `JUnit` report.
    Junit {
        /// True if failures have the attribute `file`, which the schema of Jenkins forbids.
        has_file: bool,
    },
    /// The log with annotations and groups, for GitHub Actions.
    GitHub,
    /// The log with sections, for GitLab CI.
    GitLab,
    /// A code quality report of GitLab.
    CodeQuality,
    /// The log with issues and groups, for Azure Pipelines.
    Azure,
    /// A summary in Markdown.
    Markdown,
    /// A page for browsers.
    Html,
    /// Chrome trace events.
    Trace,
}

impl Format {
    /// Returns true if the output contains rows of logs, so that rows can be selected.
    #[must_use]
    pub const fn has_rows(self) -> bool {
        match self {
            Self::Digest
            | Self::Json
            | Self::Junit { .. }
            | Self::CodeQuality
            | Self::Markdown
            | Self::Trace => false,
            Self::Text
            | Self::Jsonl
            | Self::Raw
            | Self::Records
            | Self::GitHub
            | Self::GitLab
            | Self::Azure
            | Self::Html => true,
        }
    }

    /// Returns true if the output can have the time of each row as text.
    #[must_use]
    pub const fn has_timestamps(self) -> bool {
        match self {
            Self::Text | Self::GitHub | Self::GitLab | Self::Azure | Self::Html => true,
            Self::Digest
            | Self::Json
            | Self::Jsonl
            | Self::Raw
            | Self::Records
            | Self::Junit { .. }
            | Self::CodeQuality
            | Self::Markdown
            | Self::Trace => false,
        }
    }

    /// Returns true if the output contains commands of our own for a CI system.
    #[must_use]
    pub const fn has_commands(self) -> bool {
        matches!(self, Self::GitHub | Self::GitLab | Self::Azure)
    }

    /// Returns true if the output is a `JUnit` report.
    #[must_use]
    pub const fn is_junit(self) -> bool {
        matches!(self, Self::Junit { .. })
    }

    /// Returns true if the size of the output can be limited.
    #[must_use]
    pub const fn has_max_bytes(self) -> bool {
        self.has_rows() || matches!(self, Self::Digest | Self::Markdown)
    }
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

/// The number of rows of the end of a failed command's log that text shows by default.
pub const FAILED_TAIL_ROWS: usize = 50;

/// Options for reading logs and printing rows.
#[derive(Clone, Debug)]
pub struct PrintOptions {
    /// The selection that was applied to the run: its failure may be that of another part.
    pub selection: Selection,
    /// The stream whose rows are printed; `None` for both.
    pub stream: Option<Stream>,
    /// Only the rows that match, with their context; `None` for all rows.
    pub grep: Option<Grep>,
    /// The number of rows to print from the end of each log, without the context of matches; `None`
    /// for all rows.
    pub tail: Option<usize>,
    /// The number of bytes to print from the end of each log; `None` for all bytes.
    pub max_bytes: Option<u64>,
    /// The options with which the user named the store, for commands to run next; none for the
    /// default store.
    pub store: Vec<String>,
    /// True if text shows only the causes and the end of failed commands.
    pub failed: bool,
    /// The time before each row.
    pub timestamps: Timestamps,
    /// True if text has colors.
    pub color: bool,
    /// True if text keeps the hyperlinks of the log.
    pub links: bool,
    /// The time zone for times in text.
    pub time_zone: TimeZone,
    /// The number of bytes that the output file contains already, for formats that are limited by
    /// the size of the file.
    pub written_bytes: u64,
}

impl PrintOptions {
    /// Creates options that select all rows and add nothing to them.
    #[must_use]
    pub fn new(time_zone: TimeZone) -> Self {
        Self {
            selection: Selection::default(),
            stream: None,
            grep: None,
            tail: None,
            max_bytes: None,
            store: Vec::new(),
            failed: false,
            timestamps: Timestamps::None,
            color: false,
            links: false,
            time_zone,
            written_bytes: 0,
        }
    }

    /// Returns true if the stream of a row is selected.
    pub(in crate::dump) fn selects_stream(&self, row: &Row) -> bool {
        self.stream.is_none() || row.stream == self.stream
    }

    /// Returns the options that leave out the start of a log, for a notice.
    pub(in crate::dump) fn tail_options(&self) -> &'static str {
        match (self.tail, self.max_bytes) {
            (Some(_), Some(_)) => "--tail, --max-bytes",
            (None, Some(_)) => "--max-bytes",
            _ => "--tail",
        }
    }
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

    /// Removes notices that repeat others, as of a log that was read more than once.
    pub fn forget_repeated(&mut self) {
        let mut seen = HashSet::new();
        self.notices.retain(|notice| seen.insert(notice.clone()));
    }

    pub(in crate::dump) fn unreadable(&mut self, error: &Error) {
        self.unreadable = true;
        self.notices.push(chain(error));
    }
}
