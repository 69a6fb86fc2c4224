//! What the screen shows, and nothing else: no I/O, no clock, no terminal. Changed by [`super::update`], drawn by
//! [`super::view`].
//!
//! Selections are names, not positions: a job or command stays selected while others appear before it. What is selected may
//! have vanished; then it counts as nothing.

mod header;
mod log;
mod runs;
mod tree;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use crate::join::{Place, RunNode};
use crate::log::Row;
use crate::model::{Phase, RunId};
use crate::search::Cause;
use crate::time::Time;
use crate::tui::at::At;
use crate::tui::keymap::{Action, Context, Key, Keymap};
use crate::tui::layout::{Above, Layout, LogParts, Pane, help_box, log_parts};
use crate::tui::lens::{Lens, slow_ms};
use crate::tui::msg::Watching;
use crate::tui::prompt::{Past, Prompt, Span};
use crate::tui::theme::Theme;
use crate::tui::wait::Waiting;
use crate::tui::widget::{Columns, HelpRow, help_rows, lines_of};
use crate::words;

pub use header::{HeaderLine, LABEL, MARGIN};
pub use log::{Aim, Card, Log, LogKey, Mark, Request, cause_lines};
pub use runs::{Runs, Sift};
pub use tree::{Item, Tree, telling_place, telling_sh};

