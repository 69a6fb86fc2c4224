//! Group markers: rows that begin or end a group, or show that a row above was not a heading. Pure.
//!
//! ```text
//! GitHub, Azure   ::group::Title  ##[group]Title    ::endgroup::  ##[endgroup]
//! GitLab          section_start:TIME:NAME[collapsed=true] CR ESC[0K Title
//!                 section_end:TIME:NAME CR ESC[0K
//! Travis          travis_fold:start:NAME            travis_fold:end:NAME
//! Buildkite       --- Title   +++ Title   ~~~ Title (a group ends at the next heading)
//! ```
//!
//! All markers except the headings of Buildkite may follow a timestamp, as in downloaded logs. A
//! row may contain several markers of GitLab. `^^^ +++`, with which Buildkite expands the previous
//! group, does not end a group.
//!
//! Many rows look like a heading of Buildkite. So the sign (`---`, `+++` or `~~~`) must be the
//! first text of the row, as Buildkite requires, and the rest must look like a title. The title
//! must not
//!
//! - begin with punctuation (`--- !yaml`, `--- /dev/null`), except for a quote, an opening bracket,
//!   `:` or `$`;
//! - look like a diff (`--- a/file`, a TAB before a time);
//! - look like a verdict of `go test` (`--- FAIL: …`);
//! - end with the same sign (`--- Captured stdout ---`, `+++ exited with 0 +++`).
//!
//! A heading becomes a plain row if the next row shows that it is part of a diff (a hunk) or of a
//! shell trace (`++` after `+++`).

use std::sync::LazyLock;

use memchr::memmem;
use regex::bytes::Regex;

use crate::sanitize::{Progress, plain};

/// Literals for the prefilter: the recorded bytes of every marker contain one of these.
pub(super) static LITERALS: &[&str] =
    &["group::", "group]", "section_", "travis_fold:", "--- ", "++ ", "~~~ ", "@@ "];

/// The signs of Buildkite's headings.
const SIGNS: [&[u8]; 3] = [b"---", b"+++", b"~~~"];

/// Maximum length of a name, in bytes. The names of open groups are kept in memory.
const MAX_NAME_BYTES: usize = 255;

/// The role of a row in a group, if it is not a plain row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Marker {
    /// The row begins a group with this title, which is safe to display and may be empty.
    Heading(String),
    /// The row ends a group and contains nothing else.
    End,
}

/// Classifies a row by its bytes alone; `None` for a plain row. [`super::Groups`] decides if the
/// group really exists.
#[must_use]
pub fn marker(text: &[u8]) -> Option<Marker> {
    let marked = marks(text);
    let start =
        marked.marks.iter().rev().find_map(|mark| {
            if let GroupMark::Start { kind, .. } = mark { Some(kind) } else { None }
        });
    let title = marked.title();
    match start {
        Some(GroupKind::Section(name) | GroupKind::Fold(name)) if title.is_empty() => {
            Some(Marker::Heading(plain(name, Progress::Last).into_owned()))
        }
        Some(_) => Some(Marker::Heading(title)),
        None => marked.is_end().then_some(Marker::End),
    }
}

/// The kind of a group. An end marker ends the innermost open group of its kind, together with the
/// groups in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum GroupKind<'a> {
    /// GitHub's `::group::`. Only one is open at a time.
    Command,
    /// GitLab's section, with its name.
    Section(&'a [u8]),
    /// Travis' fold, with its name.
    Fold(&'a [u8]),
    /// Buildkite's heading, with its sign.
    Heading(u8),
}

/// One marker in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum GroupMark<'a> {
    Start {
        kind: GroupKind<'a>,
        is_collapsed: bool,
    },
    End(GroupKind<'a>),
    /// A hunk of a diff. Rows `--- old` and `+++ new` directly above it are not headings.
    Hunk,
    /// A shell trace of depth two. Rows `+++ command` directly above it are not headings.
    Trace,
}

/// All markers of a row.
#[derive(Default, Debug)]
pub(super) struct Marked<'a> {
    pub marks: Vec<GroupMark<'a>>,
    /// The text after the last marker.
    rest: &'a [u8],
}

