//! Tests that overwritten text is shown as in a terminal, with vt100 as the oracle.

use std::fs;
use std::num::NonZero;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// The rows and columns of the terminal, enough that no test wraps or scrolls.
const SIZE: [u16; 2] = [40, 160];

/// Returns the lines of a terminal, without trailing blanks.
fn terminal(bytes: &[u8]) -> Vec<String> {
    let [rows, columns] = SIZE.map(|size| NonZero::new(size).unwrap());
    let mut terminal = vt100::Parser::new(rows, columns, 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        terminal.process(line);
        terminal.process(b"\r");
    }
    trimmed(terminal.screen().rows(0, SIZE[1]))
}

/// Returns the lines that the sanitizer shows for the same bytes.
fn shown(bytes: &[u8]) -> Vec<String> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let rows: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
    let is_overwritten = overwritten(rows.iter().copied());
    let seen = rows.iter().zip(is_overwritten).filter(|(_, is_overwritten)| !is_overwritten);
    trimmed(seen.flat_map(|(row, _)| {
        plain(row, Progress::Last).split(canvas::LINE_END).map(str::to_owned).collect::<Vec<_>>()
    }))
}

fn trimmed(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<_> = lines.map(|line| line.trim_end().to_owned()).collect();
    lines.truncate(lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1));
    lines
}

#[test]
fn progress_of_real_programs_equals_the_final_screen_of_a_terminal() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/progress");
    for file in fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let expected = terminal(&bytes);
        assert!(!expected.is_empty(), "{path:?}");
        assert_eq!(shown(&bytes), expected, "{path:?}");
    }
}

/// Generates text and cursor movements within one line. Insertion is not combined with wide
/// characters: vt100 shows more of a split wide character than other terminals do.
fn in_row(text: &'static str, actions: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => "[a-z ]{1,6}",
        1 => text,
        1 => Just("ab\x08\u{301}".to_owned()),
        1 => Just("\r".to_owned()),
        1 => Just("\t".to_owned()),
        1 => Just("\x08".to_owned()),
        2 => (actions, prop::option::of(0_u8..9)).prop_map(|(action, count)| {
            let count = count.filter(|count| action != "K" || *count < 3);
            format!("\x1b[{}{action}", count.map_or(String::new(), |count| count.to_string()))
        }),
        1 => prop::sample::select(vec![
            "\x1b[1;31m", "\x1b[m", "\x1b[?25l", "\x1b[J", "\x1b(B", "\x1b]8;;http://a\x07",
        ])
        .prop_map(str::to_owned),
    ];
    vec(piece, 0..16).prop_map(|pieces| pieces.concat().into_bytes())
}

fn letter(row: usize) -> char {
    ('a'..='z').nth(row).unwrap()
}

/// Generates rows that draw on several lines. The cursor never leaves the existing lines. Each row
/// writes its own letter.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => (1_usize..8).prop_map(|count| "x".repeat(count)),
        2 => (1_u8..4).prop_map(|count| format!("\x1b[{count}A")),
        1 => Just("\x1b[1B".to_owned()),
        1 => (1_u8..3).prop_map(|count| format!("\x1b[{count}F")),
        1 => Just("\x1bM".to_owned()),
        3 => Just("\r".to_owned()),
        2 => Just("\x1b[2K".to_owned()),
        2 => prop::sample::select(vec![
            "\x1b[K", "\x1b[1K", "\x1b[J", "\x1b[2X", "\x1b[2P", "\x1b[2@", "\t", " ", "\x1b[3C",
            "\x1b[4G", "\x1b[1m",
        ])
        .prop_map(str::to_owned),
    ];
    vec(vec(piece, 0..8), 0..25).prop_map(|rows| {
        let mut out = Vec::new();
        let (mut line, mut bottom) = (0_usize, 0);
        for (number, row) in rows.into_iter().enumerate() {
            for piece in row {
                let count = piece
                    .as_bytes()
                    .get(2)
                    .map_or(1, |digit| usize::from(digit.wrapping_sub(b'0')));
                let is_down = piece.ends_with('B');
                line = match piece.as_bytes().last() {
                    Some(b'A' | b'F' | b'M') if count > line => continue,
                    Some(b'A' | b'F' | b'M') => line - count,
                    Some(b'B') if line == bottom => continue,
                    _ => line + usize::from(is_down),
                };
                out.extend(piece.replace('x', &letter(number).to_string()).bytes());
            }
            out.push(b'\n');
            line += 1;
            bottom = bottom.max(line);
        }
        out
    })
}

proptest! {
    #[test]
    fn a_row_is_displayed_as_in_a_terminal(
        bytes in prop_oneof![
            in_row("[a-c]", "[KCDGXP@]"),
            in_row("[日本👧é][\u{301}\u{200d}]{0,2}", "[KCDGXP]"),
        ],
    ) {
        prop_assert_eq!(shown(&bytes), terminal(&bytes));
    }

    #[test]
    fn rows_visible_in_a_terminal_are_exactly_those_not_overwritten(bytes in frames()) {
        let rows: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
        let seen = terminal(&bytes).concat();
        for (number, (row, is_overwritten)) in
            rows.iter().zip(overwritten(rows.iter().copied())).enumerate()
        {
            let letter = letter(number);
            if plain(row, Progress::Last).contains(letter) {
                prop_assert_eq!(
                    is_overwritten,
                    !seen.contains(letter),
                    "row {} of {:?}",
                    number,
                    seen
                );
            }
        }
    }
}
