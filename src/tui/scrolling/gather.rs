//! The assembly of a page of a scroll: rows are requested from one log after the other until there
//! are enough.
//!
//! A page is gathered from its anchor in both directions. An [`Edge`] is what comes next in one: a
//! heading, rows of a log, or nothing more.

use std::time::Instant;

use super::job::{Edge, Piece, ScrollJob, above_heading, is_open};
use super::{Answered, Scrolling};
use crate::error;
use crate::log::{Anchor, FileState, Row, Window};
use crate::search::RowFilter;
use crate::tui::msg::{Goal, Msg, Page, Target, Work};
use crate::tui::reading::{REPORT_PAUSE, Reading, SLICE};
use crate::tui::scroll::RowAddress;

/// The answer of one log to a request.
enum Answer {
    Page(Box<Page>),
    Nothing,
    NotYet,
}

/// The result of one step.
enum Progress {
    GoesOn,
    Done,
    /// There is no such row.
    Missed,
}

impl Scrolling {
    /// Works on a request for a while; its answer if that is all.
    pub(super) fn work(&mut self, mut job: ScrollJob) -> Vec<Msg> {
        let begun = Instant::now();
        while begun.elapsed() < SLICE {
            let is_done =
                if job.seek.is_some() { self.seek(&mut job) } else { self.gather(&mut job) };
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

    /// Requests rows from a log, or goes on with a pending request, which may take several slices.
    fn hear(&mut self, job: &mut ScrollJob, section: usize, goal: Goal, rows: usize) -> Answer {
        let is_asked = self.reading(section).is_some_and(Reading::is_asked);
        let said = if is_asked {
            self.with(section, Reading::go_on)
        } else {
            let keep = job.request.row_filter.keep.and_then(|keep| match RowAddress::of(keep) {
                RowAddress::Row(at, offset) if at == section => Some(offset),
                _ => None,
            });
            let row_filter = RowFilter { keep, ..job.request.row_filter.clone() };
            self.ask_section(section, (goal, rows), row_filter, job.folds_in(section))
        };
        let messages = match said {
            Ok(messages) => messages,
            Err(error) => {
                job.fault = Some(error::line(&error));
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

    fn seek(&mut self, job: &mut ScrollJob) -> Progress {
        let Some(seek) = &job.seek else { return Progress::Done };
        let (section, goal) = (seek.section, seek.goal.clone());
        let is_wanted = self
            .sections
            .get(section)
            .is_some_and(|section| section.log.is_some() && goal.is_for(section));
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
    fn found(&self, job: &mut ScrollJob, section: usize, page: Page) {
        let has_wrapped = job.seek.take().is_some_and(|seek| seek.has_wrapped);
        let is_open = self.sections.get(section).is_some_and(|section| section.is_open);
        job.opened = (!is_open).then_some(section);
        let place = page.target.map(|target| RowAddress::Row(section, target.offset).address());
        job.target = place.map(|offset| Target { offset, has_wrapped });
        job.take_centre(section, place, page);
    }

    fn gather(&mut self, job: &mut ScrollJob) -> Progress {
        if job.below > 0 && !matches!(job.down, Edge::More | Edge::Over) {
            self.gather_below(job);
        } else if job.above > 0 && !matches!(job.up, Edge::More | Edge::Over) {
            self.gather_above(job);
        } else {
            return Progress::Done;
        }
        Progress::GoesOn
    }

    fn gather_below(&mut self, job: &mut ScrollJob) {
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
                match self.hear(
                    job,
                    section,
                    Goal::Rows(Anchor::From(from.unwrap_or(0))),
                    job.below,
                ) {
                    Answer::NotYet => {}
                    Answer::Nothing => job.down = Edge::Heading(section + 1),
                    Answer::Page(page) => job.take_below(section, *page),
                }
            }
            Edge::More | Edge::Over => {}
        }
    }

    fn gather_above(&mut self, job: &mut ScrollJob) {
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

    /// Returns the edge below the heading of a section: `Edge::Over` if nothing follows.
    fn below_heading(&self, section: usize, opened: Option<usize>) -> Edge {
        match self.sections.get(section) {
            None => Edge::Over,
            Some(_) if is_open(&self.sections, section, opened) => Edge::Rows(section, Some(0)),
            Some(_) if section + 1 == self.sections.len() => Edge::Over,
            Some(_) => Edge::Heading(section + 1),
        }
    }

    fn answer(&mut self, mut job: ScrollJob) -> Vec<Msg> {
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
            file_state: FileState::default(),
            target: job.target,
            opened,
            folded: job.folded,
            cause: None,
        };
        let fault = job.fault.map(|why| Msg::Failed(Work::Log(self.ticket), why));
        std::iter::once(Msg::Page(self.ticket, page)).chain(fault).collect()
    }
}

/// Returns the row for a heading, without text: the view draws it from the section.
fn heading(section: usize) -> Row {
    Row { offset: RowAddress::Heading(section).address(), complete: true, ..Row::default() }
}
