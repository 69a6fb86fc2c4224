//! The push of an active run: its rows and the new bytes of its logs, every few seconds.
//!
//! Each part has objects with the bytes that were added to the logs, and then the document of the
//! run so far, which replaces the one before. If a part fails, the next one contains its bytes
//! again, from the logs. The document has a hash of each log, so that another process continues
//! where this one was killed. A log whose earlier bytes have changed begins again, as a new
//! generation.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use ring::digest::{Context, SHA256, digest};

use super::commit::{Before, LogError};
use super::directory::Directory;
use super::volumes::Volumes;
use super::{Mode, Progress, Report, is_active, parts};
use crate::bundle::{self, LogDocument, Piece, RunDocument};
use crate::catalog::Catalog;
use crate::error::{self, Error, Result};
use crate::join::{DatedLog, FindingKind, LogRef, RunParts};
use crate::log::{Change, LogFile};
use crate::model::RunId;
use crate::remote::document::{ObjectDocument, RemoteDocument, SCHEMA};
use crate::remote::key::{Entry, LIVE, hex};
use crate::s3::Bucket;
use crate::time::Time;

/// The interval at which the store is checked.
const POLL: Duration = Duration::from_millis(250);

/// The longest time without a look at the rows. A recorder that was killed changes no row.
const RELOAD: Duration = Duration::from_secs(1);

/// The time between two parts.
const INTERVAL: Duration = Duration::from_secs(5);

/// The time before the first part in the background, so that a run that ends at once needs no part.
const FIRST: Duration = Duration::from_secs(1);

/// The number of new bytes of logs that make a part due at once.
const DUE_BYTES: u64 = 2_000_000;

/// The most bytes of one log in a part, and of all logs.
const MAX_LOG_BYTES: u64 = 64 << 20;
const MAX_PART_BYTES: u64 = 256 << 20;

/// If the last pieces of a log, this many, have fewer bytes than this, they become one piece. It
/// bounds the size of the document, and costs little, because the pieces are small.
const MERGED_PIECES: usize = 16;
const MERGED_BYTES: u64 = 8 << 20;

/// The time after which the document is written again, so that readers see that the push goes on.
const HEARTBEAT: Duration = Duration::from_mins(1);

/// The same for the entries in the lists, and the shortest time between two changes of them.
const LIST_HEARTBEAT: Duration = Duration::from_mins(10);
const LIST_INTERVAL: Duration = Duration::from_secs(15);

/// The longest wait after a failure.
const MAX_WAIT: Duration = Duration::from_mins(1);

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

/// The times of the parts.
struct Pace {
    /// The end of the last attempt, or the beginning.
    tried_at: Instant,
    /// The shortest time until the next one, and until the next one with few bytes.
    rest: Duration,
    wait: Duration,
    has_succeeded: bool,
    /// The time of the last part with anything new.
    changed_at: Instant,
}

impl Pace {
    /// Begins with a wait before the first part.
    fn new(wait: Duration) -> Self {
        Self {
            tried_at: Instant::now(),
            rest: wait,
            wait,
            has_succeeded: false,
            changed_at: Instant::now(),
        }
    }

    fn is_due(&self, new_bytes: u64) -> bool {
        let wait = if new_bytes >= DUE_BYTES { self.rest } else { self.wait };
        self.tried_at.elapsed() >= wait
    }

