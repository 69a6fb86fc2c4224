//! Answers about the log on screen: rows, facts about the log, and rows that were not found.
//!
//! Only the answer to the newest request counts. The moves that waited for it are made then.

use std::collections::HashSet;

use super::log::{aim_at, reach, refresh};
use super::moving::{leave, move_cursor, note_seen, shift, show_at, show_card, show_match};
use super::scroll;
use crate::log::{Anchor, Row, Window};
use crate::tui::model::{Aim, Card, Log, Model, Pending, Request};
use crate::tui::msg::{Answer, Effects, Goal, Known, Page, Ticket};
use crate::tui::viewport::Viewport;

/// The distance in rows from which a row is too far from the cause to be shown with it.
const FAR_ROWS: usize = 20;

/// Handles an answer. Only the answer to the newest request counts.
pub(super) fn take(model: &mut Model, ticket: Ticket, answer: Answer) -> Effects {
    if ticket != model.log.ticket {
        return Effects::none();
    }
    match answer {
        Answer::Page(page) => arrived(model, *page),
        Answer::Unchanged(known) => unchanged(model, known),
        Answer::Missed => missed(model),
        Answer::Looking(percent) => looking(model, percent),
        Answer::Known(known) => {
            take_known(&mut model.log, known);
            Effects::none()
        }
    }
}

/// Handles the rows of an answer.
fn arrived(model: &mut Model, mut page: Page) -> Effects {
    let Some(request) = take_request(model) else { return Effects::none() };
    let log = &mut model.log;
    log.fault = page.fault.take();
    let here = log.window.rows.get(log.top).map(|row| row.offset);
    let is_replaced = page.generation != log.generation && here.is_some();
    // In a document with headings, the other logs are still the same.
    let is_other_file = is_replaced && !log.has_headings();
    let first = page.window.rows.first().map(|row| row.offset);
    // If the first row on screen was requested but is missing, it was removed from the log.
    let asked_from = match &log.asked {
        Some((Goal::Rows(Anchor::From(from)), _)) => Some(*from),
        _ => None,
    };
    let is_covered = asked_from.is_some() && asked_from <= here;
    let is_above = !page.window.at_start && first > here && !is_covered;
    if request.aim == Aim::Here && !is_other_file && is_above {
        // The user scrolled up while the end was being read: read the rows on screen instead.
        let effects = refresh(model);
        return add_pending(model, request.pending, effects);
    }
    if let Some(place) = page.opened.take() {
        scroll::open_found(model, place);
    }
    scroll::note_folds(model, &page.folded);
    let is_landing = page.cause.is_some();
    let has_no_cause = is_landing && page.target.is_none();
    if let Some(cause) = page.cause.take() {
        model.log.card = Some(Card { cause, far: Vec::new(), is_open: true });
        model.log.follow = has_no_cause;
    }
    let target = page.target;
    if target.is_some() && !is_landing {
        show_card(model, false);
    }
    let aimed = target
        .map(|target| target.offset)
        .or_else(|| model.current_row().map(|row| row.offset))
        .unwrap_or(0);
    let is_heading =
        model.log.document.as_ref().is_some_and(|document| document.heading(aimed).is_some());
    // A heading becomes the first row on screen, above its own rows.
    let line_before = line_on_screen(model, aimed).or_else(|| is_heading.then_some(0));
    let replaced = page.replaced.take().filter(|_| is_replaced);
    take_page(&mut model.log, page, request.aim, is_other_file);
    if let (Some(place), true) = (replaced, model.log.has_headings()) {
        model.message = Some(format!("log of {} truncated or replaced", model.name_of(&place)));
    }
    if is_to_be_at_end(model, request.aim, is_other_file) {
        let effects = aim_at(model, Aim::End);
        return add_pending(model, request.pending, effects);
    }
    match request.aim {
        Aim::Start => {
            go_to_start(&mut model.log);
            // If all of a newly opened log is on screen, follow it, so that new rows are, too.
            let window = &model.log.window;
            let is_whole =
                window.at_start && window.at_end && model.viewport().last_top() == (0, 0);
            model.log.follow |= here.is_none() && is_whole && model.may_grow();
        }
        Aim::End => (model.log.top, model.log.line) = model.viewport().last_top(),
        Aim::Target if has_no_cause => {
            (model.log.top, model.log.line) = model.viewport().last_top();
        }
        Aim::Here => stay(model, here),
        Aim::Target => {
            model.log.at = target.map_or(model.log.at, |target| Some(target.offset));
            model.log.cursor = model.log.at.or(Some(aimed));
            if target.is_some_and(|target| target.has_wrapped) {
                model.message = Some("search wrapped".into());
            }
            show_at(model, aimed, line_before);
            show_match(model, aimed);
        }
    }
    if is_landing {
        let viewport = model.viewport();
        note_far_rows(&mut model.log, &viewport);
        if has_no_cause {
            (model.log.top, model.log.line) = model.viewport().last_top();
        }
    }
    match model.open_at.take() {
        Some(at) => super::seek::open_at(model, &at),
        // The user has not chosen the row that is shown first.
        None if is_landing => apply_pending(model, Request { aim: Aim::Here, ..request }),
        None => apply_pending(model, request),
    }
}

