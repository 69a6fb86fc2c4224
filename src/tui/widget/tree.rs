//! The tree: a run, its jobs and their commands.
//!
//! ```text
//!  ✗ all commands                               47.0s
//!  ✓ build                          ██▏         12.3s      its share of the run
//!    ✓ 1 cargo build                ██▏         12.1s
//!  ✗ test +2                failed  ████▊       34.1s      folded: two commands are hidden
//!  ⊘ deploy                 ! skipped                      there is a finding about the job
//! ```
//!
//! The width decides how many of these facts a row shows: duration, bar and state word. All rows
//! show the same facts, except failures. A failure shows the word rather than the bar. A failed
//! command shows its exit status rather than its duration if there is room for only one fact. Half
//! of the row is reserved for the name.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::spans::{span, span_ms};
use super::{Strip, row_of, select};
use crate::display::{self, Status, count};
use crate::join::{JobNode, Place, RunNode, ShNode, ShState};
use crate::model::Phase;
use crate::sanitize::name;
use crate::time::Time;
use crate::tui::model::Item;
use crate::tui::theme::Theme;

/// The width of a duration, except for very long ones.
const SPENT: usize = 6;
/// The width of a bar.
const BAR: u16 = 6;
/// The width of a state word, such as `interrupted`.
const WORD: usize = 11;
/// The width from which a row has two facts.
const TWO_FACTS: u16 = 40;
/// The width from which a row has three facts.
const THREE_FACTS: u16 = 60;

/// The visible rows of the tree.
pub struct TreeList<'a> {
    /// The run, its jobs and commands.
    pub items: &'a [Item<'a>],
    /// The index of the first row on screen.
    pub top: usize,
    /// The index of the selected row.
    pub at: Option<usize>,
    /// Returns true if there are findings about a row.
    pub is_odd: &'a dyn Fn(&Item<'_>) -> bool,
    /// Returns true if the commands of a job are hidden.
    pub is_folded: &'a dyn Fn(&JobNode) -> bool,
    /// The duration of the run, so far if it is active.
    pub whole_ms: Option<i64>,
    /// True if the tree has the focus.
    pub has_focus: bool,
    /// The current time.
    pub now: Option<Time>,
    /// The theme.
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
            _ if row.width < TWO_FACTS => "!".into(),
            1 => "! 1 note".into(),
            notes => format!("! {notes} notes"),
        };
        let spent = super::spent(&run.head, self.now);
        let status = Status::of_run(&run.head);
        let lead = Lead {
            indent: 1,
            number: "",
            name: own_name(run),
            status,
            exit: None,
            spent,
            ms: None,
            odd: &said,
        };
        self.begin(buffer, row, &lead).put(lead.name, self.theme.strong);
    }

    fn draw_job(&self, buffer: &mut Buffer, row: Rect, job: &JobNode) {
        let status = Status::of_job(job);
        let item = Item::Job(job);
        let (phase, start, end) = (job.phase, job.job.started_at, job.job.finished_at);
        // A log that was opened by its path belongs to a job without a name.
        let id =
            if job.job.id.as_str().is_empty() { "log".into() } else { name(job.job.id.as_str()) };
        let lead = Lead {
            indent: 1,
            number: "",
            name: &id,
            status,
            exit: None,
            spent: span(phase, start, end, self.now),
            ms: span_ms(phase, start, end, self.now),
            odd: if (self.is_odd)(&item) { "!" } else { "" },
        };
        let hidden = if (self.is_folded)(job) { job.shs.len() } else { 0 };
        let fold = if hidden > 0 { format!(" +{}", count(hidden as u64)) } else { String::new() };
        let mut strip = self.begin(buffer, row, &lead);
        let room = strip.free().saturating_sub(fold.len());
        strip
            .put(&super::cut(&id, room, self.theme.signs.ellipsis), self.theme.strong)
            .put(&fold, self.theme.muted);
    }

    fn draw_sh(&self, buffer: &mut Buffer, row: Rect, job: &JobNode, sh: &ShNode) {
        let command = command(sh);
        let digits = job.shs.last().map_or(1, |last| last.n.to_string().len());
        let lead = Lead {
            indent: 3,
            number: &format!("{:>digits$} ", sh.n),
            name: &command,
            status: Status::of_sh(sh),
            exit: sh.sh.as_ref().and_then(display::exit_in_short),
            spent: spent_by(sh, self.now),
            ms: spent_ms_by(sh, self.now),
            odd: if (self.is_odd)(&Item::Sh(job, sh)) { "!" } else { "" },
        };
        self.begin(buffer, row, &lead).put(&command, Style::new());
    }

    /// Draws the glyph and the number at the left, and the facts at the right. Returns the rest for
    /// the name: at least half of the row.
    fn begin<'b>(&self, buffer: &'b mut Buffer, row: Rect, lead: &Lead<'_>) -> Strip<'b> {
        let theme = self.theme;
        let look = theme.status(lead.status);
        let mut strip = Strip::new(buffer, row, theme.signs.ellipsis);
        strip.skip(lead.indent).skip_right(1);
        strip.put(theme.signs.status(lead.status), look).skip(1).put(lead.number, theme.muted);
        let half = strip.free().div_ceil(2);
        for fact in facts(row.width, lead) {
            let before = strip.free();
            match fact {
                Fact::Spent(width) => {
                    let spent = lead.spent.as_deref().unwrap_or_default();
                    strip.put_right(&format!("{spent:>width$}"), theme.muted, half)
                }
                Fact::Bar => strip.put_right(&self.bar(lead.ms), theme.bar, half),
                Fact::Word(width) => {
                    strip.put_right(&format!("{:<width$}", lead.word()), look, half)
                }
                Fact::SpareWord => {
                    strip.put_right(lead.word(), look, half.max(lead.name.width() + 1))
                }
            };
            strip.skip_right(u16::from(strip.free() < before));
        }
        strip.put_right(lead.odd, theme.warn, 8).skip_right(u16::from(!lead.odd.is_empty()));
        strip
    }

    /// Formats the bar for a share of the run; blank if the share is unknown.
    fn bar(&self, ms: Option<i64>) -> String {
        let (ms, whole) = ms.zip(self.whole_ms).unwrap_or_default();
        self.theme.signs.share(ms, whole, BAR)
    }
}

