//! Fuzz targets: functions from any bytes to nothing, which panic if a property does not hold.
//!
//! The binaries of `fuzz_targets/` call them under cargo-fuzz. `tests/it/fuzz_corpus.rs` of the
//! main package includes this file and calls them on a seed corpus and on the inputs of
//! `regressions/`, so they use only the public API of `rundown` and crates that its tests have too.
//!
//! ```text
//! target      input                                         oracle
//! cri_lines   lines of a log; bytes of two streams          the grammar itself; the joined entries
//! log_rows    an anchor, a log (see `inflate`)              all rows, read once from the start
//! sanitizer   rows of a log                                 a terminal's parser, unicode-width
//! events      events.jsonl                                  the rules of its numbers; valid JSON
//! pipeline    a pipeline file                               the invariant of `Pipeline`
//! mask        secrets and a text                            the text in other pieces
//! config      a configuration file                          itself, printed and read again
//! database    a database and its -wal or -journal           the listed runs can be opened
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a property fails by panicking"
)]

mod config;
mod cri;
mod database;
mod events;
#[allow(clippy::duplicate_mod, reason = "tests/it loads it, and this package, too")]
#[path = "../../tests/it/support/joiner.rs"]
mod joiner;
mod mask;
mod pipeline;
mod rows;
mod sanitizer;

use std::fs;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use rundown::dump::{self, Format, PrintOptions, Timestamps};
use rundown::join::RunNode;
use tempfile::TempDir;

pub use config::config;
pub use cri::cri_lines;
pub use database::database;
pub use events::events;
pub use mask::mask;
pub use pipeline::pipeline;
pub use rows::log_rows;
pub use sanitizer::sanitizer;

/// Creates a new directory, in memory if the system supports it.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    TempDir::new_in(parent).unwrap()
}

/// Returns every path below a directory, with the bytes of the files, in order.
fn snapshot(dir: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(snapshot(&path));
            found.push((path, None));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.push((path, Some(bytes)));
        }
    }
    found.sort();
    found
}

/// Prints a run like `--once --format …`, in UTC and with colors.
fn printed(run: &RunNode, format: Format) -> Vec<u8> {
    let timestamps = Timestamps::None;
    let look =
        PrintOptions { timestamps, color: true, links: true, ..PrintOptions::new(TimeZone::UTC) };
    let mut out = Vec::new();
    dump::write(format, run, None, &look, &mut out).unwrap();
    out
}

/// Asserts that a run prints as valid JSON, and as text that a terminal shows without side effects.
fn assert_prints(run: &RunNode) {
    serde_json::from_slice::<serde_json::Value>(&printed(run, Format::Json)).unwrap();
    let jsonl = printed(run, Format::Jsonl);
    for line in jsonl.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        serde_json::from_slice::<serde_json::Value>(line).unwrap();
    }
    for format in [Format::CodeQuality, Format::Trace] {
        serde_json::from_slice::<serde_json::Value>(&printed(run, format)).unwrap();
    }
    let junit = Format::Junit { has_file: true };
    for format in [Format::Text, Format::GitHub, junit, Format::Markdown, Format::Html] {
        sanitizer::assert_harmless_output(&printed(run, format));
    }
}

/// Returns the line number, from 1, of a message `PATH:LINE…`.
fn line_of(message: &str, path: &str) -> usize {
    let rest = message.strip_prefix(path).and_then(|rest| rest.strip_prefix(':')).unwrap();
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// Counts the lines of a text, including the one after the last newline.
fn count_lines(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'\n').count()
}
