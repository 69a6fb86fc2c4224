//! Key input: the keymap maps keys to an action, and the focused pane decides its effect.

use super::log::{land, stop_looking};
use super::{external, moving, scroll, seek, tree};
use crate::catalog::Beside;
use crate::cri::Stream;
use crate::model::{Phase, RunId};
use crate::search::Towards;
pub(super) use crate::tui::app::focus;
use crate::tui::app::in_runs;
use crate::tui::keymap::{Action, Context, Key, Keys, Meaning};
use crate::tui::layout::{self, Pane};
use crate::tui::model::Model;
pub(super) use crate::tui::motion::Move;
use crate::tui::msg::{Effect, Effects, ExternalRequest, Fold, TerminalRequest};
use crate::tui::prompt::PromptKind;
use crate::tui::runs::{Runs, StepKind};

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
        return seek::press(model, key, action);
    }
    model.message = None;
    if action.is_none() && model.context() == Context::RunsFilter {
        return in_runs(model, |runs, height| runs.type_key(key, height));
    }
    // A key waits for a search that ends soon. Once a search takes long, its progress is shown and
    // any key stops it. A step back from the help affects only the help.
    let is_back = action == Some(Action::Back) && model.help.is_none();
    let is_stop = model.log.looking.is_some() || is_back;
    let stopped = if is_stop { stop_looking(model) } else { None };
    if stopped.is_some() && is_back {
        model.message = Some("stopped".into());
        return stopped.unwrap_or_default();
    }
    let mut effects = stopped.unwrap_or_default();
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
fn in_log(model: &mut Model, act: impl FnOnce(&mut Model) -> Effects) -> Effects {
    let mut effects =
        if model.focus == Pane::Tree { focus(model, Pane::Log) } else { Effects::none() };
    effects.extend(act(model));
    effects
}

/// Toggles the wrapping of long rows. The first row on screen stays the same.
fn wrap(model: &mut Model) -> Effects {
    model.view_options.wrap = !model.view_options.wrap;
    (model.log.line, model.log.sideways) = (0, 0);
    seek::show_message(
        model,
        if model.view_options.wrap { "long rows are wrapped" } else { "long rows are cut off" },
    )
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
        Action::ScrollDown => moving::scroll(model, 1),
        Action::ScrollUp => moving::scroll(model, -1),
        Action::ScrollLeft => moving::sideways(model, -1),
        Action::ScrollRight => moving::sideways(model, 1),
        Action::Fold => tree::fold(model),
        Action::Unfold => tree::unfold(model),
        Action::ToggleFold => tree::toggle(model),
        Action::NextPane => turn(model, 1),
        Action::PreviousPane => turn(model, -1),
        Action::Open => open(model),
        Action::Back => back(model),
        Action::NextCommand => jump(model, 1, false),
        Action::PreviousCommand => jump(model, -1, false),
        Action::NextFailed => jump(model, 1, true),
        Action::PreviousFailed => jump(model, -1, true),
        Action::ToggleHere => in_log(model, |model| scroll::fold(model, Fold::Toggle)),
        Action::OpenHere => in_log(model, |model| scroll::fold(model, Fold::Open)),
        Action::CloseHere => in_log(model, |model| scroll::fold(model, Fold::Close)),
        Action::Cause => in_log(model, cause),
        Action::OpenAll => in_log(model, |model| scroll::fold_all(model, true)),
        Action::CloseAll => in_log(model, |model| scroll::fold_all(model, false)),
        Action::Follow => follow(model),
        Action::Search => seek::open(model, PromptKind::Search),
        Action::Filter => seek::open(model, PromptKind::Filter),
        Action::Goto => seek::open(model, PromptKind::Goto),
        Action::Mark => seek::open(model, PromptKind::Mark),
        Action::GoToMark => seek::open(model, PromptKind::GoToMark),
        Action::NextMatch => in_log(model, |model| seek::next_match(model, Towards::Down)),
        Action::PreviousMatch => in_log(model, |model| seek::next_match(model, Towards::Up)),
        Action::NextError => in_log(model, |model| seek::next_error(model, Towards::Down)),
        Action::PreviousError => in_log(model, |model| seek::next_error(model, Towards::Up)),
        Action::NextGap => in_log(model, |model| seek::next_gap(model, Towards::Down)),
        Action::PreviousGap => in_log(model, |model| seek::next_gap(model, Towards::Up)),
        Action::MoreContext => seek::widen(model, 1),
        Action::LessContext => seek::widen(model, -1),
        Action::BothStreams => seek::only(model, None),
        Action::OnlyStdout => seek::only(model, Some(Stream::Stdout)),
        Action::OnlyStderr => seek::only(model, Some(Stream::Stderr)),
        Action::Progress => seek::unfold(model),
        Action::Times => {
            model.view_options.times = model.view_options.times.next();
            seek::show_message(model, model.view_options.times.as_str())
        }
        Action::Numbers => flip(&mut model.view_options.numbers),
        Action::Wrap => wrap(model),
        // These actions have an effect only while a line is being typed.
        Action::Accept | Action::Literal | Action::Older | Action::Newer => Effects::none(),
        Action::Zoom => flip(&mut model.zoom),
        Action::Runs | Action::FindRuns if model.is_single_log() => {
            seek::show_message(model, "this log does not belong to a run")
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
        Action::NextSlowest => tree::slowest(model, 1),
        Action::PreviousSlowest => tree::slowest(model, -1),
        Action::Header => {
            moving::show_header(model, !model.view_options.header);
            Effects::none()
        }
        Action::Help => help(model),
        Action::Redraw => TerminalRequest::Redraw.into(),
        Action::Mouse => {
            model.mouse = !model.mouse;
            TerminalRequest::CaptureMouse(model.mouse).into()
        }
        Action::CopyRow | Action::CopyRows | Action::CopyCommand | Action::Edit | Action::Page
            if model.secure =>
        {
            seek::show_message(model, external::SECURE)
        }
        Action::CopyRow => external::copy_row(model),
        Action::CopyRows => external::copy_rows(model),
        Action::CopyCommand => external::copy_command(model),
        Action::Edit => external::show(model, ExternalRequest::Edit),
        Action::Page => external::show(model, ExternalRequest::Page),
        Action::Suspend => TerminalRequest::Suspend.into(),
        Action::Quit => Effect::Quit.into(),
    }
}

