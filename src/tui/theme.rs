//! Colors and signs by what they mean, never by what they look like.
//!
//! The default uses the terminal's own sixteen colors, so it fits light and dark ones; other
//! [`Scheme`]s have colors of their own. Without color the same roles are told apart by reverse
//! video, bold and underline. Without Unicode every sign has a plain one of the same width.

mod scheme;
mod style;

use ratatui::style::{Color, Modifier, Style};

use crate::display::Status;
use crate::sanitize;
use crate::tui::keymap::{Key, Keys};

pub use scheme::Scheme;
pub use style::{parse_style, style_text};

/// Declares the roles with the names that a configuration gives them.
macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident = $name:literal),* $(,)?) => {
        /// How things look.
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

            /// The look of a role, by its name.
            #[must_use]
            pub fn role(&self, name: &str) -> Option<Style> {
                match name { $($name => Some(self.$role),)* _ => None }
            }

            fn role_mut(&mut self, name: &str) -> Option<&mut Style> {
                match name { $($name => Some(&mut self.$role),)* _ => None }
            }

            /// Nothing stands out.
            const fn plain(signs: &'static Signs, color: bool) -> Self {
                Self { $($role: Style::new(),)* signs, color }
            }
        }
    };
}

roles! {
    /// The whole screen, beneath everything else.
    base = "base",
    /// Passed.
    ok = "ok",
    /// Failed.
    bad = "bad",
    /// Running.
    active = "active",
    /// Asks for attention: interrupted, unknown, a fault.
    warn = "warn",
    /// What is there when one looks for it.
    muted = "muted",
    /// Names of keys, and the lines around what has the focus.
    accent = "accent",
    /// The heading of what has the focus.
    focus = "focus",
    /// Rows of standard error that bring no color of their own.
    stderr = "stderr",
    /// What was searched for.
    found = "match",
    /// The selected row of the pane with the focus.
    selection = "selection",
    /// Headings.
    strong = "strong",
    /// The heading of a command among others.
    heading = "heading",
    /// The heading of a group of rows.
    group = "group",
    /// The frame around the likeliest cause.
    card = "card",
    /// How large a share is.
    bar = "bar",
}

/// What a user wants things to look like.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ThemeChoice {
    /// Whose colors.
    pub scheme: Scheme,
    /// Roles that look otherwise, by their names.
    pub roles: Vec<(&'static str, Style)>,
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
    pub const fn status(&self, status: Status) -> &'static str {
        if self.ascii { status.ascii_glyph() } else { status.glyph() }
    }

    /// A bar of `columns` columns, filled by a share of a whole: in eighths of a column, or in
    /// whole ones.
    #[must_use]
    pub fn share(&self, part: i64, whole: i64, columns: u16) -> String {
        let steps = u64::from(columns) * if self.ascii { 1 } else { 8 };
        let whole = u64::try_from(whole).unwrap_or(0).max(1);
        let part = u64::try_from(part).unwrap_or(0).min(whole);
        // Whatever took time has a step.
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

    /// The names of keys for the screen.
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

    /// The sign of more and less.
    #[must_use]
    pub const fn around(&self) -> &'static str {
        if self.ascii { "+-" } else { "±" }
    }
}

impl Theme {
    /// The default look, with or without color and Unicode.
    #[must_use]
    pub fn new(color: bool, ascii: bool) -> Self {
        Self::of(&ThemeChoice::default(), color, ascii)
    }

    /// A look, with or without Unicode; without color it is the monochrome one, whatever was
    /// wanted.
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

    /// Whether it has colors at all.
    #[must_use]
    pub const fn has_color(&self) -> bool {
        self.color
    }

    /// The look of a state.
    #[must_use]
    pub const fn status(&self, status: Status) -> Style {
        match status {
            Status::Passed => self.ok,
            Status::Failed => self.bad,
            Status::Active => self.active,
            Status::Interrupted | Status::Unknown | Status::Stopped => self.warn,
            Status::Queued | Status::Skipped => self.muted,
        }
    }

    /// The look of a piece of a log, over the look of its row. Colors in which it could not be
    /// read, on this theme's background, are left out.
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

    /// The look of a match in text of a look.
    #[must_use]
    pub fn marked(&self, style: Style) -> Style {
        let marked = style.patch(self.found);
        if self.hides(marked) { self.found } else { marked }
    }

    /// Returns true if text of a look cannot be told from its background.
    fn hides(&self, style: Style) -> bool {
        let fg = style.fg.or(self.base.fg).and_then(sanitized);
        let bg = style.bg.or(self.base.bg).and_then(sanitized);
        fg.zip(bg).is_some_and(|(fg, bg)| sanitize::are_alike(fg, bg))
    }
}

/// The reverse of [`color`]; `None` of the terminal's own.
fn sanitized(found: Color) -> Option<sanitize::Color> {
    match found {
        Color::Rgb(r, g, b) => Some(sanitize::Color::Rgb(r, g, b)),
        Color::Indexed(n) => Some(sanitize::Color::Indexed(n)),
        named => (0..16).map(sanitize::Color::Indexed).find(|indexed| color(*indexed) == named),
    }
}

/// The lower sixteen by their names: terminals with few colors know those escapes only.
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
