//! The loaded part of the list of runs, and the search in it.

use tui_input::Input;

use super::highlights::Highlights;
use super::position;
use super::steps::Steps;
use crate::catalog::Beside;
use crate::display;
use crate::document::Ticket;
use crate::join::RunHead;
use crate::model::RunId;
use crate::tui::msg::Next;

/// The list of runs.
#[derive(Default)]
pub struct Runs {
    /// The loaded runs: a part of the list without gaps, newest first; `None` before the first
    /// read.
    pub heads: Option<Vec<RunHead>>,
    /// True if there are newer runs than the loaded ones.
    pub has_newer: bool,
    /// True if there are older runs than the loaded ones.
    pub has_older: bool,
    /// The newest run of all.
    pub newest: Option<RunId>,
    /// The pending request; answers to any other one are ignored.
    pub asked: Option<Beside>,
    /// The run under the cursor.
    pub at: Option<RunId>,
    /// The index of the first run on screen.
    pub top: usize,
    /// The jobs and commands that represent the runs on screen.
    pub highlights: Highlights,
    /// The steps that are not answered yet.
    pub steps: Steps,
    /// The line in which a search is typed, with its results.
    pub finder: Option<Finder>,
    /// The number of the newest search.
    pub ticket: Ticket,
}

/// A search for runs.
#[derive(Default)]
pub struct Finder {
    /// The typed text; all runs are shown while it is blank.
    pub input: Input,
    /// True if keys are typed into the line.
    pub is_typing: bool,
    /// The matching runs, newest first.
    pub heads: Vec<RunHead>,
    /// The number of runs examined.
    pub looked: usize,
    /// The place at which the search continues.
    pub next: Next,
    /// The run under the cursor.
    pub at: Option<RunId>,
    /// The index of the first run on screen.
    pub top: usize,
    /// True if Enter was pressed before any run was found: the first match will be opened.
    pub opens_first: bool,
}

impl Finder {
    /// Returns the typed text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// Returns the number of matches and of runs examined: `12 of 3,400`, or `12+ of 3,400` while
    /// there may be more matches.
    #[must_use]
    pub fn count(&self) -> String {
        let more = if self.next == Next::End { "" } else { "+" };
        let (found, looked) =
            (display::grouped(self.heads.len() as u64), display::grouped(self.looked as u64));
        format!("{found}{more} of {looked}")
    }
}

impl Runs {
    /// Returns true if keys are typed into the line.
    #[must_use]
    pub const fn is_typing(&self) -> bool {
        matches!(&self.finder, Some(finder) if finder.is_typing)
    }

    /// Returns the search if anything is typed.
    #[must_use]
    pub fn active_finder(&self) -> Option<&Finder> {
        self.finder.as_ref().filter(|finder| !finder.text().trim().is_empty())
    }

    /// Returns the runs shown, the run under the cursor, and the index of the first run on screen.
    #[must_use]
    pub fn shown(&self) -> (&[RunHead], Option<&RunId>, usize) {
        match self.active_finder() {
            Some(finder) => (&finder.heads, finder.at.as_ref(), finder.top),
            None => (self.heads.as_deref().unwrap_or_default(), self.at.as_ref(), self.top),
        }
    }

    /// Returns the cursor in the runs shown, and the index of the first run on screen.
    pub fn cursor_mut(&mut self) -> (&mut Option<RunId>, &mut usize) {
        if self.active_finder().is_none() {
            return (&mut self.at, &mut self.top);
        }
        match &mut self.finder {
            Some(finder) => (&mut finder.at, &mut finder.top),
            None => (&mut self.at, &mut self.top),
        }
    }

    /// Returns the number of runs that fit into a pane of this height.
    pub(super) fn rows(&self, height: usize) -> usize {
        height.saturating_sub(usize::from(self.finder.is_some() && height > 1)).max(1)
    }

    /// Returns the position of the cursor among the runs shown; if it is on none of them, the
    /// position of the first run on screen.
    pub(super) fn cursor(&self) -> usize {
        let (heads, at, top) = self.shown();
        position(heads, at).unwrap_or(top)
    }
}
