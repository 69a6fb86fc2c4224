//! Secrets: the variables whose values must never reach the disk, and their replacement in text.
//!
//! ```text
//! names, environment ─► Secrets::find ─► forms: each way in which a value may be printed
//!                                          │
//!                                          ▼
//!                                        needles: one automaton and its prefilter, per run
//!                                          │
//! bytes of a stream ───────────────────► Masker ─► the bytes with [NAME] for each secret
//! ```
//!
//! Limits: a value of less than [`MIN_BYTES`] bytes is not masked, since it would also match
//! harmless text; a warning names its variable. Lines of that length in a longer value are only
//! masked as a part of the whole. Whitespace around a value or a line is not a part of the secret,
//! and a run of whitespace inside it counts as one byte. A value that a command transforms in a way
//! that is not in `forms` (hex, compression, encryption) is not found.
//!
//! Invariant: the masked output depends on the text and on the secrets, never on the way in which
//! the text was split.

mod forms;
mod masker;
mod needles;
mod prefilter;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use forms::{MIN_BYTES, forms, normalized, trimmed};
pub use masker::Masker;
use needles::Needles;

/// The ends of the names of variables that are masked by default: those of Buildkite's agent. As
/// there, upper and lower case differ.
const DEFAULT_SUFFIXES: [&str; 9] = [
    "_PASSWORD",
    "_SECRET",
    "_TOKEN",
    "_PRIVATE_KEY",
    "_SSH_KEY",
    "_ACCESS_KEY",
    "_SECRET_KEY",
    "_CONNECTION_STRING",
    "_API_KEY",
];

/// The rules by which the secrets of a recording are found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Masking {
    /// The names of variables whose values are secret.
    pub names: Vec<String>,
    /// True if variables whose names end like those of secrets (`*_TOKEN`, `*_PASSWORD`, …) are
    /// secret, too.
    pub uses_defaults: bool,
    /// True if secrets are also replaced in the output that is passed on. The output of background
    /// processes is then discarded once it is no longer recorded.
    pub masks_output: bool,
}

impl Default for Masking {
    fn default() -> Self {
        Self { names: Vec::new(), uses_defaults: true, masks_output: false }
    }
}

impl Masking {
    /// Finds the secrets in our environment and in that of a job, for which `names` are secret,
    /// too. Also returns messages for the user.
    pub(super) fn find(
        &self,
        env: &BTreeMap<String, String>,
        names: &[String],
    ) -> (Secrets, Vec<String>) {
        let names = [self.names.as_slice(), names].concat();
        let own = env.iter().map(|(name, value)| (name.into(), value.into()));
        Secrets::find(&names, self.uses_defaults, std::env::vars_os().chain(own))
    }
}

/// The secrets of a run, ready to be masked in any number of streams. A clone is cheap.
#[derive(Clone, Default)]
pub struct Secrets {
    /// `None` if there is nothing to mask.
    needles: Option<Arc<Needles>>,
}

impl Secrets {
    /// Finds the secrets in an environment: the variables named in `given` and, if `use_defaults`,
    /// all whose names end like those of secrets (`*_TOKEN`, `*_PASSWORD`, …). Also returns a
    /// warning for each named variable that is not set and for each value that is too short. An
    /// empty value is no secret and causes no warning.
    #[must_use]
    pub fn find(
        given: &[String],
        use_defaults: bool,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> (Self, Vec<String>) {
        let values: BTreeMap<String, OsString> = environment
            .into_iter()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
            .collect();
        let defaults = values.keys().filter(|name| use_defaults && is_secret_by_default(name));
        let mut named = HashSet::new();
        let (mut found, mut warnings) = (Vec::new(), Vec::new());
        for name in given.iter().chain(defaults).filter(|name| named.insert(name.as_str())) {
            match values.get(name).map(|value| trimmed(value.as_bytes())) {
                None => warnings.push(format!("{name} cannot be masked: it is not set")),
                Some([]) => {}
                Some(value) if normalized(value).len() < MIN_BYTES => warnings.push(format!(
                    "the value of {name} is not masked: it has less than {MIN_BYTES} bytes"
                )),
                Some(value) => found.push((name.as_str(), forms(value))),
            }
        }
        if found.is_empty() {
            return (Self::default(), warnings);
        }
        let needles = Needles::new(found).map(Arc::new);
        if needles.is_none() {
            warnings.push("no secret is masked: together, they are too long".into());
        }
        (Self { needles }, warnings)
    }

    /// Returns the first name in a recorded text that stands for a secret by default: `A_TOKEN` in
    /// `deploy [A_TOKEN]`.
    #[must_use]
    pub fn masked_name(text: &str) -> Option<&str> {
        let names = text.split('[').skip(1).filter_map(|rest| Some(rest.split_once(']')?.0));
        names.into_iter().find(|name| is_secret_by_default(name) && !name.contains(' '))
    }

    /// Returns true if there is nothing to mask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.needles.is_none()
    }

    /// Returns a masker for a new stream; `None` if there is nothing to mask.
    #[must_use]
    pub fn masker(&self) -> Option<Masker> {
        self.needles.clone().map(Masker::new)
    }

    /// Masks a complete text, such as a command line.
    #[must_use]
    pub fn mask_text(&self, text: &str) -> String {
        let Some(mut masker) = self.masker() else { return text.to_owned() };
        let mut out = Vec::with_capacity(text.len());
        masker.push(text.as_bytes(), |piece| out.extend_from_slice(piece));
        masker.finish(|piece| out.extend_from_slice(piece));
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// Shows the names of the variables. The values never appear in a debug output.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replacements = self.needles.iter().flat_map(|needles| needles.replacements());
        f.debug_list().entries(replacements).finish()
    }
}

fn is_secret_by_default(name: &str) -> bool {
    DEFAULT_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}
