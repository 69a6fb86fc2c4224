//! `--format html`: a run as one page that loads nothing else.
//!
//! ```text
//! ✗ failed tally main@12d4999        the run and its facts
//! [Search rows]  [ ] Times           the bar
//! WHY IT FAILED                      the failed commands with their causes
//! NOTES                              the findings
//! JOBS                               folds: jobs, commands, rows
//! ```
//!
//! The page is safe whatever a store contains. All foreign text passes [`text::Text`], and the
//! policy of the page permits one script, one stylesheet, and no request. Without scripts, only
//! the search and two buttons are missing.
//!
//! Browsers are slow with large pages, so the logs share [`budget::MAX_ROWS_BYTES`]: first the logs
//! of the failed commands, then the others, each the same part if it is not smaller. Of a larger
//! log, the page has the first rows, those of the causes and the last ones. What is left out is stated with
//! the command that prints it. Memory is a row, the sizes of the logs, and the ids of the jobs.

mod budget;
mod head;
mod rows;
mod style;
mod text;

use std::collections::HashMap;
use std::io::{self, Write};

use super::failure::{MAX_OTHER_CAUSES, marked, message};
use super::options::PrintOptions;
use super::printing::{Printing, row_numbers, run_id};
use crate::display::{self, Status};
use crate::join::{JobNode, Place, RunNode, ShNode};
use crate::search::Cause;
use budget::{Budget, Chooser, MAX_COMMANDS, MAX_JOBS};
use head::{write_findings, write_start};
use rows::Log;
use text::{JobIds, Text};

/// The maximum number of failed commands at the top of a page.
const MAX_CARDS: usize = 20;

/// The script of a page.
const SCRIPT: &str = include_str!("page.js");

/// The hashes of the stylesheet and the script, as a policy contains them: SHA-256 in base64.
const STYLE_HASH: &str = "Sxj5Ht3MrhBUndzotrNb/CAxaIayvWcw9YH/+pSzuz0=";
const SCRIPT_HASH: &str = "VrNS7CwQmS1MIHS+WUT7FYfp7IU5N7NgOgAayNYunK0=";

/// The ids that a page uses for itself.
const OWN_IDS: [&str; 8] =
    ["search", "hits", "times", "tools", "fold", "unfold", "run.log", "causes"];

pub(super) fn write_run(printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
    let run = printing.run;
    let mut ids = JobIds::new(&OWN_IDS);
    let ids: Vec<String> = run.jobs.iter().map(|job| ids.add(job.job.id.as_str())).collect();
    let page = Page { run, ids, budget: Budget::new(printing) };
    write_start(run, printing.look, out)?;
    page.write_causes(printing, out)?;
    write_findings(run, out)?;
    page.write_jobs(printing, out)?;
    page.write_run_log(printing, out)?;
    writeln!(out, "</main>\n<script>{SCRIPT}</script>\n</body>\n</html>")?;
    printing.report.forget_repeated();
    Ok(())
}

/// A run with the ids of its jobs.
struct Page<'a> {
    run: &'a RunNode,
    ids: Vec<String>,
    budget: Budget,
}

/// Returns a status with its color.
pub(super) fn state(status: Status) -> String {
    let (glyph, word) = (status.glyph(), status.word());
    format!("<span class=\"state {word}\">{glyph} {word}</span>")
}

