//! The push of a run that has ended.

use std::collections::HashMap;

use ring::digest::{Context, SHA256};

use super::directory::Directory;
use super::volumes::Volumes;
use super::{Progress, Pushed};
use crate::bundle::{self, LogDocument, Piece, RunDocument};
use crate::error::{self, Error, Result};
use crate::join::{DatedLog, Finding, FindingKind, LogRef, RunNode, RunParts};
use crate::log::{Index, LogFile, LogPath, PiecedLog};
use crate::model::{JobId, Run};
use crate::remote::document::{RemoteDocument, SCHEMA};
use crate::remote::key::{Entry, hex};
use crate::time::Time;

/// The logs of the run that are in the bucket before it is complete, by their names.
pub(super) type Before = HashMap<String, LogDocument>;

/// Writes a run that has ended, unless it is complete in the bucket. In both cases, completes its
/// entries in the lists, and removes what was only needed before its end. `still_exists` fails if
/// the run was deleted in the meantime; it is called if a log is missing.
pub(super) fn commit(
    directory: &Directory<'_>,
    parts: RunParts,
    before: &Before,
    progress: &Progress,
    still_exists: impl FnOnce() -> Result<()>,
) -> Result<Pushed> {
    if directory.is_committed() {
        return complete(directory);
    }
    let node = parts.clone().join(Time::now(), |_| None);
    let failed_job = failed_job(&node);
    let causes = bundle::causes(&node);
    let left_out = left_out(&node);
    drop(node);
    // Fails for a run that no list can contain, before anything is written.
    let entry = Entry::new(&parts.run, parts.recorder, failed_job.as_ref())?;
    progress.set_left(log_bytes(&parts));
    let mut pushed = Pushed { missing: left_out, ..Pushed::default() };
    let mut volumes = Volumes::new(directory, progress);
    let run = bundle::document(parts, causes, |name, log| {
        let before = before.get(&name);
        match add_log(&mut volumes, name, before, log) {
            Ok(log) => {
                pushed.logs = pushed.logs.saturating_add(1);
                pushed.bytes = pushed.bytes.saturating_add(log.bytes);
                Ok(Ok(log))
            }
            // Its first bytes are in the bucket, and would be deleted.
            Err(LogError::Unreadable(why)) if before.is_some_and(|log| log.bytes > 0) => Err(why),
            Err(LogError::Unreadable(why)) => {
                let why = error::chain(&why);
                pushed.missing.push(why.clone());
                Ok(Err(FindingKind::Unreadable(why)))
            }
            Err(LogError::Push(why)) => Err(why),
        }
    })?;
    if !pushed.missing.is_empty() {
        still_exists()?;
    }
    let (objects, sent_bytes) = volumes.finish()?;
    let schema = SCHEMA.to_owned();
    let document = RemoteDocument { schema, written_at: Time::now(), objects, run };
    if !directory.create(&document)? {
        // Another process has pushed the run in the meantime.
        return complete(directory);
    }
    (pushed.leftovers, pushed.sent_bytes) =
        (directory.list(&entry, &document.run.run)?, sent_bytes);
    if directory.is_resumed() {
        pushed.leftovers.extend(directory.clean(&document)?);
    }
    Ok(pushed)
}

/// Returns messages for the user about files of the run that were not read when it was loaded, or
/// when it was pushed.
fn left_out(run: &RunNode) -> Vec<String> {
    let why = |finding: &Finding| match &finding.kind {
        FindingKind::Unreadable(why) | FindingKind::Refused(why) => Some(why.clone()),
        _ => None,
    };
    run.findings.iter().filter_map(why).collect()
}

/// Completes the lists of a run that is in the bucket, and removes leftovers.
fn complete(directory: &Directory<'_>) -> Result<Pushed> {
    let document = directory.read()?;
    let document = document.ok_or_else(|| {
        Error::NotFound("the run was removed from the bucket while it was pushed".into())
    })?;
    let mut leftovers = directory.clean(&document)?;
    let recorder = document.run.recorder;
    let logs: Vec<&LogDocument> =
        document.run.jobs.iter().flat_map(|job| &job.logs).chain(&document.run.log).collect();
    let bytes = logs.iter().map(|log| log.bytes).fold(0, u64::saturating_add);
    let logs = logs.len();
    let (run, node) = joined(document.run);
    let failed_job = failed_job(&node);
    leftovers.extend(directory.list(&Entry::new(&run, recorder, failed_job.as_ref())?, &run)?);
    let missing = left_out(&node);
    Ok(Pushed { was_there: true, logs, bytes, missing, leftovers, ..Pushed::default() })
}

