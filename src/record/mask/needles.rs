//! All forms of all secrets, prepared for the search.
//!
//! An automaton finds where a form begins. It reads normalized text, in which a run of whitespace
//! is one space. It contains only the *head* of each form, since its size and the time to build it
//! grow with its text, and a private key has a thousand forms. The rest of a form is compared byte
//! by byte (see `masker`).

use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::Anchored;
use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::contiguous::NFA;

use super::prefilter::Prefilter;

/// The maximum length of a head.
pub const HEAD_BYTES: usize = 16;

/// The forms of a set of secrets.
pub struct Needles {
    automaton: NFA,
    start: StateID,
    /// The depth of each state, by its number: the length of the longest text that leads to the
    /// state and is a prefix of a longer form. Numbers without a state have the depth 0.
    depths: Vec<usize>,
    /// The forms of each head, as a range of `forms`.
    groups: Vec<Range<usize>>,
    /// Sorted by their text.
    forms: Vec<Form>,
    replacements: Vec<String>,
    /// `None` if a form has only short words. Then the automaton reads all text.
    pub prefilter: Option<Prefilter>,
}

/// A form of a secret.
pub struct Form {
    /// Its text, normalized.
    pub text: Vec<u8>,
    /// The index of its secret.
    pub owner: usize,
    borders: OnceLock<Vec<usize>>,
}

impl Needles {
    /// Prepares the forms of named secrets. A form of two secrets belongs to the first. Returns
    /// `None` if their heads exceed the limit of the automaton, 2³¹ states.
    pub fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, Vec<Vec<u8>>)>) -> Option<Self> {
        let (mut forms, mut replacements) = (Vec::new(), Vec::new());
        for (owner, (name, texts)) in secrets.into_iter().enumerate() {
            forms.extend(texts.into_iter().map(|text| Form::new(text, owner)));
            replacements.push(format!("[{name}]"));
        }
        forms.sort_by(|a, b| a.text.cmp(&b.text));
        forms.dedup_by(|later, first| later.text == first.text);
        let (mut heads, mut groups) = (Vec::new(), Vec::new());
        for group in forms.chunk_by(|a, b| a.head() == b.head()) {
            let first = groups.last().map_or(0, |previous: &Range<usize>| previous.end);
            groups.push(first..first + group.len());
            heads.extend(group.first().map(Form::head));
        }
        let automaton = NFA::builder().prefilter(false).build(&heads).ok()?;
        let start = automaton.start_state(Anchored::No).ok()?;
        let depths = depths(&automaton, start, &heads, &forms);
        let prefilter = Prefilter::new(forms.iter().map(|form| form.text.as_slice()));
        Some(Self { automaton, start, depths, groups, forms, replacements, prefilter })
    }

    /// Returns the text that replaces a secret.
    pub fn replacement(&self, owner: usize) -> &str {
        self.replacements.get(owner).map_or("", String::as_str)
    }

    /// Returns the texts that replace the secrets.
    pub fn replacements(&self) -> impl Iterator<Item = &String> {
        self.replacements.iter()
    }

    pub fn form(&self, index: usize) -> Option<&Form> {
        self.forms.get(index)
    }

    /// Returns the state at the beginning of a text.
    pub fn start(&self) -> StateID {
        self.start
    }

    /// Returns the state after a further byte of normalized text.
    pub fn next(&self, state: StateID, byte: u8) -> StateID {
        self.automaton.next_state(Anchored::No, state, byte)
    }

    /// Returns the length of the longest text that leads to this state and is the head of a form in
    /// progress, or a prefix of that head.
    pub fn depth(&self, state: StateID) -> usize {
        self.depths.get(state.as_usize()).copied().unwrap_or(0)
    }

    /// Returns the heads that end at this state: their length and the indexes of their forms.
    pub fn heads_at(&self, state: StateID) -> impl Iterator<Item = (usize, Range<usize>)> {
        let count =
            if self.automaton.is_match(state) { self.automaton.match_len(state) } else { 0 };
        (0..count).map(move |index| {
            let head = self.automaton.match_pattern(state, index);
            let group = self.groups.get(head.as_usize()).cloned().unwrap_or_default();
            (self.automaton.pattern_len(head), group)
        })
    }
}

impl Form {
    fn new(text: Vec<u8>, owner: usize) -> Self {
        Self { text, owner, borders: OnceLock::new() }
    }

    /// Returns the length of the longest proper prefix of the first `matched` bytes that is also
    /// their suffix (the failure function of Knuth, Morris and Pratt).
    pub fn border(&self, matched: usize) -> usize {
        let borders = self.borders.get_or_init(|| borders(&self.text));
        matched.checked_sub(1).and_then(|last| borders.get(last)).copied().unwrap_or(0)
    }

    fn head(&self) -> &[u8] {
        self.text.get(..HEAD_BYTES).unwrap_or(&self.text)
    }
}

fn borders(text: &[u8]) -> Vec<usize> {
    let mut borders: Vec<usize> = Vec::with_capacity(text.len());
    let mut length = 0;
    for (index, byte) in text.iter().enumerate() {
        while length > 0 && text.get(length) != Some(byte) {
            length = borders.get(length - 1).copied().unwrap_or(0);
        }
        length += usize::from(index > 0 && text.get(length) == Some(byte));
        borders.push(length);
    }
    borders
}

/// Returns the depths of the states. Each prefix of a head leads to a state of its own. `forms` is
/// sorted.
fn depths(automaton: &NFA, start: StateID, heads: &[&[u8]], forms: &[Form]) -> Vec<usize> {
    let next = |state, byte: &u8| automaton.next_state(Anchored::No, state, *byte);
    let mut depths = Vec::new();
    for head in heads {
        let mut state = start;
        for (before, byte) in head.iter().enumerate() {
            state = next(state, byte);
            let index = state.as_usize();
            depths.resize(depths.len().max(index + 1), 0);
            if let Some(depth) = depths.get_mut(index) {
                *depth = before + 1;
            }
        }
    }
    // After a head that is a complete form and not the prefix of a longer one, only a form that
    // begins inside the head may be in progress.
    let after = |text: &[u8]| text.iter().fold(start, next).as_usize();
    let mut complete: Vec<&[u8]> =
        heads.iter().copied().filter(|head| !is_continued(head, forms)).collect();
    complete.sort_unstable_by_key(|head| head.len());
    for head in complete {
        let shorter = head.get(1..).and_then(|rest| depths.get(after(rest))).copied();
        if let Some(depth) = depths.get_mut(after(head)) {
            *depth = shorter.unwrap_or(0);
        }
    }
    depths
}

/// Returns true if one of these sorted forms begins with the head and is longer.
fn is_continued(head: &[u8], forms: &[Form]) -> bool {
    let behind = forms.partition_point(|form| form.text.as_slice() <= head);
    forms.get(behind).is_some_and(|form| form.text.starts_with(head))
}
