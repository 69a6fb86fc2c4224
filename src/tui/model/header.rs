//! The full header: everything known about the item in the log's pane, in lines with a label each.
//!
//! Unknown facts have no line.

use jiff::ZonedDateTime;
use ratatui::layout::Rect;

use super::Model;
use crate::display;
use crate::join::{JobNode, RunNode, ShNode, ShState};
use crate::model::{Outcome, Sh};
use crate::sanitize::name;
use crate::time::Time;
use crate::tui::tree::Item;

/// The width of the labels, in columns.
pub const LABEL: u16 = 9;
/// The columns left free at either side.
pub const MARGIN: u16 = 1;

/// A line of the header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeaderLine {
    /// The label; empty on a continuation line.
    pub label: &'static str,
    /// The fact. Sanitized.
    pub text: String,
}

impl Model {
    /// Returns the lines of the full header for an area of the log's pane. The command line takes
    /// at most a third of the height.
    #[must_use]
    pub fn header_lines(&self, body: Rect) -> Vec<HeaderLine> {
        let Some(item) = self.shown() else { return Vec::new() };
        let width = usize::from(body.width.saturating_sub(LABEL + 2 * MARGIN)).max(1);
        let of_item = match item {
            Item::Run(run) => self.of_run(run, width),
            Item::Job(job) => self.of_job(job, width),
            Item::Sh(_, sh) => self.of_sh(sh, width),
        };
        let command = item.sh().and_then(|sh| sh.sh.as_ref());
        let command = command
            .map(|sh| command_lines(sh, width, usize::from(body.height / 3).max(1)))
            .unwrap_or_default();
        let facts =
            of_item.into_iter().filter_map(|(label, text)| Some(HeaderLine { label, text: text? }));
        command.into_iter().chain(facts).collect()
    }

    fn of_sh(&self, node: &ShNode, width: usize) -> Vec<(&'static str, Option<String>)> {
        let sh = node.sh.as_ref();
        let missing = self.run.as_ref().and_then(|run| display::missing(&run.head, node));
        vec![
            ("cwd", sh.and_then(|sh| sh.cwd.as_deref()).map(|cwd| name(cwd).into_owned())),
            (
                "time",
                sh.and_then(|sh| {
                    self.times(sh.started_at, sh.finished_at, node.state == ShState::Running, width)
                }),
            ),
            ("result", sh.and_then(display::exit_explained)),
            ("attempt", sh.and_then(|sh| sh.attempt).map(|attempt| attempt.to_string())),
            ("streams", sh.and_then(|sh| sh.output.as_deref()).map(|how| name(how).into_owned())),
            ("usage", sh.and_then(used)),
            ("output", self.wrote()),
            ("missing", missing.or_else(|| sh.and_then(display::cut))),
            ("log", node.log.as_ref().map(|log| name(&log.path.to_string_lossy()).into_owned())),
        ]
    }

    fn of_job(&self, node: &JobNode, width: usize) -> Vec<(&'static str, Option<String>)> {
        let job = &node.job;
        let is_running = node.shs.iter().any(|sh| sh.state == ShState::Running);
        vec![
            ("job", Some(name(job.id.as_str()).into_owned())),
            ("time", self.times(job.started_at, node.ended_at(), is_running, width)),
            ("result", job.exit_code.filter(|code| *code != 0).map(|code| format!("exit {code}"))),
            ("failure", job.allow_failure.then(|| "allowed".into())),
            (
                "needs",
                Some(name(&job.needs.join(", ")).into_owned()).filter(|needs| !needs.is_empty()),
            ),
            ("commands", Some(commands(node.shs.iter()))),
        ]
    }

    fn of_run(&self, node: &RunNode, width: usize) -> Vec<(&'static str, Option<String>)> {
        let (head, run) = (&node.head, &node.head.run);
        let details = &run.details;
        let sanitized = |text: &Option<String>| text.as_deref().map(|text| name(text).into_owned());
        let is_active = head.outcome.is_none() && !head.interrupted;
        let mut lines = vec![
            ("run", Some(name(run.id.as_str()).into_owned()).filter(|id| !id.is_empty())),
            ("name", sanitized(&details.name)),
            ("repo", sanitized(&run.repo)),
            ("ref", sanitized(&run.ref_name)),
            ("commit", sanitized(&run.sha)),
            ("subject", sanitized(&details.subject)),
            ("author", sanitized(&details.author)),
            ("event", sanitized(&details.event)),
            ("url", sanitized(&details.url)),
            ("ci job", sanitized(&details.ci_job)),
            ("attempt", details.attempt.map(|attempt| attempt.to_string())),
            ("runner", sanitized(&details.runner)),
            ("repeats", details.repeats.as_ref().map(|id| name(id.as_str()).into_owned())),
            (
                "queued",
                run.queued_at
                    .and_then(|at| self.moment(at))
                    .map(|at| at.strftime(DAY_TIME).to_string()),
            ),
            ("time", self.times(run.started_at, head.ended_at(), is_active, width)),
            ("reason", display::reason(head).filter(|_| head.outcome == Some(Outcome::Failed))),
            ("commands", Some(commands(node.jobs.iter().flat_map(|job| &job.shs)))),
            ("files", node.dir.as_ref().map(|dir| name(&dir.to_string_lossy()).into_owned())),
        ];
        let labels = std::iter::once("env").chain(std::iter::repeat(""));
        let variables = details.variables.iter();
        let variables = variables.map(|(key, value)| Some(named(key, value)));
        lines.extend(labels.zip(variables));
        lines
    }

