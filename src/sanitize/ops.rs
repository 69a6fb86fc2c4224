//! Tokenizer from recorded bytes to terminal operations: text, a color, a link, or a control that
//! affects only a few lines around the cursor.
//!
//! This is the only parser of escape sequences. It is pure. A sequence must be complete within its
//! row. A sequence that is incomplete, unknown or has a wider effect (titles, the clipboard, the
//! whole screen, modes that change how text is read) is not interpreted: its ESC becomes an
//! [`Op::Special`], and the rest becomes text.

use std::mem;
use std::str::Utf8Chunks;

use memchr::memchr3;

use super::harmless_len;

/// One operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op<'a> {
    /// Harmless characters; at least one.
    Text(&'a str),
    /// A tab.
    Tab,
    /// A character that is not harmless and has no supported function.
    Special(char),
    /// Bytes that are not UTF-8.
    Invalid,
    /// A complete SGR sequence.
    Sgr(&'a str),
    /// The start of a link, or its end if the target is empty. The target is printable ASCII.
    Link(&'a str),
    /// A control, and its original text.
    Control(Control, &'a str),
}

/// A supported control that moves the cursor or erases. Numbers are at most `u16::MAX`; the caller
/// applies smaller limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Control {
    /// A control without a visible effect, such as hiding the cursor.
    Nothing,
    /// Move to a column, counted from 0.
    Column(usize),
    /// Move left by a number of columns.
    Left(usize),
    /// Move right by a number of columns.
    Right(usize),
    /// Move down by a number of lines, or up if `down` is negative. Move to column 0 if `to_start`
    /// is true; otherwise, stay in the same column.
    Vertical { down: isize, to_start: bool },
    /// Erase from the cursor to the end of the line.
    EraseRight,
    /// Erase from the start of the line through the cursor.
    EraseLeft,
    /// Erase the line.
    EraseLine,
    /// Erase from the cursor to the end of the line, and all lines below.
    EraseBelow,
    /// Erase a number of cells from the cursor on.
    Erase(usize),
    /// Delete a number of cells from the cursor on; the cells to their right move left.
    Delete(usize),
    /// Insert a number of blank cells at the cursor; the cells to their right move right.
    Insert(usize),
}

/// An iterator over the operations of one row, in order.
#[derive(Clone)]
pub(super) struct Ops<'a> {
    chunks: Utf8Chunks<'a>,
    text: &'a str,
    /// True if invalid bytes follow `text`.
    is_torn: bool,
}

impl<'a> Ops<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        // Usually, the whole row is valid UTF-8. `from_utf8` checks many bytes at a time, but
        // `utf8_chunks` does not.
        match str::from_utf8(bytes) {
            Ok(text) => Self { chunks: [].utf8_chunks(), text, is_torn: false },
            Err(_) => Self { chunks: bytes.utf8_chunks(), text: "", is_torn: false },
        }
    }

    /// Skips everything up to the next ESC, CR or BS, which may start a sequence or move the cursor
    /// back.
    pub(super) fn skip_text(&mut self) {
        let next = memchr3(0x1b, b'\r', 0x08, self.text.as_bytes());
        self.text = next.and_then(|at| self.text.get(at..)).unwrap_or_default();
    }
}

impl<'a> Iterator for Ops<'a> {
    type Item = Op<'a>;

    fn next(&mut self) -> Option<Op<'a>> {
        loop {
            if !self.text.is_empty() {
                let (op, rest) = first(self.text);
                self.text = rest;
                return Some(op);
            }
            if mem::take(&mut self.is_torn) {
                return Some(Op::Invalid);
            }
            let chunk = self.chunks.next()?;
            (self.text, self.is_torn) = (chunk.valid(), !chunk.invalid().is_empty());
        }
    }
}

/// Splits off the first operation of `text`, which must not be empty.
fn first(text: &str) -> (Op<'_>, &str) {
    match harmless(text) {
        0 => special(text),
        end => {
            let (plain, rest) = text.split_at(end);
            (Op::Text(plain), rest)
        }
    }
}

/// Returns the length in bytes of the harmless prefix of `text`. Plain ASCII is checked many bytes
/// at a time.
fn harmless(text: &str) -> usize {
    let is_plain = |byte: &u8| (b' '..=b'~').contains(byte);
    let mut end = 0_usize;
    for chunk in text.as_bytes().chunks(32) {
        if !chunk.iter().fold(true, |all, byte| all & is_plain(byte)) {
            end = end.saturating_add(chunk.iter().take_while(|byte| is_plain(byte)).count());
            break;
        }
        end = end.saturating_add(chunk.len());
    }
    if end == text.len() {
        return end;
    }
    // The preceding character decides if a joiner is harmless.
    let from = end.saturating_sub(1);
    from.saturating_add(text.get(from..).map_or(0, harmless_len))
}

