//! The terminal UI: one loop, one channel, pure middle.
//!
//! ```text
//!  keys, mouse, size ─► input   thread ─┐
//!  SIGTERM, SIGCONT ──► signals thread ─┤
//!  disk ──────────────► watch   thread ─┼─ Msg ─► update(&mut Model, Msg) ─► Effect ─┐
//!  answers ◄─ worker (catalog, log) ◄───┼───────────────────────────────────────────┤
//!  editor, pager ◄────── outside thread ┤        view(&Model) ─► screen              │
//!                                       └── worker, watch, external, terminal ◄───────┘
//! ```
//!
//! * [`msg`], [`model`], [`at`], [`scroll`], [`view_options`], [`prompt`], [`runs_query`],
//!   [`wait`], [`update`], [`view`], [`widget`], [`layout`], [`keymap`], [`theme`] are pure: no
//!   I/O, clock, environment or lock.
//! * `worker` owns the catalog and what is open of it: a log (`reading`), a scroll of many
//!   (`scrolling`), a search for runs (`runs_search`). `watch` notices changes, `input` and `term`
//!   are the terminal.
//! * `outside` gives the terminal to an editor or a pager for a while; `excerpt` is what they get
//!   to see.
//! * `session` is the loop; [`sim`] is the same loop without a terminal: keys in, screens out.
//!
//! Whatever comes from a store passes [`crate::sanitize`] on its way to the screen.

pub mod at;
mod excerpt;
mod external;
mod input;
pub mod keymap;
pub mod layout;
pub mod model;
pub mod msg;
pub mod prompt;
mod reading;
pub mod runs_query;
mod runs_search;
pub mod scroll;
mod scrolling;
mod session;
#[doc(hidden)]
pub mod sim;
mod term;
pub mod theme;
pub mod update;
pub mod view;
pub mod view_options;
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
use model::Model;
use theme::{Theme, ThemeChoice};
use view_options::{Times, ViewOptions};

/// What the caller decides about the screen.
#[derive(Clone, Debug)]
pub struct Options {
    /// Use colors; without them everything is told apart by words, signs, bold and reverse video.
    pub color: bool,
    /// Use ASCII signs only.
    pub ascii: bool,
    /// The zone of the times on screen.
    pub time_zone: TimeZone,
    /// Which runs are listed.
    pub filter: RunFilter,
    /// Which log opens first, and where.
    pub at: Option<At>,
    /// What the user is used to.
    pub settings: Settings,
}

/// What a user may set once for all runs.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the configuration")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// What keys do.
    pub keymap: Keymap,
    /// The colors, where there are any.
    pub look: ThemeChoice,
    /// The mouse is ours at first.
    pub mouse: bool,
    /// The time in front of each row at first.
    pub times: Times,
    /// Long rows go on in the next line at first.
    pub wrap: bool,
    /// Rows have their numbers at first.
    pub numbers: bool,
    /// The bell is rung when the open run ends.
    pub notify: bool,
    /// Nothing is handed to the editor, the pager or the clipboard.
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
    /// The screen before anything is known.
    fn model(&self, screen: Rect) -> Model {
        let Settings { keymap, look, mouse, times, wrap, numbers, notify, secure } =
            self.settings.clone();
        let theme = Theme::of(&look, self.color, self.ascii);
        let mut model = Model::new(screen, theme, self.time_zone.clone());
        (model.keymap, model.mouse, model.notify, model.secure) = (keymap, mouse, notify, secure);
        model.open_on(self.at.clone());
        model.view_options = ViewOptions { wrap, times, numbers, ..ViewOptions::default() };
        model
    }
}

/// Where the user was when they left.
#[derive(Clone, Debug)]
pub struct Left {
    /// The run that was open, and how it stood.
    pub run: Option<RunNode>,
    /// What opens the same rows again, where that is not what opens by itself.
    pub at: Option<At>,
    /// What they should know of how the store was read.
    pub notices: Vec<String>,
    /// The signal that made an end of it.
    pub signal: Option<i32>,
}

/// Shows the runs of a catalog until the user leaves; opens on `open`, or the newest run, as soon
/// as there is one. The terminal is given back however this ends.
///
/// # Errors
/// When the terminal cannot be used. A store that cannot be read is told on screen and tried again.
pub fn run(catalog: Catalog, open: Option<RunSpec>, options: Options) -> Result<Left> {
    session::run(catalog, open, options)
}