    /// Formats a time span: `2026-05-06 12:00:12 - 12:00:46, 34.0s`. In a narrow pane, the start
    /// has no date.
    fn times(
        &self,
        start: Option<Time>,
        end: Option<Time>,
        is_running: bool,
        width: usize,
    ) -> Option<String> {
        let (start, from) = (start?, self.moment(start?)?);
        let started = from.strftime(if width < WITH_DAY { TIME } else { DAY_TIME });
        let Some((end, to)) = end.and_then(|end| Some((end, self.moment(end)?))) else {
            return Some(if is_running {
                format!("since {started}")
            } else {
                format!("from {started}")
            });
        };
        let ended = to.strftime(if to.date() == from.date() { TIME } else { DAY_TIME });
        Some(format!("{started} - {ended}, {}", display::duration(end.millis_since(start))))
    }

    fn moment(&self, at: Time) -> Option<ZonedDateTime> {
        Some(at.to_jiff()?.to_zoned_datetime(self.time_zone.clone()))
    }

    /// Formats the size of the log: `1234 rows, 17 on stderr, 3.0 KiB`.
    fn wrote(&self) -> Option<String> {
        self.log.has_rows().then_some(())?;
        let known = &self.log.known;
        let rows = known.total_rows.map(|total| match known.stderr_rows {
            Some(stderr) if stderr == total && total > 0 => {
                format!("{} on stderr", display::rows(total))
            }
            Some(stderr) if total > 0 => {
                format!("{}, {} on stderr", display::rows(total), display::count(stderr))
            }
            _ => display::rows(total),
        });
        let bytes = display::size(self.log.window.file_bytes);
        Some([rows, Some(bytes)].into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// The least width in columns at which a start time has a date.
const WITH_DAY: usize = 40;
const TIME: &str = "%H:%M:%S";
const DAY_TIME: &str = "%Y-%m-%d %H:%M:%S";

/// Formats a recorded variable: `CC=gcc`. Sanitized.
fn named(key: &str, value: &str) -> String {
    name(&format!("{key}={value}")).into_owned()
}

/// Formats the resources used: `1m02s of CPU (182%), 512.0 MiB of memory`.
fn used(sh: &Sh) -> Option<String> {
    let all = [display::cpu(sh), display::memory(sh)];
    Some(all.into_iter().flatten().collect::<Vec<_>>().join(", ")).filter(|used| !used.is_empty())
}

/// Formats the number of commands: `14, 2 failed`.
fn commands<'a>(shs: impl Iterator<Item = &'a ShNode> + Clone) -> String {
    let failed = shs.clone().filter(|sh| sh.state == ShState::Failed).count();
    let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    format!("{}{failed}", shs.count())
}

/// Wraps the command line, or the script, into at most `most` lines. The last line reports lines
/// that are left out.
fn command_lines(sh: &Sh, width: usize, most: usize) -> Vec<HeaderLine> {
    let whole = display::shell_line(sh);
    let text = whole.trim_end();
    // Read no more of a script than can be shown.
    let shown: String = text.chars().take((most + 1) * width).collect();
    let source_lines = shown.lines().take(most + 1).map(|line| name(line).into_owned());
    let mut lines: Vec<String> = source_lines
        .flat_map(|line| {
            textwrap::wrap(&line, width).into_iter().map(String::from).collect::<Vec<_>>()
        })
        .collect();
    if lines.len() > most || shown.len() < text.len() {
        lines.truncate(most.saturating_sub(1));
        let left = text.lines().count().saturating_sub(lines.len());
        lines.push(if left > 1 { format!("and {left} more lines") } else { "and more".into() });
    }
    let labels = std::iter::once("command").chain(std::iter::repeat(""));
    labels.zip(lines).map(|(label, text)| HeaderLine { label, text }).collect()
}
