//! The push of a run that has ended.

use std::collections::HashMap;

use super::directory::Directory;
use super::volumes::Volumes;
use super::{Progress, Pushed};
use crate::bundle::{self, LogDocument, Piece, RunDocument};
use crate::error::{self, Error, Result};
use crate::join::{DatedLog, FindingKind, LogRef, RunParts};
use crate::log::{LogFile, LogPath, PiecedLog};
use crate::model::{JobId, Run};
use crate::remote::document::{RemoteDocument, SCHEMA};
use crate::remote::key::Entry;
use crate::time::Time;

/// The state of the run in the bucket before it is complete.
#[derive(Default)]
pub(super) struct Before {
    /// The generations of its logs by their names.
    pub generations: HashMap<String, u64>,
    /// The bytes of logs that a reader has already.
    pub bytes: u64,
}

/// Writes a run that has ended, unless it is complete in the bucket. In both cases, completes its
/// entries in the lists, and removes what was only needed before its end.
pub(super) fn commit(
    directory: &Directory<'_>,
    parts: RunParts,
    before: &Before,
    progress: &Progress,
) -> Result<Pushed> {
    if directory.is_committed() {
        return complete(directory);
    }
    let node = parts.clone().join(Time::now(), |_| None);
    let failed_job = node.first_failed().map(|(job, _)| job.job.id.clone());
    let causes = bundle::causes(&node);
    drop(node);
    // Fails for a run that no list can contain, before anything is written.
    let entry = Entry::new(&parts.run, parts.recorder, failed_job.as_ref())?;
    progress.set_left(log_bytes(&parts).saturating_sub(before.bytes));
    let mut pushed = Pushed::default();
    let mut volumes = Volumes::new(directory, progress);
    let run = bundle::document(parts, causes, |name, log| {
        let generation = before.generations.get(&name).copied().unwrap_or_default();
        match add_log(&mut volumes, name, generation, log) {
            Ok(log) => {
                pushed.logs = pushed.logs.saturating_add(1);
                pushed.bytes = pushed.bytes.saturating_add(log.bytes);
                Ok(Ok(log))
            }
            Err(LogError::Unreadable(why)) => {
                let why = error::chain(&why);
                pushed.missing.push(why.clone());
                Ok(Err(FindingKind::Unreadable(why)))
            }
            Err(LogError::Push(why)) => Err(why),
        }
    })?;
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
    let (run, failed_job) = failed_job(document.run);
    leftovers.extend(directory.list(&Entry::new(&run, recorder, failed_job.as_ref())?, &run)?);
    Ok(Pushed { was_there: true, logs, bytes, leftovers, ..Pushed::default() })
}

/// Returns the row and the failed job of a run in the bucket. Reads no logs.
fn failed_job(run: RunDocument) -> (Run, Option<JobId>) {
    let parts = run.parts(|log| {
        let path = LogPath::Pieces(PiecedLog::new(log.name.clone().into()));
        let LogDocument { n, first_at, bytes, .. } = *log;
        Ok(DatedLog { n, log: LogRef { path, bytes }, first_at })
    });
    let run = parts.run.clone();
    let node = parts.join(Time::now(), |_| None);
    (run, node.first_failed().map(|(job, _)| job.job.id.clone()))
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

/// Adds a log with its index and its groups.
fn add_log(
    volumes: &mut Volumes<'_>,
    name: String,
    generation: u64,
    log: &DatedLog,
) -> std::result::Result<LogDocument, LogError> {
    let file = LogFile::open(&log.log.path).map_err(LogError::Unreadable)?;
    let (object, range, index) =
        volumes.add(|mut out| file.compress(&mut out)).map_err(LogError::of)?;
    // The log may have become shorter since it was opened.
    let bytes = index.bytes();
    let mut document =
        LogDocument { generation, ..LogDocument::new(log.n, name, bytes, log.first_at) };
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
