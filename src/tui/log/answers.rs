//! Answers about the log on screen: rows, facts about the log, and rows that were not found.
//!
//! Only the answer to the newest request counts. The moves that waited for it are made then.

use std::collections::HashSet;

use super::{Aim, Card, Log, Pending, Request};
use crate::display;
use crate::document::{Answer, Goal, Known, Page, RankedGap, Target, Ticket};
use crate::join::Place;
use crate::log::{Anchor, Row, Window};
use crate::search::Cause;
use crate::tui::at::name_of;
use crate::tui::msg::{AppEvent, Events};

/// The distance in rows from which a row is too far from the cause to be shown with it.
const FAR_ROWS: usize = 20;

/// The rows that were requested, and the position on screen before they replace the loaded ones.
struct Arrival {
    aim: Aim,
    /// The address of the first row on screen.
    here: Option<u64>,
    /// The row that was found.
    target: Option<Target>,
    /// The address of the row to show: the one that was found, or else the current row.
    aimed: u64,
    /// The line on screen in which that row began.
    line_before: Option<usize>,
    /// True if the likely cause was requested.
    is_landing: bool,
}

impl Log {
    /// Handles an answer. Only the answer to the newest request counts.
    pub(in crate::tui) fn take(&mut self, ticket: Ticket, answer: Answer) -> Events {
        // A cause belongs to its command, whatever rows were requested since.
        if ticket != self.ticket && !matches!(answer, Answer::Cause(..)) {
            return Events::none();
        }
        match answer {
            Answer::Page(page) => self.arrived(*page),
            Answer::Unchanged(known) => self.unchanged(known),
            Answer::Missed => self.missed(),
            Answer::Looking(percent) => self.looking(percent),
            Answer::Known(known) => {
                self.take_known(known);
                Events::none()
            }
            Answer::Cause(place, cause) => self.take_whole_cause(&place, cause),
        }
    }

    /// Handles the rows of an answer.
    fn arrived(&mut self, mut page: Page) -> Events {
        let Some(request) = self.take_request() else { return Events::none() };
        self.fault = page.fault.take();
        let here = self.window.rows.get(self.top).map(|row| row.offset);
        let is_replaced = page.generation != self.generation && here.is_some();
        // In a document with headings, the other logs are still the same.
        let is_other_file = is_replaced && !self.has_headings();
        if request.aim == Aim::Here && !is_other_file && self.is_below(&page, here) {
            // The user scrolled up while the end was being read: read the rows on screen instead.
            let events = self.refresh();
            self.add_pending(request.pending);
            return events;
        }
        if let Some(place) = page.opened.take() {
            self.open_found(place);
        }
        self.note_folds(&page.folded);
        let is_landing = self.take_cause(page.cause.take(), page.target);
        let gap = page.gap;
        let arrival = self.arrival(&page, request.aim, here, is_landing);
        let change =
            if page.is_shortened { "shortened to its size limit" } else { "truncated or replaced" };
        let replaced = page.replaced.take().filter(|_| is_replaced && self.has_headings());
        self.take_page(page, request.aim, is_other_file);
        let mut events = Events::from(
            replaced.map(|place| AppEvent::Status(format!("log of {} {change}", name_of(&place)))),
        );
        if is_other_file {
            events.extend(AppEvent::Status(format!("log {change}; showing its end")));
        }
        if self.is_to_be_at_end(request.aim, is_other_file) {
            events.extend(self.aim_at(Aim::End));
            self.add_pending(request.pending);
            return events;
        }
        self.place(&arrival);
        if arrival.target.is_some_and(|target| target.has_wrapped) && request.aim == Aim::Target {
            events.extend(AppEvent::Status("search wrapped".into()));
        }
        if let Some(gap) = gap {
            self.gap_at = self.cursor;
            events.extend(AppEvent::status(rank_of(gap)));
        }
        events.extend(match self.open_at.take() {
            Some(at) => AppEvent::OpenAt(at).into(),
            // The user has not chosen the row that is shown first.
            None if is_landing => self.apply_pending(Request { aim: Aim::Here, ..request }),
            None => self.apply_pending(request),
        });
        events
    }

