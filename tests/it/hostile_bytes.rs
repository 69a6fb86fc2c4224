//! A log full of control sequences, on the real screen and with `--once`. The output contains only
//! text and rundown's own sequences.
//!
//! The tests check every byte that is sent to the terminal, not the screen of an emulator: many
//! sequences do harm outside the screen (clipboard, title, replies that arrive as key presses).
//! rundown itself uses few sequences: [`TAKEN`], [`Piece`], [`GIVEN_BACK`].

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use tempfile::TempDir;
use vt100::{Parser, Screen};

use crate::support::{TIMEOUT, stdout};

const ROWS: u16 = 40;
const COLUMNS: u16 = 120;
/// The number of digits of the row number in each row.
const MARK_DIGITS: usize = 5;

/// Returns bytes that must not reach a terminal, in pieces that each fit on one row.
fn hostile() -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    let mut add = |bytes: &[u8]| found.push(bytes.to_vec());
    for last in 0x40..=0x7e {
        // Skip SGR (`m`), which rundown passes on.
        let forms: &[&[u8]] = &[
            b"\x1b[7777;7777",
            b"\x1b[?7777",
            b"\x1b[>4;1",
            b"\x1b[=1",
            b"\x1b[!",
            b"\x1b[1 ",
            b"\x9b7777",
        ];
        for form in forms.iter().skip(usize::from(last == b'm')) {
            add(&[form, &[last][..]].concat());
        }
    }
    for mode in [
        "25l", "1049l", "1049h", "1000h", "1003h", "1006h", "2004h", "2026h", "2026l", "5h",
        "7777h", "1h", "69h",
    ] {
        add(format!("\x1b[?{mode}").as_bytes());
    }
    for escaped in 0x20..=0x7e {
        add(&[0x1b, escaped]);
    }
    // Put eight sequences on each row, as many as fit.
    for first in (0..=1337).step_by(8) {
        let side_by_side: Vec<_> =
            (first..first + 8).map(|number| format!("\x1b]{number};x\x07")).collect();
        add(side_by_side.concat().as_bytes());
    }
    for osc in [
        "\x1b]0;title\x1b\\",
        "\x1b]52;c;eA==\x07",
        "\x1b]52;c;?\x07",
        "\x1b]8;;file:///etc\x1b\\x",
        "\x1b]8;;javascript:x\x07x",
        "\x1b]11;?\x07",
        "\x1b]",
        "\u{9d}0;title\u{9c}",
        "\u{9d}52;c;eA==\x07",
    ] {
        add(osc.as_bytes());
    }
    for (string, eight_bit) in [('P', 0x90), ('X', 0x98), ('^', 0x9e), ('_', 0x9f), (']', 0x9d)] {
        for body in ["$q\"p", "+q544e", "Ga=q", "tmux;\x1b\x1b]0;x\x07"] {
            add(format!("\x1b{string}{body}\x1b\\").as_bytes());
            add(&[&[eight_bit], body.as_bytes(), &[0x9c]].concat());
            add(format!("{}{body}\u{9c}", char::from(eight_bit)).as_bytes());
            add(format!("\x1b{string}{body}").as_bytes());
        }
    }
    for control in (0..0x20).filter(|byte| *byte != b'\n').chain([0x7f]) {
        add(&[b'a', control, b'b']);
    }
    for control in 0x80..=0x9f {
        add(&[b'a', control, b'2', b'J']);
        add(format!("a{}2J", char::from(control)).as_bytes());
    }
    let hidden = "\u{61c}\u{200b}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\
                  \u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}\u{ad}\u{e0041}";
    for hidden in hidden.chars() {
        add(format!("a{hidden}b").as_bytes());
    }
    for broken in [
        &b"\0\0\0\0"[..],
        b"\xff",
        b"\xfe\xff",
        b"\xc0\x9b2J",
        b"\xe0\x80\x9b2J",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
        b"\xc2",
        b"\xf0\x9f",
        b"\xc2\x1b[7777A",
    ] {
        add(broken);
    }
    found
}

