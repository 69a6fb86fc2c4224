//! `--format digest`: a short report for chats, comments and language models.
//!
//! ```text
//! failed: run d61998d3, example, main@12d4999, 2026-05-06T14:00:00.000Z, 1m23s
//! jobs: 1 passed, 1 failed (test), 1 skipped
//!
//! job test, command 1: cargo test: exit 101
//! likely cause, src/lib.rs:7:
//!     running 41 tests
//!   > thread 'a' panicked at src/lib.rs:7:5:
//!     … 3 lines omitted
//! to rerun: rundown rerun d61998d3 --job test --sh 1
//! to read more: rundown d61998d3 --once --job test --sh 1
//! ```
//!
//! The report has a maximum size, which is spent on the most important lines: each line has a
//! [`Rank`], and lines of a lower rank are left out first, with a note in their place. The output is
//! plain text without escapes, and the same for the same run and size.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::io::{self, Write};

use super::failure::{MAX_OTHER_CAUSES, text, title};
use super::printing::{Printing, run_id};
use crate::display::{self, Status};
use crate::join::{JobNode, Place, RunHead, RunNode, ShNode};
use crate::log::Row;
use crate::model::Outcome;
use crate::sanitize::name;
use crate::search::Cause;

/// The maximum size of a report in bytes, if no other is given.
pub(super) const DEFAULT_MAX_BYTES: u64 = 4_000;

/// The maximum number of rows on each side of the first cause.
const WIDE_ROWS: usize = 30;

/// The maximum number of names of jobs with the same status.
const MAX_JOBS: usize = 10;

/// The importance of a line, the most important first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Rank {
    /// The run.
    Head,
    /// The first failed command and the row with its cause.
    First,
    /// The commands that rerun it and show more of it.
    Next,
    /// The rows around the cause of the first failed command.
    Around,
    /// The other failed commands, each with the row of its cause.
    Commands,
    /// The other failures of each command.
    Others,
    /// The rows around the causes of other failed commands.
    Rest,
    /// More rows around the first cause.
    Wide,
}

/// A line of the report.
struct Line {
    rank: Rank,
    /// The distance from the row with the cause. Of the lines of a rank, those farther away are
    /// left out first.
    distance: usize,
    text: String,
}

/// The lines of a report in their order.
#[derive(Default)]
struct Draft {
    lines: Vec<Line>,
    /// The number of bytes of the lines up to [`Rank::Commands`].
    needed_bytes: usize,
    /// The maximum size of a row in bytes.
    max_row_bytes: usize,
}

/// Writes the report.
pub(super) fn write_run(printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
    let max_bytes = printing.look.max_bytes.unwrap_or(DEFAULT_MAX_BYTES);
    let max_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
    let mut draft = Draft { max_row_bytes: (max_bytes / 4).max(100), ..Draft::default() };
    let run = printing.run;
    if run_id(&run.head.run).is_some() {
        draft.push(Rank::Head, head_line(&run.head));
        draft.extend(
            Rank::Head,
            run.head.run.details.url.as_deref().map(|url| format!("url: {}", name(url))),
        );
        draft.extend(Rank::Head, jobs_line(run));
        draft.extend(Rank::Next, reason_lines(run));
    }
    let failures = printing.failures();
    for (index, (job, sh)) in failures.iter().enumerate() {
        if draft.needed_bytes > max_bytes {
            let more = failures.len() - index;
            draft.push(Rank::Next, format!("\n… {} omitted", commands(more)));
            break;
        }
        draft.push_failure(printing, job, sh, index == 0);
    }
    if failures.is_empty() && run.head.outcome == Some(Outcome::Failed) {
        draft.push_own_log(printing);
    }
    out.write_all(draft.fitted(max_bytes).as_bytes())
}

impl Draft {
    fn push(&mut self, rank: Rank, text: String) {
        self.push_at(rank, 0, text);
    }

    fn push_at(&mut self, rank: Rank, distance: usize, text: String) {
        if rank <= Rank::Commands {
            self.needed_bytes += text.len() + 1;
        }
        self.lines.push(Line { rank, distance, text });
    }

    fn extend(&mut self, rank: Rank, texts: impl IntoIterator<Item = String>) {
        texts.into_iter().for_each(|text| self.push(rank, text));
    }

