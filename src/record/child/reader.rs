//! The readers of a command's output: one thread per source, from the source to the sink and the
//! tees.
//!
//! A reader sleeps in `poll` on its source and on a pipe, which is closed when the command has
//! exited. Output is in the log before it is passed on. Delayed actions (the flush of an
//! unterminated line, the end of the grace period for processes that hold the source open) use the
//! time-out of that `poll`.

use std::io::{self, PipeReader, PipeWriter};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::keyboard::Terminal;
use super::output::Output;
use super::relay::Rest;
use super::source::{Got, Source};
use super::terminal::Newlines;
use crate::cri::{PerStream, Stream};
use crate::record::mask::{Masker, Secrets};
use crate::record::sink::{Sink, Tee};

/// The age at which an unterminated line, such as a prompt or a running progress bar, is written as
/// a `P` record. Output without pauses is not split. The documented limit is 250 ms.
const FLUSH_AGE: Duration = Duration::from_millis(200);
/// The silence of both streams after which recording ends, if the command has exited but another
/// process holds a pipe open.
const GRACE_SILENCE: Duration = Duration::from_secs(1);
/// The maximum time after the exit of the command for which the output of processes that hold a
/// pipe open is recorded.
const GRACE_LIMIT: Duration = Duration::from_secs(5);
/// The maximum number of bytes of one read that get the same time.
const SLICE_BYTES: usize = 256 << 10;

/// The threads that read a command's output.
pub(super) struct Readers {
    threads: Vec<JoinHandle<Read>>,
    /// The write end of the second pipe of the readers. Closing it signals that the command has
    /// exited.
    running: PipeWriter,
    /// The form of the connection.
    pub(super) output: Output,
    /// The command's terminal.
    pub(super) terminal: Option<Terminal>,
}

/// The way in which output is passed on.
#[derive(Clone, Copy)]
pub(super) struct Passing {
    /// True if a source is closed once the reader of our own stdout or stderr is gone, so that
    /// later writes of the command fail.
    pub(super) ends_with_reader: bool,
    /// True if each `\r` that a terminal adds is passed on, because our own terminal does not add
    /// it.
    pub(super) shows_returns: bool,
}

/// The result of a reader.
#[derive(Default)]
pub(super) struct Read {
    /// Messages for the user.
    pub(super) warnings: Vec<String>,
    /// The sources that other processes hold open.
    pub(super) rests: Vec<Rest>,
}

