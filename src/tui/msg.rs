//! What happens (`Msg`) and what is to be done about it (`Effect`): plain data, so that a test can send and compare it.
//!
//! Everything outside reaches the model as a [`Msg`]: keys, time, the disk, the answers of the worker. Everything the model
//! wants done leaves [`super::update`] as an [`Effect`]. Nothing here does anything.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::catalog::{Beside, RunList};
use crate::file::FilePath;
use crate::join::{Place, RunHead, RunNode};
use crate::log::{Anchor, Standing, Tail, Window};
use crate::model::{Outcome, RunId};
use crate::sanitise::Style;
use crate::search::{Cause, Query, Sieve, Towards};
use crate::time::Time;
use crate::tui::keymap::Key;
use crate::tui::scroll::Source;
use crate::tui::wait::Wait;

/// How many runs are read at once: more than any screen shows.
pub const PAGE_RUNS: usize = 100;

/// The most runs at hand: those around the ones on screen.
pub const MAX_RUNS: usize = 20 * PAGE_RUNS;

/// The most bytes that are copied: a terminal takes an OSC 52 of some 100,000 bytes, and base64 makes four of three.
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
    /// The terminal is gone.
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

/// Which runs are searched for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunsRequest {
    /// Its number; answers to older ones do not count.
    pub ticket: Ticket,
    /// What was typed.
    pub text: String,
    /// Only runs older than this one; `None`: all.
    pub after: Option<RunId>,
}

/// Runs that match, out of a slice of the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundRuns {
    /// Those that match, newest first.
    pub heads: Vec<RunHead>,
    /// How many were looked at.
    pub looked: usize,
    /// The slice is the first: what was found before is not.
    pub is_anew: bool,
    /// Where more may be.
    pub next: Next,
}

/// Where more runs that match may be.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Next {
    /// They are being looked for.
    #[default]
    Looking,
    /// Older than this one; they are looked for when somebody asks.
    After(RunId),
    /// Nowhere.
    End,
}

/// A step to another run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// To the nearest on this side of a run.
    pub beside: Beside,
    /// That ended like this.
    pub outcome: Option<Outcome>,
    /// It is opened; otherwise the cursor goes there.
    pub opens: bool,
}

/// Numbers the requests for log rows, and the searches for runs; only the answer to the newest counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Ticket(pub u64);

/// Which rows of a log.
#[derive(Clone, PartialEq, Debug)]
pub enum Goal {
    /// Those at an anchor.
    Rows(Anchor),
    /// Those on both sides of this byte.
    Around(u64),
    /// Those around the first row that begins at or behind this byte; it is looked for.
    Place(u64),
    /// Those around the row with this number, from 0; in a scroll, with this number in its section, in the form of an address.
    Row(u64),
    /// Those around the first row of this time or later.
    Time(Time),
    /// Those around the row behind so many hundredths of the bytes.
    Percent(u8),
    /// Those around the row that most likely tells why the command failed, with this exit code; where none does, the last.
    Cause(Option<i64>),
    /// Those around the heading of the innermost group around a row, which is folded or opened.
    Fold(u64, Fold),
    /// Those around the nearest row of a kind.
    Next {
        /// What is looked for.
        what: Sought,
        /// From here on, as [`Towards`] says.
        from: u64,
        /// In which direction.
        towards: Towards,
        /// From one end of the log it goes on at the other.
        round: bool,
    },
}

/// What is done to a fold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fold {
    /// It is opened.
    Open,
    /// It is folded.
    Close,
    /// The one or the other.
    Toggle,
}

impl Fold {
    /// Whether what stands so is folded then.
    #[must_use]
    pub const fn of(self, is_folded: bool) -> bool {
        match self {
            Self::Open => false,
            Self::Close => true,
            Self::Toggle => !is_folded,
        }
    }
}

/// Which groups of logs are folded.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Folds {
    /// All of them, or none; `None`: those that ask for it themselves.
    pub all: Option<bool>,
    /// Those that are in another way, by the addresses of their headings: whether they are folded.
    pub chosen: Arc<BTreeMap<u64, bool>>,
}

impl Folds {
    /// Whether a group is folded.
    #[must_use]
    pub fn is_folded(&self, heading: u64, is_collapsed: bool) -> bool {
        self.chosen.get(&heading).copied().or(self.all).unwrap_or(is_collapsed)
    }

