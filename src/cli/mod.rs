//! The command line: checks the parsed arguments and the configuration, and runs the command.
//!
//! stdout carries data, stderr carries notices. Exit codes are a stable interface, see
//! [`crate::error::Error::exit_code`] and [`crate::catalog::exit_status`].

mod amounts;
mod args;
mod bundle;
mod completions;
mod config;
mod exec;
mod export;
mod follow;
mod help;
mod hints;
mod leaving;
mod list;
mod man;
mod once;
mod parse;
mod place;
mod prune;
#[cfg(feature = "remote")]
mod push;
mod recording;
mod remote;
mod rerun;
mod schema;
mod selection;
mod steps;
mod trust;
mod uploader;
mod usage;
mod watch;

use std::ffi::OsStr;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::catalog::{self, Catalog, RunFilter, RunSpec};
use crate::ci;
use crate::demo;
use crate::doctor::{self, Oddity};
use crate::dump::FindingsWriter;
use crate::error::{self, Error, Result};
use crate::join::{self, RunHead};
use crate::model::JobId;
use crate::record;
use crate::store::RunRowFilter;
use crate::time::Time;
use crate::tui::theme::Scheme;
use crate::upkeep::{self, Repaired};
use crate::{display, sanitize, search, tui};

pub use args::Arguments;
use args::{
    Color, Command, Doctor, ListFormat, LookArgs, NEWEST, PrintConfig, Record, StoreArgs, View,
    Zone,
};
#[doc(hidden)]
pub use config::Config;
use list::list_runs;
use once::{found_run, once};
pub use parse::parse;
use place::{SECURE, is_switched_on, time_zone, variable};
use recording::{Adds, setup};
pub use usage::print_usage;

impl Arguments {
    /// Returns true if the exit code is that of recorded commands.
    #[must_use]
    pub const fn records(&self) -> bool {
        matches!(
            self.command,
            Some(Command::Record(_) | Command::Exec(_) | Command::Rerun(_) | Command::Sh(_))
        )
    }

    /// Returns true if the command needs stdout for its own output.
    #[must_use]
    pub const fn prints(&self) -> bool {
        match &self.command {
            Some(Command::Exec(exec)) => exec.dry_run,
            Some(Command::End(_) | Command::Push(_)) => false,
            Some(Command::Export(export)) => export.to.is_none(),
            _ => !self.records(),
        }
    }

    /// Runs the command, and returns the exit code.
    ///
    /// # Errors
    /// The error that ended the command, for `main` to print.
    pub fn run(self) -> anyhow::Result<u8> {
        match self.command {
            None => view(&self.view).map_err(|error| {
                let View { run, store, narrow, .. } = &self.view;
                hints::for_run(error, run, true, (store, &narrow.filter()))
            }),
            Some(Command::List(list)) => list_runs(&list),
            Some(Command::Doctor(doctor)) => examine(&doctor).map_err(|error| {
                let Doctor { run, store, narrow, .. } = &doctor;
                let Some(run) = run else { return error };
                hints::for_run(error, run, false, (store, &narrow.filter()))
            }),
            Some(Command::Bundle(bundle)) => bundle::bundle(&bundle),
            #[cfg(feature = "remote")]
            Some(Command::Push(push)) => push::push(&push),
            #[cfg(not(feature = "remote"))]
            Some(Command::Push(_)) => Err(remote::unsupported(Path::new("rundown push")).into()),
            Some(Command::Prune(prune)) => prune::prune(&prune),
            Some(Command::Export(export)) => export::export(&export),
            Some(Command::Record(record)) => record_command(record),
            Some(Command::Exec(exec)) => exec::exec(&exec),
            Some(Command::Rerun(rerun)) => rerun::rerun(&rerun),
            Some(Command::Begin(begin)) => steps::begin(begin),
            Some(Command::End(end)) => steps::end(&end),
            Some(Command::Sh(sh)) => steps::run_line(&sh),
            Some(Command::Demo(demo)) => run_demo(&demo.into()),
            Some(Command::Config(config)) => print_config(&config),
            Some(Command::Schema(schema)) => Ok(schema::print_schema(&schema)?),
            Some(Command::Completions(completions)) => Ok(completions::print(completions)?),
            Some(Command::Man(man)) => Ok(man::print(&man)?),
        }
    }
}

