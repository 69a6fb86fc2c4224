//! Moves in the log on screen: of the cursor by rows, and of the view by lines. A wrapped row takes
//! several lines.
//!
//! A move beyond the loaded rows leaves a rest, for which [`super::log`] requests rows.

use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use super::keys::Move;
use super::log::{aim_at, reach};
use super::tree;
use crate::model::Phase;
use crate::sanitize::{Progress, plain};
use crate::tui::layout::Pane;
use crate::tui::model::{Aim, Log, Model, Pending, Request, telling_place};
use crate::tui::msg::Effects;

/// The number of columns of a step sideways.
const SIDEWAYS: usize = 8;

/// Moves the cursor or the view.
pub(super) fn go(model: &mut Model, how: Move) -> Effects {
    drop_far_rows(model);
    match how {
        Move::Top => {
            leave(model);
            (model.log.at, model.log.marked) = (None, None);
            aim_at(model, Aim::Start)
        }
        Move::Bottom => {
            model.log.follow = true;
            (model.log.at, model.log.marked) = (None, None);
            model.tree.chosen &= !model.log.is_alive;
            aim_at(model, Aim::End)
        }
        Move::Rows(by) => move_cursor(model, by),
        Move::Halves(_) => page(model, how.rows(model.log_height())),
    }
}

/// Moves the cursor by rows. The view scrolls as little as needed.
pub(super) fn move_cursor(model: &mut Model, by: isize) -> Effects {
    let pending = Pending { lines: 0, rows: by };
    if wait_for_jump(model, by, pending) {
        return Effects::none();
    }
    let viewport = model.viewport();
    let log = &mut model.log;
    let from = log.cursor_index();
    let to = from.saturating_add_signed(by).min(log.window.rows.len().saturating_sub(1));
    log.cursor = log.window.rows.get(to).map(|row| row.offset);
    log.marked = None;
    (log.top, log.line) = viewport.reveal((log.top, log.line), to);
    log.follow = log.is_at_last();
    note_seen(log);
    let moved = isize::try_from(to).unwrap_or(0) - isize::try_from(from).unwrap_or(0);
    let is_at_edge = if by < 0 { log.window.at_start } else { log.window.at_end };
    let rest = if is_at_edge { 0 } else { by - moved };
    fetch(model, by, Pending { lines: 0, rows: rest })
}

/// Scrolls by a page or half of one. The cursor keeps its line on screen. If the view cannot scroll
/// further, the cursor moves instead.
fn page(model: &mut Model, by: isize) -> Effects {
    let (viewport, top) = (model.viewport(), (model.log.top, model.log.line));
    let line = viewport.line_on_screen(top, model.log.cursor_index());
    let effects = scroll(model, by);
    let now = (model.log.top, model.log.line);
    if now == top && model.log.request.is_none() {
        return move_cursor(model, by);
    }
    let row = line.and_then(|line| viewport.row_at(now, line));
    if let Some(row) = row.and_then(|row| model.log.window.rows.get(row)) {
        model.log.cursor = Some(row.offset);
    }
    effects
}

/// Adds a move to a pending jump, to start from its destination. Returns false without such a jump.
fn wait_for_jump(model: &mut Model, by: isize, pending: Pending) -> bool {
    let Some(request) = model.log.request.as_mut().filter(|request| request.is_jump) else {
        return false;
    };
    request.pending = request.pending.and(pending);
    if by < 0 {
        leave(model);
    }
    true
}

/// Requests the rows that a move still needs.
fn fetch(model: &mut Model, by: isize, rest: Pending) -> Effects {
    if by < 0 && !model.log.follow {
        model.tree.chosen = true;
    }
    let aim = if model.log.follow { Aim::End } else { Aim::Here };
    match &mut model.log.request {
        Some(request) => {
            *request = Request { aim, pending: request.pending.and(rest), ..*request };
            Effects::none()
        }
        None if rest != Pending::default() => reach(model, by, rest),
        None => Effects::none(),
    }
}

/// Keeps the cursor on a row on screen; on the last one while the log is followed.
pub(super) fn settle_cursor(model: &mut Model) {
    let rows = model.viewport().rows((model.log.top, model.log.line));
    let log = &mut model.log;
    let index = match log.cursor {
        _ if log.follow && log.window.at_end => log.window.rows.len().saturating_sub(1),
        Some(_) => log.cursor_index().min(rows.end.saturating_sub(1)).max(rows.start),
        None => rows.start,
    };
    log.cursor = log.window.rows.get(index).map(|row| row.offset).or(log.cursor);
}

/// Removes the rows of the cause above the log, which are shown only until the first move. The rows
/// of the log stay where they are.
fn drop_far_rows(model: &mut Model) {
    if model.log.card.as_ref().is_some_and(|card| !card.far.is_empty()) {
        keep_rows(model, |model| model.log.card.iter_mut().for_each(|card| card.far.clear()));
    }
}

/// Opens or closes the card. The rows that remain on screen stay where they are.
pub(super) fn show_card(model: &mut Model, is_open: bool) {
    if model.log.card.as_ref().is_some_and(|card| card.is_open != is_open) {
        keep_rows(model, |model| model.log.card.iter_mut().for_each(|card| card.is_open = is_open));
    }
}

/// Unfolds or folds the header. The rows that remain on screen stay where they are.
pub(super) fn show_header(model: &mut Model, is_open: bool) {
    if model.view_options.header != is_open {
        keep_rows(model, |model| model.view_options.header = is_open);
    }
}