    /// Whether a group may be folded that does not ask for it.
    #[must_use]
    pub fn fold_some(&self) -> bool {
        self.all == Some(true) || self.chosen.values().any(|is_folded| *is_folded)
    }

    /// Folds or opens some.
    pub fn choose(&mut self, changes: impl IntoIterator<Item = (u64, bool)>) {
        Arc::make_mut(&mut self.chosen).extend(changes);
    }
}

/// What kind of row is looked for.
#[derive(Clone, PartialEq, Debug)]
pub enum Sought {
    /// One that matches.
    Match(Query),
    /// One that tells of an error.
    Error,
    /// One that comes so much later than the one before it.
    Gap {
        /// How much, in milliseconds.
        min_ms: i64,
    },
}

/// Which rows of what.
#[derive(Clone, PartialEq, Debug)]
pub struct PageRequest {
    /// The log, or the logs of a scroll. What is an offset of a single log is an address there ([`super::scroll::Spot`]).
    pub source: Source,
    /// Where the rows lie in it.
    pub goal: Goal,
    /// How many at most.
    pub rows: usize,
    /// Which rows are shown.
    pub sieve: Sieve,
    /// Which groups are folded.
    pub folds: Folds,
    /// Matches of this are counted.
    pub search: Option<Query>,
    /// The rows of the same request were taken in and are still at hand: if nothing has changed, that is answer enough.
    pub is_refresh: bool,
}

impl PageRequest {
    /// Whether the same rows are asked for, for whatever reason.
    #[must_use]
    pub fn is_same_page(&self, other: &Self) -> bool {
        let is_same =
            |a: &Self, b: &Self| a.goal == b.goal && a.rows == b.rows && a.sieve == b.sieve && a.folds == b.folds;
        is_same(self, other) && self.source == other.source
    }
}

/// Rows of a log and what is known of all of it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Page {
    /// The rows asked for.
    pub window: Window,
    /// What the rows before them have left switched on.
    pub style: Style,
    /// What is known of the log.
    pub known: Known,
    /// Counts how often the file was replaced or cut short: offsets of another generation mean nothing.
    pub generation: u64,
    /// How the file that was read stands to its name.
    pub standing: Standing,
    /// The row that was looked for, if one was.
    pub target: Option<Target>,
    /// The section of a scroll that had to be opened to show that row.
    pub opened: Option<Place>,
    /// The groups that were opened to show it, or folded or opened on demand, by the addresses of their headings.
    pub folded: Vec<(u64, bool)>,
    /// Why the command failed most likely, if that was asked for.
    pub cause: Option<Box<Cause>>,
}

/// A row that was looked for and found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// It was found beyond the end of the log at which the search went on from the other.
    pub has_wrapped: bool,
}

/// What is known of a log, beside its rows; more from time to time.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Known {
    /// How many rows the whole log has so far, where that is known.
    pub total_rows: Option<u64>,
    /// How many of them are of standard error.
    pub stderr_rows: Option<u64>,
    /// The times of its first and last record.
    pub span: Option<(Time, Time)>,
    /// The numbers of the rows on the last page, from 0, where they are known.
    pub numbers: Vec<Option<u64>>,
    /// The rows on the last page that are headings of groups.
    pub heads: Vec<Head>,
    /// The rows that match the search.
    pub hits: Option<HitCount>,
    /// The rows that the filter lets through.
    pub passed: Option<HitCount>,
}

/// The heading of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The address of its row.
    pub at: u64,
    /// The group is folded.
    pub is_folded: bool,
    /// How many rows lie in it, with that of its end, where they have been counted.
    pub rows: Option<u64>,
}

/// How many rows of a log match.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HitCount {
    /// So many were found so far.
    pub rows: u64,
    /// The whole log has been scanned.
    pub is_all: bool,
    /// Which of them the row is that was found last, from 1, where that is known.
    pub number: Option<u64>,
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
    /// Put this on the clipboard; what is more than [`MAX_COPY_BYTES`] is left out, and that is told.
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
        is_of_store || matches!(self, Self::FindRuns(_) | Self::Step(_) | Self::ReadLog(..) | Self::CopyRows(..))
    }
}
