//! The form in which the groups of a whole log are stored beside it.

use serde::{Deserialize, Serialize};

use super::{Group, Groups};
use crate::log::{Beside, LogFile, pack, unpack};

/// The version of the form.
const SCHEMA: &str = "rundown.groups/1";

/// The document. All offsets are in bytes from the start of the log.
#[derive(Serialize, Deserialize)]
struct Stored {
    schema: String,
    /// The size of the log.
    bytes: u64,
    /// By the offsets of their headings.
    groups: Vec<StoredGroup>,
}

#[derive(Serialize, Deserialize)]
struct StoredGroup {
    heading: u64,
    body: u64,
    /// `None` if the group has no end.
    end: Option<u64>,
    is_collapsed: bool,
    /// The index of the enclosing group, which is before this one.
    parent: Option<u32>,
}

impl Groups {
    /// Returns the groups that are stored beside a log, or an empty set. A log with
    /// stored groups does not grow.
    #[must_use]
    pub fn of(log: &LogFile) -> Self {
        let stored = log.beside(Beside::Groups).and_then(|packed| Self::decode(&packed));
        stored.filter(|groups| groups.bytes == log.bytes()).unwrap_or_default()
    }

    /// Returns the stored form of the groups of a log that was scanned as a whole.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let group = |group: &Group| StoredGroup {
            heading: group.heading,
            body: group.body,
            end: Some(group.end).filter(|end| *end != u64::MAX),
            is_collapsed: group.is_collapsed,
            parent: group.parent,
        };
        let groups = self.all.iter().map(group).collect();
        pack(&Stored { schema: SCHEMA.into(), bytes: self.bytes, groups })
    }

    /// Returns the groups of a stored form; `None` if it is not one, or if its groups are not in
    /// order, as searches in them require.
    pub(super) fn decode(packed: &[u8]) -> Option<Self> {
        let Stored { schema, bytes, groups } = unpack(packed)?;
        let mut all: Vec<Group> = Vec::with_capacity(groups.len());
        for StoredGroup { heading, body, end, is_collapsed, parent } in groups {
            let end = end.unwrap_or(u64::MAX);
            let is_after = all.last().is_none_or(|last| last.heading < heading);
            let is_within = parent.is_none_or(|parent| (parent as usize) < all.len());
            if !is_after || !is_within || body < heading || end < body {
                return None;
            }
            all.push(Group { heading, body, end, is_collapsed, parent, ended: None, sign: None });
        }
        (schema == SCHEMA).then(|| Self { all, bytes, scanned: bytes, ..Self::new() })
    }
}
