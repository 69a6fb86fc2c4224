//! The start of a command, and its exit.
//!
//! This module only creates a process and waits for it. The readers read its output.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use pty_process::blocking::Pts;
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions};
use wait4::ResUse;

use super::output::Output;
use super::source::CommandEnds;
use super::terminal::io_error;
use crate::record::mask::Secrets;

/// The exit code of the shell for a command that was not found (POSIX, 2.8.2).
const NOT_FOUND: i32 = 127;

/// The exit code of the shell for a command that was found but could not be run (POSIX, 2.8.2).
const NOT_EXECUTABLE: i32 = 126;

/// The type of a terminal that is opened where there was none, as on a CI system.
const TERM: &str = "xterm-256color";

/// A command to run.
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of the kind of the run")]
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
    /// True if it is killed when it does not react to a signal (see [`Stop`](super::super::Stop)).
    pub may_be_killed: bool,
    /// The connection of its output.
    pub output: Output,
    /// True if a stream of the command is closed once the reader of our own stream is gone, as
    /// without the recorder in a shell's pipeline.
    pub ends_with_reader: bool,
    /// The secrets that are replaced in the output that is passed on.
    pub masked: Option<&'a Secrets>,
    /// The descriptors to release when descriptors run out.
    pub spare: &'a Spare,
}

impl Spawn<'_> {
    /// Returns true if it reads our keyboard through a terminal of its own, if it gets one.
    pub(super) fn has_keyboard(&self) -> bool {
        self.inherit_stdin && io::stdin().is_terminal()
    }

    fn stdin(&self) -> Stdio {
        if self.inherit_stdin { Stdio::inherit() } else { Stdio::null() }
    }
}

/// Descriptors reserved for the start of a command, so that the store cannot use up the last ones.
pub struct Spare(RefCell<Vec<File>>);

impl Spare {
    /// Reserves as many descriptors as the start of a command with our own streams needs, or fewer
    /// if fewer are free.
    pub fn take() -> Self {
        Self(RefCell::new((0..4).map_while(|_| File::open("/dev/null").ok()).collect()))
    }

    pub(super) fn release(&self) {
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

/// Returns true if an operation failed because there are no free file descriptors.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE]
        .map(|errno| Some(errno.raw_os_error()))
        .contains(&error.raw_os_error())
}

/// Returns true if this process runs in this directory. A command in the same directory starts
/// without a change of directory, which may be impossible.
pub fn is_own_dir(dir: &Path) -> bool {
    dir == Path::new(".") || std::env::current_dir().is_ok_and(|own| own == dir)
}

/// Spawns the command. Without `ends`, it writes to our own streams, or to none if `quiet`. The
/// ends are closed in our process on return; otherwise the readers would never see the end of the
/// output.
pub(super) fn spawn_child(
    spawn: &Spawn<'_>,
    ends: Option<CommandEnds>,
    quiet: bool,
) -> io::Result<Child> {
    let (program, args) = spawn.argv.split_first().ok_or(ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.envs(spawn.env.iter().map(|(name, value)| (name, value)));
    command.args(args);
    if !is_own_dir(spawn.cwd) {
        command.current_dir(spawn.cwd);
    }
    let own = || if quiet { Stdio::null() } else { Stdio::inherit() };
    let [stdout, stderr] = match ends {
        Some(CommandEnds::Terminal(pts)) => return spawn_in_terminal(command, pts, spawn),
        Some(CommandEnds::Two(ends)) => ends.map(Stdio::from),
        None => [own(), own()],
    };
    if spawn.own_group {
        command.process_group(0);
    }
    command.stdin(spawn.stdin()).stdout(stdout).stderr(stderr).spawn()
}

/// Spawns the command as the leader of a new session with this terminal.
fn spawn_in_terminal(mut command: Command, pts: Pts, spawn: &Spawn<'_>) -> io::Result<Child> {
    if std::env::var_os("TERM").is_none() {
        command.env("TERM", TERM);
    }
    let mut command = pty_process::blocking::Command::from(command);
    if !spawn.has_keyboard() {
        command = command.stdin(spawn.stdin());
    }
    command.spawn(pts).map_err(io_error)
}

/// Returns the result of a command that could not be spawned.
pub(super) fn not_started(error: &io::Error) -> NotStarted {
    let exit_code = if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
    let why = error.to_string();
    // The number of the error means nothing to most users.
    let why = why.split_once(" (os error").map_or(why.as_str(), |(why, _)| why).to_owned();
    NotStarted { exit_code, why }
}

/// Waits for the exit of a child process without reaping it.
pub(super) fn wait_for_exit(pid: u32) -> io::Result<()> {
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

/// Returns the exit of a command that was waited for. If that failed, adds a warning.
pub(super) fn exit_of(waited: io::Result<ResUse>, warnings: &mut Vec<String>) -> Exit {
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
