//! The log pane without a terminal, on log files: search, filter, times, errors, moves, wrapping.

use std::fs;
use std::path::PathBuf;

use insta::assert_snapshot;
use rundown::catalog::Catalog;
use rundown::tui::Options;
use rundown::tui::at::At;
use rundown::tui::msg::{Effect, Msg, TerminalRequest};
use rundown::tui::sim::Sim;
use tempfile::TempDir;

use crate::support::built::at;
use crate::support::screen::{SMALL, open_catalog, options};

/// A log in a directory of its own.
struct Log {
    _dir: TempDir,
    path: PathBuf,
}

impl Log {
    fn new(bytes: impl AsRef<[u8]>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some.log");
        fs::write(&path, bytes).unwrap();
        Self { _dir: dir, path }
    }

    /// Makes a log with one row per second from 12:00:00 on. Every tenth row is on stderr.
    fn of_rows(rows: impl IntoIterator<Item = String>) -> Self {
        let line = |(n, text): (usize, String)| {
            let stream = if n % 10 == 9 { "stderr" } else { "stdout" };
            format!("2026-05-06T12:{:02}:{:02}.000000000Z {stream} F {text}\n", n / 60, n % 60)
        };
        Self::new(rows.into_iter().enumerate().map(line).collect::<String>())
    }

    fn open(&self, size: (u16, u16)) -> Sim {
        let mut sim = open_catalog(Catalog::of_path(&self.path), size);
        sim.keys("Z");
        sim
    }
}

/// Presses a key, types a line, and accepts it.
fn typed(sim: &mut Sim, key: &str, text: &str) {
    sim.keys(key);
    for c in text.chars() {
        sim.keys(&if c == ' ' { "Space".to_owned() } else { c.to_string() });
    }
    sim.keys("Enter");
}

fn numbered(rows: usize) -> Log {
    Log::of_rows(
        (1..=rows).map(|n| {
            if n % 25 == 0 { format!("row {n} with a needle") } else { format!("row {n}") }
        }),
    )
}

/// Returns the lines of the rows on screen, without the two columns of marks at the left.
fn rows(sim: &mut Sim) -> Vec<String> {
    let screen = sim.screen();
    let body = screen.lines().skip(3).take(20).map(|line| line.trim_end_matches(['█', ' ']));
    body.map(|line| line.chars().skip(2).collect()).collect()
}

fn last_line(sim: &mut Sim) -> String {
    sim.screen().lines().last().unwrap_or_default().trim().to_owned()
}

/// Returns the row with the cursor.
fn current(sim: &mut Sim) -> String {
    let screen = sim.screen();
    let line = screen.lines().find(|line| line.chars().nth(1) == Some('▌')).unwrap_or_default();
    line.chars().skip(2).collect::<String>().trim_end_matches(['█', ' ']).to_owned()
}

#[test]
fn a_search_selects_the_next_match_counts_all_and_wraps() {
    let log = numbered(200);
    let mut sim = log.open(SMALL);
    typed(&mut sim, "/", "needle");
    assert_eq!(current(&mut sim), "row 25 with a needle");
    assert!(last_line(&mut sim).starts_with("/needle 1 of 8 ·"), "{}", last_line(&mut sim));
    sim.keys("n n");
    assert_eq!(current(&mut sim), "row 75 with a needle");
    assert!(last_line(&mut sim).starts_with("/needle 3 of 8"));
    sim.keys("N");
    assert_eq!(current(&mut sim), "row 50 with a needle");
    sim.keys("N N");
    assert_eq!(current(&mut sim), "row 200 with a needle");
    assert!(last_line(&mut sim).ends_with("search wrapped"), "{}", last_line(&mut sim));
    assert_snapshot!("search_80x24", sim.screen());
    assert_snapshot!("search_styles", sim.styles());
    sim.keys("Esc");
    assert!(!last_line(&mut sim).contains("needle"));
    assert_eq!(current(&mut sim), "row 200 with a needle", "the cursor stays");
}

