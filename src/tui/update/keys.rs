//! Key input: the keymap maps keys to an action, and the focused pane decides its effect.

use super::{external, prompt};
use crate::catalog::Beside;
use crate::cri::Stream;
use crate::document::Fold;
use crate::model::{Phase, RunId};
use crate::search::Towards;
use crate::tui::app::{focus, in_log, in_runs, in_tree, show_message};
use crate::tui::help::Help;
use crate::tui::keymap::{Action, Context, Key, Keys, Meaning};
use crate::tui::layout::{self, Pane};
use crate::tui::log::Log;
use crate::tui::model::Model;
use crate::tui::motion::Move;
use crate::tui::msg::{Effect, Effects, Events, ExternalRequest, TerminalRequest, WorkerRequest};
use crate::tui::new_runs::NewRuns;
use crate::tui::prompt::PromptKind;
use crate::tui::runs::{Runs, StepKind};
use crate::tui::tree::{Tree, telling_place};

/// The messages about the mouse.
const MOUSE_ON: &str = "mouse on: a click selects, the wheel scrolls";
const MOUSE_OFF: &str = "mouse off: the terminal selects text";

/// Handles a key press.
pub(super) fn press(model: &mut Model, key: Key) -> Effects {
    let mut pressed = std::mem::take(&mut model.pressed);
    pressed.push(key);
    let action = match model.keymap.meaning(model.context(), &pressed) {
        Meaning::Action(action) => Some(action),
        // Wait for the next key without a timeout: the keys that may follow are on screen.
        Meaning::Prefix => {
            (model.pressed, model.message) = (pressed, None);
            return Effects::none();
        }
        Meaning::Nothing if pressed.len() > 1 => return nothing(model, pressed),
        Meaning::Nothing => None,
    };
    if model.prompt.is_some() {
        return prompt::press(model, key, action);
    }
    model.message = None;
    if let Some(help) = model.help.as_mut().filter(|help| help.is_typing) {
        help.press(key, action);
        return Effects::none();
    }
    if action.is_none() && model.context() == Context::RunsFilter {
        return in_runs(model, |runs, height| runs.type_key(key, height));
    }
    // A key waits for a search that ends soon. Once a search takes long, its progress is shown and
    // any key stops it. A step back from the help affects only the help.
    let is_back = action == Some(Action::Back) && model.help.is_none();
    let is_stop = model.log.looking.is_some() || is_back;
    let is_stopped = is_stop && model.log.is_seeking();
    let mut effects = if is_stopped { in_log(model, Log::stop_looking) } else { Effects::none() };
    if is_stopped && is_back {
        model.message = Some("stopped".into());
        return effects;
    }
    effects.extend(action.map(|action| act(model, action)).unwrap_or_default());
    effects
}

/// Handles a sequence of keys without a binding. A last key that steps back only ends the sequence;
/// Ctrl-C quits.
fn nothing(model: &mut Model, pressed: Vec<Key>) -> Effects {
    let last = pressed.last().copied();
    if last == Some(Key::CTRL_C) {
        return Effect::Quit.into();
    }
    let alone = model.keymap.meaning(model.context(), last.as_slice());
    if alone != Meaning::Action(Action::Back) {
        model.message =
            Some(format!("{} is not bound", model.theme.signs.keys(&Keys::from(pressed))));
    }
    Effects::none()
}

/// Runs an action in the log. If the tree has the focus, the log gets it.
fn to_log(model: &mut Model, act: impl FnOnce(&mut Log) -> Events) -> Effects {
    let mut effects =
        if model.focus == Pane::Tree { focus(model, Pane::Log) } else { Effects::none() };
    effects.extend(in_log(model, act));
    effects
}

