//! The list of runs: the cursor, opening what is under it, and reading on.
//!
//! Only a part of the list around the screen is at hand: it grows at the end that the user comes
//! near, and lets go of the other. When the store has changed, the first page and the one on screen
//! are read again and take the place of the runs that they reach over; the others stay as they
//! were.

use std::collections::HashSet;

use super::keys::{Move, focus};
use super::{finder, reveal, step};
use crate::catalog::{Beside, RunList};
use crate::join::RunHead;
use crate::model::RunId;
use crate::tui::layout::Pane;
use crate::tui::model::{Model, Runs};
use crate::tui::msg::{Effects, MAX_RUNS, WorkerRequest};

/// The newest runs were read. Without a wish of the user's the newest is opened; its tree follows
/// by itself.
pub(super) fn arrived(model: &mut Model, list: RunList) -> Effects {
    model.store_fault = None;
    let height = height(model);
    let mut effects = finder::take_in(model, &list);
    let new = model.new_runs.as_mut().and_then(|known| known.take_in(&list.heads)).cloned();
    let runs = &mut model.runs;
    runs.newest = list.heads.first().map(|head| head.run.id.clone());
    runs.asked = None;
    model.wanted = model.wanted.take().or_else(|| runs.newest.clone());
    if runs.at.is_none() {
        runs.at.clone_from(&model.wanted);
    }
    let mut first_page = 0;
    // Runs far below the first page are not touched by it.
    if !runs.has_newer || !list.has_more || last_in_common(runs, &list).is_some() {
        first_page = list.heads.len();
        take_in(runs, 0, list);
        runs.has_newer = false;
    }
    // The runs on screen beyond the first page may have changed too.
    let screen = runs.top.max(first_page);
    let heads = runs.heads.as_deref().unwrap_or_default();
    let above = screen.checked_sub(1).filter(|_| screen < heads.len().min(runs.top + height));
    let above =
        above.and_then(|above| heads.get(above)).map(|head| Beside::Older(head.run.id.clone()));
    effects.extend(ask(model, above));
    if let Some(head) = new {
        let id = head.run.id.clone();
        go_to(model, head);
        effects.extend(load(model, id));
    }
    effects
}

/// Runs beside a run were read, or that run is gone.
pub(super) fn read(model: &mut Model, beside: &Beside, list: Option<RunList>) -> Effects {
    let runs = &mut model.runs;
    if runs.asked.as_ref() != Some(beside) {
        return Effects::none();
    }
    model.store_fault = None;
    runs.asked = None;
    let Some(at) = position(runs.heads.as_deref().unwrap_or_default(), Some(beside.run())) else {
        return Effects::none();
    };
    match (beside, list, &mut runs.heads) {
        (Beside::Older(_), Some(list), _) => {
            take_in(runs, at + 1, list);
            let_newest_go(runs);
        }
        (Beside::Newer(_), Some(list), Some(heads)) => {
            runs.has_newer = list.has_more;
            runs.top = (runs.top + list.heads.len()).saturating_sub(at);
            heads.splice(..at, list.heads);
            runs.has_older |= heads.len() > MAX_RUNS;
            heads.truncate(MAX_RUNS);
        }
        (_, None, Some(heads)) => _ = heads.remove(at),
        (_, _, None) => {}
    }
    Effects::none()
}

/// Reads on when an end of what is at hand comes near.
pub(super) fn go_on(model: &mut Model) -> Effects {
    let near = 2 * height(model);
    if model.runs.active_finder().is_some() {
        return finder::go_on(model, near);
    }
    let runs = &model.runs;
    let heads = runs.heads.as_deref().unwrap_or_default();
    let at = position(heads, runs.at.as_ref()).unwrap_or(runs.top);
    let id = |head: &RunHead| head.run.id.clone();
    let newer = || {
        heads
            .first()
            .filter(|_| runs.has_newer && runs.top < near)
            .map(|head| Beside::Newer(id(head)))
    };
    let is_near_end = runs.top.max(at) + near >= heads.len();
    let older =
        heads.last().filter(|_| runs.has_older && is_near_end).map(|head| Beside::Older(id(head)));
    let beside = older.or_else(newer).filter(|_| runs.asked.is_none());
    ask(model, beside)
}

fn ask(model: &mut Model, beside: Option<Beside>) -> Effects {
    let Some(beside) = beside else { return Effects::none() };
    model.runs.asked = Some(beside.clone());
    WorkerRequest::ReadRuns(beside).into()
}

/// Puts a page where it belongs, in place of all that it reaches over; what is on screen stays
/// there.
fn take_in(runs: &mut Runs, start: usize, page: RunList) {
    let reached = last_in_common(runs, &page);
    let heads = runs.heads.get_or_insert_default();
    let first_on_screen =
        heads.get(runs.top).filter(|_| runs.top > 0).map(|head| head.run.id.clone());
    // Without a run in common, the runs in between are unknown.
    let end = reached
        .map(|last| last + 1)
        .filter(|end| *end > start && page.has_more)
        .unwrap_or(heads.len());
    if end == heads.len() {
        runs.has_older = page.has_more;
    }
    heads.splice(start.min(end)..end, page.heads);
    if let Some(top) = first_on_screen.and_then(|id| position(heads, Some(&id))) {
        runs.top = top;
    }
}

