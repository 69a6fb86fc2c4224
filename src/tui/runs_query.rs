//! What is typed to find runs: words that must all be found in what a row of the list says. Pure.
//!
//! In the word of the state, the repository and the ref the letters of a word may have others
//! between them; an id, its short form and a commit begin with it: among hex digits nearly anything
//! is somewhere. Which marks a word may have (`!passed`, `^main`, `'exact`, `dev$`) and that
//! capitals count once one is typed, is as in `fzf`.

use std::borrow::Cow;
use std::cell::RefCell;

use nucleo_matcher::pattern::{Atom, AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use unicode_segmentation::UnicodeSegmentation;

use crate::display::{self, Status};
use crate::join::RunHead;
use crate::sanitize::name;

/// The fewest characters that may stand for the beginning of a whole id: all ids of a year begin
/// with the same.
const SHORTEST_ID: usize = 4;

/// What is typed, taken apart.
pub struct RunsQuery {
    words: Vec<Word>,
    /// It keeps buffers between calls; that is all that changes.
    matcher: RefCell<Matcher>,
}

/// A word, and how it is looked for.
struct Word {
    in_names: Atom,
    in_hexes: Atom,
    /// It must not be found.
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

/// What a text is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextKind {
    /// Words, for people.
    Name,
    /// Hex digits.
    Hex,
}

impl RunsQuery {
    /// From what was typed.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let words = Pattern::parse(text, CaseMatching::Smart, Normalization::Smart).atoms;
        let words = words.into_iter().map(Word::new).collect();
        Self { words, matcher: RefCell::new(Matcher::new(Config::DEFAULT)) }
    }

    /// Whether all words are found in a run.
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

    /// Which characters of a text (grapheme clusters, from 0) were typed.
    #[must_use]
    pub fn marks(&self, text: &str, kind: TextKind) -> Vec<usize> {
        let wanted = self.words.iter().filter(|word| !word.is_negative);
        let places = wanted.flat_map(|word| self.places(word, text, kind));
        places.filter_map(|place| usize::try_from(place).ok()).collect()
    }

    /// Where the characters of a word stand in a text; nowhere when it does not match.
    fn places(&self, word: &Word, text: &str, kind: TextKind) -> Vec<u32> {
        let word = if kind == TextKind::Name { &word.in_names } else { &word.in_hexes };
        // `Utf32Str::new` counts bytes where a letter and its accent are two characters.
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
