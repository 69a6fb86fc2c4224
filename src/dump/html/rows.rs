//! The rows of a log in a page: all of them, or the first ones, those of the causes and the last
//! ones.
//!
//! A row is an element with its number as a link to itself, its time, and its text in styles:
//!
//! ```text
//! <p id="test-1-12" class="e"><a href="#test-1-12">12</a><i>14:00:01.123 </i>text</p>
//! ```
//!
//! A log is read once from its start, so rows are numbered by their position as in `jsonl`, and
//! memory does not depend on its size.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Write};
use std::sync::Arc;

use super::style::classes;
use super::text::Text;
use crate::cri::Stream;
use crate::display;
use crate::dump::failure::MAX_OTHER_CAUSES;
use crate::dump::options::{PrintOptions, Timestamps};
use crate::dump::printing::{Printing, run_id, whole_characters};
use crate::dump::text::{Clock, Held};
use crate::join::{LogRef, ShNode};
use crate::log::{LogFile, Row};
use crate::model::{LogCut, Sh};
use crate::sanitize::{Sanitizer, Span, Style};

/// The maximum number of bytes of a row. Browsers are slow with longer ones.
const ROW_CAP_BYTES: usize = 16 << 10;

/// The number of rows in a block. Browsers lay out only the blocks that are visible.
const BLOCK_ROWS: u64 = 200;

/// The number of bytes of a log that are read at most to measure it. A longer log is cut.
const MAX_MEASURED_BYTES: u64 = 64 << 20;

/// A log in a page.
pub(super) struct Log<'a> {
    pub file: &'a LogRef,
    /// The command; `None` for the log of the run.
    pub node: Option<&'a ShNode>,
    /// The id of the log, and the start of the ids of its rows.
    pub id: &'a str,
    /// The command that prints the whole log; `None` for a log opened by its path.
    pub command: Option<String>,
}

/// Returns the approximate size of a row in a page.
fn cost(text: &[u8]) -> u64 {
    // A letter is one byte, and other characters may become a reference or a picture.
    let of_byte = |byte: &u8| match byte {
        b'\x1b' => 32,
        b'<' | b'>' | b'&' | b'"' | b'\'' => 5,
        b' '..=b'~' => 1,
        _ => 3,
    };
    80 + text.iter().take(ROW_CAP_BYTES).map(of_byte).sum::<u64>()
}

/// Returns the approximate size of the selected rows of a log in a page; `u64::MAX` if the log is
/// larger than `max`.
pub(super) fn measure(printing: &mut Printing<'_>, log: &LogRef, max: u64) -> u64 {
    let Some(file) = printing.open(log).map(Arc::new) else { return 0 };
    let Some(start) = printing.tail_start(&file) else { return 0 };
    let Some(mut rows) = printing.rows(&file, start, ROW_CAP_BYTES) else { return 0 };
    let (mut row, mut total) = (Row::default(), 0);
    while rows.read(printing, &mut row) {
        total += cost(&row.text);
        if total > max || row.offset - start > MAX_MEASURED_BYTES {
            return u64::MAX;
        }
    }
    total
}

/// The choice of the rows of a log that are in a page.
struct Choice {
    /// The space that the first rows still have.
    head: u64,
    /// The offsets of rows of causes.
    causes: BTreeSet<u64>,
    /// The offset from which all rows are shown.
    tail: u64,
}

impl Choice {
    /// Returns true if a row is shown. The rows must be in order.
    fn takes(&mut self, row: &Row) -> bool {
        self.head = self.head.saturating_sub(cost(&row.text));
        self.head > 0 || row.offset >= self.tail || self.causes.contains(&row.offset)
    }
}

