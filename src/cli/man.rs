//! `rundown man`: the manual pages, in roff, from the options of clap and the pages of
//! [`super::help`].
//!
//! The pages contain only ASCII characters, so that every roff program shows them in any locale.

use std::fs;
use std::io::{self, Write};

use clap::{Arg, Command, CommandFactory};
use roff::{Roff, bold, roman};

use super::args::Man;
use super::help::{COMMANDS, Page, Table, VIEW};
use super::{Arguments, print_notice};
use crate::error::{Error, Result};

/// The date of the last change of the pages. A roff program warns if there is no date.
const DATE: &str = "2026-11-29";

/// Prints a page, or writes all of them.
pub(super) fn print(man: &Man) -> Result<u8> {
    let root = root();
    if let Some(dir) = &man.dir {
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        for (name, text) in pages(&root) {
            let path = dir.join(format!("{name}.1"));
            fs::write(&path, text).map_err(Error::io("write", &path))?;
        }
        print_notice(&format!("wrote {} pages to {}", COMMANDS.len() + 1, dir.display()));
        return Ok(0);
    }
    let named = man.command.as_deref().map_or("rundown".into(), |name| format!("rundown-{name}"));
    let text = pages(&root).find(|(name, _)| *name == named).map(|(_, text)| text);
    let mut out = io::stdout().lock();
    let text = text.unwrap_or_default();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::Output)?;
    Ok(0)
}

fn root() -> Command {
    let mut root = Arguments::command();
    root.build();
    root
}

/// Returns the pages with their names, the page of rundown itself first.
fn pages(root: &Command) -> impl Iterator<Item = (String, String)> {
    let of_commands = COMMANDS.iter().filter_map(|(name, page)| {
        let command = root.find_subcommand(name)?;
        Some((format!("rundown-{name}"), text(command, page)))
    });
    std::iter::once((VIEW.name.to_owned(), text(root, &VIEW))).chain(of_commands)
}

fn text(command: &Command, page: &Page) -> String {
    let mut roff = Roff::new();
    let source = format!("rundown {}", env!("CARGO_PKG_VERSION"));
    let title = page.name.replace(' ', "-");
    roff.control("TH", [&title.to_uppercase(), "1", DATE, &source, "rundown manual"]);
    // Options must not be split at the end of a line.
    roff.control("nh", []).control("ad", ["l"]);
    roff.control("SH", ["NAME"]).text([roman(format!("{title} - {}", page.about))]);
    write_synopsis(&mut roff, command);
    roff.control("SH", ["DESCRIPTION"]).text([roman(format!("{}.", page.about))]);
    for paragraph in paragraphs(page.notes) {
        roff.control("PP", []);
        write_paragraph(&mut roff, &paragraph);
    }
    write_commands(&mut roff, command);
    write_options(&mut roff, command);
    write_examples(&mut roff, page.examples);
    write_table(&mut roff, "EXIT STATUS", page.exit_codes.iter());
    write_table(&mut roff, "ENVIRONMENT", page.environment.iter().copied().flatten());
    let others = if page.name == VIEW.name { "rundown-list" } else { VIEW.name };
    roff.control("SH", ["SEE ALSO"]).text([bold(others), roman("(1)")]);
    ascii(&roff.render())
}

fn write_synopsis(roff: &mut Roff, command: &Command) {
    let usage = command.clone().render_usage().to_string();
    roff.control("SH", ["SYNOPSIS"]).control("nf", []);
    for line in usage.trim_start_matches("Usage:").lines() {
        roff.text([roman(line.trim())]);
    }
    roff.control("fi", []);
}

/// Writes the list of commands, in the page of rundown itself.
fn write_commands(roff: &mut Roff, command: &Command) {
    if !command.has_subcommands() {
        return;
    }
    roff.control("SH", ["COMMANDS"]);
    for (name, page) in &COMMANDS {
        roff.control("TP", []).text([bold(format!("rundown-{name}")), roman("(1)")]);
        roff.text([roman(format!("{}.", page.about))]);
    }
}

/// Writes the arguments below their headings.
fn write_options(roff: &mut Roff, command: &Command) {
    roff.control("SH", ["OPTIONS"]);
    let mut args: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_hide_set()).collect();
    let headings: Vec<Option<&str>> = args.iter().map(|arg| arg.get_help_heading()).collect();
    let place = |arg: &Arg| headings.iter().position(|heading| *heading == arg.get_help_heading());
    args.sort_by_key(|arg| (place(arg), !arg.is_positional()));
    let mut heading = None;
    for arg in args {
        if arg.get_help_heading() != heading {
            heading = arg.get_help_heading();
            roff.control("SS", heading);
        }
        roff.control("TP", []).text([bold(arg_text(arg)), roman(default_of(arg))]);
        let help = arg.get_long_help().or_else(|| arg.get_help());
        for (n, paragraph) in
            paragraphs(&help.map(ToString::to_string).unwrap_or_default()).enumerate()
        {
            if n > 0 {
                roff.control("IP", []);
            }
            write_paragraph(roff, &paragraph);
        }
    }
}

