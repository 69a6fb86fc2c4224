//! The rows of the cause card, with and without a cause.

use super::super::errors::{Judgment, Kind, Severity, complaint, is_harmless, is_remark, judge};
use super::super::filter::{Around, FilteredRead, RowFilter};
use super::super::shown::{Progress, plain};
use super::MAX_CAUSE_ROWS;
use super::candidates::Candidate;
use crate::cri::Stream;
use crate::error::Result;
use crate::log::{Anchor, LogFile, Row, Tail};

/// The number of rows to read on each side of the cause. Only some of them are shown.
const REACH_ROWS: usize = 100;

/// The maximum number of pieces to read if few rows are of the requested stream: several thousand
/// rows in total.
const MAX_STEPS: usize = 16;

/// The number of rows to read at the end of the log and, separately, at the end of standard error.
/// Standard error is old if none of its rows are among these rows of the log.
const END_ROWS: usize = 200;

/// The maximum number of rows of standard error for its last row to be the last words of a command.
const MAX_LAST_WORDS: usize = 3;

/// The number of rows at the end of the log that are shown even if standard error has many rows.
const LAST_ROWS: usize = 4;

/// Returns the rows around a cause. If there are enough rows of the same stream, returns only
/// these, because the rows of the other stream mostly come from other processes. Otherwise returns
/// rows of both streams.
pub(super) fn around(log: &LogFile, cause: &Candidate, tail: Tail) -> Result<Vec<Row>> {
    let row_filter = RowFilter { keep: Some(cause.offset), ..RowFilter::default() };
    let reach =
        Around { place: cause.offset, above: REACH_ROWS, below: REACH_ROWS, checks_ends: false };
    let mut above = read(log, row_filter, reach, tail)?;
    let below = above.split_off(above.partition_point(|row| row.offset < cause.offset));
    let Some(stream) = below.first().map(|row| row.stream) else { return Ok(Vec::new()) };
    let details = details(below.iter().filter(|row| row.stream == stream), cause.judgment.kind);
    let [mut above, mut below] = [above, below]
        .map(|rows| rows.into_iter().filter(|row| !is_blank(row)).collect::<Vec<_>>());
    let own = |rows: &[Row]| rows.iter().filter(|row| row.stream == stream).count();
    // The details of a failed test or step may be on a different stream than its name.
    if !matches!(cause.judgment.kind, Kind::Heading | Kind::Name)
        && own(&above) + own(&below) >= MAX_CAUSE_ROWS
    {
        above.retain(|row| row.stream == stream);
        below.retain(|row| row.stream == stream);
    }
    let (least_above, most_below) = shares(cause.judgment);
    let before = (MAX_CAUSE_ROWS - details.min(most_below)).max(least_above).min(above.len());
    below.truncate(MAX_CAUSE_ROWS - before);
    let before = (MAX_CAUSE_ROWS - below.len()).min(above.len());
    let mut rows: Vec<Row> =
        above.split_off(above.len() - before).into_iter().chain(below).collect();
    let far = match cause.head {
        Some(head) => log.window(Anchor::From(head), 1, tail)?.rows,
        // If the program continued, the last row may explain the failure.
        None if cause.may_be_survived() => last_row(log, tail)?,
        None => Vec::new(),
    };
    let is_below = |row: &Row| rows.last().is_none_or(|last| last.offset < row.offset);
    if let Some(far) = far.into_iter().find(is_below) {
        add_below(&mut rows, cause.offset, far);
    }
    Ok(rows)
}

/// Reads the last row of the log that is not blank, unless a rule matches it: then it reports what
/// the cause explains.
fn last_row(log: &LogFile, tail: Tail) -> Result<Vec<Row>> {
    let mut rows = log.window(Anchor::Before(u64::MAX), LAST_ROWS, tail)?.rows;
    rows.retain(|row| !is_blank(row));
    let last = rows.split_off(rows.len().saturating_sub(1));
    Ok(last.into_iter().filter(|row| judge(&plain(&row.text, Progress::Last)).is_none()).collect())
}

/// Adds a row far below to the rows around a cause.
fn add_below(rows: &mut Vec<Row>, cause: u64, far: Row) {
    if rows.len() == MAX_CAUSE_ROWS {
        let is_last = rows.last().is_some_and(|last| last.offset == cause);
        rows.remove(if is_last { 0 } else { rows.len() - 1 });
    }
    rows.push(far);
}

/// Reads the displayed rows around an offset. Returns fewer rows than requested if the filter
/// rarely matches.
fn read(log: &LogFile, row_filter: RowFilter, around: Around, tail: Tail) -> Result<Vec<Row>> {
    let mut read = FilteredRead::new(row_filter, around, tail);
    for _ in 0..MAX_STEPS {
        if read.step(log, None, u64::MAX)? {
            break;
        }
    }
    Ok(read.finish(log).rows)
}

