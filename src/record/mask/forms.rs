//! The forms in which a value may be printed: as it is and line by line, in base64, and quoted for
//! URLs, JSON, programming languages and shells.
//!
//! A form is the text that a program prints for a value, without the quotes around it. Its
//! whitespace is normalized (see [`normalized`]).

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

/// The length in bytes of the shortest value, line or other form that is masked.
pub const MIN_BYTES: usize = 6;

/// The columns at which programs break base64: coreutils and MIME at 76, OpenSSL and PEM at 64.
const BASE64_COLUMNS: [usize; 2] = [76, 64];

/// Returns true for a byte that may be a part of the space between two words or lines.
pub const fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// Returns a value without the whitespace around it.
pub fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = value
        && is_whitespace(*first)
    {
        value = rest;
    }
    while let [rest @ .., last] = value
        && is_whitespace(*last)
    {
        value = rest;
    }
    value
}

/// Replaces each run of whitespace by one space, and removes the whitespace around the text.
pub fn normalized(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for word in text.split(|byte| is_whitespace(*byte)).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
    out
}

/// Returns the forms of a value, each normalized and at least [`MIN_BYTES`] long. Some may be
/// equal.
pub fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for piece in pieces(value) {
        found.push(piece.to_vec());
        add_base64(piece, &mut found);
        // Most pieces are plain. For a key of many lines, the other rules would take milliseconds.
        let is_plain = piece.iter().all(|byte| is_plain(*byte));
        let count = |plain| if is_plain { plain } else { usize::MAX };
        let quotings = QUOTINGS.iter().take(count(PLAIN_QUOTINGS));
        let quoted = quotings.map(|quote| quoted(piece, *quote));
        let rules = PERCENT.iter().take(count(PLAIN_PERCENT));
        let encoded = rules.map(|rule| percent_encoded(piece, *rule));
        found.extend(quoted.chain(encoded).filter(|form| form != piece));
    }
    for form in &mut found {
        *form = normalized(form);
    }
    found.retain(|form| form.len() >= MIN_BYTES);
    found
}

/// Returns the value as a whole, and its lines, without those that are too short.
fn pieces(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = value.split(|byte| matches!(byte, b'\n' | b'\r'));
    let is_one = value.iter().all(|byte| !matches!(byte, b'\n' | b'\r'));
    std::iter::once(value)
        .chain(lines.filter(move |_| !is_one))
        .map(trimmed)
        .filter(|piece| piece.len() >= MIN_BYTES)
}

/// Adds the base64 digits of a piece, for each offset from a multiple of 3 bytes at which the piece
/// may begin in the encoded text. Digits that also encode the bytes around the piece are left out:
/// at most 4 bits of the piece at each end.
///
/// ```text
/// bytes    11111111 22222222 33333333
/// digits   aaaaaabb bbbbcccc ccdddddd     at offset 1, `a` and `b` are left out; at offset 2, `a`,
///                                         `b` and `c`
/// ```
fn add_base64(piece: &[u8], found: &mut Vec<Vec<u8>>) {
    for (offset, shared) in [(0, 0), (1, 2), (2, 3)] {
        let text = [[0; 2].get(..offset).unwrap_or_default(), piece].concat();
        let own_digits = 8 * text.len() / 6 - shared;
        let padding: &[u8] = if text.len() % 3 == 2 { b"=" } else { b"==" };
        let standard = BASE64_STANDARD_NO_PAD.encode(&text);
        let url_safe = BASE64_URL_SAFE_NO_PAD.encode(&text);
        for digits in [&standard, &url_safe].into_iter().take(1 + usize::from(standard != url_safe))
        {
            let digits = digits.as_bytes().get(shared..).unwrap_or_default();
            let own = digits.get(..own_digits).unwrap_or_default();
            found.push(own.to_vec());
            // At the end of the encoded text, zeros fill the last digit, and padding may follow.
            if own.len() < digits.len() {
                found.extend([digits.to_vec(), [digits, padding].concat()]);
            }
            if offset == 0 {
                add_wrapped(own, found);
            }
        }
    }
}

/// Adds base64 digits that are broken into lines.
fn add_wrapped(digits: &[u8], found: &mut Vec<Vec<u8>>) {
    for columns in BASE64_COLUMNS.into_iter().filter(|columns| digits.len() > *columns) {
        let wrapped = digits.chunks(columns).collect::<Vec<_>>().join(&b'\n');
        found.extend(pieces(&wrapped).map(<[u8]>::to_vec));
    }
}

/// Returns true for a byte whose forms are all given by the first rules of [`QUOTINGS`] and of
/// [`PERCENT`].
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'/' | b':' | b'=' | b'_')
}

/// Writes one character of a value as another program prints it.
type Quote = fn(char, &mut Vec<u8>);

/// The number of rules that give all forms of plain bytes.
const PLAIN_QUOTINGS: usize = 1;
/// The rules for quoting.
const QUOTINGS: [Quote; 11] = [
    json_with_slashes,
    json,
    json_for_html,
    json_in_ascii,
    json_in_ascii_with_slashes,
    literal,
    shell_ansi_c,
    shell_backslashes,
    shell_double_quotes,
    shell_single_quotes,
    shell_mixed_quotes,
];

