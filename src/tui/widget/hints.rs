//! The last row: the most important keys, or a problem.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tui_input::Input;
use unicode_width::UnicodeWidthStr;

use super::{Strip, clear};
use crate::sanitize::name;
use crate::tui::keymap::Hint;
use crate::tui::prompt::Prompt;
use crate::tui::theme::Theme;

/// The content of the last row other than the keys.
#[derive(Default)]
pub struct StatusLine<'a> {
    /// The current problem. If there is one, nothing else is shown.
    pub fault: Option<&'a str>,
    /// The result of the last key, in place of the keys.
    pub message: Option<&'a str>,
    /// The current search and filters, before the keys.
    pub finding: Option<&'a str>,
}

/// The most hints; the help contains all keys.
const MOST: usize = 7;

/// Draws as many hints as fit. The hint for the help is always among them.
pub fn draw_hints(
    buffer: &mut Buffer,
    area: Rect,
    hints: &[Hint],
    status: &StatusLine<'_>,
    theme: &Theme,
) {
    let mut strip = Strip::new(buffer, area, theme.signs.ellipsis);
    strip.skip(1).skip_right(1);
    if let Some(fault) = status.fault {
        strip.put("! ", theme.warn).put(&name(fault), theme.warn);
        return;
    }
    let gap = format!(" {} ", theme.signs.dot);
    if let Some(finding) = status.finding {
        strip.put(&name(finding), theme.accent).put(&gap, theme.muted);
    }
    if let Some(message) = status.message {
        strip.put(&name(message), theme.strong);
        return;
    }
    let hints = hints.iter().map(|hint| Shown::new(hint, theme));
    let (last, others): (Vec<_>, Vec<_>) = hints.partition(|hint| hint.is_help);
    let mut room = strip.free().saturating_sub(last.iter().map(Shown::width).sum());
    let fitting = others.into_iter().take(MOST - 1).take_while(|hint| {
        let needs = hint.width() + gap.width();
        let fits = needs <= room;
        room = room.saturating_sub(needs);
        fits
    });
    for (index, hint) in fitting.collect::<Vec<_>>().into_iter().chain(last).enumerate() {
        if index > 0 {
            strip.put(&gap, theme.muted);
        }
        hint.draw(&mut strip, theme);
    }
}

/// Draws the keys that may follow a sequence, in as many rows at the bottom as needed.
pub fn draw_begun(buffer: &mut Buffer, screen: Rect, pressed: &str, hints: &[Hint], theme: &Theme) {
    let screen = screen.intersection(buffer.area);
    let lead = format!("{pressed} {} ", theme.signs.more);
    let width = usize::from(screen.width).saturating_sub(2 + lead.width());
    let mut rows: Vec<Vec<Shown>> = vec![Vec::new()];
    let mut used = 0;
    for hint in hints.iter().map(|hint| Shown::new(hint, theme)) {
        let needs = hint.width() + 3;
        if used > 0 && used + needs > width + 3 {
            rows.push(Vec::new());
            used = 0;
        }
        used += needs;
        if let Some(row) = rows.last_mut() {
            row.push(hint);
        }
    }
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX).min(screen.height);
    let top = screen.bottom().saturating_sub(height);
    for ((index, row), y) in rows.iter().enumerate().zip(top..screen.bottom()) {
        let area = Rect { y, height: 1, ..screen };
        clear(buffer, area, theme);
        let mut strip = Strip::new(buffer, area, theme.signs.ellipsis);
        let lead = if index == 0 { lead.clone() } else { " ".repeat(lead.width()) };
        strip.skip(1).skip_right(1).put(&lead, theme.strong);
        for (index, hint) in row.iter().enumerate() {
            let gap = format!(" {} ", theme.signs.dot);
            strip.put(if index > 0 { &gap } else { "" }, theme.muted);
            hint.draw(&mut strip, theme);
        }
    }
}

