//! Finding runs by typing: the line, what has been found, and stepping from run to run.

use std::collections::HashSet;

use super::runs::{go_to, open, position};
use super::{keys, runs};
use crate::catalog::{Beside, RunList};
use crate::join::RunHead;
use crate::model::{Outcome, RunId};
use crate::tui::keymap::Key;
use crate::tui::layout::Pane;
use crate::tui::model::{Finder, Model};
use crate::tui::msg::{
    Effects, FoundRuns, MAX_RUNS, Next, RunsRequest, Step, Ticket, WorkerRequest,
};
use crate::tui::runs_query::RunsQuery;

/// The list of runs gets the focus, and keys are typed.
pub(super) fn begin(model: &mut Model) -> Effects {
    let effects = keys::focus(model, Pane::Runs);
    model.runs.finder.get_or_insert_default().is_typing = true;
    effects
}

/// A key is typed, or edits what was typed.
pub(super) fn type_key(model: &mut Model, key: Key) -> Effects {
    let (Some(request), Some(finder)) = (key.input_request(), &mut model.runs.finder) else {
        return Effects::none();
    };
    let before = finder.text().to_owned();
    finder.input.handle(request);
    if finder.text() == before {
        return Effects::none();
    }
    // Earlier matches stay on screen until there are new ones, but the cursor leaves them.
    (finder.at, finder.opens_first) = (None, false);
    search(model)
}

/// Searches for what is typed, in place of what was searched for.
fn search(model: &mut Model) -> Effects {
    let runs = &mut model.runs;
    runs.ticket = Ticket(runs.ticket.0 + 1);
    let is_search = runs.active_finder().is_some();
    let Some(finder) = &mut runs.finder else { return WorkerRequest::FindRuns(None).into() };
    finder.next = Next::Looking;
    if !is_search {
        // Nothing is left of what was found when something is typed again.
        *finder = Finder {
            input: std::mem::take(&mut finder.input),
            is_typing: finder.is_typing,
            ..Finder::default()
        };
        runs::reveal_selected(model);
        return WorkerRequest::FindRuns(None).into();
    }
    WorkerRequest::FindRuns(Some(RunsRequest {
        ticket: runs.ticket,
        text: finder.text().to_owned(),
        after: None,
    }))
    .into()
}

/// Clears the typed text; without text, closes the finder and returns to the pane that had the
/// focus before. Returns `None` if there was no finder.
pub(super) fn back(model: &mut Model) -> Option<Effects> {
    if model.runs.active_finder().is_some() {
        let is_typing = model.runs.finder.take().is_some_and(|finder| finder.is_typing);
        model.runs.finder = is_typing.then(|| Finder { is_typing, ..Finder::default() });
        return Some(search(model));
    }
    model.runs.finder.take()?;
    Some(keys::focus(model, model.behind))
}

/// Handles the loss of focus. A list that covers other panes opens without a search next time; in a
/// pane of its own the matches stay.
pub(super) fn leave(model: &mut Model) -> Effects {
    let has_pane = model.panes().contains(&Pane::Runs);
    if has_pane && model.runs.active_finder().is_some() {
        if let Some(finder) = &mut model.runs.finder {
            finder.is_typing = false;
        }
        return Effects::none();
    }
    if model.runs.finder.take().is_some() { search(model) } else { Effects::none() }
}

/// Runs were found, or a slice without any was looked at.
pub(super) fn found(model: &mut Model, ticket: Ticket, found: FoundRuns) -> Effects {
    let runs = &mut model.runs;
    let Some(finder) = runs.finder.as_mut().filter(|_| runs.ticket == ticket) else {
        return Effects::none();
    };
    if found.is_anew {
        (finder.heads, finder.looked, finder.at, finder.top) = (Vec::new(), 0, None, 0);
    }
    finder.heads.extend(found.heads);
    finder.looked += found.looked;
    finder.next = found.next;
    finder.at = finder.at.take().or_else(|| finder.heads.first().map(|head| head.run.id.clone()));
    let opens = finder.opens_first && finder.at.is_some();
    if opens { open(model) } else { Effects::none() }
}

