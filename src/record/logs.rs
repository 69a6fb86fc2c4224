//! The log files of a run. Each is created before its command starts and closed after the command
//! has ended. They may be synced to disk at the end of the run.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Instant;

use super::number::{self, Numbered};
use super::row_queue::{HURRY_POLL, moved};
use super::sink::{Cut, Sink};
use crate::file::{create_private_dir, open_regular};
use crate::model::JobId;
use crate::time::Time;
use crate::{cri, log, sanitize};

/// The log of a command that is about to be spawned.
pub(super) struct NewLog {
    /// The number and the start of the command.
    pub numbered: Numbered,
    /// The log itself. If it could not be created, the sink keeps the reason.
    pub sink: Sink,
    /// The path of the log; `None` if it could not be created.
    pub path: Option<PathBuf>,
    /// A message for the user.
    pub warning: Option<String>,
}

/// Creates the log of the next command of a job. The log is locked until it is closed, so that
/// readers can check if the command's recorder is alive. If the log cannot be created, the command
/// runs without one, with the number `own_n`.
///
/// Only the job's directory is created: a run directory that was moved must not be created again.
pub(super) fn create(run_dir: &Path, job: &JobId, own_n: u32) -> NewLog {
    let create = || {
        let dir = log::path::job_dir(run_dir, job).ok_or(io::ErrorKind::InvalidFilename)?;
        create_private_dir(&dir)?;
        number::take(&dir, |next| {
            let path = log::path::sh_log(&dir, next.n);
            Ok((Sink::create(&path, next.started_at)?, path))
        })
    };
    match create() {
        Ok((numbered, (sink, path))) => {
            let warning = sink.lock().err().map(|error| unlocked(&path, &error));
            NewLog { numbered, sink, path: Some(path), warning }
        }
        Err(error) => {
            let numbered = Numbered { n: own_n, started_at: Time::now() };
            let sink = Sink::failed(error, numbered.started_at);
            NewLog { numbered, sink, path: None, warning: None }
        }
    }
}

/// Returns a message about a lock that could not be taken. No other process uses a new file yet, so
/// locking it fails only if the file system has no locks.
pub(super) fn unlocked(path: &Path, error: &TryLockError) -> String {
    format!(
        "the run looks interrupted while it is recorded, because its file system does not support \
         locks: cannot lock {}: {error}",
        sanitize::name(&path.to_string_lossy())
    )
}

/// The result of closing a log.
pub(super) struct Closed {
    /// The length of the log in bytes; `None` if there is no log.
    pub log_bytes: Option<u64>,
    /// The number of bytes of output that are missing from the log; `None` if the log is complete
    /// or was removed.
    pub lost_bytes: Option<u64>,
    /// The output that was removed from the middle of the log because of its limit.
    pub cut: Option<Cut>,
    /// A message for the user.
    pub warning: Option<String>,
}

/// Closes a log. If the output of the command bypassed the log (`is_recorded` is false), removes
/// the log, because an empty log would mean that the command wrote nothing.
pub(super) fn close(sink: &mut Sink, path: Option<&Path>, is_recorded: bool) -> Closed {
    let (closed, identity) = (sink.close(), sink.identity());
    if !is_recorded {
        let _ = path.filter(|_| identity.is_some()).map(std::fs::remove_file);
        return Closed { log_bytes: None, lost_bytes: None, cut: None, warning: None };
    }
    let (log_bytes, cut) = (identity.map(|_| sink.log_bytes()), sink.cut());
    match (closed, path) {
        (Err(error), path) => {
            let stored = path.map_or(0, recorded_bytes) + cut.map_or(0, |cut| cut.bytes);
            let lost_bytes = sink.received_bytes().saturating_sub(stored);
            let warning = format!("the log is incomplete: cannot write to it: {error}");
            Closed { log_bytes, lost_bytes: Some(lost_bytes), cut, warning: Some(warning) }
        }
        (Ok(()), path) => Closed {
            log_bytes,
            lost_bytes: None,
            cut,
            warning: path.and_then(|path| moved(path, identity)),
        },
    }
}

/// Counts the bytes of a command's output that its log contains. Called only for a log that could
/// not be written completely.
fn recorded_bytes(log: &Path) -> u64 {
    let Ok(file) = log::LogFile::open(&log::LogPath::named(log)) else { return 0 };
    let Ok(mut lines) = file.lines(0) else { return 0 };
    let mut bytes = 0;
    while let Ok(Some(line)) = lines.next() {
        if let Ok(record) = cri::parse(line.bytes) {
            bytes += record.content.len() as u64 + u64::from(record.tag == cri::Tag::Full);
        }
    }
    bytes
}

/// Syncs logs to disk, so that a power failure cannot lose data that the rows refer to. Returns a
/// message if that fails. Also returns a message at `deadline`, or when `is_hurried`
/// returns true; the work then continues in the background.
pub(super) fn sync(
    logs: Vec<PathBuf>,
    deadline: Instant,
    is_hurried: impl Fn() -> bool,
) -> Option<String> {
    let (send, done) = mpsc::channel();
    let sync = move || {
        let failed = logs.iter().find_map(|log| {
            let synced = open_regular(log).and_then(|file| file.sync_data());
            // A missing log was reported when its command ended.
            let error = synced.err().filter(|error| error.kind() != io::ErrorKind::NotFound)?;
            Some(format!(
                "cannot sync the log {} to disk: {error}",
                sanitize::name(&log.to_string_lossy())
            ))
        });
        let _ = send.send(failed);
    };
    if let Err(error) = std::thread::Builder::new().name("sync".into()).spawn(sync) {
        return Some(format!("the logs were not synced to disk: {error}"));
    }
    loop {
        match done.recv_timeout(HURRY_POLL) {
            Ok(failed) => return failed,
            Err(RecvTimeoutError::Timeout) if Instant::now() < deadline && !is_hurried() => {}
            Err(_) => {
                return Some(
                    "the logs are not synced to disk yet; a power failure may truncate them".into(),
                );
            }
        }
    }
}
