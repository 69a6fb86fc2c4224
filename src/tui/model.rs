//! What the screen shows, and nothing else: no I/O, no clock, no terminal. Changed by [`super::update`], drawn by
//! [`super::view`].
//!
//! Selections are names, not positions: a job or command stays selected while others appear before it. What is selected may
//! have vanished; then it counts as nothing.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use crate::catalog::Beside;
use crate::file::FilePath;
use crate::join::{JobNode, Place, RunHead, RunNode, ShNode, ShState};
use crate::log::{Row, Standing, Window};
use crate::model::{JobId, Outcome, Phase, RunId};
use crate::sanitise::Style;
use crate::time::Time;
use crate::tui::keymap::{Context, Keymap};
use crate::tui::layout::{Layout, Pane, log_parts};
use crate::tui::lens::{Lens, slow_ms};
use crate::tui::msg::{Goal, Known, Ticket, Watching};
use crate::tui::prompt::{Past, Prompt, Span};
use crate::tui::theme::Theme;
use crate::tui::wait::Waiting;
use crate::tui::widget::{Columns, lines_of};
use crate::words;

/// Everything that the screen shows.
pub struct Model {
    /// The size of the screen.
    pub screen: Rect,
    /// How late it is; `None` until somebody has said so.
    pub now: Option<Time>,
    /// How things look.
    pub theme: Theme,
    /// The zone of the times on screen.
    pub time_zone: TimeZone,
    /// What keys do.
    pub keymap: Keymap,
    /// The pane that keys go to.
    pub focus: Pane,
    /// The pane that had the focus before the list of runs.
    pub behind: Pane,
    /// The pane with the focus has the whole screen.
    pub zoom: bool,
    /// The help is open, scrolled down by this many rows.
    pub help: Option<usize>,
    /// The mouse is ours.
    pub mouse: bool,
    /// The list of runs.
    pub runs: Runs,
    /// The open run.
    pub run: Option<RunNode>,
    /// The run that is open or being opened.
    pub wanted: Option<RunId>,
    /// The jobs and commands of the open run.
    pub tree: Tree,
    /// The log of the selected command.
    pub log: Log,
    /// Where the first log is to open.
    pub open_at: Option<String>,
    /// How logs are looked at.
    pub lens: Lens,
    /// The line that is being typed.
    pub prompt: Option<Prompt>,
    /// Patterns that were searched for.
    pub past: Past,
    /// The marks: rows of logs, by letter.
    pub marks: HashMap<char, ((RunId, Place), u64)>,
    /// What came of the last key, where the screen does not show it.
    pub said: Option<String>,
    /// How changes are noticed.
    pub watching: Watching,
    /// The directories being watched.
    pub watched: Vec<PathBuf>,
    /// What is wrong with what was read of the store.
    pub store_fault: Option<String>,
    /// What a user should know, on leaving, of how the store was read.
    pub notices: Vec<String>,
    /// What is waited for because the store cannot be read.
    pub waiting: Option<Waiting>,
    /// The signal that asked to leave.
    pub signal: Option<i32>,
}

/// The list of runs.
#[derive(Default)]
pub struct Runs {
    /// Those at hand: a part of the list without a gap, newest first; `None` until they have been read.
    pub heads: Option<Vec<RunHead>>,
    /// There are newer ones than those at hand.
    pub has_newer: bool,
    /// There are older ones than those at hand.
    pub has_older: bool,
    /// The newest of all.
    pub newest: Option<RunId>,
    /// What is being read; only the newest request counts.
    pub asked: Option<Beside>,
    /// The one under the cursor.
    pub at: Option<RunId>,
    /// The first one on screen.
    pub top: usize,
}

/// The tree of jobs and commands.
#[derive(Default)]
pub struct Tree {
    /// What is selected.
    pub at: Option<Place>,
    /// The jobs whose commands are hidden.
    pub folded: HashSet<JobId>,
    /// The first row on screen.
    pub top: usize,
    /// The user has chosen what is selected: it does not move on by itself.
    pub chosen: bool,
}

/// A row of the tree.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// The run itself.
    Run(&'a RunNode),
    /// A job.
    Job(&'a JobNode),
    /// A command with its job.
    Sh(&'a JobNode, &'a ShNode),
}

impl<'a> Item<'a> {
    /// Its name.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Run(_) => Place::Run,
            Self::Job(job) => Place::Job(job.job.id.clone()),
            Self::Sh(job, sh) => Place::Sh(job.job.id.clone(), sh.n),
        }
    }

    /// The job it is or belongs to.
    #[must_use]
    pub const fn job(&self) -> Option<&'a JobNode> {
        match self {
            Self::Run(_) => None,
            Self::Job(job) | Self::Sh(job, _) => Some(job),
        }
    }

    /// The command that it is.
    #[must_use]
    pub const fn sh(&self) -> Option<&'a ShNode> {
        match self {
            Self::Sh(_, sh) => Some(sh),
            Self::Run(_) | Self::Job(_) => None,
        }
    }

    fn is_at(&self, place: &Place) -> bool {
        match (self, place) {
            (Self::Run(_), Place::Run) => true,
            (Self::Job(job), Place::Job(id)) => job.job.id == *id,
            (Self::Sh(job, sh), Place::Sh(id, n)) => sh.n == *n && job.job.id == *id,
            _ => false,
        }
    }
}