/// Returns a log and its number of rows. The hostile bytes are on both streams, split across
/// records, at the right edge of the screen, and in malformed lines. Each row contains its number.
fn log() -> (Vec<u8>, usize) {
    let mut log = Vec::new();
    let mut rows = 0;
    let mut row = |before: &str, bytes: &[&[u8]]| {
        let head = format!("2026-01-02T03:04:05.{rows:09}Z");
        log.extend(format!("{head} {before} row{rows:0MARK_DIGITS$} ").as_bytes());
        log.extend(bytes.concat());
        log.push(b'\n');
        rows += 1;
    };
    for (n, bytes) in hostile().iter().enumerate() {
        row(["stdout F", "stderr F"][n % 2], &[b"<", bytes, b">"]);
    }
    // Sequences at the right edge of the screen, which may cut them after any byte.
    for column in 90..=COLUMNS {
        row("stdout F", &[&b"x".repeat(usize::from(column)), b"\x1b]0;x\x07\x1b[7777A\x9b2J"]);
    }
    // Malformed lines.
    for bytes in [
        &b"\x1b[7777A"[..],
        b"\x1b]0;x\x07",
        b"\x9b2J",
        b"\0\0\0\0",
        b"\xff\xfe",
        "\u{202e}".as_bytes(),
    ] {
        row("stdxxx F", &[bytes]);
    }
    // Sequences that are split across rows, and across two records of one row.
    row("stdout F", &[b"\x1b"]);
    row("stdout F", &[b"[7777A \x1b[7777"]);
    row("stdout F", &[b"A"]);
    row("stdout P", &[b"\x1b]0;ti", b"\n2026-01-02T03:04:06Z stdout F tle\x07"]);
    row("stdout P", &[b"\xe2\x80", b"\n2026-01-02T03:04:06Z stdout F \xae"]);
    (log, rows)
}

/// The sequences that rundown sends when it takes over the terminal: alternate screen, mouse.
const TAKEN: &[u8] = b"\x1b[?1049h\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1015h\x1b[?1006h";
/// The sequences that rundown sends when it gives the terminal back.
const GIVEN_BACK: &[u8] =
    b"\x1b[?2026l\x1b[?1006l\x1b[?1015l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?1049l\x1b[?25h";

/// A sequence or a character that rundown sends between [`TAKEN`] and [`GIVEN_BACK`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Piece {
    Text(char),
    LineFeed,
    Style,
    /// A move of the cursor to a row and a column of the screen.
    Cursor,
    BeginFrame,
    HideCursor,
    EndFrame,
}

/// Splits an output into pieces. The error contains the first bytes that are not allowed.
fn pieces(mut rest: &[u8]) -> Result<Vec<Piece>, String> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let Some((piece, len)) = piece(rest) else {
            return Err(format!("{:?}", String::from_utf8_lossy(&rest[..rest.len().min(40)])));
        };
        found.push(piece);
        rest = &rest[len..];
    }
    Ok(found)
}

/// Returns the first piece and its length in bytes, or `None` if the bytes are not allowed.
fn piece(bytes: &[u8]) -> Option<(Piece, usize)> {
    if let Some(after) = bytes.strip_prefix(b"\x1b[")
        && let Some(len) = after.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'))
    {
        match after[len] {
            b'm' => return Some((Piece::Style, len + 3)),
            b'H' if is_on_screen(&after[..len]) => return Some((Piece::Cursor, len + 3)),
            _ => {}
        }
    }
    let fixed: [(&[u8], _); 4] = [
        (b"\x1b[?2026h", Piece::BeginFrame),
        (b"\x1b[?25l", Piece::HideCursor),
        (b"\x1b[?2026l", Piece::EndFrame),
        (b"\n", Piece::LineFeed),
    ];
    if let Some((sequence, piece)) =
        fixed.into_iter().find(|(sequence, _)| bytes.starts_with(sequence))
    {
        return Some((piece, sequence.len()));
    }
    // Decode only one character. Validating all of `bytes` for each piece takes quadratic time.
    let first = &bytes[..bytes.len().min(4)];
    let text = first.utf8_chunks().next()?.valid().chars().next()?;
    (!text.is_control() && !is_hidden(text)).then_some((Piece::Text(text), text.len_utf8()))
}

