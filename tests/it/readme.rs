//! Checks of the documentation against the program: its pictures of the screen, its tables of keys
//! and options, its list of settings, its example commands and its links.
//!
//! `UPDATE_DOCS=1` rewrites the pictures and the tables; see CONTRIBUTING.md.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValue;
use clap::{Arg, Command, CommandFactory};
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use rundown::catalog::{Catalog, RunFilter};
use rundown::cli::{Arguments, Config, parse};
use rundown::record::parse_pipeline;
use rundown::store::Writer;
use rundown::time::Time;
use rundown::tui::keymap::{BINDINGS, Binding};
use rundown::tui::sim::Sim;
use rundown::tui::theme::Scheme;
use rundown::tui::{Options, Settings};
use tempfile::TempDir;

use crate::support::svg::{DARK, LIGHT, Palette, svg};
use crate::support::{copy_tree, fixture};

/// The current time in the pictures: two minutes after the end of the newest run.
const NOW: Time = Time::from_millis(1_795_482_378_030);

/// The pictures: the name, the columns and rows, the keys to press after the start, and the title.
const SCREENS: &[(&str, (u16, u16), &str, &str)] = &[
    ("landing", (100, 28), "", "rundown opens a failed run at the likely cause of the failure"),
    ("scroll", (80, 20), "Shift-Tab g Enter j j z a g", "All commands of a run in one scroll"),
];

const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/bundle.md",
    "docs/ci.md",
    "docs/cli.md",
    "docs/config.md",
    "docs/keys.md",
    "docs/otlp.md",
    "docs/pipeline.md",
    "docs/remote.md",
];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Compares a file with the text that it should contain. If `UPDATE_DOCS` is set, writes the text
/// to the file instead.
#[track_caller]
fn check(name: &str, wanted: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(path(name).parent().unwrap()).unwrap();
        fs::write(path(name), wanted).unwrap();
        return;
    }
    let found = fs::read_to_string(path(name)).unwrap_or_default();
    let line = found.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
    assert!(found == wanted, "{name} is stale: run this test with UPDATE_DOCS=1\n{line:#?}");
}

/// Returns a document in which the text between `<!-- mark -->` and `<!-- /mark -->` is replaced.
fn replaced(text: &str, mark: &str, by: &str) -> String {
    let (begin, end) = (format!("<!-- {mark} -->"), format!("<!-- /{mark} -->"));
    let parts = text.split_once(&begin).zip(text.split_once(&end));
    let ((before, _), (_, after)) = parts.unwrap_or_else(|| panic!("no {begin} … {end}"));
    format!("{before}{begin}\n\n{}\n\n{end}{after}", by.trim_end())
}

/// Returns the contents of each fenced block in one of these languages.
fn fenced(text: &str, languages: &[&str]) -> Vec<String> {
    let mut blocks = text.split("```").skip(1).step_by(2);
    let mut found = Vec::new();
    for block in &mut blocks {
        let (language, lines) = block.split_once('\n').unwrap_or_default();
        if languages.contains(&language) {
            found.push(lines.to_owned());
        }
    }
    found
}

/// Makes the store of a small C project, with a run that passed and a later one that failed.
fn recorded() -> TempDir {
    let dir = TempDir::new().unwrap();
    let (from, db) = (fixture("stores/tally"), dir.path().join("rundown.db"));
    copy_tree(&from.join("runs"), &dir.path().join("runs"));
    drop(Writer::open(&db).unwrap());
    let sql = fs::read_to_string(from.join("rundown.sql")).unwrap();
    rusqlite::Connection::open(db).unwrap().execute_batch(&sql).unwrap();
    dir
}

fn screen(root: &Path, size: (u16, u16), keys: &str, scheme: Scheme) -> Buffer {
    let options = Options {
        color: true,
        ascii: false,
        time_zone: TimeZone::UTC,
        filter: RunFilter::default(),
        at: None,
        watch: false,
        settings: Settings { look: scheme.into(), ..Settings::default() },
    };
    let mut sim = Sim::new(Catalog::of_store(root, None), None, options, size, NOW);
    sim.keys(keys).buffer().clone()
}

#[test]
fn pictures_match_the_screen() {
    let (store, readme) = (recorded(), read("README.md"));
    for (name, size, keys, title) in SCREENS {
        assert!(
            readme.contains(&format!("docs/screens/{name}-dark.svg")),
            "README.md does not show the picture {name}"
        );
        for (scheme, palette) in [(Scheme::Dark, &DARK), (Scheme::Light, &LIGHT)] {
            let buffer = screen(store.path(), *size, keys, scheme);
            let file = format!("docs/screens/{name}-{}.svg", scheme.name());
            check(&file, &svg(&buffer, palette, title));
        }
    }
}

