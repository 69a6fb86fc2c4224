//! The command line: raw arguments -> checked configuration -> one match over modes.
//!
//! stdout carries data, stderr notices. Exit codes are a promise, see [`crate::error::Error::exit_code`] and
//! [`crate::catalog::exit_status`].

mod args;
mod config;
mod follow;
mod leaving;

use std::ffi::OsStr;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use globset::Glob;
use jiff::tz::TimeZone;

use crate::catalog::{self, Beside, Catalog, RunFilter, RunSpec};
use crate::demo;
use crate::doctor;
use crate::dump::{self, FindingsWriter, Look, Report, Selection, Timestamps};
use crate::error::{Error, Result};
use crate::join::{RunHead, RunNode};
use crate::model::{JobId, Outcome};
use crate::record::{self, Facts, Given, Options};
use crate::tui::theme::Scheme;
use crate::{sanitise, tui};

pub use args::Arguments;
use args::{Command, Doctor, Exec, FormatName, List, ListFormat, Narrow, Place, Record, Source, View};
use config::Config;

impl Arguments {
    /// Does what was asked for; gives the exit code.
    ///
    /// # Errors
    /// What stopped it, for `main` to print.
    pub fn run(self) -> anyhow::Result<u8> {
        self.place.colour.write_global();
        let place = &self.place;
        match self.command {
            None => view(place, &self.view),
            Some(Command::List(list)) => list_runs(place, &list),
            Some(Command::Doctor(doctor)) => examine(place, &doctor),
            Some(Command::Record(record)) => record_command(place, record),
            Some(Command::Exec(exec)) => exec_pipeline(place, &exec),
            Some(Command::Demo) => run_demo(place, &self.view),
            Some(Command::Config) => print_config(place, &self.view),
        }
    }
}

/// How long it may take to find out what to open before the screen is opened without.
const SOON: Duration = Duration::from_secs(1);

