//! The areas of the panes: a pure function of the size of the screen.
//!
//! ```text
//!  rundown · example  main@deadbee  ✗ failed 1m23s                                   live  title
//! ─ Runs ───────────────┬─ Jobs ───────────────────┬─ $ cargo test --workspace ────────  heads
//!  ✗ 7f3a9c01  1m23s 2m │ ✓ build            12.3s │ ✗ failed · exit 101 · 34.0s         bodies
//!  ✓ 11d0e2aa  58.0s 1h │ ✗ test             34.1s │   running 41 tests
//!                       │   ✗ 1 cargo test   34.0s │ E test b ... FAILED
//!  j down · k up · ] next · f follow · ? help                                             hints
//! ```
//!
//! From 100 columns there are three panes, and the log takes about half. While the runs have the
//! focus, they take 120 columns, or all if the others would become too narrow. Below 100 columns,
//! the runs cover the other panes while they have the focus, and the tree takes a third. Below 60
//! columns only the focused pane is shown. A low screen has no hints, and a very low one also has
//! no title.

use ratatui::layout::Rect;

use crate::tui::keymap::Context;

/// The width from which the runs have a pane of their own.
const THREE_PANES: u16 = 100;
/// The width from which the tree is shown beside the log.
const TWO_PANES: u16 = 60;

/// The width of the list of runs while it has the focus.
const CHOOSING: u16 = 120;

/// The most columns and rows drawn, more than any monitor has. A cell takes about 100 bytes of
/// memory, and a terminal may report up to 65,535 columns and rows.
const MOST_COLUMNS: u16 = 2_000;
const MOST_ROWS: u16 = 1_000;

/// Returns the part of a terminal that is drawn: all of it, unless it is larger than any monitor.
#[must_use]
pub fn screen(width: u16, height: u16) -> Rect {
    Rect::new(0, 0, width.min(MOST_COLUMNS), height.min(MOST_ROWS))
}

/// A pane of the screen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pane {
    /// The list of runs.
    Runs,
    /// The jobs and commands of the open run.
    Tree,
    /// The log of the selected command.
    Log,
}

impl Pane {
    /// Returns the context in which the keys of the pane are looked up.
    #[must_use]
    pub const fn context(self) -> Context {
        match self {
            Self::Runs => Context::Runs,
            Self::Tree => Context::Tree,
            Self::Log => Context::Log,
        }
    }
}

/// A pane on the screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// The pane.
    pub pane: Pane,
    /// The row of its heading, as wide as the pane.
    pub head: Rect,
    /// The area below the heading.
    pub body: Rect,
}

/// The areas of the screen. All are within the screen, and only the popup overlaps others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// The first row; empty if the screen is very low.
    pub title: Rect,
    /// The panes, from left to right, one column apart.
    pub slots: Vec<Slot>,
    /// The last row; empty if the screen is very low.
    pub hints: Rect,
    /// The list of runs, over all panes, if it has the focus and no pane of its own.
    pub popup: Option<Slot>,
}

impl Layout {
    /// Divides a screen.
    #[must_use]
    pub fn new(screen: Rect, focus: Pane, behind: Pane, zoom: bool) -> Self {
        let (title_height, hints_height) = match screen.height {
            0..=3 => (0, 0),
            4..=6 => (1, 0),
            _ => (1, 1),
        };
        let title = Rect { height: title_height, ..screen };
        let hints = Rect {
            y: screen.bottom().saturating_sub(hints_height),
            height: hints_height,
            ..screen
        };
        let main = Rect {
            y: screen.y + title_height,
            height: screen.height.saturating_sub(title_height + hints_height),
            ..screen
        };
        let popup =
            (focus == Pane::Runs && screen.width < THREE_PANES).then(|| slot(Pane::Runs, main));
        let front = if popup.is_some() { behind } else { focus };
        let widths = widths(screen.width, front, zoom);
        Self { title, slots: slots(main, &widths), hints, popup }
    }

    /// Returns the area below a pane's heading; a popup takes precedence.
    #[must_use]
    pub fn body(&self, pane: Pane) -> Option<Rect> {
        let popup = self.popup.as_ref().filter(|popup| popup.pane == pane);
        popup.or_else(|| self.slot(pane)).map(|slot| slot.body)
    }