    /// Notes an attempt that took some time. `is_new` is `None` if it failed.
    fn note(&mut self, took: Duration, is_new: Option<bool>) {
        self.tried_at = Instant::now();
        if is_new == Some(true) {
            self.changed_at = Instant::now();
        }
        if is_new.is_some() {
            // A large run, or a slow server, is not kept busy all the time.
            let wait = INTERVAL.max(took.saturating_mul(4));
            (self.has_succeeded, self.rest, self.wait) = (true, took, wait);
        } else {
            self.wait = self.wait.saturating_mul(2).clamp(INTERVAL, MAX_WAIT);
            self.rest = self.wait;
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

/// A log.
struct LiveLog {
    /// Its state in the bucket.
    document: LogDocument,
    /// The open file, and the hash of its bytes that are in the bucket. A log that does not grow is
    /// not kept open.
    open: Option<(LogFile, Context)>,
    /// Its state after the part that is being written, and the hash then.
    next: Option<(LogDocument, Context)>,
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

    /// Pushes what is new, if there is anything or if it is time for a sign of life. Returns true if
    /// there was anything new.
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
            let known = known.or_insert_with(|| LiveLog {
                document: self
                    .resumed
                    .remove(&name)
                    .unwrap_or_else(|| LogDocument::new(log.n, name, 0, log.first_at)),
                open: None,
                next: None,
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
        let entry = Entry::new(&run.run, run.recorder, failed_job)?;
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

impl LiveLog {
    /// Adds the new bytes of the log to the current object, at most `budget`.
    fn extend(
        &mut self,
        volumes: &mut Volumes<'_>,
        base: usize,
        log: &DatedLog,
        grows: bool,
        budget: &mut u64,
    ) -> std::result::Result<(), LogError> {
        if !grows && self.open.is_none() && log.log.bytes == self.document.bytes {
            return Ok(());
        }
        if let Err(why) = self.update(log) {
            // What was pushed stays.
            return if self.document.bytes > 0 { Ok(()) } else { Err(LogError::Unreadable(why)) };
        }
        let Some((file, hash)) = &self.open else { return Ok(()) };
        let pushed = self.document.bytes;
        let end = file.bytes().min(pushed.saturating_add(MAX_LOG_BYTES.min(*budget)));
        if end <= pushed {
            return Ok(());
        }
        *budget = budget.saturating_sub(end.saturating_sub(pushed));
        let mut next = self.document.clone();
        let start = merge(&mut next);
        // The hash has the bytes that are in the bucket already.
        let (mut at, mut hash) = (start, hash.clone());
        let added = volumes.add(|mut out| {
            file.compress_range(start..end, &mut out, |bytes| {
                let known = usize::try_from(pushed.saturating_sub(at)).unwrap_or(usize::MAX);
                hash.update(bytes.get(known..).unwrap_or_default());
                at = at.saturating_add(bytes.len() as u64);
            })
        });
        let (object, range, ()) = added.map_err(LogError::of)?;
        if at <= pushed {
            // The log has become shorter. The next part notices it.
            return Ok(());
        }
        let (object, bytes) = (base.saturating_add(object), at.saturating_sub(start));
        next.pieces.push(Piece { object, range, bytes });
        (next.bytes, next.sha256) = (at, Some(hex(hash.clone().finish().as_ref())));
        self.next = Some((next, hash));
        volumes.end_log(at.saturating_sub(pushed)).map_err(LogError::Push)
    }

    /// Opens the log, or looks for its changes. Begins it again if it does not begin with the bytes
    /// that are in the bucket.
    fn update(&mut self, log: &DatedLog) -> Result<()> {
        if let Some((file, hash)) = &mut self.open {
            let change = file.extend()?;
            // Another format needs no other bytes.
            if change.is_replaced() && change != Change::Reformatted {
                self.document = again(&self.document);
                *hash = Context::new(&SHA256);
            }
            return Ok(());
        }
        let file = LogFile::open(&log.log.path)?;
        let mut hash = Context::new(&SHA256);
        let pushed = self.document.bytes;
        if pushed > 0 {
            let is_same = file.bytes() >= pushed && {
                file.read_batches(0..pushed, |bytes| {
                    hash.update(bytes);
                    Ok(())
                })?;
                self.document.sha256 == Some(hex(hash.clone().finish().as_ref()))
            };
            if !is_same {
                self.document = again(&self.document);
                hash = Context::new(&SHA256);
            }
        }
        self.open = Some((file, hash));
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

/// Returns the state of a log that begins again.
fn again(log: &LogDocument) -> LogDocument {
    let generation = log.generation.saturating_add(1);
    LogDocument { generation, ..LogDocument::new(log.n, log.name.clone(), 0, log.first_at) }
}

/// Removes the last pieces of a log if they are small. Returns the offset of the bytes that are
/// left without a piece.
fn merge(log: &mut LogDocument) -> u64 {
    let from = log.pieces.len().checked_sub(MERGED_PIECES);
    let last = from.and_then(|from| log.pieces.get(from..)).unwrap_or_default();
    let bytes = last.iter().map(|piece| piece.bytes).fold(0, u64::saturating_add);
    match from.filter(|_| bytes < MERGED_BYTES) {
        Some(from) => {
            log.pieces.truncate(from);
            log.bytes.saturating_sub(bytes)
        }
        None => log.bytes,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn log(pieces: &[u64]) -> LogDocument {
        let pieces = pieces.iter().map(|bytes| Piece { object: 0, range: 0..1, bytes: *bytes });
        let pieces: Vec<_> = pieces.collect();
        let bytes = pieces.iter().map(|piece| piece.bytes).sum();
        LogDocument { pieces, ..LogDocument::new(1, "jobs/a/sh-1.log".into(), bytes, None) }
    }

    #[test]
    fn the_last_small_pieces_become_one() {
        let mut few = log(&[10; MERGED_PIECES - 1]);
        assert_eq!((merge(&mut few), few.pieces.len()), (few.bytes, MERGED_PIECES - 1));
        let mut small = log(&[&[MERGED_BYTES][..], &[10; MERGED_PIECES]].concat());
        assert_eq!((merge(&mut small), small.pieces.len()), (MERGED_BYTES, 1));
        let mut large = log(&[MERGED_BYTES / 16; MERGED_PIECES]);
        assert_eq!((merge(&mut large), large.pieces.len()), (large.bytes, MERGED_PIECES));
    }

    #[test]
    fn a_log_of_days_has_few_pieces() {
        let mut log = log(&[]);
        let mut resent = 0;
        for _ in 0..20_000 {
            let start = merge(&mut log);
            let bytes = log.bytes + 50_000 - start;
            resent += bytes;
            log.pieces.push(Piece { object: 0, range: 0..1, bytes });
            log.bytes += 50_000;
        }
        assert!(log.pieces.len() < 200, "{}", log.pieces.len());
        assert!(resent < 10 * log.bytes, "{resent} of {}", log.bytes);
    }

    #[test]
    fn a_part_waits_longer_after_failures_and_less_for_many_bytes() {
        let mut pace = Pace::new(Duration::ZERO);
        assert!(pace.is_due(0));
        pace.note(Duration::ZERO, Some(true));
        assert!(!pace.is_due(1) && pace.is_due(DUE_BYTES));
        for _ in 0..9 {
            pace.note(Duration::ZERO, None);
        }
        assert!(!pace.is_due(DUE_BYTES) && pace.wait == MAX_WAIT);
    }
}
