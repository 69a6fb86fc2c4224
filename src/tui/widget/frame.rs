//! The frames of the panes: headings with their rule, the bars between panes, the boxes of popups.
//!
//! ```text
//! ─ Runs ──────────┬─ Jobs ──────────────────┬─ $ cargo test ───────
//!                  │                         │
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};
use ratatui::symbols::border;
use ratatui::widgets::{Block, Clear, Widget};

use super::Strip;
use crate::tui::theme::Theme;

/// Draws the heading of a pane: its title in a rule. Both stand out if the pane has the focus, and
/// are dim otherwise.
pub fn draw_head(buffer: &mut Buffer, head: Rect, title: &str, theme: &Theme, has_focus: bool) {
    let (title_style, rule) =
        if has_focus { (theme.focus, theme.accent) } else { (theme.muted, theme.border) };
    let mut strip = Strip::new(buffer, head, theme.signs.ellipsis);
    strip.put(theme.signs.rule, rule).skip(1);
    let room = strip.free().saturating_sub(2);
    strip.put(&super::cut(title, room, theme.signs.ellipsis), title_style).skip(1);
    strip.fill(theme.signs.rule, rule);
}

/// Draws the bar to the right of a pane, and its joint with the rule.
pub fn draw_bars(buffer: &mut Buffer, head: Rect, body: Rect, theme: &Theme) {
    let x = head.right();
    let mut sign = |y: u16, sign: &str| {
        if buffer.area.contains((x, y).into()) {
            buffer.set_stringn(x, y, sign, 1, theme.border);
        }
    };
    if head.height > 0 {
        sign(head.y, theme.signs.tee);
    }
    for y in body.top()..body.bottom() {
        sign(y, theme.signs.bar);
    }
}

/// Clears an area.
pub fn clear(buffer: &mut Buffer, area: Rect, theme: &Theme) {
    let area = area.intersection(buffer.area);
    Clear.render(area, buffer);
    buffer.set_style(area, theme.base);
}

/// Draws an empty box with a title, and returns the area inside its frame.
pub fn draw_box(buffer: &mut Buffer, area: Rect, title: &str, theme: &Theme) -> Rect {
    let area = area.intersection(buffer.area);
    clear(buffer, area, theme);
    let block = Block::bordered().border_set(border(theme)).border_style(theme.accent);
    block.title(format!(" {title} ")).render(area, buffer);
    area.inner(Margin::new(1, 1))
}

fn border(theme: &Theme) -> border::Set<'static> {
    let plain = border::Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    };
    if theme.signs.bar == "|" { plain } else { border::ROUNDED }
}
