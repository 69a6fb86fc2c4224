//! Which of the likely rows is the cause, told by the rows around it, and which of those to show.

use super::super::errors::{Weight, judge};
use super::super::shown::{Progress, plain};
use super::super::sift::{Around, Sieve, Sifting};
use super::MAX_CAUSE_ROWS;
use super::board::Sign;
use crate::cri::Stream;
use crate::error::Result;
use crate::log::{Anchor, LogFile, Row, Tail};

/// How many rows are read to either side, of which some are shown.
const REACH_ROWS: usize = 40;

/// How far below a trace its last line is, and what caused it.
const TRACE_ROWS: usize = 150;

/// How many pieces of a log are read for rows of one stream.
const MAX_STEPS: usize = 8;

/// How many rows at the end are looked through for those of standard error.
const END_ROWS: usize = 512;

/// The first of these that was no mere entry of a program's own log, or the first at all: where its trace says why.
pub(super) fn choose(log: &LogFile, ranked: &[Sign], tail: Tail) -> Result<Option<Sign>> {
    for sign in ranked {
        if !is_logged(log, sign, tail)? {
            return follow(log, *sign, tail).map(Some);
        }
    }
    ranked.first().map(|sign| follow(log, *sign, tail)).transpose()
}

/// Whether a program that went on printed it: as part of an entry of its log, or as `jest` shows what tests print.
fn is_logged(log: &LogFile, sign: &Sign, tail: Tail) -> Result<bool> {
    if sign.weight < Weight::Message {
        return Ok(false);
    }
    let rows = log.window(Anchor::Before(sign.offset), 3, tail)?.rows;
    let texts: Vec<_> = rows.iter().map(|row| plain(&row.text, Progress::Last)).collect();
    let is_entry = sign.rule == "python" && texts.last().is_some_and(|text| is_log_entry(text));
    Ok(is_entry || texts.iter().any(|text| text.trim_start().starts_with("console.")))
}

/// `2026-01-02 03:04:05,123 ERROR nightly: …`, `WARNING:root:…`
fn is_log_entry(text: &str) -> bool {
    const LEVELS: [&str; 6] = ["DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL"];
    let words = text.split(|found: char| !found.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    words.take(4).any(|word| LEVELS.contains(&word))
}

/// From the first row of a trace to the one that says why: its last line, and that of what caused it.
fn follow(log: &LogFile, mut sign: Sign, tail: Tail) -> Result<Sign> {
    if sign.weight < Weight::Message && sign.rule != "python" {
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

/// The rows that show a cause.
pub(super) fn around(log: &LogFile, cause: &Sign, tail: Tail) -> Result<Vec<Row>> {
    let stream = log.window(Anchor::From(cause.offset), 1, tail)?.rows.first().and_then(|row| row.stream);
    let sieve = Sieve { stream, keep: Some(cause.offset), ..Sieve::default() };
    let around = Around { place: cause.offset, above: REACH_ROWS, below: REACH_ROWS + 1, tells_ends: false };
    let mut sifting = Sifting::new(sieve, around, tail);
    for _ in 0..MAX_STEPS {
        if sifting.step(log, None, u64::MAX)? {
            break;
        }
    }
    let mut above = sifting.finish(log).rows;
    let below = above.split_off(above.partition_point(|row| row.offset < cause.offset));
    let details = details(&below, cause.weight);
    above.retain(|row| !is_blank(row));
    let mut below: Vec<Row> = below.into_iter().filter(|row| !is_blank(row)).collect();
    let (least_above, most_below) = shares(cause.weight);
    let after = details.min(most_below);
    let before = (MAX_CAUSE_ROWS - after).max(least_above).min(above.len());
    below.truncate(MAX_CAUSE_ROWS - before);
    Ok(above.split_off(above.len() - before).into_iter().chain(below).collect())
}

/// How many rows above it a row needs at least, and how many from it on at most, while there are others.
const fn shares(weight: Weight) -> (usize, usize) {
    match weight {
        Weight::Heading => (0, 9),
        Weight::Fault | Weight::Message => (2, 8),
        Weight::Name | Weight::Aside => (4, 6),
        Weight::Again | Weight::Begun | Weight::Passed | Weight::Aftermath => (8, 2),
    }
}

/// How many rows from the cause on belong to it: up to a blank one, where what caused it does not follow.
fn details(below: &[Row], weight: Weight) -> usize {
    let mut rows = 0;
    for (at, row) in below.iter().enumerate() {
        if !is_blank(row) {
            rows += 1;
        } else if weight != Weight::Heading
            && !below.get(at + 1).is_some_and(|next| next.text.starts_with(b"Caused by"))
        {
            break;
        }
    }
    rows
}

/// The last rows of standard error, and with them, where those are few, the last of the log.
pub(super) fn tail(log: &LogFile, tail: Tail) -> Result<Vec<Row>> {
    let around = Around { place: u64::MAX, above: END_ROWS, below: 0, tells_ends: false };
    let mut sifting = Sifting::new(Sieve::default(), around, tail);
    for _ in 0..MAX_STEPS {
        if sifting.step(log, None, u64::MAX)? {
            break;
        }
    }
    let mut rows = sifting.finish(log).rows;
    rows.retain(|row| !is_blank(row));
    let mut spare = rows.iter().filter(|row| row.stream != Some(Stream::Stderr)).count();
    let mut errors = (rows.len() - spare).saturating_sub(MAX_CAUSE_ROWS);
    spare = spare.saturating_sub(MAX_CAUSE_ROWS.saturating_sub(rows.len() - spare));
    rows.retain(|row| {
        let left = if row.stream == Some(Stream::Stderr) { &mut errors } else { &mut spare };
        let is_left_out = *left > 0;
        *left = left.saturating_sub(1);
        !is_left_out
    });
    Ok(rows)
}

fn is_blank(row: &Row) -> bool {
    plain(&row.text, Progress::Last).trim().is_empty()
}
