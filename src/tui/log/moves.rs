//! Moves in the log on screen: of the cursor by rows, and of the view by lines. A wrapped row takes
//! several lines.
//!
//! A move beyond the loaded rows leaves a rest, for which rows are requested.

use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use super::{Aim, Card, Log, Pending, Request};
use crate::sanitize::{Progress, plain};
use crate::search::RowFilter;
use crate::tui::motion::Move;
use crate::tui::msg::Events;

/// The number of columns of a step sideways.
const SIDEWAYS: usize = 8;

impl Log {
    /// Moves the cursor or the view.
    pub(in crate::tui) fn go(&mut self, how: Move) -> Events {
        self.drop_far_rows();
        match how {
            Move::Top => {
                self.leave();
                (self.at, self.marked) = (None, None);
                self.aim_at(Aim::Start)
            }
            Move::Bottom => {
                self.follow = true;
                (self.at, self.marked) = (None, None);
                self.is_held &= !self.is_alive;
                self.aim_at(Aim::End)
            }
            Move::Rows(by) => self.move_cursor(by),
            Move::Halves(_) => self.page(how.rows(self.height())),
        }
    }

    /// Moves the cursor by rows. The view scrolls as little as needed.
    pub(in crate::tui) fn move_cursor(&mut self, by: isize) -> Events {
        let pending = Pending { lines: 0, rows: by };
        if self.wait_for_jump(by, pending) {
            return Events::none();
        }
        let from = self.cursor_index();
        let to = from.saturating_add_signed(by).min(self.window.rows.len().saturating_sub(1));
        self.cursor = self.window.rows.get(to).map(|row| row.offset);
        self.marked = None;
        (self.top, self.line) = self.viewport().reveal((self.top, self.line), to);
        self.follow = self.is_at_last();
        self.note_seen();
        let moved = isize::try_from(to).unwrap_or(0) - isize::try_from(from).unwrap_or(0);
        let is_at_edge = if by < 0 { self.window.at_start } else { self.window.at_end };
        let rest = if is_at_edge { 0 } else { by - moved };
        self.fetch(by, Pending { lines: 0, rows: rest })
    }

    /// Scrolls by a page or half of one. The cursor keeps its line on screen. If the view cannot
    /// scroll further, the cursor moves instead.
    fn page(&mut self, by: isize) -> Events {
        let top = (self.top, self.line);
        let line = self.viewport().line_on_screen(top, self.cursor_index());
        let events = self.scroll(by);
        let now = (self.top, self.line);
        if now == top && self.request.is_none() {
            return self.move_cursor(by);
        }
        let row = line.and_then(|line| self.viewport().row_at(now, line));
        if let Some(row) = row.and_then(|row| self.window.rows.get(row)) {
            self.cursor = Some(row.offset);
        }
        events
    }

    /// Adds a move to a pending jump, to start from its destination. Returns false without such a
    /// jump.
    fn wait_for_jump(&mut self, by: isize, pending: Pending) -> bool {
        let Some(request) = self.request.as_mut().filter(|request| request.is_jump) else {
            return false;
        };
        request.pending = request.pending.and(pending);
        if by < 0 {
            self.leave();
        }
        true
    }

    /// Requests the rows that a move still needs.
    fn fetch(&mut self, by: isize, rest: Pending) -> Events {
        if by < 0 && !self.follow {
            self.is_held = true;
        }
        let aim = if self.follow { Aim::End } else { Aim::Here };
        match &mut self.request {
            Some(request) => {
                *request = Request { aim, pending: request.pending.and(rest), ..*request };
                Events::none()
            }
            None if rest != Pending::default() => self.reach(by, rest),
            None => Events::none(),
        }
    }

    /// Keeps the cursor on a row on screen; on the last one while the log is followed.
    pub(super) fn settle_cursor(&mut self) {
        let rows = self.viewport().rows((self.top, self.line));
        let index = match self.cursor {
            _ if self.follow && self.window.at_end => self.window.rows.len().saturating_sub(1),
            Some(_) => self.cursor_index().min(rows.end.saturating_sub(1)).max(rows.start),
            None => rows.start,
        };
        self.cursor = self.window.rows.get(index).map(|row| row.offset).or(self.cursor);
    }

