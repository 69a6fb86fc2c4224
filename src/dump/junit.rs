//! `--format junit`: a `JUnit` report with a test suite per job and a test case per command.
//!
//! ```xml
//! <testsuites name="demo" tests="2" failures="1" errors="0" time="0.012">
//!   <testsuite name="test" tests="2" failures="1" errors="0" skipped="0" time="0.012">
//!     <testcase classname="test" name="1 cargo build" time="0.009"/>
//!     <testcase classname="test" name="2 cargo test" time="0.003">
//!       <failure type="exit 101" message="error: mismatched types">rows…</failure>
//!     </testcase>
//!   </testsuite>
//! </testsuites>
//! ```
//!
//! The report is valid for Jenkins' `junit-10.xsd`, unless `file_attribute` adds what GitLab reads.
//! Its text contains no characters that XML 1.0 forbids, and no markers of CI systems: references
//! such as `&#35;` take their place.
//!
//! The report is streamed, because a run may have any number of commands. The totals, which come
//! first, follow from the tree of the run. Only of a log that was opened by its path, the result
//! depends on its rows: it is read twice.

use std::borrow::Cow;
use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesDecl, BytesStart, BytesText, Event};
use quick_xml::name::QName;

use super::annotations::{cut, reason};
use super::failure::text;
use super::printing::{Printing, run_id};
use super::source_path::in_repository;
use super::unique_names::UniqueNames;
use crate::display::{self, Status};
use crate::join::{JobNode, ShNode, ShState};
use crate::log::Row;
use crate::search::Cause;
use crate::time::Time;
use crate::{ci, sanitize};

/// The size of a report from which on failures have no rows, in bytes: GitLab reads less than
/// 30 MB.
const MAX_BYTES_WITH_ROWS: u64 = 24_000_000;

/// The maximum length of a row in UTF-16 code units.
const MAX_ROW_UNITS: usize = 2000;

/// The maximum number of errors of a command after the most likely one. Jenkins keeps 100,000
/// characters of a failure.
const MAX_OTHER_ERRORS: usize = 5;

/// The result of a test case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Passed,
    Failure,
    Error,
    Skipped,
}

/// A test case that is no command: the run or a job.
struct Whole {
    verdict: Verdict,
    message: String,
}

/// The test cases of a suite.
struct Suite<'a> {
    name: String,
    shs: Vec<(&'a ShNode, Verdict)>,
    job: Option<&'a JobNode>,
    whole: Option<Whole>,
}

/// The number of test cases with each verdict.
#[derive(Clone, Copy, Default)]
struct Totals {
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
}

impl Totals {
    fn add(mut self, verdict: Verdict) -> Self {
        self.tests += 1;
        self.failures += u64::from(verdict == Verdict::Failure);
        self.errors += u64::from(verdict == Verdict::Error);
        self.skipped += u64::from(verdict == Verdict::Skipped);
        self
    }
}

impl Suite<'_> {
    fn totals(&self, before: Totals) -> Totals {
        let whole = self.whole.iter().map(|whole| whole.verdict);
        self.shs.iter().map(|(_, verdict)| *verdict).chain(whole).fold(before, Totals::add)
    }
}

/// Writes the report. `has_file` adds the attribute `file` to test cases.
pub(super) fn write_run(
    printing: &mut Printing<'_>,
    has_file: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let suites = suites(printing);
    let head = &printing.run.head;
    let totals = suites.iter().fold(Totals::default(), |totals, suite| suite.totals(totals));
    let title = display::pipeline(&head.run)
        .or_else(|| head.run.repo.as_deref().map(|repo| sanitize::name(repo).into_owned()));
    let xml = Writer::new_with_indent(Counted { out, bytes: 0 }, b' ', 2);
    let mut report = Report { xml, without_rows: 0 };
    report.xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let mut root = element("testsuites");
    push(&mut root, "name", &title.unwrap_or_else(|| "rundown".to_owned()));
    push_totals(&mut root, totals);
    push_time(&mut root, head.run.started_at, head.ended_at());
    report.xml.write_event(Event::Start(root.borrow()))?;
    for suite in &suites {
        report.write_suite(printing, suite, has_file)?;
    }
    report.xml.write_event(Event::End(root.to_end()))?;
    report.xml.get_mut().write_all(b"\n")?;
    report.report_size(printing);
    Ok(())
}

