//! The normalized status of a run, job or command, with its glyph and word.

use crate::join::{JobNode, RunHead, ShNode, ShState};
use crate::model::{Outcome, Phase};

/// The normalized status of a run, job or command. Stores use different words for the same status.
/// The status determines glyph and color.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Status {
    /// `✓`
    Passed,
    /// `✗`
    Failed,
    /// `●`
    Active,
    /// `◐`
    Waiting,
    /// `○`
    Queued,
    /// `⊘`
    Skipped,
    /// `■`
    Stopped,
    /// `!`
    Interrupted,
    /// `?`
    Unknown,
}

impl Status {
    /// The statuses that are outcomes, see [`Status::as_outcome`].
    pub const OUTCOMES: [Self; 8] = [
        Self::Passed,
        Self::Failed,
        Self::Stopped,
        Self::Skipped,
        Self::Active,
        Self::Queued,
        Self::Interrupted,
        Self::Unknown,
    ];

    /// Returns the status that does not depend on the store: a run or job that waits for its next
    /// step is running.
    #[must_use]
    pub const fn as_outcome(self) -> Self {
        match self {
            Self::Waiting => Self::Active,
            other => other,
        }
    }

    /// Returns the [`Outcome`] of all runs with this status; `None` if they have none.
    #[must_use]
    pub const fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Passed => Some(Outcome::Passed),
            Self::Failed => Some(Outcome::Failed),
            Self::Stopped => Some(Outcome::Stopped),
            Self::Skipped => Some(Outcome::Skipped),
            _ => None,
        }
    }

    /// Returns the glyph: one character, one cell wide.
    #[must_use]
    pub const fn glyph(self) -> &'static str {
        match self {
            Self::Passed => "✓",
            Self::Failed => "✗",
            Self::Active => "●",
            Self::Waiting => "◐",
            Self::Queued => "○",
            Self::Skipped => "⊘",
            Self::Stopped => "■",
            Self::Interrupted => "!",
            Self::Unknown => "?",
        }
    }

    /// Returns the glyph for terminals without Unicode, also one cell wide.
    #[must_use]
    pub const fn ascii_glyph(self) -> &'static str {
        match self {
            Self::Passed => "+",
            Self::Failed => "x",
            Self::Active => "*",
            Self::Waiting => "~",
            Self::Queued => ".",
            Self::Skipped => "-",
            Self::Stopped => "#",
            Self::Interrupted => "!",
            Self::Unknown => "?",
        }
    }

    /// Returns the word for the glyph.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Active => "running",
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Skipped => "skipped",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the status of a run.
    #[must_use]
    pub const fn of_run(head: &RunHead) -> Self {
        if head.waiting {
            return Self::Waiting;
        }
        Self::derived(head.phase, head.outcome, head.interrupted)
    }

    /// Returns the status of a job.
    #[must_use]
    pub const fn of_job(job: &JobNode) -> Self {
        // A job with a failed command fails, whatever is added to it.
        match (job.waiting, job.outcome, job.interrupted) {
            (true, Some(_), _) => return Self::Failed,
            (true, None, false) => return Self::Waiting,
            _ => {}
        }
        Self::derived(job.phase, job.outcome, job.interrupted)
    }

    /// Returns the status of a command.
    #[must_use]
    pub const fn of_sh(sh: &ShNode) -> Self {
        match sh.state {
            ShState::Running => Self::Active,
            ShState::Passed => Self::Passed,
            ShState::Failed => Self::Failed,
            ShState::Interrupted => Self::Interrupted,
            ShState::Unknown => Self::Unknown,
        }
    }

    const fn derived(phase: Phase, outcome: Option<Outcome>, interrupted: bool) -> Self {
        match (interrupted, phase, outcome) {
            (true, ..) => Self::Interrupted,
            (_, Phase::Queued, _) => Self::Queued,
            (_, Phase::Active, _) => Self::Active,
            (_, Phase::Finished, Some(Outcome::Passed)) => Self::Passed,
            (_, Phase::Finished, Some(Outcome::Failed)) => Self::Failed,
            (_, Phase::Finished, Some(Outcome::Stopped)) => Self::Stopped,
            (_, Phase::Finished, Some(Outcome::Skipped)) => Self::Skipped,
            (_, Phase::Finished, None) | (_, Phase::Unknown, _) => Self::Unknown,
        }
    }
}
