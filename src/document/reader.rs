//! The document on the worker's thread: rows of its logs with their headings, as one page.
//!
//! Each log has a [`LogReader`], which finds, filters, counts and numbers its rows. This module
//! joins their pages and adds up their counts. It works on a request in slices, and accepts newer
//! requests between two slices. A request is answered when its page is complete; a newer request
//! replaces an unanswered one.

mod counts;
mod gather;
mod job;
mod log;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{
    Answer, Document, Goal, Head, Known, PageRequest, RowAddress, RowsRequest, Section, Ticket,
};
use crate::error::Result;
use crate::join::Place;
use crate::log::Change;
use crate::search::{PatternFilter, Query};

use counts::{Counted, Counts};
use job::{DocumentJob, Piece};
use log::LogReader;

/// The length of a slice: the time to work on a request before newer ones are accepted.
const SLICE: Duration = Duration::from_millis(5);
/// The most bytes to count before the request for the rows on screen is answered.
const COUNTED_BYTES: u64 = 1 << 20;
/// The shortest time between two reports on the progress of background work.
const REPORT_PAUSE: Duration = Duration::from_millis(100);
/// The most logs to keep open: usually more than a page contains, and fewer than a process may
/// open.
const MAX_OPEN: usize = 256;

/// A document, and its logs as far as they are open.
pub(crate) struct DocumentReader {
    document: Document,
    /// The open logs by section, from the least to the most recently used.
    logs: Vec<(usize, LogReader)>,
    ticket: Ticket,
    job: Option<DocumentJob>,
    last: Option<Answered>,
    /// The patterns whose matches are counted in all sections.
    search: Option<Query>,
    filter: Option<PatternFilter>,
    counts: Counts,
    reported: Option<(Instant, Known)>,
    /// The number of times a log was replaced or truncated, and the place of the last one.
    generation: u64,
    replaced: Option<Place>,
    /// True if its recorder replaced it, to remove its middle.
    is_shortened: bool,
}

/// The last answered page.
struct Answered {
    request: PageRequest,
    pieces: Vec<Piece>,
    target: Option<u64>,
    has_fault: bool,
}

impl DocumentReader {
    pub(crate) fn new(document: Document) -> Self {
        Self {
            document,
            logs: Vec::new(),
            ticket: Ticket::default(),
            job: None,
            last: None,
            search: None,
            filter: None,
            counts: Counts::default(),
            reported: None,
            generation: 0,
            replaced: None,
            is_shortened: false,
        }
    }

