//! Tests of the shown text and of the supported sequences, and tests that no other sequence takes
//! effect.

use proptest::collection::vec;
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::*;

fn row(bytes: &[u8]) -> Vec<Span> {
    Sanitizer::default().row(bytes)
}

fn text_of(spans: &[Span]) -> String {
    spans.iter().map(|span| span.text.as_str()).collect()
}

fn text(bytes: &[u8]) -> String {
    text_of(&row(bytes))
}

/// Formats a row with the style sequence at each change of style: `[0;1]bold[0]plain`. The default
/// style is `0`.
fn painted(bytes: &[u8]) -> String {
    row(bytes)
        .iter()
        .flat_map(|span| [sgr(&span.style)[1..].replace('m', "]"), span.text.clone()])
        .collect()
}

#[test]
fn colors_of_real_programs_become_styles() {
    for (what, bytes, shown) in [
        (
            "cargo",
            "\x1b[1m\x1b[32m   Compiling\x1b[0m serde v1.0",
            "[0;1;32]   Compiling[0] serde v1.0",
        ),
        (
            "rustc",
            "\x1b[0m\x1b[1m\x1b[38;5;9merror\x1b[0m\x1b[0m\x1b[1m: no\x1b[0m",
            "[0;1;91]error[0;1]: no",
        ),
        ("grep", "\x1b[01;31m\x1b[Kfound\x1b[m\x1b[K", "[0;1;31]found"),
        (
            "pytest",
            "\x1b[31m\x1b[1m1 failed\x1b[0m, \x1b[32m9 passed\x1b[0m",
            "[0;1;31]1 failed[0], [0;32]9 passed",
        ),
        ("jest", "\x1b[7m\x1b[1m\x1b[32m PASS \x1b[39m\x1b[22m\x1b[27m a", "[0;1;7;32] PASS [0] a"),
        (
            "bat",
            "\x1b[38;2;248;248;242mfn\x1b[48;5;236m \x1b[0m",
            "[0;38;2;248;248;242]fn[0;38;2;248;248;242;48;5;236] ",
        ),
        ("clang", "\x1b[0;1;30;103mw\x1b[0;100;97mx", "[0;1;30;103]w[0;97;100]x"),
        (
            "systemd",
            "\x1b]8;;file://host/etc/x.conf\x1b\\\x1b[4mx.conf\x1b[24m\x1b]8;;\x07 ok",
            "[0;4]x.conf[0] ok",
        ),
        ("kitty", "\x1b[4:3;58:2::255:0:0mwavy\x1b[4:0mplain", "[0;4]wavy[0]plain"),
        (
            "colons",
            "\x1b[38:2::1:2:3ma\x1b[38:2:4:5:6mb\x1b[48:5:7mc",
            "[0;38;2;1;2;3]a[0;38;2;4;5;6]b[0;38;2;4;5;6;47]c",
        ),
        ("underline color", "\x1b[58;5;1;3mi\x1b[58;2;1;2;3;9ms", "[0;3]i[0;3;9]s"),
        ("attributes", "\x1b[2;3;9ma\x1b[22mb\x1b[23mc\x1b[29md", "[0;2;3;9]a[0;3;9]b[0;9]c[0]d"),
        ("default colors", "\x1b[33;44ma\x1b[39mb\x1b[49mc", "[0;33;44]a[0;44]b[0]c"),
    ] {
        assert_eq!(painted(bytes.as_bytes()).trim_start_matches("[0]"), shown, "{what}");
    }
}

#[test]
fn an_invalid_color_changes_nothing() {
    for params in
        ["38;5;256", "38;2;1;2", "38;2;1;2;999", "38", "38;7", "38:5", "5", "8", "53", "110"]
    {
        assert_eq!(painted(format!("\x1b[31m\x1b[{params}mx").as_bytes()), "[0;31]x", "{params}");
    }
}

