//! The list of runs: the cursor, opening the run under it, and reading more of the list.
//!
//! Only the part of the list around the screen is loaded. It grows at the end that the cursor
//! approaches, and drops runs at the other. When the store has changed, the first page and the page
//! on screen are read again and replace the runs that they cover; the others stay.

use std::collections::HashSet;

use super::{Runs, position};
use crate::catalog::{Beside, Highlight, RunList};
use crate::join::RunHead;
use crate::model::RunId;
use crate::tui::motion::{Move, reveal, step};
use crate::tui::msg::{AppEvent, Events, MAX_RUNS, WorkerRequest};

impl Runs {
    /// Takes in the newest runs.
    pub fn arrived(&mut self, list: RunList, open: Option<&RunId>, height: usize) -> Events {
        let mut events = self.match_newest(&list, height);
        self.newest = list.heads.first().map(|head| head.run.id.clone());
        self.asked = None;
        self.highlights.outdate();
        self.at = self.at.take().or_else(|| open.cloned());
        let mut first_page = 0;
        // If the loaded runs are far below the first page, they stay as they are.
        if !self.has_newer || !list.has_more || self.last_in_common(&list).is_some() {
            first_page = list.heads.len();
            self.take_in(0, list);
            self.has_newer = false;
        }
        // The runs on screen beyond the first page may have changed too.
        let screen = self.top.max(first_page);
        let heads = self.heads.as_deref().unwrap_or_default();
        let is_beyond = screen < heads.len().min(self.top + self.rows(height));
        let above = screen.checked_sub(1).filter(|_| is_beyond).and_then(|above| heads.get(above));
        let above = above.map(|head| Beside::Older(head.run.id.clone()));
        events.extend(self.ask(above));
        events
    }

    /// Takes in runs beside a run; `None` if that run is no longer in the store.
    pub fn read(&mut self, beside: &Beside, list: Option<RunList>) {
        if self.asked.as_ref() != Some(beside) {
            return;
        }
        self.asked = None;
        let Some(at) = position(self.heads.as_deref().unwrap_or_default(), Some(beside.run()))
        else {
            return;
        };
        match (beside, list, &mut self.heads) {
            (Beside::Older(_), Some(list), _) => {
                self.take_in(at + 1, list);
                self.drop_newest();
            }
            (Beside::Newer(_), Some(list), Some(heads)) => {
                self.has_newer = list.has_more;
                self.top = (self.top + list.heads.len()).saturating_sub(at);
                heads.splice(..at, list.heads);
                self.has_older |= heads.len() > MAX_RUNS;
                heads.truncate(MAX_RUNS);
            }
            (_, None, Some(heads)) => _ = heads.remove(at),
            (_, _, None) => {}
        }
    }

    /// Keeps the pane filled. Requests more runs or matches if the cursor is near an end of the
    /// loaded ones, and the highlights of the runs on screen. Called after each message.
    pub fn go_on(&mut self, height: usize) -> Events {
        self.settle(height);
        let mut events = self.read_more(height);
        let rows = self.rows(height).min(height);
        let mut highlights = std::mem::take(&mut self.highlights);
        let (heads, _, top) = self.shown();
        events.extend(highlights.request(heads.iter().skip(top).take(rows)));
        self.highlights = highlights;
        events
    }

    fn read_more(&mut self, height: usize) -> Events {
        let near = 2 * self.rows(height);
        let (shown, _, top) = self.shown();
        let is_near_end = top.max(self.cursor()) + near >= shown.len();
        if self.active_finder().is_some() {
            return if is_near_end { self.search_on() } else { Events::none() };
        }
        let heads = self.heads.as_deref().unwrap_or_default();
        let id = |head: &RunHead| head.run.id.clone();
        let older = heads.last().filter(|_| self.has_older && is_near_end);
        let newer = || heads.first().filter(|_| self.has_newer && self.top < near);
        let beside = older
            .map(|head| Beside::Older(id(head)))
            .or_else(|| newer().map(|head| Beside::Newer(id(head))))
            .filter(|_| self.asked.is_none());
        self.ask(beside)
    }

    /// Takes in the highlights of runs.
    pub fn highlighted(&mut self, asked: &[RunHead], found: Vec<(RunId, Highlight)>) {
        self.highlights.arrived(asked, found);
    }

    fn ask(&mut self, beside: Option<Beside>) -> Events {
        let Some(beside) = beside else { return Events::none() };
        self.asked = Some(beside.clone());
        WorkerRequest::ReadRuns(beside).into()
    }