/// A fact at the right of a row; facts are listed from the right.
enum Fact {
    Spent(usize),
    Bar,
    Word(usize),
    /// A state word, shown only if the name is not cut for it.
    SpareWord,
}

/// Returns as many facts as the width of the pane allows. Their columns have fixed widths, so that
/// the rows align.
fn facts(width: u16, lead: &Lead<'_>) -> Vec<Fact> {
    let is_bad = matches!(lead.status, Status::Failed | Status::Interrupted);
    match width {
        _ if lead.spent.is_none() => vec![Fact::Word(0)],
        ..TWO_FACTS if lead.exit.is_some() => vec![Fact::Word(0)],
        ..TWO_FACTS if is_bad => vec![Fact::Spent(0), Fact::SpareWord],
        ..TWO_FACTS => vec![Fact::Spent(0)],
        TWO_FACTS..THREE_FACTS if is_bad => vec![Fact::Spent(SPENT), Fact::Word(0)],
        TWO_FACTS..THREE_FACTS => vec![Fact::Spent(SPENT), Fact::Bar],
        THREE_FACTS.. => vec![Fact::Spent(SPENT), Fact::Bar, Fact::Word(WORD)],
    }
}

/// The content common to all kinds of rows.
struct Lead<'a> {
    indent: u16,
    number: &'a str,
    name: &'a str,
    status: Status,
    /// The exit status, if it is more specific than the state.
    exit: Option<String>,
    spent: Option<String>,
    ms: Option<i64>,
    odd: &'a str,
}

impl Lead<'_> {
    fn word(&self) -> &str {
        self.exit.as_deref().unwrap_or(self.status.word())
    }
}

/// Formats the duration of a command, so far if it is running.
#[must_use]
pub fn spent_by(sh: &ShNode, now: Option<Time>) -> Option<String> {
    let row = sh.sh.as_ref()?;
    span(phase(sh), row.started_at, row.finished_at, now)
}

/// Returns the duration of a command in milliseconds, so far if it is running.
#[must_use]
pub fn spent_ms_by(sh: &ShNode, now: Option<Time>) -> Option<i64> {
    let row = sh.sh.as_ref()?;
    span_ms(phase(sh), row.started_at, row.finished_at, now)
}