fn view(place: &Place, view: &View) -> anyhow::Result<u8> {
    let (catalog, spec) = open(place, &view.run, &view.narrow)?;
    if view.follow {
        follow::check(view)?;
    } else if view.prints() || !io::stdout().is_terminal() {
        return once(place, view, &catalog, spec.as_ref());
    }
    let is_plain = view.follow || follow::is_plain();
    let config = (!is_plain).then(|| configured(place, view)).transpose()?;
    let (catalog, open) = soon_in_sight(place, view, catalog, spec)?;
    let Some(config) = config else { return follow::run(place, view, catalog, open) };
    let left = show(view, config, catalog, open)?;
    tell_all(&left.notices);
    leaving::tell_how_to_return(place, view, &left);
    match (left.signal, left.run) {
        (Some(signal), _) => Ok(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
        (None, Some(run)) if view.exit_status => Ok(exit_status(&run.head)?),
        (None, _) => Ok(0),
    }
}

/// As [`in_sight`], as far as that is found out soon: a file system that does not answer is waited for on the screen.
fn soon_in_sight(
    place: &Place,
    view: &View,
    catalog: Catalog,
    spec: Option<RunSpec>,
) -> Result<(Catalog, Option<RunSpec>)> {
    let is_named = view.narrow.db.is_some() || place.is_named();
    let (asked, filter, again) = (spec.clone(), view.narrow.filter(), catalog.anew());
    let (send, found) = mpsc::channel();
    thread::spawn(move || {
        let open = in_sight(&catalog, asked, &filter, is_named);
        let _ = send.send(open.map(|open| (catalog, open)));
    });
    // The thread is left to itself, with its catalog.
    found.recv_timeout(SOON).unwrap_or(Ok((again, spec)))
}

/// What to open, or to follow: nothing that is missing for certain. A store that was named is waited for, whatever its state.
fn in_sight(catalog: &Catalog, spec: Option<RunSpec>, filter: &RunFilter, is_named: bool) -> Result<Option<RunSpec>> {
    if let Err(error @ Error::NoStore { .. }) = catalog.look()
        && !is_named
    {
        return Err(error);
    }
    let Some(spec) = spec.filter(|spec| *spec != RunSpec::Latest(0) || filter.narrows()) else { return Ok(None) };
    match catalog.find(&spec, filter) {
        Ok(id) => Ok(Some(RunSpec::Id(id.0))),
        Err(error @ Error::NotFound(_)) => Err(error),
        Err(_) => Ok(Some(spec)),
    }
}

/// The store, and the run in it that is meant; or a path, which is the run itself.
fn open(place: &Place, run: &OsStr, narrow: &Narrow) -> Result<(Catalog, Option<RunSpec>)> {
    let text = run.to_string_lossy();
    let path = Path::new(run);
    let spec = RunSpec::parse(&text);
    let is_word = matches!(spec, Ok(RunSpec::Latest(_) | RunSpec::LatestThat(_)));
    if text.contains('/') || (!is_word && path.exists()) {
        return Ok((Catalog::of_path(path), None));
    }
    let spec = spec?;
    Ok((narrow.store(place)?, Some(spec)))
}

fn once(place: &Place, view: &View, catalog: &Catalog, spec: Option<&RunSpec>) -> anyhow::Result<u8> {
    let stdout = io::stdout();
    let colour = colour(&stdout);
    if matches!(view.format, Some(FormatName::Raw)) && stdout.is_terminal() && !place.colour_forced() {
        let why = "--format raw would send a log's bytes to the terminal as they are; redirect it, or force it with --color=always";
        return Err(Error::Usage(why.into()).into());
    }
    let look = view.look(place, colour)?;
    let selection = view.selection()?;
    let run = found_run(catalog, spec, &view.narrow.filter(), &view.run)?;
    let status = if view.exit_status { exit_status(&run.head)? } else { 0 };
    let run = narrow(run, &selection)?;
    let is_good = selection.failed && nothing_failed(&run);
    let mut report = if is_good { Report::notice("nothing failed in this run") } else { Report::default() };
    // So that the program and its reader seldom wait for each other. Not every output is a pipe, and not every user may.
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(&stdout, 4 * OUTPUT_BYTES);
    let mut out = BufWriter::with_capacity(OUTPUT_BYTES, stdout.lock());
    let written = dump::write(view.format.unwrap_or(FormatName::Text).into(), &run, catalog.root(), &look, &mut out);
    report.extend(written.map_err(Error::Output)?);
    report.notices.extend(catalog.notices());
    tell_all(&report.notices);
    Ok(if report.unreadable { 6 } else { status })
}

/// How much is written at once.
const OUTPUT_BYTES: usize = 256 << 10;

/// The run that is meant, or the logs under the path that is.
fn found_run(catalog: &Catalog, spec: Option<&RunSpec>, filter: &RunFilter, named: &OsStr) -> Result<RunNode> {
    let id = catalog.find(spec.unwrap_or(&RunSpec::Latest(0)), filter)?;
    let run = catalog.run(&id)?.ok_or_else(|| Error::NotFound(format!("run {} is gone", id.as_str())))?;
    if run.jobs.is_empty() && run.log.is_none() && !run.head.run.in_database && run.findings.iter().next().is_none() {
        let named = named.display();
        return Err(Error::NotFound(format!("no logs under {named}\nif it is a store: --root {named}")));
    }
    Ok(run)
}

/// What is selected of a run; that it failed is asked last, and may be answered with nothing.
fn narrow(run: RunNode, selection: &Selection) -> Result<RunNode> {
    let run = dump::select(run, &Selection { failed: false, ..selection.clone() });
    if run.jobs.is_empty() && (selection.job.is_some() || selection.n.is_some()) {
        return Err(Error::NotFound("no job or command of the run matches --job or --sh".into()));
    }
    Ok(if selection.failed { dump::select(run, selection) } else { run })
}

fn exit_status(head: &RunHead) -> Result<u8> {
    let why = "--exit-status needs a run with a row in a database: a log alone does not tell how its command ended";
    catalog::exit_status(head).ok_or_else(|| Error::Usage(why.into()))
}

/// A failed run counts as failed even when no command did: its head line says why.
fn nothing_failed(run: &RunNode) -> bool {
    run.jobs.is_empty() && run.head.outcome != Some(Outcome::Failed) && !run.head.interrupted
}

/// What the user has set for the screen; what the command line says holds over it.
fn configured(place: &Place, view: &View) -> Result<Config> {
    let mut config = Config::load(place.config.as_deref())?;
    config.ascii |= view.ascii;
    config.settings.notify |= view.notify;
    config.time_zone = place.timezone.clone().or(config.time_zone);
    if let Some(scheme) = view.theme.as_deref().and_then(Scheme::parse) {
        config.settings.look = scheme.into();
    }
    Ok(config)
}

/// Opens the terminal UI.
fn show(view: &View, config: Config, catalog: Catalog, open: Option<RunSpec>) -> Result<tui::Left> {
    let options = tui::Options {
        colour: colour(&io::stdout()),
        ascii: config.ascii,
        time_zone: time_zone(config.time_zone.as_deref())?,
        filter: view.narrow.filter(),
        at: view.at.clone(),
        settings: config.settings,
    };
    tui::run(catalog, open, options)
}

fn print_config(place: &Place, view: &View) -> anyhow::Result<u8> {
    let text = configured(place, view)?.to_toml();
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::Output)?;
    Ok(0)
}

