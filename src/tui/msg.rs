//! What happens (`Msg`) and what is to be done about it (`Effect`): plain data, so that a test can
//! send and compare it.
//!
//! Everything outside reaches the model as a [`Msg`]: keys, time, the disk, the answers of the
//! worker. Everything the model wants done leaves [`super::update`] as an [`Effect`]. Nothing here
//! does anything.

mod page;
mod request;
mod runs;

use std::path::PathBuf;

use crate::catalog::{Beside, RunList};
use crate::file::FilePath;
use crate::join::{RunHead, RunNode};
use crate::log::Tail;
use crate::model::RunId;
use crate::time::Time;
use crate::tui::keymap::Key;
use crate::tui::wait::Wait;

pub use page::{Head, HitCount, Known, Page, Target};
pub use request::{Fold, Folds, Goal, PageRequest, Sought, Ticket};
pub use runs::{FoundRuns, Next, RunsRequest, Step};

/// How many runs are read at once: more than any screen shows.
pub const PAGE_RUNS: usize = 100;

/// The most runs at hand: those around the ones on screen.
pub const MAX_RUNS: usize = 20 * PAGE_RUNS;

/// The most bytes that are copied: a terminal takes an OSC 52 of some 100,000 bytes, and base64
/// makes four of three.
pub const MAX_COPY_BYTES: usize = 74_000;

/// Something has happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// The mouse did something at this column and row of the screen.
    Mouse(Mouse, u16, u16),
    /// The terminal has this many columns and rows now.
    Resize(u16, u16),
    /// It is this late.
    Tick(Time),
    /// Something on disk may have changed. A hint: whoever reads decides what it was.
    Disk,
    /// A change in these directories may mean something new.
    Dirs(Option<RunId>, Vec<PathBuf>),
    /// How changes on disk are noticed from now on.
    Watching(Watching),
    /// The newest runs.
    Runs(RunList),
    /// The nearest runs on one side of a run; `None` when that run is not there (any more).
    RunsBeside(Beside, Option<RunList>),
    /// Runs that match what this search looks for.
    RunsFound(Ticket, FoundRuns),
    /// The run to which a step leads; `None` when there is none.
    Stepped(Step, Option<Box<RunHead>>),
    /// A run with its jobs and commands; `None` when it is not there (any more).
    Run(RunId, Option<Box<RunNode>>),
    /// Rows of the log that the ticket asked for.
    Page(Ticket, Page),
    /// More is known of the log of this ticket.
    Known(Ticket, Known),
    /// The log is as it was when the same page was read before; what is known of it.
    Unchanged(Ticket, Known),
    /// There is no such row as the ticket asked for.
    Missed(Ticket),
    /// What the ticket asked for is being looked for; so many hundredths of the log have been.
    Looking(Ticket, u8),
    /// The run that the user asked for by another name than its id was found.
    Found(RunId),
    /// What a user should know, on leaving, of how the store was read.
    Notices(Vec<String>),
    /// The worker begins to read something, or goes on with it; `None`: it rests.
    Reads(Option<PathBuf>),
    /// What is waited for from now on; `None`: the store is read again.
    Waiting(Option<Wait>),
    /// The beginning of a log, to be copied, and whether that leaves something out.
    Copied(String, bool),
    /// Another program has all that it needs but the terminal.
    Ready,
    /// That program has ended.
    Returned,
    /// Work was given up; the next attempt may succeed.
    Failed(Work, String),
    /// A signal asks us to stop, as Ctrl-Z does.
    Stop,
    /// The terminal shows us again after a stop.
    Resumed,
    /// This signal asks to leave.
    Signal(i32),
    /// The terminal is gone, or a thread has panicked without which the loop cannot go on.
    Lost,
}

/// What the mouse did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mouse {
    /// The wheel, by this many notches; positive is down.
    Wheel(i8),
    /// The left button went down.
    Click,
}

/// How changes on disk are noticed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Watching {
    /// The system tells.
    #[default]
    Told,
    /// We look, often: the system cannot tell here.
    Polling,
}

/// What could not be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// Reading the database and the directories.
    Store,
    /// Reading the log that this ticket asked for.
    Log(Ticket),
    /// Handing something over: to the clipboard, to an editor, to a pager.
    Outside,
}

/// A row of a log, for a program that shows the log around it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRow {
    /// The log.
    pub log: FilePath,
    /// Where the row begins.
    pub offset: u64,
    /// What a last line without its newline is.
    pub tail: Tail,
}

/// Something is to be done.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Read this run, and the list of runs, whether or not anything has changed.
    Load(Option<RunId>),
    /// The same if anything has changed.
    Refresh(Option<RunId>),
    /// Read the nearest runs on one side of a run.
    ReadRuns(Beside),
    /// Search for runs, in place of what was searched for; `None`: for nothing.
    FindRuns(Option<RunsRequest>),
    /// Find the run to which a step leads.
    Step(Step),
    /// Read rows of a log.
    ReadLog(Ticket, Box<PageRequest>),
    /// Watch these directories, and none of those named before.
    Watch(Vec<PathBuf>),
    /// Switch the mouse on or off.
    CaptureMouse(bool),
    /// Put this on the clipboard; what is more than [`MAX_COPY_BYTES`] is left out, and that is
    /// told.
    Copy(String),
    /// Have the terminal call its user, and tell this.
    Notify(String),
    /// Read the beginning of a log, as much as can be copied.
    CopyRows(FilePath, Tail),
    /// Show a copy of the log in the user's editor, at this row.
    Edit(LogRow),
    /// Show the log in the user's pager, at this row.
    Page(LogRow),
    /// Draw everything anew.
    Redraw,
    /// Give the terminal back and stop, as Ctrl-Z does.
    Suspend,
    /// Leave.
    Quit,
}

impl Effect {
    /// Whether the worker does it.
    #[must_use]
    pub const fn is_for_worker(&self) -> bool {
        let is_of_store = matches!(self, Self::Load(_) | Self::Refresh(_) | Self::ReadRuns(_));
        is_of_store
            || matches!(
                self,
                Self::FindRuns(_) | Self::Step(_) | Self::ReadLog(..) | Self::CopyRows(..)
            )
    }
}