/// Returns an argument as it is typed: `-t, --timestamps <KIND>`.
fn arg_text(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let name = [short, long].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let takes_value = arg.get_num_args().is_some_and(|range| range.takes_values());
    let values = arg.get_value_names().unwrap_or_default();
    let values: Vec<String> = values.iter().map(|value| format!("<{value}>")).collect();
    match (name.is_empty(), takes_value) {
        (true, _) => values.join(" "),
        (false, true) => format!("{name} {}", values.join(" ")),
        (false, false) => name,
    }
}

fn default_of(arg: &Arg) -> String {
    let takes_value = arg.get_num_args().is_some_and(|range| range.takes_values());
    let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy());
    match defaults.collect::<Vec<_>>().join(" ") {
        values if takes_value && !values.is_empty() && !arg.is_hide_default_value_set() => {
            format!(" [default: {values}]")
        }
        _ => String::new(),
    }
}

fn write_examples(roff: &mut Roff, examples: Table) {
    roff.control("SH", ["EXAMPLES"]);
    for (line, meaning) in examples {
        roff.control("TP", []).text([bold(*line)]).text([roman(*meaning)]);
    }
}

fn write_table<'a>(
    roff: &mut Roff,
    heading: &str,
    rows: impl Iterator<Item = &'a (&'static str, &'static str)>,
) {
    let mut rows = rows.peekable();
    if rows.peek().is_some() {
        roff.control("SH", [heading]);
    }
    for (term, meaning) in rows {
        roff.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
    }
}

/// Splits a text at its empty lines.
fn paragraphs(text: &str) -> impl Iterator<Item = String> {
    let lines: Vec<&str> = text.lines().collect();
    let parts = lines.split(|line| line.trim().is_empty()).map(|lines| lines.join("\n"));
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().into_iter()
}

/// Writes a paragraph. One of several lines is a table or an example, so its lines are kept.
fn write_paragraph(roff: &mut Roff, paragraph: &str) {
    if !paragraph.contains('\n') && !paragraph.starts_with(' ') {
        roff.text([roman(paragraph)]);
        return;
    }
    roff.control("nf", []);
    for line in paragraph.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

/// Replaces the characters that a roff program shows as others, or cannot read in every locale.
fn ascii(roff: &str) -> String {
    let mut out = String::with_capacity(roff.len());
    for found in roff.chars() {
        match found {
            '`' => out.push_str("\\(ga"),
            '~' => out.push_str("\\(ti"),
            '^' => out.push_str("\\(ha"),
            found if found.is_ascii() => out.push(found),
            found => out.extend(["\\[u", &format!("{:04X}", u32::from(found)), "]"]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_all_sections_and_options() {
        let root = root();
        let pages: Vec<(String, String)> = pages(&root).collect();
        assert_eq!(pages.len(), COMMANDS.len() + 1);
        for (name, text) in &pages {
            assert!(text.is_ascii(), "{name}");
            let sections: Vec<&str> =
                text.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
            let sections: Vec<&str> = sections
                .into_iter()
                .filter(|section| !["COMMANDS", "ENVIRONMENT"].contains(section))
                .collect();
            let expected = [
                "NAME",
                "SYNOPSIS",
                "DESCRIPTION",
                "OPTIONS",
                "EXAMPLES",
                "\"EXIT STATUS\"",
                "\"SEE ALSO\"",
            ];
            assert_eq!(sections, expected, "{name}");
        }
        let view = &pages[0].1;
        assert!(view.contains("\\fB\\-t, \\-\\-timestamps <KIND>\\fR"), "{view}");
        assert!(view.contains("\\fBrundown\\-prune\\fR(1)\nRemove old runs"), "{view}");
    }

    #[test]
    fn characters_with_another_meaning_are_escaped() {
        let mut roff = Roff::new();
        roff.text([roman(".TH `a~b^c` … -x 'y'")]);
        let text = ascii(&roff.to_roff());
        assert_eq!(text, "\\&.TH \\(gaa\\(tib\\(hac\\(ga \\[u2026] \\-x 'y'\n");
    }
}
