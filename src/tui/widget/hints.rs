//! The last row: the keys that matter here, or what has gone wrong.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::Strip;
use crate::sanitise::name;
use crate::tui::keymap::{Action, Binding, Context, hints};
use crate::tui::theme::Theme;

/// Draws the keys of a context, as many as fit; `? help` is always among them. A fault takes their place.
pub fn draw_hints(buffer: &mut Buffer, area: Rect, context: Context, fault: Option<&str>, theme: &Theme) {
    let mut strip = Strip::new(buffer, area, theme.signs.ellipsis);
    strip.skip(1).skip_right(1);
    if let Some(fault) = fault {
        strip.put("! ", theme.warn).put(&name(fault), theme.warn);
        return;
    }
    let gap = format!(" {} ", theme.signs.dot);
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
        draw_hints(&mut buffer, area, context, fault, &Theme::new(true, false));
        crate::tui::sim::text(&buffer).trim_end().to_owned()
    }

    #[test]
    fn help_is_named_however_little_room_there_is() {
        assert_eq!(hints_of(40, Context::Log, None), " f follow · j/k move · ? help");
        assert_eq!(hints_of(20, Context::Log, None), " f follow · ? help");
        assert_eq!(hints_of(10, Context::Log, None), " ? help");
        assert!(hints_of(200, Context::Tree, None).ends_with("q quit · ? help"));
    }

    #[test]
    fn a_fault_takes_the_place_of_the_hints() {
        assert_eq!(hints_of(30, Context::Log, Some("the database is busy")), " ! the database is busy");
    }
}
