//! The drawing of the pane: the list of runs, newest first, below the line in which a search is
//! typed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::columns::{AGE, Columns, SPENT, Texts, Widest};
use super::{Finder, Runs, RunsQuery, TextKind};
use crate::display::Status;
use crate::join::RunHead;
use crate::model::RunId;
use crate::time::Time;
use crate::tui::layout::runs_parts;
use crate::tui::msg::Next;
use crate::tui::theme::Theme;
use crate::tui::widget::{Strip, cut, draw_input, draw_lines, row_of, select};

/// The pane of runs as it is drawn.
#[derive(Clone, Copy)]
pub struct RunsView<'a> {
    /// The state of the pane.
    pub runs: &'a Runs,
    /// The open run.
    pub open: Option<&'a RunId>,
    /// True if the pane has the focus.
    pub has_focus: bool,
    /// The current time.
    pub now: Option<Time>,
    /// The theme.
    pub theme: &'a Theme,
}

impl RunsView<'_> {
    /// Returns the title of the pane.
    #[must_use]
    pub fn title(&self) -> String {
        let finder = self.runs.active_finder();
        finder.map_or_else(|| "Runs".into(), |finder| format!("Runs {}", finder.count()))
    }

    /// Draws the pane.
    pub fn draw(&self, buffer: &mut Buffer, body: Rect) {
        let (line, rows) = runs_parts(body, self.runs.finder.is_some());
        if let Some(finder) = &self.runs.finder {
            draw_finder(buffer, line, finder, self.theme);
        }
        let finder = self.runs.active_finder();
        let (heads, at, top) = self.runs.shown();
        if heads.is_empty() && self.runs.heads.is_some() {
            let nothing = match finder.map(|finder| &finder.next) {
                Some(Next::End) => "no matching runs; Esc clears the search",
                Some(Next::Looking | Next::After(_)) => "searching for matching runs",
                None => "no runs yet; `rundown record -- CMD` records one",
            };
            return draw_lines(buffer, rows, &[nothing], self.theme);
        }
        let at = if self.has_focus { at } else { self.open };
        let query = finder.map(|finder| RunsQuery::new(finder.text()));
        List { view: *self, heads, at, top, query: query.as_ref() }.draw(buffer, rows);
    }
}

/// The rows of the pane.
struct List<'a> {
    view: RunsView<'a>,
    heads: &'a [RunHead],
    /// The selected run: the run under the cursor, or without the focus the open one.
    at: Option<&'a RunId>,
    /// The index of the first run on screen.
    top: usize,
    /// The search for runs, whose matches are marked.
    query: Option<&'a RunsQuery>,
}

impl List<'_> {
    /// Draws the rows that fit.
    fn draw(&self, buffer: &mut Buffer, body: Rect) {
        let RunsView { runs, now, theme, .. } = self.view;
        let shown = self.heads.iter().skip(self.top).take(usize::from(body.height));
        let texts = |head| Texts::new(head, runs.highlights.of(head), now);
        let rows: Vec<_> = shown.map(texts).collect();
        let widest = |of: fn(&Texts<'_>) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let widest = Widest {
            place: widest(|texts| texts.place.width()),
            sha: widest(|texts| texts.sha.width()),
            what: widest(|texts| texts.what.width()),
            repo: if self.has_repos() { widest(|texts| texts.repo.width()) } else { 0 },
        };
        let columns = Columns::new(usize::from(body.width), widest);
        for (index, texts) in rows.iter().enumerate() {
            let Some(row) = row_of(body, index) else { break };
            self.draw_row(buffer, row, columns, texts);
            if Some(&texts.head.run.id) == self.at {
                select(buffer, row, theme, self.view.has_focus);
            }
        }
    }

    /// Returns true if the loaded runs are of several repositories.
    fn has_repos(&self) -> bool {
        let mut repos = self.view.runs.heads.iter().flatten().chain(self.heads);
        let first = repos.next().map(|head| &head.run.repo);
        repos.any(|head| Some(&head.run.repo) != first)
    }

    fn draw_row(&self, buffer: &mut Buffer, row: Rect, columns: Columns, texts: &Texts<'_>) {
        let theme = self.view.theme;
        let status = Status::of_run(texts.head);
        let look = theme.status(status);
        let is_open = Some(&texts.head.run.id) == self.view.open;
        let plain = if is_open { theme.strong } else { Style::new() };
        let strip = Strip::new(buffer, row, theme.signs.ellipsis);
        let mut pen = Pen { strip, gap: columns.gap, theme, query: self.query };
        pen.strip.put(if is_open { theme.signs.here } else { " " }, theme.accent);
        pen.strip.skip_right(1).put(theme.signs.status(status), look).skip(1);
        pen.put(status.word(), columns.word, look, Some(TextKind::Name));
        pen.put(&texts.place, columns.place, plain, Some(TextKind::Name));
        pen.put(&texts.sha, columns.sha, theme.muted, Some(TextKind::Hex));
        let kind = texts.is_title.then_some(TextKind::Name);
        pen.put(texts.what(columns.what), columns.what, plain, kind);
        pen.put(&texts.exit, columns.exit, look, None);
        pen.put(&format!("{:>SPENT$}", texts.spent), columns.spent, plain, None);
        pen.put(&format!("{:>AGE$}", texts.age), AGE, theme.muted, None);
        pen.put(&texts.repo, columns.repo, plain, Some(TextKind::Name));
        pen.put(&texts.id, columns.id, theme.muted, Some(TextKind::Hex));
    }
}

/// Draws the columns of a row, from the left.
struct Pen<'a> {
    strip: Strip<'a>,
    gap: usize,
    theme: &'a Theme,
    query: Option<&'a RunsQuery>,
}

impl Pen<'_> {
    /// Draws a text, cut to its column, and marks the matches of its kind in it.
    fn put(&mut self, text: &str, width: usize, style: Style, kind: Option<TextKind>) {
        if width == 0 {
            return;
        }
        let marks = self.query.zip(kind).map(|(query, kind)| query.marks(text, kind));
        let marks = marks.unwrap_or_default();
        let text = cut(text, width, self.theme.signs.ellipsis);
        for (index, grapheme) in text.graphemes(true).enumerate() {
            let is_marked = marks.contains(&index);
            let style = if is_marked { style.patch(self.theme.found) } else { style };
            self.strip.put(grapheme, style);
        }
        let blank = width.saturating_sub(text.width()) + self.gap;
        self.strip.skip(u16::try_from(blank).unwrap_or(u16::MAX));
    }
}

/// Draws the line in which a search is typed.
fn draw_finder(buffer: &mut Buffer, area: Rect, finder: &Finder, theme: &Theme) {
    let mut strip = Strip::new(buffer, area, theme.signs.ellipsis);
    strip.skip(1).skip_right(1).put("/", theme.accent);
    draw_input(&mut strip, &finder.input, finder.is_typing, theme);
    if finder.text().is_empty() {
        strip.put("state repo ref name id", theme.muted);
    }
}