/// The RUN that stands for the log on stdin.
const STDIN: &str = "-";

/// The time limit for finding the run. After it, the screen opens without the run.
const SOON: Duration = Duration::from_secs(1);

fn view(view: &View) -> anyhow::Result<u8> {
    view.output.color.apply();
    if view.watch {
        check_watch(view)?;
    }
    let (catalog, spec) = open(&view.store, &view.narrow.filter(), &view.run)?;
    // The path of a store selects its newest run.
    let spec = spec.or_else(|| catalog.root().map(|_| RunSpec::Latest(0)));
    if view.output.follow {
        follow::check(view)?;
    } else if view.prints() || !io::stdout().is_terminal() {
        catalog.complete()?;
        use_rules(view.screen.look.config.as_deref(), catalog.root());
        return once(view, &catalog, spec.as_ref());
    }
    let is_plain = view.output.follow || follow::is_plain();
    let config = (!is_plain).then(|| screen_config(view)).transpose()?;
    // With --watch, it is no error if no run matches the filter: a matching run may begin later.
    let (catalog, open) = find_soon(view, catalog, spec.filter(|_| !view.watch))?;
    let Some(config) = config else { return follow::run(view, catalog, open) };
    let left = show(view, config, catalog, open)?;
    print_notices(&left.notices);
    leaving::print_reopen_command(view, &left);
    Ok(exit_code(view, &left)?)
}

/// Rejects `--watch` if a RUN is named, or if the screen does not open.
fn check_watch(view: &View) -> Result<()> {
    if view.run != NEWEST {
        let why = "--watch opens the newest run and then each new one, and takes no RUN\n\
                   to watch a ref or a repository, use --ref or --repo";
        return Err(Error::Usage(why.into()));
    }
    check_screen(view, "to print the newest run until it ends, use --follow")
}

/// Rejects `--watch` if the screen does not open; `instead` is the remedy.
fn check_screen(view: &View, instead: &str) -> Result<()> {
    let why = if view.prints() {
        "another option prints the run and exits"
    } else if !io::stdout().is_terminal() {
        "stdout is not a terminal"
    } else if follow::is_plain() {
        "ACCESSIBLE or TERM=dumb replaces it with plain lines"
    } else {
        return Ok(());
    };
    Err(Error::Usage(format!("--watch needs the screen, but {why}\n{instead}")))
}

/// Uses the rules of a store and of the configuration. A faulty file is ignored, after a notice if
/// it belongs to the store: the screen and `rundown config` report faults of the configuration.
fn use_rules(config: Option<&Path>, root: Option<&Path>) {
    // An address must not be taken for a path: a directory may have the name `s3:`.
    let root = root.filter(|root| !remote::is_url(root));
    let of_store = root.map_or(Ok(Vec::new()), Config::load_rules);
    let of_store = of_store.unwrap_or_else(|error| {
        print_notice(&format!("{}\nthe rules of this store are ignored", error::chain(&error)));
        Vec::new()
    });
    let own = Config::load(config).map(|config| config.rules).unwrap_or_default();
    search::use_rules(of_store.into_iter().chain(own).collect());
}