/// Returns the suites of a run: its jobs and, if no job explains the failure of the run, a last one
/// for the run itself.
fn suites<'a>(printing: &mut Printing<'a>) -> Vec<Suite<'a>> {
    let run = printing.run;
    let mut names = UniqueNames::default();
    let mut suites: Vec<Suite<'a>> = Vec::new();
    for job in &run.jobs {
        let id = sanitize::name(job.job.id.as_str());
        let name = names.unique(if id.is_empty() { "logs" } else { &id });
        let shs = job.shs.iter().map(|sh| (sh, verdict(printing, job, sh))).collect();
        suites.push(Suite { name, shs, job: Some(job), whole: whole(printing, job) });
    }
    if let Some(message) = printing.run_failure() {
        let whole = Some(Whole { verdict: Verdict::Error, message });
        suites.push(Suite { name: names.unique("run"), shs: Vec::new(), job: None, whole });
    }
    suites
}

/// Returns the verdict on a command. A failure without consequences is skipped, as test runners
/// report expected failures, and so is a command without a result.
fn verdict(printing: &mut Printing<'_>, job: &JobNode, node: &ShNode) -> Verdict {
    let is_bare = run_id(&printing.run.head.run).is_none();
    let not_started = node.sh.as_ref().is_some_and(|sh| sh.start_error.is_some());
    match node.state {
        ShState::Passed => Verdict::Passed,
        ShState::Unknown if is_bare && !printing.causes(node, 0).is_empty() => Verdict::Failure,
        ShState::Running | ShState::Unknown => Verdict::Skipped,
        ShState::Failed | ShState::Interrupted if !job.counts(node) => Verdict::Skipped,
        ShState::Failed if !not_started => Verdict::Failure,
        ShState::Failed | ShState::Interrupted => Verdict::Error,
    }
}

/// Returns the test case for a job itself, if it failed without a failed command or has no
/// commands.
fn whole(printing: &Printing<'_>, job: &JobNode) -> Option<Whole> {
    if let Some(why) = printing.job_failure(job) {
        return Some(if job.job.allow_failure {
            Whole { verdict: Verdict::Skipped, message: format!("allowed to fail: {why}") }
        } else {
            Whole { verdict: Verdict::Error, message: why }
        });
    }
    let status = Status::of_job(job);
    let verdict = if status == Status::Passed { Verdict::Passed } else { Verdict::Skipped };
    let why = display::why_skipped(printing.run, job);
    let why = why.map(|why| format!("{}: {why}", status.word()));
    let message = why.unwrap_or_else(|| status.word().to_owned());
    job.shs.is_empty().then_some(Whole { verdict, message })
}

/// A report that is being written.
struct Report<W: Write> {
    xml: Writer<Counted<W>>,
    /// The number of failures without rows, because the report is large.
    without_rows: u64,
}

impl<W: Write> Report<W> {
    fn write_suite(
        &mut self,
        printing: &mut Printing<'_>,
        suite: &Suite<'_>,
        has_file: bool,
    ) -> io::Result<()> {
        let (began_at, ended_at) = match suite.job {
            Some(job) => (job.job.started_at, job.ended_at()),
            None => (printing.run.head.run.started_at, printing.run.head.ended_at()),
        };
        let totals = suite.totals(Totals::default());
        let mut start = element("testsuite");
        push(&mut start, "name", &suite.name);
        push_totals(&mut start, totals);
        push(&mut start, "skipped", &totals.skipped.to_string());
        push_time(&mut start, began_at, ended_at);
        if let Some(timestamp) = began_at.and_then(Time::rfc3339_millis) {
            push(&mut start, "timestamp", &timestamp);
        }
        self.xml.write_event(Event::Start(start.borrow()))?;
        for (node, verdict) in &suite.shs {
            self.write_sh(printing, suite, (node, *verdict), has_file)?;
        }
        if let Some(Whole { verdict, message }) = &suite.whole {
            let mut case = case(suite, &suite.name);
            push_time(&mut case, began_at, ended_at);
            let message = Some(message.as_str()).filter(|_| *verdict != Verdict::Passed);
            self.write_case(&case, message.map(|message| result(*verdict, None, message)), "")?;
        }
        self.xml.write_event(Event::End(start.to_end()))
    }

