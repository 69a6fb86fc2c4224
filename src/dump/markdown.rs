//! `--format markdown`: a summary for GitHub's step summaries, Buildkite's annotations and GitLab's
//! notes, in `CommonMark` with tables.
//!
//! ```text
//! ### ✗ failed <code>example</code> … 1m23s          the run
//! | | job | duration | failed command | … |          its jobs
//! <details> … </details>                             each failed command, with its causes
//! > Left out: 2 failed commands. …                   what did not fit
//! ```
//!
//! GitHub discards a summary of more than [`MAX_FILE_BYTES`], and the other systems have similar
//! limits. So the document is fitted into the space that the file has left: first the head, then
//! the failed jobs, the other jobs, and the failed commands in the order of time. The cut is stated
//! in the document and as a notice. Memory is bounded by the limit.
//!
//! Foreign text appears in two places only: in [`Code`], and in a fence that is longer than any run
//! of backticks in it.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::failure::{MAX_OTHER_CAUSES, marked, message, text};
use super::printing::{Printing, run_id};
use super::text::date_time;
use crate::ci;
use crate::display::{self, Status};
use crate::join::{JobNode, Place, RunHead, RunNode, ShNode, ShState};
use crate::sanitize::name;
use crate::search::Cause;

/// The largest size of a summary file that GitHub accepts.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The maximum number of characters of a command, and of a row.
const MAX_COMMAND_CHARS: usize = 80;
const MAX_ROW_CHARS: usize = 500;

/// Foreign text as an HTML element, in which Markdown, mentions and references have no effect. It
/// can be a part of a table, an HTML block and a paragraph, because everything that may begin a
/// structure or a link is a character reference. The text must be sanitized.
struct Code<'a>(&'a str);

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<code>")?;
        for (at, found) in self.0.char_indices() {
            let begins_link = || {
                let before = self.0.get(..at).and_then(|before| before.get(at.checked_sub(3)?..));
                before.is_some_and(|before| before.eq_ignore_ascii_case("www"))
            };
            match found {
                '.' if begins_link() => f.write_str("&#46;")?,
                '-' | '/' | ',' | '=' | '\'' | '%' | '+' | '(' | ')' | '.' => {
                    f.write_char(found)?;
                }
                found if found.is_ascii_punctuation() => write!(f, "&#{};", u32::from(found))?,
                found => f.write_char(found)?,
            }
        }
        f.write_str("</code>")
    }
}

/// A document of limited size. Text is added as long as it fits.
struct Document<'o, W> {
    left: usize,
    out: &'o mut W,
}

impl<W: Write> Document<'_, W> {
    /// Writes a part if it fits. Returns true if it was written.
    fn write(&mut self, part: &str) -> io::Result<bool> {
        let Some(left) = self.left.checked_sub(part.len()) else { return Ok(false) };
        self.out.write_all(part.as_bytes())?;
        self.left = left;
        Ok(true)
    }
}

/// The numbers of parts that did not fit.
#[derive(Clone, Copy, Default)]
struct Omitted {
    jobs: usize,
    commands: usize,
}

pub(super) fn write_run(printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
    let run = printing.run;
    let failures = printing.failures();
    let before = printing.look.written_bytes;
    let max_bytes = printing.look.max_bytes.unwrap_or(MAX_FILE_BYTES);
    let left = max_bytes.min(MAX_FILE_BYTES.saturating_sub(before));
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    // A line before the document may be a paragraph.
    let head = format!("{}{}", if before > 0 { "\n" } else { "" }, head(printing));
    let most = Omitted { jobs: run.jobs.len(), commands: failures.len() };
    let read = printing.read_run();
    let reserved = note(read.as_deref(), most).len();
    let mut document = Document { left: left.saturating_sub(reserved), out };
    let mut omitted = most;
    if document.write(&head)? {
        omitted.jobs = write_jobs(printing, &mut document)?;
        omitted.commands = write_failures(printing, &failures, &mut document)?;
    }
    if omitted.jobs + omitted.commands > 0 || left < reserved + head.len() {
        document.left += left.min(reserved);
        document.write(&note(read.as_deref(), omitted))?;
        printing.report.notices.push(notice(omitted, left, before));
    }
    Ok(())
}

/// Returns the heading with the run, and the findings about it.
fn head(printing: &Printing<'_>) -> String {
    let run = printing.run;
    let mut head = match run_id(&run.head.run) {
        Some(_) => format!("### {}\n", head_line(&run.head)),
        None => format!("### {}\n", Code(&bare_name(run))),
    };
    for kind in run.findings.at(&Place::Run) {
        let _ = write!(head, "\nNote: {}\n", Code(&display::finding(kind)));
    }
    head
}

