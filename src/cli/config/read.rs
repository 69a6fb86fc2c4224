//! Parsing of a configuration. Every fault has its position and, if a known word is similar, a
//! suggestion.

use std::time::Duration;

use jiff::tz::TimeZone;
use ratatui::style::Style;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Config;
use crate::cli::amounts::{AGE, LOG_SIZE, SIZE, parse_age, parse_log_size, parse_size};
use crate::cli::remote;
use crate::display;
use crate::record::Output;
use crate::search::{MAX_RULES, UserRule};
use crate::tui::keymap::{Action, Context, Fault, Keymap, Keys, Rebinding};
use crate::tui::log::Times;
use crate::tui::theme::{Scheme, Theme, parse_style};

/// The names at the top level of a file.
pub(super) const NAMES: [&str; 20] = [
    "ascii",
    "mouse",
    "times",
    "wrap",
    "numbers",
    "notify",
    "secure",
    "timezone",
    "output",
    "mask",
    "default-masks",
    "mask-output",
    "max-log",
    "sync",
    "push",
    "push-timeout",
    "retention",
    "theme",
    "keys",
    "rule",
];

/// The names in each `[[rule]]`.
const RULE: [&str; 3] = ["tool", "pattern", "severity"];

/// The names in `[retention]`.
pub(super) const LIMITS: [&str; 4] = ["keep", "older-than", "max-bytes", "failed-keep"];

/// The maximum number of names that a message lists if it has no suggestion.
const MAX_LISTED: usize = 20;

type Read<T> = std::result::Result<T, Fault>;
type Value<'i> = Spanned<DeValue<'i>>;

/// Parses a configuration, or returns its faults in the order of the file. After a syntax error, no
/// other faults are reported. `names` are the names that may be at the top level.
pub(super) fn parse(
    text: &str,
    names: &'static [&'static str],
) -> std::result::Result<Config, Vec<Fault>> {
    let root = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        vec![Fault { at, message: error.message().replace('\n', ", ") }]
    })?;
    let mut draft = Draft::default();
    for (name, at, value) in entries(root.get_ref()) {
        let read = if names.contains(&name) {
            draft.setting(name, at, value)
        } else {
            Err(unknown("setting", name, at, "", names))
        };
        draft.note(read);
    }
    draft.finish()
}

#[derive(Default)]
struct Draft {
    config: Config,
    bindings: Vec<Rebinding>,
    faults: Vec<Fault>,
}

impl Draft {
    fn note(&mut self, read: Read<()>) {
        self.faults.extend(read.err());
    }

    fn finish(mut self) -> std::result::Result<Config, Vec<Fault>> {
        // Skip this if there are faults: an invalid binding does not replace its default keys, and
        // other bindings could then seem to conflict with them.
        if self.faults.is_empty() {
            match Keymap::with(&self.bindings) {
                Ok(keymap) => self.config.settings.keymap = keymap,
                Err(faults) => self.faults = faults,
            }
        }
        self.faults.sort_by_key(|fault| fault.at);
        if self.faults.is_empty() { Ok(self.config) } else { Err(self.faults) }
    }

    fn setting(&mut self, name: &str, at: usize, value: &Value<'_>) -> Read<()> {
        let settings = &mut self.config.settings;
        match name {
            "ascii" => self.config.ascii = switch(name, value)?,
            "notify" => settings.notify = switch(name, value)?,
            "secure" => settings.secure = switch(name, value)?,
            "mouse" => settings.mouse = switch(name, value)?,
            "wrap" => settings.wrap = switch(name, value)?,
            "numbers" => settings.numbers = switch(name, value)?,
            "times" => {
                settings.times =
                    one_of(name, value, Times::ALL.map(|times| (times.name(), times)))?;
            }
            "timezone" => self.config.time_zone = Some(time_zone(name, value)?),
            "output" => {
                self.config.output =
                    one_of(name, value, Output::ALL.map(|output| (output.name(), output)))?;
            }
            "mask" => self.config.mask = names(name, value)?,
            "default-masks" => self.config.default_masks = switch(name, value)?,
            "mask-output" => self.config.mask_output = switch(name, value)?,
            "max-log" => {
                self.config.max_log = Some(amount(name, LOG_SIZE, value, parse_log_size)?);
            }
            "sync" => self.config.sync = switch(name, value)?,
            "push" => self.config.push = Some(address(name, value)?),
            "push-timeout" => {
                let wanted = "a whole number of seconds, such as 30";
                let secs = value.get_ref().as_integer().and_then(|it| it.as_str().parse().ok());
                let secs: u32 = secs.ok_or_else(|| wrong(name, wanted, value))?;
                self.config.push_timeout = Some(Duration::from_secs(secs.into()));
            }
            "retention" => return self.retention(value),
            "theme" => return self.theme(value),
            "keys" => return self.keys(value),
            "rule" => return self.rules(value),
            _ => return Err(unknown("setting", name, at, "", &NAMES)),
        }
        Ok(())
    }

