//! The next step in a pane that has nothing to show.

use crate::display::Status;
use crate::join::{RunNode, ShState};
use crate::model::Phase;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::tree::{Item, items_of};

/// Returns the next step in a log's pane without rows; empty if there is no such step.
pub(super) fn in_log(model: &Model) -> String {
    let status = model.shown().map(|item| status(&item));
    if matches!(status, Some(Status::Queued | Status::Active | Status::Waiting)) {
        return "its output will appear here".into();
    }
    let place = model.shown().map(|item| item.place());
    let items = model.run.as_ref().map(items_of).unwrap_or_default();
    let others = || items.iter().filter(|item| Some(item.place()) != place).filter_map(Item::sh);
    if others().any(|sh| sh.state == ShState::Failed) {
        return press(model, Action::NextFailed, "for the next failed command");
    }
    if others().next().is_some() {
        return press(model, Action::NextCommand, "for the next command");
    }
    String::new()
}

/// Returns the next step in a log's pane whose rows the filter hides.
pub(super) fn under_a_filter(model: &Model) -> String {
    press(model, Action::Back, "for all rows")
}

/// Returns the next step in the tree of a run without jobs.
pub(super) fn in_tree(model: &Model, run: &RunNode) -> String {
    match run.head.phase {
        Phase::Queued | Phase::Active => "jobs will appear here".into(),
        Phase::Finished | Phase::Unknown => press(model, Action::Runs, "for other runs"),
    }
}

/// Returns the status of a run, job or command.
pub(super) fn status(item: &Item<'_>) -> Status {
    match item {
        Item::Run(run) => Status::of_run(&run.head),
        Item::Job(job) => Status::of_job(job),
        Item::Sh(_, sh) => Status::of_sh(sh),
    }
}

/// Formats `press r for other runs`; empty if the action has no key.
fn press(model: &Model, action: Action, purpose: &str) -> String {
    model.key_of(action).map(|key| format!("press {key} {purpose}")).unwrap_or_default()
}