    /// Removes the rows of the cause above the log, which are shown only until the first move. The
    /// rows of the log stay where they are.
    fn drop_far_rows(&mut self) {
        if self.card.as_ref().is_some_and(|card| !card.far.is_empty()) {
            self.keep_rows(|log| log.card.iter_mut().for_each(|card| card.far.clear()));
        }
    }

    /// Lists the rows that may be the cause. The rows stay where they are, unless that would hide the
    /// current one.
    fn explain(&mut self) {
        let current = self.cursor_index();
        self.keep_rows(|log| log.card.iter_mut().for_each(|card| card.is_explained = true));
        (self.top, self.line) = self.viewport().reveal((self.top, self.line), current);
    }

    /// Opens or closes the card. The rows that remain on screen stay where they are.
    pub(in crate::tui) fn show_card(&mut self, is_open: bool) {
        if self.card.as_ref().is_some_and(|card| card.is_open != is_open) {
            self.keep_rows(|log| {
                if let Some(card) = &mut log.card {
                    (card.is_open, card.is_explained) = (is_open, false);
                }
            });
        }
    }

    /// Shows the full header, which takes this many lines, or hides it. The rows that remain on
    /// screen stay where they are.
    pub(in crate::tui) fn toggle_header(&mut self, lines: usize) -> Events {
        self.keep_rows(|log| {
            log.options.header = !log.options.header;
            log.frame.header = lines;
        });
        Events::none()
    }

    /// Opens the card with the likely cause of the command under the cursor, then lists the rows
    /// that may be the cause, then closes the card. Searches for the cause if it is not known yet.
    pub(in crate::tui) fn toggle_cause(&mut self) -> Events {
        if self.options.header {
            self.keep_rows(|log| log.options.header = false);
            if self.cause().is_some() {
                return Events::none();
            }
        }
        let here = self.current_row().and_then(|row| self.place_at(row.offset));
        let is_of_card = |card: &&Card| here.is_none_or(|(place, _)| place == card.place);
        match self.card.as_ref().filter(is_of_card) {
            Some(card) if card.is_open && !card.is_explained && !card.cause.why.is_empty() => {
                self.explain();
                Events::none()
            }
            Some(card) if card.is_open || !self.has_headings() => {
                let is_open = !card.is_open;
                self.show_card(is_open);
                Events::none()
            }
            // Among other commands, the rows of the cause may be far away.
            Some(_) | None => {
                self.is_held = true;
                self.land("no output here")
            }
        }
    }

    /// Returns true if there is something that [`Self::close`] closes.
    pub(in crate::tui) fn has_something_to_close(&self) -> bool {
        let RowFilter { filter, stream, .. } = &self.options.row_filter;
        self.sideways > 0
            || self.cause().is_some()
            || self.options.search.is_some()
            || filter.is_some()
            || stream.is_some()
    }

    /// Scrolls back to the left edge of the rows, or else closes the card, the search or the
    /// filter.
    pub(in crate::tui) fn close(&mut self) -> Events {
        if std::mem::take(&mut self.sideways) > 0 {
            self.viewport.take();
            return Events::none();
        }
        if self.cause().is_some() {
            self.show_card(false);
            return Events::none();
        }
        if self.options.search.is_some() {
            self.clear_search()
        } else if self.options.row_filter.filter.is_some() {
            self.set_filter(None)
        } else {
            self.only(None)
        }
    }

    /// Changes the parts above the rows, and scrolls so that the rows stay where they are.
    pub(super) fn keep_rows(&mut self, change: impl FnOnce(&mut Self)) {
        let rows = |log: &Self| log.parts(log.frame, false).rows;
        let before = rows(self);
        change(self);
        self.viewport.take();
        let after = rows(self);
        if let Some(at) = self.at.filter(|_| before.height == 0) {
            // No row was on screen.
            self.show_at(at, None);
        } else {
            let by = isize::try_from(i32::from(after.y) - i32::from(before.y)).unwrap_or(0);
            ((self.top, self.line), _) = self.viewport().scroll((self.top, self.line), by);
        }
    }

    /// Scrolls the view by lines.
    pub(in crate::tui) fn scroll(&mut self, by: isize) -> Events {
        self.drop_far_rows();
        if self.wait_for_jump(by, Pending { lines: by, rows: 0 }) {
            return Events::none();
        }
        let rest = self.shift(by);
        self.fetch(by, Pending { lines: rest, rows: 0 })
    }

