//! The destination of a command's two streams: the log, as CRI records, and our own stdout and
//! stderr.
//!
//! The readers of both streams use a [`Sink`] under one lock. Its invariant: **the log is a prefix
//! of the command's output, in whole records, and its times never run backwards.** The first failed
//! write ends the log, since a gap in it would not be visible. The command is not affected and
//! continues. A log with a size limit loses its middle instead (see `limit`).

mod limit;

use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

pub use limit::MIN_LOG_BYTES;
pub(super) use limit::{Cut, Limit};

use super::console::JobOutput;
use super::mask::{Masker, Secrets};
use crate::cri::{Encoder, MAX_CONTENT, PerStream, Stream};
use crate::file::{Identity, create_private, identity_of};
use crate::time::Time;

/// The writer of a log: receives the bytes of two streams and stores them as records.
pub struct Sink {
    /// `None` once the log has ended, by [`Sink::close`] or by a failure.
    file: Option<File>,
    /// The maskers of the streams; `None` if there are no secrets.
    maskers: PerStream<Option<Masker>>,
    encoder: Encoder,
    batch: Vec<u8>,
    /// The time of the newest record.
    last: Time,
    /// The length of the whole records in the file, in bytes.
    whole_bytes: u64,
    failure: Option<io::Error>,
    last_write_at: Instant,
    received_bytes: u64,
    /// The identity of the file that was created; `None` if this type did not create a file.
    identity: Option<Identity>,
    limit: Option<Limit>,
}

impl Sink {
    /// Creates a log. No record will be earlier than `start`, the start of the command.
    ///
    /// # Errors
    /// If the file already exists or cannot be created.
    pub fn create(path: &Path, start: Time) -> io::Result<Self> {
        let file = create_private(path)?;
        Ok(Self { identity: Some(identity_of(&file)?), ..Self::new(file, start) })
    }

    /// Limits the size of the log, which was made by [`Sink::create`] and is still empty.
    pub(super) fn set_limit(&mut self, limit: Limit) {
        self.limit = Some(limit);
    }

    /// Returns the output that was removed from the middle of the log because of its limit.
    pub(super) fn cut(&self) -> Option<Cut> {
        self.limit.as_ref().and_then(Limit::cut)
    }

    /// Locks the log until it is closed, for readers that check if its recorder is alive.
    ///
    /// # Errors
    /// If the file system has no locks.
    pub fn lock(&self) -> Result<(), TryLockError> {
        self.file.as_ref().map_or(Ok(()), File::try_lock)
    }

    /// Creates a sink for an empty file that is open for appending and has no other writer.
    #[must_use]
    pub fn new(file: File, start: Time) -> Self {
        Self::over(Some(file), None, start)
    }

    /// Creates a sink without a log, for a command that runs although its log could not be created.
    #[must_use]
    pub fn failed(failure: io::Error, start: Time) -> Self {
        Self::over(None, Some(failure), start)
    }

    fn over(file: Option<File>, failure: Option<io::Error>, start: Time) -> Self {
        let encoder = Encoder::new(Some(MAX_CONTENT));
        let last_write_at = Instant::now();
        Self {
            file,
            maskers: PerStream::default(),
            encoder,
            batch: Vec::new(),
            last: start,
            whole_bytes: 0,
            failure,
            last_write_at,
            received_bytes: 0,
            identity: None,
            limit: None,
        }
    }

    /// Replaces these secrets in the log from now on. Call it before the first write.
    pub fn mask(&mut self, secrets: &Secrets) {
        self.maskers = PerStream { stdout: secrets.masker(), stderr: secrets.masker() };
    }

    /// Returns the time of the last write on either stream.
    #[must_use]
    pub fn last_write_at(&self) -> Instant {
        self.last_write_at
    }

