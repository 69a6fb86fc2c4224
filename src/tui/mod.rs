//! The terminal UI: one event loop and one channel around a pure core.
//!
//! ```text
//!  keys, mouse, size ─► input   thread ─┐
//!  SIGTERM, SIGCONT ──► signals thread ─┤
//!  disk ──────────────► watch   thread ─┼─ Msg ─► update(&mut Model, Msg) ─► Effect ─┐
//!  answers ◄─ worker (catalog, log) ◄───┼───────────────────────────────────────────┤
//!  editor, pager ◄───── external thread ┤        view(&Model) ─► screen              │
//!                                       └── worker, watch, external, terminal ◄───────┘
//! ```
//!
//! * [`log`], [`runs`] and [`tree`] own the panes, [`help`] the list of keys. `app` handles the
//!   events of a pane that concern others.
//! * [`msg`], [`model`], [`at`], [`prompt`], [`new_runs`], [`wait`], [`update`],
//!   [`view`], [`widget`], [`layout`], [`keymap`], [`theme`], [`help`], `app`, `motion` and the
//!   panes are pure: no I/O, clock, environment or lock.
//! * `worker` owns the catalog and the open document. It also searches for runs.
//! * `watch` detects changes on disk; `input` and `term` are the terminal.
//! * `external` hands the terminal to an editor or a pager for a while; `excerpt` is the text that
//!   they show, and `copies` are the editor's files with this text.
//! * `session` is the event loop; [`sim`] is the same loop without a terminal: keys in, screens
//!   out.
//!
//! Text from a store passes [`crate::sanitize`] on its way to the screen.

mod app;
pub mod at;
mod copies;
mod excerpt;
mod external;
pub mod help;
mod input;
pub mod keymap;
pub mod layout;
pub mod log;
pub mod model;
mod motion;
pub mod msg;
pub mod new_runs;
pub mod prompt;
pub mod runs;
mod session;
#[doc(hidden)]
pub mod sim;
mod term;
pub mod theme;
pub mod tree;
pub mod update;
pub mod view;
pub mod wait;
mod watch;
pub mod widget;
mod worker;

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use crate::catalog::{Catalog, RunFilter, RunSpec};
use crate::error::Result;
use crate::join::RunNode;

use at::At;
use keymap::Keymap;
use log::{Times, ViewOptions};
use model::Model;
use new_runs::NewRuns;
use theme::{Theme, ThemeChoice};

/// Options of the terminal UI that the caller decides.
#[derive(Clone, Debug)]
pub struct Options {
    /// True if colors are used. Without them, words, glyphs, bold and reverse video show the
    /// differences.
    pub color: bool,
    /// True if the screen uses only ASCII glyphs.
    pub ascii: bool,
    /// The time zone of the times on screen.
    pub time_zone: TimeZone,
    /// The filter of the list of runs.
    pub filter: RunFilter,
    /// The log to open first, and the position in it.
    pub at: Option<At>,
    /// True if the screen switches to each new run as soon as it begins.
    pub watch: bool,
    /// The user's settings.
    pub settings: Settings,
}

/// Settings that a user makes once, for all runs.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the configuration")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The key bindings.
    pub keymap: Keymap,
    /// The theme. Without color, the monochrome one is used instead.
    pub look: ThemeChoice,
    /// True if the mouse is captured at the start.
    pub mouse: bool,
    /// The initial kind of time in front of each row.
    pub times: Times,
    /// True if long rows are wrapped at the start.
    pub wrap: bool,
    /// True if row numbers are shown at the start.
    pub numbers: bool,
    /// True if the user is notified when the open run ends.
    pub notify: bool,
    /// True if nothing is passed to the editor, the pager or the clipboard.
    pub secure: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keymap: Keymap::new(),
            look: ThemeChoice::default(),
            mouse: true,
            times: Times::default(),
            wrap: false,
            numbers: false,
            notify: false,
            secure: false,
        }
    }
}

impl Options {
    /// Returns the initial model.
    fn model(&self, screen: Rect) -> Model {
        let Settings { keymap, look, mouse, times, wrap, numbers, notify, secure } =
            self.settings.clone();
        let theme = Theme::of(&look, self.color, self.ascii);
        let mut model = Model::new(screen, theme, self.time_zone.clone());
        (model.keymap, model.mouse, model.notify, model.secure) = (keymap, mouse, notify, secure);
        model.open_on(self.at.clone());
        model.new_runs = self.watch.then(NewRuns::default);
        model.log.options = ViewOptions { wrap, times, numbers, ..ViewOptions::default() };
        model
    }
}

/// The state of the UI when the user left it.
#[derive(Clone, Debug)]
pub struct Left {
    /// The run that was open, in its last known state.
    pub run: Option<RunNode>,
    /// The position of the rows on screen; `None` if the run opens there by default.
    pub at: Option<At>,
    /// Notices for the user about how the store was read.
    pub notices: Vec<String>,
    /// The signal that ended the UI.
    pub signal: Option<i32>,
}

/// Shows the runs of a catalog until the user leaves. Opens `open`, or the newest run, as soon as
/// there is one. Always restores the terminal.
///
/// # Errors
/// If the terminal cannot be used. A store that cannot be read is reported on screen and retried.
pub fn run(catalog: Catalog, open: Option<RunSpec>, options: Options) -> Result<Left> {
    session::run(catalog, open, options)
}