    /// Stops following: the user reads something other than the end.
    pub(in crate::tui) fn leave(&mut self) {
        self.follow = false;
        self.is_held = true;
    }

    /// Scrolls as far as the loaded rows allow. Returns the rest; 0 at the start or end of the log.
    pub(in crate::tui) fn shift(&mut self, by: isize) -> isize {
        let (top, rest) = self.viewport().scroll((self.top, self.line), by);
        (self.top, self.line) = top;
        // Scrolling to the end of a log that still grows follows it.
        let is_end = self.window.at_end && top >= self.viewport().last_top();
        self.follow = is_end && (self.follow || by > 0 && self.may_grow());
        self.note_seen();
        let is_at_edge = if rest < 0 { self.window.at_start } else { self.window.at_end };
        if is_at_edge { 0 } else { rest }
    }

    /// Puts the cursor on the row in this line of the screen. Folds or opens it if it is a heading.
    pub(in crate::tui) fn click(&mut self, y: u16) -> Events {
        let top = self.parts(self.frame, false).rows.y;
        let Some(line) = y.checked_sub(top) else { return Events::none() };
        let row = self.viewport().row_at((self.top, self.line), usize::from(line));
        let row = row.and_then(|row| self.window.rows.get(row));
        self.cursor = row.map(|row| row.offset).or(self.cursor);
        self.follow = self.is_at_last();
        self.enter()
    }

    /// Shows a row: in line `line_before` of the pane, or else a third down.
    pub(in crate::tui) fn show_at(&mut self, offset: u64, line_before: Option<usize>) {
        let rows = &self.window.rows;
        let Some(row) = rows.iter().position(|row| row.offset >= offset) else { return };
        let above = line_before.unwrap_or(self.height() / 3);
        (self.top, self.line) = self.viewport().above((row, 0), above);
    }

    /// Shows the match in a row that is too long for the screen: scrolls sideways, or down within
    /// the lines of the row.
    pub(in crate::tui) fn show_match(&mut self, offset: u64) {
        let progress = self.options.row_filter.progress;
        let place = self.window.rows.iter().position(|row| row.offset == offset);
        let found = place
            .and_then(|at| Some((at, self.window.rows.get(at)?)))
            .zip(self.options.search.as_ref());
        let Some(((at, row), query)) = found.filter(|_| progress == Progress::Last) else { return };
        let width = usize::from(self.text_width(at)).max(1);
        let text = plain(&row.text, progress);
        let Some(mark) = query.marks(&text).into_iter().next() else { return };
        let columns = |range: Range<usize>| text.get(range).unwrap_or_default().width();
        let (start, marked) = (columns(0..mark.start), columns(mark));
        if !self.options.wrap {
            let is_seen = self.sideways <= start && start + marked <= self.sideways + width;
            if !is_seen {
                self.sideways =
                    if start + marked <= width { 0 } else { start.saturating_sub(width / 3) };
                self.viewport.take();
            }
            return;
        }
        let (height, line) = (self.height(), start / width);
        let first = self.viewport().line_on_screen((self.top, self.line), at);
        let on_screen = first.filter(|first| first + line < height);
        if on_screen.is_none() {
            (self.top, self.line) = (at, line.saturating_sub(height / 3));
        }
    }

    /// Counts all rows as seen if the log is followed, or if its rows were never counted before.
    pub(in crate::tui) fn note_seen(&mut self) {
        if self.follow || self.seen_rows.is_none() {
            self.seen_rows = self.known.total_rows;
        }
    }

    /// Scrolls sideways by steps; positive is to the right. Wrapped rows have no columns beyond the
    /// screen.
    pub(in crate::tui) fn scroll_sideways(&mut self, steps: isize) -> Events {
        if self.options.wrap {
            return Events::none();
        }
        let by = steps.saturating_mul(isize::try_from(SIDEWAYS).unwrap_or(1));
        // A byte takes at most one column, except for tabs and the glyphs of control characters,
        // which take up to eight.
        let longest = self.window.rows.iter().map(|row| row.text.len()).max().unwrap_or(0);
        self.sideways = self.sideways.saturating_add_signed(by).min(longest.saturating_mul(8));
        self.viewport.take();
        Events::none()
    }
}
