//! The last row: the keys that matter here, or what has gone wrong.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::Strip;
use crate::tui::keymap::{Action, Binding, Context, hints};
use crate::tui::theme::Theme;

/// Draws the keys of a context, as many as fit; `? help` is always among them. A fault takes their place.
pub fn draw_hints(buffer: &mut Buffer, area: Rect, context: Context, fault: Option<&str>, theme: &Theme) {
    let mut strip = Strip::new(buffer, area, theme.signs.ellipsis);
    strip.skip(1).skip_right(1);
    if let Some(fault) = fault {
        strip.put("! ", theme.warn).put(fault, theme.warn);
        return;
    }
    let gap = format!(" {} ", theme.signs.dot);
    let width = |binding: &Binding| key(binding, theme).width() + 1 + binding.hint.width();
    let (last, others): (Vec<_>, Vec<_>) = hints(context).partition(|binding| binding.action == Action::Help);
    let reserve: usize = last.iter().map(|binding| width(binding)).sum();
    let mut shown = Vec::new();
    let mut room = strip.free().saturating_sub(reserve);
    for binding in others {
        let needs = width(binding) + gap.width();
        if needs > room {
            break;
        }
        room -= needs;
        shown.push(binding);
    }
    for (index, binding) in shown.into_iter().chain(last).enumerate() {
        if index > 0 {
            strip.put(&gap, theme.muted);
        }
        strip.put(key(binding, theme), theme.accent).put(" ", Style::new()).put(binding.hint, theme.muted);
    }
}

fn key(binding: &Binding, theme: &Theme) -> &'static str {
    binding.keys.first().map_or("", |name| theme.signs.key(name))
}
