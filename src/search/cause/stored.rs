//! The cause that is stored beside a log, so that the log need not be searched. Its rows may be far
//! apart, so only the one with the cause, or the last one, is compared with the log.

use serde::Deserialize;

use super::{Cause, MAX_CAUSE_ROWS};
use crate::cri::Stream;
use crate::error::Result;
use crate::log::{Anchor, Beside, Format, LogFile, Row, Tail};
use crate::search::errors::{Judgment, has_user_rules, judge};
use crate::search::shown::{Progress, plain};
use crate::time::Time;

/// The part of the document that is used.
#[derive(Deserialize)]
struct Stored {
    at: Option<u64>,
    is_last_words: bool,
    rows: Vec<StoredRow>,
}

#[derive(Deserialize)]
struct StoredRow {
    offset: u64,
    at: Option<Time>,
    stream: Option<Stream>,
    /// Bytes that are not UTF-8 were replaced.
    text: String,
}

/// Returns the cause that is stored beside the log of a failed command, without explanations.
/// Returns `None` without a stored cause, if it does not fit the log, or if the user has rules that
/// may find another cause.
///
/// # Errors
/// If the log cannot be read.
pub fn stored_cause(log: &LogFile, exit_code: Option<i64>, tail: Tail) -> Result<Option<Cause>> {
    let json = log.beside(Beside::Cause).filter(|_| exit_code != Some(0) && !has_user_rules());
    let stored = json.and_then(|json| serde_json::from_slice::<Stored>(&json).ok());
    let Some(Stored { at, is_last_words, rows }) = stored else { return Ok(None) };
    let is_exact = |row: &StoredRow| {
        !row.text.contains('\u{fffd}') && (row.stream.is_some() || log.format() == Format::Plain)
    };
    if rows.is_empty() || rows.len() > MAX_CAUSE_ROWS || !rows.iter().all(is_exact) {
        return Ok(None);
    }
    let mut rule = None;
    // Without a likely cause, its last row must be that of the log.
    if let Some(compared) = at.or_else(|| Some(rows.last()?.offset)) {
        let stored = rows.iter().find(|row| row.offset == compared);
        let Some(row) = log.window(Anchor::From(compared), 1, tail)?.rows.pop() else {
            return Ok(None);
        };
        if row.offset != compared || stored.is_none_or(|stored| stored.text.as_bytes() != row.text)
        {
            return Ok(None);
        }
        let judgment = judge(&plain(&row.text, Progress::Last)).filter(|_| !is_last_words);
        rule = judgment.and_then(Judgment::tool);
    }
    let rows = rows.into_iter().map(StoredRow::row).collect();
    let (searched_bytes, why) = (log.bytes(), Vec::new());
    Ok(Some(Cause { at, is_last_words, rule, rows, searched_bytes, why }))
}

impl StoredRow {
    fn row(self) -> Row {
        let Self { offset, at, stream, text } = self;
        let (last_at, complete, text) = (at, true, text.into_bytes());
        Row { offset, at, last_at, stream, text, complete, ..Row::default() }
    }
}
