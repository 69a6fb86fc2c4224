//! The stop of a recording, by a signal to this process or by a call of [`Stop::stop`].
//!
//! None of the signals below ends the recorder itself, because it must record the end of its
//! command. The command stays in our process group, so a Ctrl-C in the terminal also reaches it
//! directly. Therefore:
//!
//! | event | signal to the running command |
//! |---|---|
//! | SIGINT or SIGQUIT from the terminal (sent by the kernel) | none: the command already has it |
//! | SIGINT or SIGQUIT from a process, SIGTERM, SIGHUP | the same signal |
//! | [`Stop::stop`] | SIGTERM |
//! | in a pipeline, another of the events above, a second or more after the first | SIGKILL |
//! | SIGUSR1, SIGUSR2, SIGALRM, a real-time signal | the same signal; it does not stop a pipeline |
//!
//! The signals in the last row kill a process by default. Shell scripts (for example with
//! `timeout`) and CI runners send them to the process that they started, which is the recorder.
//!
//! A command in a terminal of its own ([`Output::Pty`](super::Output::Pty)) is an exception: no
//! signal from our terminal reaches it directly, so it gets all of them from us, as a process
//! group. If it has our keyboard, Ctrl-C and Ctrl-\ are keys that its own terminal turns into
//! signals.
//!
//! A single recorded command handles all signals itself, even repeated ones: it may be a shell or a
//! debugger. Without a terminal, only we can signal the child processes of a command. Therefore
//! each command then has a process group of its own, and the whole group gets the signal. With a
//! terminal this is not possible: a background group that reads a password from the terminal would
//! be stopped forever.
//!
//! A signal that was ignored when we were started (`nohup`, `&` in a script) stays ignored, for us
//! and for the command. Invariant: no signal is sent to a process id that has been waited for,
//! since it may belong to another process by then.

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
#[cfg(target_os = "linux")]
use rustix_libc_wrappers::process::SignalExt;
use signal_hook::consts::{
    SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ,
};
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::{Handle, SignalsInfo};
use signal_hook::low_level::siginfo::{Cause, Origin};

/// The time that a pipeline's command has to react to a signal before the next one kills it. One
/// stop may come as several signals at once: to us, to our group, from the terminal.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A handle to stop a recording from another thread. All clones stop the same recording.
#[derive(Clone, Default, Debug)]
pub struct Stop(Arc<Mutex<State>>);

#[derive(Default, Debug)]
struct State {
    /// The time of the first request to stop.
    requested_at: Option<Instant>,
    running: Option<Target>,
    /// The signals that came while no command was registered as running. The next command gets
    /// them. If that command was already spawned, it may have received the signals from the
    /// terminal, too: receiving them twice is better than missing them.
    pending: Vec<Signal>,
    /// True if a request to stop came while no command was running.
    is_hurried: bool,
    /// True if the running command has exceeded its time limit.
    is_overdue: bool,
    /// The handles of the jobs that run at the same time.
    branches: Vec<Stop>,
}

impl Stop {
    /// Creates an unused handle.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the recording: the running command gets a SIGTERM. Returns at once.
    pub fn stop(&self) {
        self.request(Signal::TERM, false, Instant::now());
    }

    /// Returns a handle for one of several jobs that run at the same time. Requests to stop also
    /// reach its command, but not the other way around.
    pub(super) fn branch(&self) -> Self {
        let mut state = self.state();
        let branch = Self::new();
        let pending = std::mem::take(&mut state.pending);
        let requested_at = state.requested_at;
        *branch.state() = State { requested_at, pending, ..State::default() };
        state.branches.retain(|branch| Arc::strong_count(&branch.0) > 1);
        state.branches.push(branch.clone());
        branch
    }

    /// Sends a signal to the running command, if there is one, because of its time limit.
    pub(super) fn time_out(&self, signal: Signal) {
        let mut state = self.state();
        if let Some(target) = state.running {
            state.is_overdue = true;
            target.send(signal);
        }
    }

