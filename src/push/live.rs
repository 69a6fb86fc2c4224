//! The push of an active run: its rows and the new bytes of its logs, every few seconds.
//!
//! Each part has objects with the bytes that were added to the logs, and then the document of the
//! run so far, which replaces the one before. If a part fails, the next one contains its bytes
//! again, from the logs. The document has a hash of each log, so that another process continues
//! where this one was killed. A log whose earlier bytes have changed begins again, as a new
//! generation.

mod log;
mod pace;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use log::{LiveLog, again};
use pace::Pace;
use ring::digest::{SHA256, digest};

use super::commit::{Before, LogError};
use super::directory::Directory;
use super::volumes::Volumes;
use super::{Mode, Progress, Report, is_active, parts};
use crate::bundle::{self, LogDocument, Piece, RunDocument};
use crate::catalog::Catalog;
use crate::error::{self, Error, Result};
use crate::join::{FindingKind, LogRef, Recorder, RunParts};
use crate::model::RunId;
use crate::remote::document::{ObjectDocument, RemoteDocument, SCHEMA};
use crate::remote::key::{Entry, LIVE, hex};
use crate::s3::Bucket;
use crate::time::Time;

/// The interval at which the store is checked.
const POLL: Duration = Duration::from_millis(250);

/// The longest time without a look at the rows. A recorder that was killed changes no row.
const RELOAD: Duration = Duration::from_secs(1);

/// The time before the first part in the background, so that a run that ends at once needs no part.
const FIRST: Duration = Duration::from_secs(1);

/// The most bytes of all logs in a part.
const MAX_PART_BYTES: u64 = 64 << 20;

/// The time after which the document is written again, so that readers see that the push goes on.
const HEARTBEAT: Duration = Duration::from_mins(1);

/// The same for the entries in the lists, and the shortest time between two changes of them.
const LIST_HEARTBEAT: Duration = Duration::from_mins(10);
const LIST_INTERVAL: Duration = Duration::from_secs(15);

/// The time for which failures to read the store are ignored.
const MAX_UNREADABLE: Duration = Duration::from_mins(1);

/// The time without a change after which a process that runs in the background ends: as long as a
/// run without commands is considered open.
const MAX_IDLE: Duration = Duration::from_hours(24);

/// Pushes a run until it has ended. Returns it, and its state in the bucket.
pub(super) fn follow(
    bucket: &Bucket,
    catalog: &mut Catalog,
    run: RunParts,
    mode: Mode,
    progress: &Progress,
    report: &dyn Fn(Report),
) -> Result<(RunParts, Before)> {
    let id = run.run.id.clone();
    let mut live = Live::new(bucket, progress);
    let mut pace = Pace::new(if mode == Mode::Foreground { Duration::ZERO } else { FIRST });
    let mut store = Store { catalog, id, run, read_at: Instant::now(), cost: Duration::ZERO };
    while is_active(&store.run) && !live.is_committed() {
        let began = Instant::now();
        let new_bytes = live.new_bytes(&store.run);
        let cost = began.elapsed();
        progress.set_left(new_bytes);
        if pace.is_due(new_bytes) {
            let is_new = match live.part(&store.run) {
                Ok(is_new) => Some(is_new),
                // The first failure is probably not temporary.
                Err(why) if mode == Mode::Foreground && !pace.has_succeeded => return Err(why),
                Err(why) => {
                    report(Report::Failed(error::chain(&why)));
                    None
                }
            };
            pace.note(began.elapsed(), is_new);
            progress.set_left(live.new_bytes(&store.run));
        }
        if mode == Mode::Detached && pace.changed_at.elapsed() > MAX_IDLE {
            let id = store.id.as_str();
            return Err(Error::NoRun(format!("run {id} had no new command for a day")));
        }
        // A large run is not checked all the time.
        let wait = POLL.max(cost.saturating_mul(10));
        // Another thread ends the wait when the recorder has ended.
        thread::park_timeout(wait);
        store.reload(progress.is_over())?;
    }
    Ok((store.run, live.before()))
}

