//! Tests of rows as cells of the screen.

use jiff::tz::TimeZone;
use ratatui::buffer::CellDiffOption;
use ratatui::style::{Color, Modifier};

use super::pen::is_ambiguous;
use super::*;
use crate::cri::{Malformed, Reason};
use crate::tui::log::Times;
use crate::tui::theme::Scheme;

fn row(stream: Option<Stream>, text: &str) -> Row {
    let malformed = stream.is_none().then_some(Malformed { reason: Reason::Blank, column: 1 });
    let text = text.as_bytes().to_vec();
    Row {
        offset: 0,
        at: None,
        last_at: None,
        stream,
        text,
        overwritten_bytes: 0,
        cut_bytes: 0,
        complete: true,
        malformed,
        pieces: Vec::new(),
    }
}

const UTC: &TimeZone = &TimeZone::UTC;

fn log_rows<'a>(rows: &'a [Row], above: &'a [Row], width: u16, theme: &'a Theme) -> LogRows<'a> {
    LogRows {
        rows,
        headings: &[],
        numbers: &[],
        depths: &[],
        cuts: &[],
        above,
        style: sanitize::Style::default(),
        sideways: 0,
        wrap: false,
        wrapped: None,
        line: 0,
        columns: Columns::new(width, None, Times::None, false),
        stamps: Stamps { times: Times::None, start: None, before: None, zone: UTC, slow_ms: 0 },
        search: None,
        at: None,
        marked: &[],
        cursor: None,
        progress: Progress::Last,
        is_interrupted: false,
        theme,
    }
}

/// Draws rows on a screen of this width and height.
fn draw(rows: &[Row], sideways: usize, width: u16, height: u16) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    let area = buffer.area;
    LogRows { sideways, ..log_rows(rows, &[], width, &Theme::new(true, false)) }
        .draw(&mut buffer, area);
    buffer
}

fn lines(rows: &[Row], sideways: usize, width: u16) -> String {
    crate::tui::sim::text(&draw(rows, sideways, width, u16::try_from(rows.len()).unwrap()))
}

#[test]
fn streams_and_malformed_lines_are_told_by_a_mark() {
    let rows = [row(Some(Stream::Stdout), "out"), row(Some(Stream::Stderr), "err"), row(None, "")];
    assert_eq!(lines(&rows, 0, 20), "  out\nE err\n!   (blank line)\n");
}

#[test]
fn a_row_of_exactly_the_width_is_whole_and_a_longer_one_is_marked() {
    let out = |text| [row(Some(Stream::Stdout), text)];
    assert_eq!(lines(&out("123456"), 0, 8), "  123456\n");
    assert_eq!(lines(&out("1234567"), 0, 8), "  12345›\n");
    assert_eq!(lines(&out("1234567"), 1, 8), "  ‹34567\n");
    assert_eq!(lines(&out("1234567"), 9, 8), "  ‹\n");
    assert_eq!(lines(&out(""), 9, 8), "\n", "nothing is scrolled out");
}

#[test]
fn wide_characters_are_never_halved() {
    let out = |text| [row(Some(Stream::Stdout), text)];
    assert_eq!(lines(&out("日本語"), 0, 8), "  日本語\n");
    assert_eq!(lines(&out("日本語"), 0, 7), "  日本›\n");
    assert_eq!(lines(&out("a日本語"), 0, 7), "  a日 ›\n");
    assert_eq!(lines(&out("日本語"), 1, 8), "  ‹本語\n", "half of it is out of sight");
    assert_eq!(lines(&out("e\u{301}e\u{301}e\u{301}"), 1, 8), "  ‹e\u{301}\n");
}

#[test]
fn a_row_has_its_own_colors_and_its_stream_one_in_the_gutter() {
    let rows = [row(Some(Stream::Stderr), "a\x1b[1;32mb\x1b[0mc"), row(None, "d")];
    let buffer = draw(&rows, 0, 8, 2);
    let style = |x, y| (buffer[(x, y)].fg, buffer[(x, y)].modifier);
    let (plain, bold) = (Modifier::empty(), Modifier::BOLD);
    assert_eq!(
        [0, 2, 3, 4].map(|x| style(x, 0)),
        [
            (Color::Magenta, plain),
            (Color::Reset, plain),
            (Color::Green, bold),
            (Color::Reset, plain)
        ]
    );
    assert_eq!([0, 2].map(|x| style(x, 1)), [(Color::Yellow, plain), (Color::Reset, plain)]);
}

