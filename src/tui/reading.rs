//! The log on the worker's desk: what was asked of it, as far as it has been done.
//!
//! Nothing here takes long at once: what may (looking for a row, rows that a filter lets through, counting, scanning for a
//! search) is done in slices between which the worker takes newer requests in. An answer comes when all of it is there; a
//! newer request takes the place of one that is not answered yet.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::msg::{Fold, Folds, Goal, Head, HitCount, Known, Msg, Page, PageRequest, Sought, Target, Ticket};
use crate::error::{Error, Result};
use crate::file::{FilePath, dirs_of};
use crate::log::{Anchor, Change, Index, LogFile, Standing, Tail, WINDOW_ROW_BYTES, Window};
use crate::sanitise::{Sanitiser, Style};
use crate::search::{
    Around, Cause, Filter, Found, Group, Groups, Hits, Query, Sieve, Sifting, Towards, find, find_cause, group, rank,
    scan,
};
use crate::time::Time;

/// How many bytes are looked through at once: some milliseconds.
const SLICE_BYTES: u64 = 8 << 20;
/// How many bytes are counted at once: some milliseconds, too.
const COUNT_BYTES: u64 = 16 << 20;
/// How long a request is worked on before newer ones are taken in.
pub(super) const SLICE: Duration = Duration::from_millis(5);
/// How many bytes are counted before the rows on screen are answered.
const COUNTED_BYTES: u64 = 1 << 20;
/// How many bytes before a window tell what colours are switched on in it.
const STYLED_BYTES: u64 = 64 << 10;
/// The least time between two reports of how far the work in the background has come.
pub(super) const REPORT_PAUSE: Duration = Duration::from_millis(100);

/// An open log and what is known of it.
pub(super) struct Reading {
    file: LogFile,
    index: Index,
    is_counted: bool,
    /// Where a change may be one of it.
    dirs: Vec<PathBuf>,
    /// What was last said of its name.
    standing: Standing,
    search: Option<Scan>,
    filter: Option<Scan>,
    groups: Groups,
    /// All of the log was scanned for groups.
    is_grouped: bool,
    ticket: Ticket,
    /// What a last line without its newline is.
    tail: Tail,
    /// What is being done; its answer is still to come.
    job: Option<Job>,
    /// What was answered last: asked again of an unchanged file, it needs no answer.
    last: Option<Answered>,
    /// When and what was last reported.
    reported: Option<(Instant, Known)>,
}

/// A query that is counted in the background.
struct Scan {
    query: Query,
    hits: Hits,
    is_done: bool,
}

/// A request that is being worked on.
struct Job {
    request: PageRequest,
    step: Step,
    target: Option<Target>,
    /// The groups that were folded or opened for it.
    changes: Vec<(u64, bool)>,
    cause: Option<Box<Cause>>,
    is_begun: bool,
    /// How many bytes were looked through for it.
    looked_bytes: u64,
    /// When it was begun, or its progress last told.
    told: Instant,
}

enum Step {
    /// The groups are to be known first.
    Group,
    /// A row is looked for; from here on.
    Seek {
        from: u64,
        has_wrapped: bool,
    },
    Gather(Box<Sifting>),
}

/// A request that was answered.
struct Answered {
    request: PageRequest,
    /// The times of the first and the last record.
    span: Option<(Time, Time)>,
    /// Where the rows of the answer begin.
    rows: Vec<u64>,
}

