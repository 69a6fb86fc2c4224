//! Requests for rows.
//!
//! The window of loaded rows is never patched. If rows are missing, a new window is read with a
//! spare page at either side, and the first row on screen is found again by its offset. At most one
//! request is pending. Events in the meantime wait for its answer: moves as `pending`, changes on
//! disk as `stale`.

use super::{Aim, Log, Pending, Request};
use crate::document::{Document, Goal, PageRequest, RowsRequest, Ticket};
use crate::log::Anchor;
use crate::search::RowFilter;
use crate::tui::msg::{Events, WorkerRequest};

/// The number of screens of rows to read at once.
const PAGES: usize = 4;

impl Log {
    /// Requests the rows at the start or the end of the log, in place of any pending request.
    pub(in crate::tui) fn aim_at(&mut self, aim: Aim) -> Events {
        let anchor = if aim == Aim::End { Anchor::End } else { Anchor::From(0) };
        let request = Request { aim, pending: Pending::default(), stale: false, is_jump: true };
        self.send(request, Goal::Rows(anchor), PAGES * self.height(), false)
    }

    /// Requests the rows from this byte. The first row that begins there or later is the first on
    /// screen.
    pub(in crate::tui) fn open_from(&mut self, byte: u64) -> Events {
        self.leave();
        let request =
            Request { aim: Aim::Start, pending: Pending::default(), stale: false, is_jump: true };
        self.send(request, Goal::Rows(Anchor::From(byte)), PAGES * self.height(), false)
    }

    /// Requests the rows around one that must be searched for, in place of any pending request.
    /// Shows the message `if_missed` if that row is not found.
    pub(in crate::tui) fn seek(&mut self, goal: Goal, if_missed: &str) -> Events {
        let stale = self.request.is_some_and(|request| request.stale || request.aim != Aim::Target);
        if_missed.clone_into(&mut self.if_missed);
        let request =
            Request { aim: Aim::Target, pending: Pending::default(), stale, is_jump: true };
        self.send(request, goal, PAGES * self.height(), false)
    }

    /// Requests the rows around the current one, after a change of the rows to show.
    pub(in crate::tui) fn reload_rows(&mut self) -> Events {
        if !self.has_rows() {
            return Events::none();
        }
        let place = self.current_row().map_or(0, |row| row.offset);
        // If the filter hides the row found last, no longer show it. As soon as the row is loaded
        // again, it becomes the current row.
        self.marked = self.at.take().or(self.marked);
        if self.follow {
            return self.aim_at(Aim::End);
        }
        self.seek(Goal::Around(place), "")
    }

    /// Requests the rows on screen again, because the log may have grown.
    pub(in crate::tui) fn refresh(&mut self) -> Events {
        if let Some(request) = &mut self.request {
            request.stale = true;
            return Events::none();
        }
        let aim = if self.follow { Aim::End } else { Aim::Here };
        let rows = (PAGES * self.height()).max(self.window.rows.len());
        let anchor = match (aim, self.window.rows.first()) {
            (Aim::End, _) => Anchor::End,
            (_, first) => Anchor::From(first.map_or(0, |row| row.offset)),
        };
        let is_at_hand = !self.window.rows.is_empty();
        let request = Request { aim, pending: Pending::default(), stale: false, is_jump: false };
        self.send(request, Goal::Rows(anchor), rows, is_at_hand)
    }

    /// Requests rows further up (`towards` negative) or down, for the rest of a move. Does nothing
    /// if that was the last request.
    pub(in crate::tui) fn reach(&mut self, towards: isize, pending: Pending) -> Events {
        let height = self.height();
        let offset = |row: usize| {
            self.window.rows.get(row).or(self.window.rows.last()).map_or(0, |row| row.offset)
        };
        let anchor = if towards < 0 {
            Anchor::Before(offset(self.top + 2 * height))
        } else {
            Anchor::From(offset(self.top.saturating_sub(height)))
        };
        let goal = Goal::Rows(anchor);
        let rows = PAGES * height;
        if self.asked.as_ref().is_some_and(|asked| *asked == (goal.clone(), rows)) {
            return Events::none();
        }
        self.send(
            Request { aim: Aim::Here, pending, stale: false, is_jump: false },
            goal,
            rows,
            false,
        )
    }

    /// Returns the ticket of the next log or request. Answers to earlier tickets are ignored.
    pub(super) const fn next_ticket(&self) -> Ticket {
        Ticket(self.ticket.0 + 1)
    }

    fn send(&mut self, request: Request, goal: Goal, max_rows: usize, is_refresh: bool) -> Events {
        let next = self.next_ticket();
        let Some(document) = self.document.clone().filter(Document::has_rows) else {
            return Events::none();
        };
        self.ticket = next;
        self.asked = Some((goal.clone(), max_rows));
        self.request = Some(request);
        self.looking = None;
        let row_filter = RowFilter { keep: self.at, ..self.options.row_filter.clone() };
        let search = self.options.search.clone();
        let folds = self.folds_of(&document);
        let rows = RowsRequest { goal, max_rows, row_filter, folds, search, is_refresh };
        WorkerRequest::ReadLog(self.ticket, Box::new(PageRequest { document, rows })).into()
    }

    /// Stops the search for a row, and refreshes the rows on screen instead.
    pub(in crate::tui) fn stop_looking(&mut self) -> Events {
        (self.request, self.looking) = (None, None);
        self.refresh()
    }

    /// Keeps the end on screen while the log is followed, and the cursor on a row on screen.
    /// Requests more rows near either end of the loaded ones.
    pub(in crate::tui) fn settle(&mut self) -> Events {
        debug_assert_eq!(
            *self.viewport(),
            self.new_viewport(),
            "it was computed after the last change"
        );
        let events = self.settle_rows();
        self.settle_cursor();
        events
    }

    fn settle_rows(&mut self) -> Events {
        let height = self.height();
        if self.request.is_some() || self.window.rows.is_empty() {
            return Events::none();
        }
        if self.window.at_end {
            let last = self.viewport().last_top();
            let here = (self.top, self.line);
            (self.top, self.line) = if self.follow { last } else { here.min(last) };
        }
        // After a change of the width or of the display options, the row may have fewer lines.
        self.line = self.line.min(self.viewport().lines_of(self.top).saturating_sub(1));
        let below = self.window.rows.len().saturating_sub(self.top + height);
        if !self.window.at_start && self.top < height / 2 {
            self.reach(-1, Pending::default())
        } else if !self.window.at_end && below < height / 2 {
            self.reach(1, Pending::default())
        } else {
            Events::none()
        }
    }
}
