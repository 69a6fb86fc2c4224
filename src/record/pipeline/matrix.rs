//! The matrix of a job: one job for each combination of values.
//!
//! ```text
//! [jobs.test]                              test (os=linux, py=3.12)
//! matrix.os = ["linux", "mac"]       ─►    test (os=linux, py=3.13)
//! matrix.py = [3.12, 3.13]                 test (os=mac, py=3.12)
//!                                          test (os=mac, py=3.13)
//! ```
//!
//! The keys keep the order of the file. The name of a job is also the name of its directory, so a
//! `/` or a control character in a value becomes `-` in the name.

use toml::Spanned;
use toml::de::DeString;

use super::values::{Read, Refusal, Value, check_variable, list_of, scalar_of, table_of};

/// The maximum number of jobs of one matrix.
const MAX_COMBINATIONS: usize = 256;

/// A variable of a matrix, with at least one value.
#[derive(Clone)]
pub(super) struct Axis {
    /// The byte offset of the variable in the text.
    pub at: usize,
    pub name: String,
    pub values: Vec<String>,
}

/// The variables of one job of a matrix, with their values.
pub(super) type Combination = Vec<(String, String)>;

/// Reads a matrix.
pub(super) fn axes_of(value: &Value<'_>, what: &str) -> Read<Vec<Axis>> {
    let table = table_of(value, what, "matrix = { os = [\"linux\", \"mac\"] }")?;
    let mut axes =
        table.iter().map(|(name, values)| axis_of(name, values)).collect::<Read<Vec<Axis>>>()?;
    // The parser's table is sorted by name.
    axes.sort_by_key(|axis| axis.at);
    let count = axes.iter().try_fold(1_usize, |count, axis| count.checked_mul(axis.values.len()));
    if count.is_none_or(|count| count > MAX_COMBINATIONS) {
        let message = format!(
            "{what} has more than {MAX_COMBINATIONS} combinations; remove values, or divide the job"
        );
        return Err(Refusal::new(value.span().start, message));
    }
    Ok(axes)
}

fn axis_of(name: &Spanned<DeString<'_>>, values: &Value<'_>) -> Read<Axis> {
    let (at, name) = (name.span().start, name.get_ref().to_string());
    check_variable(at, &name)?;
    let what = format!("{name:?} of `matrix`");
    let list = list_of(values, &what)?.iter();
    let values: Vec<String> =
        list.map(|value| scalar_of(value, &format!("a value of {what}"))).collect::<Read<_>>()?;
    if values.is_empty() {
        return Err(Refusal::new(at, format!("{what} has no values; add one, or remove it")));
    }
    Ok(Axis { at, name, values })
}

/// Returns all combinations; the values of the last variable change fastest. Without variables,
/// there is one empty combination.
pub(super) fn combinations(axes: &[Axis]) -> Vec<Combination> {
    axes.iter().fold(vec![Vec::new()], |all, axis| {
        let extended = |combination: &Combination| {
            let combination = combination.clone();
            axis.values.iter().map(move |value| {
                let mut longer = combination.clone();
                longer.push((axis.name.clone(), value.clone()));
                longer
            })
        };
        all.iter().flat_map(extended).collect()
    })
}

/// Returns the name of a job of a matrix; `base` is its name in the file.
pub(super) fn name_of(base: &str, combination: &Combination) -> String {
    if combination.is_empty() {
        return base.to_owned();
    }
    let pairs: Vec<_> = combination.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let safe = |found: char| if found == '/' || found.is_control() { '-' } else { found };
    format!("{base} ({})", pairs.join(", ").chars().map(safe).collect::<String>())
}
