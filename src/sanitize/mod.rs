//! The only path from recorded bytes to a terminal. It preserves the look of the recorded output
//! and removes everything that could act on the reader's terminal.
//!
//! The screen, text dumps and copying use it. The result contains no control characters (no ESC,
//! CR, LF, TAB, C0, DEL or C1), no bidirectional controls and no invisible characters. It therefore
//! cannot control a terminal, and cannot reorder or hide the text next to it.
//!
//! ```text
//! input                   shown                                  shown in full (Progress::All)
//! ESC[1;31mred ESC[m      the text in its style                  the same
//! ESC]8;;url ESC\ text    the text, linked if url is http(s)     text <url>
//! CR, BS, ESC[K, ESC[2A…  the last state                         ␍, ␈, ␛[K, ␛[2A
//! ESC[?25l, ESC(B, SI     nothing, as on a terminal              ␛[?25l, ␛(B, ␏
//! any other ESC           ␛ and the text after it, unchanged:    the same
//!                         ␛[2J, ␛]0;title␇
//! other C0, DEL           a control picture: ␀ ␇ ␡               the same
//! CR at the end           nothing                                nothing
//! TAB                     blanks to the next multiple of 8       the same
//! C1, bidi, invisible     its code point: <U+0085> <U+202E>      the same
//! joiners                 unchanged in emoji and scripts, else   the same
//!                         the code point: a<U+200D>b
//! unreadable colors       the default colors of the terminal     the same
//! not UTF-8               U+FFFD                                 the same
//! ```
//!
//! An escape sequence must be complete within its row; otherwise, it is shown as text. So a row
//! passes only its style on to the next row. If a row moved the cursor to other lines, its text on
//! all lines is shown from top to bottom, separated by ␊. [`overwritten`] finds the earlier rows
//! that such a row hides.
//!
//! ```text
//! ops     bytes -> text, colors, links, controls
//! line    a row whose text is only appended (the usual case)
//! canvas  a row that overwrites itself: cells
//! style   SGR
//! frames  rows overwritten by later rows
//! ```

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod canvas;
mod frames;
mod line;
mod ops;
mod style;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Deref;
use std::sync::Arc;

use canvas::Canvas;
use line::Line;

#[doc(hidden)]
pub use frames::{Frames, MAX_FRAME_ROWS, overwritten};
pub use style::{Color, Style};
#[doc(hidden)]
pub use style::{are_alike, sgr};

/// Harmless text of one style.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// Printable characters only.
    pub text: String,
    /// The colors and attributes of the text.
    pub style: Style,
    /// The target of the link, if the text is linked.
    pub link: Option<Link>,
}

/// The target of a link: an http or https address of graphic ASCII only, so it can be part of a
/// terminal's link sequence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link(Arc<str>);

impl Link {
    /// Creates a link if the target is an http or https address of graphic ASCII. Other schemes are
    /// rejected, because the effect of a click on them is unknown.
    pub(crate) fn new(target: &str) -> Option<Self> {
        let has_scheme = |scheme: &str| {
            target
                .split_at_checked(scheme.len())
                .is_some_and(|(start, rest)| start.eq_ignore_ascii_case(scheme) && !rest.is_empty())
        };
        let is_web = has_scheme("http://") || has_scheme("https://");
        (is_web && target.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(target.into()))
    }
}

impl Deref for Link {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// The amount of overwritten text that is shown.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Progress {
    /// The last state, as a terminal shows it.
    #[default]
    Last,
    /// All text, in the order in which it was written. Controls are shown as visible glyphs, and
    /// the target of a link after its text.
    All,
}

/// A sanitizer for the rows of a log in order. A color that one row switches on stays on in the
/// next, as in a terminal.
#[derive(Clone, Default, Debug)]
pub struct Sanitizer {
    style: Style,
    progress: Progress,
}

impl Sanitizer {
    /// Creates a sanitizer with the default style.
    #[must_use]
    pub fn new(progress: Progress) -> Self {
        Self { style: Style::default(), progress }
    }

    /// Creates a sanitizer for rows that follow others. `style` is the style in effect after the
    /// earlier rows.
    #[must_use]
    pub fn going_on(progress: Progress, style: Style) -> Self {
        Self { style, ..Self::new(progress) }
    }

    /// Returns the style in effect after the rows so far.
    #[must_use]
    pub const fn style(&self) -> Style {
        self.style
    }

    /// Returns the text of a row if it is shown unchanged and without a style, as most rows are.
    #[must_use]
    pub fn unchanged<'r>(&self, bytes: &'r [u8]) -> Option<&'r str> {
        (self.style == Style::default() && is_printable_ascii(bytes))
            .then(|| str::from_utf8(bytes).ok())?
    }

    /// Returns the text of one row and its styles. Adjacent spans differ in style or link; no span
    /// is empty.
    pub fn row(&mut self, bytes: &[u8]) -> Vec<Span> {
        self.row_within(bytes, usize::MAX)
    }

    /// Sanitizes a row as [`Sanitizer::row`] does, but may omit the text after the first `columns`
    /// cells. The style sequences of the whole row take effect, so the next row looks the same.
    pub fn row_within(&mut self, bytes: &[u8], columns: usize) -> Vec<Span> {
        let bytes = without_line_end(bytes);
        let style = self.style;
        let (style, spans) =
            show(bytes, style, self.progress, |progress| Line::new(style, columns, progress));
        self.style = style;
        spans
    }
}