    /// Returns true if a stop was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.state().requested_at.is_some()
    }

    /// Marks the end of the last command. A later request to stop ends the waiting at the end of
    /// the run.
    pub(super) fn all_ended(&self) {
        self.state().is_hurried = false;
    }

    /// Returns true if a request to stop came after [`Stop::all_ended`].
    pub(super) fn is_hurried(&self) -> bool {
        self.state().is_hurried
    }

    /// Passes on a signal that is not a request to stop.
    fn pass_on(&self, signal: Signal) {
        let mut state = self.state();
        for branch in &state.branches {
            branch.pass_on(signal);
        }
        match state.running {
            Some(target) => target.send(signal),
            None if state.has_branches() => {}
            None => state.pending.push(signal),
        }
    }

    /// Requests a stop with a signal. `was_delivered` is true if the terminal also sent the signal
    /// to our process group.
    fn request(&self, signal: Signal, was_delivered: bool, now: Instant) {
        let mut state = self.state();
        let first = *state.requested_at.get_or_insert(now);
        let is_overdue = now.saturating_duration_since(first) >= TIMEOUT;
        for branch in &state.branches {
            branch.request(signal, was_delivered, now);
        }
        match state.running {
            Some(target) if is_overdue && target.may_be_killed => target.send(Signal::KILL),
            Some(target) if target.leads_group || !was_delivered => target.send(signal),
            Some(_) => {}
            None if state.has_branches() => {}
            None => {
                state.pending.push(signal);
                state.is_hurried = true;
            }
        }
    }

    /// Registers a command that has been spawned and not been waited for, and sends it the signals
    /// that came before.
    pub(super) fn started(&self, target: Target) {
        let mut state = self.state();
        state.running = Some(target);
        for signal in std::mem::take(&mut state.pending) {
            target.send(signal);
        }
    }

    /// Calls `wait`, which reaps the command and must not block, and returns its result. Holds the
    /// lock during the call, so that no signal is sent after the process id is free. In a stopped
    /// pipeline, and after a time limit, the rest of the command's process group is killed first,
    /// so that none of its processes continues.
    pub(super) fn ended<T>(&self, wait: impl FnOnce() -> T) -> T {
        let mut state = self.state();
        let target =
            state.running.take().filter(|target| target.leads_group && target.may_be_killed);
        let is_ended_early = state.requested_at.is_some() || std::mem::take(&mut state.is_overdue);
        if let Some(target) = target.filter(|_| is_ended_early) {
            target.send(Signal::KILL);
        }
        wait()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns true if the jobs that use the branches have not all ended.
    fn has_branches(&self) -> bool {
        self.branches.iter().any(|branch| Arc::strong_count(&branch.0) > 1)
    }
}

/// The command that gets the signals.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Its process id.
    pub pid: Pid,
    /// True if it leads a process group of its own.
    pub leads_group: bool,
    /// True if it is killed when it does not react to a signal.
    pub may_be_killed: bool,
}

impl Target {
    /// Sends a signal. Ignores errors: the command may have ended a moment ago.
    fn send(self, signal: Signal) {
        let _ = if self.leads_group {
            kill_process_group(self.pid, signal)
        } else {
            kill_process(self.pid, signal)
        };
    }
}

/// The signals that request a stop.
const STOPPING: [i32; 4] = [SIGINT, SIGQUIT, SIGTERM, SIGHUP];

/// Returns the signals that are passed on and have no effect on us.
fn passed_on() -> impl Iterator<Item = i32> {
    #[cfg(target_os = "linux")]
    let real_time = Signal::rt_min().as_raw()..=Signal::rt_max().as_raw();
    #[cfg(not(target_os = "linux"))]
    let real_time = [];
    [SIGUSR1, SIGUSR2, SIGALRM].into_iter().chain(real_time)
}

