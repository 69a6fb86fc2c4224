//! The answer to a request: the gathered rows, and the facts about the log that are known by then.

use std::task::Poll;

use super::job::{ReadJob, Step};
use super::{Answered, COUNTED_BYTES, LogReader};
use crate::document::{RowsRequest, Target};
use crate::error::{Error, Result};
use crate::log::{Anchor, Tail, WINDOW_ROW_BYTES, Window};
use crate::sanitize::{Sanitizer, Style};
use crate::search::Cause;
use crate::time::Time;

/// The number of bytes to read before a window, to find the colors in effect at its start.
const STYLED_BYTES: u64 = 64 << 10;

/// The requested rows of one log. [`crate::document::Page`] describes the fields; here, positions
/// are offsets instead of addresses.
pub(in crate::document::reader) struct LogPage {
    pub(in crate::document::reader) window: Window,
    pub(in crate::document::reader) style: Style,
    pub(in crate::document::reader) target: Option<Target>,
    pub(in crate::document::reader) folded: Vec<(u64, bool)>,
    pub(in crate::document::reader) cause: Option<Box<Cause>>,
}

impl LogPage {
    /// Returns a page without rows: the log has none.
    pub(in crate::document::reader) fn nothing() -> Self {
        let window = Window { at_start: true, at_end: true, ..Window::default() };
        Self { window, style: Style::default(), target: None, folded: Vec::new(), cause: None }
    }
}

impl LogReader {
    pub(super) fn answer(&mut self, job: ReadJob) -> Result<Poll<Option<LogPage>>> {
        let ReadJob { request, step: Step::Gather(gathering), target, changes, cause, .. } = job
        else {
            return Ok(Poll::Ready(None));
        };
        let window = gathering.finish(&self.file);
        let rows = window.rows.iter().map(|row| row.offset).collect();
        // Count recently appended bytes at once; a longer rest can wait until the rows are on
        // screen.
        if self.file.bytes().saturating_sub(self.index.bytes()) <= COUNTED_BYTES {
            self.count()?;
        }
        self.last = Some(Answered { span: self.span(&request, &window)?, request, rows });
        self.file_state = self.file.file_state();
        let style = self.style_before(&window, self.tail)?;
        Ok(Poll::Ready(Some(LogPage { window, style, target, folded: changes, cause })))
    }

    /// Returns the style that the rows before a window have left switched on. Reads only the last
    /// `STYLED_BYTES` before the window; a terminal would process the log from the beginning.
    fn style_before(&self, window: &Window, tail: Tail) -> Result<Style> {
        let mut sanitizer = Sanitizer::default();
        if let Some(first) = window.rows.first().filter(|_| !window.at_start) {
            let from = first.offset.saturating_sub(STYLED_BYTES);
            for row in self.file.window_rows(from, WINDOW_ROW_BYTES, tail)? {
                let row = row.map_err(Error::io("read", self.file.path()))?;
                if row.offset >= first.offset {
                    break;
                }
                sanitizer.row_within(&row.text, 0);
            }
        }
        Ok(sanitizer.style())
    }

    /// Returns the times of the first and the last record; `None` if there is no record in the
    /// first 64 KiB of the log, or if its last row is not a record. They are not requested from a
    /// server if the row of the command has them.
    fn span(&self, request: &RowsRequest, window: &Window) -> Result<Option<(Time, Time)>> {
        if self.file.is_remote() && self.tail == Tail::Emit {
            return Ok(None);
        }
        let last =
            match window.rows.last().filter(|_| window.at_end && !request.row_filter.narrows()) {
                Some(last) => last.last_at,
                None => self
                    .file
                    .window(Anchor::End, 1, self.tail)?
                    .rows
                    .first()
                    .and_then(|row| row.last_at),
            };
        Ok(self.file.first_time()?.zip(last))
    }
}
