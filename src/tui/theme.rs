//! Colors and signs by meaning, not by appearance.
//!
//! The default scheme uses the terminal's own sixteen colors and a gray, so it fits light and dark
//! terminals; the other [`Scheme`]s define their own colors. Without color, reverse video, bold and
//! underline distinguish the roles. Without Unicode, every sign has an ASCII form of the same
//! width.

mod scheme;
mod style;

use ratatui::style::{Color, Modifier, Style};

use crate::display::Status;
use crate::sanitize;
use crate::tui::keymap::{Key, Keys};

pub use scheme::Scheme;
pub use style::{parse_style, style_text};

/// Declares the roles with their names in a configuration.
macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident = $name:literal),* $(,)?) => {
        /// The styles of the roles, and the signs.
        #[derive(Clone, Debug)]
        pub struct Theme {
            $($(#[$doc])* pub $role: Style,)*
            /// The signs.
            pub signs: &'static Signs,
            color: bool,
        }

        impl Theme {
            /// The names of the roles in a configuration.
            pub const ROLES: &[&str] = &[$($name),*];

            /// Returns the style of a role by its name.
            #[must_use]
            pub fn role(&self, name: &str) -> Option<Style> {
                match name { $($name => Some(self.$role),)* _ => None }
            }

            fn role_mut(&mut self, name: &str) -> Option<&mut Style> {
                match name { $($name => Some(&mut self.$role),)* _ => None }
            }

            /// Returns a theme in which every role has the plain style.
            const fn plain(signs: &'static Signs, color: bool) -> Self {
                Self { $($role: Style::new(),)* signs, color }
            }
        }
    };
}

roles! {
    /// The background of the whole screen.
    base = "base",
    /// The state "passed".
    ok = "ok",
    /// The state "failed".
    bad = "bad",
    /// The state "running".
    active = "active",
    /// A state that needs attention: interrupted, unknown, faulty.
    warn = "warn",
    /// Secondary text.
    muted = "muted",
    /// The lines between panes.
    border = "border",
    /// The names of keys, and the line above the focused pane.
    accent = "accent",
    /// The title of the focused pane.
    focus = "focus",
    /// The sign of standard error.
    stderr = "stderr",
    /// Matches of the search.
    found = "match",
    /// The selected row of the focused pane. A style without a text color keeps the colors of the
    /// row.
    selection = "selection",
    /// The selected row of a pane without the focus, which also has a sign at its left edge.
    selection_unfocused = "selection-unfocused",
    /// Headings.
    strong = "strong",
    /// The heading of a command in the log's pane.
    heading = "heading",
    /// The heading of a group of rows.
    group = "group",
    /// The mark beside the rows of the likely cause.
    card = "card",
    /// A bar that shows a share.
    bar = "bar",
}

/// The theme that a user has chosen.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ThemeChoice {
    /// The color scheme.
    pub scheme: Scheme,
    /// The roles with another style, by their names.
    pub roles: Vec<(&'static str, Style)>,
}

/// The signs of frames and marks, each one column wide.
#[derive(Debug)]
pub struct Signs {
    /// The end of text that was cut.
    pub ellipsis: &'static str,
    /// A horizontal line.
    pub rule: &'static str,
    /// A vertical line between panes.
    pub bar: &'static str,
    /// The joint of a vertical line with a horizontal line above it.
    pub tee: &'static str,
    /// The separator of facts.
    pub dot: &'static str,
    /// The mark at the left edge of a row of which the beginning is scrolled out.
    pub before: &'static str,
    /// The end of a row that continues to the right.
    pub more: &'static str,
    /// The current row of a log, and the selected row of a pane without the focus.
    pub here: &'static str,
    /// The visible part of a log, in the bar beside it.
    pub thumb: &'static str,
    /// A heading that is open.
    pub open: &'static str,
    /// A heading that is folded.
    pub folded: &'static str,
    ascii: bool,
}

const UNICODE: Signs = Signs {
    ellipsis: "…",
    rule: "─",
    bar: "│",
    tee: "┬",
    dot: "·",
    before: "‹",
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
    before: "<",
    more: ">",
    here: ">",
    thumb: "#",
    open: "v",
    folded: ">",
    ascii: true,
};

impl Signs {
    /// Returns the sign of a state.
    #[must_use]
    pub const fn status(&self, status: Status) -> &'static str {
        if self.ascii { status.ascii_glyph() } else { status.glyph() }
    }

    /// Formats a bar of `columns` columns that is filled by `part` of `whole`, in steps of an
    /// eighth of a column, or of a column in ASCII.
    #[must_use]
    pub fn share(&self, part: i64, whole: i64, columns: u16) -> String {
        let steps = u64::from(columns) * if self.ascii { 1 } else { 8 };
        let whole = u64::try_from(whole).unwrap_or(0).max(1);
        let part = u64::try_from(part).unwrap_or(0).min(whole);
        // Anything above zero fills at least one step.
        let filled =
            u64::try_from((u128::from(part) * u128::from(steps)).div_ceil(u128::from(whole)))
                .unwrap_or(steps);
        let bar = if self.ascii {
            "#".repeat(usize::try_from(filled).unwrap_or(0))
        } else {
            let last = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
                .get(usize::try_from(filled % 8).unwrap_or(0));
            "█".repeat(usize::try_from(filled / 8).unwrap_or(0)) + last.unwrap_or(&"")
        };
        format!("{bar:<width$}", width = usize::from(columns))
    }

    /// Formats the names of keys for the screen.
    #[must_use]
    pub fn keys(&self, keys: &Keys) -> String {
        keys.as_slice().iter().map(|key| self.key(*key)).collect::<Vec<_>>().join(" ")
    }

    fn key(&self, key: Key) -> String {
        let name = key.to_string();
        let short = match (&*name, self.ascii) {
            ("Down", false) => "↓",
            ("Up", false) => "↑",
            ("Left", false) => "←",
            ("Right", false) => "→",
            ("PageDown", _) => "PgDn",
            ("PageUp", _) => "PgUp",
            _ => return name,
        };
        short.to_owned()
    }

    /// Returns the plus-minus sign.
    #[must_use]
    pub const fn around(&self) -> &'static str {
        if self.ascii { "+-" } else { "±" }
    }
}