#[test]
fn a_search_may_be_literal_and_case_sensitive() {
    let log = Log::of_rows(["a.c", "abc", "ABC", "a.C"].map(str::to_owned));
    let mut sim = log.open(SMALL);
    typed(&mut sim, "/", "a.c");
    assert!(last_line(&mut sim).starts_with("/a.c 1 of 4"));
    sim.keys("Esc /");
    sim.keys("a . c Tab Enter");
    assert!(last_line(&mut sim).contains("of 2"), "{}", last_line(&mut sim));
    typed(&mut sim, "/", "C");
    assert!(last_line(&mut sim).contains("of 2"), "{}", last_line(&mut sim));
    typed(&mut sim, "/", "(");
    assert!(last_line(&mut sim).ends_with("unclosed group"), "{}", last_line(&mut sim));
    sim.keys("Esc");
    typed(&mut sim, "/", "nowhere");
    assert!(last_line(&mut sim).ends_with("no row matches nowhere"));
    sim.keys("/ Up Up Enter");
    assert!(last_line(&mut sim).starts_with("/C"), "an earlier pattern: {}", last_line(&mut sim));
}

#[test]
fn new_rows_are_searched_as_they_arrive() {
    let log = numbered(30);
    let mut sim = log.open(SMALL);
    typed(&mut sim, "/", "needle");
    assert!(last_line(&mut sim).contains("of 1"));
    let more = "2026-05-06T13:00:00Z stdout F another needle\n".repeat(3);
    fs::write(&log.path, [fs::read(&log.path).unwrap(), more.into_bytes()].concat()).unwrap();
    sim.disk();
    assert!(last_line(&mut sim).contains("1 of 4"), "{}", last_line(&mut sim));
    sim.keys("n n n");
    assert!(last_line(&mut sim).contains("4 of 4"));
}

#[test]
fn a_filter_shows_matching_rows_with_their_numbers_and_context() {
    let log = numbered(200);
    let mut sim = log.open(SMALL);
    sim.keys("#");
    typed(&mut sim, "&", "needle");
    let shown = rows(&mut sim);
    assert_eq!(shown[0], " 25 row 25 with a needle");
    assert_eq!(shown[7], "200 row 200 with a needle");
    assert_eq!(shown[8], "");
    sim.keys("+ g");
    assert_eq!(
        rows(&mut sim)[..4],
        [" 24 row 24", " 25 row 25 with a needle", " 26 row 26", " 49 row 49"]
    );
    assert_snapshot!("filter_80x24", sim.screen());
    sim.keys("- 2");
    assert_eq!(rows(&mut sim)[..2], [" 50 row 50 with a needle", "100 row 100 with a needle"]);
    sim.keys("0 Esc");
    assert!(
        rows(&mut sim).contains(&" 51 row 51".to_owned()),
        "all rows again: {:?}",
        rows(&mut sim)
    );
    typed(&mut sim, "&", "!row [0-9]*[1-9]$");
    sim.keys("g");
    assert_eq!(rows(&mut sim)[..2], [" 10 row 10", " 20 row 20"]);
    typed(&mut sim, "&", "nowhere");
    assert!(sim.screen().contains("no row matches the filter"));
}

#[test]
fn under_a_filter_copying_and_opening_report_that_they_take_all_rows() {
    let log = numbered(1_204);
    let mut sim = log.open(SMALL);
    assert!(last_line(sim.keys("Y")).ends_with("copied 10.1 KiB"), "{}", last_line(&mut sim));
    typed(&mut sim, "&", "needle");
    let unfiltered = |sim: &mut Sim, filtered: &str| {
        let message = last_line(sim.keys("Y"));
        assert!(message.contains(&format!("copied all 1204 rows, {filtered}")), "{message}");
        let Some(Effect::Terminal(TerminalRequest::Copy(text))) = sim.others.pop() else {
            panic!("nothing copied")
        };
        assert!(text.starts_with("row 1\nrow 2\n"));
        let message = last_line(sim.keys("v").send(Msg::Ready));
        assert!(message.contains(&format!("opened unfiltered rows, {filtered}")), "{message}");
    };
    unfiltered(&mut sim, "not only the 48 filtered");
    unfiltered(sim.keys("+"), "not only the filtered ones");
    unfiltered(sim.keys("Esc 2"), "not only the filtered ones");
    let message = last_line(sim.keys("0 v").send(Msg::Ready));
    assert!(!message.contains("opened"), "{message}");
    let other = numbered(10_000);
    let mut sim = other.open(SMALL);
    typed(&mut sim, "&", "needle");
    let message = last_line(sim.keys("Y"));
    assert!(message.contains("copied only the first 72.2 KiB, unfiltered"), "{message}");
}

#[test]
fn a_match_hidden_by_the_filter_is_shown_in_its_position() {
    let log = numbered(200);
    let mut sim = log.open(SMALL);
    typed(&mut sim, "&", "needle");
    typed(&mut sim, "/", "row 30$");
    assert_eq!(current(&mut sim), "row 30");
    let shown = rows(&mut sim);
    let at = shown.iter().position(|row| row == "row 30").unwrap();
    assert_eq!(shown[at + 1], "row 50 with a needle", "{shown:?}");
}