/// Writes the selected rows of a log, which may take the space `share`.
pub(super) fn write_log(
    printing: &mut Printing<'_>,
    log: &Log<'_>,
    share: u64,
    out: &mut impl Write,
) -> io::Result<()> {
    let Some(file) = printing.open(log.file).map(Arc::new) else {
        return writeln!(out, "<p class=\"note\">The log cannot be read.</p>");
    };
    if file.bytes() == 0 {
        return writeln!(out, "<p class=\"more\">No output.</p>");
    }
    let Some(start) = printing.tail_start(&file) else {
        return writeln!(out, "<p class=\"note\">Plain text has no streams.</p>");
    };
    let causes = log.node.filter(|node| has_cause(printing, node));
    let causes = causes.map(|node| printing.causes(node, MAX_OTHER_CAUSES)).unwrap_or_default();
    let marked = causes.iter().filter_map(|cause| cause.at).collect();
    let causes: BTreeSet<u64> =
        causes.iter().flat_map(|cause| &cause.rows).map(|row| row.offset).collect();
    let Some(choice) = choose(printing, &file, start, share, causes) else { return Ok(()) };
    write!(out, "<div class=\"rows log\"><div>")?;
    write_chosen(printing, log, &file, choice, marked, out)?;
    writeln!(out, "</div></div>")
}

/// Returns true if the log of a command may contain the cause of a failure.
fn has_cause(printing: &Printing<'_>, node: &ShNode) -> bool {
    run_id(&printing.run.head.run).is_none() || node.state.is_failure()
}

/// Chooses the rows to show. Returns `None`, after a report, if the log cannot be read.
fn choose(
    printing: &mut Printing<'_>,
    file: &Arc<LogFile>,
    start: u64,
    share: u64,
    causes: BTreeSet<u64>,
) -> Option<Choice> {
    if share == u64::MAX {
        return Some(Choice { head: if start == 0 { u64::MAX } else { 0 }, causes, tail: start });
    }
    let (head, tail) = if start == 0 { (share / 2, share / 2) } else { (0, share) };
    let tail = tail_within(printing, file, start, tail)?;
    Some(Choice { head, causes, tail })
}

/// Returns the offset, at or after `start`, from which the rows take at most the space `share`.
fn tail_within(
    printing: &mut Printing<'_>,
    file: &Arc<LogFile>,
    start: u64,
    share: u64,
) -> Option<u64> {
    let from = start.max(file.bytes().saturating_sub(share));
    let mut rows = printing.rows(file, from, ROW_CAP_BYTES)?;
    let (mut last, mut total) = (VecDeque::new(), 0);
    let mut row = Row::default();
    while rows.read(printing, &mut row) {
        let cost = cost(&row.text);
        last.push_back((row.offset, cost));
        total += cost;
        while total > share
            && let Some((_, cost)) = last.pop_front()
        {
            total -= cost;
        }
    }
    Some(last.front().map_or(file.bytes(), |(offset, _)| *offset))
}

fn write_chosen(
    printing: &mut Printing<'_>,
    log: &Log<'_>,
    file: &Arc<LogFile>,
    mut choice: Choice,
    marked: BTreeSet<u64>,
    out: &mut impl Write,
) -> io::Result<()> {
    let Some(mut rows) = printing.shown_rows(file, 0, ROW_CAP_BYTES) else { return Ok(()) };
    let sh = log.node.and_then(|node| node.sh.as_ref());
    let look = with_times(printing.look);
    let mut writer = RowWriter {
        log,
        clock: Clock::new(&look, sh.and_then(|sh| sh.started_at), true),
        sanitizer: Sanitizer::default(),
        held: Held::default(),
        numbers: VecDeque::new(),
        marked,
        cut: sh.and_then(Sh::cut),
        gap: None,
        in_block: 0,
    };
    let mut row = Row::default();
    while rows.read(printing, &mut row) {
        if choice.takes(&row) {
            writer.write(&mut row, rows.number, out)?;
        } else {
            writer.skip(&row, out)?;
        }
    }
    writer.finish(file.bytes(), out)
}

