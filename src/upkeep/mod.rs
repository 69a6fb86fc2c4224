//! Upkeep of rundown's own stores: the removal of old runs, and the completion of interrupted ones.
//!
//! ```text
//! prune ── plan (pure) ─► for each run: hold its lock ─► rows and directory ─► .trash ─► deleted
//! due       at most once an hour, for recorders
//! repair    for each interrupted run: hold its lock ─► ends of commands, jobs and the run
//! lost      rows of commands that have only a log
//! files     the directories of a store and its runs; no link below the root is followed
//! ```
//!
//! Only a database with rundown's `application_id` is changed. An active run is never changed. A
//! run is active while a recorder holds a lock on it (see [`crate::log`]). A run that was begun by
//! `rundown begin` is also active while it waits for its next command, for at most
//! [`crate::model::ABANDONED_AFTER`].

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod due;
mod files;
mod lost;
mod plan;
mod prune;
mod repair;

pub use due::prune_if_due;
pub use lost::add_lost_rows;
pub use plan::Limits;
pub use prune::{Pruned, Removal, Request, count_leftovers, prune};
pub use repair::{Repaired, Repairs, repair};
