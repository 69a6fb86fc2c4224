//! Mouse input: the wheel scrolls the pane under the pointer, a click selects.

use ratatui::layout::{Position, Rect};

use crate::tui::app::{focus, in_log, in_runs, in_tree};
use crate::tui::layout::Pane;
use crate::tui::model::Model;
use crate::tui::msg::{Effects, Mouse};

/// The number of rows per notch of the wheel.
const WHEEL: isize = 3;

/// Handles a mouse event.
pub(super) fn act(model: &mut Model, mouse: Mouse, x: u16, y: u16) -> Effects {
    if let (Some(help), Mouse::Wheel(notches)) = (&mut model.help, mouse) {
        help.top = help.top.saturating_add_signed(isize::from(notches) * WHEEL);
        return Effects::none();
    }
    let Some((pane, body)) = under(model, Position::new(x, y)) else {
        return Effects::none();
    };
    let row = usize::from(y.saturating_sub(body.y));
    match mouse {
        Mouse::Wheel(notches) => {
            let by = isize::from(notches) * WHEEL;
            match pane {
                Pane::Runs => {
                    model.runs.scroll(by);
                    Effects::none()
                }
                Pane::Tree => {
                    model.tree.scroll(by);
                    Effects::none()
                }
                Pane::Log => in_log(model, |log| log.scroll(by)),
            }
        }
        Mouse::Click => {
            let mut effects = focus(model, pane);
            effects.extend(match pane {
                Pane::Runs => in_runs(model, |runs, height| runs.click(row, height)),
                Pane::Tree => in_tree(model, |tree, run| tree.click(run, row)),
                Pane::Log => in_log(model, |log| log.click(y)),
            });
            effects
        }
    }
}

/// Returns the pane at a position, and its body. A popup hides the panes beneath.
fn under(model: &Model, at: Position) -> Option<(Pane, Rect)> {
    let layout = model.layout();
    if model.help.is_some() {
        return None;
    }
    let found = layout.popup.iter().chain(&layout.slots).find(|slot| slot.body.contains(at));
    found.map(|slot| (slot.pane, slot.body))
}
