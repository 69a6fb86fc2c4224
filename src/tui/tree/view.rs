//! The drawing of the pane: a run, its jobs and their commands.
//!
//! ```text
//!  ✗ all commands               failed           47.0s
//!  ✓ build                      passed  ██▏      12.3s   its share of the run
//!    ✓ 1 cargo build            passed  ██▏      12.1s
//!  ✗ test +2                    failed  ████▊    34.1s   folded: two commands are hidden
//!    ✗ 1 cargo test           exit 101  ████▊    34.0s
//!  ⊘ deploy                 ! skipped                    there is a finding about the job
//! ```
//!
//! A column has the same meaning in all rows and at every width. The width decides how many columns
//! there are: the bar, and a column for the state or the exit status. In a narrow pane, the state
//! is shown only where the name leaves room for it, and never if it is `passed`: the sign is
//! enough. Half of the row is reserved for the name.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::Item;
use crate::display::{self, Status, count};
use crate::join::{JobNode, Place, RunNode, ShNode};
use crate::sanitize::name;
use crate::time::Time;
use crate::tui::theme::Theme;
use crate::tui::widget::{
    Strip, cut, own_name, row_of, select, span, span_ms, spent, spent_by, spent_ms_by,
};

/// The width of a duration, except for very long ones.
const SPENT: usize = 6;
/// The width of a duration in a narrow pane.
const NARROW_SPENT: usize = 5;
/// The width of a bar.
const BAR: u16 = 6;
/// The largest width of the column of state words, that of `interrupted`.
const WORD: usize = 11;
/// The width from which there is a column of state words.
const WITH_WORDS: u16 = 40;
/// The width from which there is a column of bars, and the state word of passed rows.
const WITH_BARS: u16 = 60;

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
        let shown = self.items.iter().enumerate().skip(self.top).take(usize::from(body.height));
        let rows: Vec<_> = shown.map(|(index, item)| (index, self.row(item, body.width))).collect();
        let columns = Columns::new(body.width, rows.iter().map(|(_, row)| row));
        for (line, (index, content)) in rows.iter().enumerate() {
            let Some(row) = row_of(body, line) else { break };
            self.draw_row(buffer, row, &columns, content);
            if Some(*index) == self.at {
                select(buffer, row, self.theme, self.has_focus);
            }
        }
    }

    /// Returns the content of a row in a pane of this width.
    fn row(&self, item: &Item<'_>, width: u16) -> Row {
        match item {
            Item::Run(run) => self.run_row(run, width),
            Item::Job(job) => self.job_row(job),
            Item::Sh(job, sh) => self.sh_row(job, sh),
        }
    }

    fn run_row(&self, run: &RunNode, width: u16) -> Row {
        let odd = match run.findings.at(&Place::Run).count() {
            0 => String::new(),
            _ if width < WITH_WORDS => "!".into(),
            1 => "! 1 note".into(),
            notes => format!("! {notes} notes"),
        };
        Row {
            indent: 1,
            number: String::new(),
            name: own_name(run).into(),
            is_heading: true,
            fold: String::new(),
            status: Status::of_run(&run.head),
            exit: None,
            is_tolerated: false,
            spent: spent(&run.head, self.now),
            ms: None,
            odd,
        }
    }

    fn job_row(&self, job: &JobNode) -> Row {
        let (phase, start, end) = (job.phase, job.job.started_at, job.ended_at());
        // A log that was opened by its path belongs to a job without a name.
        let id =
            if job.job.id.as_str().is_empty() { "log".into() } else { name(job.job.id.as_str()) };
        let hidden = if (self.is_folded)(job) { job.shs.len() } else { 0 };
        Row {
            indent: 1,
            number: String::new(),
            name: id.into_owned(),
            is_heading: true,
            fold: if hidden > 0 { format!(" +{}", count(hidden as u64)) } else { String::new() },
            status: Status::of_job(job),
            exit: job.is_tolerated().then(|| "tolerated".into()),
            is_tolerated: job.is_tolerated(),
            spent: span(phase, start, end, self.now),
            ms: span_ms(phase, start, end, self.now),
            odd: self.odd(&Item::Job(job)),
        }
    }

    fn sh_row(&self, job: &JobNode, sh: &ShNode) -> Row {
        let digits = job.shs.last().map_or(1, |last| last.n.to_string().len());
        Row {
            indent: 3,
            number: format!("{:>digits$} ", sh.n),
            name: display::command_of(sh),
            is_heading: false,
            fold: String::new(),
            status: Status::of_sh(sh),
            exit: sh.sh.as_ref().and_then(display::exit_in_short),
            is_tolerated: job.is_tolerated(),
            spent: spent_by(sh, self.now),
            ms: spent_ms_by(sh, self.now),
            odd: self.odd(&Item::Sh(job, sh)),
        }
    }

    fn odd(&self, item: &Item<'_>) -> String {
        if (self.is_odd)(item) { "!".into() } else { String::new() }
    }

    /// Draws the sign and the number at the left, the columns at the right, and the name between
    /// them.
    fn draw_row(&self, buffer: &mut Buffer, area: Rect, columns: &Columns, row: &Row) {
        let theme = self.theme;
        let look = if row.is_tolerated { theme.warn } else { theme.status(row.status) };
        let mut strip = Strip::new(buffer, area, theme.signs.ellipsis);
        strip.skip(row.indent).skip_right(1);
        strip.put(theme.signs.status(row.status), look).skip(1).put(&row.number, theme.muted);
        let half = strip.free().div_ceil(2);
        let mut column = |text: &str, width: usize, style: Style, reserve: usize| {
            let before = strip.free();
            strip.put_right(&format!("{text:>width$}"), style, reserve);
            strip.skip_right(u16::from(strip.free() < before));
        };
        column(row.spent.as_deref().unwrap_or_default(), columns.spent, theme.muted, half);
        if columns.has_bar {
            column(&self.bar(row.ms), 0, theme.bar, half);
        }
        match columns.word {
            Some(width) => column(columns.word_of(row), width, look, half),
            None => column(columns.word_of(row), 0, look, row.width() + 1),
        }
        strip.put_right(&row.odd, theme.warn, 8).skip_right(u16::from(!row.odd.is_empty()));
        let room = strip.free().saturating_sub(row.fold.len());
        let style = if row.is_heading { theme.strong } else { Style::new() };
        strip.put(&cut(&row.name, room, theme.signs.ellipsis), style).put(&row.fold, theme.muted);
    }

    /// Formats the bar for a share of the run; blank if the share is unknown.
    fn bar(&self, ms: Option<i64>) -> String {
        let (ms, whole) = ms.zip(self.whole_ms).unwrap_or_default();
        self.theme.signs.share(ms, whole, BAR)
    }
}