fn is_on_screen(params: &[u8]) -> bool {
    let numbers: Vec<u16> = params
        .split(|byte| *byte == b';')
        .filter_map(|n| std::str::from_utf8(n).ok()?.parse().ok())
        .collect();
    let [row, column] = numbers[..] else { return false };
    (1..=ROWS).contains(&row) && (1..=COLUMNS).contains(&column)
}

/// Returns true for characters that reorder text or are invisible. This list is independent of the
/// code under test.
fn is_hidden(found: char) -> bool {
    matches!(
        found,
        '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// A process of rundown in a terminal, and all bytes that it has sent.
struct Terminal {
    pty: Pty,
    child: Child,
    parser: Parser,
    sent: Vec<u8>,
}

impl Terminal {
    fn start(log: &Path) -> Self {
        let (pty, pts) = open().unwrap();
        pty.resize(Size::new(ROWS, COLUMNS)).unwrap();
        let command = Command::new(env!("CARGO_BIN_EXE_rundown")).arg(log).env_clear().envs([
            ("TERM", "xterm-256color"),
            ("TZ", "UTC"),
            ("LANG", "C.UTF-8"),
        ]);
        let child = command.spawn(pts).unwrap();
        let size = |n| NonZeroU16::new(n).unwrap();
        Self { pty, child, parser: Parser::new(size(ROWS), size(COLUMNS), 0), sent: Vec::new() }
    }

    fn press(&mut self, keys: &str) {
        self.pty.write_all(keys.as_bytes()).unwrap();
    }

    fn wait(&mut self, what: &str, wanted: impl Fn(&Screen) -> bool) {
        let end = Instant::now() + TIMEOUT;
        // Check the screen only after a whole frame.
        while !(self.sent.ends_with(b"\x1b[?2026l") && wanted(self.parser.screen())) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && self.read(left),
                "timeout while waiting for {what}:\n{}",
                self.parser.screen().contents()
            );
        }
    }

    /// Reads once. Returns false if no byte arrives before the timeout or the end of the program.
    fn read(&mut self, timeout: Duration) -> bool {
        let mut fds = [PollFd::new(&self.pty, PollFlags::IN)];
        let mut buffer = [0; 1 << 14];
        // The recorder's tests, in the same process, install signal handlers that may interrupt
        // `poll`.
        let timeout = Timespec::try_from(timeout).unwrap();
        if retry_on_intr(|| poll(&mut fds, Some(&timeout))).unwrap() == 0 {
            return false;
        }
        // Reading fails after the program has ended.
        let bytes = self.pty.read(&mut buffer).unwrap_or(0);
        self.sent.extend(&buffer[..bytes]);
        self.parser.process(&buffer[..bytes]);
        bytes > 0
    }

    /// Moves down page by page until a row is on screen. Returns all rows that have been on screen.
    fn page_to(&mut self, end: usize) -> BTreeSet<usize> {
        let mut seen = BTreeSet::new();
        loop {
            let before = self.parser.screen().contents();
            seen.extend(rows_in(&before));
            if seen.contains(&end) {
                return seen;
            }
            self.press(" ");
            // The next page begins with the last row of this page, or with a later row if the
            // number of that row is not visible.
            let last = rows_in(&before).last();
            self.wait("the next page", |screen| {
                let page: Vec<_> = rows_in(&screen.contents()).collect();
                page.first() == last.as_ref() || page.first().copied() > last || page.contains(&end)
            });
        }
    }

    /// Quits rundown, and returns all bytes that it has sent.
    fn leave(mut self) -> Vec<u8> {
        self.press("q");
        while self.read(TIMEOUT) {}
        assert!(self.child.wait().unwrap().success());
        self.sent
    }
}

