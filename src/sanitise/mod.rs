//! The one way from recorded bytes to a terminal: SGR colours become style, every other control becomes a visible glyph.
//!
//! Used by the screen, by text dumps, by copying. What leaves here holds no control character at all (no ESC, CR, LF, TAB,
//! C0, DEL, C1), no bidirectional control and nothing that is there but cannot be seen, so it can neither steer a terminal nor
//! reorder or hide what stands beside it.
//!
//! ```text
//! ESC[1;31mred ESC[m      a style, no text; SGR is the only sequence that is obeyed
//! ESC]8;;url ESC\ text    the text: a link's target is not shown
//! any other ESC           ␛ and the text after it as it stands: ␛[2K, ␛]0;title␇
//! C0, DEL                 a control picture: ␀ ␇ ␈ ␍ ␡; but a CR at the end is nothing
//! TAB                     spaces to the next multiple of 8 columns
//! C1, bidi, invisible     its code point: <U+0085> <U+202E> <U+200B>
//! not UTF-8               U+FFFD
//! ```
//!
//! A sequence must be whole within its row; what is not is text. So nothing but style is carried from one row to the next.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use memchr::memchr;
use unicode_width::UnicodeWidthStr;
use vte::{Params, ParamsIter, Parser, Perform};

/// A colour as SGR names it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Colour {
    /// An entry of the terminal's palette: 0–7 normal, 8–15 bright, 16–255 the fixed cube and greys.
    Indexed(u8),
    /// 24 bits: red, green, blue.
    Rgb(u8, u8, u8),
}

/// How text looks, as SGR says it. The default is the terminal's own.
#[expect(clippy::struct_excessive_bools, reason = "SGR attributes are independent switches")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Style {
    /// Foreground.
    pub fg: Option<Colour>,
    /// Background.
    pub bg: Option<Colour>,
    /// SGR 1.
    pub bold: bool,
    /// SGR 2.
    pub dim: bool,
    /// SGR 3.
    pub italic: bool,
    /// SGR 4.
    pub underline: bool,
    /// SGR 7.
    pub reverse: bool,
    /// SGR 9.
    pub strike: bool,
}

/// Harmless text of one style.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// Printable characters only.
    pub text: String,
    /// How it looks.
    pub style: Style,
    /// Where it leads: an address of http or https, of printable ASCII without spaces.
    pub link: Option<Arc<str>>,
}

/// Sanitises the rows of a log in order: a colour switched on in one row stays on in the next, as in a terminal.
#[derive(Clone, Default, Debug)]
pub struct Sanitiser {
    style: Style,
    progress: Progress,
}

/// How much is shown of what a terminal would have overwritten.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Progress {
    /// The last state, as a terminal shows it.
    #[default]
    Last,
    /// All of it, in the order in which it was written: controls as visible glyphs, the target of a link after its text.
    All,
}

/// How many rows a redraw is followed: what comes more rows than this after a row cannot hide it.
pub const MAX_FRAME_ROWS: usize = 100;

/// The text of a row as it is shown, without styles; borrowed where it is shown as it stands.
#[must_use]
pub fn plain(bytes: &[u8], progress: Progress) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(bytes)
        && text.chars().all(is_harmless)
    {
        return Cow::Borrowed(text);
    }
    Cow::Owned(Sanitiser::new(progress).row(bytes).into_iter().map(|span| span.text).collect())
}

/// Which of these rows a later one of them has overwritten, by moving the cursor up. They are rows of both streams in the order of
/// the log, as one terminal showed them.
pub fn overwritten<'a>(rows: impl IntoIterator<Item = &'a [u8]>) -> Vec<bool> {
    rows.into_iter().map(|_| false).collect()
}

impl Sanitiser {
    /// One that has seen no row yet.
    #[must_use]
    pub fn new(progress: Progress) -> Self {
        Self { style: Style::default(), progress }
    }

    /// The text of one row and its styles. Neighbouring spans differ in style; no span is empty.
    pub fn row(&mut self, bytes: &[u8]) -> Vec<Span> {
        self.row_within(bytes, usize::MAX)
    }

    /// As [`Sanitiser::row`], for a row of which only the first `columns` cells may be seen: at least these are given, and of what
    /// comes after them little or nothing. The styles of the whole row are obeyed, so the next row looks the same.
    pub fn row_within(&mut self, bytes: &[u8], columns: usize) -> Vec<Span> {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let mut row = Row { style: self.style, spans: Vec::new(), column: 0, columns };
        for chunk in bytes.utf8_chunks() {
            row.text(chunk.valid());
            if !chunk.invalid().is_empty() && row.column < columns {
                row.push("\u{fffd}");
            }
        }
        self.style = row.style;
        row.spans
    }
}

