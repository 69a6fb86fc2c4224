//! The list of runs, newest first: as a narrow pane or as a wide popup.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Strip, row_of, select};
use crate::join::RunHead;
use crate::model::{Phase, Run, RunId};
use crate::sanitise::name;
use crate::time::Time;
use crate::tui::theme::Theme;
use crate::words::{self, Mark};

/// From this width on a row has the word of the state, the repository and the commit too.
const WIDE: u16 = 60;

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
        for (index, head) in self.heads.iter().skip(self.top).enumerate() {
            let Some(row) = row_of(body, index) else { break };
            self.draw_row(buffer, row, head);
            if Some(&head.run.id) == self.at {
                select(buffer, row, self.theme, self.has_focus);
            }
        }
    }

    fn draw_row(&self, buffer: &mut Buffer, row: Rect, head: &RunHead) {
        let theme = self.theme;
        let mark = Mark::of_run(head);
        let is_wide = row.width >= WIDE;
        let is_open = Some(&head.run.id) == self.open;
        let plain = if is_open { theme.strong } else { Style::new() };
        let mut strip = Strip::new(buffer, row, theme.signs.ellipsis);
        strip.skip(1).skip_right(1);
        strip.put(theme.signs.mark(mark), theme.mark(mark)).skip(1);
        if is_wide {
            strip.put(&format!("{:<12}", mark.word()), theme.mark(mark));
        }
        strip.put(&format!("{:<8}", name(head.run.id.short())), plain).skip(1);
        let age = since(&head.run).zip(self.now).map(|(then, now)| words::age(now.millis_since(then)));
        strip.put_right(&format!("{:>4}", age.unwrap_or_default()), theme.muted, 0);
        let spent = spent(head, self.now).unwrap_or_default();
        if is_wide || row.width >= 28 {
            strip.skip_right(1).put_right(&format!("{spent:>7}"), plain, 4);
        }
        strip.skip_right(1);
        if is_wide {
            let repo = head.run.repo.as_deref().map(name).unwrap_or_default();
            strip.put(&repo, plain).skip(2).put(&words::revision(&head.run).unwrap_or_default(), theme.muted);
        } else {
            strip.put(&short_ref(&head.run).unwrap_or_default(), Style::new());
        }
    }
}

/// How long a run took, or has taken so far, in whole seconds then; `None` when it has not started.
#[must_use]
pub fn spent(head: &RunHead, now: Option<Time>) -> Option<String> {
    span(head.phase, head.run.started_at, head.ended_at(), now)
}

/// How long something took, or has taken so far.
#[must_use]
pub fn span(phase: Phase, start: Option<Time>, end: Option<Time>, now: Option<Time>) -> Option<String> {
    let start = start?;
    match (end, phase) {
        (Some(end), _) => Some(words::duration(end.millis_since(start))),
        (None, Phase::Active) => now.map(|now| so_far(now.millis_since(start))),
        (None, _) => None,
    }
}

/// A duration that still grows, in whole seconds: tenths that stand still for a second only distract.
#[must_use]
pub fn so_far(ms: i64) -> String {
    let secs = ms.max(0) / 1000;
    if secs < 60 { format!("{secs}s") } else { words::duration(secs * 1000) }
}

const fn since(run: &Run) -> Option<Time> {
    match (run.finished_at, run.started_at) {
        (Some(at), _) | (None, Some(at)) => Some(at),
        (None, None) => run.queued_at,
    }
}

/// The branch or tag, where the store says one.
pub(super) fn short_ref(run: &Run) -> Option<String> {
    let full = run.ref_name.as_deref().filter(|full| !full.is_empty())?;
    let short = full.strip_prefix("refs/heads/").or_else(|| full.strip_prefix("refs/tags/"));
    Some(name(short.unwrap_or(full)).into_owned())
}
