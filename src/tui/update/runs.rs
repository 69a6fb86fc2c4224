//! The list of runs: the cursor, and opening what is under it.

use super::keys::{Move, focus};
use super::{reveal, step};
use crate::join::RunHead;
use crate::model::RunId;
use crate::tui::layout::{self, Pane};
use crate::tui::model::Model;
use crate::tui::msg::Effect;

/// The newest runs were read. Without a wish of the user's the newest is opened; its tree follows by itself.
pub(super) fn arrived(model: &mut Model, heads: Vec<RunHead>) -> Vec<Effect> {
    model.store_fault = None;
    let newest = || heads.first().map(|head| head.run.id.clone());
    model.wanted = model.wanted.take().or_else(newest);
    if model.runs.at.is_none() {
        model.runs.at.clone_from(&model.wanted);
    }
    model.runs.heads = Some(heads);
    Vec::new()
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