/// Returns the sequence that rings the terminal's bell and sends a desktop notification (OSC 9).
#[doc(hidden)]
#[must_use]
pub fn notification(text: &str) -> String {
    format!("\x07\x1b]9;{}\x07", name(text))
}

/// Returns the text of a row as it is shown, without styles. Borrows the text if it is shown
/// unchanged.
#[must_use]
pub fn plain(bytes: &[u8], progress: Progress) -> Cow<'_, str> {
    let bytes = without_line_end(bytes);
    if let Ok(text) = str::from_utf8(bytes)
        && (is_printable_ascii(bytes) || is_harmless_text(text))
    {
        return Cow::Borrowed(text);
    }
    let (_, spans) = show(bytes, Style::default(), progress, Line::unstyled);
    Cow::Owned(spans.into_iter().map(|span| span.text).collect())
}

/// Returns true if a text contains only printable ASCII, as most rows do. Checks many bytes at a
/// time.
#[must_use]
pub fn is_printable_ascii(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |is_printable, byte| is_printable & (b' '..=b'~').contains(byte))
}

/// Removes the CR of a CR LF line end, which is not part of the row.
fn without_line_end(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// Returns the style that the next row begins with, and the visible spans of this row.
fn show<'a>(
    bytes: &'a [u8],
    style: Style,
    progress: Progress,
    line: impl Fn(Progress) -> Line<'a>,
) -> (Style, Vec<Span>) {
    let draw =
        || (bytes.len() <= canvas::MAX_BYTES).then(|| Canvas::new(style, bytes.len()).draw(bytes));
    line(progress)
        .write(bytes)
        .or_else(draw)
        .or_else(|| line(Progress::All).write(bytes))
        .unwrap_or_default()
}

/// Returns a name (job, repo, ref, command line) as one line of harmless text without styles. Every
/// control, including TAB and ESC, is shown as its glyph.
#[must_use]
pub fn name(text: &str) -> Cow<'_, str> {
    if is_harmless_text(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (harmless, after) = rest.split_at(harmless_len(rest));
        out.push_str(harmless);
        let mut chars = after.chars();
        chars.next().into_iter().for_each(|found| push_visible(&mut out, found));
        rest = chars.as_str();
    }
    Cow::Owned(out)
}

/// Returns true if a character may be sent to a terminal, regardless of the character before it.
/// Such a character does not control the terminal, and does not reorder or hide text.
#[must_use]
pub fn is_harmless(found: char) -> bool {
    matches!(found, ' '..='~') || !(found.is_control() || is_hidden(found) || is_joiner(found))
}

/// Returns true if a text may be sent to a terminal unchanged.
#[must_use]
pub fn is_harmless_text(text: &str) -> bool {
    harmless_len(text) == text.len()
}

/// Returns the length in bytes of the prefix that may be sent to a terminal unchanged.
#[must_use]
pub fn harmless_len(text: &str) -> usize {
    let mut before = None;
    let is_harmful = |found: char| {
        let before = before.replace(found);
        !(is_harmless(found)
            || (is_joiner(found) && before.is_some_and(|before| is_joined(before, found))))
    };
    text.find(is_harmful).unwrap_or(text.len())
}

/// Returns true for invisible characters that emoji and scripts need: the joiners and the variation
/// selectors.
const fn is_joiner(found: char) -> bool {
    matches!(found, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// Returns true if a joiner has an effect after the character `before`. After ASCII, only the
/// selectors in keycaps (1\u{fe0f}\u{20e3}) have one.
const fn is_joined(before: char, joiner: char) -> bool {
    !before.is_ascii()
        || matches!((before, joiner), ('0'..='9' | '#' | '*', '\u{fe0e}' | '\u{fe0f}'))
}

/// Returns true if a character changes the look of other text or is invisible by design:
/// bidirectional controls, line separators, and Unicode's `Default_Ignorable_Code_Point`
/// (<https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt>). Excludes the
/// characters that emoji and scripts need, see [`is_joiner`].
fn is_hidden(found: char) -> bool {
    matches!(found,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Appends a character as it is shown: unchanged if it is harmless, otherwise its replacement.
fn push_visible(out: &mut String, found: char) {
    let picture = match found {
        '\0'..='\x1f' => char::from_u32(0x2400 | u32::from(found)),
        '\x7f' => Some('\u{2421}'),
        found => is_harmless(found).then_some(found),
    };
    match picture {
        Some(picture) => out.push(picture),
        // Writing to a String cannot fail.
        None => drop(write!(out, "<U+{:04X}>", u32::from(found))),
    }
}

#[cfg(test)]
mod terminal_tests;
#[cfg(test)]
mod tests;
