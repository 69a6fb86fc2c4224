//! Configuration files, read by the real binary: their locations, their errors, and their effects.
//! They affect the screen, but not the output for scripts, except that secure mode removes links
//! and that rules find causes.

use std::fs;
use std::path::Path;

use rundown::cri::Stream;
use rundown::store::{JobEnd, RunEnd};
use tempfile::TempDir;

use crate::support::built::{Built, passed_run, run_id};
use crate::support::session::Session;
use crate::support::{json, rundown, script, stderr, stdout};

/// Makes a home directory with a configuration file in the default location.
fn home(config: &str) -> TempDir {
    let home = TempDir::new().unwrap();
    write(home.path(), ".config/rundown/config.toml", config);
    home
}

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn store() -> Built {
    let mut store = Built::new();
    passed_run(&mut store, &run_id(1), 0);
    store
}

#[test]
fn the_option_takes_precedence_over_the_variable_and_the_variable_over_the_home() {
    let home = home("times = \"delta\"");
    write(home.path(), "xdg/rundown/config.toml", "times = \"time\"");
    write(home.path(), "env.toml", "times = \"relative\"");
    write(home.path(), "named.toml", "times = \"none\"\nwrap = true");
    let times = |args: &[&str], env: &[(&str, &str)]| {
        let output = rundown(home.path())
            .arg("config")
            .args(args)
            .envs(env.iter().copied())
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        printed
            .lines()
            .find(|line| line.starts_with("times = "))
            .unwrap()
            .split('"')
            .nth(1)
            .unwrap()
            .to_owned()
    };
    let xdg = home.path().join("xdg").into_os_string().into_string().unwrap();
    assert_eq!(times(&[], &[]), "delta");
    assert_eq!(times(&[], &[("XDG_CONFIG_HOME", &xdg)]), "time");
    assert_eq!(
        times(&[], &[("XDG_CONFIG_HOME", &xdg), ("RUNDOWN_CONFIG", "env.toml")]),
        "relative"
    );
    assert_eq!(times(&["--config", "named.toml"], &[("RUNDOWN_CONFIG", "env.toml")]), "none");
}

#[test]
fn the_printed_configuration_is_a_file_with_the_same_settings() {
    let home = home("theme = { name = \"dark\", bad = \"bold #ff8787\" }\nkeys.wrap = \"X\"\n");
    let printed = stdout(home.path(), &["config"], 0);
    assert!(
        printed.contains("\nname = \"dark\"") && printed.contains("\nbad = \"bold #ff8787\""),
        "{printed}"
    );
    write(home.path(), ".config/rundown/config.toml", &printed);
    assert_eq!(stdout(home.path(), &["config"], 0), printed);
}

#[test]
fn the_example_of_the_readme_is_a_valid_configuration() {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let example = readme.split("```toml\n").find(|block| block.starts_with("times = ")).unwrap();
    let home = home(example.split("```").next().unwrap());
    assert!(stdout(home.path(), &["config"], 0).contains("next-error = [\"x\", \"g e\"]"));
}

#[test]
fn the_command_line_overrides_the_file() {
    let home = home("timezone = \"Europe/Berlin\"\ntheme = { name = \"dark\", bad = \"blue\" }\n");
    let printed = stdout(
        home.path(),
        &["--theme", "light", "--ascii", "--timezone", "Asia/Tokyo", "config"],
        0,
    );
    for line in
        ["ascii = true", "name = \"light\"", "timezone = \"Asia/Tokyo\"", "# bad = \"#b00000\""]
    {
        assert!(printed.lines().any(|printed| printed.starts_with(line)), "{line} in\n{printed}");
    }
}

