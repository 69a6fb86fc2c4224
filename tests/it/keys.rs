//! Configured keys and themes: their effects, the help, and the colors of the screen.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};
use rundown::catalog::Catalog;
use rundown::tui::keymap::{Action, BINDINGS, Context, Keymap, Keys, Rebinding};
use rundown::tui::layout::Pane;
use rundown::tui::log::Times;
use rundown::tui::msg::{Effect, Mouse, TerminalRequest};
use rundown::tui::sim::Sim;
use rundown::tui::theme::Scheme;
use rundown::tui::{Options, Settings};

use crate::support::built::{Built, at, failed_run, passed_run, run_id};
use crate::support::screen::{SMALL, TINY, open, options};

fn two_runs() -> Built {
    let mut store = Built::new();
    passed_run(&mut store, &run_id(1), -3_600_000);
    failed_run(&mut store, &run_id(2), 0);
    store
}

fn open_with(store: &Built, settings: Settings, size: (u16, u16)) -> Sim {
    let options = Options { settings, ..options() };
    Sim::new(store.catalog(), None, options, size, at(120_000))
}

fn with_keys(bindings: &[(Option<Context>, Action, &[&str])]) -> Settings {
    let keys = |names: &[&str]| names.iter().map(|names| Keys::parse(names).unwrap()).collect();
    let binding = |(context, action, names): &(_, _, &[&str])| Rebinding {
        context: *context,
        action: *action,
        keys: keys(names),
        at: 0,
    };
    let keymap = Keymap::with(&bindings.iter().map(binding).collect::<Vec<_>>()).unwrap();
    Settings { keymap, ..Settings::default() }
}

/// Returns the requests that were sent to the terminal.
fn for_terminal(sim: &Sim) -> Vec<&Effect> {
    sim.others.iter().filter(|effect| !matches!(effect, Effect::Watch(_))).collect()
}

fn last_line(sim: &mut Sim) -> String {
    sim.screen().lines().last().unwrap_or_default().trim().to_owned()
}

// ---- sequences of keys ----

#[test]
fn after_the_first_key_of_a_sequence_the_screen_lists_the_next_keys() {
    let store = two_runs();
    let settings =
        || with_keys(&[(None, Action::Wrap, &["x w"]), (None, Action::NextGap, &["x s", "s"])]);
    assert_eq!(
        last_line(open_with(&store, settings(), SMALL).keys("x")),
        "x › s gap · w toggle line wrap"
    );
    assert_snapshot!("begun_40x10", open_with(&store, settings(), TINY).keys("x").screen());
    assert_snapshot!("begun_80x24", open(&store, SMALL).keys("z").screen());
    let mut sim = open_with(&store, settings(), SMALL);
    sim.keys("x w");
    assert!(sim.model.log.options.wrap && sim.model.pressed.is_empty());
    assert!(!last_line(&mut sim).contains('›'));
}

#[test]
fn a_key_that_does_not_continue_a_sequence_is_reported_and_ignored() {
    let store = two_runs();
    let mut sim = open(&store, SMALL);
    assert_eq!(last_line(sim.keys("z q")), "z q is not bound");
    assert_eq!(for_terminal(&sim), [] as [&Effect; 0], "q does not quit");
    sim.keys("z Esc");
    assert!(sim.model.pressed.is_empty() && sim.model.message.is_none());
    assert_eq!(sim.model.focus, Pane::Log, "Esc only cancels the sequence");
    sim.keys("z Ctrl-c");
    assert_eq!(for_terminal(&sim), [&Effect::Quit]);
}

#[test]
fn zoom_has_a_single_key_and_a_sequence() {
    let store = two_runs();
    for keys in ["Z", "z z"] {
        let mut sim = open(&store, SMALL);
        assert!(sim.keys(keys).model.zoom, "{keys}");
        assert!(!sim.keys(keys).model.zoom, "{keys}");
    }
}

// ---- configured keys ----