/// A writer of rows. Rows that later ones overwrite are left out.
struct RowWriter<'a> {
    log: &'a Log<'a>,
    clock: Clock<'a>,
    sanitizer: Sanitizer,
    held: Held,
    /// The numbers of the held rows.
    numbers: VecDeque<u64>,
    /// The offsets of the rows that rules matched.
    marked: BTreeSet<u64>,
    /// The output that was removed from the log, if it has not been reported yet.
    cut: Option<LogCut>,
    /// The offset of the first row that was left out since the last one was written, and the number
    /// of such rows.
    gap: Option<(u64, u64)>,
    /// The number of rows written to the current block.
    in_block: u64,
}

impl RowWriter<'_> {
    /// Adds a row with its number, and writes the rows that cannot be overwritten any more.
    fn write(&mut self, row: &mut Row, number: u64, out: &mut impl Write) -> io::Result<()> {
        self.write_gap(row.offset, out)?;
        self.held.push(row);
        self.numbers.push_back(number);
        self.write_held(false, out)
    }

    /// Leaves a row out.
    fn skip(&mut self, row: &Row, out: &mut impl Write) -> io::Result<()> {
        if self.gap.is_none() {
            self.write_held(true, out)?;
            self.sanitizer = Sanitizer::default();
        }
        let (from, rows) = self.gap.unwrap_or((row.offset, 0));
        self.gap = Some((from, rows + 1));
        Ok(())
    }

    /// Writes the last rows. `end` is the size of the log.
    fn finish(&mut self, end: u64, out: &mut impl Write) -> io::Result<()> {
        self.write_held(true, out)?;
        self.write_gap(end, out)?;
        self.write_cut(u64::MAX, out)
    }

    /// Reports the rows that were left out before an offset.
    fn write_gap(&mut self, to: u64, out: &mut impl Write) -> io::Result<()> {
        let Some((from, rows)) = self.gap.take() else { return Ok(()) };
        let (rows, size) = (display::rows(rows), display::size(to.saturating_sub(from)));
        writeln!(
            out,
            "<p class=\"gap\">… {rows} ({size}) left out{}</p>",
            to_read(self.log.command.as_deref())
        )
    }

    /// Reports output that was removed from the log at or before an offset.
    fn write_cut(&mut self, offset: u64, out: &mut impl Write) -> io::Result<()> {
        let Some(cut) = self.cut.take_if(|cut| cut.at <= offset) else { return Ok(()) };
        writeln!(out, "<p class=\"gap\">… {} …</p>", Text(&display::removed(cut)))
    }

    fn write_held(&mut self, is_end: bool, out: &mut impl Write) -> io::Result<()> {
        while let Some((row, is_overwritten)) = self.held.pop(is_end) {
            let number = self.numbers.pop_front().unwrap_or_default();
            self.write_cut(row.offset, out)?;
            if is_overwritten {
                // The row is not printed, but its colors stay in effect.
                self.sanitizer.row_within(&row.text, 0);
            } else {
                self.write_row(&row, number, out)?;
            }
            self.held.reuse(row);
        }
        Ok(())
    }

    fn write_row(&mut self, row: &Row, number: u64, out: &mut impl Write) -> io::Result<()> {
        if self.in_block == BLOCK_ROWS {
            write!(out, "</div><div>")?;
            self.in_block = 0;
        }
        self.in_block += 1;
        let id = self.log.id;
        let is_marked = self.marked.contains(&row.offset);
        write!(out, "<p id=\"{id}-{number}\"{}>", row_classes(row, is_marked))?;
        write!(out, "<a href=\"#{id}-{number}\" tabindex=\"-1\">{number}</a>")?;
        let stamp = self.clock.stamp(row.at);
        if !stamp.trim().is_empty() {
            write!(out, "<i>{} </i>", Text(stamp.trim()))?;
        }
        write_text(row, &mut self.sanitizer, out)?;
        writeln!(out, "</p>")
    }
}

/// Returns the attribute with the classes of a row.
fn row_classes(row: &Row, is_marked: bool) -> String {
    let stream = match (row.malformed, row.stream) {
        (Some(_), _) => Some("x"),
        (None, Some(Stream::Stderr)) => Some("e"),
        (None, _) => None,
    };
    let classes: Vec<&str> = stream.into_iter().chain(is_marked.then_some("c")).collect();
    if classes.is_empty() { String::new() } else { format!(" class=\"{}\"", classes.join(" ")) }
}

