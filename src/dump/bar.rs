//! The times of runs, jobs and commands as bars, for the formats that show them in time.

use super::printing::Printing;
use crate::join::{JobNode, ShNode};
use crate::time::Time;

/// The maximum number of rows at the start of a log that are searched for a time.
const MAX_ROWS_WITHOUT_TIME: usize = 100;

/// A bar: the time from a start to an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bar {
    pub start: Time,
    pub end: Time,
    /// True if the end is the last time that is known.
    pub is_open: bool,
}

impl Bar {
    /// Creates a bar. `last` is the last known time. A bar whose end is before its start, because
    /// the clock was set back, has no length.
    pub fn new(start: Time, end: Option<Time>, last: Time) -> Self {
        Self { start, end: end.unwrap_or(last).max(start), is_open: end.is_none() }
    }

    /// Creates the bar of a job around those of its commands, which are sorted by their start.
    /// Returns `None` if no start is known.
    pub fn of_job(job: &JobNode, shs: &[(&ShNode, Self)]) -> Option<Self> {
        let first = shs.first().map(|(_, bar)| bar.start);
        let start = job.job.started_at.into_iter().chain(first).min()?;
        let last = shs.iter().map(|(_, bar)| bar.end).max().unwrap_or(start);
        let mut bar = Self::new(start, job.ended_at(), last);
        bar.end = bar.end.max(last);
        Some(bar)
    }
}

impl Printing<'_> {
    /// Returns the commands of a job whose start is known, with their bars, sorted by their start.
    pub(super) fn sh_bars<'j>(&mut self, job: &'j JobNode) -> Vec<(&'j ShNode, Bar)> {
        let mut shs: Vec<_> =
            job.shs.iter().filter_map(|sh| Some((sh, self.sh_bar(sh)?))).collect();
        shs.sort_by_key(|(_, bar)| bar.start);
        shs
    }

    /// Returns the bar of a command; `None` if its start is unknown.
    fn sh_bar(&mut self, node: &ShNode) -> Option<Bar> {
        let sh = node.sh.as_ref();
        let start = sh.and_then(|sh| sh.started_at).or(node.first_at);
        let start = start.or_else(|| self.first_row_at(node))?;
        let end = sh.and_then(|sh| sh.finished_at);
        let last = if end.is_none() { self.last_row_at(node) } else { None };
        Some(Bar::new(start, end, last.unwrap_or(start)))
    }

    /// Returns the time of the first row of a log.
    fn first_row_at(&mut self, node: &ShNode) -> Option<Time> {
        let file = self.open(node.log.as_ref()?)?;
        let tail = self.tail();
        let rows = self.report_err(file.rows(0, 0, tail))?;
        rows.take(MAX_ROWS_WITHOUT_TIME).find_map(|row| row.ok()?.at)
    }

    /// Returns the time of the last row of a log.
    fn last_row_at(&mut self, node: &ShNode) -> Option<Time> {
        let file = self.open(node.log.as_ref()?)?;
        let tail = self.tail();
        let start = self.report_err(file.tail_offset(1, tail))?;
        let rows = self.report_err(file.rows(start, 0, tail))?;
        rows.filter_map(|row| row.ok()?.last_at).last()
    }

    /// Returns the bar of the run. `first` and `last` are the first start and the last end of its
    /// jobs. Returns `None` if no start is known.
    pub(super) fn run_bar(&self, first: Option<Time>, last: Option<Time>) -> Option<Bar> {
        let head = &self.run.head;
        let start = head.run.started_at.into_iter().chain(first).min()?;
        Some(Bar::new(start, head.ended_at(), last.unwrap_or(start)))
    }
}
