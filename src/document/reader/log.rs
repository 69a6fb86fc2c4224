//! One log on the worker's thread: the pending request, and the facts known so far.
//!
//! Long work (searching for a row, filtering, counting, scanning for matches) is done in slices.
//! [`LogReader::poll`] does one slice of the request; a newer request replaces an unanswered one.
//! [`LogReader::go_on`] does one slice of background work.

mod job;
mod page;
mod scan;
mod seek;
mod work;

use std::path::PathBuf;
use std::task::Poll;

use super::COUNTED_BYTES;
use crate::document::{Folds, Goal, Head, HitCount, Known, RowsRequest};
use crate::error::Result;
use crate::log::{Anchor, Change, FileState, Gap, Index, LogFile, LogPath, Tail, Totals};
use crate::search::{Cause, CauseSearch, Group, Groups, PatternFilter, Query, group};
use crate::time::Time;

use job::ReadJob;
pub(super) use page::LogPage;
use scan::Scan;

/// The number of bytes to search in one slice, which takes some milliseconds.
const SLICE_BYTES: u64 = 8 << 20;
/// The number of bytes to count in one slice, which also takes some milliseconds.
const COUNT_BYTES: u64 = 16 << 20;

/// An open log and the known facts about it.
pub(super) struct LogReader {
    file: LogFile,
    index: Index,
    is_counted: bool,
    /// The directories to watch for changes of the log.
    dirs: Vec<PathBuf>,
    /// The relation of the open file to its name at the last answer.
    file_state: FileState,
    search: Option<Scan>,
    filter: Option<Scan>,
    /// The search of the whole log for the cause of a failure with this exit code.
    cause_search: Option<(Option<i64>, CauseSearch)>,
    /// The result of that search.
    whole_cause: Option<(Option<i64>, Cause)>,
    /// True if that result is new.
    has_found_cause: bool,
    groups: Groups,
    /// True if the whole log was scanned for groups.
    is_grouped: bool,
    /// The treatment of a last line without a newline.
    tail: Tail,
    /// The replacement or truncation of the file, until it is reported.
    replaced: Option<Change>,
    /// The request being worked on; its answer is pending.
    job: Option<ReadJob>,
    /// The last answered request; `None` before the first, during a request and after a failure.
    last: Option<Answered>,
}

/// A request that was answered.
struct Answered {
    request: RowsRequest,
    /// The times of the first and the last record.
    span: Option<(Time, Time)>,
    /// The offsets of the rows in the answer.
    rows: Vec<u64>,
}

impl LogReader {
    pub(super) fn open(path: &LogPath) -> Result<Self> {
        let file = LogFile::open(path)?;
        let index = file.stored_index();
        let (file_state, groups) = (file.file_state(), Groups::of(&file));
        Ok(Self {
            file,
            index,
            is_counted: false,
            dirs: path.dirs(),
            file_state,
            search: None,
            filter: None,
            cause_search: None,
            whole_cause: None,
            has_found_cause: false,
            groups,
            is_grouped: false,
            tail: Tail::Emit,
            replaced: None,
            job: None,
            last: None,
        })
    }

    pub(super) const fn file(&self) -> &LogFile {
        &self.file
    }

    /// Returns the directories to watch for changes of the log.
    pub(super) fn dirs(&self) -> &[PathBuf] {
        &self.dirs
    }

    /// Sets the treatment of a last line without a newline.
    pub(super) const fn set_tail(&mut self, tail: Tail) {
        self.tail = tail;
    }

    /// Accepts a request in place of an unanswered one.
    pub(super) fn ask(&mut self, request: RowsRequest) -> Result<()> {
        self.job = None;
        // Forget the last answer until the rows are read: it must not remain after a failure.
        let before = self.last.take();
        let change = self.extend(&request.goal)?;
        let before = before.filter(|_| !change.is_replaced());
        self.scan_for(request.search.as_ref(), request.row_filter.filter.as_ref());
        self.job = Some(ReadJob::new(request, before));
        // If little is left to scan for groups, scan it now, so that the first page has all groups.
        if self.file.bytes().saturating_sub(self.groups.bytes()) <= COUNTED_BYTES {
            self.regroup()?;
        }
        Ok(())
    }

