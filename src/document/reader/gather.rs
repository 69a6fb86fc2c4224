//! The assembly of a page of a document: rows are requested from one log after the other until
//! there are enough.
//!
//! A page is gathered from its anchor in both directions. An [`Edge`] is the next part in one
//! direction: a heading, rows of a log, or nothing more.

use std::task::Poll;
use std::time::Instant;

use super::job::{DocumentJob, Edge, GapSearch, Piece};
use super::log::{LogPage, LogReader};
use super::{Answered, DocumentReader, REPORT_PAUSE, SLICE};
use crate::document::{Answer, Goal, Page, RowAddress, RowsRequest};
use crate::error::{self, Result};
use crate::join::Place;
use crate::log::{Anchor, FileState, Window};
use crate::search::{RowFilter, Towards};

/// The result of one step.
enum Progress {
    GoesOn,
    Done,
    /// The requested row does not exist.
    Missed,
}

impl DocumentReader {
    /// Works on a request for one slice. Returns the answer, or a progress report if one is due.
    pub(super) fn work(&mut self, mut job: DocumentJob) -> Result<Option<Answer>> {
        let started = Instant::now();
        while started.elapsed() < SLICE {
            let progress = match (job.gaps.take(), &job.seek) {
                (Some(gaps), _) => self.find_gaps(&mut job, gaps),
                (None, Some(_)) => self.seek(&mut job),
                (None, None) => self.gather(&mut job),
            };
            match progress? {
                Progress::GoesOn => {}
                Progress::Done => return Ok(Some(self.answer(job))),
                Progress::Missed => return Ok(Some(Answer::Missed)),
            }
        }
        Ok(self.put_off(job))
    }

    /// Keeps the job for the next slice. Reports the progress of a long search.
    fn put_off(&mut self, mut job: DocumentJob) -> Option<Answer> {
        let own = self.log(job.section).and_then(LogReader::progress);
        let percent = job.seek.as_ref().map(|seek| seek.percent(own)).or(own);
        let gaps = job.gaps.as_ref().map(|gaps| {
            let own = self.log(gaps.section).map_or(0, |log| log.gaps_progress(gaps.from));
            gaps.percent(own, self.document.sections.len())
        });
        let percent = gaps.or(percent);
        let is_due = job.reported_at.elapsed() >= REPORT_PAUSE;
        if is_due {
            job.reported_at = Instant::now();
        }
        self.job = Some(job);
        percent.filter(|_| is_due).map(Answer::Looking)
    }

    /// Reads rows of a log, which may take several slices. The result is `None` if there are no
    /// such rows. With headings, a log that cannot be read is a fault of the page, not an error.
    fn read(
        &mut self,
        job: &mut DocumentJob,
        section: usize,
        goal: Goal,
        max_rows: usize,
    ) -> Result<Poll<Option<LogPage>>> {
        job.section = section;
        match self.try_read(job, section, goal, max_rows) {
            Err(error) if job.document().has_headings => {
                job.fault = Some(error::line(&error));
                // The next request opens the log again.
                self.close(section);
                Ok(Poll::Ready(None))
            }
            read => read,
        }
    }

    fn try_read(
        &mut self,
        job: &DocumentJob,
        section: usize,
        goal: Goal,
        max_rows: usize,
    ) -> Result<Poll<Option<LogPage>>> {
        if !self.log(section).is_some_and(LogReader::is_asked) {
            let rows = &job.request.rows;
            let keep = rows.row_filter.keep.and_then(|keep| match job.document().row(keep) {
                RowAddress::Row(at, offset) if at == section => Some(offset),
                _ => None,
            });
            let row_filter = RowFilter { keep, ..rows.row_filter.clone() };
            let folds = job.folds_in(section);
            if !self.ask_section(
                section,
                RowsRequest { goal, max_rows, row_filter, folds, ..rows.clone() },
            )? {
                return Ok(Poll::Ready(None));
            }
        }
        Ok(self.with(section, LogReader::poll)?.unwrap_or(Poll::Ready(None)))
    }

    /// Searches a section for gaps, for one slice. After the last section, begins the search for
    /// the row after the chosen gap. With headings, a log that cannot be read has no gaps.
    fn find_gaps(&mut self, job: &mut DocumentJob, mut gaps: GapSearch) -> Result<Progress> {
        job.section = gaps.section;
        if gaps.section >= self.document.sections.len() {
            return Ok(if job.take_gaps(&gaps) { Progress::GoesOn } else { Progress::Missed });
        }
        let is_over = match self.find_gaps_in_section(job, &mut gaps) {
            Err(error) if job.document().has_headings => {
                job.fault = Some(error::line(&error));
                self.close(gaps.section);
                Poll::Ready(())
            }
            found => found?,
        };
        gaps.rank(&self.document);
        if is_over.is_ready() {
            gaps.next();
        }
        job.gaps = Some(gaps);
        Ok(Progress::GoesOn)
    }

