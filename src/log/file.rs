//! An open log.

/// An open log.
pub struct LogFile {}

/// What has happened to a log since it was looked at.
pub enum Change {}
