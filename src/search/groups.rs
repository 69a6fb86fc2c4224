//! The groups of a log, as far as it has been scanned. Two groups are nested or disjoint.
//!
//! ```text
//! heading ►  ::group::Build       remains visible when the group is folded
//! body    ►  cc -c main.c         hidden, like the row of the end marker
//!            ::endgroup::
//! end     ►  the next row         `u64::MAX` while the group has no end: new rows belong to it
//! ```
//!
//! Nesting follows the systems that print the markers:
//!
//! - GitHub has one group at a time, so a new group ends the previous one.
//! - Sections and folds have names and can be nested. The end of a section or fold also ends all
//!   groups that began within it.
//! - A heading ends the heading before it.
//!
//! An end without a start is a plain row. So is a start beyond the maximum depth or number of
//! groups.

mod stored;

use std::iter::{once, repeat};
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, LazyLock};

use super::markers::{GroupKind, GroupMark, marks};
use super::query::Query;
use super::walk::{Match, walk};
use crate::error::Result;
use crate::log::{Checkpoint, LogFile, Tail};

/// The maximum number of groups that are stored, at 48 bytes each.
const MAX_GROUPS: usize = 1 << 16;

/// The maximum depth of nested groups.
const MAX_DEPTH: usize = 32;

/// A heading and the rows below it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    /// The start of the heading's row, in bytes from the start of the file.
    pub heading: u64,
    /// The end of the first line of that row. Rows that begin between here and `end` are in the
    /// group.
    pub body: u64,
    /// The end of the last row; `u64::MAX` while the group has no end.
    pub end: u64,
    /// True if the log requests that the group is folded at first.
    pub is_collapsed: bool,
    /// The index of the enclosing group.
    parent: Option<u32>,
    /// The index of the heading that this heading ended.
    ended: Option<u32>,
    /// The sign of a Buildkite heading: `-`, `+` or `~`.
    sign: Option<u8>,
}

/// The groups of a log, as far as it has been scanned.
#[derive(Clone, Debug)]
pub struct Groups {
    /// All groups, by the offsets of their headings.
    all: Vec<Group>,
    /// The groups without an end, each within the one before it.
    open: Vec<Open>,
    is_full: bool,
    /// The largest end so far.
    last_end: u64,
    /// The point before the first row that may change or has not been scanned.
    checkpoint: Checkpoint,
    bytes: u64,
    /// Rows that begin before this offset have been evaluated.
    scanned: u64,
    /// The generation of the log.
    generation: u64,
}

/// A group without an end.
#[derive(Clone, Debug)]
struct Open {
    group: usize,
    kind: OpenKind,
}

/// A [`GroupKind`] with owned names.
#[derive(Clone, Debug)]
enum OpenKind {
    Command,
    Section(Box<[u8]>),
    Fold(Box<[u8]>),
    Heading,
}

/// A query for the rows with group markers.
static QUERY: LazyLock<Query> = LazyLock::new(Query::groups);

/// Scans about `max_bytes` more of the log, from the point where `groups` ends. Returns how many
/// bytes were scanned; 0 at the end of the log. `groups` must be of this log; if they are of
/// another generation of the log, the scan restarts. A line without its LF is not examined.
///
/// # Errors
/// If the log cannot be read. `groups` is still valid then.
pub fn group(log: &LogFile, groups: &mut Groups, max_bytes: u64) -> Result<u64> {
    if groups.generation != log.generation() {
        *groups = Groups { generation: log.generation(), ..Groups::new() };
    }
    let bytes = log.bytes_now()?;
    if groups.bytes >= bytes {
        return Ok(0);
    }
    let end = bytes.min(groups.bytes.saturating_add(max_bytes));
    let from = groups.checkpoint;
    groups.checkpoint = walk(log, &QUERY, from, end, Tail::Hold, &mut |row| {
        groups.scan_row(&row);
        ControlFlow::Continue(())
    })?;
    let came = end - groups.bytes;
    groups.bytes = end;
    Ok(came)
}

impl Default for Groups {
    fn default() -> Self {
        Self::new()
    }
}

