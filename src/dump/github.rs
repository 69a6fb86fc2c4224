//! `--format github`: annotations, and the log in groups, for a step of GitHub Actions.
//!
//! ```text
//! ::error file=src/lib.rs,line=3,col=9,title=job test, …::error: mismatched types
//! ✗ failed  7bcad252  demo  main  2026-11-28 08:56:55  12ms
//! ✓ passed  build  9ms
//! ::group::✓ passed  1  cargo build  9ms
//!     Compiling demo
//! ::endgroup::
//! ```
//!
//! Groups do not nest: an inner one would end the outer one. So only passed commands are in a
//! group, and nothing that failed is folded.

use std::io::{self, Write};

use super::annotations::Annotation;
use super::ci_log::{FoldSyntax, write_log};
use super::printing::Printing;
use crate::ci::{Markers, Output, Reader, broken_within};

/// The number of errors, and of warnings, of a step that the runner keeps. It drops more of them
/// silently.
const MAX_ANNOTATIONS: usize = 10;

/// The length to which the runner cuts a message, in UTF-16 code units.
const MAX_MESSAGE_UNITS: usize = 4096;

const GROUPS: FoldSyntax = FoldSyntax {
    begin: |fold| fold.is_folded.then(|| format!("::group::{}", escaped(fold.title, &DATA))),
    end: |_| "::endgroup::".to_owned(),
};

pub(super) fn write_run(printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
    let markers = Markers::of_reader(Reader::GitHub);
    let mut out = Output::with_markers(out, &markers);
    out.stop_commands();
    for annotation in printing.annotations(MAX_ANNOTATIONS) {
        out.write_command(&command(&annotation))?;
    }
    write_log(printing, &GROUPS, &mut out)?;
    out.resume_commands()?;
    out.flush()
}

fn command(annotation: &Annotation) -> String {
    let kind = if annotation.is_error { "error" } else { "warning" };
    let mut properties = Vec::new();
    let mut push = |name: &str, value: &str| {
        properties.push(format!("{name}={}", escaped(&broken_within(value), &PROPERTY)));
    };
    if let Some(place) = &annotation.place {
        push("file", &place.path);
        push("line", &place.line.to_string());
        if let Some(column) = place.column {
            push("col", &column.to_string());
        }
    }
    push("title", &annotation.title);
    let message = annotation.text(MAX_MESSAGE_UNITS);
    format!("::{kind} {}::{}", properties.join(","), escaped(&broken_within(&message), &DATA))
}

/// The characters that have a meaning in the text of a command, and in its properties.
const DATA: [char; 3] = ['%', '\r', '\n'];
const PROPERTY: [char; 5] = ['%', '\r', '\n', ':', ','];

/// Returns a text with escapes such as `%0A` for some characters.
fn escaped(text: &str, characters: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for found in text.chars() {
        if characters.contains(&found) {
            out.extend(["%", &format!("{:02X}", u32::from(found))]);
        } else {
            out.push(found);
        }
    }
    out
}
