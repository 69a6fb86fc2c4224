//! A search in one log: the likely cause of a failure ([`find_cause`]) and, for the program, the
//! rows that match a query.
//!
//! A query matches a row's *displayed* text: without the header and escapes, and after overwritten
//! parts are removed. So a search finds exactly what the screen shows. Rows are the same as in
//! windows (see [`crate::log`]): a window can begin at any offset found here.
//!
//! ```text
//! query      the pattern: which texts match (pure)
//! prefilter  raw bytes: the lines that may match (pure)
//! walk       the matching rows of a part of a log, in order
//! hits       counts of matching rows per block (pure)
//! scan       counts hits and finds the next match, in bounded steps
//! errors     which texts report an error (a table)
//! markers    which rows begin and end groups (pure)
//! groups     where the groups of a log begin and end
//! filter     the rows around an offset that pass a filter and are not folded
//! cause      the most likely cause of a failure, and the rows around it
//! ```
//!
//! Memory does not grow with the number of matches: [`Hits`] stores one count per 64 KiB of log.

mod cause;
mod errors;
mod filter;
mod groups;
mod hits;
mod location;
mod markers;
mod prefilter;
mod query;
mod scan;
mod shown;
#[cfg(test)]
mod tests;
mod walk;

pub use cause::{Cause, Why, find_cause, find_causes};
#[doc(hidden)]
pub use cause::{CauseSearch, find_cause_at_end, stored_cause};

// For the program only.
#[doc(hidden)]
pub use crate::log::Towards;
#[doc(hidden)]
pub use errors::{MAX_RULES, UserRule, use_rules};
#[doc(hidden)]
pub use filter::{Around, FilteredRead, PatternFilter, RowFilter};
#[doc(hidden)]
pub use groups::{Group, Groups, group};
#[doc(hidden)]
pub use hits::Hits;
#[doc(hidden)]
pub use location::Location;
#[doc(hidden)]
pub use markers::{Marker, marker};
#[doc(hidden)]
pub use query::Query;
#[doc(hidden)]
pub use scan::{Found, find, rank, scan};