impl Groups {
    /// Creates the groups of a log that has not been scanned yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            all: Vec::new(),
            open: Vec::new(),
            is_full: false,
            last_end: 0,
            checkpoint: Checkpoint::START,
            bytes: 0,
            scanned: 0,
            generation: 0,
        }
    }

    /// Returns all groups, by the offsets of their headings.
    #[must_use]
    pub fn all(&self) -> &[Group] {
        &self.all
    }

    /// Returns how many bytes of the log have been scanned.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns true if the log has more groups, or more deeply nested ones, than are stored.
    #[must_use]
    #[cfg(test)]
    pub const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Returns the innermost group that contains the row at `offset`. A heading is in its own
    /// group.
    #[must_use]
    pub fn around(&self, offset: u64) -> Option<&Group> {
        let last = self.all.partition_point(|group| group.heading <= offset).checked_sub(1)?;
        let mut group = self.all.get(last)?;
        while group.end <= offset && group.heading != offset {
            group = self.all.get(group.parent? as usize)?;
        }
        Some(group)
    }

    /// Returns the number of groups that contain the row at `offset`. A heading is not in its own
    /// group.
    #[must_use]
    pub fn depth(&self, offset: u64) -> usize {
        let parent = |group: &&Group| self.all.get(group.parent? as usize);
        let around = std::iter::successors(self.around(offset), parent);
        around.filter(|group| group.heading != offset).count()
    }

    /// Returns the group whose heading is the row at `offset`.
    #[must_use]
    pub fn headed_by(&self, offset: u64) -> Option<&Group> {
        self.around(offset).filter(|group| group.heading == offset)
    }

    /// Returns the ranges that are hidden if the groups accepted by `is_folded` are folded, in
    /// ascending order. The rows that begin within a range are hidden.
    #[must_use]
    pub fn hidden(&self, is_folded: impl Fn(&Group) -> bool) -> Arc<[Range<u64>]> {
        let mut hidden: Vec<Range<u64>> = Vec::new();
        for group in &self.all {
            let is_out = hidden.last().is_some_and(|hidden| group.heading < hidden.end);
            if !is_out && group.body < group.end && is_folded(group) {
                hidden.push(group.body..group.end);
            }
        }
        hidden.into()
    }

    fn scan_row(&mut self, row: &Match<'_>) {
        // An incomplete row is evaluated by a later scan, when it is complete. It is ignored if a
        // row after it has been evaluated by then.
        if !row.is_complete || row.offset < self.scanned {
            return;
        }
        self.scanned = row.after;
        let marked = marks(row.text);
        let end = if marked.is_end() { row.after } else { row.offset };
        for mark in marked.marks {
            match mark {
                GroupMark::Start { kind, is_collapsed } => self.start(row, kind, is_collapsed),
                GroupMark::End(kind) => self.end(kind, row.offset, end),
                GroupMark::Hunk => self.take_back_diff(row.offset),
                GroupMark::Trace => self.take_back_trace(row.offset),
            }
        }
    }

    fn start(&mut self, row: &Match<'_>, kind: GroupKind<'_>, is_collapsed: bool) {
        let last = self.open.last().map(|open| open.group);
        self.end(kind, row.offset, row.offset);
        let ended = last.filter(|last| self.open.last().is_none_or(|open| open.group != *last));
        if self.all.len() >= MAX_GROUPS || self.open.len() >= MAX_DEPTH {
            self.is_full = true;
            return;
        }
        let sign = if let GroupKind::Heading(sign) = kind { Some(sign) } else { None };
        self.all.push(Group {
            heading: row.offset,
            body: row.after,
            end: u64::MAX,
            is_collapsed,
            parent: number(self.open.last().map(|open| open.group)),
            ended: number(ended.filter(|_| sign.is_some())),
            sign,
        });
        self.open.push(Open { group: self.all.len() - 1, kind: kind.into() });
    }

    /// Ends the innermost open group of a kind at `end`. Open groups within it end at `row`, the
    /// start of the row with the marker, but not before the end of any group that has already
    /// ended.
    fn end(&mut self, kind: GroupKind<'_>, row: u64, end: u64) {
        let level = match kind {
            // A heading does not end groups of other kinds, or groups around them.
            GroupKind::Heading(_) => {
                self.open.last().filter(|open| open.is(kind)).map(|_| self.open.len() - 1)
            }
            kind => self.open.iter().rposition(|open| open.is(kind)),
        };
        let before = self.last_end;
        let ended = self.open.drain(level.unwrap_or(self.open.len())..);
        for (open, end) in ended.zip(once(end).chain(repeat(row))) {
            if let Some(group) = self.all.get_mut(open.group) {
                group.end = end.max(group.body).max(before);
                self.last_end = self.last_end.max(group.end);
            }
        }
    }

    /// Handles the hunk of a diff at `offset`: the two rows directly above are its file names, not
    /// headings.
    fn take_back_diff(&mut self, offset: u64) {
        if let Some(new) = self.take_back(b'+', offset) {
            self.take_back(b'-', new);
        }
    }

    /// Handles a shell trace of depth two (`++`) at `offset`: rows of depth three (`+++`) directly
    /// above it are traces, not headings.
    fn take_back_trace(&mut self, mut offset: u64) {
        while let Some(before) = self.take_back(b'+', offset) {
            offset = before;
        }
    }

    /// Removes the heading with this sign whose row ends at `offset`, and reopens the group that it
    /// had ended. Returns the start of the heading's row; `None` if there is no such heading.
    fn take_back(&mut self, sign: u8, offset: u64) -> Option<u64> {
        let group = *self.all.last()?;
        let is_open = self.open.last().is_some_and(|open| open.group + 1 == self.all.len());
        if !is_open || group.sign != Some(sign) || group.body != offset {
            return None;
        }
        self.all.pop();
        self.open.pop();
        if let Some(ended) = group.ended.map(|ended| ended as usize) {
            if let Some(ended) = self.all.get_mut(ended) {
                ended.end = u64::MAX;
            }
            self.open.push(Open { group: ended, kind: OpenKind::Heading });
        }
        Some(group.heading)
    }
}

impl Open {
    fn is(&self, kind: GroupKind<'_>) -> bool {
        match (&self.kind, kind) {
            (OpenKind::Command, GroupKind::Command)
            | (OpenKind::Heading, GroupKind::Heading(_)) => true,
            (OpenKind::Section(own), GroupKind::Section(name))
            | (OpenKind::Fold(own), GroupKind::Fold(name)) => **own == *name,
            _ => false,
        }
    }
}

impl From<GroupKind<'_>> for OpenKind {
    fn from(kind: GroupKind<'_>) -> Self {
        match kind {
            GroupKind::Command => Self::Command,
            GroupKind::Section(name) => Self::Section(name.into()),
            GroupKind::Fold(name) => Self::Fold(name.into()),
            GroupKind::Heading(_) => Self::Heading,
        }
    }
}

/// Converts the index of a group. It always fits, because there are at most [`MAX_GROUPS`].
fn number(group: Option<usize>) -> Option<u32> {
    group.and_then(|group| u32::try_from(group).ok())
}

#[cfg(test)]
mod tests;
