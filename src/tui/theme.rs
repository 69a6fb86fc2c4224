//! Colours and signs by what they mean, never by what they look like.
//!
//! The default uses the terminal's own sixteen colours, so it fits light and dark ones. Without colour the same roles are told
//! apart by reverse video, bold and underline. Without Unicode every sign has a plain one of the same width.

use ratatui::style::{Color, Modifier, Style};

use crate::sanitise;
use crate::words::Mark;

/// How things look.
#[derive(Clone, Debug)]
pub struct Theme {
    /// Passed.
    pub ok: Style,
    /// Failed.
    pub bad: Style,
    /// Running.
    pub active: Style,
    /// Asks for attention: interrupted, unknown, a fault.
    pub warn: Style,
    /// What is there when one looks for it.
    pub muted: Style,
    /// Names of keys, and the lines around what has the focus.
    pub accent: Style,
    /// The heading of what has the focus.
    pub focus: Style,
    /// Rows of standard error that bring no colour of their own.
    pub stderr: Style,
    /// What was searched for.
    pub found: Style,
    /// The selected row of the pane with the focus.
    pub selection: Style,
    /// Headings.
    pub strong: Style,
    /// The signs.
    pub signs: &'static Signs,
    colour: bool,
}

/// The signs that frame and mark, each one column wide.
#[derive(Debug)]
pub struct Signs {
    /// Something was cut here.
    pub ellipsis: &'static str,
    /// A line across.
    pub rule: &'static str,
    /// A line down between panes.
    pub bar: &'static str,
    /// Where a line down leaves a line across.
    pub tee: &'static str,
    /// Between facts.
    pub dot: &'static str,
    /// The row goes on to the right.
    pub more: &'static str,
    /// The selected row of a pane without the focus.
    pub here: &'static str,
    /// The part of a log that is on screen, in the bar beside it.
    pub thumb: &'static str,
    /// What this row heads is shown.
    pub open: &'static str,
    /// What this row heads is folded away.
    pub folded: &'static str,
    ascii: bool,
}

const UNICODE: Signs = Signs {
    ellipsis: "…",
    rule: "─",
    bar: "│",
    tee: "┬",
    dot: "·",
    more: "›",
    here: "▌",
    thumb: "█",
    open: "▾",
    folded: "▸",
    ascii: false,
};
const ASCII: Signs = Signs {
    ellipsis: "~",
    rule: "-",
    bar: "|",
    tee: "+",
    dot: "-",
    more: ">",
    here: ">",
    thumb: "#",
    open: "v",
    folded: ">",
    ascii: true,
};

impl Signs {
    /// The sign of a state.
    #[must_use]
    pub const fn mark(&self, mark: Mark) -> &'static str {
        if self.ascii { mark.ascii_glyph() } else { mark.glyph() }
    }

    /// A bar of `columns` columns, filled by a share of a whole: in eighths of a column, or in whole ones.
    #[must_use]
    pub fn share(&self, part: i64, whole: i64, columns: u16) -> String {
        let steps = u64::from(columns) * if self.ascii { 1 } else { 8 };
        let whole = u64::try_from(whole).unwrap_or(0).max(1);
        let part = u64::try_from(part).unwrap_or(0).min(whole);
        // Whatever took time has a step.
        let filled = u64::try_from((u128::from(part) * u128::from(steps)).div_ceil(u128::from(whole))).unwrap_or(steps);
        let bar = if self.ascii {
            "#".repeat(usize::try_from(filled).unwrap_or(0))
        } else {
            let last = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"].get(usize::try_from(filled % 8).unwrap_or(0));
            "█".repeat(usize::try_from(filled / 8).unwrap_or(0)) + last.unwrap_or(&"")
        };
        format!("{bar:<width$}", width = usize::from(columns))
    }

    /// The name of a key for the screen.
    #[must_use]
    pub fn key(&self, name: &'static str) -> &'static str {
        match (name, self.ascii) {
            ("Down", false) => "↓",
            ("Up", false) => "↑",
            ("Left", false) => "←",
            ("Right", false) => "→",
            ("PageDown", _) => "PgDn",
            ("PageUp", _) => "PgUp",
            _ => name,
        }
    }
}

impl Theme {
    /// The default look, with or without colour and Unicode.
    #[must_use]
    pub fn new(colour: bool, ascii: bool) -> Self {
        let signs = if ascii { &ASCII } else { &UNICODE };
        if colour { Self::colourful(signs) } else { Self::monochrome(signs) }
    }

    /// Whether it has colours at all.
    #[must_use]
    pub const fn has_colour(&self) -> bool {
        self.colour
    }

    const fn colourful(signs: &'static Signs) -> Self {
        let plain = Style::new();
        Self {
            ok: plain.fg(Color::Green),
            bad: plain.fg(Color::Red),
            active: plain.fg(Color::Cyan),
            warn: plain.fg(Color::Yellow),
            muted: plain.add_modifier(Modifier::DIM),
            accent: plain.fg(Color::Blue).add_modifier(Modifier::BOLD),
            focus: plain.fg(Color::Blue).add_modifier(Modifier::BOLD),
            stderr: plain.fg(Color::Magenta),
            found: plain.fg(Color::Black).bg(Color::Yellow),
            selection: plain.add_modifier(Modifier::REVERSED),
            strong: plain.add_modifier(Modifier::BOLD),
            signs,
            colour: true,
        }
    }

