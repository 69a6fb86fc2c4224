//! A query over one log: which of its rows match, how many, and where the next one is.
//!
//! What is matched is a row's *shown* text: without its header, escapes taken out, overwritten
//! parts folded away. So what can be seen can be found, and nothing else. Rows are those of windows
//! (see [`crate::log`]): an offset found here is one that a window can begin with.
//!
//! ```text
//! query     pattern -> which texts match           suspects  raw bytes -> the lines that may match (pure)
//! walk      query × log -> the rows that match     hits      how many match, where (pure)
//! scan      hits, the next row, in bounded steps   errors    which texts tell of an error (a table)
//! markers   which rows begin and end groups (pure)     groups  where the groups of a log lie
//! sift      the rows that a filter lets through and no fold hides, around a place
//! cause     the error row that most likely tells why, and those around it
//! ```
//!
//! Memory does not grow with what is found: [`Hits`] holds a count per 64 KiB of log.

mod cause;
mod errors;
mod filter;
mod groups;
mod hits;
mod markers;
mod prefilter;
mod query;
mod scan;
mod shown;
#[cfg(test)]
mod tests;
mod walk;

pub use crate::log::Towards;
pub use cause::{Cause, MAX_CAUSE_ROWS, MAX_LOOKED_BYTES, find_cause};
pub use errors::is_error;
pub use filter::{Around, FilteredRead, PatternFilter, RowFilter};
pub use groups::{Group, Groups, group};
pub use hits::Hits;
pub use markers::{Marker, marker};
pub use query::Query;
pub use scan::{Found, find, rank, scan};
