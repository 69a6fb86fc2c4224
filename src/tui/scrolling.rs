//! The scroll on the worker's desk: rows of many logs with their headings, as one page.
//!
//! Each log is read by a [`Reading`] of its own, which looks for rows, sifts, counts and numbers as for a log that is shown alone;
//! here its pages are put together. What is asked is worked on in slices, as there: between two of them newer requests are taken in.
//!
//! A page is gathered from its anchor in both directions. An [`Edge`] is what comes next in one: a heading, rows of a log, or
//! nothing more.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::msg::{Folds, Goal, Head, HitCount, Known, Msg, Page, PageRequest, Sought, Target, Ticket, Work};
use super::reading::{REPORT_PAUSE, Reading, SLICE};
use super::scroll::{Section, Source, Spot};
use crate::error::{Result, chain};
use crate::log::{Anchor, Row, Standing, Window};
use crate::sanitise::Style;
use crate::search::{Query, Sieve, Towards};

/// How many logs are kept open: more than lie on any page, and fewer than a process may open.
const MAX_OPEN: usize = 256;

/// The logs of a scroll, as far as they are open.
pub(super) struct Scrolling {
    sections: Arc<[Section]>,
    /// By section; the one that was asked last comes last.
    readings: Vec<(usize, Reading)>,
    ticket: Ticket,
    job: Option<Job>,
    last: Option<Answered>,
    /// What is counted, and the counts of the sections of which all has been counted.
    search: Option<Query>,
    counts: HashMap<usize, HitCount>,
    reported: Option<(Instant, Known)>,
}

/// What was answered last.
struct Answered {
    pieces: Vec<Piece>,
    target: Option<u64>,
}

/// Neighbouring rows of a page.
#[derive(Clone, Copy)]
enum Piece {
    Heading,
    /// So many rows of a section's log.
    Rows(usize, usize),
}

/// A request that is being worked on.
struct Job {
    request: PageRequest,
    seek: Option<Seek>,
    rows: VecDeque<Row>,
    pieces: VecDeque<Piece>,
    /// How many rows are still wanted.
    above: usize,
    below: usize,
    up: Edge,
    down: Edge,
    /// What is switched on before the first row.
    style: Style,
    target: Option<Target>,
    /// The section that is opened for the row that was found.
    opened: Option<usize>,
    /// The groups that were folded or opened for it.
    folded: Vec<(u64, bool)>,
    fault: Option<String>,
    told: Instant,
}

/// A row is looked for, in one section after the other.
struct Seek {
    section: usize,
    goal: Goal,
    /// How many sections are still to be looked at, this one among them.
    left: usize,
    has_wrapped: bool,
}

/// What comes next in one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Edge {
    Heading(usize),
    /// Rows of a section's log: from there on, or before that; without a place from its end near to here.
    Rows(usize, Option<u64>),
    /// Something, of which nothing is wanted.
    More,
    Over,
}

/// What a log has said.
enum Answer {
    Page(Box<Page>),
    Nothing,
    NotYet,
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

    /// Where a change may be one of these logs.
    pub(super) fn dirs(&self) -> Vec<PathBuf> {
        self.readings.iter().flat_map(|(_, reading)| reading.dirs()).cloned().collect()
    }

    /// A log that was read is to be left for another one.
    pub(super) fn goes_over(&self) -> bool {
        self.readings.iter().any(|(_, reading)| reading.file().goes_over())
    }

    /// Takes a request in, in place of one that is not answered yet, and begins with it.
    pub(super) fn ask(&mut self, ticket: Ticket, sections: &Arc<[Section]>, request: PageRequest) -> Vec<Msg> {
        self.ticket = ticket;
        self.take_sections(sections);
        if self.search != request.search {
            self.search.clone_from(&request.search);
            self.counts.clear();
        }
        self.counts.retain(|section, _| sections.get(*section).is_some_and(|section| !section.may_grow()));
        for (_, reading) in self.readings.iter_mut().filter(|(_, reading)| reading.is_asked()) {
            reading.give_up();
        }
        self.job = Some(Job::new(request, sections));
        self.go_on()
    }

