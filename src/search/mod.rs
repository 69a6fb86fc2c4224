//! Finding things in logs: error rows.

pub mod errors;
