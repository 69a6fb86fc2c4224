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

pub use highlights::Highlights;
pub use query::{RunsQuery, TextKind};
pub(super) use search::RunsSearch;
pub use state::{Finder, Runs};
pub use steps::{StepKind, Steps};
pub use view::RunsView;
