//! The table of rules. A new tool needs only an entry in one of these files.
//!
//! Of several rules that match a row and weigh the same, the first one wins, in this order.

mod builds;
mod compilers;
mod harmless;
mod programs;
mod system;
mod tests;

use super::Rule;

/// Returns the rules of the table.
pub(super) fn table() -> impl Iterator<Item = &'static Rule> {
    [compilers::RULES, programs::RULES, tests::RULES, builds::RULES, system::RULES, harmless::RULES]
        .into_iter()
        .flatten()
}
