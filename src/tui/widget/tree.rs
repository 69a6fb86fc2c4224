//! The jobs of a run and their commands.
//!
//! ```text
//!  ✓ build                 12.3s
//!    ✓ 1 cargo build       12.1s
//!  ✗ test +2               34.1s      folded: two commands are hidden
//!  ○ deploy            ! skipped      something odd is to be said of it
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::runs::span;
use super::{Strip, row_of, select};
use crate::join::{JobNode, Place, RunNode, ShNode, ShState};
use crate::model::Phase;
use crate::sanitise::name;
use crate::time::Time;
use crate::tui::model::Item;
use crate::tui::theme::Theme;
use crate::words::{self, Mark, count};

/// The visible rows of the tree.
pub struct TreeList<'a> {
    /// Jobs and commands.
    pub items: &'a [Item<'a>],
    /// The first one on screen.
    pub top: usize,
    /// The selected one.
    pub at: Option<usize>,
    /// Whether there is something to be said about a row.
    pub is_odd: &'a dyn Fn(&Item<'_>) -> bool,
    /// Whether the commands of a job are hidden.
    pub is_folded: &'a dyn Fn(&JobNode) -> bool,
    /// The tree has the focus.
    pub has_focus: bool,
    /// How late it is.
    pub now: Option<Time>,
    /// How it looks.
    pub theme: &'a Theme,
}

impl TreeList<'_> {
    /// Draws the rows that fit.
    pub fn draw(&self, buffer: &mut Buffer, body: Rect) {
        for (index, item) in self.items.iter().enumerate().skip(self.top) {
            let Some(row) = row_of(body, index - self.top) else { break };
            match item {
                Item::Run(run) => self.draw_run(buffer, row, run),
                Item::Job(job) => self.draw_job(buffer, row, job),
                Item::Sh(job, sh) => self.draw_sh(buffer, row, job, sh),
            }
            if Some(index) == self.at {
                select(buffer, row, self.theme, self.has_focus);
            }
        }
    }

    fn draw_run(&self, buffer: &mut Buffer, row: Rect, run: &RunNode) {
        let notes = run.findings.at(&Place::Run).count();
        let said = match notes {
            0 => String::new(),
            1 => "1 note".into(),
            notes => format!("{notes} notes"),
        };
        let mut strip = Strip::new(buffer, row, self.theme.signs.ellipsis);
        strip.skip(1).skip_right(1).put_right(&said, self.theme.warn, 8).skip_right(1);
        let sign = if notes > 0 { "!" } else { self.theme.signs.dot };
        strip.put(sign, if notes > 0 { self.theme.warn } else { self.theme.muted }).skip(1);
        strip.put(own_name(run), Style::new());
    }

    fn draw_job(&self, buffer: &mut Buffer, row: Rect, job: &JobNode) {
        let mark = Mark::of_job(job);
        let spent = span(job.phase, job.job.started_at, job.job.finished_at, self.now);
        let hidden = if (self.is_folded)(job) { job.shs.len() } else { 0 };
        let mut strip =
            self.begin(buffer, row, Lead { indent: 1, mark, spent, is_odd: (self.is_odd)(&Item::Job(job)) });
        let fold = if hidden > 0 { format!(" +{}", count(hidden as u64)) } else { String::new() };
        let room = strip.free().saturating_sub(fold.len());
        // A log that was opened by its path belongs to no job.
        let id = if job.job.id.as_str().is_empty() { "log".into() } else { name(job.job.id.as_str()) };
        strip.put(&super::cut(&id, room, self.theme.signs.ellipsis), self.theme.strong).put(&fold, self.theme.muted);
    }

    fn draw_sh(&self, buffer: &mut Buffer, row: Rect, job: &JobNode, sh: &ShNode) {
        let mark = Mark::of_sh(sh);
        let spent = spent_by(sh, self.now);
        let digits = job.shs.last().map_or(1, |last| last.n.to_string().len());
        let mut strip =
            self.begin(buffer, row, Lead { indent: 3, mark, spent, is_odd: (self.is_odd)(&Item::Sh(job, sh)) });
        strip.put(&format!("{:>digits$} ", sh.n), self.theme.muted).put(&command(sh), Style::new());
    }

    /// The glyph at the left, the duration or else the state's word at the right, before it a sign if there is something to be said.
    fn begin<'b>(&self, buffer: &'b mut Buffer, row: Rect, lead: Lead) -> Strip<'b> {
        let Lead { indent, mark, spent, is_odd } = lead;
        let theme = self.theme;
        let mut strip = Strip::new(buffer, row, theme.signs.ellipsis);
        strip.skip(indent).skip_right(1);
        strip.put(theme.signs.mark(mark), theme.mark(mark)).skip(1);
        match spent {
            Some(spent) => strip.put_right(&spent, theme.muted, 8),
            None => strip.put_right(mark.word(), theme.mark(mark), 8),
        };
        strip.skip_right(1);
        if is_odd {
            strip.put_right("!", theme.warn, 8).skip_right(1);
        }
        strip
    }
}

/// What a row of a job and of a command have in common.
struct Lead {
    indent: u16,
    mark: Mark,
    spent: Option<String>,
    is_odd: bool,
}

/// How long a command took, or has taken so far.
#[must_use]
pub fn spent_by(sh: &ShNode, now: Option<Time>) -> Option<String> {
    let row = sh.sh.as_ref()?;
    let phase = if sh.state == ShState::Running { Phase::Active } else { Phase::Finished };
    span(phase, row.started_at, row.finished_at, now)
}

/// What the row of the run itself is called.
#[must_use]
pub const fn own_name(run: &RunNode) -> &'static str {
    if run.log.is_some() { "the run's own log" } else { "the run itself" }
}

/// A command's line as it is shown; `sh-3.log` when there is nothing but a log.
#[must_use]
pub fn command(sh: &ShNode) -> String {
    sh.sh.as_ref().map_or_else(|| words::log_name(sh), words::command)
}
