//! Pure functions that apply a message to the model and return the effects to run.
//!
//! They use no I/O, clock, environment or lock. Answers that are no longer awaited (an old ticket,
//! another run) change nothing.

mod external;
mod keys;
mod mouse;
mod prompt;
mod store;

use std::path::PathBuf;

use crate::time::Time;
use crate::tui::app::{in_log, in_runs, in_tree};
use crate::tui::layout::{self, help_box};
use crate::tui::log::Log;
use crate::tui::model::Model;
use crate::tui::msg::{Effect, Effects, Events, Msg, TerminalRequest, Work, WorkerRequest};
use crate::tui::runs::Runs;
use crate::tui::wait::{Wait, Waiting};

/// Returns the effects to run before the first message.
pub fn start(model: &Model) -> Effects {
    let mouse = (!model.mouse).then_some(TerminalRequest::CaptureMouse(false));
    let mut effects = Effects::from(mouse);
    effects.extend(WorkerRequest::Load(model.wanted.clone()));
    effects
}

/// Applies a message.
pub fn update(model: &mut Model, msg: Msg) -> Effects {
    if matches!(msg, Msg::Mouse(..)) {
        model.pressed.clear();
    }
    let mut effects = match msg {
        Msg::Key(key) => keys::press(model, key),
        Msg::Mouse(mouse, x, y) => mouse::act(model, mouse, x, y),
        Msg::Runs(list) => store::listed(model, list),
        Msg::RunsFound(ticket, found) => {
            in_runs(model, |runs, height| runs.found(ticket, found, height))
        }
        Msg::Highlights(asked, found) => {
            model.runs.highlighted(&asked, found);
            Effects::none()
        }
        Msg::StepFailed => {
            model.runs.drop_steps();
            Effects::none()
        }
        Msg::Stepped(step, head) => store::stepped(model, &step, head),
        Msg::RunsBeside(beside, list) => store::read_beside(model, &beside, list),
        Msg::Run(id, node) => store::arrived(model, &id, node),
        Msg::Log(ticket, answer) => in_log(model, |log| log.take(ticket, answer)),
        Msg::Disk => store::refresh(model),
        Msg::Failed(Work::Store, why) => {
            model.runs.drop_steps();
            set(&mut model.store_fault, Some(why))
        }
        Msg::Copied(text, is_cut) => external::copied(model, text, is_cut),
        Msg::Reads(path) => reads(model, path),
        Msg::Ready => external::ready(model),
        Msg::Returned => Effects::none(),
        Msg::Failed(Work::External, why) => set(&mut model.message, Some(why)),
        Msg::Failed(Work::Log(ticket), why) => in_log(model, |log| log.failed(ticket, why)),
        Msg::Found(id) => set(&mut model.wanted, Some(id)),
        Msg::Notices(notices) => set(&mut model.notices, notices),
        Msg::Waiting(wait) => {
            let before = model.waiting.take();
            // Another attempt that fails continues the same wait.
            let since = |wait: &Wait| before.filter(|before| before.wait.what == wait.what)?.since;
            set(&mut model.waiting, wait.map(|wait| Waiting { since: since(&wait), wait }))
        }
        Msg::Tick(now) => tick(model, now),
        Msg::Resize(width, height) => resize(model, width, height),
        Msg::Dirs(run, dirs) => store::watch(model, run.as_ref(), dirs),
        Msg::Watching(watching) => set(&mut model.watching, watching),
        Msg::Stop => TerminalRequest::Suspend.into(),
        Msg::Resumed => TerminalRequest::Redraw.into(),
        Msg::Lost => Effect::Quit.into(),
        Msg::Signal(signal) => {
            model.signal = Some(signal);
            Effect::Quit.into()
        }
    };
    settle(model);
    effects.extend(in_runs(model, Runs::go_on));
    effects.extend(in_log(model, Log::settle));
    effects
}

fn tick(model: &mut Model, now: Time) -> Effects {
    model.now = Some(now);
    for waiting in [&mut model.waiting, &mut model.reads].into_iter().flatten() {
        waiting.since = waiting.since.or(Some(now));
    }
    Effects::none()
}

/// Notes the path that the worker reads, and restarts the time of the read.
fn reads(model: &mut Model, path: Option<PathBuf>) -> Effects {
    let wait = |path: PathBuf| {
        let what = if path.starts_with("s3:") { "the server" } else { "the file system" };
        let what = format!("{what} does not respond");
        Wait { what, why: None, path: Some(path), is_absent: false }
    };
    set(&mut model.reads, path.map(|path| Waiting { wait: wait(path), since: None }))
}

/// Applies a new screen size, and keeps the selection on screen.
fn resize(model: &mut Model, width: u16, height: u16) -> Effects {
    model.screen = layout::screen(width, height);
    let _ = in_tree(model, |tree, run| {
        tree.reveal_selected(run);
        Events::none()
    });
    in_runs(model, |runs, height| {
        runs.reveal_cursor(height);
        Events::none()
    })
}

fn set<T>(slot: &mut T, value: T) -> Effects {
    *slot = value;
    Effects::none()
}

/// Corrects scroll positions after a change of the screen size or of the number of rows.
fn settle(model: &mut Model) {
    let rows = model.help_page().map_or(0, |page| page.height());
    if let Some(help) = &mut model.help {
        let height = usize::from(help_box(model.screen).height.saturating_sub(2));
        help.top = help.top.min(rows.saturating_sub(height));
    }
    let _ = in_tree(model, |tree, run| {
        tree.settle(run);
        Events::none()
    });
}