#[test]
fn all_errors_are_reported_and_no_screen_opens() {
    let home = home("wrop = true\n[keys]\nnxt-error = \"e\"\nquit = \"q q\"\ntimes = \"e\"\n");
    let faults = stderr(home.path(), &["config"], 2);
    let path = home.path().join(".config/rundown/config.toml");
    let lines: Vec<&str> = faults.lines().collect();
    assert_eq!(
        lines,
        [
            format!(
                "rundown: {}:1:1: unknown setting `wrop`; did you mean `wrap`?",
                path.display()
            ),
            format!(
                "         {}:3:1: unknown action `nxt-error` in [keys]; did you mean `next-error`?",
                path.display()
            ),
        ]
    );
    write(home.path(), ".config/rundown/config.toml", "[keys]\ntimes = \"e\"\n");
    assert!(
        stderr(home.path(), &["config"], 2)
            .contains(":2:1: `times`: `e` is already bound to `next-error` in [keys.log]")
    );

    let store = store();
    let env =
        [("XDG_CONFIG_HOME", home.path().join(".config").into_os_string().into_string().unwrap())];
    let session =
        Session::start(&store, &env.each_ref().map(|(name, value)| (*name, value.as_str())));
    assert_eq!(session.exit().code(), Some(2));
    session.shown.wait_for_text("is already bound to `next-error`");
    session.assert_given_back();
}

#[test]
fn a_missing_file_is_an_error_only_if_it_was_named() {
    let home = TempDir::new().unwrap();
    stdout(home.path(), &["config"], 0);
    let missing = stderr(home.path(), &["config", "--config", "not-there.toml"], 6);
    assert!(missing.contains("cannot read the configuration not-there.toml"), "{missing}");
    let output = rundown(home.path())
        .arg("config")
        .env("RUNDOWN_CONFIG", "not-there.toml")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(6));
    fs::create_dir_all(home.path().join(".config/rundown/config.toml")).unwrap();
    assert!(stderr(home.path(), &["config"], 6).contains("cannot read the configuration"));
}

#[test]
fn the_configuration_neither_changes_nor_breaks_output_for_scripts() {
    let (store, home) = (store(), TempDir::new().unwrap());
    let root = store.root().to_str().unwrap();
    let args = |format| ["--root", root, "--once", "--format", format];
    let without = ["text", "json", "jsonl"].map(|format| stdout(home.path(), &args(format), 0));
    for config in
        ["timezone = \"Asia/Tokyo\"\nascii = true\ntimes = \"delta\"", "wrop = true", "[[["]
    {
        write(home.path(), ".config/rundown/config.toml", config);
        assert_eq!(
            ["text", "json", "jsonl"].map(|format| stdout(home.path(), &args(format), 0)),
            without,
            "{config}"
        );
        stdout(home.path(), &["--root", root, "list"], 0);
    }
}

#[test]
fn secure_mode_is_on_if_the_variable_or_the_file_enables_it() {
    let home = home("secure = false");
    write(home.path(), "secure.toml", "secure = true");
    let is_secure = |args: &[&str], value: &str| {
        let output = rundown(home.path())
            .arg("config")
            .args(args)
            .env("RUNDOWN_SECURE", value)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().contains("\nsecure = true ")
    };
    assert!(is_secure(&[], "1"));
    assert!(is_secure(&["--config", "secure.toml"], "0"));
    assert!(!is_secure(&[], "0") && !is_secure(&[], ""));

    let (store, editor) = (store(), script(home.path(), "editor", "echo the editor runs"));
    let config = home.path().join(".config").into_os_string().into_string().unwrap();
    let env = [
        ("XDG_CONFIG_HOME", config.as_str()),
        ("RUNDOWN_SECURE", "1"),
        ("EDITOR", editor.as_str()),
    ];
    let session = Session::start(&store, &env);
    session.shown.wait_for_text("nothing to be done");
    session.press("v");
    session.shown.wait_for_text("disabled in secure mode");
    session.press("q");
    assert_eq!(session.exit().code(), Some(0));
}

#[test]
fn secure_mode_prints_no_links() {
    let home = TempDir::new().unwrap();
    let link = "\x1b]8;;https://a.example/\x1b\\here\x1b]8;;\x1b\\";
    stdout(home.path(), &["record", "--root", "R", "--", "printf", "%s\n", link], 0);
    let has_link = |value: &str| {
        let mut command = rundown(home.path());
        command.args(["--root", "R", "--once", "--color=always"]).env("RUNDOWN_SECURE", value);
        String::from_utf8(command.output().unwrap().stdout).unwrap().contains("\x1b]8;")
    };
    assert!(has_link("0") && !has_link("1"));
    // Secure mode is also on if the configuration is invalid, because the file may enable it.
    for config in ["secure = true", "secure = "] {
        write(home.path(), ".config/rundown/config.toml", config);
        assert!(!has_link("0"), "{config}");
    }
}

