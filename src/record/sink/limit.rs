//! The size limit of a log: output in its middle is removed while the command runs.
//!
//! ```text
//! full log  | head |            removed           |  tail  |
//! new log   | head |  tail  |         room         |
//! ```
//!
//! The head and the tail have a quarter of the limit each. When the log is full, a new file with
//! both replaces it, and the recording continues there. So the amortized cost is one more copy of
//! the output. The head is chosen once and never changes. The new file has a temporary name and is
//! locked before it takes the name of the log. So a process that is killed leaves a valid log, and
//! possibly a file with the temporary name, which every reader ignores.
//!
//! Invariant: the log consists of whole records, which are a prefix and a suffix of the unlimited
//! log. The removed output is counted exactly. Both parts begin and end between lines, unless a
//! line is longer than an eighth of the limit.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::whole_records;
use crate::cri::{HeaderScanner, MAX_CONTENT, PerStream, Tag};
use crate::display;
use crate::file::{Identity, create_private, identity, identity_of};

/// The smallest limit, in bytes. With it, two quarters and two of the longest records leave room
/// for another record.
pub const MIN_LOG_BYTES: u64 = 128 << 10;

/// The maximum length of a record of the encoder, in bytes.
const MAX_RECORD_BYTES: u64 = MAX_CONTENT.get() as u64 + 64;

/// The size of the buffer for reading and copying.
const BUFFER_BYTES: usize = 128 << 10;

/// The output that was removed from the middle of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The byte offset in the log at which it was removed.
    pub at: u64,
    /// The number of bytes of output that were removed.
    pub bytes: u64,
    /// The limit of the log in bytes.
    limit_bytes: u64,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the log was limited to {}: {} were left out of its middle",
            display::size(self.limit_bytes),
            display::size(self.bytes)
        )
    }
}

/// A function that receives the first cut of a log.
type Report = Box<dyn FnOnce(Cut) + Send>;

/// The size limit of a log.
pub struct Limit {
    path: PathBuf,
    max_bytes: u64,
    cut: Option<Cut>,
    /// `None` once the first cut was reported.
    report: Option<Report>,
}

/// A log without its middle.
pub(super) struct Shortened {
    /// The file, which is locked and has the name of the log.
    pub(super) file: File,
    pub(super) identity: Identity,
    /// Its length in bytes.
    pub(super) bytes: u64,
}

impl Limit {
    /// Creates a limit of at least [`MIN_LOG_BYTES`] for the log with this path. `report` is called
    /// at the first cut: later ones are at the same offset and remove more bytes.
    pub fn new(path: PathBuf, max_bytes: u64, report: impl FnOnce(Cut) + Send + 'static) -> Self {
        let max_bytes = max_bytes.max(MIN_LOG_BYTES);
        Self { path, max_bytes, cut: None, report: Some(Box::new(report)) }
    }

    /// Returns the output that was removed so far.
    pub(super) const fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// Returns the length of the first records of a batch that fit into a log of `log_bytes`.
    pub(super) fn fitting(&self, batch: &[u8], log_bytes: u64) -> usize {
        let room = self.max_bytes.saturating_sub(log_bytes);
        match usize::try_from(room).ok().filter(|room| *room < batch.len()) {
            Some(room) => whole_records(batch, room),
            None => batch.len(),
        }
    }

    /// Replaces the log, which has `log_bytes` bytes and is open as `file`, by one without its
    /// middle.
    ///
    /// # Errors
    /// If the new file cannot be written, or another file has the name of the log. The log then is
    /// unchanged.
    pub(super) fn shorten(
        &mut self,
        file: &File,
        own: Option<Identity>,
        log_bytes: u64,
    ) -> io::Result<Shortened> {
        let shortened = self.replace(file, own, log_bytes);
        let (shortened, cut) = shortened.map_err(|error| {
            let limit = display::size(self.max_bytes);
            io::Error::new(error.kind(), format!("cannot limit it to {limit}: {error}"))
        })?;
        self.cut = Some(cut);
        if let Some(report) = self.report.take() {
            report(cut);
        }
        Ok(shortened)
    }

