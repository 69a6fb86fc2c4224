//! A document: the output of a command, of a job, or of a run, as a list of sections. Pure.
//!
//! ```text
//!  ▸ ✓ 1 cargo build                       12.1s      section 1, folded: its heading alone
//!  ▾ ✗ 2 cargo test             exit 101   34.0s      section 2, open: its heading and its rows
//!    running 41 tests
//! ```
//!
//! A command that is shown alone is one section without a heading. A job or a run has a section
//! with a heading for each command.
//!
//! Each row has a 64-bit address, and addresses are in the order of the rows. The high bits are the
//! number of the section; the low bits are the byte at which the row begins in the section's log.
//! Sections with headings are numbered from 1, and the address of a heading is one less than that
//! of the row at byte 0. A section without a heading is number 0: its addresses are offsets.

use std::sync::Arc;

use crate::join::{JobNode, LogRef, Place, RunNode, ShNode, ShState};
use crate::log::LogPath;
use crate::log::Tail;
use crate::model::{LogCut, Phase, RunId, Sh};

/// The number of offset bits in an address: logs up to 16 TiB.
const OFFSET_BITS: u32 = 44;

/// The output of a part of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// The run.
    pub run: RunId,
    /// The command or the run whose log is shown; with headings, the job or the run whose commands
    /// are shown.
    pub of: Place,
    /// True if each section begins with a heading. Without headings, there is one section.
    pub has_headings: bool,
    /// The sections, in the order of their rows.
    pub sections: Arc<[Section]>,
}

/// A part of a document: a command, the run itself if it has a log of its own, or a job without
/// commands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// Its place in the run.
    pub place: Place,
    /// Its log, if it has one.
    pub log: Option<LogPath>,
    /// The treatment of a last line without a newline.
    pub tail: Tail,
    /// The state of its command; unknown without a command.
    pub state: ShState,
    /// The exit status of its command, if it has ended.
    pub exit_status: Option<i64>,
    /// The output that was removed from the middle of its log.
    pub cut: Option<LogCut>,
    /// True if its rows are shown; false if only its heading is shown.
    pub is_open: bool,
}

/// The position of a row in a document.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RowAddress {
    /// The heading of this section, from 0.
    Heading(usize),
    /// The row of this section's log that begins at this byte.
    Row(usize, u64),
}

impl RowAddress {
    /// Returns the section of the row, from 0.
    #[must_use]
    pub const fn section(self) -> usize {
        match self {
            Self::Heading(section) | Self::Row(section, _) => section,
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
}

impl Section {
    /// Returns true if the section's log may still grow.
    #[must_use]
    pub fn may_grow(&self) -> bool {
        self.tail == Tail::Hold
    }

    /// Returns true if its command failed or was interrupted.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.state.is_failure()
    }

    /// Returns true if it is open before the user chooses: commands that have not passed are. The
    /// log of the run itself is folded, because the output of the jobs matters more.
    #[must_use]
    pub fn opens_by_default(&self) -> bool {
        self.place.n().is_some() && self.state != ShState::Passed
    }
}

impl Document {
    /// Returns the document of one log, without a heading.
    #[must_use]
    pub fn of_log(run: RunId, section: Section) -> Self {
        Self { run, of: section.place.clone(), has_headings: false, sections: [section].into() }
    }

    /// Opens the sections for which `is_open` returns true, and folds the others.
    pub fn open_if(&mut self, is_open: impl Fn(&Section) -> bool) {
        let open = |section: &Section| Section { is_open: is_open(section), ..section.clone() };
        self.sections = self.sections.iter().map(open).collect();
    }

    /// Returns the places of the sections.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.sections.iter().map(|section| &section.place)
    }

    /// Returns the place of the last command.
    #[must_use]
    pub fn last_command(&self) -> Option<&Place> {
        self.sections.iter().rev().map(|section| &section.place).find(|place| place.n().is_some())
    }

    /// Returns true if both show the same part of the same run, even in different states.
    #[must_use]
    pub fn is_of_same(&self, other: &Self) -> bool {
        self.run == other.run && self.of == other.of && self.has_headings == other.has_headings
    }

    /// Replaces missing logs with those of an earlier state of this document: a log that was
    /// deleted while it was open can still be read.
    pub fn keep_logs(&mut self, before: &Self) {
        let old_log = |place: &Place| {
            let mut sections = before.sections.iter();
            sections.find(|old| old.place == *place).and_then(|old| old.log.clone())
        };
        if self.sections.iter().all(|section| section.log.is_some()) {
            return;
        }
        let keep = |section: &Section| {
            let log = section.log.clone().or_else(|| old_log(&section.place));
            Section { log, ..section.clone() }
        };
        self.sections = self.sections.iter().map(keep).collect();
    }

    /// Returns true if there are rows to read, or headings to show.
    #[must_use]
    pub fn has_rows(&self) -> bool {
        self.has_headings || self.sections.iter().any(|section| section.log.is_some())
    }

