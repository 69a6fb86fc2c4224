//! One command: starts it, reads its output from two pipes, and waits for its end.
//!
//! ```text
//! command ─stdout─► reader ┐ one lock        ┌► log
//!         ─stderr─► reader ┴────► Sink ──────┤
//!                   then, unlocked, Tee ─────┴► our own stdout, stderr
//! ```
//!
//! A reader sleeps in `poll` on its pipe and on a second pipe, which is closed when the command has
//! exited. Output is in the log before it is passed on. Delayed actions (the flush of an
//! unterminated line, the end of the grace period for processes that hold the pipe open) use the
//! time-out of that `poll`. The readers are started before the command, so its output is read from
//! the beginning. The database is not used here.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions};
use wait4::{ResUse, Wait4};

use super::sink::{Sink, Tee};
use super::stop::{Stop, Target};
use crate::cri::Stream;

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

/// Exit codes of the shell for commands that could not be run (POSIX, 2.8.2).
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;

/// A command to run.
pub struct Spawn<'a> {
    /// The program and its arguments.
    pub argv: &'a [OsString],
    /// The directory that it runs in.
    pub cwd: &'a Path,
    /// The variables that it gets in addition to ours.
    pub env: &'a [(OsString, OsString)],
    /// True if it inherits our stdin; otherwise its stdin is empty.
    pub inherit_stdin: bool,
    /// True if it leads a process group of its own, so that signals also reach its child processes.
    pub own_group: bool,
    /// True if it is killed when it does not react to a signal (see [`Stop`]).
    pub may_be_killed: bool,
    /// The descriptors to release when descriptors run out.
    pub spare: &'a Spare,
}

/// Descriptors reserved for the start of a command, so that the store cannot use up the last ones.
pub struct Spare(RefCell<Vec<File>>);

impl Spare {
    /// Reserves as many descriptors as the start of a command with our own streams needs, or fewer
    /// if fewer are free.
    pub fn take() -> Self {
        Self(RefCell::new((0..4).map_while(|_| File::open("/dev/null").ok()).collect()))
    }

    fn release(&self) {
        self.0.borrow_mut().clear();
    }
}

/// A command that could not be run.
pub struct NotStarted {
    /// The exit code that a shell would return.
    pub exit_code: i32,
    /// The reason, as the system describes it.
    pub why: String,
}

/// The exit of a command.
#[derive(Clone, Copy)]
pub struct Exit {
    /// Its exit code, or 128 + the signal that ended it.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// CPU time, user and system, of the command and the child processes that it waited for, in
    /// milliseconds.
    pub cpu_ms: Option<i64>,
    /// The peak resident set size of the command or of one of these child processes, in bytes.
    pub max_rss_bytes: Option<i64>,
}

impl Exit {
    /// Returns the exit of a command that never ran.
    #[must_use]
    pub const fn without_run(code: i32) -> Self {
        Self { code, signal: None, cpu_ms: None, max_rss_bytes: None }
    }
}

/// The end of a command and of its output.
pub struct Ended {
    /// The exit code or signal, and the resources used.
    pub exit: Exit,
    /// The time of its exit. Its output may end later.
    pub at: Instant,
    /// False if its output bypassed the sink.
    pub is_recorded: bool,
    /// Messages for the user.
    pub warnings: Vec<String>,
    /// The reason why it could not be run.
    pub start_error: Option<String>,
}

/// A running command.
pub struct Running {
    child: Child,
    /// `None` if the output is not recorded.
    readers: Option<Readers>,
    stop: Stop,
    warnings: Vec<String>,
}

impl Running {
    /// Starts a command. Its output goes to `sink` and, unless `quiet`, to our own stdout and
    /// stderr. The command writes to our own streams directly (or to none, if `quiet`) if there is
    /// no sink, or if there are not enough descriptors or threads to read its output.
    ///
    /// # Errors
    /// If it could not be run.
    pub fn start(
        spawn: &Spawn<'_>,
        sink: Option<&Arc<Mutex<Sink>>>,
        quiet: bool,
        stop: &Stop,
    ) -> Result<Self, NotStarted> {
        let mut warnings = Vec::new();
        let started =
            sink.map(|sink| own_streams(quiet).and_then(|tees| Readers::start(sink, tees)));
        let (readers, stdio) = match started {
            Some(Ok((readers, [stdout, stderr]))) => {
                (Some(readers), [stdout.into(), stderr.into()])
            }
            failed => {
                if let Some(error) = failed.and_then(Result::err) {
                    spawn.spare.release();
                    warnings.push(format!("the output was not recorded: {error}"));
                }
                (None, own_stdio(quiet))
            }
        };
        let (spawned, readers) = match spawn_child(spawn, stdio) {
            Err(error) if is_out_of_descriptors(&error) => {
                warnings.extend(readers.map(Readers::finish).into_iter().flatten());
                spawn.spare.release();
                warnings.push(format!("the output was not recorded: {error}"));
                (spawn_child(spawn, own_stdio(quiet)), None)
            }
            spawned => (spawned, readers),
        };
        match spawned {
            Ok(child) => {
                if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                    stop.started(Target {
                        pid,
                        leads_group: spawn.own_group,
                        may_be_killed: spawn.may_be_killed,
                    });
                }
                Ok(Self { child, readers, stop: stop.clone(), warnings })
            }
            Err(error) => {
                readers.map(Readers::finish);
                Err(not_started(&error))
            }
        }
    }

    /// Returns its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the exit of the command and for the end of its output. Nothing is written to the
    /// sink after this.
    pub fn wait(self) -> Ended {
        let Self { child, readers, stop, mut warnings } = self;
        // This does not reap the command: its process id must not be reused until `ended` has the
        // lock.
        let (waited, at) = (wait_for_exit(child.id()), Instant::now());
        let is_recorded = readers.is_some();
        warnings.extend(readers.map(Readers::finish).into_iter().flatten());
        let exit = stop.ended(|| child.wait4());
        if let Err(error) = waited {
            warnings.push(format!("cannot wait for the command: {error}"));
        }
        let exit = exit_of(exit, &mut warnings);
        Ended { exit, at, is_recorded, warnings, start_error: None }
    }
}

