//! The events that a pane leaves to the rest of the screen: plain data, handled by
//! [`crate::tui::app`].

use super::{Effect, Queue};
use crate::model::RunId;
use crate::tui::keymap::Action;
use crate::tui::layout::Pane;

/// An event of one pane that concerns others.
#[derive(Clone, PartialEq, Debug)]
pub enum AppEvent {
    /// Work for a thread.
    Effect(Effect),
    /// The return of the focus to the pane that had it before the list of runs.
    Back,
    /// A message about the result of the last key.
    Status(String),
    /// A message about something that this action would provide: its key is part of the message.
    Missing(&'static str, Action),
    /// The move of the focus to a pane.
    Focus(Pane),
    /// A change of the selection, or of the part of the run that is shown: the log follows it.
    Show,
    /// The arrival of the first log, which opens at this position.
    OpenAt(String),
    /// The choice of a run in the list: it is opened, and its jobs get the focus.
    OpenRun(RunId),
    /// A step to another run: it is opened at the same command, and the focus stays.
    StepToRun(RunId),
    /// The switch to a run in progress: its running command is opened, and the focus stays.
    SwitchToRun(RunId),
}

impl AppEvent {
    /// Returns the event of a message.
    pub fn status(message: impl Into<String>) -> Events {
        Self::Status(message.into()).into()
    }
}

/// The events to which a message leads in a pane, in order.
pub type Events = Queue<AppEvent>;

impl<T: Into<Effect>> From<T> for AppEvent {
    fn from(effect: T) -> Self {
        Self::Effect(effect.into())
    }
}

impl<T: Into<AppEvent>> From<T> for Events {
    fn from(event: T) -> Self {
        Self(vec![event.into()])
    }
}

impl<T: Into<AppEvent>> From<Option<T>> for Events {
    fn from(event: Option<T>) -> Self {
        Self(event.into_iter().map(Into::into).collect())
    }
}
