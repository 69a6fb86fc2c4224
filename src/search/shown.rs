//! The text of a row as it is shown.

pub use crate::sanitise::Progress;
pub(super) use crate::sanitise::plain;