#[test]
fn times_have_three_formats() {
    let line = |at: &str, text: &str| format!("2026-05-06T12:{at}Z stdout F {text}\n");
    let rows = [
        ("00:00", "start"),
        ("00:01", "soon"),
        ("00:31.5", "late"),
        ("00:32", "soon"),
        ("01:40", "very late"),
    ];
    let log = Log::new(rows.map(|(at, text)| line(at, text)).concat());
    let mut sim = log.open(SMALL);
    sim.keys("t");
    assert!(sim.screen().contains("    +31.500s late"), "{}", sim.screen());
    sim.keys("t");
    assert!(
        sim.screen().contains("    +30.500s late") && sim.screen().contains("     +1.000s soon")
    );
    assert_snapshot!("times_styles", sim.styles());
    sim.keys("t");
    assert!(sim.screen().contains("12:00:31.500 late"));
}

#[test]
fn esc_shows_the_rows_of_both_streams_again() {
    let row = "2026-05-06T12:00:00Z stdout F out\n";
    let mut sim = Log::new(row.repeat(3)).open(SMALL);
    sim.keys("2");
    assert!(sim.screen().contains("press Esc for all rows"), "{}", sim.screen());
    sim.keys("Esc");
    assert_eq!(rows(&mut sim)[..3], ["out"; 3]);
}

#[test]
fn gaps_are_visited_from_the_longest_to_the_shortest() {
    let line = |at: &str, text: &str| format!("2026-05-06T12:{at}Z stdout F {text}\n");
    let rows = [("00:00", "start"), ("00:30", "late"), ("00:31", "soon"), ("01:40", "very late")];
    let log = Log::new(rows.map(|(at, text)| line(at, text)).concat());
    let mut sim = log.open(SMALL);
    for (keys, row, message) in [
        ("s", "very late", "longest gap of 2: 1m09s"),
        ("s", "late", "2nd longest gap of 2: 30.0s"),
        ("s", "late", "2nd longest gap of 2"),
        ("S", "very late", "longest gap of 2"),
        // A cursor that has moved starts again with the longest gap.
        ("s k s", "very late", "longest gap of 2"),
    ] {
        sim.keys(keys);
        assert_eq!(current(&mut sim), row, "{keys}");
        assert!(last_line(&mut sim).contains(message), "{keys}: {}", last_line(&mut sim));
    }
    let even = (0..60).map(|s| line(&format!("00:{s:02}"), "even")).collect::<String>();
    let mut sim = Log::new(even).open(SMALL);
    sim.keys("s");
    assert!(last_line(&mut sim).contains("no gap of 2.9s or more"), "{}", last_line(&mut sim));
}

#[test]
fn error_keys_move_to_error_rows_only() {
    let texts = [
        "building",
        "warning: unused",
        "error[E0308]: mismatched types",
        "note: 0 errors",
        "FAILED tests/a.py::b",
    ];
    let log = Log::of_rows(texts.map(str::to_owned));
    let mut sim = log.open(SMALL);
    sim.keys("e");
    assert_eq!(current(&mut sim), "error[E0308]: mismatched types");
    sim.keys("e");
    assert_eq!(current(&mut sim), "FAILED tests/a.py::b");
    sim.keys("e");
    assert_eq!(current(&mut sim), "error[E0308]: mismatched types");
    assert_eq!(last_line(&mut sim), "search wrapped");
    sim.keys("E");
    assert_eq!(current(&mut sim), "FAILED tests/a.py::b");
    let mut sim = Log::of_rows(["fine".to_owned()]).open(SMALL);
    sim.keys("e");
    assert_eq!(last_line(&mut sim), "no error in this log");
}

#[test]
fn goto_accepts_rows_percentages_times_and_marks() {
    let log = numbered(500);
    let mut sim = log.open(SMALL);
    typed(&mut sim, ":", "300");
    assert_eq!(current(&mut sim), "row 300 with a needle");
    sim.keys("m a");
    typed(&mut sim, ":", "12:01:39");
    assert_eq!(current(&mut sim), "row 100 with a needle");
    typed(&mut sim, ":", "+10s");
    assert_eq!(current(&mut sim), "row 11");
    typed(&mut sim, ":", "100%");
    assert_eq!(current(&mut sim), "row 500 with a needle");
    sim.keys("' a");
    assert_eq!(current(&mut sim), "row 300 with a needle");
    sim.keys("' b");
    assert!(last_line(&mut sim).contains("no such mark"));
    typed(&mut sim, ":", "501");
    assert_eq!(last_line(&mut sim), "the log has fewer rows");
    typed(&mut sim, ":", "nonsense");
    assert!(
        last_line(&mut sim).starts_with(":nonsense") && last_line(&mut sim).contains("try 1200")
    );
    sim.keys("Esc");
    assert!(!last_line(&mut sim).contains("nonsense"));
}

