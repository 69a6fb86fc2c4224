//! The one way from recorded bytes to a terminal: SGR colours become style, every other control becomes a visible glyph.
//!
//! Used by the screen, by text dumps, by copying. What leaves here holds no control character at all (no ESC, CR, LF, TAB,
//! C0, DEL, C1) and no bidirectional control, so it can neither steer a terminal nor reorder what stands beside it.

use std::borrow::Cow;

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
}

/// Sanitises the rows of a log in order: a colour switched on in one row stays on in the next, as in a terminal.
#[derive(Default)]
pub struct Sanitiser {}

impl Sanitiser {
    /// The text of one row and its styles. Neighbouring spans differ in style; no span is empty.
    pub fn row(&mut self, bytes: &[u8]) -> Vec<Span> {
        let _ = bytes;
        todo!()
    }
}

/// A name (job, repo, ref, command line) as one line of harmless text, without styles.
#[must_use]
pub fn name(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}
