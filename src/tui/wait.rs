//! What is waited for, and since when.

pub use crate::catalog::Wait;
use crate::time::Time;

/// Something that is waited for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// What.
    pub wait: Wait,
    /// Since when; `None` until somebody has said how late it is.
    pub since: Option<Time>,
}