    /// Writes the test case of a command.
    fn write_sh(
        &mut self,
        printing: &mut Printing<'_>,
        suite: &Suite<'_>,
        (node, verdict): (&ShNode, Verdict),
        has_file: bool,
    ) -> io::Result<()> {
        let sh = node.sh.as_ref();
        let command = display::command_of(node);
        let mut case = case(suite, format!("{} {command}", node.n).trim_end());
        push_time(&mut case, sh.and_then(|sh| sh.started_at), sh.and_then(|sh| sh.finished_at));
        let failed = verdict == Verdict::Failure || node.state.is_failure();
        if !failed {
            let why = if node.state == ShState::Running { "running" } else { "result unknown" };
            let skipped = verdict == Verdict::Skipped;
            return self.write_case(&case, skipped.then(|| result(verdict, None, why)), "");
        }
        let causes = printing.causes(node, MAX_OTHER_ERRORS);
        if let Some(path) = causes.first().and_then(|cause| path(node, cause)).filter(|_| has_file)
        {
            push(&mut case, "file", &path);
        }
        let reason = reason(node, causes.first());
        let message = match suite.job {
            Some(job) if job.job.allow_failure => format!("allowed to fail: {reason}"),
            _ if verdict == Verdict::Skipped => format!("failed without consequences: {reason}"),
            _ => reason,
        };
        let rows = self.rows(&causes);
        let exit = sh.and_then(display::exit_in_short);
        self.write_case(&case, Some(result(verdict, exit.as_deref(), &message)), &rows)
    }

    /// Returns the rows of causes, if the report is not too large for them.
    fn rows(&mut self, causes: &[Cause]) -> String {
        if self.xml.get_mut().bytes >= MAX_BYTES_WITH_ROWS {
            self.without_rows += u64::from(!causes.is_empty());
            return String::new();
        }
        let line = |row: &Row| cut(&text(row), MAX_ROW_UNITS);
        let rows = |cause: &Cause| cause.rows.iter().map(line).collect::<Vec<_>>().join("\n");
        causes.iter().map(rows).collect::<Vec<_>>().join("\n\n")
    }

    /// Writes a test case with its result; `None` if it passed.
    fn write_case(
        &mut self,
        case: &BytesStart<'_>,
        result: Option<BytesStart<'_>>,
        rows: &str,
    ) -> io::Result<()> {
        let Some(result) = result else {
            return self.xml.write_event(Event::Empty(case.borrow()));
        };
        self.xml.write_event(Event::Start(case.borrow()))?;
        if rows.is_empty() {
            self.xml.write_event(Event::Empty(result))?;
        } else {
            self.xml.write_event(Event::Start(result.borrow()))?;
            self.xml.write_event(Event::Text(BytesText::from_escaped(escaped(rows))))?;
            self.xml.write_event(Event::End(result.to_end()))?;
        }
        self.xml.write_event(Event::End(case.to_end()))
    }

    /// Reports that the report is large.
    fn report_size(&mut self, printing: &mut Printing<'_>) {
        let bytes = self.xml.get_mut().bytes;
        if self.without_rows > 0 {
            let notice = format!(
                "the report has {}; {} failures after the first {} have no rows, because GitLab \
                 reads less than 30 MB",
                display::size(bytes),
                self.without_rows,
                display::size(MAX_BYTES_WITH_ROWS)
            );
            printing.report.notices.push(notice);
        }
    }
}

