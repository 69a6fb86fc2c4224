//! `--format text`: for people and their pagers.
//!
//! ```text
//! ✗ failed  d61998d3  example  main@12d4999  2026-05-06 14:00:00  1m23s
//!
//! ✗ failed  test  34.1s
//!   ✗ failed  1  cargo test  34.0s  exit 101
//!     running 41 tests
//!   E error: test failed
//! ```
//!
//! The output is deterministic: it does not depend on the terminal's width. All recorded text
//! passes through the sanitizer. Progress bars appear in their last state, as on a terminal;
//! overwritten rows are left out.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::mem;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::failure::MAX_OTHER_CAUSES;
use super::failure_summary::FailureSummary;
use super::options::{PrintOptions, Timestamps};
use super::printing::{Printing, TEXT_ROW_CAP_BYTES, run_id};
use crate::cri::Stream;
use crate::display::{self, Status};
use crate::join::{JobNode, LogRef, Place, RunHead, RunNode, ShNode, ShState};
use crate::log::{LogFile, Row};
use crate::model::{LogCut, Sh};
use crate::sanitize::{Color, Frames, Sanitizer, Span, Style, name, sgr};
use crate::search::Cause;
use crate::time::Time;

const ROW_INDENT: &str = "    ";

pub(super) fn write_run(printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
    let (run, look) = (printing.run, printing.look);
    // A log opened by its path has a name, but no run.
    let bare = run_id(&run.head.run).is_none();
    if !bare {
        writeln!(out, "{}", head_line(&run.head, look))?;
    }
    write_notes(run, &Place::Run, "", out)?;
    if !bare && !look.failed {
        write_first_failure(run, look, out)?;
    }
    for (number, job) in run.jobs.iter().enumerate() {
        if number > 0 || !bare {
            writeln!(out)?;
        }
        let line =
            if bare { name(job.job.id.as_str()).into_owned() } else { job_line(run, job, look) };
        if !line.is_empty() {
            writeln!(out, "{line}")?;
        }
        write_notes(run, &Place::Job(job.job.id.clone()), "  ", out)?;
        for sh in &job.shs {
            let line = if bare { display::log_name(sh) } else { sh_line(&run.head, sh, look) };
            writeln!(out, "  {line}")?;
            write_notes(run, &Place::Sh(job.job.id.clone(), sh.n), ROW_INDENT, out)?;
            let Some(log) = sh.log.as_ref().filter(|_| !look.failed || may_have_failed(sh)) else {
                continue;
            };
            if look.failed && look.grep.is_none() {
                write_causes(printing, sh, log, out)?;
            } else {
                write_rows(printing, log, sh.sh.as_ref(), out)?;
            }
        }
    }
    if let Some(log) = run.log.as_ref().filter(|_| look.stream.is_none()) {
        writeln!(out, "{}run log", if bare && run.jobs.is_empty() { "" } else { "\n" })?;
        write_rows(printing, log, None, out)?;
    }
    Ok(())
}

/// Returns true if a command did not certainly pass.
fn may_have_failed(sh: &ShNode) -> bool {
    matches!(sh.state, ShState::Failed | ShState::Interrupted | ShState::Unknown)
}

/// Writes the cause of the first failure of a run that failed.
fn write_first_failure(run: &RunNode, look: &PrintOptions, out: &mut impl Write) -> io::Result<()> {
    let Some(first) = FailureSummary::of_run(run) else { return Ok(()) };
    writeln!(out, "\n{}", first.title)?;
    first.write_rows("  ", look, out)
}

/// Writes the findings on a run, a job or a command, one per line.
pub(super) fn write_notes(
    run: &RunNode,
    place: &Place,
    indent: &str,
    out: &mut impl Write,
) -> io::Result<()> {
    for kind in run.findings.at(place) {
        writeln!(out, "{indent}note: {}", display::finding(kind))?;
    }
    Ok(())
}

