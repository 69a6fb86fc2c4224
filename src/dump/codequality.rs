//! `--format codequality`: the causes of failures as a code quality report of GitLab.
//!
//! ```json
//! [
//! {"description":"…","check_name":"rust","fingerprint":"…","severity":"major",
//!  "location":{"path":"src/lib.rs","lines":{"begin":3}}}
//! ]
//! ```
//!
//! Only errors at a place in the repository are part of the report. An error that several commands
//! report appears once. GitLab compares the fingerprints of two reports to find new errors, so a
//! fingerprint does not contain numbers, which change when a line is added.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use serde::Serialize;

use super::annotations::{Annotation, MAX_OTHER_ERRORS, RepositoryPlace};
use super::printing::{Printing, write_harmless};

/// The maximum number of errors, which bounds the memory for their fingerprints.
const MAX_ERRORS: usize = 10_000;

#[derive(Serialize)]
struct ErrorJson<'a> {
    description: &'a str,
    check_name: &'a str,
    fingerprint: String,
    severity: &'static str,
    location: LocationJson<'a>,
}

#[derive(Serialize)]
struct LocationJson<'a> {
    path: &'a str,
    lines: LinesJson,
}

#[derive(Serialize)]
struct LinesJson {
    begin: u32,
}

pub(super) fn write_run(printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut prints = Fingerprints::default();
    out.write_all(b"[")?;
    'all: for (job, node) in printing.failures() {
        for error in printing.annotations_of(job, node, MAX_OTHER_ERRORS) {
            let Some(place) = &error.place else { continue };
            let Some(fingerprint) = prints.of(&error, place) else { continue };
            if prints.seen.len() > MAX_ERRORS {
                let cut = format!("only the first {MAX_ERRORS} errors are in the report");
                printing.report.notices.push(cut);
                break 'all;
            }
            out.write_all(if prints.seen.len() == 1 { b"\n" } else { b",\n" })?;
            write_harmless(&serde_json::to_string(&error_json(&error, place, fingerprint))?, out)?;
        }
    }
    out.write_all(if prints.seen.is_empty() { b"]\n" } else { b"\n]\n" })
}

fn error_json<'a>(
    error: &'a Annotation,
    place: &'a RepositoryPlace,
    fingerprint: String,
) -> ErrorJson<'a> {
    ErrorJson {
        description: &error.message,
        check_name: error.tool.unwrap_or("error"),
        fingerprint,
        severity: if error.is_error { "major" } else { "minor" },
        location: LocationJson { path: &place.path, lines: LinesJson { begin: place.line } },
    }
}

/// The fingerprints of a report.
#[derive(Default)]
struct Fingerprints {
    /// The errors so far, with their lines.
    seen: HashSet<u128>,
    /// The number of errors that are equal except for numbers.
    alike: HashMap<u128, u32>,
}

impl Fingerprints {
    /// Returns the fingerprint of an error; `None` if it is already in the report.
    fn of(&mut self, error: &Annotation, place: &RepositoryPlace) -> Option<String> {
        let line = place.line.to_string();
        if !self.seen.insert(hash([&place.path, &line, &error.message])) {
            return None;
        }
        let message: String = error.message.chars().filter(|found| !found.is_numeric()).collect();
        let alike = hash([&place.path, error.tool.unwrap_or_default(), &message]);
        let count = self.alike.entry(alike).or_default();
        *count += 1;
        Some(format!("{:032x}", hash([&format!("{alike:032x}"), &count.to_string()])))
    }
}

/// Returns the FNV-1a hash of texts. It is the same in every version of rundown, unlike the hashes
/// of the standard library.
fn hash<const N: usize>(texts: [&str; N]) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    bytes.fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(message: &str, line: u32) -> Annotation {
        Annotation {
            is_error: true,
            title: String::new(),
            message: message.to_owned(),
            rows: Vec::new(),
            tool: Some("rust"),
            place: Some(RepositoryPlace { path: "src/a.rs".to_owned(), line, column: None }),
        }
    }

    #[test]
    fn a_fingerprint_survives_a_new_line_above_and_is_unique() {
        let mut prints = Fingerprints::default();
        let mut of = |error: &Annotation| prints.of(error, error.place.as_ref().unwrap());
        let first = of(&error("src/a.rs:3:9: unused", 3)).unwrap();
        assert_eq!(of(&error("src/a.rs:3:9: unused", 3)), None, "another command reports it");
        let second = of(&error("src/a.rs:7:9: unused", 7)).unwrap();
        assert_ne!(first, second);
        let mut moved = Fingerprints::default();
        let mut of = |error: &Annotation| moved.of(error, error.place.as_ref().unwrap());
        assert_eq!(of(&error("src/a.rs:4:9: unused", 4)), Some(first.clone()));
        assert_eq!(of(&error("src/a.rs:8:9: unused", 8)), Some(second));
        assert_eq!(
            first, "bbfd6711aa2913671f929b668c3eb3db",
            "a stored report must stay comparable"
        );
    }
}
