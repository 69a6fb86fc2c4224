//! The rows of a log: only those on screen are looked at.
//!
//! ```text
//!        12  +0.103s running 2 tests                        numbers and times where they are wanted
//! E▌     13  +4.210s error: test failed                     standard error: a mark and a colour; the current row
//! !      14          2026-01-01 what is this  (neither stdout nor stderr)
//! ```
//!
//! Whatever the rows hold reaches the screen through the sanitiser. A row longer than the pane is wide ends in `›`, or goes on in
//! the next line where rows are wrapped. Invariant: a row takes as many lines as [`lines_of`] says.

use std::num::NonZeroU16;
use std::ops::Range;

use jiff::tz::TimeZone;
use ratatui::buffer::{Buffer, CellDiffOption};
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::cri::Stream;
use crate::log::Row;
use crate::sanitise::{self, Progress, Sanitiser, Span};
use crate::search::Query;
use crate::time::Time;
use crate::tui::lens::Times;
use crate::tui::theme::Theme;
use crate::tui::widget::Strip;
use crate::words::{self, Mark, size};

/// The columns of the mark at the left.
const GUTTER: u16 = 2;
/// How many rows before the screen are looked at for colours left switched on: all that are at hand, on most screens.
const MAX_ABOVE: usize = 1000;
/// How far beyond the edge a row is looked at for matches that begin before it.
const MARK_COLUMNS: usize = 256;

/// How the width of the pane is divided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Columns {
    /// For the number and a blank; 0 for none.
    pub number: u16,
    /// For the time and a blank; 0 for none.
    pub time: u16,
    /// For the text.
    pub text: u16,
    /// For the bar that shows how far down one is.
    pub bar: u16,
}

impl Columns {
    /// Divides a pane of this width; `largest` is the largest number, if rows are numbered. Where it is narrow the text comes first.
    #[must_use]
    pub fn new(width: u16, largest: Option<u64>, times: Times, has_bar: bool) -> Self {
        let digits = |number: u64| u16::try_from(number.to_string().len()).unwrap_or(0);
        let number = largest.map_or(0, |largest| digits(largest.saturating_add(1)).max(3) + 1);
        let time = match times {
            Times::None => 0,
            Times::Relative | Times::Delta => 11,
            Times::Wall => 13,
        };
        let bar = u16::from(has_bar);
        let room = width.saturating_sub(GUTTER + bar);
        let least = 16;
        let time = if room >= time + least { time } else { 0 };
        let number = if room >= time + number + least { number } else { 0 };
        Self { number, time, text: room - time - number, bar }
    }
}

/// The times in front of rows.
#[derive(Clone)]
pub struct Stamps<'a> {
    /// Which.
    pub times: Times,
    /// When the command began.
    pub start: Option<Time>,
    /// The zone of the wall clock.
    pub zone: &'a TimeZone,
    /// From how many milliseconds on a gap is slow.
    pub slow_ms: i64,
}

/// What a row that heads others says in place of its text.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Heading {
    /// Whether what it heads is shown; `None` where there is nothing to be folded.
    pub is_open: Option<bool>,
    /// How it stands.
    pub mark: Option<Mark>,
    /// What stands before its title and matters less.
    pub lead: String,
    /// What it is.
    pub title: String,
    /// What there is to say of it, at the right.
    pub facts: String,
}

