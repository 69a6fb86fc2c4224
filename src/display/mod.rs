//! Text for users that is the same in every view: states, durations, exit statuses, sizes, ages and
//! findings.
//!
//! Pure functions from plain data to short text. The text contains all information; color only
//! repeats it.

mod command;
mod findings;
mod run;
mod status;
mod units;

pub use command::{
    command, command_of, cpu, ending, exit, exit_explained, exit_in_short, exit_meaning,
    first_line, in_directory, log_name, memory, not_started, shell_line, typed,
};
pub use findings::{cut, finding, finding_with_place, missing, place, removed};
pub use run::{
    attempt, ended, pipeline, reason, repeats, revision, short_ref, state, subject, tolerated,
    why_skipped,
};
pub use status::Status;
pub use units::{age, count, duration, grouped, lasted, late, ordinal, rows, runs, seconds, size};

/// Returns the known word with the smallest edit distance from `wrong`. Returns `None` if the
/// distance exceeds both 2 and a third of the length of the known word, or is not less than this
/// length.
#[must_use]
pub fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, name) = known.map(|name| (strsim::osa_distance(wrong, name), name)).min()?;
    let chars = name.chars().count();
    (distance < chars && distance <= 2.max(chars / 3)).then_some(name)
}
