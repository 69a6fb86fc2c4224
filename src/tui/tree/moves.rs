//! Moves of the selection, folding of jobs, and going to another command.

use std::cmp::Reverse;

use super::{Item, Tree, items_of};
use crate::display;
use crate::join::{Place, RunNode};
use crate::time::Time;
use crate::tui::layout::Pane;
use crate::tui::motion::{Move, reveal, step};
use crate::tui::msg::{AppEvent, Events};
use crate::tui::widget::spent_ms_by;

impl Tree {
    /// Selects an item for the user. From now on, the selection does not move automatically.
    fn choose(&mut self, run: &RunNode, place: Place) -> Events {
        self.chosen = true;
        self.select(run, place)
    }

    /// Selects an item, scrolls the tree to it, and shows its log.
    pub(in crate::tui) fn select(&mut self, run: &RunNode, place: Place) -> Events {
        if let Place::Sh(job, _) = &place {
            self.folded.remove(job);
        }
        self.shows_all &= self.at.as_ref() == Some(&place);
        // A run without a log of its own shows all its commands.
        self.shows_all |= place == Place::Run
            && run.log.is_none()
            && run.jobs.iter().any(|job| !job.shs.is_empty());
        self.at = Some(place);
        self.reveal_selected(run);
        AppEvent::Show.into()
    }

    /// Scrolls the tree as far as needed to show the selection.
    pub(in crate::tui) fn reveal_selected(&mut self, run: &RunNode) {
        if let Some(at) = self.index_in(&self.items(run)) {
            self.top = reveal(self.top, at, self.height);
        }
    }

    /// Moves the selection.
    pub(in crate::tui) fn go(&mut self, run: &RunNode, how: Move) -> Events {
        let items = self.items(run);
        let at = self.index_in(&items).unwrap_or(0);
        let to = items.get(step(at, how.rows(self.height), items.len())).map(Item::place);
        to.map_or_else(Events::none, |place| self.choose(run, place))
    }

    /// Hides the commands of the selected job. If a command is selected, selects its job.
    pub(in crate::tui) fn fold(&mut self, run: &RunNode) -> Events {
        match self.at.clone() {
            Some(Place::Job(job)) => {
                self.folded.insert(job);
                Events::none()
            }
            Some(Place::Sh(job, _)) => self.choose(run, Place::Job(job)),
            Some(Place::Run) | None => Events::none(),
        }
    }

    /// Shows the commands of the selected job. If they are already shown, selects the first one.
    pub(in crate::tui) fn unfold(&mut self, run: &RunNode) -> Events {
        let Some(Place::Job(id)) = self.at.clone() else { return Events::none() };
        if self.folded.remove(&id) {
            return Events::none();
        }
        let job = run.jobs.iter().find(|job| job.job.id == id);
        let first = job.and_then(|job| job.shs.first()).map(|sh| sh.n);
        first.map_or_else(Events::none, |n| self.choose(run, Place::Sh(id, n)))
    }

    /// Folds or unfolds the selected job, or the job of the selected command.
    pub(in crate::tui) fn toggle(&mut self, run: &RunNode) -> Events {
        let Some(job) = self.at.as_ref().and_then(Place::job).cloned() else {
            return Events::none();
        };
        if self.folded.remove(&job) {
            return Events::none();
        }
        self.folded.insert(job.clone());
        self.choose(run, Place::Job(job))
    }

    /// Gives the log's pane the focus. For a job or the run, shows all its commands there.
    pub(in crate::tui) fn open(&mut self) -> Events {
        let Some(at) = &self.at else { return Events::none() };
        self.chosen = true;
        let mut events = Events::from(AppEvent::Focus(Pane::Log));
        if at.n().is_none() {
            self.shows_all = true;
            events.extend(AppEvent::Show);
        }
        events
    }

    /// Goes to the next or previous command, in any job, folded or not; to one that failed or was
    /// interrupted if only those count. Does nothing if there is no such command.
    pub(in crate::tui) fn jump(&mut self, run: &RunNode, by: isize, is_for_failed: bool) -> Events {
        let all = items_of(run);
        let is_here = |item: &Item<'_>| self.at.as_ref() == Some(&item.place());
        let here = all.iter().position(is_here).unwrap_or(0);
        let is_wanted =
            |item: &&Item<'_>| item.sh().is_some_and(|sh| !is_for_failed || sh.state.is_failure());
        let found = if by > 0 {
            all.iter().skip(here + 1).find(is_wanted)
        } else {
            all.iter().take(here).rev().find(is_wanted)
        };
        found.map(Item::place).map_or_else(Events::none, |place| self.choose(run, place))
    }

    /// Goes to the slowest command first, and from there to the next or previous one in the order
    /// of duration.
    pub(in crate::tui) fn slowest(
        &mut self,
        run: &RunNode,
        by: isize,
        now: Option<Time>,
    ) -> Events {
        let all = items_of(run);
        let timed = all.iter().filter_map(|item| Some((spent_ms_by(item.sh()?, now)?, item)));
        let mut ranked: Vec<_> = timed.collect();
        // Commands with equal durations stay in the order in which they ran.
        ranked.sort_by_key(|(ms, _)| Reverse(*ms));
        let is_here = |(_, item): &(i64, &Item<'_>)| self.at.as_ref() == Some(&item.place());
        let here = ranked.iter().position(is_here).filter(|_| self.ranked == self.at);
        let to = here.map_or(0, |here| step(here, by, ranked.len()));
        let Some((ms, item)) = ranked.get(to) else {
            return AppEvent::status("command durations unknown");
        };
        let which = if to == 0 { String::new() } else { format!("{} ", display::ordinal(to + 1)) };
        let message = format!("{which}slowest of {}: {}", ranked.len(), display::duration(*ms));
        let place = item.place();
        self.ranked = Some(place.clone());
        let mut events = AppEvent::status(message);
        events.extend(self.choose(run, place));
        events
    }

    /// Scrolls the tree without moving the selection.
    pub(in crate::tui) fn scroll(&mut self, by: isize) {
        self.top = self.top.saturating_add_signed(by);
    }

    /// Selects the row of the tree at a click.
    pub(in crate::tui) fn click(&mut self, run: &RunNode, row: usize) -> Events {
        let place = self.items(run).get(self.top + row).map(Item::place);
        place.map_or_else(Events::none, |place| self.choose(run, place))
    }

    /// Scrolls back if the tree became shorter or the screen higher, so that no rows stay blank.
    pub(in crate::tui) fn settle(&mut self, run: &RunNode) {
        let len = self.items(run).len();
        self.top = self.top.min(len.saturating_sub(self.height));
    }
}