/// The rows on screen.
pub struct LogRows<'a> {
    /// From the first one on screen.
    pub rows: &'a [Row],
    /// Which of them are headings.
    pub headings: &'a [Option<Heading>],
    /// Their numbers, from 0, where they are known.
    pub numbers: &'a [Option<u64>],
    /// Those before it, as far as they are at hand: a colour that one of them leaves switched on is still on.
    pub above: &'a [Row],
    /// What the rows before those have left switched on.
    pub style: sanitise::Style,
    /// How many columns are scrolled out at the left.
    pub sideways: usize,
    /// Long rows go on in the next line.
    pub wrap: bool,
    /// How many lines of the first row are scrolled out of sight.
    pub line: usize,
    /// How the width is divided.
    pub columns: Columns,
    /// The times.
    pub stamps: Stamps<'a>,
    /// What is marked.
    pub search: Option<&'a Query>,
    /// Where the current row begins.
    pub at: Option<u64>,
    /// How much of what was overwritten is shown.
    pub progress: Progress,
    /// Whoever wrote them was cut short: a row without its end will not get one.
    pub is_broken_off: bool,
    /// How they look.
    pub theme: &'a Theme,
}

/// How many lines a row takes in a pane whose text is so wide: more than one where rows are wrapped, or show each state of what
/// overwrote itself.
#[must_use]
pub fn lines_of(row: &Row, width: Option<u16>, progress: Progress, is_broken_off: bool) -> usize {
    let states = states(row, progress);
    let Some(width) = width else { return states.len() };
    let mut sanitiser = Sanitiser::new(progress);
    let lines = states.iter().enumerate().map(|(index, state)| {
        let mut flow = Flow { width: usize::from(width).max(1), line: 0, column: 0 };
        for span in sanitiser.row(state.text) {
            flow.pass(&span.text);
        }
        let notes = if index + 1 == states.len() { notes(row, progress, is_broken_off) } else { Vec::new() };
        for note in notes {
            flow.pass(&note);
        }
        flow.line + 1
    });
    lines.sum()
}

/// What a row said at some time.
struct State<'r> {
    text: &'r [u8],
    at: Option<Time>,
}

/// The row as it is; or, where all is shown, each state that a CR made the next one overwrite, with its time.
fn states(row: &Row, progress: Progress) -> Vec<State<'_>> {
    if progress == Progress::Last {
        return vec![State { text: &row.text, at: row.at }];
    }
    let at =
        |start: usize| row.pieces.iter().rfind(|piece| piece.start <= start).map_or(row.at, |piece| Some(piece.at));
    let mut states: Vec<State<'_>> = Vec::new();
    let mut start = 0;
    for text in row.text.split_inclusive(|byte| *byte == b'\r') {
        // CRs in a row, and one before anything was said, end nothing.
        if text != b"\r" || states.is_empty() && row.text == b"\r" {
            states.push(State { text, at: at(start) });
        }
        start += text.len();
    }
    if states.is_empty() {
        states.push(State { text: &row.text, at: row.at });
    }
    states
}

/// What is said behind the text of a row: why it is no record, how much of it is not at hand.
fn notes(row: &Row, progress: Progress, is_broken_off: bool) -> Vec<String> {
    let malformed = row.malformed.map(|malformed| format!("  ({})", malformed.reason));
    let cut = (row.cut_bytes > 0).then(|| format!(" … {} more", size(row.cut_bytes)));
    let before = (row.overwritten_bytes > 0 && progress == Progress::All)
        .then(|| format!(" … {} before", size(row.overwritten_bytes)));
    let unfinished = (is_broken_off && !row.complete).then(|| "  (unfinished)".to_owned());
    malformed.into_iter().chain(unfinished).chain(cut).chain(before).collect()
}

/// Where text goes that is wrapped.
struct Flow {
    width: usize,
    line: usize,
    column: usize,
}

impl Flow {
    /// The line and column of a piece of so many columns; what does not fit goes to the next line.
    fn put(&mut self, columns: usize) -> (usize, usize) {
        if self.column + columns > self.width && self.column > 0 {
            (self.line, self.column) = (self.line + 1, 0);
        }
        let place = (self.line, self.column);
        self.column += columns;
        place
    }

    fn pass(&mut self, text: &str) {
        if text.is_ascii() {
            let end = self.column + text.len();
            if end > 0 {
                self.line += (end - 1) / self.width;
                self.column = (end - 1) % self.width + 1;
            }
            return;
        }
        for grapheme in text.graphemes(true) {
            self.put(grapheme.width());
        }
    }
}

