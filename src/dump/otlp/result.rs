//! The results of runs, jobs and commands in the words of the semantic conventions.
//!
//! | status | result | error |
//! |---|---|---|
//! | passed | `success` | no |
//! | failed | `failure`, `timeout`, or `error` if a command could not be started | yes |
//! | stopped, superseded | `cancellation` | no |
//! | skipped | `skip` | no |
//! | interrupted, orphaned | `error` | yes |
//! | not finished, unknown | none | no |
//!
//! A failure without consequences keeps its result, but is no error: that of a job that may fail,
//! and that of a command that was repeated.

use crate::display::{self, Status};
use crate::join::{JobNode, RunHead, ShNode};
use crate::model::{Outcome, Sh};

const CANCELLATION: &str = "cancellation";
const TIMEOUT: &str = "timeout";

/// The class of an error of which nothing else is known.
const OTHER: &str = "_OTHER";

/// The result of a run, job or command.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Verdict {
    /// The result; `None` if it is unknown.
    pub word: Option<&'static str>,
    /// The class of the error, for every result that is a failure.
    pub error_type: Option<String>,
    /// True if the failure has consequences.
    pub is_error: bool,
}

impl Verdict {
    fn of(status: Status) -> Self {
        let word = match status {
            Status::Passed => Some("success"),
            Status::Failed => Some("failure"),
            Status::Stopped => Some(CANCELLATION),
            Status::Skipped => Some("skip"),
            Status::Interrupted => Some("error"),
            Status::Active | Status::Waiting | Status::Queued | Status::Unknown => None,
        };
        let error_type = match status {
            Status::Failed => Some(OTHER.to_owned()),
            Status::Interrupted => Some(status.word().to_owned()),
            _ => None,
        };
        Self { word, is_error: error_type.is_some(), error_type }
    }

    pub fn of_run(head: &RunHead) -> Self {
        let mut verdict = Self::of(Status::of_run(head));
        if verdict.word == Some("failure") {
            verdict.error_type = display::reason(head).or(verdict.error_type);
            if head.is_orphaned() {
                verdict.word = Some("error");
            }
        }
        verdict
    }

    /// Returns the result of a job. The class of its error is that of its first failed command.
    pub fn of_job(job: &JobNode) -> Self {
        let mut verdict = Self::of(Status::of_job(job));
        verdict.is_error &= !job.job.allow_failure;
        if Status::of_job(job) == Status::Failed {
            let failed = job.shs.iter().map(|sh| Self::of_sh(job, sh));
            let mut failed = failed.filter(|sh| sh.error_type.is_some());
            if let Some(sh) = failed.next() {
                verdict.word = sh.word;
                verdict.error_type = sh.error_type;
            }
        }
        verdict
    }

    pub fn of_sh(job: &JobNode, node: &ShNode) -> Self {
        let mut verdict = Self::of(Status::of_sh(node));
        let Some(sh) = node.sh.as_ref().filter(|_| verdict.word == Some("failure")) else {
            verdict.is_error &= job.counts(node);
            return verdict;
        };
        if job.outcome == Some(Outcome::Stopped) && was_killed(sh) {
            return Self { word: Some(CANCELLATION), error_type: None, is_error: false };
        }
        let (word, error_type) = if sh.timed_out() {
            (TIMEOUT, TIMEOUT.to_owned())
        } else if sh.start_error.is_some() {
            ("error", "not_started".to_owned())
        } else {
            ("failure", sh.exit_status().map_or(OTHER.to_owned(), |status| status.to_string()))
        };
        Self { word: Some(word), error_type: Some(error_type), is_error: job.counts(node) }
    }
}

/// Returns true if a signal ended a command. Quire stores -1 as its exit code.
fn was_killed(sh: &Sh) -> bool {
    sh.signal.is_some() || sh.exit_code == Some(-1)
}
