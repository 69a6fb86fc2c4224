//! The readers of a command's two streams: one thread per stream, from the pipe to the sink and the
//! tee.
//!
//! A reader sleeps in `poll` on its pipe and on a second pipe, which is closed when the command has
//! exited. Output is in the log before it is passed on. Delayed actions (the flush of an
//! unterminated line, the end of the grace period for processes that hold the pipe open) use the
//! time-out of that `poll`.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::cri::Stream;
use crate::record::sink::{Sink, Tee};

/// The age at which an unterminated line, such as a prompt or a running progress bar, is written as
/// a `P` record. Output without pauses is not split. The documented limit is 250 ms.
const FLUSH_AGE: Duration = Duration::from_millis(200);
/// The silence of both streams after which recording ends, if the command has exited but another
/// process holds a pipe open.
const GRACE_SILENCE: Duration = Duration::from_secs(1);
/// The longest time after the exit of the command for which a pipe that another process holds open
/// is recorded.
const GRACE_LIMIT: Duration = Duration::from_secs(5);
/// The requested size of the pipes. With larger pipes, a command with much output waits less. More
/// than this size needs privileges on Linux.
const PIPE_BYTES: usize = 1 << 20;
const BUFFER_BYTES: usize = 256 << 10;

/// The threads that read a command's two streams.
pub(super) struct Readers {
    threads: Vec<JoinHandle<Vec<String>>>,
    /// The write end of the second pipe of the readers. Closing it signals that the command has
    /// exited.
    running: PipeWriter,
}

impl Readers {
    /// Starts both threads, and returns the ends of the pipes that the command writes to.
    pub(super) fn start(
        sink: &Arc<Mutex<Sink>>,
        tees: [Tee; 2],
    ) -> io::Result<(Self, [PipeWriter; 2])> {
        let (exited, running) = io::pipe()?;
        let (stdout, stdout_end) = io::pipe()?;
        let (stderr, stderr_end) = io::pipe()?;
        let mut readers = Self { threads: Vec::new(), running };
        let exited = Arc::new(exited);
        for (stream, (pipe, tee)) in
            Stream::ALL.into_iter().zip([stdout, stderr].into_iter().zip(tees))
        {
            widen(&pipe);
            let reader =
                Reader { stream, pipe, tee, sink: Arc::clone(sink), exited: Arc::clone(&exited) };
            // If the second thread cannot be started, this function returns and closes the write
            // ends of the pipes, so the first thread ends.
            let thread =
                std::thread::Builder::new().name(stream.as_str().into()).spawn(|| reader.run())?;
            readers.threads.push(thread);
        }
        Ok((readers, [stdout_end, stderr_end]))
    }

    /// Signals that the command has exited, waits until the readers have read the rest, and returns
    /// their warnings.
    pub(super) fn finish(self) -> Vec<String> {
        drop(self.running);
        let broken = |_| vec!["internal error: a thread that reads the output panicked".into()];
        self.threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(broken)).collect()
    }
}

/// Locks the sink. Ignores poisoning: after a panic of a reader, the sink can still be closed.
pub fn lock(sink: &Mutex<Sink>) -> MutexGuard<'_, Sink> {
    sink.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Enlarges a pipe. Ignores errors: an unprivileged user may have used up the amount that the
/// system allows.
#[cfg(target_os = "linux")]
fn widen(pipe: &PipeReader) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES);
}

#[cfg(not(target_os = "linux"))]
fn widen(_: &PipeReader) {
    let _ = PIPE_BYTES;
}

/// A reader of one stream until its end.
struct Reader {
    stream: Stream,
    pipe: PipeReader,
    tee: Tee,
    sink: Arc<Mutex<Sink>>,
    exited: Arc<PipeReader>,
}

/// The way in which reading a stream ended.
enum End {
    /// No process can write to the stream any more.
    Closed,
    /// The command has exited, and the grace period for processes that it left behind is over.
    HeldOpen,
}

/// The reason why a reader woke up.
enum Wake {
    Readable,
    Exited,
    TimeOut,
}

impl Reader {
    fn run(mut self) -> Vec<String> {
        let mut warnings = Vec::new();
        let end = self.read_all(&mut warnings);
        lock(&self.sink).flush(self.stream);
        match end {
            Ok(End::Closed) => {}
            Ok(End::HeldOpen) => {
                warnings.push(self.held_open());
                self.pass_on_the_rest();
            }
            Err(warning) => warnings.push(warning),
        }
        warnings
    }

    /// Starts a thread that passes on the output of a process that was left behind, until we exit.
    /// Without it, the closed pipe would kill that process. Nothing waits for the thread.
    fn pass_on_the_rest(mut self) {
        let pass = move || {
            let mut buffer = vec![0; BUFFER_BYTES];
            while let Ok(count @ 1..) = self.pipe.read(&mut buffer) {
                let _ = self.tee.pass(buffer.get(..count).unwrap_or_default());
            }
        };
        // If no thread can be started, the effect is the same as if we had already exited.
        let _ = std::thread::Builder::new().name("left behind".into()).spawn(pass);
    }

