//! The answer to a request: the rows that were gathered, and what is known of the log by then.

use std::time::Instant;

use super::job::{ReadJob, Step};
use super::{Answered, COUNTED_BYTES, Reading};
use crate::error::{Error, Result};
use crate::log::{Anchor, Tail, WINDOW_ROW_BYTES, Window};
use crate::sanitize::{Sanitizer, Style};
use crate::time::Time;
use crate::tui::msg::{Msg, Page, PageRequest};

/// The number of bytes before a window to read for the colors switched on in it.
const STYLED_BYTES: u64 = 64 << 10;

impl Reading {
    pub(super) fn answer(&mut self, job: ReadJob) -> Result<Vec<Msg>> {
        let ReadJob { request, step: Step::Gather(gathering), target, changes, cause, .. } = job
        else {
            return Ok(Vec::new());
        };
        let (window, tail) = (gathering.finish(&self.file), self.tail);
        let rows = window.rows.iter().map(|row| row.offset).collect();
        // Count recently appended bytes at once; a longer rest can wait until the rows are on
        // screen.
        if self.file.bytes().saturating_sub(self.index.bytes()) <= COUNTED_BYTES {
            self.count()?;
        }
        self.last = Some(Answered { span: self.span(&request, &window)?, request, rows });
        self.file_state = self.file.file_state();
        let (generation, file_state) = (self.file.generation(), self.file_state);
        let known = self.known()?;
        self.reported = Some((Instant::now(), known.clone()));
        let style = self.style_before(&window, tail)?;
        let page = Page {
            window,
            style,
            known,
            generation,
            file_state,
            target,
            opened: None,
            folded: changes,
            cause,
        };
        Ok(vec![Msg::Page(self.ticket, page)])
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

    /// Returns the times of the first and the last record; `None` if the first or last rows of the
    /// log are not records.
    pub(super) fn span(
        &self,
        request: &PageRequest,
        window: &Window,
    ) -> Result<Option<(Time, Time)>> {
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
