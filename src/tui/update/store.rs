//! Changes in the store, such as the growth and the end of the open run.

use std::path::PathBuf;

use crate::catalog::{Beside, RunList};
use crate::display;
use crate::join::{JobNode, Place, RunHead, RunNode, ShState};
use crate::model::{JobId, Outcome, Phase, RunId};
use crate::tui::app::{in_log, in_runs, in_tree, show};
use crate::tui::layout::Pane;
use crate::tui::log::{FoldState, Log};
use crate::tui::model::Model;
use crate::tui::msg::{Effect, Effects, Step, TerminalRequest, WorkerRequest};
use crate::tui::tree::{Item, KeptPlace, Tree, item_of, telling_place};

/// Requests a refresh of the store and the log, because the disk may have changed.
pub(super) fn refresh(model: &mut Model) -> Effects {
    let needs_list = model.new_runs.is_some() || model.layout().body(Pane::Runs).is_some();
    let refresh = WorkerRequest::Refresh { run: model.wanted.clone(), needs_list };
    let mut effects = Effects::from(refresh);
    effects.extend(in_log(model, Log::refresh));
    effects
}

/// Takes in the newest runs. If the user has chosen no run, opens the newest one, whose tree comes
/// in a message of its own.
pub(super) fn listed(model: &mut Model, list: RunList) -> Effects {
    model.store_fault = None;
    let newest = || list.heads.first().map(|head| head.run.id.clone());
    model.wanted = model.wanted.take().or_else(newest);
    let new = model.new_runs.as_mut().and_then(|known| known.take_in(&list.heads)).cloned();
    let open = model.wanted.clone();
    in_runs(model, |runs, height| {
        let mut events = runs.arrived(list, open.as_ref(), height);
        if let Some(new) = new {
            events.extend(runs.switch_to(new, height));
        }
        events
    })
}

/// Takes in runs beside a run.
pub(super) fn read_beside(model: &mut Model, beside: &Beside, list: Option<RunList>) -> Effects {
    model.store_fault = None;
    model.runs.read(beside, list);
    Effects::none()
}

/// Takes in the run to which a step leads.
pub(super) fn stepped(model: &mut Model, step: &Step, head: Option<Box<RunHead>>) -> Effects {
    let (open, head) = (model.wanted.clone(), head.map(|head| *head));
    in_runs(model, |runs, height| runs.stepped(step, head, open.as_ref(), height))
}

/// Takes in a run that was read.
pub(super) fn arrived(model: &mut Model, id: &RunId, node: Option<Box<RunNode>>) -> Effects {
    if model.wanted.as_ref() != Some(id) {
        return Effects::none();
    }
    let Some(node) = node else {
        return gone(model, id);
    };
    model.store_fault = None;
    let shown = model.run.take();
    let kept = shown.as_ref().filter(|run| run.head.run.id != *id);
    let kept = kept.and_then(|shown| kept_place(model, shown));
    let before = shown.filter(|run| run.head.run.id == *id);
    let is_new = before.is_none();
    let mut node = *node;
    let mut effects = Effects::none();
    if let Some(before) = before {
        effects.extend(
            ended(&before.head, &node.head).filter(|_| model.notify).map(TerminalRequest::Notify),
        );
        keep_read(model, &before, &mut node);
    }
    model.run = Some(node);
    if is_new {
        (model.tree, model.log.folds) = (Tree::default(), FoldState::default());
    }
    if let Some(kept) = kept {
        effects.extend(keep_place(model, kept));
        return effects;
    }
    match asked_place(model).or_else(|| next_place(model)) {
        Some(place) => effects.extend(in_tree(model, |tree, run| tree.select(run, place))),
        None => effects.extend(show(model)),
    }
    effects
}

/// Returns the selection that a new run keeps: the current one, or one that the current run does
/// not have.
fn kept_place(model: &mut Model, before: &RunNode) -> Option<KeptPlace> {
    model.tree.chosen = model.is_chosen();
    let pending = model.kept.take().filter(|kept| kept.is_pending(&model.tree));
    if !std::mem::take(&mut model.keeps_place) {
        return None;
    }
    pending.or_else(|| KeptPlace::of(before, &model.tree))
}

