//! The cause that is stored beside a log, so that the log need not be searched. Only the place of
//! its rows is used: their content is read from the log.

use serde::Deserialize;

use super::{Cause, MAX_CAUSE_ROWS};
use crate::error::Result;
use crate::log::{Anchor, Beside, LogFile, Row, Tail};
use crate::search::errors::{has_user_rules, judge};
use crate::search::shown::{Progress, plain};

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
    /// Bytes that are not UTF-8 were replaced.
    text: String,
}

/// Returns the cause that is stored beside the log of a failed command, without explanations.
/// Returns `None` if there is none, if it does not fit the log, or if the user has rules that may
/// find another one.
///
/// # Errors
/// If the log cannot be read.
pub fn stored_cause(log: &LogFile, exit_code: Option<i64>, tail: Tail) -> Result<Option<Cause>> {
    let json = log.beside(Beside::Cause).filter(|_| exit_code != Some(0) && !has_user_rules());
    let stored = json.and_then(|json| serde_json::from_slice::<Stored>(&json).ok());
    let Some(Stored { at, is_last_words, rows }) = stored else { return Ok(None) };
    if rows.is_empty() || rows.len() > MAX_CAUSE_ROWS {
        return Ok(None);
    }
    if at.is_some_and(|at| rows.iter().all(|row| row.offset != at)) {
        return Ok(None);
    }
    let mut read = Vec::new();
    for stored in rows {
        let row = log.window(Anchor::From(stored.offset), 1, tail)?.rows.pop();
        let is_same = |row: &Row| {
            row.offset == stored.offset && String::from_utf8_lossy(&row.text) == stored.text
        };
        let Some(row) = row.filter(is_same) else { return Ok(None) };
        read.push(row);
    }
    let row = read.iter().find(|row| Some(row.offset) == at && !is_last_words);
    let rule = row.and_then(|row| judge(&plain(&row.text, Progress::Last))?.tool());
    let (searched_bytes, why) = (log.bytes(), Vec::new());
    Ok(Some(Cause { at, is_last_words, rule, rows: read, searched_bytes, why }))
}