impl Readers {
    /// Starts a thread for each source.
    ///
    /// # Errors
    /// If there are not enough descriptors or threads.
    pub(super) fn start(
        output: Output,
        sources: Vec<Source>,
        sink: &Arc<Mutex<Sink>>,
        mut tees: PerStream<Tee>,
        masked: Option<&Secrets>,
        passing: Passing,
    ) -> io::Result<Self> {
        let (exited, running) = io::pipe()?;
        let mut readers = Self { threads: Vec::new(), running, output, terminal: None };
        let exited = Arc::new(exited);
        for source in sources {
            let mut own_tees = PerStream::default();
            for stream in source.streams() {
                *own_tees.get_mut(*stream) = std::mem::take(tees.get_mut(*stream));
            }
            let mut showing = None;
            if let Source::Terminal(pty, _) = &source {
                let (ended, writer) = io::pipe()?;
                readers.terminal = Some(Terminal { pty: Arc::downgrade(pty), ended });
                showing = Some(writer);
            }
            let name = source.streams().first().map_or("", |stream| stream.as_str());
            let reader = Reader {
                newlines: matches!(source, Source::Terminal(..)).then(Newlines::default),
                source,
                tees: own_tees,
                masks: masked.map(|secrets| PerStream {
                    stdout: secrets.masker(),
                    stderr: secrets.masker(),
                }),
                sink: Arc::clone(sink),
                exited: Arc::clone(&exited),
                passing,
                line_began: PerStream { stdout: Instant::now(), stderr: Instant::now() },
                showing,
                warnings: Vec::new(),
            };
            // If a thread cannot be started, this function returns, and the caller closes the
            // command's ends, so the other thread ends.
            let thread = std::thread::Builder::new().name(name.into()).spawn(|| reader.run())?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    /// Signals that the command has exited, and waits until the readers have read the rest.
    pub(super) fn finish(self) -> Read {
        drop(self.running);
        let mut all = Read::default();
        for thread in self.threads {
            match thread.join() {
                Ok(Read { warnings, rests }) => {
                    all.warnings.extend(warnings);
                    all.rests.extend(rests);
                }
                Err(_) => all
                    .warnings
                    .push("internal error: a thread that reads the output panicked".into()),
            }
        }
        all
    }
}

/// Locks the sink. Ignores poisoning: after a panic of a reader, the sink can still be closed.
pub fn lock(sink: &Mutex<Sink>) -> MutexGuard<'_, Sink> {
    sink.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A reader of one source until its end.
struct Reader {
    source: Source,
    tees: PerStream<Tee>,
    /// The maskers of the output that is passed on; `None` if it is passed on unchanged.
    masks: Option<PerStream<Option<Masker>>>,
    sink: Arc<Mutex<Sink>>,
    exited: Arc<PipeReader>,
    passing: Passing,
    /// The conversion of the output of a terminal; `None` for other sources.
    newlines: Option<Newlines>,
    /// The time at which the unterminated line of a stream began, if there is one.
    line_began: PerStream<Instant>,
    /// The write end of [`Terminal::ended`], closed once the output of the command has been passed
    /// on; `None` for other sources.
    showing: Option<PipeWriter>,
    warnings: Vec<String>,
}

/// The way in which reading a source ended.
enum End {
    /// No process can write to the source any more, or the reader of our own stream is gone.
    Closed,
    /// The command has exited, and the grace period for processes that it left behind is over.
    HeldOpen,
}

/// The reason why a reader woke up.
enum Wake {
    Readable,
    Exited,
    TimeOut,
    Interrupted,
}

impl Reader {
    fn run(mut self) -> Read {
        let end = self.read_all();
        if let Some(newlines) = &mut self.newlines {
            lock(&self.sink).write(Stream::Stdout, newlines.finish());
        }
        for stream in self.source.streams() {
            lock(&self.sink).flush(*stream);
        }
        for stream in self.source.streams().to_vec() {
            self.pass_held(stream);
            self.tees.get(stream).flush();
        }
        let Self { source, tees, masks, mut warnings, .. } = self;
        // The relay would pass on secrets.
        let tees = if masks.is_some() { PerStream::default() } else { tees };
        let rests = match end {
            Ok(End::Closed) => Vec::new(),
            Ok(End::HeldOpen) => vec![Rest { source, tees }],
            Err(error) => {
                warnings.push(format!("cannot read {}: {error}", names(source.streams())));
                Vec::new()
            }
        };
        Read { warnings, rests }
    }

    /// Reads until the end of the source or of the grace period.
    fn read_all(&mut self) -> io::Result<End> {
        let mut buffer = self.source.buffer();
        let mut exit = None;
        loop {
            match self.sleep(exit.as_ref())? {
                Wake::Readable => match self.source.read(&mut buffer)? {
                    Got::End => return Ok(End::Closed),
                    Got::Nothing => {}
                    Got::Bytes(stream, count) => {
                        if self.take(stream, buffer.get(..count).unwrap_or_default()) {
                            return Ok(End::Closed);
                        }
                        if exit.as_mut().is_some_and(|exit| exit.is_over_after(count)) {
                            return Ok(End::HeldOpen);
                        }
                    }
                },
                Wake::Exited => {
                    self.source.exited();
                    exit = Some(AfterExit::of(&self.source));
                }
                Wake::Interrupted => {}
                Wake::TimeOut => {
                    if let Some(end) = self.time_out(exit.as_ref()) {
                        return Ok(end);
                    }
                }
            }
        }
    }

    /// Does the delayed actions that are due. Returns the end if the source is at its end, or the
    /// grace period is over.
    fn time_out(&mut self, exit: Option<&AfterExit>) -> Option<End> {
        if self.source.has_ended() {
            return Some(End::Closed);
        }
        if exit.is_some() {
            self.showing = None;
        }
        let now = Instant::now();
        // Compute the deadlines only now, because there may have been output on the other stream in
        // the meantime.
        if self.abandon_at(exit).is_some_and(|at| at <= now) {
            return Some(End::HeldOpen);
        }
        for stream in self.source.streams() {
            if self.flush_at(*stream).is_some_and(|at| at <= now) {
                let mut sink = lock(&self.sink);
                if let Some(newlines) = &mut self.newlines {
                    sink.write(*stream, newlines.finish());
                }
                sink.flush(*stream);
                drop(sink);
                self.tees.get(*stream).flush();
            }
        }
        None
    }

    /// Records bytes and passes them on. Returns true if the source must be closed, because the
    /// reader of our own stream is gone.
    fn take(&mut self, stream: Stream, bytes: &[u8]) -> bool {
        let converted = self.newlines.as_mut().map(|newlines| newlines.convert(bytes));
        let written = converted.as_deref().unwrap_or(bytes);
        for slice in written.chunks(SLICE_BYTES) {
            self.record(stream, slice);
        }
        let tee = self.tees.get_mut(stream);
        let passed = if self.passing.shows_returns { bytes } else { written };
        let result = match self.masks.as_mut().and_then(|masks| masks.get_mut(stream).as_mut()) {
            Some(masker) => {
                let mut out = Vec::with_capacity(passed.len());
                masker.push(passed, |piece| out.extend_from_slice(piece));
                tee.pass(&out)
            }
            None => tee.pass(passed),
        };
        if let Err(error) = result {
            self.warnings.push(format!("cannot forward {}: {error}", stream.as_str()));
        }
        self.passing.ends_with_reader && tee.is_reader_gone() && self.source.cut(stream)
    }

    /// Passes on the last bytes of a stream, which were held as the possible beginning of a secret.
    fn pass_held(&mut self, stream: Stream) {
        let masks = self.masks.as_mut();
        if let Some(masker) = masks.and_then(|masks| masks.get_mut(stream).as_mut()) {
            let tee = self.tees.get_mut(stream);
            // A failure was reported when it first occurred, or concerns a few bytes.
            masker.finish(|piece| drop(tee.pass(piece)));
        }
    }

    fn record(&mut self, stream: Stream, bytes: &[u8]) {
        let mut sink = lock(&self.sink);
        if !sink.has_pending(stream) || memchr::memchr(b'\n', bytes).is_some() {
            *self.line_began.get_mut(stream) = Instant::now();
        }
        sink.write(stream, bytes);
    }

    fn flush_at(&self, stream: Stream) -> Option<Instant> {
        let is_pending = lock(&self.sink).has_pending(stream);
        let is_pending = is_pending || self.tees.get(stream).has_pending();
        is_pending.then(|| *self.line_began.get(stream) + FLUSH_AGE)
    }

    /// Returns the end of the grace period; `None` if the command is still running.
    fn abandon_at(&self, exit: Option<&AfterExit>) -> Option<Instant> {
        let AfterExit { at, .. } = exit?;
        let last_write_at = lock(&self.sink).last_write_at();
        Some(((*at).max(last_write_at) + GRACE_SILENCE).min(*at + GRACE_LIMIT))
    }

    /// Sleeps until there is output, a delayed action is due, or the command exits.
    fn sleep(&self, exit: Option<&AfterExit>) -> io::Result<Wake> {
        let flushes = self.source.streams().iter().filter_map(|stream| self.flush_at(*stream));
        let first = flushes.chain(self.abandon_at(exit)).min();
        let until = first.map(|at| at.saturating_duration_since(Instant::now()));
        let shown = (exit.is_some() && self.showing.is_some()).then_some(Duration::ZERO);
        let time_out = until.into_iter().chain(self.source.check_after()).chain(shown).min();
        let time_out = time_out.and_then(|left| Timespec::try_from(left).ok());
        let mut both =
            [PollFd::new(&self.source, PollFlags::IN), PollFd::new(&*self.exited, PollFlags::IN)];
        let [source, ..] = &mut both;
        // With a time-out of zero, `poll` does not sleep but still reports output. So output is
        // read before a deadline takes effect.
        let ready = if exit.is_none() {
            rustix::event::poll(&mut both, time_out.as_ref())
        } else {
            rustix::event::poll(std::slice::from_mut(source), time_out.as_ref())
        };
        match ready {
            Ok(0) => Ok(Wake::TimeOut),
            Err(Errno::INTR) => Ok(Wake::Interrupted),
            Err(error) => Err(error.into()),
            // The exit is checked first: a process that never stops writing would hide it.
            Ok(_) if exit.is_none() && !both[1].revents().is_empty() => Ok(Wake::Exited),
            Ok(_) => Ok(Wake::Readable),
        }
    }
}

fn names(streams: &[Stream]) -> &'static str {
    match streams {
        [stream] => stream.as_str(),
        _ => "the output",
    }
}

/// The state of a reader after the exit of the command.
struct AfterExit {
    /// The time at which the reader noticed the exit.
    at: Instant,
    /// The maximum number of bytes that were unread in the source at that time, less those read
    /// since then. They may come from the command, so they are read, however long it takes to pass
    /// them on.
    unread_bytes: u64,
}

impl AfterExit {
    fn of(source: &Source) -> Self {
        Self { at: Instant::now(), unread_bytes: source.unread_bytes() }
    }

    /// Returns true if the grace period is over after another `count` bytes have been read.
    fn is_over_after(&mut self, count: usize) -> bool {
        self.unread_bytes = self.unread_bytes.saturating_sub(count as u64);
        self.unread_bytes == 0 && self.at.elapsed() >= GRACE_LIMIT
    }
}