    const fn monochrome(signs: &'static Signs) -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        Self {
            ok: plain,
            bad: bold,
            active: bold,
            warn: bold,
            muted: plain.add_modifier(Modifier::DIM),
            accent: bold,
            focus: bold.add_modifier(Modifier::REVERSED),
            stderr: plain,
            found: plain.add_modifier(Modifier::REVERSED),
            selection: plain.add_modifier(Modifier::REVERSED),
            strong: bold,
            signs,
            colour: false,
        }
    }

    /// The look of a state.
    #[must_use]
    pub const fn mark(&self, mark: Mark) -> Style {
        match mark {
            Mark::Passed => self.ok,
            Mark::Failed => self.bad,
            Mark::Active => self.active,
            Mark::Interrupted | Mark::Unknown | Mark::Stopped => self.warn,
            Mark::Queued | Mark::Skipped => self.muted,
        }
    }

    /// The look of a piece of a log, over the look of its row.
    #[must_use]
    pub fn span(&self, base: Style, span: sanitise::Style) -> Style {
        let mut style = base;
        if self.colour {
            if let Some(fg) = span.fg {
                style = style.fg(colour(fg));
            }
            if let Some(bg) = span.bg {
                style = style.bg(colour(bg));
            }
        }
        for (on, modifier) in [
            (span.bold, Modifier::BOLD),
            (span.dim, Modifier::DIM),
            (span.italic, Modifier::ITALIC),
            (span.underline, Modifier::UNDERLINED),
            (span.reverse, Modifier::REVERSED),
            (span.strike, Modifier::CROSSED_OUT),
        ] {
            if on {
                style = style.add_modifier(modifier);
            }
        }
        style
    }
}

/// The lower sixteen by their names: terminals with few colours know those escapes only.
const fn colour(colour: sanitise::Colour) -> Color {
    match colour {
        sanitise::Colour::Rgb(r, g, b) => Color::Rgb(r, g, b),
        sanitise::Colour::Indexed(0) => Color::Black,
        sanitise::Colour::Indexed(1) => Color::Red,
        sanitise::Colour::Indexed(2) => Color::Green,
        sanitise::Colour::Indexed(3) => Color::Yellow,
        sanitise::Colour::Indexed(4) => Color::Blue,
        sanitise::Colour::Indexed(5) => Color::Magenta,
        sanitise::Colour::Indexed(6) => Color::Cyan,
        sanitise::Colour::Indexed(7) => Color::Gray,
        sanitise::Colour::Indexed(8) => Color::DarkGray,
        sanitise::Colour::Indexed(9) => Color::LightRed,
        sanitise::Colour::Indexed(10) => Color::LightGreen,
        sanitise::Colour::Indexed(11) => Color::LightYellow,
        sanitise::Colour::Indexed(12) => Color::LightBlue,
        sanitise::Colour::Indexed(13) => Color::LightMagenta,
        sanitise::Colour::Indexed(14) => Color::LightCyan,
        sanitise::Colour::Indexed(15) => Color::White,
        sanitise::Colour::Indexed(n) => Color::Indexed(n),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_no_role_and_no_span_has_one() {
        let theme = Theme::new(false, false);
        let span = sanitise::Style { fg: Some(sanitise::Colour::Rgb(1, 2, 3)), bold: true, ..Default::default() };
        let styles =
            [theme.ok, theme.bad, theme.active, theme.warn, theme.accent, theme.stderr, theme.span(theme.ok, span)];
        assert!(styles.iter().all(|style| style.fg.is_none() && style.bg.is_none()));
        assert!(theme.selection.add_modifier.contains(Modifier::REVERSED));
        assert!(theme.span(theme.ok, span).add_modifier.contains(Modifier::BOLD));
    }

    #[test]
    fn a_bar_shows_a_share_and_never_leaves_its_columns() {
        let (eighths, plain) = (&UNICODE, &ASCII);
        let bars =
            |signs: &Signs| [(0, 8), (1, 1000), (1, 2), (9, 8), (1, 0), (-1, 8)].map(|(a, b)| signs.share(a, b, 4));
        assert_eq!(bars(eighths), ["    ", "▏   ", "██  ", "████", "████", "    "]);
        assert_eq!(bars(plain), ["    ", "#   ", "##  ", "####", "####", "    "]);
        assert_eq!(eighths.share(i64::MAX, i64::MAX, 4), "████");
    }

    #[test]
    fn without_unicode_every_sign_is_plain() {
        let signs = Theme::new(true, true).signs;
        let marks = [Mark::Passed, Mark::Failed, Mark::Active, Mark::Queued, Mark::Skipped, Mark::Stopped];
        let all = [signs.ellipsis, signs.rule, signs.bar, signs.tee, signs.dot, signs.more, signs.key("Down")];
        assert!(all.iter().all(|sign| sign.is_ascii()));
        assert!(marks.iter().all(|mark| signs.mark(*mark).is_ascii()));
    }
}
