//! Rules of the user. They take precedence over the table: a row that matches one of them is judged
//! by it alone.

use std::sync::OnceLock;

use regex::bytes::{RegexSet, RegexSetBuilder};

use super::{Kind, Rule, Severity};
use crate::search::prefilter::literals_of;
use crate::search::query::reason;

/// The maximum size of each compiled expression, in bytes.
const MAX_COMPILED_BYTES: usize = 256 << 10;

/// The maximum number of rules, so that the set of all of them can be compiled.
pub const MAX_RULES: usize = 100;

/// The rules in effect. The order is that of the files.
static USED: OnceLock<Used> = OnceLock::new();

struct Used {
    rules: Vec<&'static Rule>,
    /// The patterns of rows that are harmless.
    harmless: Option<RegexSet>,
}

/// Returns true if the user has rules.
pub(in crate::search) fn has_user_rules() -> bool {
    USED.get().is_some_and(|used| !used.rules.is_empty() || used.harmless.is_some())
}

/// A rule of the user for error rows, or for rows that are harmless.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserRule {
    tool: String,
    pattern: String,
    /// `None` for rows that are harmless.
    severity: Option<Severity>,
    literals: Vec<String>,
}

impl UserRule {
    /// The names of the severities, the most severe first.
    pub const SEVERITIES: [&str; 4] = ["fatal", "error", "warning", "harmless"];

    /// Creates a rule for rows whose text, without its prefixes, matches a regular expression.
    /// `tool` is only shown. `severity` is one of `SEVERITIES`.
    ///
    /// # Errors
    /// The reason why the pattern cannot be used, in a few words.
    pub fn new(tool: &str, pattern: &str, severity: &str) -> Result<Self, String> {
        let severity = match severity {
            "fatal" => Some(Severity::Fatal),
            "warning" => Some(Severity::Warning),
            "harmless" => None,
            _ => Some(Severity::Error),
        };
        let mut one = RegexSetBuilder::new([pattern]);
        one.unicode(false)
            .size_limit(MAX_COMPILED_BYTES)
            .build()
            .map_err(|error| reason(&error))?;
        if let Err(error) = regex_lite::Regex::new(pattern) {
            return Err(error.to_string());
        }
        let literals = literals_of(pattern).filter(|found| found.iter().all(|one| one.len() >= 3));
        let literals = match severity {
            Some(_) => literals.ok_or("it needs a fixed text of at least 3 bytes")?,
            None => Vec::new(),
        };
        Ok(Self { tool: tool.to_owned(), pattern: pattern.to_owned(), severity, literals })
    }

    /// Returns the name that is shown.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// Returns the regular expression.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Returns the name of its severity.
    #[must_use]
    pub fn severity(&self) -> &'static str {
        match self.severity {
            Some(Severity::Fatal) => "fatal",
            Some(Severity::Warning | Severity::Info) => "warning",
            Some(Severity::Error) => "error",
            None => "harmless",
        }
    }

    /// Returns the rule in the form of the table. Its texts are never freed.
    fn leaked(self) -> Option<&'static Rule> {
        let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
        let literals: Vec<&'static str> = self.literals.into_iter().map(leak).collect();
        Some(Box::leak(Box::new(Rule {
            tool: leak(self.tool),
            kind: Kind::Finding,
            severity: self.severity?,
            pattern: leak(self.pattern),
            literals: Box::leak(literals.into_boxed_slice()),
            example: "",
            counterexample: "",
        })))
    }
}

/// Uses rules of the user from now on. Only the first call has an effect, and it must precede the
/// first search.
pub fn use_rules(rules: Vec<UserRule>) {
    if rules.is_empty() {
        return;
    }
    let (harmless, rules): (Vec<_>, Vec<_>) =
        rules.into_iter().take(MAX_RULES).partition(|rule| rule.severity.is_none());
    let harmless = set(harmless.iter().map(|rule| rule.pattern.as_str())).ok();
    let rules = rules.into_iter().filter_map(UserRule::leaked).collect();
    let _ = USED.set(Used { rules, harmless });
}

/// Returns the rules of the user for rows that are not harmless.
pub(super) fn rules() -> &'static [&'static Rule] {
    USED.get().map_or(&[], |used| &used.rules)
}

/// Returns true if a rule is one of [`rules`].
pub(super) fn is_users(rule: &Rule) -> bool {
    rules().iter().any(|own| std::ptr::eq(*own, rule))
}

/// Returns true if the user declared a text without prefixes harmless.
pub(super) fn is_harmless(bare: &str) -> bool {
    let harmless = USED.get().and_then(|used| used.harmless.as_ref());
    harmless.is_some_and(|harmless| harmless.is_match(bare.as_bytes()))
}

fn set<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<RegexSet, regex::Error> {
    RegexSetBuilder::new(patterns).unicode(false).size_limit(super::MAX_SET_BYTES).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_of_the_user_is_checked() {
        for (pattern, severity, fault) in [
            ("license header missing", "error", None),
            ("(?i)^drift: ", "fatal", None),
            (".*", "harmless", None),
            (".*", "error", Some("fixed text")),
            ("^(", "error", Some("unclosed group")),
            ("[é]xy", "warning", Some("Unicode")),
        ] {
            let found = UserRule::new("x", pattern, severity).err();
            assert_eq!(found.is_some(), fault.is_some(), "{pattern}: {found:?}");
            assert!(
                found.is_none_or(|found| found.contains(fault.unwrap_or_default())),
                "{pattern}"
            );
        }
    }
}