/// Searches on when the last of what was found comes near; what a screen could never show is not
/// searched for.
pub(super) fn go_on(model: &mut Model, near: usize) -> Effects {
    let runs = &mut model.runs;
    let (heads, at, top) = runs.shown();
    let at = position(heads, at).unwrap_or(top);
    let is_near_end = top.max(at) + near >= heads.len() && heads.len() < MAX_RUNS;
    let Some(finder) = runs.finder.as_mut().filter(|_| is_near_end) else { return Effects::none() };
    let Next::After(after) = &finder.next else { return Effects::none() };
    let request = RunsRequest {
        ticket: runs.ticket,
        text: finder.input.value().to_owned(),
        after: Some(after.clone()),
    };
    finder.next = Next::Looking;
    WorkerRequest::FindRuns(Some(request)).into()
}

/// Takes in the newest runs: those that match take the place of the matches that they reach over.
/// If the newest run of before is not among them, the runs in between are unknown, and the search
/// starts again.
pub(super) fn take_in(model: &mut Model, list: &RunList) -> Effects {
    let Some(finder) = model.runs.active_finder() else { return Effects::none() };
    let read: HashSet<&RunId> = list.heads.iter().map(|head| &head.run.id).collect();
    if list.has_more && model.runs.newest.as_ref().is_some_and(|newest| !read.contains(newest)) {
        return search(model);
    }
    let query = RunsQuery::new(finder.text());
    let Some(finder) = &mut model.runs.finder else { return Effects::none() };
    let lowest = finder.heads.iter().rposition(|head| read.contains(&head.run.id));
    let reached = if list.has_more { lowest.map_or(0, |at| at + 1) } else { finder.heads.len() };
    let first_on_screen =
        finder.heads.get(finder.top).filter(|_| finder.top > 0).map(|head| head.run.id.clone());
    let matching = list.heads.iter().filter(|head| query.matches(head)).cloned();
    finder.heads.splice(..reached, matching);
    finder.looked = finder.looked.max(list.heads.len());
    if let Some(top) = first_on_screen.and_then(|id| position(&finder.heads, Some(&id))) {
        finder.top = top;
    }
    Effects::none()
}

/// Requests a step from the open run, or in the list from the run under the cursor.
pub(super) fn step(
    model: &mut Model,
    side: fn(RunId) -> Beside,
    outcome: Option<Outcome>,
    opens: bool,
) -> Effects {
    let from = if opens { &model.wanted } else { &model.runs.at };
    let beside = from.clone().filter(|id| !id.as_str().is_empty()).map(side);
    beside.map(|beside| WorkerRequest::Step(Step { beside, outcome, opens })).into()
}

/// To the failed run above or below the cursor; among those found it is at hand.
pub(super) fn to_failed(model: &mut Model, by: isize) -> Effects {
    let Some(finder) = model.runs.active_finder() else {
        return step(
            model,
            if by > 0 { Beside::Older } else { Beside::Newer },
            Some(Outcome::Failed),
            false,
        );
    };
    let at = position(&finder.heads, finder.at.as_ref()).unwrap_or(finder.top);
    let has_failed = |head: &&RunHead| head.outcome == Some(Outcome::Failed);
    let found = if by > 0 {
        finder.heads.iter().skip(at + 1).find(has_failed)
    } else {
        finder.heads.iter().take(at).rfind(has_failed)
    };
    if let (Some(id), Some(finder)) =
        (found.map(|head| head.run.id.clone()), &mut model.runs.finder)
    {
        finder.at = Some(id);
        runs::reveal_selected(model);
    }
    Effects::none()
}

/// A step leads to a run, or to none.
pub(super) fn stepped(model: &mut Model, step: &Step, head: Option<RunHead>) -> Effects {
    let from = if step.opens { &model.wanted } else { &model.runs.at };
    if from.as_ref() != Some(step.beside.run()) {
        return Effects::none();
    }
    let Some(head) = head else {
        let side = if matches!(step.beside, Beside::Older(_)) { "older" } else { "newer" };
        let failed = if step.outcome.is_some() { " failed" } else { "" };
        model.said = Some(format!("no {side}{failed} run"));
        return Effects::none();
    };
    let id = head.run.id.clone();
    go_to(model, head);
    if !step.opens {
        return Effects::none();
    }
    model.wanted = Some(id.clone());
    WorkerRequest::Load(Some(id)).into()
}
