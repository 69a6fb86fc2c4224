//! The drawing of the pane: the list of runs, newest first, with as many columns as the width
//! allows, below the line in which a search is typed.
//!
//! ```text
//!  ✗ 7f3a9c01 main         2m
//!  ✗ failed      7f3a9c01 example main@deadbee                  1m23s   2m
//! ```

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::{Finder, Runs, RunsQuery, TextKind};
use crate::display::{self, Status};
use crate::join::RunHead;
use crate::model::{Run, RunId};
use crate::sanitize::name;
use crate::time::Time;
use crate::tui::layout::runs_parts;
use crate::tui::msg::Next;
use crate::tui::theme::Theme;
use crate::tui::widget::{Strip, cut, draw_input, draw_lines, row_of, select, spent};

/// The width of a state word, such as `interrupted`.
const WORD: usize = 11;
/// The width of a short ID.
const ID: usize = 8;
/// The number of digits of a commit.
const SHA: usize = 7;
/// The width of a duration.
const SPENT: usize = 7;
/// The width of an age.
const AGE: usize = 4;
/// The width that the duration leaves for the ref. A repository also needs at least this width.
const SHORT_REF: usize = 6;
/// The width that the state word leaves for the ref. This is more, because the word only repeats
/// the meaning of the glyph.
const LONG_REF: usize = 12;

/// The widths of the optional columns; 0 for one that is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Columns {
    word: usize,
    repo: usize,
    place: usize,
    spent: usize,
}

impl Columns {
    /// Divides a row of `width` columns. `repo` and `place` are the widths of the widest texts.
    fn new(width: usize, repo: usize, place: usize) -> Self {
        // The glyph, the ID and the age are always shown, with a blank between them and one at
        // either side.
        let mut room = width.saturating_sub(2 + 2 + ID + 1 + AGE + 1);
        let mut take = |columns: usize, left: usize| {
            let fits = columns > 0 && columns + 1 + left <= room;
            room -= if fits { columns + 1 } else { 0 };
            if fits { columns } else { 0 }
        };
        let spent = take(SPENT, place.min(SHORT_REF));
        let word = take(WORD, place.min(LONG_REF));
        // The repository is shown only beside the state word, and only if enough of it fits.
        let shared = if repo + 1 + place <= room {
            repo
        } else {
            repo.min((room / 3).max(room.saturating_sub(place + 1)))
        };
        let repo = if word > 0 && shared >= repo.min(SHORT_REF) { shared } else { 0 };
        Self { word, repo, place: room.saturating_sub(repo + usize::from(repo > 0)), spent }
    }
}

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
        let nothing = match finder.map(|finder| &finder.next) {
            Some(Next::End) => "no matching runs",
            Some(Next::Looking | Next::After(_)) => "searching for matching runs",
            None => "no runs yet",
        };
        let (heads, at, top) = self.runs.shown();
        if heads.is_empty() && self.runs.heads.is_some() {
            return draw_lines(buffer, rows, &[nothing], self.theme);
        }
        let query = finder.map(|finder| RunsQuery::new(finder.text()));
        List { view: *self, heads, at, top, query: query.as_ref() }.draw(buffer, rows);
    }
}

/// The rows of the pane.
struct List<'a> {
    view: RunsView<'a>,
    heads: &'a [RunHead],
    /// The run under the cursor.
    at: Option<&'a RunId>,
    /// The index of the first run on screen.
    top: usize,
    /// The search for runs, whose matches are marked.
    query: Option<&'a RunsQuery>,
}

