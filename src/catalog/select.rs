//! Selection of runs by the arguments of a command line, and the exit code of a run. Pure.

use crate::error::{Error, Result};
use crate::join::RunHead;
use crate::model::{Outcome, Phase};

/// The minimum length of a part of an id, in characters.
const SHORTEST_ID_PART: usize = 4;

/// A filter for the list of runs.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RunFilter {
    /// Only runs of this repository.
    pub repo: Option<String>,
    /// Only runs of this ref, full (`refs/heads/main`) or by its last part (`main`).
    pub ref_name: Option<String>,
}

impl RunFilter {
    /// Returns true if the filter has a condition, and so may leave runs out.
    #[must_use]
    pub const fn narrows(&self) -> bool {
        self.repo.is_some() || self.ref_name.is_some()
    }
}

/// Some runs of a list, newest first.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RunList {
    /// The runs.
    pub heads: Vec<RunHead>,
    /// True if there are more runs: newer ones if the list is of runs newer than a given one, else
    /// older ones.
    pub has_more: bool,
}

/// The specification of one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RunSpec {
    /// The run this many places before the newest one; 0 is the newest run.
    Latest(usize),
    /// The newest run with this outcome.
    LatestThat(Outcome),
    /// A run by its id, or by the beginning or end of its id.
    Id(String),
}

impl RunSpec {
    /// The words that select a run without its id.
    pub const WORDS: [&str; 3] = ["latest", "latest-failed", "latest-passed"];

    /// Returns the valid form `latest~N` of a mistyped one, such as `latest-1` or `latest^1`;
    /// `None` for any other text.
    #[must_use]
    pub fn corrected(text: &str) -> Option<String> {
        let rest = text.strip_prefix("latest")?;
        let back: usize =
            rest.strip_prefix(['-', '^', '@', ':', '.']).unwrap_or(rest).parse().ok()?;
        Some(format!("latest~{back}"))
    }

    /// Parses `latest`, `latest~N`, `latest-failed`, `latest-passed`, or the beginning or end of a
    /// run id.
    ///
    /// # Errors
    /// If N in `latest~N` is not a number, or if the part of an id is too short.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "latest" => return Ok(Self::Latest(0)),
            "latest-failed" => return Ok(Self::LatestThat(Outcome::Failed)),
            "latest-passed" => return Ok(Self::LatestThat(Outcome::Passed)),
            _ => {}
        }
        if let Some(back) = text.strip_prefix("latest~") {
            let back = back.parse().map_err(|_| {
                Error::Usage(format!("`{text}`: N in latest~N must be a number, as in latest~1"))
            })?;
            return Ok(Self::Latest(back));
        }
        if text.chars().count() < SHORTEST_ID_PART {
            let why = format!(
                "`{text}` is too short for a run id: use at least {SHORTEST_ID_PART} characters of \
                 its start or end"
            );
            return Err(Error::Usage(why));
        }
        Ok(Self::Id(text.to_owned()))
    }
}

/// Returns the exit code of `--exit-status`: 0 for a run that passed, 1 for one that failed or
/// ended with an unknown outcome, 3 for one that was stopped, skipped or interrupted, 4 for one
/// that has not ended. Returns `None` if the state is unknown, as for logs without a row.
#[must_use]
pub const fn exit_status(head: &RunHead) -> Option<u8> {
    Some(match (head.phase, head.outcome) {
        (Phase::Unknown, _) => return None,
        (Phase::Queued | Phase::Active, _) => 4,
        (Phase::Finished, Some(Outcome::Stopped | Outcome::Skipped)) => 3,
        (Phase::Finished, _) if head.interrupted => 3,
        (Phase::Finished, Some(Outcome::Passed)) => 0,
        (Phase::Finished, Some(Outcome::Failed) | None) => 1,
    })
}
