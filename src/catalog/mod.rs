//! The loader that all views use. It builds runs with their jobs and commands from databases and
//! directories.
//!
//! A catalog is opened on a store (a root directory with or without a database, or a prefix in
//! object storage), on a bundle, or on a path (a single log, a directory of logs). All return runs
//! in the same form. A catalog never writes.
//!
//! `filter` lists runs that meet conditions, `matching` does so without a database, `select` parses
//! the arguments that select runs and `find` finds these runs, `load` builds a run from its
//! database and directories, and `wait` describes the state of a store that cannot be read or has
//! no runs.

mod filter;
mod find;
mod load;
mod location;
mod matching;
mod named;
mod select;
mod source;
mod wait;

pub use filter::ListFilter;
pub use select::{RunFilter, RunList, RunSpec, exit_status};
pub use source::Catalog;
pub use wait::Wait;

pub use crate::store::{Beside, Highlight};
