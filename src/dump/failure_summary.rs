//! The summary of a failure: the command that failed, and the rows of its log that explain the
//! failure.

use std::io::{self, Write};

use super::failure::title;
use super::options::PrintOptions;
use super::text::{sign, write_row};
use crate::error::Result;
use crate::join::{JobNode, LogRef, RunNode, ShNode, ShState};
use crate::log::{LogFile, Row, Tail};
use crate::model::{Outcome, Sh};
use crate::sanitize::Sanitizer;
use crate::search::{find_cause, stored_cause};

/// The summary of a failed command.
pub struct FailureSummary {
    /// The failed command, and a description of the rows. Sanitized.
    pub title: String,
    rows: Vec<Row>,
}

impl FailureSummary {
    /// Summarizes a run that failed or was interrupted. Returns `None` for any other run, and if
    /// none of its commands failed or was interrupted.
    #[must_use]
    pub fn of_run(run: &RunNode) -> Option<Self> {
        if run.head.outcome != Some(Outcome::Failed) && !run.head.interrupted {
            return None;
        }
        let (job, sh) = run.first_failed()?;
        Some(Self::of_command("first failure", job, sh))
    }

    /// Summarizes the failed jobs of a run, each by its last failed command: an earlier one was
    /// repeated. Jobs that may fail are left out. The logs are read as the iterator advances.
    pub fn of_jobs(run: &RunNode) -> impl Iterator<Item = Self> {
        let has_failed =
            |job: &&JobNode| job.outcome == Some(Outcome::Failed) && !job.job.allow_failure;
        run.jobs.iter().filter(has_failed).filter_map(|job| {
            let sh = job.shs.iter().rev().find(|sh| sh.state == ShState::Failed)?;
            Some(Self::of_command("failed", job, sh))
        })
    }

    fn of_command(lead: &str, job: &JobNode, sh: &ShNode) -> Self {
        let (what, rows) = match &sh.log {
            None => ("the log is missing", Vec::new()),
            // The reason has been reported before.
            Some(log) => cause_of(sh, log).unwrap_or(("the log cannot be read", Vec::new())),
        };
        let colon = if rows.is_empty() { "" } else { ":" };
        Self { title: format!("{lead}: {}; {what}{colon}", title(job, sh)), rows }
    }

    /// Prints the rows that explain the failure, each after `indent`.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub fn write_rows(
        &self,
        indent: &str,
        look: &PrintOptions,
        out: &mut impl Write,
    ) -> io::Result<()> {
        self.rows.iter().try_for_each(|row| {
            let lead = format!("{indent}{}", sign(row));
            write_row(row, &lead, &mut Sanitizer::default(), look, out)
        })
    }
}

/// Returns the rows that explain the failure, and their description.
fn cause_of(node: &ShNode, log: &LogRef) -> Result<(&'static str, Vec<Row>)> {
    let file = LogFile::open(&log.path)?;
    let exit = node.sh.as_ref().and_then(Sh::exit_status);
    let cause = match stored_cause(&file, exit, Tail::Emit)? {
        Some(cause) => cause,
        None => find_cause(&file, exit, Tail::Emit)?,
    };
    let what = match cause.at {
        _ if cause.rows.is_empty() => "no output",
        Some(_) => cause.title(),
        None => "cause not recognized; last lines",
    };
    Ok((what, cause.rows))
}
