//! The lines of the screen that a row takes, and the text in them.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::display::{self, size};
use crate::log::Row;
use crate::model::LogCut;
use crate::sanitize::{Progress, Sanitizer};
use crate::time::Time;

/// Returns the number of lines that a row takes. `width` is the width of the text if rows are
/// wrapped, else `None`. A row takes more than one line if it is wrapped, or if each state of
/// overwritten text is shown. For `after`, see [`notes`].
#[must_use]
pub fn lines_of(
    row: &Row,
    width: Option<u16>,
    progress: Progress,
    after: (bool, Option<LogCut>),
) -> usize {
    let states = states(row, progress);
    let Some(width) = width else { return states.len() };
    let mut sanitizer = Sanitizer::new(progress);
    let lines = states.iter().enumerate().map(|(index, state)| {
        let mut flow = Flow { width: usize::from(width).max(1), line: 0, column: 0 };
        for span in sanitizer.row(state.text) {
            flow.pass(&span.text);
        }
        let notes =
            if index + 1 == states.len() { notes(row, progress, after) } else { Vec::new() };
        for note in notes {
            flow.pass(&note);
        }
        flow.line + 1
    });
    lines.sum()
}

/// A state of a row: its text, and the time at which it was written.
pub(super) struct State<'r> {
    pub(super) text: &'r [u8],
    pub(super) at: Option<Time>,
}

/// Returns the states of a row. With [`Progress::Last`], this is the row as it is. With
/// [`Progress::All`], each CR ends a state, which the next state overwrites.
pub(super) fn states(row: &Row, progress: Progress) -> Vec<State<'_>> {
    if progress == Progress::Last {
        return vec![State { text: &row.text, at: row.at }];
    }
    let at = |start: usize| {
        row.pieces.iter().rfind(|piece| piece.start <= start).map_or(row.at, |piece| Some(piece.at))
    };
    let mut states: Vec<State<'_>> = Vec::new();
    let mut start = 0;
    for text in row.text.split_inclusive(|byte| *byte == b'\r') {
        // Repeated CRs, and a CR before any text, end no state.
        if text != b"\r" || states.is_empty() && row.text == b"\r" {
            states.push(State { text, at: at(start) });
        }
        start += text.len();
    }
    if states.is_empty() {
        states.push(State { text: &row.text, at: row.at });
    }
    states
}

/// Returns the notes after the text of a row: the fault of a malformed one, a mark for one that
/// will not be completed, and the size of missing parts. `after` is true if the writer was
/// interrupted, and the output that was removed from the log after the row.
pub(super) fn notes(
    row: &Row,
    progress: Progress,
    (is_interrupted, removed): (bool, Option<LogCut>),
) -> Vec<String> {
    let malformed = row.malformed.map(|malformed| format!("  ({})", malformed.reason));
    let cut = (row.cut_bytes > 0).then(|| format!(" … {} more", size(row.cut_bytes)));
    let before = (row.overwritten_bytes > 0 && progress == Progress::All)
        .then(|| format!(" … {} before", size(row.overwritten_bytes)));
    let unfinished = (is_interrupted && !row.complete).then(|| "  (unfinished)".to_owned());
    let removed = removed.map(|cut| format!("  … {}", display::removed(cut)));
    [malformed, unfinished, cut, before, removed].into_iter().flatten().collect()
}

/// The position in wrapped text.
pub(super) struct Flow {
    pub(super) width: usize,
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Flow {
    /// Returns the line and column of a piece of this width. A piece that does not fit goes to the
    /// next line.
    pub(super) fn put(&mut self, columns: usize) -> (usize, usize) {
        if self.column + columns > self.width && self.column > 0 {
            (self.line, self.column) = (self.line + 1, 0);
        }
        let place = (self.line, self.column);
        self.column += columns;
        place
    }

    fn pass(&mut self, text: &str) {
        if text.is_ascii() {
            let end = self.column + text.len();
            if end > 0 {
                self.line += (end - 1) / self.width;
                self.column = (end - 1) % self.width + 1;
            }
            return;
        }
        for grapheme in text.graphemes(true) {
            self.put(grapheme.width());
        }
    }
}
