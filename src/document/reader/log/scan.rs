//! Counting the matches of a query in a log: background work, done in slices.

use super::SLICE_BYTES;
use crate::document::HitCount;
use crate::error::Result;
use crate::log::{Anchor, LogFile, Tail};
use crate::search::{Hits, Query, rank, scan};

/// A query whose matches are counted in the background.
pub(super) struct Scan {
    pub(super) query: Query,
    pub(super) hits: Hits,
    pub(super) is_done: bool,
}

impl Scan {
    /// Starts to count if the query is a new one. Without a query, stops counting.
    pub(super) fn set(scan: &mut Option<Self>, query: Option<&Query>) {
        if scan.as_ref().map(|scan| &scan.query) != query {
            *scan =
                query.map(|query| Self { query: query.clone(), hits: Hits::new(), is_done: false });
        }
    }

    /// Scans one slice. Returns true if the end of the log is reached.
    pub(super) fn go_on(&mut self, file: &LogFile, tail: Tail) -> Result<bool> {
        Ok(scan(file, &mut self.hits, &self.query, SLICE_BYTES, tail)? < SLICE_BYTES)
    }

    /// Returns the number of matching rows found so far.
    pub(super) const fn total(&self) -> HitCount {
        HitCount { rows: self.hits.total(), is_all: self.is_done, number: None }
    }

    /// Returns the number of matching rows found so far, and the number of a row among them.
    pub(super) fn count(
        &self,
        file: &LogFile,
        target: Option<u64>,
        tail: Tail,
    ) -> Result<HitCount> {
        let number = match target.filter(|row| *row < self.hits.bytes()) {
            Some(row) if self.is_hit(file, row, tail)? => {
                Some(rank(file, &self.query, &self.hits, row, tail)? + 1)
            }
            _ => None,
        };
        Ok(HitCount { number, ..self.total() })
    }

    /// Returns true if a row begins at this offset and matches: the target of a request need not be
    /// a match of this query.
    fn is_hit(&self, file: &LogFile, row: u64, tail: Tail) -> Result<bool> {
        let rows = file.window(Anchor::From(row), 1, tail)?.rows;
        Ok(rows.first().is_some_and(|found| {
            found.offset == row && self.query.matches(found, self.query.progress())
        }))
    }
}