/// Returns a run on one line.
pub(super) fn head_line(head: &RunHead, look: &PrintOptions) -> String {
    let run = &head.run;
    let at = run.started_at.or(run.queued_at).and_then(|at| date_time(at, &look.time_zone));
    let reason = display::reason(head).map(|reason| format!("({reason})"));
    let words = [
        Some(status_text(Status::of_run(head), look.color)),
        reason,
        run_id(run).map(|_| name(run.id.short()).into_owned()),
        run.repo.as_deref().map(|repo| name(repo).into_owned()),
        display::revision(run),
        at,
        head.lasted_ms().map(display::duration),
        display::pipeline(run),
        display::attempt(run.details.attempt),
        display::repeats(run),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

pub(super) fn job_line(run: &RunNode, job: &JobNode, look: &PrintOptions) -> String {
    let why = display::why_skipped(run, job).or_else(|| display::tolerated(job).map(String::from));
    let words = [
        Some(status_text(Status::of_job(job), look.color)),
        Some(name(job.job.id.as_str()).into_owned()).filter(|id| !id.is_empty()),
        display::lasted(job.job.started_at, job.ended_at()),
        why.map(|why| format!("({why})")),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

pub(super) fn sh_line(head: &RunHead, node: &ShNode, look: &PrintOptions) -> String {
    let sh = node.sh.as_ref();
    let words = [
        Some(status_text(Status::of_sh(node), look.color)),
        Some(node.n.to_string()),
        Some(display::command_of(node)),
        sh.and_then(|sh| display::attempt(sh.attempt)),
        sh.and_then(|sh| display::lasted(sh.started_at, sh.finished_at)),
        sh.and_then(display::exit_explained),
        display::missing(head, node).map(|missing| format!("({missing})")),
        sh.and_then(display::cut).map(|cut| format!("({cut})")),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

/// Writes the selected rows of a log.
pub(super) fn write_rows(
    printing: &mut Printing<'_>,
    log: &LogRef,
    sh: Option<&Sh>,
    out: &mut impl Write,
) -> io::Result<()> {
    let Some(file) = printing.open(log).map(Arc::new) else {
        return writeln!(out, "{ROW_INDENT}(the log cannot be read)");
    };
    let Some(start) = printing.tail_start(&file) else { return Ok(()) };
    write_part(printing, &file, sh, Part { from: 0, start, last: u64::MAX }, out).map(drop)
}

/// The maximum distance, in bytes, of rows of a cause with nothing omitted between them.
const NEAR_BYTES: u64 = 4 << 10;

/// Writes the causes of a failure and the end of the log, and the sizes of what is left out between
/// them.
fn write_causes(
    printing: &mut Printing<'_>,
    node: &ShNode,
    log: &LogRef,
    out: &mut impl Write,
) -> io::Result<()> {
    let causes = printing.causes(node, MAX_OTHER_CAUSES);
    let Some(file) = printing.open(log).map(Arc::new) else { return Ok(()) };
    let Some(end) = printing.tail_start(&file) else { return Ok(()) };
    let mut at = Some(0);
    for part in parts(&causes, end) {
        let Some(from) = at else { break };
        let part = Part { from, ..part };
        at = write_part(printing, &file, node.sh.as_ref(), part, out)?;
    }
    Ok(())
}

/// Returns the parts of a log with the rows of these causes, and the part from `end` on.
fn parts(causes: &[Cause], end: u64) -> Vec<Part> {
    let rows = causes.iter().flat_map(|cause| &cause.rows).map(|row| row.offset);
    let mut offsets: Vec<u64> = rows.filter(|at| *at < end).collect();
    offsets.sort_unstable();
    let mut parts: Vec<Part> = Vec::new();
    for at in offsets {
        match parts.last_mut().filter(|part| at - part.last <= NEAR_BYTES) {
            Some(part) => part.last = at,
            None => parts.push(Part { from: 0, start: at, last: at }),
        }
    }
    match parts.last_mut().filter(|part| end - part.last <= NEAR_BYTES) {
        Some(part) => part.last = u64::MAX,
        None => parts.push(Part { from: 0, start: end, last: u64::MAX }),
    }
    parts
}

/// A part of a log that is printed.
#[derive(Clone, Copy)]
struct Part {
    /// The end of the part before it, in bytes.
    from: u64,
    /// The offset of its first row, and the greatest offset of a row in it.
    start: u64,
    last: u64,
}

/// Writes a part of a log, after a note on what is left out before it. Returns the offset at which
/// it ends; `None` at the end of the log.
fn write_part(
    printing: &mut Printing<'_>,
    file: &Arc<LogFile>,
    sh: Option<&Sh>,
    Part { from, start, last }: Part,
    out: &mut impl Write,
) -> io::Result<Option<u64>> {
    if start > from {
        writeln!(out, "{ROW_INDENT}… {} omitted", display::size(start - from))?;
    }
    let Some(mut rows) = printing.shown_rows(file, start, TEXT_ROW_CAP_BYTES) else {
        return Ok(None);
    };
    let is_in_context = printing.look.grep.as_ref().is_some_and(|grep| grep.context > 0);
    let mut writer = RowWriter::new(printing.look, sh, start);
    let mut row = Row::default();
    loop {
        let is_read = rows.read(printing, &mut row);
        let end = Some(row.offset).filter(|at| is_read && *at > last);
        if is_in_context && rows.skipped > 0 {
            writer.write_gap(rows.skipped, out)?;
        }
        if !is_read || end.is_some() {
            writer.finish(last, out)?;
            return Ok(end);
        }
        writer.write(&mut row, out)?;
    }
}

/// A writer of rows as text. Rows that later ones overwrite are left out.
struct RowWriter<'a> {
    look: &'a PrintOptions,
    sanitizer: Sanitizer,
    clock: Clock<'a>,
    held: Held,
    /// The text before the row that is being written.
    lead: String,
    /// The output that was removed from the log, if it has not been reported yet.
    cut: Option<LogCut>,
}

impl<'a> RowWriter<'a> {
    fn new(look: &'a PrintOptions, sh: Option<&Sh>, start: u64) -> Self {
        Self {
            look,
            sanitizer: Sanitizer::default(),
            clock: Clock::new(look, sh.and_then(|sh| sh.started_at), start == 0),
            held: Held::default(),
            lead: String::new(),
            cut: sh.and_then(Sh::cut).filter(|cut| cut.at >= start),
        }
    }

    /// Adds a row, and writes the rows that cannot be overwritten any more.
    fn write(&mut self, row: &mut Row, out: &mut impl Write) -> io::Result<()> {
        self.held.push(row);
        self.write_held(false, out)
    }

    /// Reports rows that were left out.
    fn write_gap(&mut self, rows: u64, out: &mut impl Write) -> io::Result<()> {
        self.write_held(true, out)?;
        writeln!(out, "{ROW_INDENT}… {} omitted", display::rows(rows))
    }

    /// Writes the last rows. `last` is the greatest offset of a row.
    fn finish(&mut self, last: u64, out: &mut impl Write) -> io::Result<()> {
        self.write_held(true, out)?;
        self.cut.take_if(|cut| cut.at <= last).map_or(Ok(()), |cut| write_cut(cut, out))
    }

    fn write_held(&mut self, is_end: bool, out: &mut impl Write) -> io::Result<()> {
        while let Some((row, is_overwritten)) = self.held.pop(is_end) {
            if let Some(cut) = self.cut.take_if(|cut| cut.at <= row.offset) {
                write_cut(cut, out)?;
            }
            if is_overwritten {
                // The row is not printed, but its colors stay in effect.
                self.sanitizer.row_within(&row.text, 0);
            } else {
                self.lead.clear();
                self.lead.extend(["  ", sign(&row), &self.clock.stamp(row.at)]);
                write_row(&row, &self.lead, &mut self.sanitizer, self.look, out)?;
            }
            self.held.reuse(row);
        }
        Ok(())
    }
}

/// Reports output that was removed from the middle of a log, at its place between the rows.
fn write_cut(cut: LogCut, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{ROW_INDENT}… {} …", display::removed(cut))
}

/// The maximum number of bytes of held rows. Beyond it, the first held row is released without
/// waiting for later rows that may overwrite it.
const MAX_HELD_BYTES: usize = 4 * TEXT_ROW_CAP_BYTES;

/// The last rows, held back because later rows may still overwrite them.
#[derive(Default)]
pub(super) struct Held {
    rows: VecDeque<Row>,
    used: Vec<Row>,
    frames: Frames,
    bytes: usize,
}

impl Held {
    /// Adds a row. Leaves a row in its place whose buffers are used again.
    pub(super) fn push(&mut self, row: &mut Row) {
        self.frames.push(&row.text);
        self.bytes += row.text.len();
        self.rows.push_back(mem::replace(row, self.used.pop().unwrap_or_default()));
    }

    /// Takes the buffers of a row that was removed, to use them again.
    pub(super) fn reuse(&mut self, row: Row) {
        self.used.push(row.emptied());
    }

    /// Removes the first held row. Returns the row, and true if it was overwritten. Returns `None`
    /// if no row is held, or if later rows may still overwrite the first one; `is_end` means that
    /// no more rows follow.
    pub(super) fn pop(&mut self, is_end: bool) -> Option<(Row, bool)> {
        let is_settled = is_end || self.frames.is_full() || self.bytes > MAX_HELD_BYTES;
        let is_overwritten = if is_settled { self.frames.settle()? } else { return None };
        let row = self.rows.pop_front()?;
        self.bytes -= row.text.len();
        Some((row, is_overwritten))
    }
}

/// Returns the mark before a row, the same as on the screen. It shows without color that a row is
/// of stderr or malformed.
pub(super) const fn sign(row: &Row) -> &'static str {
    match (row.malformed, row.stream) {
        (Some(_), _) => "! ",
        (None, Some(Stream::Stderr)) => "E ",
        (None, _) => "  ",
    }
}

/// Writes a row after `lead`.
pub(super) fn write_row(
    row: &Row,
    lead: &str,
    sanitizer: &mut Sanitizer,
    look: &PrintOptions,
    out: &mut impl Write,
) -> io::Result<()> {
    out.write_all(if row.text.is_empty() { lead.trim_end() } else { lead }.as_bytes())?;
    let is_plain = !look.color || row.stream != Some(Stream::Stderr);
    if let Some(text) = sanitizer.unchanged(&row.text).filter(|_| is_plain && row.cut_bytes == 0) {
        out.write_all(text.as_bytes())?;
        return out.write_all(b"\n");
    }
    let spans = sanitizer.row(&row.text);
    for Span { text, style, link } in &spans {
        let style = Some(stream_style(*style, row))
            .filter(|style| look.color && *style != Style::default());
        let link = link.as_deref().filter(|_| look.links);
        if let Some(target) = link {
            write!(out, "\x1b]8;;{target}\x1b\\")?;
        }
        match style {
            Some(style) => write!(out, "{}{text}\x1b[0m", sgr(&style))?,
            None => out.write_all(text.as_bytes())?,
        }
        if link.is_some() {
            out.write_all(b"\x1b]8;;\x1b\\")?;
        }
    }
    if row.cut_bytes > 0 {
        write!(out, "… {} more", display::size(row.cut_bytes))?;
    }
    out.write_all(b"\n")
}

/// Returns the style with which text is printed. Text of stderr gets a color if it has none.
fn stream_style(style: Style, row: &Row) -> Style {
    let plain = style.fg.is_none() && style.bg.is_none() && row.stream == Some(Stream::Stderr);
    if plain { Style { fg: Some(Color::Indexed(3)), ..style } } else { style }
}

/// Returns the glyph and the word of a status, in the color of the status if `color` is true.
pub(super) fn status_text(status: Status, color: bool) -> String {
    let text = format!("{} {}", status.glyph(), status.word());
    let index = match status {
        Status::Passed => 2,
        Status::Failed | Status::Interrupted => 1,
        Status::Active | Status::Waiting => 4,
        Status::Queued | Status::Skipped | Status::Stopped | Status::Unknown => return text,
    };
    let style = Style { fg: Some(Color::Indexed(index)), bold: true, ..Style::default() };
    if color { format!("{}{text}\x1b[0m", sgr(&style)) } else { text }
}

/// Formats the date and the time in a time zone, to the second. Returns `None` outside jiff's
/// range.
pub(crate) fn date_time(at: Time, time_zone: &TimeZone) -> Option<String> {
    let zoned = at.to_jiff()?.to_zoned_datetime(time_zone.clone());
    Some(zoned.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// A formatter for the times before rows.
pub(super) struct Clock<'a> {
    look: &'a PrintOptions,
    start: Option<Time>,
    before: Option<Time>,
}

impl<'a> Clock<'a> {
    /// Creates a clock. `start` is the start of the command. If the log is printed from its first
    /// row (`is_whole`), the delta of that row counts from `start`.
    pub(super) const fn new(look: &'a PrintOptions, start: Option<Time>, is_whole: bool) -> Self {
        Self { look, start, before: if is_whole { start } else { None } }
    }

    /// Returns a column of fixed width with the time of a row; empty if no times are printed.
    /// Relative times count from the command's start or, if that is unknown, from the first row
    /// with a time.
    pub(super) fn stamp(&mut self, at: Option<Time>) -> String {
        let start = self.start.or(at);
        let before = self.before;
        self.start = start;
        self.before = at.or(self.before);
        let since = |from: Option<Time>| {
            at.zip(from).map(|(at, from)| display::seconds(at.millis_since(from)))
        };
        let local = |format| {
            at.and_then(Time::to_jiff).map(|at| {
                at.to_zoned_datetime(self.look.time_zone.clone()).strftime(format).to_string()
            })
        };
        let (text, width) = match self.look.timestamps {
            Timestamps::None => return String::new(),
            Timestamps::Time => (local("%H:%M:%S%.3f"), 12),
            Timestamps::Relative => (since(start), 11),
            Timestamps::Delta => (since(before), 11),
            Timestamps::Full => (local("%Y-%m-%d %H:%M:%S%.9f%:z"), 35),
        };
        format!("{:>width$}  ", text.unwrap_or_default())
    }
}
