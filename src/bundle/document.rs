//! The documents in a bundle: JSON, with the rows as a store contains them. Times are nanoseconds
//! since 1970 in UTC; sizes and offsets are in bytes.

use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::cri::Stream;
use crate::join::{Finding, Recorder};
use crate::model::{Job, JobId, Run, Sh};
use crate::time::Time;

/// The name of the list of runs.
pub(super) const CONTENTS: &str = "rundown.json";

/// The name of the document of a run.
pub(super) const RUN: &str = "run.json";

/// The extensions of the entries of a log: the log itself, its index, and its groups.
pub(super) const LOG_EXTENSION: &str = ".zst";
pub(super) const INDEX_EXTENSION: &str = ".index.zst";
pub(super) const GROUPS_EXTENSION: &str = ".groups.zst";

/// The versions of the documents.
pub(super) const CONTENTS_SCHEMA: &str = "rundown.bundle/1";
pub(super) const RUN_SCHEMA: &str = "rundown.bundle-run/1";

/// The list of runs, newest first.
#[derive(Serialize, Deserialize)]
pub(super) struct Contents {
    pub schema: String,
    pub runs: Vec<ContentsRun>,
}

/// A run in the list.
#[derive(Serialize, Deserialize)]
pub(super) struct ContentsRun {
    /// The directory of its entries.
    pub dir: String,
    pub run: Run,
    pub recorder: Recorder,
}

/// A run.
#[derive(Serialize, Deserialize)]
pub(super) struct RunDocument {
    pub schema: String,
    pub run: Run,
    pub recorder: Recorder,
    pub ours: bool,
    pub log: Option<LogDocument>,
    pub events: Option<LogDocument>,
    pub jobs: Vec<JobDocument>,
    /// The findings about files that were read when the bundle was written. Those that only a
    /// later version knows are left out.
    #[serde(deserialize_with = "known_findings")]
    pub findings: Vec<Finding>,
    pub hides_all: bool,
    pub causes: Vec<CauseDocument>,
}

/// A job.
#[derive(Serialize, Deserialize)]
pub(super) struct JobDocument {
    pub job: Job,
    pub shs: Vec<Sh>,
    pub logs: Vec<LogDocument>,
}

/// A log.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct LogDocument {
    /// The number of its command; 0 for a file of the run itself.
    pub n: u32,
    /// Its name in the directory of the run: `jobs/<job>/sh-<n>.log`. The entries have this name
    /// and an extension.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The time of its first record, if it was needed to match the log with a command.
    pub first_at: Option<Time>,
}

/// The likely cause of the failure of a command.
#[derive(Serialize, Deserialize)]
pub(super) struct CauseDocument {
    pub job: JobId,
    pub n: u32,
    /// The offset of its row in the log; `None` if no row is likely to contain it.
    pub at: Option<u64>,
    /// True if no rule matched.
    pub is_last_words: bool,
    /// The tool that prints such rows.
    pub tool: Option<String>,
    /// The rows around it.
    pub rows: Vec<CauseRow>,
}

/// A row of a cause.
#[derive(Serialize, Deserialize)]
pub(super) struct CauseRow {
    pub offset: u64,
    pub at: Option<Time>,
    pub stream: Option<Stream>,
    /// Its text; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// Reads the findings that this version knows. The others take no memory.
fn known_findings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Finding>, D::Error> {
    struct Known;
    impl<'de> Visitor<'de> for Known {
        type Value = Vec<Finding>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a list of findings")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Vec<Finding>, A::Error> {
            let mut known = Vec::new();
            while let Some(found) = all.next_element::<MaybeKnown>()? {
                if let MaybeKnown::Finding(finding) = found {
                    known.push(finding);
                }
            }
            Ok(known)
        }
    }
    deserializer.deserialize_seq(Known)
}

/// A finding, or a value that only a later version knows.
#[derive(Deserialize)]
#[serde(untagged)]
enum MaybeKnown {
    Finding(Finding),
    Other(IgnoredAny),
}