impl Reading {
    pub(super) fn open(path: &FilePath) -> Result<Self> {
        let file = LogFile::open(path)?;
        let index = Index::new(file.format());
        let standing = file.standing();
        Ok(Self {
            file,
            index,
            is_counted: false,
            dirs: dirs_of(path),
            standing,
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

    /// Where a change may be one of it.
    pub(super) fn dirs(&self) -> &[PathBuf] {
        &self.dirs
    }

    pub(super) const fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Takes a request in, in place of one that is not answered yet, and begins with it.
    pub(super) fn ask(&mut self, ticket: Ticket, tail: Tail, request: PageRequest) -> Result<Vec<Msg>> {
        (self.ticket, self.tail) = (ticket, tail);
        self.job = None;
        // Until the rows have been read, what a failure leaves behind is no answer to anything.
        let last = self.last.take();
        // What is being read stays; the end is that of what is written now.
        self.file.stay(request.goal != Goal::Rows(Anchor::End));
        let change = self.file.extend()?;
        match change {
            Change::Same | Change::Gone => {}
            Change::Grown { .. } => self.look_again(),
            Change::Truncated | Change::Reformatted | Change::Replaced => self.forget(),
        }
        Scan::set(&mut self.search, request.search.as_ref());
        Scan::set(&mut self.filter, request.sieve.filter.as_ref().map(|filter| &filter.query));
        let is_same = matches!(change, Change::Same | Change::Gone) && self.standing == self.file.standing();
        if let Some(last) = last.filter(|last| is_same && request.is_refresh && last.request.is_same_page(&request)) {
            self.last = Some(last);
            return Ok(vec![Msg::Unchanged(ticket, self.known()?)]);
        }
        self.job = Some(Job::new(request));
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
        // Somebody waits for the count of a search; row numbers come after.
        let scan = [&mut self.search, &mut self.filter].into_iter().flatten().find(|scan| !scan.is_done);
        if let Some(scan) = scan {
            scan.is_done = scan.go_on(&self.file, tail)?;
        } else if self.is_counted {
            self.regroup()?;
        } else {
            self.count()?;
        }
        self.report()
    }

    /// The request cannot be answered, nor anything be known: until something changes nothing is tried again.
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
        self.is_counted = self.is_counted || self.file.feed(&mut self.index, COUNT_BYTES)? < COUNT_BYTES;
        Ok(())
    }

    /// Scans on for groups.
    fn regroup(&mut self) -> Result<()> {
        self.is_grouped = self.is_grouped || group(&self.file, &mut self.groups, COUNT_BYTES)? < COUNT_BYTES;
        Ok(())
    }

    /// What is known by now, if it is time to say so.
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

    /// How many rows match what is searched for, if it is this.
    pub(super) fn hits(&self, query: Option<&Query>) -> Option<HitCount> {
        let scan = self.search.as_ref().filter(|scan| Some(&scan.query) == query)?;
        Some(HitCount { rows: scan.hits.total(), is_all: scan.is_done, number: None })
    }

    pub(super) fn known(&self) -> Result<Known> {
        let Some(last) = &self.last else { return Ok(Known::default()) };
        let tail = self.tail;
        // The row that was found is shown in any case, also on the pages after the one that it was found for.
        let target = last.request.sieve.keep;
        let count =
            |scan: &Option<Scan>, target| scan.as_ref().map(|scan| scan.count(&self.file, target, tail)).transpose();
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
            passed: self.passed(count(&self.filter, None)?, last.request.sieve.filter.as_ref(), tail),
        })
    }

    /// What is known of the group of which a row is the heading.
    fn head(&self, row: u64, folds: &Folds) -> Result<Option<Head>> {
        let Some(group) = self.groups.headed_by(row) else { return Ok(None) };
        let range = group.body..group.end.min(self.file.bytes());
        let rows = self.file.rows_within(&self.index, range, self.tail)?;
        Ok(Some(Head { at: row, is_folded: self.is_folded(group, folds), rows }))
    }

    /// Whether a group is folded. One that may still grow is not: what is printed now would be out of sight.
    fn is_folded(&self, group: &Group, folds: &Folds) -> bool {
        let may_grow = group.end == u64::MAX && self.tail == Tail::Hold;
        !may_grow && folds.is_folded(group.heading, group.is_collapsed)
    }

    /// How many rows a filter lets through; an inverse one those that do not match, once all are known.
    fn passed(&self, count: Option<HitCount>, filter: Option<&Filter>, tail: Tail) -> Option<HitCount> {
        let count = count?;
        if filter.is_none_or(|filter| !filter.is_inverse) {
            return Some(count);
        }
        let rows = self.index.totals(tail).rows.saturating_sub(count.rows);
        (self.is_counted && count.is_all).then_some(HitCount { rows, ..count })
    }

