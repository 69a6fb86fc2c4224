//! The name of a run's own row.

use crate::join::RunNode;

/// Returns the name of the row of the run itself.
#[must_use]
pub const fn own_name(run: &RunNode) -> &'static str {
    if run.log.is_some() { "run log" } else { "all commands" }
}
