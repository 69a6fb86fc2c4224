//! Searching, filtering, and going to errors, gaps and positions.
//!
//! The worker does the search. This module only sets the goal, the starting point and the message
//! for a row that is not found.

use super::Log;
use crate::cri::Stream;
use crate::display;
use crate::document::{Goal, RowAddress, Sought};
use crate::sanitize::Progress;
use crate::search::{PatternFilter, Query, Towards};
use crate::tui::keymap::Action;
use crate::tui::msg::{AppEvent, Events};

/// The most rows of context around the rows that a filter passes.
const MAX_CONTEXT: usize = 20;

impl Log {
    /// Searches from the current row.
    pub(in crate::tui) fn search(&mut self, query: Query) -> Events {
        self.options.search = Some(query.showing(self.options.row_filter.progress));
        self.known.hits = None;
        let from = self.search_start();
        self.seek_match(from, Towards::Down)
    }

    /// Clears the search: its matches are no longer marked or counted.
    pub(in crate::tui) fn clear_search(&mut self) -> Events {
        self.options.search = None;
        self.known.hits = None;
        self.asked.take_if(|_| self.request.is_none());
        self.refresh()
    }

    /// Goes to the next or previous row that matches.
    pub(in crate::tui) fn next_match(&mut self, towards: Towards) -> Events {
        if self.options.search.is_none() {
            return AppEvent::Missing("no search", Action::Search).into();
        }
        let from = self.beside(towards);
        self.seek_match(from, towards)
    }

    fn seek_match(&mut self, from: u64, towards: Towards) -> Events {
        let Some(query) = self.options.search.clone() else { return Events::none() };
        let missed = format!("no row matches {}", query.pattern());
        self.seek(Goal::Next { what: Sought::Match(query), from, towards, round: true }, &missed)
    }

    /// Returns the row at which a search begins: the one under the cursor. A cursor that follows
    /// the log was not placed by the user, so the first row on screen takes its place.
    fn search_start(&self) -> u64 {
        let first = self.window.rows.get(self.top).filter(|_| self.follow);
        first.or_else(|| self.current_row()).map_or(0, |row| row.offset)
    }

    /// Returns the address at which the search for the next row begins. The search skips the row
    /// returned by [`Self::search_start`].
    fn beside(&self, towards: Towards) -> u64 {
        let here = self.search_start();
        if towards == Towards::Down { here.saturating_add(1) } else { here }
    }

    /// Sets or clears the filter, and shows the rows that pass it.
    pub(in crate::tui) fn set_filter(&mut self, filter: Option<PatternFilter>) -> Events {
        let progress = self.options.row_filter.progress;
        self.options.row_filter.filter =
            filter.map(|filter| PatternFilter { query: filter.query.showing(progress), ..filter });
        self.known.passed = None;
        self.refold();
        self.reload_rows()
    }

    /// Shows more or fewer rows of context around the rows that the filter passes.
    pub(in crate::tui) fn widen(&mut self, by: isize) -> Events {
        if self.options.row_filter.filter.is_none() {
            return AppEvent::Missing("no filter", Action::Filter).into();
        }
        let row_filter = &mut self.options.row_filter;
        row_filter.context = row_filter.context.saturating_add_signed(by).min(MAX_CONTEXT);
        self.reload_rows()
    }

    /// Shows rows of one stream only, or of both.
    pub(in crate::tui) fn only(&mut self, stream: Option<Stream>) -> Events {
        if self.options.row_filter.stream == stream {
            return Events::none();
        }
        self.options.row_filter.stream = stream;
        self.reload_rows()
    }

    /// Toggles between all progress states of a row and the last one.
    pub(in crate::tui) fn toggle_progress(&mut self) -> Events {
        let row_filter = &mut self.options.row_filter;
        let (progress, message) = match row_filter.progress {
            Progress::Last => (Progress::All, "showing all progress states"),
            Progress::All => (Progress::Last, "showing the last progress state"),
        };
        row_filter.progress = progress;
        // Queries match the text that is shown.
        if let Some(filter) = &mut row_filter.filter {
            filter.query = filter.query.clone().showing(progress);
        }
        self.options.search = self.options.search.take().map(|query| query.showing(progress));
        (self.known.hits, self.known.passed) = (None, None);
        self.viewport.take();
        let mut events = AppEvent::status(message);
        events.extend(self.reload_rows());
        events
    }

    /// Goes to the next or previous row with an error.
    pub(in crate::tui) fn next_error(&mut self, towards: Towards) -> Events {
        let from = self.beside(towards);
        self.seek(
            Goal::Next { what: Sought::Error, from, towards, round: true },
            "no error in this log",
        )
    }

    /// Goes to the longest silent gap of at least `min_ms` milliseconds first, and from there to
    /// the next or previous one in the order of length.
    pub(in crate::tui) fn next_gap(&mut self, towards: Towards, min_ms: i64) -> Events {
        let from = self.gap_at.filter(|at| self.cursor == Some(*at));
        let missed = format!("no gap of {} or more", display::duration(min_ms));
        self.seek(Goal::Gap { min_ms, from, towards }, &missed)
    }

    /// Goes to a row, a time or a percentage.
    pub(in crate::tui) fn go_to(&mut self, goal: Goal) -> Events {
        let goal = match goal {
            // Row numbers count within one command.
            Goal::Row(number) => Goal::Row(self.document.as_ref().map_or(number, |document| {
                let here = self.current_row().map_or(0, |row| row.offset);
                document.address(RowAddress::Row(document.row(here).section(), number))
            })),
            goal => goal,
        };
        let missed = match goal {
            Goal::Row(_) => "the log has fewer rows",
            Goal::Time(_) => "the log ends before that time",
            _ => "the log is empty",
        };
        self.seek(goal, missed)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ratatui::layout::Rect;

    use super::*;
    use crate::document::{Answer, Document, Page, Section, own_section};
    use crate::log::LogPath;
    use crate::model::RunId;
    use crate::tui::log::Frame;

    #[test]
    fn a_cause_that_arrives_after_the_search_was_cleared_is_shown() {
        let section =
            Section { log: Some(LogPath::named(Path::new("a.log"))), ..own_section(None, false) };
        let document = Some(Document::of_log(RunId("r".into()), section));
        let mut log = Log { document, ..Log::default() };
        log.set_frame(Frame { body: Rect::new(0, 0, 80, 20), ..Frame::default() });
        let _ = log.land("");
        let ticket = log.ticket;
        let _ = log.clear_search();
        assert!(log.is_seeking());
        let page = Page { cause: Some(Box::default()), ..Page::default() };
        let _ = log.take(ticket, Answer::Page(Box::new(page)));
        assert!(log.cause().is_some());
    }
}
