//! A page of a scroll while it is gathered: what was asked, what is at hand, and what comes next in
//! both directions.
//!
//! No log is read here. Invariant: pieces and rows describe the same page, and each row has its
//! address in place of its offset.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::log::{Anchor, Row};
use crate::sanitize::Style;
use crate::search::Towards;
use crate::tui::msg::{Folds, Goal, Page, PageRequest, Sought, Target};
use crate::tui::scroll::{RowAddress, Section};

/// Neighbouring rows of a page.
#[derive(Clone, Copy)]
pub(super) enum Piece {
    Heading,
    /// So many rows of a section's log.
    Rows(usize, usize),
}

/// A request that is being worked on.
pub(super) struct ScrollJob {
    pub(super) request: PageRequest,
    pub(super) seek: Option<Seek>,
    pub(super) rows: VecDeque<Row>,
    pub(super) pieces: VecDeque<Piece>,
    /// The number of rows still to gather, above and below.
    pub(super) above: usize,
    pub(super) below: usize,
    pub(super) up: Edge,
    pub(super) down: Edge,
    /// The style switched on before the first row.
    pub(super) style: Style,
    pub(super) target: Option<Target>,
    /// The section that is opened for the row that was found.
    pub(super) opened: Option<usize>,
    /// The groups that were folded or opened for it.
    pub(super) folded: Vec<(u64, bool)>,
    pub(super) fault: Option<String>,
    pub(super) told: Instant,
}

/// A row is looked for, in one section after the other.
pub(super) struct Seek {
    pub(super) section: usize,
    pub(super) goal: Goal,
    /// The number of sections still to search, including this one.
    pub(super) left: usize,
    pub(super) has_wrapped: bool,
}

/// The next part of the page in one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Edge {
    Heading(usize),
    /// Rows of a section's log: from there on, or before that; without a place from its end near to
    /// here.
    Rows(usize, Option<u64>),
    /// Something, of which nothing is wanted.
    More,
    Over,
}

impl Piece {
    pub(super) const fn section(&self) -> Option<usize> {
        match self {
            Self::Heading => None,
            Self::Rows(section, _) => Some(*section),
        }
    }
}

impl Seek {
    /// Goes over to the next section: false when all have been looked at.
    pub(super) fn next(&mut self, sections: usize) -> bool {
        self.left = self.left.saturating_sub(1);
        if let Goal::Next { from, towards, .. } = &mut self.goal {
            let is_down = *towards == Towards::Down;
            *from = if is_down { 0 } else { u64::MAX };
            let next = if is_down { self.section + 1 } else { self.section.wrapping_sub(1) };
            self.has_wrapped |= next >= sections;
            self.section = match next {
                next if next < sections => next,
                _ if is_down => 0,
                _ => sections.saturating_sub(1),
            };
        } else {
            self.section += 1;
        }
        self.left > 0
    }
}

impl Goal {
    /// Returns true if this section is searched for the goal: errors, gaps and times are looked for
    /// only in open sections, all else also in folded ones.
    pub(super) const fn is_for(&self, section: &Section) -> bool {
        match self {
            Self::Next { what: Sought::Error | Sought::Gap { .. }, .. } | Self::Time(_) => {
                section.is_open
            }
            _ => true,
        }
    }
}

