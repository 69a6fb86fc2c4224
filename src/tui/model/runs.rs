//! The list of runs at hand, and what is typed to find some of them.

use ratatui::layout::Rect;
use tui_input::Input;

use super::Model;
use crate::catalog::Beside;
use crate::display;
use crate::join::RunHead;
use crate::model::RunId;
use crate::tui::layout::runs_parts;
use crate::tui::msg::{Next, Ticket};

/// The list of runs.
#[derive(Default)]
pub struct Runs {
    /// Those at hand: a part of the list without a gap, newest first; `None` until they have been
    /// read.
    pub heads: Option<Vec<RunHead>>,
    /// There are newer ones than those at hand.
    pub has_newer: bool,
    /// There are older ones than those at hand.
    pub has_older: bool,
    /// The newest of all.
    pub newest: Option<RunId>,
    /// What is being read; only the newest request counts.
    pub asked: Option<Beside>,
    /// The one under the cursor.
    pub at: Option<RunId>,
    /// The first one on screen.
    pub top: usize,
    /// The line in which one types what to find.
    pub finder: Option<Finder>,
    /// The number of the newest search.
    pub ticket: Ticket,
}

/// Runs that are searched for.
#[derive(Default)]
pub struct Finder {
    /// What is typed; as long as that is nothing, all runs are shown.
    pub input: Input,
    /// Keys are typed.
    pub is_typing: bool,
    /// Those that match, newest first.
    pub heads: Vec<RunHead>,
    /// How many were looked at.
    pub looked: usize,
    /// Where more may be.
    pub next: Next,
    /// The one under the cursor.
    pub at: Option<RunId>,
    /// The first one on screen.
    pub top: usize,
    /// One has been opened before there was one: the first is meant.
    pub opens_first: bool,
}

impl Finder {
    /// What is typed.
    #[must_use]
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// How many match of how many: `12 of 3,400`; `12+` while there may be more.
    #[must_use]
    pub fn count(&self) -> String {
        let more = if self.next == Next::End { "" } else { "+" };
        let (found, looked) =
            (display::grouped(self.heads.len() as u64), display::grouped(self.looked as u64));
        format!("{found}{more} of {looked}")
    }
}

impl Model {
    /// The line in which one types, if there is one, and the rows of the list of runs.
    #[must_use]
    pub fn runs_parts(&self, body: Rect) -> (Rect, Rect) {
        runs_parts(body, self.runs.finder.is_some())
    }
}

impl Runs {
    /// Whether keys are typed.
    #[must_use]
    pub const fn is_typing(&self) -> bool {
        matches!(&self.finder, Some(finder) if finder.is_typing)
    }

    /// What is searched for, once something is typed.
    #[must_use]
    pub fn active_finder(&self) -> Option<&Finder> {
        self.finder.as_ref().filter(|finder| !finder.text().trim().is_empty())
    }

    /// The runs that are shown, the one under the cursor, the first on screen.
    #[must_use]
    pub fn shown(&self) -> (&[RunHead], Option<&RunId>, usize) {
        match self.active_finder() {
            Some(finder) => (&finder.heads, finder.at.as_ref(), finder.top),
            None => (self.heads.as_deref().unwrap_or_default(), self.at.as_ref(), self.top),
        }
    }

    /// The cursor in what is shown, and the first on screen.
    pub fn cursor_mut(&mut self) -> (&mut Option<RunId>, &mut usize) {
        if self.active_finder().is_none() {
            return (&mut self.at, &mut self.top);
        }
        match &mut self.finder {
            Some(finder) => (&mut finder.at, &mut finder.top),
            None => (&mut self.at, &mut self.top),
        }
    }
}
