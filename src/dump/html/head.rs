//! The start of a page: the policy, the stylesheet, the run with its facts, the bar, the findings.

use std::io::{self, Write};

use super::text::Text;
use super::{SCRIPT_HASH, STYLE_HASH, state, style};
use crate::display::{self, Status};
use crate::dump::options::{PrintOptions, Timestamps};
use crate::dump::printing::run_id;
use crate::join::{JobNode, RunNode};
use crate::sanitize::Link;
use crate::time::Time;

/// The maximum number of findings at the top of a page.
const MAX_FINDINGS: usize = 100;

/// Writes the head of the document, the run with its facts, and the bar.
pub(super) fn write_start(
    run: &RunNode,
    look: &PrintOptions,
    out: &mut impl Write,
) -> io::Result<()> {
    let title = title(run);
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'sha256-{STYLE_HASH}'; script-src 'sha256-{SCRIPT_HASH}'; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"generator\" content=\"rundown {}\">\n\
         <title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<header>",
        env!("CARGO_PKG_VERSION"),
        Text(&title),
        style::stylesheet()
    )?;
    write_heading(run, out)?;
    write_facts(run, look, out)?;
    let times = if look.timestamps == Timestamps::None { "" } else { " checked" };
    writeln!(
        out,
        "</header>\n<div class=\"bar\">\n<div id=\"tools\" role=\"search\" hidden>\
         <label><input type=\"search\" id=\"search\" placeholder=\"Search rows ( / )\" \
         aria-label=\"Search rows\" autocomplete=\"off\" spellcheck=\"false\"></label>\
         <output id=\"hits\" for=\"search\" aria-live=\"polite\"></output>\
         <button type=\"button\" id=\"unfold\">Unfold all</button>\
         <button type=\"button\" id=\"fold\">Fold all</button></div>\n\
         <label><input type=\"checkbox\" id=\"times\"{times}> Times</label>\n</div>\n<main>"
    )
}

/// Returns the title of a page.
fn title(run: &RunNode) -> String {
    let head = &run.head;
    if run_id(&head.run).is_none() {
        return bare_name(run);
    }
    let status = Status::of_run(head);
    let words = [
        Some(format!("{} {}", status.glyph(), status.word())),
        head.run.repo.clone(),
        display::revision(&head.run),
        display::pipeline(&head.run),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Returns the name of logs that were opened by their path.
fn bare_name(run: &RunNode) -> String {
    let name = |job: &JobNode| match job.job.id.as_str() {
        "" => job.shs.first().map(display::log_name).unwrap_or_default(),
        id => id.to_owned(),
    };
    run.jobs.first().map_or_else(|| "log".to_owned(), name)
}

fn write_heading(run: &RunNode, out: &mut impl Write) -> io::Result<()> {
    let head = &run.head;
    if run_id(&head.run).is_none() {
        return writeln!(out, "<h1>{}</h1>", Text(&bare_name(run)));
    }
    write!(out, "<h1>{}", state(Status::of_run(head)))?;
    if let Some(repo) = &head.run.repo {
        write!(out, " {}", Text(repo))?;
    }
    if let Some(revision) = display::revision(&head.run) {
        write!(out, " <code>{}</code>", Text(&revision))?;
    }
    writeln!(out, "</h1>")
}

/// Writes what is known about a run.
fn write_facts(run: &RunNode, look: &PrintOptions, out: &mut impl Write) -> io::Result<()> {
    let (head, details) = (&run.head, &run.head.run.details);
    let started = head.run.started_at.or(head.run.queued_at);
    let started = started.and_then(Time::to_jiff).map(|at| {
        let zoned = at.to_zoned_datetime(look.time_zone.clone());
        zoned.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    });
    let facts = [
        ("Name", display::pipeline(&head.run)),
        ("Commit", display::subject(&head.run)),
        ("Author", details.author.clone()),
        ("Reason", display::reason(head)),
        ("Started", started),
        ("Duration", head.lasted_ms().map(display::duration)),
        ("Run", run_id(&head.run).map(str::to_owned)),
        ("Event", details.event.clone()),
        ("Attempt", details.attempt.map(|attempt| attempt.to_string())),
        ("CI job", details.ci_job.clone()),
        ("Runner", details.runner.clone()),
        ("Repeats", details.repeats.as_ref().map(|id| id.as_str().to_owned())),
        ("Rows", rows_shown(look)),
    ];
    write!(out, "<dl class=\"facts\">")?;
    for (label, value) in facts {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            write!(out, "<div><dt>{label}</dt><dd>{}</dd></div>", Text(&value))?;
        }
    }
    if let Some(url) = &details.url {
        let link = Link::new(url);
        let link = link.map(|link| format!("<a href=\"{0}\">{0}</a>", Text(&link)));
        let url = link.unwrap_or_else(|| Text(url).to_string());
        write!(out, "<div><dt>URL</dt><dd>{url}</dd></div>")?;
    }
    writeln!(out, "</dl>")?;
    write_variables(&details.variables, out)
}

fn write_variables(variables: &[(String, String)], out: &mut impl Write) -> io::Result<()> {
    if variables.is_empty() {
        return Ok(());
    }
    write!(out, "<details><summary>Variables</summary><dl class=\"facts\">")?;
    for (name, value) in variables {
        write!(out, "<div><dt>{}</dt><dd>{}</dd></div>", Text(name), Text(value))?;
    }
    writeln!(out, "</dl></details>")
}

/// Describes the rows that are selected; `None` for all rows.
fn rows_shown(look: &PrintOptions) -> Option<String> {
    let stream = look.stream.map(|stream| format!("only {}", stream.as_str()));
    let tail = look.tail.map(|rows| format!("the last {} of each log", display::rows(rows as u64)));
    let bytes =
        look.max_bytes.map(|bytes| format!("the last {} of each log", display::size(bytes)));
    let grep = look.grep.as_ref().map(|_| "only those that match --grep".to_owned());
    let words: Vec<String> = stream.into_iter().chain(grep).chain(tail).chain(bytes).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Writes the findings about a run and its parts.
pub(super) fn write_findings(run: &RunNode, out: &mut impl Write) -> io::Result<()> {
    let all = run.findings.iter();
    let count = all.len();
    if count == 0 {
        return Ok(());
    }
    writeln!(out, "<section class=\"overview\">\n<h2>Notes</h2>\n<ul class=\"notes\">")?;
    for finding in all.take(MAX_FINDINGS) {
        writeln!(out, "<li class=\"note\">{}</li>", Text(&display::finding_with_place(finding)))?;
    }
    if count > MAX_FINDINGS {
        writeln!(out, "<li class=\"more\">… and {} more</li>", count - MAX_FINDINGS)?;
    }
    writeln!(out, "</ul>\n</section>")
}
