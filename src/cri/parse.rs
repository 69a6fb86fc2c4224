//! Parser from the bytes of one line to a record, or to the reason why the line is not a record.
//!
//! [`parse_by_nom`] defines the grammar. A record has these fields, with one space after each (the
//! last space may be missing):
//!
//! - an RFC 3339 timestamp: a valid date and time, 0 to 9 fraction digits (further digits are
//!   truncated), and `Z` or `±hh:mm`
//! - `stdout` or `stderr`
//! - tags, separated by `:`; the first is `P` or `F`
//!
//! [`parse`] first tries the usual header at fixed offsets, and otherwise uses the grammar. A
//! property test checks that the two agree. Both borrow from the line and do not allocate.
//!
//! The column of a [`Malformed`] line is that of the first byte of the wrong *piece*. A piece is a
//! number or a separator of the timestamp, the whole stream field, or the whole tag field. If the
//! line ends before a piece or within the stream field, the column is one after that of its last
//! byte. If it ends within a number, the column is that of the number.

use std::ops::RangeInclusive;

use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_till, take_while1};
use nom::character::complete::char;
use nom::combinator::{cut, eof, map, map_opt, opt, value};
use nom::error::{ErrorKind, ParseError};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

use super::{Malformed, Reason, Record, Stream, Tag};
use crate::time::{Time, days_from_civil};

/// Parses one line, without its LF.
///
/// # Errors
/// Returns [`Malformed`] for a line that is not a record. It contains the reason and the column,
/// but not the bytes.
#[inline]
pub fn parse(line: &[u8]) -> Result<Record<'_>, Malformed> {
    match parse_usual(line) {
        Some(record) => Ok(record),
        None => parse_by_nom(line),
    }
}

/// Parses a line as [`parse`] does, but always uses the grammar, which is slower. Public only for
/// the benchmark and the fuzz target.
///
/// # Errors
/// As [`parse`].
#[doc(hidden)]
pub fn parse_by_nom(line: &[u8]) -> Result<Record<'_>, Malformed> {
    if line.is_empty() {
        return Err(Malformed { reason: Reason::Blank, column: 1 });
    }
    match record(line) {
        Ok((_, record)) => Ok(record),
        Err(nom::Err::Error(wrong) | nom::Err::Failure(wrong)) => {
            let before = line.len().saturating_sub(wrong.at.len());
            Err(Malformed { reason: wrong.reason, column: before.saturating_add(1) })
        }
        // Complete parsers never return `Incomplete`. It would mean a truncated line.
        Err(nom::Err::Incomplete(_)) => {
            Err(Malformed { reason: Reason::Torn, column: line.len().saturating_add(1) })
        }
    }
}

/// A parse error: the rest of the line, beginning with the wrong piece, and the reason.
struct Wrong<'a> {
    at: &'a [u8],
    reason: Reason,
}

impl<'a> ParseError<&'a [u8]> for Wrong<'a> {
    fn from_error_kind(at: &'a [u8], _: ErrorKind) -> Self {
        Self { at, reason: Reason::Timestamp }
    }

    fn append(_: &'a [u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Parsed<'a, T> = IResult<&'a [u8], T, Wrong<'a>>;

const fn wrong<T>(at: &[u8], reason: Reason) -> Parsed<'_, T> {
    Err(nom::Err::Error(Wrong { at, reason }))
}

fn record(line: &[u8]) -> Parsed<'_, Record<'_>> {
    map((timestamp, space, stream, tags), |(at, (), stream, tag)| (at, stream, tag))
        .parse(line)
        .map(|(content, (at, stream, tag))| (&[][..], Record { at, stream, tag, content }))
}

