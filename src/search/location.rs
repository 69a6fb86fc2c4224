//! The source location in the text of a row, such as `src/lib.rs:7:5`.

use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};

/// A path with an extension, a line, and possibly a column. The forms are those of rustc, gcc, go,
/// eslint and others (`a.c:3:5`), Python (`File "a.py", line 3`), and MSVC and TypeScript
/// (`a.ts(3,5)`).
static LOCATION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let path = r"[\w@~./\\\x80-\xff][\w./\\@+~\x80-\xff-]*\.[A-Za-z]\w{0,9}";
    let forms = [r":(\d+)(?::(\d+))?", r"\((\d+),(\d+)\)", r#"", line (\d+)"#];
    let pattern = format!("({path})(?:{})", forms.join("|"));
    // Without Unicode, the expression compiles in a small part of the time.
    RegexBuilder::new(&pattern).unicode(false).build().ok()
});

/// A source location in a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Location<'t> {
    /// The location as it is written.
    pub text: &'t str,
    /// The path of the file, as it is written.
    pub path: &'t str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1 for most tools.
    pub column: Option<u32>,
}

/// Returns the first source location in a text; `None` if the text has no source location.
#[must_use]
pub fn location(text: &str) -> Option<Location<'_>> {
    let found = LOCATION.as_ref()?.captures(text.as_bytes())?;
    let group = |n| found.get(n).and_then(|group| str::from_utf8(group.as_bytes()).ok());
    let number = |n| group(n).and_then(|digits| digits.parse().ok());
    Some(Location {
        text: group(0)?,
        path: group(1)?,
        line: number(2).or_else(|| number(4)).or_else(|| number(6))?,
        column: number(3).or_else(|| number(5)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_of_common_tools_are_found() {
        for (text, expected) in [
            (
                "thread 'a' panicked at src/lib.rs:7:5:",
                Some(("src/lib.rs:7:5", "src/lib.rs", 7, Some(5))),
            ),
            ("main.c:3:10: error: expected ';'", Some(("main.c:3:10", "main.c", 3, Some(10)))),
            (
                "./pkg/a_test.go:12: want 1",
                Some(("./pkg/a_test.go:12", "./pkg/a_test.go", 12, None)),
            ),
            (
                "  File \"app/x.py\", line 3, in f",
                Some(("app/x.py\", line 3", "app/x.py", 3, None)),
            ),
            ("src/a.ts(3,5): error TS2304", Some(("src/a.ts(3,5)", "src/a.ts", 3, Some(5)))),
            ("at 12:30:05 it failed", None),
            (
                "connect to example.com:443 failed",
                Some(("example.com:443", "example.com", 443, None)),
            ),
            ("error: no such file", None),
            ("日本/é.c:7: 誤り", Some(("日本/é.c:7", "日本/é.c", 7, None))),
            ("a.c:99999999999999999999: too large", None),
        ] {
            let found = location(text).map(|at| (at.text, at.path, at.line, at.column));
            assert_eq!(found, expected, "{text}");
        }
    }
}
