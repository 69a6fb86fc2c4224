//! Better causes near the end of a log. If the command survived a failure, the cause is the later
//! failure that ended it. If a row only reports that something failed, the cause is the last
//! message before that row.

use super::super::errors::{
    Judgment, Kind, Severity, complaint, is_blank, is_harmless, is_remark, judge, without_time,
};
use super::super::shown::{Progress, plain};
use super::candidates::Candidate;
use crate::cri::Stream;
use crate::error::Result;
use crate::log::{Anchor, LogFile, Row, Tail};

/// The number of rows at the end of the log that are examined.
const END_ROWS: usize = 250;

/// The minimum number of ordinary rows that shows that a command continued.
const ORDINARY_ROWS: usize = 20;

/// The minimum number of ordinary rows between an error and a complaint at the end of the log that
/// shows that a command continued.
const MIN_ROWS_BETWEEN: usize = 2;

/// The number of rows above a report of a failure that are searched for the last message.
const MESSAGE_ROWS: usize = 20;

/// The number of rows from a heading on that are searched for its content.
const CONTENT_ROWS: usize = 12;

/// The maximum length in bytes of a row that is a heading because it ends with a colon.
const MAX_HEADING: usize = 80;

/// A row with its judgment.
struct End {
    offset: u64,
    text: String,
    judgment: Option<Judgment>,
}

impl End {
    fn of(row: &Row) -> Self {
        let text = without_time(&plain(&row.text, Progress::Last)).to_owned();
        Self { offset: row.offset, judgment: judge(&text), text }
    }

    fn kind(&self) -> Option<Kind> {
        self.judgment.map(|judgment| judgment.kind)
    }

    fn is_blank(&self) -> bool {
        is_blank(&self.text)
    }

    fn is_indented(&self) -> bool {
        self.text.starts_with([' ', '\t'])
    }

    /// Returns true if the row reports no problem and does not belong to the row above it.
    fn is_ordinary(&self) -> bool {
        !self.is_blank() && !self.is_indented() && !self.may_be_cause()
    }

    /// Returns true if the row may be the cause.
    fn may_be_cause(&self) -> bool {
        self.judgment.is_some_and(|judgment| judgment.score() >= Judgment::NAME)
    }
}

/// Returns the failure that ended the command, if the command survived `candidate`. That failure
/// must be at the end of the log. Ordinary rows between `candidate` and that failure must show that
/// the command continued. Otherwise, returns `None`.
///
/// The findings of a compiler or a test count more than their consequences: only an uncaught
/// exception replaces a compiler error, and nothing replaces a failed test.
pub(super) fn ended_by(
    log: &LogFile,
    candidate: &Candidate,
    tail: Tail,
) -> Result<Option<Candidate>> {
    let is_survivable = matches!(
        candidate.judgment.kind,
        Kind::Headline | Kind::Finding | Kind::Trace | Kind::Exception
    );
    if !is_survivable || !candidate.judgment.is_serious() {
        return Ok(None);
    }
    let rows = log.window(Anchor::Before(u64::MAX), END_ROWS, tail)?.rows;
    let rows: Vec<End> = rows.iter().map(End::of).collect();
    let is_over = |row: &&End| !row.is_blank() && row.kind() != Some(Kind::Status);
    let Some(last) = rows.iter().rposition(|row| is_over(&row)) else { return Ok(None) };
    let Some((started, cause)) =
        rows.get(..=last).and_then(|rows| failure(rows, candidate.judgment))
    else {
        return Ok(None);
    };
    let above = rows.get(..started).unwrap_or_default();
    let quiet =
        above.iter().rev().take_while(|row| !row.may_be_cause() && row.offset > candidate.offset);
    Ok((quiet.filter(|row| row.is_ordinary()).count() >= ORDINARY_ROWS).then_some(cause))
}

/// Returns the failure that ends with the last of these rows, and the index of its first row. The
/// failure is a trace, or successive error rows.
fn failure(rows: &[End], replaced: Judgment) -> Option<(usize, Candidate)> {
    let last = rows.last()?;
    let is_raised = |row: &End| row.judgment.is_none() || row.kind() == Some(Kind::Exception);
    if is_raised(last) && !last.is_indented() {
        let lines = rows.iter().rev().skip(1).take_while(|row| row.is_indented()).count();
        let started = rows.len().checked_sub(lines + 2)?;
        let first = rows.get(started).filter(|row| row.kind() == Some(Kind::Trace))?;
        return Some((started, Candidate::new(first.offset, first.judgment?)));
    }
    let is_statement = |row: &End, most: Severity| {
        row.judgment.is_some_and(|row| row.kind == Kind::Headline && row.severity <= most)
    };
    if !is_statement(last, Severity::Warning) || replaced.is_defect() {
        return None;
    }
    let trailing = rows.iter().rev().take_while(|row| is_statement(row, Severity::Error)).count();
    let started = rows.len().checked_sub(trailing)?;
    let first = rows.get(started)?;
    Some((started, Candidate::new(first.offset, first.judgment?)))
}