    /// Returns the number of bytes received from both streams, recorded or not. Secrets count as
    /// their replacements.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Returns the identity of the log file; `None` if it was not created here.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Returns the length of the log in bytes. Only whole records count.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        self.whole_bytes
    }

    /// Appends bytes that were read from a stream. On return, all complete lines are in the file as
    /// records. An unterminated line is kept for [`Sink::flush`].
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) {
        self.last_write_at = Instant::now();
        let at = self.now();
        match self.maskers.get_mut(stream).take() {
            None => self.encode(stream, at, bytes),
            Some(mut masker) => {
                masker.push(bytes, |piece| self.encode(stream, at, piece));
                *self.maskers.get_mut(stream) = Some(masker);
            }
        }
        self.append();
    }

    fn encode(&mut self, stream: Stream, at: Time, bytes: &[u8]) {
        self.received_bytes += bytes.len() as u64;
        if self.file.is_some() {
            self.encoder.write(stream, at, bytes, &mut self.batch);
        }
    }

    /// Returns true if a stream has an unterminated line that is not in the file yet.
    #[must_use]
    pub fn has_pending(&self, stream: Stream) -> bool {
        self.file.is_some() && self.encoder.has_pending(stream)
    }

    /// Appends a stream's unterminated line as a `P` record. Called when the stream is silent, so
    /// that a prompt is visible, and at the end of the stream.
    pub fn flush(&mut self, stream: Stream) {
        if self.file.is_some() {
            let at = self.now();
            self.encoder.flush(stream, at, &mut self.batch);
            self.append();
        }
    }

    /// Ends the log. Success means that it contains the whole output.
    ///
    /// # Errors
    /// The first failure of a write.
    pub fn close(&mut self) -> io::Result<()> {
        for stream in Stream::ALL {
            let at = self.now();
            if let Some(mut masker) = self.maskers.get_mut(stream).take() {
                masker.finish(|piece| self.encode(stream, at, piece));
            }
            self.flush(stream);
        }
        // Unlock explicitly: a child between fork and exec may still hold the descriptor.
        let _ = self.file.take().map(|file| file.unlock());
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Returns the time of the next record. If the clock was set back, this is the time of the last
    /// record.
    fn now(&mut self) -> Time {
        self.last = Time::now().max(self.last);
        self.last
    }

    /// Appends the batch, and removes output from the middle of the log whenever it is full.
    fn append(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        let mut rest = batch.as_slice();
        while self.file.is_some() && !rest.is_empty() {
            let fitting = self.limit.as_ref().map(|limit| limit.fitting(rest, self.whole_bytes));
            let (now, later) =
                rest.split_at_checked(fitting.unwrap_or(rest.len())).unwrap_or((rest, &[]));
            self.append_records(now);
            if !later.is_empty() {
                self.shorten();
            }
            rest = later;
        }
        batch.clear();
        self.batch = batch;
    }

    fn append_records(&mut self, records: &[u8]) {
        let Some(file) = &self.file else { return };
        let (written, result) = write_all(file, records);
        match result {
            Ok(()) => self.whole_bytes += written as u64,
            Err(error) => {
                self.whole_bytes += whole_records(records, written) as u64;
                // If this fails too, the torn record stays: a reader shows it as a malformed line.
                let _ = file.set_len(self.whole_bytes);
                self.failure = Some(error);
                self.file = None;
            }
        }
    }

    fn shorten(&mut self) {
        let (Some(limit), Some(file)) = (&mut self.limit, &self.file) else { return };
        match limit.shorten(file, self.identity, self.whole_bytes) {
            Ok(new) => {
                (self.identity, self.whole_bytes) = (Some(new.identity), new.bytes);
                let old = self.file.replace(new.file);
                let _ = old.map(|old| old.unlock());
            }
            Err(error) => {
                self.failure = Some(error);
                self.file = None;
            }
        }
    }
}

