//! The documents in a bundle: JSON, with the rows as a store contains them. Times are nanoseconds
//! since 1970 in UTC; sizes and offsets are in bytes. Runs in object storage have the same document,
//! but for the places of their logs.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::cri::Stream;
use crate::error::{self, Result};
use crate::join::{DatedLog, Finding, FindingKind, Findings, JobParts, Place, Recorder, RunParts};
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
pub(crate) struct RunDocument {
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
pub(crate) struct JobDocument {
    pub job: Job,
    pub shs: Vec<Sh>,
    pub logs: Vec<LogDocument>,
}

impl RunDocument {
    /// Returns the parts of the run, with their logs from `open`. A log that it cannot open becomes
    /// a finding.
    pub fn parts(self, mut open: impl FnMut(&LogDocument) -> Result<DatedLog>) -> RunParts {
        let mut findings: Findings = self.findings.into_iter().collect();
        let mut open = |place: Place, log: &LogDocument| {
            open(log)
                .map_err(|why| findings.add(place, FindingKind::Unreadable(error::chain(&why))))
                .ok()
        };
        let mut of_run = |log: &Option<LogDocument>| Some(open(Place::Run, log.as_ref()?)?.log);
        let (log, events) = (of_run(&self.log), of_run(&self.events));
        let causes = self.causes.iter();
        let mut causes: HashMap<(JobId, u32), String> = causes
            .filter_map(|cause| {
                let place = (cause.job.clone(), cause.n);
                Some((place, serde_json::to_string(cause).ok()?))
            })
            .collect();
        let jobs = self.jobs.into_iter().map(|JobDocument { job, shs, mut logs }| {
            for log in &mut logs {
                log.cause = causes.remove(&(job.id.clone(), log.n));
            }
            let of_job = |log: &LogDocument| open(Place::Sh(job.id.clone(), log.n), log);
            JobParts { shs, logs: logs.iter().filter_map(of_job).collect(), job }
        });
        RunParts {
            jobs: jobs.collect(),
            run: self.run,
            recorder: self.recorder,
            ours: self.ours,
            dir: None,
            log,
            events,
            findings,
            hides_all: self.hides_all,
        }
    }
}

/// A log.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct LogDocument {
    /// The number of its command; 0 for a file of the run itself.
    pub n: u32,
    /// Its name in the directory of the run: `jobs/<job>/sh-<n>.log`. The entries have this name
    /// and an extension.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The time of its first record, if it was needed to match the log with a command.
    pub first_at: Option<Time>,
    /// In object storage, its pieces in their order. Empty in a bundle, whose directory names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<Piece>,
    /// While its run is pushed, the SHA-256 hash of its bytes, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// In object storage, the number of times that its earlier bytes were replaced. Offsets in one
    /// generation mean nothing in another.
    #[serde(default, skip_serializing_if = "is_first")]
    pub generation: u64,
    /// In object storage, its index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Piece>,
    /// In object storage, its groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Piece>,
    /// The likely cause of the failure of its command, as JSON. It is set from the causes of the
    /// run.
    #[serde(skip)]
    pub cause: Option<String>,
}

impl LogDocument {
    /// Returns the entry of a log in a bundle.
    pub const fn new(n: u32, name: String, bytes: u64, first_at: Option<Time>) -> Self {
        Self {
            n,
            name,
            bytes,
            first_at,
            pieces: Vec::new(),
            sha256: None,
            generation: 0,
            index: None,
            groups: None,
            cause: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_first(generation: &u64) -> bool {
    *generation == 0
}

/// A range of bytes in an object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    /// The number of the object in the list of objects, from 0.
    pub object: usize,
    /// The bytes in the object.
    pub range: Range<u64>,
    /// The number of bytes of the log that it contains, compressed in frames with a seek table; 0
    /// for an index and for groups.
    pub bytes: u64,
}

/// The likely cause of the failure of a command.
#[derive(Serialize, Deserialize)]
pub(crate) struct CauseDocument {
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
pub(crate) struct CauseRow {
    pub offset: u64,
    pub at: Option<Time>,
    pub stream: Option<Stream>,
    /// Its text; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// Reads the findings that this version knows. The others take no memory.
fn known_findings<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Vec<Finding>, D::Error> {
    struct Known;
    impl<'de> Visitor<'de> for Known {
        type Value = Vec<Finding>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a list of findings")
        }

        fn visit_seq<A: SeqAccess<'de>>(
            self,
            mut all: A,
        ) -> std::result::Result<Vec<Finding>, A::Error> {
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
