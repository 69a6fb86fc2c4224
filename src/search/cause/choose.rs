//! The choice between the candidates, by the rows around them.

use super::super::errors::{Kind, judge, without_time};
use super::super::shown::{Progress, plain};
use super::candidates::Candidate;
use super::end;
use crate::error::Result;
use crate::log::{Anchor, LogFile, Row, Tail};

/// Maximum distance from the start of a log entry to its parts, in rows.
const ENTRY_ROWS: usize = 3;

/// Maximum distance from the first row of a trace to its last row or its cause, and from a panic to
/// the verdict on its test, in rows.
const TRACE_ROWS: usize = 150;

/// Maximum distance from a Go panic to its trace, in rows.
const GOROUTINE_ROWS: usize = 20;

/// Chooses the first candidate that is not merely an entry of a program's own log. After such an
/// entry, the search stops at a candidate that is not serious, and chooses the last entry. Returns
/// the row that explains the chosen candidate; `None` if there are no candidates.
pub(super) fn choose(log: &LogFile, ranked: &[Candidate], tail: Tail) -> Result<Option<Candidate>> {
    let mut logged: Option<Candidate> = None;
    for candidate in ranked {
        let candidate = *candidate;
        if candidate.judgment.kind == Kind::Detail {
            if let Some(message) = end::row_above(log, candidate, tail)? {
                return Ok(Some(message));
            }
            continue;
        }
        if let Some(logged) = logged.filter(|_| !candidate.judgment.is_serious()) {
            let is_later = candidate.offset > logged.offset;
            let is_last = candidate.judgment.kind == Kind::Entry && is_later;
            return explain(log, if is_last { candidate } else { logged }, tail).map(Some);
        }
        match standing(log, &candidate, tail)? {
            Standing::Reported => return explain(log, candidate, tail).map(Some),
            Standing::Logged => logged = Some(candidate),
            Standing::Harmless => {}
        }
    }
    logged.map(|candidate| explain(log, candidate, tail)).transpose()
}

/// Returns the rows that explain up to `max` other failures, in the order of the log. A command
/// reports them in the same way as the chosen one.
pub(super) fn others(
    log: &LogFile,
    ranked: &[Candidate],
    chosen: &Candidate,
    max: usize,
    tail: Tail,
) -> Result<Vec<Candidate>> {
    // Other reports are about the same failure.
    if chosen.judgment.kind == Kind::Status {
        return Ok(Vec::new());
    }
    let is_alike = |other: &&Candidate| other.judgment == chosen.judgment;
    let mut found = Vec::new();
    for candidate in ranked.iter().filter(is_alike) {
        if found.len() <= max && standing(log, candidate, tail)? == Standing::Reported {
            found.push(end::content_below(log, follow(log, *candidate, tail)?, tail)?);
        }
    }
    found.retain(|candidate| candidate.offset != chosen.offset);
    found.sort_by_key(|candidate| candidate.offset);
    found.dedup_by_key(|candidate| candidate.offset);
    found.truncate(max);
    Ok(found)
}

/// Returns the row that explains a candidate, or one that explains a later failure that ended the
/// command.
fn explain(log: &LogFile, candidate: Candidate, tail: Tail) -> Result<Candidate> {
    if let Some(complaint) = end::complaint_after(log, &candidate, tail)? {
        return Ok(complaint);
    }
    let candidate = end::ended_by(log, &candidate, tail)?.unwrap_or(candidate);
    if candidate.judgment.kind == Kind::Diff {
        return end::changed_row(log, candidate, tail);
    }
    if candidate.judgment.kind == Kind::Status {
        return end::message_before(log, candidate, tail);
    }
    let cause = end::content_below(log, follow(log, candidate, tail)?, tail)?;
    // An exception that only reports that a command failed leads to the output of that command.
    let row = log.window(Anchor::From(cause.offset), 1, tail)?.rows;
    let is_report = |row: &Row| judge(&shown(row)).is_some_and(|row| row.kind == Kind::Status);
    if candidate.judgment.kind != Kind::Trace || !row.iter().any(is_report) {
        return Ok(cause);
    }
    let message = end::message_before(log, candidate, tail)?;
    Ok(if message == candidate { cause } else { message })
}

/// The state of a program after it printed a candidate.
#[derive(PartialEq, Eq)]
enum Standing {
    /// It has failed.
    Reported,
    /// It is part of an entry of the program's log, a panic that the program survived, or console
    /// output of a test, which `jest` repeats.
    Logged,
    /// It is about an exception that the program ignored.
    Harmless,
}

fn standing(log: &LogFile, candidate: &Candidate, tail: Tail) -> Result<Standing> {
    let logged = |is_logged| if is_logged { Standing::Logged } else { Standing::Reported };
    if !candidate.judgment.is_serious() {
        return Ok(Standing::Reported);
    }
    if candidate.judgment.kind == Kind::Panic {
        return is_survived(log, candidate.offset, tail).map(logged);
    }
    let rows = log.window(Anchor::Before(candidate.offset), ENTRY_ROWS, tail)?.rows;
    let texts: Vec<_> = rows.iter().map(shown).collect();
    let is_trace = matches!(candidate.judgment.kind, Kind::Trace | Kind::Exception);
    if is_trace && texts.last().is_some_and(|text| text.starts_with("Exception ignored in")) {
        return Ok(Standing::Harmless);
    }
    let is_entry = is_trace && texts.last().is_some_and(|text| is_log_entry(text));
    Ok(logged(is_entry || texts.iter().any(|text| text.trim_start().starts_with("console."))))
}

