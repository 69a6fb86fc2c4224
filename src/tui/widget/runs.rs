//! The list of runs, newest first: in columns, as many as the width has room for.
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

use super::hints::draw_input;
use super::{Strip, cut, row_of, select};
use crate::display::{self, Status};
use crate::join::RunHead;
use crate::model::{Phase, Run, RunId};
use crate::sanitize::name;
use crate::time::Time;
use crate::tui::model::Finder;
use crate::tui::runs_query::{RunsQuery, TextKind};
use crate::tui::theme::Theme;

/// The columns of a word: `interrupted`.
const WORD: usize = 11;
/// The columns of a short id.
const ID: usize = 8;
/// The digits of a commit.
const SHA: usize = 7;
/// The columns of a duration.
const SPENT: usize = 7;
/// The columns of an age.
const AGE: usize = 4;
/// The columns of a ref that other columns leave it.
const SHORT_REF: usize = 6;
/// Those that the word, which says no more than the glyph, leaves it.
const LONG_REF: usize = 12;

/// How wide what is; 0: it is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Columns {
    word: usize,
    repo: usize,
    place: usize,
    spent: usize,
}

impl Columns {
    /// For a row of `width` columns and texts of at most these widths.
    fn new(width: usize, repo: usize, place: usize) -> Self {
        // The glyph, the id and the age are always there, with a column between any two and one at
        // either side.
        let mut room = width.saturating_sub(2 + 2 + ID + 1 + AGE + 1);
        let mut take = |columns: usize, left: usize| {
            let fits = columns > 0 && columns + 1 + left <= room;
            room -= if fits { columns + 1 } else { 0 };
            if fits { columns } else { 0 }
        };
        let spent = take(SPENT, place.min(SHORT_REF));
        let word = take(WORD, place.min(LONG_REF));
        // The word is there where there is room for whole names.
        let shared = if repo + 1 + place <= room {
            repo
        } else {
            repo.min((room / 3).max(room.saturating_sub(place + 1)))
        };
        let repo = if word > 0 && shared >= repo.min(SHORT_REF) { shared } else { 0 };
        Self { word, repo, place: room.saturating_sub(repo + usize::from(repo > 0)), spent }
    }
}

/// The list.
pub struct RunsList<'a> {
    /// The runs.
    pub heads: &'a [RunHead],
    /// The first one on screen.
    pub top: usize,
    /// The one under the cursor.
    pub at: Option<&'a RunId>,
    /// The open one.
    pub open: Option<&'a RunId>,
    /// What is searched for.
    pub query: Option<&'a RunsQuery>,
    /// The list has the focus.
    pub has_focus: bool,
    /// How late it is.
    pub now: Option<Time>,
    /// How it looks.
    pub theme: &'a Theme,
}

impl RunsList<'_> {
    /// Draws the rows that fit.
    pub fn draw(&self, buffer: &mut Buffer, body: Rect) {
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
                // Better than nothing.
                (_, true) => &*texts.repo,
                (true, false) => &texts.revision,
                (false, false) => &texts.ref_name,
            };
            self.draw_row(buffer, row, columns, texts, place);
            if Some(&texts.head.run.id) == self.at {
                select(buffer, row, self.theme, self.has_focus);
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
        let (theme, head) = (self.theme, texts.head);
        let status = Status::of_run(head);
        let is_open = Some(&head.run.id) == self.open;
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
        let spent = spent(head, self.now).unwrap_or_default();
        column(&format!("{spent:>SPENT$}"), columns.spent, plain, &[]);
        let age =
            since(&head.run).zip(self.now).map(|(then, now)| display::age(now.millis_since(then)));
        column(&format!("{:>AGE$}", age.unwrap_or_default()), AGE, theme.muted, &[]);
    }
}

/// Draws the line in which one types what to find.
pub fn draw_finder(buffer: &mut Buffer, area: Rect, finder: &Finder, theme: &Theme) {
    let mut strip = Strip::new(buffer, area, theme.signs.ellipsis);
    strip.skip(1).skip_right(1).put("/", theme.accent);
    draw_input(&mut strip, &finder.input, finder.is_typing, theme);
    if finder.text().is_empty() {
        strip.put("state repo ref id", theme.muted);
    }
}

/// What a row says of a run.
struct Texts<'a> {
    head: &'a RunHead,
    id: Cow<'a, str>,
    repo: Cow<'a, str>,
    ref_name: String,
    sha: String,
    /// Both.
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

/// How long a run took, or has taken so far, in whole seconds then; `None` when it has not started.
#[must_use]
pub fn spent(head: &RunHead, now: Option<Time>) -> Option<String> {
    span(head.phase, head.run.started_at, head.ended_at(), now)
}

/// The same in milliseconds.
#[must_use]
pub fn spent_ms(head: &RunHead, now: Option<Time>) -> Option<i64> {
    span_ms(head.phase, head.run.started_at, head.ended_at(), now)
}

/// How long something took, or has taken so far.
#[must_use]
pub fn span(
    phase: Phase,
    start: Option<Time>,
    end: Option<Time>,
    now: Option<Time>,
) -> Option<String> {
    let ms = span_ms(phase, start, end, now)?;
    Some(if end.is_some() { display::duration(ms) } else { so_far(ms) })
}

/// The same in milliseconds.
pub(super) fn span_ms(
    phase: Phase,
    start: Option<Time>,
    end: Option<Time>,
    now: Option<Time>,
) -> Option<i64> {
    let until = end.or(now.filter(|_| phase == Phase::Active))?;
    Some(until.millis_since(start?))
}

/// A duration that still grows, in whole seconds: tenths that stand still for a second only
/// distract.
#[must_use]
pub fn so_far(ms: i64) -> String {
    let secs = ms.max(0) / 1000;
    if secs < 60 { format!("{secs}s") } else { display::duration(secs * 1000) }
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
        fn columns_never_need_more_than_there_is(width in 18_usize..300, repo in 0_usize..80, place in 0_usize..80) {
            let columns = Columns::new(width, repo, place);
            let optional = [columns.word, columns.repo, columns.place, columns.spent];
            let taken: usize = optional.iter().filter(|columns| **columns > 0).map(|columns| columns + 1).sum();
            prop_assert!(2 + 2 + ID + 1 + AGE + taken <= width.max(18), "{columns:?}");
            prop_assert!(columns.repo <= repo);
        }
    }
}