fn act(model: &mut Model, action: Action) -> Effects {
    match action {
        Action::Down => go(model, Move::Rows(1)),
        Action::Up => go(model, Move::Rows(-1)),
        Action::HalfDown => go(model, Move::Halves(1)),
        Action::HalfUp => go(model, Move::Halves(-1)),
        Action::PageDown => go(model, Move::Halves(2)),
        Action::PageUp => go(model, Move::Halves(-2)),
        Action::Top => go(model, Move::Top),
        Action::Bottom => go(model, Move::Bottom),
        Action::ScrollDown => in_log(model, |log| log.scroll(1)),
        Action::ScrollUp => in_log(model, |log| log.scroll(-1)),
        Action::ScrollLeft => in_log(model, |log| log.scroll_sideways(-1)),
        Action::ScrollRight => in_log(model, |log| log.scroll_sideways(1)),
        Action::Fold => in_tree(model, Tree::fold),
        Action::Unfold => in_tree(model, Tree::unfold),
        Action::ToggleFold => in_tree(model, Tree::toggle),
        Action::NextPane => turn(model, 1),
        Action::PreviousPane => turn(model, -1),
        Action::Open => open(model),
        Action::Back => back(model),
        Action::NextCommand => jump(model, 1, false),
        Action::PreviousCommand => jump(model, -1, false),
        Action::NextFailed => jump(model, 1, true),
        Action::PreviousFailed => jump(model, -1, true),
        Action::ToggleHere => to_log(model, |log| log.fold(Fold::Toggle)),
        Action::OpenHere => to_log(model, |log| log.fold(Fold::Open)),
        Action::CloseHere => to_log(model, |log| log.fold(Fold::Close)),
        Action::Cause => to_log(model, Log::toggle_cause),
        Action::OpenAll => to_log(model, |log| log.fold_all(true)),
        Action::CloseAll => to_log(model, |log| log.fold_all(false)),
        Action::Follow => follow(model),
        Action::Search => match &mut model.help {
            Some(help) => flip(&mut help.is_typing),
            None => prompt::open(model, PromptKind::Search),
        },
        Action::Filter => prompt::open(model, PromptKind::Filter),
        Action::Goto => prompt::open(model, PromptKind::Goto),
        Action::Mark => prompt::open(model, PromptKind::Mark),
        Action::GoToMark => prompt::open(model, PromptKind::GoToMark),
        Action::NextMatch => to_log(model, |log| log.next_match(Towards::Down)),
        Action::PreviousMatch => to_log(model, |log| log.next_match(Towards::Up)),
        Action::NextError => to_log(model, |log| log.next_error(Towards::Down)),
        Action::PreviousError => to_log(model, |log| log.next_error(Towards::Up)),
        Action::NextGap => next_gap(model, Towards::Down),
        Action::PreviousGap => next_gap(model, Towards::Up),
        Action::MoreContext => in_log(model, |log| log.widen(1)),
        Action::LessContext => in_log(model, |log| log.widen(-1)),
        Action::BothStreams => in_log(model, |log| log.only(None)),
        Action::OnlyStdout => in_log(model, |log| log.only(Some(Stream::Stdout))),
        Action::OnlyStderr => in_log(model, |log| log.only(Some(Stream::Stderr))),
        Action::Progress => in_log(model, Log::toggle_progress),
        Action::Times => in_log(model, Log::next_times),
        Action::Numbers => in_log(model, Log::toggle_numbers),
        Action::Wrap => in_log(model, Log::toggle_wrap),
        // These actions have an effect only while a line is being typed.
        Action::Accept | Action::Literal | Action::Older | Action::Newer => Effects::none(),
        Action::Zoom => flip(&mut model.zoom),
        Action::Runs | Action::FindRuns | Action::Watch if model.is_single_log() => {
            show_message(model, "this log does not belong to a run")
        }
        Action::Runs | Action::FindRuns => {
            model.runs.begin_search();
            focus(model, Pane::Runs)
        }
        Action::OlderRun => step(model, Beside::Older, false, false),
        Action::NewerRun => step(model, Beside::Newer, false, false),
        Action::OlderFailedRun => step(model, Beside::Older, true, true),
        Action::NewerFailedRun => step(model, Beside::Newer, true, true),
        Action::OlderFailedAnyRef => step(model, Beside::Older, true, false),
        Action::NewerFailedAnyRef => step(model, Beside::Newer, true, false),
        Action::NextSlowest => slowest(model, 1),
        Action::PreviousSlowest => slowest(model, -1),
        Action::Header => toggle_header(model),
        Action::Help => {
            model.help = if model.help.is_some() { None } else { Some(Help::default()) };
            Effects::none()
        }
        Action::Redraw => TerminalRequest::Redraw.into(),
        Action::Watch => watch(model),
        Action::Mouse => {
            model.mouse = !model.mouse;
            model.message = Some(if model.mouse { MOUSE_ON } else { MOUSE_OFF }.into());
            TerminalRequest::CaptureMouse(model.mouse).into()
        }
        Action::CopyRow => external::pass(model, external::copy_row),
        Action::CopyRows => external::pass(model, external::copy_rows),
        Action::CopyCommand => external::pass(model, external::copy_command),
        Action::CopyInDirectory => external::pass(model, external::copy_in_directory),
        Action::Edit => external::pass(model, external::edit),
        Action::Page => external::pass(model, |model| external::show(model, ExternalRequest::Page)),
        Action::Suspend => TerminalRequest::Suspend.into(),
        Action::Quit => Effect::Quit.into(),
    }
}

/// Goes to another command: to its heading if several commands are shown, else in the tree. In the
/// list of runs, goes to another failed run if only failed ones count.
fn jump(model: &mut Model, by: isize, is_for_failed: bool) -> Effects {
    if model.log.has_headings() && model.focus == Pane::Log {
        return in_log(model, |log| log.jump(by, is_for_failed));
    }
    if is_for_failed && model.focus == Pane::Runs {
        return in_runs(model, |runs, height| runs.to_failed(by, height));
    }
    in_tree(model, |tree, run| tree.jump(run, by, is_for_failed))
}

fn toggle_header(model: &mut Model) -> Effects {
    let lines = model.header_lines(model.log_frame().body).len();
    in_log(model, |log| log.toggle_header(lines))
}

