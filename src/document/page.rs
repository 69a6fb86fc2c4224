//! The answers to requests for a document: rows, and facts about the whole document.

use crate::join::Place;
use crate::log::{FileState, Window};
use crate::sanitize::Style;
use crate::search::Cause;
use crate::time::Time;

/// An answer about a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The requested rows.
    Page(Box<Page>),
    /// The facts about a document that has not changed since the same page was last read.
    Unchanged(Known),
    /// More facts.
    Known(Known),
    /// The likely cause of the failure of a command, after its whole log was searched.
    Cause(Place, Box<Cause>),
    /// The absence of the requested row.
    Missed,
    /// The progress of the search for the requested row, or for rows that pass the filter, in
    /// percent.
    Looking(u8),
}

/// Rows of a document, and facts about the whole document.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Page {
    /// The requested rows.
    pub window: Window,
    /// The style that the rows before the window leave switched on.
    pub style: Style,
    /// The facts about the document.
    pub known: Known,
    /// The number of times a log was replaced or truncated. Offsets of another generation may be
    /// invalid.
    pub generation: u64,
    /// The place of the log that was replaced or truncated last.
    pub replaced: Option<Place>,
    /// True if its recorder replaced it, to remove its middle.
    pub is_shortened: bool,
    /// The logs on the page whose names no longer refer to their files, or that have late bytes.
    pub file_states: Vec<(Place, FileState)>,
    /// The requested row; `None` if the request was not for a particular row.
    pub target: Option<Target>,
    /// The section that was opened to show the target.
    pub opened: Option<Place>,
    /// The groups that were folded or opened, on request or to show the target: the addresses of
    /// their headings, and true if the group is now folded.
    pub folded: Vec<(u64, bool)>,
    /// The gap before the target, if a gap was requested.
    pub gap: Option<RankedGap>,
    /// The likely cause of the command's failure, if it was requested.
    pub cause: Option<Box<Cause>>,
    /// The reason why a log on the page could not be read.
    pub fault: Option<String>,
}

/// A requested row that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// The address of the row.
    pub offset: u64,
    /// True if the search wrapped: it continued at the other end of the document.
    pub has_wrapped: bool,
}

/// A silent gap among the longest of a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RankedGap {
    /// Its length in milliseconds.
    pub ms: i64,
    /// The number of longer gaps.
    pub rank: usize,
    /// The number of ranked gaps: those that are long enough, up to a limit.
    pub of: usize,
}

/// The facts about a document other than its rows. More of them become known over time.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Known {
    /// The number of rows of all its logs so far, if known.
    pub total_rows: Option<u64>,
    /// The number of its rows of standard error, if known.
    pub stderr_rows: Option<u64>,
    /// The times of the first and the last record of the logs on the last page.
    pub span: Option<(Time, Time)>,
    /// For each row on the last page, its number in its log, from 0, if known.
    pub numbers: Vec<Option<u64>>,
    /// For each row on the last page, the number of groups that contain it.
    pub depths: Vec<usize>,
    /// The rows on the last page that are headings of groups.
    pub heads: Vec<Head>,
    /// The number of rows that match the search.
    pub hits: Option<HitCount>,
    /// The number of rows that the filter passes.
    pub passed: Option<HitCount>,
}

/// The heading of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The address of its row.
    pub at: u64,
    /// True if the group is folded.
    pub is_folded: bool,
    /// The number of rows in it, including its end marker, if counted.
    pub rows: Option<u64>,
}

/// The number of rows that match.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HitCount {
    /// The number of matching rows found so far.
    pub rows: u64,
    /// True if all logs have been scanned.
    pub is_all: bool,
    /// The number of the row found last, counted from 1 among all matches, if known.
    pub number: Option<u64>,
}