/// The run in the local store.
struct Store<'a> {
    catalog: &'a mut Catalog,
    id: RunId,
    run: RunParts,
    /// The time at which it was read last, and the duration of this read.
    read_at: Instant,
    cost: Duration,
}

impl Store<'_> {
    /// Reads the run again if it may have changed, or if its recorder has ended. Ignores failures
    /// for a while.
    ///
    /// # Errors
    /// If the run was deleted, or if the store cannot be read any more.
    fn reload(&mut self, is_over: bool) -> Result<()> {
        let elapsed = self.read_at.elapsed();
        // A large run is not read all the time.
        if elapsed < self.cost.saturating_mul(10) && !is_over {
            return Ok(());
        }
        let changed = self.catalog.changed();
        if matches!(changed, Ok(false)) && elapsed < RELOAD && !is_over {
            return Ok(());
        }
        let began = Instant::now();
        match changed.and_then(|_| parts(self.catalog, &self.id)) {
            Ok(run) => {
                (self.run, self.cost, self.read_at) = (run, began.elapsed(), Instant::now());
                Ok(())
            }
            Err(error @ (Error::NotFound(_) | Error::NoStore { .. })) => Err(error),
            Err(error) if elapsed > MAX_UNREADABLE => Err(error),
            Err(_) => Ok(()),
        }
    }
}

/// The state of a run in the bucket.
struct Live<'a> {
    bucket: &'a Bucket,
    progress: &'a Progress,
    /// The directory of the run; `None` until it was read.
    directory: Option<Directory<'a>>,
    /// The logs that another process has pushed, by their names.
    resumed: HashMap<String, LogDocument>,
    /// The logs by their paths.
    logs: HashMap<PathBuf, LiveLog>,
    /// The objects that the document names.
    objects: Vec<ObjectDocument>,
    /// The hash of the content of the document, and the time at which it was written.
    written: Option<(String, Instant)>,
    /// The entry in the lists, and the time at which it was written.
    listed: Option<(Entry, Instant)>,
}

impl<'a> Live<'a> {
    fn new(bucket: &'a Bucket, progress: &'a Progress) -> Self {
        Self {
            bucket,
            progress,
            directory: None,
            resumed: HashMap::new(),
            logs: HashMap::new(),
            objects: Vec::new(),
            written: None,
            listed: None,
        }
    }

    /// Returns the number of bytes of logs that are not in the bucket.
    fn new_bytes(&self, run: &RunParts) -> u64 {
        let growing = growing(run);
        let new = |log: &LogRef| {
            let pushed = self.logs.get(&*log.path).map_or(0, |log| log.document.bytes);
            let bytes =
                if growing.contains(&*log.path) { log.path.bytes() } else { Some(log.bytes) };
            bytes.unwrap_or(log.bytes).saturating_sub(pushed)
        };
        logs(run).map(new).fold(0, u64::saturating_add)
    }

    /// Returns the state for the document of the complete run.
    fn before(self) -> Before {
        let left = self.resumed.into_values();
        let logs = left.chain(self.logs.into_values().map(|log| log.document));
        logs.map(|log| (log.name.clone(), log)).collect()
    }

    /// Returns true if the run is complete in the bucket.
    fn is_committed(&self) -> bool {
        self.directory.as_ref().is_some_and(Directory::is_committed)
    }

    /// Reads the directory, with the state that another process has left.
    fn read(&mut self, run: &RunParts) -> Result<()> {
        let directory = Directory::open(self.bucket, &run.run)?;
        (self.objects, self.resumed) = left(&directory)?;
        self.directory = Some(directory);
        Ok(())
    }