    /// Goes over to what the request asks for, the groups being known that it needs.
    fn begin(&self, job: &mut Job) {
        job.is_begun = true;
        let from = if let Goal::Next { from, .. } = job.request.goal { from } else { 0 };
        job.step = Step::Seek { from, has_wrapped: false };
        let rows = job.request.rows;
        let half = rows.div_ceil(2);
        match job.request.goal {
            // Whether rows come before those at hand is known then.
            Goal::Rows(Anchor::From(place)) => {
                let tells_ends = !job.request.is_refresh;
                self.sift(job, Around { place, below: rows, tells_ends, ..NOTHING });
            }
            Goal::Rows(Anchor::Before(place)) => self.sift(job, Around { place, above: rows, ..NOTHING }),
            Goal::Rows(Anchor::End) => self.sift(job, Around { place: u64::MAX, above: rows, ..NOTHING }),
            Goal::Around(place) => {
                // What is out of sight now is represented by what heads it.
                let heading = self.fold_over(job, place).map(|group| group.heading);
                job.target = heading.map(|offset| Target { offset, has_wrapped: false });
                let place = heading.unwrap_or(place);
                self.sift(job, Around { place, above: half, below: half, ..NOTHING });
            }
            _ => {}
        }
    }

    /// The outermost folded group in which a row is out of sight.
    fn fold_over(&self, job: &Job, row: u64) -> Option<Group> {
        let hidden = self.hidden(&job.request.folds);
        let fold = hidden.get(hidden.partition_point(|fold| fold.start <= row).checked_sub(1)?)?;
        let is_over = |group: &&Group| group.body == fold.start;
        self.groups.all().iter().find(is_over).filter(|_| row < fold.end).copied()
    }

    fn hidden(&self, folds: &Folds) -> Arc<[Range<u64>]> {
        self.groups.hidden(|group| self.is_folded(group, folds))
    }

    fn sift(&self, job: &mut Job, around: Around) {
        let sieve = Sieve { hidden: self.hidden(&job.request.folds), ..job.request.sieve.clone() };
        job.step = Step::Gather(Box::new(Sifting::new(sieve, around, self.tail)));
    }

    /// Goes over to gathering the rows around the one that was found, which no fold hides any more.
    fn gather(&self, job: &mut Job, place: u64) {
        let has_wrapped = matches!(job.step, Step::Seek { has_wrapped: true, .. });
        job.target = Some(Target { offset: place, has_wrapped });
        while let Some(group) = self.fold_over(job, place) {
            job.change(group.heading, false);
        }
        let half = job.request.rows.div_ceil(2);
        job.request.sieve.keep = Some(place);
        self.sift(job, Around { place, above: half, below: half, ..NOTHING });
    }

    /// Folds or opens the innermost group around a row.
    fn fold(&self, job: &mut Job, row: u64, how: Fold) -> Sight {
        let Some(group) = self.groups.around(row).copied() else { return Sight::Nothing };
        let is_folded = self.is_folded(&group, &job.request.folds);
        job.change(group.heading, how.of(is_folded));
        Sight::Row(group.heading)
    }

    /// Works on a request for a while; its answer if that is all.
    fn work(&mut self, mut job: Job) -> Result<Vec<Msg>> {
        let begun = Instant::now();
        while begun.elapsed() < SLICE {
            match &mut job.step {
                Step::Group if self.is_grouped => self.begin(&mut job),
                Step::Group => {
                    self.regroup()?;
                    job.looked_bytes = self.groups.bytes();
                }
                Step::Seek { .. } if !job.is_begun => self.begin(&mut job),
                Step::Seek { .. } => match self.seek(&mut job)? {
                    Sight::Row(offset) => self.gather(&mut job, offset),
                    Sight::NotYet => {}
                    Sight::End => {
                        let above = job.request.rows;
                        self.sift(&mut job, Around { place: u64::MAX, above, ..NOTHING });
                    }
                    Sight::Nothing => {
                        self.last = Some(Answered {
                            span: self.span(&job.request, &Window::default())?,
                            request: job.request,
                            rows: Vec::new(),
                        });
                        return Ok(vec![Msg::Missed(self.ticket)]);
                    }
                },
                Step::Gather(sifting) => {
                    let hits = self.filter.as_ref().map(|scan| &scan.hits);
                    if sifting.step(&self.file, hits, SLICE_BYTES)? {
                        return self.answer(job);
                    }
                    job.looked_bytes = sifting.read_bytes();
                }
            }
        }
        // Rows that are passed over in folds are not looked through.
        let is_looking = job.request.sieve.narrows() || !matches!(job.step, Step::Gather(_));
        let is_slow = is_looking && job.told.elapsed() >= REPORT_PAUSE;
        let looking = is_slow.then(|| Msg::Looking(self.ticket, job.percent(self.file.bytes())));
        if is_slow {
            job.told = Instant::now();
        }
        self.job = Some(job);
        Ok(looking.into_iter().collect())
    }

