//! What is answered of a log: rows, and what is known of all of it.

use crate::join::Place;
use crate::log::{FileState, Window};
use crate::sanitize::Style;
use crate::search::Cause;
use crate::time::Time;

/// Rows of a log and what is known of all of it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Page {
    /// The rows asked for.
    pub window: Window,
    /// What the rows before them have left switched on.
    pub style: Style,
    /// What is known of the log.
    pub known: Known,
    /// Counts how often the file was replaced or cut short: offsets of another generation mean
    /// nothing.
    pub generation: u64,
    /// How the file that was read stands to its name.
    pub file_state: FileState,
    /// The row that was looked for, if one was.
    pub target: Option<Target>,
    /// The section of a scroll that had to be opened to show that row.
    pub opened: Option<Place>,
    /// The groups that were opened to show it, or folded or opened on demand, by the addresses of
    /// their headings.
    pub folded: Vec<(u64, bool)>,
    /// Why the command failed most likely, if that was asked for.
    pub cause: Option<Box<Cause>>,
}

/// A row that was looked for and found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// It was found beyond the end of the log at which the search went on from the other.
    pub has_wrapped: bool,
}

/// What is known of a log, beside its rows; more from time to time.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Known {
    /// How many rows the whole log has so far, where that is known.
    pub total_rows: Option<u64>,
    /// How many of them are of standard error.
    pub stderr_rows: Option<u64>,
    /// The times of its first and last record.
    pub span: Option<(Time, Time)>,
    /// The numbers of the rows on the last page, from 0, where they are known.
    pub numbers: Vec<Option<u64>>,
    /// The rows on the last page that are headings of groups.
    pub heads: Vec<Head>,
    /// The rows that match the search.
    pub hits: Option<HitCount>,
    /// The rows that the filter lets through.
    pub passed: Option<HitCount>,
}

/// The heading of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The address of its row.
    pub at: u64,
    /// The group is folded.
    pub is_folded: bool,
    /// How many rows lie in it, with that of its end, where they have been counted.
    pub rows: Option<u64>,
}

/// How many rows of a log match.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HitCount {
    /// So many were found so far.
    pub rows: u64,
    /// The whole log has been scanned.
    pub is_all: bool,
    /// Which of them the row is that was found last, from 1, where that is known.
    pub number: Option<u64>,
}
