//! The color schemes that come with rundown.
//!
//! `dark`, `light` and `high-contrast` use 24-bit colors. Terminals that do not support these
//! colors approximate them. Tests check the contrast of the schemes (WCAG 2): at least 4.5 on the
//! backgrounds they are for, and 7 for `high-contrast`, which sets its own background.

use ratatui::style::{Color, Modifier, Style};

use super::{Signs, Theme};

/// A color scheme.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Scheme {
    /// The terminal's own sixteen colors.
    #[default]
    Default,
    /// Colors for dark backgrounds.
    Dark,
    /// Colors for light backgrounds.
    Light,
    /// Strong colors, and white on black.
    HighContrast,
    /// No colors at all, not even those of logs.
    Monochrome,
}

impl Scheme {
    /// All schemes.
    pub const ALL: [Self; 5] =
        [Self::Default, Self::Dark, Self::Light, Self::HighContrast, Self::Monochrome];

    /// Returns the name of the scheme in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Dark => "dark",
            Self::Light => "light",
            Self::HighContrast => "high-contrast",
            Self::Monochrome => "monochrome",
        }
    }

    /// Returns the scheme with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.name() == name)
    }

    pub(super) const fn theme(self, signs: &'static Signs) -> Theme {
        match self {
            Self::Default => default(signs),
            Self::Dark => dark(signs),
            Self::Light => light(signs),
            Self::HighContrast => high_contrast(signs),
            Self::Monochrome => monochrome(signs),
        }
    }
}

const PLAIN: Style = Style::new();
const BOLD: Style = PLAIN.add_modifier(Modifier::BOLD);
const BLACK: Color = Color::Rgb(0, 0, 0);
const WHITE: Color = Color::Rgb(255, 255, 255);

const fn rgb(color: u32) -> Color {
    let [_, r, g, b] = color.to_be_bytes();
    Color::Rgb(r, g, b)
}

const fn fg(color: u32) -> Style {
    PLAIN.fg(rgb(color))
}

const fn default(signs: &'static Signs) -> Theme {
    let accent = BOLD.fg(Color::Blue);
    Theme {
        ok: PLAIN.fg(Color::Green),
        bad: PLAIN.fg(Color::Red),
        active: PLAIN.fg(Color::Cyan),
        warn: PLAIN.fg(Color::Yellow),
        muted: PLAIN.add_modifier(Modifier::DIM),
        accent,
        focus: accent,
        stderr: PLAIN.fg(Color::Magenta),
        found: PLAIN.fg(Color::Black).bg(Color::Yellow),
        selection: PLAIN.add_modifier(Modifier::REVERSED),
        selection_behind: PLAIN.fg(Color::White).bg(Color::DarkGray),
        strong: BOLD,
        heading: BOLD,
        group: PLAIN.fg(Color::Cyan),
        card: PLAIN.fg(Color::Red),
        bar: PLAIN.fg(Color::Blue),
        ..Theme::plain(signs, true)
    }
}

const fn dark(signs: &'static Signs) -> Theme {
    let accent = BOLD.fg(rgb(0x87_af_ff));
    Theme {
        ok: fg(0x87_d7_87),
        bad: fg(0xff_87_87),
        active: fg(0x5f_d7_ff),
        warn: fg(0xff_d7_5f),
        muted: fg(0xa0_a0_a0),
        accent,
        focus: accent,
        stderr: fg(0xd7_af_ff),
        found: PLAIN.fg(BLACK).bg(rgb(0xff_d7_5f)),
        selection: PLAIN.fg(BLACK).bg(rgb(0x9f_c5_ff)),
        selection_behind: PLAIN.fg(WHITE).bg(rgb(0x2c_34_44)),
        strong: BOLD.fg(WHITE),
        heading: BOLD.fg(WHITE),
        group: fg(0x87_d7_d7),
        card: fg(0xff_af_5f),
        bar: fg(0x87_9f_d7),
        ..Theme::plain(signs, true)
    }
}