    /// Reads until the end of the stream or of the grace period. Returns an error, which is a
    /// message for the user, if reading fails before that.
    fn read_all(&mut self, warnings: &mut Vec<String>) -> Result<End, String> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut exit = None;
        // The time at which the unterminated line began, if there is one.
        let mut end_began = Instant::now();
        loop {
            let deadlines = self.deadlines(end_began, exit.as_ref());
            match self.sleep(deadlines, exit.is_none()).map_err(|error| self.broken(&error))? {
                Wake::Readable => match self.pipe.read(&mut buffer) {
                    Ok(0) => return Ok(End::Closed),
                    Ok(count) => {
                        let bytes = buffer.get(..count).unwrap_or_default();
                        if deadlines.flush.is_none() || memchr::memchr(b'\n', bytes).is_some() {
                            end_began = Instant::now();
                        }
                        self.take(bytes, warnings);
                        if exit.as_mut().is_some_and(|exit| exit.is_over_after(count)) {
                            return Ok(End::HeldOpen);
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(self.broken(&error)),
                },
                Wake::Exited => exit = Some(AfterExit::of(&self.pipe)),
                Wake::TimeOut => {
                    let now = Instant::now();
                    // Compute the deadlines again, because there may have been output on the other
                    // stream in the meantime.
                    let Deadlines { flush, abandon_at } = self.deadlines(end_began, exit.as_ref());
                    if abandon_at.is_some_and(|at| at <= now) {
                        return Ok(End::HeldOpen);
                    }
                    if flush.is_some_and(|at| at <= now) {
                        lock(&self.sink).flush(self.stream);
                    }
                }
            }
        }
    }

    fn take(&mut self, bytes: &[u8], warnings: &mut Vec<String>) {
        lock(&self.sink).write(self.stream, bytes);
        if let Err(error) = self.tee.pass(bytes) {
            warnings.push(format!("cannot forward {}: {error}", self.stream.as_str()));
        }
    }

    fn deadlines(&self, end_began: Instant, exit: Option<&AfterExit>) -> Deadlines {
        let sink = lock(&self.sink);
        let flush = sink.has_pending(self.stream).then(|| end_began + FLUSH_AGE);
        let abandon_at = exit.map(|exit| {
            (exit.at.max(sink.last_write_at()) + GRACE_SILENCE).min(exit.at + GRACE_LIMIT)
        });
        Deadlines { flush, abandon_at }
    }

    /// Sleeps until there is output, the first deadline passes, or the command exits (if
    /// `exit_is_news`).
    fn sleep(
        &self,
        Deadlines { flush, abandon_at }: Deadlines,
        exit_is_news: bool,
    ) -> io::Result<Wake> {
        let first = [flush, abandon_at].into_iter().flatten().min();
        let time_out = first.map(|at| at.saturating_duration_since(Instant::now()));
        let time_out = time_out.and_then(|left| Timespec::try_from(left).ok());
        let mut both =
            [PollFd::new(&self.pipe, PollFlags::IN), PollFd::new(&*self.exited, PollFlags::IN)];
        let [pipe, ..] = &mut both;
        // With a time-out of zero, `poll` does not sleep but still reports output. So output is
        // read before a deadline takes effect.
        let ready = if exit_is_news {
            rustix::event::poll(&mut both, time_out.as_ref())
        } else {
            rustix::event::poll(std::slice::from_mut(pipe), time_out.as_ref())
        };
        match ready {
            Err(Errno::INTR) | Ok(0) => Ok(Wake::TimeOut),
            Err(error) => Err(error.into()),
            // The exit is checked first: a process that never stops writing would hide it.
            Ok(_) if exit_is_news && !both[1].revents().is_empty() => Ok(Wake::Exited),
            Ok(_) => Ok(Wake::Readable),
        }
    }

    fn broken(&self, error: &io::Error) -> String {
        format!("cannot read {}: {error}", self.stream.as_str())
    }

    fn held_open(&self) -> String {
        let stream = self.stream.as_str();
        format!(
            "the command exited, but a background process still holds its {stream} open: later \
             output is forwarded but not recorded, and fails once rundown exits"
        )
    }
}

/// The state of a reader after the exit of the command.
struct AfterExit {
    /// The time at which the reader noticed the exit.
    at: Instant,
    /// The number of unread bytes that were in the pipe at that time. They may come from the
    /// command, so they are read, however long it takes to pass them on.
    owed_bytes: u64,
}

impl AfterExit {
    fn of(pipe: &PipeReader) -> Self {
        Self { at: Instant::now(), owed_bytes: rustix::io::ioctl_fionread(pipe).unwrap_or(0) }
    }

    /// Returns true if the grace period is over after another `count` bytes have been read.
    fn is_over_after(&mut self, count: usize) -> bool {
        self.owed_bytes = self.owed_bytes.saturating_sub(count as u64);
        self.owed_bytes == 0 && self.at.elapsed() >= GRACE_LIMIT
    }
}

/// The times at which a reader has to act even without output.
#[derive(Clone, Copy)]
struct Deadlines {
    flush: Option<Instant>,
    abandon_at: Option<Instant>,
}

/// Returns tees to our own stdout and stderr, or tees that discard everything if `quiet`.
///
/// # Errors
/// If there are no free file descriptors.
pub(super) fn own_streams(quiet: bool) -> io::Result<[Tee; 2]> {
    if quiet {
        return Ok([Tee::new(None), Tee::new(None)]);
    }
    let duplicate = |fd: io::Result<OwnedFd>| fd.map(|fd| Tee::new(Some(fd)));
    Ok([
        duplicate(io::stdout().as_fd().try_clone_to_owned())?,
        duplicate(io::stderr().as_fd().try_clone_to_owned())?,
    ])
}