    /// Returns true if a page begins below the first row on screen although that row is not gone.
    fn is_below(&self, page: &Page, here: Option<u64>) -> bool {
        let first = page.window.rows.first().map(|row| row.offset);
        // If the first row on screen was requested but is missing, it was removed from the log.
        let asked_from = match &self.asked {
            Some((Goal::Rows(Anchor::From(from)), _)) => Some(*from),
            _ => None,
        };
        let is_covered = asked_from.is_some() && asked_from <= here;
        !page.window.at_start && first > here && !is_covered
    }

    /// Takes in the result of the search for the likely cause. Returns true if there is a result,
    /// even if no cause was recognized.
    fn take_cause(&mut self, cause: Option<Box<Cause>>, target: Option<Target>) -> bool {
        let is_landing = cause.is_some();
        let place = match &self.asked {
            Some((Goal::Cause(address, _), _)) => self.place_at(*address).map(|(place, _)| place),
            _ => None,
        };
        if let Some((cause, place)) = cause.zip(place) {
            let location = cause.location();
            let far = Vec::new();
            let (is_open, is_explained, landed_at) = (true, false, None);
            self.card =
                Some(Card { place, cause, location, far, is_open, is_explained, landed_at });
            self.follow = target.is_none() && !self.has_headings();
            self.viewport.take();
        } else if target.is_some() {
            self.show_card(false);
        }
        is_landing
    }

    /// Takes in the cause that was found in a whole log. Shows it if the user has not moved away
    /// from the one that was found at the end of the log.
    fn take_whole_cause(&mut self, place: &Place, cause: Box<Cause>) -> Events {
        let Some(card) = self.card.as_mut().filter(|card| card.place == *place) else {
            return Events::none();
        };
        let is_better = card.cause.at != cause.at;
        let is_here = card.is_open && self.cursor == card.landed_at;
        if !is_better {
            self.keep_rows(|log| {
                if let Some(card) = &mut log.card {
                    (card.location, card.cause) = (cause.location(), cause);
                }
            });
            return Events::none();
        }
        if is_here {
            return self.land("no output here");
        }
        // The next `C` shows the new cause.
        self.keep_rows(|log| log.card = None);
        AppEvent::status("found a likelier cause; open the likely cause to go to it")
    }

    /// Notes the position on screen before a page replaces the loaded rows.
    fn arrival(&self, page: &Page, aim: Aim, here: Option<u64>, is_landing: bool) -> Arrival {
        let target = page.target;
        let aimed = target
            .map(|target| target.offset)
            .or_else(|| self.current_row().map(|row| row.offset))
            .unwrap_or(0);
        let is_heading =
            self.document.as_ref().is_some_and(|document| document.heading(aimed).is_some());
        // A heading becomes the first row on screen, above its own rows.
        let line_before = self.line_on_screen(aimed).or_else(|| is_heading.then_some(0));
        Arrival { aim, here, target, aimed, line_before, is_landing }
    }

    /// Shows the rows that a page was requested for.
    fn place(&mut self, arrival: &Arrival) {
        let has_no_cause = arrival.is_landing && arrival.target.is_none();
        match arrival.aim {
            Aim::Start => self.go_to_start(arrival.here),
            Aim::Here => self.stay(arrival.here),
            Aim::Target if !has_no_cause => {
                self.at = arrival.target.map_or(self.at, |target| Some(target.offset));
                self.cursor = self.at.or(Some(arrival.aimed));
                self.show_at(arrival.aimed, arrival.line_before);
                self.show_match(arrival.aimed);
            }
            Aim::Target => self.show_end(),
            Aim::End => (self.top, self.line) = self.viewport().last_top(),
        }
        if arrival.is_landing {
            self.note_far_rows();
        }
        if has_no_cause {
            self.show_end();
        }
        if arrival.is_landing {
            let cursor = self.cursor;
            self.card.iter_mut().for_each(|card| card.landed_at = cursor);
        }
    }

    /// Shows the last rows of the log whose cause was not recognized. With headings, other commands
    /// are below it.
    fn show_end(&mut self) {
        let place = self.card.as_ref().map(|card| &card.place);
        let section = |row: &Row| self.document.as_ref()?.section(row.offset);
        let is_here = |row: &Row| section(row).map(|section| &section.place) == place;
        let rows = &self.window.rows;
        let last = rows.iter().rposition(is_here).unwrap_or(rows.len().saturating_sub(1));
        self.cursor = rows.get(last).map(|row| row.offset);
        let viewport = self.viewport();
        (self.top, self.line) =
            viewport.above((last, viewport.lines_of(last) - 1), self.height() - 1);
    }