/// Returns the row of a run in the bucket, and the run. Reads no logs.
fn joined(run: RunDocument) -> (Run, RunNode) {
    let parts = run.parts(|log| {
        let path = LogPath::Pieces(PiecedLog::new(log.name.clone().into()));
        let LogDocument { n, first_at, bytes, .. } = *log;
        Ok(DatedLog { n, log: LogRef { path, bytes }, first_at })
    });
    (parts.run.clone(), parts.join(Time::now(), |_| None))
}

fn failed_job(run: &RunNode) -> Option<JobId> {
    run.first_failed().map(|(job, _)| job.job.id.clone())
}

/// The size of all logs of a run when they were listed.
fn log_bytes(parts: &RunParts) -> u64 {
    let of_jobs = parts.jobs.iter().flat_map(|job| &job.logs).map(|log| &log.log);
    let logs = of_jobs.chain(&parts.log).chain(&parts.events);
    logs.map(|log| log.bytes).fold(0, u64::saturating_add)
}

/// An error of one log.
pub(super) enum LogError {
    /// The log cannot be read.
    Unreadable(Error),
    /// The push failed.
    Push(Error),
}

impl LogError {
    /// Distinguishes the errors of the compression of a log.
    pub fn of(error: Error) -> Self {
        let is_of_log = matches!(error, Error::Io { doing: "read", .. });
        if is_of_log { Self::Unreadable(error) } else { Self::Push(error) }
    }
}

/// Adds a log with its index and its groups. It has the generation that it had before, unless it
/// does not begin with the bytes of that.
fn add_log(
    volumes: &mut Volumes<'_>,
    name: String,
    before: Option<&LogDocument>,
    log: &DatedLog,
) -> std::result::Result<LogDocument, LogError> {
    let file = LogFile::open(&log.log.path).map_err(LogError::Unreadable)?;
    let (mut index, mut start) = (Index::new(file.format()), Start::of(before));
    let added = volumes.add(|mut out| {
        file.compress_range(0..file.bytes(), &mut out, |bytes| {
            index.feed(bytes);
            start.feed(bytes);
        })
    });
    let (object, range, ()) = added.map_err(LogError::of)?;
    // The log may have become shorter since it was opened.
    let bytes = index.bytes();
    let new = LogDocument::new(log.n, name, bytes, log.first_at);
    let mut document = LogDocument { generation: start.generation(before), ..new };
    document.pieces = vec![Piece { object, range, bytes }];
    if bytes == file.bytes() {
        let facts = bundle::facts(&file, &index);
        for (facts, to) in facts.into_iter().zip([&mut document.index, &mut document.groups]) {
            let Some(facts) = facts else { continue };
            let write = |out: &mut dyn std::io::Write| out.write_all(&facts).map_err(Error::Output);
            let (object, range, ()) = volumes.add(write).map_err(LogError::Push)?;
            *to = Some(Piece { object, range, bytes: 0 });
        }
    }
    volumes.end_log(bytes).map_err(LogError::Push)?;
    Ok(document)
}

/// The hash of the first bytes of a log: those that were pushed before.
struct Start {
    hash: Context,
    left_bytes: u64,
}

impl Start {
    fn of(before: Option<&LogDocument>) -> Self {
        let left_bytes = before.map_or(0, |log| log.bytes);
        Self { hash: Context::new(&SHA256), left_bytes }
    }

    fn feed(&mut self, bytes: &[u8]) {
        let len = usize::try_from(self.left_bytes).unwrap_or(usize::MAX).min(bytes.len());
        self.hash.update(bytes.get(..len).unwrap_or_default());
        self.left_bytes = self.left_bytes.saturating_sub(len as u64);
    }

    fn generation(self, before: Option<&LogDocument>) -> u64 {
        let Some(before) = before else { return 0 };
        let hash = || Some(hex(self.hash.finish().as_ref()));
        let is_same = before.bytes == 0 || self.left_bytes == 0 && hash() == before.sha256;
        before.generation.saturating_add(u64::from(!is_same))
    }
}
