//! Steps from run to run, also to runs that are not loaded.

use super::Runs;
use crate::catalog::Beside;
use crate::join::RunHead;
use crate::model::{Outcome, RunId};
use crate::tui::msg::{AppEvent, Events, Step, WorkerRequest};

impl Runs {
    /// Requests a step from the open run to another one, to be opened.
    pub fn step(
        &self,
        side: fn(RunId) -> Beside,
        outcome: Option<Outcome>,
        open: Option<&RunId>,
    ) -> Events {
        let from = open.filter(|id| !id.as_str().is_empty()).cloned();
        let step = from.map(|from| Step { beside: side(from), outcome, opens: true });
        step.map(WorkerRequest::Step).into()
    }

    /// Moves the cursor to the next failed run above or below; in a search, among its matches.
    pub fn to_failed(&mut self, by: isize, height: usize) -> Events {
        let Some(finder) = self.active_finder() else {
            let side = if by > 0 { Beside::Older } else { Beside::Newer };
            let outcome = Some(Outcome::Failed);
            let step = self.at.clone().map(|at| Step { beside: side(at), outcome, opens: false });
            return step.map(WorkerRequest::Step).into();
        };
        let at = self.cursor();
        let has_failed = |head: &&RunHead| head.outcome == Some(Outcome::Failed);
        let found = if by > 0 {
            finder.heads.iter().skip(at + 1).find(has_failed)
        } else {
            finder.heads.iter().take(at).rfind(has_failed)
        };
        if let Some(id) = found.map(|head| head.run.id.clone()) {
            *self.cursor_mut().0 = Some(id);
            self.reveal_cursor(height);
        }
        Events::none()
    }

    /// Takes in the run to which a step leads; `None` if there is no such run.
    pub fn stepped(
        &mut self,
        step: &Step,
        head: Option<RunHead>,
        open: Option<&RunId>,
        height: usize,
    ) -> Events {
        let from = if step.opens { open } else { self.at.as_ref() };
        if from != Some(step.beside.run()) {
            return Events::none();
        }
        let Some(head) = head else {
            let side = if matches!(step.beside, Beside::Older(_)) { "older" } else { "newer" };
            let failed = if step.outcome.is_some() { " failed" } else { "" };
            return AppEvent::Say(format!("no {side}{failed} run")).into();
        };
        let event = self.switch_to(head, height);
        step.opens.then_some(event).into()
    }

    /// Puts the cursor on a run, which is opened.
    pub fn switch_to(&mut self, head: RunHead, height: usize) -> AppEvent {
        let id = head.run.id.clone();
        self.go_to(head, height);
        AppEvent::StepToRun(id)
    }
}