impl Marked<'_> {
    /// Returns true if the row ends a group and contains nothing else, so that it can be hidden
    /// with the group.
    pub(super) fn is_end(&self) -> bool {
        !self.marks.is_empty()
            && self.marks.iter().all(|mark| matches!(mark, GroupMark::End(_)))
            && self.title().is_empty()
    }

    fn title(&self) -> String {
        plain(self.rest, Progress::Last).trim().to_owned()
    }
}

/// Returns the markers in the bytes of a row.
pub(super) fn marks(text: &[u8]) -> Marked<'_> {
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let marked = sections(text);
    if !marked.marks.is_empty() {
        return marked;
    }
    let visible = without_escapes(text);
    let one = |mark, rest| Marked { marks: vec![mark], rest };
    match visible.first() {
        Some(b'-' | b'~' | b'+') => {
            if let Some((sign, title)) = heading(visible) {
                return one(
                    GroupMark::Start { kind: GroupKind::Heading(sign), is_collapsed: false },
                    title,
                );
            }
            if visible.starts_with(b"++ ") { one(GroupMark::Trace, b"") } else { Marked::default() }
        }
        Some(b'@') if visible.starts_with(b"@@ ") => one(GroupMark::Hunk, b""),
        _ => {
            let visible = without_escapes(without_time(text)).trim_ascii_start();
            command(visible)
                .or_else(|| fold(visible))
                .map(|(mark, rest)| one(mark, rest))
                .unwrap_or_default()
        }
    }
}

/// Parses a marker of GitHub or Azure.
fn command(visible: &[u8]) -> Option<(GroupMark<'_>, &[u8])> {
    let behind =
        |either: [&[u8]; 2]| either.iter().find_map(|marker| visible.strip_prefix(*marker));
    if let Some(title) = behind([b"::group::", b"##[group]"]) {
        return Some((GroupMark::Start { kind: GroupKind::Command, is_collapsed: false }, title));
    }
    // Drop text after an end marker: GitHub does not display it either.
    behind([b"::endgroup::", b"##[endgroup]"])
        .map(|_| (GroupMark::End(GroupKind::Command), &b""[..]))
}

fn fold(visible: &[u8]) -> Option<(GroupMark<'_>, &[u8])> {
    let visible = visible.strip_prefix(b"travis_fold:")?;
    let start = visible.strip_prefix(b"start:");
    let named = start.or_else(|| visible.strip_prefix(b"end:"))?;
    let len = named
        .iter()
        .position(|byte| byte.is_ascii_whitespace() || *byte == 0x1b)
        .unwrap_or(named.len());
    let (name, title) = named
        .split_at_checked(len)
        .filter(|(name, _)| (1..=MAX_NAME_BYTES).contains(&name.len()))?;
    let kind = GroupKind::Fold(name);
    let mark = if start.is_some() {
        GroupMark::Start { kind, is_collapsed: false }
    } else {
        GroupMark::End(kind)
    };
    // After the name, the cursor returns to the start of the line: the title overwrites the marker.
    Some((mark, title.trim_ascii_start()))
}

/// A marker of a GitLab section. It ends with a CR and an escape, which no other text does by
/// chance.
static SECTION: LazyLock<Regex> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "a constant, compiled by the first test")]
    Regex::new(r"(?-u)section_(?:(start)|end):\d+:([A-Za-z0-9_.-]+)(\[[^\]\r]*\])?\r\x1b\[0?K")
        .expect("an expression")
});

