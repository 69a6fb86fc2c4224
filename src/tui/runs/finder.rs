//! The search for runs by typing: the line, and the runs found.

use std::collections::HashSet;

use super::{Finder, Runs, RunsQuery, position};
use crate::catalog::RunList;
use crate::document::Ticket;
use crate::model::RunId;
use crate::tui::keymap::Key;
use crate::tui::msg::{AppEvent, Events, FoundRuns, MAX_RUNS, Next, RunsRequest, WorkerRequest};

impl Runs {
    /// Opens the line in which a search is typed.
    pub fn begin_search(&mut self) {
        self.finder.get_or_insert_default().is_typing = true;
    }

    /// Types a key, or edits the typed text. Ignores other keys.
    pub fn type_key(&mut self, key: Key, height: usize) -> Events {
        let (Some(request), Some(finder)) = (key.input_request(), &mut self.finder) else {
            return Events::none();
        };
        let before = finder.text().to_owned();
        finder.input.handle(request);
        if finder.text() == before {
            return Events::none();
        }
        // Earlier matches stay on screen until there are new ones, but the cursor leaves them.
        (finder.at, finder.opens_first) = (None, false);
        self.search(height)
    }

    /// Starts a search for the typed text, in place of the last one.
    fn search(&mut self, height: usize) -> Events {
        self.ticket = Ticket(self.ticket.0 + 1);
        let is_search = self.active_finder().is_some();
        let Some(finder) = &mut self.finder else { return WorkerRequest::FindRuns(None).into() };
        finder.next = Next::Looking;
        if !is_search {
            // The next typed text starts without the old matches.
            *finder = Finder {
                input: std::mem::take(&mut finder.input),
                is_typing: finder.is_typing,
                ..Finder::default()
            };
            self.reveal_cursor(height);
            return WorkerRequest::FindRuns(None).into();
        }
        let request = RunsRequest { ticket: self.ticket, text: finder.text().into(), after: None };
        WorkerRequest::FindRuns(Some(request)).into()
    }

    /// Clears the typed text; without text, closes the finder and gives up the focus.
    pub fn back(&mut self, height: usize) -> Events {
        if self.active_finder().is_some() {
            let is_typing = self.finder.take().is_some_and(|finder| finder.is_typing);
            self.finder = is_typing.then(|| Finder { is_typing, ..Finder::default() });
            return self.search(height);
        }
        self.finder.take().map(|_| AppEvent::Back).into()
    }

    /// Handles the loss of focus: the cursor returns to the open run. A list that covers other
    /// panes drops its search; a list in a pane of its own keeps the matches.
    pub fn leave(&mut self, has_pane: bool, open: Option<&RunId>, height: usize) -> Events {
        let keeps = has_pane && self.active_finder().is_some();
        let had_finder = if keeps { false } else { self.finder.take().is_some() };
        self.finder.iter_mut().for_each(|finder| finder.is_typing = false);
        self.select(open, height);
        if had_finder { self.search(height) } else { Events::none() }
    }

    /// Takes in the matches of a slice of the list.
    pub fn found(&mut self, ticket: Ticket, found: FoundRuns, height: usize) -> Events {
        let Some(finder) = self.finder.as_mut().filter(|_| self.ticket == ticket) else {
            return Events::none();
        };
        if found.is_anew {
            (finder.heads, finder.looked, finder.at, finder.top) = (Vec::new(), 0, None, 0);
        }
        finder.heads.extend(found.heads);
        finder.looked += found.looked;
        finder.next = found.next;
        finder.at =
            finder.at.take().or_else(|| finder.heads.first().map(|head| head.run.id.clone()));
        let opens = finder.opens_first && finder.at.is_some();
        if opens { self.open(height) } else { Events::none() }
    }

    /// Continues a paused search, unless the maximum number of matches is loaded.
    pub(super) fn search_on(&mut self) -> Events {
        let Some(finder) = self.finder.as_mut().filter(|finder| finder.heads.len() < MAX_RUNS)
        else {
            return Events::none();
        };
        let Next::After(after) = &finder.next else { return Events::none() };
        let (text, after) = (finder.text().to_owned(), Some(after.clone()));
        finder.next = Next::Looking;
        WorkerRequest::FindRuns(Some(RunsRequest { ticket: self.ticket, text, after })).into()
    }

    /// Takes in the newest runs. Those that match replace the matches in the same part of the list.
    /// If the previously newest run is not among them, the runs in between are unknown, and the
    /// search starts again.
    pub(super) fn match_newest(&mut self, list: &RunList, height: usize) -> Events {
        let Some(finder) = self.active_finder() else { return Events::none() };
        let read: HashSet<&RunId> = list.heads.iter().map(|head| &head.run.id).collect();
        if list.has_more && self.newest.as_ref().is_some_and(|newest| !read.contains(newest)) {
            return self.search(height);
        }
        let query = RunsQuery::new(finder.text());
        let Some(finder) = &mut self.finder else { return Events::none() };
        let lowest = finder.heads.iter().rposition(|head| read.contains(&head.run.id));
        let reached =
            if list.has_more { lowest.map_or(0, |at| at + 1) } else { finder.heads.len() };
        let first_on_screen =
            finder.heads.get(finder.top).filter(|_| finder.top > 0).map(|head| head.run.id.clone());
        let matching = list.heads.iter().filter(|head| query.matches(head)).cloned();
        finder.heads.splice(..reached, matching);
        finder.looked = finder.looked.max(list.heads.len());
        if let Some(top) = first_on_screen.and_then(|id| position(&finder.heads, Some(&id))) {
            finder.top = top;
        }
        Events::none()
    }
}
