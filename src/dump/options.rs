//! Output options, as plain data for every format, and the report of missing data.

use jiff::tz::TimeZone;

use crate::cri::Stream;
use crate::error::{Error, chain};

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
