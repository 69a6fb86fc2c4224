//! Printing of a run with `--once` or to a pipe, and the exit code.

use std::ffi::OsStr;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use rustix::fs::FileType;

use super::args::{FormatName, Server, View};
use super::{color, exit_status, print_notices};
use crate::catalog::{Catalog, RunFilter, RunSpec};
use crate::ci;
use crate::dump::{
    self, FAILED_TAIL_ROWS, Format, Grep, PrintOptions, Report, Selection, Timestamps,
};
use crate::error::{Error, Result};
use crate::join::RunNode;
use crate::model::Outcome;

/// The notice after raw output that a CI system may have read.
const RAW_IN_CI: &str = "--format raw prints workflow commands of the log as they are; to keep \
                         this CI system from obeying them, redirect the output to a file or use \
                         another --format";

/// The size of the output buffer, in bytes.
const OUTPUT_BYTES: usize = 256 << 10;

pub(super) fn once(view: &View, catalog: &Catalog, spec: Option<&RunSpec>) -> anyhow::Result<u8> {
    let stdout = io::stdout();
    let color = color(&stdout);
    if view.is_raw() && stdout.is_terminal() && !view.output.is_color_forced() {
        let why = "--format raw would send the bytes of a log to the terminal unchanged; redirect \
                   the output, or force it with --color=always";
        return Err(Error::Usage(why.into()).into());
    }
    check_options(view)?;
    let mut look = PrintOptions { written_bytes: file_bytes(&stdout), ..view.look(color)? };
    if catalog.root().is_some_and(|root| root == Path::new(&view.run)) {
        look.store = store_words(Some(&view.run), &view.store.server);
    }
    let selection = view.selection();
    let run = found_run(catalog, spec, &view.narrow.filter(), &view.run)?;
    let status = if view.output.exit_status { exit_status(&run.head)? } else { 0 };
    let run = narrow(run, &selection)?;
    let is_good = selection.failed && nothing_failed(&run);
    let mut report =
        if is_good { Report::notice("nothing failed in this run") } else { Report::default() };
    // Enlarge the pipe, so that the program and its reader seldom wait for each other. Errors are
    // ignored: not every output is a pipe, and not every user may resize one.
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(&stdout, 4 * OUTPUT_BYTES);
    let out = BufWriter::with_capacity(OUTPUT_BYTES, stdout.lock());
    match print(view, &run, catalog, &look, out).map_err(Error::Output) {
        // The reader needs no more output; a script still needs the status of the run.
        Err(error) if error.is_closed_pipe() => return Ok(status),
        printed => report.extend(printed?),
    }
    if view.is_raw() && ci::is_active() && !is_file(&stdout) {
        report.notices.push(RAW_IN_CI.into());
    }
    report.notices.extend(catalog.notices());
    print_notices(&report.notices);
    Ok(if report.unreadable { 6 } else { status })
}

/// Returns true if an option has an effect on a format.
type Applies = fn(Format) -> bool;

/// Rejects options that have no effect on the format.
fn check_options(view: &View) -> Result<()> {
    if view.screen.at.is_some() {
        let why = "--at applies to the screen; to print only some rows, use --tail or --grep";
        return Err(Error::Usage(why.into()));
    }
    let (rows, output) = (&view.rows, &view.output);
    let applies: [(&str, bool, Applies); 7] = [
        ("--stream", rows.stream.is_some(), Format::has_rows),
        ("--tail", rows.tail.is_some(), Format::has_rows),
        ("--grep", rows.grep.is_some(), Format::has_rows),
        ("--max-bytes", rows.max_bytes.is_some(), Format::has_max_bytes),
        ("--timestamps", output.timestamps.is_some(), Format::has_timestamps),
        ("--timezone", output.zone.name.is_some(), Format::has_timestamps),
        ("--junit-file-attribute", output.junit_file_attribute, Format::is_junit),
    ];
    let format = view.format();
    let unused = applies.iter().find(|(_, is_given, applies)| *is_given && !applies(format));
    let Some((option, _, applies)) = unused else { return Ok(()) };
    let names = FormatName::value_variants().iter().filter(|name| applies((**name).into()));
    let names: Vec<_> = names.filter_map(FormatName::to_possible_value).collect();
    let names: Vec<_> = names.iter().map(PossibleValue::get_name).collect();
    let name = view.output.format.and_then(|format| format.to_possible_value());
    let name = name.as_ref().map_or("text", PossibleValue::get_name);
    let names = names.join(", ");
    Err(Error::Usage(format!("{option} has no effect on --format {name}; it applies to {names}")))
}

/// Prints a run. If the format is text, the CI system is first instructed to ignore workflow
/// commands. JSON and XML contain no such commands. A format for a CI system writes its own.
fn print(
    view: &View,
    run: &RunNode,
    catalog: &Catalog,
    look: &PrintOptions,
    out: impl Write,
) -> io::Result<Report> {
    let format = view.format();
    let is_verbatim = format == Format::Raw || format.has_commands();
    let mut out = if is_verbatim { ci::Output::verbatim(out) } else { ci::Output::new(out) };
    if format == Format::Text {
        out.stop_commands();
    }
    let report = dump::write(format, run, catalog.root(), look, &mut out)?;
    out.resume_commands()?;
    Ok(report)
}

