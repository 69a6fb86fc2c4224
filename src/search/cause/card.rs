//! Which of the likely rows is the cause, told by the rows around it, and which of those to show.

use super::super::errors::{Weight, judge};
use super::super::shown::{Progress, plain};
use super::super::sift::{Around, Sieve, Sifting};
use super::MAX_CAUSE_ROWS;
use super::board::{EXCEPTION, Sign, TRACE};
use crate::cri::Stream;
use crate::error::Result;
use crate::log::{Anchor, LogFile, Row, Tail};

/// How many rows are read to either side, of which some are shown.
const REACH_ROWS: usize = 100;

/// How far below a trace its last line is, and what caused it.
const TRACE_ROWS: usize = 150;

/// How many pieces of a log are read for rows of one stream: some thousand rows.
const MAX_STEPS: usize = 16;

/// How many rows at the end are looked through for those of standard error.
const END_ROWS: usize = 200;

/// The first of these that was no mere entry of a program's own log, else the last such entry: where its trace says why.
pub(super) fn choose(log: &LogFile, ranked: &[Sign], tail: Tail) -> Result<Option<Sign>> {
    let mut logged = None;
    for sign in ranked {
        if logged.is_some() && sign.weight < Weight::Message {
            break;
        }
        if !is_logged(log, sign, tail)? {
            return follow(log, *sign, tail).map(Some);
        }
        logged = Some(*sign);
    }
    logged.map(|sign| follow(log, sign, tail)).transpose()
}

/// Whether a program that went on printed it: as part of an entry of its log, or as `jest` shows what tests print.
fn is_logged(log: &LogFile, sign: &Sign, tail: Tail) -> Result<bool> {
    if sign.weight < Weight::Message {
        return Ok(false);
    }
    let rows = log.window(Anchor::Before(sign.offset), 3, tail)?.rows;
    let texts: Vec<_> = rows.iter().map(|row| plain(&row.text, Progress::Last)).collect();
    let is_entry = [TRACE, EXCEPTION].contains(&sign.rule) && texts.last().is_some_and(|text| is_log_entry(text));
    if sign.rule == "rust" && has_passed(log, sign.offset, tail)? {
        return Ok(true);
    }
    Ok(is_entry || texts.iter().any(|text| text.trim_start().starts_with("console.")))
}

/// Whether a thread panicked in a test of `cargo` that was meant to.
fn has_passed(log: &LogFile, panic: u64, tail: Tail) -> Result<bool> {
    let rows = log.window(Anchor::From(panic), TRACE_ROWS, tail)?.rows;
    let mut texts = rows.iter().map(|row| plain(&row.text, Progress::Last));
    let told = texts.next().unwrap_or_default();
    let thread = told.split_once("thread '").and_then(|(_, rest)| rest.split_once('\''));
    let Some((name, _)) = thread else { return Ok(false) };
    Ok(texts.any(|text| {
        let verdict = text.strip_prefix("test ").and_then(|rest| rest.strip_prefix(name));
        verdict.is_some_and(|verdict| verdict.starts_with(' ') && verdict.ends_with(" ok"))
    }))
}

