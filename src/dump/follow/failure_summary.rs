//! The summary of a failed run: the command that failed first, and the rows of its log that explain
//! the failure.

use crate::display;
use crate::join::{Place, RunNode, ShNode};
use crate::log::{LogFile, Row, Tail};
use crate::model::{Outcome, Sh};
use crate::search::find_cause;

/// The summary of a failed command.
pub(super) struct FailureSummary {
    /// The failed command, and a description of the rows.
    pub title: String,
    /// The rows to print.
    pub rows: Vec<Row>,
}

/// Summarizes a run that failed or was interrupted. Returns `None` for any other run, and if none
/// of its commands failed or was interrupted.
pub(super) fn of(run: &RunNode) -> Option<FailureSummary> {
    if run.head.outcome != Some(Outcome::Failed) && !run.head.interrupted {
        return None;
    }
    let (job, sh) = run.first_failed()?;
    let place = display::place(&Place::Sh(job.job.id.clone(), sh.n)).unwrap_or_default();
    let command = sh.sh.as_ref().map(display::command);
    let how = sh.sh.as_ref().and_then(display::exit_explained);
    let words: Vec<String> = [Some(place), command, how].into_iter().flatten().collect();
    let nothing = if sh.log.is_some() { "no output" } else { "the log is missing" };
    let (what, rows) = cause_of(sh).unwrap_or((nothing, Vec::new()));
    Some(FailureSummary { title: format!("first failure: {}; {what}", words.join(": ")), rows })
}

/// Returns the rows that explain the failure, and their description. Returns `None` if there are no
/// rows, or if the log cannot be read, which has been reported before.
fn cause_of(node: &ShNode) -> Option<(&'static str, Vec<Row>)> {
    let file = LogFile::open(&node.log.as_ref()?.path).ok()?;
    let cause = find_cause(&file, node.sh.as_ref().and_then(Sh::exit_status), Tail::Emit).ok()?;
    let what =
        if cause.at.is_some() { "likely cause:" } else { "cause not recognized; last lines:" };
    (!cause.rows.is_empty()).then_some((what, cause.rows))
}
