//! The pane of jobs and commands: the selection, the folded jobs, and moves from command to
//! command.
//!
//! The functions change only [`Tree`]. They return events for other panes, as
//! [`super::msg::Events`]. All is pure.

mod kept;
mod moves;
mod state;
mod view;

pub use kept::KeptPlace;
pub use state::{Item, Tree, item_of, items_of, telling_place};
pub use view::TreeList;