    /// Inserts a page in place of the loaded runs that it covers. The first run on screen stays.
    fn take_in(&mut self, start: usize, page: RunList) {
        let reached = self.last_in_common(&page);
        let heads = self.heads.get_or_insert_default();
        let first_on_screen =
            heads.get(self.top).filter(|_| self.top > 0).map(|head| head.run.id.clone());
        // Without a run in common, the runs in between are unknown.
        let end = reached
            .map(|last| last + 1)
            .filter(|end| *end > start && page.has_more)
            .unwrap_or(heads.len());
        if end == heads.len() {
            self.has_older = page.has_more;
        }
        heads.splice(start.min(end)..end, page.heads);
        if let Some(top) = first_on_screen.and_then(|id| position(heads, Some(&id))) {
            self.top = top;
        }
    }

    /// Returns the position of the last loaded run that is also in a page.
    fn last_in_common(&self, page: &RunList) -> Option<usize> {
        let read: HashSet<&RunId> = page.heads.iter().map(|head| &head.run.id).collect();
        self.heads.as_ref()?.iter().rposition(|head| read.contains(&head.run.id))
    }

    /// Drops runs above the screen if too many are loaded.
    fn drop_newest(&mut self) {
        let Some(heads) = &mut self.heads else { return };
        let excess = heads.len().saturating_sub(MAX_RUNS).min(self.top);
        heads.drain(..excess);
        self.top -= excess;
        self.has_newer |= excess > 0;
    }

    /// Moves the cursor.
    pub fn go(&mut self, how: Move, open: Option<&RunId>, height: usize) -> Events {
        if how == Move::Top && self.has_newer && self.active_finder().is_none() {
            return self.begin_anew(open);
        }
        let rows = self.rows(height);
        let heads = self.shown().0;
        let to = step(self.cursor(), how.rows(rows), heads.len());
        if let Some(id) = heads.get(to).map(|head| head.run.id.clone()) {
            let (at, top) = self.cursor_mut();
            (*at, *top) = (Some(id), reveal(*top, to, rows));
        }
        Events::none()
    }

    /// Drops the loaded runs, and requests the newest ones.
    fn begin_anew(&mut self, open: Option<&RunId>) -> Events {
        let newest = self.newest.take();
        *self = Self {
            at: newest.clone(),
            newest,
            finder: self.finder.take(),
            ticket: self.ticket,
            highlights: std::mem::take(&mut self.highlights),
            steps: std::mem::take(&mut self.steps),
            ..Self::default()
        };
        WorkerRequest::Load(open.cloned()).into()
    }

    /// Puts the cursor on a run anywhere in the list. If the run is not loaded, the loaded part is
    /// rebuilt around it.
    pub(super) fn go_to(&mut self, head: RunHead, height: usize) {
        self.at = Some(head.run.id.clone());
        if position(self.heads.as_deref().unwrap_or_default(), self.at.as_ref()).is_none() {
            (self.heads, self.top, self.asked) = (Some(vec![head]), 0, None);
            (self.has_newer, self.has_older) = (true, true);
        }
        let id = self.at.clone();
        self.select(id.as_ref(), height);
    }

    /// Puts the cursor on a run if it is among those shown.
    pub(super) fn select(&mut self, id: Option<&RunId>, height: usize) {
        if position(self.shown().0, id).is_some() {
            *self.cursor_mut().0 = id.cloned();
            self.reveal_cursor(height);
        }
    }

    /// Scrolls the list as far as needed to show the cursor.
    pub fn reveal_cursor(&mut self, height: usize) {
        let rows = self.rows(height);
        let (heads, at, _) = self.shown();
        if let Some(at) = position(heads, at) {
            let (_, top) = self.cursor_mut();
            *top = reveal(*top, at, rows);
        }
    }

    /// Opens the run under the cursor.
    pub fn open(&mut self, height: usize) -> Events {
        let (heads, at, _) = self.shown();
        let Some(head) = position(heads, at).and_then(|at| heads.get(at)).cloned() else {
            // The user typed faster than the search: open its first match.
            self.finder.iter_mut().for_each(|finder| finder.opens_first = true);
            return Events::none();
        };
        let id = head.run.id.clone();
        self.go_to(head, height);
        AppEvent::OpenRun(id).into()
    }

    /// Scrolls the list without moving the cursor.
    pub fn scroll(&mut self, by: isize) {
        let (_, top) = self.cursor_mut();
        *top = top.saturating_add_signed(by);
    }

    /// Opens the run in a row of the pane.
    pub fn click(&mut self, row: usize, height: usize) -> Events {
        let line = usize::from(self.finder.is_some());
        let (heads, _, top) = self.shown();
        let head = row.checked_sub(line).and_then(|row| heads.get(top + row));
        let Some(id) = head.map(|head| head.run.id.clone()) else { return Events::none() };
        *self.cursor_mut().0 = Some(id);
        self.open(height)
    }

    /// Scrolls back if the list became shorter or the pane higher, so that no rows stay blank.
    fn settle(&mut self, height: usize) {
        let most = self.shown().0.len().saturating_sub(self.rows(height));
        let (_, top) = self.cursor_mut();
        *top = (*top).min(most);
    }
}