fn slowest(model: &mut Model, by: isize) -> Effects {
    let now = model.now;
    in_tree(model, |tree, run| tree.slowest(run, by, now))
}

fn next_gap(model: &mut Model, towards: Towards) -> Effects {
    let slow_ms = model.slow_ms();
    to_log(model, |log| log.next_gap(towards, slow_ms))
}

fn flip(switch: &mut bool) -> Effects {
    *switch = !*switch;
    Effects::none()
}

fn go(model: &mut Model, how: Move) -> Effects {
    if let Some(help) = &mut model.help {
        let height = layout::help_box(model.screen).height.saturating_sub(2);
        help.top = help.top.saturating_add_signed(how.rows(usize::from(height)));
        return Effects::none();
    }
    match model.focus {
        Pane::Runs => {
            let open = model.wanted.clone();
            in_runs(model, |runs, height| runs.go(how, open.as_ref(), height))
        }
        Pane::Tree => in_tree(model, |tree, run| tree.go(run, how)),
        Pane::Log => go_in_log(model, how),
    }
}

fn go_in_log(model: &mut Model, how: Move) -> Effects {
    // At the end of a log that grows, the selection moves on with the run. The document of several
    // commands grows itself.
    if how == Move::Bottom && model.log.is_alive {
        model.tree.chosen &= model.log.has_headings();
    }
    in_log(model, |log| log.go(how))
}

/// Starts or stops switching to each new run.
fn watch(model: &mut Model) -> Effects {
    if model.new_runs.take().is_some() {
        return show_message(model, "staying at this run");
    }
    model.new_runs = Some(NewRuns::default());
    let mut effects = show_message(model, "switching to each new run");
    // The runs that are known by then are not new.
    effects.extend(WorkerRequest::Load(model.wanted.clone()));
    effects
}

/// Opens a run beside the open one.
fn step(model: &mut Model, side: fn(RunId) -> Beside, to_failed: bool, same_ref: bool) -> Effects {
    let (kind, open) = (StepKind { side, to_failed, same_ref, opens: true }, model.wanted.clone());
    in_runs(model, |runs, _| runs.step(kind, open.as_ref()))
}

/// Follows the output. From a run that has ended, moves to a newer one in progress.
fn follow(model: &mut Model) -> Effects {
    let has_ended = model.run.as_ref().is_some_and(|run| run.head.phase == Phase::Finished);
    let open = model.wanted.clone();
    let mut has_moved = false;
    let effects = in_runs(model, |runs, height| {
        let events = if has_ended { runs.to_active(open.as_ref(), height) } else { None };
        has_moved = events.is_some();
        events.unwrap_or_default()
    });
    if has_moved { effects } else { follow_output(model) }
}

/// Goes to the end of the log. If its command has ended, goes to the end of the running command's
/// log.
fn follow_output(model: &mut Model) -> Effects {
    let active = model.run.as_ref().filter(|run| run.head.phase == Phase::Active);
    let place = active.and_then(telling_place).filter(|_| !model.log.is_alive);
    if active.is_some() {
        model.tree.chosen &= model.log.has_headings() && model.log.is_alive;
        model.log.is_held = false;
    }
    let mut effects = Effects::none();
    if let Some(place) = place {
        effects.extend(in_tree(model, |tree, run| tree.select(run, place)));
    }
    effects.extend(go_in_log(model, Move::Bottom));
    effects
}

fn turn(model: &mut Model, by: isize) -> Effects {
    let panes = model.panes();
    let Some(at) = panes.iter().position(|pane| *pane == model.focus) else {
        return focus(model, model.behind);
    };
    let next = if by > 0 { at + 1 } else { at + panes.len() - 1 };
    match panes.get(next % panes.len()) {
        Some(pane) => focus(model, *pane),
        None => Effects::none(),
    }
}

fn open(model: &mut Model) -> Effects {
    match model.focus {
        Pane::Runs => in_runs(model, Runs::open),
        Pane::Tree => in_tree(model, |tree, _| tree.open()),
        Pane::Log => in_log(model, Log::enter),
    }
}

/// Goes back one step: clears the search of the help, closes the help, scrolls back to the left
/// edge, closes the card, clears a search or the filter, closes the search for runs, ends the zoom
/// or the popup, or moves the focus from the log to the tree and from there to the runs.
fn back(model: &mut Model) -> Effects {
    if let Some(help) = model.help.take() {
        model.help = help.is_search().then(Help::default);
        return Effects::none();
    }
    if model.focus == Pane::Log && model.log.has_something_to_close() {
        return in_log(model, Log::close);
    }
    if model.focus == Pane::Runs && model.runs.finder.is_some() {
        return in_runs(model, Runs::back);
    }
    if model.zoom {
        return flip(&mut model.zoom);
    }
    let panes = model.panes();
    match panes.iter().position(|pane| *pane == model.focus) {
        None => focus(model, model.behind),
        Some(at) => at
            .checked_sub(1)
            .and_then(|at| panes.get(at))
            .map_or_else(Effects::none, |pane| focus(model, *pane)),
    }
}
