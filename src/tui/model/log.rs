//! The log on screen: the rows at hand, where one stands in them, and what has been asked for.

use crate::join::Place;
use crate::log::{FileState, Row, Window};
use crate::model::RunId;
use crate::sanitize::{Progress, Style};
use crate::search::Cause;
use crate::tui::msg::{Goal, Head, Known, Ticket};
use crate::tui::scroll::{LogSource, RowAddress, Section};
use crate::tui::view_options::Times;
use crate::tui::widget::{Columns, lines_of};

/// The most lines of the row of the cause on a card.
const MAX_CAUSE_LINES: u16 = 4;

/// Whose output is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogKey {
    /// In which run.
    pub run: RunId,
    /// The command's, or the run's own log; the job's or the run's commands in a scroll.
    pub place: Place,
    /// All of its commands in one scroll.
    pub is_scroll: bool,
}

/// A row that was marked: the run, the command, and where it begins in that one's log.
pub type Mark = (RunId, Place, u64);

/// The log of the selected command, or of the run itself; or a scroll of logs.
#[derive(Default)]
pub struct Log {
    /// Whose it is.
    pub key: Option<LogKey>,
    /// Where its rows come from; `None` when there is no log.
    pub source: Option<LogSource>,
    /// Whether somebody may still be writing it.
    pub is_alive: bool,
    /// Whoever wrote it was cut short.
    pub is_interrupted: bool,
    /// The rows at hand: those on screen and some more at either side.
    pub window: Window,
    /// What the rows before those at hand have left switched on.
    pub style: Style,
    /// The first row on screen, counted in the window.
    pub top: usize,
    /// How many lines of that row are scrolled out of sight, where rows are wrapped.
    pub line: usize,
    /// Where the current row begins: the one that was looked for.
    pub at: Option<u64>,
    /// Where it began before other rows were shown: it is the current one again as soon as it is
    /// among them.
    pub marked: Option<u64>,
    /// The last row is on screen: new ones scroll it.
    pub follow: bool,
    /// How many columns are scrolled out at the left.
    pub sideways: usize,
    /// What is known of the whole log.
    pub known: Known,
    /// How many it had when its last row was on screen; `None` when it never was.
    pub seen_rows: Option<u64>,
    /// Which generation of the file the window is from.
    pub generation: u64,
    /// How the file stands to its name.
    pub file_state: FileState,
    /// Why its command failed most likely, and whether that is shown.
    pub card: Option<Card>,
    /// Why it could not be read last time.
    pub fault: Option<String>,
    /// The request that is out.
    pub request: Option<Request>,
    /// How far what is looked for has been looked for, in hundredths of the log, once that takes
    /// long.
    pub looking: Option<u8>,
    /// What is to be said if it is not found.
    pub if_missed: String,
    /// The number of the newest request.
    pub ticket: Ticket,
    /// Where and how much was asked for last: asking for the same again brings nothing new by
    /// itself.
    pub asked: Option<(Goal, usize)>,
}

/// Why a command failed most likely.
pub struct Card {
    /// What was found.
    pub cause: Box<Cause>,
    /// It is shown above the rows.
    pub is_open: bool,
}

/// How many lines of a card the row of the cause takes: all that it says, if that is not too long.
#[must_use]
pub fn cause_lines(cause: &Cause, width: u16) -> u16 {
    let row = cause.at.and_then(|at| cause.rows.iter().find(|row| row.offset == at));
    let text = Columns::new(width, None, Times::None, false).text;
    let lines = row.map_or(1, |row| lines_of(row, Some(text), Progress::Last, false));
    u16::try_from(lines).unwrap_or(u16::MAX).clamp(1, MAX_CAUSE_LINES)
}

/// What happens when the rows asked for have come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// Which row to show then.
    pub aim: Aim,
    /// How far to scroll then: what the rows at hand did not allow.
    pub pending_scroll: isize,
    /// The file has changed since the request went out.
    pub stale: bool,
    /// The rows at hand are about to be left: moves count from where the answer leads.
    pub is_jump: bool,
}

/// Which rows to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aim {
    /// The first.
    Start,
    /// The last.
    End,
    /// Those being read.
    Here,
    /// Those around the row that is looked for.
    Target,
}

impl Log {
    /// The section of a scroll whose heading this row is.
    #[must_use]
    pub fn heading(&self, row: &Row) -> Option<&Section> {
        self.source.as_ref()?.heading(row.offset)
    }

    /// What is known of the group of which this row is the heading.
    #[must_use]
    pub fn group(&self, row: &Row) -> Option<&Head> {
        self.known.heads.iter().find(|head| head.at == row.offset)
    }

    /// Whose output an address lies in, and the byte of that one's log: its start for a heading.
    #[must_use]
    pub fn place_at(&self, address: u64) -> Option<(Place, u64)> {
        match self.source.as_ref()? {
            LogSource::Log(..) => Some((self.key.as_ref()?.place.clone(), address)),
            source @ LogSource::Scroll(_) => {
                Some((source.section(address)?.place.clone(), RowAddress::of(address).offset()))
            }
        }
    }

    /// Whether a row is being looked for; rows that are to be shown in another way are not.
    #[must_use]
    pub fn is_seeking(&self) -> bool {
        let goal = self.asked.as_ref().map(|(goal, _)| goal);
        self.request.is_some() && !matches!(goal, None | Some(Goal::Rows(_) | Goal::Around(_)))
    }

    /// How many rows have come that have not been on screen, while it was not followed.
    #[must_use]
    pub fn unseen(&self) -> u64 {
        self.seen_rows.map_or(0, |seen| self.known.total_rows.unwrap_or(0).saturating_sub(seen))
    }
}