#[test]
fn keys_are_documented() {
    let row = |binding: &Binding| {
        let escaped = |text: &str| text.replace('|', "\\|");
        let keys: Vec<String> =
            binding.keys.iter().map(|key| format!("`{}`", escaped(key))).collect();
        let (label, name) = (escaped(binding.label), binding.action.name());
        let table = binding.context.name();
        format!("| {} | {label} | `{table}` | `{name}` |\n", keys.join(", "))
    };
    let mut tables = String::new();
    for bindings in BINDINGS.chunk_by(|one, next| one.task == next.task) {
        let _ = write!(tables, "\n## {}\n\n", bindings[0].task);
        tables += "| key | action | where | name |\n|---|---|---|---|\n";
        tables.extend(bindings.iter().map(row));
    }
    let found = read("docs/keys.md");
    check("docs/keys.md", &replaced(&found, "keys", tables.trim()));
}

/// Returns the program and its subcommands, each with its name as typed. The program is first.
fn commands() -> Vec<(String, Command)> {
    let mut program = Arguments::command();
    program.build();
    let name = |command: &Command| format!("rundown {}", command.get_name());
    let below = program.get_subcommands().filter(|command| command.get_name() != "help");
    let below: Vec<_> = below.map(|command| (name(command), command.clone())).collect();
    [("rundown".to_owned(), program.clone())].into_iter().chain(below).collect()
}

/// Returns the row of an option in the table of options.
fn option(arg: &Arg) -> String {
    let takes_values = arg.get_num_args().is_some_and(|args| args.takes_values());
    let short = arg.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    let mut name = format!("{short}--{}", arg.get_long().unwrap());
    let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    if takes_values {
        name.extend(
            arg.get_value_names().unwrap_or_default().iter().map(|name| format!(" {name}")),
        );
        let values = arg.get_possible_values();
        let values: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
        if !values.is_empty() && !arg.is_hide_possible_values_set() {
            let _ = write!(help, ": `{}`", values.join("`, `"));
        }
        let defaults = arg.get_default_values().iter();
        for default in defaults.filter(|_| !arg.is_hide_default_value_set()) {
            let _ = write!(help, " [default: {}]", default.display());
        }
    }
    format!("| `{name}` | {} |\n", help.replace('|', "\\|").replace('\n', " "))
}

#[test]
fn options_are_documented() {
    let mut wanted = read("docs/cli.md");
    for (name, command) in commands() {
        let mut table = "| option | meaning |\n|---|---|\n".to_owned();
        let shown = |arg: &&Arg| {
            let long = arg.get_long().filter(|long| !["help", "version"].contains(long));
            long.is_some() && !arg.is_hide_set()
        };
        let options: Vec<&Arg> = command.get_arguments().filter(shown).collect();
        let mut headings = Vec::new();
        for heading in options.iter().map(|arg| arg.get_help_heading()) {
            if !headings.contains(&heading) {
                headings.push(heading);
            }
        }
        for heading in headings {
            if let Some(heading) = heading {
                let _ = writeln!(table, "| **{heading}** | |");
            }
            let of_heading = options.iter().filter(|arg| arg.get_help_heading() == heading);
            table.extend(of_heading.map(|arg| option(arg)));
        }
        if options.is_empty() {
            "This command has no options.".clone_into(&mut table);
        }
        wanted = replaced(&wanted, &format!("options: {name}"), &table);
    }
    check("docs/cli.md", &wanted);
}

#[test]
fn settings_are_documented() {
    let text = read("docs/config.md");
    let file = Config::default().to_toml();
    let names = file.lines().filter_map(|line| {
        let line = line.trim_start_matches("# ");
        let table =
            line.strip_prefix('[').and_then(|_| line.rfind(']')).and_then(|at| line.get(..=at));
        let name = line.split_once(" = ").map(|(name, _)| name);
        table.or(name).map(str::to_owned)
    });
    let schemes = Scheme::ALL.map(|scheme| scheme.name().to_owned());
    // docs/keys.md contains the names of actions. `mouse` and `wrap` are also names of settings.
    let is_action = |name: &String| BINDINGS.iter().any(|binding| binding.action.name() == name);
    let wanted: BTreeSet<String> =
        names.filter(|name| !is_action(name) || ["mouse", "wrap"].contains(&&**name)).collect();
    assert!(wanted.len() > 30, "{wanted:?}");
    for name in wanted.iter().chain(&schemes) {
        assert!(text.contains(&format!("`{name}`")), "docs/config.md does not explain `{name}`");
    }
    for document in DOCUMENTS {
        let examples = fenced(&read(document), &["toml"]);
        for example in examples.iter().filter(|example| !example.contains("[jobs.")) {
            let read = Config::checked(Path::new(document), example.as_bytes());
            read.unwrap_or_else(|error| panic!("{error}\n{example}"));
        }
    }
}