/// Returns the last row of the log if the command survived `candidate`, continued, and ended with a
/// complaint that no rule matches.
pub(super) fn complaint_after(
    log: &LogFile,
    candidate: &Candidate,
    tail: Tail,
) -> Result<Option<Candidate>> {
    if !candidate.may_be_survived() || candidate.fits_exit {
        return Ok(None);
    }
    // Framed messages have many rows.
    let own = log.window(Anchor::From(candidate.offset), 1, tail)?.rows;
    let is_framed =
        |row: &Row| without_time(&plain(&row.text, Progress::Last)).starts_with(['│', '╷']);
    if own.iter().any(is_framed) {
        return Ok(None);
    }
    let rows = log.window(Anchor::Before(u64::MAX), END_ROWS, tail)?.rows;
    let mut rows = rows.iter().rev().filter(|row| row.offset > candidate.offset);
    let Some(last) = rows.find(|row| !is_blank(&plain(&row.text, Progress::Last))) else {
        return Ok(None);
    };
    // Few rows are complaints, so that the other rows are judged only after one.
    if complaint(&plain(&last.text, Progress::Last)) != Some(Severity::Error) {
        return Ok(None);
    }
    let last = End::of(last);
    let goes_on = |row: &End| row.is_ordinary() && !is_harmless(&row.text);
    // An exception mostly ends the program, and its caller continues.
    let needed = match candidate.judgment.kind {
        Kind::Trace | Kind::Exception | Kind::Panic => ORDINARY_ROWS,
        _ => MIN_ROWS_BETWEEN,
    };
    let between = rows.map(End::of).filter(goes_on).take(needed);
    let is_last = last.judgment.is_none() && !last.is_indented();
    let is_over = is_last && between.count() == needed;
    Ok(is_over.then(|| candidate.moved_to(&last)))
}

impl Candidate {
    /// Returns this candidate at a row of a tool that is unknown.
    fn moved_to(self, row: &End) -> Self {
        Self { offset: row.offset, judgment: Judgment::MESSAGE, ..self }
    }
}

/// Returns the row above a candidate that points at it; `None` if it is blank or harmless, or if a
/// rule matches it.
pub(super) fn row_above(
    log: &LogFile,
    candidate: Candidate,
    tail: Tail,
) -> Result<Option<Candidate>> {
    let own = log.window(Anchor::From(candidate.offset), 1, tail)?.rows;
    let stream = own.first().map(|row| row.stream);
    let rows = log.window(Anchor::Before(candidate.offset), MESSAGE_ROWS, tail)?.rows;
    let above = rows.iter().rfind(|row| Some(row.stream) == stream).map(End::of);
    let is_message =
        |row: &End| !row.is_blank() && row.judgment.is_none() && !is_harmless(&row.text);
    Ok(above.filter(is_message).map(|row| candidate.moved_to(&row)))
}

/// Returns the first changed row of a difference.
pub(super) fn changed_row(log: &LogFile, candidate: Candidate, tail: Tail) -> Result<Candidate> {
    let rows = log.window(Anchor::From(candidate.offset), CONTENT_ROWS, tail)?.rows;
    let changed = rows.iter().map(End::of).find(|row| row.text.starts_with(['-', '+']));
    Ok(changed.map_or(candidate, |row| Candidate { offset: row.offset, ..candidate }))
}