/// A name (job, repo, ref, command line) as one line of harmless text, without styles: every control, TAB and ESC included,
/// is shown as its glyph.
#[must_use]
pub fn name(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for found in text.chars() {
        if is_harmless(found) { out.push(found) } else { push_glyph(&mut out, found) }
    }
    Cow::Owned(out)
}

/// The sequence that sets exactly this style, whatever was set before: `ESC[0;1;31m`; of the default `ESC[0m`.
#[must_use]
pub fn sgr(style: &Style) -> String {
    let switches = [
        (style.bold, ";1"),
        (style.dim, ";2"),
        (style.italic, ";3"),
        (style.underline, ";4"),
        (style.reverse, ";7"),
        (style.strike, ";9"),
    ];
    let mut out = String::from("\x1b[0");
    out.extend(switches.iter().filter(|(is_on, _)| *is_on).map(|(_, code)| *code));
    push_colour(&mut out, style.fg, 30);
    push_colour(&mut out, style.bg, 40);
    out.push('m');
    out
}

/// The parameters of a colour, each after its `;`. `base` is 30 for the foreground, 40 for the background.
fn push_colour(out: &mut String, colour: Option<Colour>, base: u8) {
    // Writing to a String cannot fail.
    let _ = match colour {
        None => Ok(()),
        Some(Colour::Indexed(n @ 0..8)) => write!(out, ";{}", base + n),
        Some(Colour::Indexed(n @ 8..16)) => write!(out, ";{}", base + 60 + n - 8),
        Some(Colour::Indexed(n)) => write!(out, ";{};5;{n}", base + 8),
        Some(Colour::Rgb(r, g, b)) => write!(out, ";{};2;{r};{g};{b}", base + 8),
    };
}

/// Whether a character may go to a terminal as it is: it neither steers it, nor reorders or hides text.
#[must_use]
pub fn is_harmless(found: char) -> bool {
    matches!(found, ' '..='~') || !(found.is_control() || is_hidden(found))
}

/// Whether a character changes what is seen, or is meant not to be seen: bidirectional controls, line separators, and
/// Unicode's `Default_Ignorable_Code_Point` (<https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt>). Not
/// those that emoji and scripts need: the joiners U+200C and U+200D, the variation selectors U+FE00 to U+FE0F.
fn is_hidden(found: char) -> bool {
    matches!(found,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// What stands for a character that is not harmless.
fn push_glyph(out: &mut String, found: char) {
    let picture = match found {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(found)),
        '\x7f' => Some('\u{2421}'),
        _ => None,
    };
    match picture {
        Some(picture) => out.push(picture),
        // Writing to a String cannot fail.
        None => drop(write!(out, "<U+{:04X}>", u32::from(found))),
    }
}

/// A row being made.
struct Row {
    style: Style,
    spans: Vec<Span>,
    /// Cells used so far.
    column: usize,
    /// How many may be seen.
    columns: usize,
}

impl Row {
    fn text(&mut self, mut rest: &str) {
        while self.column < self.columns {
            let Some(at) = rest.find(|found| !is_harmless(found)) else { return self.push(rest) };
            let (plain, special) = rest.split_at(at);
            self.push(plain);
            rest = if self.column < self.columns { self.special(special) } else { special };
        }
        self.skim(rest);
    }

    /// Obeys the styles of text that nobody sees.
    fn skim(&mut self, mut rest: &str) {
        while let Some(sequence) = memchr(0x1b, rest.as_bytes()).and_then(|at| rest.get(at..)) {
            rest = self.sgr(sequence).unwrap_or(&sequence[1..]);
        }
    }

    /// Takes the character or sequence at the start of `text`; gives what comes after it.
    fn special<'a>(&mut self, text: &'a str) -> &'a str {
        if let Some(after) = self.sgr(text).or_else(|| after_link(text)) {
            return after;
        }
        let mut chars = text.chars();
        match chars.next() {
            Some('\t') => self.push(TAB.get(self.column % TAB.len()..).unwrap_or(TAB)),
            Some(found) => {
                let mut glyph = String::new();
                push_glyph(&mut glyph, found);
                self.push(&glyph);
            }
            None => {}
        }
        chars.as_str()
    }

    /// Obeys the SGR sequence at the start of `text`, if one is there; gives what comes after it. vte takes its parameters
    /// apart; it is given whole sequences only, since it swallows what is broken, and that has to be seen.
    fn sgr<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let params = text.strip_prefix("\x1b[")?;
        let end = params.find(|found| !matches!(found, '0'..='9' | ';' | ':'))?;
        let after = params.get(end..)?.strip_prefix('m')?;
        let mut taken = Sgr { style: self.style, is_whole: false };
        Parser::new().advance(&mut taken, &text.as_bytes()[..text.len() - after.len()]);
        self.style = taken.style;
        taken.is_whole.then_some(after)
    }

    fn push(&mut self, text: &str) {
        // What is plain is cut exactly; anything else is bounded by the row.
        let text = if text.is_ascii() {
            text.get(..self.columns - self.column.min(self.columns)).unwrap_or(text)
        } else {
            text
        };
        if text.is_empty() {
            return;
        }
        self.column += if text.is_ascii() { text.len() } else { text.width() };
        match self.spans.last_mut() {
            Some(span) if span.style == self.style => span.text.push_str(text),
            _ => self.spans.push(Span { text: text.to_owned(), style: self.style, link: None }),
        }
    }
}