#[test]
fn the_screen_applies_the_configuration() {
    let (store, home) =
        (store(), home("mouse = false\n[keys]\nquit = \"x x\"\n[theme]\nname = \"dark\"\n"));
    let config = home.path().join(".config").into_os_string().into_string().unwrap();
    let session = Session::start(&store, &[("XDG_CONFIG_HOME", &config)]);
    session.shown.wait_for_text("nothing to be done");
    session.shown.wait_for("no mouse", |screen| {
        screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
    });
    let ok = vt100::Color::Rgb(0x87, 0xd7, 0x87);
    session.shown.wait_for("the theme's colors", |screen| {
        (0..80).any(|x| screen.cell(0, x).is_some_and(|cell| cell.fgcolor() == ok))
    });
    session.press("x");
    session.shown.wait_for_text("x › x quit");
    session.press("x");
    assert_eq!(session.exit().code(), Some(0));
    session.assert_given_back();
}

/// A failed run with three rows, and the text of the row with its cause; empty without a cause.
fn marked(home: &TempDir, rules: Option<&str>) -> String {
    let (mut built, run) = (Built::new(), run_id(1));
    built.begin(&run, &["a"], 0);
    built.start(&run, "a", 1, "./deploy", 1);
    let rows = "error: telemetry could not be sent\nlock held by alice\ndone\n";
    built.print(&run, "a", 1, 2, Stream::Stdout, rows);
    built.end(&run, "a", 1, 1, 3);
    built.end_job(&run, "a", JobEnd::Failed(1), 4);
    built.end_run(&run, RunEnd::Failed("job-failed"), 5);
    if let Some(rules) = rules {
        write(built.root(), "rules.toml", rules);
    }
    let root = built.root().to_str().unwrap();
    let document = json(home.path(), &["--root", root, "latest", "--once", "--format", "json"], 0);
    let cause = &document["run"]["jobs"][0]["commands"][0]["cause"];
    let row = cause["row"].as_u64().map_or(0, |row| usize::try_from(row).unwrap());
    row.checked_sub(1).and_then(|row| rows.lines().nth(row)).unwrap_or_default().to_owned()
}

#[test]
fn rules_of_the_configuration_and_of_the_store_find_the_cause() {
    let harmless = "[[rule]]\npattern = 'telemetry'\nseverity = 'harmless'\n";
    let lock = "[[rule]]\ntool = 'deploy'\npattern = '^lock held by '\nseverity = 'fatal'\n";
    assert_eq!(marked(&home(""), None), "error: telemetry could not be sent");
    assert_eq!(marked(&home(lock), None), "lock held by alice");
    assert_eq!(marked(&home(""), Some(lock)), "lock held by alice");
    assert_eq!(marked(&home(harmless), Some("")), "lock held by alice", "a complaint");
    let all = harmless.replace("telemetry", ".");
    assert_eq!(marked(&home(&all), None), "", "no row is a complaint, either");
    let both = marked(&home(&lock.replace("lock held by ", "done")), Some(lock));
    assert_eq!(both, "lock held by alice", "the rules of the store are first");
}

#[test]
fn faulty_rules_of_a_store_are_reported_and_ignored() {
    let store = store();
    write(store.root(), "rules.toml", "[[rule]]\npattern = 'a('\n");
    let root = store.root().to_str().unwrap();
    let shown = stderr(store.root(), &["--root", root, "latest", "--once"], 0);
    assert!(shown.contains("rules.toml:2:11: invalid `pattern`: unclosed group"), "{shown}");
    assert!(shown.contains("the rules of this store are ignored"), "{shown}");
    fs::remove_file(store.root().join("rules.toml")).unwrap();
    fs::create_dir(store.root().join("rules.toml")).unwrap();
    let shown = stderr(store.root(), &["--root", root, "latest", "--once"], 0);
    assert!(shown.contains("rules.toml: it is a directory"), "{shown}");
}