/// Returns the position of the last run at hand that is also in a page.
fn last_in_common(runs: &Runs, page: &RunList) -> Option<usize> {
    let read: HashSet<&RunId> = page.heads.iter().map(|head| &head.run.id).collect();
    runs.heads.as_ref()?.iter().rposition(|head| read.contains(&head.run.id))
}

/// Lets runs above the screen go that are too many.
fn let_newest_go(runs: &mut Runs) {
    let Some(heads) = &mut runs.heads else { return };
    let excess = heads.len().saturating_sub(MAX_RUNS).min(runs.top);
    heads.drain(..excess);
    runs.top -= excess;
    runs.has_newer |= excess > 0;
}

/// Moves the cursor.
pub(super) fn go(model: &mut Model, how: Move) -> Effects {
    if how == Move::Top && model.runs.has_newer && model.runs.active_finder().is_none() {
        return begin_anew(model);
    }
    let height = height(model);
    let (heads, at, top) = model.runs.shown();
    let to = step(position(heads, at).unwrap_or(top), how.rows(height), heads.len());
    if let Some(id) = heads.get(to).map(|head| head.run.id.clone()) {
        let (at, top) = model.runs.cursor_mut();
        (*at, *top) = (Some(id), reveal(*top, to, height));
    }
    Effects::none()
}

/// Puts the cursor on a run anywhere in the list. If the run is not at hand, the part at hand is
/// rebuilt around it.
pub(super) fn go_to(model: &mut Model, head: RunHead) {
    let runs = &mut model.runs;
    runs.at = Some(head.run.id.clone());
    if position(runs.heads.as_deref().unwrap_or_default(), runs.at.as_ref()).is_none() {
        (runs.heads, runs.top, runs.asked) = (Some(vec![head]), 0, None);
        (runs.has_newer, runs.has_older) = (true, true);
    }
    if runs.active_finder().is_none() {
        reveal_selected(model);
    }
}

/// Scrolls the list as far as the cursor needs.
pub(super) fn reveal_selected(model: &mut Model) {
    let height = height(model);
    let (heads, at, _) = model.runs.shown();
    if let Some(at) = position(heads, at) {
        let (_, top) = model.runs.cursor_mut();
        *top = reveal(*top, at, height);
    }
}

/// Goes to the newest runs, which are not at hand any more.
fn begin_anew(model: &mut Model) -> Effects {
    let newest = model.runs.newest.take();
    let (finder, ticket) = (model.runs.finder.take(), model.runs.ticket);
    model.runs = Runs { at: newest.clone(), newest, finder, ticket, ..Runs::default() };
    WorkerRequest::Load(model.wanted.clone()).into()
}

/// Opens the run under the cursor.
pub(super) fn open(model: &mut Model) -> Effects {
    let (heads, at, _) = model.runs.shown();
    let Some(head) = position(heads, at).and_then(|at| heads.get(at)).cloned() else {
        // A user who types fast means the first run that will be found.
        model.runs.finder.iter_mut().for_each(|finder| finder.opens_first = true);
        return Effects::none();
    };
    let id = head.run.id.clone();
    go_to(model, head);
    let is_popup = !model.panes().contains(&Pane::Runs);
    let next = if is_popup { model.behind } else { Pane::Tree };
    let mut effects = focus(model, next);
    effects.extend(load(model, id));
    effects
}

/// Opens a run if it is not open already.
fn load(model: &mut Model, id: RunId) -> Effects {
    if model.wanted.as_ref() == Some(&id) {
        return Effects::none();
    }
    model.wanted = Some(id.clone());
    WorkerRequest::Load(Some(id)).into()
}

/// Scrolls the list without moving the cursor.
pub(super) fn scroll(model: &mut Model, by: isize) -> Effects {
    let (_, top) = model.runs.cursor_mut();
    *top = top.saturating_add_signed(by);
    Effects::none()
}

/// A click on a row of the list opens the run.
pub(super) fn click(model: &mut Model, row: usize) -> Effects {
    let line = usize::from(model.runs.finder.is_some());
    let (heads, _, top) = model.runs.shown();
    let head = row.checked_sub(line).and_then(|row| heads.get(top + row));
    let Some(id) = head.map(|head| head.run.id.clone()) else { return Effects::none() };
    *model.runs.cursor_mut().0 = Some(id);
    open(model)
}

/// Keeps the list filled when it has become shorter or the screen higher.
pub(super) fn settle(model: &mut Model) {
    let most = model.runs.shown().0.len().saturating_sub(height(model));
    let (_, top) = model.runs.cursor_mut();
    *top = (*top).min(most);
}

fn height(model: &Model) -> usize {
    let body = model.layout().body(Pane::Runs).unwrap_or_default();
    usize::from(model.runs_parts(body).1.height).max(1)
}

pub(super) fn position(heads: &[RunHead], id: Option<&RunId>) -> Option<usize> {
    heads.iter().position(|head| Some(&head.run.id) == id)
}