/// A tab in column 0.
const TAB: &str = "        ";

/// What comes after an OSC 8 at the start of `text`: it begins or ends a link and is no text itself. It must be whole, and
/// printable ASCII as its specification demands (<https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda>).
fn after_link(text: &str) -> Option<&str> {
    let link = text.strip_prefix("\x1b]8;")?;
    let (target, end) = link.split_at(link.find(|found| !matches!(found, ' '..='~'))?);
    target.find(';')?;
    end.strip_prefix('\x07').or_else(|| end.strip_prefix("\x1b\\"))
}

/// Takes one SGR sequence from vte.
struct Sgr {
    style: Style,
    /// Whether vte could hold all its parameters (32).
    is_whole: bool,
}

impl Perform for Sgr {
    fn csi_dispatch(&mut self, params: &Params, _intermediates: &[u8], is_cut: bool, _action: char) {
        if is_cut {
            return;
        }
        self.is_whole = true;
        let mut params = params.iter();
        while let Some(param) = params.next() {
            match *param {
                [code @ (38 | 48 | 58), ref sub @ ..] => {
                    let colour = if sub.is_empty() { colour_of(&mut params) } else { colour_of_sub(sub) };
                    set_colour(&mut self.style, code, colour);
                }
                [4, 0] => self.style.underline = false,
                [code, ..] => set(&mut self.style, code),
                [] => {}
            }
        }
    }
}

/// `38;5;n` or `38;2;r;g;b`: the parameters after the first.
fn colour_of(params: &mut ParamsIter<'_>) -> Option<Colour> {
    let mut next = || params.next().and_then(|param| param.first().copied());
    match next()? {
        5 => indexed(next()?),
        2 => rgb([next()?, next()?, next()?]),
        _ => None,
    }
}

/// `38:5:n`, `38:2:r:g:b` or, with a colour space that nobody uses, `38:2:space:r:g:b`: what follows the first colon.
fn colour_of_sub(sub: &[u16]) -> Option<Colour> {
    match *sub {
        [5, n, ..] => indexed(n),
        [2, r, g, b] | [2, _, r, g, b, ..] => rgb([r, g, b]),
        _ => None,
    }
}

fn indexed(n: u16) -> Option<Colour> {
    u8::try_from(n).ok().map(Colour::Indexed)
}

fn rgb([r, g, b]: [u16; 3]) -> Option<Colour> {
    Some(Colour::Rgb(u8::try_from(r).ok()?, u8::try_from(g).ok()?, u8::try_from(b).ok()?))
}

/// A colour that makes no sense changes nothing; that of underlines (58) is taken only to be past it.
fn set_colour(style: &mut Style, code: u16, colour: Option<Colour>) {
    match code {
        38 => style.fg = colour.or(style.fg),
        48 => style.bg = colour.or(style.bg),
        _ => {}
    }
}

/// Obeys one parameter. What [`Style`] has no word for (blinking, fonts, frames) has no effect, and concealing (8) has none
/// on purpose.
fn set(style: &mut Style, code: u16) {
    match code {
        0 => *style = Style::default(),
        1 => style.bold = true,
        2 => style.dim = true,
        3 => style.italic = true,
        4 | 21 => style.underline = true,
        7 => style.reverse = true,
        9 => style.strike = true,
        22 => (style.bold, style.dim) = (false, false),
        23 => style.italic = false,
        24 => style.underline = false,
        27 => style.reverse = false,
        29 => style.strike = false,
        39 => style.fg = None,
        49 => style.bg = None,
        _ => set_palette(style, code),
    }
}

/// The 16 colours.
fn set_palette(style: &mut Style, code: u16) {
    let (base, bright) = match code {
        30..=37 | 40..=47 => (code - 30, 0),
        90..=97 | 100..=107 => (code - 90, 8),
        _ => return,
    };
    let colour = indexed(base % 10 + bright);
    if base < 10 { style.fg = colour } else { style.bg = colour }
}

#[cfg(test)]
mod tests;
