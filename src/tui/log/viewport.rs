//! The viewport of the log's pane: the loaded rows that are on screen, in lines. Pure.
//!
//! A wrapped row takes several lines. A position is the index of a row among those that are loaded,
//! and a line of that row.

use std::ops::Range;

/// The index of a loaded row, and a line of it.
pub type Line = (usize, usize);

/// The lines of the loaded rows, and the height of the pane.
#[derive(PartialEq, Eq, Debug)]
pub struct Viewport {
    height: usize,
    /// The number of lines of each loaded row.
    lines: Vec<usize>,
}

impl Viewport {
    /// Returns the viewport of a pane of this height, in lines. `lines` contains the number of
    /// lines of each loaded row, which is at least one.
    #[must_use]
    pub fn new(height: usize, lines: impl IntoIterator<Item = usize>) -> Self {
        Self { height: height.max(1), lines: lines.into_iter().map(|lines| lines.max(1)).collect() }
    }

    /// Returns the number of lines of all loaded rows.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.lines.iter().sum()
    }

    /// Returns the first line on screen at which the last loaded rows fill the pane.
    #[must_use]
    pub fn last_top(&self) -> Line {
        let mut room = self.height;
        for (row, lines) in self.lines.iter().enumerate().rev() {
            if *lines >= room {
                return (row, lines - room);
            }
            room -= lines;
        }
        (0, 0)
    }

    /// Scrolls by lines, positive down, as far as the loaded rows allow. Returns the new first line
    /// and the number of lines still to scroll.
    #[must_use]
    pub fn scroll(&self, top: Line, by: isize) -> (Line, isize) {
        let (last, mut top, mut rest) = (self.last_top(), top, by);
        while rest > 0 && top < last {
            top =
                if top.1 + 1 < self.lines_of(top.0) { (top.0, top.1 + 1) } else { (top.0 + 1, 0) };
            rest -= 1;
        }
        while rest < 0 && top > (0, 0) {
            top = self.above(top, 1);
            rest += 1;
        }
        (top, rest)
    }

    /// Returns the line that is `lines` lines above this one, or else the first line.
    #[must_use]
    pub fn above(&self, at: Line, lines: usize) -> Line {
        (0..lines).fold(at, |(row, line), _| match (row.checked_sub(1), line.checked_sub(1)) {
            (_, Some(line)) => (row, line),
            (Some(above), None) => (above, self.lines_of(above) - 1),
            (None, None) => (0, 0),
        })
    }

    /// Returns the first line on screen after the least scrolling that shows the first line of a
    /// row, and as much of the row as fits.
    #[must_use]
    pub fn reveal(&self, top: Line, row: usize) -> Line {
        let shown = self.rows(top);
        if (row, 0) < top || !shown.contains(&row) && row < shown.start {
            return (row, 0);
        }
        let needed = self.lines_of(row).min(self.height);
        match self.line_on_screen(top, row) {
            Some(line) if line + needed <= self.height => top,
            _ => self.above((row, needed - 1), self.height - 1),
        }
    }

    /// Returns the rows of which the first line is on screen; at least the first row on screen, if
    /// there is one.
    #[must_use]
    pub fn rows(&self, top: Line) -> Range<usize> {
        let mut lines = 0;
        let end = (top.0..self.lines.len()).find(|row| {
            let is_below = lines >= self.height + top.1;
            lines += self.lines_of(*row);
            is_below
        });
        let end = end.unwrap_or(self.lines.len());
        let start = top.0 + usize::from(top.1 > 0 && end > top.0 + 1);
        start..end
    }

    /// Returns the line of the pane in which a row begins; `None` if it is not on screen.
    #[must_use]
    pub fn line_on_screen(&self, top: Line, row: usize) -> Option<usize> {
        let above: usize = self.lines.get(top.0..row)?.iter().sum();
        above.checked_sub(top.1).filter(|line| *line < self.height && row < self.lines.len())
    }

    /// Returns the row in a line of the pane; `None` below the last row.
    #[must_use]
    pub fn row_at(&self, top: Line, line: usize) -> Option<usize> {
        let mut left = line + top.1;
        (top.0..self.lines.len()).find(|row| {
            let lines = self.lines_of(*row);
            let is_here = left < lines;
            left = left.saturating_sub(lines);
            is_here
        })
    }

    /// Returns the number of lines of a row.
    #[must_use]
    pub fn lines_of(&self, row: usize) -> usize {
        self.lines.get(row).copied().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Four rows of one, three, one and two lines in a pane of four lines.
    fn viewport() -> Viewport {
        Viewport::new(4, [1, 3, 1, 2])
    }

    #[test]
    fn the_last_rows_fill_the_pane() {
        assert_eq!(viewport().last_top(), (1, 2));
        assert_eq!(Viewport::new(9, [1, 3, 1, 2]).last_top(), (0, 0));
        assert_eq!(Viewport::new(4, []).last_top(), (0, 0));
    }

    #[test]
    fn scrolling_stops_at_both_ends_and_returns_the_rest() {
        assert_eq!(viewport().scroll((3, 0), 0), ((3, 0), 0), "nothing scrolls");
        assert_eq!(viewport().scroll((0, 0), 2), ((1, 1), 0));
        assert_eq!(viewport().scroll((0, 0), 5), ((1, 2), 2));
        assert_eq!(viewport().scroll((1, 1), -3), ((0, 0), -1));
    }

    #[test]
    fn a_row_is_revealed_with_the_least_scrolling() {
        assert_eq!(viewport().reveal((0, 0), 1), (0, 0), "it is on screen");
        assert_eq!(viewport().reveal((0, 0), 3), (1, 2), "it comes last");
        assert_eq!(viewport().reveal((1, 2), 1), (1, 0), "its first line is above");
        assert_eq!(
            Viewport::new(2, [1, 9]).reveal((0, 0), 1),
            (1, 0),
            "it is higher than the pane"
        );
    }

    #[test]
    fn a_line_of_the_pane_belongs_to_a_row() {
        let rows: Vec<_> = (0..6).map(|line| viewport().row_at((1, 1), line)).collect();
        assert_eq!(rows, [Some(1), Some(1), Some(2), Some(3), Some(3), None]);
    }

    proptest! {
        #[test]
        fn a_revealed_row_is_on_screen(
            lines in prop::collection::vec(1_usize..6, 1..20),
            height in 1_usize..8,
            top in 0_usize..20,
            row in 0_usize..20,
        ) {
            let viewport = Viewport::new(height, lines.clone());
            let row = row % lines.len();
            let top = viewport.reveal((top % lines.len(), 0), row);
            prop_assert!(viewport.line_on_screen(top, row).is_some());
            prop_assert!(viewport.rows(top).contains(&row));
        }
    }
}
