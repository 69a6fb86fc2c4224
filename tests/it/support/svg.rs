//! An SVG picture of a terminal screen, drawn from its buffer.
//!
//! Every cell is 9 × 18 pixels. Each piece of text has a fixed position and length, so that a font
//! of another width cannot move it and a wide character fills two cells. Lines and blocks are drawn
//! as shapes, because glyphs would leave gaps between rows.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

const WIDTH: u16 = 9;
const HEIGHT: u16 = 18;
/// The distance from the top of a row to the baseline of its text.
const BASELINE: u16 = 13;
const PADDING: u16 = 12;

/// The colors of a terminal: its foreground, its background, its frame and the first 16 colors of
/// its palette.
pub struct Palette {
    fg: u32,
    bg: u32,
    frame: u32,
    named: [u32; 16],
}

pub const DARK: Palette = Palette {
    fg: 0xd0_d0_d0,
    bg: 0x16_1b_22,
    frame: 0x3d_44_4d,
    named: [
        0x48_4f_58, 0xff_7b_72, 0x7e_e7_87, 0xe3_b3_41, 0x79_c0_ff, 0xd2_a8_ff, 0x76_e3_ea,
        0xc0_c7_ce, 0x6e_76_81, 0xff_a1_98, 0xa5_f0_ac, 0xf2_cc_60, 0xa5_d6_ff, 0xe2_c5_ff,
        0xb3_f0_ff, 0xff_ff_ff,
    ],
};

pub const LIGHT: Palette = Palette {
    fg: 0x1f_23_28,
    bg: 0xff_ff_ff,
    frame: 0xd1_d9_e0,
    named: [
        0x24_29_2f, 0xb3_12_1d, 0x11_63_29, 0x7a_4a_00, 0x09_50_ae, 0x6f_2d_bd, 0x1b_65_70,
        0x59_63_6e, 0x57_60_6a, 0xa4_0e_26, 0x1a_7f_37, 0x63_3c_01, 0x21_8b_ff, 0x8a_4b_cf,
        0x31_92_aa, 0x8c_95_9f,
    ],
};

/// The looks of a cell, with colors that are ready to be drawn.
#[derive(Clone, Copy, PartialEq)]
struct Look {
    fg: u32,
    bg: u32,
    modifier: Modifier,
}

impl Look {
    fn of(cell: &Cell, palette: &Palette) -> Self {
        let fg = palette.color(cell.fg, palette.fg);
        let bg = palette.color(cell.bg, palette.bg);
        let modifier = cell.modifier;
        if modifier.contains(Modifier::REVERSED) {
            Self { fg: bg, bg: fg, modifier }
        } else {
            Self { fg, bg, modifier }
        }
    }

    fn attributes(self) -> String {
        let mut attributes = format!("#{:06x}\"", self.fg);
        for (modifier, attribute) in [
            (Modifier::BOLD, " font-weight=\"bold\""),
            (Modifier::ITALIC, " font-style=\"italic\""),
            (Modifier::DIM, " opacity=\"0.6\""),
        ] {
            if self.modifier.contains(modifier) {
                attributes += attribute;
            }
        }
        attributes
    }
}

impl Palette {
    fn color(&self, color: Color, reset: u32) -> u32 {
        let named = |n: usize| self.named[n];
        match color {
            Color::Reset => reset,
            Color::Black => named(0),
            Color::Red => named(1),
            Color::Green => named(2),
            Color::Yellow => named(3),
            Color::Blue => named(4),
            Color::Magenta => named(5),
            Color::Cyan => named(6),
            Color::Gray => named(7),
            Color::DarkGray => named(8),
            Color::LightRed => named(9),
            Color::LightGreen => named(10),
            Color::LightYellow => named(11),
            Color::LightBlue => named(12),
            Color::LightMagenta => named(13),
            Color::LightCyan => named(14),
            Color::White => named(15),
            Color::Rgb(r, g, b) => rgb(r, g, b),
            Color::Indexed(n) => self.indexed(n),
        }
    }