/// Selects a kept place in a new run, or else the place to show first.
fn keep_place(model: &mut Model, mut kept: KeptPlace) -> Effects {
    let found = model.run.as_ref().and_then(|run| kept.in_run(run));
    let is_found = found.as_ref().is_some_and(|(_, is_found)| *is_found);
    model.tree = found.map(|(tree, _)| tree).unwrap_or_default();
    let effects = match model.tree.at.clone().or_else(|| next_place(model)) {
        Some(place) => in_tree(model, |tree, run| tree.select(run, place)),
        None => show(model),
    };
    if !is_found {
        kept.wait(&model.tree);
        model.kept = Some(kept);
    }
    effects
}

/// Returns a message if the run has ended since it was last read.
fn ended(before: &RunHead, now: &RunHead) -> Option<String> {
    let has_ended = before.phase != Phase::Finished && now.phase == Phase::Finished;
    has_ended.then(|| display::ended(now))
}

/// Keeps shown commands whose logs have lost their names, for a moment during a rotation or for
/// good: their rows stay on screen, and a new file with the same name is followed.
fn keep_read(model: &Model, before: &RunNode, node: &mut RunNode) {
    let sections = model.log.document.iter().flat_map(|document| &*document.sections);
    for section in sections.filter(|section| section.log.is_some()) {
        if let Place::Sh(job, n) = &section.place {
            keep_command(before, node, job, *n);
        }
    }
}

fn keep_command(before: &RunNode, node: &mut RunNode, id: &JobId, n: u32) {
    let position = |jobs: &[JobNode]| jobs.iter().position(|job| job.job.id == *id);
    let Some(old_at) = position(&before.jobs) else { return };
    let Some(old) = before.jobs.get(old_at) else { return };
    let Some(sh) = old.shs.iter().find(|sh| sh.n == n) else { return };
    let at = position(&node.jobs).unwrap_or_else(|| {
        let at = old_at.min(node.jobs.len());
        node.jobs.insert(at, JobNode { shs: Vec::new(), ..old.clone() });
        at
    });
    if let Some(job) = node.jobs.get_mut(at).filter(|job| job.shs.iter().all(|sh| sh.n != n)) {
        let after = job.shs.partition_point(|other| other.n < n);
        job.shs.insert(after, sh.clone());
    }
}

/// Handles a run that is no longer in the store: the newest one takes its place. If there is no
/// other run, the data already read stays.
fn gone(model: &mut Model, id: &RunId) -> Effects {
    let Some(newest) = model.runs.newest.clone().filter(|newest| newest != id) else {
        model.store_fault = Some("this run is no longer in the store".into());
        return Effects::none();
    };
    model.runs.at = Some(newest.clone());
    model.wanted = Some(newest.clone());
    WorkerRequest::Load(Some(newest)).into()
}

/// Returns the place requested at the start, once; it counts as chosen by the user. Returns `None`
/// if the run has no such place.
fn asked_place(model: &mut Model) -> Option<Place> {
    let place = model.open_place.take()?;
    let is_there = model.run.as_ref().is_some_and(|run| item_of(run, &place).is_some());
    if !is_there {
        model.message = Some("--at: no such command in this run".into());
        model.log.open_at = None;
        return None;
    }
    model.tree.chosen = true;
    Some(place)
}

/// Returns the place to select now; `None` if the selection stays.
fn next_place(model: &Model) -> Option<Place> {
    let run = model.run.as_ref()?;
    let shown = model.shown();
    if shown.is_none() {
        return telling_place(run);
    }
    if model.is_chosen() || shown.is_some_and(|item| has_state(item, ShState::Running)) {
        return None;
    }
    // The command has ended: move to the running, the newest or a failed one. In a run that passed,
    // the selection stays.
    let place = telling_place(run).filter(|place| Some(place) != model.tree.at.as_ref())?;
    let is_telling = match item_of(run, &place)? {
        Item::Run(run) => run.head.outcome != Some(Outcome::Passed),
        Item::Job(job) => job.phase == Phase::Active,
        Item::Sh(_, sh) => {
            matches!(sh.state, ShState::Running | ShState::Failed | ShState::Interrupted)
        }
    };
    (is_telling || run.head.phase == Phase::Active).then_some(place)
}

fn has_state(item: Item<'_>, state: ShState) -> bool {
    item.sh().is_some_and(|sh| sh.state == state)
}

/// Watches these directories for changes, unless they are watched already.
pub(super) fn watch(model: &mut Model, run: Option<&RunId>, dirs: Vec<PathBuf>) -> Effects {
    if model.wanted.as_ref() != run || model.watched == dirs {
        return Effects::none();
    }
    model.watched.clone_from(&dirs);
    Effect::Watch(dirs).into()
}
