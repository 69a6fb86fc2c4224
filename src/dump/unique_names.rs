//! Unique names for the parts of a report whose names in the store may look the same.

use std::collections::HashMap;

/// A maker of unique names.
#[derive(Default)]
pub(super) struct UniqueNames {
    /// The names that were made, each with the number to try next if it is requested again.
    taken: HashMap<String, u64>,
}

impl UniqueNames {
    /// Returns a name that was not returned before: `base` or, if that is taken, `base-2`, `base-3`
    /// and so on.
    pub(super) fn unique(&mut self, base: &str) -> String {
        let Some(first) = self.taken.get(base).copied() else {
            self.taken.insert(base.to_owned(), 2);
            return base.to_owned();
        };
        let mut number = first;
        let mut name = format!("{base}-{number}");
        while self.taken.contains_key(&name) {
            number += 1;
            name = format!("{base}-{number}");
        }
        self.taken.insert(base.to_owned(), number + 1);
        self.taken.insert(name.clone(), 2);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_name_gets_a_number_that_no_other_name_has() {
        let mut names = UniqueNames::default();
        let made = ["a", "a-2", "a", "a", "a-2", ""].map(|base| names.unique(base));
        assert_eq!(made, ["a", "a-2", "a-3", "a-4", "a-2-2", ""]);
    }
}