#[test]
fn sequences_other_than_styles_are_inert_and_visible() {
    for (bytes, shown) in [
        (&b"\x1b[2J\x1b[H\x1b[3;4H\x1b[?1049h"[..], "␛[2J␛[H␛[3;4H␛[?1049h"),
        (b"\x1b[>4;2m\x1b[?4m\x1b[1 m", "␛[>4;2m␛[?4m␛[1 m"),
        (b"\x1b]0;title\x07after", "␛]0;title␇after"),
        (b"\x1b]52;c;aGk=\x1b\\after", "␛]52;c;aGk=␛\\after"),
        (b"\x1bP+q\x1b\\\x1b_apc\x1b\\\x1b^pm", "␛P+q␛\\␛_apc␛\\␛^pm"),
        (b"\x1bc\x1b(0\x1b", "␛c␛(0␛"),
        (b"\x1b[31", "␛[31"),
        (b"\x1b[3\xc3\xa9m", "␛[3ém"),
        (b"\x1b]8;;http://unterminated", "␛]8;;http://unterminated"),
        (b"\x1b]8;;http://a\nb\x07", "␛]8;;http://a␊b␇"),
        (b"\x1b]8;nothing\x07", "␛]8;nothing␇"),
        (b"a\0b\x07c\x7f\x0b\x0c\x0e", "a␀b␇c␡␋␌␎"),
        ("\u{85}\u{9b}31m".as_bytes(), "<U+0085><U+009B>31m"),
        (b"\x9b31m Gr\xfc\xdfe \xe2\x82", "\u{fffd}31m Gr\u{fffd}\u{fffd}e \u{fffd}"),
        (
            "\u{202e}gpj.exe\u{2066}\u{200f}\u{61c}".as_bytes(),
            "<U+202E>gpj.exe<U+2066><U+200F><U+061C>",
        ),
        (
            "a\u{200b}b\u{feff}c\u{ad}d\u{2028}e\u{e0041}\u{e0100}".as_bytes(),
            "a<U+200B>b<U+FEFF>c<U+00AD>d<U+2028>e<U+E0041><U+E0100>",
        ),
        (
            "👩\u{200d}👧 ❤\u{fe0f} éü 日本 fi\u{301}".as_bytes(),
            "👩\u{200d}👧 ❤\u{fe0f} éü 日本 fi\u{301}",
        ),
        (
            "می\u{200c}خواهم क्\u{200d}ष 1\u{fe0f}\u{20e3}".as_bytes(),
            "می\u{200c}خواهم क्\u{200d}ष 1\u{fe0f}\u{20e3}",
        ),
        (
            "\u{200d}er\u{200d}ror pass\u{200c}word o\u{fe0f}k \u{200d}\u{200d}1\u{fe01}"
                .as_bytes(),
            "<U+200D>er<U+200D>ror pass<U+200C>word o<U+FE0F>k <U+200D><U+200D>1<U+FE01>",
        ),
        ("\t\u{200d}\u{202e}\u{200d}".as_bytes(), "        <U+200D><U+202E><U+200D>"),
    ] {
        assert_eq!(text(bytes), shown, "{}", bytes.escape_ascii());
        assert!(row(bytes).iter().all(|span| span.style == Style::default()));
    }
}

#[test]
fn text_in_its_background_color_stays_visible() {
    let style = |bytes: &str| row(format!("{bytes}x").as_bytes()).first().unwrap().style;
    for hidden in [
        "\x1b[30;40m",
        "\x1b[97;107m",
        "\x1b[7;31;41m",
        "\x1b[31;41;7m",
        "\x1b[38;5;99;48;5;99m",
        "\x1b[38;2;1;2;3;48;2;1;2;3m",
        "\x1b[38;5;16;48;2;0;0;0m",
        "\x1b[30;48;5;16m",
        "\x1b[38;5;231;107m",
        "\x1b[38;5;196;48;2;250;3;7m",
        "\x1b[38;5;232;40m",
    ] {
        let Style { fg, bg, .. } = style(hidden);
        assert_eq!((fg, bg), (None, None), "{hidden:?}");
    }
    for seen in [
        "\x1b[31;40m",
        "\x1b[90;40m",
        "\x1b[38;5;234;40m",
        "\x1b[40m",
        "\x1b[30m",
        "\x1b[38;2;0;0;16;40m",
    ] {
        let Style { fg, bg, .. } = style(seen);
        assert!(fg.is_some() || bg.is_some(), "{seen:?}");
    }
    // Later text keeps its colors.
    let spans = row(b"\x1b[31;41mhid\x1b[49mden");
    assert_eq!(spans.iter().map(|span| span.text.as_str()).collect::<Vec<_>>(), ["hid", "den"]);
    assert_eq!(spans[1].style.fg, Some(Color::Indexed(1)));
    // Text in its background color is also visible in a row drawn on a canvas.
    let spans = row(b"....\r\x1b[31;41mhid\x1b[0m");
    assert!(spans.iter().all(|span| span.style == Style::default()), "{spans:?}");
}

