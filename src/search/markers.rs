//! What a row says of groups: that one begins or ends here, or that a row before it was no heading after all. Pure.
//!
//! ```text
//! GitHub, Azure   ::group::Title  ##[group]Title               ::endgroup::  ##[endgroup]
//! GitLab          section_start:TIME:NAME[collapsed=true] CR ESC[0K Title    section_end:TIME:NAME CR ESC[0K
//! Travis          travis_fold:start:NAME                       travis_fold:end:NAME
//! Buildkite       --- Title   +++ Title   ~~~ Title            the next of them
//! ```
//!
//! The first two may stand behind a time, as in logs that were downloaded; GitLab's may stand several in one row. `^^^ +++`, which
//! opens the group before, ends none.
//!
//! Anything may look like a heading of Buildkite. So it must stand at the very beginning of its row, as Buildkite asks, and go on
//! like a title: not with a sign (`--- !yaml`, `--- /dev/null`), not as a diff does (`--- a/file`, a TAB before a time), not as
//! `go test` does (`--- FAIL: …`), and not to the same signs again (`--- Captured stdout ---`, `+++ exited with 0 +++`). What
//! passes for one is none if the row behind it is the first hunk of a diff, or a trace of the shell that goes on from `+++`.

use std::sync::LazyLock;

use memchr::memmem;
use regex::bytes::Regex;

use crate::sanitise::{Progress, plain};

/// Every marker contains one of these as it was recorded.
pub(super) static LITERALS: &[&str] = &["group::", "group]", "section_", "travis_fold:", "--- ", "++ ", "~~~ ", "@@ "];

/// The signs of Buildkite's headings.
const SIGNS: [&[u8]; 3] = [b"---", b"+++", b"~~~"];

/// The most bytes that a name has: those of open groups are held.
const MAX_NAME_BYTES: usize = 255;

/// What a row is among groups, if it is not a plain one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Marker {
    /// It begins a group, by this title: harmless text, perhaps none.
    Heading(String),
    /// It ends one, and says nothing else.
    End,
}

/// What a row is, told by its bytes alone: whether there is such a group, [`super::Groups`] know.
#[must_use]
pub fn marker(text: &[u8]) -> Option<Marker> {
    let marked = marks(text);
    let start =
        marked.marks.iter().rev().find_map(|mark| if let Mark::Start { kind, .. } = mark { Some(kind) } else { None });
    let title = marked.title();
    match start {
        Some(Kind::Section(name) | Kind::Fold(name)) if title.is_empty() => {
            Some(Marker::Heading(plain(name, Progress::Last).into_owned()))
        }
        Some(_) => Some(Marker::Heading(title)),
        None => marked.is_end().then_some(Marker::End),
    }
}

/// What tells groups apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind<'a> {
    /// `::group::`: there is one at a time.
    Command,
    /// GitLab's, by name.
    Section(&'a [u8]),
    /// Travis', by name.
    Fold(&'a [u8]),
    /// Buildkite's, by its sign.
    Heading(u8),
}

/// One thing that a row says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mark<'a> {
    Start {
        kind: Kind<'a>,
        is_collapsed: bool,
    },
    End(Kind<'a>),
    /// A hunk of a diff: directly behind `--- old` and `+++ new`.
    Hunk,
    /// A trace of the shell that is nested twice: directly behind `+++ command`.
    Trace,
}

/// All that a row says.
#[derive(Default, Debug)]
pub(super) struct Marked<'a> {
    pub marks: Vec<Mark<'a>>,
    /// What stands behind the last one.
    rest: &'a [u8],
}

impl Marked<'_> {
    /// Whether the row ends a group and says nothing else, so that nothing is lost when it is hidden with that group.
    pub(super) fn is_end(&self) -> bool {
        !self.marks.is_empty() && self.marks.iter().all(|mark| matches!(mark, Mark::End(_))) && self.title().is_empty()
    }

    fn title(&self) -> String {
        plain(self.rest, Progress::Last).trim().to_owned()
    }
}

/// What a row's bytes say.
pub(super) fn marks(text: &[u8]) -> Marked<'_> {
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let marked = sections(text);
    if !marked.marks.is_empty() {
        return marked;
    }
    let said = without_escapes(text);
    let one = |mark, rest| Marked { marks: vec![mark], rest };
    match said.first() {
        Some(b'-' | b'~' | b'+') => {
            if let Some((sign, title)) = heading(said) {
                return one(Mark::Start { kind: Kind::Heading(sign), is_collapsed: false }, title);
            }
            if said.starts_with(b"++ ") { one(Mark::Trace, b"") } else { Marked::default() }
        }
        Some(b'@') if said.starts_with(b"@@ ") => one(Mark::Hunk, b""),
        _ => {
            let said = without_escapes(without_time(text)).trim_ascii_start();
            command(said).or_else(|| fold(said)).map(|(mark, rest)| one(mark, rest)).unwrap_or_default()
        }
    }
}

