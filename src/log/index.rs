//! The sparse index.

/// The index of a log.
pub struct Index {}

/// What a whole log holds.
pub struct Totals {}