    /// Returns true if the log is as it was at the last answer. Fails if it is, and its rest could
    /// not be unpacked or read from its pipe: its rows are on the screen by now.
    pub(super) fn is_unchanged(&mut self) -> Result<bool> {
        let Some(last) = &self.last else { return Ok(false) };
        let (goal, state) = (last.request.goal.clone(), self.file_state);
        let change = self.extend(&goal)?;
        let is_unchanged = change.is_same() && self.file.file_state() == state;
        match self.file.failure() {
            Some(failure) if is_unchanged => Err(failure),
            _ => Ok(is_unchanged),
        }
    }

    /// Checks for appended bytes, or for a file that has replaced the log.
    pub(super) fn grow(&mut self) -> Result<()> {
        self.extend(&Goal::Around(0)).map(drop)
    }

    /// Checks for appended bytes, or for a file that has replaced the log, and updates the state.
    fn extend(&mut self, goal: &Goal) -> Result<Change> {
        // Keep a rotated file open, unless the end is requested: that is the end of the new file.
        self.file.stay(*goal != Goal::Rows(Anchor::End));
        let change = self.file.extend()?;
        if change.is_replaced() {
            self.replaced = Some(change);
            self.forget();
        } else if !change.is_same() {
            self.look_again();
        }
        Ok(change)
    }

    /// Returns the last replacement or truncation of the file since the last call.
    pub(super) const fn take_replaced(&mut self) -> Option<Change> {
        self.replaced.take()
    }

    /// Sets the search and the filter whose matches are counted in the background.
    pub(super) fn scan_for(&mut self, search: Option<&Query>, filter: Option<&PatternFilter>) {
        Scan::set(&mut self.search, search);
        Scan::set(&mut self.filter, filter.map(|filter| &filter.query));
    }

    /// Returns true if a request is pending.
    pub(super) const fn is_asked(&self) -> bool {
        self.job.is_some()
    }

    /// Does one slice of the request. The page is `None` if the requested row does not exist.
    pub(super) fn poll(&mut self) -> Result<Poll<Option<LogPage>>> {
        match self.job.take() {
            Some(job) => self.work(job),
            None => Ok(Poll::Ready(None)),
        }
    }

    /// Returns the progress of the search for the requested row, or for rows that pass the filter,
    /// in percent; `None` if no search is in progress.
    pub(super) fn progress(&self) -> Option<u8> {
        self.job.as_ref()?.progress(self.file.bytes())
    }

    /// Returns true if a request was answered and background work remains.
    pub(super) fn has_work(&self) -> bool {
        let has_more = !self.is_grouped || self.has_uncounted() || self.cause_search.is_some();
        self.last.is_some() && has_more
    }

    /// Returns true if rows or matches are still to be counted.
    pub(super) fn has_uncounted(&self) -> bool {
        !self.is_counted
            || [&self.search, &self.filter].into_iter().flatten().any(|scan| !scan.is_done)
    }

    /// Does one slice of background work.
    pub(super) fn go_on(&mut self) -> Result<()> {
        let tail = self.tail;
        // The user is waiting for the count of a search; the cause and row numbers come after.
        let scan =
            [&mut self.search, &mut self.filter].into_iter().flatten().find(|scan| !scan.is_done);
        if let Some(scan) = scan {
            scan.is_done = scan.go_on(&self.file, tail)?;
        } else if let Some((exit_code, mut search)) = self.cause_search.take() {
            if search.go_on(&self.file, SLICE_BYTES, tail)? {
                self.whole_cause = Some((exit_code, search.cause(&self.file, tail)?));
                self.has_found_cause = true;
            } else {
                self.cause_search = Some((exit_code, search));
            }
        } else if self.is_counted {
            self.regroup()?;
        } else {
            self.count()?;
        }
        Ok(())
    }

    /// Adds the gaps of at least `min_ms` milliseconds that begin at `from` or later, for one
    /// slice. Moves `from` to where the search continues. Ready when all were added.
    pub(super) fn add_gaps(
        &mut self,
        from: &mut u64,
        min_ms: i64,
        found: &mut Vec<Gap>,
    ) -> Result<Poll<()>> {
        if !self.is_counted {
            self.count()?;
            return Ok(Poll::Pending);
        }
        let (gaps, rest) = self.file.gaps(&self.index, *from, SLICE_BYTES, min_ms, self.tail)?;
        found.extend(gaps);
        Ok(match rest {
            Some(rest) => {
                *from = rest;
                Poll::Pending
            }
            None => Poll::Ready(()),
        })
    }

