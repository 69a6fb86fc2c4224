//! The list of runs: the cursor, opening what is under it, and reading on.
//!
//! The list grows page by page as somebody goes down in it. When the store has changed, its first page and the one on screen are
//! read again and take the place of the runs that they reach over; the others stay as they were.

use std::collections::HashSet;

use super::keys::{Move, focus};
use super::{reveal, step};
use crate::catalog::RunList;
use crate::join::RunHead;
use crate::model::RunId;
use crate::tui::layout::{self, Pane};
use crate::tui::model::{Model, Runs};
use crate::tui::msg::Effect;

/// The newest runs were read. Without a wish of the user's the newest is opened; its tree follows by itself.
pub(super) fn arrived(model: &mut Model, list: RunList) -> Vec<Effect> {
    model.store_fault = None;
    let newest = || list.heads.first().map(|head| head.run.id.clone());
    model.wanted = model.wanted.take().or_else(newest);
    if model.runs.at.is_none() {
        model.runs.at.clone_from(&model.wanted);
    }
    let first_page = list.heads.len();
    take_in(&mut model.runs, 0, list);
    model.runs.asked = None;
    let height = height(model);
    let Runs { heads, top, .. } = &model.runs;
    // What is on screen beyond the first page may have changed too.
    let screen = (*top).max(first_page);
    let above = heads.as_ref().filter(|heads| screen < heads.len().min(top + height));
    let above = above.and_then(|heads| heads.get(screen.checked_sub(1)?)).map(|head| head.run.id.clone());
    ask(model, above)
}

/// Runs older than one were read, or that one is gone.
pub(super) fn older(model: &mut Model, id: &RunId, list: Option<RunList>) -> Vec<Effect> {
    if model.runs.asked.as_ref() != Some(id) {
        return Vec::new();
    }
    model.store_fault = None;
    model.runs.asked = None;
    let Some(at) = position(model.runs.heads.as_deref().unwrap_or_default(), Some(id)) else { return Vec::new() };
    match (list, &mut model.runs.heads) {
        (Some(list), _) => take_in(&mut model.runs, at + 1, list),
        (None, Some(heads)) => _ = heads.remove(at),
        (None, None) => {}
    }
    Vec::new()
}

/// Reads on when the end of the list comes near.
pub(super) fn go_on(model: &mut Model) -> Vec<Effect> {
    let heads = model.runs.heads.as_deref().unwrap_or_default();
    let at = position(heads, model.runs.at.as_ref()).unwrap_or(0);
    let is_near = model.runs.top.max(at) + 2 * height(model) >= heads.len();
    let last = heads.last().filter(|_| is_near && model.runs.has_more && model.runs.asked.is_none());
    let last = last.map(|head| head.run.id.clone());
    ask(model, last)
}

fn ask(model: &mut Model, before: Option<RunId>) -> Vec<Effect> {
    let Some(before) = before else { return Vec::new() };
    model.runs.asked = Some(before.clone());
    vec![Effect::ReadRuns(before)]
}

/// Puts a page where it belongs, in place of all that it reaches over; what is on screen stays there.
fn take_in(runs: &mut Runs, start: usize, page: RunList) {
    let heads = runs.heads.get_or_insert_default();
    let first_on_screen = heads.get(runs.top).filter(|_| runs.top > 0).map(|head| head.run.id.clone());
    let read: HashSet<&RunId> = page.heads.iter().map(|head| &head.run.id).collect();
    let reached = heads.iter().rposition(|head| read.contains(&head.run.id));
    // Without a run in common nobody knows what lies between.
    let end = reached.map(|last| last + 1).filter(|end| *end > start && page.has_more).unwrap_or(heads.len());
    if end == heads.len() {
        runs.has_more = page.has_more;
    }
    heads.splice(start.min(end)..end, page.heads);
    if let Some(top) = first_on_screen.and_then(|id| position(heads, Some(&id))) {
        runs.top = top;
    }
}

/// Moves the cursor.
pub(super) fn go(model: &mut Model, how: Move) -> Vec<Effect> {
    let height = height(model);
    let heads = model.runs.heads.as_deref().unwrap_or_default();
    let at = position(heads, model.runs.at.as_ref()).unwrap_or(0);
    let to = step(at, how.rows(height), heads.len());
    if let Some(head) = heads.get(to) {
        model.runs.at = Some(head.run.id.clone());
        model.runs.top = reveal(model.runs.top, to, height);
    }
    Vec::new()
}

/// Opens the run under the cursor.
pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    let Some(id) = model.runs.at.clone() else { return Vec::new() };
    let is_popup = !layout::cycle(model.screen.width).contains(&Pane::Runs);
    let next = if is_popup { model.behind } else { Pane::Tree };
    let mut effects = focus(model, next);
    if model.wanted.as_ref() != Some(&id) {
        model.wanted = Some(id.clone());
        effects.push(Effect::Load(Some(id)));
    }
    effects
}

/// Scrolls the list without moving the cursor.
pub(super) fn scroll(model: &mut Model, by: isize) -> Vec<Effect> {
    model.runs.top = model.runs.top.saturating_add_signed(by);
    Vec::new()
}

/// A click on a row of the list opens the run.
pub(super) fn click(model: &mut Model, row: usize) -> Vec<Effect> {
    let heads = model.runs.heads.as_deref().unwrap_or_default();
    let Some(head) = heads.get(model.runs.top + row) else { return Vec::new() };
    model.runs.at = Some(head.run.id.clone());
    open(model)
}

/// Keeps the list filled when it has become shorter or the screen higher.
pub(super) fn settle(model: &mut Model) {
    let len = model.runs.heads.as_ref().map_or(0, Vec::len);
    model.runs.top = model.runs.top.min(len.saturating_sub(height(model)));
}

fn height(model: &Model) -> usize {
    model.layout().body(Pane::Runs).map_or(1, |body| usize::from(body.height).max(1))
}

fn position(heads: &[RunHead], id: Option<&RunId>) -> Option<usize> {
    heads.iter().position(|head| Some(&head.run.id) == id)
}