    fn replace(
        &self,
        file: &File,
        own: Option<Identity>,
        log_bytes: u64,
    ) -> io::Result<(Shortened, Cut)> {
        let limit_bytes = self.max_bytes;
        let (quarter, eighth) = (limit_bytes / 4, limit_bytes / 8);
        let before = if let Some(cut) = self.cut {
            cut
        } else {
            let at = find_place(file, 0, quarter, quarter + eighth)?.at;
            Cut { at, bytes: 0, limit_bytes }
        };
        let earliest = log_bytes.saturating_sub(quarter);
        let latest = log_bytes.saturating_sub(eighth);
        let tail = find_place(file, before.at, earliest, latest)?;
        let cut = Cut { bytes: before.bytes.saturating_add(tail.output_bytes), ..before };

        let temporary = temporary_path(&self.path);
        // A file with this name is left from an attempt that failed.
        let _ = fs::remove_file(&temporary);
        let new = create_private(&temporary)?;
        let replaced = self.fill(file, own, &new, [0..cut.at, tail.at..log_bytes]);
        let (identity, bytes) = replaced
            .and_then(|replaced| fs::rename(&temporary, &self.path).map(|()| replaced))
            .inspect_err(|_| drop(fs::remove_file(&temporary)))?;
        Ok((Shortened { file: new, identity, bytes }, cut))
    }

    /// Locks a new file and copies parts of the log to it. Returns its identity and its length.
    fn fill(
        &self,
        log: &File,
        own: Option<Identity>,
        new: &File,
        parts: [Range<u64>; 2],
    ) -> io::Result<(Identity, u64)> {
        // A file system without locks was reported when the log was created.
        let _ = new.try_lock();
        let mut bytes = 0_u64;
        for Range { start, end } in parts {
            (&*log).seek(SeekFrom::Start(start))?;
            let part = log.take(end.saturating_sub(start));
            let copied = io::copy(&mut BufReader::with_capacity(BUFFER_BYTES, part), &mut &*new)?;
            bytes = bytes.saturating_add(copied);
        }
        if own.is_none() || identity(&self.path) != own {
            return Err(io::Error::other("it was removed, moved or replaced"));
        }
        Ok((identity_of(new)?, bytes))
    }
}

/// Returns the path of the new file while it is written.
fn temporary_path(log: &Path) -> PathBuf {
    let mut path = OsString::from(log);
    path.push(".cut");
    path.into()
}

/// A place between two records.
#[derive(Clone, Copy)]
struct Place {
    /// Its offset.
    at: u64,
    /// The number of bytes of output between the start of the search and this place.
    output_bytes: u64,
}

