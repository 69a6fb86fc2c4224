//! The events that cross panes: the focus, the status line, the open run and the selection.

mod show;

pub(super) use show::show;

use crate::join::RunNode;
use crate::model::RunId;
use crate::tui::at::Where;
use crate::tui::layout::Pane;
use crate::tui::log::Log;
use crate::tui::model::Model;
use crate::tui::msg::{AppEvent, Effects, Events, WorkerRequest};
use crate::tui::prompt::parse_goto;
use crate::tui::runs::Runs;
use crate::tui::tree::Tree;

/// Updates the list of runs, given the height of its pane, and handles the resulting events.
pub(super) fn in_runs(model: &mut Model, act: impl FnOnce(&mut Runs, usize) -> Events) -> Effects {
    let height = model.layout().body(Pane::Runs).map_or(0, |body| body.height);
    let events = act(&mut model.runs, usize::from(height));
    handle_all(model, events)
}

/// Updates the tree of the open run, if there is one, and handles the resulting events.
pub(super) fn in_tree(
    model: &mut Model,
    act: impl FnOnce(&mut Tree, &RunNode) -> Events,
) -> Effects {
    let height = model.layout().body(Pane::Tree).map_or(0, |body| body.height);
    let Some(run) = &model.run else { return Effects::none() };
    model.tree.height = usize::from(height).max(1);
    let events = act(&mut model.tree, run);
    handle_all(model, events)
}

/// Updates the log's pane, and handles the resulting events.
pub(super) fn in_log(model: &mut Model, act: impl FnOnce(&mut Log) -> Events) -> Effects {
    let frame = model.log_frame();
    model.log.set_frame(frame);
    let events = act(&mut model.log);
    handle_all(model, events)
}

fn handle_all(model: &mut Model, events: Events) -> Effects {
    events.into_iter().fold(Effects::none(), |mut effects, event| {
        effects.extend(handle(model, event));
        effects
    })
}

fn handle(model: &mut Model, event: AppEvent) -> Effects {
    match event {
        AppEvent::Effect(effect) => effect.into(),
        AppEvent::Back => focus(model, model.behind),
        AppEvent::Focus(pane) => focus(model, pane),
        AppEvent::Status(text) => show_message(model, text),
        AppEvent::Missing(what, action) => {
            let text = model.pointing(what, action);
            show_message(model, text)
        }
        AppEvent::Show => show(model),
        AppEvent::OpenAt(at) => open_at(model, &at),
        AppEvent::OpenRun(id) => {
            let next = if has_runs_pane(model) { Pane::Tree } else { model.behind };
            let mut effects = open_run(model, id, false);
            effects.extend(focus(model, next));
            effects
        }
        AppEvent::StepToRun(id) => open_run(model, id, true),
        AppEvent::SwitchToRun(id) => open_run(model, id, false),
    }
}

/// Shows a message in the last row, until the next key.
pub(super) fn show_message(model: &mut Model, what: impl Into<String>) -> Effects {
    model.message = Some(what.into());
    Effects::none()
}

/// Goes to the position at which the log was requested to open.
fn open_at(model: &mut Model, at: &str) -> Effects {
    if let Some(Where::Byte(byte)) = Where::parse(at) {
        return in_log(model, |log| log.open_from(byte));
    }
    match parse_goto(at, model.shown_span(), &model.time_zone) {
        Ok(goal) => in_log(model, |log| log.go_to(goal)),
        Err(why) => show_message(model, why),
    }
}

fn open_run(model: &mut Model, id: RunId, keeps_place: bool) -> Effects {
    if model.wanted.as_ref() == Some(&id) {
        return Effects::none();
    }
    (model.wanted, model.keeps_place) = (Some(id.clone()), keeps_place);
    WorkerRequest::Load(Some(id)).into()
}

/// Gives a pane the focus.
pub(super) fn focus(model: &mut Model, pane: Pane) -> Effects {
    let before = std::mem::replace(&mut model.focus, pane);
    let has_pane = has_runs_pane(model);
    match (before, pane) {
        (Pane::Runs, Pane::Runs) => Effects::none(),
        (_, Pane::Runs) => {
            model.behind = before;
            Effects::none()
        }
        (Pane::Runs, _) => {
            let open = model.wanted.clone();
            in_runs(model, |runs, height| runs.leave(has_pane, open.as_ref(), height))
        }
        _ => Effects::none(),
    }
}

/// Returns true if the list of runs has a pane of its own; otherwise it covers the others.
fn has_runs_pane(model: &Model) -> bool {
    model.panes().contains(&Pane::Runs)
}
