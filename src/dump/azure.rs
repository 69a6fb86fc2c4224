//! `--format azure`: issues, and the log in groups, for a step of Azure Pipelines.
//!
//! ```text
//! ##vso[task.logissue type=error;sourcepath=src/lib.rs;linenumber=3;columnnumber=9;]error: …
//! ##[group]✓ passed  1  cargo build  9ms
//!     Compiling demo
//! ##[endgroup]
//! ```
//!
//! The page shows 10 issues of a step.

use std::io::{self, Write};

use super::annotations::Annotation;
use super::ci_log::{FoldSyntax, write_log};
use super::printing::Printing;
use crate::ci::{Markers, Output, Reader, broken_within};

/// The number of issues of a step on the page of a run.
const MAX_ISSUES: usize = 10;

/// The maximum length of a message in UTF-16 code units.
const MAX_MESSAGE_UNITS: usize = 4096;

const GROUPS: FoldSyntax = FoldSyntax {
    begin: |fold| fold.is_folded.then(|| format!("##[group]{}", fold.title)),
    end: |_| "##[endgroup]".to_owned(),
};

pub(super) fn write_run(printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
    let markers = Markers::of_reader(Reader::Azure);
    let mut out = Output::with_markers(out, &markers);
    out.stop_commands();
    for annotation in printing.annotations(MAX_ISSUES) {
        out.write_command(&command(annotation))?;
    }
    write_log(printing, &GROUPS, &mut out)?;
    out.resume_commands()?;
    out.flush()
}

fn command(annotation: Annotation) -> String {
    let kind = if annotation.is_error { "error" } else { "warning" };
    let place = annotation.place.as_ref().map(|place| {
        let path = escaped(&broken_within(&place.path));
        let column = place.column.map(|column| format!("columnnumber={column};"));
        format!("sourcepath={path};linenumber={};{}", place.line, column.unwrap_or_default())
    });
    let properties = format!("type={kind};{}", place.unwrap_or_default());
    // An issue has no title.
    let message = format!("{} ({})", annotation.message, annotation.title);
    let text = Annotation { message, ..annotation }.text(MAX_MESSAGE_UNITS);
    format!("##vso[task.logissue {properties}]{}", escaped(&broken_within(&text)))
}

/// The escapes that an agent resolves.
const ESCAPES: [(char, &str); 4] = [(';', "%3B"), ('\r', "%0D"), ('\n', "%0A"), (']', "%5D")];

/// Returns a text with escapes for the characters that have a meaning in a command. A `%` is only
/// escaped where it would begin an escape, because old agents do not resolve its own escape.
fn escaped(text: &str) -> String {
    const PERCENT: &str = "%AZP25";
    let mut out = String::with_capacity(text.len());
    for (at, found) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        let begins = |escape: &str| rest.starts_with(escape);
        if ESCAPES.iter().any(|(_, escape)| begins(escape)) || begins(PERCENT) {
            out.push_str(PERCENT);
        } else if let Some((_, escape)) = ESCAPES.iter().find(|(special, _)| *special == found) {
            out.push_str(escape);
        } else {
            out.push(found);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_sign_is_escaped_only_where_it_begins_an_escape() {
        for (text, expected) in [
            ("100% of a;b]\r\n", "100% of a%3Bb%5D%0D%0A"),
            ("%3B%AZP25%3C", "%AZP253B%AZP25AZP25%3C"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }
}
