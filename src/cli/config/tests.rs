use std::path::Path;
use std::time::Duration;

use ratatui::style::{Color, Style};

use super::*;
use crate::tui::keymap::{Action, Context, Key, Meaning};
use crate::tui::log::Times;
use crate::tui::theme::Scheme;

fn fault(text: &str) -> String {
    Config::checked(Path::new("c.toml"), text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn configured_values_apply_and_all_others_keep_their_defaults() {
    let text = r#"
        ascii = true
        mouse = false
        times = "delta"
        wrap = true
        numbers = true
        notify = true
        secure = true
        timezone = "Europe/Berlin"
        output = "merge"
        max-log = "100 MiB"
        sync = false
        push = "s3://bucket/ci"
        push-timeout = 9
        retention = { keep = 9, older-than = "2 weeks", max-bytes = "1MB", failed-keep = 3 }
        theme = { name = "dark", match = "black on #d787af" }
        [keys]
        next-error = ["x", "g e"]
        top = "Home"
        follow = []
        [keys.tree]
        open = "o"
    "#;
    let config = read::parse(text, &read::NAMES).unwrap();
    let settings = &config.settings;
    assert!(config.ascii && !config.sync && settings.notify && settings.secure);
    assert_eq!((config.output, config.max_log), (Output::Merge, Some(100 << 20)));
    let push = (config.push.as_deref(), config.push_timeout);
    assert_eq!(push, (Some("s3://bucket/ci"), Some(Duration::from_secs(9))));
    assert!(settings.wrap && settings.numbers && !settings.mouse);
    assert_eq!(
        (settings.times, config.time_zone.as_deref()),
        (Times::Delta, Some("Europe/Berlin"))
    );
    let limits = Limits {
        keep: Some(9),
        older_than: Some(Duration::from_hours(14 * 24)),
        max_bytes: Some(1_000_000),
        failed_keep: Some(3),
    };
    assert_eq!(config.retention, limits);
    let found = Style::new().fg(Color::Black).bg(Color::Rgb(0xd7, 0x87, 0xaf));
    assert_eq!(
        (settings.look.scheme, settings.look.roles.as_slice()),
        (Scheme::Dark, [("match", found)].as_slice())
    );
    let meaning = |context, name| settings.keymap.meaning(context, &[Key::parse(name).unwrap()]);
    assert_eq!(meaning(Context::Log, "x"), Meaning::Action(Action::NextError));
    assert_eq!(meaning(Context::Log, "g"), Meaning::Prefix);
    assert_eq!(meaning(Context::Log, "f"), Meaning::Nothing);
    assert_eq!(meaning(Context::Tree, "o"), Meaning::Action(Action::Open));
    assert_eq!(meaning(Context::Runs, "Enter"), Meaning::Action(Action::Open));
    assert_eq!(read::parse("", &read::NAMES), Ok(Config::default()));
}

#[test]
fn every_error_reports_its_position_the_value_and_the_closest_match() {
    for (text, message) in [
        (
            "\n[keys]\nnxt-error = \"e\"",
            "c.toml:3:1: unknown action `nxt-error` in [keys]; did you mean `next-error`?",
        ),
        ("wrop = true", "c.toml:1:1: unknown setting `wrop`; did you mean `wrap`?"),
        ("wrap = \"yes\"", "c.toml:1:8: `wrap` must be true or false, not \"yes\""),
        (
            "times = \"detla\"",
            "c.toml:1:9: invalid value \"detla\" of `times`; did you mean `delta`?",
        ),
        (
            "times = 3",
            "c.toml:1:9: `times` must be one of \"none\", \"relative\", \"delta\", \"time\", \
             not a number",
        ),
        (
            "theme.name = \"drak\"",
            "c.toml:1:14: invalid value \"drak\" of `name`; did you mean `dark`?",
        ),
        ("theme.baad = \"red\"", "c.toml:1:7: unknown role `baad` in [theme]; did you mean `bad`?"),
        (
            "theme.bad = \"rde\"",
            "c.toml:1:13: `bad`: unknown color or attribute `rde`; did you mean `red`?",
        ),
        ("[keys.tre]", "c.toml:1:7: unknown table [keys.tre]; did you mean `tree`?"),
        (
            "[keys.tree]\nopne = \"o\"",
            "c.toml:2:1: unknown action `opne` in [keys.tree]; did you mean `open`?",
        ),
        (
            "keys.wobble = \"o\"",
            "c.toml:1:6: unknown action `wobble` in [keys]; `rundown config` lists all names",
        ),
        (
            "[keys]\nwrap = \"n\"",
            "c.toml:2:1: `wrap`: `n` is already bound to `next-match` in [keys.log]",
        ),
        (
            "keys = 1",
            "c.toml:1:8: `keys` must be a table ([keys] and lines such as \
             quit = \"q\"), not a number",
        ),
        (
            "[retention]\nkep = 1",
            "c.toml:2:1: unknown limit `kep` in [retention]; did you mean `keep`?",
        ),
        (
            "retention.keep = 1.5",
            "c.toml:1:18: `keep` must be a whole number of runs, such as 100, not a number",
        ),
        (
            "retention.max-bytes = \"2 gibi\"",
            "c.toml:1:23: `max-bytes` must be a size, such as 500MiB or 2GiB, not \"2 gibi\"",
        ),
        (
            "retention.older-than = 30",
            "c.toml:1:24: `older-than` must be an age in minutes, hours, days, or weeks, such as \
             36h or 30d, not a number",
        ),
        (
            "timezone = \"Berlin/Europe\"",
            "c.toml:1:12: unknown time zone \"Berlin/Europe\"; use a name such as \
             \"Europe/Berlin\" or \"UTC\"",
        ),
    ] {
        assert_eq!(fault(text), message);
    }
    assert!(
        fault("keys.wrap = \"Ctrl-\"")
            .starts_with("c.toml:1:13: `wrap`: invalid key \"Ctrl-\"; examples:")
    );
    assert!(
        fault("wrap = true\nwrap = false").starts_with("c.toml:2:1: duplicate key"),
        "{}",
        fault("wrap = true\nwrap = false")
    );
}

#[test]
fn all_errors_of_a_file_are_reported_at_once_in_file_order() {
    let text = "wrap = 1\n[theme]\nbad = \"rde\"\nname = 3\n[keys.log]\nnope = 1\nwrap = 2\n";
    let lines: Vec<String> =
        fault(text).lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(lines, ["c.toml:1:8:", "c.toml:3:7:", "c.toml:4:8:", "c.toml:6:1:", "c.toml:7:8:"]);
}

#[test]
fn non_utf8_and_endless_files_are_rejected() {
    let refused =
        |bytes: &[u8]| Config::checked(Path::new("c.toml"), bytes).unwrap_err().to_string();
    assert!(refused(b"wrap = true\n# \xff").starts_with("c.toml:2:3: invalid UTF-8"));
    assert!(refused(&vec![b'#'; 1 + (1 << 20)]).starts_with("c.toml: too large"));
}

#[test]
fn the_printed_configuration_parses_to_the_same_settings() {
    let changed = "notify = true\ntimezone = \"UTC\"\n\
                   retention = { keep = 7, older-than = \"36h\", max-bytes = \"1.5GiB\" }\n\
                   theme = { name = \"light\", bad = \"bold #aa0000\" }\n[keys]\nwrap = []\n\
                   next-gap = [\"'\", \"\\\\\", '\"', \"z s\"]\ngo-to-mark = \"`\"\n\
                   [[rule]]\npattern = '^\"drift\": \\S'\n[[rule]]\ntool = \"x\"\n\
                   pattern = \"fine\"\nseverity = \"harmless\"\n";
    for text in ["", changed] {
        let config = read::parse(text, &read::NAMES).unwrap();
        let printed = config.to_toml();
        assert_eq!(read::parse(&printed, &read::NAMES).as_ref(), Ok(&config), "{printed}");
    }
    let printed = Config::default().to_toml();
    for name in read::NAMES
        .iter()
        .filter(|name| !matches!(**name, "retention" | "theme" | "keys" | "rule"))
        .chain(&read::LIMITS)
    {
        assert!(printed.contains(&format!("{name} = ")), "{name}");
    }
    for action in Action::ALL {
        assert!(printed.contains(&format!("\n{} = ", action.name())), "{action:?}");
    }
}

#[test]
fn faults_in_rules_are_reported_with_their_lines() {
    for (text, expected) in [
        ("rule = 3", "c.toml:1:8: `rule` must be an array of tables"),
        ("[[rule]]\ntool = \"x\"", "c.toml:1:1: a [[rule]] without a `pattern`"),
        ("[[rule]]\npattern = \"a(b\"", "c.toml:2:11: invalid `pattern`: unclosed group"),
        ("[[rule]]\npattern = \".+\"", "c.toml:2:11: invalid `pattern`: it needs a fixed text"),
        ("[[rule]]\npatern = \"x\"", "c.toml:2:1: unknown name `patern` in [[rule]]; did you mean"),
        (
            "[[rule]]\npattern = \"abc\"\nseverity = \"eror\"",
            "c.toml:3:12: invalid value \"eror\" of `severity`; did you mean `error`?",
        ),
    ] {
        assert!(fault(text).starts_with(expected), "{text}: {}", fault(text));
    }
}

#[test]
fn the_number_of_rules_is_limited() {
    let rule = "[[rule]]\npattern = \"drift\"\n";
    assert_eq!(read::parse(&rule.repeat(100), &read::NAMES).unwrap().rules.len(), 100);
    assert!(fault(&rule.repeat(101)).contains("more than 100 rules"));
    assert!(fault("[[rule]]\npattern = 'abc(?:.{1000}){200}'").contains("pattern too large"));
}

#[test]
fn the_rules_of_a_store_contain_no_settings() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Config::load_rules(dir.path()).unwrap(), []);
    let path = dir.path().join(RULES_FILE);
    std::fs::write(&path, "[[rule]]\npattern = \"drift\"\n").unwrap();
    assert_eq!(Config::load_rules(dir.path()).unwrap().len(), 1);
    std::fs::write(&path, "wrap = true\n").unwrap();
    let fault = Config::load_rules(dir.path()).unwrap_err().to_string();
    assert!(fault.contains("rules.toml:1:1: unknown setting `wrap`"), "{fault}");
}
