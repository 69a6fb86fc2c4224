//! The settings of a pipeline file: those of a job, and the defaults of the file for all jobs.
//!
//! Both have the same keys. A setting of a job replaces the default, except for `env` and `mask`: a
//! job adds variables to the default, and cannot unmask a variable.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use toml::de::DeTable;

use super::matrix::{Axis, axes_of};
use super::values::{
    Read, Refusal, Value, argv_of, bool_of, check_variable, choice_of, list_of, non_empty_of,
    number_of, optional, table_of, text_of,
};
use super::{JobSettings, When};
use crate::record::child::Output;

/// The keys of all settings.
pub(super) const KEYS: [&str; 10] = [
    "env",
    "dir",
    "shell",
    "timeout",
    "allow_failure",
    "retry",
    "when",
    "matrix",
    "mask",
    "output",
];

/// The words for `when`.
const WHEN: [(&str, When); 3] =
    [("on_success", When::OnSuccess), ("always", When::Always), ("on_failure", When::OnFailure)];

/// The words for `output`.
const OUTPUT: [(&str, Output); 4] = [
    (Output::Apart.name(), Output::Apart),
    (Output::Merge.name(), Output::Merge),
    (Output::Pty.name(), Output::Pty),
    (Output::Exact.name(), Output::Exact),
];

/// Returns the word of the file for a value of `when`.
pub(super) fn word_of_when(when: When) -> &'static str {
    word_of(&WHEN, when)
}

fn word_of<T: Copy + PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, found)| *found == value).map_or("", |(word, _)| word)
}

/// Settings as written in the file; `None` if the key is missing.
pub(super) struct Settings {
    env: BTreeMap<String, String>,
    dir: Option<PathBuf>,
    shell: Option<Vec<String>>,
    timeout: Option<Duration>,
    allow_failure: Option<bool>,
    retry: Option<u8>,
    when: Option<When>,
    matrix: Option<Vec<Axis>>,
    mask: Vec<String>,
    output: Option<Output>,
}

impl Settings {
    /// Reads the settings in the table of a job, or at the top of the file.
    pub(super) fn read(table: &DeTable<'_>) -> Read<Self> {
        let settings = Self {
            env: optional(table, "env", env_of)?.unwrap_or_default(),
            dir: optional(table, "dir", non_empty_of)?.map(PathBuf::from),
            shell: optional(table, "shell", |value, what| {
                argv_of(value, what, "[\"docker\", \"exec\", \"ci\", \"sh\", \"-c\"]")
            })?,
            timeout: optional(table, "timeout", duration_of)?,
            allow_failure: optional(table, "allow_failure", bool_of)?,
            retry: optional(table, "retry", |value, what| number_of(value, what, 0..=10))?,
            when: optional(table, "when", |value, what| choice_of(value, what, &WHEN))?,
            matrix: optional(table, "matrix", axes_of)?,
            mask: optional(table, "mask", names_of)?.unwrap_or_default(),
            output: optional(table, "output", |value, what| choice_of(value, what, &OUTPUT))?,
        };
        settings.check_matrix()?;
        Ok(settings)
    }

    /// Returns an error if `env` and `matrix` of the same table set the same variable.
    fn check_matrix(&self) -> Read<()> {
        let mut axes = self.matrix.iter().flatten();
        match axes.find(|axis| self.env.contains_key(&axis.name)) {
            Some(Axis { at, name, .. }) => {
                let message = format!("{name:?} is in `matrix` and in `env`; remove one of them");
                Err(Refusal::new(*at, message))
            }
            None => Ok(()),
        }
    }

    /// Returns the settings of a job, completed with the defaults of the file, and its matrix.
    pub(super) fn complete(self, defaults: &Self) -> (JobSettings, Vec<Axis>) {
        let mut env = defaults.env.clone();
        env.extend(self.env);
        let mut mask = defaults.mask.clone();
        mask.extend(self.mask.into_iter().filter(|name| !defaults.mask.contains(name)));
        let settings = JobSettings {
            env,
            dir: self.dir.or_else(|| defaults.dir.clone()),
            shell: self.shell.or_else(|| defaults.shell.clone()),
            timeout: self.timeout.or(defaults.timeout),
            allow_failure: self.allow_failure.or(defaults.allow_failure).unwrap_or_default(),
            retry: self.retry.or(defaults.retry).unwrap_or_default(),
            when: self.when.or(defaults.when).unwrap_or_default(),
            mask,
            output: self.output.or(defaults.output),
        };
        (settings, self.matrix.or_else(|| defaults.matrix.clone()).unwrap_or_default())
    }
}

/// Reads the variables of a job.
fn env_of(value: &Value<'_>, what: &str) -> Read<BTreeMap<String, String>> {
    let table = table_of(value, what, "env = { NAME = \"value\" }")?;
    let variable = |(name, value): (&toml::Spanned<_>, &Value<'_>)| {
        let text: &toml::de::DeString<'_> = name.get_ref();
        check_variable(name.span().start, text)?;
        Ok((text.to_string(), text_of(value, &format!("the variable {text:?}"))?))
    };
    table.iter().map(variable).collect()
}

/// Reads a list of names of variables.
fn names_of(value: &Value<'_>, what: &str) -> Read<Vec<String>> {
    let name = |entry: &Value<'_>| {
        let name = text_of(entry, &format!("an entry of {what}"))?;
        check_variable(entry.span().start, &name)?;
        Ok(name)
    };
    list_of(value, what)?.iter().map(name).collect()
}

/// Reads a duration that is longer than zero.
fn duration_of(value: &Value<'_>, what: &str) -> Read<Duration> {
    let at = value.span().start;
    let form = "a string such as \"90s\", \"10m\" or \"1h30m\"";
    let Some(text) = value.get_ref().as_str() else {
        return Err(super::values::wrong_type(at, what, form, value.get_ref()));
    };
    SpanParser::new()
        .parse_unsigned_duration(text)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| Refusal::new(at, format!("invalid {what} {text:?}; use {form}")))
}