fn own_stdio(quiet: bool) -> [Stdio; 2] {
    let own = || if quiet { Stdio::null() } else { Stdio::inherit() };
    [own(), own()]
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE]
        .map(|errno| Some(errno.raw_os_error()))
        .contains(&error.raw_os_error())
}

/// Returns true if this process runs in this directory. A command in the same directory starts
/// without a change of directory, which may be impossible.
pub fn is_own_dir(dir: &Path) -> bool {
    dir == Path::new(".") || std::env::current_dir().is_ok_and(|own| own == dir)
}

/// Spawns the command. The command's ends of the pipes are closed in our process on return;
/// otherwise the readers would never see the end of the output.
fn spawn_child(spawn: &Spawn<'_>, [stdout, stderr]: [Stdio; 2]) -> io::Result<Child> {
    let (program, args) = spawn.argv.split_first().ok_or(ErrorKind::InvalidInput)?;
    let stdin = if spawn.inherit_stdin { Stdio::inherit() } else { Stdio::null() };
    let mut command = Command::new(program);
    command.envs(spawn.env.iter().map(|(name, value)| (name, value)));
    command.args(args).stdin(stdin).stdout(stdout).stderr(stderr);
    if !is_own_dir(spawn.cwd) {
        command.current_dir(spawn.cwd);
    }
    if spawn.own_group {
        command.process_group(0);
    }
    command.spawn()
}

fn not_started(error: &io::Error) -> NotStarted {
    let exit_code = if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
    let why = error.to_string();
    // The number of the error means nothing to most users.
    let why = why.split_once(" (os error").map_or(why.as_str(), |(why, _)| why).to_owned();
    NotStarted { exit_code, why }
}

fn wait_for_exit(pid: u32) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(ErrorKind::InvalidInput)?;
    loop {
        match rustix::process::waitid(
            WaitId::Pid(pid),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        ) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn exit_of(waited: io::Result<ResUse>, warnings: &mut Vec<String>) -> Exit {
    match waited {
        Ok(ResUse { status, rusage }) => Exit {
            code: status
                .code()
                .or_else(|| status.signal().map(|signal| 128 + signal))
                .unwrap_or(NOT_EXECUTABLE),
            signal: status.signal(),
            cpu_ms: i64::try_from((rusage.utime + rusage.stime).as_millis()).ok(),
            max_rss_bytes: i64::try_from(rusage.maxrss).ok(),
        },
        Err(error) => {
            warnings.push(format!("unknown exit status of the command: {error}"));
            Exit::without_run(NOT_EXECUTABLE)
        }
    }
}

/// The threads that read a command's two streams.
struct Readers {
    threads: Vec<JoinHandle<Vec<String>>>,
    /// The write end of the second pipe of the readers. Closing it signals that the command has
    /// exited.
    running: PipeWriter,
}

impl Readers {
    /// Starts both threads, and returns the ends of the pipes that the command writes to.
    fn start(sink: &Arc<Mutex<Sink>>, tees: [Tee; 2]) -> io::Result<(Self, [PipeWriter; 2])> {
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
    fn finish(self) -> Vec<String> {
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
fn own_streams(quiet: bool) -> io::Result<[Tee; 2]> {
    if quiet {
        return Ok([Tee::new(None), Tee::new(None)]);
    }
    let duplicate = |fd: io::Result<OwnedFd>| fd.map(|fd| Tee::new(Some(fd)));
    Ok([
        duplicate(io::stdout().as_fd().try_clone_to_owned())?,
        duplicate(io::stderr().as_fd().try_clone_to_owned())?,
    ])
}
