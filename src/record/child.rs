//! One command: starts it, reads its output from two pipes, and waits for its end.
//!
//! ```text
//! command ─stdout─► reader ┐ one lock        ┌► log
//!         ─stderr─► reader ┴────► Sink ──────┤
//!                   then, unlocked, Tee ─────┴► our own stdout, stderr
//! ```
//!
//! The readers are started before the command, so its output is read from the beginning. The
//! database is not used here.

mod reader;
mod spawn;

use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustix::process::Pid;
use wait4::Wait4;

pub use self::reader::lock;
use self::reader::{Readers, own_streams};
pub use self::spawn::{Exit, NotStarted, Spare, Spawn, is_own_dir};
use self::spawn::{
    exit_of, is_out_of_descriptors, not_started, own_stdio, spawn_child, wait_for_exit,
};
use super::sink::Sink;
use super::stop::{Stop, Target};

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
