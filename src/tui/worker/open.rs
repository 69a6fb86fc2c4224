//! The source of the log's pane: one log, or a scroll of many.

use std::path::PathBuf;

use crate::tui::msg::Ticket;
use crate::tui::reading::Reading;
use crate::tui::scrolling::Scrolling;

/// The source of the log's pane.
pub(super) enum Open {
    Log(Box<Reading>),
    Scroll(Box<Scrolling>),
}

impl Open {
    /// Returns the directories in which a change may concern the source.
    pub(super) fn dirs(&self) -> Vec<PathBuf> {
        match self {
            Self::Log(reading) => reading.dirs().to_vec(),
            Self::Scroll(scroll) => scroll.dirs(),
        }
    }

    pub(super) fn goes_over(&self) -> bool {
        match self {
            Self::Log(reading) => reading.file().goes_over(),
            Self::Scroll(scroll) => scroll.goes_over(),
        }
    }

    /// Returns the path being read now.
    pub(super) fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Log(reading) => Some(reading.file().path().into()),
            Self::Scroll(scroll) => scroll.path(),
        }
    }

    pub(super) const fn ticket(&self) -> Ticket {
        match self {
            Self::Log(reading) => reading.ticket(),
            Self::Scroll(scroll) => scroll.ticket(),
        }
    }
}