/// GitHub's and Azure's.
fn command(said: &[u8]) -> Option<(Mark<'_>, &[u8])> {
    let behind = |either: [&[u8]; 2]| either.iter().find_map(|marker| said.strip_prefix(*marker));
    if let Some(title) = behind([b"::group::", b"##[group]"]) {
        return Some((Mark::Start { kind: Kind::Command, is_collapsed: false }, title));
    }
    // What follows on an end is not shown there, either.
    behind([b"::endgroup::", b"##[endgroup]"]).map(|_| (Mark::End(Kind::Command), &b""[..]))
}

fn fold(said: &[u8]) -> Option<(Mark<'_>, &[u8])> {
    let said = said.strip_prefix(b"travis_fold:")?;
    let start = said.strip_prefix(b"start:");
    let named = start.or_else(|| said.strip_prefix(b"end:"))?;
    let len = named.iter().position(|byte| byte.is_ascii_whitespace() || *byte == 0x1b).unwrap_or(named.len());
    let (name, title) = named.split_at_checked(len).filter(|(name, _)| (1..=MAX_NAME_BYTES).contains(&name.len()))?;
    let kind = Kind::Fold(name);
    let mark = if start.is_some() { Mark::Start { kind, is_collapsed: false } } else { Mark::End(kind) };
    // Behind the name the cursor goes back: the title is written over it.
    Some((mark, title.trim_ascii_start()))
}

/// A section's marker, whose end no text has by chance.
static SECTION: LazyLock<Regex> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "a constant, compiled by the first test")]
    Regex::new(r"(?-u)section_(?:(start)|end):\d+:([A-Za-z0-9_.-]+)(\[[^\]\r]*\])?\r\x1b\[0?K").expect("an expression")
});

/// GitLab's.
fn sections(text: &[u8]) -> Marked<'_> {
    let mut marked = Marked::default();
    if memmem::find(text, b"section_").is_none() {
        return marked;
    }
    for found in SECTION.captures_iter(text) {
        let [all, name] = [0, 2].map(|part| found.get(part));
        let (Some(all), Some(name)) = (all, name.filter(|name| name.len() <= MAX_NAME_BYTES)) else { continue };
        let kind = Kind::Section(name.as_bytes());
        let options = found.get(3).map_or(&b""[..], |options| options.as_bytes());
        marked.marks.push(match found.get(1) {
            Some(_) => Mark::Start { kind, is_collapsed: memmem::find(options, b"collapsed=true").is_some() },
            None => Mark::End(kind),
        });
        marked.rest = text.get(all.end()..).unwrap_or_default();
    }
    marked
}

/// Buildkite's: its sign and its title.
fn heading(said: &[u8]) -> Option<(u8, &[u8])> {
    let (sign, title) = SIGNS.iter().find_map(|sign| Some((*sign, said.strip_prefix(*sign)?.strip_prefix(b" ")?)))?;
    let shown = without_escapes(title).trim_ascii();
    let is_title = shown
        .first()
        .is_some_and(|first| first.is_ascii_alphanumeric() || !first.is_ascii() || b":[(\"'`$".contains(first));
    let is_diff = shown.contains(&b'\t') || [&b"a/"[..], b"b/"].iter().any(|dir| shown.starts_with(dir));
    let is_verdict = ["PASS", "FAIL", "SKIP", "BENCH"]
        .iter()
        .any(|verdict| shown.strip_prefix(verdict.as_bytes()).is_some_and(|rest| rest.starts_with(b":")));
    (is_title && !is_diff && !is_verdict && !shown.ends_with(sign)).then_some((*sign.first()?, title))
}

/// The text behind the escapes that it begins with and that show nothing: colours, erasing, the times of Buildkite's agent.
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

/// The text behind the time that a log that was downloaded has before each row; GitLab's has the stream behind it, too.
fn without_time(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let shape = b"0000-00-00T00:00:00";
    let is_time = shape
        .iter()
        .enumerate()
        .all(|(at, byte)| if *byte == b'0' { is_digit(at) } else { text.get(at) == Some(byte) });
    let blank = text.iter().take(40).position(|byte| *byte == b' ');
    match blank.filter(|_| is_time).and_then(|blank| text.get(blank + 1..)) {
        Some([b'0'..=b'9', b'0'..=b'9', b'O' | b'E', b' ' | b'+', rest @ ..]) => rest,
        Some(rest) => rest,
        None => text,
    }
}