/// From when on reading is said to hang: what is read was begun up to a second before it is known how late it is.
const HANGS_MS: i64 = 1_000;

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
    /// Keys that mean something once more follow.
    pub pressed: Vec<Key>,
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
    /// The command to open first.
    pub open_place: Option<Place>,
    /// Where the first log is to open.
    pub open_at: Option<String>,
    /// The terminal is to call its user when the open run ends.
    pub notify: bool,
    /// How logs are looked at.
    pub lens: Lens,
    /// The line that is being typed.
    pub prompt: Option<Prompt>,
    /// Patterns that were searched for.
    pub past: Past,
    /// The marks: rows of logs, by letter.
    pub marks: HashMap<char, Mark>,
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
    /// What the worker reads, since it last gave a sign of life.
    pub reads: Option<Waiting>,
    /// The signal that asked to leave.
    pub signal: Option<i32>,
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
            pressed: Vec::new(),
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
            open_place: None,
            open_at: None,
            notify: false,
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
            reads: None,
            signal: None,
        }
    }

    /// Opens there, once there is something to be opened.
    pub fn open_on(&mut self, at: Option<At>) {
        (self.open_place, self.open_at) = at.map_or((None, None), |at| (at.place, at.spot));
    }

    /// What shows the rows on screen again; `None` where they are shown without a word.
    #[must_use]
    pub fn at(&self) -> Option<At> {
        let log = &self.log;
        if log.follow && log.is_alive && !self.tree.chosen {
            return None;
        }
        // The one log of a path needs no name.
        let first = log.window.rows.get(log.top).and_then(|row| log.place_at(row.offset));
        let (shown, first) = first.map(|(place, offset)| (place, format!("b{offset}"))).unzip();
        let place = shown.or_else(|| self.tree.at.clone());
        let place = place.filter(|place| place.job().is_none_or(|job| !job.as_str().is_empty()));
        let spot = match self.card() {
            // It stands where the command opens by itself.
            Some(_) => None,
            None if log.follow && !self.is_scroll() => Some("end".to_owned()),
            None => first,
        };
        (place.is_some() || spot.is_some()).then_some(At { place, spot })
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
        usize::from(self.log_parts(body, false).rows.height).max(1)
    }

    /// The parts of the log's pane.
    #[must_use]
    pub fn log_parts(&self, body: Rect, has_no_rows: bool) -> LogParts {
        // What is inside the card's frame.
        let width = body.width.saturating_sub(2);
        let extra = |cause| usize::from(cause_lines(cause, width)).saturating_sub(1);
        let card_rows = self.card().map(|cause| cause.rows.len() + extra(cause));
        let (notes, header) = (self.notes(body.width).len(), self.header_lines(body.width, body.height).len());
        log_parts(body, Above { header, notes, card_rows, has_no_rows })
    }

    /// Why the command failed most likely, while that is shown; the header in full takes its place.
    #[must_use]
    pub fn card(&self) -> Option<&Cause> {
        self.log.card.as_ref().filter(|card| card.is_open && !self.lens.header).map(|card| &*card.cause)
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
        let heads: HashSet<u64> = self.log.known.heads.iter().map(|head| head.at).collect();
        move |row| {
            let is_head = is_flat || heads.contains(&row.offset);
            if is_head { 1 } else { lines_of(row, width, progress, is_broken_off) }
        }
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
    pub fn context(&self) -> Context {
        match (self.help, self.focus) {
            _ if self.prompt.is_some() => Context::Prompt,
            (Some(_), _) => Context::Help,
            (None, Pane::Runs) if self.runs.is_typing() => Context::RunsFilter,
            (None, Pane::Runs) => Context::Runs,
            (None, _) if self.nothing_yet().is_some() => Context::Waiting,
            (None, pane) => pane.context(),
        }
    }

    /// The first key that does something here, as the screen names it.
    #[must_use]
    pub fn key_of(&self, action: Action) -> Option<String> {
        self.keymap.keys_of(self.context(), action).map(|keys| self.theme.signs.keys(keys))
    }

    /// Says which key helps on, if there is one: `no such mark: m sets one`.
    #[must_use]
    pub fn pointing(&self, what: &str, action: Action, does: &str) -> String {
        self.key_of(action).map_or_else(|| what.to_owned(), |key| format!("{what}: {key} {does}"))
    }

    /// The rows of the help, if it is open.
    #[must_use]
    pub fn help_rows(&self) -> Vec<HelpRow> {
        let first = if self.nothing_yet().is_some() { Context::Everywhere } else { self.focus.context() };
        let lines = self.help.map(|_| self.keymap.help_lines(first)).unwrap_or_default();
        help_rows(&lines, help_box(self.screen).width, self.theme.signs)
    }

    /// What is waited for, while there is nothing else to show.
    #[must_use]
    pub fn nothing_yet(&self) -> Option<&Waiting> {
        if self.run.is_none() { self.hangs().or(self.waiting.as_ref()) } else { None }
    }

    /// What is being read, if that has not gone on for so long that it has to be said.
    #[must_use]
    pub fn hangs(&self) -> Option<&Waiting> {
        let is_long = |since: Time| self.now.is_some_and(|now| now.millis_since(since) >= HANGS_MS);
        self.reads.as_ref().filter(|reads| reads.since.is_some_and(is_long))
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
        let with_shs = |job| std::iter::once(Item::Job(job)).chain(job.shs.iter().map(move |sh| Item::Sh(job, sh)));
        std::iter::once(Item::Run(run)).chain(run.jobs.iter().flat_map(with_shs)).collect()
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
        if self.is_scroll() {
            return Some(Item::Job(job));
        }
        let sh = match at {
            Place::Sh(_, n) => job.shs.iter().find(|sh| sh.n == *n),
            _ => telling_sh(job),
        };
        Some(sh.map_or(Item::Job(job), |sh| Item::Sh(job, sh)))
    }

    /// Whether all commands of what is selected are shown in one scroll.
    #[must_use]
    pub fn is_scroll(&self) -> bool {
        self.tree.scroll.is_some() && self.tree.scroll == self.tree.at
    }

    /// A job or command of the open run.
    #[must_use]
    pub fn item(&self, place: &Place) -> Option<Item<'_>> {
        let run = self.run.as_ref()?;
        let Some(id) = place.job() else { return Some(Item::Run(run)) };
        let job = run.jobs.iter().find(|job| job.job.id == *id)?;
        let Some(n) = place.n() else { return Some(Item::Job(job)) };
        job.shs.iter().find(|sh| sh.n == n).map(|sh| Item::Sh(job, sh))
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
        self.waiting.is_some() || self.reads.is_some() || heads.any(|head| head.phase == Phase::Active)
    }
}
