//! The prefixes that tools, CI systems and runners of parallel processes put before a message.
//!
//! ```text
//! 2026-01-02T03:04:05.678Z error: bad         a time, also of GitHub and GitLab
//! #12 1.234 error: bad                        a step of a container build
//! web_1  | error: bad                         a process
//! [web] error: bad   web:build: error: bad    likewise
//! │ Error: bad    > error: bad                a frame, a nested message
//! ```
//!
//! This is a parser, because a regular expression takes longer to compile than a small log takes to
//! search.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while_m_n, take_while1};
use nom::character::complete::{char, digit1, one_of, satisfy};
use nom::combinator::{opt, recognize, value};
use nom::multi::many0_count;
use nom::{IResult, Parser};

type Parsed<'t> = IResult<&'t str, ()>;

/// Returns the text without its prefixes.
pub(super) fn without_prefix(text: &str) -> &str {
    many0_count(prefix).parse(text).map_or(text, |(rest, _)| rest)
}

/// Returns the text without the time that a runner writes before each row.
pub(in crate::search) fn without_time(text: &str) -> &str {
    alt((date_time, time)).parse(text).map_or(text, |(rest, ())| rest)
}

fn prefix(text: &str) -> Parsed<'_> {
    let frame = alt((tag("│"), tag("╷"), tag("╵"), tag("| "), tag("> "), tag("nox > ")));
    let framed = alt((take_while1(is_blank), frame));
    alt((value((), framed), step, date_time, time, value((), alt((package, process, label)))))
        .parse(text)
}

/// Blanks as `\s` of an expression without Unicode, and the narrow ones around labels of pnpm.
fn is_blank(found: char) -> bool {
    found.is_ascii_whitespace() || matches!(found, '\u{b}' | '\u{a0}' | '\u{2009}')
}

fn blank(text: &str) -> IResult<&str, char> {
    satisfy(is_blank).parse(text)
}

fn digits<'t>(
    count: usize,
) -> impl Parser<&'t str, Output = &'t str, Error = nom::error::Error<&'t str>> {
    take_while_m_n(count, count, |found: char| found.is_ascii_digit())
}

/// `#12 `, `#12 1.234 `.
fn step(text: &str) -> Parsed<'_> {
    let seconds = (digit1, char('.'), digit1, char(' '));
    value((), (char('#'), digit1, char(' '), opt(seconds))).parse(text)
}

/// `2026-01-02T03:04:05.678Z `, `[2026-01-02 03:04:05,678] `, and with the stream of GitLab,
/// `2026-01-02T03:04:05.678901Z 01E `.
fn date_time(text: &str) -> Parsed<'_> {
    let date = (digits(4), one_of("-/"), digits(2), one_of("-/"), digits(2));
    let clock = take_while1(|found: char| found.is_ascii_digit() || ":.,".contains(found));
    let offset = recognize((one_of("+-"), digits(2), opt(char(':')), digits(2)));
    let zone = opt(alt((tag("Z"), offset)));
    let id = take_while_m_n(2, 2, |found: char| matches!(found, '0'..='9' | 'a'..='f'));
    let stream = opt((id, one_of("OE"), one_of("+ ")));
    let (date, clock) = ((opt(char('[')), date, one_of("T ")), (clock, zone, opt(char(']'))));
    value((), (date, clock, blank, stream)).parse(text)
}

/// `03:04:05 `, `[03:04:05.678] `.
fn time(text: &str) -> Parsed<'_> {
    let clock = (digits(2), char(':'), digits(2), char(':'), digits(2));
    let fraction = opt((one_of(".,"), digit1));
    value((), (opt(char('[')), clock, fraction, opt(char(']')), blank)).parse(text)
}

const fn is_word(found: char) -> bool {
    found.is_ascii_alphanumeric() || matches!(found, '_' | '.' | '-')
}

/// `web:build: ` (turbo), `packages/web build: ` (pnpm).
fn package(text: &str) -> IResult<&str, &str> {
    let name = take_while1(|found| is_word(found) || found == '@');
    let path = take_while1(|found| is_word(found) || matches!(found, '@' | '/'));
    let end = alt((tag(":"), recognize((char('/'), path, char(' ')))));
    let task = alt((tag("build"), tag("test"), tag("lint"), tag("check")));
    recognize((name, end, task, tag(": "))).parse(text)
}

/// `web-1  | `.
fn process(text: &str) -> IResult<&str, &str> {
    let name = (satisfy(|found| found.is_ascii_alphabetic()), take_while(is_word));
    recognize((name, take_while1(is_blank), char('|'), blank)).parse(text)
}

/// `[web] `.
fn label(text: &str) -> IResult<&str, &str> {
    let first = satisfy(|found| found.is_ascii_lowercase() || found.is_ascii_digit());
    let name = take_while(|found| is_word(found) || matches!(found, '@' | '/' | ':'));
    recognize((char('['), first, name, char(']'), blank)).parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_after_their_prefixes() {
        for (text, message) in [
            ("error: bad", "error: bad"),
            ("  │ │ Error: bad", "Error: bad"),
            ("   > Could not find a:b:1", "Could not find a:b:1"),
            ("    | ConnectionError: refused", "ConnectionError: refused"),
            ("#12 1.234 npm error bad", "npm error bad"),
            ("#12 ERROR: bad", "ERROR: bad"),
            ("2026-01-02T03:04:05.678901Z 01E error: bad", "error: bad"),
            ("2026-01-02T03:04:05.6789012Z   error: bad", "error: bad"),
            ("[2026-01-02 03:04:05,678] error: bad", "error: bad"),
            ("2026-01-02 03:04:05+02:00 error: bad", "error: bad"),
            ("[03:04:05] error: bad", "error: bad"),
            ("web-1  | [api] error: bad", "error: bad"),
            ("@acme/web:build: error: bad", "@acme/web:build: error: bad"),
            ("web:build: src/a.ts:3:4 - error TS1: bad", "src/a.ts:3:4 - error TS1: bad"),
            ("packages/web build: error: bad", "error: bad"),
            ("[ERROR] bad", "[ERROR] bad"),
            ("#include: bad", "#include: bad"),
            ("12:30 is late", "12:30 is late"),
            ("", ""),
        ] {
            assert_eq!(without_prefix(text), message, "{text:?}");
        }
    }
}
