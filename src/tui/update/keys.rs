//! What a key does: the keymap names the action, the pane with the focus gives it its meaning.

use super::{log, outside, runs, tree};
use crate::tui::keymap::{Action, Key};
use crate::tui::layout::{self, Pane};
use crate::tui::model::Model;
use crate::tui::msg::Effect;

/// How far a move goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Move {
    /// Rows; positive is down.
    Rows(isize),
    /// Shares of a page: 2 is a page, 1 half of one; positive is down.
    Halves(isize),
    /// To the first row.
    Top,
    /// To the last row.
    Bottom,
}

impl Move {
    /// The same in rows, on a page of `height` rows; a page leaves one row of the one before on screen.
    pub(super) fn rows(self, height: usize) -> isize {
        let height = isize::try_from(height).unwrap_or(isize::MAX);
        match self {
            Self::Rows(rows) => rows,
            Self::Halves(2) => (height - 1).max(1),
            Self::Halves(-2) => -(height - 1).max(1),
            Self::Halves(halves) => halves * (height / 2).max(1),
            Self::Top => isize::MIN,
            Self::Bottom => isize::MAX,
        }
    }
}

/// A key was pressed.
pub(super) fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    model.told = None;
    match model.keymap.action(model.context(), key) {
        Some(action) => act(model, action),
        None => Vec::new(),
    }
}

fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Down => go(model, Move::Rows(1)),
        Action::Up => go(model, Move::Rows(-1)),
        Action::HalfDown => go(model, Move::Halves(1)),
        Action::HalfUp => go(model, Move::Halves(-1)),
        Action::PageDown => go(model, Move::Halves(2)),
        Action::PageUp => go(model, Move::Halves(-2)),
        Action::Top => go(model, Move::Top),
        Action::Bottom => go(model, Move::Bottom),
        Action::ScrollLeft => log::sideways(model, -1),
        Action::ScrollRight => log::sideways(model, 1),
        Action::Fold => tree::fold(model),
        Action::Unfold => tree::unfold(model),
        Action::ToggleFold => tree::toggle(model),
        Action::NextPane => turn(model, 1),
        Action::PreviousPane => turn(model, -1),
        Action::Open => open(model),
        Action::Back => back(model),
        Action::NextCommand => tree::jump(model, 1, |_| true),
        Action::PreviousCommand => tree::jump(model, -1, |_| true),
        Action::NextFailed => tree::jump(model, 1, tree::is_failed),
        Action::PreviousFailed => tree::jump(model, -1, tree::is_failed),
        Action::Follow => log::follow(model),
        Action::Zoom => flip(&mut model.zoom),
        Action::Runs => focus(model, Pane::Runs),
        Action::Help => help(model),
        Action::Redraw => vec![Effect::Redraw],
        Action::Mouse => {
            model.mouse = !model.mouse;
            vec![Effect::CaptureMouse(model.mouse)]
        }
        Action::CopyRow => outside::copy_row(model),
        Action::CopyRows => outside::copy_rows(model),
        Action::CopyCommand => outside::copy_command(model),
        Action::Edit => outside::show(model, Effect::Edit),
        Action::Page => outside::show(model, Effect::Page),
        Action::Suspend => vec![Effect::Suspend],
        Action::Quit => vec![Effect::Quit],
    }
}

fn flip(switch: &mut bool) -> Vec<Effect> {
    *switch = !*switch;
    Vec::new()
}

fn help(model: &mut Model) -> Vec<Effect> {
    model.help = if model.help.is_some() { None } else { Some(0) };
    Vec::new()
}

fn go(model: &mut Model, how: Move) -> Vec<Effect> {
    if let Some(top) = &mut model.help {
        let height = layout::help_box(model.screen).height.saturating_sub(2);
        *top = top.saturating_add_signed(how.rows(usize::from(height)));
        return Vec::new();
    }
    match model.focus {
        Pane::Runs => runs::go(model, how),
        Pane::Tree => tree::go(model, how),
        Pane::Log => log::go(model, how),
    }
}

/// Gives a pane the focus.
pub(super) fn focus(model: &mut Model, pane: Pane) -> Vec<Effect> {
    if pane == Pane::Runs && model.focus != Pane::Runs {
        model.behind = model.focus;
    }
    model.focus = pane;
    Vec::new()
}

fn turn(model: &mut Model, by: isize) -> Vec<Effect> {
    let panes = layout::cycle(model.screen.width);
    let Some(at) = panes.iter().position(|pane| *pane == model.focus) else {
        return focus(model, model.behind);
    };
    let next = if by > 0 { at + 1 } else { at + panes.len() - 1 };
    match panes.get(next % panes.len()) {
        Some(pane) => focus(model, *pane),
        None => Vec::new(),
    }
}

fn open(model: &mut Model) -> Vec<Effect> {
    match model.focus {
        Pane::Runs => runs::open(model),
        Pane::Tree => tree::open(model),
        Pane::Log => Vec::new(),
    }
}

/// The help, the zoom, the popup close; then from the log to the tree to the runs.
fn back(model: &mut Model) -> Vec<Effect> {
    if model.help.take().is_some() {
        return Vec::new();
    }
    if model.zoom {
        return flip(&mut model.zoom);
    }
    let panes = layout::cycle(model.screen.width);
    match panes.iter().position(|pane| *pane == model.focus) {
        None => focus(model, model.behind),
        Some(at) => at.checked_sub(1).and_then(|at| panes.get(at)).map_or_else(Vec::new, |pane| focus(model, *pane)),
    }
}
