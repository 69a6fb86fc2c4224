//! Text styles: parsing and writing SGR sequences.
//!
//! Pure. SGR sequences reach the output only in the form that [`sgr`] writes.

use std::fmt::Write as _;

use vte::{Params, ParamsIter, Parser, Perform};

/// A color in SGR.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Color {
    /// An entry of the terminal's palette: 0–7 normal, 8–15 bright, 16–255 the fixed cube and
    /// grays.
    Indexed(u8),
    /// 24 bits: red, green, blue.
    Rgb(u8, u8, u8),
}

/// The style of text in SGR. The default is the terminal's own style.
#[expect(clippy::struct_excessive_bools, reason = "SGR attributes are independent switches")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Style {
    /// Foreground.
    pub fg: Option<Color>,
    /// Background.
    pub bg: Option<Color>,
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

impl Style {
    /// Returns the style in which text is shown. Removes both colors if they would make the text
    /// unreadable.
    pub(super) fn legible(self) -> Self {
        let hides = self.fg.zip(self.bg).is_some_and(|(fg, bg)| are_alike(fg, bg));
        if hides { Self { fg: None, bg: None, ..self } } else { self }
    }

    /// Returns the style after an SGR sequence, which must be complete: `ESC[1;31m`.
    pub(super) fn after(self, sequence: &str) -> Self {
        let mut taken = Sgr { style: self };
        Parser::new().advance(&mut taken, sequence.as_bytes());
        taken.style
    }
}

/// The smallest difference in red, green or blue that keeps text visible.
const LEAST_DIFFERENCE: u8 = 16;

/// Returns true if two colors are the same or nearly the same, so text of one is unreadable on the
/// other.
#[must_use]
pub fn are_alike(one: Color, other: Color) -> bool {
    let differs = |(one, other): (u8, u8)| one.abs_diff(other) >= LEAST_DIFFERENCE;
    !one.rgb().into_iter().zip(other.rgb()).any(differs)
}

impl Color {
    /// Returns red, green and blue. Terminals choose the first sixteen colors themselves; `PALETTE`
    /// contains those of xterm.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "each arm bounds n, and no level exceeds 255"
    )]
    pub(crate) fn rgb(self) -> [u8; 3] {
        const PALETTE: [[u8; 3]; 16] = [
            [0, 0, 0],
            [205, 0, 0],
            [0, 205, 0],
            [205, 205, 0],
            [0, 0, 238],
            [205, 0, 205],
            [0, 205, 205],
            [229, 229, 229],
            [127, 127, 127],
            [255, 0, 0],
            [0, 255, 0],
            [255, 255, 0],
            [92, 92, 255],
            [255, 0, 255],
            [0, 255, 255],
            [255, 255, 255],
        ];
        let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
        match self {
            Self::Rgb(r, g, b) => [r, g, b],
            Self::Indexed(n @ 232..) => [8 + 10 * (n - 232); 3],
            Self::Indexed(n @ 16..) => {
                [level((n - 16) / 36), level((n - 16) / 6 % 6), level((n - 16) % 6)]
            }
            Self::Indexed(n) => PALETTE.get(usize::from(n)).copied().unwrap_or_default(),
        }
    }
}

/// Returns the sequence that sets exactly this style, regardless of the current one: `ESC[0;1;31m`,
/// or `ESC[0m` for the default.
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
    push_color(&mut out, style.fg, "3", "9");
    push_color(&mut out, style.bg, "4", "10");
    out.push('m');
    out
}

/// Appends the parameters of a color, each preceded by `;`. The codes of the first eight colors are
/// `tens` (3 for the foreground, 4 for the background) and a digit. Those of the next eight are
/// `bright_tens` (9 or 10) and a digit.
fn push_color(out: &mut String, color: Option<Color>, tens: &str, bright_tens: &str) {
    // Writing to a String cannot fail.
    let _ = match color {
        None => Ok(()),
        Some(Color::Indexed(n @ 0..8)) => write!(out, ";{tens}{n}"),
        Some(Color::Indexed(n @ 8..16)) => write!(out, ";{bright_tens}{}", n & 7),
        Some(Color::Indexed(n)) => write!(out, ";{tens}8;5;{n}"),
        Some(Color::Rgb(r, g, b)) => write!(out, ";{tens}8;2;{r};{g};{b}"),
    };
}

/// A receiver that applies one SGR sequence from vte to a style.
struct Sgr {
    style: Style,
}

impl Perform for Sgr {
    fn csi_dispatch(
        &mut self,
        params: &Params,
        _intermediates: &[u8],
        _is_cut: bool,
        _action: char,
    ) {
        let mut params = params.iter();
        while let Some(param) = params.next() {
            match *param {
                [code @ (38 | 48 | 58), ref sub @ ..] => {
                    let color =
                        if sub.is_empty() { color_of(&mut params) } else { color_of_sub(sub) };
                    set_color(&mut self.style, code, color);
                }
                [4, 0] => self.style.underline = false,
                [code, ..] => set(&mut self.style, code),
                [] => {}
            }
        }
    }
}

/// Parses a color without its first parameter: `5;n` of `38;5;n`, or `2;r;g;b` of `38;2;r;g;b`.
fn color_of(params: &mut ParamsIter<'_>) -> Option<Color> {
    let mut next = || params.next().and_then(|param| param.first().copied());
    match next()? {
        5 => indexed(next()?),
        2 => rgb([next()?, next()?, next()?]),
        _ => None,
    }
}

/// Parses the part after the first colon of `38:5:n`, `38:2:r:g:b` or `38:2:space:r:g:b`. The color
/// space is ignored.
fn color_of_sub(sub: &[u16]) -> Option<Color> {
    match *sub {
        [5, n, ..] => indexed(n),
        [2, r, g, b] | [2, _, r, g, b, ..] => rgb([r, g, b]),
        _ => None,
    }
}

fn indexed(n: u16) -> Option<Color> {
    u8::try_from(n).ok().map(Color::Indexed)
}

fn rgb([r, g, b]: [u16; 3]) -> Option<Color> {
    Some(Color::Rgb(u8::try_from(r).ok()?, u8::try_from(g).ok()?, u8::try_from(b).ok()?))
}

/// Sets a color. An invalid color changes nothing. An underline color (58) is parsed only to skip
/// its parameters.
fn set_color(style: &mut Style, code: u16, color: Option<Color>) {
    match code {
        38 => style.fg = color.or(style.fg),
        48 => style.bg = color.or(style.bg),
        _ => {}
    }
}

/// Applies one parameter. Attributes that [`Style`] lacks (blinking, fonts, frames) have no effect.
/// Concealing (8) is ignored on purpose, because it would hide text.
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

/// Sets one of the 16 colors of the palette. Other codes have no effect.
fn set_palette(style: &mut Style, code: u16) {
    let bright = if code < 90 { 0 } else { 8 };
    let color = indexed((code % 10) | bright);
    match code {
        30..=37 | 90..=97 => style.fg = color,
        40..=47 | 100..=107 => style.bg = color,
        _ => {}
    }
}
