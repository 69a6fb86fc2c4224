//! The scroll on the worker's thread: rows of many logs with their headings, as one page.
//!
//! Each log is read by a [`Reading`] of its own, which looks for rows, sifts, counts and numbers as
//! for a log that is shown alone; here its pages are put together. What is asked is worked on in
//! slices, as there: between two of them newer requests are taken in.

mod gather;
mod job;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::msg::{Folds, Goal, Head, HitCount, Known, Msg, PageRequest, Ticket};
use super::reading::{REPORT_PAUSE, Reading};
use super::scroll::{LogSource, RowAddress, Section};
use crate::error::Result;
use crate::log::Anchor;
use crate::search::{Query, RowFilter};

use job::{Piece, ScrollJob};

/// The most logs to keep open: more than any page contains, and fewer than a process may open.
const MAX_OPEN: usize = 256;

/// The logs of a scroll, as far as they are open.
pub(super) struct Scrolling {
    sections: Arc<[Section]>,
    /// By section; the one that was asked last comes last.
    readings: Vec<(usize, Reading)>,
    ticket: Ticket,
    job: Option<ScrollJob>,
    last: Option<Answered>,
    /// The current search, and its counts in the sections that are counted completely.
    search: Option<Query>,
    counts: HashMap<usize, HitCount>,
    reported: Option<(Instant, Known)>,
}

/// The last answered page.
struct Answered {
    pieces: Vec<Piece>,
    target: Option<u64>,
}

impl Scrolling {
    pub(super) fn new() -> Self {
        Self {
            sections: Arc::new([]),
            readings: Vec::new(),
            ticket: Ticket::default(),
            job: None,
            last: None,
            search: None,
            counts: HashMap::new(),
            reported: None,
        }
    }