/// Returns true if a program survived a panic: if it is in a `cargo` test that passed, because the
/// panic was expected, or if no Go trace follows it. A program may print the words of a Go panic
/// that it recovered from.
fn is_survived(log: &LogFile, panic: u64, tail: Tail) -> Result<bool> {
    let rows = log.window(Anchor::From(panic), TRACE_ROWS, tail)?.rows;
    let mut texts = rows.iter().map(shown);
    let heading = texts.next().unwrap_or_default();
    let thread = heading.split_once("thread '").and_then(|(_, rest)| rest.split_once('\''));
    let Some((name, _)) = thread else {
        let mut trace = texts.take(GOROUTINE_ROWS);
        return Ok(!trace.any(|text| text.trim_start().starts_with("goroutine ")));
    };
    Ok(texts.any(|text| {
        let verdict = text.strip_prefix("test ").and_then(|rest| rest.strip_prefix(name));
        verdict.is_some_and(|verdict| verdict.starts_with(' ') && verdict.ends_with(" ok"))
    }))
}

/// Returns true for entries like `2026-01-02 03:04:05,123 ERROR nightly: …` and `WARNING:root:…`.
fn is_log_entry(text: &str) -> bool {
    const LEVELS: [&str; 4] = ["WARN", "WARNING", "ERROR", "CRITICAL"];
    let words =
        text.split(|found: char| !found.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let is_heading = judge(text).is_some_and(|judgment| judgment.kind == Kind::Heading);
    !is_heading && words.take(4).any(|word| LEVELS.contains(&word))
}

/// Moves a candidate from the first row of a trace to the row that explains the failure: the last
/// row of the trace or of a later trace in the same chain, or the last row that begins with
/// `Caused by: ` or `[cause]: `.
fn follow(log: &LogFile, mut candidate: Candidate, tail: Tail) -> Result<Candidate> {
    if !candidate.judgment.is_serious() {
        return Ok(candidate);
    }
    let rows = log.window(Anchor::From(candidate.offset), TRACE_ROWS, tail)?.rows;
    let Some((first, rest)) = rows.split_first() else { return Ok(candidate) };
    let text = shown(first);
    let mut trace = text.split_once("Traceback (most").map(|(before, _)| before.to_owned());
    // True after the exception that the chain names as the cause of the others.
    let mut is_caused = false;
    // `ERROR: Exception:` explains nothing by itself.
    let is_trace = |row: &Row| shown(row).contains("Traceback (most");
    let is_group = |text: &str| text.contains("Exception Group Traceback (most");
    let mut goes_on =
        is_group(&text) || text.trim_end().ends_with(':') && rest.first().is_some_and(is_trace);
    for row in rest.iter().filter(|row| row.stream == first.stream) {
        let text = shown(row);
        let trimmed = text.trim_start();
        let judgment = judge(&text);
        let ends = |before: &String| {
            ends_trace(&text, before)
                || judgment.is_some_and(|judgment| judgment.kind == Kind::Exception)
        };
        if trace.as_ref().is_some_and(ends) {
            // The message of an exception may be a trace itself.
            trace = trace.filter(|_| is_trace(row));
            if is_caused {
                candidate.head = Some(row.offset);
            } else {
                candidate.offset = row.offset;
            }
        } else if text.contains("During handling of the above exception") {
            goes_on = true;
        } else if text.contains("direct cause of the following exception") {
            (goes_on, is_caused) = (true, true);
        } else if let Some((before, _)) = text.split_once("Traceback (most") {
            if !goes_on {
                break;
            }
            (trace, goes_on) = (Some(before.to_owned()), false);
        } else if ["Caused by: ", "[cause]: ", "Cause: "]
            .iter()
            .any(|word| trimmed.starts_with(word))
        {
            candidate.offset = row.offset;
        } else if trace.is_none() {
            let ends_failure = judgment.is_some_and(|judgment| {
                matches!(judgment.kind, Kind::Heading | Kind::Name | Kind::Status)
                    || judgment.is_defect()
            });
            match judgment {
                Some(judgment) if goes_on && judgment.is_defect() => {
                    (goes_on, candidate.offset) = (false, row.offset);
                }
                _ if ends_failure => break,
                _ if trimmed.starts_with("____") || trimmed.starts_with("====") => break,
                _ => {}
            }
        }
    }
    Ok(candidate)
}

/// Returns the displayed text of a row, without the time that a runner writes before it.
fn shown(row: &Row) -> String {
    without_time(&plain(&row.text, Progress::Last)).to_owned()
}

/// Returns true if a row is the last line of a trace: it is not indented more than the first line.
/// `before` is the text before `Traceback` in the first line.
fn ends_trace(text: &str, before: &str) -> bool {
    let rest = text.strip_prefix(before).filter(|rest| !rest.trim().is_empty());
    rest.is_some_and(|rest| !rest.starts_with([' ', '\t']))
}