impl ScrollJob {
    pub(super) fn new(request: PageRequest, sections: &[Section]) -> Self {
        let (rows, half) = (request.rows, request.rows.div_ceil(2));
        let mut job = Self {
            request,
            seek: None,
            rows: VecDeque::new(),
            pieces: VecDeque::new(),
            above: 0,
            below: 0,
            up: Edge::More,
            down: Edge::More,
            style: Style::default(),
            target: None,
            opened: None,
            folded: Vec::new(),
            fault: None,
            told: Instant::now(),
        };
        match job.request.goal.clone() {
            Goal::Rows(Anchor::From(address)) => {
                job.below = rows;
                (job.up, job.down) = (Edge::More, edge_at(address));
                if edge_at(address) == Edge::Heading(0) {
                    job.up = Edge::Over;
                }
            }
            Goal::Rows(Anchor::Before(address)) => {
                job.above = rows;
                job.up = match RowAddress::of(address) {
                    RowAddress::Heading(section) => above_heading(sections, section, None),
                    RowAddress::Row(section, offset) => Edge::Rows(section, Some(offset)),
                };
            }
            Goal::Rows(Anchor::End) => {
                job.above = rows;
                (job.up, job.down) = (above_heading(sections, sections.len(), None), Edge::Over);
            }
            Goal::Around(address) | Goal::Place(address) => job.begin_at(address, sections, half),
            Goal::Row(address) => job.seek_in(
                RowAddress::of(address).section(),
                Goal::Row(RowAddress::of(address).offset()),
                1,
            ),
            Goal::Fold(address, how) => match RowAddress::of(address) {
                RowAddress::Row(section, offset) => {
                    job.seek_in(section, Goal::Fold(offset, how), 1);
                }
                RowAddress::Heading(_) => job.begin_at(address, sections, half),
            },
            Goal::Cause(_) => job.begin_at(0, sections, half),
            Goal::Percent(percent) => {
                let address = share(sections, percent);
                job.begin_at(address, sections, half);
            }
            Goal::Time(time) => job.seek_in(0, Goal::Time(time), sections.len()),
            Goal::Next { what, from, towards, .. } => {
                let (section, from) = next_from(from, towards);
                let goal = Goal::Next { what, from, towards, round: false };
                // The section where it begins is looked at again at last, from its other end.
                job.seek_in(section, goal, sections.len() + 1);
            }
        }
        job
    }

    fn seek_in(&mut self, section: usize, goal: Goal, left: usize) {
        self.seek = Some(Seek { section, goal, left, has_wrapped: false });
    }

    /// Shows what lies around an address; around a row of a log, that is asked first.
    fn begin_at(&mut self, address: u64, sections: &[Section], half: usize) {
        (self.above, self.below) = (half, half);
        let has_target = !matches!(self.request.goal, Goal::Around(_));
        match RowAddress::of(address) {
            // A row that is no longer in sight is represented by its heading, unless it is the
            // target.
            RowAddress::Row(section, offset)
                if is_open(sections, section, has_target.then_some(section)) =>
            {
                let goal = if has_target { Goal::Place(offset) } else { Goal::Around(offset) };
                self.seek_in(section, goal, 1);
            }
            row => {
                let section = row.section();
                self.down = Edge::Heading(section);
                self.up = above_heading(sections, section, None);
                let offset = RowAddress::Heading(section).address();
                self.target = has_target.then_some(Target { offset, has_wrapped: false });
            }
        }
    }

    /// Which groups of a section's log are folded.
    pub(super) fn folds_in(&self, section: usize) -> Folds {
        let folds = &self.request.folds;
        let own =
            folds.chosen.iter().filter_map(|(address, is_folded)| match RowAddress::of(*address) {
                RowAddress::Row(at, offset) if at == section => Some((offset, *is_folded)),
                _ => None,
            });
        Folds { all: folds.all, chosen: Arc::new(own.collect()) }
    }

    /// The rows around the place that was asked for.
    pub(super) fn take_centre(&mut self, section: usize, place: Option<u64>, page: Page) {
        let half = self.request.rows.div_ceil(2);
        let Page { window, style, folded, .. } = page;
        self.style = style;
        let changes = folded
            .into_iter()
            .map(|(heading, folded)| (RowAddress::Row(section, heading).address(), folded));
        self.folded.extend(changes);
        self.pieces.push_back(Piece::Rows(section, window.rows.len()));
        self.rows.extend(window.rows.into_iter().map(|row| addressed(section, row)));
        let above =
            self.rows.iter().filter(|row| place.is_some_and(|place| row.offset < place)).count();
        self.above = half.saturating_sub(above);
        self.below = half.saturating_sub(self.rows.len() - above);
        self.up = if window.at_start { Edge::Heading(section) } else { Edge::More };
        self.down = if window.at_end { Edge::Heading(section + 1) } else { Edge::More };
    }

