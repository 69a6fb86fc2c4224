//! A page of a document while it is gathered: the request, the rows so far, and the next part in
//! each direction.
//!
//! No log is read here. Invariant: pieces and rows describe the same page, and each row has its
//! address in place of its offset.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::log::LogPage;
use crate::document::{
    Document, Folds, Goal, PageRequest, RankedGap, RowAddress, Section, Sought, Target,
};
use crate::log::{Anchor, Gap, Row};
use crate::sanitize::Style;
use crate::search::{Cause, Towards};

/// Neighboring rows of a page.
#[derive(Clone, Copy)]
pub(super) enum Piece {
    Heading,
    /// This many rows of a section's log.
    Rows(usize, usize),
}

/// A request that is being worked on.
pub(super) struct DocumentJob {
    pub(super) request: PageRequest,
    pub(super) seek: Option<Seek>,
    /// The search for gaps, which comes before the search for the row.
    pub(super) gaps: Option<GapSearch>,
    pub(super) gap: Option<RankedGap>,
    /// The section that is being read.
    pub(super) section: usize,
    pub(super) rows: VecDeque<Row>,
    pub(super) pieces: VecDeque<Piece>,
    pub(super) up: Side,
    pub(super) down: Side,
    /// The style switched on before the first row.
    pub(super) style: Style,
    pub(super) target: Option<Target>,
    /// The section that is opened for the row that was found.
    pub(super) opened: Option<usize>,
    /// The groups that were folded or opened for that row.
    pub(super) folded: Vec<(u64, bool)>,
    pub(super) cause: Option<Box<Cause>>,
    pub(super) fault: Option<String>,
    /// The time of its start, or of its last progress report.
    pub(super) reported_at: Instant,
}

/// A direction in which a page is gathered.
#[derive(Clone, Copy)]
pub(super) struct Side {
    /// The number of rows still to gather.
    pub(super) rows: usize,
    pub(super) next: Edge,
}

/// The search for a row, in one section after the other.
pub(super) struct Seek {
    pub(super) section: usize,
    pub(super) goal: Goal,
    /// The number of sections to search.
    pub(super) all: usize,
    /// The number of sections still to search, including this one.
    pub(super) left: usize,
    pub(super) has_wrapped: bool,
}

/// The search for gaps in one open section after the other.
#[derive(Default)]
pub(super) struct GapSearch {
    pub(super) section: usize,
    /// The offset in the section at which the search continues.
    pub(super) from: u64,
    /// The gaps of this section.
    pub(super) here: Vec<Gap>,
    /// The longest gaps of all sections so far, at most [`MOST_GAPS`]. Their offsets are addresses
    /// in the document.
    pub(super) longest: Vec<Gap>,
}

/// The most gaps to rank.
const MOST_GAPS: usize = 100;

impl GapSearch {
    /// Ranks the gaps found in this section.
    pub(super) fn rank(&mut self, document: &Document) {
        let section = self.section;
        let address = |offset| document.address(RowAddress::Row(section, offset));
        let here = self.here.drain(..).map(|gap| Gap { offset: address(gap.offset), ..gap });
        self.longest.extend(here);
        self.longest.sort_by_key(|gap| (Reverse(gap.us), gap.offset));
        self.longest.truncate(MOST_GAPS);
    }

    /// Returns the progress in percent. `own` is the progress in the section being searched.
    pub(super) fn percent(&self, own: u8, sections: usize) -> u8 {
        let done = self.section * 100 + usize::from(own);
        u8::try_from(done / sections.max(1)).unwrap_or(100).min(99)
    }

    /// Moves to the next section.
    pub(super) const fn next(&mut self) {
        (self.section, self.from) = (self.section + 1, 0);
    }

    /// Returns the gap after or before the one at `from`, in the order of length, and its rank; the
    /// longest one if `from` is not among them.
    fn choose(&self, from: Option<u64>, towards: Towards) -> Option<(Gap, RankedGap)> {
        let here = self.longest.iter().position(|gap| Some(gap.offset) == from);
        let next = |here: usize| match towards {
            Towards::Down => (here + 1).min(self.longest.len() - 1),
            Towards::Up => here.saturating_sub(1),
        };
        let rank = here.map_or(0, next);
        let gap = *self.longest.get(rank)?;
        Some((gap, RankedGap { ms: gap.us / 1000, rank, of: self.longest.len() }))
    }
}

