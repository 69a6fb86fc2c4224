//! The only way of foreign text into a page: sanitized, and escaped for elements and attributes.

use std::collections::HashSet;
use std::fmt;

use crate::sanitize::name;

/// Foreign text as the content of an element or of an attribute in double quotes.
pub(super) struct Text<'a>(pub &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = name(self.0);
        let mut rest = &*text;
        while let Some((before, special)) =
            rest.find(['&', '<', '>', '"', '\'']).and_then(|at| rest.split_at_checked(at))
        {
            f.write_str(before)?;
            let mut chars = special.chars();
            let code = chars.next().map(u32::from).unwrap_or_default();
            write!(f, "&#{code};")?;
            rest = chars.as_str();
        }
        f.write_str(rest)
    }
}

/// The maximum length of an id of a job, in bytes.
const MAX_ID_BYTES: usize = 48;

/// The ids of jobs in a page, made of their names.
///
/// The ids in a page are `JOB`, `JOB-COMMAND` and `JOB-COMMAND-ROW`. They are unique because the
/// ids of jobs are, and because none of these ends with a dash and digits.
pub(super) struct JobIds {
    taken: HashSet<String>,
}

impl JobIds {
    /// Creates ids that differ from those that the page uses for itself.
    pub(super) fn new(reserved: &[&str]) -> Self {
        Self { taken: reserved.iter().map(|id| (*id).to_owned()).collect() }
    }

    /// Returns the id of a job with this name. It differs from all others.
    pub(super) fn add(&mut self, job: &str) -> String {
        let id = id_of(job);
        let numbered = (2..).map(|number| format!("{id}.{number}"));
        let mut ids = std::iter::once(id.clone()).chain(numbered);
        let id = ids.find(|id| !self.taken.contains(id)).unwrap_or(id);
        self.taken.insert(id.clone());
        id
    }
}

/// Returns a name as an id that needs no escape in HTML and in the address of a page.
fn id_of(name: &str) -> String {
    let mut id = String::new();
    for found in name.chars() {
        let is_kept = found.is_ascii_alphanumeric() || matches!(found, '-' | '_' | '.');
        let found = if is_kept { found } else { '_' };
        if id.len() >= MAX_ID_BYTES {
            break;
        }
        if found != '_' || !id.ends_with('_') {
            id.push(found);
        }
    }
    let id = id.trim_matches('_');
    let digits = id.len() - id.trim_end_matches(|found: char| found.is_ascii_digit()).len();
    match id.split_at_checked(id.len() - digits) {
        Some((head, digits)) if !digits.is_empty() && head.ends_with('-') => {
            format!("{}_{digits}", head.trim_end_matches('-'))
        }
        _ if id.is_empty() => "job".to_owned(),
        _ => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_has_no_markup_and_keeps_its_meaning(text in "[<>&\"'a-c;#0-9\u{202e}\x1b]{0,20}") {
            let escaped = Text(&text).to_string();
            let has_markup = escaped.contains(['<', '>', '"', '\'', '\u{202e}', '\x1b']);
            prop_assert!(!has_markup, "{}", escaped);
            let mut plain = escaped;
            for found in ['<', '>', '"', '\'', '&'] {
                let reference = format!("&#{};", u32::from(found));
                plain = plain.replace(&reference, &found.to_string());
            }
            prop_assert_eq!(plain, name(&text));
        }

        #[test]
        fn ids_are_unique(jobs in prop::collection::vec("[ab1-2/é._-]{0,4}", 0..12)) {
            let mut ids = JobIds::new(&["a", "hits"]);
            let mut all = HashSet::from(["a".to_owned(), "hits".to_owned()]);
            for job in jobs {
                let job = ids.add(&job);
                let mut own = vec![job.clone()];
                for n in 1..=12 {
                    own.push(format!("{job}-{n}"));
                    own.extend((1..=12).map(|row| format!("{job}-{n}-{row}")));
                }
                for id in own {
                    let is_plain =
                        |found: char| found.is_ascii_alphanumeric() || "-_.".contains(found);
                    prop_assert!(!id.is_empty() && id.chars().all(is_plain), "{}", id);
                    prop_assert!(all.insert(id.clone()), "{}", id);
                }
            }
        }
    }

    #[test]
    fn an_id_resembles_its_name() {
        for (name, id) in [
            ("test", "test"),
            ("test (ubuntu, 3.12)", "test_ubuntu_3.12"),
            ("build-2", "build_2"),
            ("a--7", "a_7"),
            ("日本", "job"),
            ("", "job"),
        ] {
            assert_eq!(id_of(name), id);
        }
        assert_eq!(id_of(&"x".repeat(500)).len(), MAX_ID_BYTES);
    }
}