impl Theme {
    /// Returns the default theme, with or without color and Unicode.
    #[must_use]
    pub fn new(color: bool, ascii: bool) -> Self {
        Self::of(&ThemeChoice::default(), color, ascii)
    }

    /// Returns the chosen theme, with or without Unicode; without color, the monochrome one,
    /// whatever the choice.
    #[must_use]
    pub fn of(look: &ThemeChoice, color: bool, ascii: bool) -> Self {
        let signs = if ascii { &ASCII } else { &UNICODE };
        if !color {
            return Scheme::Monochrome.theme(signs);
        }
        let mut theme = look.scheme.theme(signs);
        for (name, style) in &look.roles {
            if let Some(role) = theme.role_mut(name) {
                *role = *style;
            }
        }
        theme
    }

    /// Returns true if the theme has colors.
    #[must_use]
    pub const fn has_color(&self) -> bool {
        self.color
    }

    /// Returns the style of a state.
    #[must_use]
    pub const fn status(&self, status: Status) -> Style {
        match status {
            Status::Passed => self.ok,
            Status::Failed => self.bad,
            Status::Active | Status::Waiting => self.active,
            Status::Interrupted | Status::Unknown | Status::Stopped => self.warn,
            Status::Queued | Status::Skipped => self.muted,
        }
    }