    pub(super) const fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// The log that was asked last.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.readings.last().map(|(_, reading)| reading.file().path().into())
    }

    /// Returns the directories to watch for changes of these logs.
    pub(super) fn dirs(&self) -> Vec<PathBuf> {
        self.readings.iter().flat_map(|(_, reading)| reading.dirs()).cloned().collect()
    }

    /// A log that was read is to be left for another one.
    pub(super) fn goes_over(&self) -> bool {
        self.readings.iter().any(|(_, reading)| reading.file().goes_over())
    }

    /// Takes a request in, in place of one that is not answered yet, and begins with it.
    pub(super) fn ask(
        &mut self,
        ticket: Ticket,
        sections: &Arc<[Section]>,
        request: PageRequest,
    ) -> Vec<Msg> {
        self.ticket = ticket;
        self.take_sections(sections);
        if self.search != request.search {
            self.search.clone_from(&request.search);
            self.counts.clear();
        }
        self.counts
            .retain(|section, _| sections.get(*section).is_some_and(|section| !section.may_grow()));
        for (_, reading) in self.readings.iter_mut().filter(|(_, reading)| reading.is_asked()) {
            reading.give_up();
        }
        self.job = Some(ScrollJob::new(request, sections));
        self.go_on()
    }

    /// Logs that are open stay so, by their names.
    fn take_sections(&mut self, sections: &Arc<[Section]>) {
        if self.sections == *sections {
            return;
        }
        let path = |sections: &[Section], at: usize| {
            sections.get(at).and_then(|section| section.log.clone())
        };
        let places: HashMap<_, usize> = sections
            .iter()
            .enumerate()
            .filter_map(|(at, section)| Some((section.log.clone()?, at)))
            .collect();
        let old = std::mem::replace(&mut self.sections, Arc::clone(sections));
        let moved = self
            .readings
            .drain(..)
            .filter_map(|(at, reading)| Some((*places.get(&path(&old, at)?)?, reading)));
        self.readings = moved.collect();
        let moved = self
            .counts
            .drain()
            .filter_map(|(at, count)| Some((*places.get(&path(&old, at)?)?, count)));
        self.counts = moved.collect();
        self.last = None;
    }

    pub(super) fn has_work(&self) -> bool {
        self.job.is_some()
            || (self.last.is_some()
                && (self.next_on_page().is_some() || self.next_uncounted().is_some()))
    }

    /// A log on the page in which rows are still to be counted.
    fn next_on_page(&self) -> Option<usize> {
        let on_page = self.last.iter().flat_map(|last| &last.pieces).filter_map(Piece::section);
        on_page.into_iter().find(|section| self.reading(*section).is_some_and(Reading::has_work))
    }

    /// A section in which what is searched for has not been counted.
    fn next_uncounted(&self) -> Option<usize> {
        self.search.as_ref()?;
        let is_open =
            |at: &usize, section: &Section| section.log.is_some() && !self.counts.contains_key(at);
        self.sections
            .iter()
            .enumerate()
            .find(|(at, section)| is_open(at, section))
            .map(|(at, _)| at)
    }

    fn reading(&self, section: usize) -> Option<&Reading> {
        self.readings.iter().find(|(at, _)| *at == section).map(|(_, reading)| reading)
    }

    /// Does a slice of what is to be done, the request first.
    pub(super) fn go_on(&mut self) -> Vec<Msg> {
        if let Some(job) = self.job.take() {
            return self.work(job);
        }
        if let Some(section) = self.next_on_page() {
            self.work_on(section);
            self.note_count(section);
        } else if let Some(section) = self.next_uncounted() {
            self.count(section);
        }
        self.report()
    }

    /// Counts what is searched for in a log that is not on the page.
    fn count(&mut self, section: usize) {
        if self.reading(section).is_some_and(Reading::has_work) {
            self.work_on(section);
        } else if self
            .reading(section)
            .and_then(|reading| reading.hits(self.search.as_ref()))
            .is_none()
        {
            let _ = self.ask_section(
                section,
                (Goal::Rows(Anchor::From(0)), 1),
                RowFilter::default(),
                Folds::default(),
            );
        }
        self.note_count(section);
        if !self.counts.contains_key(&section)
            && !self.reading(section).is_some_and(Reading::has_work)
        {
            // The log cannot be read. The error is reported when the log is on the page.
            self.counts.insert(section, HitCount { rows: 0, is_all: true, number: None });
        }
    }

    /// Has a log do a slice of its own work; one that fails is left alone until it is asked again.
    fn work_on(&mut self, section: usize) {
        let done = self.with(section, Reading::go_on);
        if done.is_err() {
            let _ = self.with(section, |reading| {
                reading.give_up();
                Ok(())
            });
        }
    }

    fn note_count(&mut self, section: usize) {
        let hits = self.reading(section).and_then(|reading| reading.hits(self.search.as_ref()));
        if let Some(hits) = hits.filter(|hits| hits.is_all) {
            self.counts.insert(section, hits);
        }
    }

    fn with<T>(
        &mut self,
        section: usize,
        act: impl FnOnce(&mut Reading) -> Result<T>,
    ) -> Result<Option<T>> {
        let found = self.readings.iter_mut().find(|(at, _)| *at == section);
        found.map(|(_, reading)| act(reading)).transpose()
    }

    /// Asks the log of a section; opens it if it is not open.
    fn ask_section(
        &mut self,
        section: usize,
        (goal, rows): (Goal, usize),
        row_filter: RowFilter,
        folds: Folds,
    ) -> Result<Option<Vec<Msg>>> {
        let Some((log, tail)) = self
            .sections
            .get(section)
            .and_then(|section| Some((section.log.clone()?, section.tail)))
        else {
            return Ok(None);
        };
        let found = self.readings.iter().position(|(at, _)| *at == section);
        let reading = match found.map(|at| self.readings.remove(at)) {
            Some((_, reading)) if reading.file().is_at(&log) => reading,
            _ => Reading::open(&log)?,
        };
        self.readings.push((section, reading));
        let surplus = self.readings.len().saturating_sub(MAX_OPEN);
        self.readings.drain(..surplus);
        let search = self.search.clone();
        let request = PageRequest {
            source: LogSource::Log(log, tail),
            goal,
            rows,
            row_filter,
            folds,
            search,
            is_refresh: false,
        };
        let ticket = self.ticket;
        self.with(section, |reading| reading.ask(ticket, tail, request))
    }

    /// Reports the known facts if they have changed, at most once per `REPORT_PAUSE` while there is
    /// more work.
    fn report(&mut self) -> Vec<Msg> {
        let is_early = self.reported.as_ref().is_some_and(|(at, _)| at.elapsed() < REPORT_PAUSE);
        if is_early && self.has_work() {
            return Vec::new();
        }
        let known = self.known();
        let is_new = self.reported.as_ref().is_none_or(|(_, before)| *before != known);
        self.reported = Some((Instant::now(), known.clone()));
        if is_new { vec![Msg::Known(self.ticket, known)] } else { Vec::new() }
    }

    fn known(&self) -> Known {
        let Some(last) = &self.last else { return Known::default() };
        let on_page: HashMap<usize, Known> = last
            .pieces
            .iter()
            .filter_map(Piece::section)
            .filter_map(|section| Some((section, self.reading(section)?.known().ok()?)))
            .collect();
        let numbers = last.pieces.iter().flat_map(|piece| match piece {
            Piece::Heading => vec![None],
            Piece::Rows(section, rows) => {
                let mut numbers =
                    on_page.get(section).map(|known| known.numbers.clone()).unwrap_or_default();
                numbers.resize(*rows, None);
                numbers
            }
        });
        let numbers = numbers.collect();
        let spans = || {
            last.pieces.iter().filter_map(Piece::section).filter_map(|at| on_page.get(&at)?.span)
        };
        let span =
            spans().next().zip(spans().next_back()).map(|((first, _), (_, last))| (first, last));
        let heads = on_page.iter().flat_map(|(section, known)| {
            known
                .heads
                .iter()
                .map(|head| Head { at: RowAddress::Row(*section, head.at).address(), ..*head })
        });
        let (heads, hits) = (heads.collect(), self.hits(last.target, &on_page));
        Known { total_rows: None, stderr_rows: None, span, numbers, heads, hits, passed: None }
    }

    /// Returns the number of matching rows in all sections, as far as they have been counted.
    fn hits(&self, target: Option<u64>, on_page: &HashMap<usize, Known>) -> Option<HitCount> {
        self.search.as_ref()?;
        let counted = |section: usize| self.counts.get(&section).copied();
        let hits = |section| {
            counted(section).or_else(|| on_page.get(&section)?.hits).map_or(0, |hits| hits.rows)
        };
        let number = target.map(RowAddress::of).and_then(|spot| {
            let before: Option<u64> = (0..spot.section())
                .filter(|at| self.sections.get(*at).is_some_and(|section| section.log.is_some()))
                .map(|at| counted(at).map(|hits| hits.rows))
                .sum();
            Some(before? + on_page.get(&spot.section())?.hits?.number?)
        });
        let rows = (0..self.sections.len()).map(hits).sum();
        Some(HitCount { rows, is_all: self.next_uncounted().is_none(), number })
    }
}
