//! The names of commands, and of a run's own row.

use crate::display;
use crate::join::{RunNode, ShNode};

/// Returns the name of the row of the run itself.
#[must_use]
pub const fn own_name(run: &RunNode) -> &'static str {
    if run.log.is_some() { "run log" } else { "all commands" }
}

/// Returns the command line for the screen; `sh-3.log` if there is only a log.
#[must_use]
pub fn command(sh: &ShNode) -> String {
    sh.sh.as_ref().map_or_else(|| display::log_name(sh), display::command)
}
