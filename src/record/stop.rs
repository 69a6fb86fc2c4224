//! Stopping what is being recorded: by a signal to us, or by a word from inside the program.
//!
//! The recorder itself is killed by neither SIGINT, SIGTERM nor SIGHUP: it must outlive its command to write down how that
//! ended. The command stays in our process group, so a Ctrl-C of the terminal reaches it without us. The rule, therefore:
//!
//! | what came | what the running command gets |
//! |---|---|
//! | SIGINT from the terminal (the kernel sent it) | nothing more: it has it already |
//! | SIGINT from a process, SIGTERM, SIGHUP, [`Stop::stop`] | the same signal; SIGTERM for `stop` |
//! | any second one | SIGKILL |
//!
//! A signal that was ignored when we were started (`nohup`, `&` in a script) stays ignored, for us and for the command.
//! Invariant: nothing is ever sent to a process id that has been waited for, and so may be somebody else's by now.

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::{Handle, SignalsInfo};
use signal_hook::low_level::siginfo::{Cause, Origin};

/// A handle that stops a recording from elsewhere; its clones are the same handle.
#[derive(Clone, Default, Debug)]
pub struct Stop(Arc<Mutex<State>>);

#[derive(Default, Debug)]
struct State {
    asked: u32,
    running: Option<Pid>,
    /// Came while no command was known to run, and is owed to the next one: one that has just been spawned may have
    /// it from the terminal already, and twice is better than never.
    owed: Option<Signal>,
}

impl Stop {
    /// A handle that nobody has used yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the recording: the running command gets a SIGTERM, on a second call a SIGKILL. Returns at once.
    pub fn stop(&self) {
        self.ask(Signal::TERM, false);
    }

    /// Whether somebody asked to stop.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.state().asked > 0
    }

    fn ask(&self, signal: Signal, has_it_already: bool) {
        let mut state = self.state();
        state.asked = state.asked.saturating_add(1);
        let is_second = state.asked > 1;
        let signal = if is_second { Signal::KILL } else { signal };
        match state.running {
            Some(pid) if is_second || !has_it_already => send(pid, signal),
            Some(_) => {}
            None => state.owed = Some(signal),
        }
    }

    /// A command has been spawned and not been waited for.
    pub(super) fn started(&self, pid: u32) {
        let mut state = self.state();
        state.running = i32::try_from(pid).ok().and_then(Pid::from_raw);
        if let (Some(pid), Some(signal)) = (state.running, state.owed.take()) {
            send(pid, signal);
        }
    }

    /// Waits for the command with `wait`, which must not block: under the lock, so that no signal can come too late.
    pub(super) fn ended<T>(&self, wait: impl FnOnce() -> T) -> T {
        let mut state = self.state();
        state.running = None;
        wait()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The command may have ended a moment ago; then there is nobody to tell.
fn send(pid: Pid, signal: Signal) {
    let _ = kill_process(pid, signal);
}

/// Turns signals to this process into requests to stop, until dropped. Afterwards the three signals stay without effect.
pub(super) struct Watch {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn start(stop: &Stop) -> io::Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let heeded = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(&status, *signal));
        let mut signals = SignalsInfo::<WithOrigin>::new(heeded)?;
        let handle = signals.handle();
        let stop = stop.clone();
        let work = move || {
            for origin in signals.forever() {
                if let Some(signal) = Signal::from_named_raw(origin.signal) {
                    stop.ask(signal, is_from_terminal(&origin));
                }
            }
        };
        let thread = std::thread::Builder::new().name("signals".into()).spawn(work)?;
        Ok(Self { handle, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Only SIGINT counts: a SIGHUP of the kernel goes to the leader of the session alone, and that may be us. Where the system
/// does not tell who sent it (macOS), a terminal on stdin decides.
fn is_from_terminal(origin: &Origin) -> bool {
    origin.signal == SIGINT
        && match origin.cause {
            Cause::Kernel => true,
            Cause::Unknown => io::stdin().is_terminal(),
            _ => false,
        }
}

/// Whether a signal is in the `SigIgn` mask of a `/proc/<pid>/status`; bit 0 is signal 1 (`proc_pid_status(5)`).
fn is_ignored(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    u32::try_from(signal - 1).ok().and_then(|bit| mask.checked_shr(bit)).is_some_and(|shifted| shifted & 1 == 1)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command};

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").spawn().unwrap()
    }

    fn ending_signal(child: &mut Child) -> Option<i32> {
        child.wait().unwrap().signal()
    }

    #[test]
    fn a_stop_is_a_sigterm_to_the_running_command() {
        let (stop, mut child) = (Stop::new(), sleeper());
        stop.started(child.id());
        stop.clone().stop();
        assert!(stop.is_asked());
        assert_eq!(ending_signal(&mut child), Some(SIGTERM));
    }

    #[test]
    fn a_stop_between_two_commands_is_owed_to_the_next() {
        let (stop, mut child) = (Stop::new(), sleeper());
        stop.stop();
        stop.started(child.id());
        assert_eq!(ending_signal(&mut child), Some(SIGTERM));
    }

    #[test]
    fn a_second_stop_kills_even_when_both_came_before_the_command_was_known() {
        let (stop, mut child) = (Stop::new(), sleeper());
        stop.stop();
        stop.stop();
        stop.started(child.id());
        assert_eq!(ending_signal(&mut child), Some(9));
    }

    #[test]
    fn the_terminals_sigint_is_not_doubled_but_a_second_one_kills() {
        let (stop, mut child) = (Stop::new(), sleeper());
        stop.started(child.id());
        stop.ask(Signal::INT, true);
        assert_eq!(child.try_wait().unwrap(), None);
        stop.ask(Signal::INT, true);
        assert_eq!(ending_signal(&mut child), Some(9));
    }

    #[test]
    fn signals_that_were_ignored_at_the_start_are_known_by_their_bit() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        assert!(is_ignored(status, SIGHUP) && is_ignored(status, 13));
        assert!(!is_ignored(status, SIGINT) && !is_ignored(status, SIGTERM) && !is_ignored("", SIGHUP));
    }
}
