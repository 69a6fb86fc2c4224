//! A prefilter: finds the raw lines of a log that may match a query, and misses none. Pure.
//!
//! For most patterns, every match contains one of a few literals. From each literal, the prefilter
//! takes a *part* that has the same bytes in the log as in the displayed text. If the displayed
//! text of a line contains that part, then the raw line contains
//!
//! - the part itself; or
//! - the part, divided by *breaks*. A break is a TAB or a run of controls that display nothing. The
//!   beginning of the part is directly before the first break. The part continues directly after
//!   the break, up to the next one; or
//! - something that moves or adds text: any other escape, a CR or a BS. If the part may come from a
//!   glyph like `<U+200B>`, any byte that is not ASCII counts, too.
//!
//! All of these lines may match. All partial records may match, too, because a match may extend
//! over several of them. Most lines of a colored log are rejected.

use memchr::{memchr, memchr_iter, memchr3, memrchr};
use regex::bytes::Regex;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, HirKind};

const ESC: u8 = 0x1b;
const SI: u8 = 0x0f;

/// A factor that turns a byte into eight copies of that byte.
const EACH: u64 = 0x0101_0101_0101_0101;

/// Texts that are rare, except in headers: the header of each partial record contains one of them.
/// One search for these texts and the parts together is cheaper than two searches.
const PIECES: [&str; 2] = ["ut P", "rr P"];

/// The maximum number of literals to search for at once.
const MAX_LITERALS: usize = 256;

/// The maximum number of positions of a pattern at which literals are extracted.
const MAX_PLACES: usize = 32;

/// A test for raw lines that may match.
#[derive(Debug)]
pub(super) struct Prefilter {
    /// A regular expression for parts and for the headers of partial records.
    parts: Regex,
    breaks: Breaks,
    has_blank: bool,
    may_be_glyph: bool,
}

impl Prefilter {
    /// Creates the prefilter of a pattern; `None` if any line may match.
    pub(super) fn of_pattern(pattern: &Hir) -> Option<Self> {
        Self::of_parts(&parts_of(pattern)?)
    }

    /// Creates the prefilter for lines that contain one of these texts; `None` if any line may
    /// match.
    pub(super) fn of_texts(texts: &[&str]) -> Option<Self> {
        let parts: Option<Vec<&str>> = texts.iter().map(|text| shown_as_recorded(text)).collect();
        Self::of_parts(&parts?)
    }

    /// Returns true if a displayed text may match.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.parts.is_match(text.as_bytes())
    }

    fn of_parts<S: AsRef<str>>(parts: &[S]) -> Option<Self> {
        let either =
            parts.iter().map(AsRef::as_ref).chain(PIECES).map(regex::escape).collect::<Vec<_>>();
        Some(Self {
            parts: Regex::new(&either.join("|")).ok()?,
            breaks: Breaks::of(
                parts.iter().map(|part| part.as_ref().as_bytes().to_vec()).collect(),
            ),
            has_blank: parts.iter().any(|part| part.as_ref().contains(' ')),
            may_be_glyph: parts.iter().any(|part| part.as_ref().bytes().all(is_of_glyph)),
        })
    }

    /// Returns the next escape, at or after `at`, that moves or adds text or may break a part.
    fn escape_from(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let mut escapes = memchr_iter(ESC, bytes.get(at..)?).map(|escape| at + escape);
        escapes
            .find(|escape| !self.is_short_color(bytes, *escape) && self.may_match(bytes, *escape))
    }

    /// Returns true if an escape is a short color that breaks no part, as nearly all escapes are.
    /// No branch of the code depends on the parameters of the color.
    #[inline]
    fn is_short_color(&self, bytes: &[u8], escape: usize) -> bool {
        let Some([before, _, b'[', params @ ..]) =
            bytes.get(escape.wrapping_sub(1)..).and_then(<[u8]>::first_chunk::<11>)
        else {
            return false;
        };
        let word = u64::from_le_bytes(*params);
        let no_params = (word ^ (0x20 * EACH)) & (0xe0 * EACH);
        // The final byte and the byte after it. Both are 0 if the sequence is too long.
        let [last, behind, ..] =
            word.checked_shr(no_params.trailing_zeros() & !7).unwrap_or(0).to_le_bytes();
        last == b'm' && !self.breaks.has_pair(*before, behind) && behind != 0
    }

    /// Returns true if the controls that begin at `at` break a part, or if one of them moves or
    /// adds text.
    fn may_match(&self, bytes: &[u8], at: usize) -> bool {
        behind_unshown(bytes, at).is_none_or(|behind| self.breaks.is_one(bytes, at, behind))
    }

    /// Returns the next CR or BS, at or after `at`, that moves text, or the next SI that may break
    /// a part. A CR at the end of a line moves nothing.
    fn move_from(&self, bytes: &[u8], mut at: usize) -> Option<usize> {
        loop {
            at += memchr3(b'\r', 0x08, SI, bytes.get(at..)?)?;
            match bytes.get(at..)? {
                [b'\r', b'\n', ..] => {}
                [SI, ..] if !self.may_match(bytes, at) => {}
                _ => return Some(at),
            }
            at += 1;
        }
    }

    /// Returns the next TAB, at or after `at`, that may be displayed as the blanks of a part.
    fn tab_from(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let mut tabs = memchr_iter(b'\t', bytes.get(at..)?).map(|tab| at + tab);
        tabs.find(|tab| self.breaks.is_tab_one(bytes, *tab))
    }
}