#[test]
fn joiners_in_names_are_visible_unless_they_form_an_emoji() {
    assert_eq!(name("de\u{200d}ploy"), "de<U+200D>ploy");
    assert_eq!(name("👩\u{200d}👧"), "👩\u{200d}👧");
    assert!(is_harmless_text("👩\u{200d}👧") && !is_harmless_text("de\u{200d}ploy"));
}

fn in_full(bytes: &str) -> String {
    plain(bytes.as_bytes(), Progress::All).into_owned()
}

#[test]
fn overwritten_text_is_shown_in_full_or_in_its_last_state() {
    for (what, bytes, last, all) in [
        ("curl", "  5%\r 50%\r100%\r", "100%", "  5%␍ 50%␍100%"),
        ("longer underneath", "downloading\rdone", "doneloading", "downloading␍done"),
        (
            "cargo",
            "  Building [=> ] 1/2\r\x1b[K  Finished",
            "  Finished",
            "  Building [=> ] 1/2␍␛[K  Finished",
        ),
        ("npm", "⠙\x1b[1G\x1b[0K⠹\x1b[1G\x1b[0Kdone", "done", "⠙␛[1G␛[0K⠹␛[1G␛[0Kdone"),
        ("make -j on a pty", "a\x08 \x08b\r\r", "b", "a␈ ␈b␍"),
        (
            "hidden cursor",
            "\x1b[?25l\x1b[?2026hx\x1b[?2026l\x1b[?25h",
            "x",
            "␛[?25l␛[?2026hx␛[?2026l␛[?25h",
        ),
        ("tput sgr0", "x\x1b(B\x1b[m\x0f", "x", "x␛(B␏"),
        ("cargo's OSC 9;4", "\x1b]9;4;1;50\x1b\\x", "x", "␛]9;4;1;50␛\\x"),
        ("right edge", "[ \x1b[10Gok ]\x1b[1G[.", "[.       ok ]", "[ ␛[10Gok ]␛[1G[."),
        ("wide, torn", "日本\x1b[2Gx", " x本", "日本␛[2Gx"),
        ("tab over text", "abcdefghij\r\tX", "abcdefghXj", "abcdefghij␍     X"),
        ("other lines", "one\x1b[1A\rtwo\x1b[1B\rsix", "two ␊ six", "one␛[1A␍two␛[1B␍six"),
        ("below", "inner\x1b[1A", "inner", "inner␛[1A"),
        ("below and above", "inner\x1b[1A\router", "outer", "inner␛[1A␍outer"),
        ("erased", "\x1b[2K\x1b[1A\x1b[2K\x1b[G", "", "␛[2K␛[1A␛[2K␛[G"),
        ("a title", "\x1b]0;t\x07x\ry", "y]0;t␇x", "␛]0;t␇x␍y"),
    ] {
        assert_eq!(
            (text(bytes.as_bytes()).as_str(), in_full(bytes).as_str()),
            (last, all),
            "{what}"
        );
        assert_eq!(plain(bytes.as_bytes(), Progress::Last), last, "{what}");
    }
}

#[test]
fn remaining_text_keeps_its_color_and_the_next_row_starts_with_the_last_style() {
    let mut sanitizer = Sanitizer::default();
    let spans = sanitizer.row(b"\x1b[31mred\r\x1b[32mg");
    let shown: Vec<_> = spans.iter().map(|span| (span.text.as_str(), span.style.fg)).collect();
    assert_eq!(shown, [("g", Some(Color::Indexed(2))), ("ed", Some(Color::Indexed(1)))]);
    assert_eq!(sanitizer.row(b"x")[0].style.fg, Some(Color::Indexed(2)));
}

#[test]
fn a_link_keeps_a_web_target_and_any_target_is_shown_in_full_mode() {
    let link = |target: &str| format!("see \x1b]8;;{target}\x07here\x1b]8;;\x07 now");
    for (target, kept) in [
        ("https://a.example/x?y=1;2", true),
        ("HTTP://a", true),
        ("https://", false),
        ("https://a b", false),
        ("file:///etc/passwd", false),
        ("javascript:alert(1)", false),
        ("", false),
    ] {
        for progress in ["", "\rsee"] {
            let spans = row((link(target) + progress).as_bytes());
            assert_eq!(text_of(&spans), "see here now");
            let linked: Vec<_> = spans
                .iter()
                .filter_map(|span| Some((&*span.text, span.link.as_deref()?)))
                .collect();
            assert_eq!(linked, if kept { vec![("here", target)] } else { vec![] });
        }
        let shown = if target.is_empty() { String::new() } else { format!(" <{target}>") };
        assert_eq!(in_full(&link(target)), format!("see here{shown} now"));
    }
    assert_eq!(in_full("\x1b]8;;http://a\x07open"), "open <http://a>", "also where the row ends");
    assert_eq!(row(b"\x1b]8;;http://a\x07open")[0].link.as_deref(), Some("http://a"));
}