#[cfg(target_os = "linux")]
fn signal_of(raw: i32) -> Option<Signal> {
    Signal::from_raw(raw)
}

#[cfg(not(target_os = "linux"))]
fn signal_of(raw: i32) -> Option<Signal> {
    Signal::from_named_raw(raw)
}

/// Prepares the signals of this process for recording, until the process ends. Commands get the
/// defaults back.
///
/// - SIGXFSZ: a limit on file size becomes an error of the write, like a full disk.
/// - SIGCHLD: if the parent process ignores it, we inherit that, and the system would not keep the
///   exit codes of commands.
///
/// Call it before anything is written.
///
/// # Errors
/// If the system refuses a signal handler.
pub(super) fn prepare_signals() -> io::Result<()> {
    let ignored = ignored_by(&own_status());
    if !ignored.contains(SIGXFSZ) {
        signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    }
    if ignored.contains(SIGCHLD) {
        signal_hook::flag::register(SIGCHLD, Arc::default())?;
    }
    Ok(())
}

/// Returns the content of `/proc/self/status`, which includes the signal masks; empty on systems
/// without this file.
fn own_status() -> String {
    std::fs::read_to_string("/proc/self/status").unwrap_or_default()
}

/// A thread that handles signals to this process until it is dropped: it turns them into requests
/// to stop, or passes them on to the command. Afterward the signals have no effect.
pub(super) struct Watch(Handle);

impl Watch {
    pub(super) fn start(stop: &Stop) -> io::Result<Self> {
        let ignored = ignored_by(&own_status());
        let heeded =
            STOPPING.into_iter().chain(passed_on()).filter(|signal| !ignored.contains(*signal));
        let mut signals = SignalsInfo::<WithOrigin>::new(heeded)?;
        let handle = signals.handle();
        let stop = stop.clone();
        let work = move || {
            for origin in signals.forever() {
                let Some(signal) = signal_of(origin.signal) else { continue };
                if STOPPING.contains(&origin.signal) {
                    stop.request(signal, is_from_terminal(&origin), Instant::now());
                } else {
                    stop.pass_on(signal);
                }
            }
        };
        // The thread ends on its own once the handle is closed.
        std::thread::Builder::new().name("signals".into()).spawn(work)?;
        Ok(Self(handle))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Returns true if a signal came from the terminal, so that the command also received it. Only
/// SIGINT and SIGQUIT count: the kernel sends SIGHUP to the session leader alone, which may be us.
/// If the system does not report the sender (macOS), returns true if stdin is a terminal.
fn is_from_terminal(origin: &Origin) -> bool {
    matches!(origin.signal, SIGINT | SIGQUIT)
        && match origin.cause {
            Cause::Kernel => true,
            Cause::Unknown => io::stdin().is_terminal(),
            _ => false,
        }
}

/// Returns true if a process neither ignores nor handles a signal, or if that is unknown.
pub(super) fn has_default_action(pid: Pid, signal: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()));
    let status = status.unwrap_or_default();
    !ignored_by(&status).contains(signal) && !Mask::of(&status, "SigCgt:").contains(signal)
}

/// Returns the signals that a process with this `/proc/<pid>/status` ignores.
fn ignored_by(status: &str) -> Mask {
    Mask::of(status, "SigIgn:")
}

/// A set of signals; bit 0 is signal 1 (`proc_pid_status(5)`).
struct Mask(u64);

