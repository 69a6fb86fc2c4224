//! The files `~/.aws/config` and `~/.aws/credentials`. Pure.
//!
//! ```text
//! # comment
//! [profile ci]
//! region = eu-west-1
//! s3 =
//!   addressing_style = path      a nested value, which is skipped
//! ```

use std::collections::BTreeMap;

/// Returns the values of a section; `None` if there is no such section. If a name is used twice,
/// the last value counts.
pub(super) fn section(text: &str, wanted: &str) -> Option<BTreeMap<String, String>> {
    let mut found = None;
    let mut is_wanted = false;
    for line in text.lines() {
        if line.starts_with(char::is_whitespace) || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = header(line) {
            is_wanted = name == wanted;
            if is_wanted {
                found.get_or_insert_with(BTreeMap::new);
            }
        } else if let (true, Some((name, value)), Some(values)) =
            (is_wanted, line.split_once('='), &mut found)
        {
            values.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

/// Parses the header of a section, with one space between its words.
fn header(line: &str) -> Option<String> {
    let (name, _) = line.strip_prefix('[')?.split_once(']')?;
    Some(name.replace('"', "").split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_values() {
        let text = "ignored = 1\n# [profile ci]\n[default]\nregion=a\n[ profile  \"ci\" ] ; text\n\
                    Region = eu-west-1\n; region = x\ns3 =\n  region = nested\n\tregion = nested\n\
                    aws_secret_access_key = a=b#c \nbroken\n[other]\nregion = b\n\
                    [profile ci]\noutput = json\n";
        let values = section(text, "profile ci").unwrap();
        let pairs: Vec<(&str, &str)> =
            values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            pairs,
            [
                ("aws_secret_access_key", "a=b#c"),
                ("output", "json"),
                ("region", "eu-west-1"),
                ("s3", ""),
            ]
        );
        assert_eq!(section(text, "default").unwrap().len(), 1);
        assert_eq!(section(text, "ci"), None);
        assert_eq!(section("[ci]", "ci").unwrap().len(), 0);
    }
}