impl List<'_> {
    /// Draws the rows that fit.
    fn draw(&self, buffer: &mut Buffer, body: Rect) {
        let rows: Vec<_> = self
            .heads
            .iter()
            .skip(self.top)
            .take(usize::from(body.height))
            .map(Texts::new)
            .collect();
        let widest = |of: fn(&Texts<'_>) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let columns = Columns::new(
            usize::from(body.width),
            widest(|texts| texts.repo.width()),
            widest(|texts| texts.ref_name.width()),
        );
        let has_sha = widest(|texts| texts.revision.width()) <= columns.place;
        for (index, texts) in rows.iter().enumerate() {
            let Some(row) = row_of(body, index) else { break };
            let place = match (has_sha, texts.ref_name.is_empty() && columns.repo == 0) {
                // If there is neither a ref nor a column for the repository, show the repository
                // here.
                (_, true) => &*texts.repo,
                (true, false) => &texts.revision,
                (false, false) => &texts.ref_name,
            };
            self.draw_row(buffer, row, columns, texts, place);
            if Some(&texts.head.run.id) == self.at {
                select(buffer, row, self.view.theme, self.view.has_focus);
            }
        }
    }

    fn draw_row(
        &self,
        buffer: &mut Buffer,
        row: Rect,
        columns: Columns,
        texts: &Texts<'_>,
        place: &str,
    ) {
        let theme = self.view.theme;
        let head = texts.head;
        let status = Status::of_run(head);
        let is_open = Some(&head.run.id) == self.view.open;
        let plain = if is_open { theme.strong } else { Style::new() };
        let mut strip = Strip::new(buffer, row, theme.signs.ellipsis);
        strip.skip(1).skip_right(1);
        strip.put(theme.signs.status(status), theme.status(status)).skip(1);
        let mut column = |text: &str, width: usize, style: Style, marks: &[usize]| {
            if width > 0 {
                let text = cut(text, width, theme.signs.ellipsis);
                let blank = width.saturating_sub(text.width());
                for (index, grapheme) in text.graphemes(true).enumerate() {
                    strip.put(
                        grapheme,
                        if marks.contains(&index) { style.patch(theme.found) } else { style },
                    );
                }
                strip.skip(u16::try_from(blank + 1).unwrap_or(u16::MAX));
            }
        };
        let marks = |text: &str, kind: TextKind| {
            self.query.map(|query| query.marks(text, kind)).unwrap_or_default()
        };
        column(
            status.word(),
            columns.word,
            theme.status(status),
            &marks(status.word(), TextKind::Name),
        );
        column(&texts.id, ID, plain, &marks(&texts.id, TextKind::Hex));
        column(&texts.repo, columns.repo, plain, &marks(&texts.repo, TextKind::Name));
        let mut of_place = marks(&texts.ref_name, TextKind::Name);
        let before_sha = texts.ref_name.graphemes(true).count() + 1;
        of_place.extend(marks(&texts.sha, TextKind::Hex).into_iter().map(|mark| mark + before_sha));
        column(place, columns.place, theme.muted, &of_place);
        let spent = spent(head, self.view.now).unwrap_or_default();
        column(&format!("{spent:>SPENT$}"), columns.spent, plain, &[]);
        let age = since(&head.run)
            .zip(self.view.now)
            .map(|(then, now)| display::age(now.millis_since(then)));
        column(&format!("{:>AGE$}", age.unwrap_or_default()), AGE, theme.muted, &[]);
    }
}

/// Draws the line in which a search is typed.
fn draw_finder(buffer: &mut Buffer, area: Rect, finder: &Finder, theme: &Theme) {
    let mut strip = Strip::new(buffer, area, theme.signs.ellipsis);
    strip.skip(1).skip_right(1).put("/", theme.accent);
    draw_input(&mut strip, &finder.input, finder.is_typing, theme);
    if finder.text().is_empty() {
        strip.put("state repo ref id", theme.muted);
    }
}

/// The texts in the row of a run.
struct Texts<'a> {
    head: &'a RunHead,
    id: Cow<'a, str>,
    repo: Cow<'a, str>,
    ref_name: String,
    sha: String,
    /// The ref and the commit.
    revision: String,
}

impl<'a> Texts<'a> {
    fn new(head: &'a RunHead) -> Self {
        let run = &head.run;
        let ref_name = display::short_ref(run).unwrap_or_default();
        let sha = run
            .sha
            .as_deref()
            .map(|sha| name(&sha.chars().take(SHA).collect::<String>()).into_owned());
        let revision =
            sha.as_ref().map_or_else(|| ref_name.clone(), |sha| format!("{ref_name}@{sha}"));
        Self {
            head,
            id: name(run.id.short()),
            repo: run.repo.as_deref().map(name).unwrap_or_default(),
            ref_name,
            sha: sha.unwrap_or_default(),
            revision,
        }
    }
}

const fn since(run: &Run) -> Option<Time> {
    match (run.finished_at, run.started_at) {
        (Some(at), _) | (None, Some(at)) => Some(at),
        (None, None) => run.queued_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_come_as_the_width_allows() {
        let columns = |width| Columns::new(width, 7, 4);
        assert_eq!(columns(22), Columns { word: 0, repo: 0, place: 4, spent: 0 });
        assert_eq!(columns(30), Columns { word: 0, repo: 0, place: 4, spent: 7 });
        assert_eq!(columns(42), Columns { word: 11, repo: 0, place: 4, spent: 7 });
        assert_eq!(columns(78), Columns { word: 11, repo: 7, place: 32, spent: 7 });
    }

    proptest! {
        #[test]
        fn columns_never_need_more_than_there_is(
            width in 18_usize..300,
            repo in 0_usize..80,
            place in 0_usize..80,
        ) {
            let columns = Columns::new(width, repo, place);
            let optional = [columns.word, columns.repo, columns.place, columns.spent];
            let taken: usize =
                optional.iter().filter(|columns| **columns > 0).map(|columns| columns + 1).sum();
            prop_assert!(2 + 2 + ID + 1 + AGE + taken <= width.max(18), "{columns:?}");
            prop_assert!(columns.repo <= repo);
        }
    }
}