    /// Returns the slot of a pane that is on screen and not a popup.
    #[must_use]
    pub fn slot(&self, pane: Pane) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.pane == pane)
    }
}

/// Returns the panes that Tab visits on a screen of this width.
#[must_use]
pub const fn cycle(width: u16) -> &'static [Pane] {
    if width < THREE_PANES {
        &[Pane::Tree, Pane::Log]
    } else {
        &[Pane::Runs, Pane::Tree, Pane::Log]
    }
}

/// Divides the body of the list of runs into the line being typed, if there is one, and the rows.
#[must_use]
pub const fn runs_parts(body: Rect, has_line: bool) -> (Rect, Rect) {
    let line = Rect { height: if has_line && body.height > 1 { 1 } else { 0 }, ..body };
    (line, Rect { y: body.y + line.height, height: body.height - line.height, ..body })
}

/// The parts of the log's pane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogParts {
    /// The line of facts.
    pub facts: Rect,
    /// The full header.
    pub header: Rect,
    /// The notes, such as findings.
    pub notes: Rect,
    /// The rows that belong to the likely cause but are not beside it, and a line below them.
    pub card: Rect,
    /// The rows of the log.
    pub rows: Rect,
}

/// The content of the log's pane other than rows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Above {
    /// The number of lines of the full header.
    pub header: usize,
    /// The number of lines of the notes.
    pub notes: usize,
    /// The number of rows that belong to the likely cause but are not beside it.
    pub far_rows: usize,
    /// True if the log has no rows to show.
    pub has_no_rows: bool,
}

/// Divides the body of the log's pane. A body of fewer than four lines has rows only. At least 12
/// lines remain for the rows of the log in an 80x24 terminal, and 4 in a 40x10 terminal.
#[must_use]
pub fn log_parts(body: Rect, above: Above) -> LogParts {
    let facts = u16::from(body.height >= 4);
    let kept = if above.has_no_rows { 1 } else { (body.height * 3 / 5).clamp(4, 12) };
    let mut room = if facts > 0 { body.height.saturating_sub(facts + kept) } else { 0 };
    let mut take = |lines: usize| {
        let lines = u16::try_from(lines).unwrap_or(u16::MAX).min(room);
        room -= lines;
        lines
    };
    let (header, notes) = (take(above.header), take(above.notes));
    // A line separates the rows that are far from the cause from the log.
    let far = if above.far_rows > 0 { take(above.far_rows + 1) } else { 0 };
    let at = |y: u16, height: u16| Rect { y: body.y + y, height, ..body };
    let top = facts + header + notes + far;
    LogParts {
        facts: at(0, facts),
        header: at(facts, header),
        notes: at(facts + header, notes),
        card: at(facts + header + notes, far),
        rows: at(top, body.height - top),
    }
}

/// Returns the box of the help, with its frame.
#[must_use]
pub fn help_box(screen: Rect) -> Rect {
    centered(screen, 100, screen.height.saturating_sub(2).max(4))
}

/// Returns the panes and their widths, without the columns between them.
fn widths(width: u16, front: Pane, zoom: bool) -> Vec<(Pane, u16)> {
    if zoom || width < TWO_PANES {
        return vec![(front, width)];
    }
    if width < THREE_PANES {
        return beside(width);
    }
    if front == Pane::Runs {
        // A user who chooses a run compares several, so the list gets all the width it can use.
        let rest = width.saturating_sub(CHOOSING + 1);
        if rest < TWO_PANES {
            return vec![(Pane::Runs, width)];
        }
        return std::iter::once((Pane::Runs, CHOOSING)).chain(beside(rest)).collect();
    }
    let runs = (width / 5).clamp(22, 60);
    let tree = (width / 4).clamp(28, 60);
    vec![(Pane::Runs, runs), (Pane::Tree, tree), (Pane::Log, width - runs - tree - 2)]
}

/// Returns the widths of the tree and the log beside each other.
fn beside(width: u16) -> Vec<(Pane, u16)> {
    let tree = (width / 3).clamp(24, 32);
    vec![(Pane::Tree, tree), (Pane::Log, width - tree - 1)]
}

