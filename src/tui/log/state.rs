//! The state of the log's pane: the loaded rows, the position in them, and the pending request.

use std::cell::OnceCell;
use std::collections::HashMap;

use ratatui::layout::Rect;

use super::{ViewOptions, Viewport};
use crate::document::{Document, Goal, Head, Known, Section, Ticket};
use crate::join::{Place, ShState};
use crate::log::{FileState, Row, Window};
use crate::sanitize::Style;
use crate::search::{Cause, Location};

/// The log of a command or of the run itself, or the logs of all commands of a job or run.
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
#[derive(Default)]
pub struct Log {
    /// The source of the rows; `None` when nothing is shown.
    pub document: Option<Document>,
    /// The display options; they apply to every log.
    pub options: ViewOptions,
    /// The sections and groups of the run that the user folded or opened.
    pub folds: FoldState,
    /// The position at which the first log opens.
    pub open_at: Option<String>,
    /// The area of the pane, and what is above the rows in it.
    pub frame: Frame,
    /// The lines of the loaded rows; computed when they are needed, and again after a change.
    pub(super) viewport: OnceCell<Viewport>,
    /// True if the log may still be written.
    pub is_alive: bool,
    /// True if the phase of the run is unknown: then, too, the log may still be written.
    pub is_unknown: bool,
    /// True if the user reads something other than the end, so that the selection of the command
    /// does not move automatically.
    pub is_held: bool,
    /// True if the command of the log was interrupted.
    pub is_interrupted: bool,
    /// The loaded rows: those on screen, and some above and below.
    pub window: Window,
    /// The style that the rows before the window leave switched on.
    pub style: Style,
    /// The index in the window of the first row on screen.
    pub top: usize,
    /// The number of lines of that row that are scrolled out.
    pub line: usize,
    /// The address of the row under the cursor; `None` without rows.
    pub cursor: Option<u64>,
    /// The address of the row that was found last. Every filter passes this row.
    pub at: Option<u64>,
    /// The address of the row that was found before the filter or the folds changed. The cursor
    /// returns to this row as soon as it is loaded.
    pub marked: Option<u64>,
    /// The address of the row after the gap that was shown last.
    pub(super) gap_at: Option<u64>,
    /// True if the view stays at the end: new rows scroll it.
    pub follow: bool,
    /// The number of columns scrolled out at the left.
    pub sideways: usize,
    /// The facts known about the document.
    pub known: Known,
    /// The row count when the log was last followed or, if it was never followed, when it was first
    /// counted; `None` until then.
    pub seen_rows: Option<u64>,
    /// The generation of the files from which the window was read.
    pub generation: u64,
    /// The logs on the page whose names no longer refer to their files, or that have late bytes.
    pub file_states: Vec<(Place, FileState)>,
    /// The likely cause of the command's failure; `None` until the search for it has ended.
    pub card: Option<Card>,
    /// The reason why the last read failed.
    pub fault: Option<String>,
    /// The pending request.
    pub request: Option<Request>,
    /// The progress of a slow search for a row, or for rows that pass the filter, in percent;
    /// `None` if there is no such search.
    pub looking: Option<u8>,
    /// The message for a row that is not found; empty for no message.
    pub if_missed: String,
    /// The number of the newest request.
    pub ticket: Ticket,
    /// The goal and the row count of the newest request. A move does not repeat that request,
    /// because the answer would be the same.
    pub asked: Option<(Goal, usize)>,
}

/// A document to show, and the state of its command, job or run.
pub struct Shown {
    /// The document.
    pub document: Document,
    /// The state.
    pub state: ShState,
    /// True if the log may still be written.
    pub is_alive: bool,
    /// True if the phase of the run is unknown.
    pub is_unknown: bool,
}

/// The sections and groups that the user folded or opened.
#[derive(Default)]
pub struct FoldState {
    /// The sections; true if open.
    pub opened: HashMap<Place, bool>,
    /// True if all groups in logs are folded, false if all are open; `None` if the marker of each
    /// group decides.
    pub all_groups: Option<bool>,
    /// The groups, by their commands and the offsets of their headings; true if folded.
    pub groups: HashMap<(Place, u64), bool>,
}

/// The area of the pane, and the number of lines above the rows in it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Frame {
    /// The area below the heading of the pane.
    pub body: Rect,
    /// The number of lines of the full header, if it is shown.
    pub header: usize,
    /// The number of lines of the notes.
    pub notes: usize,
}

/// The likely cause of a command's failure.
pub struct Card {
    /// The command, or the run with a log of its own.
    pub place: Place,
    /// The cause and its rows.
    pub cause: Box<Cause>,
    /// The location in the source code that the cause names.
    pub location: Option<Location>,
    /// The rows that belong to the cause but are far from it.
    pub far: Vec<Row>,
    /// True if the cause is shown above the rows, and marked in them.
    pub is_open: bool,
    /// True if the rows that may be the cause are listed above the rows of the log.
    pub is_explained: bool,
    /// The row of the cursor when the cause was shown.
    pub landed_at: Option<u64>,
}

impl Card {
    /// Returns the number of lines above the rows of the log.
    #[must_use]
    pub fn lines(&self) -> usize {
        if self.is_explained { self.cause.why.len() } else { self.far.len() }
    }
}

/// The action to take when the requested rows arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// The rows to show.
    pub aim: Aim,
    /// The rest of a move beyond the loaded rows, to apply with the answer.
    pub pending: Pending,
    /// True if the file may have changed since the request was sent.
    pub stale: bool,
    /// True if the answer replaces the position: moves wait for it, and start at the new one.
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

/// The rows to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aim {
    /// The first rows.
    Start,
    /// The last rows.
    End,
    /// The rows now on screen.
    Here,
    /// The rows around the row being searched for.
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

    /// Returns the index of the row under the cursor among the loaded rows. If it is not loaded,
    /// returns the index of the next loaded row.
    #[must_use]
    pub fn cursor_index(&self) -> usize {
        let Some(cursor) = self.cursor else { return self.top };
        let index = self.window.rows.partition_point(|row| row.offset < cursor);
        index.min(self.window.rows.len().saturating_sub(1))
    }

    /// Returns true if the cursor is on the last row, and that row is loaded.
    #[must_use]
    pub fn is_at_last(&self) -> bool {
        self.window.at_end && self.cursor_index() + 1 >= self.window.rows.len()
    }

    /// Returns true if a row is being searched for. Requests for rows at or around a known place
    /// do not count.
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