    /// Returns a color of xterm's 256: the palette, a cube of 6 × 6 × 6, and 24 grays.
    fn indexed(&self, n: u8) -> u32 {
        let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
        match n {
            0..16 => self.named[usize::from(n)],
            16..232 => rgb(level((n - 16) / 36), level((n - 16) / 6 % 6), level((n - 16) % 6)),
            232.. => rgb(8 + 10 * (n - 232), 8 + 10 * (n - 232), 8 + 10 * (n - 232)),
        }
    }
}

fn rgb(r: u8, g: u8, b: u8) -> u32 {
    u32::from_be_bytes([0, r, g, b])
}

/// Draws a screen. `title` is the alternative text for readers who cannot see the picture.
pub fn svg(buffer: &Buffer, palette: &Palette, title: &str) -> String {
    let area = buffer.area;
    let (width, height) = (area.width * WIDTH + 2 * PADDING, area.height * HEIGHT + 2 * PADDING);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" font-size=\"15\" \
         font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\">\n\
         <title>{}</title>\n\
         <rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"#{:06x}\" \
         stroke=\"#{:06x}\"/>\n",
        escaped(title),
        width - 1,
        height - 1,
        palette.bg,
        palette.frame
    );
    for y in area.top()..area.bottom() {
        let row = Row { top: (y - area.top()) * HEIGHT + PADDING, palette };
        row.draw(&graphemes(buffer, y, palette), &mut svg);
    }
    svg + "</svg>\n"
}

/// A character of a row: its column, its width in columns, its text and its look.
struct Grapheme<'b> {
    column: u16,
    width: u16,
    text: &'b str,
    look: Look,
}

impl Grapheme<'_> {
    fn left(&self) -> u16 {
        self.column * WIDTH + PADDING
    }

    fn right(&self) -> u16 {
        self.left() + self.width * WIDTH
    }

    fn is_ascii(&self) -> bool {
        self.text.is_ascii()
    }
}

fn graphemes<'b>(buffer: &'b Buffer, y: u16, palette: &Palette) -> Vec<Grapheme<'b>> {
    let mut row = Vec::new();
    let mut x = buffer.area.left();
    while let Some(cell) = buffer.cell((x, y)).filter(|_| x < buffer.area.right()) {
        let text = shown(cell.symbol());
        // The cells behind a wide character belong to it.
        let width = u16::try_from(text.width()).unwrap().max(1);
        let column = x - buffer.area.left();
        row.push(Grapheme { column, width, text, look: Look::of(cell, palette) });
        x += width;
    }
    row
}

/// Returns the text of a cell without escape sequences around it.
fn shown(symbol: &str) -> &str {
    let pinned = symbol.split_once('H').and_then(|(_, rest)| rest.split_once('\x1b'));
    pinned.filter(|_| symbol.contains('\x1b')).map_or(symbol, |(text, _)| text)
}

struct Row<'p> {
    top: u16,
    palette: &'p Palette,
}