/// The log of the selected command, or of the run itself.
#[derive(Default)]
pub struct Log {
    /// Whose it is.
    pub key: Option<(RunId, Place)>,
    /// Its file; `None` when there is none.
    pub path: Option<FilePath>,
    /// Whether somebody may still be writing it.
    pub is_alive: bool,
    /// Whoever wrote it was cut short.
    pub is_broken_off: bool,
    /// The rows at hand: those on screen and some more at either side.
    pub window: Window,
    /// What the rows before those at hand have left switched on.
    pub style: Style,
    /// The first row on screen, counted in the window.
    pub top: usize,
    /// How many lines of that row are scrolled out of sight, where rows are wrapped.
    pub line: usize,
    /// Where the current row begins: the one that was looked for.
    pub at: Option<u64>,
    /// The last row is on screen: new ones scroll it.
    pub follow: bool,
    /// How many columns are scrolled out at the left.
    pub sideways: usize,
    /// What is known of the whole log.
    pub known: Known,
    /// How many it had when its last row was on screen; `None` when it never was.
    pub seen_rows: Option<u64>,
    /// Which generation of the file the window is from.
    pub generation: u64,
    /// How the file stands to its name.
    pub standing: Standing,
    /// Why it could not be read last time.
    pub fault: Option<String>,
    /// The request that is out.
    pub request: Option<Request>,
    /// How far what is looked for has been looked for, in hundredths of the log, once that takes long.
    pub looking: Option<u8>,
    /// What is to be said if it is not found.
    pub if_missed: String,
    /// The number of the newest request.
    pub ticket: Ticket,
    /// Where and how much was asked for last: asking for the same again brings nothing new by itself.
    pub asked: Option<(Goal, usize)>,
}

/// What happens when the rows asked for have come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// Which row to show then.
    pub aim: Aim,
    /// How far to scroll then: what the rows at hand did not allow.
    pub debt: isize,
    /// The file has changed since the request went out.
    pub stale: bool,
    /// The rows at hand are about to be left: moves count from where the answer leads.
    pub is_jump: bool,
}

/// Which rows to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aim {
    /// The first.
    Start,
    /// The last.
    End,
    /// Those being read.
    Here,
    /// Those around the row that is looked for.
    Target,
}

impl Log {
    /// Whether a row is being looked for; rows that are to be shown in another way are not.
    #[must_use]
    pub fn is_seeking(&self) -> bool {
        let goal = self.asked.as_ref().map(|(goal, _)| goal);
        self.request.is_some() && !matches!(goal, None | Some(Goal::Rows(_) | Goal::Around(_)))
    }

    /// How many rows have come that have not been on screen, while it was not followed.
    #[must_use]
    pub fn unseen(&self) -> u64 {
        self.seen_rows.map_or(0, |seen| self.known.total_rows.unwrap_or(0).saturating_sub(seen))
    }
}

impl Model {
    /// Before anything is known.
    #[must_use]
    pub fn new(screen: Rect, theme: Theme, time_zone: TimeZone) -> Self {
        Self {
            screen,
            now: None,
            theme,
            time_zone,
            keymap: Keymap::new(),
            focus: Pane::Log,
            behind: Pane::Log,
            zoom: false,
            help: None,
            mouse: true,
            runs: Runs::default(),
            run: None,
            wanted: None,
            tree: Tree::default(),
            log: Log::default(),
            open_at: None,
            lens: Lens::default(),
            prompt: None,
            past: Past::default(),
            marks: HashMap::new(),
            said: None,
            watching: Watching::default(),
            watched: Vec::new(),
            store_fault: None,
            notices: Vec::new(),
            waiting: None,
            signal: None,
        }
    }