impl Page<'_> {
    fn jobs(&self) -> impl Iterator<Item = (&JobNode, &str)> {
        self.run.jobs.iter().zip(self.ids.iter().map(String::as_str))
    }

    fn id_of(&self, job: &JobNode) -> &str {
        let found = self.jobs().find(|(other, _)| std::ptr::eq(*other, job));
        found.map(|(_, id)| id).unwrap_or_default()
    }

    /// Writes the failed commands with their causes.
    fn write_causes(&self, printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
        let is_bare = run_id(&self.run.head.run).is_none();
        let (failures, mut is_begun) = (printing.failures(), false);
        for (job, sh) in failures.iter().take(MAX_CARDS) {
            let causes = printing.causes(sh, MAX_OTHER_CAUSES);
            if is_bare && causes.is_empty() {
                continue;
            }
            if !std::mem::replace(&mut is_begun, true) {
                let title = if is_bare { "Likely cause" } else { "Why it failed" };
                writeln!(
                    out,
                    "<section class=\"overview\" aria-labelledby=\"causes\">\n\
                     <h2 id=\"causes\">{title}</h2>"
                )?;
            }
            self.write_card(printing, job, sh, &causes, out)?;
        }
        if is_begun {
            if failures.len() > MAX_CARDS {
                let more = failures.len() - MAX_CARDS;
                writeln!(out, "<p class=\"more\">… and {more} more commands</p>")?;
            }
            writeln!(out, "</section>")?;
        }
        Ok(())
    }

    /// Writes a failed command with its causes.
    fn write_card(
        &self,
        printing: &mut Printing<'_>,
        job: &JobNode,
        node: &ShNode,
        causes: &[Cause],
        out: &mut impl Write,
    ) -> io::Result<()> {
        let id = format!("{}-{}", self.id_of(job), node.n);
        let place = display::place(&Place::Sh(job.job.id.clone(), node.n));
        let place = Text(&place.unwrap_or_else(|| display::log_name(node))).to_string();
        write!(out, "<article class=\"card\">\n<h3><a href=\"#{id}\">{place}</a>")?;
        write!(out, " <code>{}</code>", Text(&display::command_of(node)))?;
        if let Some(exit) = node.sh.as_ref().and_then(display::exit_explained) {
            write!(out, " <span class=\"failed\">{}</span>", Text(&exit))?;
        }
        writeln!(out, "</h3>")?;
        if causes.is_empty() {
            let nothing = if node.log.is_some() { "No output." } else { "The log is missing." };
            writeln!(out, "<p>{nothing}</p>")?;
        }
        let numbers = numbers_of(printing, node, causes);
        for cause in causes {
            write_cause(printing.look, &id, node, cause, &numbers, out)?;
        }
        writeln!(out, "</article>")
    }

    fn write_jobs(&self, printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
        let is_bare = run_id(&self.run.head.run).is_none();
        if self.run.jobs.is_empty() {
            return Ok(());
        }
        writeln!(out, "<section>\n<h2>{}</h2>", if is_bare { "Logs" } else { "Jobs" })?;
        let job_failed =
            |job: &JobNode| matches!(Status::of_job(job), Status::Failed | Status::Interrupted);
        let mut jobs = Chooser::new(MAX_JOBS, self.run.jobs.iter().map(job_failed));
        let mut commands =
            Chooser::new(MAX_COMMANDS, printing.shs().map(|(_, sh)| sh.state.is_failure()));
        let mut left_out = 0;
        for (job, id) in self.jobs() {
            let shs = job.shs.iter().filter(|sh| commands.takes(sh.state.is_failure())).collect();
            if jobs.takes(job_failed(job)) {
                self.write_job(printing, job, id, shs, out)?;
            } else {
                left_out += 1;
            }
        }
        if left_out > 0 {
            write_more(&format!("{left_out} jobs"), printing.read_run().as_deref(), out)?;
        }
        writeln!(out, "</section>")
    }

    fn write_job(
        &self,
        printing: &mut Printing<'_>,
        job: &JobNode,
        id: &str,
        shs: Vec<&ShNode>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let status = Status::of_job(job);
        let is_open = match status {
            Status::Passed | Status::Skipped => job.shs.iter().any(|sh| sh.state.is_failure()),
            _ => true,
        };
        let open = if is_open && !job.shs.is_empty() { " open" } else { "" };
        let bare = if job.shs.is_empty() { " bare" } else { "" };
        let name = Some(job.job.id.as_str()).filter(|name| !name.is_empty()).unwrap_or("log");
        write!(out, "<details class=\"job{bare}\" id=\"{id}\"{open}>\n<summary>{}", state(status))?;
        write!(out, "<span class=\"name\">{}</span>", Text(name))?;
        let why = display::why_skipped(self.run, job);
        if let Some(why) = why.or_else(|| display::tolerated(job).map(String::from)) {
            write!(out, "<span class=\"why\">{}</span>", Text(&why))?;
        }
        write_time(display::lasted(job.job.started_at, job.ended_at()), out)?;
        writeln!(out, "</summary>")?;
        let left_out = job.shs.len() - shs.len();
        for sh in shs {
            self.write_sh(printing, job, sh, id, out)?;
        }
        if left_out > 0 {
            write_more(&format!("{left_out} commands"), printing.read_run().as_deref(), out)?;
        }
        writeln!(out, "</details>")
    }

    fn write_sh(
        &self,
        printing: &mut Printing<'_>,
        job: &JobNode,
        node: &ShNode,
        job_id: &str,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let sh = node.sh.as_ref();
        let id = format!("{job_id}-{}", node.n);
        let is_open = node.state.is_failure() || run_id(&self.run.head.run).is_none();
        let (bare, open) = match (node.log.is_some(), is_open) {
            (false, _) => (" bare", ""),
            (true, true) => ("", " open"),
            (true, false) => ("", ""),
        };
        write!(out, "<details class=\"sh{bare}\" id=\"{id}\"{open}>\n<summary>")?;
        write!(
            out,
            "{}<code class=\"name\">{}</code>",
            state(Status::of_sh(node)),
            Text(&display::command_of(node))
        )?;
        if let Some(exit) = sh.and_then(display::exit_explained) {
            write!(out, "<span class=\"exit\">{}</span>", Text(&exit))?;
        }
        let notes = [
            sh.and_then(|sh| display::attempt(sh.attempt)),
            display::missing(&self.run.head, node),
            sh.and_then(display::cut),
        ];
        for note in notes.into_iter().flatten() {
            write!(out, "<span class=\"why\">{}</span>", Text(&note))?;
        }
        write_time(sh.and_then(|sh| display::lasted(sh.started_at, sh.finished_at)), out)?;
        writeln!(out, "</summary>")?;
        if let Some(log) = &node.log {
            let command = printing.next_commands(job, node).map(|next| next.read_more);
            let log = Log { file: log, node: Some(node), id: &id, command };
            rows::write_log(printing, &log, self.budget.of(node), out)?;
        }
        writeln!(out, "</details>")
    }

    /// Writes the log of the run itself. It has no streams.
    fn write_run_log(&self, printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
        let Some(log) = self.run.log.as_ref().filter(|_| printing.look.stream.is_none()) else {
            return Ok(());
        };
        writeln!(out, "<section>\n<h2>Run log</h2>\n<details class=\"job\" id=\"run.log\" open>")?;
        writeln!(out, "<summary><span class=\"name\">Log of the run</span></summary>")?;
        let command = printing.read_run();
        let log = Log { file: log, node: None, id: "run.log", command };
        rows::write_log(printing, &log, self.budget.other, out)?;
        writeln!(out, "</details>\n</section>")
    }
}

