//! The last row: the keys that matter here, or what has gone wrong.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tui_input::Input;
use unicode_width::UnicodeWidthStr;

use super::Strip;
use crate::sanitise::name;
use crate::tui::keymap::{Action, Binding, Context, hints};
use crate::tui::prompt::Prompt;
use crate::tui::theme::Theme;

/// What the last row says beside the keys.
#[derive(Default)]
pub struct Status<'a> {
    /// Something is wrong: nothing else is said.
    pub fault: Option<&'a str>,
    /// What came of the last key, in place of the keys.
    pub said: Option<&'a str>,
    /// What is searched for and filtered, before the keys.
    pub finding: Option<&'a str>,
}

/// Draws the keys of a context, as many as fit; `? help` is always among them.
pub fn draw_hints(buffer: &mut Buffer, area: Rect, context: Context, status: &Status<'_>, theme: &Theme) {
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
    if let Some(said) = status.said {
        strip.put(&name(said), theme.strong);
        return;
    }
    let (last, others): (Vec<_>, Vec<_>) =
        hints(context).into_iter().map(|group| Hint::new(group, theme)).partition(|hint| hint.is_help);
    let width = |hint: &Hint| hint.keys.width() + 1 + hint.text.width();
    let mut room = strip.free().saturating_sub(last.iter().map(width).sum());
    let fitting = others.into_iter().take_while(|hint| {
        let needs = width(hint) + gap.width();
        let fits = needs <= room;
        room = room.saturating_sub(needs);
        fits
    });
    for (index, hint) in fitting.collect::<Vec<_>>().into_iter().chain(last).enumerate() {
        if index > 0 {
            strip.put(&gap, theme.muted);
        }
        strip.put(&hint.keys, theme.accent).skip(1).put(hint.text, theme.muted);
    }
}

/// Draws the line that is being typed, with its cursor, and what its keys do where there is room.
pub fn draw_prompt(buffer: &mut Buffer, area: Rect, prompt: &Prompt, theme: &Theme) {
    let mut strip = Strip::new(buffer, area, theme.signs.ellipsis);
    strip.skip(1).skip_right(1);
    let mode = match (prompt.kind.is_pattern(), prompt.is_literal) {
        (true, false) => "regex - Tab: text",
        (true, true) => "text - Tab: regex",
        (false, _) => "",
    };
    match &prompt.fault {
        Some(fault) => strip.put_right(&name(fault), theme.warn, 12),
        None => strip.put_right(mode, theme.muted, 12),
    };
    strip.skip_right(1).put(prompt.kind.sign(), theme.accent);
    draw_input(&mut strip, &prompt.input, true, theme);
}

/// Draws what is typed, as much as there is room for around the cursor.
pub(super) fn draw_input(strip: &mut Strip<'_>, input: &Input, has_cursor: bool, theme: &Theme) {
    // The cursor stands behind the last character when nothing follows.
    let room = strip.free().saturating_sub(1);
    let scroll = input.visual_scroll(room);
    let mut column = 0;
    for (index, grapheme) in input.value().chars().map(String::from).chain([" ".to_owned()]).enumerate() {
        let style = if has_cursor && index == input.cursor() { theme.selection } else { theme.strong };
        let shown = name(&grapheme);
        if column >= scroll {
            strip.put(&shown, style);
        }
        column += grapheme.width();
    }
}

/// Keys and their word: `j/k move`.
struct Hint {
    keys: String,
    text: &'static str,
    is_help: bool,
}

impl Hint {
    fn new(group: &[Binding], theme: &Theme) -> Self {
        let keys: Vec<_> =
            group.iter().filter_map(|binding| binding.keys.first()).map(|name| theme.signs.key(name)).collect();
        let first = group.first();
        Self {
            keys: keys.join("/"),
            text: first.map_or("", |binding| binding.hint),
            is_help: first.is_some_and(|binding| binding.action == Action::Help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints_of(width: u16, context: Context, fault: Option<&str>) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, 1));
        let area = buffer.area;
        let status = Status { fault, ..Status::default() };
        draw_hints(&mut buffer, area, context, &status, &Theme::new(true, false));
        crate::tui::sim::text(&buffer).trim_end().to_owned()
    }

    #[test]
    fn help_is_named_however_little_room_there_is() {
        assert_eq!(hints_of(40, Context::Log, None), " f follow · / search · ? help");
        assert_eq!(hints_of(20, Context::Log, None), " f follow · ? help");
        assert_eq!(hints_of(10, Context::Log, None), " ? help");
        assert!(hints_of(200, Context::Tree, None).ends_with("q quit · ? help"));
    }

    #[test]
    fn a_fault_takes_the_place_of_the_hints() {
        assert_eq!(hints_of(30, Context::Log, Some("the database is busy")), " ! the database is busy");
    }
}
