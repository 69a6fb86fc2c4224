//! The location in the source code that a row or a cause names, such as `src/lib.rs:7:5`.

use std::fmt;
use std::sync::LazyLock;

use regex_lite::Regex;

use super::cause::Cause;
use super::errors::{Judgment, judge};
use super::shown::{Progress, plain};

/// A path with an extension, a line, and possibly a column. The forms are those of rustc, gcc, go,
/// eslint and others (`a.c:3:5`), Python (`File "a.py", line 3`), and MSVC and TypeScript
/// (`a.ts(3,5)`).
static LOCATION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let path = r"[\w@~./\\\u{80}-\u{10ffff}][\w./\\@+~\u{80}-\u{10ffff}-]*\.[A-Za-z]\w{0,9}";
    let forms = [r":(\d+)(?::(\d+))?", r"\((\d+),(\d+)\)", r#"", line (\d+)"#];
    Regex::new(&format!("({path})(?:{})", forms.join("|"))).ok()
});

/// The maximum number of rows below a cause that are searched for its location.
const ROWS_BELOW: usize = 3;

/// A location in the source code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    /// The path of the file, as the log names it.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1 for most tools.
    pub column: Option<u32>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path, self.line)?;
        self.column.map_or(Ok(()), |column| write!(f, ":{column}"))
    }
}

impl Cause {
    /// Returns the location that the cause names: in its row, in one of the next rows, or in the
    /// nearest row above, where the frames of a trace are.
    #[must_use]
    pub fn location(&self) -> Option<Location> {
        let at = self.rows.iter().position(|row| Some(row.offset) == self.at)?;
        let (above, from) = self.rows.split_at_checked(at)?;
        let mut rows = from.iter().take(1 + ROWS_BELOW).chain(above.iter().rev());
        rows.find_map(|row| {
            let text = plain(&row.text, Progress::Last);
            // Another error has a location of its own.
            let is_error = judge(&text).is_some_and(Judgment::states_problem);
            if is_error && Some(row.offset) != self.at { None } else { location(&text) }
        })
    }
}

/// Returns the first location in a text; `None` if the text has no location.
fn location(text: &str) -> Option<Location> {
    let found = LOCATION.as_ref()?.captures(text)?;
    let number = |n| found.get(n).and_then(|digits| digits.as_str().parse().ok());
    Some(Location {
        path: found.get(1)?.as_str().to_owned(),
        line: number(2).or_else(|| number(4)).or_else(|| number(6))?,
        column: number(3).or_else(|| number(5)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Row;

    #[test]
    fn locations_of_common_tools_are_found() {
        for (text, expected) in [
            ("thread 'a' panicked at src/lib.rs:7:5:", Some(("src/lib.rs", 7, Some(5)))),
            ("main.c:3:10: error: expected ';'", Some(("main.c", 3, Some(10)))),
            ("./pkg/a_test.go:12: want 1", Some(("./pkg/a_test.go", 12, None))),
            ("  File \"app/x.py\", line 3, in f", Some(("app/x.py", 3, None))),
            ("src/a.ts(3,5): error TS2304", Some(("src/a.ts", 3, Some(5)))),
            ("at 12:30:05 it failed", None),
            ("connect to example.com:443 failed", Some(("example.com", 443, None))),
            ("error: no such file", None),
            ("日本/é.c:7: 誤り", Some(("日本/é.c", 7, None))),
            ("a.c:99999999999999999999: too large", None),
        ] {
            let found = location(text);
            let found = found.as_ref().map(|at| (at.path.as_str(), at.line, at.column));
            assert_eq!(found, expected, "{text}");
        }
    }

    fn cause(rows: &[&str], marked: usize) -> Cause {
        let row = |(offset, text): (usize, &&str)| Row {
            offset: offset as u64,
            text: text.as_bytes().to_vec(),
            ..Row::default()
        };
        let rows = rows.iter().enumerate().map(row).collect();
        Cause { at: Some(marked as u64), rows, ..Cause::default() }
    }

    #[test]
    fn the_location_of_a_cause_is_the_nearest_one() {
        for (rows, marked, expected) in [
            (
                &["a.c:1: note", "b.c:2:3: error: x", "c.c:4: note"][..],
                1,
                Some(("b.c", 2, Some(3))),
            ),
            (
                &["a.rs:9: warning", "error[E0308]: x", "  --> src/lib.rs:7:5"],
                1,
                Some(("src/lib.rs", 7, Some(5))),
            ),
            (&["  File \"x.py\", line 3, in f", "ValueError: x"], 1, Some(("x.py", 3, None))),
            (&["error: x", "", "", "", "far.c:4: note"], 0, None),
            (&["Dockerfile:3:1: error: x", "b.c:2:3: error: y"], 0, None),
            (&["error: \x1b[31mb.c:2\x1b[0m"], 0, Some(("b.c", 2, None))),
        ] {
            let place = cause(rows, marked).location();
            let place = place.as_ref().map(|at| (at.path.as_str(), at.line, at.column));
            assert_eq!(place, expected, "{rows:?}");
        }
    }
}