    /// Pushes new rows and bytes. Without any, writes the document again if it is old. Returns true
    /// if anything was new.
    fn part(&mut self, run: &RunParts) -> Result<bool> {
        if self.directory.is_none() {
            self.read(run)?;
        }
        let result = self.write(run);
        if result.is_err() {
            self.logs.values_mut().for_each(|log| log.next = None);
        }
        result
    }

    fn write(&mut self, run: &RunParts) -> Result<bool> {
        let Some(directory) = self.directory.as_ref().filter(|it| !it.is_committed()) else {
            return Ok(false);
        };
        let (growing, base) = (growing(run), self.objects.len());
        let mut volumes = Volumes::new(directory, self.progress);
        let mut budget = MAX_PART_BYTES;
        let mut document = bundle::document(run.clone(), Vec::new(), |name, log| {
            let known = self.logs.entry(log.log.path.to_path_buf());
            let known = known.or_insert_with(|| {
                let new = |name| LogDocument::new(log.n, name, 0, log.first_at);
                LiveLog::new(self.resumed.remove(&name).unwrap_or_else(|| new(name)))
            });
            let grows = growing.contains(&*log.log.path);
            match known.extend(&mut volumes, base, log, grows, &mut budget) {
                Ok(()) => {
                    let next = known.next.as_ref().map_or(&known.document, |(next, _)| next);
                    Ok(Ok(LogDocument { first_at: log.first_at, ..next.clone() }))
                }
                Err(LogError::Unreadable(why)) => {
                    Ok(Err(FindingKind::Unreadable(error::chain(&why))))
                }
                Err(LogError::Push(why)) => Err(why),
            }
        })?;
        let (added, _) = volumes.finish()?;
        let mut objects = self.objects.clone();
        let has_added = !added.is_empty();
        objects.extend(added);
        keep_used(&mut objects, &mut document);
        let content = serde_json::to_vec(&document)
            .map_err(|error| Error::Internal(format!("the run cannot be written: {error}")))?;
        let content = hex(digest(&SHA256, &content).as_ref());
        let is_new = has_added || self.written.as_ref().is_none_or(|(last, _)| *last != content);
        let is_due = self.written.as_ref().is_none_or(|(_, at)| at.elapsed() >= HEARTBEAT);
        if is_new || is_due {
            let schema = SCHEMA.to_owned();
            let document =
                RemoteDocument { schema, written_at: Time::now(), objects, run: document };
            directory.replace_live(&document)?;
            self.keep(document, &growing);
            self.written = Some((content, Instant::now()));
        }
        self.list(run)?;
        Ok(is_new)
    }

    /// Takes over the state that the document describes, after it was written.
    fn keep(&mut self, document: RemoteDocument, growing: &HashSet<PathBuf>) {
        let RemoteDocument { objects, mut run, .. } = document;
        self.objects = objects;
        let mut written: HashMap<String, LogDocument> =
            log_documents(&mut run).map(|log| (log.name.clone(), log.clone())).collect();
        for (path, log) in &mut self.logs {
            let next = log.next.take();
            log.document = match written.remove(&log.document.name) {
                Some(written) => written,
                // The numbers of its objects are not valid any more.
                None if log.document.bytes > 0 => again(&log.document),
                None => continue,
            };
            if let (Some((_, hash)), Some(open)) = (next, &mut log.open) {
                open.1 = hash;
            }
            let is_whole =
                log.open.as_ref().is_some_and(|(file, _)| file.bytes() <= log.document.bytes);
            if log.document.bytes == 0 || is_whole && !growing.contains(path) {
                log.open = None;
            }
        }
    }

