//! A run in object storage as a reader holds it: its parts, and its logs, which remain the same
//! values while they grow.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::document::{RemoteDocument, SCHEMA};
use super::key::is_data_name;
use crate::bundle::{LogDocument, Piece};
use crate::error::{Error, Result};
use crate::join::{DatedLog, LogRef, Recorder, RunParts};
use crate::log::{Blocks, Facts, LogPath, LogPiece, Object, PiecedLog, unpack_json};
use crate::model::{Phase, RunId};
use crate::s3::Bucket;
use crate::sanitize;

/// The time without a change after which the program that pushes a run is gone. It writes the
/// document of the run at least every minute.
const STALE: Duration = Duration::from_mins(5);

/// The beginning of all keys.
const VERSION: &str = "v1/";

/// The largest object that a server stores after one request, in bytes.
const MAX_OBJECT_BYTES: u64 = 5 << 30;

/// The largest number of commands and logs of a run, and of the objects of its logs.
const MAX_ROWS: usize = 1_000_000;
const MAX_OBJECTS: usize = 100_000;

/// The largest number of JSON objects in a document, which limits the memory for it before it is
/// read. A document of the largest size has fewer, because its rows are not empty.
const MAX_JSON_OBJECTS: usize = 2_000_000;

/// A run whose document was read.
pub(super) struct OpenRun {
    bucket: Arc<Bucket>,
    id: RunId,
    /// The directory of its objects, with a slash at its end.
    dir: String,
    blocks: Arc<Blocks>,
    objects: HashMap<String, Object>,
    /// The logs by their name and generation.
    logs: HashMap<(String, u64), PiecedLog>,
    /// Its parts; `None` before the first read, and after its removal.
    known: Option<Known>,
}

/// A document that was read.
struct Known {
    parts: RunParts,
    version: Version,
    read_at: Instant,
}

/// The kind of a document.
pub(super) enum Version {
    /// The run is complete, and never changes.
    Final,
    /// The run is being pushed.
    Live {
        /// The version of the document.
        etag: Option<String>,
        /// The time of its last change.
        changed_at: Instant,
    },
}

impl OpenRun {
    /// Creates a run that was not read. `blocks` keeps what is read of its objects.
    pub fn new(bucket: Arc<Bucket>, blocks: Arc<Blocks>, id: RunId, dir: String) -> Self {
        let (objects, logs) = Default::default();
        Self { bucket, id, dir, blocks, objects, logs, known: None }
    }

    pub fn dir(&self) -> &str {
        &self.dir
    }

    /// Returns true if a complete document was read.
    pub fn is_final(&self) -> bool {
        self.known.as_ref().is_some_and(|known| matches!(known.version, Version::Final))
    }

    /// Returns true if the run is not complete, and the program that pushed it is gone.
    pub fn is_gone(&self) -> bool {
        let Some(Known { version: Version::Live { changed_at, .. }, .. }) = self.known else {
            return false;
        };
        changed_at.elapsed() > STALE
    }

    /// Returns the version of the last document, if it may change.
    pub fn etag(&self) -> Option<&str> {
        match &self.known.as_ref()?.version {
            Version::Live { etag, .. } => etag.as_deref(),
            Version::Final => None,
        }
    }

    /// Returns the time since the document was read.
    pub fn age(&self) -> Option<Duration> {
        Some(self.known.as_ref()?.read_at.elapsed())
    }

    /// Notes that the document is the same as at the last read.
    pub fn confirm(&mut self) {
        if let Some(known) = &mut self.known {
            known.read_at = Instant::now();
        }
    }

    /// Notes that the run does not exist. Returns true if it did.
    pub fn remove(&mut self) -> bool {
        self.known.take().is_some()
    }

    /// Returns the number of its jobs, commands and logs.
    pub fn rows(&self) -> usize {
        let jobs = self.known.iter().flat_map(|known| &known.parts.jobs);
        jobs.map(|job| job.shs.len().saturating_add(job.logs.len()).saturating_add(1)).sum()
    }

    /// Returns the parts of the run; `None` if it does not exist.
    pub fn parts(&self) -> Option<RunParts> {
        let Known { parts, version, .. } = self.known.as_ref()?;
        let mut parts = parts.clone();
        if matches!(version, Version::Live { .. }) {
            if self.is_gone() {
                parts.recorder = Recorder::Gone;
            } else {
                hide_early_ends(&mut parts);
            }
        }
        Some(parts)
    }

