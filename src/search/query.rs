//! A search pattern or a fixed set of rules, and the test of a text against it.

use std::ops::Range;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;

use super::errors::{all_literals, error_literals, is_error};
use super::markers::{self, marks};
use super::prefilter::Prefilter;
use super::shown::{Progress, plain};
use crate::log::Row;

/// A search query. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Query {
    criterion: Criterion,
    /// The pattern as the user typed it; empty for the fixed sets of rules.
    pattern: Arc<str>,
    /// The amount of overwritten text that is displayed, and so searched.
    progress: Progress,
    /// The prefilter for raw lines; `None` if any line may match.
    prefilter: Option<Arc<Prefilter>>,
}

#[derive(Clone, Debug)]
enum Criterion {
    Pattern(Regex),
    Errors,
    Clues,
    Any,
    Groups,
}

impl Query {
    /// Creates a query for rows that match a regular expression or, if `literal` is true, for rows
    /// containing the pattern as text. Case matters if the pattern contains an upper-case letter.
    ///
    /// # Errors
    /// The reason why the pattern is not a regular expression, in a few words.
    pub fn new(pattern: &str, literal: bool) -> Result<Self, String> {
        let any_case = !has_upper_case(pattern, literal);
        let (typed, escaped) = (Arc::from(pattern), regex::escape(pattern));
        let pattern = if literal { &escaped } else { pattern };
        let regex = RegexBuilder::new(pattern)
            .case_insensitive(any_case)
            .build()
            .map_err(|error| reason(&error))?;
        let parsed = ParserBuilder::new().case_insensitive(any_case).build().parse(pattern);
        let prefilter = parsed.ok().and_then(|parsed| Prefilter::of_pattern(&parsed));
        Ok(Self {
            criterion: Criterion::Pattern(regex),
            prefilter: prefilter.map(Arc::new),
            pattern: typed,
            progress: Progress::Last,
        })
    }

    /// Creates a query for rows that report an error.
    #[must_use]
    pub fn errors() -> Self {
        Self::of_table(Criterion::Errors, &error_literals())
    }

    /// Creates a query for rows that may report an error, or that affect the score of nearby error
    /// rows.
    pub(super) fn clues() -> Self {
        Self::of_table(Criterion::Clues, &all_literals())
    }

    /// Creates a query for all rows of a small log that may be examined one by one: making a
    /// prefilter would take longer.
    pub(super) fn any_row() -> Self {
        let (criterion, pattern) = (Criterion::Any, Arc::from(""));
        Self { criterion, prefilter: None, pattern, progress: Progress::Last }
    }

    fn of_table(criterion: Criterion, literals: &[&str]) -> Self {
        let prefilter = Prefilter::of_texts(literals).map(Arc::new);
        Self { criterion, prefilter, pattern: Arc::from(""), progress: Progress::Last }
    }

    /// Creates a query for rows that begin or end groups. Their bytes are matched as recorded.
    pub(super) fn groups() -> Self {
        Self::of_table(Criterion::Groups, markers::LITERALS)
    }

    /// Returns a copy of this query that searches another amount of overwritten text. A new query
    /// uses [`Progress::Last`].
    #[must_use]
    pub fn showing(self, progress: Progress) -> Self {
        Self { progress, ..self }
    }

    /// Returns how much of the overwritten text is searched.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        self.progress
    }

    /// Returns the pattern as the user typed it.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Returns true if a row matches when this amount of its overwritten text is displayed.
    #[must_use]
    pub fn matches(&self, row: &Row, progress: Progress) -> bool {
        self.is_in(&row.text, progress)
    }

    /// Returns the byte ranges of all matches in a displayed text, for highlighting. Empty for
    /// queries without a pattern, such as errors.
    #[must_use]
    pub fn marks(&self, text: &str) -> Vec<Range<usize>> {
        match &self.criterion {
            Criterion::Pattern(regex) => regex
                .find_iter(text)
                .map(|found| found.range())
                .filter(|range| !range.is_empty())
                .collect(),
            Criterion::Errors | Criterion::Clues | Criterion::Any | Criterion::Groups => Vec::new(),
        }
    }

    /// Returns the prefilter for raw lines; `None` if any line may match.
    pub(super) fn prefilter(&self) -> Option<&Prefilter> {
        self.prefilter.as_deref()
    }

    fn may_match(&self, text: &str) -> bool {
        self.prefilter().is_none_or(|prefilter| prefilter.is_in(text))
    }

    /// Returns true if the displayed text of a row with these bytes matches.
    pub(crate) fn is_in(&self, bytes: &[u8], progress: Progress) -> bool {
        match &self.criterion {
            Criterion::Pattern(regex) => regex.is_match(&plain(bytes, progress)),
            // The prefilter on the displayed text rejects most rows, and much faster than the rules
            // do.
            Criterion::Errors => {
                let text = plain(bytes, progress);
                self.may_match(&text) && is_error(&text)
            }
            Criterion::Clues => self.may_match(&plain(bytes, progress)),
            Criterion::Any => true,
            Criterion::Groups => !marks(bytes).marks.is_empty(),
        }
    }
}

impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        match (&self.criterion, &other.criterion) {
            (Criterion::Pattern(a), Criterion::Pattern(b)) => {
                a.as_str() == b.as_str() && self.progress == other.progress
            }
            (Criterion::Errors, Criterion::Errors)
            | (Criterion::Clues, Criterion::Clues)
            | (Criterion::Any, Criterion::Any)
            | (Criterion::Groups, Criterion::Groups) => true,
            _ => false,
        }
    }
}

/// Returns true if a pattern contains an upper-case letter. In a regular expression, letters after
/// a backslash are part of a class (`\S`, `\pL`, `\p{Lu}`) and do not count.
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

/// Returns the last line of the error message of `regex`. The earlier lines repeat the pattern and
/// mark the error with a caret, which does not fit on one line.
pub(super) fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "pattern too large".to_owned(),
        error => {
            let report = error.to_string();
            let last = report.lines().last().unwrap_or_default();
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
    fn case_matters_if_the_query_has_an_upper_case_letter() {
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
    fn a_literal_query_is_not_a_regular_expression() {
        assert_eq!(marks("a.c", true, "abc a.c a.c"), [4..7, 8..11]);
        assert_eq!(marks("a.c", false, "abc a.c"), [0..3, 4..7]);
        assert_eq!(marks("(", true, "f((x)"), [1..2, 2..3]);
    }

    #[test]
    fn an_empty_match_is_not_highlighted() {
        assert_eq!(marks("x*", false, "axxbx"), [1..3, 4..5]);
        assert!(marks("", false, "ab").is_empty());
        assert!(Query::errors().marks("error: no").is_empty());
    }

    #[test]
    fn an_invalid_pattern_is_reported_in_one_short_line() {
        for (pattern, why) in [
            ("(", "unclosed group"),
            ("*", "repetition operator missing expression"),
            ("[z-a]", "invalid character class range, the start must be <= the end"),
            ("(?:a{1000}){1000}{1000}", "pattern too large"),
        ] {
            assert_eq!(Query::new(pattern, false).unwrap_err(), why, "{pattern}");
        }
    }
}
