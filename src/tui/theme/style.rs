//! Styles as text: `bold red`, `black on yellow`, `#d787af`, `underline 208`, `plain`.

use ratatui::style::{Color, Modifier, Style};

use crate::display;

/// The modifiers by their names.
const MODIFIERS: [(&str, Modifier); 6] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underline", Modifier::UNDERLINED),
    ("reverse", Modifier::REVERSED),
    ("strike", Modifier::CROSSED_OUT),
];

/// The sixteen colors as ratatui parses them, and `reset`: the terminal's own color of text or
/// background.
const COLORS: [&str; 17] = [
    "black",
    "red",
    "green",
    "yellow",
    "blue",
    "magenta",
    "cyan",
    "gray",
    "dark-gray",
    "light-red",
    "light-green",
    "light-yellow",
    "light-blue",
    "light-magenta",
    "light-cyan",
    "white",
    "reset",
];

/// The name of the empty style.
const NOTHING: &str = "plain";

/// Parses a style.
///
/// # Errors
/// If a word is unknown or out of place. The error contains a suggestion.
pub fn parse_style(text: &str) -> Result<Style, String> {
    let mut style = Style::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        if let Some((_, modifier)) = MODIFIERS.iter().find(|(name, _)| *name == word) {
            style = style.add_modifier(*modifier);
        } else if word == "on" {
            let ground = words.next().ok_or("missing background color after `on`")?;
            style = style.bg(parse_color(ground)?);
        } else if style.fg.is_some() {
            return Err(format!("second color `{word}`; for the background, write `on {word}`"));
        } else if word != NOTHING {
            style = style.fg(parse_color(word)?);
        }
    }
    Ok(style)
}

fn parse_color(word: &str) -> Result<Color, String> {
    let unknown = || {
        let known = COLORS.into_iter().chain(MODIFIERS.map(|(name, _)| name)).chain([NOTHING]);
        let all = "a style is a color (red, light-red, 0 to 255, #rrggbb), `on` and a background \
                   color, and any of bold, dim, italic, underline, reverse, strike";
        let nearest = display::nearest(word, known)
            .map_or_else(|| all.to_owned(), |name| format!("did you mean `{name}`?"));
        format!("unknown color or attribute `{word}`; {nearest}")
    };
    word.parse().map_err(|_| unknown())
}

/// Formats a style as [`parse_style`] reads it.
#[must_use]
pub fn style_text(style: Style) -> String {
    let modifiers = MODIFIERS.iter().filter(|(_, modifier)| style.add_modifier.contains(*modifier));
    let mut words: Vec<String> = modifiers.map(|(name, _)| (*name).to_owned()).collect();
    words.extend(style.fg.map(color_text));
    words.extend(style.bg.map(|color| format!("on {}", color_text(color))));
    if words.is_empty() { NOTHING.to_owned() } else { words.join(" ") }
}

fn color_text(color: Color) -> String {
    let name = COLORS.into_iter().find(|name| name.parse() == Ok(color));
    name.map_or_else(|| color.to_string().to_lowercase(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{Scheme, Theme};

    #[test]
    fn a_look_is_read_in_words() {
        let plain = Style::new();
        for (text, style) in [
            ("", plain),
            ("plain", plain),
            ("bold red", plain.fg(Color::Red).add_modifier(Modifier::BOLD)),
            ("black on yellow", plain.fg(Color::Black).bg(Color::Yellow)),
            ("on 238 dim", plain.bg(Color::Indexed(238)).add_modifier(Modifier::DIM)),
            ("#d787af", plain.fg(Color::Rgb(0xd7, 0x87, 0xaf))),
            ("light-red", plain.fg(Color::LightRed)),
        ] {
            assert_eq!(parse_style(text), Ok(style), "{text}");
        }
    }

    #[test]
    fn an_unknown_word_is_reported_with_the_nearest() {
        let fault = |text| parse_style(text).unwrap_err();
        assert_eq!(fault("bold rde"), "unknown color or attribute `rde`; did you mean `red`?");
        assert_eq!(fault("blod"), "unknown color or attribute `blod`; did you mean `bold`?");
        assert!(fault("chartreuse").contains("#rrggbb"), "{}", fault("chartreuse"));
        assert!(fault("#12345").contains("#rrggbb"));
        assert!(fault("256").contains("0 to 255"));
        assert_eq!(fault("red on"), "missing background color after `on`");
        assert_eq!(fault("red blue"), "second color `blue`; for the background, write `on blue`");
    }

    #[test]
    fn every_role_of_every_scheme_is_written_as_it_is_read() {
        for scheme in Scheme::ALL {
            let theme = Theme::of(&scheme.into(), true, false);
            for role in Theme::ROLES.iter().filter_map(|name| theme.role(name)) {
                assert_eq!(parse_style(&style_text(role)), Ok(role));
            }
        }
        for name in COLORS {
            assert_eq!(style_text(parse_style(name).unwrap()), name);
        }
    }
}