/// The columns at the right of the names.
struct Columns {
    /// The width of the durations.
    spent: usize,
    /// True if there are bars.
    has_bar: bool,
    /// The width of the state words; `None` if they have no column of their own.
    word: Option<usize>,
}

impl Columns {
    /// Divides a pane of this width, with the widest texts of these rows.
    fn new<'r>(width: u16, rows: impl Iterator<Item = &'r Row> + Clone) -> Self {
        let is_narrow = width < WITH_WORDS;
        let least = if is_narrow { NARROW_SPENT } else { SPENT };
        let spent = rows.clone().filter_map(|row| Some(row.spent.as_deref()?.width())).max();
        let mut columns =
            Self { spent: spent.unwrap_or(0).max(least), has_bar: width >= WITH_BARS, word: None };
        let words = rows.map(|row| columns.word_of(row).width()).max().unwrap_or(0);
        columns.word = (!is_narrow).then_some(words.min(WORD));
        columns
    }

    /// Returns the exit status or the state of a row. The word `passed` is shown only where there
    /// is plenty of room.
    fn word_of<'r>(&self, row: &'r Row) -> &'r str {
        match (&row.exit, row.status) {
            (Some(exit), _) => exit,
            (None, Status::Passed) if !self.has_bar => "",
            (None, status) => status.word(),
        }
    }
}

/// The content of a row.
struct Row {
    indent: u16,
    number: String,
    name: String,
    is_heading: bool,
    /// The number of hidden commands.
    fold: String,
    status: Status,
    /// The exit status, or another word that is more specific than the state.
    exit: Option<String>,
    /// True if it failed, but its run may pass nevertheless.
    is_tolerated: bool,
    spent: Option<String>,
    ms: Option<i64>,
    /// A sign for findings about the row.
    odd: String,
}

impl Row {
    /// Returns the width of its name.
    fn width(&self) -> usize {
        self.name.width() + self.fold.width()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::{Pairing, Recorder, ShState, job_node, run_head};
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
    fn columns_come_as_the_width_allows() {
        let job =
            job("build", &[("cargo build --all".into(), 45_000, 0), ("make".into(), 12_100, 101)]);
        assert_eq!(
            rows(28, &job),
            [
                " ? build      unknown 1m30s",
                "   ✓ 1 cargo build -… 45.0s",
                "   ✗ 2 make  exit 101 12.1s",
            ]
            .map(String::from)
        );
        assert_eq!(
            rows(44, &job),
            [
                " ? build                     unknown  1m30s",
                "   ✓ 1 cargo build --all              45.0s",
                "   ✗ 2 make                 exit 101  12.1s",
            ]
            .map(String::from)
        );
        assert_eq!(
            rows(60, &job),
            [
                " ? build                              unknown ██████  1m30s",
                "   ✓ 1 cargo build --all               passed ███     45.0s",
                "   ✗ 2 make                          exit 101 ▉       12.1s",
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
            prop_assert_eq!(rows[1].chars().count(), rows[2].chars().count(), "{:?}", rows);
        }
    }
}
