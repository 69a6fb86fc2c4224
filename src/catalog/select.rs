//! Which runs are meant, and how one stands: what a command line says and what a script is told.
//! Pure.

use crate::error::{Error, Result};
use crate::join::RunHead;
use crate::model::{Outcome, Phase};

/// The fewest characters that may stand for an id.
const SHORTEST_ID_PART: usize = 4;

/// Which runs to list.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RunFilter {
    /// Only runs of this repository.
    pub repo: Option<String>,
    /// Only runs of this ref, full (`refs/heads/main`) or by its last part (`main`).
    pub ref_name: Option<String>,
}

impl RunFilter {
    /// Whether it leaves anything out.
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
    /// There are more of them: older ones, or newer ones where those newer than a run were asked
    /// for.
    pub has_more: bool,
}

/// Which run is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RunSpec {
    /// The newest, or this many before it.
    Latest(usize),
    /// The newest that ended like this.
    LatestThat(Outcome),
    /// The one whose id is this, or begins or ends so.
    Id(String),
}

impl RunSpec {
    /// `latest`, `latest~N`, `latest-failed`, `latest-passed`, or an id or a part of one.
    ///
    /// # Errors
    /// A `latest~N` whose N is no number, and an id part too short to mean something.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "latest" => return Ok(Self::Latest(0)),
            "latest-failed" => return Ok(Self::LatestThat(Outcome::Failed)),
            "latest-passed" => return Ok(Self::LatestThat(Outcome::Passed)),
            _ => {}
        }
        if let Some(back) = text.strip_prefix("latest~") {
            let back = back.parse().map_err(|_| {
                Error::Usage(format!("`{text}`: N in latest~N is a number, as in latest~1"))
            })?;
            return Ok(Self::Latest(back));
        }
        if text.chars().count() < SHORTEST_ID_PART {
            let why = format!(
                "`{text}` is too short for a run's id: give at least {SHORTEST_ID_PART} characters of its beginning or end"
            );
            return Err(Error::Usage(why));
        }
        Ok(Self::Id(text.to_owned()))
    }
}

/// How a run stands, for scripts: the exit code of `--exit-status`. `None`: logs without a row tell
/// nothing of it.
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
