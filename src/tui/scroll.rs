//! The run-long view: the output of all commands of a job, or of a run, in one scroll. Pure.
//!
//! ```text
//!  ▸ ✓ 1 cargo build                       12.1s      section 1, folded: its heading alone
//!  ▾ ✗ 2 cargo test             exit 101   34.0s      section 2, open: its heading and its rows
//!    running 41 tests
//! ```
//!
//! Each row has a 64-bit address, and addresses are in the order of the rows. The high bits are the
//! number of the section, from 1; the low bits are the byte at which the row begins in the
//! section's log. The address of a section's heading is one less than that of the row at byte 0. A
//! single log that is shown alone is section 0: its addresses are its offsets, and it has no
//! heading.

use std::sync::Arc;

use crate::file::FilePath;
use crate::join::{JobNode, LogRef, Place, RunNode, ShNode, ShState};
use crate::log::Tail;
use crate::model::Phase;

/// The number of offset bits in an address: logs up to 16 TiB.
const OFFSET_BITS: u32 = 44;

/// The source of the rows in the log's pane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogSource {
    /// A single log, and the treatment of a last line without a newline.
    Log(FilePath, Tail),
    /// Logs with headings.
    Scroll(Arc<[Section]>),
}

/// A part of a scroll: a command, the run itself if it has a log of its own, or a job without
/// commands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// Its place in the run.
    pub place: Place,
    /// Its log, if it has one.
    pub log: Option<FilePath>,
    /// The treatment of a last line without a newline.
    pub tail: Tail,
    /// True if its rows are shown; false if only its heading is shown.
    pub is_open: bool,
}

/// The position of a row in a scroll.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RowAddress {
    /// The heading of this section, from 0.
    Heading(usize),
    /// The row of this section's log that begins at this byte.
    Row(usize, u64),
}

impl RowAddress {
    /// Returns the row at an address in a scroll.
    #[must_use]
    pub fn of(address: u64) -> Self {
        let next = address.saturating_add(1);
        let section = |address: u64| {
            usize::try_from(address >> OFFSET_BITS).unwrap_or(usize::MAX).saturating_sub(1)
        };
        let mask = (1 << OFFSET_BITS) - 1;
        // An address before the first heading means the first heading.
        if next & mask == 0 || next >> OFFSET_BITS == 0 {
            Self::Heading(section(next))
        } else {
            Self::Row(section(address), address & mask)
        }
    }

    /// Returns the address of the row.
    #[must_use]
    pub fn address(self) -> u64 {
        let base = |section: usize| {
            u64::try_from(section).unwrap_or(u64::MAX).saturating_add(1) << OFFSET_BITS
        };
        match self {
            Self::Heading(section) => base(section) - 1,
            // The last offset is reserved for the next heading.
            Self::Row(section, offset) => base(section) | offset.min((1 << OFFSET_BITS) - 2),
        }
    }

    /// Returns the offset of the row in its log; 0 for a heading.
    #[must_use]
    pub const fn offset(self) -> u64 {
        match self {
            Self::Heading(_) => 0,
            Self::Row(_, offset) => offset,
        }
    }

    /// Returns the index of the row's section, from 0.
    #[must_use]
    pub const fn section(self) -> usize {
        match self {
            Self::Heading(section) | Self::Row(section, _) => section,
        }
    }
}

impl Section {
    /// Returns true if the section's log may still grow.
    #[must_use]
    pub fn may_grow(&self) -> bool {
        self.tail == Tail::Hold
    }
}

impl LogSource {
    /// Returns the sections of a scroll; empty for a single log.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        match self {
            Self::Log(..) => &[],
            Self::Scroll(sections) => sections,
        }
    }

    /// Returns the section whose heading has this address.
    #[must_use]
    pub fn heading(&self, address: u64) -> Option<&Section> {
        match (self, RowAddress::of(address)) {
            (Self::Scroll(sections), RowAddress::Heading(section)) => sections.get(section),
            _ => None,
        }
    }

    /// Returns the section that contains an address; `None` for a single log.
    #[must_use]
    pub fn section(&self, address: u64) -> Option<&Section> {
        self.sections().get(RowAddress::of(address).section())
    }

    /// Returns the log that contains a row, the treatment of its last line, and the row's offset in
    /// it.
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

    /// Returns the address of a row in a command's log. In a single log, this is the offset.
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

/// Translates an address from old sections to new ones. If the section is gone, returns the heading
/// of the new section with the same index, or of the last section if there are fewer.
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

/// Returns the sections of a job, or of the run. A section is open if `chosen` returns true for it.
/// If `chosen` returns `None`, the section is open only for a command that has not passed.
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

/// Returns the size of each section's log, in bytes, at the time the run was read; in the order of
/// the sections.
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

/// Returns the jobs of a scroll.
pub fn jobs<'a>(run: &'a RunNode, of: &'a Place) -> impl Iterator<Item = &'a JobNode> {
    run.jobs.iter().filter(|job| of.job().is_none_or(|id| job.job.id == *id))
}

fn own_log<'a>(run: &'a RunNode, of: &Place) -> Option<&'a LogRef> {
    run.log.as_ref().filter(|_| *of == Place::Run)
}

fn own_section(log: &LogRef, is_active: bool) -> Section {
    // Folded at first: the output of the jobs matters more.
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

/// Returns true if a command may still write. In an active run, this includes a command with a log
/// but no database row: some stores add the row when the command ends.
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
            a in (0_usize..1000, 0_u64..1 << 44),
            b in (0_usize..1000, 0_u64..1 << 44),
            heads: [bool; 2],
        ) {
            let row = |(section, offset): (usize, u64), is_heading| {
                if is_heading {
                    RowAddress::Heading(section)
                } else {
                    RowAddress::Row(section, offset.min((1 << 44) - 2))
                }
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
