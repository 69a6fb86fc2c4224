//! The source location in the text of a row, such as `src/lib.rs:7:5`.

use std::sync::LazyLock;

use regex::Regex;

/// A path with an extension, a line, and possibly a column. The forms are those of rustc, gcc, go,
/// eslint and others (`a.c:3:5`), Python (`File "a.py", line 3`), and MSVC and TypeScript
/// (`a.ts(3,5)`).
static LOCATION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let path = r"[\w@~][\w./\\@+~-]*\.[A-Za-z]\w{0,9}|[./\\][\w./\\@+~-]*\.[A-Za-z]\w{0,9}";
    let forms = [r":\d+(?::\d+)?", r"\(\d+,\d+\)", r#"", line \d+"#];
    Regex::new(&format!("(?:{path})(?:{})", forms.join("|"))).ok()
});

/// Returns the first source location in a text, as it is written there. Returns `None` if the text
/// has no source location.
#[must_use]
pub fn location(text: &str) -> Option<&str> {
    LOCATION.as_ref()?.find(text).map(|found| found.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_of_common_tools_are_found() {
        for (text, expected) in [
            ("thread 'a' panicked at src/lib.rs:7:5:", Some("src/lib.rs:7:5")),
            ("main.c:3:10: error: expected ';'", Some("main.c:3:10")),
            ("./pkg/a_test.go:12: want 1", Some("./pkg/a_test.go:12")),
            ("  File \"app/x.py\", line 3, in f", Some("app/x.py\", line 3")),
            ("src/a.ts(3,5): error TS2304", Some("src/a.ts(3,5)")),
            ("at 12:30:05 it failed", None),
            ("connect to example.com:443 failed", Some("example.com:443")),
            ("error: no such file", None),
        ] {
            assert_eq!(location(text), expected, "{text}");
        }
    }
}