    pub(super) fn take_below(&mut self, section: usize, page: Page) {
        let Page { window, style, .. } = page;
        if self.rows.is_empty() {
            self.style = style;
        }
        self.below = self.below.saturating_sub(window.rows.len());
        self.pieces.push_back(Piece::Rows(section, window.rows.len()));
        self.rows.extend(window.rows.into_iter().map(|row| addressed(section, row)));
        self.down = if window.at_end { Edge::Heading(section + 1) } else { Edge::More };
    }

    pub(super) fn take_above(&mut self, section: usize, page: Page) {
        let Page { window, style, .. } = page;
        self.style = style;
        self.above = self.above.saturating_sub(window.rows.len());
        self.pieces.push_front(Piece::Rows(section, window.rows.len()));
        for row in window.rows.into_iter().rev() {
            self.rows.push_front(addressed(section, row));
        }
        self.up = if window.at_start { Edge::Heading(section) } else { Edge::More };
    }
}

/// Returns the section, and the offset in its log, where the search for the next row begins.
fn next_from(address: u64, towards: Towards) -> (usize, u64) {
    match (RowAddress::of(address), towards) {
        (RowAddress::Row(section, offset), _) => (section, offset),
        (RowAddress::Heading(section), Towards::Down) => (section, 0),
        // Before a heading the section above ends; before the first there is the last, found by
        // going round.
        (RowAddress::Heading(section), Towards::Up) => match section.checked_sub(1) {
            Some(above) => (above, u64::MAX),
            None => (0, 0),
        },
    }
}

fn edge_at(address: u64) -> Edge {
    match RowAddress::of(address) {
        RowAddress::Heading(section) => Edge::Heading(section),
        RowAddress::Row(section, offset) => Edge::Rows(section, Some(offset)),
    }
}

/// Returns the edge above the heading of a section: `Edge::Over` if nothing precedes it.
pub(super) fn above_heading(sections: &[Section], section: usize, opened: Option<usize>) -> Edge {
    match section.checked_sub(1) {
        None => Edge::Over,
        Some(above) if is_open(sections, above, opened) => Edge::Rows(above, None),
        Some(above) => Edge::Heading(above),
    }
}

/// Returns true if the rows of a section are shown.
pub(super) fn is_open(sections: &[Section], at: usize, opened: Option<usize>) -> bool {
    sections
        .get(at)
        .is_some_and(|section| section.log.is_some() && (section.is_open || opened == Some(at)))
}

/// A row of a section's log with its address in place of its offset.
fn addressed(section: usize, row: Row) -> Row {
    Row { offset: RowAddress::Row(section, row.offset).address(), ..row }
}

/// The place behind so many hundredths of the bytes of the open sections.
fn share(sections: &[Section], percent: u8) -> u64 {
    let open = sections.iter().enumerate().filter(|(_, section)| section.is_open);
    let sizes: Vec<_> = open.map(|(at, section)| (at, section.bytes())).collect();
    let total: u64 = sizes.iter().map(|(_, bytes)| bytes).sum();
    let mut rest = u64::try_from(u128::from(total) * u128::from(percent) / 100).unwrap_or(total);
    for (at, bytes) in &sizes {
        if rest < *bytes {
            return RowAddress::Row(*at, rest).address();
        }
        rest -= bytes;
    }
    RowAddress::Heading(sections.len().saturating_sub(1)).address()
}

impl Section {
    /// Returns the size of its log in bytes; 0 if there is no log or its size cannot be read.
    fn bytes(&self) -> u64 {
        self.log
            .as_ref()
            .and_then(|log| std::fs::symlink_metadata(&**log).ok())
            .map_or(0, |meta| meta.len())
    }
}