/// Notes the rows that belong to the cause but are far from it: they are listed above the log.
fn note_far_rows(log: &mut Log, viewport: &Viewport) {
    let Some(card) = &mut log.card else { return };
    let rows = &log.window.rows;
    let at = card.cause.at.and_then(|at| rows.iter().position(|row| row.offset == at));
    let at = at.unwrap_or(rows.len().saturating_sub(1));
    let shown = viewport.rows((log.top, log.line));
    let near = rows
        .iter()
        .enumerate()
        .filter(|(index, _)| shown.contains(index) || index.abs_diff(at) < FAR_ROWS);
    let near: HashSet<u64> = near.map(|(_, row)| row.offset).collect();
    let is_far = |row: &&Row| !near.contains(&row.offset);
    card.far = card.cause.rows.iter().filter(is_far).cloned().collect();
}

/// Replaces the loaded rows.
fn take_page(log: &mut Log, page: Page, aim: Aim, is_other_file: bool) {
    log.generation = page.generation;
    log.file_states = page.file_states;
    log.style = page.style;
    // A first row of the log stays the first: a refresh does not check for rows before it.
    let first = |window: &Window| window.rows.first().map(|row| row.offset);
    let was_at_start = log.window.at_start && first(&page.window) == first(&log.window);
    let at_start = page.window.at_start || (was_at_start && !is_other_file && aim != Aim::Target);
    log.window = Window { at_start, ..page.window };
    if log.window.rows.is_empty() {
        (log.top, log.line) = (0, 0);
    }
    log.known.numbers.clear();
    log.known.total_rows = log.known.total_rows.filter(|_| !is_other_file);
    log.known.stderr_rows = log.known.stderr_rows.filter(|_| !is_other_file);
    take_known(log, page.known);
    let is_at_hand = |marked: &mut u64| log.window.rows.iter().any(|row| row.offset == *marked);
    if let Some(marked) = log.marked.take_if(is_at_hand) {
        (log.at, log.cursor) = (log.at.or(Some(marked)), Some(marked));
    }
}

/// Follows the log if the received rows are from another file, begin beyond the end, or were to
/// reach the end but do not. Returns true if the end must be requested instead.
fn is_to_be_at_end(model: &mut Model, aim: Aim, is_other_file: bool) -> bool {
    let log = &mut model.log;
    let has_rows = log.has_headings()
        || (log.window.file_bytes > 0 && !model.view_options.row_filter.narrows());
    let is_beyond_end = log.window.rows.is_empty() && has_rows;
    let is_short_of_end = aim == Aim::End && !log.window.at_end;
    if !is_other_file && !is_beyond_end && !is_short_of_end {
        return false;
    }
    if is_other_file {
        model.message = Some("log truncated or replaced; showing its end".into());
    }
    log.seen_rows = log.seen_rows.filter(|_| !is_other_file);
    log.at = log.at.filter(|_| !is_other_file);
    log.follow = true;
    log.asked.as_ref().is_none_or(|(goal, _)| *goal != Goal::Rows(Anchor::End))
}

/// Adds the rest of a move to the next request, whose answer it waits for.
pub(super) fn add_pending(model: &mut Model, pending: Pending, effects: Effects) -> Effects {
    if let Some(next) = &mut model.log.request {
        next.pending = next.pending.and(pending);
    }
    effects
}

