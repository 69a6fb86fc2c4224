//! The search for runs: all words of the typed text must match a row of the list. Pure.
//!
//! In the state, the repository, the ref, the name and the subject of the commit, other characters
//! may come between the letters of a word. An ID, its short form and a commit must begin with the
//! word, because nearly any text occurs somewhere among hex digits. The operators (`!passed`,
//! `^main`, `'exact`, `dev$`) and the smart case are those of `fzf`.

use std::borrow::Cow;
use std::cell::RefCell;

use nucleo_matcher::pattern::{Atom, AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use unicode_segmentation::UnicodeSegmentation;

use crate::display::{self, Status};
use crate::join::RunHead;
use crate::sanitize::name;

/// The length from which a word is compared with the whole ID: all IDs of a year begin with the
/// same characters.
const SHORTEST_ID: usize = 4;

/// A parsed search text.
pub struct RunsQuery {
    words: Vec<Word>,
    /// The matcher. It is in a `RefCell` because each match changes its internal buffers.
    matcher: RefCell<Matcher>,
}

/// A word in two forms: one for names, one for hex digits.
struct Word {
    in_names: Atom,
    in_hexes: Atom,
    /// True if the word must not match.
    is_negative: bool,
}

impl Word {
    fn new(mut atom: Atom) -> Self {
        let is_negative = std::mem::take(&mut atom.negative);
        let mut in_hexes = atom.clone();
        if in_hexes.kind == AtomKind::Fuzzy {
            in_hexes.kind = AtomKind::Prefix;
        }
        Self { in_names: atom, in_hexes, is_negative }
    }
}

/// The kind of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextKind {
    /// A name: a state, a repository, a ref, or the name or the subject of a run.
    Name,
    /// Hex digits.
    Hex,
}

impl RunsQuery {
    /// Parses a typed text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let words = Pattern::parse(text, CaseMatching::Smart, Normalization::Smart).atoms;
        let words = words.into_iter().map(Word::new).collect();
        Self { words, matcher: RefCell::new(Matcher::new(Config::DEFAULT)) }
    }

    /// Returns true if all words match a run.
    #[must_use]
    pub fn matches(&self, head: &RunHead) -> bool {
        let run = &head.run;
        let of = |text: &Option<String>| {
            text.as_deref().map(|text| name(text).into_owned()).unwrap_or_default()
        };
        let names = [
            Status::of_run(head).word().to_owned(),
            of(&run.repo),
            display::short_ref(run).unwrap_or_default(),
            display::pipeline(run).unwrap_or_default(),
            display::subject(run).unwrap_or_default(),
        ];
        let hexes = [name(run.id.short()), Cow::Owned(of(&run.sha))];
        let id = name(run.id.as_str());
        self.words.iter().all(|word| {
            let has_id = word.in_names.needle_text().len() >= SHORTEST_ID;
            let names = names.iter().map(|text| (&**text, TextKind::Name));
            let hexes =
                hexes.iter().chain(has_id.then_some(&id)).map(|text| (&**text, TextKind::Hex));
            names.chain(hexes).any(|(text, kind)| !self.places(word, text, kind).is_empty())
                != word.is_negative
        })
    }

    /// Returns the characters of a text (as indices of grapheme clusters, from 0) that match.
    #[must_use]
    pub fn marks(&self, text: &str, kind: TextKind) -> Vec<usize> {
        let wanted = self.words.iter().filter(|word| !word.is_negative);
        let places = wanted.flat_map(|word| self.places(word, text, kind));
        places.filter_map(|place| usize::try_from(place).ok()).collect()
    }

    /// Returns the indices of the characters that match a word; empty if the text does not match.
    fn places(&self, word: &Word, text: &str, kind: TextKind) -> Vec<u32> {
        let word = if kind == TextKind::Name { &word.in_names } else { &word.in_hexes };
        // `Utf32Str::new` would return byte offsets if each grapheme begins with an ASCII
        // character, as a letter with a combining accent does.
        let chars: Vec<char> =
            text.graphemes(true).filter_map(|grapheme| grapheme.chars().next()).collect();
        let text = if text.is_ascii() {
            Utf32Str::Ascii(text.as_bytes())
        } else {
            Utf32Str::Unicode(&chars)
        };
        let mut places = Vec::new();
        let found = word.indices(text, &mut self.matcher.borrow_mut(), &mut places);
        found.map(|_| places).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::{Recorder, run_head};
    use crate::model::{Run, RunId};
    use crate::time::Time;

    fn head(state: &str, repo: &str, ref_name: &str) -> RunHead {
        let run = Run {
            ref_name: Some(ref_name.into()),
            sha: Some("cafebabe0123".into()),
            state: Some(state.into()),
            finished_at: Some(Time::from_millis(1)),
            in_database: true,
            ..Run::without_row(
                RunId("01a2078a-83c0-7cf2-8c6a-6911d61998d3".into()),
                Some(repo.into()),
            )
        };
        run_head(run, Recorder::Unknown)
    }

    #[test]
    fn every_word_must_be_found_somewhere() {
        let head = head("failed", "oxide/crucible", "refs/heads/fix-Login");
        for (text, is_found) in [
            ("", true),
            ("fail", true),
            ("fail crucible", true),
            ("fail main", false),
            ("crcbl", true),
            ("login", true),
            ("Login", true),
            ("LOGIN", false),
            ("!fail", false),
            ("!passed log", true),
            ("^fix", true),
            ("^login", false),
            ("d619", true),
            ("98d3", false),
            ("01a2078a-83c0-7cf2-8c6a-6911d61998d3", true),
            ("01a", false),
            ("cafe", true),
            ("babe", false),
        ] {
            assert_eq!(RunsQuery::new(text).matches(&head), is_found, "{text:?}");
        }
    }

    #[test]
    fn what_was_typed_is_marked() {
        let marks = |text, kind| RunsQuery::new("ml !x").marks(text, kind);
        assert_eq!(marks("main-line", TextKind::Name), [0, 5]);
        assert_eq!(marks("mlx", TextKind::Hex), [0, 1]);
        assert_eq!(
            marks("e\u{301}ml", TextKind::Name),
            [1, 2],
            "a character is what one sees as one"
        );
    }
}
