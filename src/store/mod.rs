//! The SQLite database of a store: reading anybody's, writing our own.
//!
//! Only a database bearing our `application_id` is ever written ([`Writer`]). A reader never
//! changes a store: not a byte, and no `-wal` or `-shm` where there was none ([`Reader`]). Nothing
//! here knows of log files.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

/// The database that a recorder of ours makes in its store's root.
pub const OUR_DATABASE: &str = "rundown.db";

/// The database of the records' first writer.
pub const QUIRE_DATABASE: &str = "quire.db";

mod access;
mod copy;
mod dialect;
mod files;
mod limits;
mod page;
mod read;
mod recover;
mod schema;
mod tables;
mod write;

pub use page::{Beside, RunPage};
pub use read::{ListedRun, Reader, RunRows};
pub use schema::APPLICATION_ID;
pub use write::{JobEnd, NewRun, RunEnd, ShEnd, ShStart, Writer};