/// Shows the first loaded rows, with the cursor on the first one.
fn go_to_start(log: &mut Log) {
    (log.top, log.line) = (0, 0);
    log.cursor = log.window.rows.first().map(|row| row.offset);
}

/// Keeps the first row on screen, or the next one if that row is gone.
fn stay(model: &mut Model, here: Option<u64>) {
    let rows = &model.log.window.rows;
    let place = rows.iter().enumerate().find(|(_, row)| Some(row.offset) >= here);
    (model.log.top, model.log.line) = match place {
        Some((top, row)) if Some(row.offset) == here => (top, model.log.line),
        Some((top, _)) => (top, 0),
        None => model.viewport().last_top(),
    };
}

/// Returns the line of the pane in which a row begins; `None` if the row is not on screen.
fn line_on_screen(model: &Model, offset: u64) -> Option<usize> {
    let row = model.log.window.rows.iter().position(|row| row.offset == offset)?;
    model.viewport().line_on_screen((model.log.top, model.log.line), row)
}

/// Handles the answer that nothing has changed: pending moves use the loaded rows.
fn unchanged(model: &mut Model, known: Known) -> Effects {
    let Some(request) = take_request(model) else { return Effects::none() };
    model.log.fault = None;
    take_known(&mut model.log, known);
    match request.aim {
        Aim::Start => go_to_start(&mut model.log),
        Aim::End => (model.log.top, model.log.line) = model.viewport().last_top(),
        Aim::Here | Aim::Target => {}
    }
    apply_pending(model, request)
}

/// Handles the answer that the requested row does not exist.
fn missed(model: &mut Model) -> Effects {
    let Some(request) = take_request(model) else { return Effects::none() };
    let asked = model.log.asked.take();
    if let (Some((Goal::Fold(_, how), _)), true) = (asked, model.log.has_headings()) {
        return scroll::fold_section(model, how);
    }
    model.message =
        Some(std::mem::take(&mut model.log.if_missed)).filter(|message| !message.is_empty());
    apply_pending(model, Request { aim: Aim::Here, ..request })
}

/// Notes the progress of a long search.
fn looking(model: &mut Model, percent: u8) -> Effects {
    if model.log.request.is_some() {
        model.log.looking = Some(percent);
    }
    Effects::none()
}

/// Takes in new facts. Row counts stay until there are new ones: each appended row restarts the
/// counting.
fn take_known(log: &mut Log, known: Known) {
    let total_rows = known.total_rows.or(log.known.total_rows);
    let stderr_rows = known.stderr_rows.or(log.known.stderr_rows);
    // Keep the row numbers if the answer has none for the rows on screen, or if counting has
    // restarted and has not reached them.
    let before = std::mem::take(&mut log.known.numbers);
    let is_of_window = known.numbers.len() == log.window.rows.len();
    let numbers = if !is_of_window || known.numbers.iter().all(Option::is_none) {
        before
    } else {
        known.numbers
    };
    log.known = Known { total_rows, stderr_rows, numbers, ..known };
    note_seen(log);
}

/// Handles a failed read of the log. The next hint from the disk retries it.
pub(super) fn failed(model: &mut Model, ticket: Ticket, why: String) -> Effects {
    if ticket == model.log.ticket {
        let _ = take_request(model);
        model.log.fault = Some(why);
        model.open_at = None;
    }
    Effects::none()
}

fn take_request(model: &mut Model) -> Option<Request> {
    model.log.looking = None;
    model.log.request.take()
}

/// Makes the pending moves, and repeats the request if the file has changed meanwhile.
fn apply_pending(model: &mut Model, request: Request) -> Effects {
    let Pending { lines, rows } = request.pending;
    let rest = shift(model, lines);
    if request.aim == Aim::Target {
        leave(model);
    }
    let effects = match (rest, rows) {
        (0, 0) => Effects::none(),
        (0, rows) => move_cursor(model, rows),
        (rest, rows) => reach(model, rest, Pending { lines: rest, rows }),
    };
    match &mut model.log.request {
        Some(next) => next.stale = request.stale,
        None if request.stale => return refresh(model),
        None => {}
    }
    effects
}