    /// Returns the style of a piece of a log, over the style of its row. Colors that would be
    /// unreadable on this theme's background are left out.
    #[must_use]
    pub fn span(&self, base: Style, span: sanitize::Style) -> Style {
        let mut style = base;
        if self.color {
            style.fg = span.fg.map(color).or(base.fg);
            style.bg = span.bg.map(color).or(base.bg);
            if self.hides(style) {
                (style.fg, style.bg) = (base.fg, base.bg);
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

    /// Returns the style of a match in text of the given style.
    #[must_use]
    pub fn marked(&self, style: Style) -> Style {
        let marked = style.patch(self.found);
        if self.hides(marked) { self.found } else { marked }
    }

    /// Returns true if this style of a cell is that of a match.
    #[must_use]
    pub fn is_mark(&self, cell: Style) -> bool {
        self.found.bg.is_none_or(|bg| cell.bg == Some(bg))
            && cell.add_modifier.contains(self.found.add_modifier)
    }

    /// Returns the style of a marked cell in a selected row. Without color, the row is already in
    /// reverse video, so the mark is bold and underlined instead.
    #[must_use]
    pub fn mark_in(&self, mark: Style, selected: Style) -> Style {
        let reversed = Modifier::REVERSED;
        if self.found.bg.is_none() && selected.add_modifier.contains(reversed) {
            let mark = mark.remove_modifier(reversed);
            return mark.add_modifier(Modifier::BOLD | Modifier::UNDERLINED);
        }
        mark
    }

    /// Returns true if text of the given style cannot be distinguished from its background.
    fn hides(&self, style: Style) -> bool {
        let fg = style.fg.or(self.base.fg).and_then(sanitized);
        let bg = style.bg.or(self.base.bg).and_then(sanitized);
        fg.zip(bg).is_some_and(|(fg, bg)| sanitize::are_alike(fg, bg))
    }
}

/// Reverses [`color`]. Returns `None` for the terminal's own color.
fn sanitized(found: Color) -> Option<sanitize::Color> {
    match found {
        Color::Rgb(r, g, b) => Some(sanitize::Color::Rgb(r, g, b)),
        Color::Indexed(n) => Some(sanitize::Color::Indexed(n)),
        named => (0..16).map(sanitize::Color::Indexed).find(|indexed| color(*indexed) == named),
    }
}

/// Converts a color. The first sixteen indexed colors become named colors: terminals with few
/// colors support only their escape sequences.
const fn color(color: sanitize::Color) -> Color {
    match color {
        sanitize::Color::Rgb(r, g, b) => Color::Rgb(r, g, b),
        sanitize::Color::Indexed(0) => Color::Black,
        sanitize::Color::Indexed(1) => Color::Red,
        sanitize::Color::Indexed(2) => Color::Green,
        sanitize::Color::Indexed(3) => Color::Yellow,
        sanitize::Color::Indexed(4) => Color::Blue,
        sanitize::Color::Indexed(5) => Color::Magenta,
        sanitize::Color::Indexed(6) => Color::Cyan,
        sanitize::Color::Indexed(7) => Color::Gray,
        sanitize::Color::Indexed(8) => Color::DarkGray,
        sanitize::Color::Indexed(9) => Color::LightRed,
        sanitize::Color::Indexed(10) => Color::LightGreen,
        sanitize::Color::Indexed(11) => Color::LightYellow,
        sanitize::Color::Indexed(12) => Color::LightBlue,
        sanitize::Color::Indexed(13) => Color::LightMagenta,
        sanitize::Color::Indexed(14) => Color::LightCyan,
        sanitize::Color::Indexed(15) => Color::White,
        sanitize::Color::Indexed(n) => Color::Indexed(n),
    }
}

impl From<Scheme> for ThemeChoice {
    fn from(scheme: Scheme) -> Self {
        Self { scheme, roles: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_color_no_role_and_no_span_has_one() {
        let theme = Theme::new(false, false);
        let span = sanitize::Style {
            fg: Some(sanitize::Color::Rgb(1, 2, 3)),
            bold: true,
            ..Default::default()
        };
        let roles = Theme::ROLES.iter().filter_map(|name| theme.role(name));
        let mut styles = roles.chain([theme.span(theme.ok, span)]);
        assert!(styles.all(|style| style.fg.is_none() && style.bg.is_none()));
        assert!(theme.selection.add_modifier.contains(Modifier::REVERSED));
        assert!(theme.span(theme.ok, span).add_modifier.contains(Modifier::BOLD));
    }

    #[test]
    fn no_text_of_a_log_is_hidden_by_a_background() {
        use sanitize::Color::{Indexed, Rgb};
        let of = |fg, bg| sanitize::Style { fg, bg, ..Default::default() };
        let high = Theme::of(&Scheme::HighContrast.into(), true, false);
        let black_on = |theme: &Theme, base| theme.span(base, of(Some(Rgb(0, 0, 0)), None)).fg;
        assert_eq!(black_on(&high, Style::new()), None, "it would be black on the theme's black");
        assert_eq!(black_on(&high, high.stderr), high.stderr.fg);
        assert_eq!(high.span(Style::new(), of(Some(Indexed(16)), None)).fg, None);
        assert_eq!(high.span(Style::new(), of(Some(Indexed(0)), None)).fg, None);
        assert_eq!(high.span(Style::new(), of(None, Some(Indexed(15)))).bg, None, "white on white");
        assert_eq!(high.span(Style::new(), of(Some(Indexed(1)), None)).fg, Some(Color::Red));
        // The terminal's own background is not known.
        let plain = Theme::new(true, false);
        assert_eq!(black_on(&plain, Style::new()), Some(Color::Rgb(0, 0, 0)));
        let yellow = Style::new().fg(Color::Yellow);
        assert_eq!(plain.span(yellow, of(None, Some(Indexed(3)))), yellow, "yellow on yellow");
        let look = ThemeChoice {
            scheme: Scheme::Default,
            roles: vec![("match", Style::new().bg(Color::Yellow))],
        };
        let marking = Theme::of(&look, true, false);
        assert_eq!(marking.marked(yellow), marking.found);
        assert_eq!(marking.marked(Style::new().fg(Color::Red)).fg, Some(Color::Red));
    }

    #[test]
    fn a_bar_shows_a_share_and_never_leaves_its_columns() {
        let (eighths, plain) = (&UNICODE, &ASCII);
        let bars = |signs: &Signs| {
            [(0, 8), (1, 1000), (1, 2), (9, 8), (1, 0), (-1, 8)].map(|(a, b)| signs.share(a, b, 4))
        };
        assert_eq!(bars(eighths), ["    ", "▏   ", "██  ", "████", "████", "    "]);
        assert_eq!(bars(plain), ["    ", "#   ", "##  ", "####", "####", "    "]);
        assert_eq!(eighths.share(i64::MAX, i64::MAX, 4), "████");
    }

    #[test]
    fn without_unicode_every_sign_is_plain() {
        let signs = Theme::new(true, true).signs;
        let statuses = [
            Status::Passed,
            Status::Failed,
            Status::Active,
            Status::Queued,
            Status::Skipped,
            Status::Stopped,
        ];
        let all = [
            signs.ellipsis,
            signs.rule,
            signs.bar,
            signs.tee,
            signs.dot,
            signs.more,
            signs.around(),
        ];
        assert!(all.iter().all(|sign| sign.is_ascii()));
        assert!(signs.keys(&Keys::parse("Down Left PageUp").unwrap()).is_ascii());
        assert!(statuses.iter().all(|status| signs.status(*status).is_ascii()));
    }

    #[test]
    fn what_a_user_says_of_a_role_holds_but_for_colors_that_are_not_wanted() {
        let look = ThemeChoice {
            scheme: Scheme::Dark,
            roles: vec![("bad", Style::new().fg(Color::Rgb(1, 2, 3)))],
        };
        assert_eq!(Theme::of(&look, true, false).bad.fg, Some(Color::Rgb(1, 2, 3)));
        assert_eq!(Theme::of(&look, true, false).ok, Scheme::Dark.theme(&UNICODE).ok);
        assert_eq!(Theme::of(&look, false, false).bad, Theme::new(false, false).bad);
        assert!(
            !Theme::of(&Scheme::Monochrome.into(), true, false).has_color(),
            "a log's own colors go with it"
        );
    }
}