fn timestamp(line: &[u8]) -> Parsed<'_, Time> {
    let (rest, (year, _, month, _)) =
        (number::<4>(0..=9999), char('-'), number::<2>(1..=12), char('-')).parse(line)?;
    let (rest, (day, _)) = (number::<2>(1..=days_in(year, month)), char('T')).parse(rest)?;
    let (rest, (hour, _, minute, _, second)) =
        (number::<2>(0..=23), char(':'), number::<2>(0..=59), char(':'), number::<2>(0..=59))
            .parse(rest)?;
    // Without `cut`, a dot without digits would be reported at the dot. The error column is that of
    // the missing digits.
    let (rest, nanos) = opt(preceded(char('.'), cut(fraction))).parse(rest)?;
    let (rest, offset_secs) = offset(rest)?;
    let local_secs = secs([year, month, day], [hour, minute, second]);
    Ok((rest, Time::from_unix(local_secs.saturating_sub(offset_secs), nanos.unwrap_or(0))))
}

/// Parses a number of exactly `WIDTH` digits. A number outside `range` is a calendar error.
fn number<'a, const WIDTH: usize>(
    range: RangeInclusive<u32>,
) -> impl Parser<&'a [u8], Output = u32, Error = Wrong<'a>> {
    move |at: &'a [u8]| {
        let (rest, number) = map_opt(take(WIDTH), decimal::<WIDTH>).parse(at)?;
        if range.contains(&number) { Ok((rest, number)) } else { wrong(at, Reason::Calendar) }
    }
}

/// Parses exactly `WIDTH` digits as a number. `WIDTH` is at most 9.
fn decimal<const WIDTH: usize>(digits: &[u8]) -> Option<u32> {
    let digits: &[u8; WIDTH] = digits.try_into().ok()?;
    digits.iter().all(u8::is_ascii_digit).then(|| number_of(digits))
}

/// Returns the value of up to 9 digits. The arithmetic does not wrap, because the value is below
/// 10^9.
fn number_of(digits: &[u8]) -> u32 {
    digits
        .iter()
        .fold(0_u32, |number, digit| number.wrapping_mul(10).wrapping_add(u32::from(digit & 0xf)))
}

/// Parses the digits after the dot as nanoseconds. Further digits are truncated, as in Go,
/// chrono and `time`.
fn fraction(at: &[u8]) -> Parsed<'_, u32> {
    map(take_while1(|byte: u8| byte.is_ascii_digit()), |digits: &[u8]| {
        match digits.first_chunk::<9>() {
            Some(nanos) => number_of(nanos),
            None => (digits.len()..9).fold(number_of(digits), |number, _| number.wrapping_mul(10)),
        }
    })
    .parse(at)
}

/// Parses the offset and returns it as seconds east of UTC.
fn offset(at: &[u8]) -> Parsed<'_, i64> {
    let sign = alt((value(1, char('+')), value(-1, char('-'))));
    let numeric = map(
        (sign, number::<2>(0..=23), char(':'), number::<2>(0..=59)),
        |(sign, hour, _, minute)| secs_of_day([hour, minute, 0]).saturating_mul(sign),
    );
    alt((value(0, char('Z')), numeric)).parse(at)
}

/// Parses the space that ends the timestamp.
fn space(at: &[u8]) -> Parsed<'_, ()> {
    if at.is_empty() { wrong(at, Reason::Torn) } else { value((), char(' ')).parse(at) }
}

fn stream(at: &[u8]) -> Parsed<'_, Stream> {
    let word = alt((value(Stream::Stdout, tag("stdout")), value(Stream::Stderr, tag("stderr"))));
    terminated(word, char(' ')).parse(at).or_else(|_: nom::Err<Wrong<'_>>| {
        if b"stdout ".starts_with(at) || b"stderr ".starts_with(at) {
            wrong(&[], Reason::Torn)
        } else {
            wrong(at, Reason::Stream)
        }
    })
}