    /// Writes the entries in the lists, if they have changed or are old.
    fn list(&mut self, run: &RunParts) -> Result<()> {
        let node = run.clone().join(Time::now(), |_| None);
        let failed_job = node.first_failed().map(|(job, _)| &job.job.id);
        // Any other recorder means that the run is complete.
        let recorder = match run.recorder {
            Recorder::Waiting => Recorder::Waiting,
            _ => Recorder::Alive,
        };
        let entry = Entry::new(&run.run, recorder, failed_job)?;
        let last = self.listed.as_ref();
        let is_due = last.is_none_or(|(last, at)| {
            at.elapsed() >= if *last == entry { LIST_HEARTBEAT } else { LIST_INTERVAL }
        });
        if let Some(directory) = self.directory.as_ref().filter(|_| is_due) {
            directory.list_live(&entry, last.map(|(last, _)| last), &run.run)?;
            self.listed = Some((entry, Instant::now()));
        }
        Ok(())
    }
}

/// The objects that the document of a run so far names, and its logs by their names.
type Left = (Vec<ObjectDocument>, HashMap<String, LogDocument>);

/// Reads the state that another process has left. A log whose objects are missing begins again.
pub(super) fn left(directory: &Directory<'_>) -> Result<Left> {
    let document = if directory.has(LIVE) { directory.read_live()? } else { None };
    let Some(RemoteDocument { objects, mut run, .. }) = document else {
        return Ok(Left::default());
    };
    let is_there =
        |piece: &Piece| objects.get(piece.object).is_some_and(|object| directory.has(&object.name));
    let logs = log_documents(&mut run).map(|log| {
        let bytes = log.pieces.iter().map(|piece| piece.bytes).fold(0, u64::saturating_add);
        let is_whole = log.pieces.iter().all(is_there) && bytes == log.bytes;
        (log.name.clone(), if is_whole { log.clone() } else { again(log) })
    });
    let logs = logs.collect();
    Ok((objects, logs))
}

/// Removes the objects that no piece is in, and numbers the others again.
fn keep_used(objects: &mut Vec<ObjectDocument>, run: &mut RunDocument) {
    let used: HashSet<usize> =
        log_documents(run).flat_map(|log| &log.pieces).map(|piece| piece.object).collect();
    let mut numbers = HashMap::new();
    let mut kept = Vec::new();
    for (number, object) in objects.drain(..).enumerate() {
        if used.contains(&number) {
            numbers.insert(number, kept.len());
            kept.push(object);
        }
    }
    *objects = kept;
    for piece in log_documents(run).flat_map(|log| &mut log.pieces) {
        piece.object = numbers.get(&piece.object).copied().unwrap_or(usize::MAX);
    }
}

/// Returns all logs of a run.
fn log_documents(run: &mut RunDocument) -> impl Iterator<Item = &mut LogDocument> {
    let of_jobs = run.jobs.iter_mut().flat_map(|job| &mut job.logs);
    of_jobs.chain(&mut run.log).chain(&mut run.events)
}

fn logs(run: &RunParts) -> impl Iterator<Item = &LogRef> {
    let of_jobs = run.jobs.iter().flat_map(|job| &job.logs).map(|log| &log.log);
    of_jobs.chain(&run.log).chain(&run.events)
}

/// Returns the paths of the logs that may grow: those of commands that have not ended, the last log
/// of a job whose commands have no numbers, and those of the run itself.
fn growing(run: &RunParts) -> HashSet<PathBuf> {
    let mut paths: HashSet<PathBuf> = HashSet::new();
    for job in &run.jobs {
        let open: HashSet<Option<u32>> =
            job.shs.iter().filter(|sh| sh.finished_at.is_none()).map(|sh| sh.n).collect();
        let known: HashSet<u32> = job.shs.iter().filter_map(|sh| sh.n).collect();
        let last = job.logs.last().map(|log| log.n);
        for log in &job.logs {
            let is_last = Some(log.n) == last && !known.contains(&log.n);
            if is_last || open.contains(&Some(log.n)) {
                paths.insert(log.log.path.to_path_buf());
            }
        }
    }
    paths.extend(run.log.iter().chain(&run.events).map(|log| log.path.to_path_buf()));
    paths
}
