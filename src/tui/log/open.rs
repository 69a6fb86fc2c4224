//! The document in the pane: opening another one, and taking in a later state of the same one.

use std::collections::HashMap;

use super::{Aim, Log, Shown};
use crate::document::{Document, Goal, Section};
use crate::join::{Place, ShState};
use crate::tui::msg::Events;

impl Log {
    /// Shows a document, unless it is shown already.
    pub(in crate::tui) fn show(&mut self, shown: Option<Shown>) -> Events {
        let Some(shown) = shown else {
            self.replace(None);
            return Events::none();
        };
        let before = self.document.take();
        let is_going_on = before.as_ref().is_some_and(|before| is_later(before, &shown.document));
        if let Some(before) = before.as_ref().filter(|_| is_going_on) {
            return self.go_on(before, shown);
        }
        let is_same = before.as_ref().is_some_and(|before| before.is_of_same(&shown.document));
        self.is_held &= is_same;
        self.open(shown)
    }

    fn open(&mut self, shown: Shown) -> Events {
        let Shown { mut document, state, is_alive, is_unknown } = shown;
        self.choose_open(&mut document, None);
        let is_failed = state == ShState::Failed && !document.has_headings;
        let failed = document.sections.iter().position(Section::is_failed);
        // A run or a job that has passed has tolerated its failures.
        let is_at_failure = document.has_headings && !is_alive && state != ShState::Passed;
        let failed = failed.filter(|_| is_at_failure);
        let failed = failed.map(|at| document.heading_of(at));
        self.replace(Some(document));
        (self.is_alive, self.is_unknown) = (is_alive, is_unknown);
        self.is_interrupted = state == ShState::Interrupted;
        let opens_at_end = is_alive || state.is_failure();
        let is_asked = self.open_at.is_some();
        let asked = self.open_at.take_if(|at| at == "end" || at == "start");
        if is_failed && !is_asked {
            return self.land("");
        }
        if let Some(heading) = failed.filter(|_| !is_asked) {
            return self.seek(Goal::Place(heading), "");
        }
        self.follow = asked.map_or(opens_at_end, |at| at == "end");
        self.aim_at(if self.follow { Aim::End } else { Aim::Start })
    }

    /// Replaces the document. Resets all other state, except for the user's choices, the frame and
    /// the position to open.
    fn replace(&mut self, document: Option<Document>) {
        *self = Self {
            document,
            is_held: self.is_held,
            options: std::mem::take(&mut self.options),
            folds: std::mem::take(&mut self.folds),
            open_at: self.open_at.take(),
            frame: self.frame,
            ticket: self.next_ticket(),
            ..Self::default()
        };
    }

    /// Takes in the current state of the same document: a command may have started or ended. Once
    /// it has ended, its unfinished last line counts as a row.
    fn go_on(&mut self, before: &Document, shown: Shown) -> Events {
        let Shown { document: mut now, state, is_alive, is_unknown } = shown;
        self.keep_open(before, &now);
        self.choose_open(&mut now, Some(before));
        self.is_interrupted = state == ShState::Interrupted;
        self.is_unknown = is_unknown;
        let has_ended = std::mem::replace(&mut self.is_alive, is_alive) && !is_alive;
        let has_headings = now.has_headings;
        let events = self.take_document(before, now);
        // A user who followed the log to its end wants to see why the command failed.
        let is_due = has_ended && state == ShState::Failed && self.follow && !has_headings;
        if is_due { self.land("") } else { events }
    }

    fn take_document(&mut self, before: &Document, mut now: Document) -> Events {
        now.keep_logs(before);
        if *before == now {
            self.document = Some(now);
            return Events::none();
        }
        let has_moved = !before.places().eq(now.places());
        if has_moved {
            self.readdress_all(before, &now);
        }
        self.document = Some(now);
        self.viewport.take();
        let given_up = self.request.take_if(|_| has_moved);
        let pending = given_up.map(|request| request.pending).unwrap_or_default();
        let events = self.refresh();
        self.add_pending(pending);
        events
    }

    /// Updates the addresses of the loaded rows after commands have appeared before others.
    fn readdress_all(&mut self, before: &Document, now: &Document) {
        let new = |address: u64| now.readdress(before, address);
        for row in &mut self.window.rows {
            row.offset = new(row.offset);
        }
        for head in &mut self.known.heads {
            head.at = new(head.at);
        }
        self.cursor = self.cursor.map(new);
        self.at = self.at.map(new);
        self.marked = self.marked.map(new);
        self.gap_at = self.gap_at.map(new);
        if let Some(card) = &mut self.card {
            card.cause.at = card.cause.at.map(new);
            card.cause.rows.iter_mut().for_each(|row| row.offset = new(row.offset));
        }
        self.asked = None;
    }

    /// Shows the likely cause of the failure of the command under the cursor. Shows the message
    /// `if_missed` if there is no output.
    pub(in crate::tui) fn land(&mut self, if_missed: &str) -> Events {
        let Some(document) = &self.document else { return Events::none() };
        let here = self.current_row().map_or(0, |row| document.row(row.offset).section());
        let exit_status = document.sections.get(here).and_then(|section| section.exit_status);
        let goal = Goal::Cause(document.heading_of(here), exit_status);
        self.seek(goal, if_missed)
    }

    /// Keeps sections open whose commands have just passed: the user may be reading them.
    fn keep_open(&mut self, before: &Document, now: &Document) {
        if self.follow || self.options.row_filter.filter.is_some() || !now.has_headings {
            return;
        }
        let has_passed = |section: &Section| section.state == ShState::Passed;
        let passed: HashMap<&Place, bool> =
            now.sections.iter().map(|section| (&section.place, has_passed(section))).collect();
        let read = before.sections.iter().filter(|section| section.is_open && section.may_grow());
        for section in read.filter(|section| passed.get(&section.place) == Some(&true)) {
            self.folds.opened.entry(section.place.clone()).or_insert(true);
        }
    }
}

/// Returns true if a document is a later state of the one that is shown. Without headings, a log
/// that has just appeared, or another log, is a new document.
fn is_later(before: &Document, now: &Document) -> bool {
    let log = |document: &Document| document.sections.first().and_then(|first| first.log.clone());
    let is_same_log = || log(now).is_none() || log(before) == log(now);
    before.is_of_same(now) && (now.has_headings || is_same_log())
}