#[test]
fn a_color_left_on_above_the_screen_is_still_on() {
    let rows = [row(Some(Stream::Stdout), "\x1b[32mgreen"), row(Some(Stream::Stdout), "too")];
    let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 1));
    let (area, theme) = (buffer.area, Theme::new(true, false));
    log_rows(&rows[1..], &rows[..1], area.width, &theme).draw(&mut buffer, area);
    assert_eq!(buffer[(2, 0)].fg, Color::Green);
}

#[test]
fn a_long_row_hands_its_last_color_down() {
    let long = format!("\x1b[31m{}\x1b[32m", "x".repeat(5000));
    let rows = [row(Some(Stream::Stdout), &long), row(Some(Stream::Stdout), "next")];
    let buffer = draw(&rows, 0, 8, 2);
    assert_eq!((buffer[(2, 0)].fg, buffer[(2, 1)].fg), (Color::Red, Color::Green));
    assert_eq!(buffer[(7, 0)].symbol(), "›");
}

#[test]
fn a_row_whose_end_will_not_come_is_unfinished() {
    let rows = [
        row(Some(Stream::Stdout), "whole"),
        Row { complete: false, ..row(Some(Stream::Stdout), "half") },
    ];
    let mut buffer = Buffer::empty(Rect::new(0, 0, 30, 2));
    let (area, theme) = (buffer.area, Theme::new(true, false));
    LogRows { is_interrupted: true, ..log_rows(&rows, &[], area.width, &theme) }
        .draw(&mut buffer, area);
    assert_eq!(crate::tui::sim::text(&buffer), "  whole\n  half  (unfinished)\n");
    assert_eq!(lines(&rows, 0, 30), "  whole\n  half\n");
}

#[test]
fn characters_of_which_terminals_disagree_are_pinned_to_their_columns() {
    let buffer = draw(&[row(Some(Stream::Stdout), "a🇩🇪b นำ e\u{301}")], 0, 30, 1);
    assert_eq!(buffer[(3, 0)].symbol(), "  \x1b[1;4H🇩🇪\x1b[1;6H");
    assert_eq!(buffer[(5, 0)].diff_option, CellDiffOption::AlwaysUpdate);
    assert_eq!(crate::tui::sim::text(&buffer), "  a🇩🇪b นำ e\u{301}\n");
    assert!(
        !is_ambiguous("e\u{301}")
            && !is_ambiguous("日")
            && is_ambiguous("👍🏽")
            && is_ambiguous("❤\u{fe0f}")
    );
}

#[test]
fn what_was_left_out_of_a_row_is_said() {
    let cut = Row { cut_bytes: 2048, ..row(Some(Stream::Stdout), "ab") };
    assert_eq!(lines(&[cut], 0, 30), "  ab … 2.0 KiB more\n");
}

#[test]
fn the_cursor_fills_the_lines_of_its_row_but_leaves_matches_marked() {
    let rows = [row(Some(Stream::Stderr), "\x1b[31mab\x1b[0mcdefgh"), row(None, "x")];
    let search = Query::new("b", true).unwrap();
    for (scheme, text, match_, rest) in [
        (Scheme::Default, (Color::Black, Color::LightCyan), Color::Yellow, Color::LightCyan),
        (
            Scheme::Dark,
            (Color::Red, Color::Rgb(0x23, 0x3c, 0x68)),
            Color::Rgb(0xff, 0xd7, 0x5f),
            Color::Rgb(0x23, 0x3c, 0x68),
        ),
    ] {
        let theme = Theme::of(&scheme.into(), true, false);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 3));
        let area = buffer.area;
        let of = LogRows {
            at: Some(0),
            cursor: Some(true),
            wrap: true,
            search: Some(&search),
            ..log_rows(&rows[..1], &[], area.width, &theme)
        };
        of.draw(&mut buffer, area);
        let (a, b) = (&buffer[(2, 0)], &buffer[(3, 0)]);
        assert_eq!(((a.fg, a.bg), b.bg), (text, match_));
        assert_eq!([buffer[(0, 0)].bg, buffer[(7, 1)].bg], [rest; 2]);
        assert_eq!(buffer[(7, 2)].bg, Color::Reset);
    }
    let theme = Theme::new(false, false);
    let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 1));
    let area = buffer.area;
    let of = log_rows(&rows[..1], &[], area.width, &theme);
    LogRows { at: Some(0), cursor: Some(true), search: Some(&search), ..of }
        .draw(&mut buffer, area);
    let modifiers = [2, 3, 4].map(|x| buffer[(x, 0)].modifier);
    let marked = Modifier::BOLD | Modifier::UNDERLINED;
    assert_eq!(modifiers, [Modifier::REVERSED, marked, Modifier::REVERSED]);
}