impl Mask {
    /// Reads a field of a `/proc/<pid>/status`. Empty if the field is missing.
    fn of(status: &str, field: &str) -> Self {
        let hex = status.lines().find_map(|line| line.strip_prefix(field));
        Self(hex.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0))
    }

    fn contains(&self, signal: i32) -> bool {
        let shifted = u32::try_from(signal - 1).ok().and_then(|bit| self.0.checked_shr(bit));
        shifted.is_some_and(|bits| bits & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Child, Command, Stdio};

    use super::*;

    fn sleeper() -> (Child, Target) {
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid::from_child(&child);
        (child, Target { pid, leads_group: false, may_be_killed: true })
    }

    fn ending_signal(child: &mut Child) -> Option<i32> {
        child.wait().unwrap().signal()
    }

    #[test]
    fn a_stop_sends_sigterm_to_the_running_command() {
        let (stop, (mut child, target)) = (Stop::new(), sleeper());
        stop.started(target);
        stop.clone().stop();
        assert!(stop.is_requested());
        assert_eq!(ending_signal(&mut child), Some(SIGTERM));
    }

    #[test]
    fn a_stop_between_two_commands_applies_to_the_next() {
        let (stop, (mut child, target)) = (Stop::new(), sleeper());
        stop.stop();
        stop.started(target);
        assert_eq!(ending_signal(&mut child), Some(SIGTERM));
    }

    #[test]
    fn a_forwarded_signal_stops_nothing() {
        let (stop, (mut child, target)) = (Stop::new(), sleeper());
        stop.pass_on(Signal::USR1);
        assert!(!stop.is_requested() && !stop.is_hurried());
        stop.started(target);
        assert_eq!(ending_signal(&mut child), Some(SIGUSR1));
    }

    #[test]
    fn only_a_stop_after_the_last_command_is_urgent() {
        let (stop, (mut child, target)) = (Stop::new(), sleeper());
        stop.started(target);
        stop.request(Signal::INT, true, Instant::now());
        assert!(!stop.is_hurried());
        stop.ended(|| child.kill().and_then(|()| child.wait()).unwrap());
        stop.request(Signal::INT, true, Instant::now());
        stop.all_ended();
        assert!(!stop.is_hurried(), "that one may have been for the next command");
        stop.request(Signal::INT, true, Instant::now());
        assert!(stop.is_hurried());
    }

    #[test]
    fn several_signals_may_be_one_stop_and_a_later_signal_kills() {
        let (stop, (mut child, target)) = (Stop::new(), sleeper());
        let now = Instant::now();
        stop.started(target);
        stop.request(Signal::INT, true, now);
        stop.request(Signal::INT, true, now + TIMEOUT / 2);
        assert_eq!(child.try_wait().unwrap(), None);
        stop.request(Signal::INT, true, now + TIMEOUT);
        assert_eq!(ending_signal(&mut child), Some(9));
    }

    #[test]
    fn a_command_that_handles_its_own_signals_is_never_killed() {
        let (stop, (mut child, target)) = (Stop::new(), sleeper());
        let now = Instant::now();
        stop.started(Target { may_be_killed: false, ..target });
        stop.request(Signal::INT, true, now);
        stop.request(Signal::INT, true, now + 10 * TIMEOUT);
        assert_eq!(child.try_wait().unwrap(), None);
        stop.request(Signal::TERM, false, now + 20 * TIMEOUT);
        assert_eq!(ending_signal(&mut child), Some(SIGTERM));
    }

    #[test]
    fn a_signal_is_sent_to_the_whole_process_group() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & echo ready; wait"]).process_group(0).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        output.read_exact(&mut [0; 6]).unwrap();
        let stop = Stop::new();
        stop.started(Target {
            pid: Pid::from_child(&child),
            leads_group: true,
            may_be_killed: true,
        });
        stop.stop();
        // The pipe ends only when all processes that hold it have ended.
        assert_eq!(output.read_to_end(&mut Vec::new()).unwrap(), 0);
        assert_eq!(ending_signal(&mut child), Some(SIGTERM));
    }

    #[test]
    fn signals_ignored_at_startup_are_read_from_the_bit_mask() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        let ignored = ignored_by(status);
        assert!(ignored.contains(SIGHUP) && ignored.contains(13));
        assert!(!ignored.contains(SIGINT) && !ignored.contains(SIGTERM));
        assert!(!ignored_by("").contains(SIGHUP));
    }
}