const fn light(signs: &'static Signs) -> Theme {
    let accent = BOLD.fg(rgb(0x00_44_aa));
    Theme {
        ok: fg(0x00_64_00),
        bad: fg(0xb0_00_00),
        active: fg(0x00_5f_87),
        warn: fg(0x7a_4a_00),
        muted: fg(0x55_55_55),
        accent,
        focus: accent,
        stderr: fg(0x7a_1f_7a),
        found: PLAIN.fg(BLACK).bg(rgb(0xff_d7_5f)),
        selection: PLAIN.fg(WHITE).bg(rgb(0x00_44_aa)),
        selection_behind: PLAIN.fg(BLACK).bg(rgb(0xdd_e8_fa)),
        strong: BOLD.fg(BLACK),
        heading: BOLD.fg(BLACK),
        group: fg(0x00_5f_5f),
        card: fg(0x8a_3b_00),
        bar: fg(0x3f_55_9f),
        ..Theme::plain(signs, true)
    }
}

const fn high_contrast(signs: &'static Signs) -> Theme {
    let yellow = rgb(0xff_ff_00);
    Theme {
        base: PLAIN.fg(WHITE).bg(BLACK),
        ok: fg(0x00_ff_7f),
        bad: BOLD.fg(rgb(0xff_8f_8f)),
        active: fg(0x00_ff_ff),
        warn: fg(0xff_ff_00),
        muted: fg(0xc8_c8_c8),
        accent: BOLD.fg(yellow),
        focus: BOLD.fg(BLACK).bg(yellow),
        stderr: fg(0xff_a8_ff),
        found: PLAIN.fg(BLACK).bg(yellow),
        selection: BOLD.fg(BLACK).bg(WHITE),
        selection_behind: PLAIN.fg(WHITE).bg(rgb(0x30_30_30)),
        strong: BOLD.fg(WHITE),
        heading: BOLD.fg(WHITE).add_modifier(Modifier::UNDERLINED),
        group: BOLD.fg(rgb(0x00_ff_ff)),
        card: fg(0xff_ff_00),
        bar: fg(0x8f_c8_ff),
        ..Theme::plain(signs, true)
    }
}

const fn monochrome(signs: &'static Signs) -> Theme {
    let reversed = PLAIN.add_modifier(Modifier::REVERSED);
    Theme {
        bad: BOLD,
        active: BOLD,
        warn: BOLD,
        muted: PLAIN.add_modifier(Modifier::DIM),
        accent: BOLD,
        focus: BOLD.add_modifier(Modifier::REVERSED),
        found: reversed,
        selection: reversed,
        strong: BOLD,
        heading: BOLD,
        group: PLAIN.add_modifier(Modifier::UNDERLINED),
        ..Theme::plain(signs, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the relative luminance of a color (WCAG 2).
    fn luminance(color: Color) -> f64 {
        let Color::Rgb(r, g, b) = color else { panic!("{color} depends on the terminal") };
        let linear = |channel: u8| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }

    /// Returns the contrast of two colors (WCAG 2), from 1 to 21.
    fn contrast(one: Color, other: Color) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn contrast_is_as_defined() {
        assert!((contrast(BLACK, WHITE) - 21.0).abs() < 0.01);
        assert!((contrast(rgb(0x76_76_76), WHITE) - 4.54).abs() < 0.01);
    }

    #[test]
    fn every_role_can_be_read_on_the_backgrounds_it_is_for() {
        for (scheme, grounds, least) in [
            (Scheme::Dark, [0x00_00_00, 0x28_28_28], 4.5),
            (Scheme::Light, [0xff_ff_ff, 0xee_ee_ee], 4.5),
            (Scheme::HighContrast, [0x00_00_00, 0x00_00_00], 7.0),
        ] {
            let theme = Theme::of(&scheme.into(), true, false);
            for name in
                Theme::ROLES.iter().filter(|name| **name != "base" || theme.base.fg.is_some())
            {
                let style = theme.role(name).unwrap();
                for ground in grounds {
                    let (fg, bg) = (style.fg.unwrap(), style.bg.unwrap_or(rgb(ground)));
                    let ratio = contrast(fg, bg);
                    assert!(
                        ratio >= least,
                        "{name} of {}: {fg} on {bg} is {ratio:.2}",
                        scheme.name()
                    );
                }
            }
        }
    }

    #[test]
    fn the_default_has_the_terminal_s_own_colors_only() {
        let theme = Theme::new(true, false);
        for name in Theme::ROLES {
            let style = theme.role(name).unwrap();
            let of_terminal =
                |color: Option<Color>| !matches!(color, Some(Color::Rgb(..) | Color::Indexed(_)));
            assert!(of_terminal(style.fg) && of_terminal(style.bg), "{name}");
        }
    }
}
