//! The failed commands of a run and the causes of their failures, for the formats that report them.

use std::borrow::Cow;

use super::printing::{Printing, run_id};
use crate::display;
use crate::join::{JobNode, ShNode, ShState};
use crate::log::{LogFile, Row, Tail};
use crate::model::Sh;
use crate::sanitize::{Progress, plain};
use crate::search::{Cause, find_causes, location};

/// The maximum number of rows below the cause that are searched for its place in the source.
const ROWS_BELOW: usize = 3;

/// A place in the source code that a log names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SourcePlace {
    /// The path, as the log names it.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1 for most tools.
    pub column: Option<u32>,
}

impl<'a> Printing<'a> {
    /// Returns the commands whose logs may contain the cause of a failure: the failed and the
    /// interrupted commands of a run, in the order of [`crate::join::RunNode::failures`]; or all
    /// logs that were opened by their path.
    pub(super) fn failures(&self) -> Vec<(&'a JobNode, &'a ShNode)> {
        if run_id(&self.run.head.run).is_none() {
            self.shs().collect()
        } else {
            self.run.failures()
        }
    }

    /// Finds the likely cause of a failure, and after it up to `max_others` other failures in the
    /// same log, in its order. If no rule matched, the only cause has the last rows. Returns an
    /// empty list if the log is missing, unreadable or empty, or if no rule matched and it is
    /// unknown whether the command failed.
    pub(super) fn causes(&mut self, node: &ShNode, max_others: usize) -> Vec<Cause> {
        let Some(file) = node.log.as_ref().and_then(|log| self.open(log)) else {
            return Vec::new();
        };
        let tail = self.tail();
        let causes = self.report_err(causes(&file, node, max_others, tail)).unwrap_or_default();
        let may_have_failed = matches!(node.state, ShState::Failed | ShState::Interrupted);
        let explains =
            |cause: &Cause| !cause.rows.is_empty() && (cause.at.is_some() || may_have_failed);
        causes.into_iter().filter(explains).collect()
    }
}

fn causes(
    file: &LogFile,
    node: &ShNode,
    max_others: usize,
    tail: Tail,
) -> crate::error::Result<Vec<Cause>> {
    find_causes(file, node.sh.as_ref().and_then(Sh::exit_status), max_others, tail)
}

/// Returns the text of a row without colors. Sanitized.
pub(super) fn text(row: &Row) -> Cow<'_, str> {
    plain(&row.text, Progress::Last)
}

/// Returns the row that a rule matched; `None` if no rule matched.
pub(super) fn marked(cause: &Cause) -> Option<&Row> {
    cause.rows.iter().find(|row| Some(row.offset) == cause.at)
}

/// Returns a failure on one line: the text of the row with the cause or, if no rule matched, the
/// meaning of the exit status. Sanitized.
pub(super) fn message(cause: Option<&Cause>, sh: Option<&Sh>) -> String {
    let row = cause.and_then(marked).map(|row| text(row).trim().to_owned());
    let exit = || sh.and_then(display::exit_explained);
    row.filter(|row| !row.is_empty()).or_else(exit).unwrap_or_else(|| "failed".to_owned())
}

/// Returns the place in the source that the cause names: in its row, in one of the next rows, or in
/// the nearest row above, where the frames of a trace are.
pub(super) fn source_place(cause: &Cause) -> Option<SourcePlace> {
    let at = cause.rows.iter().position(|row| Some(row.offset) == cause.at)?;
    let (above, from) = cause.rows.split_at_checked(at)?;
    let mut rows = from.iter().take(1 + ROWS_BELOW).chain(above.iter().rev());
    rows.find_map(|row| {
        let text = text(row);
        let found = location(&text)?;
        let (line, column) = (found.line, found.column);
        Some(SourcePlace { path: found.path.to_owned(), line, column })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(rows: &[&str], marked: usize) -> Cause {
        let row = |(offset, text): (usize, &&str)| Row {
            offset: offset as u64,
            text: text.as_bytes().to_vec(),
            ..Row::default()
        };
        let rows = rows.iter().enumerate().map(row).collect();
        Cause { at: Some(marked as u64), rule: None, rows, searched_bytes: 0 }
    }

    #[test]
    fn the_place_in_the_source_is_that_nearest_to_the_cause() {
        for (rows, marked, expected) in [
            (
                &["a.c:1: note", "b.c:2:3: error: x", "c.c:4: note"][..],
                1,
                Some(("b.c", 2, Some(3))),
            ),
            (
                &["a.rs:9: warning", "error[E0308]: x", "  --> src/lib.rs:7:5"],
                1,
                Some(("src/lib.rs", 7, Some(5))),
            ),
            (&["  File \"x.py\", line 3, in f", "ValueError: x"], 1, Some(("x.py", 3, None))),
            (&["error: x", "", "", "", "far.c:4: note"], 0, None),
            (&["error: \x1b[31mb.c:2\x1b[0m"], 0, Some(("b.c", 2, None))),
        ] {
            let place = source_place(&cause(rows, marked));
            let place = place.as_ref().map(|at| (at.path.as_str(), at.line, at.column));
            assert_eq!(place, expected, "{rows:?}");
        }
    }
}