    /// Adds a failed command.
    fn push_failure(
        &mut self,
        printing: &mut Printing<'_>,
        job: &JobNode,
        node: &ShNode,
        is_first: bool,
    ) {
        let of_first = |rank, other| if is_first { rank } else { other };
        let title_rank = of_first(Rank::First, Rank::Commands);
        let causes = printing.causes(node, MAX_OTHER_CAUSES);
        if !self.lines.is_empty() {
            self.push(title_rank, String::new());
        }
        self.push(title_rank, marked_title(job, node));
        let marks: HashSet<u64> = causes.iter().filter_map(|cause| cause.at).collect();
        let card: HashSet<u64> =
            causes.iter().flat_map(|cause| &cause.rows).map(|row| row.offset).collect();
        let mut shown = HashSet::new();
        for (index, cause) in causes.iter().enumerate() {
            if cause.at.is_some_and(|at| shown.contains(&at)) {
                continue;
            }
            let (mark, around) = match index {
                0 => (title_rank, of_first(Rank::Around, Rank::Rest)),
                _ => (Rank::Others, Rank::Rest),
            };
            self.push(mark, heading(cause, index));
            let mut rows = cause.rows.clone();
            if let Some(at) = cause.at.filter(|_| is_first && index == 0) {
                let wide = printing.rows_around(node, at, WIDE_ROWS);
                rows.extend(wide.into_iter().filter(|row| !card.contains(&row.offset)));
                rows.sort_by_key(|row| row.offset);
            }
            let at = main_row(cause, &rows);
            for (index, row) in rows.iter().enumerate() {
                if !shown.insert(row.offset) {
                    continue;
                }
                let is_marked = marks.contains(&row.offset);
                let rank = match is_marked {
                    _ if index == at => mark,
                    true => around.min(Rank::Others),
                    false if !card.contains(&row.offset) => Rank::Wide,
                    false => around,
                };
                // The rows below a cause mostly explain more than those above it.
                let distance = 2 * index.abs_diff(at) + usize::from(index < at);
                self.push_row(rank, distance, row, is_marked);
            }
        }
        if causes.is_empty() {
            self.push(title_rank, nothing_found(node).to_owned());
        }
        if let Some(next) = printing.next_commands(job, node) {
            let rank = of_first(Rank::Next, Rank::Rest);
            if let Some(rerun) = next.rerun {
                self.push(rank, format!("to rerun: {rerun}"));
            }
            self.push(rank, format!("to read more: {}", next.read_more));
        }
    }

    /// Adds the end of a run's own log, which contains the reason of a failure without a failed
    /// command.
    fn push_own_log(&mut self, printing: &mut Printing<'_>) {
        let Some(log) = &printing.run.log else { return };
        for cause in printing.causes_in(log, None, 0) {
            self.push(Rank::First, format!("\nrun log: {}", heading(&cause, 0)));
            for row in &cause.rows {
                self.push_row(Rank::First, 0, row, Some(row.offset) == cause.at);
            }
        }
    }

    /// Adds a row. The row with a cause is marked.
    fn push_row(&mut self, rank: Rank, distance: usize, row: &Row, is_marked: bool) {
        let sign = if is_marked { '>' } else { ' ' };
        let text = format!("  {sign} {}", shortened(row, self.max_row_bytes));
        self.push_at(rank, distance, text);
    }

    /// Returns the most important lines, at most `max_bytes`.
    fn fitted(&self, max_bytes: usize) -> String {
        let mut order: Vec<usize> = (0..self.lines.len()).collect();
        order.sort_by_key(|index| self.lines.get(*index).map(|line| (line.rank, line.distance)));
        let whole = self.text_of(&order, order.len());
        if whole.len() <= max_bytes {
            return whole;
        }
        // A note may be longer than the lines that it replaces, so this is not always the largest
        // number of lines that fit, but they always do.
        let (mut fits, mut too_many) = (0, order.len());
        while fits + 1 < too_many {
            let middle = usize::midpoint(fits, too_many);
            if self.text_of(&order, middle).len() <= max_bytes {
                fits = middle;
            } else {
                too_many = middle;
            }
        }
        let text = self.text_of(&order, fits);
        if text.len() <= max_bytes { text } else { String::new() }
    }

    /// Returns the first `count` lines of an order, in the order of the report.
    fn text_of(&self, order: &[usize], count: usize) -> String {
        let mut is_kept = vec![false; self.lines.len()];
        for index in order.iter().take(count) {
            if let Some(kept) = is_kept.get_mut(*index) {
                *kept = true;
            }
        }
        let (mut out, mut omitted) = (String::new(), 0);
        for (line, is_kept) in self.lines.iter().zip(is_kept) {
            if is_kept {
                write_omitted(&mut omitted, &mut out);
                let _ = writeln!(out, "{}", line.text);
            } else {
                omitted += usize::from(!line.text.is_empty());
            }
        }
        write_omitted(&mut omitted, &mut out);
        out
    }
}

fn write_omitted(omitted: &mut usize, out: &mut String) {
    match std::mem::take(omitted) {
        0 => {}
        1 => out.push_str("    … 1 line omitted\n"),
        lines => drop(writeln!(out, "    … {lines} lines omitted")),
    }
}