    /// Notes the rows that belong to the cause but are far from it: they are listed above the log.
    fn note_far_rows(&mut self) {
        let (shown, last) = (self.viewport().rows((self.top, self.line)), self.cursor_index());
        let Some(card) = &mut self.card else { return };
        let rows = &self.window.rows;
        let at = card.cause.at.and_then(|at| rows.iter().position(|row| row.offset == at));
        let at = at.unwrap_or(last);
        let near = rows
            .iter()
            .enumerate()
            .filter(|(index, _)| shown.contains(index) || index.abs_diff(at) < FAR_ROWS);
        let near: HashSet<u64> = near.map(|(_, row)| row.offset).collect();
        let is_far = |row: &&Row| !near.contains(&row.offset);
        card.far = card.cause.rows.iter().filter(is_far).cloned().collect();
        self.viewport.take();
    }

    /// Replaces the loaded rows.
    fn take_page(&mut self, page: Page, aim: Aim, is_other_file: bool) {
        self.generation = page.generation;
        self.file_states = page.file_states;
        self.style = page.style;
        // A first row of the log stays the first: a refresh does not check for rows before it.
        let first = |window: &Window| window.rows.first().map(|row| row.offset);
        let was_at_start = self.window.at_start && first(&page.window) == first(&self.window);
        let at_start =
            page.window.at_start || (was_at_start && !is_other_file && aim != Aim::Target);
        self.window = Window { at_start, ..page.window };
        if self.window.rows.is_empty() {
            (self.top, self.line) = (0, 0);
        }
        self.known.numbers.clear();
        self.known.depths.clear();
        self.known.total_rows = self.known.total_rows.filter(|_| !is_other_file);
        self.known.stderr_rows = self.known.stderr_rows.filter(|_| !is_other_file);
        self.take_known(page.known);
        let is_at_hand =
            |marked: &mut u64| self.window.rows.iter().any(|row| row.offset == *marked);
        if let Some(marked) = self.marked.take_if(is_at_hand) {
            (self.at, self.cursor) = (self.at.or(Some(marked)), Some(marked));
        }
    }

    /// Follows the log if the received page is of another file, begins beyond the end, or does not
    /// reach the end although the end was requested. Returns true if the end must be requested
    /// instead.
    fn is_to_be_at_end(&mut self, aim: Aim, is_other_file: bool) -> bool {
        let has_rows = self.has_headings()
            || (self.window.file_bytes > 0 && !self.options.row_filter.narrows());
        let is_beyond_end = self.window.rows.is_empty() && has_rows;
        let is_short_of_end = aim == Aim::End && !self.window.at_end;
        if !is_other_file && !is_beyond_end && !is_short_of_end {
            return false;
        }
        self.seen_rows = self.seen_rows.filter(|_| !is_other_file);
        self.at = self.at.filter(|_| !is_other_file);
        self.follow = true;
        self.asked.as_ref().is_none_or(|(goal, _)| *goal != Goal::Rows(Anchor::End))
    }

    /// Adds the rest of a move to the next request, whose answer it waits for.
    pub(super) fn add_pending(&mut self, pending: Pending) {
        if let Some(next) = &mut self.request {
            next.pending = next.pending.and(pending);
        }
    }

    /// Shows the first loaded rows, with the cursor on the first one.
    fn go_to_start(&mut self, here: Option<u64>) {
        self.show_first();
        // Follow a newly opened log that fits on the screen, so that new rows appear there.
        let is_whole =
            self.window.at_start && self.window.at_end && self.viewport().last_top() == (0, 0);
        self.follow |= here.is_none() && is_whole && self.may_grow();
    }

    fn show_first(&mut self) {
        (self.top, self.line) = (0, 0);
        self.cursor = self.window.rows.first().map(|row| row.offset);
    }