    /// Takes in a document.
    ///
    /// # Errors
    /// If it cannot be read, or is that of another run.
    pub fn take_in(&mut self, packed: &[u8], version: Version) -> Result<()> {
        let json = unpack_json(packed).ok_or_else(|| {
            self.damaged("its document is damaged, or larger than 128 MiB".into())
        })?;
        if memchr::memchr_iter(b'{', &json).count() > MAX_JSON_OBJECTS {
            return Err(self.damaged("its document has too many parts".into()));
        }
        let document: RemoteDocument = serde_json::from_slice(&json)
            .map_err(|_| self.damaged("its document is damaged".into()))?;
        drop(json);
        if document.schema != SCHEMA {
            let why =
                format!("its version is {:?}, and this rundown reads {SCHEMA:?}", document.schema);
            return Err(self.damaged(format!("{why}; a newer rundown may read it")));
        }
        if document.run.run.id != self.id {
            return Err(self.damaged("its document is that of another run".into()));
        }
        let jobs = document.run.jobs.iter();
        let rows = jobs.map(|job| job.shs.len().saturating_add(job.logs.len()));
        if rows.sum::<usize>() > MAX_ROWS || document.objects.len() > MAX_OBJECTS {
            return Err(self.damaged("its document has too many commands, logs or objects".into()));
        }
        let mut objects = HashMap::new();
        let mut numbered = Vec::new();
        for object in document.objects {
            let is_valid = is_data_name(&object.name) && object.bytes <= MAX_OBJECT_BYTES;
            let found = is_valid.then(|| self.object(&object.name, object.bytes));
            objects.extend(found.clone().map(|found| (object.name, found)));
            numbered.push(found);
        }
        self.objects = objects;
        let mut logs = HashMap::new();
        let parts = document.run.parts(|log| {
            let opened = self.log(log, &numbered)?;
            logs.insert((log.name.clone(), log.generation), opened.clone());
            let path = LogPath::Pieces(opened);
            let log_ref = LogRef { path, bytes: log.bytes };
            Ok(DatedLog { n: log.n, log: log_ref, first_at: log.first_at })
        });
        self.logs = logs;
        self.known = Some(Known { parts, version, read_at: Instant::now() });
        Ok(())
    }

    /// Returns an object, which remains the same while its name is in the documents.
    fn object(&self, name: &str, bytes: u64) -> Object {
        let known = self.objects.get(name).filter(|known| known.known_bytes() == Some(bytes));
        known.cloned().unwrap_or_else(|| {
            let (bucket, blocks) = (Arc::clone(&self.bucket), Arc::clone(&self.blocks));
            Object::new(bucket, format!("{}{name}", self.dir), Some(bytes), blocks)
        })
    }

    /// Returns a log with the pieces that its entry names.
    fn log(&self, log: &LogDocument, objects: &[Option<Object>]) -> Result<PiecedLog> {
        // The path of the log in a local store. No object has this key.
        let dir = self.dir.strip_prefix(VERSION).unwrap_or(&self.dir);
        let path = PathBuf::from(format!("{}/{dir}{}", self.bucket.url(), log.name));
        let failed = |why: &str| Error::Remote {
            doing: "read",
            url: sanitize::name(&path.to_string_lossy()).into_owned(),
            why: why.to_owned(),
        };
        let is_part = |part: &str| !matches!(part, "" | "." | "..");
        if !log.name.split('/').all(is_part) {
            return Err(failed("its name is not valid"));
        }
        let piece = |piece: &Piece| {
            let object = objects.get(piece.object)?.clone()?;
            let Piece { range, bytes, .. } = piece.clone();
            let is_within = range.start <= range.end && range.end <= object.known_bytes()?;
            is_within.then_some(LogPiece { object, range, bytes })
        };
        let pieces: Option<Vec<LogPiece>> = log.pieces.iter().map(piece).collect();
        let pieces =
            pieces.ok_or_else(|| failed("its document names a part that does not exist"))?;
        let sum = pieces.iter().try_fold(0_u64, |sum, piece| sum.checked_add(piece.bytes));
        if sum != Some(log.bytes) {
            return Err(failed("the sizes of its parts differ from its own"));
        }
        let [index, groups] = [&log.index, &log.groups].map(|facts| piece(facts.as_ref()?));
        let known = self.logs.get(&(log.name.clone(), log.generation));
        // Bytes that were there remain; else it is another log.
        let known = known.filter(|known| known.bytes() <= log.bytes);
        let opened = known.cloned().unwrap_or_else(|| PiecedLog::new(path));
        opened.set(pieces, Facts { index, groups, cause: log.cause.clone() });
        Ok(opened)
    }

    fn damaged(&self, why: String) -> Error {
        let url = format!("{}/{}", self.bucket.url(), self.dir.trim_end_matches('/'));
        Error::Remote { doing: "read", url, why }
    }
}

/// Shows commands as running while the ends of their logs are not in the bucket, and the run while
/// it is not complete there: a reader may leave a log when its command has ended.
fn hide_early_ends(parts: &mut RunParts) {
    if parts.head().phase == Phase::Finished {
        (parts.run.state, parts.run.finished_at) = (Some("active".into()), None);
        parts.recorder = Recorder::Alive;
    }
    for job in &mut parts.jobs {
        let bytes: HashMap<u32, u64> = job.logs.iter().map(|log| (log.n, log.log.bytes)).collect();
        for sh in job.shs.iter_mut().filter(|sh| sh.finished_at.is_some()) {
            let there = sh.n.and_then(|n| bytes.get(&n)).copied().unwrap_or_default();
            let is_early =
                sh.log_bytes.is_some_and(|bytes| u64::try_from(bytes).unwrap_or(0) > there);
            if is_early {
                (sh.finished_at, sh.exit_code, sh.signal) = (None, None, None);
            }
        }
    }
}