/// Describes a run on one line.
fn head_line(head: &RunHead) -> String {
    let run = &head.run;
    let words = [
        Some(format!("{}: run {}", Status::of_run(head).word(), name(run.id.short()))),
        run.repo.as_deref().map(|repo| name(repo).into_owned()),
        display::revision(run),
        display::pipeline(run),
        display::subject(run),
        run.started_at.or(run.queued_at).and_then(crate::time::Time::rfc3339_millis),
        head.lasted_ms().map(display::duration),
        display::attempt(run.details.attempt),
        display::repeats(run),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Counts the jobs by their status, and names those that did not pass.
fn jobs_line(run: &RunNode) -> Option<String> {
    let mut by_word: BTreeMap<&str, Vec<&JobNode>> = BTreeMap::new();
    for job in &run.jobs {
        by_word.entry(Status::of_job(job).word()).or_default().push(job);
    }
    let counts = by_word.iter().map(|(word, jobs)| {
        let names = jobs.iter().take(MAX_JOBS).map(|job| name(job.job.id.as_str()).into_owned());
        let more = jobs.len().checked_sub(MAX_JOBS).filter(|more| *more > 0);
        let names: Vec<_> = names.chain(more.map(|more| format!("… {more} more"))).collect();
        let passed = *word == Status::Passed.word();
        let names = if passed { String::new() } else { format!(" ({})", names.join(", ")) };
        format!("{} {word}{names}", jobs.len())
    });
    let counts = counts.collect::<Vec<_>>().join(", ");
    (!counts.is_empty()).then(|| format!("jobs: {counts}"))
}

/// Returns the recorded reason for the end of a run, and what was found out about the run itself.
fn reason_lines(run: &RunNode) -> impl Iterator<Item = String> {
    let reason = display::reason(&run.head).map(|reason| format!("reason: {reason}"));
    let notes =
        run.findings.at(&Place::Run).map(|kind| format!("note: {}", display::finding(kind)));
    reason.into_iter().chain(notes)
}

/// Names a failed command, with a mark if its job may fail.
fn marked_title(job: &JobNode, node: &ShNode) -> String {
    match display::tolerated(job) {
        Some(mark) => format!("{} ({mark})", title(job, node)),
        None => title(job, node),
    }
}

/// Returns the reason why no rows are shown.
const fn nothing_found(node: &ShNode) -> &'static str {
    match (node.log.is_some(), node.sh.is_some()) {
        (false, _) => "(the log is missing)",
        (true, true) => "(no output)",
        (true, false) => "(no failure recognized)",
    }
}

/// Returns the index of the row with a cause among its rows and those around them or, if no rule
/// matched, of the last row.
fn main_row(cause: &Cause, rows: &[Row]) -> usize {
    let at = rows.iter().position(|row| Some(row.offset) == cause.at);
    at.unwrap_or_else(|| rows.len().saturating_sub(1))
}

/// Returns the line above the rows of a cause.
fn heading(cause: &Cause, index: usize) -> String {
    let what = match (cause.at, index) {
        (None, _) => "cause not recognized, last lines",
        (Some(_), 0) => cause.title(),
        (Some(_), _) => "also",
    };
    let place = cause.location().map(|at| format!(", {}:{}", at.path, at.line));
    format!("{what}{}:", place.unwrap_or_default())
}

/// Returns the text of a row, cut to `max_bytes`.
fn shortened(row: &Row, max_bytes: usize) -> String {
    let text = text(row);
    let kept = text.get(..text.floor_char_boundary(max_bytes)).unwrap_or_default();
    let left_out = (text.len() - kept.len()) as u64 + row.cut_bytes;
    if left_out == 0 {
        return text.trim_end().to_owned();
    }
    format!("{kept}… {} more", display::size(left_out))
}

fn commands(count: usize) -> String {
    if count == 1 { "1 failed command".to_owned() } else { format!("{count} failed commands") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RANKS: [Rank; 7] = [
        Rank::Head,
        Rank::First,
        Rank::Next,
        Rank::Around,
        Rank::Commands,
        Rank::Others,
        Rank::Rest,
    ];

    proptest! {
        #[test]
        fn a_report_fits_and_contains_the_most_important_lines(
            lines in prop::collection::vec((0..RANKS.len(), "[a-z]{0,30}"), 0..40),
            max_bytes in 0..1500_usize,
        ) {
            let mut draft = Draft::default();
            for (rank, text) in &lines {
                draft.push(RANKS[*rank], text.clone());
            }
            let report = draft.fitted(max_bytes);
            prop_assert!(report.len() <= max_bytes);
            let whole = draft.fitted(usize::MAX);
            let expected: String = lines.iter().flat_map(|(_, text)| [text, "\n"]).collect();
            prop_assert_eq!(&whole, &expected);
            prop_assert!(whole.len() > max_bytes || report == whole, "all lines fit");
            let first = lines.iter().filter(|(rank, _)| *rank == 0).map(|(_, text)| text.len() + 1);
            let needed = first.sum::<usize>() + 40 * lines.len();
            if needed <= max_bytes {
                let heads = lines.iter().filter(|(rank, text)| *rank == 0 && !text.is_empty());
                for (_, text) in heads {
                    prop_assert!(report.lines().any(|line| line == text), "{text} in {report}");
                }
            }
        }
    }
}