    /// Returns the progress in percent of a search for gaps that continues at `from`: the log is
    /// counted first.
    pub(super) fn gaps_progress(&self, from: u64) -> u8 {
        let (done, all) = (self.index.bytes() + from, self.file.bytes().max(1) * 2);
        u8::try_from(done * 100 / all).unwrap_or(100)
    }

    /// Drops the pending request, if there is one, and restores the last answered one.
    pub(super) fn give_up(&mut self) {
        if let Some(job) = self.job.take() {
            self.last = job.before;
        }
    }

    /// Marks all counts and scans as incomplete, because bytes were appended.
    fn look_again(&mut self) {
        (self.is_counted, self.is_grouped) = (false, false);
        (self.cause_search, self.whole_cause) = (None, None);
        for scan in [&mut self.search, &mut self.filter].into_iter().flatten() {
            scan.is_done = false;
        }
    }

    /// Discards all counts and scans, because the log is another file now.
    fn forget(&mut self) {
        self.dirs = self.file.dirs();
        self.index = self.file.stored_index();
        (self.search, self.filter, self.groups) = (None, None, Groups::new());
        self.look_again();
    }

    fn count(&mut self) -> Result<()> {
        self.is_counted =
            self.is_counted || self.file.feed(&mut self.index, COUNT_BYTES)? < COUNT_BYTES;
        Ok(())
    }

    /// Scans for groups for one slice.
    fn regroup(&mut self) -> Result<()> {
        self.is_grouped =
            self.is_grouped || group(&self.file, &mut self.groups, COUNT_BYTES)? < COUNT_BYTES;
        Ok(())
    }

    /// Returns the cause that the search of the whole log has found since the last call.
    pub(super) fn take_found_cause(&mut self) -> Option<Cause> {
        std::mem::take(&mut self.has_found_cause).then_some(())?;
        self.whole_cause.as_ref().map(|(_, cause)| cause.clone())
    }

    /// Returns the number of rows; `None` until all are counted.
    pub(super) fn totals(&self) -> Option<Totals> {
        self.is_counted.then(|| self.index.totals(self.tail))
    }

    /// Returns the number of rows that match the current search.
    pub(super) fn hits(&self) -> Option<HitCount> {
        self.search.as_ref().map(Scan::total)
    }

    /// Returns the number of rows that pass the filter. An inverse filter passes the rows that do
    /// not match, and their number is `None` until all rows are counted.
    pub(super) fn passed(&self, filter: Option<&PatternFilter>) -> Option<HitCount> {
        let count = self.filter.as_ref().map(Scan::total)?;
        if filter.is_none_or(|filter| !filter.is_inverse) {
            return Some(count);
        }
        let totals = self.totals().filter(|_| count.is_all)?;
        Some(HitCount { rows: totals.rows.saturating_sub(count.rows), ..count })
    }

    /// Returns the facts about the rows of the last answer: everything but the counts, which
    /// concern the whole log.
    pub(super) fn known(&self) -> Result<Known> {
        let Some(last) = &self.last else { return Ok(Known::default()) };
        // The row that was found, which later pages also keep.
        let target = last.request.row_filter.keep;
        let heads =
            last.rows.iter().filter_map(|row| self.head(*row, &last.request.folds).transpose());
        let hits = self.search.as_ref().map(|scan| scan.count(&self.file, target, self.tail));
        Ok(Known {
            span: last.span,
            numbers: self.file.row_numbers(&self.index, &last.rows, self.tail)?,
            depths: last.rows.iter().map(|row| self.groups.depth(*row)).collect(),
            heads: heads.collect::<Result<_>>()?,
            hits: hits.transpose()?,
            ..Known::default()
        })
    }

    /// Returns the state of the group that a row heads; `None` if the row is not a heading.
    fn head(&self, row: u64, folds: &Folds) -> Result<Option<Head>> {
        let Some(group) = self.groups.headed_by(row) else { return Ok(None) };
        let range = group.body..group.end.min(self.file.bytes());
        let rows = self.file.rows_within(&self.index, range, self.tail)?;
        Ok(Some(Head { at: row, is_folded: self.is_folded(group, folds), rows }))
    }

    /// Returns true if a group is folded. A group that may still grow is always open: otherwise,
    /// its new rows would be hidden.
    fn is_folded(&self, group: &Group, folds: &Folds) -> bool {
        let may_grow = group.end == u64::MAX && self.tail == Tail::Hold;
        !may_grow && folds.is_folded(group.heading, group.is_collapsed)
    }
}
