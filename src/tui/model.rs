//! The state of the screen and nothing else: no I/O, no clock, no terminal. [`super::update`]
//! changes it, [`super::view`] draws it.
//!
//! Selections are names, not positions: a job or command stays selected while others appear before
//! it. A selection whose target has vanished counts as no selection.

mod header;
mod pane;

use std::collections::HashMap;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use crate::join::{Place, RunNode};
use crate::model::{Phase, RunId};
use crate::search::Cause;
use crate::time::Time;
use crate::tui::at::At;
use crate::tui::help::{Help, HelpPage};
use crate::tui::keymap::{Action, Context, Key, Keymap};
use crate::tui::layout::{self, Layout, Pane, help_box};
use crate::tui::log::Log;
use crate::tui::msg::Watching;
use crate::tui::new_runs::NewRuns;
use crate::tui::prompt::{Past, Prompt};
use crate::tui::runs::Runs;
use crate::tui::theme::Theme;
use crate::tui::tree::{Item, KeptPlace, Tree};
use crate::tui::wait::{Wait, Waiting};

pub use header::{HeaderLine, LABEL, MARGIN};

/// A marked row: its run, its command, and its byte offset in the command's log.
pub type Mark = (RunId, Place, u64);

/// The age in milliseconds from which a read counts as hanging. The tick that sets the read's start
/// time comes up to a second after the read began.
const HANGS_MS: i64 = 1_000;

/// The state of everything on the screen.
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct Model {
    /// The size of the screen.
    pub screen: Rect,
    /// The current time; `None` before the first tick.
    pub now: Option<Time>,
    /// The styles and signs.
    pub theme: Theme,
    /// The time zone of the times on screen.
    pub time_zone: TimeZone,
    /// The key bindings.
    pub keymap: Keymap,
    /// The keys pressed so far of an unfinished sequence.
    pub pressed: Vec<Key>,
    /// The pane that receives keys.
    pub focus: Pane,
    /// The pane that had the focus before the list of runs.
    pub behind: Pane,
    /// True if the focused pane fills the whole screen.
    pub zoom: bool,
    /// The help; `None` while it is closed.
    pub help: Option<Help>,
    /// True if the mouse is captured.
    pub mouse: bool,
    /// The list of runs.
    pub runs: Runs,
    /// The runs known so far, if the screen switches to each new one.
    pub new_runs: Option<NewRuns>,
    /// The open run.
    pub run: Option<RunNode>,
    /// The ID of the run that is open or being opened.
    pub wanted: Option<RunId>,
    /// True if the run that is being opened keeps the selection of the run before it.
    pub keeps_place: bool,
    /// The selection of an earlier run, which the open run does not have.
    pub kept: Option<KeptPlace>,
    /// The jobs and commands of the open run.
    pub tree: Tree,
    /// The log of the selected command.
    pub log: Log,
    /// The command, job or run to select first.
    pub open_place: Option<Place>,
    /// True if the user is notified when the open run ends.
    pub notify: bool,
    /// True if nothing is passed to the editor, the pager or the clipboard.
    pub secure: bool,
    /// The line being typed.
    pub prompt: Option<Prompt>,
    /// The patterns of earlier searches and filters.
    pub past: Past,
    /// The marks: rows of logs, by letter.
    pub marks: HashMap<char, Mark>,
    /// A message about the result of the last key; `None` if the screen shows the result in another
    /// way.
    pub message: Option<String>,
    /// The way in which changes on disk are detected.
    pub watching: Watching,
    /// The watched directories.
    pub watched: Vec<PathBuf>,
    /// The current problem with the store.
    pub store_fault: Option<String>,
    /// Notices about how the store was read, printed after the screen is closed.
    pub notices: Vec<String>,
    /// The reason to wait while the store cannot be read.
    pub waiting: Option<Waiting>,
    /// The read in progress. Each [`super::msg::Msg::Reads`] restarts its time.
    pub reads: Option<Waiting>,
    /// The signal that ended the UI.
    pub signal: Option<i32>,
}

