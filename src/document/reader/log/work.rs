//! The work on a request, in slices: the search for a row, then the gathering of rows around it.
//! The heading of a fold represents the rows in it.

use std::ops::Range;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use super::job::{ReadJob, Step};
use super::page::LogPage;
use super::seek::Sight;
use super::{LogReader, SLICE_BYTES};
use crate::document::reader::SLICE;
use crate::document::{Fold, Folds, Goal, Target};
use crate::error::Result;
use crate::log::Anchor;
use crate::search::{Around, FilteredRead, Group, RowFilter};

/// No rows: the read only checks if there are rows above and below.
const NOTHING: Around = Around { place: 0, above: 0, below: 0, checks_ends: true };

impl LogReader {
    /// Starts to search for the row or to gather rows, once all needed groups are known.
    fn begin(&self, job: &mut ReadJob) {
        job.has_started = true;
        let from = if let Goal::Next { from, .. } = job.request.goal { from } else { 0 };
        job.step = Step::Seek { from, has_wrapped: false };
        let rows = job.request.max_rows;
        let half = rows.div_ceil(2);
        match job.request.goal {
            // Except on a refresh, check if there are rows before the requested ones.
            Goal::Rows(Anchor::From(place)) => {
                let checks_ends = !job.request.is_refresh;
                self.gather(job, Around { place, below: rows, checks_ends, ..NOTHING });
            }
            Goal::Rows(Anchor::Before(place)) => {
                self.gather(job, Around { place, above: rows, ..NOTHING });
            }
            Goal::Rows(Anchor::End) => {
                self.gather(job, Around { place: u64::MAX, above: rows, ..NOTHING });
            }
            Goal::Around(place) => {
                // A row hidden in a fold is represented by the heading of the fold.
                let heading = self.fold_over(job, place).map(|group| group.heading);
                job.target = heading.map(|offset| Target { offset, has_wrapped: false });
                let place = heading.unwrap_or(place);
                self.gather(job, Around { place, above: half, below: half, ..NOTHING });
            }
            _ => {}
        }
    }

    /// Returns the outermost folded group that hides a row.
    fn fold_over(&self, job: &ReadJob, row: u64) -> Option<Group> {
        let hidden = self.hidden(&job.request.folds);
        let fold = hidden.get(hidden.partition_point(|fold| fold.start <= row).checked_sub(1)?)?;
        let is_over = |group: &&Group| group.body == fold.start;
        self.groups.all().iter().find(is_over).filter(|_| row < fold.end).copied()
    }

    fn hidden(&self, folds: &Folds) -> Arc<[Range<u64>]> {
        self.groups.hidden(|group| self.is_folded(group, folds))
    }

    fn gather(&self, job: &mut ReadJob, around: Around) {
        let row_filter =
            RowFilter { hidden: self.hidden(&job.request.folds), ..job.request.row_filter.clone() };
        job.step = Step::Gather(Box::new(FilteredRead::new(row_filter, around, self.tail)));
    }

    /// Starts to gather the rows around the found row, after opening the folds that hide it.
    fn gather_around(&self, job: &mut ReadJob, place: u64) {
        let has_wrapped = matches!(job.step, Step::Seek { has_wrapped: true, .. });
        job.target = Some(Target { offset: place, has_wrapped });
        while let Some(group) = self.fold_over(job, place) {
            job.change(group.heading, false);
        }
        let half = job.request.max_rows.div_ceil(2);
        job.request.row_filter.keep = Some(place);
        self.gather(job, Around { place, above: half, below: half, ..NOTHING });
    }

    /// Folds or opens the innermost group around a row.
    pub(super) fn fold(&self, job: &mut ReadJob, row: u64, how: Fold) -> Sight {
        let Some(group) = self.groups.around(row).copied() else { return Sight::Nothing };
        let is_folded = self.is_folded(&group, &job.request.folds);
        job.change(group.heading, how.of(is_folded));
        Sight::Row(group.heading)
    }

    /// Works on a request for one slice. The page is `None` if the requested row does not exist.
    pub(super) fn work(&mut self, mut job: ReadJob) -> Result<Poll<Option<LogPage>>> {
        let started = Instant::now();
        while started.elapsed() < SLICE {
            match &mut job.step {
                Step::Group if self.is_grouped => self.begin(&mut job),
                Step::Group => {
                    self.regroup()?;
                    job.looked_bytes = self.groups.bytes();
                }
                Step::Seek { .. } if !job.has_started => self.begin(&mut job),
                Step::Seek { .. } => match self.seek(&mut job)? {
                    Sight::Row(offset) => self.gather_around(&mut job, offset),
                    Sight::NotYet => {}
                    Sight::End => {
                        let above = job.request.max_rows;
                        self.gather(&mut job, Around { place: u64::MAX, above, ..NOTHING });
                    }
                    Sight::Nothing => {
                        self.last = job.before;
                        return Ok(Poll::Ready(None));
                    }
                },
                Step::Gather(gathering) => {
                    let hits = self.filter.as_ref().map(|scan| &scan.hits);
                    if gathering.step(&self.file, hits, SLICE_BYTES)? {
                        return self.answer(job);
                    }
                    job.looked_bytes = gathering.read_bytes();
                }
            }
        }
        self.job = Some(job);
        Ok(Poll::Pending)
    }
}