fn list_runs(place: &Place, list: &List) -> anyhow::Result<u8> {
    let catalog = list.narrow.store(place)?;
    let filter = list.narrow.filter();
    let found = match &list.before {
        None => catalog.runs(&filter, list.limit)?,
        Some(run) => {
            let id = catalog.find(&RunSpec::parse(run)?, &filter)?;
            catalog.runs_beside(&Beside::Older(id), &filter, list.limit)?.unwrap_or_default()
        }
    };
    let stdout = io::stdout();
    let colour = colour(&stdout);
    let mut out = BufWriter::new(stdout.lock());
    let written = match list.format {
        ListFormat::Text => dump::write_list_text(&found.heads, colour, &place.time_zone()?, &mut out),
        ListFormat::Json => dump::write_list_json(&found, &mut out),
    };
    written.and_then(|()| out.flush()).map_err(Error::Output)?;
    tell_all(&catalog.notices());
    let for_people = list.format == ListFormat::Text && stdout.is_terminal();
    match found.heads.last() {
        Some(oldest) if for_people && found.has_more => {
            tell(&format!("older runs: the same with --before {}", oldest.run.id.short()));
        }
        // What was asked for is not there, as for a run that is named.
        None if list.limit > 0 && filter.narrows() && list.before.is_none() => {
            return Err(Error::NotFound(nothing_listed(list).into()).into());
        }
        None if list.limit > 0 => tell(nothing_listed(list)),
        Some(_) | None => {}
    }
    Ok(0)
}

fn nothing_listed(list: &List) -> &'static str {
    match list.before {
        Some(_) => "no older run matches",
        None if list.narrow.filter().narrows() => "no run matches --repo or --ref",
        None => "no runs yet; `rundown record -- CMD` records one",
    }
}

/// Lists what is odd; 1 when anything is.
fn examine(place: &Place, doctor: &Doctor) -> anyhow::Result<u8> {
    let filter = doctor.narrow.filter();
    let (catalog, run) = match &doctor.run {
        None => (doctor.narrow.store(place)?, None),
        Some(named) => {
            let (catalog, spec) = open(place, named, &doctor.narrow)?;
            let run = found_run(&catalog, spec.as_ref(), &filter, named)?;
            (catalog, Some(run))
        }
    };
    let out = BufWriter::new(io::stdout().lock());
    let mut found = FindingsWriter::new(out, doctor.format == ListFormat::Json).map_err(Error::Output)?;
    let mut tell = |oddity| found.write(&oddity).map_err(Error::Output);
    let examined = match run {
        Some(run) => doctor::examine_run(&catalog, &run, &mut tell),
        None => doctor::examine_store(&catalog, &filter, &mut tell),
    };
    let count = found.finish(examined.is_ok()).map_err(Error::Output)?;
    examined?;
    if count == 0 && doctor.format == ListFormat::Text {
        tell_all(&["nothing odd was found".to_owned()]);
    }
    Ok(u8::from(count > 0))
}

fn record_command(place: &Place, record: Record) -> anyhow::Result<u8> {
    let options = place.recording(&record.source, false)?;
    let job = record.job.map_or_else(|| record::default_job(&record.argv), JobId);
    let ended = record::record_command(&options, &job, &record.argv)?;
    tell_all(&ended.warnings);
    Ok(ended.exit_code)
}

fn exec_pipeline(place: &Place, exec: &Exec) -> anyhow::Result<u8> {
    let pipeline = record::load_pipeline(&exec.file)?;
    let options = place.recording(&exec.source, exec.quiet)?;
    let ended = record::run_pipeline(&options, &pipeline, &record::Stop::new())?;
    tell_all(&ended.warnings);
    Ok(ended.exit_code)
}

/// The demo's store lives as long as the demo. Its recorder is a process of its own, as a real one would be.
fn run_demo(place: &Place, view: &View) -> anyhow::Result<u8> {
    let is_plain = view.follow || (io::stdout().is_terminal() && follow::is_plain());
    let is_seen = !is_plain && io::stdout().is_terminal() && io::stdin().is_terminal();
    let config = is_seen.then(|| configured(place, view)).transpose()?;
    let mut demo = demo::Demo::start()?;
    let catalog = demo.catalog()?;
    if is_plain {
        return follow::run(place, view, catalog, None);
    }
    if let Some(config) = config {
        show(view, config, catalog, None)?;
        tell("the demo and its store are gone; to record a command of yours: rundown record -- CMD");
        return Ok(0);
    }
    demo.wait()?;
    once(place, view, &catalog, None)
}

impl Place {
    /// `--root`, `$RUNDOWN_ROOT`, the nearest `.rundown/`, or the user's data directory.
    fn root(&self) -> Result<PathBuf> {
        let cwd = std::env::current_dir().unwrap_or_default();
        let near = || cwd.ancestors().map(|dir| dir.join(".rundown")).find(|dir| dir.is_dir());
        let data = || set("XDG_DATA_HOME").filter(|dir| dir.is_absolute());
        let home = || std::env::home_dir().map(|home| home.join(".local/share"));
        let user = || data().or_else(home).map(|dir| dir.join("rundown"));
        let found = self.root.clone().or_else(|| set("RUNDOWN_ROOT")).or_else(near).or_else(user);
        found.ok_or_else(|| {
            Error::Usage("there is no home directory to keep a store in; name one with --root DIR".into())
        })
    }

