//! Moves of a cursor in a list of rows, and the scrolling that follows. Pure.

/// The distance of a move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Move {
    /// Rows; positive is down.
    Rows(isize),
    /// Half pages: 2 is a whole page; positive is down.
    Halves(isize),
    /// To the first row.
    Top,
    /// To the last row.
    Bottom,
}

impl Move {
    /// Returns the distance in rows, on a page of `height` rows. After a move by a page, one row of
    /// the previous page is still on screen.
    #[must_use]
    pub fn rows(self, height: usize) -> isize {
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

/// Returns `top`, the first of `height` rows on screen, moved as little as needed to show row `at`.
#[must_use]
pub fn reveal(top: usize, at: usize, height: usize) -> usize {
    top.min(at).max((at + 1).saturating_sub(height))
}

/// Returns `at` moved by `by` in a list of `len` rows.
#[must_use]
pub fn step(at: usize, by: isize, len: usize) -> usize {
    at.saturating_add_signed(by).min(len.saturating_sub(1))
}
