//! Our terminal while a command runs in a terminal of its own: its size and, if our stdin is a
//! terminal, its keys.
//!
//! ```text
//! our terminal ── raw mode ──► keys ──► the command's terminal: echo, lines, Ctrl-C
//!              ── SIGWINCH ──► size ──►
//! ```
//!
//! One thread does this until the command has exited and its output is on our terminal. The output
//! needs raw mode, because it has the newlines of the command's terminal. In raw mode, our terminal
//! sends no signals and echoes nothing; the command's terminal does. Our terminal is always
//! restored: when the thread ends or panics, and before a signal stops or ends this process. While
//! we are a background job, our terminal is not changed.
//!
//! Ctrl-Z is handled here. The kernel does not stop a process group without a parent in its
//! session, and the command's group is one. So if the command does not handle Ctrl-Z itself, this
//! thread stops it together with our own job, and continues it when our job is continued.

use std::io::{self, IsTerminal, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Weak;
use std::thread::JoinHandle;

use pty_process::blocking::Pty;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, getpgrp, kill_current_process_group, kill_process_group};
use rustix::stdio::stdin;
use rustix::termios::{
    LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp,
    tcsetattr, tcsetwinsize,
};
use signal_hook::SigId;
use signal_hook::consts::{
    SIGABRT, SIGCONT, SIGIO, SIGPROF, SIGSYS, SIGTRAP, SIGTSTP, SIGVTALRM, SIGWINCH, SIGXCPU,
};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::{emulate_default_handler, pipe, unregister};

use super::terminal::own_size;
use crate::record::stop::has_default_action;

/// The maximum number of bytes of input that are read at once.
const INPUT_BYTES: usize = 4096;

/// The pause before another attempt to write to a terminal of the command that is full.
const RETRY: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// The maximum time between the signal that stops our job and the stop.
const STOP_TIMEOUT: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// The signals that end this process, except those that a recording passes on to the command and
/// those that no program can handle.
const DEADLY: [i32; 7] = [SIGABRT, SIGIO, SIGPROF, SIGSYS, SIGTRAP, SIGVTALRM, SIGXCPU];

/// The terminal of a command.
pub(super) struct Terminal {
    /// Our end, which the reader of the output owns.
    pub(super) pty: Weak<Pty>,
    /// A pipe that the reader closes once it has passed on all output of the command.
    pub(super) ended: PipeReader,
}

/// A thread that connects our terminal to the command's terminal, until the output of the command
/// has been passed on. Its drop waits for that.
pub(super) struct Keyboard {
    thread: Option<JoinHandle<()>>,
    _rescue: Option<Rescue>,
}

/// Our terminal, ready for a command that is about to be spawned. Its drop restores the terminal.
pub(super) struct Prepared {
    resized: Event,
    continued: Event,
    /// `None` if no keys are passed on.
    raw: Option<RawMode>,
    rescue: Option<Rescue>,
}

impl Prepared {
    /// Enters raw mode if keys are passed on (`has_keys`). Call this before the command is spawned,
    /// because its first output needs raw mode.
    ///
    /// # Errors
    /// If there are not enough descriptors or threads.
    pub(super) fn new(has_keys: bool) -> io::Result<Self> {
        let (resized, continued) = (Event::on(SIGWINCH)?, Event::on(SIGCONT)?);
        let mut raw = has_keys.then(RawMode::new).transpose()?;
        let rescue = raw.as_ref().map(Rescue::start).transpose()?;
        if let Some(raw) = &mut raw {
            raw.enter();
        }
        Ok(Self { resized, continued, raw, rescue })
    }
}

impl Keyboard {
    /// Starts the thread, for the terminal of the running command `child`.
    ///
    /// # Errors
    /// If there are not enough threads.
    pub(super) fn start(prepared: Prepared, terminal: Terminal, child: Pid) -> io::Result<Self> {
        let Terminal { pty, ended } = terminal;
        let Prepared { resized, continued, raw, rescue } = prepared;
        let work = Work { pty, child, ended, resized, continued, raw, pending: Vec::new() };
        let builder = std::thread::Builder::new().name("keyboard".into());
        Ok(Self { thread: Some(builder.spawn(|| work.run())?), _rescue: rescue })
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        // A panic of the thread was reported by the panic hook.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A signal as a descriptor that becomes readable.
struct Event {
    id: SigId,
    reader: UnixStream,
}

impl Event {
    fn on(signal: i32) -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        Ok(Self { id: pipe::register(signal, writer)?, reader })
    }

    /// Discards the signals so far.
    fn clear(&self) {
        while (&self.reader).read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        unregister(self.id);
    }
}

/// Raw mode of our terminal, which is left on drop.
struct RawMode {
    /// The settings before.
    cooked: Termios,
    is_on: bool,
}

impl RawMode {
    fn new() -> io::Result<Self> {
        Ok(Self { cooked: tcgetattr(stdin())?, is_on: false })
    }

    /// Enters raw mode, unless we are a background job.
    fn enter(&mut self) {
        if !is_in_foreground() {
            return;
        }
        let mut raw = self.cooked.clone();
        raw.make_raw();
        // If our output does not go to the terminal directly, a later program of a pipeline may
        // print it, and relies on this mode.
        if !io::stdout().is_terminal() {
            raw.output_modes |= self.cooked.output_modes & OutputModes::OPOST;
        }
        self.is_on = tcsetattr(stdin(), OptionalActions::Now, &raw).is_ok();
    }