#[test]
fn configured_keys_work_and_are_shown_everywhere() {
    let store = two_runs();
    let settings = with_keys(&[
        (None, Action::Search, &["F3"]),
        (None, Action::Edit, &["F4"]),
        (None, Action::Filter, &["Ctrl-f"]),
        (None, Action::Mark, &[]),
        (None, Action::Help, &["h ?", "F1"]),
        (None, Action::ScrollLeft, &["Left"]),
        (None, Action::Fold, &["Left"]),
        (Some(Context::Prompt), Action::Literal, &["F2"]),
        (Some(Context::Tree), Action::Open, &["o"]),
    ]);
    let mut sim = open_with(&store, settings, SMALL);
    assert!(last_line(&mut sim).contains("F4 editor") && last_line(&mut sim).ends_with("F1 help"));
    assert_eq!(last_line(sim.keys("n")), "no search; press F3");
    assert!(last_line(sim.keys("+")).ends_with("; press Ctrl-f"), "{}", last_line(&mut sim));
    assert_eq!(last_line(sim.keys("' x")), "no such mark", "no key sets a mark");
    assert!(last_line(sim.keys("F3")).ends_with("regex - F2: text"), "{}", last_line(&mut sim));
    assert!(last_line(sim.keys("F2")).ends_with("text - F2: regex"));
    sim.keys("Esc /");
    assert!(sim.model.prompt.is_none(), "the default key is no longer bound");
    assert!(last_line(sim.keys("Tab")).starts_with("o open"), "{}", last_line(&mut sim));
    let help = sim.keys("F1").screen();
    assert!(help.contains("│ o  "), "{help}");
    assert!(sim.keys("Esc h ?").screen().contains("─ Keys ─") || sim.screen().contains(" Keys "));
}

#[test]
fn help_starts_with_the_tasks_of_the_pane_and_scrolls_to_its_end_on_a_small_screen() {
    let store = two_runs();
    for (width, height) in [TINY, SMALL, (120, 40), (250, 70)] {
        let mut sim = open(&store, (width, height));
        assert_snapshot!(format!("help_{width}x{height}"), sim.keys("?").screen());
    }
    assert_snapshot!("help_styles_80x24", open(&store, SMALL).keys("?").styles());
    let mut sim = open(&store, TINY);
    sim.keys("?");
    let mut seen = String::new();
    for _ in 0..80 {
        seen.push_str(&sim.screen());
        sim.keys("PageDown");
    }
    for task in BINDINGS.iter().map(|binding| binding.task) {
        assert!(seen.contains(&format!("│ {task}  ")), "{task}");
    }
    for (keys, title) in [("Tab ?", "Runs  "), ("Shift-Tab ?", "Jobs  ")] {
        let lines = help_lines(open(&store, (120, 40)).keys(keys));
        assert!(lines[0].starts_with(title), "{keys}: {lines:#?}");
    }
}

/// Returns the rows inside the box of the help, without blank ones.
fn help_lines(sim: &mut Sim) -> Vec<String> {
    let screen = sim.screen();
    let inside = screen.lines().filter_map(|line| line.split_once("│ ")?.1.split_once('│'));
    let texts = inside.map(|(text, _)| text.trim().to_owned());
    texts.filter(|text| !text.is_empty()).collect()
}

#[test]
fn the_help_scrolls_both_columns() {
    let store = two_runs();
    let mut sim = open(&store, SMALL);
    let first = |sim: &mut Sim| {
        let line = help_lines(sim)[0].clone();
        let (left, right) = line.split_at(line.char_indices().nth(39).unwrap().0);
        (left.trim().to_owned(), right.trim().to_owned())
    };
    assert_eq!(first(sim.keys("?")), ("Move".into(), "Copy and open".into()));
    let second = first(sim.keys("j"));
    assert_eq!(second, ("j, ↓         move down".into(), "y            copy the row".into()));
    sim.mouse(Mouse::Wheel(1), 5, 5);
    assert_eq!(first(&mut sim).0, "Ctrl-u       half page up");
    assert_eq!(first(sim.keys("G k g j")), second);
    assert!(!sim.keys("G").screen().contains("more below"));
    assert_eq!(first(sim.keys("Ctrl-u Ctrl-u Ctrl-u Ctrl-u Ctrl-u j")), second);
}

#[test]
fn the_help_is_searched_while_a_text_is_typed() {
    let store = two_runs();
    let mut sim = open(&store, TINY);
    sim.keys("? j j / F A");
    assert_eq!(last_line(&mut sim), "Enter accept · Esc cancel");
    sim.keys("i L");
    let found = help_lines(&mut sim);
    assert_eq!(
        found[1..3],
        ["}            next failed command", "{            previous failed command"]
    );
    assert_snapshot!("help_search_40x10", sim.screen());
    assert_snapshot!("help_search_80x24", sim.keys("Enter").resize(80, 24).screen());
    assert_eq!(last_line(&mut sim), "/ search · q close");
    // A search goes on with the typed text. The names of a configuration are found, too.
    sim.keys("/ Ctrl-u p a g e d o w n");
    assert!(help_lines(&mut sim)[1].starts_with("PgDn         page down"), "{}", sim.screen());
    sim.keys("/ q");
    assert_eq!(help_lines(&mut sim), ["no match; Esc clears the search"]);
    assert!(sim.screen().contains("─ /pagedown/q "), "{}", sim.screen());
}