/// Returns the exit code after the screen was left.
fn exit_code(view: &View, left: &tui::Left) -> Result<u8> {
    match (left.signal, &left.run) {
        (Some(signal), _) => Ok(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
        (None, Some(run)) if view.output.exit_status => exit_status(&run.head),
        (None, _) => Ok(0),
    }
}

/// Calls [`find_to_open`], but waits at most [`SOON`]. If the file system does not respond by then,
/// returns the run as requested, so that the screen opens and waits for the store.
fn find_soon(
    view: &View,
    catalog: Catalog,
    spec: Option<RunSpec>,
) -> Result<(Catalog, Option<RunSpec>)> {
    let is_named = view.store.db.is_some() || view.store.root.is_named();
    let (requested, filter, again) = (spec.clone(), view.narrow.filter(), catalog.reopened());
    let (send, found) = mpsc::channel();
    let config = view.screen.look.config.clone();
    thread::spawn(move || {
        use_rules(config.as_deref(), catalog.root());
        let open = find_to_open(&catalog, requested, &filter, is_named);
        let _ = send.send(open.map(|open| (catalog, open)));
    });
    // After a timeout, the thread keeps running with its own catalog; its result is dropped.
    found.recv_timeout(SOON).unwrap_or(Ok((again, spec)))
}

/// Returns the run to open or to follow; `None` for the newest one. Fails only if the run or the
/// store is certainly missing. It is no error if a store that the user named is missing: it may be
/// created later.
fn find_to_open(
    catalog: &Catalog,
    spec: Option<RunSpec>,
    filter: &RunFilter,
    is_named: bool,
) -> Result<Option<RunSpec>> {
    if let Err(error @ Error::NoStore { .. }) = catalog.check_exists()
        && !is_named
    {
        return Err(error);
    }
    let Some(spec) = spec.filter(|spec| *spec != RunSpec::Latest(0) || filter.narrows()) else {
        return Ok(None);
    };
    match catalog.find(&spec, filter) {
        Ok(id) => Ok(Some(RunSpec::Id(id.0))),
        Err(error @ (Error::NotFound(_) | Error::NoRun(_))) => Err(error),
        Err(_) => Ok(Some(spec)),
    }
}

/// Opens the store, and parses `run` as a [`RunSpec`]. If `run` is a path, opens this path instead, a
/// store or logs, and returns no [`RunSpec`].
fn open(store: &StoreArgs, filter: &RunFilter, run: &OsStr) -> Result<(Catalog, Option<RunSpec>)> {
    let text = run.to_string_lossy();
    let path = Path::new(run);
    if text == STDIN {
        return Ok((of_stdin()?, None));
    }
    if remote::is_url(run) {
        store.check_db(path)?;
        return Ok((remote::catalog(path, &store.server)?, None));
    }
    let spec = RunSpec::parse(&text);
    let is_word = matches!(spec, Ok(RunSpec::Latest(_) | RunSpec::LatestThat(_)));
    if !is_word && path.exists() {
        store.check_db(path)?;
        return Ok((Catalog::of_named(path)?, None));
    }
    if text.contains('/') {
        let of_ref = RunSpec::may_be_deep_ref(&text)
            .then(|| open_deep_ref(store, filter, &text, path))
            .flatten();
        return Ok(of_ref.map_or_else(
            || (Catalog::of_path(path), None),
            |(catalog, spec)| (catalog, Some(spec)),
        ));
    }
    let spec = spec?;
    Ok((store.catalog()?, Some(spec)))
}

/// Opens the store or path of an argument as [`open`] does, and loads the run that it selects. An
/// error suggests a similar name.
fn load_named<T>(
    store: &StoreArgs,
    filter: &RunFilter,
    named: &OsStr,
    load: impl FnOnce(&Catalog, &RunSpec) -> Result<T>,
) -> anyhow::Result<(Catalog, T)> {
    let found = open(store, filter, named).and_then(|(catalog, spec)| {
        catalog.complete()?;
        // The path of a store or of a bundle selects its newest run.
        let loaded = load(&catalog, &spec.unwrap_or(RunSpec::Latest(0)))?;
        Ok((catalog, loaded))
    });
    found.map_err(|error| hints::for_run(error.into(), named, false, (store, filter)))
}

/// Opens the log that is piped to us.
fn of_stdin() -> Result<Catalog> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        let why = "`-` reads a log from a pipe, but stdin is a terminal\n\
                   pipe a log to it, as in: zcat build.log.gz | rundown -";
        return Err(Error::Usage(why.into()));
    }
    Catalog::of_pipe(Path::new("stdin"), stdin)
}

