//! The help: all keys that have an action, in rows that fit the box.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::{Strip, cut, draw_box, row_of};
use crate::tui::keymap::HelpLine;
use crate::tui::theme::{Signs, Theme};

/// A row of the help.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct HelpRow {
    heading: &'static str,
    keys: String,
    text: String,
    /// The column of the text.
    column: u16,
}

/// Returns the rows of the help for a box of `columns` columns, including its frame. Text that does
/// not fit beside its keys continues below.
#[must_use]
pub fn help_rows(lines: &[HelpLine<'_>], columns: u16, signs: &Signs) -> Vec<HelpRow> {
    let names: Vec<String> = lines.iter().map(|line| names(line, signs)).collect();
    let width = columns.saturating_sub(4);
    let widest = names.iter().map(|names| names.width()).max().unwrap_or(0);
    let column = u16::try_from(widest + 2).unwrap_or(u16::MAX).min(width / 2);
    let rows = lines.iter().zip(names).flat_map(|(line, names)| match line {
        HelpLine::Blank => vec![HelpRow::default()],
        HelpLine::Heading(heading) => vec![HelpRow { heading, ..HelpRow::default() }],
        HelpLine::Keys(bound) => {
            let room = usize::from(width - column).max(1);
            let texts = textwrap::wrap(bound.binding.label, room).into_iter();
            let row = |(index, text): (usize, std::borrow::Cow<'_, str>)| HelpRow {
                keys: if index == 0 { names.clone() } else { String::new() },
                text: text.into_owned(),
                column,
                ..HelpRow::default()
            };
            texts.enumerate().map(row).collect()
        }
    });
    rows.collect()
}

fn names(line: &HelpLine<'_>, signs: &Signs) -> String {
    match line {
        HelpLine::Keys(bound) => {
            bound.keys.iter().map(|keys| signs.keys(keys)).collect::<Vec<_>>().join(", ")
        }
        HelpLine::Blank | HelpLine::Heading(_) => String::new(),
    }
}

/// Draws the help over the screen, from row `top` on.
pub fn draw_help(buffer: &mut Buffer, area: Rect, rows: &[HelpRow], top: usize, theme: &Theme) {
    let body = draw_box(buffer, area, "Keys", theme);
    for (index, row) in rows.iter().skip(top).enumerate() {
        let Some(area) = row_of(body, index) else { break };
        let mut strip = Strip::new(buffer, area, theme.signs.ellipsis);
        strip.skip(1).skip_right(1).put(row.heading, theme.strong);
        let keys = cut(&row.keys, usize::from(row.column).saturating_sub(1), theme.signs.ellipsis);
        let gap = usize::from(row.column).saturating_sub(keys.width());
        strip
            .put(&keys, theme.accent)
            .skip(u16::try_from(gap).unwrap_or(0))
            .put(&row.text, Style::new());
    }
    let below = rows.len().saturating_sub(top + usize::from(body.height));
    if below > 0 {
        let foot = Rect {
            x: area.x + 2,
            y: area.bottom().saturating_sub(1),
            width: area.width.saturating_sub(4),
            height: 1,
        };
        Strip::new(buffer, foot, theme.signs.ellipsis).put_right(
            &format!(" {below} more below "),
            theme.muted,
            0,
        );
    }
}