fn phase(sh: &ShNode) -> Phase {
    if sh.state == ShState::Running { Phase::Active } else { Phase::Finished }
}

/// Returns the name of the row of the run itself.
#[must_use]
pub const fn own_name(run: &RunNode) -> &'static str {
    if run.log.is_some() { "run log" } else { "all commands" }
}

/// Returns the command line for the screen; `sh-3.log` if there is only a log.
#[must_use]
pub fn command(sh: &ShNode) -> String {
    sh.sh.as_ref().map_or_else(|| display::log_name(sh), display::command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::{Pairing, Recorder, job_node, run_head};
    use crate::model::{Job, JobId, Run, RunId, Sh};
    use proptest::prelude::*;

    fn job(id: &str, cmds: &[(String, i64, i32)]) -> JobNode {
        let head = run_head(Run::without_row(RunId("r".into()), None), Recorder::Unknown);
        let at = |ms| Some(Time::from_millis(ms));
        let job = Job {
            started_at: at(0),
            finished_at: at(90_000),
            ..Job::without_row(JobId(id.into()))
        };
        let mut node = job_node(&head, job, Vec::new(), Vec::new());
        node.shs = (1..)
            .zip(cmds)
            .map(|(n, (cmd, ms, code))| ShNode {
                n,
                sh: Some(Sh {
                    cmd: cmd.clone(),
                    started_at: at(0),
                    finished_at: at(*ms),
                    exit_code: Some(i64::from(*code)),
                    ..Sh::default()
                }),
                log: None,
                first_at: None,
                pairing: Pairing::Exact,
                state: if *code == 0 { ShState::Passed } else { ShState::Failed },
            })
            .collect();
        node
    }

    fn rows(width: u16, job: &JobNode) -> Vec<String> {
        let items: Vec<_> = std::iter::once(Item::Job(job))
            .chain(job.shs.iter().map(|sh| Item::Sh(job, sh)))
            .collect();
        let height = u16::try_from(items.len()).unwrap();
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        let list = TreeList {
            items: &items,
            top: 0,
            at: None,
            is_odd: &|_| false,
            is_folded: &|_| false,
            whole_ms: Some(90_000),
            has_focus: false,
            now: None,
            theme: &Theme::new(true, false),
        };
        let area = buffer.area;
        list.draw(&mut buffer, area);
        crate::tui::sim::text(&buffer).lines().map(ToOwned::to_owned).collect()
    }

    #[test]
    fn facts_come_as_the_width_allows() {
        let job = job(
            "build",
            &[("cargo build --all".into(), 45_000, 0), ("cargo test".into(), 12_100, 101)],
        );
        assert_eq!(
            rows(28, &job)[1..],
            ["   ✓ 1 cargo build -… 45.0s", "   ✗ 2 cargo test  exit 101"].map(String::from)
        );
        assert_eq!(
            rows(44, &job)[1..],
            [
                "   ✓ 1 cargo build --all      ███     45.0s",
                "   ✗ 2 cargo test           exit 101  12.1s"
            ]
            .map(String::from)
        );
        assert_eq!(
            rows(60, &job)[1..],
            [
                "   ✓ 1 cargo build --all          passed      ███     45.0s",
                "   ✗ 2 cargo test                 exit 101    ▉       12.1s"
            ]
            .map(String::from)
        );
    }

    proptest! {
        /// Checks that the name keeps half of the columns that the glyph and the number leave, and
        /// that the durations end in the same column.
        #[test]
        fn the_name_keeps_half_of_its_row(
            width in 24_u16..200,
            ms in 0_i64..9_000_000,
            fails: bool,
        ) {
            let name = "n".repeat(200);
            let job = job("build", &[(name, ms, i32::from(fails)), ("x".into(), 1, 0)]);
            let rows = rows(width, &job);
            let kept = rows[1].chars().filter(|c| *c == 'n').count();
            prop_assert!(kept + 1 >= usize::from(width - 8).div_ceil(2), "{:?}", rows);
            let is_by_exit = fails && width < TWO_FACTS;
            prop_assert!(
                is_by_exit || rows[1].chars().count() == rows[2].chars().count(),
                "{:?}",
                rows
            );
        }
    }
}