impl LogRows<'_> {
    /// Draws the rows that fit.
    pub fn draw(&self, buffer: &mut Buffer, body: Rect) {
        let mut sanitiser = Sanitiser::going_on(self.progress, self.style);
        for row in self.above.iter().skip(self.above.len().saturating_sub(MAX_ABOVE)) {
            sanitiser.row_within(&row.text, 0);
        }
        let mut before = self.above.iter().rfind(|row| row.at.is_some()).and_then(|row| row.at);
        let mut y = i32::from(body.y).saturating_sub(i32::try_from(self.line).unwrap_or(i32::MAX));
        for (index, row) in self.rows.iter().enumerate() {
            if y >= i32::from(body.bottom()) {
                break;
            }
            if let Some(heading) = self.headings.get(index).and_then(Option::as_ref) {
                self.draw_heading(buffer, body, y, heading, self.at == Some(row.offset));
                // What one log leaves switched on has no bearing on the next, nor when it ended.
                (sanitiser, before) = (Sanitiser::new(self.progress), None);
                y += 1;
                continue;
            }
            let states = states(row, self.progress);
            for (state_index, state) in states.iter().enumerate() {
                if y >= i32::from(body.bottom()) {
                    break;
                }
                let number = if state_index == 0 { self.number(index) } else { String::new() };
                self.draw_lead(buffer, body, y, (row, &number), (state.at, before));
                before = state.at.or(before);
                let notes = if state_index + 1 == states.len() {
                    notes(row, self.progress, self.is_broken_off)
                } else {
                    Vec::new()
                };
                y += self.draw_text(buffer, body, y, (row, state.text, &notes), &mut sanitiser);
            }
        }
    }

    /// `▾ ✗ 2 cargo test          exit 101  34.0s`
    fn draw_heading(&self, buffer: &mut Buffer, body: Rect, y: i32, heading: &Heading, is_here: bool) {
        let Some(y) = u16::try_from(y).ok().filter(|y| (body.y..body.bottom()).contains(y)) else { return };
        let theme = self.theme;
        let bar = self.columns.bar.min(body.width);
        let mut strip =
            Strip::new(buffer, Rect { y, height: 1, width: body.width - bar, ..body }, theme.signs.ellipsis);
        let sign = match heading.is_open {
            Some(true) => theme.signs.open,
            Some(false) => theme.signs.folded,
            None => " ",
        };
        strip.put(sign, theme.accent).put(if is_here { theme.signs.here } else { " " }, theme.accent);
        if let Some(mark) = heading.mark {
            strip.put(theme.signs.mark(mark), theme.mark(mark)).skip(1);
        }
        let facts = heading.mark.filter(|mark| *mark != Mark::Passed).map_or(theme.muted, |mark| theme.mark(mark));
        strip.skip_right(1).put_right(&heading.facts, facts, 12).skip_right(1);
        strip.put(&heading.lead, theme.muted).put(&heading.title, theme.strong).skip(1);
        if heading.mark.is_some() {
            strip.fill(theme.signs.rule, theme.muted);
        }
    }

    /// The number of a row from 1, as far as it is known.
    fn number(&self, index: usize) -> String {
        let number = self.numbers.get(index).copied().flatten();
        number.map_or_else(|| "~".to_owned(), |number| (number + 1).to_string())
    }

    /// The mark, the number and the time in front of a row, or of a later state of it, which has no number of its own.
    fn draw_lead(
        &self,
        buffer: &mut Buffer,
        body: Rect,
        y: i32,
        (row, number): (&Row, &str),
        (at, before): (Option<Time>, Option<Time>),
    ) {
        let Some(y) = u16::try_from(y).ok().filter(|y| (body.y..body.bottom().min(buffer.area.bottom())).contains(y))
        else {
            return;
        };
        let (sign, mark, _) = self.looks(row);
        if body.width > GUTTER {
            buffer.set_stringn(body.x, y, sign, 1, mark);
            if self.at == Some(row.offset) {
                buffer.set_stringn(body.x + 1, y, self.theme.signs.here, 1, self.theme.accent);
            }
        }
        let mut x = body.x + GUTTER.min(body.width);
        if self.columns.number > 0 {
            let width = usize::from(self.columns.number) - 1;
            buffer.set_stringn(x, y, format!("{number:>width$}"), width, self.theme.muted);
            x += self.columns.number;
        }
        if self.columns.time > 0 {
            let width = usize::from(self.columns.time) - 1;
            let (time, style) = self.stamp(at, before);
            buffer.set_stringn(x, y, format!("{time:>width$}"), width, style);
        }
    }

    fn stamp(&self, at: Option<Time>, before: Option<Time>) -> (String, Style) {
        let Some(at) = at else { return (String::new(), self.theme.muted) };
        let stamps = &self.stamps;
        let since = |from: Option<Time>| from.map(|from| at.millis_since(from));
        match stamps.times {
            Times::None => (String::new(), self.theme.muted),
            Times::Relative => (since(stamps.start).map(words::seconds).unwrap_or_default(), self.theme.muted),
            Times::Delta => {
                let gap = since(before.or(stamps.start));
                (gap.map(words::seconds).unwrap_or_default(), self.slowness(gap.unwrap_or(0)))
            }
            Times::Wall => {
                let clock =
                    at.to_jiff().map(|at| at.to_zoned(stamps.zone.clone()).strftime("%H:%M:%S%.3f").to_string());
                (clock.unwrap_or_default(), self.theme.muted)
            }
        }
    }

    /// How a gap looks: slow ones stand out, very slow ones more so.
    fn slowness(&self, gap_ms: i64) -> Style {
        match gap_ms {
            gap if gap >= self.stamps.slow_ms.saturating_mul(4) => self.theme.bad.add_modifier(Modifier::BOLD),
            gap if gap >= self.stamps.slow_ms => self.theme.warn,
            _ => self.theme.muted,
        }
    }

    /// The sign of a row, and how that and its text look.
    const fn looks(&self, row: &Row) -> (&'static str, Style, Style) {
        let theme = self.theme;
        match (row.malformed, row.stream) {
            (Some(_), _) => ("!", theme.warn, theme.muted),
            (None, Some(Stream::Stderr)) => ("E", theme.stderr, theme.stderr),
            (None, _) => (" ", theme.muted, Style::new()),
        }
    }

    /// Draws the text of a row, or of a state of it, from line `y` on, which may lie above the pane: how many lines it takes.
    fn draw_text(
        &self,
        buffer: &mut Buffer,
        body: Rect,
        y: i32,
        (row, bytes, notes): (&Row, &[u8], &[String]),
        sanitiser: &mut Sanitiser,
    ) -> i32 {
        let lead = (GUTTER + self.columns.number + self.columns.time).min(body.width);
        let text = Rect { x: body.x + lead, width: self.columns.text.min(body.width - lead), ..body };
        let text = text.intersection(buffer.area);
        let (_, _, base) = self.looks(row);
        let columns = if self.wrap { usize::MAX } else { self.columns_looked_at(text.width) };
        let spans = sanitiser.row_within(bytes, columns);
        let marks = self.marks(&spans);
        let flow = self.wrap.then(|| Flow { width: usize::from(self.columns.text).max(1), line: 0, column: 0 });
        let mut pen = Pen { buffer, area: text, y, column: 0, from: self.sideways, is_cut: false, flow };
        let mut place = 0;
        for Span { text, style, .. } in &spans {
            let style = self.theme.span(base, *style);
            // By whole characters: a mark that begins within one would halve it.
            for (at, grapheme) in text.grapheme_indices(true) {
                let is_marked = marks.iter().any(|mark| mark.contains(&(place + at)));
                if !pen.write_one(grapheme, if is_marked { style.patch(self.theme.found) } else { style }) {
                    break;
                }
            }
            place += text.len();
        }
        for note in notes {
            let style = if row.cut_bytes > 0 { self.theme.muted } else { self.theme.warn };
            pen.write(&note.replace('…', self.theme.signs.ellipsis), style);
        }
        pen.finish(self.theme)
    }

    /// How much of a row is looked at where it is not wrapped: one column more than fits, so that the edge is seen to cut something,
    /// and some more for what is marked across it.
    const fn columns_looked_at(&self, width: u16) -> usize {
        let beyond = if self.search.is_some() { MARK_COLUMNS } else { 1 };
        self.sideways.saturating_add(width as usize).saturating_add(beyond)
    }

    /// The bytes of the shown text that match.
    fn marks(&self, spans: &[Span]) -> Vec<Range<usize>> {
        let Some(query) = self.search else { return Vec::new() };
        let text: String = spans.iter().map(|span| span.text.as_str()).collect();
        query.marks(&text)
    }
}

