//! The groups of a log: which rows lie in which, as far as it was scanned. They nest, or lie apart.
//!
//! ```text
//! heading ►  ::group::Build       this row stays when the group is folded
//! body    ►  cc -c main.c         hidden, with the end's row
//!            ::endgroup::
//! end     ►  the next row         `u64::MAX` while the group has no end: what comes belongs to it
//! ```
//!
//! How deep they nest is what those who print them make of it: GitHub has one group at a time, so a
//! new one ends the one before; sections and folds have names, so that one begins within another,
//! and an end takes along what began within it; a heading ends the one before. An end without a
//! start is a plain row. So is a start that lies too deep, or behind too many others.

use std::iter::{once, repeat};
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, LazyLock};

use super::markers::{GroupKind, GroupMark, marks};
use super::query::Query;
use super::walk::{Match, walk};
use crate::error::Result;
use crate::log::{Checkpoint, LogFile, Tail};

/// The most groups that are held; 48 bytes each.
const MAX_GROUPS: usize = 1 << 16;

/// How deep they may lie.
const MAX_DEPTH: usize = 32;

/// Some rows under a heading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    /// Where its heading's row begins, in bytes from the start of the file.
    pub heading: u64,
    /// Behind that row's first line: rows that begin from here on lie in the group.
    pub body: u64,
    /// Behind its last row; `u64::MAX` while it has no end.
    pub end: u64,
    /// Whether it wants to be folded from the start.
    pub is_collapsed: bool,
    /// The group around it.
    parent: Option<u32>,
    /// The heading that this one has ended.
    ended: Option<u32>,
    /// The sign of a heading.
    sign: Option<u8>,
}

/// The groups of a log, as far as it was scanned.
#[derive(Clone, Debug)]
pub struct Groups {
    /// By their headings.
    all: Vec<Group>,
    /// Those that have no end so far, each in the one before it.
    open: Vec<Open>,
    is_full: bool,
    /// The latest end so far.
    last_end: u64,
    /// Before the first row that may change, or that was not scanned.
    checkpoint: Checkpoint,
    bytes: u64,
    /// Rows that begin before it have said what they say.
    heard: u64,
    /// Of the log.
    generation: u64,
}

/// A group that has no end so far.
#[derive(Clone, Debug)]
struct Open {
    group: usize,
    kind: OpenKind,
}

/// As [`GroupKind`], with names of its own.
#[derive(Clone, Debug)]
enum OpenKind {
    Command,
    Section(Box<[u8]>),
    Fold(Box<[u8]>),
    Heading,
}

/// Rows that tell of groups.
static QUERY: LazyLock<Query> = LazyLock::new(Query::groups);

/// Goes on where `groups` end, by about `max_bytes`: how far it came; 0 at the end of the log.
/// `groups` must be of this log; of another generation of it they are begun anew. A line without
/// its LF is not looked at.
///
/// # Errors
/// When the log cannot be read. `groups` are of use then, too.
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
        groups.hear(&row);
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
    /// Of a log that was not scanned yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            all: Vec::new(),
            open: Vec::new(),
            is_full: false,
            last_end: 0,
            checkpoint: Checkpoint::START,
            bytes: 0,
            heard: 0,
            generation: 0,
        }
    }

    /// All of them, by their headings.
    #[must_use]
    pub fn all(&self) -> &[Group] {
        &self.all
    }

    /// How far the log was scanned.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the log has more groups, or deeper ones, than are held.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.is_full
    }

    /// The innermost group around the row that begins at an offset; a heading is in its own.
    #[must_use]
    pub fn around(&self, offset: u64) -> Option<&Group> {
        let last = self.all.partition_point(|group| group.heading <= offset).checked_sub(1)?;
        let mut group = self.all.get(last)?;
        while group.end <= offset && group.heading != offset {
            group = self.all.get(group.parent? as usize)?;
        }
        Some(group)
    }

    /// The group of which the row that begins at an offset is the heading.
    #[must_use]
    pub fn headed_by(&self, offset: u64) -> Option<&Group> {
        self.around(offset).filter(|group| group.heading == offset)
    }

    /// Which rows are out of sight if these groups are folded: those that begin within these
    /// ranges, which ascend.
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

    fn hear(&mut self, row: &Match<'_>) {
        // What may still change is heard when it has ended, if nothing behind it was heard
        // meanwhile.
        if !row.is_complete || row.offset < self.heard {
            return;
        }
        self.heard = row.after;
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

    /// Ends the innermost open group of a kind at `end`; those within it already where the row
    /// begins that says so, unless that row has ended a group within them before.
    fn end(&mut self, kind: GroupKind<'_>, row: u64, end: u64) {
        let level = match kind {
            // What lies around another group than a heading goes on with it.
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

    /// The hunk that begins at an offset shows that the two rows directly before it are the files
    /// of a diff.
    fn take_back_diff(&mut self, offset: u64) {
        if let Some(new) = self.take_back(b'+', offset) {
            self.take_back(b'-', new);
        }
    }

    /// A trace of two signs shows that the rows of three directly before it are traces too.
    fn take_back_trace(&mut self, mut offset: u64) {
        while let Some(before) = self.take_back(b'+', offset) {
            offset = before;
        }
    }

    /// The heading of this sign directly before an offset is none: where its row begins. What it
    /// ended goes on.
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

/// A group by its place among at most [`MAX_GROUPS`].
fn number(group: Option<usize>) -> Option<u32> {
    group.and_then(|group| u32::try_from(group).ok())
}

#[cfg(test)]
mod tests;
