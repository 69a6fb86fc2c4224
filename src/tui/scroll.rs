//! The run-long view: the output of all commands of a job, or of a run, in one scroll. Pure.
//!
//! ```text
//!  ▸ ✓ 1 cargo build                       12.1s      section 1, folded: its heading alone
//!  ▾ ✗ 2 cargo test             exit 101   34.0s      section 2, open: its heading and the rows of its log
//!    running 41 tests
//! ```
//!
//! Each row has an address of 64 bits in the order of the rows: the number of its section, from 1,
//! above the byte at which it begins in the section's log. The address before a section's first row
//! is its heading's. A single log that is shown alone is section 0: its addresses are its offsets,
//! and it has no heading.

use std::sync::Arc;

use crate::file::FilePath;
use crate::join::{JobNode, LogRef, Place, RunNode, ShNode, ShState};
use crate::log::Tail;
use crate::model::Phase;

/// How many bits of an address are the offset: 16 TiB.
const OFFSET_BITS: u32 = 44;

/// What is shown in the pane of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogSource {
    /// One log; what a last line without its newline is.
    Log(FilePath, Tail),
    /// Logs with headings.
    Scroll(Arc<[Section]>),
}

/// A part of a scroll: a command, the run itself where it has a log of its own, or a job without
/// commands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// What it is.
    pub place: Place,
    /// Its log, if it has one.
    pub log: Option<FilePath>,
    /// What a last line without its newline is.
    pub tail: Tail,
    /// Its rows are shown, not its heading alone.
    pub is_open: bool,
}

/// Where a row of a scroll stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RowAddress {
    /// It is the heading of this section, from 0.
    Heading(usize),
    /// It is a row of this section's log, and begins at this byte.
    Row(usize, u64),
}

impl RowAddress {
    /// The row that an address means, in a scroll.
    #[must_use]
    pub fn of(address: u64) -> Self {
        let next = address.saturating_add(1);
        let section = |address: u64| {
            usize::try_from(address >> OFFSET_BITS).unwrap_or(usize::MAX).saturating_sub(1)
        };
        let mask = (1 << OFFSET_BITS) - 1;
        // Before everything there is the first heading.
        if next & mask == 0 || next >> OFFSET_BITS == 0 {
            Self::Heading(section(next))
        } else {
            Self::Row(section(address), address & mask)
        }
    }

    /// Its address.
    #[must_use]
    pub fn address(self) -> u64 {
        let base = |section: usize| {
            u64::try_from(section).unwrap_or(u64::MAX).saturating_add(1) << OFFSET_BITS
        };
        match self {
            Self::Heading(section) => base(section) - 1,
            // The last offset is kept free for the heading that follows.
            Self::Row(section, offset) => base(section) | offset.min((1 << OFFSET_BITS) - 2),
        }
    }

    /// Where it lies in its log; a heading at its start.
    #[must_use]
    pub const fn offset(self) -> u64 {
        match self {
            Self::Heading(_) => 0,
            Self::Row(_, offset) => offset,
        }
    }

    /// The number of its section, from 0.
    #[must_use]
    pub const fn section(self) -> usize {
        match self {
            Self::Heading(section) | Self::Row(section, _) => section,
        }
    }
}

impl Section {
    /// Whether its log may still grow.
    #[must_use]
    pub fn may_grow(&self) -> bool {
        self.tail == Tail::Hold
    }
}

impl LogSource {
    /// The sections of a scroll; none of a single log.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        match self {
            Self::Log(..) => &[],
            Self::Scroll(sections) => sections,
        }
    }

    /// The section whose heading has this address.
    #[must_use]
    pub fn heading(&self, address: u64) -> Option<&Section> {
        match (self, RowAddress::of(address)) {
            (Self::Scroll(sections), RowAddress::Heading(section)) => sections.get(section),
            _ => None,
        }
    }

    /// The section in which an address lies; none in a single log.
    #[must_use]
    pub fn section(&self, address: u64) -> Option<&Section> {
        self.sections().get(RowAddress::of(address).section())
    }

    /// The log in which a row lies, what its last line is, and where the row begins in it.
    #[must_use]
    pub fn log_at(&self, address: u64) -> Option<(FilePath, Tail, u64)> {
        match self {
            Self::Log(log, tail) => Some((log.clone(), *tail, address)),
            Self::Scroll(_) => {
                let section = self.section(address)?;
                Some((section.log.clone()?, section.tail, RowAddress::of(address).offset()))
            }
        }
    }

    /// The address of a row of the log of a command; the log's own offset where it is shown alone.
    #[must_use]
    pub fn address_of(&self, place: &Place, offset: u64) -> Option<u64> {
        match self {
            Self::Log(..) => Some(offset),
            Self::Scroll(sections) => {
                let section = sections.iter().position(|section| section.place == *place)?;
                Some(RowAddress::Row(section, offset).address())
            }
        }
    }
}