    /// Where the panes are.
    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout::new(self.screen, self.focus, self.behind, self.zoom)
    }

    /// How many rows of the log are on screen; at least one, so that paging moves.
    #[must_use]
    pub fn log_height(&self) -> usize {
        let body = self.layout().body(Pane::Log).unwrap_or(self.screen);
        usize::from(log_parts(body, self.notes(body.width).len(), true).rows.height).max(1)
    }

    /// The columns of the log's pane.
    #[must_use]
    pub fn log_columns(&self) -> Columns {
        let body = self.layout().body(Pane::Log).unwrap_or(self.screen);
        let most = self.log.known.numbers.iter().flatten().max().copied().or(self.log.known.total_rows);
        let numbers = if self.lens.numbers { Some(most.unwrap_or(0)) } else { None };
        let log = &self.log.window;
        let is_whole = log.at_start && log.at_end && !self.lens.wrap && log.rows.len() <= self.log_height();
        let has_bar = !is_whole || log.rows.iter().map(self.lines_of()).sum::<usize>() > self.log_height();
        Columns::new(body.width, numbers, self.lens.times, has_bar)
    }

    /// How many lines of the screen a row of the log takes.
    pub fn lines_of(&self) -> impl Fn(&Row) -> usize + use<> {
        let is_flat = self.lens.is_flat();
        let width = self.lens.wrap.then(|| self.log_columns().text);
        let (progress, is_broken_off) = (self.lens.sieve.progress, self.log.is_broken_off);
        move |row| if is_flat { 1 } else { lines_of(row, width, progress, is_broken_off) }
    }

    /// The row of the log that keys are about: the one that was looked for if it is on screen, else the first on screen.
    #[must_use]
    pub fn current_row(&self) -> Option<&Row> {
        let log = &self.log;
        let mut shown = log.window.rows.iter().skip(log.top).take(self.log_height());
        let found = log.at.and_then(|at| shown.find(|row| row.offset == at));
        found.or_else(|| log.window.rows.get(log.top))
    }

    /// From when to when the command of the log ran; until now while it goes on.
    #[must_use]
    pub fn command_span(&self) -> Span {
        let (first, last) = self.log.known.span.unzip();
        let sh = self.shown().and_then(|item| item.sh()?.sh.as_ref());
        let start = sh.and_then(|sh| sh.started_at).or(first)?;
        let end = sh.and_then(|sh| sh.finished_at).or_else(|| self.now.filter(|_| self.log.is_alive));
        Some((start, end.or(last)?))
    }

    /// From how many milliseconds on a gap between two rows is slow.
    #[must_use]
    pub fn slow_ms(&self) -> i64 {
        slow_ms(self.command_span().map_or(0, |(start, end)| end.millis_since(start)))
    }

    /// What keys mean now.
    #[must_use]
    pub const fn context(&self) -> Context {
        match (self.help, self.focus) {
            _ if self.prompt.is_some() => Context::Prompt,
            (Some(_), _) => Context::Help,
            (None, Pane::Runs) => Context::Runs,
            (None, _) if self.nothing_yet().is_some() => Context::Waiting,
            (None, Pane::Tree) => Context::Tree,
            (None, Pane::Log) => Context::Log,
        }
    }

    /// What is waited for, while there is nothing else to show.
    #[must_use]
    pub const fn nothing_yet(&self) -> Option<&Waiting> {
        if self.run.is_none() { self.waiting.as_ref() } else { None }
    }

    /// The visible rows of the tree.
    #[must_use]
    pub fn items(&self) -> Vec<Item<'_>> {
        self.all_items().into_iter().filter(|item| item.sh().is_none() || !self.is_folded(item)).collect()
    }

    /// The rows of the tree, folded away or not.
    #[must_use]
    pub fn all_items(&self) -> Vec<Item<'_>> {
        let Some(run) = &self.run else { return Vec::new() };
        let own = (run.log.is_some() || run.findings.at(&Place::Run).next().is_some()).then_some(Item::Run(run));
        let with_shs = |job| std::iter::once(Item::Job(job)).chain(job.shs.iter().map(move |sh| Item::Sh(job, sh)));
        own.into_iter().chain(run.jobs.iter().flat_map(with_shs)).collect()
    }

    fn is_folded(&self, item: &Item<'_>) -> bool {
        item.job().is_some_and(|job| self.tree.folded.contains(&job.job.id))
    }

    /// Where the selection stands among the visible rows.
    #[must_use]
    pub fn item_at(&self, items: &[Item<'_>]) -> Option<usize> {
        let at = self.tree.at.as_ref()?;
        let found = items.iter().position(|item| item.is_at(at));
        // A command in a folded job is represented by the job.
        let job = || at.job().cloned().map(Place::Job);
        found.or_else(|| job().and_then(|job| items.iter().position(|item| item.is_at(&job))))
    }

    /// What is shown: the selected command, of a selected job the most telling one, or the run itself.
    #[must_use]
    pub fn shown(&self) -> Option<Item<'_>> {
        let run = self.run.as_ref()?;
        let at = self.tree.at.as_ref()?;
        let Some(id) = at.job() else { return Some(Item::Run(run)) };
        let job = run.jobs.iter().find(|job| job.job.id == *id)?;
        let sh = match at {
            Place::Sh(_, n) => job.shs.iter().find(|sh| sh.n == *n),
            _ => telling_sh(job),
        };
        Some(sh.map_or(Item::Job(job), |sh| Item::Sh(job, sh)))
    }

    /// Whether something is odd about a row of the tree.
    #[must_use]
    pub fn is_odd(&self, item: &Item<'_>) -> bool {
        self.run.as_ref().is_some_and(|run| run.findings.at(&item.place()).next().is_some())
    }

    /// What is odd about what is selected, in lines of the log's pane.
    #[must_use]
    pub fn notes(&self, width: u16) -> Vec<String> {
        let (Some(run), Some(at), Some(item)) = (&self.run, &self.tree.at, self.shown()) else { return Vec::new() };
        let shown = item.place();
        let of_shown = run.findings.at(&shown).filter(|_| shown != *at);
        let late = Some(self.log.standing.late_bytes).filter(|bytes| *bytes > 0).map(words::late);
        let found = run.findings.at(at).chain(of_shown).map(words::finding).chain(late);
        let wrap = |text: String| {
            let options = textwrap::Options::new(usize::from(width.saturating_sub(3)).max(1)).subsequent_indent("  ");
            let lines = textwrap::wrap(&text, options).into_iter().map(Cow::into_owned);
            lines.collect::<Vec<_>>()
        };
        found.flat_map(wrap).collect()
    }

    /// What was asked for at the start is there.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.run.is_some() && self.log.request.is_none() && self.open_at.is_none()
    }

    /// Something in sight is still running or waited for: ages and durations grow.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let open = self.run.as_ref().map(|run| &run.head);
        let mut heads = self.runs.heads.iter().flatten().chain(open);
        self.waiting.is_some() || heads.any(|head| head.phase == Phase::Active)
    }
}