/// Returns the first place between two lines from `earliest` to `latest`, or else the first place
/// between two records. Searches from the place `from` on.
///
/// # Errors
/// If the log cannot be read, or contains anything but records.
fn find_place(log: &File, from: u64, earliest: u64, latest: u64) -> io::Result<Place> {
    (&*log).seek(SeekFrom::Start(from))?;
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, log);
    let (mut scanner, mut record) = (HeaderScanner::default(), Vec::new());
    let mut is_open = PerStream::<bool>::default();
    let mut here = Place { at: from, output_bytes: 0 };
    let mut first = None;
    loop {
        if here.at >= earliest {
            if !is_open.stdout && !is_open.stderr {
                return Ok(here);
            }
            let first = *first.get_or_insert(here);
            if here.at >= latest {
                return Ok(first);
            }
        }
        record.clear();
        reader.by_ref().take(MAX_RECORD_BYTES).read_until(b'\n', &mut record)?;
        let header = scanner.scan(&record).filter(|_| record.ends_with(b"\n"));
        let header = header.ok_or_else(|| io::Error::other("another program has changed it"))?;
        let is_partial = header.tag == Tag::Partial;
        *is_open.get_mut(header.stream) = is_partial;
        // The LF of a partial record is not part of the output.
        let besides = header.content_at.saturating_add(usize::from(is_partial));
        let output = record.len().saturating_sub(besides) as u64;
        here.at = here.at.saturating_add(record.len() as u64);
        here.output_bytes = here.output_bytes.saturating_add(output);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::mpsc;

    use proptest::prelude::*;

    use super::*;
    use crate::cri::{Stream, parse};
    use crate::record::Sink;
    use crate::time::Time;

    /// A record: its stream, its tag and its content.
    type Part = (Stream, Tag, Vec<u8>);

    fn parts(log: &[u8]) -> Vec<Part> {
        let lines = log.split_inclusive(|byte| *byte == b'\n');
        lines
            .map(|line| {
                let record = parse(line.strip_suffix(b"\n").unwrap()).unwrap();
                (record.stream, record.tag, record.content.to_vec())
            })
            .collect()
    }

    fn output_bytes(parts: &[Part]) -> u64 {
        parts
            .iter()
            .map(|(_, tag, content)| content.len() as u64 + u64::from(*tag == Tag::Full))
            .sum()
    }

    fn limited(path: &Path) -> Sink {
        let mut sink = Sink::create(path, Time::now()).unwrap();
        sink.set_limit(Limit::new(path.to_owned(), 0, |_| ()));
        sink
    }

    /// Writes numbered lines of about 100 bytes.
    fn write_lines(sink: &mut Sink, numbers: std::ops::Range<u32>) {
        for n in numbers {
            sink.write(Stream::Stdout, format!("{n:0100}\n").as_bytes());
        }
    }

    fn names(dir: &Path) -> Vec<OsString> {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_log_that_does_not_exceed_its_limit_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sh-1.log");
        let mut sink = limited(&path);
        // A record of this line has 128 bytes.
        let line = [b"x".repeat(87), b"\n".to_vec()].concat();
        for _ in 0..MIN_LOG_BYTES / 128 {
            sink.write(Stream::Stdout, &line);
        }
        assert_eq!((sink.cut(), sink.log_bytes()), (None, MIN_LOG_BYTES));
        sink.write(Stream::Stdout, b"\n");
        let cut = sink.cut().unwrap();
        assert_eq!(cut.at, MIN_LOG_BYTES / 4);
        assert_eq!(cut.bytes, MIN_LOG_BYTES / 2 / 128 * 88);
        assert_eq!(sink.log_bytes(), MIN_LOG_BYTES / 2 + 41);
    }

    #[test]
    fn a_shortened_log_is_private_locked_and_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sh-1.log");
        let victim = dir.path().join("victim");
        fs::write(&victim, "theirs").unwrap();
        std::os::unix::fs::symlink(&victim, temporary_path(&path)).unwrap();
        let mut sink = limited(&path);
        sink.lock().unwrap();
        let before = File::open(&path).unwrap();
        let identity_before = sink.identity();
        write_lines(&mut sink, 0..3000);
        assert!(sink.cut().is_some() && sink.identity() != identity_before);
        assert_eq!(sink.identity(), identity(&path));
        let now = File::open(&path).unwrap();
        assert!(now.try_lock_shared().is_err(), "the recorder is alive");
        assert!(before.try_lock_shared().is_ok(), "the old file is released");
        let metadata = now.metadata().unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(metadata.len(), sink.log_bytes());
        let mut found = names(dir.path());
        found.sort();
        assert_eq!(found, ["sh-1.log", "victim"]);
        assert_eq!(fs::read(&victim).unwrap(), b"theirs");
        sink.close().unwrap();
        assert!(now.try_lock_shared().is_ok());
    }

    #[test]
    fn the_first_cut_is_reported_at_once_and_stays_at_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sh-1.log");
        let mut sink = Sink::create(&path, Time::now()).unwrap();
        let (send, reported) = mpsc::channel();
        sink.set_limit(Limit::new(path.clone(), 0, move |cut| send.send(cut).unwrap()));
        write_lines(&mut sink, 0..3000);
        let first = reported.recv().unwrap();
        write_lines(&mut sink, 3000..9000);
        assert!(reported.try_recv().is_err());
        let last = sink.cut().unwrap();
        assert!(last.at == first.at && last.bytes > first.bytes);
        sink.close().unwrap();
        let log = fs::read(&path).unwrap();
        let number = |part: &Part| -> u32 {
            String::from_utf8_lossy(&part.2).trim_start_matches('0').parse().unwrap_or(0)
        };
        let numbers: Vec<u32> = parts(&log).iter().map(number).collect();
        let gaps: Vec<u32> =
            numbers.windows(2).map(|pair| pair[1] - pair[0] - 1).filter(|gap| *gap > 0).collect();
        assert_eq!(gaps.iter().map(|gap| u64::from(*gap) * 101).collect::<Vec<_>>(), [last.bytes]);
        assert_eq!((numbers.first(), numbers.last()), (Some(&0), Some(&8999)));
    }

    #[test]
    fn both_parts_begin_and_end_between_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sh-1.log");
        let mut sink = limited(&path);
        for _ in 0..3000 {
            sink.write(Stream::Stderr, b"begun ");
            sink.flush(Stream::Stderr);
            sink.write(Stream::Stdout, b"line\n");
            sink.write(Stream::Stderr, b"ended\n");
        }
        let at = usize::try_from(sink.cut().unwrap().at).unwrap();
        let log = fs::read(&path).unwrap();
        let (head, tail) = log.split_at(at);
        let ended = (Stream::Stderr, Tag::Full, b"ended".to_vec());
        let begun = (Stream::Stderr, Tag::Partial, b"begun ".to_vec());
        assert_eq!((parts(head).last(), parts(tail).first()), (Some(&ended), Some(&begun)));
    }

    #[test]
    fn a_log_that_cannot_be_shortened_ends_there() {
        for (break_it, why) in [
            ((|path| fs::create_dir(temporary_path(path)).unwrap()) as fn(&Path), "File exists"),
            (|path| fs::remove_file(path).unwrap(), "it was removed, moved or replaced"),
            (|path| fs::rename(path, path.with_extension("old")).unwrap(), "it was removed"),
            (
                |path| fs::write(path, b"x".repeat(200_000)).unwrap(),
                "another program has changed it",
            ),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("sh-1.log");
            let mut sink = limited(&path);
            write_lines(&mut sink, 0..10);
            break_it(&path);
            let kept = names(dir.path());
            write_lines(&mut sink, 10..3000);
            assert_eq!(sink.cut(), None);
            let error = sink.close().unwrap_err().to_string();
            assert!(error.starts_with("cannot limit it to 128.0 KiB: "), "{error}");
            assert!(error.contains(why), "{error}");
            assert_eq!(names(dir.path()), kept, "no temporary file is left");
        }
    }

    /// Generates the writes of a command: a stream, a line length, the number of lines, an
    /// unterminated end, and a flush.
    fn any_writes() -> impl Strategy<Value = Vec<(bool, usize, usize, usize, bool)>> {
        let write = (
            any::<bool>(),
            prop_oneof![0..100_usize, 0..20_000_usize],
            0..60_usize,
            prop_oneof![Just(0), 0..40_000_usize],
            any::<bool>(),
        );
        prop::collection::vec(write, 0..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_limited_log_is_a_prefix_and_a_suffix_of_the_unlimited_one(
            writes in any_writes(), limit in MIN_LOG_BYTES..2 * MIN_LOG_BYTES,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let (path, whole) = (dir.path().join("sh-1.log"), dir.path().join("sh-2.log"));
            let start = Time::now();
            let mut sink = Sink::create(&path, start).unwrap();
            sink.set_limit(Limit::new(path.clone(), limit, |_| ()));
            let mut unlimited = Sink::create(&whole, start).unwrap();
            for (number, (is_stderr, len, lines, rest, flush)) in writes.iter().enumerate() {
                let stream = if *is_stderr { Stream::Stderr } else { Stream::Stdout };
                let mut bytes = Vec::new();
                for line in 0..*lines {
                    bytes.extend(format!("{number} {line} {:len$}\n", "").bytes());
                }
                bytes.extend(b"r".repeat(*rest));
                for sink in [&mut sink, &mut unlimited] {
                    sink.write(stream, &bytes);
                    if *flush {
                        sink.flush(stream);
                    }
                    prop_assert!(sink.log_bytes() <= limit || sink.cut().is_none());
                }
            }
            sink.close().unwrap();
            unlimited.close().unwrap();
            let (log, all) = (fs::read(&path).unwrap(), parts(&fs::read(&whole).unwrap()));
            prop_assert_eq!(log.len() as u64, sink.log_bytes());
            prop_assert!(log.len() as u64 <= limit);
            prop_assert_eq!(sink.cut().is_some(), unlimited.log_bytes() > limit);
            let at = sink.cut().map_or(log.len(), |cut| usize::try_from(cut.at).unwrap());
            let (head, tail) = (parts(&log[..at]), parts(&log[at..]));
            prop_assert!(all.starts_with(&head) && all.ends_with(&tail));
            let removed = &all[head.len()..all.len() - tail.len()];
            prop_assert_eq!(sink.cut().map_or(0, |cut| cut.bytes), output_bytes(removed));
        }
    }
}