/// `2026-01-02 03:04:05,123 ERROR nightly: …`, `WARNING:root:…`
fn is_log_entry(text: &str) -> bool {
    const LEVELS: [&str; 4] = ["WARN", "WARNING", "ERROR", "CRITICAL"];
    let words = text.split(|found: char| !found.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let is_heading = judge(text).is_some_and(|(weight, _)| weight == Weight::Heading);
    !is_heading && words.take(4).any(|word| LEVELS.contains(&word))
}

/// From the first row of a trace to the one that says why: its last line, and that of what caused it.
fn follow(log: &LogFile, mut sign: Sign, tail: Tail) -> Result<Sign> {
    if sign.weight < Weight::Message && sign.rule != TRACE {
        return Ok(sign);
    }
    let rows = log.window(Anchor::From(sign.offset), TRACE_ROWS, tail)?.rows;
    let Some((first, rest)) = rows.split_first() else { return Ok(sign) };
    let text = plain(&first.text, Progress::Last);
    let mut trace = text.split_once("Traceback (most").map(|(before, _)| before.to_owned());
    let mut goes_on = false;
    for row in rest.iter().filter(|row| row.stream == first.stream) {
        let text = plain(&row.text, Progress::Last);
        let said = text.trim_start();
        if trace.as_ref().is_some_and(|before| ends_trace(&text, before)) {
            (trace, sign.offset) = (None, row.offset);
        } else if text.contains("During handling of the above exception") {
            goes_on = true;
        } else if let Some((before, _)) = text.split_once("Traceback (most") {
            if !goes_on {
                break;
            }
            (trace, goes_on) = (Some(before.to_owned()), false);
        } else if said.starts_with("Caused by: ") || said.starts_with("[cause]: ") {
            sign.offset = row.offset;
        } else if trace.is_none() {
            match judge(&text).map(|(weight, _)| weight) {
                Some(Weight::Fault) if goes_on => (goes_on, sign.offset) = (false, row.offset),
                Some(Weight::Heading | Weight::Name | Weight::Aftermath | Weight::Fault) => break,
                _ if said.starts_with("____") || said.starts_with("====") => break,
                _ => {}
            }
        }
    }
    Ok(sign)
}

/// Whether a row is the last line of a trace: it stands as far left as its first.
fn ends_trace(text: &str, before: &str) -> bool {
    let rest = text.strip_prefix(before).filter(|rest| !rest.trim().is_empty());
    rest.is_some_and(|rest| !rest.starts_with([' ', '\t']))
}

/// The rows that show a cause: of its stream, since what other processes say meanwhile is mostly on the other one; where those are
/// few, of both.
pub(super) fn around(log: &LogFile, cause: &Sign, tail: Tail) -> Result<Vec<Row>> {
    let sieve = Sieve { keep: Some(cause.offset), ..Sieve::default() };
    let mut above = read(
        log,
        sieve,
        Around { place: cause.offset, above: REACH_ROWS, below: REACH_ROWS, tells_ends: false },
        tail,
    )?;
    let below = above.split_off(above.partition_point(|row| row.offset < cause.offset));
    let Some(stream) = below.first().map(|row| row.stream) else { return Ok(Vec::new()) };
    let details = details(below.iter().filter(|row| row.stream == stream), cause.weight);
    let [mut above, mut below] =
        [above, below].map(|rows| rows.into_iter().filter(|row| !is_blank(row)).collect::<Vec<_>>());
    let own = |rows: &[Row]| rows.iter().filter(|row| row.stream == stream).count();
    // What belongs to a name may be on the other.
    if !matches!(cause.weight, Weight::Heading | Weight::Name) && own(&above) + own(&below) >= MAX_CAUSE_ROWS {
        above.retain(|row| row.stream == stream);
        below.retain(|row| row.stream == stream);
    }
    let (least_above, most_below) = shares(cause.weight);
    let before = (MAX_CAUSE_ROWS - details.min(most_below)).max(least_above).min(above.len());
    below.truncate(MAX_CAUSE_ROWS - before);
    let before = (MAX_CAUSE_ROWS - below.len()).min(above.len());
    Ok(above.split_off(above.len() - before).into_iter().chain(below).collect())
}

/// The rows around a place that a terminal would still show: fewer where a sieve lets little through.
fn read(log: &LogFile, sieve: Sieve, around: Around, tail: Tail) -> Result<Vec<Row>> {
    let mut sifting = Sifting::new(sieve, around, tail);
    for _ in 0..MAX_STEPS {
        if sifting.step(log, None, u64::MAX)? {
            break;
        }
    }
    Ok(sifting.finish(log).rows)
}

/// How many rows above it a row needs at least, and how many from it on at most, while there are others.
const fn shares(weight: Weight) -> (usize, usize) {
    match weight {
        Weight::Heading => (0, 9),
        Weight::Fault | Weight::Message => (2, 8),
        Weight::Name | Weight::Aside => (4, 6),
        _ => (7, 3),
    }
}

/// How many rows from the cause on belong to it: up to a blank one, unless the row before it or the one behind it promises more.
fn details<'r>(below: impl Iterator<Item = &'r Row>, weight: Weight) -> usize {
    let (mut rows, mut has_ended, mut goes_on) = (0, false, true);
    for row in below {
        let text = plain(&row.text, Progress::Last);
        let text = text.trim();
        if text.is_empty() {
            has_ended = !goes_on;
        } else if has_ended && !text.starts_with("Caused by") {
            break;
        } else {
            (has_ended, goes_on) = (false, weight == Weight::Heading || text.ends_with(':'));
            rows += 1;
        }
    }
    rows
}

/// The last rows of standard error, and with them, where those are few or old, the last of the log.
pub(super) fn tail(log: &LogFile, tail: Tail) -> Result<Vec<Row>> {
    let end = Around { place: u64::MAX, above: END_ROWS, below: 0, tells_ends: false };
    let mut last = read(log, Sieve::default(), end, tail)?;
    let is_old = last.iter().all(|row| row.stream != Some(Stream::Stderr));
    let mut rows = read(log, Sieve { stream: Some(Stream::Stderr), ..Sieve::default() }, end, tail)?;
    rows.retain(|row| !is_blank(row));
    let most = if is_old { MAX_CAUSE_ROWS / 2 } else { MAX_CAUSE_ROWS };
    rows.drain(..rows.len().saturating_sub(most));
    last.retain(|row| !is_blank(row) && !rows.contains(row));
    rows.extend(last.split_off((last.len() + rows.len()).saturating_sub(MAX_CAUSE_ROWS).min(last.len())));
    rows.sort_by_key(|row| row.offset);
    Ok(rows)
}

fn is_blank(row: &Row) -> bool {
    plain(&row.text, Progress::Last).trim().is_empty()
}