    fn find_gaps_in_section(
        &mut self,
        job: &DocumentJob,
        gaps: &mut GapSearch,
    ) -> Result<Poll<()>> {
        let Goal::Gap { min_ms, .. } = job.request.rows.goal else { return Ok(Poll::Ready(())) };
        let at = gaps.section;
        let is_open = self.document.sections.get(at).is_some_and(|section| section.is_open);
        if !is_open || !self.open(at)? {
            return Ok(Poll::Ready(()));
        }
        let found = self.with(at, |log| log.add_gaps(&mut gaps.from, min_ms, &mut gaps.here))?;
        Ok(found.unwrap_or(Poll::Ready(())))
    }

    /// Searches a section for the requested row.
    fn seek(&mut self, job: &mut DocumentJob) -> Result<Progress> {
        let Some(seek) = &job.seek else { return Ok(Progress::Done) };
        let (section, goal) = (seek.section, seek.goal.clone());
        let is_wanted = self
            .document
            .sections
            .get(section)
            .is_some_and(|section| section.log.is_some() && goal.is_for(section));
        let rows = job.request.rows.max_rows;
        let read = if is_wanted { self.read(job, section, goal, rows)? } else { Poll::Ready(None) };
        Ok(match read {
            Poll::Pending => Progress::GoesOn,
            Poll::Ready(Some(page)) => {
                // Open the section of the row if it is folded, and gather the page around the row.
                let is_folded =
                    self.document.sections.get(section).is_some_and(|section| !section.is_open);
                job.opened = is_folded.then_some(section);
                job.take_center(section, page);
                Progress::GoesOn
            }
            Poll::Ready(None) => {
                let sections = self.document.sections.len();
                let goes_on = job.seek.as_mut().is_some_and(|seek| seek.next(sections));
                if goes_on { Progress::GoesOn } else { Progress::Missed }
            }
        })
    }

    /// Gathers the next part of the page: first downward, then upward.
    fn gather(&mut self, job: &mut DocumentJob) -> Result<Progress> {
        let towards = [Towards::Down, Towards::Up].into_iter().find(|towards| {
            let side = *job.side(*towards);
            side.rows > 0 && !matches!(side.next, Edge::More | Edge::Over)
        });
        let Some(towards) = towards else { return Ok(Progress::Done) };
        let side = *job.side(towards);
        match side.next {
            Edge::Heading(section) => job.add_heading(section, towards),
            Edge::Rows(section, at) => {
                let anchor = match (towards, at) {
                    (Towards::Down, at) => Anchor::From(at.unwrap_or(0)),
                    (Towards::Up, Some(at)) => Anchor::Before(at),
                    (Towards::Up, None) => Anchor::End,
                };
                match self.read(job, section, Goal::Rows(anchor), side.rows)? {
                    Poll::Pending => {}
                    Poll::Ready(page) => {
                        job.take(section, page.unwrap_or_else(LogPage::nothing), towards);
                    }
                }
            }
            Edge::More | Edge::Over => {}
        }
        Ok(Progress::GoesOn)
    }

    fn answer(&mut self, job: DocumentJob) -> Answer {
        // The row that was found remains the target on later pages.
        let keep = job.request.rows.row_filter.keep;
        let target = job.target.map(|target| target.offset).or(keep);
        let pieces: Vec<_> = job.pieces.into();
        let sections: Vec<_> = pieces.iter().filter_map(Piece::section).collect();
        for section in &sections {
            self.note_count(*section);
        }
        let has_fault = job.fault.is_some();
        self.last = Some(Answered { request: job.request, pieces, target, has_fault });
        let known = self.known();
        self.reported = Some((Instant::now(), known.clone()));
        let file_bytes = self.logs.iter().map(|(_, log)| log.file().bytes()).sum();
        let (at_start, at_end) = (job.up.next == Edge::Over, job.down.next == Edge::Over);
        let place = |section: usize| Some(self.document.sections.get(section)?.place.clone());
        Answer::Page(Box::new(Page {
            window: Window { rows: job.rows.into(), at_start, at_end, file_bytes },
            style: job.style,
            known,
            generation: self.generation,
            replaced: self.replaced.clone(),
            is_shortened: self.is_shortened,
            file_states: sections.iter().filter_map(|section| self.file_state(*section)).collect(),
            target: job.target,
            opened: job.opened.and_then(place),
            folded: job.folded,
            gap: job.gap,
            cause: job.cause,
            fault: job.fault,
        }))
    }

    /// Returns the state of a log whose name no longer refers to its file, or that has late bytes.
    fn file_state(&self, section: usize) -> Option<(Place, FileState)> {
        let state = self.log(section)?.file().file_state();
        let place = self.document.sections.get(section)?.place.clone();
        (state != FileState::default()).then_some((place, state))
    }
}
