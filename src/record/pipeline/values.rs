//! Values of a pipeline file, read with their positions.
//!
//! Each function checks the type of one value. An error contains the position of the value and the
//! correct form.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::display;

/// An error in a pipeline file.
pub(super) struct Refusal {
    /// The byte offset of the error in the text.
    pub at: usize,
    pub message: String,
}

impl Refusal {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

pub(super) type Read<T> = std::result::Result<T, Refusal>;

pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// Reads the value of a key with `of`, which also receives the key as it is named in messages.
/// Returns `None` if the table does not contain the key.
pub(super) fn optional<T>(
    table: &DeTable<'_>,
    key: &str,
    of: impl FnOnce(&Value<'_>, &str) -> Read<T>,
) -> Read<Option<T>> {
    table.get(key).map(|value| of(value, &format!("`{key}`"))).transpose()
}

/// Returns the error for a value of the wrong type. `what` names the value, and `right` describes
/// the correct type.
pub(super) fn wrong_type(at: usize, what: &str, right: &str, wrong: &DeValue<'_>) -> Refusal {
    Refusal::new(at, format!("{what} must be {right}, not {}", type_word(wrong)))
}

fn type_word(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// Reads a string without NUL bytes.
pub(super) fn text_of(value: &Value<'_>, what: &str) -> Read<String> {
    let at = value.span().start;
    let wrong = || wrong_type(at, what, "a string", value.get_ref());
    checked_text(value.get_ref().as_str().ok_or_else(wrong)?, at, what)
}

fn checked_text(text: &str, at: usize, what: &str) -> Read<String> {
    if text.contains('\0') {
        let message = format!("{what} contains a NUL byte, which no program accepts; remove it");
        return Err(Refusal::new(at, message));
    }
    Ok(text.to_owned())
}

/// Reads a text that must not be empty.
pub(super) fn non_empty_of(value: &Value<'_>, what: &str) -> Read<String> {
    match text_of(value, what)? {
        text if text.is_empty() => {
            Err(Refusal::new(value.span().start, format!("{what} is empty; remove it")))
        }
        text => Ok(text),
    }
}

/// Reads a string, number or boolean as text. The text of a number is that in the file: `3.10`
/// stays `3.10`.
pub(super) fn scalar_of(value: &Value<'_>, what: &str) -> Read<String> {
    match value.get_ref() {
        DeValue::String(_) => text_of(value, what),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Float(number) => Ok(number.to_string()),
        DeValue::Boolean(value) => Ok(value.to_string()),
        other => {
            let right = "a string, a number, or true or false";
            Err(wrong_type(value.span().start, what, right, other))
        }
    }
}

pub(super) fn bool_of(value: &Value<'_>, what: &str) -> Read<bool> {
    let wrong = || wrong_type(value.span().start, what, "true or false", value.get_ref());
    value.get_ref().as_bool().ok_or_else(wrong)
}

pub(super) fn number_of(value: &Value<'_>, what: &str, range: RangeInclusive<u8>) -> Read<u8> {
    let right = format!("a number from {} to {}", range.start(), range.end());
    match value.get_ref() {
        DeValue::Integer(number) => u8::from_str_radix(number.as_str(), number.radix())
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                Refusal::new(value.span().start, format!("{what} must be {right}, not {number}"))
            }),
        other => Err(wrong_type(value.span().start, what, &right, other)),
    }
}

/// Reads one of several words, and returns the value of that word.
pub(super) fn choice_of<T: Copy>(
    value: &Value<'_>,
    what: &str,
    choices: &[(&'static str, T)],
) -> Read<T> {
    let word = text_of(value, what)?;
    let choice = choices.iter().find(|(name, _)| *name == word).map(|(_, choice)| *choice);
    choice.ok_or_else(|| {
        let names = choices.iter().map(|(name, _)| *name);
        let suggestion = suggestion(&word, names, "expected one of");
        Refusal::new(value.span().start, format!("unknown value {word:?} of {what}; {suggestion}"))
    })
}

/// Returns an error if a name is invalid for a variable of the environment.
pub(super) fn check_variable(at: usize, name: &str) -> Read<()> {
    if name.is_empty() || name.contains(['=', '\0']) {
        let message = format!("invalid variable name {name:?}: use letters, digits and `_`");
        return Err(Refusal::new(at, message));
    }
    Ok(())
}

pub(super) fn list_of<'a, 'i>(value: &'a Value<'i>, what: &str) -> Read<&'a [Value<'i>]> {
    match value.get_ref() {
        DeValue::Array(list) => Ok(list),
        other => Err(wrong_type(value.span().start, what, "an array", other)),
    }
}

/// Reads a program and its arguments.
pub(super) fn argv_of(value: &Value<'_>, what: &str, example: &str) -> Read<Vec<String>> {
    let list = list_of(value, what)?.iter();
    let argv: Vec<_> = list.map(|arg| text_of(arg, "an argument")).collect::<Read<_>>()?;
    if argv.first().is_none_or(String::is_empty) {
        let message = format!("{what} without a program; name one, as in {example}");
        return Err(Refusal::new(value.span().start, message));
    }
    Ok(argv)
}

pub(super) fn table_of<'a, 'i>(
    value: &'a Value<'i>,
    what: &str,
    example: &str,
) -> Read<&'a DeTable<'i>> {
    match value.get_ref() {
        DeValue::Table(table) => Ok(table),
        other => Err(wrong_type(value.span().start, what, &format!("a table ({example})"), other)),
    }
}

/// Returns an error for the first unknown key of a table.
pub(super) fn check_keys(table: &DeTable<'_>, known: &[&str]) -> Read<()> {
    let unknown = table
        .keys()
        .filter(|key| !known.contains(&key.get_ref().as_ref()))
        .min_by_key(|key| key.span().start);
    let Some(key) = unknown else { return Ok(()) };
    let known = known.iter().copied();
    let message = format!(
        "unknown key {:?}; {}",
        key.get_ref(),
        suggestion(key.get_ref(), known, "expected one of")
    );
    Err(Refusal::new(key.span().start, message))
}

/// Returns a hint for a message: the known name that was probably meant, or all known names, after
/// the introduction `all`.
pub(super) fn suggestion<'a>(
    wrong: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    all: &str,
) -> String {
    match display::nearest(wrong, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!(
            "{all} {}",
            known.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ),
    }
}
