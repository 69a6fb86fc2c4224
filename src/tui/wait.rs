//! A wait and its start.

pub use crate::catalog::Wait;
use crate::time::Time;

/// A wait that is in progress.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// The reason for the wait.
    pub wait: Wait,
    /// The start of the wait; `None` until the next tick.
    pub since: Option<Time>,
}
