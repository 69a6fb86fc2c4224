//! The document of the selection: the log of a command or of the run itself, or the logs of all
//! commands of a job or run.

use super::in_log;
use crate::document::{Document, may_grow, own_section, sections, sh_section};
use crate::join::{JobNode, RunHead, ShState};
use crate::model::{Outcome, Phase};

use crate::tui::log::Shown;
use crate::tui::model::Model;
use crate::tui::msg::Effects;
use crate::tui::tree::Item;

/// Shows the document of the selection, unless it is shown already.
pub(in crate::tui) fn show(model: &mut Model) -> Effects {
    let shown = shown(model);
    in_log(model, |log| log.show(shown))
}

/// Returns the document of the selection, and the state of its command, job or run.
fn shown(model: &Model) -> Option<Shown> {
    let run = model.run.as_ref()?;
    let (id, item) = (run.head.run.id.clone(), model.shown()?);
    let is_active = run.head.phase == Phase::Active;
    let (section, state) = match item {
        Item::Run(run) => (Some(own_section(run.log.as_ref(), is_active)), own_state(&run.head)),
        Item::Job(job) => (None, job_state(job)),
        Item::Sh(job, sh) => (Some(sh_section(job, sh, is_active)), sh.state),
    };
    let document = if model.tree.shows_all {
        let of = item.place();
        Document { run: id, sections: sections(run, &of), of, has_headings: true }
    } else {
        Document::of_log(id, section?)
    };
    let is_alive = may_grow(state, is_active);
    Some(Shown { document, state, is_alive, is_unknown: run.head.phase == Phase::Unknown })
}

/// Returns the state of the run's own log, which is written while the run is active. Its end
/// contains the reason for a failure.
const fn own_state(head: &RunHead) -> ShState {
    match (head.phase, head.outcome) {
        (Phase::Active, _) => ShState::Running,
        (_, Some(Outcome::Failed)) => ShState::Failed,
        (_, Some(Outcome::Passed)) => ShState::Passed,
        _ => ShState::Unknown,
    }
}

/// Returns the state of a job, in the terms of its commands.
const fn job_state(job: &JobNode) -> ShState {
    match (job.phase, job.outcome) {
        (Phase::Active, _) => ShState::Running,
        (_, Some(Outcome::Failed)) => ShState::Failed,
        (_, Some(Outcome::Passed)) => ShState::Passed,
        _ => ShState::Unknown,
    }
}
