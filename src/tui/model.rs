//! What the screen shows, and nothing else: no I/O, no clock, no terminal. Changed by [`super::update`], drawn by
//! [`super::view`].
//!
//! Selections are names, not positions: a job or command stays selected while others appear before it. What is selected may
//! have vanished; then it counts as nothing.

use std::collections::HashSet;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use crate::catalog::Beside;
use crate::join::{JobNode, RunHead, RunNode, ShNode, ShState};
use crate::log::{Anchor, Window};
use crate::model::{JobId, Outcome, Phase, RunId, ShKey};
use crate::time::Time;
use crate::tui::keymap::{Context, Keymap};
use crate::tui::layout::{Layout, Pane, log_parts};
use crate::tui::msg::{Ticket, Watching};
use crate::tui::theme::Theme;

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
    /// How changes are noticed.
    pub watching: Watching,
    /// The directories being watched.
    pub watched: Vec<PathBuf>,
    /// Why the store could not be read last time.
    pub store_fault: Option<String>,
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

/// A job or command of the open run, by name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The job.
    pub job: JobId,
    /// The command's number; `None` for the job itself.
    pub n: Option<u32>,
}

/// A visible row of the tree.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// The job.
    pub job: &'a JobNode,
    /// The command; `None` for the job itself.
    pub sh: Option<&'a ShNode>,
}

impl Item<'_> {
    /// Its name.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { job: self.job.job.id.clone(), n: self.sh.map(|sh| sh.n) }
    }
}

/// The log of the selected command.
#[derive(Default)]
pub struct Log {
    /// Whose it is.
    pub key: Option<ShKey>,
    /// Its file; `None` when the command left none.
    pub path: Option<PathBuf>,
    /// Whether somebody may still be writing it.
    pub is_alive: bool,
    /// The rows at hand: those on screen and some more at either side.
    pub window: Window,
    /// The first row on screen, counted in the window.
    pub top: usize,
    /// The last row is on screen: new ones scroll it.
    pub follow: bool,
    /// How many columns are scrolled out at the left.
    pub sideways: usize,
    /// How many rows the whole log has, where that is known.
    pub total_rows: Option<u64>,
    /// How many it had when its last row was on screen; `None` when it never was.
    pub seen_rows: Option<u64>,
    /// Which generation of the file the window is from.
    pub generation: u64,
    /// Why it could not be read last time.
    pub fault: Option<String>,
    /// The request that is out.
    pub request: Option<Request>,
    /// The number of the newest request.
    pub ticket: Ticket,
    /// Where and how much was asked for last: asking for the same again brings nothing new by itself.
    pub asked: Option<(Anchor, usize)>,
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
}

impl Log {
    /// How many rows have come that have not been on screen, while it was not followed.
    #[must_use]
    pub fn unseen(&self) -> u64 {
        self.seen_rows.map_or(0, |seen| self.total_rows.unwrap_or(0).saturating_sub(seen))
    }
}

impl Model {
    /// Before anything is known.
    #[must_use]
    pub fn new(screen: Rect, theme: Theme, time_zone: TimeZone, open: Option<RunId>) -> Self {
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
            wanted: open,
            tree: Tree::default(),
            log: Log::default(),
            watching: Watching::default(),
            watched: Vec::new(),
            store_fault: None,
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
        usize::from(log_parts(body).1.height).max(1)
    }

    /// What keys mean now.
    #[must_use]
    pub const fn context(&self) -> Context {
        match (self.help, self.focus) {
            (Some(_), _) => Context::Help,
            (None, Pane::Runs) => Context::Runs,
            (None, Pane::Tree) => Context::Tree,
            (None, Pane::Log) => Context::Log,
        }
    }

    /// The visible rows of the tree.
    #[must_use]
    pub fn items(&self) -> Vec<Item<'_>> {
        let jobs = self.run.iter().flat_map(|run| &run.jobs);
        let rows = jobs.flat_map(|job| {
            let shs = if self.tree.folded.contains(&job.job.id) { &[][..] } else { &job.shs[..] };
            let commands = shs.iter().map(move |sh| Item { job, sh: Some(sh) });
            std::iter::once(Item { job, sh: None }).chain(commands)
        });
        rows.collect()
    }

    /// Where the selection stands among the visible rows.
    #[must_use]
    pub fn item_at(&self, items: &[Item<'_>]) -> Option<usize> {
        let at = self.tree.at.as_ref()?;
        let found = items.iter().position(|item| item.job.job.id == at.job && item.sh.map(|sh| sh.n) == at.n);
        // A command in a folded job is represented by the job.
        found.or_else(|| items.iter().position(|item| item.job.job.id == at.job))
    }

    /// The command whose log is shown: the selected one, or the most telling one of the selected job.
    #[must_use]
    pub fn shown(&self) -> Option<Item<'_>> {
        let run = self.run.as_ref()?;
        let at = self.tree.at.as_ref()?;
        let job = run.jobs.iter().find(|job| job.job.id == at.job)?;
        let sh = match at.n {
            Some(n) => job.shs.iter().find(|sh| sh.n == n),
            None => telling_sh(job),
        };
        Some(Item { job, sh })
    }

    /// Something in sight is still running: ages and durations grow.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let open = self.run.as_ref().map(|run| &run.head);
        let mut heads = self.runs.heads.iter().flatten().chain(open);
        heads.any(|head| head.phase == Phase::Active)
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
    let place = |job: &JobNode, sh: Option<&ShNode>| Place { job: job.job.id.clone(), n: sh.map(|sh| sh.n) };
    let find_sh = |state: ShState| {
        let in_job = |job: &JobNode| Some(place(job, Some(job.shs.iter().find(|sh| sh.state == state)?)));
        run.jobs.iter().find_map(in_job)
    };
    let find_job = |wanted: fn(&&JobNode) -> bool| run.jobs.iter().find(wanted);
    // Between two commands the last one is what there is to see.
    let active = || find_job(|job| job.phase == Phase::Active).map(|job| place(job, job.shs.last()));
    let running = || find_sh(ShState::Running).or_else(active);
    // A job can fail without a failed command: then the job itself is what there is to see.
    let failed_job = || find_job(|job| job.outcome == Some(Outcome::Failed)).map(|job| place(job, None));
    let failed = || find_sh(ShState::Failed).or_else(|| find_sh(ShState::Interrupted)).or_else(failed_job);
    let first_job = || run.jobs.first().map(|job| place(job, None));
    let first = || find_job(|job| !job.shs.is_empty()).map(|job| place(job, job.shs.first())).or_else(first_job);
    match run.head.phase {
        Phase::Finished | Phase::Unknown => failed().or_else(first),
        Phase::Queued | Phase::Active => running().or_else(failed).or_else(first),
    }
}
