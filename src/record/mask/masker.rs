//! The masking of one stream.
//!
//! ```text
//! text       … log in with hunter2hunter2 and hunt         secrets: hunter2
//!            └─ passed on ─┘└[PW]─┘└[PW]─┘└──┘ └ held: the beginning of a secret
//! ```
//!
//! The prefilter searches the text for candidates. The automaton reads the text around a candidate,
//! until no form is in progress that began at the candidate or before. Matches that overlap become
//! one region with one replacement. A region is replaced when no form is in progress that began
//! inside it.
//!
//! Invariant: between two calls, exactly the bytes from the beginning of the earliest form in
//! progress are held. They are shorter than the longest form, if each of its spaces counts
//! [`MAX_RUN_BYTES`] bytes.

use std::sync::Arc;

use aho_corasick::automaton::StateID;

use super::forms::is_whitespace;
use super::needles::{HEAD_BYTES, Needles};

/// The length in bytes of the longest run of whitespace that matches another run.
pub const MAX_RUN_BYTES: usize = 256;

/// A filter that replaces the secrets in the bytes of one stream.
///
/// It passes on pieces of the text and replacements, in order. An empty piece is possible.
pub struct Masker {
    needles: Arc<Needles>,
    /// The last bytes of the text, if they may be the beginning of a secret.
    held: Vec<u8>,
    walk: Walk,
    /// Matched regions that are not replaced yet, in order and apart from each other.
    regions: Vec<Region>,
}

/// A part of the text to be replaced. Positions are relative to the held bytes.
struct Region {
    /// `None` if it begins before the held bytes.
    start: Option<usize>,
    end: usize,
    /// The index of the secret that begins first in it. If two begin together, that of the longer.
    owner: usize,
}

impl Masker {
    pub(super) fn new(needles: Arc<Needles>) -> Self {
        let walk = Walk::new(needles.start(), 0);
        Self { needles, held: Vec::new(), walk, regions: Vec::new() }
    }

    /// Masks further bytes of the stream. `emit` receives the replacements, and all bytes that
    /// cannot be a part of a secret any more, whatever follows.
    pub fn push(&mut self, bytes: &[u8], mut emit: impl FnMut(&[u8])) {
        let mut held = std::mem::take(&mut self.held);
        if held.is_empty() {
            let passed = self.mask(bytes, &mut emit);
            held.extend_from_slice(bytes.get(passed..).unwrap_or_default());
        } else {
            held.extend_from_slice(bytes);
            let passed = self.mask(&held, &mut emit);
            held.drain(..passed);
        }
        self.held = held;
    }

    /// Ends the stream: `emit` receives the rest. Afterward, a new stream can begin.
    pub fn finish(&mut self, mut emit: impl FnMut(&[u8])) {
        let held = std::mem::take(&mut self.held);
        self.pass_on(&held, held.len(), &mut emit);
        self.walk = Walk::new(self.needles.start(), 0);
    }

    /// Returns the number of bytes that are held.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Masks the held and further bytes. Returns the number of bytes that need not be held.
    fn mask(&mut self, text: &[u8], emit: &mut impl FnMut(&[u8])) -> usize {
        self.search(text);
        let resolved = self.walk.earliest_start(&self.needles);
        self.pass_on(text, resolved, emit);
        self.walk.rebase(resolved);
        resolved
    }

    /// Finds all regions in the text.
    fn search(&mut self, text: &[u8]) {
        // `regions` contains all matches that end at `seen` or before. `walk` contains all forms in
        // progress that begin before `resolved`.
        let (mut seen, mut resolved) = (self.walk.at, 0);
        while let Some(from) = self.walk_on(text, resolved, &mut seen)
            && let Some(prefilter) = &self.needles.prefilter
        {
            let candidate = prefilter.find(text, from);
            resolved = candidate.map_or(text.len(), |candidate| candidate + 1);
            let start = match candidate {
                Some(candidate) => prefilter.earliest(text, from, candidate),
                None => prefilter.unfinished(text, from),
            };
            self.walk = Walk::new(self.needles.start(), start);
        }
    }

    /// Reads the text until no form is in progress that begins before `resolved`. Then returns the
    /// position at which the prefilter can continue; `None` at the end of the text.
    fn walk_on(&mut self, text: &[u8], resolved: usize, seen: &mut usize) -> Option<usize> {
        let Self { needles, walk, regions, .. } = self;
        while let Some(byte) = text.get(walk.at) {
            if needles.prefilter.is_some()
                && walk.forms.is_empty()
                && let start = walk.earliest_start(needles)
                && start >= resolved
            {
                return Some(start);
            }
            let is_new = walk.at >= *seen;
            walk.read(*byte, needles, |region| {
                if is_new {
                    add(region, regions);
                }
            });
            *seen = walk.at.max(*seen);
        }
        None
    }

