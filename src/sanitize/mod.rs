//! The one way from recorded bytes to a terminal: what the program showed there, and nothing that
//! acts on yours.
//!
//! Used by the screen, by text dumps, by copying. What leaves here holds no control character at
//! all (no ESC, CR, LF, TAB, C0, DEL, C1), no bidirectional control and nothing that is there but
//! cannot be seen, so it can neither steer a terminal nor reorder or hide what stands beside it.
//!
//! ```text
//! ESC[1;31mred ESC[m      a style, no text
//! ESC]8;;url ESC\ text    the text, which keeps a target of http(s); in full: text <url>
//! CR, BS, ESC[K, ESC[2A…  moves and erases within some lines: the last state; in full: ␍, ␈, ␛[K, ␛[2A
//! ESC[?25l, ESC(B, SI     nothing, as on a terminal; in full: ␛[?25l, ␛(B, ␏
//! any other ESC           ␛ and the text after it as it stands: ␛[2J, ␛]0;title␇
//! other C0, DEL           a control picture: ␀ ␇ ␡; but a CR at the end is nothing
//! TAB                     to the next multiple of 8 columns
//! C1, bidi, invisible     its code point: <U+0085> <U+202E> <U+200B>
//! joiners                 as they are in emoji and scripts; else their code point: a<U+200D>b
//! text in its background  in the terminal's own colors
//! not UTF-8               U+FFFD
//! ```
//!
//! A sequence must be whole within its row; what is not is text. So nothing but style is carried
//! from one row to the next. A row that wrote on several lines shows them from top to bottom, with
//! ␊ between them; that it hides other rows, [`overwritten`] tells.
//!
//! ```text
//! ops     bytes -> text, colors, links, controls      line    a row whose text only goes on (the usual one)
//! style   SGR                                          canvas  a row that was written over itself: cells
//! frames  rows that later ones were drawn over
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

pub(crate) use frames::Frames;
pub use frames::{MAX_FRAME_ROWS, overwritten};
pub use style::{Color, Style, are_alike, sgr};

/// Harmless text of one style.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// Printable characters only.
    pub text: String,
    /// How it looks.
    pub style: Style,
    /// Where it leads.
    pub link: Option<Link>,
}

/// The target of a link: an address of http or https and nothing but graphic ASCII, so it may stand
/// in a terminal's own link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link(Arc<str>);

impl Link {
    /// Only the web's: what a terminal does with others when they are clicked, nobody knows.
    fn new(target: &str) -> Option<Self> {
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

/// How much is shown of what a terminal would have overwritten.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Progress {
    /// The last state, as a terminal shows it.
    #[default]
    Last,
    /// All of it, in the order in which it was written: controls as visible glyphs, the target of a
    /// link after its text.
    All,
}

/// Sanitizes the rows of a log in order: a color switched on in one row stays on in the next, as in
/// a terminal.
#[derive(Clone, Default, Debug)]
pub struct Sanitizer {
    style: Style,
    progress: Progress,
}

impl Sanitizer {
    /// One that has seen no row yet.
    #[must_use]
    pub fn new(progress: Progress) -> Self {
        Self { style: Style::default(), progress }
    }

    /// One that goes on with the style that rows before have left switched on.
    #[must_use]
    pub fn going_on(progress: Progress, style: Style) -> Self {
        Self { style, ..Self::new(progress) }
    }

    /// The style that the rows so far have left switched on.
    #[must_use]
    pub const fn style(&self) -> Style {
        self.style
    }

    /// The text of one row and its styles. Neighbouring spans differ in style or link; no span is
    /// empty.
    pub fn row(&mut self, bytes: &[u8]) -> Vec<Span> {
        self.row_within(bytes, usize::MAX)
    }

    /// As [`Sanitizer::row`], for a row of which only the first `columns` cells may be seen: at
    /// least these are given, and of what comes after them little or nothing. The styles of the
    /// whole row are obeyed, so the next row looks the same.
    pub fn row_within(&mut self, bytes: &[u8], columns: usize) -> Vec<Span> {
        let bytes = without_line_end(bytes);
        let style = self.style;
        let (style, spans) =
            show(bytes, style, self.progress, |progress| Line::new(style, columns, progress));
        self.style = style;
        spans
    }
}

/// What has a terminal ring its bell and notify its user (OSC 9), who may look elsewhere.
#[must_use]
pub fn notification(text: &str) -> String {
    format!("\x07\x1b]9;{}\x07", name(text))
}

/// The text of a row as it is shown, without styles; borrowed where it is shown as it stands.
#[must_use]
pub fn plain(bytes: &[u8], progress: Progress) -> Cow<'_, str> {
    let bytes = without_line_end(bytes);
    // Nearly always, and told many bytes at a time.
    let is_plain =
        bytes.iter().fold(true, |is_plain, byte| is_plain & (b' '..=b'~').contains(byte));
    if let Ok(text) = str::from_utf8(bytes)
        && (is_plain || is_harmless_text(text))
    {
        return Cow::Borrowed(text);
    }
    let (_, spans) = show(bytes, Style::default(), progress, Line::unstyled);
    Cow::Owned(spans.into_iter().map(|span| span.text).collect())
}

/// The CR before the LF of a terminal's line says nothing of the row.
fn without_line_end(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// The style that the next row begins with, and what is to be seen of this one.
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

/// A name (job, repo, ref, command line) as one line of harmless text, without styles: every
/// control, TAB and ESC included, is shown as its glyph.
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

/// Whether a character may go to a terminal as it is, whatever stands before it: it neither steers
/// it, nor reorders or hides text.
#[must_use]
pub fn is_harmless(found: char) -> bool {
    matches!(found, ' '..='~') || !(found.is_control() || is_hidden(found) || is_joiner(found))
}

/// Returns true if a text may go to a terminal as it is.
#[must_use]
pub fn is_harmless_text(text: &str) -> bool {
    harmless_len(text) == text.len()
}

/// How many bytes of a text, from its start, may go to a terminal as they are.
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

/// Returns true for characters that cannot be seen but that emoji and scripts need: the joiners
/// and the variation selectors.
const fn is_joiner(found: char) -> bool {
    matches!(found, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// Returns true if a joiner has a meaning after a character. ASCII needs none, but for the
/// selectors in keycaps (1\u{fe0f}\u{20e3}).
const fn is_joined(before: char, joiner: char) -> bool {
    !before.is_ascii()
        || matches!((before, joiner), ('0'..='9' | '#' | '*', '\u{fe0e}' | '\u{fe0f}'))
}

/// Whether a character changes what is seen, or is meant not to be seen: bidirectional controls,
/// line separators, and Unicode's `Default_Ignorable_Code_Point` (<https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt>). Not
/// those that emoji and scripts need, see [`is_joiner`].
fn is_hidden(found: char) -> bool {
    matches!(found,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Adds a character as it is shown: itself, or what stands for one that is not harmless.
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
