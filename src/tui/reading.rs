//! The log on the worker's thread: what was asked of it, as far as it has been done.
//!
//! Nothing here takes long at once: what may (looking for a row, rows that a filter lets through,
//! counting, scanning for a search) is done in slices between which the worker takes newer requests
//! in. An answer comes when all of it is there; a newer request takes the place of one that is not
//! answered yet.

mod job;
mod page;
mod scan;
mod seek;
mod work;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::msg::{Folds, Goal, Head, HitCount, Known, Msg, PageRequest, Ticket};
use crate::error::Result;
use crate::file::{FilePath, dirs_of};
use crate::log::{Anchor, Change, FileState, Index, LogFile, Tail};
use crate::search::{Group, Groups, PatternFilter, Query, group};
use crate::time::Time;

use job::ReadJob;
use scan::Scan;

/// The number of bytes to search in one slice, which takes some milliseconds.
const SLICE_BYTES: u64 = 8 << 20;
/// The number of bytes to count in one slice, which also takes some milliseconds.
const COUNT_BYTES: u64 = 16 << 20;
/// The time to work on a request before newer ones are taken in.
pub(super) const SLICE: Duration = Duration::from_millis(5);
/// The most bytes to count before the request for the rows on screen is answered.
const COUNTED_BYTES: u64 = 1 << 20;
/// The least time between two reports of how far the work in the background has come.
pub(super) const REPORT_PAUSE: Duration = Duration::from_millis(100);

/// An open log and what is known of it.
pub(super) struct Reading {
    file: LogFile,
    index: Index,
    is_counted: bool,
    /// The directories to watch for changes of the log.
    dirs: Vec<PathBuf>,
    /// The last reported relation of the open file to its name.
    file_state: FileState,
    search: Option<Scan>,
    filter: Option<Scan>,
    groups: Groups,
    /// All of the log was scanned for groups.
    is_grouped: bool,
    ticket: Ticket,
    /// The treatment of a last line without a newline.
    tail: Tail,
    /// The request being worked on; its answer is pending.
    job: Option<ReadJob>,
    /// The last answered request. A refresh of the same page of an unchanged file needs no new
    /// rows.
    last: Option<Answered>,
    /// When and what was last reported.
    reported: Option<(Instant, Known)>,
}

/// A request that was answered.
struct Answered {
    request: PageRequest,
    /// The times of the first and the last record.
    span: Option<(Time, Time)>,
    /// The offsets of the rows in the answer.
    rows: Vec<u64>,
}

impl Reading {
    pub(super) fn open(path: &FilePath) -> Result<Self> {
        let file = LogFile::open(path)?;
        let index = Index::new(file.format());
        let file_state = file.file_state();
        Ok(Self {
            file,
            index,
            is_counted: false,
            dirs: dirs_of(path),
            file_state,
            search: None,
            filter: None,
            groups: Groups::new(),
            is_grouped: false,
            ticket: Ticket::default(),
            tail: Tail::Emit,
            job: None,
            last: None,
            reported: None,
        })
    }

    pub(super) const fn file(&self) -> &LogFile {
        &self.file
    }

    /// Returns the directories to watch for changes of the log.
    pub(super) fn dirs(&self) -> &[PathBuf] {
        &self.dirs
    }

    pub(super) const fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Takes a request in, in place of one that is not answered yet, and begins with it.
    pub(super) fn ask(
        &mut self,
        ticket: Ticket,
        tail: Tail,
        request: PageRequest,
    ) -> Result<Vec<Msg>> {
        (self.ticket, self.tail) = (ticket, tail);
        self.job = None;
        // Until the rows have been read, what a failure leaves behind is no answer to anything.
        let last = self.last.take();
        // A file being read stays open when it is rotated; the end is that of the file written now.
        self.file.stay(request.goal != Goal::Rows(Anchor::End));
        let change = self.file.extend()?;
        match change {
            Change::Same | Change::Gone => {}
            Change::Grown { .. } => self.look_again(),
            Change::Truncated | Change::Reformatted | Change::Replaced => self.forget(),
        }
        Scan::set(&mut self.search, request.search.as_ref());
        Scan::set(&mut self.filter, request.row_filter.filter.as_ref().map(|filter| &filter.query));
        let is_same = matches!(change, Change::Same | Change::Gone)
            && self.file_state == self.file.file_state();
        if let Some(last) =
            last.filter(|last| is_same && request.is_refresh && last.request.is_same_page(&request))
        {
            self.last = Some(last);
            return Ok(vec![Msg::Unchanged(ticket, self.known()?)]);
        }
        self.job = Some(ReadJob::new(request));
        // Of what is soon scanned all groups are known on the first page.
        if self.file.bytes().saturating_sub(self.groups.bytes()) <= COUNTED_BYTES {
            self.regroup()?;
        }
        self.go_on()
    }

    /// A request is still to be answered.
    pub(super) const fn is_asked(&self) -> bool {
        self.job.is_some()
    }

    pub(super) fn has_work(&self) -> bool {
        self.job.is_some() || (self.last.is_some() && self.has_background_work())
    }

    fn has_background_work(&self) -> bool {
        !self.is_counted
            || !self.is_grouped
            || [&self.search, &self.filter].into_iter().flatten().any(|scan| !scan.is_done)
    }

