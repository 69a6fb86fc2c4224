//! A configuration as a file to start from: all settings with their effective values and their
//! meaning.

use super::{Config, usual_place};
use crate::cli::amounts::{age_text, size_text};
use crate::record::Output;
use crate::sanitize;
use crate::search::UserRule;
use crate::tui::keymap::{Context, Keys};
use crate::tui::log::Times;
use crate::tui::theme::{Scheme, Theme, style_text};
use crate::upkeep::Limits;

/// The column of the comments.
const COMMENTS: usize = 36;

/// Formats the whole configuration.
pub(super) fn to_toml(config: &Config) -> String {
    let place = usual_place()
        .map_or_else(|| "config.toml".into(), |path| path.to_string_lossy().into_owned());
    let head = [
        "# The effective configuration. To change a setting, put its line into".to_owned(),
        format!("# {}", sanitize::name(&place)),
        String::new(),
    ];
    let keys = Context::ALL.into_iter().flat_map(|context| keys(config, context));
    let lines: Vec<String> = head
        .into_iter()
        .chain(settings(config))
        .chain(retention(config))
        .chain(theme(config))
        .chain(keys)
        .chain(rules(config))
        .collect();
    lines.join("\n") + "\n"
}

fn settings(config: &Config) -> Vec<String> {
    let settings = &config.settings;
    let times = Times::ALL.map(|times| format!("{:?}", times.name())).join(", ");
    let outputs = Output::ALL.map(|output| format!("{:?}", output.name())).join(", ");
    let timeout = config.push_timeout.and_then(|time| i64::try_from(time.as_secs()).ok());
    let (lead, zone) = config.time_zone.as_deref().map_or(("# ", "UTC"), |zone| ("", zone));
    vec![
        line("ascii", config.ascii, "draw with ASCII characters only"),
        line("mouse", settings.mouse, "capture the mouse"),
        line("times", settings.times.name(), &format!("timestamps: {times}")),
        line("wrap", settings.wrap, "wrap long rows"),
        line("numbers", settings.numbers, "show row numbers"),
        line("notify", settings.notify, "notify when a watched run ends"),
        line("secure", settings.secure, "disable editor, pager, clipboard and links"),
        line(&format!("{lead}timezone"), zone, "time zone (default: the system's)"),
        line("output", config.output.name(), &format!("recorded streams: {outputs}")),
        line("mask", config.mask.clone(), "variables whose values are not recorded"),
        line("default-masks", config.default_masks, "mask *_TOKEN, *_PASSWORD, and so on"),
        line("mask-output", config.mask_output, "mask secrets in passed-on output, too"),
        limit("max-log", config.max_log.map(size_text), "100MiB".into(), "size limit of a log"),
        line("sync", config.sync, "sync logs to disk when a recorded run ends"),
        limit(
            "push",
            config.push.clone(),
            "s3://bucket/ci".into(),
            "push recorded runs to object storage",
        ),
        limit("push-timeout", timeout, 30, "seconds for the push after a run"),
    ]
}

fn retention(config: &Config) -> Vec<String> {
    let Limits { keep, older_than, max_bytes, failed_keep } = config.retention;
    let count = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok());
    let head = [
        String::new(),
        "[retention]".to_owned(),
        "# Runs that exceed a limit are removed, at most once an hour, after a recording."
            .to_owned(),
    ];
    let limits = [
        limit("keep", count(keep), 100, "number of newest runs to keep"),
        limit(
            "older-than",
            older_than.map(age_text),
            "30d".into(),
            "remove runs that ended earlier",
        ),
        limit("max-bytes", max_bytes.map(size_text), "2GiB".into(), "disk space for all runs"),
        limit("failed-keep", count(failed_keep), 10, "newest failed runs to keep in any case"),
    ];
    head.into_iter().chain(limits).collect()
}

/// Formats a limit; one that is not set becomes a comment with an example.
fn limit<T: Into<toml::Value>>(name: &str, set: Option<T>, example: T, comment: &str) -> String {
    match set {
        Some(value) => line(name, value, comment),
        None => line(&format!("# {name}"), example, comment),
    }
}

fn theme(config: &Config) -> Vec<String> {
    let look = &config.settings.look;
    let names = Scheme::ALL.map(|scheme| format!("{:?}", scheme.name())).join(", ");
    let head = [
        String::new(),
        "[theme]".to_owned(),
        line("name", look.scheme.name(), &names),
        "# Styles: a color (red, light-red, 208, #d787af), `on` and a background color,".to_owned(),
        "# bold, dim, italic, underline, reverse, strike; or plain.".to_owned(),
    ];
    let theme = Theme::of(look, true, false);
    let roles = Theme::ROLES.iter().map(|role| {
        let lead = if look.roles.iter().any(|(own, _)| own == role) { "" } else { "# " };
        let style = theme.role(role).map(style_text).unwrap_or_default();
        format!("{lead}{role} = {style:?}")
    });
    head.into_iter().chain(roles).collect()
}

fn keys(config: &Config, context: Context) -> Vec<String> {
    let head = [String::new(), format!("[keys.{}] # {}", context.name(), context.title())];
    let rows = config.settings.keymap.of(context).map(|bound| {
        let names: Vec<String> = bound.keys.iter().map(Keys::to_string).collect();
        let (name, label) = (bound.binding.action.name(), bound.binding.label);
        match names.as_slice() {
            [key] => line(name, key.as_str(), label),
            _ => line(name, names, label),
        }
    });
    head.into_iter().chain(rows).collect()
}

/// Formats the rules; without any, the lines are a comment with an example.
fn rules(config: &Config) -> Vec<String> {
    let names = UserRule::SEVERITIES.map(|name| format!("{name:?}")).join(", ");
    let rule = |lead: &str, tool: &str, pattern: &str, severity: &str| {
        [
            String::new(),
            format!("{lead}[[rule]] # rows that report an error, or are harmless"),
            line(&format!("{lead}tool"), tool, "a name that is shown"),
            line(&format!("{lead}pattern"), pattern, "a regular expression"),
            line(&format!("{lead}severity"), severity, &names),
        ]
    };
    if config.rules.is_empty() {
        return rule("# ", "deploy", "^lock held by ", "fatal").into();
    }
    let rules = config.rules.iter();
    rules.flat_map(|one| rule("", one.tool(), one.pattern(), one.severity())).collect()
}

fn line(name: &str, value: impl Into<toml::Value>, comment: &str) -> String {
    let setting = format!("{name} = {}", value.into());
    format!("{setting:<COMMENTS$}# {comment}")
}
