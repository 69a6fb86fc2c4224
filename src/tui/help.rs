//! The help: all keys that have an action, by task, in two columns if they fit. Keys that have no
//! effect in the current pane are dim. A search leaves only the lines that contain a text. Pure.
//!
//! ```text
//! ╭ Keys ──────────────────────────────────────────────────────────╮
//! │ Move                            Runs                           │
//! │ j, ↓         move down          r            find a run        │
//! ╰─ /down ──────────────────────────────────────── 12 more below ─╯
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use tui_input::Input;
use unicode_width::UnicodeWidthStr;

use crate::tui::keymap::{Action, Context, HelpLine, Key, Keys};
use crate::tui::theme::{Signs, Theme};
use crate::tui::widget::{Strip, cut, draw_box, draw_input, draw_lines, row_of};

/// The columns between the two columns of keys.
const GAP: u16 = 2;

/// The fewest columns of a description if there are two columns of keys.
const LEAST_TEXT: u16 = 20;

/// The state of the open help.
#[derive(Default, Debug)]
pub struct Help {
    /// The first visible row.
    pub top: usize,
    /// The text that is searched for.
    pub input: Input,
    /// True while the text is being typed.
    pub is_typing: bool,
}

impl Help {
    /// Returns true if a text is searched for.
    #[must_use]
    pub fn is_search(&self) -> bool {
        !self.input.value().is_empty()
    }

    /// Handles a key while the text is being typed.
    pub fn press(&mut self, key: Key, action: Option<Action>) {
        match (action, key.input_request()) {
            (Some(Action::Accept), _) => self.is_typing = false,
            (Some(Action::Back), _) => *self = Self::default(),
            (None, Some(request)) => {
                self.input.handle(request);
                self.top = 0;
            }
            _ => {}
        }
    }
}

/// The rows of the help for a box of some width.
pub struct HelpPage {
    columns: [Vec<HelpRow>; 2],
    /// The width of a column.
    width: u16,
    /// The width of the keys in a column, with the blanks behind them.
    keys_width: u16,
}

/// A row of a column.
#[derive(Clone, Default)]
struct HelpRow {
    heading: &'static str,
    keys: String,
    text: String,
    applies: bool,
}