/// The next part of the page in one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Edge {
    Heading(usize),
    /// Rows of a section's log: downward from this offset, or upward from the row before it.
    /// Without an offset, upward from the last row.
    Rows(usize, Option<u64>),
    /// A part that was not requested.
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
    /// Moves to the next section. Returns false if all were searched.
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

    /// Returns the progress in percent. `own` is the progress in the section being searched.
    pub(super) fn percent(&self, own: Option<u8>) -> u8 {
        let done = (self.all - self.left.min(self.all)) * 100 + usize::from(own.unwrap_or(0));
        u8::try_from(done / self.all.max(1)).unwrap_or(100).min(99)
    }
}

impl Goal {
    /// Returns true if this section is searched for the goal. Errors and times are searched only in
    /// open sections; all other goals also in folded ones.
    pub(super) const fn is_for(&self, section: &Section) -> bool {
        match self {
            Self::Next { what: Sought::Error, .. } | Self::Time(_) => section.is_open,
            _ => true,
        }
    }
}

/// Replaces the offsets of a cause with addresses.
pub(super) fn addressed(mut cause: Cause, address: impl Fn(u64) -> u64) -> Cause {
    cause.at = cause.at.map(&address);
    cause.rows.iter_mut().for_each(|row| row.offset = address(row.offset));
    cause.why.iter_mut().for_each(|why| why.at = address(why.at));
    cause
}

impl DocumentJob {
    pub(super) fn new(request: PageRequest) -> Self {
        let nothing = Side { rows: 0, next: Edge::More };
        let mut job = Self {
            request,
            seek: None,
            gaps: None,
            gap: None,
            section: 0,
            rows: VecDeque::new(),
            pieces: VecDeque::new(),
            up: nothing,
            down: nothing,
            style: Style::default(),
            target: None,
            opened: None,
            folded: Vec::new(),
            cause: None,
            fault: None,
            reported_at: Instant::now(),
        };
        job.begin();
        job
    }

    fn begin(&mut self) {
        let sections = self.document().sections.len();
        match self.request.rows.goal.clone() {
            Goal::Rows(anchor) => self.begin_rows(anchor),
            Goal::Around(address) | Goal::Place(address) => self.begin_at(address),
            Goal::Row(address) => self.seek_in_section(address, Goal::Row),
            Goal::Cause(address, exit) => self.seek_in_section(address, |at| Goal::Cause(at, exit)),
            Goal::Fold(address, how) => match self.document().row(address) {
                RowAddress::Row(..) => self.seek_in_section(address, |at| Goal::Fold(at, how)),
                RowAddress::Heading(_) => self.begin_at(address),
            },
            Goal::Gap { .. } => self.gaps = Some(GapSearch::default()),
            // The reader has already replaced the percentage with a place.
            Goal::Percent(_) => self.begin_at(0),
            Goal::Time(time) => self.seek_in(0, Goal::Time(time), sections),
            Goal::Next { what, from, towards, round } => {
                let (section, from) = next_from(self.document().row(from), towards);
                let is_single = sections == 1;
                let goal = Goal::Next { what, from, towards, round: round && is_single };
                // A search that wraps visits its first section again at last, from the other end.
                let count = if is_single { 1 } else { sections + usize::from(round) };
                self.seek_in(section, goal, count);
            }
        }
    }

    /// Shows the rows at an anchor.
    fn begin_rows(&mut self, anchor: Anchor) {
        let rows = self.request.rows.max_rows;
        let document = self.document();
        let at = |address| match document.row(address) {
            RowAddress::Heading(section) => Edge::Heading(section),
            RowAddress::Row(section, offset) => Edge::Rows(section, Some(offset)),
        };
        (self.up, self.down) = match anchor {
            Anchor::From(address) => {
                let next = at(address);
                let above = if next == Edge::Heading(0) { Edge::Over } else { Edge::More };
                (Side { rows: 0, next: above }, Side { rows, next })
            }
            Anchor::Before(address) => {
                let next = match at(address) {
                    Edge::Heading(section) => self.beyond_heading(section, Towards::Up),
                    edge => edge,
                };
                (Side { rows, next }, Side { rows: 0, next: Edge::More })
            }
            Anchor::End => {
                let next = self.beyond_heading(document.sections.len(), Towards::Up);
                (Side { rows, next }, Side { rows: 0, next: Edge::Over })
            }
        };
    }