/// Parses GitLab's section markers.
fn sections(text: &[u8]) -> Marked<'_> {
    let mut marked = Marked::default();
    if memmem::find(text, b"section_").is_none() {
        return marked;
    }
    for found in SECTION.captures_iter(text) {
        let [all, name] = [0, 2].map(|part| found.get(part));
        let (Some(all), Some(name)) = (all, name.filter(|name| name.len() <= MAX_NAME_BYTES))
        else {
            continue;
        };
        let kind = GroupKind::Section(name.as_bytes());
        let options = found.get(3).map_or(&b""[..], |options| options.as_bytes());
        marked.marks.push(match found.get(1) {
            Some(_) => GroupMark::Start {
                kind,
                is_collapsed: memmem::find(options, b"collapsed=true").is_some(),
            },
            None => GroupMark::End(kind),
        });
        marked.rest = text.get(all.end()..).unwrap_or_default();
    }
    marked
}

/// Parses a heading of Buildkite: its sign and its title.
fn heading(visible: &[u8]) -> Option<(u8, &[u8])> {
    let (sign, title) = SIGNS
        .iter()
        .find_map(|sign| Some((*sign, visible.strip_prefix(*sign)?.strip_prefix(b" ")?)))?;
    let shown = without_escapes(title).trim_ascii();
    let is_title = shown.first().is_some_and(|first| {
        first.is_ascii_alphanumeric() || !first.is_ascii() || b":[(\"'`$".contains(first)
    });
    let is_diff =
        shown.contains(&b'\t') || [&b"a/"[..], b"b/"].iter().any(|dir| shown.starts_with(dir));
    let is_verdict = ["PASS", "FAIL", "SKIP", "BENCH"].iter().any(|verdict| {
        shown.strip_prefix(verdict.as_bytes()).is_some_and(|rest| rest.starts_with(b":"))
    });
    (is_title && !is_diff && !is_verdict && !shown.ends_with(sign))
        .then_some((*sign.first()?, title))
}

/// Returns the text after leading escapes that display nothing: colors, erasing, the times of
/// Buildkite's agent. Also removes a CR and a byte order mark.
fn without_escapes(mut text: &[u8]) -> &[u8] {
    loop {
        let len = match text {
            [0x1b, b'[', params @ ..] => {
                let len = params.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';'));
                len.filter(|len| matches!(params.get(*len), Some(b'm' | b'K'))).map(|len| len + 3)
            }
            [0x1b, b'_', payload @ ..] => memchr::memchr(0x07, payload).map(|len| len + 3),
            [b'\r', ..] => Some(1),
            [0xef, 0xbb, 0xbf, ..] => Some(3),
            _ => None,
        };
        match len.and_then(|len| text.get(len..)) {
            Some(rest) => text = rest,
            None => return text,
        }
    }
}

