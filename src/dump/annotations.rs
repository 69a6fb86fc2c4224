//! Annotations: the causes of failures as messages at places in the source code, which CI systems
//! show beside the changed lines.
//!
//! The most important ones come first: the likely cause of each failed command in time order, then
//! jobs and runs that failed without a failed command, then the other errors of the failed
//! commands.

use super::failure::{message, text};
use super::printing::{Printing, run_id};
use super::source_path::in_repository;
use crate::join::{JobNode, Place, ShNode, ShState};
use crate::log::Row;
use crate::model::Sh;
use crate::search::Cause;
use crate::{ci, display};

/// The maximum number of errors of a command that are reported after the most likely one.
pub(super) const MAX_OTHER_ERRORS: usize = 20;

/// A message about a failure. All texts are sanitized.
pub(super) struct Annotation {
    /// False if the failure has no consequences.
    pub is_error: bool,
    /// The command that failed, and how it ended.
    pub title: String,
    /// The error on one line.
    pub message: String,
    /// The rows of the log that follow the error or, if no rule matched, the last ones.
    pub rows: Vec<String>,
    /// The tool that reported the error.
    pub tool: Option<&'static str>,
    /// The place in the repository.
    pub place: Option<RepositoryPlace>,
}

/// A place in the source code of the repository.
pub(super) struct RepositoryPlace {
    /// The path, relative to the root of the repository.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1 for most tools.
    pub column: Option<u32>,
}

impl Annotation {
    fn without_rows(is_error: bool, title: String, message: String) -> Self {
        Self { is_error, title, message, rows: Vec::new(), tool: None, place: None }
    }

    /// Returns the message and the rows, cut to a number of UTF-16 code units.
    pub(super) fn text(&self, max_units: usize) -> String {
        let rows = self.rows.iter().flat_map(|row| ["\n", row]);
        let text: String = std::iter::once(self.message.as_str()).chain(rows).collect();
        cut(text.trim_end(), max_units)
    }

    fn of_cause(job: &JobNode, node: &ShNode, cause: &Cause) -> Self {
        let cwd = node.sh.as_ref().and_then(|sh| sh.cwd.as_deref());
        let place = cause.location().and_then(|place| {
            let path = in_repository(&place.path, cwd, ci::workspace().as_deref())?;
            Some(RepositoryPlace { path, line: place.line, column: place.column })
        });
        let is_after = |row: &&Row| cause.at.is_none_or(|at| row.offset > at);
        let rows = cause.rows.iter().filter(is_after);
        Self {
            rows: rows.map(|row| text(row).into_owned()).collect(),
            tool: cause.rule,
            place,
            ..Self::without_rows(is_error(job, node), title(job, node), reason(node, Some(cause)))
        }
    }
}

impl Printing<'_> {
    /// Returns the most important annotations of the run, at most `max`. If there are more, the
    /// last one reports their number.
    pub(super) fn annotations(&mut self, max: usize) -> Vec<Annotation> {
        let failures = self.failures();
        let max_others = if failures.len() < max { MAX_OTHER_ERRORS } else { 0 };
        // Of a log that was opened by its path, it is unknown whether its command failed.
        let is_known = run_id(&self.run.head.run).is_some();
        let (mut firsts, mut others, mut omitted) = (Vec::new(), Vec::new(), 0);
        for (job, node) in failures {
            if firsts.len() >= max && is_known {
                omitted += 1;
                continue;
            }
            let mut found = self.annotations_of(job, node, max_others).into_iter();
            match found.next() {
                Some(_) if firsts.len() >= max => omitted += 1,
                first => firsts.extend(first),
            }
            others.extend(found);
        }
        for unexplained in self.unexplained() {
            if firsts.len() < max { firsts.push(unexplained) } else { omitted += 1 }
        }
        firsts.append(&mut others);
        limited(firsts, omitted, max)
    }

    /// Returns the annotations of a failed command: first that of the most likely cause.
    pub(super) fn annotations_of(
        &mut self,
        job: &JobNode,
        node: &ShNode,
        max_others: usize,
    ) -> Vec<Annotation> {
        let causes = self.causes(node, max_others);
        if causes.is_empty() && run_id(&self.run.head.run).is_some() {
            let reason = reason(node, None);
            return vec![Annotation::without_rows(is_error(job, node), title(job, node), reason)];
        }
        causes.iter().map(|cause| Annotation::of_cause(job, node, cause)).collect()
    }

    /// Returns the annotations of jobs, and of the run, that failed without a failed command.
    fn unexplained(&self) -> impl Iterator<Item = Annotation> {
        let run = self.run;
        let jobs = run.jobs.iter().filter_map(|job| {
            let title = display::place(&Place::Job(job.job.id.clone())).unwrap_or_default();
            let message = self.job_failure(job)?;
            Some(Annotation::without_rows(!job.job.allow_failure, title, message))
        });
        let of_run = self.run_failure();
        jobs.chain(of_run.map(|why| Annotation::without_rows(true, "run".to_owned(), why)))
    }
}

/// Cuts a list to `max` annotations. The last one reports the number of those left out.
fn limited(mut found: Vec<Annotation>, omitted: usize, max: usize) -> Vec<Annotation> {
    let total = found.len() + omitted;
    if total > max {
        found.truncate(max.saturating_sub(1));
        let more = total - found.len();
        let message = format!("{more} more failures have no annotation; see the log");
        found.push(Annotation::without_rows(true, "rundown".to_owned(), message));
    }
    found
}

fn is_error(job: &JobNode, node: &ShNode) -> bool {
    job.counts(node)
}

/// The maximum length of a command in a title, in UTF-16 code units.
const MAX_COMMAND_UNITS: usize = 80;

/// Returns a failed command on one line. Sanitized.
fn title(job: &JobNode, node: &ShNode) -> String {
    let place = display::place(&Place::Sh(job.job.id.clone(), node.n));
    let sh = node.sh.as_ref();
    let command = display::command_of(node);
    let command = cut(&command, MAX_COMMAND_UNITS);
    let words = [place, Some(command), sh.and_then(display::exit_explained)];
    words.into_iter().flatten().collect::<Vec<_>>().join(": ")
}

/// Returns the reason for the failure of a command on one line. Sanitized.
pub(super) fn reason(node: &ShNode, cause: Option<&Cause>) -> String {
    let sh = node.sh.as_ref();
    let not_started = sh.and_then(display::not_started);
    let has_end = |sh: &Sh| display::exit_explained(sh).is_some();
    let is_unexplained = cause.is_none_or(|cause| cause.at.is_none());
    let is_cut_off = is_unexplained && !sh.is_some_and(has_end);
    let interrupted = (node.state == ShState::Interrupted && is_cut_off)
        .then(|| "interrupted: its end was not recorded".to_owned());
    cut(&not_started.or(interrupted).unwrap_or_else(|| message(cause, sh)), MAX_REASON_UNITS)
}

/// The maximum length of the reason for a failure, in UTF-16 code units.
const MAX_REASON_UNITS: usize = 1000;

/// Cuts a text to a number of UTF-16 code units, which most CI systems count.
pub(super) fn cut(text: &str, max_units: usize) -> String {
    if text.encode_utf16().count() <= max_units {
        return text.to_owned();
    }
    let mut units = '…'.len_utf16();
    let fits = |found: &char| {
        units += found.len_utf16();
        units <= max_units
    };
    text.chars().take_while(fits).chain(['…']).collect()
}