impl Model {
    /// Returns the initial model.
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
            new_runs: None,
            run: None,
            wanted: None,
            keeps_place: false,
            kept: None,
            tree: Tree::default(),
            log: Log::default(),
            open_place: None,
            notify: false,
            secure: false,
            prompt: None,
            past: Past::default(),
            marks: HashMap::new(),
            message: None,
            watching: Watching::default(),
            watched: Vec::new(),
            store_fault: None,
            notices: Vec::new(),
            waiting: None,
            reads: None,
            signal: None,
        }
    }

    /// Sets the command and the position to open once a run is loaded.
    pub fn open_on(&mut self, at: Option<At>) {
        (self.open_place, self.log.open_at) = at.map_or((None, None), |at| (at.place, at.position));
    }

    /// Returns the position that opens the rows on screen again; `None` if the run opens there by
    /// default.
    #[must_use]
    pub fn at(&self) -> Option<At> {
        let log = &self.log;
        if log.follow && log.is_alive && !self.is_chosen() {
            return None;
        }
        // A log that was opened by its path belongs to a job without a name, and needs no place.
        let first = log.window.rows.get(log.top).and_then(|row| log.place_at(row.offset));
        let (shown, first) = first.map(|(place, offset)| (place, format!("b{offset}"))).unzip();
        let place = shown.or_else(|| self.tree.at.clone());
        let place = place.filter(|place| place.job().is_none_or(|job| !job.as_str().is_empty()));
        // At the likely cause, a command is at the position where it opens by default. Among
        // others, the first row on screen may belong to another command.
        let is_at_cause = |cause: &&Cause| match cause.at {
            _ if log.has_headings() => false,
            Some(at) => log.cursor == Some(at),
            None => log.follow,
        };
        let position = match log.cause().filter(is_at_cause) {
            Some(_) => None,
            None if log.follow && !log.has_headings() => Some("end".to_owned()),
            None => first,
        };
        (place.is_some() || position.is_some()).then_some(At { place, position })
    }

    /// Returns true if the user chose the selection, or a position in its log: the selection does
    /// not move automatically.
    #[must_use]
    pub const fn is_chosen(&self) -> bool {
        self.tree.chosen || self.log.is_held
    }

    /// Returns the visible rows of the tree.
    #[must_use]
    pub fn items(&self) -> Vec<Item<'_>> {
        self.run.as_ref().map(|run| self.tree.items(run)).unwrap_or_default()
    }

    /// Returns the item in the log's pane.
    #[must_use]
    pub fn shown(&self) -> Option<Item<'_>> {
        self.tree.shown(self.run.as_ref()?)
    }

    /// Returns the areas of the panes.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout_of(self.screen)
    }

    /// Returns the areas of the panes on a part of the screen.
    #[must_use]
    pub fn layout_of(&self, screen: Rect) -> Layout {
        Layout::new(screen, self.focus, self.behind, self.zoom || self.is_single_log())
    }

    /// Returns the panes that Tab visits.
    #[must_use]
    pub fn panes(&self) -> &'static [Pane] {
        if self.is_single_log() { &[Pane::Log] } else { layout::cycle(self.screen.width) }
    }

    /// Returns true if a log was opened by its path: there are no runs and jobs to choose from.
    #[must_use]
    pub fn is_single_log(&self) -> bool {
        self.run.as_ref().is_some_and(|run| {
            let commands: usize = run.jobs.iter().map(|job| job.shs.len()).sum();
            run.head.run.id.as_str().is_empty() && run.log.is_none() && commands == 1
        })
    }

    /// Returns the context in which keys are looked up now.
    #[must_use]
    pub fn context(&self) -> Context {
        match (&self.help, self.focus) {
            _ if self.prompt.is_some() => Context::Prompt,
            (Some(help), _) if help.is_typing => Context::Prompt,
            (Some(_), _) => Context::Help,
            (None, Pane::Runs) if self.runs.is_typing() => Context::RunsFilter,
            (None, Pane::Runs) => Context::Runs,
            (None, _) if self.nothing_yet().is_some() => Context::Waiting,
            (None, pane) => pane.context(),
        }
    }

    /// Returns the first keys that trigger an action now, as the screen shows them.
    #[must_use]
    pub fn key_of(&self, action: Action) -> Option<String> {
        self.keymap.keys_of(self.context(), action).map(|keys| self.theme.signs.keys(keys))
    }

    /// Appends the key of an action to a message, if it has a key: `no such mark; press m`.
    #[must_use]
    pub fn pointing(&self, what: &str, action: Action) -> String {
        self.key_of(action).map_or_else(|| what.to_owned(), |key| format!("{what}; press {key}"))
    }

    /// Returns the keys that the help shows; `None` while it is closed.
    #[must_use]
    pub fn help_page(&self) -> Option<HelpPage> {
        let filter = self.help.as_ref()?.input.value();
        let context =
            if self.nothing_yet().is_some() { Context::Everywhere } else { self.focus.context() };
        let width = help_box(self.screen).width;
        Some(HelpPage::new(&self.keymap.help(context), filter, width, self.theme.signs))
    }

    /// Returns the wait to show while no run is open. A hanging read takes precedence, unless the
    /// read before it failed for a reason.
    #[must_use]
    pub fn nothing_yet(&self) -> Option<&Waiting> {
        if self.run.is_some() {
            return None;
        }
        let has_failed = |wait: &Wait| wait.why.is_some() && !wait.is_absent;
        let explained = self.waiting.as_ref().filter(|waiting| has_failed(&waiting.wait));
        explained.or(self.hangs()).or(self.waiting.as_ref())
    }

    /// Returns the read in progress if it has lasted long enough to be reported.
    #[must_use]
    pub fn hangs(&self) -> Option<&Waiting> {
        let is_long = |since: Time| self.now.is_some_and(|now| now.millis_since(since) >= HANGS_MS);
        self.reads.as_ref().filter(|reads| reads.since.is_some_and(is_long))
    }

    /// Returns true if everything requested at the start is loaded.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.run.is_some() && self.log.request.is_none() && self.log.open_at.is_none()
    }

    /// Returns true if something on screen is still running or pending: ages and durations grow.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let open = self.run.as_ref().map(|run| &run.head);
        let mut heads = self.runs.heads.iter().flatten().chain(open);
        self.waiting.is_some()
            || self.reads.is_some()
            || heads.any(|head| head.phase == Phase::Active)
    }
}