#[test]
fn wrapped_rows_scroll_by_lines_without_loss() {
    let wide = |n: usize| format!("begin{n} {} end{n}", "0123456789 ".repeat(20));
    let log = Log::of_rows((1..=40).map(wide));
    let mut sim = log.open(SMALL);
    sim.keys("w");
    assert_snapshot!("wrap_80x24", sim.screen());
    let mut seen = Vec::new();
    for _ in 0..400 {
        seen.push(rows(&mut sim)[0].clone());
        sim.keys("j");
    }
    for n in 1..=33 {
        assert!(
            seen.iter().any(|line| line.starts_with(&format!("begin{n} "))),
            "the first line of row {n} is shown"
        );
    }
    sim.keys("G");
    assert!(rows(&mut sim)[19].ends_with("d40"), "{:?}", rows(&mut sim));
    sim.keys("g");
    assert!(rows(&mut sim)[0].starts_with("begin1 "));
    sim.keys("PageDown PageUp");
    assert!(rows(&mut sim)[0].starts_with("begin1 "), "PageUp returns to the top");
}

#[test]
fn progress_shows_its_last_state_and_unfolds_with_times() {
    let text = "2026-05-06T12:00:00Z stdout F fetching\n\
        2026-05-06T12:00:01Z stdout P \r 10%\n2026-05-06T12:00:02Z stdout P \r 55%\n\
        2026-05-06T12:00:04Z stdout F \r100%\n\
        2026-05-06T12:00:05Z stderr F a: waiting\n2026-05-06T12:00:05Z stderr F b: waiting\n\
        2026-05-06T12:00:06Z stderr F \x1b[2A\x1b[2Ka: done\n\
        2026-05-06T12:00:07Z stderr F \x1b[2Kb: done\n";
    let log = Log::new(text);
    let mut sim = log.open(SMALL);
    assert_eq!(rows(&mut sim)[..5], ["fetching", "100%", "a: done", "b: done", ""]);
    sim.keys("t p");
    assert_snapshot!("progress_unfolded_80x24", sim.screen());
    sim.keys("p");
    assert!(!sim.screen().contains("55%"));
}

#[test]
fn overwritten_text_is_found_only_in_unfolded_progress() {
    let log = Log::new(
        "2026-05-06T12:00:00Z stdout F plain\n2026-05-06T12:00:01Z stdout F step 5\r\x1b[Kdone 5\n",
    );
    let mut sim = log.open(SMALL);
    typed(&mut sim, "/", "step");
    assert!(last_line(&mut sim).ends_with("no row matches step"), "{}", last_line(&mut sim));
    sim.keys("p n");
    assert!(last_line(&mut sim).starts_with("/step 1 of 1"), "{}", last_line(&mut sim));
    sim.keys("Esc p");
    typed(&mut sim, "&", "step");
    assert!(sim.screen().contains("no row matches the filter"), "{}", sim.screen());
    sim.keys("p");
    assert_eq!(rows(&mut sim)[0], "step 5");
}

#[test]
fn a_match_far_to_the_right_is_scrolled_into_view() {
    let far = |n: usize| {
        if n == 11 {
            format!("{}FAR{}", "y".repeat(500), "z".repeat(50))
        } else {
            format!("row {n}")
        }
    };
    let log = Log::of_rows((1..=30).map(far));
    let mut sim = log.open(SMALL);
    typed(&mut sim, "/", "FAR");
    assert!(sim.screen().contains("yyFARzz"), "{}", sim.screen());
    typed(&mut sim, "/", "row 2$");
    assert!(sim.screen().contains("row 2"), "the view is back at the left edge");
    let log = Log::of_rows(
        (1..=3).map(|n| format!("{n} {} DEEP {}", "word ".repeat(6000), "word ".repeat(6000))),
    );
    let mut sim = log.open(SMALL);
    sim.keys("w");
    typed(&mut sim, "/", "DEEP");
    assert!(sim.screen().contains("DEEP"), "{}", sim.screen());
}