/// Changes the parts above the rows, and scrolls so that the rows stay where they are.
fn keep_rows(model: &mut Model, change: impl FnOnce(&mut Model)) {
    let rows = |model: &Model| Some(model.log_parts(model.layout().body(Pane::Log)?, false).rows);
    let before = rows(model);
    change(model);
    let Some((before, after)) = before.zip(rows(model)) else { return };
    let (follow, at) = (model.log.follow, model.log.at);
    match at.filter(|_| before.height == 0) {
        // No row was on screen.
        Some(at) => show_at(model, at, None),
        None => {
            _ = shift(
                model,
                isize::try_from(i32::from(after.y) - i32::from(before.y)).unwrap_or(0),
            );
        }
    }
    model.log.follow |= follow;
}

/// Scrolls the view by lines.
pub(super) fn scroll(model: &mut Model, by: isize) -> Effects {
    drop_far_rows(model);
    if wait_for_jump(model, by, Pending { lines: by, rows: 0 }) {
        return Effects::none();
    }
    let rest = shift(model, by);
    fetch(model, by, Pending { lines: rest, rows: 0 })
}

/// Stops following: the user reads something other than the end.
pub(super) fn leave(model: &mut Model) {
    model.log.follow = false;
    model.tree.chosen = true;
}

/// Scrolls as far as the loaded rows allow. Returns the rest; 0 at the start or end of the log.
pub(super) fn shift(model: &mut Model, by: isize) -> isize {
    let (viewport, may_grow) = (model.viewport(), model.may_grow());
    let log = &mut model.log;
    let (top, rest) = viewport.scroll((log.top, log.line), by);
    (log.top, log.line) = top;
    // Scrolling to the end of a log that still grows follows it.
    let is_end = log.window.at_end && top >= viewport.last_top();
    log.follow = is_end && (log.follow || by > 0 && may_grow);
    note_seen(log);
    let is_at_edge = if rest < 0 { log.window.at_start } else { log.window.at_end };
    if is_at_edge { 0 } else { rest }
}

/// Puts the cursor on the row in this line of the screen. Folds or opens it if it is a heading.
pub(super) fn click(model: &mut Model, y: u16) -> Effects {
    let Some(body) = model.layout().body(Pane::Log) else { return Effects::none() };
    let top = model.log_parts(body, false).rows.y;
    let Some(line) = y.checked_sub(top) else { return Effects::none() };
    let row = model.viewport().row_at((model.log.top, model.log.line), usize::from(line));
    let row = row.and_then(|row| model.log.window.rows.get(row));
    model.log.cursor = row.map(|row| row.offset).or(model.log.cursor);
    model.log.follow = model.log.is_at_last();
    super::scroll::enter(model)
}

/// Shows a row: in line `line_before` of the pane, or else a third down.
pub(super) fn show_at(model: &mut Model, offset: u64, line_before: Option<usize>) {
    let rows = &model.log.window.rows;
    let Some(row) = rows.iter().position(|row| row.offset >= offset) else { return };
    let above = line_before.unwrap_or(model.log_height() / 3);
    (model.log.top, model.log.line) = model.viewport().above((row, 0), above);
}

/// Shows the match in a row that is too long for the screen: scrolls sideways, or down within the
/// lines of the row.
pub(super) fn show_match(model: &mut Model, offset: u64) {
    let (progress, width) =
        (model.view_options.row_filter.progress, usize::from(model.log_columns().text).max(1));
    let place = model.log.window.rows.iter().position(|row| row.offset == offset);
    let found = place
        .and_then(|at| Some((at, model.log.window.rows.get(at)?)))
        .zip(model.view_options.search.as_ref());
    let Some(((at, row), query)) = found.filter(|_| progress == Progress::Last) else { return };
    let text = plain(&row.text, progress);
    let Some(mark) = query.marks(&text).into_iter().next() else { return };
    let columns = |range: Range<usize>| text.get(range).unwrap_or_default().width();
    let (start, marked) = (columns(0..mark.start), columns(mark));
    if !model.view_options.wrap {
        let is_seen = model.log.sideways <= start && start + marked <= model.log.sideways + width;
        if !is_seen {
            model.log.sideways =
                if start + marked <= width { 0 } else { start.saturating_sub(width / 3) };
        }
        return;
    }
    let (height, line) = (model.log_height(), start / width);
    let first = model.viewport().line_on_screen((model.log.top, model.log.line), at);
    let on_screen = first.filter(|first| first + line < height);
    if on_screen.is_none() {
        (model.log.top, model.log.line) = (at, line.saturating_sub(height / 3));
    }
}

/// Counts all rows as seen if the log is followed, or if its rows were never counted before.
pub(super) fn note_seen(log: &mut Log) {
    if log.follow || log.seen_rows.is_none() {
        log.seen_rows = log.known.total_rows;
    }
}

/// Scrolls sideways by steps; positive is to the right.
pub(super) fn sideways(model: &mut Model, steps: isize) -> Effects {
    let by = steps.saturating_mul(isize::try_from(SIDEWAYS).unwrap_or(1));
    // A byte takes at most one column, except for tabs and the glyphs of control characters: eight.
    let longest = model.log.window.rows.iter().map(|row| row.text.len()).max().unwrap_or(0);
    model.log.sideways =
        model.log.sideways.saturating_add_signed(by).min(longest.saturating_mul(8));
    Effects::none()
}

/// Follows the output: goes to the end of the log. If its command has ended, goes to the end of the
/// running command's log.
pub(super) fn follow(model: &mut Model) -> Effects {
    let is_run_active = model.run.as_ref().is_some_and(|run| run.head.phase == Phase::Active);
    if is_run_active {
        model.tree.chosen = false;
        let place = model.run.as_ref().and_then(telling_place).filter(|_| !model.log.is_alive);
        if let Some(place) = place {
            let mut effects = tree::select(model, place);
            effects.extend(go(model, Move::Bottom));
            return effects;
        }
    }
    go(model, Move::Bottom)
}