/// Returns the minimum number of rows above the cause, and the maximum number from the cause on.
const fn shares(judgment: Judgment) -> (usize, usize) {
    match judgment.kind {
        // The cause may be the first row below its heading.
        Kind::Heading => (1, 9),
        Kind::Status => (7, 3),
        _ if judgment.is_serious() => (2, 8),
        _ => (4, 6),
    }
}

/// Returns how many rows, from the cause on, belong to the cause. They end at the first blank row,
/// unless the row before or after the blank one shows that more of them follow.
fn details<'r>(below: impl Iterator<Item = &'r Row>, kind: Kind) -> usize {
    let (mut rows, mut has_ended, mut goes_on) = (0, false, true);
    for row in below {
        let text = plain(&row.text, Progress::Last);
        let text = text.trim();
        if text.is_empty() {
            has_ended = !goes_on;
        } else if has_ended && !text.starts_with("Caused by") {
            break;
        } else {
            (has_ended, goes_on) = (false, kind == Kind::Heading || text.ends_with(':'));
            rows += 1;
        }
    }
    rows
}

/// The end of a log in which no rule matched.
pub(super) struct End {
    /// The last rows of standard error, and at least [`LAST_ROWS`] last rows of the log.
    pub rows: Vec<Row>,
    /// The offset of the row that may explain a failure: a complaint, the last traced command, or
    /// the last row of standard error if it has few rows and no rule matches any of them.
    pub last_words: Option<u64>,
}

/// Reads the end of a log.
pub(super) fn end(log: &LogFile, tail: Tail) -> Result<End> {
    let end = Around { place: u64::MAX, above: END_ROWS, below: 0, checks_ends: false };
    let mut last = read(log, RowFilter::default(), end, tail)?;
    let is_old = last.iter().all(|row| row.stream != Some(Stream::Stderr));
    let mut rows =
        read(log, RowFilter { stream: Some(Stream::Stderr), ..RowFilter::default() }, end, tail)?;
    rows.retain(|row| !is_blank(row));
    last.retain(|row| !is_blank(row));
    // A row that a rule matches has been considered: the program survived it.
    let judgment = |row: &Row| judge(&plain(&row.text, Progress::Last));
    let is_survived = |row: &Row| judgment(row).is_some();
    let may_speak = !is_old && rows.len() <= MAX_LAST_WORDS && !rows.iter().any(is_survived);
    let is_statement = |row: &&Row| {
        let text = plain(&row.text, Progress::Last);
        let is_indented = text.starts_with([' ', '\t']);
        let is_plain = !is_harmless(&text) && !is_remark(&text);
        let is_part = is_indented || text.trim_end().ends_with(':');
        is_plain && (!is_part || complaint(&text) == Some(Severity::Error))
    };
    let is_complaint = |row: &Row| complaint(&plain(&row.text, Progress::Last)).is_some();
    let errors = if is_old { &[] } else { rows.as_slice() };
    let last_complaint = [errors, &last].into_iter().find_map(|rows| {
        let speaking = (0..rows.len()).rev().filter_map(|n| {
            let row = rows.get(n).filter(|row| !is_survived(row) && is_statement(row))?;
            // The message of a panic is below it.
            let above = n.checked_sub(1).and_then(|n| rows.get(n)).and_then(judgment);
            above.is_none_or(|above| above.kind != Kind::Panic).then_some(row)
        });
        speaking.take(LAST_ROWS).find(|row| is_complaint(row))
    });
    // The last command that a shell traced.
    let traced = last.last().filter(|row| is_traced(&plain(&row.text, Progress::Last)));
    let last_words =
        last_complaint.or(traced).or(rows.iter().rfind(|row| may_speak && is_statement(row)));
    let last_words = last_words.cloned();
    rows.drain(..rows.len().saturating_sub(MAX_CAUSE_ROWS - LAST_ROWS));
    last.retain(|row| !rows.contains(row));
    rows.extend(
        last.split_off((last.len() + rows.len()).saturating_sub(MAX_CAUSE_ROWS).min(last.len())),
    );
    let at = last_words.as_ref().map(|row| row.offset);
    // Other rows at the end may be later.
    if let Some(row) = last_words.filter(|row| !rows.contains(row)) {
        rows.drain(..(rows.len() + 1).saturating_sub(MAX_CAUSE_ROWS));
        rows.push(row);
    }
    rows.sort_by_key(|row| row.offset);
    Ok(End { rows, last_words: at })
}

/// Returns true for a command as `set -x` prints it, unless it ends the script.
fn is_traced(text: &str) -> bool {
    text.strip_prefix("+ ").is_some_and(|command| !command.starts_with("exit"))
}

fn is_blank(row: &Row) -> bool {
    plain(&row.text, Progress::Last).trim().is_empty()
}