/// Returns the path of the file that a cause names.
fn path(node: &ShNode, cause: &Cause) -> Option<String> {
    let cwd = node.sh.as_ref().and_then(|sh| sh.cwd.as_deref());
    in_repository(&cause.location()?.path, cwd, ci::workspace().as_deref())
}

fn element(name: &'static str) -> BytesStart<'static> {
    BytesStart::new(name)
}

fn case(suite: &Suite<'_>, name: &str) -> BytesStart<'static> {
    let mut case = element("testcase");
    push(&mut case, "classname", &suite.name);
    push(&mut case, "name", name);
    case
}

fn result(verdict: Verdict, exit: Option<&str>, message: &str) -> BytesStart<'static> {
    let name = match verdict {
        Verdict::Error => "error",
        Verdict::Failure => "failure",
        Verdict::Skipped | Verdict::Passed => "skipped",
    };
    let mut result = element(name);
    if let Some(exit) = exit {
        push(&mut result, "type", exit);
    }
    push(&mut result, "message", message);
    result
}

fn push(element: &mut BytesStart<'static>, key: &str, value: &str) {
    element.push_attribute(Attribute { key: QName(key), value: Cow::Owned(escaped(value)) });
}

fn push_totals(element: &mut BytesStart<'static>, totals: Totals) {
    for (key, count) in
        [("tests", totals.tests), ("failures", totals.failures), ("errors", totals.errors)]
    {
        push(element, key, &count.to_string());
    }
}

/// Adds a duration in seconds, if it is known. The schema allows no sign.
fn push_time(element: &mut BytesStart<'static>, from: Option<Time>, to: Option<Time>) {
    if let Some((from, to)) = from.zip(to) {
        let ms = to.millis_since(from).max(0);
        push(element, "time", &format!("{}.{:03}", ms / 1000, ms % 1000));
    }
}

/// Escapes text for XML 1.0. Characters that XML forbids are replaced, and markers of CI systems
/// are broken by references.
fn escaped(text: &str) -> String {
    let is_allowed = |found: char| match found {
        '\n' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        found => !found.is_control(),
    };
    let allowed: String =
        text.chars().map(|found| if is_allowed(found) { found } else { '\u{fffd}' }).collect();
    let xml = quick_xml::escape::escape(&allowed);
    let mut out = String::with_capacity(xml.len());
    for line in xml.split_inclusive('\n') {
        let mut from = 0;
        for at in ci::markers_in_line(line) {
            out.push_str(line.get(from..at).unwrap_or_default());
            let marked = line.get(at..).and_then(|rest| rest.chars().next());
            if let Some(marked) = marked {
                out.extend(["&#", &u32::from(marked).to_string(), ";"]);
            }
            from = at + marked.map_or(0, char::len_utf8);
        }
        out.push_str(line.get(from..).unwrap_or_default());
    }
    out
}

/// A writer that counts bytes.
struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_valid_xml_without_markers_of_ci_systems() {
        for (text, expected) in [
            ("a<b> & \"c\" ]]>", "a&lt;b&gt; &amp; &quot;c&quot; ]]&gt;"),
            ("\u{fffe}\u{ffff}\u{1}", "\u{fffd}\u{fffd}\u{fffd}"),
            ("::error::x\n  ::add-mask::y", ":&#58;error::x\n  :&#58;add-mask::y"),
            ("a ##vso[b] ##[c]", "a #&#35;vso[b] #&#35;[c]"),
            ("--- a", "-&#45;- a"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn durations_have_no_sign() {
        let at = Time::from_millis;
        for (from, to, expected) in
            [(0, 12, "time=\"0.012\""), (5000, 0, "time=\"0.000\""), (0, 83_012, "83.012")]
        {
            let mut case = element("testcase");
            push_time(&mut case, Some(at(from)), Some(at(to)));
            assert!(case.attributes_raw().contains(expected), "{case:?}");
        }
    }
}