    /// Logs that are open stay so, by their names.
    fn take_sections(&mut self, sections: &Arc<[Section]>) {
        if self.sections == *sections {
            return;
        }
        let path = |sections: &[Section], at: usize| sections.get(at).and_then(|section| section.log.clone());
        let places: HashMap<_, usize> =
            sections.iter().enumerate().filter_map(|(at, section)| Some((section.log.clone()?, at))).collect();
        let old = std::mem::replace(&mut self.sections, Arc::clone(sections));
        let moved = self.readings.drain(..).filter_map(|(at, reading)| Some((*places.get(&path(&old, at)?)?, reading)));
        self.readings = moved.collect();
        let moved = self.counts.drain().filter_map(|(at, count)| Some((*places.get(&path(&old, at)?)?, count)));
        self.counts = moved.collect();
        self.last = None;
    }

    pub(super) fn has_work(&self) -> bool {
        self.job.is_some()
            || (self.last.is_some() && (self.next_on_page().is_some() || self.next_uncounted().is_some()))
    }

    /// A log on the page in which rows are still to be counted.
    fn next_on_page(&self) -> Option<usize> {
        let on_page = self.last.iter().flat_map(|last| &last.pieces).filter_map(Piece::section);
        on_page.into_iter().find(|section| self.reading(*section).is_some_and(Reading::has_work))
    }