    fn retention(&mut self, value: &Value<'_>) -> Read<()> {
        let table = table_of(value, "retention", "older-than = \"30d\"")?;
        for (name, at, value) in entries(table) {
            let read = self.limit(name, at, value);
            self.note(read);
        }
        Ok(())
    }

    fn limit(&mut self, name: &str, at: usize, value: &Value<'_>) -> Read<()> {
        let limits = &mut self.config.retention;
        match name {
            "keep" => limits.keep = Some(number(name, value)?),
            "failed-keep" => limits.failed_keep = Some(number(name, value)?),
            "older-than" => limits.older_than = Some(amount(name, AGE, value, parse_age)?),
            "max-bytes" => limits.max_bytes = Some(amount(name, SIZE, value, parse_size)?),
            _ => return Err(unknown("limit", name, at, " in [retention]", &LIMITS)),
        }
        Ok(())
    }

    fn rules(&mut self, value: &Value<'_>) -> Read<()> {
        let wanted = "an array of tables ([[rule]] and lines such as pattern = \"out of disk\")";
        let fault = || wrong("rule", wanted, value);
        let rules = value.get_ref().as_array().ok_or_else(fault)?;
        if rules.len() > MAX_RULES {
            let message = format!("more than {MAX_RULES} rules");
            return Err(Fault { at: value.span().start, message });
        }
        for rule in rules {
            let read = rule_of(rule, wanted);
            let read = read.map(|rule| self.config.rules.push(rule));
            self.note(read);
        }
        Ok(())
    }

    fn theme(&mut self, value: &Value<'_>) -> Read<()> {
        let table = table_of(value, "theme", "name = \"dark\"")?;
        for (name, at, value) in entries(table) {
            let read = self.role(name, at, value);
            self.note(read);
        }
        Ok(())
    }

    fn role(&mut self, name: &str, at: usize, value: &Value<'_>) -> Read<()> {
        let look = &mut self.config.settings.look;
        if name == "name" {
            look.scheme = one_of(name, value, Scheme::ALL.map(|scheme| (scheme.name(), scheme)))?;
            return Ok(());
        }
        let Some(role) = Theme::ROLES.iter().find(|role| **role == name) else {
            let names: Vec<&str> =
                ["name"].into_iter().chain(Theme::ROLES.iter().copied()).collect();
            return Err(unknown("role", name, at, " in [theme]", &names));
        };
        look.roles.push((role, style(name, value)?));
        Ok(())
    }

    /// Reads `[keys]`. An entry whose value is a table contains the keys of a context; any other
    /// entry contains the keys of an action. The value decides, because a context and an action may
    /// have the same name.
    fn keys(&mut self, value: &Value<'_>) -> Read<()> {
        let table = table_of(value, "keys", "quit = \"q\"")?;
        for (name, at, value) in entries(table) {
            let read = match value.get_ref() {
                DeValue::Table(table) => self.context(name, at, table),
                _ => self.binding(None, name, at, value),
            };
            self.note(read);
        }
        Ok(())
    }

