//! The process of a command: its start, its output, and its end.
//!
//! ```text
//! command ─stdout─► source ─► reader ┐ one lock        ┌► log
//!         ─stderr─► source ─► reader ┴────► Sink ──────┤
//!                             then, unlocked, Tee ─────┴► our own stdout, stderr
//! ```
//!
//! The figure shows the form with two pipes. The other forms of the connection ([`Output`]) have
//! one source and one reader. The readers are started before the command, so its output is read
//! from the beginning. The database is not used here.

mod keyboard;
mod output;
mod queue;
mod reader;
mod relay;
mod source;
mod spawn;
mod terminal;

use std::io::{self, IsTerminal};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustix::process::Pid;
use wait4::Wait4;

use self::keyboard::{Keyboard, Prepared};
pub use self::output::Output;
pub use self::reader::lock;
use self::reader::{Passing, Readers};
use self::source::CommandEnds;
pub use self::spawn::{Exit, NotStarted, Spare, Spawn, is_own_dir};
use self::spawn::{exit_of, is_out_of_descriptors, not_started, spawn_child, wait_for_exit};
use super::console::Destination;
use super::sink::Sink;
use super::stop::{Stop, Target};
use crate::time::Time;

/// The end of a command and of its output.
pub struct Ended {
    /// The exit code or signal, and the resources used.
    pub exit: Exit,
    /// The time of its exit. Its output may end later.
    pub at: Instant,
    /// The same as a time of day.
    pub finished_at: Time,
    /// False if its output bypassed the sink.
    pub is_recorded: bool,
    /// The connection that its output was read from; `None` if it was not read.
    pub output: Option<Output>,
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
    /// `None` if the command has no terminal of its own, or there is nothing to pass on to it.
    keyboard: Option<Keyboard>,
    stop: Stop,
    warnings: Vec<String>,
}

impl Running {
    /// Starts a command. Its output goes to `sink` and `to`. If there is no sink, or if there are
    /// not enough descriptors or threads to read the output, the command inherits our own streams,
    /// or its output is discarded if `to` is [`Destination::Nothing`].
    ///
    /// # Errors
    /// If it could not be run.
    pub fn start(
        spawn: &Spawn<'_>,
        sink: Option<&Arc<Mutex<Sink>>>,
        to: &Destination,
        stop: &Stop,
    ) -> Result<Self, NotStarted> {
        let mut warnings = Vec::new();
        let quiet = matches!(to, Destination::Nothing);
        let (readers, ends) = match sink.map(|sink| connect(spawn, sink, to, &mut warnings)) {
            Some(Ok((readers, ends))) => (Some(readers), Some(ends)),
            Some(Err(error)) => {
                spawn.spare.release();
                warnings.push(format!("the output was not recorded: {error}"));
                (None, None)
            }
            None => (None, None),
        };
        let has_terminal = readers.as_ref().is_some_and(|readers| readers.terminal.is_some());
        let mut prepared = has_terminal.then(|| Prepared::new(spawn.has_keyboard()));
        let (spawned, readers) = match spawn_child(spawn, ends, quiet) {
            Err(error) if is_out_of_descriptors(&error) => {
                // The command gets our own terminal.
                prepared = None;
                warnings.extend(readers.into_iter().flat_map(|readers| readers.finish().warnings));
                spawn.spare.release();
                warnings.push(format!("the output was not recorded: {error}"));
                (spawn_child(spawn, None, quiet), None)
            }
            spawned => (spawned, readers),
        };
        match spawned {
            Ok(child) => Ok(Self::started(child, readers, prepared, spawn, stop, warnings)),
            Err(error) => {
                readers.map(Readers::finish);
                Err(not_started(&error))
            }
        }
    }

    /// Connects signals and keys to a command that was spawned.
    fn started(
        child: Child,
        mut readers: Option<Readers>,
        prepared: Option<io::Result<Prepared>>,
        spawn: &Spawn<'_>,
        stop: &Stop,
        mut warnings: Vec<String>,
    ) -> Self {
        let terminal = readers.as_mut().and_then(|readers| readers.terminal.take());
        let mut keyboard = None;
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            stop.started(Target {
                pid,
                leads_group: spawn.own_group || terminal.is_some(),
                may_be_killed: spawn.may_be_killed,
            });
            let started = terminal.zip(prepared).map(|(terminal, prepared)| {
                prepared.and_then(|prepared| Keyboard::start(prepared, terminal, pid))
            });
            keyboard = started.transpose().unwrap_or_else(|error| {
                warnings.push(format!("the command cannot read the keyboard: {error}"));
                None
            });
        }
        Self { child, readers, keyboard, stop: stop.clone(), warnings }
    }

    /// Returns its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the exit of the command and for the end of its output. Nothing is written to the
    /// sink after this.
    pub fn wait(self) -> Ended {
        let Self { child, readers, keyboard, stop, mut warnings } = self;
        // This does not reap the command: its process id must not be reused until `ended` has the
        // lock.
        let waited = wait_for_exit(child.id());
        let (at, finished_at) = (Instant::now(), Time::now());
        let output = readers.as_ref().map(|readers| readers.output);
        let read = readers.map(Readers::finish).unwrap_or_default();
        drop(keyboard);
        let exit = stop.ended(|| child.wait4());
        warnings.extend(read.warnings);
        warnings.extend(relay::pass_on(read.rests));
        if let Err(error) = waited {
            warnings.push(format!("cannot wait for the command: {error}"));
        }
        let exit = exit_of(exit, &mut warnings);
        let is_recorded = output.is_some();
        Ended { exit, at, finished_at, is_recorded, output, warnings, start_error: None }
    }
}

/// Creates the connection to a command, and starts the readers. If the system has no terminal or
/// queue, the connection has two pipes, with a warning.
fn connect(
    spawn: &Spawn<'_>,
    sink: &Arc<Mutex<Sink>>,
    to: &Destination,
    warnings: &mut Vec<String>,
) -> io::Result<(Readers, CommandEnds)> {
    let tees = to.tees()?;
    let open = |output| source::connect(output, spawn.has_keyboard());
    let mut output = spawn.output;
    let (sources, ends) = match (open(output), output) {
        (Err(error), Output::Pty | Output::Exact) if !is_out_of_descriptors(&error) => {
            warnings.push(format!(
                "the output was recorded through two pipes: cannot use `{}`: {error}",
                spawn.output.name()
            ));
            output = Output::Apart;
            open(output)?
        }
        (connected, _) => connected?,
    };
    let passing = Passing {
        ends_with_reader: spawn.ends_with_reader,
        shows_returns: spawn.has_keyboard() && io::stdout().is_terminal(),
    };
    Ok((Readers::start(output, sources, sink, tees, spawn.masked, passing)?, ends))
}
