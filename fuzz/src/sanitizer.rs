//! The sanitizer: its output never controls a terminal, and harmless text remains unchanged.
//!
//! The first byte selects the form and the visible columns; each further line is a row.

use rundown::catalog::Catalog;
use rundown::cri::{Encoder, MAX_CONTENT, Stream};
use rundown::dump::Format;
use rundown::model::RunId;
use rundown::sanitize::{Progress, Sanitizer, Span, name, notification, overwritten, plain};
use rundown::time::Time;
use unicode_width::UnicodeWidthStr;
use vte::{Params, Parser, Perform};

/// The most output bytes per input byte: a tab is 8 columns, `<U+E0000>` is 9 bytes.
const MAX_GROWTH: usize = 256;

/// Sanitizes the input as rows, and prints it as the log of a command.
pub fn sanitizer(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let progress = if first & 1 == 0 { Progress::Last } else { Progress::All };
    let columns = usize::from(first >> 1);
    let mut sanitizer = Sanitizer::new(progress);
    let rows: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    for row in &rows {
        check_row(row, &mut sanitizer, progress, columns);
    }
    assert_eq!(overwritten(rows.iter().copied()).len(), rows.len());
    check_printed(data);
}

fn check_row(row: &[u8], sanitizer: &mut Sanitizer, progress: Progress, columns: usize) {
    let mut within = sanitizer.clone();
    let spans = sanitizer.row(row);
    let text = text_of(&spans);
    check_spans(&spans);
    assert_eq!(plain(row, progress), text);
    assert!(text.len() <= MAX_GROWTH * row.len(), "{} bytes of {}", text.len(), row.len());
    // Harmless text is shown unchanged, so a second pass changes nothing.
    assert_eq!(plain(text.as_bytes(), progress), text);
    let seen = text_of(&within.row_within(row, columns));
    assert!(text.starts_with(&seen), "{seen:?} of {text:?}");
    assert!(seen.width() >= columns.min(text.width()));
    assert_eq!(within.style(), sanitizer.style());
    if let Some(expanded) = expanded(row) {
        assert_eq!(text, expanded);
    }
    let lossy = String::from_utf8_lossy(row);
    let named = name(&lossy);
    assert!(!named.contains(is_dangerous) && name(&named) == named);
    let bell = notification(&lossy);
    let shown = bell.strip_prefix("\x07\x1b]9;").and_then(|rest| rest.strip_suffix('\x07'));
    assert_eq!(shown, Some(&*named));
}

fn check_spans(spans: &[Span]) {
    for span in spans {
        assert!(!span.text.is_empty() && !span.text.contains(is_dangerous), "{:?}", span.text);
        if let Some(link) = span.link.as_deref() {
            assert_harmless_link(link.as_bytes());
        }
    }
    let look = |span: &Span| (span.style, span.link.clone());
    assert!(spans.windows(2).all(|pair| look(&pair[0]) != look(&pair[1])));
}

fn text_of(spans: &[Span]) -> String {
    spans.iter().map(|span| span.text.as_str()).collect()
}

/// Expands the tabs of a row of harmless text; `None` for other rows.
fn expanded(row: &[u8]) -> Option<String> {
    let text = str::from_utf8(row).ok()?;
    let mut out = String::new();
    let mut column = 0;
    for (number, piece) in text.split('\t').enumerate() {
        if number > 0 {
            let blanks = 8 - column % 8;
            out.extend(std::iter::repeat_n(' ', blanks));
            column += blanks;
        }
        if piece.contains(is_dangerous) || piece.contains(is_hidden) {
            return None;
        }
        out.push_str(piece);
        column += piece.width();
    }
    Some(out)
}

/// Returns true for a character that must never reach a terminal. Independent of the code's own
/// table.
fn is_dangerous(found: char) -> bool {
    let bidi = ['\u{61c}', '\u{200e}', '\u{200f}'].contains(&found)
        || ('\u{202a}'..='\u{202e}').contains(&found)
        || ('\u{2066}'..='\u{2069}').contains(&found);
    let invisible = ['\u{ad}', '\u{200b}', '\u{2028}', '\u{2029}', '\u{2060}', '\u{feff}']
        .contains(&found)
        || ('\u{e0000}'..='\u{e007f}').contains(&found);
    found.is_control() || bidi || invisible
}

/// Returns true for rarer characters that are invisible too and are shown by their numbers.
fn is_hidden(found: char) -> bool {
    !rundown::sanitize::is_harmless(found)
}

/// Records the input as the output of a command and prints it. The raw format returns the same
/// bytes, and the text format has no effect on a terminal except color and links.
fn check_printed(data: &[u8]) {
    let dir = super::scratch();
    let path = dir.path().join("0.log");
    let (mut encoder, mut log) = (Encoder::new(Some(MAX_CONTENT)), Vec::new());
    let at = Time::from_millis(1_767_323_045_000);
    encoder.write(Stream::Stdout, at, data, &mut log);
    encoder.flush(Stream::Stdout, at, &mut log);
    std::fs::write(&path, log).unwrap();
    let run = Catalog::of_path(&path).run(&RunId(String::new())).unwrap().unwrap();
    assert_eq!(super::printed(&run, Format::Raw), data);
    super::assert_prints(&run);
}

/// Asserts that bytes for a terminal only write text, end lines, set styles and link.
pub fn assert_harmless_output(bytes: &[u8]) {
    let text = str::from_utf8(bytes).unwrap();
    Parser::new().advance(&mut Harmless, text.as_bytes());
    // An unterminated sequence would swallow the next output of a shell.
    assert!(text.is_empty() || text.ends_with('\n'));
}

/// A terminal that panics on everything else.
struct Harmless;

impl Perform for Harmless {
    fn print(&mut self, found: char) {
        assert!(!is_dangerous(found), "{found:?}");
    }

    fn execute(&mut self, byte: u8) {
        assert_eq!(byte, b'\n');
    }

    fn hook(&mut self, _: &Params, _: &[u8], _: bool, action: char) {
        panic!("DCS {action:?}");
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _: bool) {
        assert!(matches!(params, [b"8", b"", _, ..]), "{params:?}");
        let target = params[2..].join(&b';');
        if !target.is_empty() {
            assert_harmless_link(&target);
        }
    }

    fn csi_dispatch(&mut self, _: &Params, intermediates: &[u8], is_cut: bool, action: char) {
        assert_eq!((intermediates, is_cut, action), (&[][..], false, 'm'));
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _: bool, byte: u8) {
        assert_eq!((intermediates, byte), (&[][..], b'\\'), "the end of a link");
    }
}

fn assert_harmless_link(target: &[u8]) {
    let lower = target.to_ascii_lowercase();
    assert!(lower.starts_with(b"http://") || lower.starts_with(b"https://"));
    assert!(target.iter().all(u8::is_ascii_graphic));
}
