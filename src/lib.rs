//! rundown, a terminal inspector for CI runs: their progress, and the reasons for their failures.
//!
//! A CI run leaves records: rows in an SQLite database and, for each command, a log in the
//! Kubernetes CRI format. This crate reads and joins them, prints them (`--once`) and shows them
//! live in a terminal. It also records commands in this form.
//!
//! # Features
//!
//! | feature | contains |
//! |---|---|
//! | none | the modules for reading, without the recorder, a screen or a command line |
//! | `record` | in addition, [`record`] |
//! | `cli` (default) | in addition, the program `rundown` |
//! | `remote` (default) | in addition, requests of the program to servers |
//!
//! # Library API
//!
//! | module | purpose |
//! |---|---|
//! | [`record`] | runs commands and records them |
//! | [`catalog`] | finds the runs of a store, or of a directory of logs, and loads one |
//! | [`join`] | a loaded run: a tree of jobs and commands with its findings |
//! | [`model`] | runs, jobs and commands as plain data |
//! | [`log`](mod@log) | reads the rows of a log of any size |
//! | [`search`] | finds the likely cause of a failure in a log |
//! | [`sanitize`] | turns recorded bytes into text that cannot control a terminal |
//! | [`cri`] | parses and encodes lines of CRI logs |
//! | [`error`], [`mod@file`], [`time`] | types that these modules use |
//!
//! All other modules, and the items that this documentation does not show, belong to the program.
//! They are public for its binary, tests, benchmarks and fuzz targets, and may change in any
//! release. `ARCHITECTURE.md` describes them, their layers and the flow of data.
//!
//! ## Record
//!
//! [`record::record_command`] and [`record::run_pipeline`] record a whole run.
//! [`record::begin_run`] begins a run, to which this process and others add commands;
//! [`record::end_run`] ends it:
//!
//! ```
//! # #[cfg(feature = "record")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let root = dir.path().join("store");
//! use rundown::model::JobId;
//! use rundown::record::{Options, begin_run, end_run, record_command};
//!
//! let mut options = Options::new(&root);
//! options.quiet = true; // do not pass the output on
//! let run = begin_run(&options)?;
//! options.run = Some(run.clone());
//! let ended = record_command(&options, &JobId("test".into()), &["false".into()])?;
//! assert_eq!((ended.exit_code, ended.warnings.len()), (1, 0));
//! end_run(&root, &run, None, true)?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "record"))]
//! # fn main() {}
//! ```
//!
//! An error means that nothing was run. If only the recording fails, the command runs, and
//! [`record::Ended::warnings`] reports the loss; see [`record::Options::must_record`].
//!
//! ## Read
//!
//! ```no_run
//! use std::path::Path;
//!
//! use rundown::catalog::{Catalog, RunFilter, RunSpec};
//! use rundown::join::ShState;
//! use rundown::log::{Anchor, LogFile, Tail};
//! use rundown::model::Outcome;
//! use rundown::sanitize::{Progress, plain};
//!
//! let catalog = Catalog::of_store(Path::new(".rundown"), None);
//! let newest = catalog.find(&RunSpec::LatestThat(Outcome::Failed), &RunFilter::default())?;
//! let run = catalog.run(&newest)?;
//! for sh in run.iter().flat_map(|run| &run.jobs).flat_map(|job| &job.shs) {
//!     if let (ShState::Failed, Some(log)) = (sh.state, &sh.log) {
//!         let window = LogFile::open(&log.path)?.window(Anchor::End, 20, Tail::Emit)?;
//!         for row in &window.rows {
//!             println!("{}", plain(&row.text, Progress::Last));
//!         }
//!     }
//! }
//! # Ok::<(), rundown::error::Error>(())
//! ```
//!
//! Reading never changes a store. Texts and bytes in a store were written by other programs: print
//! them through [`sanitize`] only.
//!
//! ## Limits
//!
//! - Unix only.
//! - All calls block. A [`catalog::Catalog`] cannot be shared by threads; open one for each.
//! - A process must not read a store while it records into the same store. `SQLite` uses POSIX
//!   locks: if the reader closes a file, the recorder loses its locks. Read after the recording has
//!   returned, or in another process.
//! - A recording changes this process: from then on, a write beyond the limit on file sizes fails
//!   instead of ending the process (SIGXFSZ), and SIGCHLD is no longer ignored.

pub mod catalog;
pub mod cri;
pub mod error;
pub mod file;
pub mod join;
pub mod log;
pub mod model;
#[cfg(feature = "record")]
pub mod record;
pub mod sanitize;
pub mod search;
pub mod time;

#[doc(hidden)]
pub mod bundle;
#[cfg(feature = "record")]
#[doc(hidden)]
pub mod ci;
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
#[cfg(feature = "remote")]
#[doc(hidden)]
pub mod push;
#[cfg(feature = "remote")]
#[doc(hidden)]
pub mod s3;
#[doc(hidden)]
pub mod store;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod tui;
#[doc(hidden)]
pub mod upkeep;

#[cfg(feature = "cli")]
mod demo;
#[cfg(feature = "remote")]
mod http;
#[cfg(feature = "remote")]
mod remote;

#[cfg(test)]
extern crate self as rundown; // for the files that unit tests share with tests/it
