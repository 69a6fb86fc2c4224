//! The names of the entries of a bundle. Names of repositories, runs and jobs become part of them
//! only if every program that unpacks archives accepts them.

/// The longest name that is used as it is, in bytes.
const MAX_BYTES: usize = 100;

/// Returns a name as a part of the name of an entry, or else `%` with its number. No other name
/// contains a `%`.
pub(super) fn part(name: &str, number: usize) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_usable = !name.is_empty()
        && name.len() <= MAX_BYTES
        && !name.starts_with(['.', '-'])
        && !name.ends_with('.')
        && name.bytes().all(is_plain);
    if is_usable { name.to_owned() } else { format!("%{number}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_a_directory_are_replaced() {
        for name in ["build", "rundown.git", "01a2078a-83c0-7cf2-8c6a-6911d61998d3", "x_1"] {
            assert_eq!(part(name, 3), name);
        }
        let long = "x".repeat(101);
        for name in ["", ".", "..", "a/b", "a\\b", "-x", "C:", "a b", "ä", "%1", "nul\0", &long] {
            assert_eq!(part(name, 3), "%3", "{name:?}");
        }
    }
}
