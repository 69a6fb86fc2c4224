//! What a failed run says last: the command that failed first, and what of its log tells why.

use crate::cri::Stream;
use crate::join::{Place, RunNode, ShNode};
use crate::log::{Anchor, LogFile, Row, Tail};
use crate::model::Outcome;
use crate::words;

/// How many rows are shown.
const ROWS: usize = 10;

/// Among how many of the last rows those of standard error are looked for.
const LOOKED_ROWS: usize = 1000;

/// A failed command in a few rows.
pub(super) struct LastWords {
    /// What they are.
    pub title: String,
    /// The rows.
    pub rows: Vec<Row>,
}

/// The last words of a run that failed or was cut short; `None` where no command says why.
pub(super) fn of(run: &RunNode) -> Option<LastWords> {
    if run.head.outcome != Some(Outcome::Failed) && !run.head.interrupted {
        return None;
    }
    let (job, sh) = run.first_failed()?;
    let place = words::place(&Place::Sh(job.job.id.clone(), sh.n)).unwrap_or_default();
    let command = sh.sh.as_ref().map(words::command);
    let how = sh.sh.as_ref().and_then(words::exit);
    let words: Vec<String> = [Some(place), command, how].into_iter().flatten().collect();
    let (what, rows) = last_rows(sh).unwrap_or(("it has written nothing", Vec::new()));
    Some(LastWords { title: format!("the first failure: {}; {what}", words.join(": ")), rows })
}

/// The last rows of standard error, or of the log where that is silent. That it cannot be read has been said.
fn last_rows(sh: &ShNode) -> Option<(&'static str, Vec<Row>)> {
    let file = LogFile::open(&sh.log.as_ref()?.path).ok()?;
    let rows = file.window(Anchor::End, LOOKED_ROWS, Tail::Emit).ok()?.rows;
    let is_stderr = |row: &&Row| row.stream == Some(Stream::Stderr);
    let stderr: Vec<Row> = rows.iter().filter(is_stderr).cloned().collect();
    let (what, mut rows) =
        if stderr.is_empty() { ("its last rows:", rows) } else { ("its last rows of standard error:", stderr) };
    rows.drain(..rows.len().saturating_sub(ROWS));
    (!rows.is_empty()).then_some((what, rows))
}