#[test]
fn escape_clears_the_search_of_the_help_and_then_closes_it() {
    let store = two_runs();
    let mut sim = open(&store, SMALL);
    for keys in ["? / f o l d Esc", "? / f o l d Enter Esc", "? / f o l d Ctrl-c"] {
        let screen = sim.keys(keys).screen();
        assert!(screen.contains("│ Move  ") && !screen.contains("/fold"), "{keys}\n{screen}");
        assert!(!sim.keys("Esc").screen().contains("╭ Keys"), "{keys}");
    }
    for close in ["q", "?", "Enter", "F1"] {
        sim.keys("? / f o l d Enter").keys(close);
        assert!(!sim.screen().contains("╭ Keys"), "{close} closes it at once");
        assert!(sim.keys("?").screen().contains("Move"), "and it opens without the search");
        sim.keys("Esc");
    }
    assert!(!sim.others.contains(&Effect::Quit) && sim.model.prompt.is_none());
}

#[test]
fn the_help_shows_and_finds_configured_keys() {
    let store = two_runs();
    let settings = with_keys(&[
        (None, Action::NextGap, &["x s", "F9"]),
        (None, Action::Mark, &[]),
        (Some(Context::Help), Action::Search, &["Ctrl-f"]),
        (Some(Context::Help), Action::Back, &["F4"]),
        (Some(Context::Prompt), Action::Back, &["F3"]),
    ]);
    let mut sim = open_with(&store, settings, TINY);
    assert_eq!(last_line(sim.keys("?")), "Ctrl-f search · q close");
    sim.keys("/ Ctrl-f x Space s");
    assert_eq!(help_lines(&mut sim), ["Find", "x s, F9      next longest gap"]);
    sim.keys("F3 Ctrl-f s e t Space a Space m a r k");
    assert_eq!(help_lines(&mut sim), ["no match; F3 clears the search"]);
    assert_eq!(help_lines(sim.keys("Enter")), ["no match; F4 clears the search"]);
    assert_eq!(help_lines(sim.keys("F4"))[0], "Move");
}

#[test]
fn keys_without_effect_in_the_pane_are_dim_and_name_their_pane() {
    let store = two_runs();
    let plain = Options { color: false, ascii: true, ..options() };
    let mut sim = Sim::new(store.catalog(), None, plain, (120, 40), at(120_000));
    sim.keys("? / f o l l o w");
    let screen = sim.screen();
    assert!(screen.is_ascii() && screen.contains("follow the run (jobs)"), "{screen}");
    let is_dim = |sim: &mut Sim, text: &str| {
        let styles = sim.styles();
        styles.lines().any(|line| line.contains("DIM") && line.contains(text))
    };
    assert!(is_dim(&mut sim, "follow the run (jobs)") && !is_dim(&mut sim, "follow the output"));
    sim.keys("Esc Esc Shift-Tab ? / f o l l o w");
    assert!(is_dim(&mut sim, "follow the output (log)") && !is_dim(&mut sim, "follow the run"));
}

#[test]
fn a_screen_opens_with_the_configured_options() {
    let store = two_runs();
    let settings = Settings {
        mouse: false,
        times: Times::Relative,
        wrap: true,
        numbers: true,
        ..Settings::default()
    };
    let mut sim = open_with(&store, settings, SMALL);
    assert_eq!(for_terminal(&sim), [&TerminalRequest::CaptureMouse(false).into()]);
    assert!(!sim.model.mouse && sim.model.log.options.wrap && sim.model.log.options.numbers);
    assert_snapshot!("as_set_80x24", sim.screen());
}