/// Writes the text of a row in its styles.
fn write_text(row: &Row, sanitizer: &mut Sanitizer, out: &mut impl Write) -> io::Result<()> {
    for Span { text, style, link } in &sanitizer.row(&row.text) {
        if let Some(link) = link {
            let (link, rel) = (Text(link), "noopener noreferrer nofollow");
            write!(out, "<a href=\"{link}\" title=\"{link}\" rel=\"{rel}\">")?;
        }
        if *style == Style::default() {
            write!(out, "{}", Text(text))?;
        } else {
            write!(out, "<span class=\"{}\">{}</span>", classes(*style), Text(text))?;
        }
        if link.is_some() {
            write!(out, "</a>")?;
        }
    }
    if row.cut_bytes > 0 {
        write!(out, "<em>… {} more</em>", display::size(row.cut_bytes))?;
    }
    Ok(())
}

/// The maximum number of bytes of a row of a cause: a longer row would push the other rows out of
/// sight.
const MAX_CAUSE_ROW_BYTES: usize = 4 << 10;

/// Writes a row of a cause, with a link to its place in the log if it is in the page.
pub(super) fn write_cause_row(
    row: &Row,
    link: Option<String>,
    is_marked: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    write!(out, "<p{}>", row_classes(row, is_marked))?;
    match link {
        Some(id) => {
            let number = id.rsplit('-').next().unwrap_or_default();
            write!(out, "<a href=\"#{id}\">{number}</a>")?;
        }
        None => write!(out, "<a></a>")?,
    }
    let shown = row.text.get(..MAX_CAUSE_ROW_BYTES).map_or(&row.text[..], whole_characters);
    let cut_bytes = row.cut_bytes + (row.text.len() - shown.len()) as u64;
    let shown = Row { text: shown.to_vec(), cut_bytes, ..Row::default() };
    write_text(&shown, &mut Sanitizer::default(), out)?;
    writeln!(out, "</p>")
}

/// Returns the end of a note about rows that are left out: the command that prints them.
pub(super) fn to_read(command: Option<&str>) -> String {
    let to_read = |command| format!("; to read them: <code>{}</code>", Text(command));
    command.map(to_read).unwrap_or_default()
}

/// Returns options whose times are shown in a page: the selected ones, or else the time of day.
pub(super) fn with_times(look: &PrintOptions) -> PrintOptions {
    let timestamps = match look.timestamps {
        Timestamps::None => Timestamps::Time,
        selected => selected,
    };
    PrintOptions { timestamps, ..look.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rows_those_of_causes_and_the_last_ones_are_chosen() {
        let row = |offset| Row { offset, text: b"x".to_vec(), ..Row::default() };
        let chosen = |head, causes: &[u64], tail| {
            let mut choice = Choice { head, causes: causes.iter().copied().collect(), tail };
            (0..10).filter(|offset| choice.takes(&row(*offset))).collect::<Vec<u64>>()
        };
        assert_eq!(chosen(u64::MAX, &[], 0).len(), 10);
        assert_eq!(chosen(200, &[4, 5], 8), [0, 1, 4, 5, 8, 9]);
        assert_eq!(chosen(0, &[2], 9), [2, 9]);
    }

    #[test]
    fn the_cost_of_a_row_is_about_its_size() {
        for text in [&b"cargo test"[..], b"<<<&&&>>>", b"\x1b[31mred\x1b[0m \x01\x02", b"\xff\xfe"]
        {
            let row = Row { text: text.to_vec(), ..Row::default() };
            let mut out = Vec::new();
            write_text(&row, &mut Sanitizer::default(), &mut out).unwrap();
            let size = 80 + out.len() as u64;
            let cost = cost(text);
            assert!(cost * 4 >= size * 3 && size * 2 >= cost, "{cost} {size} {text:?}");
        }
    }
}
