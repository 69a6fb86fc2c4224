//! The facts for the log's pane: the area of the pane, the times of its command, and the notes.

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::{HeaderLine, Model};
use crate::display;
use crate::join::Place;
use crate::log::{FileState, Name};
use crate::tui::at::name_of;
use crate::tui::layout::Pane;
use crate::tui::log::{Frame, slow_ms};
use crate::tui::prompt::Span;
use crate::tui::tree::Item;

impl Model {
    /// Returns the area of the log's pane, and what is above the rows in it. While the pane is not
    /// on screen, the whole screen takes its place.
    #[must_use]
    pub fn log_frame(&self) -> Frame {
        let body = self.layout().body(Pane::Log).unwrap_or(self.screen);
        let (header, notes) = (self.shown_header(body).len(), self.notes(body.width).len());
        Frame { body, header, notes }
    }

    /// Returns the lines of the full header for an area of the log's pane; empty while it is
    /// hidden.
    #[must_use]
    pub fn shown_header(&self, body: Rect) -> Vec<HeaderLine> {
        if self.log.options.header { self.header_lines(body) } else { Vec::new() }
    }

    /// Returns the start and end of the command, job or run on screen; the end is the current time
    /// while it runs. If the start or the end is unknown, the first or last time in the loaded logs
    /// replaces it.
    #[must_use]
    pub fn shown_span(&self) -> Span {
        let (first, last) = self.log.known.span.unzip();
        let (start, end) = match self.shown()? {
            Item::Run(run) => (run.head.run.started_at, run.head.ended_at()),
            Item::Job(job) => (job.job.started_at, job.job.finished_at),
            Item::Sh(_, sh) => {
                sh.sh.as_ref().map_or((None, None), |sh| (sh.started_at, sh.finished_at))
            }
        };
        let end = end.or_else(|| self.now.filter(|_| self.log.is_alive));
        Some((start.or(first)?, end.or(last)?))
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
        let named = |note: String| format!("{}: {note}", name_of(place));
        state.into_iter().chain(late).map(named).collect()
    }

    /// Returns the gap between two rows, in milliseconds, from which a row is slow.
    #[must_use]
    pub fn slow_ms(&self) -> i64 {
        slow_ms(self.shown_span().map_or(0, |(start, end)| end.millis_since(start)))
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