impl HelpPage {
    /// Returns the lines that contain a text, ignoring case, for a box of `width` columns,
    /// including its frame. A description that does not fit continues below.
    #[must_use]
    pub fn new(lines: &[HelpLine<'_>], text: &str, width: u16, signs: &Signs) -> Self {
        let widest = lines.iter().map(|line| names(line, signs).width()).max().unwrap_or(0);
        let keys_width = u16::try_from(widest + 2).unwrap_or(u16::MAX);
        let (whole, half) = (width.saturating_sub(4), width.saturating_sub(4 + GAP) / 2);
        let has_two = half >= keys_width.saturating_add(LEAST_TEXT);
        let width = if has_two { half } else { whole };
        let keys_width = keys_width.min(width / 2);
        let room = usize::from(width - keys_width).max(1);
        let text = text.to_lowercase();
        let found = lines.iter().filter(|line| contains(line, signs, &text));
        let found: Vec<&HelpLine<'_>> = found.collect();
        let task = |line: &HelpLine<'_>| line.bound.binding.task;
        let group = |lines: &[&HelpLine<'_>]| {
            let heading = lines.first().map_or("", |line| task(line));
            let rows = lines.iter().flat_map(|line| rows(line, signs, room));
            [HelpRow { heading, ..HelpRow::default() }].into_iter().chain(rows).collect()
        };
        let groups = found.chunk_by(|one, next| task(one) == task(next));
        let mut left: Vec<Vec<HelpRow>> = groups.map(group).collect();
        let right = left.split_off(if has_two { middle(&left) } else { left.len() });
        let columns = [left, right].map(|groups| groups.join(&HelpRow::default()));
        Self { columns, width, keys_width }
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.columns.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Draws the help over the screen. `back` is the key that clears the search.
    pub fn draw(
        &self,
        buffer: &mut Buffer,
        area: Rect,
        help: &Help,
        back: Option<&str>,
        theme: &Theme,
    ) {
        let body = draw_box(buffer, area, "Keys", theme);
        let mut left = body.x + 1;
        for column in &self.columns {
            let body = Rect { x: left, width: self.width, ..body };
            for (index, row) in column.iter().skip(help.top).enumerate() {
                let Some(area) = row_of(body, index) else { break };
                self.draw_row(buffer, area, row, theme);
            }
            left += self.width + GAP;
        }
        if self.height() == 0 {
            let clear = back.map(|key| format!("; {key} clears the search")).unwrap_or_default();
            draw_lines(buffer, body, &[&format!("no match{clear}")], theme);
        }
        let below = self.height().saturating_sub(help.top + usize::from(body.height));
        draw_foot(buffer, area, help, below, theme);
    }

    fn draw_row(&self, buffer: &mut Buffer, area: Rect, row: &HelpRow, theme: &Theme) {
        let (keys_style, text_style) =
            if row.applies { (theme.accent, Style::new()) } else { (theme.muted, theme.muted) };
        let room = usize::from(self.keys_width);
        let keys = cut(&row.keys, room.saturating_sub(1), theme.signs.ellipsis);
        let gap = u16::try_from(room.saturating_sub(keys.width())).unwrap_or(0);
        let mut strip = Strip::new(buffer, area, theme.signs.ellipsis);
        strip.put(row.heading, theme.strong);
        strip.put(&keys, keys_style).skip(gap).put(&row.text, text_style);
    }
}

/// Draws the search and the number of rows below into the frame.
fn draw_foot(buffer: &mut Buffer, area: Rect, help: &Help, below: usize, theme: &Theme) {
    let y = area.bottom().saturating_sub(1);
    let foot = Rect { y, height: 1, ..area };
    let mut strip = Strip::new(buffer, foot, theme.signs.ellipsis);
    strip.skip(2).skip_right(2);
    if help.is_typing || help.is_search() {
        strip.put(" /", theme.accent);
        draw_input(&mut strip, &help.input, help.is_typing, theme);
    }
    if below > 0 {
        strip.put_right(&format!(" {below} more below "), theme.muted, 0);
    }
}

/// Returns the keys of a line as the screen shows them.
fn names(line: &HelpLine<'_>, signs: &Signs) -> String {
    line.bound.keys.iter().map(|keys| signs.keys(keys)).collect::<Vec<_>>().join(", ")
}

/// Returns the description of a line. It names the pane if the keys do not apply here.
fn description(line: &HelpLine<'_>) -> String {
    let binding = line.bound.binding;
    match binding.context {
        Context::Log | Context::Tree | Context::Runs if !line.applies => {
            format!("{} ({})", binding.label, binding.context.title().to_lowercase())
        }
        _ => binding.label.to_owned(),
    }
}

/// Returns true if a line contains `text`, which is in lowercase: in its keys, as they are shown or
/// as a configuration names them, or in its description.
fn contains(line: &HelpLine<'_>, signs: &Signs, text: &str) -> bool {
    let configured = line.bound.keys.iter().map(Keys::to_string);
    let mut all = configured.chain([names(line, signs), description(line)]);
    all.any(|shown| shown.to_lowercase().contains(text))
}

/// Returns the rows of a line, with its description in `room` columns.
fn rows(line: &HelpLine<'_>, signs: &Signs, room: usize) -> Vec<HelpRow> {
    let applies = line.applies;
    let row = |text: &str| HelpRow { text: text.to_owned(), applies, ..HelpRow::default() };
    let description = description(line);
    let texts = textwrap::wrap(&description, room);
    let mut rows: Vec<HelpRow> = texts.iter().map(|text| row(text)).collect();
    if let Some(first) = rows.first_mut() {
        first.keys = names(line, signs);
    }
    rows
}

/// Returns the number of groups in the first of two columns of about the same height.
fn middle(groups: &[Vec<HelpRow>]) -> usize {
    let height = |groups: &[Vec<HelpRow>]| groups.iter().map(|rows| rows.len() + 1).sum::<usize>();
    let tallest = |at: &usize| {
        let (left, right) = groups.split_at(*at);
        height(left).max(height(right))
    };
    (0..=groups.len()).rev().min_by_key(tallest).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::{BINDINGS, Keymap};

    const CONTEXTS: [Context; 4] =
        [Context::Log, Context::Tree, Context::Runs, Context::Everywhere];

    fn page(context: Context, text: &str, width: u16) -> HelpPage {
        HelpPage::new(&Keymap::new().help(context), text, width, Theme::new(true, false).signs)
    }

    /// Returns the headings and lines of a page, without the blanks at which lines are wrapped.
    fn lines(page: &HelpPage) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for row in page.columns.iter().flatten() {
            let shown = format!("{}{}{}", row.heading, row.keys, row.text).replace(' ', "");
            match lines.last_mut().filter(|_| row.heading.is_empty() && row.keys.is_empty()) {
                Some(line) => *line += &shown,
                None => lines.push(shown),
            }
        }
        lines
    }

    #[test]
    fn two_columns_contain_the_lines_of_one_in_the_same_order() {
        for (context, text) in
            CONTEXTS.into_iter().flat_map(|c| ["", "FOLD", "page", "z", "no such"].map(|t| (c, t)))
        {
            let single = lines(&page(context, text, 40));
            assert_eq!(single.is_empty(), text == "no such", "{text}");
            for width in 8..=140 {
                let page = page(context, text, width);
                assert_eq!(lines(&page), single, "{context:?} {text:?} at {width}");
                let is_wide = width >= 80 && !single.is_empty();
                assert!(!is_wide || !page.columns[1].is_empty() || !text.is_empty(), "{width}");
                assert!(width > 60 || page.columns[1].is_empty(), "{width}");
            }
        }
    }

    #[test]
    fn every_binding_is_in_the_help_of_every_pane() {
        for context in CONTEXTS {
            let keymap = Keymap::new();
            assert_eq!(keymap.help(context).len(), BINDINGS.len());
        }
    }

    #[test]
    fn a_key_applies_in_a_pane_unless_the_pane_binds_it_to_something_else() {
        let here = |context, label| {
            let keymap = Keymap::new();
            let lines = keymap.help(context);
            lines.iter().find(|line| line.bound.binding.label == label).unwrap().applies
        };
        assert!(here(Context::Log, "search the log") && here(Context::Tree, "search the log"));
        assert!(!here(Context::Runs, "search the log") && here(Context::Runs, "find runs"));
        assert!(here(Context::Log, "next longest gap") && !here(Context::Tree, "next longest gap"));
        assert!(here(Context::Log, "next failed command"));
        assert!(!here(Context::Runs, "next failed command"));
        assert!(CONTEXTS.iter().all(|context| here(*context, "search the keys")));
        assert!(!CONTEXTS.iter().any(|context| here(*context, "accept the input")));
    }
}