/// Writes as much as possible, and returns the number of bytes written. `Write::write_all` does not
/// return that number.
fn write_all(mut file: &File, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match io::Write::write(&mut file, rest) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(n) => written += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// Returns the length of the whole records in the first `written` bytes of a batch.
fn whole_records(batch: &[u8], written: usize) -> usize {
    batch.get(..written).and_then(|done| memchr::memrchr(b'\n', done)).map_or(0, |at| at + 1)
}

/// A pass-through of a stream's bytes to one of our own streams, unchanged.
#[derive(Default)]
pub struct Tee {
    fd: Option<OwnedFd>,
    /// The job whose output this is, if other jobs may run at the same time.
    job: Option<(Arc<JobOutput>, Stream)>,
    is_reader_gone: bool,
}

impl Tee {
    /// Creates a tee to `fd`. If `None`, bytes are discarded.
    #[must_use]
    pub fn new(fd: Option<OwnedFd>) -> Self {
        Self { fd, job: None, is_reader_gone: false }
    }

    /// Creates a tee to the console for a stream of a job.
    pub(super) fn of_job(job: Arc<JobOutput>, stream: Stream) -> Self {
        Self { job: Some((job, stream)), ..Self::default() }
    }

    /// Passes bytes on. After a failure, later bytes are discarded.
    ///
    /// # Errors
    /// The failure, once. It is not an error if the reader has closed its end (`| head`).
    pub fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some((job, stream)) = &self.job {
            job.pass(*stream, bytes);
        }
        let Some(fd) = &self.fd else { return Ok(()) };
        let result = pass_all(fd, bytes);
        if result.is_err() {
            self.fd = None;
        }
        match result {
            Ok(()) => Ok(()),
            Err(Errno::PIPE) => {
                self.is_reader_gone = true;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns true if an unterminated line waits for [`Tee::flush`].
    pub(super) fn has_pending(&self) -> bool {
        self.job.as_ref().is_some_and(|(job, stream)| job.has_pending(*stream))
    }

    /// Passes on an unterminated line that waits for its end.
    pub(super) fn flush(&self) {
        if let Some((job, stream)) = &self.job {
            job.flush(*stream);
        }
    }

    /// Returns true if the reader has closed its end.
    #[must_use]
    pub fn is_reader_gone(&self) -> bool {
        self.is_reader_gone
    }

    /// Returns a copy of the descriptor; `None` if bytes are discarded.
    ///
    /// # Errors
    /// If there is no free descriptor.
    pub(super) fn duplicate(&self) -> io::Result<Option<OwnedFd>> {
        match &self.job {
            Some((job, stream)) => job.duplicate(*stream),
            None => self.fd.as_ref().map(OwnedFd::try_clone).transpose(),
        }
    }
}

/// Writes all bytes. Waits if the descriptor would block: another program may have switched our
/// terminal to non-blocking mode.
fn pass_all(fd: &OwnedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                match rustix::event::poll(&mut [PollFd::new(fd, PollFlags::OUT)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;
    use crate::cri::joiner::Joiner;
    use crate::cri::{PerStream, parse};

    fn join(log: &[u8], stream: Stream) -> Vec<u8> {
        let mut joiner = Joiner::default();
        let lines = log
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\n").unwrap());
        let mut entries: Vec<_> =
            lines.filter_map(|line| joiner.push(&parse(line).unwrap())).collect();
        entries.extend(joiner.finish());
        let mine = entries.into_iter().filter(|entry| entry.stream == stream);
        mine.flat_map(|entry| {
            [entry.content, if entry.complete { b"\n".to_vec() } else { Vec::new() }].concat()
        })
        .collect()
    }

    fn times(log: &[u8]) -> Vec<Time> {
        log.split_inclusive(|byte| *byte == b'\n')
            .map(|line| parse(line.strip_suffix(b"\n").unwrap()).unwrap().at)
            .collect()
    }

    #[test]
    fn no_record_is_earlier_than_the_command_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sh-1.log");
        let start = Time::from_unix(Time::now().unix_secs() + 3600, 0);
        let mut sink = Sink::create(&path, start).unwrap();
        sink.write(Stream::Stdout, b"one\ntwo\n");
        sink.close().unwrap();
        assert_eq!(times(&std::fs::read(&path).unwrap()), [start, start]);
    }

    #[test]
    fn a_line_is_written_at_once_and_an_unterminated_end_after_a_flush() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sh-1.log");
        let mut sink = Sink::create(&path, Time::now()).unwrap();
        sink.write(Stream::Stdout, b"line\nPassword: ");
        assert_eq!(join(&std::fs::read(&path).unwrap(), Stream::Stdout), b"line\n");
        assert!(sink.has_pending(Stream::Stdout) && !sink.has_pending(Stream::Stderr));
        sink.flush(Stream::Stdout);
        assert!(!sink.has_pending(Stream::Stdout));
        assert_eq!(join(&std::fs::read(&path).unwrap(), Stream::Stdout), b"line\nPassword: ");
    }

    #[test]
    fn an_existing_log_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sh-1.log");
        std::fs::write(&path, "theirs").unwrap();
        assert_eq!(
            Sink::create(&path, Time::now()).err().unwrap().kind(),
            io::ErrorKind::AlreadyExists
        );
    }

    #[test]
    fn the_first_error_is_kept_and_no_bytes_stay_pending() {
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let mut sink = Sink::new(full, Time::now());
        sink.write(Stream::Stdout, b"line\nrest");
        sink.write(Stream::Stderr, b"more\n");
        assert!(!sink.has_pending(Stream::Stdout));
        assert_eq!(sink.close().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_partially_written_batch_is_truncated_to_its_last_whole_record() {
        assert_eq!(whole_records(b"T stdout F a\nT std", 18), 13);
        assert_eq!(whole_records(b"T stdout F a\nT std", 13), 13);
        assert_eq!(whole_records(b"T stdout F a\nT std", 12), 0);
        assert_eq!(whole_records(b"", 0), 0);
    }

    #[test]
    fn a_closed_reader_ends_the_tee_silently() {
        let (reader, writer) = io::pipe().unwrap();
        let mut tee = Tee::new(Some(writer.into()));
        drop(reader);
        tee.pass(b"nobody reads this").unwrap();
        assert!(tee.is_reader_gone());
    }

    #[test]
    fn other_tee_errors_are_reported_once() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut tee = Tee::new(Some(full.into()));
        assert!(tee.pass(b"x").is_err());
        tee.pass(b"x").unwrap();
    }

    #[test]
    fn a_slow_reader_gets_all_bytes_through_a_non_blocking_pipe() {
        let (mut reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let bytes = vec![b'x'; 1 << 20];
        let mut tee = Tee::new(Some(writer.into()));
        let sent = bytes.clone();
        let passing = std::thread::spawn(move || tee.pass(&sent).unwrap());
        let mut got = vec![0; bytes.len()];
        reader.read_exact(&mut got).unwrap();
        passing.join().unwrap();
        assert_eq!(got, bytes);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_joined_log_equals_the_written_bytes(
            writes in prop::collection::vec(
                (any::<bool>(), "[a\r\n\u{e9}]{0,40}", any::<bool>()),
                0..40,
            ),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("sh-1.log");
            let mut sink = Sink::create(&path, Time::now()).unwrap();
            let mut expected = PerStream::<Vec<u8>>::default();
            for (is_stderr, text, flush) in &writes {
                let stream = if *is_stderr { Stream::Stderr } else { Stream::Stdout };
                sink.write(stream, text.as_bytes());
                expected.get_mut(stream).extend_from_slice(text.as_bytes());
                if *flush {
                    sink.flush(stream);
                }
            }
            sink.close().unwrap();
            let log = std::fs::read(&path).unwrap();
            for stream in Stream::ALL {
                prop_assert_eq!(&join(&log, stream), expected.get(stream));
            }
            prop_assert!(times(&log).is_sorted());
        }
    }
}
