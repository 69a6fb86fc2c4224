//! Physical lines of a file, forward and backward from a byte offset.

/// One physical line.
pub struct Line {}

/// Reads physical lines.
pub struct Lines {}