#[test]
fn long_rows_scroll_sideways_and_keep_their_position() {
    let log = Log::of_rows((1..=100).map(|n| format!("{n} {}", "abcdefghij".repeat(20))));
    let mut sim = log.open(SMALL);
    sim.keys("l l");
    let before = rows(&mut sim)[0].clone();
    assert!(!before.starts_with("1 "), "{before}");
    assert!(sim.screen().contains("▌‹") && sim.screen().contains(" ‹"), "{}", sim.screen());
    sim.keys("j k G g");
    assert_eq!(rows(&mut sim)[0], before);
}

#[test]
fn after_a_match_far_to_the_right_esc_scrolls_back_first() {
    let far = format!("start {}needle", "x".repeat(300));
    let mut sim = Log::of_rows(["one".to_owned(), far]).open(SMALL);
    sim.keys("/ n e e d l e Enter");
    assert!(sim.screen().contains("needle") && sim.screen().contains("▌‹xx"), "{}", sim.screen());
    sim.keys("Esc");
    assert!(sim.screen().contains("▌start x") && sim.screen().contains("/needle 1 of 1"));
    sim.keys("Esc");
    assert!(!sim.screen().contains("/needle"), "the search is cleared");
}

#[test]
fn wrapped_rows_do_not_scroll_sideways() {
    let mut sim = Log::of_rows(["a ".repeat(200)]).open(SMALL);
    sim.keys("w l l / a Enter Esc");
    assert!(sim.model.log.options.search.is_none(), "{}", sim.screen());
}

#[test]
fn a_log_opens_at_the_requested_position() {
    let log = numbered(500);
    let open_at = |place: &str| {
        let options = Options { at: Some(At::parse(place).unwrap()), ..options() };
        let mut sim = Sim::new(Catalog::of_path(&log.path), None, options, SMALL, at(0));
        sim.keys("Z");
        sim
    };
    assert_eq!(rows(&mut open_at("end"))[19], "row 500 with a needle");
    assert_eq!(rows(&mut open_at("start"))[0], "row 1");
    assert_eq!(current(&mut open_at("250")), "row 250 with a needle");
    assert_eq!(current(&mut open_at("12:01:39")), "row 100 with a needle");
}

/// Tests a progress bar whose row is longer than the part of a row that a reader keeps.
#[test]
fn a_long_progress_bar_shows_its_last_state() {
    let state = |n: usize| {
        format!("2026-05-06T12:00:00Z stdout P \r{n:>5} of 3000 {}\n", "#".repeat(n / 60))
    };
    let bar: String = (1..=3000).map(state).collect();
    let log = Log::new(format!(
        "{bar}2026-05-06T12:00:01Z stdout F \n2026-05-06T12:00:02Z stdout F behind\n"
    ));
    let mut sim = log.open((120, 24));
    assert_eq!(
        rows(&mut sim)[..2],
        [format!(" 3000 of 3000 {}", "#".repeat(50)), "behind".to_owned()]
    );
    sim.keys("p G");
    assert!(sim.screen().contains(" 2999 of 3000 ") && sim.screen().contains("before"));
}

#[test]
fn a_filter_with_few_matches_finishes_even_if_the_log_grows() {
    let log = numbered(100);
    let mut sim = log.open(SMALL);
    typed(&mut sim, "&", "needle");
    let more = "2026-05-06T13:00:00Z stdout F no match\n".repeat(500)
        + "2026-05-06T13:00:01Z stdout F needle 5\n";
    fs::write(&log.path, [fs::read(&log.path).unwrap(), more.into_bytes()].concat()).unwrap();
    sim.disk();
    assert_eq!(rows(&mut sim)[..5].last().unwrap(), "needle 5");
    let window = &sim.model.log.window;
    assert!(window.at_start && window.at_end);
}

#[test]
fn a_click_selects_a_row() {
    let log = numbered(100);
    let mut sim = log.open(SMALL);
    sim.mouse(rundown::tui::msg::Mouse::Click, 10, 7);
    assert_eq!(current(&mut sim), "row 5");
}

#[test]
fn an_unreset_color_continues_on_later_pages() {
    let log =
        Log::of_rows((0..250).map(|n| {
            if n == 0 { "\x1b[32mgreen from here".to_owned() } else { format!("row {n}") }
        }));
    let mut sim = log.open(SMALL);
    for keys in ["", "PageDown PageDown PageDown PageDown", "G"] {
        let styles = sim.keys(keys).styles();
        let greens =
            styles.lines().filter(|line| line.contains("Green/") && line.contains("row ")).count();
        assert!(greens >= 17, "{keys}: {styles}");
    }
}