    pub(crate) const fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Returns the log that was used last.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.logs.last().map(|(_, log)| log.file().path().into())
    }

    /// Returns the directories to watch for changes of these logs.
    pub(crate) fn dirs(&self) -> Vec<PathBuf> {
        self.logs.iter().flat_map(|(_, log)| log.dirs()).cloned().collect()
    }

    /// Returns true if the file of a log was replaced, and the new file must be read next.
    pub(crate) fn awaits_switch(&self) -> bool {
        self.logs.iter().any(|(_, log)| log.file().awaits_switch())
    }

    /// Accepts a request in place of an unanswered one, and works on it for one slice.
    pub(crate) fn ask(&mut self, ticket: Ticket, request: PageRequest) -> Result<Option<Answer>> {
        self.ticket = ticket;
        self.job = None;
        self.logs.iter_mut().for_each(|(_, log)| log.give_up());
        self.take_document(&request.document);
        self.count_for(request.rows.search.as_ref(), request.rows.row_filter.filter.as_ref());
        self.counts.keep(|section| {
            self.document.sections.get(section).is_some_and(|section| !section.may_grow())
        });
        if request.rows.is_refresh && self.is_unchanged(&request)? {
            return Ok(Some(Answer::Unchanged(self.known())));
        }
        let goal = match request.rows.goal {
            Goal::Percent(percent) => Goal::Place(self.share(percent)?),
            goal => goal,
        };
        let rows = RowsRequest { goal, ..request.rows };
        self.job = Some(DocumentJob::new(PageRequest { rows, ..request }));
        self.go_on()
    }

    /// Returns the address at a percentage of the bytes of the open sections.
    fn share(&mut self, percent: u8) -> Result<u64> {
        if !self.document.has_headings {
            self.open(0)?;
        }
        let sections = self.document.sections.iter().enumerate();
        let open = sections.filter(|(_, section)| section.is_open).map(|(at, _)| at);
        let sizes: Vec<_> = open.map(|at| (at, self.bytes(at))).collect();
        let total: u64 = sizes.iter().map(|(_, bytes)| bytes).sum();
        let share = u128::from(total) * u128::from(percent) / 100;
        let mut rest = u64::try_from(share).unwrap_or(total);
        for (at, bytes) in sizes {
            if rest < bytes {
                return Ok(self.document.address(RowAddress::Row(at, rest)));
            }
            rest -= bytes;
        }
        Ok(if self.document.has_headings {
            self.document.heading_of(self.document.sections.len().saturating_sub(1))
        } else {
            total
        })
    }

    /// Replaces the document. Open logs stay open if the new document contains their paths.
    #[expect(clippy::mutable_key_type, reason = "objects and copies are compared by their address")]
    fn take_document(&mut self, document: &Document) {
        if self.document == *document {
            return;
        }
        let old = std::mem::replace(&mut self.document, document.clone());
        let sections = document.sections.iter().enumerate();
        let places: HashMap<_, usize> =
            sections.filter_map(|(at, section)| Some((section.log.as_ref()?, at))).collect();
        let moved = |section: usize| places.get(old.sections.get(section)?.log.as_ref()?).copied();
        let logs = self.logs.drain(..).filter_map(|(at, log)| Some((moved(at)?, log)));
        self.logs = logs.collect();
        self.counts.renumber(moved);
        self.last = None;
    }

    /// Sets the search and the filter whose matches are counted in all sections.
    fn count_for(&mut self, search: Option<&Query>, filter: Option<&PatternFilter>) {
        if self.search.as_ref() != search || self.filter.as_ref() != filter {
            self.counts = Counts::default();
            (self.search, self.filter) = (search.cloned(), filter.cloned());
        }
        for (_, log) in &mut self.logs {
            log.scan_for(search, filter);
        }
    }

    /// Returns true if the last page also answers this request.
    fn is_unchanged(&mut self, request: &PageRequest) -> Result<bool> {
        let Some(last) = &self.last else { return Ok(false) };
        if last.has_fault || !last.request.is_same_page(request) {
            return Ok(false);
        }
        for section in self.on_page().collect::<Vec<_>>() {
            let is_unchanged = self.with(section, LogReader::is_unchanged);
            self.note_replaced(section);
            if !is_unchanged?.unwrap_or(false) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) fn has_work(&self) -> bool {
        self.job.is_some()
            || (self.last.is_some()
                && (self.next_on_page().is_some() || self.next_uncounted().is_some()))
    }

    /// Returns a section on the page whose log has background work.
    fn next_on_page(&self) -> Option<usize> {
        self.on_page().find(|section| self.log(*section).is_some_and(LogReader::has_work))
    }

    /// Returns the sections of the rows on the page.
    fn on_page(&self) -> impl Iterator<Item = usize> + '_ {
        self.last.iter().flat_map(|last| &last.pieces).filter_map(Piece::section)
    }

    /// Returns a section that has not been counted.
    fn next_uncounted(&self) -> Option<usize> {
        let mut sections = self.document.sections.iter().enumerate();
        let found =
            sections.find(|(at, section)| section.log.is_some() && self.counts.of(*at).is_none());
        found.map(|(at, _)| at)
    }

    fn log(&self, section: usize) -> Option<&LogReader> {
        self.logs.iter().find(|(at, _)| *at == section).map(|(_, log)| log)
    }

    /// Works for one slice: on the request, or else in the background.
    pub(crate) fn go_on(&mut self) -> Result<Option<Answer>> {
        if let Some(job) = self.job.take() {
            return self.work(job);
        }
        if self.last.is_none() {
            return Ok(None);
        }
        if let Some(section) = self.next_on_page() {
            self.work_on(section);
            self.note_count(section);
            if let Some(answer) = self.found_cause(section) {
                return Ok(Some(answer));
            }
        } else if let Some(section) = self.next_uncounted() {
            self.count(section);
        }
        Ok(self.report())
    }

    /// Returns the cause that the background work on a log has just found.
    fn found_cause(&mut self, section: usize) -> Option<Answer> {
        let (_, log) = self.logs.iter_mut().find(|(at, _)| *at == section)?;
        let cause = log.take_found_cause()?;
        let address = |offset| self.document.address(RowAddress::Row(section, offset));
        let place = self.document.sections.get(section)?.place.clone();
        Some(Answer::Cause(place, Box::new(job::addressed(cause, address))))
    }

    /// Drops the request and all background work until the next request.
    pub(crate) fn give_up(&mut self) {
        (self.job, self.last) = (None, None);
    }

    /// Counts the rows and matches of a section's log for one slice.
    fn count(&mut self, section: usize) {
        let is_open = self.open(section).and_then(|_| self.with(section, LogReader::grow));
        if !matches!(is_open, Ok(Some(()))) {
            // A log that cannot be read has no rows. The error is reported when it is on the page.
            return self.counts.note(section, Counted::default());
        }
        if self.log(section).is_some_and(LogReader::has_uncounted) {
            self.work_on(section);
        }
        self.note_count(section);
        // A log that may grow stays open: its next count reads only what was appended.
        let may_grow = self.document.sections.get(section).is_none_or(Section::may_grow);
        let is_on_page = self.on_page().any(|on_page| on_page == section);
        if self.counts.of(section).is_some() && !may_grow && !is_on_page {
            self.close(section);
        }
    }

    /// Does one slice of a log's background work. Closes the log if that fails.
    fn work_on(&mut self, section: usize) {
        if self.with(section, LogReader::go_on).is_err() {
            self.close(section);
            self.counts.note(section, Counted::default());
        }
    }

    /// Starts a new generation if a log was replaced since its last read.
    fn note_replaced(&mut self, section: usize) {
        let found = self.logs.iter_mut().find(|(at, _)| *at == section);
        if let Some(change) = found.and_then(|(_, log)| log.take_replaced()) {
            self.generation += 1;
            self.is_shortened = matches!(change, Change::Shortened { .. });
            self.replaced =
                self.document.sections.get(section).map(|section| section.place.clone());
        }
    }

    fn close(&mut self, section: usize) {
        self.logs.retain(|(at, _)| *at != section);
    }

    fn with<T>(
        &mut self,
        section: usize,
        act: impl FnOnce(&mut LogReader) -> Result<T>,
    ) -> Result<Option<T>> {
        let found = self.logs.iter_mut().find(|(at, _)| *at == section);
        found.map(|(_, log)| act(log)).transpose()
    }

    /// Opens the log of a section, unless it is open. Returns false if the section has no log.
    fn open(&mut self, section: usize) -> Result<bool> {
        let Some((path, tail)) = self.document.log_of(section) else { return Ok(false) };
        let found = self.logs.iter().position(|(at, _)| *at == section);
        let mut log = match found.map(|at| self.logs.remove(at)) {
            Some((_, log)) if log.file().is_at(&path) => log,
            _ => LogReader::open(&path)?,
        };
        log.set_tail(tail);
        log.scan_for(self.search.as_ref(), self.filter.as_ref());
        self.logs.push((section, log));
        let surplus = self.logs.len().saturating_sub(MAX_OPEN);
        self.logs.drain(..surplus);
        Ok(true)
    }

    /// Passes a request to the log of a section. Returns false if the section has no log.
    fn ask_section(&mut self, section: usize, request: RowsRequest) -> Result<bool> {
        if !self.open(section)? {
            return Ok(false);
        }
        let asked = self.with(section, |log| log.ask(request));
        self.note_replaced(section);
        asked.map(|asked| asked.is_some())
    }

    /// Returns the size of a section's log in bytes; 0 if there is no log or its size cannot be
    /// read.
    fn bytes(&self, section: usize) -> u64 {
        let size = || self.document.log_of(section)?.0.bytes();
        self.log(section).map(|log| log.file().bytes()).or_else(size).unwrap_or(0)
    }

    /// Reports the known facts if they have changed, at most once per `REPORT_PAUSE` while there is
    /// more work.
    fn report(&mut self) -> Option<Answer> {
        let is_early = self.reported.as_ref().is_some_and(|(at, _)| at.elapsed() < REPORT_PAUSE);
        if is_early && self.has_work() {
            return None;
        }
        let known = self.known();
        let is_new = self.reported.as_ref().is_none_or(|(_, before)| *before != known);
        self.reported = Some((Instant::now(), known.clone()));
        is_new.then_some(Answer::Known(known))
    }

    /// Returns the known facts about the last page, and the counts of all sections.
    fn known(&self) -> Known {
        let Some(last) = &self.last else { return Known::default() };
        let mut known = self.totals();
        let (mut numbers, mut depths) = (Vec::new(), Vec::new());
        for piece in &last.pieces {
            let Piece::Rows(section, rows) = piece else {
                numbers.push(None);
                depths.push(0);
                continue;
            };
            let own = self.log(*section).and_then(|log| log.known().ok()).unwrap_or_default();
            let end = numbers.len() + rows;
            numbers.extend(own.numbers.into_iter().take(*rows));
            numbers.resize(end, None);
            depths.extend(own.depths.into_iter().take(*rows));
            depths.resize(end, 0);
            let address = |offset| self.document.address(RowAddress::Row(*section, offset));
            known.heads.extend(own.heads.iter().map(|head| Head { at: address(head.at), ..*head }));
            known.span =
                known.span.zip(own.span).map(|((first, _), (_, last))| (first, last)).or(own.span);
            let target = last.target.map(|target| self.document.row(target).section());
            if let Some(hits) = known.hits.as_mut().filter(|_| target == Some(*section)) {
                let own = own.hits.and_then(|hits| hits.number);
                hits.number = own.zip(self.hits_before(*section)).map(|(own, before)| own + before);
            }
        }
        Known { numbers, depths, ..known }
    }
}
