//! The events that cross panes: the focus, the status line and the open run.

use super::layout::Pane;
use super::model::Model;
use super::msg::{AppEvent, Effects, Events, WorkerRequest};
use super::runs::Runs;
use crate::model::RunId;

/// Updates the list of runs, given the height of its pane, and handles the resulting events.
pub(super) fn in_runs(model: &mut Model, act: impl FnOnce(&mut Runs, usize) -> Events) -> Effects {
    let height = model.layout().body(Pane::Runs).map_or(0, |body| body.height);
    let events = act(&mut model.runs, usize::from(height));
    events.into_iter().fold(Effects::none(), |mut effects, event| {
        effects.extend(handle(model, event));
        effects
    })
}

fn handle(model: &mut Model, event: AppEvent) -> Effects {
    match event {
        AppEvent::Effect(effect) => effect.into(),
        AppEvent::Back => focus(model, model.behind),
        AppEvent::Status(text) => {
            model.message = Some(text);
            Effects::none()
        }
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
