//! rundown, a terminal inspector for CI runs: their progress, and the reason of their failures.
//!
//! A CI run leaves records: rows in an SQLite database and, for each command, a log in the
//! Kubernetes CRI format. This crate reads and joins them, prints them (`--once`) and shows them
//! live in a terminal. It also records commands in this form.
//!
//! # Layers: a module imports only from rows above its own
//!
//! | modules | must not depend on |
//! |---|---|
//! | [`time`] | anything |
//! | [`ci`] · [`error`] · [`mod@file`] · [`model`] · [`cri`] · [`sanitize`] | SQL, screen, stores |
//! | [`log`] · [`store`] · [`events`] · [`panics`] | each other |
//! | [`join`] (pure) · [`search`] | SQL, screen, each other |
//! | [`display`] | files, SQL, screen |
//! | [`catalog`] · [`record`] | screen, clap, each other |
//! | [`doctor`] | screen, clap |
//! | [`dump`] · [`tui`] | clap, each other |
//! | [`demo`] · [`cli`] | – |
//!
//! `tests/it/layering.rs` checks the sources against this table.
//!
//! # Data flow
//!
//! ```text
//! record:  child ─stdout─► reader ┐ cri::encode ─► sh-<n>.log        rows ─► rundown.db
//!                ─stderr─► reader ┘            (the log is closed before its row is finished)
//!
//! read:    rundown.db │ quire.db ────────────► store::Reader ┐
//!          runs/<repo>/<run>/events.jsonl ─────────► events ─┤
//!          …/quire-ci.log, …/jobs/<job>/sh-<n>.log ──────────┴► catalog ─► join ─┐
//!          RunNode, Findings ◄───────────────────────────────────────────────────┘
//!            ├► dump::<format> ─► stdout
//!            ├► doctor ─► stdout
//!            └► tui ◄─ keys, notify, ticks
//!
//!          sh-<n>.log ─► log (windows, rows, index) ─► search (matches, filters) ─┐
//!                                         tui, dump ◄─ sanitize ◄─────────────────┘
//! ```

#[cfg(test)]
extern crate self as rundown; // for the files that unit tests share with tests/it

pub mod catalog;
pub mod ci;
pub mod cli;
pub mod cri;
pub mod demo;
pub mod display;
pub mod doctor;
pub mod dump;
pub mod error;
pub mod events;
pub mod file;
pub mod join;
pub mod log;
pub mod model;
pub mod panics;
pub mod record;
pub mod sanitize;
pub mod search;
pub mod store;
pub mod time;
pub mod tui;