/// Parses the tag field and the space after it. Only the first tag has a meaning. The last space
/// may be missing: conmon 2.2.0 does not write it, and some pipelines strip it (fluent-bit issue
/// 6703).
fn tags(at: &[u8]) -> Parsed<'_, Tag> {
    let first = alt((value(Tag::Full, char('F')), value(Tag::Partial, char('P'))));
    let more = opt(preceded(char(':'), take_till(|byte| byte == b' ')));
    let end = alt((value((), char(' ')), value((), eof)));
    terminated(first, (more, end)).parse(at).or_else(|_: nom::Err<Wrong<'_>>| {
        wrong(at, if at.is_empty() { Reason::Torn } else { Reason::Tag })
    })
}

const fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the seconds since 1970 of a valid date (year, month, day) and a valid time of day (hour,
/// minute, second). Nothing wraps: a year has four digits.
fn secs([year, month, day]: [u32; 3], clock: [u32; 3]) -> i64 {
    days_from_civil(i64::from(year), month, day)
        .wrapping_mul(86_400)
        .wrapping_add(secs_of_day(clock))
}

fn secs_of_day([hour, minute, second]: [u32; 3]) -> i64 {
    i64::from(hour.wrapping_mul(60).wrapping_add(minute).wrapping_mul(60).wrapping_add(second))
}

/// The header of nearly every line, and of all lines that rundown writes: 9 fraction digits, `Z`,
/// one tag.
pub(super) type UsualHeader = [u8; 40];

/// Parses a line with a usual header, or with fewer fraction digits (containerd trims trailing
/// zeros). Returns `None` for every other line: only the grammar can decide if it is a record.
#[inline]
fn parse_usual(line: &[u8]) -> Option<Record<'_>> {
    match split_header(line) {
        Some((header, content)) => usual_record(header, content),
        None => parse_padded(line),
    }
}

/// Parses a line with fewer than 9 fraction digits. Not inlined, to keep the usual path short.
#[inline(never)]
fn parse_padded(line: &[u8]) -> Option<Record<'_>> {
    let (header, content_at) = padded(line)?;
    usual_record(&header, line.get(content_at..)?)
}

#[inline]
fn usual_record<'a>(header: &UsualHeader, content: &'a [u8]) -> Option<Record<'a>> {
    let (stream, tag) = stream_and_tag(header)?;
    Some(Record { at: usual_time(header)?, stream, tag, content })
}

/// Splits a line into its header and its content. Returns `None` if the `Z` is not at the offset
/// for 9 fraction digits.
#[inline]
pub(super) fn split_header(line: &[u8]) -> Option<(&UsualHeader, &[u8])> {
    line.split_first_chunk().filter(|(header, _): &(&UsualHeader, _)| header[29] == b'Z')
}

/// Pads a header that has fewer than 9 fraction digits with zeros, and returns it with the offset
/// of the content in the line. Returns `None` if the line is too short, or has no `Z` at an offset
/// for fewer than 9 fraction digits. Does not check any other byte.
pub(super) fn padded(line: &[u8]) -> Option<(UsualHeader, usize)> {
    let z = line.get(..29)?.iter().skip(19).position(|byte| *byte == b'Z')?.saturating_add(19);
    // A dot without digits is not a fraction.
    if z == 20 {
        return None;
    }
    let (time, [_, behind @ ..]) = line.split_at_checked(z)? else { return None };
    let (stream_and_tag, content) = behind.split_first_chunk::<10>()?;
    let mut header = *b"0000-00-00T00:00:00.000000000Z stdout F ";
    header.get_mut(..z)?.copy_from_slice(time);
    *header.last_chunk_mut()? = *stream_and_tag;
    Some((header, line.len().saturating_sub(content.len())))
}

#[inline]
pub(super) fn stream_and_tag(header: &UsualHeader) -> Option<(Stream, Tag)> {
    let stream = match word(header, 30) {
        STDOUT => Stream::Stdout,
        STDERR => Stream::Stderr,
        _ => return None,
    };
    match [header[38], header[39]] {
        [b'F', b' '] => Some((stream, Tag::Full)),
        [b'P', b' '] => Some((stream, Tag::Partial)),
        _ => None,
    }
}

