//! Scores the search for causes on a directory of labelled logs. Run it before and after a change
//! to the rules:
//!
//! ```sh
//! cargo run --release --example score -- /tmp/labelled
//! ```
//!
//! Each line of `labels.jsonl` in the directory is an object: `file` (a log of a failed command,
//! relative to the directory), `tool`, `lines` (the rows that contain the cause, from 1; empty if
//! the log does not contain it), and, each optional, `alternates` (rows that are equally good
//! places for the mark), `equal` (rows of other failures of the command), `exit_code` and `signal`.
//!
//! - **card**: the card contains one of `lines` or `equal`.
//! - **mark**: the marked row is one of `lines`, `alternates` or `equal`.
//! - **silent**: the log does not contain the cause, and the search claims nothing.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use rundown::file::FilePath;
use rundown::log::{LogFile, Tail};
use rundown::sanitize::{Progress, plain};
use rundown::search::find_cause;
use serde::Deserialize;

/// The number of bytes of a row that are kept: no cause needs more to be recognized in the report.
const ROW_BYTES: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args_os().nth(1).ok_or("usage: score DIRECTORY")?;
    score(Path::new(&dir), &mut io::stdout())
}

/// A line of `labels.jsonl`.
#[derive(Deserialize)]
struct Label {
    file: String,
    tool: String,
    lines: Vec<usize>,
    #[serde(default)]
    alternates: Vec<usize>,
    #[serde(default)]
    equal: Vec<usize>,
    exit_code: Option<i64>,
    signal: Option<i64>,
}

/// The number of logs of a tool, and of those with each result.
#[derive(Default)]
struct Score {
    logs: usize,
    silent_logs: usize,
    card: usize,
    mark: usize,
    silent: usize,
}

/// Prints every miss, and a table of the scores per tool.
///
/// # Errors
/// If the labels or a log cannot be read, or `out` cannot be written.
pub fn score(dir: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    for line in fs::read_to_string(dir.join("labels.jsonl"))?.lines() {
        let label: Label = serde_json::from_str(line)?;
        add(dir, &label, scores.entry(label.tool.clone()).or_default(), out)?;
    }
    writeln!(out, "{:20} {:>7} {:>7} {:>7}", "tool", "card", "mark", "silent")?;
    let total = scores.values().fold(Score::default(), |sum, score| Score {
        logs: sum.logs + score.logs,
        silent_logs: sum.silent_logs + score.silent_logs,
        card: sum.card + score.card,
        mark: sum.mark + score.mark,
        silent: sum.silent + score.silent,
    });
    for (tool, score) in scores.iter().chain([(&"total".to_owned(), &total)]) {
        let [card, mark] = [score.card, score.mark].map(|hits| format!("{hits}/{}", score.logs));
        let silent = format!("{}/{}", score.silent, score.silent_logs);
        writeln!(out, "{tool:20} {card:>7} {mark:>7} {silent:>7}")?;
    }
    Ok(())
}

/// Adds the result of one log to the score of its tool, and prints a miss.
fn add(
    dir: &Path,
    label: &Label,
    score: &mut Score,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let log = LogFile::open(&FilePath::named(dir.join(&label.file)))?;
    let status = label.signal.map(|signal| signal + 128).or(label.exit_code);
    let cause = find_cause(&log, status, Tail::Emit)?;
    let rows: Vec<_> = log.rows(0, ROW_BYTES, Tail::Emit)?.collect::<Result<_, _>>()?;
    let number = |offset: u64| rows.iter().position(|row| row.offset == offset).map(|at| at + 1);
    let text = |n: usize| {
        let row = n.checked_sub(1).and_then(|at| rows.get(at));
        row.map(|row| plain(&row.text, Progress::Last).into_owned()).unwrap_or_default()
    };
    let marked = cause.at.and_then(number);
    let card: Vec<usize> = cause.rows.iter().filter_map(|row| number(row.offset)).collect();
    let is_cause = |n: &usize| label.lines.contains(n) || label.equal.contains(n);
    let is_silent = label.lines.is_empty();
    let has_card = !is_silent && card.iter().any(is_cause);
    let has_mark = marked.is_some_and(|n| is_cause(&n) || label.alternates.contains(&n));
    if is_silent {
        score.silent_logs += 1;
        score.silent += usize::from(marked.is_none());
    } else {
        score.logs += 1;
        score.card += usize::from(has_card);
        score.mark += usize::from(has_mark);
    }
    let missed = match (is_silent, has_card, has_mark) {
        (true, ..) if marked.is_some() => "silent",
        (false, false, _) => "card",
        (false, true, false) => "mark",
        _ => return Ok(()),
    };
    let chosen = marked.map_or_else(|| "none".to_owned(), |n| format!("{n} {}", text(n)));
    writeln!(out, "missed {missed}: {}\n  marked {chosen}", label.file)?;
    for n in &label.lines {
        writeln!(out, "  labelled {n} {}", text(*n))?;
    }
    Ok(())
}