/// What an address of the sections of before is in those of now; the heading of the section that
/// took the place of one that is gone.
#[must_use]
pub fn readdress(before: &[Section], now: &[Section], address: u64) -> u64 {
    let row = RowAddress::of(address);
    let old = row.section();
    let found = before.get(old).and_then(|old| now.iter().position(|new| new.place == old.place));
    match (found, row) {
        (Some(section), RowAddress::Heading(_)) => RowAddress::Heading(section).address(),
        (Some(section), RowAddress::Row(_, offset)) => RowAddress::Row(section, offset).address(),
        (None, _) => RowAddress::Heading(old.min(now.len().saturating_sub(1))).address(),
    }
}

/// The sections of a job, or of the run. Open are those that are `chosen` to be, and, of which
/// nothing is chosen, those that have not passed.
#[must_use]
pub fn sections(
    run: &RunNode,
    of: &Place,
    chosen: impl Fn(&Place) -> Option<bool>,
) -> Arc<[Section]> {
    let is_active = run.head.phase == Phase::Active;
    let own = own_log(run, of).map(|log| own_section(log, is_active));
    let mut sections: Vec<_> =
        own.into_iter().chain(jobs(run, of).flat_map(|job| job_sections(job, is_active))).collect();
    for section in &mut sections {
        section.is_open = chosen(&section.place).unwrap_or(section.is_open);
    }
    sections.into()
}

/// How large the log of each section is, as it was when the run was read; in the order of the
/// sections.
#[must_use]
pub fn log_bytes(run: &RunNode, of: &Place) -> Vec<u64> {
    let of_job = |job: &JobNode| -> Vec<u64> {
        let bytes = |sh: &ShNode| sh.log.as_ref().map_or(0, |log| log.bytes);
        if job.shs.is_empty() { vec![0] } else { job.shs.iter().map(bytes).collect() }
    };
    own_log(run, of)
        .map(|log| log.bytes)
        .into_iter()
        .chain(jobs(run, of).flat_map(of_job))
        .collect()
}

/// The jobs of a scroll.
pub fn jobs<'a>(run: &'a RunNode, of: &'a Place) -> impl Iterator<Item = &'a JobNode> {
    run.jobs.iter().filter(|job| of.job().is_none_or(|id| job.job.id == *id))
}

fn own_log<'a>(run: &'a RunNode, of: &Place) -> Option<&'a LogRef> {
    run.log.as_ref().filter(|_| *of == Place::Run)
}

fn own_section(log: &LogRef, is_active: bool) -> Section {
    // What its jobs print is what one came for.
    Section {
        place: Place::Run,
        log: Some(log.path.clone()),
        tail: tail(is_active),
        is_open: false,
    }
}

fn job_sections(job: &JobNode, is_active: bool) -> Vec<Section> {
    if job.shs.is_empty() {
        let place = Place::Job(job.job.id.clone());
        return vec![Section { place, log: None, tail: Tail::Emit, is_open: false }];
    }
    job.shs.iter().map(|sh| sh_section(job, sh, is_active)).collect()
}

fn sh_section(job: &JobNode, sh: &ShNode, is_active: bool) -> Section {
    Section {
        place: Place::Sh(job.job.id.clone(), sh.n),
        log: sh.log.as_ref().map(|log| log.path.clone()),
        tail: tail(may_grow(sh.state, is_active)),
        is_open: sh.state != ShState::Passed,
    }
}

/// Whether a command may still write. A log without a row in a run that goes on: some stores write
/// the row at the command's end.
#[must_use]
pub const fn may_grow(state: ShState, is_run_active: bool) -> bool {
    matches!(state, ShState::Running) || (matches!(state, ShState::Unknown) && is_run_active)
}

const fn tail(may_grow: bool) -> Tail {
    if may_grow { Tail::Hold } else { Tail::Emit }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn section(n: u32) -> Section {
        Section {
            place: Place::Sh(crate::model::JobId("a".into()), n),
            log: None,
            tail: Tail::Emit,
            is_open: true,
        }
    }

    proptest! {
        #[test]
        fn addresses_come_back_and_keep_the_order(
            a in (0_usize..1000, 0_u64..1 << 44), b in (0_usize..1000, 0_u64..1 << 44), heads: [bool; 2],
        ) {
            let row = |(section, offset): (usize, u64), is_heading| {
                if is_heading { RowAddress::Heading(section) } else { RowAddress::Row(section, offset.min((1 << 44) - 2)) }
            };
            let (a, b) = (row(a, heads[0]), row(b, heads[1]));
            prop_assert_eq!(RowAddress::of(a.address()), a);
            let rank = |row: RowAddress| match row {
                RowAddress::Heading(section) => (section, 0, 0),
                RowAddress::Row(section, offset) => (section, 1, offset),
            };
            prop_assert_eq!(a.address().cmp(&b.address()), rank(a).cmp(&rank(b)));
        }
    }

    #[test]
    fn a_row_keeps_its_command_when_others_appear_before_it() {
        let (before, now) = ([section(1), section(3)], [section(1), section(2), section(3)]);
        let address = RowAddress::Row(1, 77).address();
        assert_eq!(RowAddress::of(readdress(&before, &now, address)), RowAddress::Row(2, 77));
        assert_eq!(
            RowAddress::of(readdress(&now, &before, RowAddress::Row(1, 5).address())),
            RowAddress::Heading(1),
            "it is gone"
        );
    }
}