    /// Shows the rows around an address. In an open section, the log is searched for the row first.
    fn begin_at(&mut self, address: u64) {
        let has_target = !matches!(self.request.rows.goal, Goal::Around(_));
        let document = self.document();
        let row = document.row(address);
        // A row of a folded section is represented by the heading, unless it is the target.
        let opened = has_target.then_some(row.section());
        if let RowAddress::Row(section, _) = row
            && is_open(document, section, opened)
        {
            return self
                .seek_in_section(address, if has_target { Goal::Place } else { Goal::Around });
        }
        let half = self.request.rows.max_rows.div_ceil(2);
        let section = row.section();
        let offset = document.heading_of(section);
        self.up = Side { rows: half, next: self.beyond_heading(section, Towards::Up) };
        self.down = Side { rows: half, next: Edge::Heading(section) };
        self.target = has_target.then_some(Target { offset, has_wrapped: false });
    }

    /// Searches the section of an address.
    fn seek_in_section(&mut self, address: u64, goal: impl FnOnce(u64) -> Goal) {
        let row = self.document().row(address);
        self.seek_in(row.section(), goal(row.offset()), 1);
    }

    fn seek_in(&mut self, section: usize, goal: Goal, sections: usize) {
        let (all, left) = (sections, sections);
        self.seek = Some(Seek { section, goal, all, left, has_wrapped: false });
    }

    /// Shows the gap that was requested, once all are known. Returns false without such a gap.
    pub(super) fn take_gaps(&mut self, search: &GapSearch) -> bool {
        let Goal::Gap { from, towards, .. } = self.request.rows.goal else { return false };
        let Some((gap, ranked)) = search.choose(from, towards) else { return false };
        self.gap = Some(ranked);
        self.seek_in_section(gap.offset, Goal::Place);
        true
    }

    pub(super) const fn document(&self) -> &Document {
        &self.request.document
    }

    pub(super) const fn side(&mut self, towards: Towards) -> &mut Side {
        match towards {
            Towards::Up => &mut self.up,
            Towards::Down => &mut self.down,
        }
    }

    /// Returns the folded groups of a section's log.
    pub(super) fn folds_in(&self, section: usize) -> Folds {
        let folds = &self.request.rows.folds;
        let own = folds.chosen.iter().filter_map(|(address, is_folded)| {
            match self.document().row(*address) {
                RowAddress::Row(at, offset) if at == section => Some((offset, *is_folded)),
                _ => None,
            }
        });
        Folds { all: folds.all, chosen: Arc::new(own.collect()) }
    }

    /// Takes the rows around the row that was searched for, or around the requested place.
    pub(super) fn take_center(&mut self, section: usize, page: LogPage) {
        let LogPage { window, style, target, folded, cause } = page;
        let address = |offset| self.request.document.address(RowAddress::Row(section, offset));
        let place = target.map(|target| address(target.offset));
        let has_wrapped = target.is_some_and(|target| target.has_wrapped)
            || self.seek.take().is_some_and(|seek| seek.has_wrapped);
        self.seek = None;
        self.folded = folded.into_iter().map(|(at, is_folded)| (address(at), is_folded)).collect();
        self.cause = cause.map(|cause| Box::new(addressed(*cause, address)));
        let is_above = |row: &&Row| place.is_some_and(|place| address(row.offset) < place);
        let above = window.rows.iter().filter(is_above).count();
        let (half, below) = (self.request.rows.max_rows.div_ceil(2), window.rows.len() - above);
        self.up.rows = half.saturating_sub(above);
        self.down.rows = half.saturating_sub(below);
        self.target = place.map(|offset| Target { offset, has_wrapped });
        self.style = style;
        self.up.next = self.beyond_rows(section, Towards::Up, window.at_start);
        self.down.next = self.beyond_rows(section, Towards::Down, window.at_end);
        self.add(section, window.rows, Towards::Down);
    }

