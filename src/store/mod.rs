//! The SQLite database of a store: reads stores of any writer, writes only those of rundown.
//!
//! Only a database with rundown's `application_id` is ever written ([`Writer`]). A reader never
//! changes a store, not even by a byte, and never leaves a `-wal` or `-shm` behind ([`Reader`]).
//! Log files are not handled here.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

/// The name of the database that rundown's recorder creates in the root of its store.
pub const OUR_DATABASE: &str = "rundown.db";

/// The name of the database of quire, the first writer of this format.
pub const QUIRE_DATABASE: &str = "quire.db";

mod access;
mod begin;
mod copy;
mod dialect;
mod files;
mod finish;
mod highlight;
mod limits;
mod page;
mod read;
mod recover;
mod remove;
mod repair;
mod schema;
mod tables;
mod write;

pub use begin::{NewJob, NewRun, ShStart, StoredCut};
pub use finish::{COMMAND_FAILED, JobEnd, RunEnd, ShEnd};
pub use highlight::Highlight;
pub(crate) use page::forms_of;
pub use page::{Beside, RunPage};
pub use read::{ListedRun, Reader, RunRows};
pub use remove::{RunRow, RunRowFilter, read_run_rows};
pub use repair::{LostEnd, LostSh};
pub use schema::APPLICATION_ID;
pub use write::{Writer, until_unlocked};