/// The positions where parts may be broken.
#[derive(Debug)]
struct Breaks {
    parts: Vec<Vec<u8>>,
    /// For every byte, the positions within parts that are directly after this byte.
    places: [Vec<PartOffset>; 256],
    /// For every byte, the bytes that may follow a break that begins directly after this byte, as a
    /// set of 256 bits.
    pairs: [[u64; 4]; 256],
}

/// A position within a part.
#[derive(Clone, Copy, Debug)]
struct PartOffset {
    part: usize,
    at: usize,
    /// The byte at this position.
    behind: u8,
}

impl Breaks {
    fn of(parts: Vec<Vec<u8>>) -> Self {
        let (mut places, mut pairs) = ([const { Vec::new() }; 256], [[0; 4]; 256]);
        let mut add = |first: u8, second: u8| {
            pairs[usize::from(first)][usize::from(second / 64)] |= 1 << (second % 64);
        };
        for (part, bytes) in parts.iter().enumerate() {
            for (at, pair) in bytes.windows(2).enumerate() {
                places[usize::from(pair[0])].push(PartOffset { part, at: at + 1, behind: pair[1] });
                // A break may consist of several controls, so another control may follow the first
                // one.
                for second in [pair[1], ESC, SI] {
                    add(pair[0], second);
                }
                if pair[1] == b' ' {
                    add(pair[0], b'\t');
                }
            }
        }
        Self { parts, places, pairs }
    }

    /// Returns true if a part may be broken between two bytes.
    #[inline]
    fn has_pair(&self, first: u8, second: u8) -> bool {
        self.pairs[usize::from(first)][usize::from(second / 64)] >> (second % 64) & 1 == 1
    }

    /// Returns true if the bytes from `at` to `behind`, which are not displayed, are the first
    /// break in a part.
    fn is_one(&self, bytes: &[u8], at: usize, behind: usize) -> bool {
        let (Some(before), Some(behind)) = (bytes.get(..at), bytes.get(behind..)) else {
            return true;
        };
        let Some(last) = before.last() else { return false };
        self.places[usize::from(*last)].iter().any(|place| {
            behind.first().is_none_or(|first| *first == place.behind || is_break(*first))
                && self
                    .split(*place)
                    .is_some_and(|(head, rest)| before.ends_with(head) && goes_on(behind, rest))
        })
    }