    /// Takes the next rows in one direction.
    pub(super) fn take(&mut self, section: usize, page: LogPage, towards: Towards) {
        let LogPage { window, style, .. } = page;
        let is_first = self.pieces.is_empty();
        if is_first || towards == Towards::Up {
            self.style = style;
        }
        let ends = |towards| if towards == Towards::Up { window.at_start } else { window.at_end };
        let next = self.beyond_rows(section, towards, ends(towards));
        let side = self.side(towards);
        (side.rows, side.next) = (side.rows.saturating_sub(window.rows.len()), next);
        // More rows are on the other side of the first ones, unless the log ends there.
        let other = towards.opposite();
        if is_first && self.side(other).next == Edge::More {
            self.side(other).next = self.beyond_rows(section, other, ends(other));
        }
        self.add(section, window.rows, towards);
    }

    fn add(&mut self, section: usize, rows: Vec<Row>, towards: Towards) {
        let piece = Piece::Rows(section, rows.len());
        let document = self.request.document.clone();
        let addressed = rows.into_iter().map(|row| Row {
            offset: document.address(RowAddress::Row(section, row.offset)),
            ..row
        });
        match towards {
            Towards::Down => {
                self.pieces.push_back(piece);
                self.rows.extend(addressed);
            }
            Towards::Up => {
                self.pieces.push_front(piece);
                addressed.rev().for_each(|row| self.rows.push_front(row));
            }
        }
    }

    /// Adds a heading. It has no text: the view draws it from the section.
    pub(super) fn add_heading(&mut self, section: usize, towards: Towards) {
        let offset = self.document().heading_of(section);
        let row = Row { offset, complete: true, ..Row::default() };
        match towards {
            Towards::Down => {
                self.pieces.push_back(Piece::Heading);
                self.rows.push_back(row);
            }
            Towards::Up => {
                self.pieces.push_front(Piece::Heading);
                self.rows.push_front(row);
            }
        }
        let next = self.beyond_heading(section, towards);
        let side = self.side(towards);
        (side.rows, side.next) = (side.rows.saturating_sub(1), next);
    }

    /// Returns the edge beyond rows of a section. `is_end` is true if its log ends there.
    fn beyond_rows(&self, section: usize, towards: Towards, is_end: bool) -> Edge {
        let document = self.document();
        let is_last = section + 1 >= document.sections.len();
        match towards {
            _ if !is_end => Edge::More,
            _ if !document.has_headings => Edge::Over,
            Towards::Up => Edge::Heading(section),
            Towards::Down if is_last => Edge::Over,
            Towards::Down => Edge::Heading(section + 1),
        }
    }

    /// Returns the edge beyond the heading of a section.
    pub(super) fn beyond_heading(&self, section: usize, towards: Towards) -> Edge {
        let document = self.document();
        let is_open = |section| is_open(document, section, self.opened);
        match (towards, section.checked_sub(1)) {
            (Towards::Up, None) => Edge::Over,
            (Towards::Up, Some(above)) if is_open(above) => Edge::Rows(above, None),
            (Towards::Up, Some(above)) => Edge::Heading(above),
            (Towards::Down, _) if is_open(section) => Edge::Rows(section, Some(0)),
            (Towards::Down, _) => self.beyond_rows(section, towards, true),
        }
    }
}

/// Returns the section, and the offset in its log, where the search for the next row begins.
const fn next_from(row: RowAddress, towards: Towards) -> (usize, u64) {
    match (row, towards) {
        (RowAddress::Row(section, offset), _) => (section, offset),
        (RowAddress::Heading(section), Towards::Down) => (section, 0),
        // Above a heading is the end of the previous section. Above the first heading there are no
        // rows: the search can only wrap to the last section.
        (RowAddress::Heading(0), Towards::Up) => (0, 0),
        (RowAddress::Heading(section), Towards::Up) => (section - 1, u64::MAX),
    }
}

/// Returns true if the rows of a section are shown.
fn is_open(document: &Document, at: usize, opened: Option<usize>) -> bool {
    let section = document.sections.get(at);
    section.is_some_and(|section| section.log.is_some() && (section.is_open || opened == Some(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_progress_of_a_search_for_gaps_includes_the_section_being_searched() {
        let percent =
            |section, own, all| GapSearch { section, ..GapSearch::default() }.percent(own, all);
        assert_eq!([percent(0, 40, 1), percent(1, 50, 2), percent(3, 100, 4)], [40, 75, 99]);
    }
}
