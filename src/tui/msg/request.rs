//! What is asked of a log: which rows, and how they are shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::log::Anchor;
use crate::search::{Query, RowFilter, Towards};
use crate::time::Time;
use crate::tui::scroll::LogSource;

/// Numbers the requests for log rows, and the searches for runs; only the answer to the newest
/// counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Ticket(pub u64);

/// Which rows of a log.
#[derive(Clone, PartialEq, Debug)]
pub enum Goal {
    /// Those at an anchor.
    Rows(Anchor),
    /// Those on both sides of this byte.
    Around(u64),
    /// Those around the first row that begins at or behind this byte; it is looked for.
    Place(u64),
    /// Those around the row with this number, from 0; in a scroll, with this number in its section,
    /// in the form of an address.
    Row(u64),
    /// Those around the first row of this time or later.
    Time(Time),
    /// Those around the row behind so many hundredths of the bytes.
    Percent(u8),
    /// Those around the row that most likely tells why the command failed, with this exit code;
    /// where none does, the last.
    Cause(Option<i64>),
    /// Those around the heading of the innermost group around a row, which is folded or opened.
    Fold(u64, Fold),
    /// Those around the nearest row of a kind.
    Next {
        /// What is looked for.
        what: Sought,
        /// From here on, as [`Towards`] says.
        from: u64,
        /// In which direction.
        towards: Towards,
        /// From one end of the log it goes on at the other.
        round: bool,
    },
}

/// What is done to a fold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fold {
    /// It is opened.
    Open,
    /// It is folded.
    Close,
    /// The one or the other.
    Toggle,
}

impl Fold {
    /// Whether what stands so is folded then.
    #[must_use]
    pub const fn of(self, is_folded: bool) -> bool {
        match self {
            Self::Open => false,
            Self::Close => true,
            Self::Toggle => !is_folded,
        }
    }
}

/// Which groups of logs are folded.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Folds {
    /// All of them, or none; `None`: those that ask for it themselves.
    pub all: Option<bool>,
    /// Those that are in another way, by the addresses of their headings: whether they are folded.
    pub chosen: Arc<BTreeMap<u64, bool>>,
}

impl Folds {
    /// Whether a group is folded.
    #[must_use]
    pub fn is_folded(&self, heading: u64, is_collapsed: bool) -> bool {
        self.chosen.get(&heading).copied().or(self.all).unwrap_or(is_collapsed)
    }

    /// Whether a group may be folded that does not ask for it.
    #[must_use]
    pub fn fold_some(&self) -> bool {
        self.all == Some(true) || self.chosen.values().any(|is_folded| *is_folded)
    }

    /// Folds or opens some.
    pub fn choose(&mut self, changes: impl IntoIterator<Item = (u64, bool)>) {
        Arc::make_mut(&mut self.chosen).extend(changes);
    }
}

/// What kind of row is looked for.
#[derive(Clone, PartialEq, Debug)]
pub enum Sought {
    /// One that matches.
    Match(Query),
    /// One that tells of an error.
    Error,
    /// One that comes so much later than the one before it.
    Gap {
        /// How much, in milliseconds.
        min_ms: i64,
    },
}

/// Which rows of what.
#[derive(Clone, PartialEq, Debug)]
pub struct PageRequest {
    /// The log, or the logs of a scroll. What is an offset of a single log is an address there
    /// ([`crate::tui::scroll::RowAddress`]).
    pub source: LogSource,
    /// Where the rows lie in it.
    pub goal: Goal,
    /// How many at most.
    pub rows: usize,
    /// Which rows are shown.
    pub row_filter: RowFilter,
    /// Which groups are folded.
    pub folds: Folds,
    /// Matches of this are counted.
    pub search: Option<Query>,
    /// The rows of the same request were taken in and are still at hand: if nothing has changed,
    /// that is answer enough.
    pub is_refresh: bool,
}

impl PageRequest {
    /// Whether the same rows are asked for, for whatever reason.
    #[must_use]
    pub fn is_same_page(&self, other: &Self) -> bool {
        let is_same = |a: &Self, b: &Self| {
            a.goal == b.goal
                && a.rows == b.rows
                && a.row_filter == b.row_filter
                && a.folds == b.folds
        };
        is_same(self, other) && self.source == other.source
    }
}