/// The command of a job that one wants to see first: the first failed, else the one that runs, else the first.
#[must_use]
pub fn telling_sh(job: &JobNode) -> Option<&ShNode> {
    let with = |state| job.shs.iter().find(move |sh| sh.state == state);
    let running = || job.shs.iter().rfind(|sh| sh.state == ShState::Running);
    with(ShState::Failed).or_else(running).or_else(|| with(ShState::Interrupted)).or_else(|| job.shs.first())
}

/// What one wants to see first of a run: while it runs the command that runs, else the first that failed, else the first.
#[must_use]
pub fn telling_place(run: &RunNode) -> Option<Place> {
    let place = |job: &JobNode, sh: Option<&ShNode>| {
        sh.map_or_else(|| Place::Job(job.job.id.clone()), |sh| Place::Sh(job.job.id.clone(), sh.n))
    };
    let find_sh = |state: ShState| {
        let in_job = |job: &JobNode| Some(place(job, Some(job.shs.iter().find(|sh| sh.state == state)?)));
        run.jobs.iter().find_map(in_job)
    };
    let find_job = |wanted: fn(&&JobNode) -> bool| run.jobs.iter().find(wanted);
    // Between two commands the last one is what there is to see.
    let active = || find_job(|job| job.phase == Phase::Active).map(|job| place(job, job.shs.last()));
    let running = || find_sh(ShState::Running).or_else(active);
    // A run can fail without a failed command: its own log says why, or else the job itself is what there is to see.
    let own_log = || (run.log.is_some() && run.head.outcome == Some(Outcome::Failed)).then_some(Place::Run);
    let failed_job = || find_job(|job| job.outcome == Some(Outcome::Failed)).map(|job| place(job, None));
    let failed_sh = || find_sh(ShState::Failed).or_else(|| find_sh(ShState::Interrupted));
    let failed = || failed_sh().or_else(own_log).or_else(failed_job);
    // Something odd about the run is what there is to see where it tells why the run does not go on, or failed.
    let is_odd = run.findings.at(&Place::Run).next().is_some();
    let odd = || (is_odd && run.head.outcome != Some(Outcome::Passed)).then_some(Place::Run);
    let own = || (is_odd || run.log.is_some()).then_some(Place::Run);
    let first_job = || run.jobs.first().map(|job| place(job, None));
    let first_sh = || find_job(|job| !job.shs.is_empty()).map(|job| place(job, job.shs.first()));
    let first = || first_sh().or_else(own).or_else(first_job);
    let last_sh = || run.jobs.iter().rfind(|job| !job.shs.is_empty()).map(|job| place(job, job.shs.last()));
    match run.head.phase {
        Phase::Finished | Phase::Unknown => failed().or_else(odd).or_else(first),
        Phase::Queued | Phase::Active => running().or_else(failed).or_else(odd).or_else(last_sh).or_else(first),
    }
}
