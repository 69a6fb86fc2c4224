//! The whole screen while there is nothing to show yet: the reason to wait, the path, and the
//! commands that a user can run meanwhile.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::sanitize::name;
use crate::tui::model::Model;
use crate::tui::theme::Theme;
use crate::tui::wait::Waiting;
use crate::tui::widget::{Strip, so_far};

/// The most columns of the text.
const WIDTH: u16 = 72;

/// The width of a suggested command, and of a line with its description, in columns.
const WAY: usize = 24;
const WAY_LINE: usize = 54;

/// The commands suggested if the store or its first run is missing, with their descriptions.
const FIRST_WAYS: [(&str, &str); 2] =
    [("rundown record -- CMD", "record a command"), ("rundown demo", "try a demo run")];
/// The command that is always suggested, with its description.
const OTHER_WAY: (&str, &str) = ("rundown --root DIR", "open another store");

/// A line: its pieces with their styles.
type Line = Vec<(String, Style)>;

/// Draws the wait between the title and the hints.
pub(super) fn draw(model: &Model, waiting: &Waiting, area: Rect, buffer: &mut Buffer) {
    let theme = &model.theme;
    let width = area.width.saturating_sub(4).min(WIDTH);
    let lines = lines(model, waiting, usize::from(width));
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    // Slightly above the middle, as on a title page. Text that does not fit is cut at the end.
    let top = area.y + area.height.saturating_sub(height) / 3;
    let x = area.x + (area.width - width.min(area.width)) / 2;
    for (line, y) in lines.iter().zip(top..area.bottom()) {
        let mut strip = Strip::new(buffer, Rect { x, y, width, height: 1 }, theme.signs.ellipsis);
        for (text, style) in line {
            strip.put(text, *style);
        }
    }
}

fn lines(model: &Model, waiting: &Waiting, width: usize) -> Vec<Line> {
    let (theme, wait) = (&model.theme, &waiting.wait);
    let mut lines: Vec<Line> = Vec::new();
    let mut put = |text: &str, style| {
        lines.extend(wrapped(text, width).into_iter().map(|line| vec![(line, style)]));
    };
    put(&name(&wait.what), theme.warn);
    if let Some(path) = &wait.path {
        put(&name(&path.to_string_lossy()), theme.strong);
    }
    if let Some(why) = &wait.why {
        put(&name(why), Style::new());
    }
    let still = still(model, waiting).map(|still| format!("waiting {still}; ")).unwrap_or_default();
    lines.push(Vec::new());
    lines.push(vec![(format!("{still}opens automatically when available"), theme.muted)]);
    lines.push(Vec::new());
    let ways = FIRST_WAYS.into_iter().filter(|_| wait.is_absent).chain([OTHER_WAY]);
    lines.extend(
        ways.map(|(way, what)| way_line(theme, way, Some(what).filter(|_| width >= WAY_LINE))),
    );
    lines
}

fn way_line(theme: &Theme, way: &str, what: Option<&str>) -> Line {
    vec![(format!("{way:<WAY$}"), theme.accent), (what.unwrap_or_default().to_owned(), theme.muted)]
}

/// Formats the wait for a hanging read: `no response for 12s: /mnt/store/quire.db`. The path comes
/// last because it may be wider than the screen.
pub(super) fn hangs(model: &Model, reads: &Waiting) -> Option<String> {
    let path = reads.wait.path.as_ref()?;
    let ms = model.now?.millis_since(reads.since?);
    Some(format!("no response for {}: {}", so_far(ms), name(&path.to_string_lossy())))
}

/// Formats the length of a wait: `for 12s`. Returns `None` in its first two seconds.
pub(super) fn still(model: &Model, waiting: &Waiting) -> Option<String> {
    let ms = model.now?.millis_since(waiting.since?);
    (ms >= 2_000).then(|| format!("for {}", so_far(ms)))
}

/// Breaks a text into lines of at most `width` columns, between words if possible.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_word_bounds() {
        let pieces: Vec<&str> =
            if word.width() > width { word.graphemes(true).collect() } else { vec![word] };
        for piece in pieces {
            let is_full = lines.last().is_some_and(|line| line.width() + piece.width() > width);
            if is_full {
                lines.push(String::new());
            }
            match lines.last_mut() {
                Some(line) if !(is_full && piece.trim().is_empty()) => line.push_str(piece),
                _ => {}
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_broken_between_words_and_a_long_word_anywhere() {
        assert_eq!(wrapped("one two three", 8), ["one two ", "three"]);
        assert_eq!(wrapped("aaaaaaaaaa", 4), ["aaaa", "aaaa", "aa"]);
        assert_eq!(wrapped("/a/long/path", 5), ["/a/", "long/", "path"]);
        assert_eq!(wrapped("日本語", 3), ["日", "本", "語"]);
        assert_eq!(wrapped("", 5), [""]);
    }
}