fn slots(main: Rect, widths: &[(Pane, u16)]) -> Vec<Slot> {
    let mut x = main.x;
    let next = |(pane, width): &(Pane, u16)| {
        let whole = Rect { x, width: *width, ..main };
        x += width + 1;
        slot(*pane, whole)
    };
    widths.iter().map(next).collect()
}

fn slot(pane: Pane, whole: Rect) -> Slot {
    let head = Rect { height: whole.height.min(1), ..whole };
    Slot {
        pane,
        head,
        body: Rect { y: head.bottom(), height: whole.height - head.height, ..whole },
    }
}

/// Returns a box of at most this size in the middle of the screen.
#[must_use]
pub fn centered(screen: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(screen.width), height.min(screen.height));
    Rect {
        x: screen.x + (screen.width - width) / 2,
        y: screen.y + (screen.height - height) / 2,
        width,
        height,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn panes(width: u16, focus: Pane, zoom: bool) -> Vec<Pane> {
        Layout::new(Rect::new(0, 0, width, 24), focus, Pane::Log, zoom)
            .slots
            .iter()
            .map(|slot| slot.pane)
            .collect()
    }

    #[test]
    fn the_width_decides_how_many_panes_there_are() {
        use Pane::{Log, Runs, Tree};
        assert_eq!(panes(100, Log, false), [Runs, Tree, Log]);
        assert_eq!(panes(99, Log, false), [Tree, Log]);
        assert_eq!(panes(59, Log, false), [Log]);
        assert_eq!(panes(59, Tree, false), [Tree]);
        assert_eq!(panes(200, Tree, true), [Tree]);
        assert_eq!(panes(180, Runs, false), [Runs]);
        assert_eq!(panes(181, Runs, false), [Runs, Tree, Log]);
    }

    #[test]
    fn what_is_above_a_log_leaves_lines_for_its_rows() {
        let above = Above { header: 9, notes: 9, far_rows: 9, has_no_rows: false };
        for (screen, lines) in [((80, 24), 12), ((40, 10), 4), ((120, 40), 12)] {
            let screen = Rect::new(0, 0, screen.0, screen.1);
            let body = Layout::new(screen, Pane::Log, Pane::Log, true).body(Pane::Log).unwrap();
            assert_eq!(log_parts(body, above).rows.height, lines, "{screen}");
        }
    }

    #[test]
    fn runs_without_a_pane_cover_what_was_there() {
        let layout = Layout::new(Rect::new(0, 0, 80, 24), Pane::Runs, Pane::Log, false);
        assert_eq!(layout.body(Pane::Runs), Some(Rect::new(0, 2, 80, 21)));
        assert_eq!(
            layout.slots.iter().map(|slot| slot.pane).collect::<Vec<_>>(),
            [Pane::Tree, Pane::Log]
        );
    }

    #[test]
    fn eighty_by_twenty_four_wastes_no_row() {
        let layout = Layout::new(Rect::new(0, 0, 80, 24), Pane::Log, Pane::Log, false);
        let log = layout.slots[1];
        assert_eq!((log.head.y, log.body.y, log.body.height, layout.hints.y), (1, 2, 21, 23));
    }

    proptest! {
        #[test]
        fn every_part_lies_within_the_screen(
            width in 0_u16..400,
            height in 0_u16..120,
            zoom: bool,
            focus in 0_usize..3,
            behind in 1_usize..3,
        ) {
            let all = [Pane::Runs, Pane::Tree, Pane::Log];
            let screen = Rect::new(0, 0, width, height);
            let layout = Layout::new(screen, all[focus], all[behind], zoom);
            let slots = layout.slots.iter().flat_map(|slot| [slot.head, slot.body]);
            let popup = layout.popup.iter().flat_map(|slot| [slot.head, slot.body]);
            for part in slots.chain([layout.title, layout.hints]).chain(popup) {
                prop_assert_eq!(part.union(screen), screen, "{:?}", part);
            }
            let columns: u16 = layout.slots.iter().map(|slot| slot.body.width).sum();
            prop_assert_eq!(usize::from(columns) + layout.slots.len() - 1, usize::from(width));
        }
    }
}