impl Row<'_> {
    fn draw(&self, row: &[Grapheme<'_>], svg: &mut String) {
        for run in row.chunk_by(|a, b| a.look.bg == b.look.bg) {
            let bg = run[0].look.bg;
            if bg != self.palette.bg {
                self.rect(run[0].left(), run[run.len() - 1].right(), bg, svg);
            }
        }
        for run in row.chunk_by(|a, b| a.look == b.look) {
            self.shapes(run, svg);
            let is_text = |grapheme: &Grapheme<'_>| !is_shape(grapheme.text);
            for part in
                run.chunk_by(|a, b| is_text(a) && is_text(b) && a.is_ascii() && b.is_ascii())
            {
                self.text(part, svg);
            }
        }
    }

    /// Returns the middle of the row, between two pixels for sharp lines.
    fn middle(&self) -> f32 {
        f32::from(self.top) + 8.5
    }

    fn rect(&self, left: u16, right: u16, color: u32, svg: &mut String) {
        let (top, width) = (self.top, right - left);
        let _ = writeln!(
            svg,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{HEIGHT}\" \
             fill=\"#{color:06x}\"/>"
        );
    }

    /// Writes text, unless it is blank or drawn as a shape.
    fn text(&self, run: &[Grapheme<'_>], svg: &mut String) {
        let inked = |grapheme: &Grapheme<'_>| grapheme.text != " " && !is_shape(grapheme.text);
        let Some(first) = run.iter().position(inked) else { return };
        let last = run.iter().rposition(inked).unwrap_or(first);
        let run = &run[first..=last];
        let (left, look) = (run[0].left(), run[0].look);
        let length = run[run.len() - 1].right() - left;
        let text: String = run.iter().map(|grapheme| escaped(grapheme.text)).collect();
        let _ = writeln!(
            svg,
            "<text x=\"{left}\" y=\"{}\" textLength=\"{length}\" \
             lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\" fill=\"{}>{text}</text>",
            self.top + BASELINE,
            look.attributes()
        );
    }

    /// Draws the lines and the blocks of a run, and the lines under and through its text.
    fn shapes(&self, run: &[Grapheme<'_>], svg: &mut String) {
        let (mut lines, mut blocks) = (String::new(), String::new());
        let mut column = 0;
        while let Some(grapheme) = run.get(column) {
            let same = run[column..].iter().take_while(|next| next.text == grapheme.text).count();
            let right = run[column + same - 1].right();
            let _ = match grapheme.text {
                "─" => write!(lines, "M{} {}H{right}", grapheme.left(), self.middle()),
                "█" => write!(
                    blocks,
                    "M{} {}H{right}v{HEIGHT}H{}z",
                    grapheme.left(),
                    self.top,
                    grapheme.left()
                ),
                _ => Ok(()),
            };
            for grapheme in &run[column..column + same] {
                lines += &self.line(grapheme);
                blocks += &self.block(grapheme);
            }
            column += same;
        }
        let (look, left, right) = (run[0].look, run[0].left(), run[run.len() - 1].right());
        for (modifier, below) in [(Modifier::UNDERLINED, 15), (Modifier::CROSSED_OUT, 9)] {
            if look.modifier.contains(modifier) {
                let _ = write!(lines, "M{left} {}H{right}", self.top + below);
            }
        }
        if !lines.is_empty() {
            let attributes = look.attributes();
            let _ = writeln!(svg, "<path d=\"{lines}\" fill=\"none\" stroke=\"{attributes}/>");
        }
        if !blocks.is_empty() {
            let _ = writeln!(svg, "<path d=\"{blocks}\" fill=\"{}/>", look.attributes());
        }
    }

    /// Returns the SVG path of a box-drawing character, except for `─`.
    fn line(&self, grapheme: &Grapheme<'_>) -> String {
        let (left, right, top) = (grapheme.left(), grapheme.right(), self.top);
        let (x, y, bottom) = (f32::from(left) + 4.5, self.middle(), top + HEIGHT);
        match grapheme.text {
            "│" => format!("M{x} {top}V{bottom}"),
            "┬" => format!("M{left} {y}H{right}M{x} {y}V{bottom}"),
            "╭" => format!("M{x} {bottom}Q{x} {y} {right} {y}"),
            "╮" => format!("M{x} {bottom}Q{x} {y} {left} {y}"),
            "╰" => format!("M{x} {top}Q{x} {y} {right} {y}"),
            "╯" => format!("M{x} {top}Q{x} {y} {left} {y}"),
            _ => String::new(),
        }
    }

    /// Returns the SVG path of a block character that fills only a part of its cell.
    fn block(&self, grapheme: &Grapheme<'_>) -> String {
        let Some(eighths) = "▏▎▍▌▋▊▉".chars().position(|part| grapheme.text.starts_with(part))
        else {
            return String::new();
        };
        let width = f32::from(WIDTH) * f32::from(u8::try_from(eighths + 1).unwrap()) / 8.0;
        let left = grapheme.left();
        format!("M{left} {}h{width}v{HEIGHT}H{left}z", self.top)
    }
}

/// Returns true if a character is drawn as a shape instead of text.
fn is_shape(text: &str) -> bool {
    text.chars().next().is_some_and(|first| "─│┬╭╮╰╯█▏▎▍▌▋▊▉".contains(first))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
