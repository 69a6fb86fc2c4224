//! The one loader: database and directories -> runs with their jobs and commands, used by every
//! view alike.
//!
//! A catalog is opened on a store (a root directory with or without a database) or on a path (a
//! single log, a directory of logs); what it gives looks the same. It only reads.
//!
//! `select` says which runs are meant, `load` makes one of what database and directories tell of
//! it, `wait` says what an error means to somebody who waits.

mod load;
mod select;
mod source;
mod wait;

pub use select::{RunFilter, RunList, RunSpec, exit_status};
pub use source::Catalog;
pub use wait::Wait;

pub use crate::store::Beside;
