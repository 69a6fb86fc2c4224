//! Events (`Msg`) and requested actions (`Effect`): plain data that a test can send and compare.
//!
//! Everything from outside reaches the model as a [`Msg`]: keys, time, the disk, the answers of the
//! worker. Everything that the model requests leaves [`super::update`] as an [`Effect`]. Nothing
//! here performs an action.

mod app;
mod runs;

use std::path::PathBuf;

use crate::catalog::{Beside, Highlight, RunList};
use crate::document::{Answer, PageRequest, Ticket};
use crate::join::{RunHead, RunNode};
use crate::log::LogPath;
use crate::log::Tail;
use crate::model::RunId;
use crate::search::Location;
use crate::time::Time;
use crate::tui::keymap::Key;
use crate::tui::wait::Wait;

pub use app::{AppEvent, Events};
pub use runs::{FoundRuns, Next, RunsRequest, Step};

/// The number of runs read at once: more than any screen shows.
pub const PAGE_RUNS: usize = 100;

/// The most runs kept in memory: those around the ones on screen.
pub const MAX_RUNS: usize = 20 * PAGE_RUNS;

/// The most bytes copied. A terminal takes an OSC 52 sequence of some 100,000 bytes, and base64
/// turns three bytes into four.
pub const MAX_COPY_BYTES: usize = 74_000;

/// An event.
#[derive(Clone, PartialEq, Debug)]
pub enum Msg {
    /// A key press.
    Key(Key),
    /// A mouse event at this column and row of the screen.
    Mouse(Mouse, u16, u16),
    /// The new number of columns and rows of the terminal.
    Resize(u16, u16),
    /// The current time.
    Tick(Time),
    /// A hint that something on disk may have changed. The worker has to read the disk to find the
    /// change.
    Disk,
    /// The directories to watch: a change in them may concern this run.
    Dirs(Option<RunId>, Vec<PathBuf>),
    /// The way in which changes on disk are detected from now on.
    Watching(Watching),
    /// The newest runs.
    Runs(RunList),
    /// The nearest runs on one side of a run; `None` if that run is not in the store.
    RunsBeside(Beside, Option<RunList>),
    /// The runs of a request, and the highlights of those that have one.
    Highlights(Vec<RunHead>, Vec<(RunId, Highlight)>),
    /// A slice of the search for runs, with the runs that match.
    RunsFound(Ticket, FoundRuns),
    /// The run to which a step leads; `None` if there is no such run.
    Stepped(Step, Option<Box<RunHead>>),
    /// The failure of a step: the store could not be read.
    StepFailed,
    /// A run with its jobs and commands; `None` if it is not in the store.
    Run(RunId, Option<Box<RunNode>>),
    /// An answer to the ticket's request for rows.
    Log(Ticket, Answer),
    /// The ID of the run that the user requested at the start.
    Found(RunId),
    /// Notices about how the store was read, printed after the screen is closed.
    Notices(Vec<String>),
    /// The path that the worker begins to read, or still reads; `None` if it is idle.
    Reads(Option<PathBuf>),
    /// The reason to wait from now on; `None` once the store can be read again.
    Waiting(Option<Wait>),
    /// The beginning of a log, to be copied; true if the rest is left out.
    Copied(String, bool),
    /// An external program is ready and needs the terminal.
    Ready,
    /// The external program has ended.
    Returned,
    /// The failure of some work, with the reason; the next attempt may succeed.
    Failed(Work, String),
    /// A signal to suspend the program, as Ctrl-Z sends it.
    Stop,
    /// The continuation of the program after it was suspended.
    Resumed,
    /// A signal that ends the program.
    Signal(i32),
    /// The loss of the terminal, or the panic of a thread without which the loop cannot continue.
    Lost,
}

/// A mouse event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mouse {
    /// The wheel, by this many notches; positive is down.
    Wheel(i8),
    /// A press of the left button.
    Click,
}

/// The way in which changes on disk are detected.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Watching {
    /// Events from the system.
    #[default]
    Told,
    /// Frequent polling, because the system provides no events here.
    Polling,
}

