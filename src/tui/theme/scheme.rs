//! The color schemes that come with rundown.
//!
//! `dark`, `light` and `high-contrast` use 24-bit colors. Terminals that do not support these
//! colors approximate them. Tests check the contrast of the schemes (WCAG 2): at least 4.5 on the
//! backgrounds they are for and on selected rows, and 7 for `high-contrast`, which sets its own
//! background. Lines between panes need less: they are not text.

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

/// Returns the scheme of the terminal's own colors.
///
/// The background is unknown, so no color may depend on it. The contrasts below are those of the
/// palettes of 18 terminals and themes on their own backgrounds, dark and light.
///
/// The accent is light magenta. Apart from red, which means failed, it has the highest minimum
/// contrast: 2.8, and below 3 in only one palette. The minimum of blue is 1.6, and below 3 on seven
/// backgrounds: it is too dark on most dark ones. Cyan and green are too bright for light ones.
///
/// The selection is black on light cyan, the only pair of colors with at least 4 in all palettes.
/// The weaker selection is white on a gray halfway between black and white: the gray stands out on
/// dark and on light terminals, with a contrast of 4.5 to the text. The sixteen colors have no such
/// gray (dark gray is the background itself in some palettes), and several terminals (kitty, foot)
/// dim the text rather than the background of dim reverse video. So the gray is one of the 256
/// colors, which no palette changes.
const fn default(signs: &'static Signs) -> Theme {
    let accent = BOLD.fg(Color::LightMagenta);
    Theme {
        ok: PLAIN.fg(Color::Green),
        bad: PLAIN.fg(Color::Red),
        active: PLAIN.fg(Color::Cyan),
        warn: PLAIN.fg(Color::Yellow),
        muted: PLAIN.add_modifier(Modifier::DIM),
        border: PLAIN.add_modifier(Modifier::DIM),
        accent,
        focus: accent,
        stderr: PLAIN.fg(Color::Magenta),
        found: PLAIN.fg(Color::Black).bg(Color::Yellow),
        selection: PLAIN.fg(Color::Black).bg(Color::LightCyan),
        selection_unfocused: PLAIN.fg(Color::Indexed(231)).bg(Color::Indexed(243)),
        strong: BOLD,
        heading: BOLD,
        group: PLAIN.fg(Color::Cyan),
        card: PLAIN.fg(Color::Red),
        bar: PLAIN.fg(Color::Magenta),
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
        muted: fg(0xa8_a8_a8),
        border: fg(0x6c_6c_6c),
        accent,
        focus: accent,
        stderr: fg(0xd7_af_ff),
        found: PLAIN.fg(BLACK).bg(rgb(0xff_d7_5f)),
        selection: PLAIN.bg(rgb(0x23_3c_68)),
        selection_unfocused: PLAIN.bg(rgb(0x34_34_34)),
        strong: BOLD.fg(WHITE),
        heading: BOLD.fg(WHITE),
        group: fg(0x87_d7_d7),
        card: fg(0xff_af_5f),
        bar: fg(0x8f_a8_e0),
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
        border: fg(0x9a_9a_9a),
        accent,
        focus: accent,
        stderr: fg(0x7a_1f_7a),
        found: PLAIN.fg(BLACK).bg(rgb(0xff_d7_5f)),
        selection: PLAIN.bg(rgb(0xc4_dc_ff)),
        selection_unfocused: PLAIN.bg(rgb(0xe0_e0_e0)),
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
        border: fg(0xc8_c8_c8),
        accent: BOLD.fg(yellow),
        focus: BOLD.fg(BLACK).bg(yellow),
        stderr: fg(0xff_a8_ff),
        found: PLAIN.fg(BLACK).bg(yellow),
        selection: BOLD.fg(BLACK).bg(WHITE),
        selection_unfocused: BOLD.fg(WHITE).bg(rgb(0x44_44_44)),
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
        border: PLAIN.add_modifier(Modifier::DIM),
        accent: BOLD,
        focus: BOLD.add_modifier(Modifier::REVERSED),
        found: reversed,
        selection: reversed,
        selection_unfocused: BOLD.add_modifier(Modifier::UNDERLINED),
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

    /// The schemes with colors of their own, the backgrounds they are for, and the least contrast.
    const OWN: [(Scheme, [u32; 2], f64); 3] = [
        (Scheme::Dark, [0x00_00_00, 0x28_28_28], 4.5),
        (Scheme::Light, [0xff_ff_ff, 0xee_ee_ee], 4.5),
        (Scheme::HighContrast, [0x00_00_00, 0x00_00_00], 7.0),
    ];

    #[test]
    fn every_role_can_be_read_on_the_backgrounds_it_is_for() {
        for (scheme, grounds, least) in OWN {
            let theme = Theme::of(&scheme.into(), true, false);
            let texts = Theme::ROLES.iter().filter_map(|name| Some((name, theme.role(name)?)));
            for (name, style) in texts.filter(|(_, style)| style.fg.is_some()) {
                let least = if *name == "border" { 2.4 } else { least };
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
    fn every_role_can_be_read_in_a_selected_row_that_keeps_the_colors_of_its_text() {
        for (scheme, _, least) in OWN {
            let theme = Theme::of(&scheme.into(), true, false);
            let own = theme.base.fg.unwrap_or(if scheme == Scheme::Light { BLACK } else { WHITE });
            for selection in [theme.selection, theme.selection_unfocused] {
                let bg = selection.bg.unwrap();
                let in_rows = [theme.ok, theme.bad, theme.active, theme.warn, theme.muted];
                let in_rows = in_rows.into_iter().chain([theme.accent, theme.strong, theme.bar]);
                let colors = in_rows.filter_map(|style| style.fg).chain([own]);
                for fg in colors.map(|fg| selection.fg.unwrap_or(fg)) {
                    let ratio = contrast(fg, bg);
                    assert!(ratio >= least, "{}: {fg} on {bg} is {ratio:.2}", scheme.name());
                }
            }
        }
    }

    #[test]
    fn a_selected_row_is_weaker_in_a_pane_without_the_focus() {
        for (scheme, grounds, _) in OWN {
            let theme = Theme::of(&scheme.into(), true, false);
            for ground in grounds {
                let of = |style: Style| contrast(style.bg.unwrap(), rgb(ground));
                let (strong, weak) = (of(theme.selection), of(theme.selection_unfocused));
                assert!(strong > weak && weak >= 1.1, "{}: {strong}, {weak}", scheme.name());
            }
        }
        // 231 and 243 of the 256 colors.
        let (white, gray) = (WHITE, rgb(0x76_76_76));
        assert!(contrast(white, gray) >= 4.5 && contrast(gray, BLACK) >= 4.5);
        for scheme in Scheme::ALL {
            let theme = Theme::of(&scheme.into(), true, false);
            assert_ne!(theme.selection, theme.selection_unfocused, "{}", scheme.name());
        }
    }

    #[test]
    fn the_default_has_the_terminal_s_own_colors_except_a_gray() {
        let theme = Theme::new(true, false);
        for name in Theme::ROLES.iter().filter(|name| **name != "selection-unfocused") {
            let style = theme.role(name).unwrap();
            let of_terminal =
                |color: Option<Color>| !matches!(color, Some(Color::Rgb(..) | Color::Indexed(_)));
            assert!(of_terminal(style.fg) && of_terminal(style.bg), "{name}");
        }
    }
}