/// Opens or closes the card with the likely cause. Searches for the cause if it is not known yet.
fn cause(model: &mut Model) -> Effects {
    if model.view_options.header {
        moving::show_header(model, false);
        if model.card().is_some() {
            return Effects::none();
        }
    }
    match model.log.card.as_ref().map(|card| card.is_open) {
        Some(is_open) => {
            moving::show_card(model, !is_open);
            Effects::none()
        }
        None if model.log.has_headings() => {
            seek::show_message(model, "open a single command to see its likely cause")
        }
        None => land(model),
    }
}

/// Goes to another command: to its heading if several commands are shown, else in the tree.
fn jump(model: &mut Model, by: isize, is_for_failed: bool) -> Effects {
    if model.log.has_headings() && model.focus == Pane::Log {
        return scroll::jump(model, by, is_for_failed);
    }
    if is_for_failed && model.focus == Pane::Runs {
        return in_runs(model, |runs, height| runs.to_failed(by, height));
    }
    tree::jump(model, by, if is_for_failed { tree::is_failed } else { |_| true })
}

fn flip(switch: &mut bool) -> Effects {
    *switch = !*switch;
    Effects::none()
}

fn help(model: &mut Model) -> Effects {
    model.help = if model.help.is_some() { None } else { Some(0) };
    Effects::none()
}

fn go(model: &mut Model, how: Move) -> Effects {
    if let Some(top) = &mut model.help {
        let height = layout::help_box(model.screen).height.saturating_sub(2);
        *top = top.saturating_add_signed(how.rows(usize::from(height)));
        return Effects::none();
    }
    match model.focus {
        Pane::Runs => {
            let open = model.wanted.clone();
            in_runs(model, |runs, height| runs.go(how, open.as_ref(), height))
        }
        Pane::Tree => tree::go(model, how),
        Pane::Log => moving::go(model, how),
    }
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
    if has_moved { effects } else { moving::follow(model) }
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
        Pane::Tree => tree::open(model),
        Pane::Log => scroll::enter(model),
    }
}

/// Goes back one step: closes the help or the card, clears a search or the filter, ends the zoom or
/// the popup, or moves the focus from the log to the tree and from there to the runs.
fn back(model: &mut Model) -> Effects {
    if model.help.take().is_some() {
        return Effects::none();
    }
    if model.focus == Pane::Log && model.card().is_some() {
        moving::show_card(model, false);
        return Effects::none();
    }
    if model.focus == Pane::Log && model.view_options.search.is_some() {
        return seek::clear_search(model);
    }
    if model.focus == Pane::Log && model.view_options.row_filter.filter.is_some() {
        return seek::set_filter(model, None);
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