    /// A section in which what is searched for has not been counted.
    fn next_uncounted(&self) -> Option<usize> {
        self.search.as_ref()?;
        let is_open = |at: &usize, section: &Section| section.log.is_some() && !self.counts.contains_key(at);
        self.sections.iter().enumerate().find(|(at, section)| is_open(at, section)).map(|(at, _)| at)
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
        } else if self.reading(section).and_then(|reading| reading.hits(self.search.as_ref())).is_none() {
            let _ = self.ask_section(section, (Goal::Rows(Anchor::From(0)), 1), Sieve::default(), Folds::default());
        }
        self.note_count(section);
        if !self.counts.contains_key(&section) && !self.reading(section).is_some_and(Reading::has_work) {
            // It cannot be read: that is told when it is on the page.
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

    fn with<T>(&mut self, section: usize, act: impl FnOnce(&mut Reading) -> Result<T>) -> Result<Option<T>> {
        let found = self.readings.iter_mut().find(|(at, _)| *at == section);
        found.map(|(_, reading)| act(reading)).transpose()
    }

    /// Asks the log of a section; opens it if it is not open.
    fn ask_section(
        &mut self,
        section: usize,
        (goal, rows): (Goal, usize),
        sieve: Sieve,
        folds: Folds,
    ) -> Result<Option<Vec<Msg>>> {
        let Some((log, tail)) =
            self.sections.get(section).and_then(|section| Some((section.log.clone()?, section.tail)))
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
        let request =
            PageRequest { source: Source::Log(log, tail), goal, rows, sieve, folds, search, is_refresh: false };
        let ticket = self.ticket;
        self.with(section, |reading| reading.ask(ticket, tail, request))
    }

    /// Works on a request for a while; its answer if that is all.
    fn work(&mut self, mut job: Job) -> Vec<Msg> {
        let begun = Instant::now();
        while begun.elapsed() < SLICE {
            let is_done = if job.seek.is_some() { self.seek(&mut job) } else { self.gather(&mut job) };
            match is_done {
                Progress::GoesOn => {}
                Progress::Done => return self.answer(job),
                Progress::Missed => return vec![Msg::Missed(self.ticket)],
            }
        }
        let is_slow = job.told.elapsed() >= REPORT_PAUSE;
        let looking = job.seek.as_ref().filter(|_| is_slow).map(|seek| {
            let (all, left) = (self.sections.len().max(1), seek.left.saturating_sub(1));
            let percent = all.saturating_sub(left) * 100 / all;
            Msg::Looking(self.ticket, u8::try_from(percent).unwrap_or(100).min(99))
        });
        if is_slow {
            job.told = Instant::now();
        }
        self.job = Some(job);
        looking.into_iter().collect()
    }

    /// What a log says, which may take several slices.
    fn hear(&mut self, job: &mut Job, section: usize, goal: Goal, rows: usize) -> Answer {
        let is_asked = self.reading(section).is_some_and(Reading::is_asked);
        let said = if is_asked {
            self.with(section, Reading::go_on)
        } else {
            let keep = job.request.sieve.keep.and_then(|keep| match Spot::of(keep) {
                Spot::Row(at, offset) if at == section => Some(offset),
                _ => None,
            });
            let sieve = Sieve { keep, ..job.request.sieve.clone() };
            self.ask_section(section, (goal, rows), sieve, job.folds_in(section))
        };
        let messages = match said {
            Ok(messages) => messages,
            Err(error) => {
                job.fault = Some(chain(&error).lines().collect::<Vec<_>>().join("; "));
                None
            }
        };
        let Some(messages) = messages else { return Answer::Nothing };
        for message in messages {
            match message {
                Msg::Page(_, page) => return Answer::Page(Box::new(page)),
                Msg::Missed(_) => return Answer::Nothing,
                _ => {}
            }
        }
        Answer::NotYet
    }

    fn seek(&mut self, job: &mut Job) -> Progress {
        let Some(seek) = &job.seek else { return Progress::Done };
        let (section, goal) = (seek.section, seek.goal.clone());
        let is_wanted = self.sections.get(section).is_some_and(|section| section.log.is_some() && goal.is_for(section));
        let rows = job.request.rows;
        let answer = if is_wanted { self.hear(job, section, goal, rows) } else { Answer::Nothing };
        match answer {
            Answer::NotYet => Progress::GoesOn,
            Answer::Page(page) => {
                self.found(job, section, *page);
                Progress::GoesOn
            }
            Answer::Nothing => {
                let sections = self.sections.len();
                let goes_on = job.seek.as_mut().is_some_and(|seek| seek.next(sections));
                if goes_on { Progress::GoesOn } else { Progress::Missed }
            }
        }
    }

    /// The row was found: the page is gathered around it, its section open.
    fn found(&self, job: &mut Job, section: usize, page: Page) {
        let has_wrapped = job.seek.take().is_some_and(|seek| seek.has_wrapped);
        let is_open = self.sections.get(section).is_some_and(|section| section.is_open);
        job.opened = (!is_open).then_some(section);
        let place = page.target.map(|target| Spot::Row(section, target.offset).address());
        job.target = place.map(|offset| Target { offset, has_wrapped });
        job.take_centre(section, place, page);
    }

    fn gather(&mut self, job: &mut Job) -> Progress {
        if job.below > 0 && !matches!(job.down, Edge::More | Edge::Over) {
            self.gather_below(job);
        } else if job.above > 0 && !matches!(job.up, Edge::More | Edge::Over) {
            self.gather_above(job);
        } else {
            return Progress::Done;
        }
        Progress::GoesOn
    }

    fn gather_below(&mut self, job: &mut Job) {
        match job.down {
            Edge::Heading(section) => {
                if section < self.sections.len() {
                    job.rows.push_back(heading(section));
                    job.pieces.push_back(Piece::Heading);
                    job.below -= 1;
                }
                job.down = self.below_heading(section, job.opened);
            }
            Edge::Rows(section, from) => {
                match self.hear(job, section, Goal::Rows(Anchor::From(from.unwrap_or(0))), job.below) {
                    Answer::NotYet => {}
                    Answer::Nothing => job.down = Edge::Heading(section + 1),
                    Answer::Page(page) => job.take_below(section, *page),
                }
            }
            Edge::More | Edge::Over => {}
        }
    }

    fn gather_above(&mut self, job: &mut Job) {
        match job.up {
            Edge::Heading(section) => {
                job.rows.push_front(heading(section));
                job.pieces.push_front(Piece::Heading);
                job.above -= 1;
                job.up = above_heading(&self.sections, section, job.opened);
            }
            Edge::Rows(section, before) => {
                let anchor = before.map_or(Anchor::End, Anchor::Before);
                match self.hear(job, section, Goal::Rows(anchor), job.above) {
                    Answer::NotYet => {}
                    Answer::Nothing => job.up = Edge::Heading(section),
                    Answer::Page(page) => job.take_above(section, *page),
                }
            }
            Edge::More | Edge::Over => {}
        }
    }

    /// What follows the heading of a section; behind the last section nothing does.
    fn below_heading(&self, section: usize, opened: Option<usize>) -> Edge {
        match self.sections.get(section) {
            None => Edge::Over,
            Some(_) if is_open(&self.sections, section, opened) => Edge::Rows(section, Some(0)),
            Some(_) if section + 1 == self.sections.len() => Edge::Over,
            Some(_) => Edge::Heading(section + 1),
        }
    }

    fn answer(&mut self, mut job: Job) -> Vec<Msg> {
        // Behind the last row there is no heading any more.
        if job.down == Edge::Heading(self.sections.len()) {
            job.down = Edge::Over;
        }
        let target = job.target.map(|target| target.offset);
        self.last = Some(Answered { pieces: job.pieces.into(), target });
        let known = self.known();
        self.reported = Some((Instant::now(), known.clone()));
        let (at_start, at_end) = (job.up == Edge::Over, job.down == Edge::Over);
        let window = Window { rows: job.rows.into(), at_start, at_end, file_bytes: 0 };
        let opened = job.opened.and_then(|section| Some(self.sections.get(section)?.place.clone()));
        let page = Page {
            window,
            style: job.style,
            known,
            generation: 0,
            standing: Standing::default(),
            target: job.target,
            opened,
            folded: job.folded,
            cause: None,
        };
        let fault = job.fault.map(|why| Msg::Failed(Work::Log(self.ticket), why));
        std::iter::once(Msg::Page(self.ticket, page)).chain(fault).collect()
    }

    /// What is known by now, if it is new and it is time to say so.
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
                let mut numbers = on_page.get(section).map(|known| known.numbers.clone()).unwrap_or_default();
                numbers.resize(*rows, None);
                numbers
            }
        });
        let numbers = numbers.collect();
        let spans = || last.pieces.iter().filter_map(Piece::section).filter_map(|at| on_page.get(&at)?.span);
        let span = spans().next().zip(spans().next_back()).map(|((first, _), (_, last))| (first, last));
        let heads = on_page.iter().flat_map(|(section, known)| {
            known.heads.iter().map(|head| Head { at: Spot::Row(*section, head.at).address(), ..*head })
        });
        let (heads, hits) = (heads.collect(), self.hits(last.target, &on_page));
        Known { total_rows: None, stderr_rows: None, span, numbers, heads, hits, passed: None }
    }

    /// How many rows match in all sections, as far as they have been counted.
    fn hits(&self, target: Option<u64>, on_page: &HashMap<usize, Known>) -> Option<HitCount> {
        self.search.as_ref()?;
        let counted = |section: usize| self.counts.get(&section).copied();
        let hits = |section| counted(section).or_else(|| on_page.get(&section)?.hits).map_or(0, |hits| hits.rows);
        let number = target.map(Spot::of).and_then(|spot| {
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

/// What a step has come to.
enum Progress {
    GoesOn,
    Done,
    /// There is no such row.
    Missed,
}

impl Piece {
    const fn section(&self) -> Option<usize> {
        match self {
            Self::Heading => None,
            Self::Rows(section, _) => Some(*section),
        }
    }
}

impl Seek {
    /// Goes over to the next section: false when all have been looked at.
    fn next(&mut self, sections: usize) -> bool {
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
    /// Whether what is looked for is looked for in this section: errors and gaps only where one reads, all else also in what is folded.
    const fn is_for(&self, section: &Section) -> bool {
        match self {
            Self::Next { what: Sought::Error | Sought::Gap { .. }, .. } | Self::Time(_) => section.is_open,
            _ => true,
        }
    }
}

impl Job {
    fn new(request: PageRequest, sections: &[Section]) -> Self {
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
                job.up = match Spot::of(address) {
                    Spot::Heading(section) => above_heading(sections, section, None),
                    Spot::Row(section, offset) => Edge::Rows(section, Some(offset)),
                };
            }
            Goal::Rows(Anchor::End) => {
                job.above = rows;
                (job.up, job.down) = (above_heading(sections, sections.len(), None), Edge::Over);
            }
            Goal::Around(address) | Goal::Place(address) => job.begin_at(address, sections, half),
            Goal::Row(address) => job.seek_in(Spot::of(address).section(), Goal::Row(Spot::of(address).offset()), 1),
            Goal::Fold(address, how) => match Spot::of(address) {
                Spot::Row(section, offset) => job.seek_in(section, Goal::Fold(offset, how), 1),
                Spot::Heading(_) => job.begin_at(address, sections, half),
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
        match Spot::of(address) {
            // What is in sight no more is represented by its heading, unless it is gone to.
            Spot::Row(section, offset) if is_open(sections, section, has_target.then_some(section)) => {
                let goal = if has_target { Goal::Place(offset) } else { Goal::Around(offset) };
                self.seek_in(section, goal, 1);
            }
            spot => {
                let section = spot.section();
                self.down = Edge::Heading(section);
                self.up = above_heading(sections, section, None);
                let offset = Spot::Heading(section).address();
                self.target = has_target.then_some(Target { offset, has_wrapped: false });
            }
        }
    }

    /// Which groups of a section's log are folded.
    fn folds_in(&self, section: usize) -> Folds {
        let folds = &self.request.folds;
        let own = folds.chosen.iter().filter_map(|(address, is_folded)| match Spot::of(*address) {
            Spot::Row(at, offset) if at == section => Some((offset, *is_folded)),
            _ => None,
        });
        Folds { all: folds.all, chosen: Arc::new(own.collect()) }
    }

    /// The rows around the place that was asked for.
    fn take_centre(&mut self, section: usize, place: Option<u64>, page: Page) {
        let half = self.request.rows.div_ceil(2);
        let Page { window, style, folded, .. } = page;
        self.style = style;
        let changes = folded.into_iter().map(|(heading, folded)| (Spot::Row(section, heading).address(), folded));
        self.folded.extend(changes);
        self.pieces.push_back(Piece::Rows(section, window.rows.len()));
        self.rows.extend(window.rows.into_iter().map(|row| addressed(section, row)));
        let above = self.rows.iter().filter(|row| place.is_some_and(|place| row.offset < place)).count();
        self.above = half.saturating_sub(above);
        self.below = half.saturating_sub(self.rows.len() - above);
        self.up = if window.at_start { Edge::Heading(section) } else { Edge::More };
        self.down = if window.at_end { Edge::Heading(section + 1) } else { Edge::More };
    }

    fn take_below(&mut self, section: usize, page: Page) {
        let Page { window, style, .. } = page;
        if self.rows.is_empty() {
            self.style = style;
        }
        self.below = self.below.saturating_sub(window.rows.len());
        self.pieces.push_back(Piece::Rows(section, window.rows.len()));
        self.rows.extend(window.rows.into_iter().map(|row| addressed(section, row)));
        self.down = if window.at_end { Edge::Heading(section + 1) } else { Edge::More };
    }

    fn take_above(&mut self, section: usize, page: Page) {
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

/// Where looking for the next row begins: in which section, and from where on in it.
fn next_from(address: u64, towards: Towards) -> (usize, u64) {
    match (Spot::of(address), towards) {
        (Spot::Row(section, offset), _) => (section, offset),
        (Spot::Heading(section), Towards::Down) => (section, 0),
        // Before a heading the section above ends; before the first there is the last, found by going round.
        (Spot::Heading(section), Towards::Up) => match section.checked_sub(1) {
            Some(above) => (above, u64::MAX),
            None => (0, 0),
        },
    }
}

fn edge_at(address: u64) -> Edge {
    match Spot::of(address) {
        Spot::Heading(section) => Edge::Heading(section),
        Spot::Row(section, offset) => Edge::Rows(section, Some(offset)),
    }
}

/// What comes before the heading of a section.
fn above_heading(sections: &[Section], section: usize, opened: Option<usize>) -> Edge {
    match section.checked_sub(1) {
        None => Edge::Over,
        Some(above) if is_open(sections, above, opened) => Edge::Rows(above, None),
        Some(above) => Edge::Heading(above),
    }
}

/// Whether rows of a section are shown.
fn is_open(sections: &[Section], at: usize, opened: Option<usize>) -> bool {
    sections.get(at).is_some_and(|section| section.log.is_some() && (section.is_open || opened == Some(at)))
}

/// A row of a section's log with its address in place of its offset.
fn addressed(section: usize, row: Row) -> Row {
    Row { offset: Spot::Row(section, row.offset).address(), ..row }
}

/// The row that stands for a heading: what it says is known to whoever draws it.
fn heading(section: usize) -> Row {
    Row { offset: Spot::Heading(section).address(), complete: true, ..Row::default() }
}

/// The place behind so many hundredths of the bytes of the open sections.
fn share(sections: &[Section], percent: u8) -> u64 {
    let open = sections.iter().enumerate().filter(|(_, section)| section.is_open);
    let sizes: Vec<_> = open.map(|(at, section)| (at, section.bytes())).collect();
    let total: u64 = sizes.iter().map(|(_, bytes)| bytes).sum();
    let mut rest = u64::try_from(u128::from(total) * u128::from(percent) / 100).unwrap_or(total);
    for (at, bytes) in &sizes {
        if rest < *bytes {
            return Spot::Row(*at, rest).address();
        }
        rest -= bytes;
    }
    Spot::Heading(sections.len().saturating_sub(1)).address()
}

impl Section {
    /// How large its log is now.
    fn bytes(&self) -> u64 {
        self.log.as_ref().and_then(|log| std::fs::symlink_metadata(&**log).ok()).map_or(0, |meta| meta.len())
    }
}