/// Returns the numbers of the rows in a text.
fn rows_in(text: &str) -> impl Iterator<Item = usize> {
    text.split("row").skip(1).filter_map(|after| after.get(..MARK_DIGITS)?.parse().ok())
}

fn write_log() -> (TempDir, usize) {
    let (bytes, rows) = log();
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("hostile.log"), bytes).unwrap();
    (dir, rows)
}

#[test]
fn the_check_finds_hostile_bytes() {
    for bytes in hostile() {
        let passes = pieces(&bytes)
            .is_ok_and(|found| found.iter().all(|piece| matches!(piece, Piece::Text(_))));
        assert!(!passes, "{:?} passes for text", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn the_screen_prints_only_its_own_sequences() {
    let (dir, rows) = write_log();
    let mut terminal = Terminal::start(&dir.path().join("hostile.log"));
    terminal.wait("the first row", |screen| rows_in(&screen.contents()).next() == Some(0));
    // Zoom the log, so that its right edge is the one of the screen, as `log` assumes.
    terminal.press("Z");
    terminal.wait("one pane", |screen| !screen.contents().contains("Jobs"));
    // Page through the log twice: in the folded log, cursor moves hide rows; unfolded, it shows
    // every row.
    terminal.page_to(rows - 1);
    terminal.press("p");
    terminal.wait("all rows", |screen| screen.contents().contains("full progress"));
    terminal.press("g");
    terminal.wait("the first row", |screen| rows_in(&screen.contents()).next() == Some(0));
    assert_eq!(terminal.page_to(rows - 1).len(), rows, "every row has been on screen");
    for keys in ["l", "l", "w", "g", "G"] {
        let before = terminal.parser.screen().contents();
        terminal.press(keys);
        terminal.wait(keys, |screen| screen.contents() != before);
    }
    assert_own(&terminal.leave());
}

/// Asserts that rundown takes over the terminal, draws whole frames, and gives the terminal back.
/// The log contains the sequences that begin and end a frame and hide the cursor, so this also
/// asserts that they occur only where rundown sends them.
fn assert_own(sent: &[u8]) {
    let drawn = sent.strip_prefix(TAKEN).unwrap();
    let end = drawn.windows(GIVEN_BACK.len()).rposition(|bytes| bytes == GIVEN_BACK).unwrap();
    let pieces_of =
        |bytes| pieces(bytes).unwrap_or_else(|bytes| panic!("sent to the terminal: {bytes}"));
    let is_of_row = |piece: &Piece| matches!(piece, Piece::Text(_) | Piece::Style | Piece::Cursor);
    for frame in pieces_of(&drawn[..end]).split_inclusive(|piece| *piece == Piece::EndFrame) {
        let rest: Vec<_> = frame.iter().filter(|piece| !is_of_row(piece)).collect();
        assert_eq!(rest, [&Piece::BeginFrame, &Piece::HideCursor, &Piece::EndFrame]);
    }
}

#[test]
fn printed_output_contains_no_sequences_except_styles() {
    let (dir, rows) = write_log();
    for color in ["--color=always", "--color=never"] {
        let text = stdout(dir.path(), &["--once", "./hostile.log", color], 0);
        assert_eq!(rows_in(&text).last(), Some(rows - 1));
        let found =
            pieces(text.as_bytes()).unwrap_or_else(|bytes| panic!("{color} prints {bytes}"));
        let is_own = |piece: &Piece| match piece {
            Piece::Text(_) | Piece::LineFeed => true,
            Piece::Style => color == "--color=always",
            _ => false,
        };
        assert_eq!(found.iter().find(|piece| !is_own(piece)), None);
    }
}