/// Returns the text after the time that each row of a downloaded log begins with.
fn without_time(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let shape = b"0000-00-00T00:00:00";
    let is_time = shape
        .iter()
        .enumerate()
        .all(|(at, byte)| if *byte == b'0' { is_digit(at) } else { text.get(at) == Some(byte) });
    let blank = text.iter().take(40).position(|byte| *byte == b' ');
    blank.filter(|_| is_time).and_then(|blank| text.get(blank + 1..)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(text: &str) -> Option<String> {
        match marker(text.as_bytes()) {
            Some(Marker::Heading(title)) => Some(title),
            Some(Marker::End) | None => None,
        }
    }

    fn is_end(text: &str) -> bool {
        marker(text.as_bytes()) == Some(Marker::End)
    }

    #[test]
    fn a_start_marker_is_a_heading_with_a_sanitized_title() {
        for (text, expected) in [
            ("::group::Build all", "Build all"),
            ("  ::group::Build", "Build"),
            ("##[group]\u{1b}[1mRun\u{1b}[m make", "Run make"),
            ("2026-03-04T05:06:07.1234567Z ##[group]Run", "Run"),
            ("\u{feff}2026-03-04T05:06:07.1234567Z ##[group]Run", "Run"),
            ("::group::", ""),
            ("::group::a\u{1b}[2Jb\r", "a␛[2Jb"),
            ("section_start:1:build\r\u{1b}[0KBuild", "Build"),
            (
                "\u{1b}[0Ksection_start:1:build[collapsed=true]\r\u{1b}[0K\
                 \u{1b}[36;1mBuild\u{1b}[0;m",
                "Build",
            ),
            ("section_start:1:build\r\u{1b}[0K", "build"),
            ("2026-03-04T05:06:07.123456Z 00O section_start:1:build\r\u{1b}[0KBuild", "Build"),
            ("section_end:1:get\r\u{1b}[0Ksection_start:2:run\r\u{1b}[0KRun", "Run"),
            ("travis_fold:start:script.1\r\u{1b}[0K$ make", "$ make"),
            ("travis_fold:start:script.1", "script.1"),
            ("--- Build", "Build"),
            ("\u{1b}[31m+++ :test_tube: Test\u{1b}[0m", ":test_tube: Test"),
            ("~~~ Preparing working directory", "Preparing working directory"),
            ("\u{1b}_bk;t=1772600000000\u{7}--- \u{1b}[1mBuild", "Build"),
            ("--- 🧪 Test", "🧪 Test"),
        ] {
            assert_eq!(title(text).as_deref(), Some(expected), "{}", text.escape_debug());
        }
    }

    #[test]
    fn an_end_marker_with_other_text_is_a_plain_row() {
        for end in [
            "::endgroup::",
            "2026-03-04T05:06:07Z ##[endgroup]",
            "\u{1b}[0Ksection_end:1:build\r\u{1b}[0K",
            "section_end:1:a\r\u{1b}[0Ksection_end:1:b\r\u{1b}[0K\u{1b}[0;m",
            "travis_fold:end:script\r\u{1b}[0K",
        ] {
            assert!(is_end(end), "{}", end.escape_debug());
        }
        let visible = "section_end:1:build\r\u{1b}[0K\u{1b}[32;1mJob succeeded";
        assert_eq!(marker(visible.as_bytes()), None);
        assert_eq!(marks(visible.as_bytes()).marks, [GroupMark::End(GroupKind::Section(b"build"))]);
    }

    #[test]
    fn a_row_that_only_resembles_a_marker_is_plain() {
        let rows = include_str!("../../fixtures/groups/lookalikes.log").lines();
        // Rows that are markers by their bytes alone. Only the rows around them show that they are
        // plain rows.
        let ignored = ["--- expected", "+++ actual", "src/route.c", "+++ dirname", "+++ readlink"];
        for row in rows.filter(|row| !ignored.iter().any(|ignored| row.contains(ignored))) {
            assert_eq!(marker(row.as_bytes()), None, "{row}");
        }
    }

    #[test]
    fn every_marker_contains_a_prefilter_literal() {
        let fixtures = [
            include_bytes!("../../fixtures/groups/actions.log").as_slice(),
            include_bytes!("../../fixtures/groups/github.log"),
            include_bytes!("../../fixtures/groups/gitlab.log"),
            include_bytes!("../../fixtures/groups/buildkite.log"),
            include_bytes!("../../fixtures/groups/travis.log"),
            include_bytes!("../../fixtures/groups/lookalikes.log"),
        ];
        let rows = fixtures.iter().flat_map(|fixture| fixture.split(|byte| *byte == b'\n'));
        for row in rows.filter(|row| !marks(row).marks.is_empty()) {
            let has = |literal: &&str| memmem::find(row, literal.as_bytes()).is_some();
            assert!(LITERALS.iter().any(has), "{}", row.escape_ascii());
        }
    }

    #[test]
    fn a_name_over_the_length_limit_is_ignored() {
        for (len, is_name) in [(MAX_NAME_BYTES, true), (MAX_NAME_BYTES + 1, false)] {
            let name = "n".repeat(len);
            assert_eq!(title(&format!("travis_fold:start:{name}")).is_some(), is_name);
            assert_eq!(title(&format!("section_start:1:{name}\r\u{1b}[0K")).is_some(), is_name);
        }
    }
}
