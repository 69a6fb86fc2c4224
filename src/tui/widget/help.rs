//! The help: the whole table of keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Strip, draw_box, row_of};
use crate::tui::keymap::HelpLine;
use crate::tui::theme::Theme;

/// The most columns of the keys.
const KEYS: usize = 16;

/// Draws the help over what is there, from line `top` on.
pub fn draw_help(buffer: &mut Buffer, area: Rect, lines: &[HelpLine<'_>], top: usize, theme: &Theme) {
    let body = draw_box(buffer, area, "Keys", theme);
    for (index, line) in lines.iter().skip(top).enumerate() {
        let Some(row) = row_of(body, index) else { break };
        let mut strip = Strip::new(buffer, row, theme.signs.ellipsis);
        strip.skip(1).skip_right(1);
        match line {
            HelpLine::Blank => {}
            HelpLine::Heading(title) => {
                strip.put(title, theme.strong);
            }
            HelpLine::Keys(bound) => {
                let keys: Vec<_> = bound.keys.iter().map(|keys| theme.signs.keys(keys)).collect();
                strip.put(&format!("{:<KEYS$}", keys.join(", ")), theme.accent).put(bound.binding.label, Style::new());
            }
        }
    }
    let below = lines.len().saturating_sub(top + usize::from(body.height));
    if below > 0 {
        let foot =
            Rect { x: area.x + 2, y: area.bottom().saturating_sub(1), width: area.width.saturating_sub(4), height: 1 };
        Strip::new(buffer, foot, theme.signs.ellipsis).put_right(&format!(" {below} more below "), theme.muted, 0);
    }
}
