//! The answers to requests for a log: rows, and facts about the whole log.

use crate::join::Place;
use crate::log::{FileState, Window};
use crate::sanitize::Style;
use crate::search::Cause;
use crate::time::Time;

/// Rows of a log, and facts about the whole log.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Page {
    /// The requested rows.
    pub window: Window,
    /// The style that the rows before the window leave switched on.
    pub style: Style,
    /// The facts about the log.
    pub known: Known,
    /// The number of times the file was replaced or truncated. Offsets of another generation are
    /// invalid.
    pub generation: u64,
    /// The relation of the file that was read to its name.
    pub file_state: FileState,
    /// The requested row; `None` if the request was not for a particular row.
    pub target: Option<Target>,
    /// The section of a scroll that was opened to show the target.
    pub opened: Option<Place>,
    /// The groups that were opened to show the target, or folded or opened on request, by the
    /// addresses of their headings; true if folded.
    pub folded: Vec<(u64, bool)>,
    /// The likely cause of the command's failure, if it was requested.
    pub cause: Option<Box<Cause>>,
}

/// A requested row that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// The byte of the file at which the row begins; in a scroll, the row's address.
    pub offset: u64,
    /// True if the search wrapped: it continued at the other end of the log.
    pub has_wrapped: bool,
}

/// The facts about a log other than its rows. More of them become known over time.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Known {
    /// The number of rows of the whole log so far, if known.
    pub total_rows: Option<u64>,
    /// The number of its rows of standard error, if known.
    pub stderr_rows: Option<u64>,
    /// The times of its first and last record.
    pub span: Option<(Time, Time)>,
    /// The numbers of the rows on the last page, from 0, where they are known.
    pub numbers: Vec<Option<u64>>,
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

/// The number of rows of a log that match.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HitCount {
    /// The number of matching rows found so far.
    pub rows: u64,
    /// True if the whole log has been scanned.
    pub is_all: bool,
    /// The number of the row found last, counted from 1 among all matches, if known.
    pub number: Option<u64>,
}
