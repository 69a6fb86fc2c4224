//! Selection of runs by the arguments of a command line, and the exit code of a run. Pure.

use crate::error::{Error, Result};
use crate::join::RunHead;
use crate::model::{Outcome, Phase};

/// The minimum length of a part of an id or a commit, in characters.
pub(super) const SHORTEST_PART: usize = 4;

/// A filter for the list of runs.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RunFilter {
    /// Only runs of this repository.
    pub repo: Option<String>,
    /// Only runs of this ref, with or without its namespace (`refs/heads/main` or `main`).
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
    /// True if the list continues: with newer runs if only runs newer than a given one were
    /// requested, else with older runs.
    pub has_more: bool,
}

/// The specification of one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RunSpec {
    /// The run at this position in the list, newest first; 0 is the newest run.
    Latest(usize),
    /// The newest run with this outcome.
    LatestThat(Outcome),
    /// A run by its id, or by the beginning or end of its id.
    Id(String),
    /// A run by its id or a part of it; else the newest run of this ref; else the newest run of
    /// the commit that begins with these digits.
    Named(String),
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

    /// Parses `latest`, `latest~N`, `latest-failed`, `latest-passed`, or the name of a run: a part
    /// of its id, its ref, or its commit.
    ///
    /// # Errors
    /// If N in `latest~N` is not a number, or if the text is empty.
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
        if text.is_empty() {
            let why = "RUN is empty; use `latest`, a run id, a ref, a commit, or a path";
            return Err(Error::Usage(why.into()));
        }
        Ok(Self::Named(text.to_owned()))
    }

    /// Returns true if a name is long enough for a part of an id.
    #[must_use]
    pub fn may_be_id(name: &str) -> bool {
        name.chars().count() >= SHORTEST_PART
    }

    /// Returns true if a name can be the beginning of a commit.
    pub(super) fn may_be_commit(name: &str) -> bool {
        name.len() >= SHORTEST_PART && name.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// Returns true if a name can be a ref with a slash. Git allows no part of a ref to be empty
    /// or to begin with a dot, so `/logs`, `./logs` and `../logs` are paths.
    #[must_use]
    pub fn may_be_deep_ref(name: &str) -> bool {
        name.contains('/') && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
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