    /// Does a slice of what is to be done, the request first.
    pub(super) fn go_on(&mut self) -> Result<Vec<Msg>> {
        if let Some(job) = self.job.take() {
            return self.work(job);
        }
        if self.last.is_none() {
            return Ok(Vec::new());
        }
        let tail = self.tail;
        // The user is waiting for the count of a search; row numbers come after.
        let scan =
            [&mut self.search, &mut self.filter].into_iter().flatten().find(|scan| !scan.is_done);
        if let Some(scan) = scan {
            scan.is_done = scan.go_on(&self.file, tail)?;
        } else if self.is_counted {
            self.regroup()?;
        } else {
            self.count()?;
        }
        self.report()
    }

    /// The request cannot be answered, nor anything be known: until something changes nothing is
    /// tried again.
    pub(super) fn give_up(&mut self) {
        self.job = None;
        self.last = None;
    }

    /// Bytes were appended.
    fn look_again(&mut self) {
        (self.is_counted, self.is_grouped) = (false, false);
        for scan in [&mut self.search, &mut self.filter].into_iter().flatten() {
            scan.is_done = false;
        }
    }

    /// It is another file now.
    fn forget(&mut self) {
        self.dirs = dirs_of(self.file.path());
        self.index = Index::new(self.file.format());
        (self.search, self.filter, self.groups) = (None, None, Groups::new());
        self.look_again();
    }

    fn count(&mut self) -> Result<()> {
        self.is_counted =
            self.is_counted || self.file.feed(&mut self.index, COUNT_BYTES)? < COUNT_BYTES;
        Ok(())
    }

    /// Scans on for groups.
    fn regroup(&mut self) -> Result<()> {
        self.is_grouped =
            self.is_grouped || group(&self.file, &mut self.groups, COUNT_BYTES)? < COUNT_BYTES;
        Ok(())
    }

    /// Reports the known facts if they have changed, at most once per `REPORT_PAUSE` while there is
    /// work in the background.
    fn report(&mut self) -> Result<Vec<Msg>> {
        let is_early = self.reported.as_ref().is_some_and(|(at, _)| at.elapsed() < REPORT_PAUSE);
        if is_early && self.has_background_work() {
            return Ok(Vec::new());
        }
        let known = self.known()?;
        let is_new = self.reported.as_ref().is_none_or(|(_, before)| *before != known);
        self.reported = Some((Instant::now(), known.clone()));
        Ok(if is_new { vec![Msg::Known(self.ticket, known)] } else { Vec::new() })
    }

    /// Returns the number of rows that match the query; `None` if it is not the current search.
    pub(super) fn hits(&self, query: Option<&Query>) -> Option<HitCount> {
        let scan = self.search.as_ref().filter(|scan| Some(&scan.query) == query)?;
        Some(HitCount { rows: scan.hits.total(), is_all: scan.is_done, number: None })
    }

    pub(super) fn known(&self) -> Result<Known> {
        let Some(last) = &self.last else { return Ok(Known::default()) };
        let tail = self.tail;
        // The row that was found is shown in any case, also on the pages after the one that it was
        // found for.
        let target = last.request.row_filter.keep;
        let count = |scan: &Option<Scan>, target| {
            scan.as_ref().map(|scan| scan.count(&self.file, target, tail)).transpose()
        };
        let totals = self.is_counted.then(|| self.index.totals(tail));
        Ok(Known {
            total_rows: totals.map(|totals| totals.rows),
            stderr_rows: totals.map(|totals| totals.stderr_rows),
            span: last.span,
            numbers: self.file.row_numbers(&self.index, &last.rows, tail)?,
            heads: last
                .rows
                .iter()
                .filter_map(|row| self.head(*row, &last.request.folds).transpose())
                .collect::<Result<_>>()?,
            hits: count(&self.search, target)?,
            passed: self.passed(
                count(&self.filter, None)?,
                last.request.row_filter.filter.as_ref(),
                tail,
            ),
        })
    }

    /// Returns the state of the group that a row heads; `None` if the row is not a heading.
    fn head(&self, row: u64, folds: &Folds) -> Result<Option<Head>> {
        let Some(group) = self.groups.headed_by(row) else { return Ok(None) };
        let range = group.body..group.end.min(self.file.bytes());
        let rows = self.file.rows_within(&self.index, range, self.tail)?;
        Ok(Some(Head { at: row, is_folded: self.is_folded(group, folds), rows }))
    }

    /// Returns true if a group is folded. A group that may still grow is not: new rows would be out
    /// of sight.
    fn is_folded(&self, group: &Group, folds: &Folds) -> bool {
        let may_grow = group.end == u64::MAX && self.tail == Tail::Hold;
        !may_grow && folds.is_folded(group.heading, group.is_collapsed)
    }

    /// Returns the number of rows that pass the filter. An inverse filter passes the rows that do
    /// not match, and their number is `None` until all rows are counted.
    fn passed(
        &self,
        count: Option<HitCount>,
        filter: Option<&PatternFilter>,
        tail: Tail,
    ) -> Option<HitCount> {
        let count = count?;
        if filter.is_none_or(|filter| !filter.is_inverse) {
            return Some(count);
        }
        let rows = self.index.totals(tail).rows.saturating_sub(count.rows);
        (self.is_counted && count.is_all).then_some(HitCount { rows, ..count })
    }
}