#[test]
fn secure_mode_starts_no_other_programs() {
    let store = two_runs();
    for keys in ["y", "Y", "c", "D", "v", "|"] {
        let mut free = open(&store, SMALL);
        let mut secure = open_with(&store, Settings { secure: true, ..Settings::default() }, SMALL);
        let message = last_line(secure.keys(keys));
        assert!(message.contains("disabled in secure mode"), "{keys}: {message}");
        assert_eq!(for_terminal(&secure), [] as [&Effect; 0], "{keys}");
        assert!(!for_terminal(free.keys(keys)).is_empty(), "{keys}");
    }
    let mut secure = open_with(&store, Settings { secure: true, ..Settings::default() }, SMALL);
    let hints = last_line(&mut secure);
    assert!(hints.contains("e error · C cause · / search"), "no key without effect: {hints}");
}

// ---- themes ----

fn cells(sim: &mut Sim) -> Vec<Cell> {
    sim.buffer().content().to_vec()
}

#[test]
fn the_colors_of_a_scheme_are_on_the_screen() {
    let store = two_runs();
    let dark = Settings { look: Scheme::Dark.into(), ..Settings::default() };
    let mut sim = open_with(&store, dark, SMALL);
    assert_snapshot!("styles_dark_80x24", sim.styles());
    // Check only the tree, because the log beside it contains colors.
    let tree: Vec<Cell> = cells(&mut sim).chunks(80).flat_map(|row| row[..26].to_vec()).collect();
    let is_own = |color: &Color| !matches!(color, Color::Reset | Color::Rgb(..));
    assert!(
        !tree.iter().any(|cell| is_own(&cell.fg) || is_own(&cell.bg)),
        "the tree has no color of the terminal's palette"
    );
}

#[test]
fn high_contrast_sets_both_colors_of_every_cell() {
    let store = two_runs();
    for keys in ["", "Tab", "r", "?", "/", "z", "Z w #"] {
        let settings = Settings { look: Scheme::HighContrast.into(), ..Settings::default() };
        let mut sim = open_with(&store, settings, SMALL);
        let cells = cells(sim.keys(keys));
        let bare =
            cells.iter().filter(|cell| cell.bg == Color::Reset || cell.fg == Color::Reset).count();
        assert_eq!(bare, 0, "{keys:?}\n{}", sim.screen());
    }
}

#[test]
fn the_selection_is_visible_without_color_even_if_a_theme_is_set() {
    let store = two_runs();
    let set = Settings { look: Scheme::HighContrast.into(), ..Settings::default() };
    let settings = Options { color: false, settings: set, ..options() };
    let mut sim = Sim::new(store.catalog(), None, settings, SMALL, at(120_000));
    let cells = cells(sim.keys("Tab"));
    assert!(cells.iter().all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset)));
    let reversed = cells.iter().filter(|cell| cell.modifier.contains(Modifier::REVERSED)).count();
    assert!(reversed > 20, "the selected row of the tree is reversed");
}

// ---- ASCII ----

/// Returns every character in the files of a store. ASCII mode shows these unchanged.
fn recorded(dir: &std::path::Path) -> BTreeSet<char> {
    crate::support::bytes_of(dir)
        .values()
        .flat_map(|bytes| String::from_utf8_lossy(bytes).chars().collect::<Vec<_>>())
        .collect()
}

#[test]
fn ascii_mode_draws_only_ascii_around_recorded_text() {
    for name in ["quire-v2-broken", "quire-v2-live", "quire-v11-broken"] {
        let dir = crate::support::store(name);
        let recorded = recorded(dir.path());
        for size in [TINY, SMALL, (120, 40), (250, 70)] {
            let plain = Options { ascii: true, ..options() };
            let mut sim =
                Sim::new(Catalog::of_store(dir.path(), None), None, plain, size, at(120_000));
            let all = [
                "",
                "Tab",
                "Tab",
                "r",
                "j Enter",
                "r j Enter",
                "?",
                "Esc z",
                "Esc Z",
                "w t #",
                "/ e Enter",
                "& e Enter",
                "+",
                "]",
                "] ]",
                "Tab g Enter",
                "z M",
                "z R G",
                "C",
                "i",
                "Tab g",
                "j j",
            ];
            for keys in all {
                let screen = sim.keys(keys).screen();
                // A control character of the log appears as its Unicode picture.
                let is_ours = |c: &char| {
                    !c.is_ascii() && !recorded.contains(c) && !('\u{2400}'..='\u{2426}').contains(c)
                };
                let ours: Vec<char> = screen.chars().filter(is_ours).collect();
                assert!(
                    ours.is_empty(),
                    "{ours:?} after {keys:?} on {size:?} of {name}:\n{screen}"
                );
            }
        }
    }
}