    fn context(&mut self, name: &str, at: usize, table: &DeTable<'_>) -> Read<()> {
        let Some(context) = Context::ALL.into_iter().find(|context| context.name() == name) else {
            let known = Context::ALL.map(Context::name);
            return Err(Fault {
                at,
                message: format!("unknown table [keys.{name}]{}", suggestion(name, &known)),
            });
        };
        for (name, at, value) in entries(table) {
            let read = self.binding(Some(context), name, at, value);
            self.note(read);
        }
        Ok(())
    }

    fn binding(
        &mut self,
        context: Option<Context>,
        name: &str,
        at: usize,
        value: &Value<'_>,
    ) -> Read<()> {
        let Some(action) = Action::ALL.iter().copied().find(|action| action.name() == name) else {
            let table = context
                .map_or_else(|| " in [keys]".to_owned(), |c| format!(" in [keys.{}]", c.name()));
            let names: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
            return Err(unknown("action", name, at, &table, &names));
        };
        self.bindings.push(Rebinding { context, action, keys: keys_of(name, value)?, at });
        Ok(())
    }
}

/// Returns the entries of a table in the order of the file, with the offsets of their names.
fn entries<'a, 'i>(table: &'a DeTable<'i>) -> Vec<(&'a str, usize, &'a Value<'i>)> {
    let entries =
        table.iter().map(|(name, value)| (name.get_ref().as_ref(), name.span().start, value));
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_key(|(_, at, _)| *at);
    entries
}

fn unknown(what: &str, name: &str, at: usize, table: &str, known: &[&str]) -> Fault {
    Fault { at, message: format!("unknown {what} `{name}`{table}{}", suggestion(name, known)) }
}

/// Returns the end of a message. It contains the most similar known name, or otherwise all known
/// names, or the command that lists them if there are more than [`MAX_LISTED`].
fn suggestion(wrong: &str, known: &[&str]) -> String {
    match display::nearest(wrong, known.iter().copied()) {
        Some(name) => format!("; did you mean `{name}`?"),
        None if known.len() > MAX_LISTED => "; `rundown config` lists all names".into(),
        None => format!(
            "; expected one of {}",
            known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ),
    }
}

fn wrong(name: &str, wanted: &str, value: &Value<'_>) -> Fault {
    let found = match value.get_ref() {
        DeValue::String(text) => format!("{:?}", text.as_ref()),
        DeValue::Boolean(is) => is.to_string(),
        DeValue::Array(_) => "an array".into(),
        DeValue::Table(_) => "a table".into(),
        DeValue::Integer(_) | DeValue::Float(_) => "a number".into(),
        DeValue::Datetime(_) => "a date".into(),
    };
    Fault { at: value.span().start, message: format!("`{name}` must be {wanted}, not {found}") }
}

fn switch(name: &str, value: &Value<'_>) -> Read<bool> {
    value.get_ref().as_bool().ok_or_else(|| wrong(name, "true or false", value))
}

/// Reads a list of names of variables.
fn names(name: &str, value: &Value<'_>) -> Read<Vec<String>> {
    let wanted = "an array of names, such as [\"DEPLOY_KEY\"]";
    let DeValue::Array(all) = value.get_ref() else { return Err(wrong(name, wanted, value)) };
    all.iter().map(|one| text_of(name, wanted, one).map(str::to_owned)).collect()
}

fn number(name: &str, value: &Value<'_>) -> Read<u64> {
    let number = value.get_ref().as_integer().and_then(|number| number.as_str().parse().ok());
    number.ok_or_else(|| wrong(name, "a whole number of runs, such as 100", value))
}

/// Reads an amount with a unit, in a string.
fn amount<T>(
    name: &str,
    wanted: &str,
    value: &Value<'_>,
    parse: impl FnOnce(&str) -> std::result::Result<T, String>,
) -> Read<T> {
    parse(text_of(name, wanted, value)?).map_err(|_| wrong(name, wanted, value))
}

fn text_of<'a>(name: &str, wanted: &str, value: &'a Value<'_>) -> Read<&'a str> {
    value.get_ref().as_str().ok_or_else(|| wrong(name, wanted, value))
}