    /// Returns true if a TAB may be displayed as blanks of a part, and is the first break of that
    /// part.
    fn is_tab_one(&self, bytes: &[u8], tab: usize) -> bool {
        let (before, behind) = bytes.split_at_checked(tab).unwrap_or_default();
        let behind = without_blanks(behind);
        let last = before.last().map_or(0, |last| usize::from(*last));
        let within = self.places[last].iter().filter(|place| place.behind == b' ');
        let mut splits = within.filter_map(|place| self.split(*place));
        splits.any(|(head, rest)| before.ends_with(head) && goes_on(behind, without_blanks(rest)))
            || self
                .parts
                .iter()
                .any(|part| part.first() == Some(&b' ') && goes_on(behind, without_blanks(part)))
    }

    fn split(&self, place: PartOffset) -> Option<(&[u8], &[u8])> {
        self.parts.get(place.part)?.split_at_checked(place.at)
    }
}

/// Returns true if `bytes` begin with `rest`, the rest of a part, or with a prefix of it that is
/// followed by another break or the end of `bytes`.
fn goes_on(bytes: &[u8], rest: &[u8]) -> bool {
    let same = bytes.iter().zip(rest).take_while(|(byte, wanted)| byte == wanted).count();
    same == rest.len() || bytes.get(same).is_none_or(|byte| is_break(*byte))
}

/// Returns true if a break may begin with this byte.
const fn is_break(byte: u8) -> bool {
    matches!(byte, ESC | SI | b'\t')
}

fn without_blanks(bytes: &[u8]) -> &[u8] {
    let blanks = bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    bytes.get(blanks..).unwrap_or_default()
}

/// Returns the end of the controls that begin at `at` and display nothing: colors, erasing after
/// the text, the default character set. `None` if one of the controls has another effect.
fn behind_unshown(bytes: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    loop {
        end += match bytes.get(end..)? {
            [SI, ..] => 1,
            [ESC, b'(', b'B', ..] => 3,
            [ESC, b'[', params @ ..] => {
                let len = params.iter().position(|byte| !matches!(byte, b' '..=b'?'))?;
                matches!(params.get(..=len)?, [.., b'm'] | [b'K'] | [b'0', b'K'])
                    .then_some(len + 3)?
            }
            [ESC, ..] => return None,
            _ => return Some(end),
        };
    }
}

/// An iterator over the lines that may match in a part of a log. The part consists of whole lines.
pub(super) struct PrefilteredLines<'a> {
    bytes: &'a [u8],
    /// `None` if every line may match.
    prefilter: Option<&'a Prefilter>,
    /// The next position of each kind in [`KINDS`]; `None` if there are no more. A position at or
    /// before the current offset is stale.
    next: [Option<usize>; KINDS.len()],
}

