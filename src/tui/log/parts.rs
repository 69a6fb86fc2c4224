//! The parts of the log's pane: what is above the rows, the columns, and the lines of a row.

use std::collections::HashSet;

use super::rows::{Columns, indent, lines_of};
use super::{Card, Frame, Log, Viewport};
use crate::log::Row;
use crate::model::LogCut;
use crate::search::Cause;
use crate::tui::layout::{Above, LogParts, log_parts};

/// The maximum number of lines, and of bytes, of the row with the cause for it to be wrapped.
const MAX_WRAPPED_LINES: usize = 4;
const MAX_WRAPPED_BYTES: usize = 4 << 10;

impl Log {
    /// Sets the area of the pane.
    pub(in crate::tui) fn set_frame(&mut self, frame: Frame) {
        if self.frame != frame {
            self.frame = frame;
            self.viewport.take();
        }
    }

    /// Returns the height of the area of the rows, in lines; at least one, so that paging moves.
    #[must_use]
    pub fn height(&self) -> usize {
        usize::from(self.parts(self.frame, false).rows.height).max(1)
    }

    /// Divides an area of the pane into its parts.
    #[must_use]
    pub fn parts(&self, frame: Frame, has_no_rows: bool) -> LogParts {
        let far_rows = self.open_card().map_or(0, Card::lines);
        let header = if self.options.header { frame.header } else { 0 };
        log_parts(frame.body, Above { header, notes: frame.notes, far_rows, has_no_rows })
    }

    /// Returns the likely cause of the failure while its card is open. The full header replaces the
    /// card.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.open_card().map(|card| &*card.cause)
    }

    fn open_card(&self) -> Option<&Card> {
        self.card.as_ref().filter(|card| card.is_open && !self.options.header)
    }

    /// Divides the width of the pane into columns.
    #[must_use]
    pub fn columns(&self) -> Columns {
        let most = self.known.numbers.iter().flatten().max().copied().or(self.known.total_rows);
        let numbers = self.options.numbers.then_some(most.unwrap_or(0));
        // The text of wrapped rows depends on the columns.
        let is_whole = self.window.at_start
            && self.window.at_end
            && !self.options.wrap
            && self.unwrapped_lines() <= self.height();
        Columns::new(self.frame.body.width, numbers, self.options.times, !is_whole)
    }

    /// Returns the number of lines of the loaded rows, if none of them is wrapped.
    fn unwrapped_lines(&self) -> usize {
        if self.options.is_flat() { self.window.rows.len() } else { self.viewport().lines() }
    }

    /// Returns the row that is wrapped although other rows are not: the one with the likely cause,
    /// if it takes few lines and is not scrolled sideways.
    #[must_use]
    pub fn wrapped_row(&self) -> Option<u64> {
        let card = self.card.as_ref().filter(|_| self.options.is_flat() && self.sideways == 0)?;
        let at = card.cause.at?;
        let index = self.window.rows.iter().position(|row| row.offset == at)?;
        let row = self.window.rows.get(index).filter(|row| row.text.len() <= MAX_WRAPPED_BYTES)?;
        let (progress, is_interrupted) = (self.options.row_filter.progress, self.is_interrupted);
        let after = (is_interrupted, self.cut_after(index));
        let lines = lines_of(row, Some(self.text_width(index)), progress, after);
        (lines <= MAX_WRAPPED_LINES).then_some(at)
    }

    /// Returns the width of the text of a loaded row.
    pub(super) fn text_width(&self, index: usize) -> u16 {
        let width = self.columns().text;
        width - indent(&self.known.depths, index, width)
    }

    /// Returns the viewport of the loaded rows.
    #[must_use]
    pub fn viewport(&self) -> &Viewport {
        self.viewport.get_or_init(|| self.new_viewport())
    }

    /// Computes the viewport of the loaded rows.
    pub(super) fn new_viewport(&self) -> Viewport {
        let is_flat = self.options.is_flat();
        let (progress, is_interrupted) = (self.options.row_filter.progress, self.is_interrupted);
        let wrapped = self.wrapped_row();
        let heads: HashSet<u64> = self.known.heads.iter().map(|head| head.at).collect();
        let lines = self.window.rows.iter().enumerate().map(|(index, row)| {
            let is_wrapped = self.options.wrap || wrapped == Some(row.offset);
            if is_flat && !is_wrapped || heads.contains(&row.offset) {
                return 1;
            }
            let width = is_wrapped.then(|| self.text_width(index));
            lines_of(row, width, progress, (is_interrupted, self.cut_after(index)))
        });
        Viewport::new(self.height(), lines)
    }

    /// Returns the output that was removed from the log directly after a loaded row.
    #[must_use]
    pub fn cut_after(&self, index: usize) -> Option<LogCut> {
        let address = |index: usize| Some(self.window.rows.get(index)?.offset);
        let next = index.checked_add(1).and_then(address);
        // The next row is not loaded.
        if next.is_none() && !self.window.at_end {
            return None;
        }
        self.document.as_ref()?.cut_after(address(index)?, next)
    }

    /// Returns the row under the cursor, on which keys act.
    #[must_use]
    pub fn current_row(&self) -> Option<&Row> {
        self.window.rows.get(self.cursor_index())
    }

    /// Returns true if the log may still be written, or if that is unknown.
    #[must_use]
    pub const fn may_grow(&self) -> bool {
        self.is_alive || self.is_unknown
    }

    /// Returns the first loaded row below the screen.
    #[must_use]
    pub fn first_below(&self) -> Option<&Row> {
        self.window.rows.get(self.viewport().rows((self.top, self.line)).end)
    }
}
