//! `rundown list`: one line per run, newest first, in columns.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

use super::text::{date_time, status_text};
use crate::display::{self, Status};
use crate::join::RunHead;
use crate::sanitize::name;

/// Writes the table.
///
/// # Errors
/// If `out` cannot be written.
pub fn write_runs(
    heads: &[RunHead],
    color: bool,
    time_zone: &TimeZone,
    out: &mut impl Write,
) -> io::Result<()> {
    let rows: Vec<[String; 6]> = heads.iter().map(|head| columns(head, time_zone)).collect();
    let mut widths = [0; 6];
    for row in &rows {
        for (width, text) in widths.iter_mut().zip(row) {
            *width = text.width().max(*width);
        }
    }
    for (head, row) in heads.iter().zip(&rows) {
        let status = Status::of_run(head);
        let pad = " ".repeat("interrupted".len() - status.word().len());
        write!(out, "{}{pad}", status_text(status, color))?;
        let mut line = String::new();
        for (text, width) in row.iter().zip(widths).filter(|(_, width)| *width > 0) {
            line.extend(["  ", text, &" ".repeat(width - text.width())]);
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn columns(head: &RunHead, time_zone: &TimeZone) -> [String; 6] {
    let run = &head.run;
    let at = run.started_at.or(run.queued_at).and_then(|at| date_time(at, time_zone));
    [
        name(run.id.short()).into_owned(),
        run.repo.as_deref().map(|repo| cut(&name(repo))).unwrap_or_default(),
        display::revision(run).map(|revision| cut(&revision)).unwrap_or_default(),
        at.unwrap_or_default(),
        head.lasted_ms().map(display::duration).unwrap_or_default(),
        // The last column, because it is the longest text, and the others keep their places.
        display::pipeline(run).map(|name| cut(&name)).unwrap_or_default(),
    ]
}

/// The maximum number of characters of a name. A longer name would push the end of every line out
/// of sight.
const SHOWN_CHARS: usize = 60;

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or(text)),
        None => text.to_owned(),
    }
}