    /// Keeps the first row on screen, or the next one if that row is gone.
    fn stay(&mut self, here: Option<u64>) {
        let rows = &self.window.rows;
        let place = rows.iter().enumerate().find(|(_, row)| Some(row.offset) >= here);
        (self.top, self.line) = match place {
            Some((top, row)) if Some(row.offset) == here => (top, self.line),
            Some((top, _)) => (top, 0),
            None => self.viewport().last_top(),
        };
    }

    /// Returns the line of the pane in which a row begins; `None` if the row is not on screen.
    fn line_on_screen(&self, offset: u64) -> Option<usize> {
        let row = self.window.rows.iter().position(|row| row.offset == offset)?;
        self.viewport().line_on_screen((self.top, self.line), row)
    }

    /// Handles the answer that nothing has changed: pending moves use the loaded rows.
    fn unchanged(&mut self, known: Known) -> Events {
        let Some(request) = self.take_request() else { return Events::none() };
        self.fault = None;
        self.take_known(known);
        match request.aim {
            Aim::Start => self.show_first(),
            Aim::End => (self.top, self.line) = self.viewport().last_top(),
            Aim::Here | Aim::Target => {}
        }
        self.apply_pending(request)
    }

    /// Handles the answer that the requested row does not exist.
    fn missed(&mut self) -> Events {
        let Some(request) = self.take_request() else { return Events::none() };
        let asked = self.asked.take();
        if let (Some((Goal::Fold(_, how), _)), true) = (asked, self.has_headings()) {
            return self.fold_section(how);
        }
        let message =
            Some(std::mem::take(&mut self.if_missed)).filter(|message| !message.is_empty());
        let mut events = Events::from(message.map(AppEvent::Status));
        events.extend(self.apply_pending(Request { aim: Aim::Here, ..request }));
        events
    }

    /// Notes the progress of a long search.
    fn looking(&mut self, percent: u8) -> Events {
        if self.request.is_some() {
            self.looking = Some(percent);
        }
        Events::none()
    }

    /// Takes in new facts. Row counts stay until there are new ones: each appended row restarts the
    /// counting.
    fn take_known(&mut self, known: Known) {
        let total_rows = known.total_rows.or(self.known.total_rows);
        let stderr_rows = known.stderr_rows.or(self.known.stderr_rows);
        // Keep the row numbers if the answer has none for the rows on screen, or if counting has
        // restarted and has not reached them.
        let before = std::mem::take(&mut self.known.numbers);
        let is_of_window = known.numbers.len() == self.window.rows.len();
        let numbers = if !is_of_window || known.numbers.iter().all(Option::is_none) {
            before
        } else {
            known.numbers
        };
        let depths =
            if is_of_window { known.depths } else { std::mem::take(&mut self.known.depths) };
        self.known = Known { total_rows, stderr_rows, numbers, depths, ..known };
        self.viewport.take();
        self.note_seen();
    }

    /// Handles a failed read of the log. The next hint from the disk retries it.
    pub(in crate::tui) fn failed(&mut self, ticket: Ticket, why: String) -> Events {
        if ticket == self.ticket {
            let _ = self.take_request();
            self.fault = Some(why);
            self.open_at = None;
        }
        Events::none()
    }

    fn take_request(&mut self) -> Option<Request> {
        self.looking = None;
        self.request.take()
    }

    /// Makes the pending moves, and repeats the request if the file has changed meanwhile.
    fn apply_pending(&mut self, request: Request) -> Events {
        let Pending { lines, rows } = request.pending;
        let rest = self.shift(lines);
        if request.aim == Aim::Target {
            self.leave();
        }
        let events = match (rest, rows) {
            (0, 0) => Events::none(),
            (0, rows) => self.move_cursor(rows),
            (rest, rows) => self.reach(rest, Pending { lines: rest, rows }),
        };
        match &mut self.request {
            Some(next) => next.stale = request.stale,
            None if request.stale => return self.refresh(),
            None => {}
        }
        events
    }
}

/// Formats `2nd longest gap of 5: 12.3s`.
fn rank_of(gap: RankedGap) -> String {
    let which = match gap.rank {
        0 => String::new(),
        rank => format!("{} ", display::ordinal(rank + 1)),
    };
    format!("{which}longest gap of {}: {}", gap.of, display::duration(gap.ms))
}