/// Returns the next row with content, if the candidate is a heading that nothing else explains, or
/// a row that ends with a colon.
pub(super) fn content_below(log: &LogFile, candidate: Candidate, tail: Tail) -> Result<Candidate> {
    let rows = log.window(Anchor::From(candidate.offset), CONTENT_ROWS, tail)?.rows;
    let first = rows.first().map(End::of).map(|row| row.text).unwrap_or_default();
    // An exception may have its message on the next row.
    let is_bare = first.trim_end().ends_with("Error:") && !first.trim().contains(' ');
    match candidate.judgment.kind {
        Kind::Heading | Kind::Headline => {}
        Kind::Exception if is_bare => {}
        _ => return Ok(candidate),
    }
    let is_first = |row: &End| row.offset == candidate.offset;
    // Test runners print details as comments.
    let is_skipped = |row: &End| match row.text.trim_start().strip_prefix('#') {
        Some(comment) => {
            ["at ", "(in ", "(from "].iter().any(|place| comment.trim_start().starts_with(place))
        }
        None => is_remark(&row.text),
    };
    let rows = rows.iter().map(End::of);
    let rows = rows.filter(|row| is_first(row) || !(row.is_blank() || is_skipped(row)));
    let mut has_content = candidate.judgment.kind != Kind::Heading;
    let mut cause = candidate;
    for row in rows {
        let is_other = row.offset > candidate.offset
            && (is_harmless(&row.text)
                || row.judgment.is_some_and(|row| row.score() <= Judgment::NAME));
        if is_other {
            break;
        }
        cause.offset = row.offset;
        let text = row.text.trim_end();
        let before = text.strip_suffix([':', '|']).or_else(|| text.strip_suffix("|-"));
        let before = before.filter(|before| before.len() <= MAX_HEADING);
        let is_heading =
            before.is_some_and(|before| !before.ends_with(|last: char| last.is_ascii_digit()));
        if !is_heading && (has_content || row.offset > candidate.offset) {
            break;
        }
        has_content = true;
    }
    Ok(cause)
}

/// Returns true for the lines of code that Node prints above an exception.
fn is_excerpt(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("node:")
        || text.starts_with("throw ")
        || text.starts_with("The above exception was")
        || text.starts_with("During handling of the above")
        || text.chars().all(|found| found == '^')
}

/// Returns the last message before a report that something failed. If the report is on standard
/// error and messages are near it on that stream, this is the last of them: standard output often
/// ends with the commands that a tool started. Returns `candidate` if it names what failed, or if
/// no message is near.
pub(super) fn message_before(log: &LogFile, candidate: Candidate, tail: Tail) -> Result<Candidate> {
    let report = log.window(Anchor::From(candidate.offset), 1, tail)?.rows;
    let Some(report) = report.first() else { return Ok(candidate) };
    let text = plain(&report.text, Progress::Last);
    if text.contains(" FAIL ") {
        return Ok(candidate);
    }
    let rows = log.window(Anchor::Before(candidate.offset), MESSAGE_ROWS, tail)?.rows;
    let is_error = |row: &Row| row.stream == Some(Stream::Stderr);
    let rows: Vec<(bool, End)> = rows.iter().map(|row| (is_error(row), End::of(row))).collect();
    // The report of a tool that fails because of warnings names them.
    let is_strict = text.contains("arning") && !is_harmless(&text);
    let messages = messages(rows.iter().map(|(_, row)| row), is_strict);
    let is_report = |row: &End| row.kind() == Some(Kind::Status) || row.text.contains("make[");
    let mut errors = rows.iter().filter(|(is_error, _)| *is_error).map(|(_, row)| row);
    let error = errors.rfind(|row| !row.is_blank() && !is_report(row));
    let error = error.filter(|row| {
        is_error(report)
            && !row.is_indented()
            && messages.iter().any(|message| message.offset == row.offset)
    });
    // `make` prints the commands that it starts to standard output.
    let is_stated = |row: &&End| !text.contains("make") || complaint(&row.text).is_some();
    let other = messages.last().copied().filter(is_stated);
    if let Some(message) = error.or(other) {
        return Ok(candidate.moved_to(message));
    }
    // The streams may have been read in another order than they were written.
    let below = log.window(Anchor::From(candidate.offset), MESSAGE_ROWS, tail)?.rows;
    let below = below
        .iter()
        .map(End::of)
        .skip(1)
        .find(|row| row.judgment.is_none() && complaint(&row.text) == Some(Severity::Error));
    Ok(below.map_or(candidate, |message| candidate.moved_to(&message)))
}

/// Returns the rows that may explain a failure: not harmless and the indented rows below those, and
/// not a report. If `is_strict` is true, warnings are not harmless.
fn messages<'r>(rows: impl Iterator<Item = &'r End>, is_strict: bool) -> Vec<&'r End> {
    let mut is_below_harmless = false;
    let is_message = |row: &&End| {
        let is_warning = is_strict && row.text.to_lowercase().contains("warning");
        is_below_harmless =
            is_harmless(&row.text) && !is_warning || (is_below_harmless && row.is_indented());
        let may_explain = match row.judgment {
            Some(judgment) => judgment.score() >= Judgment::NAME,
            None => !is_excerpt(&row.text) && !is_remark(&row.text),
        };
        !row.is_blank() && !is_below_harmless && may_explain
    };
    rows.filter(is_message).collect()
}
