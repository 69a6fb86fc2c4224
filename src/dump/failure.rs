//! The failed commands of a run and the causes of their failures, for the formats that report them.

use std::borrow::Cow;

use super::printing::{Printing, run_id};
use crate::display;
use crate::error::Result;
use crate::join::{JobNode, LogRef, Place, ShNode};
use crate::log::{Anchor, Row};
use crate::model::Sh;
use crate::sanitize::{Progress, name, plain};
use crate::search::{Cause, find_causes};

/// The maximum number of causes of a command after the most likely one, where a format has no
/// limit of its own.
pub(super) const MAX_OTHER_CAUSES: usize = 10;

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
        let Some(log) = &node.log else { return Vec::new() };
        let exit = node.sh.as_ref().and_then(Sh::exit_status);
        let mut causes = self.causes_in(log, exit, max_others);
        causes.retain(|cause| node.state.is_failure() || cause.at.is_some());
        causes
    }

    /// Finds causes as [`Self::causes`] does, in a log whose command ended with this exit status.
    pub(super) fn causes_in(
        &mut self,
        log: &LogRef,
        exit: Option<i64>,
        max_others: usize,
    ) -> Vec<Cause> {
        let Some(file) = self.open(log) else { return Vec::new() };
        let causes = find_causes(&file, exit, max_others, self.tail());
        let mut causes = self.report_err(causes).unwrap_or_default();
        causes.retain(|cause| !cause.rows.is_empty());
        causes
    }

    /// Reads up to `count` rows on each side of a row in the log of a command, without blank ones.
    pub(super) fn rows_around(&mut self, node: &ShNode, at: u64, count: usize) -> Vec<Row> {
        let tail = self.tail();
        let Some(file) = node.log.as_ref().and_then(|log| self.open(log)) else {
            return Vec::new();
        };
        let sides = [Anchor::Before(at), Anchor::From(at)];
        let rows: Result<Vec<_>> =
            sides.into_iter().map(|side| Ok(file.window(side, count, tail)?.rows)).collect();
        let mut rows = self.report_err(rows).unwrap_or_default().concat();
        rows.retain(|row| !text(row).trim().is_empty());
        rows
    }

    /// Returns the command that prints the whole run; `None` for a log opened by its path.
    pub(super) fn read_run(&self) -> Option<String> {
        run_id(&self.run.head.run)?;
        Some(self.typed(&["rundown", self.run.head.run.id.short(), "--once"]))
    }

    /// Returns the commands to run next for a failed command; `None` for a log opened by its path.
    pub(super) fn next_commands(&self, job: &JobNode, node: &ShNode) -> Option<NextCommands> {
        run_id(&self.run.head.run)?;
        let run = self.run.head.run.id.short();
        let n = node.n.to_string();
        let id = job.job.id.as_str();
        // As a separate word, a name such as `-x` would be parsed as an option.
        let joined = id.starts_with('-').then(|| format!("--job={id}"));
        let of_job = joined.as_ref().map_or(vec!["--job", id], |joined| vec![joined]);
        let command = |words: &[&str]| self.typed(&[words, &of_job, &["--sh", &n]].concat());
        let is_packed = node.log.as_ref().is_some_and(|log| log.path.file().is_none());
        Some(NextCommands {
            rerun: (!is_packed).then(|| command(&["rundown", "rerun", run])),
            read_more: command(&["rundown", run, "--once"]),
        })
    }

    /// Returns a command line for the store of the run. Sanitized.
    fn typed(&self, words: &[&str]) -> String {
        let store = self.look.store.iter().map(String::as_str);
        let words: Vec<&str> = words.iter().copied().chain(store).collect();
        name(&display::typed(words)).into_owned()
    }
}

/// The commands to run next for a failed command, quoted for a shell. Sanitized.
pub(super) struct NextCommands {
    /// The command that runs it again; `None` for a run in a bundle, which is only read.
    pub rerun: Option<String>,
    /// The command that prints its whole log.
    pub read_more: String,
}

/// Names a failed command, and describes how it ended: `job test, command 2: make: exit 2`.
/// Sanitized.
pub(super) fn title(job: &JobNode, node: &ShNode) -> String {
    let sh = node.sh.as_ref();
    let place = display::place(&Place::Sh(job.job.id.clone(), node.n));
    let words = [
        Some(place.unwrap_or_else(|| display::log_name(node))),
        sh.map(display::command),
        sh.and_then(display::exit_explained),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(": ")
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