    /// Returns the row at an address. An address before the first heading means that heading.
    #[must_use]
    pub fn row(&self, address: u64) -> RowAddress {
        if !self.has_headings {
            return RowAddress::Row(0, address);
        }
        let section = |address: u64| {
            usize::try_from(address >> OFFSET_BITS).map_or(usize::MAX, |n| n.max(1) - 1)
        };
        let (next, mask) = (address.saturating_add(1), (1 << OFFSET_BITS) - 1);
        if next & mask == 0 || next >> OFFSET_BITS == 0 {
            RowAddress::Heading(section(next))
        } else {
            RowAddress::Row(section(address), address & mask)
        }
    }

    /// Returns the address of a row.
    #[must_use]
    pub fn address(&self, row: RowAddress) -> u64 {
        let base = |section: usize| {
            u64::try_from(section).unwrap_or(u64::MAX).saturating_add(1) << OFFSET_BITS
        };
        match row {
            RowAddress::Row(_, offset) if !self.has_headings => offset,
            RowAddress::Heading(_) if !self.has_headings => 0,
            RowAddress::Heading(section) => base(section) - 1,
            // The last offset is reserved for the next heading.
            RowAddress::Row(section, offset) => base(section) | offset.min((1 << OFFSET_BITS) - 2),
        }
    }

    /// Returns the section whose heading has this address.
    #[must_use]
    pub fn heading(&self, address: u64) -> Option<&Section> {
        match self.row(address) {
            RowAddress::Heading(section) => self.sections.get(section),
            RowAddress::Row(..) => None,
        }
    }

    /// Returns the address of the heading of a section; of the start of the log if there are no
    /// headings.
    #[must_use]
    pub fn heading_of(&self, section: usize) -> u64 {
        self.address(RowAddress::Heading(section))
    }

    /// Returns the section that contains an address.
    #[must_use]
    pub fn section(&self, address: u64) -> Option<&Section> {
        self.sections.get(self.row(address).section())
    }

    /// Returns the log of a section, and the treatment of its last line.
    #[must_use]
    pub fn log_of(&self, section: usize) -> Option<(LogPath, Tail)> {
        let section = self.sections.get(section)?;
        Some((section.log.clone()?, section.tail))
    }

    /// Returns the log that contains a row, the treatment of its last line, and the row's offset in
    /// it.
    #[must_use]
    pub fn log_at(&self, address: u64) -> Option<(LogPath, Tail, u64)> {
        let row = self.row(address);
        let (log, tail) = self.log_of(row.section())?;
        Some((log, tail, row.offset()))
    }

    /// Returns the address of the row at this byte of a place's log; `None` without such a place.
    #[must_use]
    pub fn address_of(&self, place: &Place, offset: u64) -> Option<u64> {
        let section = self.sections.iter().position(|section| section.place == *place)?;
        Some(self.address(RowAddress::Row(section, offset)))
    }

    /// Returns the output that was removed from the log directly after a row; `None` if none was.
    /// `next` is the address of the next row that is shown, if any.
    #[must_use]
    pub fn cut_after(&self, address: u64, next: Option<u64>) -> Option<LogCut> {
        let RowAddress::Row(section, offset) = self.row(address) else { return None };
        let cut = self.sections.get(section)?.cut.filter(|cut| offset < cut.at)?;
        let at = self.address(RowAddress::Row(section, cut.at));
        next.is_none_or(|next| next >= at).then_some(cut)
    }

    /// Returns the address that a row of an earlier state of this document has now. If its section
    /// is gone, returns the heading of the section with the same index, or of the last section if
    /// there are fewer.
    #[must_use]
    pub fn readdress(&self, before: &Self, address: u64) -> u64 {
        let row = before.row(address);
        let old = row.section();
        let found = before
            .sections
            .get(old)
            .and_then(|old| self.sections.iter().position(|new| new.place == old.place));
        self.address(match (found, row) {
            (Some(section), RowAddress::Heading(_)) => RowAddress::Heading(section),
            (Some(section), RowAddress::Row(_, offset)) => RowAddress::Row(section, offset),
            (None, _) => RowAddress::Heading(old.min(self.sections.len().saturating_sub(1))),
        })
    }
}

/// Returns the sections of a job, or of the run.
#[must_use]
pub fn sections(run: &RunNode, of: &Place) -> Arc<[Section]> {
    let is_active = run.head.phase == Phase::Active;
    let own = run.log.iter().filter(|_| *of == Place::Run);
    let own = own.map(|log| own_section(Some(log), is_active));
    own.chain(jobs(run, of).flat_map(|job| job_sections(job, is_active))).collect()
}

