//! The only loader: builds runs with their jobs and commands from databases and directories, for
//! every view.
//!
//! A catalog is opened on a store (a root directory with or without a database) or on a path (a
//! single log, a directory of logs). The results have the same form. A catalog never writes.
//!
//! `select` parses the choice of runs, `load` builds a run from its database and directories, and
//! `wait` describes errors to a user who waits.

mod load;
mod select;
mod source;
mod wait;

pub use select::{RunFilter, RunList, RunSpec, exit_status};
pub use source::Catalog;
pub use wait::Wait;

pub use crate::store::{Beside, Highlight};
