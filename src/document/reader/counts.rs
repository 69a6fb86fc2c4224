//! The counts of a document: rows, matches of the search, and rows that pass the filter.
//!
//! A log is counted while it is open. Its counts stay when it is closed, and are forgotten when the
//! document is requested again and the log may have grown.

use crate::document::{HitCount, Known};
use std::collections::HashMap;

use super::DocumentReader;

/// The counts of the sections that are counted completely.
#[derive(Default)]
pub(super) struct Counts(HashMap<usize, Counted>);

/// The counts of a section.
#[derive(Clone, Copy, Default)]
pub(super) struct Counted {
    rows: u64,
    stderr_rows: u64,
    hits: u64,
    passed: u64,
}

impl Counts {
    pub(super) fn of(&self, section: usize) -> Option<&Counted> {
        self.0.get(&section)
    }

    /// Forgets the counts of the sections for which `is_kept` returns false.
    pub(super) fn keep(&mut self, mut is_kept: impl FnMut(usize) -> bool) {
        self.0.retain(|section, _| is_kept(*section));
    }

    /// Renumbers the sections. The counts of sections without a new number are forgotten.
    pub(super) fn renumber(&mut self, moved: impl Fn(usize) -> Option<usize>) {
        let counts = self.0.drain().filter_map(|(at, counted)| Some((moved(at)?, counted)));
        self.0 = counts.collect();
    }

    /// Notes the counts of a section that is counted completely.
    pub(super) fn note(&mut self, section: usize, counted: Counted) {
        self.0.insert(section, counted);
    }
}

impl DocumentReader {
    /// Notes the counts of a section if it is counted completely.
    pub(super) fn note_count(&mut self, section: usize) {
        if self.log(section).is_some_and(|log| !log.has_uncounted()) {
            let counted = self.so_far(section);
            self.counts.note(section, counted);
        }
    }

    /// Returns the counts of all sections, as far as they are known.
    pub(super) fn totals(&self) -> Known {
        let is_all = self.next_uncounted().is_none();
        let (mut all, mut has_rows) = (Counted::default(), true);
        for (section, _) in
            self.document.sections.iter().enumerate().filter(|(_, section)| section.log.is_some())
        {
            let counted = self.counts.of(section).copied().unwrap_or_else(|| self.so_far(section));
            has_rows &= self.counts.of(section).is_some()
                || self.log(section).is_some_and(|log| log.totals().is_some());
            all.rows += counted.rows;
            all.stderr_rows += counted.stderr_rows;
            all.hits += counted.hits;
            all.passed += counted.passed;
        }
        let count = |rows| HitCount { rows, is_all, number: None };
        let is_inverse = self.filter.as_ref().is_some_and(|filter| filter.is_inverse);
        Known {
            total_rows: has_rows.then_some(all.rows),
            stderr_rows: has_rows.then_some(all.stderr_rows),
            hits: self.search.as_ref().map(|_| count(all.hits)),
            // An inverse filter passes the rows that do not match: their number is unknown until
            // all are counted.
            passed: self
                .filter
                .as_ref()
                .filter(|_| is_all || !is_inverse)
                .map(|_| count(all.passed)),
            ..Known::default()
        }
    }

    /// Returns the counts of an open log so far.
    fn so_far(&self, section: usize) -> Counted {
        let Some(log) = self.log(section) else { return Counted::default() };
        let rows = |count: Option<HitCount>| count.map_or(0, |count| count.rows);
        let (hits, passed) = (rows(log.hits()), rows(log.passed(self.filter.as_ref())));
        let totals = log.totals().unwrap_or_default();
        Counted { rows: totals.rows, stderr_rows: totals.stderr_rows, hits, passed }
    }

    /// Returns the number of matches before a section; `None` until they are counted.
    pub(super) fn hits_before(&self, section: usize) -> Option<u64> {
        let mut before = (0..section).filter(|at| {
            self.document.sections.get(*at).is_some_and(|section| section.log.is_some())
        });
        before.try_fold(0, |sum, at| Some(sum + self.counts.of(at)?.hits))
    }
}