/// Returns the size of each section's log, in bytes, at the time the run was read; in the order of
/// the sections.
#[must_use]
pub fn log_bytes(run: &RunNode, of: &Place) -> Vec<u64> {
    let of_job = |job: &JobNode| -> Vec<u64> {
        let bytes = |sh: &ShNode| sh.log.as_ref().map_or(0, |log| log.bytes);
        if job.shs.is_empty() { vec![0] } else { job.shs.iter().map(bytes).collect() }
    };
    run.log
        .iter()
        .filter(|_| *of == Place::Run)
        .map(|log| log.bytes)
        .chain(jobs(run, of).flat_map(of_job))
        .collect()
}

/// Returns the job of a place, or all jobs if the place is the run.
pub fn jobs<'a>(run: &'a RunNode, of: &'a Place) -> impl Iterator<Item = &'a JobNode> {
    run.jobs.iter().filter(|job| of.job().is_none_or(|id| job.job.id == *id))
}

/// Returns the section of the run's own log.
#[must_use]
pub fn own_section(log: Option<&LogRef>, is_active: bool) -> Section {
    section(Place::Run, log, ShState::Unknown, is_active)
}

fn job_sections(job: &JobNode, is_active: bool) -> Vec<Section> {
    if job.shs.is_empty() {
        return vec![section(Place::Job(job.job.id.clone()), None, ShState::Unknown, false)];
    }
    job.shs.iter().map(|sh| sh_section(job, sh, is_active)).collect()
}

/// Returns the section of a command.
#[must_use]
pub fn sh_section(job: &JobNode, sh: &ShNode, is_active: bool) -> Section {
    let place = Place::Sh(job.job.id.clone(), sh.n);
    let exit_status = sh.sh.as_ref().and_then(Sh::exit_status);
    let cut = sh.sh.as_ref().and_then(Sh::cut);
    Section { exit_status, cut, ..section(place, sh.log.as_ref(), sh.state, is_active) }
}

fn section(place: Place, log: Option<&LogRef>, state: ShState, is_active: bool) -> Section {
    let tail = if may_grow(state, is_active) { Tail::Hold } else { Tail::Emit };
    let log = log.map(|log| log.path.clone());
    Section { place, log, tail, state, exit_status: None, cut: None, is_open: true }
}

/// Returns true if a command may still write. In an active run, this includes a command with a log
/// but no database row: some stores add the row when the command ends.
#[must_use]
pub const fn may_grow(state: ShState, is_run_active: bool) -> bool {
    matches!(state, ShState::Running) || (matches!(state, ShState::Unknown) && is_run_active)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn document(numbers: &[u32], has_headings: bool) -> Document {
        let section = |n: &u32| {
            section(Place::Sh(crate::model::JobId("a".into()), *n), None, ShState::Passed, false)
        };
        let sections = numbers.iter().map(section).collect();
        Document { run: RunId("r".into()), of: Place::Run, has_headings, sections }
    }

    proptest! {
        #[test]
        fn addresses_round_trip_and_keep_their_order(
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
            let document = document(&[], true);
            let (a, b) = (row(a, heads[0]), row(b, heads[1]));
            prop_assert_eq!(document.row(document.address(a)), a);
            let rank = |row: RowAddress| match row {
                RowAddress::Heading(section) => (section, 0, 0),
                RowAddress::Row(section, offset) => (section, 1, offset),
            };
            let order = document.address(a).cmp(&document.address(b));
            prop_assert_eq!(order, rank(a).cmp(&rank(b)));
        }
    }

    #[test]
    fn addresses_without_headings_are_offsets() {
        let document = document(&[1], false);
        assert_eq!(document.row(77), RowAddress::Row(0, 77));
        assert_eq!(document.address(RowAddress::Row(0, 77)), 77);
        assert_eq!(document.heading(0), None);
    }

    #[test]
    fn output_is_removed_after_the_last_row_before_the_cut() {
        let mut document = document(&[1, 2], true);
        let cut = Some(LogCut { at: 50, bytes: 9, may_be_more: false });
        let section = |section: &Section| Section { cut, ..section.clone() };
        document.sections = document.sections.iter().map(section).collect();
        let address = |section, offset| document.address(RowAddress::Row(section, offset));
        let after = |offset, next| document.cut_after(address(0, offset), next);
        assert_eq!(after(30, Some(address(0, 40))), None);
        assert_eq!(after(40, Some(address(0, 50))), cut);
        assert_eq!(after(40, Some(document.address(RowAddress::Heading(1)))), cut);
        assert_eq!(after(40, None), cut);
        assert_eq!(after(50, Some(address(0, 60))), None);
    }

    #[test]
    fn a_row_keeps_its_command_when_others_appear_before_it() {
        let (before, now) = (document(&[1, 3], true), document(&[1, 2, 3], true));
        let moved = |before: &Document, now: &Document, row| {
            now.row(now.readdress(before, before.address(row)))
        };
        assert_eq!(moved(&before, &now, RowAddress::Row(1, 77)), RowAddress::Row(2, 77));
        assert_eq!(
            moved(&now, &before, RowAddress::Row(1, 5)),
            RowAddress::Heading(1),
            "the section is gone"
        );
    }
}