/// Whether terminals disagree on how many columns a character takes: several code points of which more than the first take
/// room (flags, skin tones, families, vowels of some scripts), or one that is told to be an emoji.
fn is_ambiguous(grapheme: &str) -> bool {
    let is_joined = |found: char| matches!(found, '\u{200d}' | '\u{fe0f}') || found.width() != Some(0);
    !grapheme.is_ascii() && grapheme.chars().skip(1).any(is_joined)
}

/// Keeps a character from leaving anything in columns that are not its own, however many a terminal gives it: they are blanked before
/// it, what follows is sent after it, and to its own place.
fn pin(buffer: &mut Buffer, x: u16, y: u16, width: usize) {
    let columns = u16::try_from(width).ok().and_then(NonZeroU16::new);
    let Some(columns) = columns.filter(|columns| x + columns.get() + 2 < buffer.area.right()) else { return };
    let next = x + columns.get();
    if let Some(cell) = buffer.cell_mut((x, y)) {
        let (line, here, behind) = (y + 1, x + 1, next + 1);
        let symbol = format!("{:width$}\x1b[{line};{here}H{}\x1b[{line};{behind}H", "", cell.symbol());
        cell.set_symbol(&symbol).set_diff_option(CellDiffOption::ForcedWidth(columns));
    }
    // Those behind its first column too: they are not sent now, but differ from any cell that takes their place.
    for x in x + 1..next + 2 {
        buffer.cell_mut((x, y)).map(|cell| cell.set_diff_option(CellDiffOption::AlwaysUpdate));
    }
}

