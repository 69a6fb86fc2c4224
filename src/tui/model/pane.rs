//! The log's pane: what stands above its rows, how its width is divided, how many lines a row
//! takes, which one is current.

use std::borrow::Cow;
use std::collections::HashSet;

use ratatui::layout::Rect;

use super::{Model, cause_lines};
use crate::display;
use crate::log::Row;
use crate::search::Cause;
use crate::tui::layout::{Above, LogParts, Pane, log_parts};
use crate::tui::prompt::Span;
use crate::tui::view_options::slow_ms;
use crate::tui::widget::{Columns, lines_of};

impl Model {
    /// How many rows of the log are on screen; at least one, so that paging moves.
    #[must_use]
    pub fn log_height(&self) -> usize {
        let body = self.layout().body(Pane::Log).unwrap_or(self.screen);
        usize::from(self.log_parts(body, false).rows.height).max(1)
    }

    /// The parts of the log's pane.
    #[must_use]
    pub fn log_parts(&self, body: Rect, has_no_rows: bool) -> LogParts {
        // What is inside the card's frame.
        let width = body.width.saturating_sub(2);
        let extra = |cause| usize::from(cause_lines(cause, width)).saturating_sub(1);
        let card_rows = self.card().map(|cause| cause.rows.len() + extra(cause));
        let (notes, header) =
            (self.notes(body.width).len(), self.header_lines(body.width, body.height).len());
        log_parts(body, Above { header, notes, card_rows, has_no_rows })
    }

    /// Why the command failed most likely, while that is shown; the header in full takes its place.
    #[must_use]
    pub fn card(&self) -> Option<&Cause> {
        self.log
            .card
            .as_ref()
            .filter(|card| card.is_open && !self.view_options.header)
            .map(|card| &*card.cause)
    }

    /// The columns of the log's pane.
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

    /// How many lines of the screen a row of the log takes.
    pub fn lines_of(&self) -> impl Fn(&Row) -> usize + use<> {
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

    /// The row of the log that keys are about: the one that was looked for if it is on screen, else
    /// the first on screen.
    #[must_use]
    pub fn current_row(&self) -> Option<&Row> {
        let log = &self.log;
        let mut shown = log.window.rows.iter().skip(log.top).take(self.log_height());
        let found = log.at.and_then(|at| shown.find(|row| row.offset == at));
        found.or_else(|| log.window.rows.get(log.top))
    }

    /// From when to when the command of the log ran; until now while it goes on.
    #[must_use]
    pub fn command_span(&self) -> Span {
        let (first, last) = self.log.known.span.unzip();
        let sh = self.shown().and_then(|item| item.sh()?.sh.as_ref());
        let start = sh.and_then(|sh| sh.started_at).or(first)?;
        let end =
            sh.and_then(|sh| sh.finished_at).or_else(|| self.now.filter(|_| self.log.is_alive));
        Some((start, end.or(last)?))
    }

    /// From how many milliseconds on a gap between two rows is slow.
    #[must_use]
    pub fn slow_ms(&self) -> i64 {
        slow_ms(self.command_span().map_or(0, |(start, end)| end.millis_since(start)))
    }

    /// What is odd about what is selected, in lines of the log's pane.
    #[must_use]
    pub fn notes(&self, width: u16) -> Vec<String> {
        let (Some(run), Some(at), Some(item)) = (&self.run, &self.tree.at, self.shown()) else {
            return Vec::new();
        };
        let shown = item.place();
        let of_shown = run.findings.at(&shown).filter(|_| shown != *at);
        let late =
            Some(self.log.file_state.late_bytes).filter(|bytes| *bytes > 0).map(display::late);
        let found = run.findings.at(at).chain(of_shown).map(display::finding).chain(late);
        let wrap = |text: String| {
            let options = textwrap::Options::new(usize::from(width.saturating_sub(3)).max(1))
                .subsequent_indent("  ");
            let lines = textwrap::wrap(&text, options).into_iter().map(Cow::into_owned);
            lines.collect::<Vec<_>>()
        };
        found.flat_map(wrap).collect()
    }
}