/// Opens the store for a name with a slash, unless the name is a path. Returns `None` for a path.
/// The name is a path if there is no store. It is also a path if no run has this ref and the parent
/// directory exists, because the file may then be created later.
fn open_deep_ref(
    store: &StoreArgs,
    filter: &RunFilter,
    name: &str,
    path: &Path,
) -> Option<(Catalog, RunSpec)> {
    let (catalog, spec) = (store.catalog().ok()?, RunSpec::Named(name.to_owned()));
    let is_path = match catalog.find(&spec, filter) {
        Err(Error::NoStore { .. }) => true,
        Err(Error::NoRun(_)) => path.parent().is_some_and(Path::is_dir),
        _ => false,
    };
    (!is_path).then_some((catalog, spec))
}

fn exit_status(head: &RunHead) -> Result<u8> {
    catalog::exit_status(head).ok_or_else(no_exit_status)
}

fn no_exit_status() -> Error {
    let why = "--exit-status needs a run with a row in a database: a log alone has no exit status";
    Error::Usage(why.into())
}

/// Returns the settings of the screen. The command line takes precedence over the configuration.
fn configured(look: &LookArgs, zone: &Zone) -> Result<Config> {
    let mut config = Config::load(look.config.as_deref())?;
    config.ascii |= look.ascii;
    config.settings.notify |= look.notify;
    config.settings.secure |= is_switched_on(SECURE);
    config.time_zone = zone.name.clone().or(config.time_zone);
    if let Some(scheme) = look.theme.as_deref().and_then(Scheme::parse) {
        config.settings.look = scheme.into();
    }
    Ok(config)
}

fn screen_config(view: &View) -> Result<Config> {
    configured(&view.screen.look, &view.output.zone)
}

/// Opens the terminal UI.
fn show(view: &View, config: Config, catalog: Catalog, open: Option<RunSpec>) -> Result<tui::Left> {
    let options = tui::Options {
        color: color(&io::stdout()),
        ascii: config.ascii,
        time_zone: time_zone(config.time_zone.as_deref())?,
        filter: view.narrow.filter(),
        at: view.screen.at.clone(),
        watch: view.watch,
        settings: config.settings,
    };
    tui::run(catalog, open, options)
}

fn print_config(config: &PrintConfig) -> anyhow::Result<u8> {
    let text = configured(&config.look, &config.zone)?.to_toml();
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::Output)?;
    Ok(0)
}

/// Lists the findings, after a repair if one is requested. The exit code is 1 if there are any.
fn examine(doctor: &Doctor) -> anyhow::Result<u8> {
    let filter = doctor.narrow.filter();
    // The repair ends before the store is read: no process does both at once.
    let (repaired, failures) = if doctor.repair { repair(doctor)? } else { Default::default() };
    let (catalog, run) = named_run(doctor, &filter)?;
    let out = ci::Output::new(BufWriter::new(io::stdout().lock()));
    let mut found =
        FindingsWriter::new(out, doctor.format == ListFormat::Json).map_err(Error::Output)?;
    let mut write = |oddity| found.write(&oddity).map_err(Error::Output);
    let written = repaired.into_iter().map(Oddity::Repaired).try_for_each(&mut write);
    let examined = written.and_then(|()| match run {
        Some(run) => doctor::examine_run(&catalog, &run, &mut write),
        None => doctor::examine_store(&catalog, &filter, &mut write),
    });
    let written = found.finish(examined.is_ok()).map_err(Error::Output);
    match examined.and(written) {
        // The findings count even if the reader of the output is gone.
        Err(error) if error.is_closed_pipe() => {}
        result => result?,
    }
    print_notices(&failures);
    if !failures.is_empty() {
        return Ok(6);
    }
    if found.count() == 0 && doctor.format == ListFormat::Text {
        print_notice("no problems found");
    }
    Ok(u8::from(found.count() > 0))
}

/// Opens the store or path of `doctor`, and loads its RUN.
fn named_run(
    doctor: &Doctor,
    filter: &RunFilter,
) -> anyhow::Result<(Catalog, Option<join::RunNode>)> {
    let Some(named) = &doctor.run else { return Ok((doctor.store.catalog()?, None)) };
    let (catalog, spec) = open(&doctor.store, filter, named)?;
    catalog.complete()?;
    if spec.is_none() && catalog.root().is_some() {
        // The path of a store selects all of its runs.
        return Ok((catalog, None));
    }
    let run = found_run(&catalog, spec.as_ref(), filter, named)?;
    Ok((catalog, Some(run)))
}

