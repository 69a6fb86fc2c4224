//! The full header, below the line of facts.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::tui::model::{HeaderLine, LABEL, MARGIN, Model};
use crate::tui::widget::Strip;

/// Draws as many lines as fit.
pub(super) fn draw(model: &Model, lines: &[HeaderLine], area: Rect, buffer: &mut Buffer) {
    let theme = &model.theme;
    let is_cut = lines.len() > usize::from(area.height);
    for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
        let mut strip = Strip::new(buffer, Rect { y, height: 1, ..area }, theme.signs.ellipsis);
        strip.skip(MARGIN).skip_right(MARGIN);
        if is_cut && y + 1 == area.bottom() {
            strip.put_right(theme.signs.ellipsis, theme.muted, 0).skip_right(1);
        }
        strip.put(&format!("{:<width$}", line.label, width = usize::from(LABEL)), theme.muted);
        strip.put(&line.text, Style::new());
    }
}
