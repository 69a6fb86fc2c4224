//! What is looked for, and whether a text has it.

use std::ops::Range;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;

use super::errors::{CLUE_LITERALS, LITERALS, is_error};
use super::markers::{self, marks};
use super::prefilter::Prefilter;
use super::shown::{Progress, plain};
use crate::log::Row;

/// What is looked for. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Query {
    wanted: Target,
    /// As it was asked for; empty for errors.
    pattern: Arc<str>,
    /// What of the rows is shown, and so looked at.
    progress: Progress,
    /// Which raw bytes may be of a match.
    prefilter: Option<Arc<Prefilter>>,
}

#[derive(Clone, Debug)]
enum Target {
    Pattern(Regex),
    Errors,
    Clues,
    Groups,
}

impl Query {
    /// Rows that match a regular expression, or that contain a text if `literal`. Case matters if
    /// an upper-case letter is asked for.
    ///
    /// # Errors
    /// Why the pattern is no regular expression, in a few words.
    pub fn new(pattern: &str, literal: bool) -> Result<Self, String> {
        let any_case = !has_upper_case(pattern, literal);
        let (asked, escaped) = (Arc::from(pattern), regex::escape(pattern));
        let pattern = if literal { &escaped } else { pattern };
        let regex = RegexBuilder::new(pattern)
            .case_insensitive(any_case)
            .build()
            .map_err(|error| reason(&error))?;
        let parsed = ParserBuilder::new().case_insensitive(any_case).build().parse(pattern);
        let prefilter = parsed.ok().and_then(|parsed| Prefilter::of_pattern(&parsed));
        Ok(Self {
            wanted: Target::Pattern(regex),
            prefilter: prefilter.map(Arc::new),
            pattern: asked,
            progress: Progress::Last,
        })
    }

    /// Rows that tell of an error.
    #[must_use]
    pub fn errors() -> Self {
        Self::of_table(Target::Errors, LITERALS)
    }

    /// Rows that may tell of an error, or of what error rows around them are worth.
    pub(super) fn clues() -> Self {
        Self::of_table(Target::Clues, &[LITERALS, CLUE_LITERALS].concat())
    }

    fn of_table(wanted: Target, literals: &[&str]) -> Self {
        let prefilter = Prefilter::of_texts(literals).map(Arc::new);
        Self { wanted, prefilter, pattern: Arc::from(""), progress: Progress::Last }
    }

    /// Rows that tell of groups. Their bytes are looked at as they were recorded.
    pub(super) fn groups() -> Self {
        Self::of_table(Target::Groups, markers::LITERALS)
    }

    /// The same in rows that show so much of what they overwrote; at first it is their last state.
    #[must_use]
    pub fn showing(self, progress: Progress) -> Self {
        Self { progress, ..self }
    }

    /// How much of what rows overwrote is looked at.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        self.progress
    }

    /// The pattern as it was asked for.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether a row has it.
    #[must_use]
    pub fn matches(&self, row: &Row, progress: Progress) -> bool {
        self.is_in(&row.text, progress)
    }

    /// Where a shown text has it, in bytes, to be marked. Nothing is marked in rows that tell of an
    /// error.
    #[must_use]
    pub fn marks(&self, text: &str) -> Vec<Range<usize>> {
        match &self.wanted {
            Target::Pattern(regex) => regex
                .find_iter(text)
                .map(|found| found.range())
                .filter(|range| !range.is_empty())
                .collect(),
            Target::Errors | Target::Clues | Target::Groups => Vec::new(),
        }
    }

    /// What the lines have in raw bytes that may match; `None` when any may.
    pub(super) fn prefilter(&self) -> Option<&Prefilter> {
        self.prefilter.as_deref()
    }

    fn suspects(&self, text: &str) -> bool {
        self.prefilter().is_none_or(|prefilter| prefilter.is_in(text))
    }

    /// Whether the bytes of a row have it when they are shown.
    pub(super) fn is_in(&self, bytes: &[u8], progress: Progress) -> bool {
        match &self.wanted {
            Target::Pattern(regex) => regex.is_match(&plain(bytes, progress)),
            // Most suspects are acquitted by their shown text, and much sooner.
            Target::Errors => {
                let text = plain(bytes, progress);
                self.suspects(&text) && is_error(&text)
            }
            Target::Clues => self.suspects(&plain(bytes, progress)),
            Target::Groups => !marks(bytes).marks.is_empty(),
        }
    }
}

impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        match (&self.wanted, &other.wanted) {
            (Target::Pattern(a), Target::Pattern(b)) => {
                a.as_str() == b.as_str() && self.progress == other.progress
            }
            (Target::Errors, Target::Errors)
            | (Target::Clues, Target::Clues)
            | (Target::Groups, Target::Groups) => true,
            _ => false,
        }
    }
}

/// Whether a pattern asks for an upper-case letter. What follows a backslash is a class (`\S`,
/// `\pL`, `\p{Lu}`), no letter.
fn has_upper_case(pattern: &str, literal: bool) -> bool {
    let mut rest = pattern.chars();
    while let Some(found) = rest.next() {
        if found == '\\' && !literal {
            match (rest.next(), rest.as_str().starts_with('{')) {
                (Some('p' | 'P' | 'x' | 'u' | 'U'), true) => _ = rest.find(|end| *end == '}'),
                (Some('p' | 'P'), false) => _ = rest.next(),
                _ => {}
            }
        } else if found.is_uppercase() {
            return true;
        }
    }
    false
}

/// The last line of what `regex` says: before it stands the pattern with a caret, which needs a
/// column of its own.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        error => {
            let told = error.to_string();
            let last = told.lines().last().unwrap_or_default();
            last.trim_start_matches("error:").trim().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(pattern: &str, literal: bool, text: &str) -> Vec<Range<usize>> {
        Query::new(pattern, literal).unwrap().marks(text)
    }

    #[test]
    fn case_matters_if_an_upper_case_letter_is_asked_for() {
        for (pattern, text, found) in [
            ("error", "an Error", true),
            ("Error", "an error", false),
            ("größe", "GRÖSSE GRÖßE", true),
            (r"\Sx", "aX", true),
            (r"\\D", r"\d", false),
        ] {
            assert_eq!(!marks(pattern, false, text).is_empty(), found, "{pattern} in {text}");
        }
        assert!(!has_upper_case(r"\p{Lu}\PL\x{4A}", false));
        assert_eq!(
            marks(r"\S", true, r"a\S\s \S"),
            [1..3, 6..8],
            "as text the letter behind a backslash is one"
        );
    }

    #[test]
    fn a_literal_is_no_regular_expression() {
        assert_eq!(marks("a.c", true, "abc a.c a.c"), [4..7, 8..11]);
        assert_eq!(marks("a.c", false, "abc a.c"), [0..3, 4..7]);
        assert_eq!(marks("(", true, "f((x)"), [1..2, 2..3]);
    }

    #[test]
    fn what_is_empty_is_not_marked() {
        assert_eq!(marks("x*", false, "axxbx"), [1..3, 4..5]);
        assert!(marks("", false, "ab").is_empty());
        assert!(Query::errors().marks("error: no").is_empty());
    }

    #[test]
    fn a_pattern_that_makes_no_sense_is_told_in_one_short_line() {
        for (pattern, why) in [
            ("(", "unclosed group"),
            ("*", "repetition operator missing expression"),
            ("[z-a]", "invalid character class range, the start must be <= the end"),
            ("(?:a{1000}){1000}{1000}", "it is too large"),
        ] {
            assert_eq!(Query::new(pattern, false).unwrap_err(), why, "{pattern}");
        }
    }
}