/// Repairs the runs that `doctor` selects. Returns those that were repaired, and the reasons why
/// others could not be.
fn repair(doctor: &Doctor) -> anyhow::Result<(Vec<Repaired>, Vec<String>)> {
    let root = doctor.store.root.root_to_write()?;
    let (catalog, run) = named_run(doctor, &doctor.narrow.filter())?;
    if catalog.root().is_none() {
        let why = "--repair changes a store, and RUN is a path";
        return Err(Error::Usage(why.into()).into());
    }
    drop(catalog);
    let id = run.map(|run| run.head.run.id);
    let filter = RunRowFilter { id, ..doctor.narrow.row_filter() };
    let repairs = upkeep::repair(&root, &filter, Time::now())?;
    if repairs.removals > 0 {
        let runs = display::runs(repairs.removals);
        print_notice(&format!("completed the removal of {runs} that had been interrupted"));
    }
    Ok((repairs.repaired, repairs.failures))
}

fn record_command(record: Record) -> anyhow::Result<u8> {
    let setup = setup(&record.facts, &record.store, Adds::Command(record.run))?;
    let job = record.job.or_else(|| variable(record::JOB)).map(JobId).or_else(record::find_job);
    let job = job.unwrap_or_else(|| record::default_job(&record.argv));
    let begun = record::Recording::command(&setup.options, &job, &record.argv)?;
    let ended = setup.execute(begun);
    Ok(setup.finish(&ended))
}

/// Runs the demo, and deletes its store at the end. The recorder is a separate process, as in a
/// real recording.
fn run_demo(view: &View) -> anyhow::Result<u8> {
    view.output.color.apply();
    let is_screen = io::stdout().is_terminal() && !view.prints();
    if view.output.follow {
        follow::check(view)?;
    }
    let is_plain = view.output.follow || (is_screen && follow::is_plain());
    let is_seen = !is_plain && is_screen && io::stdin().is_terminal();
    let config = is_seen.then(|| screen_config(view)).transpose()?;
    let mut demo = demo::Demo::start()?;
    let catalog = demo.catalog()?;
    if is_plain {
        return follow::run(view, catalog, None);
    }
    if let Some(config) = config {
        let left = show(view, config, catalog, None)?;
        print_notices(&left.notices);
        print_notice(
            "the demo store was deleted; to record your own command: rundown record -- CMD",
        );
        return Ok(exit_code(view, &left)?);
    }
    demo.wait()?;
    once(view, &catalog, None)
}

impl Color {
    /// Applies the choice to all output of the process.
    fn apply(&self) {
        match self.when {
            clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
            clap::ColorChoice::Always => anstream::ColorChoice::Always,
            clap::ColorChoice::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// Returns true if output is colored. `--color` takes precedence over `NO_COLOR` and
/// `CLICOLOR_FORCE`, which take precedence over the type of the output (a terminal or not).
fn color(stdout: &io::Stdout) -> bool {
    // `CLICOLOR_FORCE=0` does not force colors.
    let is_unforced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value == "0");
    let is_chosen = anstream::ColorChoice::global() != anstream::ColorChoice::Auto;
    let choice = anstream::AutoStream::choice(stdout);
    choice != anstream::ColorChoice::Never && (is_chosen || !is_unforced || stdout.is_terminal())
}

fn print_notices(notices: &[String]) {
    for notice in notices {
        print_notice(notice);
    }
}

/// Prints a notice on stderr. It may contain names from stores, so each line is sanitized. Errors
/// are ignored: the reader may be gone.
pub fn print_notice(text: &str) {
    let mut stderr = ci::Output::new(io::stderr().lock());
    for (number, line) in text.lines().enumerate() {
        let lead = if number == 0 { "rundown: " } else { "         " };
        let _ = writeln!(stderr, "{lead}{}", sanitize::name(line));
    }
}
