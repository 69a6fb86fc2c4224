//! The widgets: each draws plain data into a buffer, without access to the model as a whole.

mod frame;
mod hints;
mod names;
mod spans;
mod strip;
mod title;

pub use frame::{clear, draw_bars, draw_box, draw_head};
pub use hints::{StatusLine, draw_begun, draw_hints, draw_input, draw_prompt};
pub use names::own_name;
pub use spans::{so_far, span, span_ms, spent, spent_by, spent_ms, spent_ms_by};
pub use strip::{Strip, cut};
pub use title::{Badge, Titled, draw_title};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::tui::theme::Theme;

/// Marks a row of a list as selected. In a pane without the focus, the style is weaker, so the row
/// also gets a sign at its left edge.
pub fn select(buffer: &mut Buffer, row: Rect, theme: &Theme, has_focus: bool) {
    draw_selection(buffer, row, theme, has_focus);
    if !has_focus {
        Strip::new(buffer, row, theme.signs.ellipsis).put(theme.signs.here, theme.accent);
    }
}

/// Draws the style of the selection over a whole row. If the style has a text color or reverse
/// video, the colors of the row are reset first, because the mix would be hard to read.
pub fn draw_selection(buffer: &mut Buffer, row: Rect, theme: &Theme, has_focus: bool) {
    let style = if has_focus { theme.selection } else { theme.selection_unfocused };
    if style.fg.is_some() || style.add_modifier.contains(Modifier::REVERSED) {
        buffer.set_style(row, Style::reset().patch(theme.base));
    }
    buffer.set_style(row, style);
}

/// Returns row `index` of a pane, counted from its first row; `None` below its last.
#[must_use]
pub fn row_of(body: Rect, index: usize) -> Option<Rect> {
    let y = u16::try_from(index).ok().filter(|y| *y < body.height)?;
    Some(Rect { y: body.y + y, height: 1, ..body })
}

/// Draws lines of text where there is nothing else to show.
pub fn draw_lines(buffer: &mut Buffer, body: Rect, lines: &[&str], theme: &Theme) {
    for (index, line) in lines.iter().enumerate() {
        let Some(row) = row_of(body, index) else { break };
        Strip::new(buffer, row, theme.signs.ellipsis).skip(2).put(line, theme.muted);
    }
}