#[test]
fn output_size_does_not_depend_on_sequence_parameters() {
    let far = row(b"a\x1b[999999999C\x1b[999999999B\x1b[65535Gb\x1b[99999999999999999999Xc");
    assert!(text_of(&far).len() < 300);
    let inserting = "\x1b[9999@".repeat(1000);
    assert!(text(format!("abc\r{inserting}").as_bytes()).len() < 200 * inserting.len());
}

#[test]
fn text_that_needs_no_change_is_borrowed() {
    for clean in ["", "test result: ok", "ünï 日本", "crlf\r"] {
        assert!(matches!(plain(clean.as_bytes(), Progress::Last), Cow::Borrowed(_)), "{clean:?}");
    }
    assert_eq!(plain(b"\x1b[31mred\x1b[0m\tand \xff", Progress::Last), "red     and \u{fffd}");
}

#[test]
fn a_sequence_with_too_many_parameters_is_shown() {
    let long = format!("\x1b[{}1m", "0;".repeat(40));
    assert_eq!(text(long.as_bytes()), long.replace('\x1b', "␛"));
}

#[test]
fn tabs_advance_to_the_next_multiple_of_eight_columns() {
    for (bytes, shown) in [
        ("\tx", "        x"),
        ("abc\tx", "abc     x"),
        ("12345678\tx", "12345678        x"),
        ("日本\tx", "日本    x"),
        ("\x1b[31mab\x1b[0m\tx", "ab      x"),
        ("\x07\t\tx", "␇               x"),
    ] {
        assert_eq!(text(bytes.as_bytes()), shown, "{bytes:?}");
    }
}

#[test]
fn only_the_style_is_carried_over_to_the_next_row() {
    let mut sanitizer = Sanitizer::default();
    sanitizer.row(b"\x1b[31m");
    for broken in [&b"\x1b]0;open"[..], b"\x1bP", b"\x1b[1", b"\xe2\x82", b"\x1b"] {
        sanitizer.row(broken);
        let red = Style { fg: Some(Color::Indexed(1)), ..Style::default() };
        assert_eq!(sanitizer.row(b"32mx"), [Span { text: "32mx".into(), style: red, link: None }]);
    }
    assert_eq!(
        sanitizer.row(b"\x1b[mx"),
        [Span { text: "x".into(), style: Style::default(), link: None }]
    );
}

#[test]
fn a_name_is_one_line_and_borrowed_if_it_is_clean() {
    assert!(matches!(name("cargo test – ünï 日本"), Cow::Borrowed(_)));
    assert_eq!(name("a\n\tb\x1b[31m\r\u{202e}\x7f"), "a␊␉b␛[31m␍<U+202E>␡");
}

fn any_style() -> impl Strategy<Value = Style> {
    let color = || {
        prop::option::of(prop_oneof![
            any::<u8>().prop_map(Color::Indexed),
            any::<[u8; 3]>().prop_map(|[r, g, b]| Color::Rgb(r, g, b))
        ])
    };
    (color(), color(), any::<[bool; 6]>()).prop_map(
        |(fg, bg, [bold, dim, italic, underline, reverse, strike])| Style {
            fg,
            bg,
            bold,
            dim,
            italic,
            underline,
            reverse,
            strike,
        },
    )
}

