//! The tree of jobs and commands: selecting, folding, going to another command.

use std::cmp::Reverse;

use super::keys::{Move, focus};
use super::{log, scroll};
use crate::display;
use crate::join::{Place, RunNode, ShNode, ShState};
use crate::tui::layout::Pane;
use crate::tui::model::{Item, Model};
use crate::tui::motion::{reveal, step};
use crate::tui::msg::Effects;
use crate::tui::widget::spent_ms_by;

/// Selects an item for the user. From now on, the selection does not move automatically.
fn choose(model: &mut Model, place: Place) -> Effects {
    model.tree.chosen = true;
    select(model, place)
}

/// Selects an item, scrolls the tree to it, and shows its log.
pub(super) fn select(model: &mut Model, place: Place) -> Effects {
    if let Place::Sh(job, _) = &place {
        model.tree.folded.remove(job);
    }
    model.tree.shows_all &= model.tree.at.as_ref() == Some(&place);
    // A run without a log of its own shows all its commands.
    let is_run = |run: &RunNode| {
        place == Place::Run && run.log.is_none() && run.jobs.iter().any(|job| !job.shs.is_empty())
    };
    model.tree.shows_all |= model.run.as_ref().is_some_and(is_run);
    model.tree.at = Some(place);
    reveal_selected(model);
    log::show(model)
}

/// Scrolls the tree as far as needed to show the selection.
pub(super) fn reveal_selected(model: &mut Model) {
    let height = height(model);
    if let Some(at) = model.item_at(&model.items()) {
        model.tree.top = reveal(model.tree.top, at, height);
    }
}

/// Moves the selection.
pub(super) fn go(model: &mut Model, how: Move) -> Effects {
    let items = model.items();
    let at = model.item_at(&items).unwrap_or(0);
    let to = items.get(step(at, how.rows(height(model)), items.len())).map(Item::place);
    to.map_or_else(Effects::none, |place| choose(model, place))
}

/// Hides the commands of the selected job. If a command is selected, selects its job.
pub(super) fn fold(model: &mut Model) -> Effects {
    match model.tree.at.clone() {
        Some(Place::Job(job)) => {
            model.tree.folded.insert(job);
            Effects::none()
        }
        Some(Place::Sh(job, _)) => choose(model, Place::Job(job)),
        Some(Place::Run) | None => Effects::none(),
    }
}

/// Shows the commands of the selected job. If they are already shown, selects the first one.
pub(super) fn unfold(model: &mut Model) -> Effects {
    let Some(Place::Job(id)) = model.tree.at.clone() else { return Effects::none() };
    if model.tree.folded.remove(&id) {
        return Effects::none();
    }
    let job = model.run.iter().flat_map(|run| &run.jobs).find(|job| job.job.id == id);
    let first = job.and_then(|job| job.shs.first()).map(|sh| sh.n);
    first.map_or_else(Effects::none, |n| choose(model, Place::Sh(id, n)))
}

/// Folds or unfolds the selected job, or the job of the selected command.
pub(super) fn toggle(model: &mut Model) -> Effects {
    let Some(job) = model.tree.at.as_ref().and_then(Place::job).cloned() else {
        return Effects::none();
    };
    if model.tree.folded.remove(&job) {
        return Effects::none();
    }
    model.tree.folded.insert(job.clone());
    choose(model, Place::Job(job))
}

/// Gives the log's pane the focus. For a job or the run, shows all its commands there.
pub(super) fn open(model: &mut Model) -> Effects {
    match &model.tree.at {
        Some(Place::Sh(..)) => {
            model.tree.chosen = true;
            focus(model, Pane::Log)
        }
        Some(Place::Job(_) | Place::Run) => scroll::open(model),
        None => Effects::none(),
    }
}

/// Returns true if a command failed or was interrupted.
pub(super) fn is_failed(sh: &ShNode) -> bool {
    matches!(sh.state, ShState::Failed | ShState::Interrupted)
}

/// Goes to the next or previous command for which `wanted` returns true, in any job, folded or not.
/// Does nothing if there is no such command.
pub(super) fn jump(model: &mut Model, by: isize, wanted: fn(&ShNode) -> bool) -> Effects {
    let all = model.all_items();
    let is_here = |item: &Item<'_>| model.tree.at.as_ref() == Some(&item.place());
    let here = all.iter().position(is_here).unwrap_or(0);
    let is_wanted = |item: &&Item<'_>| item.sh().is_some_and(wanted);
    let found = if by > 0 {
        all.iter().skip(here + 1).find(is_wanted)
    } else {
        all.iter().take(here).rev().find(is_wanted)
    };
    found.map(Item::place).map_or_else(Effects::none, |place| choose(model, place))
}

/// Goes to the slowest command first, and from there to the next or previous one in the order of
/// duration.
pub(super) fn slowest(model: &mut Model, by: isize) -> Effects {
    let all = model.all_items();
    let timed = all.iter().filter_map(|item| Some((spent_ms_by(item.sh()?, model.now)?, item)));
    let mut ranked: Vec<_> = timed.collect();
    // Commands with equal durations stay in the order in which they ran.
    ranked.sort_by_key(|(ms, _)| Reverse(*ms));
    let is_here = |(_, item): &(i64, &Item<'_>)| model.tree.at.as_ref() == Some(&item.place());
    let here = ranked.iter().position(is_here).filter(|_| model.tree.ranked == model.tree.at);
    let to = here.map_or(0, |here| step(here, by, ranked.len()));
    let Some((ms, item)) = ranked.get(to) else {
        model.message = Some("command durations unknown".into());
        return Effects::none();
    };
    let which = if to == 0 { String::new() } else { format!("{} ", display::ordinal(to + 1)) };
    let message = format!("{which}slowest of {}: {}", ranked.len(), display::duration(*ms));
    let place = item.place();
    model.message = Some(message);
    model.tree.ranked = Some(place.clone());
    choose(model, place)
}

/// Scrolls the tree without moving the selection.
pub(super) fn scroll(model: &mut Model, by: isize) -> Effects {
    model.tree.top = model.tree.top.saturating_add_signed(by);
    Effects::none()
}

/// Selects the row of the tree at a click.
pub(super) fn click(model: &mut Model, row: usize) -> Effects {
    let place = model.items().get(model.tree.top + row).map(Item::place);
    place.map_or_else(Effects::none, |place| choose(model, place))
}

/// Scrolls back if the tree became shorter or the screen higher, so that no rows stay blank.
pub(super) fn settle(model: &mut Model) {
    let len = model.items().len();
    model.tree.top = model.tree.top.min(len.saturating_sub(height(model)));
}

fn height(model: &Model) -> usize {
    model.layout().body(Pane::Tree).map_or(1, |body| usize::from(body.height).max(1))
}
