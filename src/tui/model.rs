//! What the screen shows, and nothing else: no I/O, no clock, no terminal. Changed by
//! [`super::update`], drawn by [`super::view`].
//!
//! Selections are names, not positions: a job or command stays selected while others appear before
//! it. What is selected may have vanished; then it counts as nothing.

mod header;
mod log;
mod pane;
mod runs;
mod tree;

use std::collections::HashMap;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use crate::join::{Place, RunNode};
use crate::model::{Phase, RunId};
use crate::time::Time;
use crate::tui::at::At;
use crate::tui::keymap::{Action, Context, Key, Keymap};
use crate::tui::layout::{Layout, Pane, help_box};
use crate::tui::msg::Watching;
use crate::tui::prompt::{Past, Prompt};
use crate::tui::theme::Theme;
use crate::tui::view_options::ViewOptions;
use crate::tui::wait::Waiting;
use crate::tui::widget::{HelpRow, help_rows};

pub use header::{HeaderLine, LABEL, MARGIN};
pub use log::{Aim, Card, Log, LogKey, Mark, Request, cause_lines};
pub use runs::{Finder, Runs};
pub use tree::{Item, Tree, telling_place, telling_sh};

/// From when on reading is said to hang: what is read was begun up to a second before it is known
/// how late it is.
const HANGS_MS: i64 = 1_000;

/// Everything that the screen shows.
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
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
    /// Nothing is handed to the editor, the pager or the clipboard.
    pub secure: bool,
    /// How logs are looked at.
    pub view_options: ViewOptions,
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
            secure: false,
            view_options: ViewOptions::default(),
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
        (self.open_place, self.open_at) = at.map_or((None, None), |at| (at.place, at.position));
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
        let position = match self.card() {
            // It stands where the command opens by itself.
            Some(_) => None,
            None if log.follow && !self.is_scroll() => Some("end".to_owned()),
            None => first,
        };
        (place.is_some() || position.is_some()).then_some(At { place, position })
    }

    /// Where the panes are.
    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout::new(self.screen, self.focus, self.behind, self.zoom)
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
        let first =
            if self.nothing_yet().is_some() { Context::Everywhere } else { self.focus.context() };
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
        self.waiting.is_some()
            || self.reads.is_some()
            || heads.any(|head| head.phase == Phase::Active)
    }
}