    /// Restores the settings. Ignores errors: the terminal may be gone.
    fn leave(&mut self) {
        if std::mem::take(&mut self.is_on) {
            let _ = tcsetattr(stdin(), OptionalActions::Now, &self.cooked);
        }
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A thread that restores our terminal if a signal ends this process, until it is dropped.
struct Rescue {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Rescue {
    fn start(raw: &RawMode) -> io::Result<Self> {
        let mut signals = Signals::new(DEADLY)?;
        let (handle, cooked) = (signals.handle(), raw.cooked.clone());
        let work = move || {
            for signal in signals.forever() {
                let _ = tcsetattr(stdin(), OptionalActions::Now, &cooked);
                let _ = emulate_default_handler(signal);
            }
        };
        let thread = std::thread::Builder::new().name("rescue".into()).spawn(work)?;
        Ok(Self { handle, thread: Some(thread) })
    }
}

impl Drop for Rescue {
    fn drop(&mut self) {
        self.handle.close();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Returns true unless we are a background job of the terminal. A terminal without jobs has no
/// background.
fn is_in_foreground() -> bool {
    tcgetpgrp(stdin()).map_or(true, |group| group == getpgrp())
}

/// The state of the thread.
struct Work {
    /// The command's terminal, which the reader of its output owns.
    pty: Weak<Pty>,
    child: Pid,
    ended: PipeReader,
    resized: Event,
    continued: Event,
    /// `None` if no keys are passed on.
    raw: Option<RawMode>,
    /// Keys that did not fit into the command's terminal.
    pending: Vec<u8>,
}

impl Work {
    fn run(mut self) {
        // The size may have changed since the terminal was opened.
        self.copy_size();
        while let Ok([ended, resized, continued, input]) = self.sleep() {
            if ended {
                return;
            }
            if continued {
                self.continued.clear();
                self.enter();
            }
            if resized || continued {
                self.resized.clear();
                self.copy_size();
            }
            if input {
                self.read_input();
            }
            if !self.pending.is_empty() {
                self.write_pending();
            }
        }
    }

    fn enter(&mut self) {
        if let Some(raw) = &mut self.raw {
            raw.enter();
        }
    }

    /// Sleeps until there is something to do: the end of the command, a new size, our own
    /// continuation, or input. Input is read only after earlier input has been written.
    fn sleep(&self) -> Result<[bool; 4], Errno> {
        let takes_input = self.pending.is_empty() && self.raw.as_ref().is_some_and(|raw| raw.is_on);
        let fds: [BorrowedFd<'_>; 4] = [
            self.ended.as_fd(),
            self.resized.reader.as_fd(),
            self.continued.reader.as_fd(),
            stdin(),
        ];
        let mut fds = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let watched = if takes_input { fds.as_mut_slice() } else { &mut fds[..3] };
        let time_out = (!self.pending.is_empty()).then_some(&RETRY);
        match rustix::event::poll(watched, time_out) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        Ok(fds.map(|fd| !fd.revents().is_empty()))
    }

    fn copy_size(&self) {
        if let (Some(pty), Some(size)) = (self.pty.upgrade(), own_size()) {
            let _ = tcsetwinsize(&*pty, size);
        }
    }

    fn read_input(&mut self) {
        let mut buffer = [0; INPUT_BYTES];
        match rustix::io::read(stdin(), &mut buffer) {
            Ok(count @ 1..) => self.pending.extend(buffer.iter().take(count)),
            Err(Errno::INTR | Errno::AGAIN) => {}
            // The terminal is gone. Nothing is left to restore.
            Ok(_) | Err(_) => self.raw = None,
        }
    }

    /// Writes input to the command's terminal, as far as it fits. If the input contains the key
    /// that stops a job, stops the command and our own job.
    fn write_pending(&mut self) {
        let Some(pty) = self.pty.upgrade() else {
            self.raw = None;
            self.pending.clear();
            return;
        };
        let stop_key = stop_key(&pty, self.child);
        let stop_at = self.pending.iter().position(|byte| Some(*byte) == stop_key);
        let end = stop_at.map_or(self.pending.len(), |at| at + 1);
        let written = match rustix::io::write(&*pty, self.pending.get(..end).unwrap_or_default()) {
            Ok(count) => count,
            Err(Errno::INTR | Errno::AGAIN) => 0,
            Err(_) => self.pending.len(),
        };
        self.pending.drain(..written.min(self.pending.len()));
        if stop_at.is_some_and(|at| at < written) {
            self.stop_job();
        }
    }

    /// Stops the command and our own job, until our job is continued.
    fn stop_job(&mut self) {
        let _ = kill_process_group(self.child, Signal::STOP);
        if let Some(raw) = &mut self.raw {
            raw.leave();
        }
        // This stops the programs of the shell's pipeline, and this process. The stop may come a
        // little later, so wait until it is over. It does not come if no shell controls us.
        self.continued.clear();
        let _ = kill_current_process_group(Signal::TSTP);
        let mut continued = [PollFd::new(&self.continued.reader, PollFlags::IN)];
        let _ = rustix::event::poll(&mut continued, Some(&STOP_TIMEOUT));
        self.enter();
        self.copy_size();
        let _ = kill_process_group(self.child, Signal::CONT);
    }
}

/// Returns the key at which the kernel would stop the command if it had a parent in its session;
/// `None` if the command handles that key itself, or runs another job in its terminal.
fn stop_key(pty: &Pty, child: Pid) -> Option<u8> {
    let settings = tcgetattr(pty).ok()?;
    let stops = settings.local_modes.contains(LocalModes::ISIG)
        && tcgetpgrp(pty).is_ok_and(|group| group == child)
        && has_default_action(child, SIGTSTP);
    let key = settings.special_codes[SpecialCodeIndex::VSUSP];
    // 0 disables the key.
    (stops && key != 0).then_some(key)
}