fn one_of<T: Copy, const N: usize>(
    name: &str,
    value: &Value<'_>,
    known: [(&'static str, T); N],
) -> Read<T> {
    let names = known.map(|(name, _)| name);
    let quoted = names.map(|name| format!("{name:?}")).join(", ");
    let text = text_of(name, &format!("one of {quoted}"), value)?;
    let found = known.into_iter().find(|(name, _)| *name == text).map(|(_, meaning)| meaning);
    let message = || format!("invalid value {text:?} of `{name}`{}", suggestion(text, &names));
    found.ok_or_else(|| Fault { at: value.span().start, message: message() })
}

fn address(name: &str, value: &Value<'_>) -> Read<String> {
    let wanted = "an address such as \"s3://bucket/prefix\"";
    let text = text_of(name, wanted, value)?;
    if text.is_empty() || remote::is_url(text) {
        return Ok(text.to_owned());
    }
    Err(wrong(name, wanted, value))
}

fn time_zone(name: &str, value: &Value<'_>) -> Read<String> {
    let text = text_of(name, "a string such as \"Europe/Berlin\"", value)?;
    let fault = |_| Fault {
        at: value.span().start,
        message: format!(
            "unknown time zone {text:?}; use a name such as \"Europe/Berlin\" or \"UTC\""
        ),
    };
    TimeZone::get(text).map(|_| text.to_owned()).map_err(fault)
}

fn style(name: &str, value: &Value<'_>) -> Read<Style> {
    let text = text_of(name, "a string such as \"bold red\"", value)?;
    parse_style(text)
        .map_err(|why| Fault { at: value.span().start, message: format!("`{name}`: {why}") })
}

/// Reads a key, or a list of keys. An empty list leaves the action without keys.
fn keys_of(name: &str, value: &Value<'_>) -> Read<Vec<Keys>> {
    const WANTED: &str = "a key or an array of keys such as [\"e\", \"Ctrl-n\", \"g e\"]";
    let all = match value.get_ref() {
        DeValue::Array(all) => all.iter().collect(),
        DeValue::String(_) => vec![value],
        _ => return Err(wrong(name, WANTED, value)),
    };
    let one = |value: &Value<'_>| {
        let text = text_of(name, WANTED, value)?;
        let fault = |wrong: String| Fault {
            at: value.span().start,
            message: format!(
                "`{name}`: invalid key {wrong:?}; examples: \"e\", \"E\", \"Ctrl-e\", \"Space\", \
                 \"PageDown\", \"F8\", and \"z a\" for a sequence"
            ),
        };
        Keys::parse(text).map_err(fault)
    };
    all.into_iter().map(one).collect()
}

/// Reads a `[[rule]]`.
fn rule_of(value: &Value<'_>, wanted: &str) -> Read<UserRule> {
    let table = value.get_ref().as_table().ok_or_else(|| wrong("rule", wanted, value))?;
    let (mut tool, mut pattern, mut severity) = ("", None, "error");
    for (name, at, value) in entries(table) {
        match name {
            "tool" => tool = text_of(name, "a name such as \"deploy\"", value)?,
            "pattern" => {
                let text = text_of(name, "a regular expression in a string", value)?;
                pattern = Some((text, value.span().start));
            }
            "severity" => {
                let known = UserRule::SEVERITIES.map(|severity| (severity, severity));
                severity = one_of(name, value, known)?;
            }
            _ => return Err(unknown("name", name, at, " in [[rule]]", &RULE)),
        }
    }
    let missing = || Fault {
        at: value.span().start,
        message: "a [[rule]] without a `pattern`; add a line such as pattern = \"out of disk\""
            .into(),
    };
    let (pattern, at) = pattern.ok_or_else(missing)?;
    let fault = |why| Fault { at, message: format!("invalid `pattern`: {why}") };
    UserRule::new(tool, pattern, severity).map_err(fault)
}

fn table_of<'a, 'i>(value: &'a Value<'i>, name: &str, example: &str) -> Read<&'a DeTable<'i>> {
    let wanted = format!("a table ([{name}] and lines such as {example})");
    let fault = || wrong(name, &wanted, value);
    value.get_ref().as_table().ok_or_else(fault)
}