/// Draws the line being typed with its cursor and, if there is room, the mode of its pattern and
/// the key that changes it.
pub fn draw_prompt(
    buffer: &mut Buffer,
    area: Rect,
    prompt: &Prompt,
    literal: Option<&str>,
    theme: &Theme,
) {
    let mut strip = Strip::new(buffer, area, theme.signs.ellipsis);
    strip.skip(1).skip_right(1);
    let (is, other) = if prompt.is_literal { ("text", "regex") } else { ("regex", "text") };
    let change = literal.map(|key| format!(" - {key}: {other}")).unwrap_or_default();
    let mode = if prompt.kind.is_pattern() { format!("{is}{change}") } else { String::new() };
    match &prompt.fault {
        Some(fault) => strip.put_right(&name(fault), theme.warn, 12),
        None => strip.put_right(&mode, theme.muted, 12),
    };
    strip.skip_right(1).put(prompt.kind.sign(), theme.accent);
    draw_input(&mut strip, &prompt.input, true, theme);
}

/// Draws the typed text, as much as fits around the cursor.
pub fn draw_input(strip: &mut Strip<'_>, input: &Input, has_cursor: bool, theme: &Theme) {
    // At the end of the text, the cursor is after the last character.
    let room = strip.free().saturating_sub(1);
    let scroll = input.visual_scroll(room);
    let mut column = 0;
    for (index, grapheme) in
        input.value().chars().map(String::from).chain([" ".to_owned()]).enumerate()
    {
        let style =
            if has_cursor && index == input.cursor() { theme.selection } else { theme.strong };
        let shown = name(&grapheme);
        if column >= scroll {
            strip.put(&shown, style);
        }
        column += grapheme.width();
    }
}

/// A hint as it is drawn: `}/{ failed`.
struct Shown {
    keys: String,
    text: &'static str,
    is_help: bool,
}

impl Shown {
    fn new(hint: &Hint, theme: &Theme) -> Self {
        let keys: Vec<_> = hint.keys.iter().map(|keys| theme.signs.keys(keys)).collect();
        Self { keys: keys.join("/"), text: hint.text, is_help: hint.is_help }
    }

    fn width(&self) -> usize {
        self.keys.width() + 1 + self.text.width()
    }

    fn draw(&self, strip: &mut Strip<'_>, theme: &Theme) {
        strip.put(&self.keys, theme.accent).skip(1).put(self.text, theme.muted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::{Context, Keymap, Keys, Situation};

    fn hints_of(width: u16, context: Context, fault: Option<&str>) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, 1));
        let area = buffer.area;
        let status = StatusLine { fault, ..StatusLine::default() };
        draw_hints(
            &mut buffer,
            area,
            &Keymap::new().hints(context, Situation::Live),
            &status,
            &Theme::new(true, false),
        );
        crate::tui::sim::text(&buffer).trim_end().to_owned()
    }

    #[test]
    fn help_is_named_however_little_room_there_is() {
        assert_eq!(hints_of(40, Context::Log, None), " f follow · / search · e error · ? help");
        assert_eq!(hints_of(20, Context::Log, None), " f follow · ? help");
        assert_eq!(hints_of(10, Context::Log, None), " ? help");
    }

    #[test]
    fn however_much_room_there_is_hints_are_few() {
        let hints = hints_of(200, Context::Tree, None);
        assert_eq!(hints.split(" · ").count(), MOST, "{hints}");
        assert!(hints.ends_with(" · ? help"), "{hints}");
    }

    #[test]
    fn what_may_follow_takes_as_many_rows_as_it_needs() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 25, 4));
        let area = buffer.area;
        let hint = |key, text| Hint { keys: vec![Keys::parse(key).unwrap()], text, is_help: false };
        let hints =
            [hint("a", "fold"), hint("R", "open all"), hint("z", "zoom"), hint("M", "fold all")];
        draw_begun(&mut buffer, area, "z", &hints, &Theme::new(true, false));
        let rows = crate::tui::sim::text(&buffer);
        assert_eq!(rows, "\n\n z › a fold · R open all\n     z zoom · M fold all\n");
    }

    #[test]
    fn a_fault_takes_the_place_of_the_hints() {
        assert_eq!(
            hints_of(30, Context::Log, Some("the database is busy")),
            " ! the database is busy"
        );
    }
}
