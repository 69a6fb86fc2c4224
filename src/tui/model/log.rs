//! The log on screen: the rows at hand, where one stands in them, and what has been asked for.

use crate::join::Place;
use crate::log::{FileState, Row, Window};
use crate::model::RunId;
use crate::sanitize::Style;
use crate::search::Cause;
use crate::tui::document::{Document, Section};
use crate::tui::msg::{Goal, Head, Known, Ticket};

/// A row that was marked: the run, the command, and where it begins in that one's log.
pub type Mark = (RunId, Place, u64);

/// The log of the selected command, or of the run itself; or the logs of its commands.
#[derive(Default)]
pub struct Log {
    /// The source of the rows; `None` when nothing is shown.
    pub document: Option<Document>,
    /// True if the log may still be written.
    pub is_alive: bool,
    /// True if the command of the log was interrupted.
    pub is_interrupted: bool,
    /// The rows at hand: those on screen and some more at either side.
    pub window: Window,
    /// The style that the rows before those at hand have left switched on.
    pub style: Style,
    /// The first row on screen, counted in the window.
    pub top: usize,
    /// The number of lines of that row scrolled out of sight, where rows are wrapped.
    pub line: usize,
    /// The address of the row under the cursor; `None` without rows.
    pub cursor: Option<u64>,
    /// The address of the row that was found last: a filter passes it in any case.
    pub at: Option<u64>,
    /// The address of the row that was found before other rows were shown. The cursor returns to it
    /// as soon as it is among the rows at hand.
    pub marked: Option<u64>,
    /// The last row is on screen: new ones scroll it.
    pub follow: bool,
    /// The number of columns scrolled out at the left.
    pub sideways: usize,
    /// The facts known about the whole log.
    pub known: Known,
    /// The row count when the last row was on screen or, before that, when the log was first
    /// counted; `None` until then.
    pub seen_rows: Option<u64>,
    /// Which generation of the files the window is from.
    pub generation: u64,
    /// The logs on the page that do not belong to their names, or have late bytes.
    pub file_states: Vec<(Place, FileState)>,
    /// Why its command failed most likely, and whether that is shown.
    pub card: Option<Card>,
    /// Why it could not be read last time.
    pub fault: Option<String>,
    /// The request that is out.
    pub request: Option<Request>,
    /// The progress of a slow search for a row, in percent; `None` if there is no such search.
    pub looking: Option<u8>,
    /// The message for a row that is not found; empty for no message.
    pub if_missed: String,
    /// The number of the newest request.
    pub ticket: Ticket,
    /// The goal and the row count of the newest request. Repeating that request brings nothing new
    /// by itself.
    pub asked: Option<(Goal, usize)>,
}

/// Why a command failed most likely.
pub struct Card {
    /// The likeliest cause.
    pub cause: Box<Cause>,
    /// The rows that belong to the cause but are far from it.
    pub far: Vec<Row>,
    /// True if the cause is shown above the rows, and marked in them.
    pub is_open: bool,
}

/// The action to take when the requested rows arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// Which row to show then.
    pub aim: Aim,
    /// The rest of a move that the rows at hand did not allow, to apply then.
    pub pending: Pending,
    /// The file has changed since the request went out.
    pub stale: bool,
    /// The rows at hand are about to be left: moves count from where the answer leads.
    pub is_jump: bool,
}

/// The rest of a move; positive is down.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Pending {
    /// The number of lines by which the view scrolls.
    pub lines: isize,
    /// The number of rows by which the cursor moves after that.
    pub rows: isize,
}

impl Pending {
    /// Adds a later move.
    #[must_use]
    pub const fn and(self, later: Self) -> Self {
        Self {
            lines: self.lines.saturating_add(later.lines),
            rows: self.rows.saturating_add(later.rows),
        }
    }
}

/// Which rows to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aim {
    /// The first.
    Start,
    /// The last.
    End,
    /// Those being read.
    Here,
    /// Those around the row that is looked for.
    Target,
}

impl Log {
    /// Returns true if there are rows to read, or headings to show.
    #[must_use]
    pub fn has_rows(&self) -> bool {
        self.document.as_ref().is_some_and(Document::has_rows)
    }

    /// Returns true if the logs of several commands are shown, with headings.
    #[must_use]
    pub fn has_headings(&self) -> bool {
        self.document.as_ref().is_some_and(|document| document.has_headings)
    }

    /// Returns the section whose heading this row is.
    #[must_use]
    pub fn heading(&self, row: &Row) -> Option<&Section> {
        self.document.as_ref()?.heading(row.offset)
    }

    /// Returns the state of the group that this row heads; `None` if the row is not a heading.
    #[must_use]
    pub fn group(&self, row: &Row) -> Option<&Head> {
        self.known.heads.iter().find(|head| head.at == row.offset)
    }

    /// Returns the place whose log contains an address, and the byte offset in that log: its start
    /// for a heading.
    #[must_use]
    pub fn place_at(&self, address: u64) -> Option<(Place, u64)> {
        let document = self.document.as_ref()?;
        let section = document.section(address)?;
        Some((section.place.clone(), document.row(address).offset()))
    }

    /// Returns the index of the row under the cursor among the rows at hand; of the row after it if
    /// it is not among them.
    #[must_use]
    pub fn cursor_index(&self) -> usize {
        let Some(cursor) = self.cursor else { return self.top };
        let index = self.window.rows.partition_point(|row| row.offset < cursor);
        index.min(self.window.rows.len().saturating_sub(1))
    }

    /// Returns true if the cursor is on the last row, and that row is at hand.
    #[must_use]
    pub fn is_at_last(&self) -> bool {
        self.window.at_end && self.cursor_index() + 1 >= self.window.rows.len()
    }

    /// Returns true if a row is being looked for. Requests for rows at or around a known place do
    /// not count.
    #[must_use]
    pub fn is_seeking(&self) -> bool {
        let goal = self.asked.as_ref().map(|(goal, _)| goal);
        self.request.is_some() && !matches!(goal, None | Some(Goal::Rows(_) | Goal::Around(_)))
    }

    /// Returns the number of rows that have arrived while the log was not followed.
    #[must_use]
    pub fn unseen(&self) -> u64 {
        self.seen_rows.map_or(0, |seen| self.known.total_rows.unwrap_or(0).saturating_sub(seen))
    }
}