    /// Passes on the text before `resolved`, where the earliest form in progress begins.
    fn pass_on(&mut self, text: &[u8], resolved: usize, emit: &mut impl FnMut(&[u8])) {
        let mut from = 0;
        let piece = |from: usize, to| text.get(from..to).unwrap_or_default();
        let closed = self.regions.partition_point(|region| region.end <= resolved);
        for region in self.regions.drain(..closed) {
            emit(piece(from, region.start.unwrap_or(from)));
            emit(self.needles.replacement(region.owner).as_bytes());
            from = region.end;
        }
        let open = self.regions.first().map_or(resolved, |region| region.start.unwrap_or(from));
        emit(piece(from, open.min(resolved)));
        for region in &mut self.regions {
            region.start = region.start.and_then(|start| start.checked_sub(resolved));
            region.end -= resolved;
        }
    }
}

/// Adds a match. Matches are added in the order of their ends.
fn add(mut region: Region, regions: &mut Vec<Region>) {
    while let Some(last) = regions.pop_if(|last| Some(last.end) > region.start) {
        if last.start < region.start {
            region = Region { end: region.end, ..last };
        }
    }
    regions.push(region);
}

/// The state of the automaton at a position of the text.
struct Walk {
    /// The position after the last byte that was read, relative to the held bytes.
    at: usize,
    state: StateID,
    /// The forms whose heads were matched, and which are compared byte by byte.
    forms: Vec<Started>,
    /// The length of the run of whitespace before the position.
    run: usize,
    /// The runs of more than one byte, in order.
    gaps: Vec<Gap>,
}

/// A form in progress.
struct Started {
    index: usize,
    /// The length in normalized bytes of its longest prefix that ends at the position.
    matched: usize,
}

/// A run of whitespace.
struct Gap {
    end: usize,
    /// The number of bytes that are not in the normalized text.
    extra: usize,
}

impl Walk {
    fn new(state: StateID, at: usize) -> Self {
        Self { at, state, forms: Vec::new(), run: 0, gaps: Vec::new() }
    }

    /// Reads the next byte, and reports the matches that it completes.
    fn read(&mut self, byte: u8, needles: &Needles, mut report: impl FnMut(Region)) {
        self.at += 1;
        let is_whitespace = is_whitespace(byte);
        self.run = if is_whitespace { self.run + 1 } else { 0 };
        if self.run > 1 {
            self.extend_run(needles);
            return;
        }
        let byte = if is_whitespace { b' ' } else { byte };
        let (at, gaps) = (self.at, &self.gaps);
        let mut found = |length, owner| {
            report(Region { start: Some(start_of(length, at, gaps)), end: at, owner });
        };
        self.forms.retain_mut(|form| form.read(byte, needles, &mut found));
        self.state = needles.next(self.state, byte);
        for (length, group) in needles.heads_at(self.state) {
            for index in group {
                match needles.form(index) {
                    Some(form) if form.text.len() == length => found(length, form.owner),
                    _ if self.forms.iter().any(|started| started.index == index) => {}
                    _ => self.forms.push(Started { index, matched: length }),
                }
            }
        }
    }

    fn extend_run(&mut self, needles: &Needles) {
        match self.gaps.last_mut() {
            Some(gap) if gap.end + 1 == self.at => {
                *gap = Gap { end: self.at, extra: gap.extra + 1 };
            }
            _ => self.gaps.push(Gap { end: self.at, extra: 1 }),
        }
        if self.run > MAX_RUN_BYTES {
            self.state = needles.start();
            self.forms.clear();
        }
    }

    /// Returns the position at which the earliest form in progress begins; the current position if
    /// no form is in progress.
    fn earliest_start(&self, needles: &Needles) -> usize {
        let longest = self.forms.iter().map(|form| form.matched).max();
        let depth = needles.depth(self.state);
        start_of(longest.map_or(depth, |longest| longest.max(depth)), self.at, &self.gaps)
    }

    /// Moves all positions back, after `removed` bytes were passed on.
    fn rebase(&mut self, removed: usize) {
        self.at -= removed;
        self.gaps.retain_mut(|gap| {
            let is_held = gap.end > removed;
            gap.end = gap.end.saturating_sub(removed);
            is_held
        });
    }
}

impl Started {
    /// Reads the next byte of the normalized text. Returns false if at most a part of the head of
    /// the form is in progress, which the automaton tracks.
    fn read(&mut self, byte: u8, needles: &Needles, found: &mut impl FnMut(usize, usize)) -> bool {
        let Some(form) = needles.form(self.index) else { return false };
        while form.text.get(self.matched) != Some(&byte) {
            self.matched = form.border(self.matched);
            if self.matched < HEAD_BYTES {
                return false;
            }
        }
        self.matched += 1;
        if self.matched == form.text.len() {
            found(self.matched, form.owner);
            self.matched = form.border(self.matched);
        }
        self.matched >= HEAD_BYTES
    }
}

/// Returns the position at which the last `length` bytes of the normalized text begin.
fn start_of(length: usize, at: usize, gaps: &[Gap]) -> usize {
    let mut start = at.saturating_sub(length);
    for gap in gaps.iter().rev() {
        if gap.end <= start {
            break;
        }
        start = start.saturating_sub(gap.extra);
    }
    start
}
