//! Rows in order of their first record, streaming.

/// Reads rows.
pub struct Rows {}