const STDOUT: u64 = u64::from_le_bytes(*b" stdout ");
const STDERR: u64 = u64::from_le_bytes(*b" stderr ");

/// Returns eight bytes of the header as a word. The first byte is the least significant.
#[inline]
pub(super) fn word(header: &UsualHeader, at: usize) -> u64 {
    header.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Parses `2026-01-02T03:04:05.123456789Z`, eight bytes at a time.
pub(super) fn usual_time(header: &UsualHeader) -> Option<Time> {
    let [century, _, year, _, _, month, ..] =
        pairs_of(word(header, 0), const { Shape::new(*b"9999-99-") })?;
    let [day, _, _, hour, _, _, minute, _] =
        pairs_of(word(header, 8), const { Shape::new(*b"99T99:99") })?;
    let [_, second, _, _, nanos1, _, nanos2, _] =
        pairs_of(word(header, 16), const { Shape::new(*b":99.9999") })?;
    let [nanos3, _, nanos4, _, nanos5, ..] =
        pairs_of(word(header, 24) & 0xffff_ffff_ffff, const { Shape::new(*b"99999Z\0\0") })?;
    let year = join(u32::from(century), year);
    let (month, day) = (u32::from(month), u32::from(day));
    let (hour, minute, second) = (u32::from(hour), u32::from(minute), u32::from(second));
    let is_real = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !is_real || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // The last pair is the ninth digit and a 0 for the `Z`.
    let nanos = join(join(join(u32::from(nanos1), nanos2), nanos3), nanos4)
        .wrapping_mul(10)
        .wrapping_add(u32::from(nanos5 / 10));
    Some(Time::from_unix(secs([year, month, day], [hour, minute, second]), nanos))
}

/// Appends two digits to a number of up to six digits. Nothing wraps.
fn join(number: u32, pair: u8) -> u32 {
    number.wrapping_mul(100).wrapping_add(u32::from(pair))
}

/// Returns, for every byte of a word, the two-digit number that begins there; a separator counts as
/// the digit 0. Returns `None` if the word does not match the shape.
#[inline]
fn pairs_of(word: u64, shape: Shape) -> Option<[u8; 8]> {
    let digits = word ^ shape.zeros;
    // If the word matches, each byte is now at most 9, so no sum carries into the next byte.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    shape.matches(word).then_some(pairs.to_le_bytes())
}

/// The shape of a word: the places of its digits, and the bytes in all other places. Create shapes
/// only as constants, because a debug build would otherwise compute them for every line.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// The mask for an XOR that turns digits into their values and separators into 0.
    zeros: u64,
    /// A number for each byte. Adding it to the byte sets the top bit if the byte is larger than
    /// allowed.
    room: u64,
}

impl Shape {
    /// Creates a shape from an example. Where `shape` has a digit, a matching word has a digit that
    /// is at most as large. Elsewhere, it has the same byte as `shape`.
    pub(super) const fn new(shape: [u8; 8]) -> Self {
        let (mut zeros, mut room) = (0, 0);
        let mut rest = shape.as_slice();
        while let [before @ .., byte] = rest {
            let is_digit = byte.is_ascii_digit();
            zeros = zeros << 8 | if is_digit { b'0' } else { *byte } as u64;
            room = room << 8 | if is_digit { 0x7f ^ (*byte & 0xf) } else { 0x7f } as u64;
            rest = before;
        }
        Self { zeros, room }
    }

    /// Returns true if a word has this shape.
    #[inline]
    pub(super) const fn matches(self, word: u64) -> bool {
        let digits = word ^ self.zeros;
        // A carry into the next byte requires a byte of 0x81 or more, which the `|` detects.
        (digits.wrapping_add(self.room) | digits) & 0x8080_8080_8080_8080 == 0
    }
}

#[cfg(test)]
mod tests;