/// Writes graphemes: into one line of which the first `from` columns are out of sight, or into as many as it takes.
struct Pen<'b> {
    buffer: &'b mut Buffer,
    area: Rect,
    y: i32,
    column: usize,
    from: usize,
    is_cut: bool,
    flow: Option<Flow>,
}

impl Pen<'_> {
    fn write(&mut self, text: &str, style: Style) {
        for grapheme in text.graphemes(true) {
            if !self.write_one(grapheme, style) {
                return;
            }
        }
    }

    /// False when nothing more will be seen.
    fn write_one(&mut self, grapheme: &str, style: Style) -> bool {
        let width = grapheme.width();
        let (line, column) = if let Some(flow) = &mut self.flow {
            flow.put(width)
        } else {
            let next = self.column.saturating_add(width);
            if next > self.from.saturating_add(usize::from(self.area.width)) {
                self.is_cut = true;
                return false;
            }
            let column = std::mem::replace(&mut self.column, next);
            // Half of a wide character at the left edge leaves a blank.
            let Some(column) = column.checked_sub(self.from) else { return true };
            (0, column)
        };
        if let (Ok(x), Some(y)) = (u16::try_from(column), self.line_at(line)) {
            self.buffer.set_stringn(self.area.x + x, y, grapheme, width, style);
            if is_ambiguous(grapheme) {
                pin(self.buffer, self.area.x + x, y, width);
            }
        }
        true
    }

    /// The row of the screen of a line, if it is in sight.
    fn line_at(&self, line: usize) -> Option<u16> {
        let y = self.y.saturating_add(i32::try_from(line).ok()?);
        u16::try_from(y).ok().filter(|y| (self.area.y..self.area.bottom()).contains(y))
    }

    /// Marks what was cut: how many lines there are.
    fn finish(self, theme: &Theme) -> i32 {
        if let (true, Some(y), 1..) = (self.is_cut, self.line_at(0), self.area.width) {
            let x = self.area.right() - 1;
            // In the second half of a wide character the mark would not be drawn: the character goes.
            if let Some(before) = x.checked_sub(1).and_then(|x| self.buffer.cell_mut((x, y)))
                && before.symbol().width() > 1
            {
                before.set_symbol(" ").set_diff_option(CellDiffOption::None);
            }
            self.buffer.set_stringn(x, y, theme.signs.more, 1, theme.muted);
        }
        let lines = self.flow.map_or(1, |flow| flow.line + 1);
        i32::try_from(lines).unwrap_or(i32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cri::{Malformed, Reason};
    use ratatui::style::{Color, Modifier};

    fn row(stream: Option<Stream>, text: &str) -> Row {
        let malformed = stream.is_none().then_some(Malformed { reason: Reason::Blank, column: 1 });
        let text = text.as_bytes().to_vec();
        Row {
            offset: 0,
            at: None,
            last_at: None,
            stream,
            text,
            overwritten_bytes: 0,
            cut_bytes: 0,
            complete: true,
            malformed,
            pieces: Vec::new(),
        }
    }

    const UTC: &TimeZone = &TimeZone::UTC;

    fn log_rows<'a>(rows: &'a [Row], above: &'a [Row], width: u16, theme: &'a Theme) -> LogRows<'a> {
        LogRows {
            rows,
            headings: &[],
            numbers: &[],
            above,
            style: sanitise::Style::default(),
            sideways: 0,
            wrap: false,
            line: 0,
            columns: Columns::new(width, None, Times::None, false),
            stamps: Stamps { times: Times::None, start: None, zone: UTC, slow_ms: 0 },
            search: None,
            at: None,
            progress: Progress::Last,
            is_broken_off: false,
            theme,
        }
    }

    /// Draws into a screen of this width and height.
    fn draw(rows: &[Row], sideways: usize, width: u16, height: u16) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        let area = buffer.area;
        LogRows { sideways, ..log_rows(rows, &[], width, &Theme::new(true, false)) }.draw(&mut buffer, area);
        buffer
    }

    fn lines(rows: &[Row], sideways: usize, width: u16) -> String {
        crate::tui::sim::text(&draw(rows, sideways, width, u16::try_from(rows.len()).unwrap()))
    }

    #[test]
    fn streams_and_malformed_lines_are_told_by_a_mark() {
        let rows = [row(Some(Stream::Stdout), "out"), row(Some(Stream::Stderr), "err"), row(None, "")];
        assert_eq!(lines(&rows, 0, 20), "  out\nE err\n!   (blank line)\n");
    }

    #[test]
    fn a_row_of_exactly_the_width_is_whole_and_a_longer_one_is_marked() {
        let out = |text| [row(Some(Stream::Stdout), text)];
        assert_eq!(lines(&out("123456"), 0, 8), "  123456\n");
        assert_eq!(lines(&out("1234567"), 0, 8), "  12345›\n");
        assert_eq!(lines(&out("1234567"), 1, 8), "  234567\n");
        assert_eq!(lines(&out("1234567"), 9, 8), "\n");
    }

    #[test]
    fn wide_characters_are_never_halved() {
        let out = |text| [row(Some(Stream::Stdout), text)];
        assert_eq!(lines(&out("日本語"), 0, 8), "  日本語\n");
        assert_eq!(lines(&out("日本語"), 0, 7), "  日本›\n");
        assert_eq!(lines(&out("a日本語"), 0, 7), "  a日 ›\n");
        assert_eq!(lines(&out("日本語"), 1, 8), "   本語\n", "half of it is out of sight");
        assert_eq!(lines(&out("e\u{301}e\u{301}"), 1, 8), "  e\u{301}\n");
    }

    #[test]
    fn colours_of_a_row_lie_over_the_colour_of_its_stream() {
        let buffer = draw(&[row(Some(Stream::Stderr), "a\x1b[1;32mb\x1b[0mc")], 0, 8, 1);
        let style = |x| (buffer[(x, 0)].fg, buffer[(x, 0)].modifier);
        let (plain, bold) = (Modifier::empty(), Modifier::BOLD);
        assert_eq!([2, 3, 4].map(style), [(Color::Magenta, plain), (Color::Green, bold), (Color::Magenta, plain)]);
    }

    #[test]
    fn a_colour_left_on_above_the_screen_is_still_on() {
        let rows = [row(Some(Stream::Stdout), "\x1b[32mgreen"), row(Some(Stream::Stdout), "too")];
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 1));
        let (area, theme) = (buffer.area, Theme::new(true, false));
        log_rows(&rows[1..], &rows[..1], area.width, &theme).draw(&mut buffer, area);
        assert_eq!(buffer[(2, 0)].fg, Color::Green);
    }

    #[test]
    fn a_long_row_hands_its_last_colour_down() {
        let long = format!("\x1b[31m{}\x1b[32m", "x".repeat(5000));
        let rows = [row(Some(Stream::Stdout), &long), row(Some(Stream::Stdout), "next")];
        let buffer = draw(&rows, 0, 8, 2);
        assert_eq!((buffer[(2, 0)].fg, buffer[(2, 1)].fg), (Color::Red, Color::Green));
        assert_eq!(buffer[(7, 0)].symbol(), "›");
    }

    #[test]
    fn a_row_whose_end_will_not_come_is_unfinished() {
        let rows = [row(Some(Stream::Stdout), "whole"), Row { complete: false, ..row(Some(Stream::Stdout), "half") }];
        let mut buffer = Buffer::empty(Rect::new(0, 0, 30, 2));
        let (area, theme) = (buffer.area, Theme::new(true, false));
        LogRows { is_broken_off: true, ..log_rows(&rows, &[], area.width, &theme) }.draw(&mut buffer, area);
        assert_eq!(crate::tui::sim::text(&buffer), "  whole\n  half  (unfinished)\n");
        assert_eq!(lines(&rows, 0, 30), "  whole\n  half\n");
    }

    #[test]
    fn characters_of_which_terminals_disagree_are_pinned_to_their_columns() {
        let buffer = draw(&[row(Some(Stream::Stdout), "a🇩🇪b นำ e\u{301}")], 0, 30, 1);
        assert_eq!(buffer[(3, 0)].symbol(), "  \x1b[1;4H🇩🇪\x1b[1;6H");
        assert_eq!(buffer[(5, 0)].diff_option, CellDiffOption::AlwaysUpdate);
        assert_eq!(crate::tui::sim::text(&buffer), "  a🇩🇪b นำ e\u{301}\n");
        assert!(!is_ambiguous("e\u{301}") && !is_ambiguous("日") && is_ambiguous("👍🏽") && is_ambiguous("❤\u{fe0f}"));
    }

    #[test]
    fn what_was_left_out_of_a_row_is_said() {
        let cut = Row { cut_bytes: 2048, ..row(Some(Stream::Stdout), "ab") };
        assert_eq!(lines(&[cut], 0, 30), "  ab … 2.0 KiB more\n");
    }
}