#[test]
fn example_pipelines_are_valid() {
    let mut count = 0;
    for document in DOCUMENTS {
        let examples = fenced(&read(document), &["toml"]);
        for example in examples.iter().filter(|example| example.contains("[jobs.")) {
            let pipeline = parse_pipeline(example, Path::new(document));
            pipeline.unwrap_or_else(|error| panic!("{error}\n{example}"));
            count += 1;
        }
    }
    assert!(count > 5, "{count} pipelines");
    let sample = fs::read_to_string(fixture("pipelines/settings.toml")).unwrap();
    let text = read("docs/pipeline.md");
    for (key, _) in sample.lines().filter_map(|line| line.split_once(" = ")) {
        assert!(
            text.contains(&format!("| `{key}` |")),
            "docs/pipeline.md does not explain `{key}`"
        );
    }
    parse_pipeline(&sample, Path::new("settings.toml")).unwrap();
}

#[test]
fn example_commands_are_valid() {
    let mut count = 0;
    for document in DOCUMENTS {
        for line in fenced(&read(document), &["console", "sh"]).iter().flat_map(|text| text.lines())
        {
            let line = line.trim_start_matches("ACCESSIBLE=1 ");
            if !line.starts_with("rundown") {
                continue;
            }
            // The command ends before a pipe, a redirection or a list operator.
            let words = shlex::split(line).unwrap_or_else(|| panic!("{document}: {line}"));
            let end = |word: &String| ["|", ">", ">>", "||", "&&", ";"].contains(&&**word);
            let words: Vec<String> = words.into_iter().take_while(|word| !end(word)).collect();
            if let Err(error) = parse(words.into_iter().map(Into::into).collect()) {
                panic!("{document}: {line}\n{error}");
            }
            count += 1;
        }
    }
    assert!(count > 20, "{count} commands");
}

/// Returns true if `code` is written as the path of a file in the repository, and contains no
/// placeholder such as `NAME`.
fn is_path(code: &str) -> bool {
    let is_inside =
        ["src/", "tests/", "docs/", "fuzz/src/"].iter().any(|dir| code.starts_with(dir));
    let stem = Path::new(code).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    is_inside && !code.contains(char::is_whitespace) && stem != "NAME" && !code.contains("vNN")
}

#[test]
fn links_have_targets_and_lines_are_short() {
    for document in DOCUMENTS {
        let text = read(document);
        let dir = path(document).parent().unwrap().to_owned();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        let pictures = text.split("=\"").skip(1).filter_map(|rest| rest.split_once('"'));
        let pictures = pictures.filter(|(target, _)| target.contains("docs/screens/"));
        for (target, _) in targets.chain(pictures) {
            let file = target.split('#').next().unwrap();
            let is_file = file.is_empty() || dir.join(file).exists();
            assert!(target.starts_with("https://") || is_file, "{document}: {target}");
        }
        // The paths in code spans exist.
        for file in text.split('`').skip(1).step_by(2).filter(|code| is_path(code)) {
            assert!(path(file).exists(), "{document}: {file}");
        }
        for line in text.lines().filter(|line| !line.starts_with('|') && !line.contains("://")) {
            assert!(line.chars().count() <= 100, "{document}: more than 100 columns: {line}");
        }
    }
}

#[test]
fn a_picture_preserves_columns_and_styles() {
    let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
    buffer.set_string(0, 0, "a <漢> ─█", Style::new());
    buffer.set_style(Rect::new(0, 0, 1, 1), Style::new().bg(Color::Indexed(196)));
    let underlined = Style::new().fg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::UNDERLINED);
    buffer.set_string(9, 0, "b&c", underlined.add_modifier(Modifier::BOLD));
    let picture = |palette: &Palette| svg(&buffer, palette, "<&>");
    let dark = picture(&DARK);
    for part in [
        "<title>&lt;&amp;&gt;</title>",
        "<rect x=\"12\" y=\"12\" width=\"9\" height=\"18\" fill=\"#ff0000\"/>",
        "textLength=\"9\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\" \
         fill=\"#d0d0d0\">a</text>",
        "<text x=\"30\" y=\"25\" textLength=\"9\" lengthAdjust=\"spacingAndGlyphs\" \
         xml:space=\"preserve\" fill=\"#d0d0d0\">&lt;</text>",
        "<text x=\"39\" y=\"25\" textLength=\"18\"",
        "<text x=\"57\" y=\"25\" textLength=\"9\"",
        "<path d=\"M75 20.5H84\" fill=\"none\" stroke=\"#d0d0d0\"/>",
        "<path d=\"M84 12H93v18H84z\" fill=\"#d0d0d0\"/>",
        "<path d=\"M93 27H120\" fill=\"none\" stroke=\"#010203\" font-weight=\"bold\"/>",
        "fill=\"#010203\" font-weight=\"bold\">b&amp;c</text>",
    ] {
        assert!(dark.contains(part), "no {part} in\n{dark}");
    }
    assert_eq!(dark.lines().count(), picture(&LIGHT).lines().count());
}
