//! Requests for rows of a document or of one log: the rows to read, their filter and their folds.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::document::Document;
use crate::log::Anchor;
use crate::search::{Query, RowFilter, Towards};
use crate::time::Time;

/// The number of a request for log rows, or of a search for runs; only the answer to the newest one
/// counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Ticket(pub u64);

/// The rows to read. A position is an address if they are rows of a document, or an offset if they
/// are rows of one log.
#[derive(Clone, PartialEq, Debug)]
pub enum Goal {
    /// The rows at an anchor.
    Rows(Anchor),
    /// The rows on both sides of this position.
    Around(u64),
    /// The rows around the first row at or after this position. That row becomes the target.
    Place(u64),
    /// The rows around the row with this number, from 0, in a section. The value is an address with
    /// the number in place of the offset.
    Row(u64),
    /// The rows around the first row of this time or later.
    Time(Time),
    /// The rows around the row at this percentage of the bytes.
    Percent(u8),
    /// The rows around the likely cause of a failure with this exit code, in the section of this
    /// address; the last rows of the section if no row matches.
    Cause(u64, Option<i64>),
    /// The rows around the row after a long silent gap, in the order of length: the longest one
    /// first.
    Gap {
        /// The shortest gap to consider, in milliseconds.
        min_ms: i64,
        /// The row after the last gap that was shown; `None` if the longest one is next.
        from: Option<u64>,
        /// The direction: down to shorter gaps, or up to longer ones.
        towards: Towards,
    },
    /// The rows around the heading of the innermost group around a row; the group is folded or
    /// opened.
    Fold(u64, Fold),
    /// The rows around the nearest row of a kind.
    Next {
        /// The kind of row.
        what: Sought,
        /// The place to search from; see [`Towards`].
        from: u64,
        /// The direction of the search.
        towards: Towards,
        /// True if the search wraps: it continues at the other end of the document or log.
        round: bool,
    },
}

/// A change of a fold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fold {
    /// Open it.
    Open,
    /// Fold it.
    Close,
    /// Open it if it is folded, else fold it.
    Toggle,
}

impl Fold {
    /// Returns true if a fold is folded after this change.
    #[must_use]
    pub const fn of(self, is_folded: bool) -> bool {
        match self {
            Self::Open => false,
            Self::Close => true,
            Self::Toggle => !is_folded,
        }
    }
}

/// The folded groups of logs.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Folds {
    /// True if all groups are folded, false if all are open; `None` if the marker of each group
    /// decides.
    pub all: Option<bool>,
    /// The exceptions, by the addresses of their headings; true if folded.
    pub chosen: Arc<BTreeMap<u64, bool>>,
}

impl Folds {
    /// Returns true if a group is folded. `is_collapsed` is true if the group's own marker folds
    /// it.
    #[must_use]
    pub fn is_folded(&self, heading: u64, is_collapsed: bool) -> bool {
        self.chosen.get(&heading).copied().or(self.all).unwrap_or(is_collapsed)
    }

    /// Returns true if a group may be folded although its own marker does not fold it.
    #[must_use]
    pub fn fold_some(&self) -> bool {
        self.all == Some(true) || self.chosen.values().any(|is_folded| *is_folded)
    }

    /// Folds or opens some groups.
    pub fn choose(&mut self, changes: impl IntoIterator<Item = (u64, bool)>) {
        Arc::make_mut(&mut self.chosen).extend(changes);
    }
}

/// A kind of row to look for.
#[derive(Clone, PartialEq, Debug)]
pub enum Sought {
    /// A row that matches.
    Match(Query),
    /// An error row.
    Error,
}

/// A request for rows of a document.
#[derive(Clone, PartialEq, Debug)]
pub struct PageRequest {
    /// The document.
    pub document: Document,
    /// The rows to read from it, by their addresses.
    pub rows: RowsRequest,
}

/// A request for rows: of a document by their addresses, or of one log by their offsets.
#[derive(Clone, PartialEq, Debug)]
pub struct RowsRequest {
    /// The rows to read.
    pub goal: Goal,
    /// The most rows.
    pub max_rows: usize,
    /// The filter of the rows.
    pub row_filter: RowFilter,
    /// The folded groups.
    pub folds: Folds,
    /// The search whose matches are counted.
    pub search: Option<Query>,
    /// True if the last answer to the same request is still on screen. The new answer is then
    /// [`super::Answer::Unchanged`] if nothing has changed.
    pub is_refresh: bool,
}

impl PageRequest {
    /// Returns true if both requests are for the same rows. The search and `is_refresh` may differ.
    #[must_use]
    pub fn is_same_page(&self, other: &Self) -> bool {
        let is_same = |a: &RowsRequest, b: &RowsRequest| {
            a.goal == b.goal
                && a.max_rows == b.max_rows
                && a.row_filter == b.row_filter
                && a.folds == b.folds
        };
        is_same(&self.rows, &other.rows) && self.document == other.document
    }
}