fn head_line(head: &RunHead) -> String {
    let run = &head.run;
    let status = Status::of_run(head);
    let at = run.started_at.or(run.queued_at).and_then(|at| date_time(at, &TimeZone::UTC));
    let code = |text: Option<String>| text.map(|text| Code(&text).to_string());
    let words = [
        Some(format!("{} {}", status.glyph(), status.word())),
        code(display::reason(head)),
        code(run.repo.as_deref().map(|repo| name(repo).into_owned())),
        code(display::revision(run)),
        code(display::pipeline(run)),
        head.lasted_ms().map(display::duration),
        at.map(|at| format!("{at} UTC")),
        code(Some(name(run.id.short()).into_owned())),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Returns the name of logs that were opened by their path.
fn bare_name(run: &RunNode) -> String {
    let mut names = run.jobs.iter().map(|job| match job.job.id.as_str() {
        "" => job.shs.first().map(display::log_name).unwrap_or_default(),
        id => name(id).into_owned(),
    });
    names.next().unwrap_or_else(|| "log".to_owned())
}

/// Writes the table of jobs. If it does not fit, failed jobs come first. Returns the number of jobs
/// that were left out.
fn write_jobs(
    printing: &Printing<'_>,
    document: &mut Document<'_, impl Write>,
) -> io::Result<usize> {
    let run = printing.run;
    if run_id(&run.head.run).is_none() || run.jobs.is_empty() {
        return Ok(0);
    }
    let table = "\n| | job | duration | failed command | reason |\n|---|---|--:|---|---|\n";
    // The failed commands get at least half of the document.
    let mut left = (document.left / 2).saturating_sub(table.len());
    let mut is_shown = vec![false; run.jobs.len()];
    for fails in [true, false] {
        for (job, is_shown) in run.jobs.iter().zip(&mut is_shown) {
            let has_failed = matches!(Status::of_job(job), Status::Failed | Status::Interrupted);
            let bytes = if has_failed == fails { job_row(run, job).len() } else { continue };
            *is_shown = left >= bytes;
            left = if *is_shown { left - bytes } else { 0 };
        }
    }
    let shown = is_shown.iter().filter(|is_shown| **is_shown).count();
    if shown > 0 {
        document.write(table)?;
        for (job, _) in run.jobs.iter().zip(&is_shown).filter(|(_, is_shown)| **is_shown) {
            document.write(&job_row(run, job))?;
        }
    }
    Ok(run.jobs.len() - shown)
}

fn job_row(run: &RunNode, job: &JobNode) -> String {
    let status = Status::of_job(job);
    let lasted = display::lasted(job.job.started_at, job.ended_at()).unwrap_or_default();
    // An earlier command was repeated.
    let failed = job.shs.iter().rev().find(|sh| sh.state == ShState::Failed);
    let command = failed.map(|sh| Code(&command(sh)).to_string()).unwrap_or_default();
    let exit = failed.and_then(|sh| sh.sh.as_ref()).and_then(display::exit_explained);
    let why = display::why_skipped(run, job).or_else(|| display::tolerated(job).map(String::from));
    let reasons: Vec<String> =
        exit.into_iter().chain(why).map(|reason| Code(&reason).to_string()).collect();
    format!(
        "| {} {} | {} | {lasted} | {command} | {} |\n",
        status.glyph(),
        status.word(),
        Code(&name(job.job.id.as_str())),
        reasons.join(" ")
    )
}

/// Returns the start of a command.
fn command(node: &ShNode) -> String {
    cut(&display::command_of(node), MAX_COMMAND_CHARS).into_owned()
}

/// Writes a block for each failed command. Returns the number of commands that were left out.
fn write_failures(
    printing: &mut Printing<'_>,
    failures: &[(&JobNode, &ShNode)],
    document: &mut Document<'_, impl Write>,
) -> io::Result<usize> {
    let is_bare = run_id(&printing.run.head.run).is_none();
    for (at, (job, sh)) in failures.iter().enumerate() {
        let causes = printing.causes(sh, MAX_OTHER_CAUSES);
        if is_bare && causes.is_empty() {
            continue;
        }
        let block = |causes| failure_block(printing, job, sh, causes, at == 0);
        let first = causes.get(..1).unwrap_or_default();
        if !document.write(&block(&causes))? && !document.write(&block(first))? {
            return Ok(failures.len() - at);
        }
    }
    Ok(0)
}

/// Returns a block that can be folded, with the causes of a failure.
fn failure_block(
    printing: &Printing<'_>,
    job: &JobNode,
    node: &ShNode,
    causes: &[Cause],
    is_open: bool,
) -> String {
    let mut block = String::new();
    let open = if is_open { " open" } else { "" };
    let status = Status::of_sh(node).glyph();
    let place = display::place(&Place::Sh(job.job.id.clone(), node.n)).unwrap_or_default();
    let (place, command) = (Code(&place).to_string(), Code(&command(node)).to_string());
    let exit = node.sh.as_ref().and_then(display::exit_explained);
    let exit = exit.map(|exit| format!(" {}", Code(&exit))).unwrap_or_default();
    // Writing to a String cannot fail, here and below.
    let _ =
        write!(block, "\n<details{open}>\n<summary>{status} {place} {command}{exit}</summary>\n");
    if causes.is_empty() {
        let nothing = if node.log.is_some() { "No output." } else { "The log is missing." };
        let _ = write!(block, "\n{nothing}\n");
    }
    for cause in causes {
        push_cause(&mut block, cause, node);
    }
    if let Some(next) = printing.next_commands(job, node) {
        let rerun = next
            .rerun
            .map_or_else(String::new, |rerun| format!("To rerun: {}<br>\n", Code(&rerun)));
        let _ = write!(block, "\n{rerun}To read more: {}\n", Code(&next.read_more));
    }
    block.push_str("\n</details>\n");
    block
}

/// Appends a cause: its message, its place in the source, and its rows.
fn push_cause(block: &mut String, cause: &Cause, node: &ShNode) {
    let place = cause.location().map(|at| format!("{} ", Code(&at.to_string())));
    let place = place.unwrap_or_default();
    let _ = match marked(cause) {
        Some(_) => {
            let message = cut(&message(Some(cause), node.sh.as_ref()), MAX_ROW_CHARS).into_owned();
            write!(block, "\n{place}{}\n", Code(&message))
        }
        None => write!(block, "\nCause not recognized; last lines:\n"),
    };
    if !cause.rows.is_empty() {
        push_rows(block, cause);
    }
}

/// Appends rows in a fence that is longer than any run of backticks in them.
fn push_rows(block: &mut String, cause: &Cause) {
    let rows: Vec<_> = cause.rows.iter().map(|row| (row.offset, text(row))).collect();
    let longest = rows.iter().map(|(_, text)| longest_run(text)).max().unwrap_or_default();
    let fence = "`".repeat((longest + 1).max(3));
    let _ = write!(block, "\n{fence}text\n");
    for (offset, text) in &rows {
        let mark = if Some(*offset) == cause.at { "> " } else { "  " };
        let mark = if cause.at.is_some() { mark } else { "" };
        // The bytes that break a command of a CI system count, too.
        let _ = writeln!(block, "{}", ci::broken(&format!("{mark}{}", cut(text, MAX_ROW_CHARS))));
    }
    let _ = writeln!(block, "{fence}");
}

/// Returns the length of the longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|found| found != '`').map(str::len).max().unwrap_or_default()
}

/// Returns the start of a long text.
fn cut(text: &str, max_chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}

/// Returns the numbers of omitted jobs and commands in words.
fn counted(omitted: Omitted) -> String {
    let counted = |number: usize, what: &str| {
        let plural = if number == 1 { "" } else { "s" };
        (number > 0).then(|| format!("{number} {what}{plural}"))
    };
    let words = [counted(omitted.commands, "failed command"), counted(omitted.jobs, "job")];
    words.into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

/// Returns the note about the parts that do not fit.
fn note(read: Option<&str>, omitted: Omitted) -> String {
    let read = read.map(|read| format!(" To read more: {}", Code(read))).unwrap_or_default();
    format!("\n> Left out for lack of space: {}.{read}\n", counted(omitted))
}

fn notice(omitted: Omitted, left: usize, before: u64) -> String {
    let (left, before) = (display::size(left as u64), (before > 0).then(|| display::size(before)));
    let before = before.map(|before| format!(" (the file already had {before})"));
    format!(
        "the summary was limited to {left}{}: left out {}",
        before.unwrap_or_default(),
        counted(omitted)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Row;

    #[test]
    fn foreign_text_has_no_structure() {
        for (text, code) in [
            ("cargo test --lib", "cargo test --lib"),
            ("a|b @user #12 `x`", "a&#124;b &#64;user &#35;12 &#96;x&#96;"),
            ("</code><script>", "&#60;/code&#62;&#60;script&#62;"),
            ("www.example.org, a.b", "www&#46;example.org, a.b"),
            ("日www.x", "日www&#46;x"),
            ("https://x", "https&#58;//x"),
            (r"\| &amp;", r"&#92;&#124; &#38;amp&#59;"),
            ("", ""),
        ] {
            assert_eq!(Code(text).to_string(), format!("<code>{code}</code>"));
        }
    }

    #[test]
    fn no_row_closes_its_fence() {
        for run in 0..100 {
            let ticks = "`".repeat(run);
            let rows = [format!("{ticks}text"), ticks.clone(), format!("x {ticks}"), "~~~".into()];
            let rows = rows.map(|text| Row { text: text.into(), ..Row::default() });
            let mut block = String::new();
            push_rows(&mut block, &Cause { rows: rows.into(), ..Cause::default() });
            let fence = block.lines().nth(1).unwrap().trim_end_matches("text");
            let ends = block.lines().skip(2).filter(|line| line.trim().starts_with(fence)).count();
            assert_eq!((ends, block.lines().last()), (1, Some(fence)));
            assert_eq!(fence.len(), (run + 1).max(3));
        }
    }
}
