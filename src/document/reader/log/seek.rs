//! The search for the row of a request, a slice at a time.

use super::job::{ReadJob, Step};
use super::{LogReader, SLICE_BYTES};
use crate::document::{Goal, Sought};
use crate::error::Result;
use crate::log::{Anchor, Tail};
use crate::search::{Cause, Found, Query, Towards, find, find_cause_at_end, stored_cause};

/// The result of one slice of the search for a row.
pub(super) enum Sight {
    /// The offset of the row.
    Row(u64),
    /// No row was found; the last rows are shown in its place.
    End,
    NotYet,
    Nothing,
}

impl LogReader {
    /// Searches for the requested row for one slice.
    pub(super) fn seek(&mut self, job: &mut ReadJob) -> Result<Sight> {
        let tail = self.tail;
        match job.request.goal.clone() {
            // The first two need no search; the others were replaced with a place.
            Goal::Rows(_) | Goal::Around(_) | Goal::Percent(_) | Goal::Gap { .. } => {
                Ok(Sight::Nothing)
            }
            Goal::Fold(row, how) => Ok(self.fold(job, row, how)),
            Goal::Cause(_, exit_code) => {
                let cause = self.cause(exit_code)?;
                let at = cause.at;
                job.cause = Some(Box::new(cause));
                Ok(at.map_or(Sight::End, Sight::Row))
            }
            Goal::Place(place) => self.row_at(place, tail),
            Goal::Time(time) => {
                let row = self.file.offset_of_time(&self.index, time, tail)?;
                Ok(row.map_or(Sight::Nothing, Sight::Row))
            }
            Goal::Row(_) if !self.is_counted => {
                self.count()?;
                job.looked_bytes = self.index.bytes();
                Ok(Sight::NotYet)
            }
            Goal::Row(row) => Ok(self
                .file
                .offset_of_row(&self.index, row, tail)?
                .map_or(Sight::Nothing, Sight::Row)),
            Goal::Next { what: Sought::Error, from, towards, round } => {
                self.seek_match(job, &Query::errors(), from, towards, round)
            }
            Goal::Next { what: Sought::Match(query), from, towards, round } => {
                self.seek_match(job, &query, from, towards, round)
            }
        }
    }

    /// Returns the likely cause of a failure. If the end of a long log states no defect, the search
    /// goes on in the background.
    fn cause(&mut self, exit_code: Option<i64>) -> Result<Cause> {
        if let Some((_, cause)) = self.whole_cause.as_ref().filter(|(of, _)| *of == exit_code) {
            return Ok(cause.clone());
        }
        if let Some(cause) = stored_cause(&self.file, exit_code, self.tail)? {
            return Ok(cause);
        }
        let (cause, rest) = find_cause_at_end(&self.file, exit_code, self.tail)?;
        if self.cause_search.as_ref().is_none_or(|(of, _)| *of != exit_code) {
            self.cause_search = rest.map(|search| (exit_code, search));
        }
        Ok(cause)
    }

    /// Finds the first row at or after a place, or the last row of the log.
    fn row_at(&self, place: u64, tail: Tail) -> Result<Sight> {
        let mut rows = self.file.window(Anchor::From(place), 1, tail)?.rows;
        if rows.is_empty() {
            rows = self.file.window(Anchor::End, 1, tail)?.rows;
        }
        Ok(rows.first().map_or(Sight::Nothing, |row| Sight::Row(row.offset)))
    }

    /// Searches for a match for one slice. If `round` is true, the search wraps once, and ends at
    /// `origin`.
    fn seek_match(
        &self,
        job: &mut ReadJob,
        query: &Query,
        origin: u64,
        towards: Towards,
        round: bool,
    ) -> Result<Sight> {
        let Step::Seek { from, has_wrapped } = &mut job.step else { return Ok(Sight::Nothing) };
        let scan = self.search.as_ref().filter(|scan| scan.query == *query);
        *from = (*from).min(self.file.bytes());
        match find(
            &self.file,
            query,
            scan.map(|scan| &scan.hits),
            *from,
            towards,
            SLICE_BYTES,
            self.tail,
        )? {
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