    fn answer(&mut self, job: Job) -> Result<Vec<Msg>> {
        let Job { request, step: Step::Gather(sifting), target, changes, cause, .. } = job else {
            return Ok(Vec::new());
        };
        let (window, tail) = (sifting.finish(&self.file), self.tail);
        let rows = window.rows.iter().map(|row| row.offset).collect();
        // What has just been appended is counted at once; the rest can wait for the screen.
        if self.file.bytes().saturating_sub(self.index.bytes()) <= COUNTED_BYTES {
            self.count()?;
        }
        self.last = Some(Answered { span: self.span(&request, &window)?, request, rows });
        self.standing = self.file.standing();
        let (generation, standing) = (self.file.generation(), self.standing);
        let known = self.known()?;
        self.reported = Some((Instant::now(), known.clone()));
        let style = self.style_before(&window, tail)?;
        let page = Page { window, style, known, generation, standing, target, opened: None, folded: changes, cause };
        Ok(vec![Msg::Page(self.ticket, page)])
    }

    /// What the rows before a window have left switched on, as far back as is soon read: a terminal would know from the beginning on.
    fn style_before(&self, window: &Window, tail: Tail) -> Result<Style> {
        let mut sanitiser = Sanitiser::default();
        if let Some(first) = window.rows.first().filter(|_| !window.at_start) {
            let from = first.offset.saturating_sub(STYLED_BYTES);
            for row in self.file.window_rows(from, WINDOW_ROW_BYTES, tail)? {
                let row = row.map_err(Error::io("read", self.file.path()))?;
                if row.offset >= first.offset {
                    break;
                }
                sanitiser.row_within(&row.text, 0);
            }
        }
        Ok(sanitiser.style())
    }

    /// The times of the first and the last record; of a log whose first or last rows are none, nothing.
    fn span(&self, request: &PageRequest, window: &Window) -> Result<Option<(Time, Time)>> {
        let last = match window.rows.last().filter(|_| window.at_end && !request.sieve.narrows()) {
            Some(last) => last.last_at,
            None => self.file.window(Anchor::End, 1, self.tail)?.rows.first().and_then(|row| row.last_at),
        };
        Ok(self.file.first_time()?.zip(last))
    }

    /// Looks for the row that the request is about, for a slice.
    fn seek(&mut self, job: &mut Job) -> Result<Sight> {
        let tail = self.tail;
        match job.request.goal.clone() {
            // These are not looked for.
            Goal::Rows(_) | Goal::Around(_) => Ok(Sight::Nothing),
            Goal::Fold(row, how) => Ok(self.fold(job, row, how)),
            Goal::Cause(exit_code) => {
                let cause = find_cause(&self.file, exit_code, tail)?;
                let at = cause.at;
                job.cause = Some(Box::new(cause));
                Ok(at.map_or(Sight::End, Sight::Row))
            }
            Goal::Place(place) => self.row_at(place, tail),
            Goal::Percent(percent) => self.row_at(share(self.file.bytes(), percent), tail),
            Goal::Time(time) => {
                let row = self.file.offset_of_time(&self.index, time, tail)?;
                Ok(row.map_or(Sight::Nothing, Sight::Row))
            }
            Goal::Row(_) | Goal::Next { what: Sought::Gap { .. }, .. } if !self.is_counted => {
                self.count()?;
                job.looked_bytes = self.index.bytes();
                Ok(Sight::NotYet)
            }
            Goal::Row(row) => Ok(self.file.offset_of_row(&self.index, row, tail)?.map_or(Sight::Nothing, Sight::Row)),
            Goal::Next { what: Sought::Gap { min_ms }, from, towards, .. } => {
                let row = self.file.next_gap(&self.index, from, towards, min_ms, tail)?;
                Ok(row.map_or(Sight::Nothing, Sight::Row))
            }
            Goal::Next { what: Sought::Error, from, towards, round } => {
                self.seek_match(job, &Query::errors(), from, towards, round)
            }
            Goal::Next { what: Sought::Match(query), from, towards, round } => {
                self.seek_match(job, &query, from, towards, round)
            }
        }
    }