/// Writes a cause: its message, its place in the source, and its rows, which have these numbers.
fn write_cause(
    look: &PrintOptions,
    id: &str,
    node: &ShNode,
    cause: &Cause,
    numbers: &HashMap<u64, u64>,
    out: &mut impl Write,
) -> io::Result<()> {
    match (marked(cause), cause.location()) {
        (None, _) => writeln!(out, "<p class=\"place\">Cause not recognized; last rows:</p>")?,
        (Some(_), Some(place)) => {
            let place = place.to_string();
            writeln!(out, "<p class=\"place\"><code>{}</code></p>", Text(&place))?;
        }
        (Some(_), None) if cause.rows.len() > 1 => {}
        (Some(_), None) => {
            let message = message(Some(cause), node.sh.as_ref());
            writeln!(out, "<p class=\"place\">{}</p>", Text(&message))?;
        }
    }
    write!(out, "<div class=\"rows\">")?;
    for row in &cause.rows {
        let is_shown = look.grep.is_none() && look.selects_stream(row);
        let number = numbers.get(&row.offset).filter(|_| is_shown);
        let link = number.map(|number| format!("{id}-{number}"));
        rows::write_cause_row(row, link, Some(row.offset) == cause.at, out)?;
    }
    writeln!(out, "</div>")
}

/// Returns the numbers, from 1, of the rows of causes by their offsets.
fn numbers_of(printing: &mut Printing<'_>, node: &ShNode, causes: &[Cause]) -> HashMap<u64, u64> {
    let offsets = causes.iter().flat_map(|cause| &cause.rows).map(|row| row.offset);
    let tail = printing.tail();
    let file = node.log.as_ref().filter(|_| !causes.is_empty()).and_then(|log| printing.open(log));
    let numbers = file.and_then(|file| {
        let index = file.index();
        printing.report_err(index.and_then(|index| row_numbers(&file, &index, offsets, tail)))
    });
    numbers.unwrap_or_default()
}

fn write_time(lasted: Option<String>, out: &mut impl Write) -> io::Result<()> {
    lasted.map_or(Ok(()), |lasted| write!(out, "<span class=\"time\">{lasted}</span>"))
}

/// Reports what is left out, with the command that prints it.
fn write_more(what: &str, command: Option<&str>, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<p class=\"more\">… {what} left out{}</p>", rows::to_read(command))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_policy_has_the_hashes_of_the_stylesheet_and_the_script() {
        let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
        assert_eq!(STYLE_HASH, hash(&style::stylesheet()));
        assert_eq!(SCRIPT_HASH, hash(SCRIPT));
    }

    #[test]
    fn no_ci_system_finds_a_command_in_the_stylesheet_and_the_script() {
        for line in style::stylesheet().lines().chain(SCRIPT.lines()) {
            assert!(!line.trim_start().starts_with("::"), "{line}");
            for marker in ["##", "section_start:", "section_end:", "travis_", "--- ", "+++ "] {
                assert!(!line.contains(marker), "{line}");
            }
        }
    }
}
