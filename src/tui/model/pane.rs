//! The log's pane: the parts above the rows, the columns, the lines of a row, and the current row.

use std::borrow::Cow;
use std::collections::HashSet;

use ratatui::layout::Rect;

use super::Model;
use crate::display;
use crate::join::Place;
use crate::log::{FileState, Name, Row};
use crate::model::Phase;
use crate::search::Cause;
use crate::tui::layout::{Above, LogParts, Pane, log_parts};
use crate::tui::prompt::Span;
use crate::tui::view_options::slow_ms;
use crate::tui::viewport::Viewport;
use crate::tui::widget::{Columns, lines_of};

impl Model {
    /// Returns the number of log rows on screen; at least one, so that paging moves.
    #[must_use]
    pub fn log_height(&self) -> usize {
        let body = self.layout().body(Pane::Log).unwrap_or(self.screen);
        usize::from(self.log_parts(body, false).rows.height).max(1)
    }

    /// Divides the log's pane into its parts.
    #[must_use]
    pub fn log_parts(&self, body: Rect, has_no_rows: bool) -> LogParts {
        let far = self.card().and(self.log.card.as_ref()).map_or(0, |card| card.far.len());
        let (notes, header) =
            (self.notes(body.width).len(), self.header_lines(body.width, body.height).len());
        log_parts(body, Above { header, notes, far_rows: far, has_no_rows })
    }

    /// Returns the likely cause of the failure while its card is open. The full header replaces the
    /// card.
    #[must_use]
    pub fn card(&self) -> Option<&Cause> {
        self.log
            .card
            .as_ref()
            .filter(|card| card.is_open && !self.view_options.header)
            .map(|card| &*card.cause)
    }

    /// Divides the width of the log's pane into columns.
    #[must_use]
    pub fn log_columns(&self) -> Columns {
        let body = self.layout().body(Pane::Log).unwrap_or(self.screen);
        let most =
            self.log.known.numbers.iter().flatten().max().copied().or(self.log.known.total_rows);
        let numbers = if self.view_options.numbers { Some(most.unwrap_or(0)) } else { None };
        let log = &self.log.window;
        let is_whole = log.at_start
            && log.at_end
            && !self.view_options.wrap
            && log.rows.len() <= self.log_height();
        let has_bar =
            !is_whole || log.rows.iter().map(self.lines_of()).sum::<usize>() > self.log_height();
        Columns::new(body.width, numbers, self.view_options.times, has_bar)
    }

    /// Returns the viewport of the loaded rows.
    #[must_use]
    pub fn viewport(&self) -> Viewport {
        Viewport::new(self.log_height(), self.log.window.rows.iter().map(self.lines_of()))
    }

    /// Returns a function that counts the screen lines of a log row.
    fn lines_of(&self) -> impl Fn(&Row) -> usize + use<> {
        let is_flat = self.view_options.is_flat();
        let width = self.view_options.wrap.then(|| self.log_columns().text);
        let (progress, is_interrupted) =
            (self.view_options.row_filter.progress, self.log.is_interrupted);
        let heads: HashSet<u64> = self.log.known.heads.iter().map(|head| head.at).collect();
        move |row| {
            let is_head = is_flat || heads.contains(&row.offset);
            if is_head { 1 } else { lines_of(row, width, progress, is_interrupted) }
        }
    }

    /// Returns the row under the cursor, on which keys act.
    #[must_use]
    pub fn current_row(&self) -> Option<&Row> {
        self.log.window.rows.get(self.log.cursor_index())
    }

    /// Returns true if the log may still be written: its command runs, or nothing is known of it.
    #[must_use]
    pub fn may_grow(&self) -> bool {
        let phase = self.run.as_ref().map(|run| run.head.phase);
        self.log.is_alive || phase == Some(Phase::Unknown)
    }

    /// Returns the start and end of the log's command; the end is the current time while it runs.
    /// If the start or the end is unknown, the first or last time in the log replaces it.
    #[must_use]
    pub fn command_span(&self) -> Span {
        let (first, last) = self.log.known.span.unzip();
        let sh = self.shown().and_then(|item| item.sh()?.sh.as_ref());
        let start = sh.and_then(|sh| sh.started_at).or(first)?;
        let end =
            sh.and_then(|sh| sh.finished_at).or_else(|| self.now.filter(|_| self.log.is_alive));
        Some((start, end.or(last)?))
    }

    /// Returns the notes on the file of a log. The title of the screen reports the state of a log
    /// that is shown alone.
    fn file_notes(&self, (place, state): &(Place, FileState)) -> Vec<String> {
        let late = Some(state.late_bytes).filter(|bytes| *bytes > 0).map(display::late);
        if !self.log.has_headings() {
            return late.into_iter().collect();
        }
        let state = match state.name {
            Name::Missing => Some("the log was deleted".to_owned()),
            Name::Awaited | Name::Taken => Some("the log was rotated".to_owned()),
            Name::Same => None,
        };
        let named = |note: String| format!("{}: {note}", self.name_of(place));
        state.into_iter().chain(late).map(named).collect()
    }

    /// Returns the gap between two rows, in milliseconds, from which a row is slow.
    #[must_use]
    pub fn slow_ms(&self) -> i64 {
        slow_ms(self.command_span().map_or(0, |(start, end)| end.millis_since(start)))
    }

    /// Returns the findings about the selection, and the notes on the files of the logs, wrapped to
    /// the width of the log's pane.
    #[must_use]
    pub fn notes(&self, width: u16) -> Vec<String> {
        let (Some(run), Some(at), Some(item)) = (&self.run, &self.tree.at, self.shown()) else {
            return Vec::new();
        };
        let shown = item.place();
        let of_shown = run.findings.at(&shown).filter(|_| shown != *at);
        let files = self.log.file_states.iter().flat_map(|state| self.file_notes(state));
        let found = run.findings.at(at).chain(of_shown).map(display::finding).chain(files);
        let wrap = |text: String| {
            let options = textwrap::Options::new(usize::from(width.saturating_sub(3)).max(1))
                .subsequent_indent("  ");
            let lines = textwrap::wrap(&text, options).into_iter().map(Cow::into_owned);
            lines.collect::<Vec<_>>()
        };
        found.flat_map(wrap).collect()
    }
}