/// Returns true if stdout is a regular file, which a CI system does not read.
fn is_file(stdout: &io::Stdout) -> bool {
    rustix::fs::fstat(stdout).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file())
}

/// Returns the size of stdout if it is a regular file; otherwise 0.
fn file_bytes(stdout: &io::Stdout) -> u64 {
    let stat = rustix::fs::fstat(stdout).ok();
    let file = stat.filter(|stat| FileType::from_raw_mode(stat.st_mode).is_file());
    file.and_then(|file| u64::try_from(file.st_size).ok()).unwrap_or_default()
}

/// Returns the options that name a store.
fn store_words(root: Option<&OsStr>, server: &Server) -> Vec<String> {
    let root = root.map(|root| ["--root".to_owned(), root.to_string_lossy().into_owned()]);
    root.into_iter().flatten().chain(server.words()).collect()
}

/// Finds the run to print, or the logs under the named path.
pub(super) fn found_run(
    catalog: &Catalog,
    spec: Option<&RunSpec>,
    filter: &RunFilter,
    named: &OsStr,
) -> Result<RunNode> {
    let id = catalog.find(spec.unwrap_or(&RunSpec::Latest(0)), filter)?;
    let run = catalog
        .run(&id)?
        .ok_or_else(|| Error::NotFound(format!("run {} was deleted", id.as_str())))?;
    if run.jobs.is_empty()
        && run.log.is_none()
        && !run.head.run.in_database
        && run.findings.iter().next().is_none()
    {
        let named = named.display();
        return Err(Error::NotFound(format!(
            "no logs under {named}\nif this is a store, use --root {named}; for a ref, use --ref"
        )));
    }
    Ok(run)
}

/// Narrows a run to the selection. The filter for failures is applied last. It is no error if this
/// filter removes all jobs.
fn narrow(run: RunNode, selection: &Selection) -> Result<RunNode> {
    if let Some(why) = dump::why_nothing(&run, selection) {
        return Err(Error::NotFound(why));
    }
    let run = dump::select(run, &Selection { failed: false, ..selection.clone() });
    Ok(if selection.failed { dump::select(run, selection) } else { run })
}

/// Returns true if no selected command failed, and the run itself neither failed nor was
/// interrupted. If the run itself failed, the head line of the output contains the reason.
fn nothing_failed(run: &RunNode) -> bool {
    run.jobs.is_empty() && run.head.outcome != Some(Outcome::Failed) && !run.head.interrupted
}

impl View {
    const fn is_raw(&self) -> bool {
        matches!(self.output.format, Some(FormatName::Raw))
    }

    /// Returns the format of the output.
    fn format(&self) -> Format {
        match self.output.format {
            Some(FormatName::Junit) => Format::Junit { has_file: self.output.junit_file_attribute },
            name => name.unwrap_or(FormatName::Text).into(),
        }
    }

    /// Returns true if an option was given that applies to printing only, and so implies `--once`.
    pub(super) const fn prints(&self) -> bool {
        let (rows, output) = (&self.rows, &self.output);
        output.once
            || rows.failed
            || output.format.is_some()
            || output.junit_file_attribute
            || rows.job.is_some()
            || rows.sh.is_some()
            || rows.stream.is_some()
            || rows.tail.is_some()
            || rows.grep.is_some()
            || rows.max_bytes.is_some()
            || output.timestamps.is_some()
    }

    pub(super) fn look(&self, color: bool) -> Result<PrintOptions> {
        let rows = &self.rows;
        let stream = rows.stream.map(Into::into);
        let context = rows.context.unwrap_or(0);
        let grep = rows.grep.clone().map(|query| Grep { query, context });
        let failed = rows.failed && self.format() == Format::Text && !self.output.follow;
        let shows_end = failed && grep.is_none() && rows.max_bytes.is_none();
        let tail = rows.tail.or(shows_end.then_some(FAILED_TAIL_ROWS));
        let timestamps = self.output.timestamps.map_or(Timestamps::None, Into::into);
        let shows_links = !ci::is_active() && !self.format().has_commands();
        let links = color && shows_links && !self.screen.look.is_secure();
        let time_zone = self.output.zone.time_zone()?;
        let root = self.store.root.dir.as_deref().map(Path::as_os_str);
        Ok(PrintOptions {
            selection: self.selection(),
            stream,
            grep,
            tail,
            max_bytes: rows.max_bytes,
            store: store_words(root, &self.store.server),
            failed,
            timestamps,
            color,
            links,
            time_zone,
            written_bytes: 0,
        })
    }

    pub(super) fn selection(&self) -> Selection {
        let keeps_passed = self.format() == Format::Text && !self.output.follow;
        let (job, n, failed) = (self.rows.job.clone(), self.rows.sh, self.rows.failed);
        Selection { job, n, failed, keeps_passed }
    }
}