/// Quotes a value. Bytes that are not UTF-8 remain.
fn quoted(value: &[u8], quote: Quote) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for chunk in value.utf8_chunks() {
        chunk.valid().chars().for_each(|c| quote(c, &mut out));
        out.extend_from_slice(chunk.invalid());
    }
    out
}

fn plain(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn with_backslash(c: char, out: &mut Vec<u8>) {
    out.push(b'\\');
    plain(c, out);
}

fn utf16_escape(c: char, out: &mut Vec<u8>) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
    }
}

fn json(c: char, out: &mut Vec<u8>) {
    match c {
        '"' => with_backslash('"', out),
        _ => literal(c, out),
    }
}

/// Escapes as PHP and some JavaScript libraries do in JSON.
fn json_with_slashes(c: char, out: &mut Vec<u8>) {
    if c == '/' { with_backslash('/', out) } else { json(c, out) }
}

/// Escapes as Go does in JSON.
fn json_for_html(c: char, out: &mut Vec<u8>) {
    if "<>&".contains(c) { utf16_escape(c, out) } else { json(c, out) }
}

/// Escapes as Python does in JSON.
fn json_in_ascii(c: char, out: &mut Vec<u8>) {
    if c.is_ascii() { json(c, out) } else { utf16_escape(c, out) }
}

fn json_in_ascii_with_slashes(c: char, out: &mut Vec<u8>) {
    if c.is_ascii() { json_with_slashes(c, out) } else { utf16_escape(c, out) }
}

/// Escapes as in a string of Python or JavaScript in single quotes.
fn literal(c: char, out: &mut Vec<u8>) {
    match c {
        '\\' => with_backslash('\\', out),
        '\x08' => with_backslash('b', out),
        '\x0c' => with_backslash('f', out),
        '\n' => with_backslash('n', out),
        '\r' => with_backslash('r', out),
        '\t' => with_backslash('t', out),
        _ if c < ' ' => utf16_escape(c, out),
        _ => plain(c, out),
    }
}

/// Escapes as in `$'…'` of bash, which `printf %q` prints if there are control characters.
fn shell_ansi_c(c: char, out: &mut Vec<u8>) {
    match c {
        '\'' | '\\' => with_backslash(c, out),
        '\x07' => with_backslash('a', out),
        '\x08' => with_backslash('b', out),
        '\x0b' => with_backslash('v', out),
        '\x0c' => with_backslash('f', out),
        '\x1b' => with_backslash('E', out),
        '\n' => with_backslash('n', out),
        '\r' => with_backslash('r', out),
        '\t' => with_backslash('t', out),
        _ if c.is_ascii_control() => {
            out.extend_from_slice(format!("\\{:03o}", u32::from(c)).as_bytes());
        }
        _ => plain(c, out),
    }
}

/// Escapes as `printf %q` of bash does for other values. A `~` or `#` gets a backslash only at the
/// beginning of a value, so it needs none here.
fn shell_backslashes(c: char, out: &mut Vec<u8>) {
    if " \t!\"$&'()*,;<>?[\\]^`{|}".contains(c) { with_backslash(c, out) } else { plain(c, out) }
}

fn shell_double_quotes(c: char, out: &mut Vec<u8>) {
    if "\"$\\`".contains(c) { with_backslash(c, out) } else { plain(c, out) }
}

/// Escapes as bash does with `set -x`.
fn shell_single_quotes(c: char, out: &mut Vec<u8>) {
    if c == '\'' { out.extend_from_slice(b"'\\''") } else { plain(c, out) }
}

/// Escapes as `shlex.quote` of Python does.
fn shell_mixed_quotes(c: char, out: &mut Vec<u8>) {
    if c == '\'' { out.extend_from_slice(b"'\"'\"'") } else { plain(c, out) }
}

/// A kind of percent encoding.
#[derive(Clone, Copy)]
struct Percent {
    /// The characters that remain, besides letters and digits.
    keeps: &'static [u8],
    /// The form of a space.
    blank: &'static [u8],
    is_upper_hex: bool,
}

/// The number of rules that give all forms of plain bytes.
const PLAIN_PERCENT: usize = 4;
/// The rules for percent encoding.
const PERCENT: [Percent; 10] = {
    const UNRESERVED: &[u8] = b"-._~";
    const WITH_SLASH: &[u8] = b"-._~/";
    const COMPONENT: &[u8] = b"-._~!'()*";
    const FORM: &[u8] = b"*-._";
    const fn rule(keeps: &'static [u8], blank: &'static [u8], is_upper_hex: bool) -> Percent {
        Percent { keeps, blank, is_upper_hex }
    }
    [
        rule(UNRESERVED, b"%20", true),
        rule(UNRESERVED, b"%20", false),
        rule(WITH_SLASH, b"%20", true),
        rule(WITH_SLASH, b"%20", false),
        rule(UNRESERVED, b"+", true),
        rule(UNRESERVED, b"+", false),
        rule(COMPONENT, b"%20", true),
        rule(COMPONENT, b"%20", false),
        rule(FORM, b"+", true),
        rule(FORM, b"+", false),
    ]
};

fn percent_encoded(value: &[u8], rule: Percent) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for &byte in value {
        match byte {
            b' ' => out.extend_from_slice(rule.blank),
            _ if byte.is_ascii_alphanumeric() || rule.keeps.contains(&byte) => out.push(byte),
            _ if rule.is_upper_hex => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            _ => out.extend_from_slice(format!("%{byte:02x}").as_bytes()),
        }
    }
    out
}