/// Generates bytes in which escape sequences are likely.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..5),
        prop::sample::select(vec![
            "\x1b[",
            "\x1b[2K",
            "\x1b[9C",
            "\x1b[A",
            "\x08",
            "\x1b]8;;http://",
            "\x1b]8;;",
            "\x1b]",
            "\x1bP",
            "\x1b\\",
            "\x07",
            "m",
            "1;31",
            "38:2::1:2:3m",
            "\t",
            "\r",
            "\u{202e}",
            "\u{9b}",
            "é",
            "x"
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        any::<char>().prop_map(|found| found.to_string().into_bytes()),
    ];
    vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

/// Returns true for characters that must never reach a terminal, independently of the code's table.
fn is_dangerous(found: char) -> bool {
    const DANGEROUS: &str = "\u{61c}\u{200b}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\
        \u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}\u{ad}";
    found.is_control() || DANGEROUS.contains(found) || ('\u{e0000}'..='\u{e007f}').contains(&found)
}

proptest! {
    #[test]
    fn output_is_harmless_and_spans_keep_their_invariants(rows in vec(hostile(), 1..5)) {
        let mut sanitizer = Sanitizer::default();
        for (bytes, progress) in
            rows.iter().zip([Progress::Last, Progress::All].into_iter().cycle())
        {
            sanitizer.progress = progress;
            let spans = sanitizer.row(bytes);
            prop_assert!(!text_of(&spans).contains(is_dangerous));
            prop_assert!(
                spans
                    .iter()
                    .filter_map(|span| span.link.as_deref())
                    .all(|link| link.starts_with("http") && !link.contains(is_dangerous))
            );
            prop_assert_eq!(plain(bytes, progress), text_of(&spans));
            prop_assert!(spans.iter().all(|span| !span.text.is_empty()));
            prop_assert!(
                spans
                    .windows(2)
                    .all(|pair| (pair[0].style, &pair[0].link) != (pair[1].style, &pair[1].link))
            );
            prop_assert!(!name(&String::from_utf8_lossy(bytes)).contains(is_dangerous));
        }
    }

    #[test]
    fn text_does_not_depend_on_preceding_rows(before in hostile(), bytes in hostile()) {
        let mut sanitizer = Sanitizer::default();
        sanitizer.row(&before);
        prop_assert_eq!(text_of(&sanitizer.row(&bytes)), text(&bytes));
    }

    #[test]
    fn sanitizing_is_idempotent_and_keeps_clean_text(bytes in hostile()) {
        let once = text(&bytes);
        prop_assert_eq!(text(once.as_bytes()), once.as_str());
        prop_assert_eq!(name(&once), once.as_str());
    }

    #[test]
    fn printable_ascii_passes_unchanged(bytes in vec(b' '..=b'~', 1..80)) {
        let text = String::from_utf8(bytes.clone()).unwrap();
        prop_assert_eq!(row(&bytes), [Span { text, style: Style::default(), link: None }]);
    }

    #[test]
    fn a_style_written_as_sgr_parses_to_itself_after_any_style(
        before in any_style(),
        style in any_style(),
    ) {
        let bytes = format!("{}{}x", sgr(&before), sgr(&style));
        prop_assert_eq!(
            row(bytes.as_bytes()),
            [Span { text: "x".into(), style: style.legible(), link: None }]
        );
    }

    #[test]
    fn a_row_cut_between_characters_and_sequences_is_displayed_the_same(
        pieces in vec((any_style(), "[a-zé日]{0,4}"), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let pieces: Vec<_> =
            pieces.iter().flat_map(|(style, text)| [sgr(style), text.clone()]).collect();
        let (head, tail) = pieces.split_at(cut.index(pieces.len()));
        let mut sanitizer = Sanitizer::default();
        let mut halves = sanitizer.row(head.concat().as_bytes());
        for span in sanitizer.row(tail.concat().as_bytes()) {
            match halves.last_mut() {
                Some(last) if last.style == span.style => last.text.push_str(&span.text),
                _ => halves.push(span),
            }
        }
        prop_assert_eq!(halves, row(pieces.concat().as_bytes()));
    }

    #[test]
    fn overwritten_text_affects_only_the_style_of_the_next_row(
        bytes in hostile(),
        columns in 0_usize..40,
    ) {
        let (mut whole, mut within) = (Sanitizer::default(), Sanitizer::default());
        let all = text_of(&whole.row(&bytes));
        let seen = text_of(&within.row_within(&bytes, columns));
        prop_assert!(all.starts_with(&seen), "{:?} of {:?}", seen, all);
        prop_assert!(seen.width() >= columns.min(all.width()));
        prop_assert_eq!(whole.row(b"x"), within.row(b"x"));
    }
}

#[test]
fn the_text_of_a_row_is_bounded_by_its_bytes_for_any_cursor_movement() {
    let long = "x".repeat(20_000);
    for (what, row) in [
        ("up from far right", format!("{long}{}", "\x1b[Ax".repeat(100))),
        ("up from behind tabs", format!("{}{}", "\t".repeat(20_000), "\x1b[Ax".repeat(100))),
        ("blanks within text", format!("xy\x1b[D{}", "\x1b[255@\x1b[255C".repeat(2_000))),
    ] {
        let text = plain(row.as_bytes(), Progress::Last);
        assert!(text.len() < 10 * row.len(), "{what}: {} bytes of {}", text.len(), row.len());
    }
}