    /// The first row at or behind a place, or the last of all.
    fn row_at(&self, place: u64, tail: Tail) -> Result<Sight> {
        let mut rows = self.file.window(Anchor::From(place), 1, tail)?.rows;
        if rows.is_empty() {
            rows = self.file.window(Anchor::End, 1, tail)?.rows;
        }
        Ok(rows.first().map_or(Sight::Nothing, |row| Sight::Row(row.offset)))
    }

    /// Goes on at the other end of the log, if it is to go round, up to where it began.
    fn seek_match(&self, job: &mut Job, query: &Query, origin: u64, towards: Towards, round: bool) -> Result<Sight> {
        let Step::Seek { from, has_wrapped } = &mut job.step else { return Ok(Sight::Nothing) };
        let scan = self.search.as_ref().filter(|scan| scan.query == *query);
        *from = (*from).min(self.file.bytes());
        match find(&self.file, query, scan.map(|scan| &scan.hits), *from, towards, SLICE_BYTES, self.tail)? {
            Found::At(row) => return Ok(Sight::Row(row)),
            Found::Beyond(next) => {
                job.looked_bytes += from.abs_diff(next).min(self.file.bytes());
                let is_round = match towards {
                    Towards::Down => next > origin,
                    Towards::Up => next < origin,
                };
                *from = next;
                if *has_wrapped && is_round {
                    return Ok(Sight::Nothing);
                }
            }
            Found::Nothing if round && !*has_wrapped => {
                *has_wrapped = true;
                *from = if towards == Towards::Down { 0 } else { self.file.bytes() };
            }
            Found::Nothing => return Ok(Sight::Nothing),
        }
        Ok(Sight::NotYet)
    }
}

/// No rows, but whether there are some is told.
const NOTHING: Around = Around { place: 0, above: 0, below: 0, tells_ends: true };

/// What looking for a row has come to.
enum Sight {
    /// Where it begins.
    Row(u64),
    /// There is none; the last rows are shown in its place.
    End,
    NotYet,
    Nothing,
}

/// So many hundredths of a number of bytes.
fn share(bytes: u64, percent: u8) -> u64 {
    u64::try_from(u128::from(bytes) * u128::from(percent) / 100).unwrap_or(bytes)
}

impl Job {
    fn new(request: PageRequest) -> Self {
        let step = if request.folds.fold_some() || matches!(request.goal, Goal::Fold(..)) {
            Step::Group
        } else {
            Step::Seek { from: 0, has_wrapped: false }
        };
        let changes = Vec::new();
        Self {
            request,
            step,
            target: None,
            changes,
            cause: None,
            is_begun: false,
            looked_bytes: 0,
            told: Instant::now(),
        }
    }

    fn change(&mut self, heading: u64, is_folded: bool) {
        self.changes.push((heading, is_folded));
        self.request.folds.choose([(heading, is_folded)]);
    }

    fn percent(&self, bytes: u64) -> u8 {
        u8::try_from(u128::from(self.looked_bytes.min(bytes)) * 100 / u128::from(bytes.max(1))).unwrap_or(100)
    }
}

impl Scan {
    /// Begins to count another query, or none.
    fn set(scan: &mut Option<Self>, query: Option<&Query>) {
        if scan.as_ref().map(|scan| &scan.query) != query {
            *scan = query.map(|query| Self { query: query.clone(), hits: Hits::new(), is_done: false });
        }
    }

    /// Scans on by a slice: whether that was all.
    fn go_on(&mut self, file: &LogFile, tail: Tail) -> Result<bool> {
        Ok(scan(file, &mut self.hits, &self.query, SLICE_BYTES, tail)? < SLICE_BYTES)
    }

    fn count(&self, file: &LogFile, target: Option<u64>, tail: Tail) -> Result<HitCount> {
        let number = match target.filter(|row| *row < self.hits.bytes()) {
            Some(row) if self.is_hit(file, row, tail)? => Some(rank(file, &self.query, &self.hits, row, tail)? + 1),
            _ => None,
        };
        Ok(HitCount { rows: self.hits.total(), is_all: self.is_done, number })
    }

    /// Whether the row that begins there matches: what was looked for may be something else.
    fn is_hit(&self, file: &LogFile, row: u64, tail: Tail) -> Result<bool> {
        let rows = file.window(Anchor::From(row), 1, tail)?.rows;
        Ok(rows.first().is_some_and(|found| found.offset == row && self.query.matches(found, self.query.progress())))
    }
}
