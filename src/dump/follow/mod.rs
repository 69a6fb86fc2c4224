//! `--follow`: prints a run in plain lines while it is running, for screen readers, dumb terminals
//! and the logs of other tools.
//!
//! ```text
//! run d61998d3, example, main@12d4999: running since 2026-05-06 14:00:00
//! job build, command 1: cargo build
//! E    Compiling example v0.1.0
//! job test, command 1: cargo test
//!   running 30 tests
//! job build, command 1 continues:            the last row was of another command
//! E    Finished dev in 11.9s
//! job build, command 1 passed after 12.1s
//! ```
//!
//! No printed line is ever overwritten. So a row is printed only when it is complete, and a
//! progress bar in its last state. A row that later rows overwrite is left out only if the later
//! rows are already in the log. Rows begin with two spaces, `E ` or `! `; no other line begins this
//! way. Changes are found by polling, which works on every file system. Polling ten times per
//! second is fast enough for line output.
//!
//! `run_printer` prints the changes of a run, and `dump::failure_summary` finds the reason for a
//! failure. This module contains the loop that calls `run_printer`.

mod run_printer;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::options::{PrintOptions, Report};
use super::selection::{Selection, select, why_nothing};
use crate::catalog::{Catalog, RunFilter, RunSpec, Wait};
use crate::error::{Error, Result};
use crate::join::{RunHead, RunNode};
use crate::model::{Phase, RunId};
use run_printer::RunPrinter;

/// The interval at which the run is read even if the database has not changed. Some changes are not
/// in the database, such as a new log or the death of a recorder.
const READ_INTERVAL: Duration = Duration::from_secs(1);

/// The minimum delay before an unchanged run is read again, as a multiple of the duration of the
/// last read.
const READ_PAUSE_FACTOR: u32 = 4;

/// The run to follow.
#[derive(Clone, Debug)]
pub struct FollowOptions {
    /// The run to follow; `None` for the newest run.
    pub spec: Option<RunSpec>,
    /// The filter that the run must match.
    pub filter: RunFilter,
    /// The jobs and commands to print.
    pub selection: Selection,
}

/// The caller's callbacks for [`follow`].
pub struct Hooks<'a> {
    /// Shows a message that is not part of the output.
    pub show: &'a mut dyn FnMut(&str),
    /// Waits a short time between two reads. Fails if the reader of the output is gone.
    pub pause: &'a mut dyn FnMut() -> io::Result<()>,
}

/// The result of following a run.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The run at its end.
    pub head: RunHead,
    /// True if the run was seen before it had ended.
    pub was_seen_running: bool,
    /// True if a log could not be read.
    pub unreadable: bool,
}

/// Prints a run until it has ended. Waits for a run, or a store, that does not exist yet. A run
/// without a row and without events has no recorded end, so this function does not return for it,
/// unless its log is a compressed file or a closed pipe.
///
/// # Errors
/// If the run disappears, if a server refuses to list the runs, if `wanted` selects nothing in it,
/// or if `out` cannot be written.
pub fn follow(
    catalog: &mut Catalog,
    wanted: &FollowOptions,
    look: &PrintOptions,
    hooks: &mut Hooks<'_>,
    out: &mut impl Write,
) -> Result<Followed> {
    let mut waits = Waits::default();
    let id = find(catalog, wanted, &mut waits, hooks)?;
    let mut printer = RunPrinter::new(look, out);
    let (mut was_seen_running, mut unreadable) = (false, false);
    // The reason why nothing is selected.
    let mut missing = None;
    let mut next_read = Instant::now();
    loop {
        let started = Instant::now();
        // Before the read, which then includes the last bytes.
        let is_ended_log = catalog.has_ended();
        let read = read_if_due(catalog, &id, is_ended_log || started >= next_read);
        let was_read = !matches!(read, Ok(None));
        let head_at_end = match read {
            Ok(Some(run)) => {
                waits.last = None;
                let head = run.head.clone();
                was_seen_running |= matches!(head.phase, Phase::Queued | Phase::Active);
                let is_over = is_ended_log || head.phase == Phase::Finished;
                unreadable |= is_over && run.is_unreadable();
                missing = why_nothing(&run, &wanted.selection);
                let run = select(run, &wanted.selection);
                let mut result = printer.take_in(&run);
                if is_ended_log {
                    result = result.and_then(|()| printer.end_logs(&run));
                }
                result.map(|()| is_over.then_some(head))
            }
            Ok(None) => printer.read_on().map(|()| None),
            Err(error @ Error::NotFound(_)) => return Err(error),
            Err(error) => {
                waits.report(&Wait::of(&error, true), hooks);
                printer.read_on().map(|()| None)
            }
        };
        if was_read {
            next_read = Instant::now() + READ_INTERVAL.max(started.elapsed() * READ_PAUSE_FACTOR);
        }
        unreadable |= show_report(&printer.take_report(), hooks);
        let ended = head_at_end.map_err(Error::Output)?;
        match ended {
            Some(_) if missing.is_some() && printer.printed_nothing() => {
                return Err(Error::NotFound(missing.unwrap_or_default()));
            }
            Some(head) => return Ok(Followed { head, was_seen_running, unreadable }),
            None => (hooks.pause)().map_err(Error::Output)?,
        }
    }
}

/// Reads the run if it may have changed or a read is due; otherwise returns `None`.
fn read_if_due(catalog: &mut Catalog, id: &RunId, is_due: bool) -> Result<Option<RunNode>> {
    catalog.renew();
    if !catalog.changed()? && !is_due {
        return Ok(None);
    }
    let gone = || Error::NotFound(format!("run {} is no longer in the store", id.short()));
    catalog.run(id)?.ok_or_else(gone).map(Some)
}

/// Finds the requested run, and waits for it if necessary.
fn find(
    catalog: &Catalog,
    wanted: &FollowOptions,
    waits: &mut Waits,
    hooks: &mut Hooks<'_>,
) -> Result<RunId> {
    loop {
        catalog.renew();
        let wait = match catalog
            .find(wanted.spec.as_ref().unwrap_or(&RunSpec::Latest(0)), &wanted.filter)
        {
            Ok(id) => return Ok(id),
            Err(Error::NoRun(_)) if wanted.spec.is_none() => {
                Wait::for_first_run(catalog.root(), wanted.filter.narrows())
            }
            // No run was read yet, and a further request would fail, too.
            Err(error @ Error::Refused { .. }) => return Err(error),
            Err(error) => Wait::of(&error, false),
        };
        waits.report(&wait, hooks);
        (hooks.pause)().map_err(Error::Output)?;
    }
}

/// The last reason for waiting that was shown. Each reason is shown once.
#[derive(Default)]
struct Waits {
    last: Option<Wait>,
}

impl Waits {
    fn report(&mut self, wait: &Wait, hooks: &mut Hooks<'_>) {
        if self.last.as_ref() == Some(wait) {
            return;
        }
        let path =
            wait.path.as_ref().map(|path| format!(" ({})", path.display())).unwrap_or_default();
        let why = wait.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        (hooks.show)(&format!("waiting: {}{path}{why}", wait.what));
        self.last = Some(wait.clone());
    }
}

/// Shows the notices of a report. Returns true if a log could not be read.
fn show_report(report: &Report, hooks: &mut Hooks<'_>) -> bool {
    report.notices.iter().for_each(|notice| (hooks.show)(notice));
    report.unreadable
}
