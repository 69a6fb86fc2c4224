//! The look of a page: its stylesheet, and the classes of styled text.
//!
//! The policy of a page allows no `style` attribute, so each color of the terminal has two classes:
//! `f1` for text and `g1` for the background. A 24-bit color gets the nearest of the 256.

use std::fmt::Write as _;

use crate::sanitize::{Color, Style};

/// The stylesheet without the colors of text.
const RULES: &str = include_str!("page.css");

/// Returns the stylesheet of a page.
pub(super) fn stylesheet() -> String {
    let mut rules = RULES.to_owned();
    for index in 0..=255 {
        let [r, g, b] = Color::Indexed(index).rgb();
        let luminance = 299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b);
        let text = if luminance > 128_000 { "#000" } else { "#fff" };
        let color = format!("#{r:02x}{g:02x}{b:02x}");
        // Writing to a String cannot fail.
        let _ = writeln!(rules, ".f{index}{{--x:{color}}}.g{index}{{--k:{color};--t:{text}}}");
    }
    rules
}

/// Returns the classes of a style, separated by spaces; empty for the default style.
pub(super) fn classes(style: Style) -> String {
    let (fg, bg) = if style.reverse { (style.bg, style.fg) } else { (style.fg, style.bg) };
    let switches = [
        (style.bold, "b"),
        (style.dim, "d"),
        (style.italic, "i"),
        (style.underline, "u"),
        (style.strike, "s"),
        // The text has the color of the page if its background has that of text.
        (style.reverse && bg.is_none(), "r"),
        (bg.is_some(), "k"),
    ];
    let mut classes: Vec<String> =
        switches.iter().filter(|(is_on, _)| *is_on).map(|(_, class)| (*class).to_owned()).collect();
    if let Some(fg) = fg.map(index) {
        // The first sixteen colors depend on the theme, the others are mixed with that of text.
        classes.push(if fg < 16 { format!("f{fg} p{fg}") } else { format!("f{fg} m") });
    }
    classes.extend(bg.map(|bg| format!("g{}", index(bg))));
    classes.join(" ")
}

/// Returns the nearest of the 256 colors.
fn index(color: Color) -> u8 {
    match color {
        Color::Indexed(index) => index,
        Color::Rgb(..) => {
            let distance = |index: &u8| {
                let pairs = color.rgb().into_iter().zip(Color::Indexed(*index).rgb());
                pairs.map(|(one, other)| u32::from(one.abs_diff(other)).pow(2)).sum::<u32>()
            };
            (16..=255).min_by_key(distance).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_are_classes() {
        let style = Style::default();
        let red = Some(Color::Indexed(1));
        for (style, expected) in [
            (style, ""),
            (Style { bold: true, fg: red, ..style }, "b f1 p1"),
            (Style { fg: Some(Color::Rgb(255, 135, 1)), ..style }, "f208 m"),
            (Style { bg: Some(Color::Rgb(8, 8, 8)), ..style }, "k g232"),
            (Style { reverse: true, ..style }, "r"),
            (Style { reverse: true, fg: red, ..style }, "k g1"),
            (Style { reverse: true, bg: red, ..style }, "r f1 p1"),
        ] {
            assert_eq!(classes(style), expected);
        }
    }
}
