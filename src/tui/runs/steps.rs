//! Steps from run to run, also to runs that are not loaded.
//!
//! A step starts at the run to which the last step led, so it is requested only after the last one
//! is answered. Steps for keys pressed in between are queued.

use std::collections::VecDeque;

use super::{Runs, position};
use crate::catalog::Beside;
use crate::join::RunHead;
use crate::model::{Outcome, Phase, RunId};
use crate::tui::msg::{AppEvent, Events, Step, WorkerRequest};

/// The most queued steps. More are ignored.
const MOST_WAITING: usize = 100;

/// A kind of step.
#[derive(Clone, Copy, Debug)]
pub struct StepKind {
    /// The direction.
    pub side: fn(RunId) -> Beside,
    /// True if it leads to a failed run.
    pub to_failed: bool,
    /// True if it leads to a run of the same repository and ref.
    pub same_ref: bool,
    /// True if the run is opened; false if only the cursor moves there.
    pub opens: bool,
}

/// The steps that are not answered yet.
#[derive(Default)]
pub struct Steps {
    sent: Option<Step>,
    waiting: VecDeque<StepKind>,
}

impl Runs {
    /// Requests a step from the open run, or from the run under the cursor.
    pub fn step(&mut self, kind: StepKind, open: Option<&RunId>) -> Events {
        if self.steps.waiting.len() < MOST_WAITING {
            self.steps.waiting.push_back(kind);
        }
        self.next_step(open)
    }

    fn next_step(&mut self, open: Option<&RunId>) -> Events {
        if self.steps.sent.is_some() {
            return Events::none();
        }
        let Some(kind) = self.steps.waiting.pop_front() else { return Events::none() };
        let from = if kind.opens { open } else { self.at.as_ref() };
        let Some(from) = from.filter(|id| !id.as_str().is_empty()) else { return Events::none() };
        let StepKind { side, to_failed, same_ref, opens } = kind;
        let outcome = to_failed.then_some(Outcome::Failed);
        let step = Step { beside: side(from.clone()), outcome, same_ref, opens };
        self.steps.sent = Some(step.clone());
        WorkerRequest::Step(step).into()
    }

    /// Takes in the run to which a step leads; `None` if there is no such run.
    pub fn stepped(
        &mut self,
        step: &Step,
        head: Option<RunHead>,
        open: Option<&RunId>,
        height: usize,
    ) -> Events {
        if self.steps.sent.take_if(|sent| sent == step).is_none() {
            return Events::none();
        }
        let from = if step.opens { open } else { self.at.as_ref() };
        if from != Some(step.beside.run()) {
            // The user has opened another run, or moved the cursor.
            self.steps.waiting.clear();
            return Events::none();
        }
        let Some(head) = head else {
            self.steps.waiting.clear();
            return AppEvent::Status(no_run(step)).into();
        };
        let id = head.run.id.clone();
        self.go_to(head, height);
        let mut events = self.next_step(if step.opens { Some(&id) } else { open });
        events.extend(step.opens.then_some(AppEvent::StepToRun(id)));
        events
    }

    /// Gives up all steps: the store cannot be read.
    pub fn drop_steps(&mut self) {
        self.steps = Steps::default();
    }

    /// Moves the cursor to the next failed run above or below; in a search, among its matches.
    pub fn to_failed(&mut self, by: isize, height: usize) -> Events {
        let Some(finder) = self.active_finder() else {
            let side = if by > 0 { Beside::Older } else { Beside::Newer };
            let kind = StepKind { side, to_failed: true, same_ref: false, opens: false };
            return self.step(kind, None);
        };
        let at = self.cursor();
        let has_failed = |head: &&RunHead| head.outcome == Some(Outcome::Failed);
        let found = if by > 0 {
            finder.heads.iter().skip(at + 1).find(has_failed)
        } else {
            finder.heads.iter().take(at).rfind(has_failed)
        };
        let id = found.map(|head| head.run.id.clone());
        self.select(id.as_ref(), height);
        Events::none()
    }

    /// Opens a run in progress that is newer than the open one: of the same ref if there is one,
    /// else the newest. Returns `None` if none is loaded.
    pub fn to_active(&mut self, open: Option<&RunId>, height: usize) -> Option<Events> {
        let heads = self.heads.as_deref()?;
        let at = position(heads, open);
        let of_open = at.and_then(|at| heads.get(at)).map(|head| &head.run);
        let mut newer = heads
            .iter()
            .take(at.unwrap_or(heads.len()))
            .filter(|head| head.phase == Phase::Active)
            .peekable();
        let newest = newer.peek().copied();
        let is_same_ref = |head: &&RunHead| {
            of_open.is_some_and(|run| {
                (&run.repo, &run.ref_name) == (&head.run.repo, &head.run.ref_name)
            })
        };
        let head = newer.find(is_same_ref).or(newest)?.clone();
        Some(self.switch_to(head, height))
    }

    /// Opens a run and puts the cursor on it.
    pub fn switch_to(&mut self, head: RunHead, height: usize) -> Events {
        let id = head.run.id.clone();
        self.go_to(head, height);
        AppEvent::SwitchToRun(id).into()
    }
}

/// Returns the message for a step that leads nowhere: `no older failed run on this ref`.
fn no_run(step: &Step) -> String {
    let side = if matches!(step.beside, Beside::Older(_)) { "older" } else { "newer" };
    let failed = if step.outcome.is_some() { " failed" } else { "" };
    let place = if step.same_ref { " on this ref" } else { "" };
    format!("no {side}{failed} run{place}")
}