/// The kind of work that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// Reading the database and the directories.
    Store,
    /// Reading the log that this ticket requested.
    Log(Ticket),
    /// Passing data to the clipboard, an editor or a pager.
    External,
}

/// A row of a log, for a program that shows the log around it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRow {
    /// The log.
    pub log: LogPath,
    /// The byte at which the row begins.
    pub offset: u64,
    /// The treatment of a last line without a newline.
    pub tail: Tail,
}

/// An action that the model requests, by its recipient.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// The worker reads something.
    Worker(WorkerRequest),
    /// The disk watcher watches these directories, and no others.
    Watch(Vec<PathBuf>),
    /// The terminal does something.
    Terminal(TerminalRequest),
    /// Another program shows a log.
    External(ExternalRequest),
    /// The program ends.
    Quit,
}

/// A request to the worker.
#[derive(Clone, PartialEq, Debug)]
pub enum WorkerRequest {
    /// Read this run and the list of runs, even if nothing has changed.
    Load(Option<RunId>),
    /// Read this run and the list of runs if anything has changed.
    Refresh {
        /// The run.
        run: Option<RunId>,
        /// True if the list of runs is needed now. A list on a server is not requested otherwise.
        needs_list: bool,
    },
    /// Read the nearest runs on one side of a run.
    ReadRuns(Beside),
    /// Read the highlights of these runs.
    ReadHighlights(Vec<RunHead>),
    /// Search for runs, in place of the last search; `None` ends the search.
    FindRuns(Option<RunsRequest>),
    /// Find the run to which a step leads.
    Step(Step),
    /// Read rows of a log.
    ReadLog(Ticket, Box<PageRequest>),
    /// Read the beginning of a log, as much as can be copied.
    CopyRows(LogPath, Tail),
}

/// A request to the terminal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TerminalRequest {
    /// Capture or release the mouse.
    CaptureMouse(bool),
    /// Put this on the clipboard. A text longer than [`MAX_COPY_BYTES`] is cut, and a message
    /// reports that.
    Copy(String),
    /// Notify the user with this text.
    Notify(String),
    /// Redraw the screen.
    Redraw,
    /// Restore the terminal and suspend the program, as Ctrl-Z does.
    Suspend,
}

/// A location in the source code that a log names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// The directory of the command. Its log is not trusted: it must not name a file elsewhere.
    pub dir: PathBuf,
    /// The location.
    pub location: Location,
}

/// A request to show a log in another program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExternalRequest {
    /// The source file in the user's editor or, if there is no such file, a copy of the log, at
    /// this row.
    Edit(LogRow, Option<Source>),
    /// The log in the user's pager, at this row.
    Page(LogRow),
}

/// Entries in the order in which they are handled.
#[derive(Clone, PartialEq, Debug)]
#[must_use = "an effect that is dropped is never performed"]
pub struct Queue<T>(Vec<T>);

/// The actions to which an event leads.
pub type Effects = Queue<Effect>;

impl<T> Queue<T> {
    /// Returns no entries.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Adds the entries of a later event.
    pub fn extend(&mut self, later: impl Into<Self>) {
        self.0.extend(later.into().0);
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::none()
    }
}

impl<T: Into<Effect>> From<T> for Effects {
    fn from(effect: T) -> Self {
        Self(vec![effect.into()])
    }
}

impl<T: Into<Effect>> From<Option<T>> for Effects {
    fn from(effect: Option<T>) -> Self {
        Self(effect.into_iter().map(Into::into).collect())
    }
}

impl<T> FromIterator<T> for Queue<T> {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<T> IntoIterator for Queue<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<WorkerRequest> for Effect {
    fn from(request: WorkerRequest) -> Self {
        Self::Worker(request)
    }
}

impl From<TerminalRequest> for Effect {
    fn from(request: TerminalRequest) -> Self {
        Self::Terminal(request)
    }
}

impl From<ExternalRequest> for Effect {
    fn from(request: ExternalRequest) -> Self {
        Self::External(request)
    }
}