fn special(text: &str) -> (Op<'_>, &str) {
    if let Some((op, after)) = sequence(text) {
        return (op, after);
    }
    let mut chars = text.chars();
    let found = chars.next().unwrap_or_default();
    let rest = chars.as_str();
    let control = |control| Op::Control(control, up_to(text, rest));
    let op = match found {
        '\t' => Op::Tab,
        '\r' => control(Control::Column(0)),
        '\x08' => control(Control::Left(1)),
        // SI selects the normal character set, which is always in use here. On some terminals, the
        // sequence that resets colors contains SI.
        '\x0f' => control(Control::Nothing),
        found => Op::Special(found),
    };
    (op, rest)
}

/// Returns the part of a text before its suffix `after`. Uses only the lengths, because a
/// comparison of the suffix would read the rest of the row at each sequence.
fn up_to<'t>(text: &'t str, after: &str) -> &'t str {
    text.get(..text.len().saturating_sub(after.len())).unwrap_or_default()
}

/// Parses a supported escape sequence at the start of `text`, and returns it with the text after
/// it. Returns `None` if `text` does not start with one.
fn sequence(text: &str) -> Option<(Op<'_>, &str)> {
    let body = text.strip_prefix('\x1b')?;
    if let Some(body) = body.strip_prefix('[') {
        return csi(text, body);
    }
    if let Some(body) = body.strip_prefix("]8;") {
        let (link, after) = osc(body)?;
        let (_, target) = link.split_once(';')?;
        return Some((Op::Link(target), after));
    }
    let (control, after) = if let Some(body) = body.strip_prefix("]9;4;") {
        (Control::Nothing, osc(body)?.1)
    } else if let Some(after) = body.strip_prefix('M') {
        (Control::Vertical { down: -1, to_start: false }, after)
    } else {
        (Control::Nothing, QUIET.iter().find_map(|quiet| body.strip_prefix(quiet))?)
    };
    Some((Op::Control(control, up_to(text, after)), after))
}

/// Sequences without a visible effect: the normal character sets and the keypad modes. Their ESC is
/// omitted here.
const QUIET: [&str; 4] = ["(B", ")B", "=", ">"];

/// Private modes without a visible effect: cursor keys, bracketed paste, wrapping, the look of the
/// cursor, focus reports and synchronized output.
const QUIET_MODES: [&str; 7] = ["1", "7", "12", "25", "1004", "2004", "2026"];

/// Parses the rest of an OSC. Returns its content, and the text after the OSC. Returns `None`
/// unless the OSC is complete and printable ASCII, as the specification of links requires
/// (<https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda>).
fn osc(body: &str) -> Option<(&str, &str)> {
    let (inside, end) = body.split_at(body.find(|found| !matches!(found, ' '..='~'))?);
    Some((inside, end.strip_prefix('\x07').or_else(|| end.strip_prefix("\x1b\\"))?))
}

/// Parses a CSI: `text` begins at its ESC, `body` after its bracket.
fn csi<'a>(text: &'a str, body: &'a str) -> Option<(Op<'a>, &'a str)> {
    let (is_private, body) = body.strip_prefix('?').map_or((false, body), |body| (true, body));
    let (params, rest) = body.split_at(body.find(|found| !matches!(found, '0'..='9' | ';' | ':'))?);
    let mut rest = rest.chars();
    let (action, after) = (rest.next()?, rest.as_str());
    let written = up_to(text, after);
    if action == 'm' && !is_private {
        return (params.matches([';', ':']).count() < MAX_SGR_PARAMS)
            .then_some((Op::Sgr(written), after));
    }
    let control = if is_private {
        let is_quiet = matches!(action, 'h' | 'l')
            && params.split(';').all(|mode| QUIET_MODES.contains(&mode));
        is_quiet.then_some(Control::Nothing)?
    } else {
        control(params, action)?
    };
    Some((Op::Control(control, written), after))
}

/// The maximum number of parameters that vte stores for one sequence.
const MAX_SGR_PARAMS: usize = 32;

/// Parses a CSI that moves the cursor or erases.
fn control(params: &str, action: char) -> Option<Control> {
    if !params.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Parsing fails only if the number is too large.
    let number: u16 = if params.is_empty() { 0 } else { params.parse().unwrap_or(u16::MAX) };
    let count = usize::from(number.max(1));
    let (down, up) = (count.cast_signed(), count.cast_signed().saturating_neg());
    Some(match (action, number) {
        ('A', _) => Control::Vertical { down: up, to_start: false },
        ('B', _) => Control::Vertical { down, to_start: false },
        ('E', _) => Control::Vertical { down, to_start: true },
        ('F', _) => Control::Vertical { down: up, to_start: true },
        ('C', _) => Control::Right(count),
        ('D', _) => Control::Left(count),
        ('G' | '`', _) => Control::Column(count.saturating_sub(1)),
        ('K', 0) => Control::EraseRight,
        ('K', 1) => Control::EraseLeft,
        ('K', 2) => Control::EraseLine,
        ('J', 0) => Control::EraseBelow,
        ('X', _) => Control::Erase(count),
        ('P', _) => Control::Delete(count),
        ('@', _) => Control::Insert(count),
        _ => return None,
    })
}