    /// Whether the user has said where the store is.
    fn is_named(&self) -> bool {
        self.root.is_some() || set("RUNDOWN_ROOT").is_some()
    }

    fn time_zone(&self) -> Result<TimeZone> {
        time_zone(self.timezone.as_deref())
    }

    const fn colour_forced(&self) -> bool {
        matches!(self.colour.color, colorchoice_clap::ColorChoice::Always)
    }

    fn recording(&self, source: &Source, quiet: bool) -> Result<Options> {
        let cwd = std::env::current_dir().map_err(Error::io("find the current directory, here called", "."))?;
        let Source { repo, ref_name, sha } = source;
        let given = Given { repo: repo.clone(), ref_name: ref_name.clone(), sha: sha.clone() };
        Ok(Options { store_root: self.root()?, facts: Facts::find(&given, &cwd), cwd, quiet, signals: true })
    }
}

impl Narrow {
    /// The store; a database that is named without it lies in its root.
    fn store(&self, place: &Place) -> Result<Catalog> {
        let beside = self.db.as_deref().and_then(Path::parent).filter(|_| place.root.is_none());
        let root = beside.map_or_else(|| place.root(), |dir| Ok(Path::new(".").join(dir)))?;
        Ok(Catalog::of_store(&root, self.db.as_deref()))
    }

    fn filter(&self) -> RunFilter {
        RunFilter { repo: self.repo.clone(), ref_name: self.ref_name.clone() }
    }
}

impl View {
    /// Whether something was asked for that only printing can do.
    const fn prints(&self) -> bool {
        self.once
            || self.failed
            || self.format.is_some()
            || self.job.is_some()
            || self.sh.is_some()
            || self.stream.is_some()
            || self.tail.is_some()
            || self.timestamps.is_some()
    }

    fn look(&self, place: &Place, colour: bool) -> Result<Look> {
        let stream = self.stream.map(Into::into);
        let timestamps = self.timestamps.map_or(Timestamps::None, Into::into);
        Ok(Look { stream, tail: self.tail, timestamps, colour, time_zone: place.time_zone()? })
    }

    fn selection(&self) -> Result<Selection> {
        let glob = |text: &String| Glob::new(text).map(|glob| glob.compile_matcher());
        let job = self.job.as_ref().map(glob).transpose();
        let job = job.map_err(|error| Error::Usage(format!("--job: {error}")))?;
        Ok(Selection { job, n: self.sh, failed: self.failed })
    }
}

/// A path from the environment.
fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The zone of this name, or the user's.
fn time_zone(name: Option<&str>) -> Result<TimeZone> {
    let Some(name) = name else { return Ok(local_time_zone()) };
    TimeZone::get(name)
        .map_err(|_| Error::Usage(format!("no time zone is called `{name}`; try one like Europe/Berlin, or UTC")))
}

/// The user's zone. Where no variable names one it is read from the system's file: to find out what that is called, as
/// [`TimeZone::system`] does, takes longer than to list runs.
fn local_time_zone() -> TimeZone {
    let told = std::env::var_os("TZ").is_none().then(|| std::fs::read("/etc/localtime").ok()).flatten();
    told.and_then(|bytes| TimeZone::tzif("local", &bytes).ok()).unwrap_or_else(TimeZone::system)
}

/// `--color` over `NO_COLOR` and `CLICOLOR_FORCE`, over whether it is a terminal.
fn colour(stdout: &io::Stdout) -> bool {
    // `CLICOLOR_FORCE=0` means: not forced.
    let is_unforced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value == "0");
    let is_chosen = anstream::ColorChoice::global() != anstream::ColorChoice::Auto;
    let choice = anstream::AutoStream::choice(stdout);
    choice != anstream::ColorChoice::Never && (is_chosen || !is_unforced || stdout.is_terminal())
}

fn tell_all(notices: &[String]) {
    for notice in notices {
        tell(notice);
    }
}

/// Says something on stderr. Names in it come from stores, so each line is sanitised; nobody may be reading any more.
pub fn tell(text: &str) {
    let mut stderr = io::stderr().lock();
    for (number, line) in text.lines().enumerate() {
        let lead = if number == 0 { "rundown: " } else { "         " };
        let _ = writeln!(stderr, "{lead}{}", sanitise::name(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_zone_is_the_system_s() {
        let now = jiff::Timestamp::now();
        assert_eq!(local_time_zone().to_offset(now), TimeZone::system().to_offset(now));
    }
}
