//! rundown, a terminal inspector for CI runs: their progress, and the reasons for their failures.
//!
//! A CI run leaves records: rows in an SQLite database and, for each command, a log in the
//! Kubernetes CRI format. This crate reads and joins them, prints them (`--once`) and shows them
//! live in a terminal. It also records commands in this form.
//!
//! # Library API
//!
//! | module | purpose |
//! |---|---|
//! | [`cri`] | parses and encodes lines of CRI logs |
//! | [`record`] | runs commands and records them |
//! | [`catalog`] | finds the runs of a store, or of a directory of logs, and loads one |
//! | [`join`] | a loaded run: a tree of jobs and commands with its findings |
//! | [`model`] | runs, jobs and commands as plain data |
//! | [`log`](mod@log) | reads the rows of a log of any size |
//! | [`error`], [`mod@file`], [`time`] | types that these modules return |
//!
//! All other modules belong to the program. They are public for its binary, tests, benchmarks and
//! fuzz targets, and may change in any release. `ARCHITECTURE.md` describes them, their layers and
//! the flow of data.

pub mod catalog;
pub mod cri;
pub mod error;
pub mod file;
pub mod join;
pub mod log;
pub mod model;
#[cfg(feature = "record")]
pub mod record;
pub mod time;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "record")]
#[doc(hidden)]
pub mod display;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod doctor;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod document;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod dump;
#[doc(hidden)]
pub mod events;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod panics;
#[doc(hidden)]
pub mod sanitize;
#[doc(hidden)]
pub mod search;
#[doc(hidden)]
pub mod store;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod tui;
#[doc(hidden)]
pub mod upkeep;

#[cfg(feature = "record")]
#[doc(hidden)]
pub mod ci;
#[cfg(feature = "cli")]
mod demo;

#[cfg(test)]
extern crate self as rundown; // for the files that unit tests share with tests/it