/// A function that searches for one kind of bytes because of which a line may match. Returns their
/// next position at or after an offset.
type FindNext = fn(&PrefilteredLines<'_>, &Prefilter, usize) -> Option<usize>;

const KINDS: [FindNext; 5] = [
    |of, prefilter, at| prefilter.parts.find_at(of.bytes, at).map(|found| found.start()),
    |of, prefilter, at| prefilter.escape_from(of.bytes, at),
    |of, prefilter, at| prefilter.move_from(of.bytes, at),
    |of, prefilter, at| if prefilter.has_blank { prefilter.tab_from(of.bytes, at) } else { None },
    |of, prefilter, at| if prefilter.may_be_glyph { not_ascii_from(of.bytes, at) } else { None },
];

impl<'a> PrefilteredLines<'a> {
    pub(super) fn new(bytes: &'a [u8], prefilter: Option<&'a Prefilter>) -> Self {
        Self { bytes, prefilter, next: [Some(0); KINDS.len()] }
    }

    /// Finds the next line that may match, at or after `at`, which must be the start of a line.
    /// Returns the offsets of its start and of its LF; `None` if there are no more such lines.
    pub(super) fn next(&mut self, at: usize) -> Option<(usize, usize)> {
        let found = match self.prefilter {
            Some(prefilter) => self.line_from(prefilter, at)?,
            None => at,
        };
        let start = memrchr(b'\n', self.bytes.get(at..found)?).map_or(at, |lf| at + lf + 1);
        Some((start, from(found, memchr(b'\n', self.bytes.get(found..)?))?))
    }

    fn line_from(&mut self, prefilter: &Prefilter, at: usize) -> Option<usize> {
        for (kind, find) in KINDS.iter().enumerate() {
            // A position found earlier is still valid if it is after `at`. A position equal to `at`
            // is searched for again, because it may be the initial value.
            if self.next[kind].is_some_and(|next| next <= at) {
                self.next[kind] = find(self, prefilter, at);
            }
        }
        self.next.iter().flatten().min().copied()
    }
}

fn from(at: usize, found: Option<usize>) -> Option<usize> {
    found.map(|found| at + found)
}

/// Returns the next byte that is not ASCII.
fn not_ascii_from(bytes: &[u8], at: usize) -> Option<usize> {
    // A test of whole chunks is several times as fast as a test of single bytes.
    let chunk = bytes.get(at..)?.chunks(64).position(|chunk| !chunk.is_ascii())?;
    let start = at + chunk * 64;
    from(start, bytes.get(start..)?.iter().position(|byte| !byte.is_ascii()))
}

/// Returns texts such that every match of a regular expression contains at least one of them.
/// `None` if there is no useful list.
pub(super) fn literals_of(pattern: &str) -> Option<Vec<String>> {
    parts_of(&regex_syntax::parse(pattern).ok()?)
}

/// Returns a list of parts such that every match of a pattern contains at least one of them. `None`
/// if there is no useful list.
fn parts_of(pattern: &Hir) -> Option<Vec<String>> {
    let inner = match pattern.kind() {
        HirKind::Concat(subs) => best((0..subs.len().min(MAX_PLACES)).map(|from| {
            let rest = Hir::concat(subs.get(from..).unwrap_or_default().to_vec());
            let sub = subs.get(from).filter(|sub| !matches!(sub.kind(), HirKind::Literal(_)));
            best([prefixes(&rest), sub.and_then(parts_of)])
        })),
        HirKind::Capture(capture) => parts_of(&capture.sub),
        HirKind::Repetition(repeated) if repeated.min > 0 => parts_of(&repeated.sub),
        HirKind::Alternation(alternatives) => {
            let parts: Option<Vec<Vec<String>>> = alternatives.iter().map(parts_of).collect();
            parts.map(|parts| parts.concat())
        }
        _ => None,
    };
    best([inner, prefixes(pattern)])
}

/// Returns the parts of the literals that a match may begin with. `None` if the match may begin
/// with any text, or if a part is too short.
fn prefixes(pattern: &Hir) -> Option<Vec<String>> {
    let found = Extractor::new().extract(pattern);
    let mut parts = Vec::new();
    for literal in found.literals()? {
        let bytes = literal.as_bytes();
        // A long literal may be cut within a character.
        let text = bytes.utf8_chunks().next()?.valid();
        parts.push(shown_as_recorded(text)?.to_owned());
    }
    parts.sort_unstable();
    parts.dedup();
    Some(parts)
}

/// Returns the most selective choice: the one whose shortest part is longest; among equals, the one
/// with the fewest parts.
fn best(choices: impl IntoIterator<Item = Option<Vec<String>>>) -> Option<Vec<String>> {
    let of_use = choices.into_iter().flatten().filter(|parts| parts.len() <= MAX_LITERALS);
    of_use.max_by_key(|parts| (parts.iter().map(String::len).min(), std::cmp::Reverse(parts.len())))
}

/// Returns the longest part of a displayed text that has the same bytes in the log, apart from
/// breaks: a part without glyphs and their brackets. `None` if it is too short to be selective.
fn shown_as_recorded(text: &str) -> Option<&str> {
    let is_glyph = |found| matches!(found, '<' | '>' | '\u{fffd}' | '\u{2400}'..='\u{243f}');
    text.split(is_glyph).max_by_key(|part| part.len()).filter(|part| part.len() > 1)
}

/// Returns true if a byte may be inside the angle brackets of `<U+200B>`.
const fn is_of_glyph(byte: u8) -> bool {
    matches!(byte, b'U' | b'+' | b'0'..=b'9' | b'A'..=b'F')
}

#[cfg(test)]
mod tests {
    use regex_syntax::ParserBuilder;

    use super::*;

    fn parsed(pattern: &str) -> Hir {
        ParserBuilder::new().build().parse(pattern).unwrap()
    }

    #[test]
    fn the_most_selective_parts_of_a_pattern_are_used() {
        for (pattern, parts) in [
            ("foo", &["foo"][..]),
            ("^foo bar$", &["foo bar"]),
            (r"\d+ failed", &[" failed"]),
            (".*error.*", &["error"]),
            ("fo.*rather long", &["rather long"]),
            ("(foo|x.*bar)+", &["foo", "bar"]),
            ("(?i)ab", &["AB", "Ab", "aB", "ab"]),
            (r"a␛\[2Kb<U>cd", &["[2Kb"]),
        ] {
            assert_eq!(parts_of(&parsed(pattern)).unwrap(), parts, "{pattern}");
        }
        for pattern in ["", "x", "foo|x", "(foo)?", r"\w+", "<U", "␛a"] {
            assert_eq!(parts_of(&parsed(pattern)), None, "{pattern}");
        }
    }

    #[test]
    fn a_line_that_may_match_is_a_candidate_even_if_colored() {
        let may_match = |pattern: &str, line: &str| {
            let prefilter = Prefilter::of_pattern(&parsed(pattern)).unwrap();
            let bytes = format!("before\n2026-01-02T03:04:05Z stdout F {line}\nbehind\n");
            let found = PrefilteredLines::new(bytes.as_bytes(), Some(&prefilter)).next(0);
            assert!(
                found.is_none_or(|found| found == (7, bytes.len() - 8)),
                "{pattern} in {line}: {found:?}"
            );
            found.is_some()
        };
        for (pattern, line) in [
            ("needle", "needle"),
            ("needle", "n\x1b[meedle"),
            ("needle", "nee\x1b[0m\x1b[1;38;2;100;120;140mdle"),
            ("needle", "nee\x1b[K\x1b[0mdle"),
            ("needle", "nee\x1b(B\x1b[m\x0fdle"),
            ("needle", "nee\x0fdle"),
            ("needle", "need\x1b[1ml\x1b[me"),
            ("needle", "dle\rnee"),
            ("needle", "dle\x1b[1Gnee"),
            ("needle", "nee\x1b]8;;http://a/\x1b\\dle"),
            ("needle", "nxx\x08\x08eedle"),
            ("needle", "nee\x1b[m\x0fdle"),
            ("nee dle", "nee\tdle"),
            ("nee dle", "nee\t\x1b[mdle"),
            ("nee dle", "nee\x1b[m\tdle"),
            ("nee   dle", "nee \t dle"),
            (" nee dle", "x\tnee dle"),
            ("needle", "x stdout P "),
            ("404", "\u{e0404}"),
        ] {
            assert!(may_match(pattern, line), "{pattern} in {}", line.escape_debug());
        }
        for line in [
            "\x1b[0m\x1b[7m\x1b[1m\x1b[32m PASS \x1b[39m\x1b[22m\x1b[27m\x1b[0m \
             \x1b[2msrc/\x1b[22m\x1b[1mn.ts\x1b[22m",
            "\x1b[38;5;244m12:00\x1b[0m \x1b[38;2;100;120;140mneed\x1b[K x\tle \u{200b} P é\r",
        ] {
            assert!(!may_match("needle", line), "{}", line.escape_debug());
        }
        for (pattern, line) in [
            ("needle", "one\x1b[mdle"),
            ("needle", "nee\x1b[md"),
            ("needle", "one\x0fd\x1b(B"),
            ("nee dle", "nee\td"),
            ("nee dle", "one\tdle"),
            (" nee", "\tne"),
        ] {
            assert!(!may_match(pattern, line), "{pattern} in {}", line.escape_debug());
        }
    }
}
