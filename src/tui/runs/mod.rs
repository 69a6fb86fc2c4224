//! The pane of runs: the loaded part of the list, the search in it, and steps from run to run.
//!
//! The functions change only [`Runs`]. They return requests, and events for other panes, as
//! [`super::msg::Events`]. `search` runs on the worker's thread; the rest is pure.

mod columns;
mod finder;
mod highlights;
mod list;
mod query;
mod search;
mod state;
mod steps;
mod view;

use crate::join::RunHead;
use crate::model::RunId;

pub use highlights::Highlights;
pub use query::{RunsQuery, TextKind};
pub(super) use search::RunsSearch;
pub use state::{Finder, Runs};
pub use steps::{StepKind, Steps};
pub use view::RunsView;

/// Returns the position of a run in a list.
fn position(heads: &[RunHead], id: Option<&RunId>) -> Option<usize> {
    heads.iter().position(|head| Some(&head.run.id) == id)
}
