//! Lookup of the store and the user's time zone in the arguments, the environment and the system.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::args::{LookArgs, Narrow, OutputArgs, RecordArgs, Root, RunFacts, StoreArgs, Zone};
use super::config::Config;
use super::{print_notice, print_notices, trust};
use crate::catalog::{Catalog, RunFilter};
use crate::error::{Error, Result, chain};
use crate::file::identity;
use crate::model::{RunDetails, RunId};
use crate::record::{self, Ended, Facts, Given, Masking, Options};
use crate::store::OUR_DATABASE;
use crate::store::RunRowFilter;
use crate::upkeep::{Limits, prune_if_due};

impl LookArgs {
    /// Returns true if the environment or the configuration enables secure mode, or if the
    /// configuration cannot be read.
    pub(super) fn is_secure(&self) -> bool {
        is_switched_on(SECURE)
            || Config::load(self.config.as_deref()).map_or(true, |config| config.settings.secure)
    }
}

impl Root {
    /// Returns the store to read: `--root`, `$RUNDOWN_ROOT`, the nearest `.rundown/`, or the user's
    /// data directory. Fails if the nearest `.rundown/` is not trusted.
    pub(super) fn root(&self) -> Result<PathBuf> {
        self.root_if(trust::check)
    }

    /// Returns the store to remove or repair runs in. As for a recording, the nearest `.rundown/`
    /// must not have come with a repository.
    pub(super) fn root_to_write(&self) -> Result<PathBuf> {
        self.root_if(trust::check_for_recording)
    }

    /// Returns the named root, the nearest `.rundown/`, or the user's data directory. Fails if
    /// `check` rejects the nearest `.rundown/`.
    pub(super) fn root_if(&self, check: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        if let Some(named) = self.dir.clone().or_else(|| set("RUNDOWN_ROOT")) {
            return Ok(named);
        }
        let cwd = std::env::current_dir().unwrap_or_default();
        if let Some(near) = cwd.ancestors().map(|dir| dir.join(".rundown")).find(|dir| dir.is_dir())
        {
            check(&near)?;
            return Ok(near);
        }
        let data = || set("XDG_DATA_HOME").filter(|dir| dir.is_absolute());
        let home = || std::env::home_dir().map(|home| home.join(".local/share"));
        data().or_else(home).map(|dir| dir.join("rundown")).ok_or_else(|| {
            Error::Usage("no home directory for a store; name a store with --root DIR".into())
        })
    }

    /// Returns true if the user named the store.
    pub(super) fn is_named(&self) -> bool {
        self.dir.is_some() || set("RUNDOWN_ROOT").is_some()
    }
}

impl Zone {
    pub(super) fn time_zone(&self) -> Result<TimeZone> {
        time_zone(self.name.as_deref())
    }
}

impl OutputArgs {
    pub(super) const fn is_color_forced(&self) -> bool {
        matches!(self.color.when, clap::ColorChoice::Always)
    }
}

impl RunFacts {
    pub(super) fn given(&self) -> Given {
        let Self { repo, ref_name, sha, .. } = self;
        Given { repo: repo.clone(), ref_name: ref_name.clone(), sha: sha.clone() }
    }

    /// Returns the rules by which secrets are found.
    pub(super) fn masking(&self, config: &Config) -> Masking {
        Masking {
            names: [self.mask.as_slice(), &config.mask].concat(),
            uses_defaults: config.default_masks && !self.no_default_masks,
            masks_output: config.mask_output,
        }
    }
}

/// The result of a recording.
pub(super) enum Adds {
    /// A run.
    Run,
    /// A command: of the run with this id, of the run in the environment, or of a run of its own.
    Command(Option<String>),
}

/// Returns the options of a recording. A faulty configuration is ignored. Without a store, the
/// commands run but are not recorded.
///
/// # Errors
/// If there is no store, although a recording is required.
pub(super) fn recording(facts: &RunFacts, store: &RecordArgs, adds: Adds) -> Result<Recording> {
    let config = Config::load(store.config.as_deref()).unwrap_or_else(|error| {
        print_notice(&format!("ignoring the configuration: {}", chain(&error)));
        Config::default()
    });
    let must_record = store.must_record;
    let store_root = match store.root.root_if(trust::check_for_recording) {
        Err(error) if must_record => return Err(error),
        root => root.map_err(|error| chain(&error)),
    };
    let run = match adds {
        Adds::Run => None,
        Adds::Command(Some(named)) => Some(RunId(named)),
        Adds::Command(None) => run_of_environment(store_root.as_deref().ok()),
    };
    let mut options = Options::new("");
    // The facts of a run that exists are known: git, which takes time, is not run for a step.
    let find = if run.is_some() { Facts::find_without_git } else { Facts::find };
    options.facts = find(&facts.given(), &options.cwd);
    options.details = details(&facts.env);
    options.reads_commit = run.is_none();
    options.masking = facts.masking(&config);
    options.masking.masks_output |= store.mask_output;
    options.run = run;
    options.store_root = store_root;
    options.must_record = must_record;
    options.output = store.connection.chosen().unwrap_or(config.output);
    options.sync = config.sync;
    options.max_log = store.max_log.or(config.max_log);
    options.signals = true;
    Ok(Recording { options, retention: config.retention })
}

/// The options of a recording, and the limits that apply after it.
pub(super) struct Recording {
    pub options: Options,
    pub retention: Limits,
}

impl Recording {
    /// Prints the messages of a recording that has ended, and removes old runs if that is due.
    /// Returns the exit code.
    pub(super) fn finish(&self, ended: &Ended) -> u8 {
        print_notices(&ended.warnings);
        if let Ok(root) = &self.options.store_root
            && self.options.run.is_none()
        {
            prune_old(root, &self.retention);
        }
        ended.exit_code
    }
}

/// Removes runs that exceed the limits, if that is due. A failure is only reported: it does not
/// affect the command that was recorded before.
pub(super) fn prune_old(root: &Path, limits: &Limits) {
    if !root.join(OUR_DATABASE).exists() {
        return;
    }
    match prune_if_due(root, limits) {
        Ok(pruned) => print_notices(&pruned.map(|pruned| pruned.failures).unwrap_or_default()),
        Err(error) => print_notice(&format!("old runs were not removed: {}", chain(&error))),
    }
}

/// Returns the details of a new run: those of the CI system, and the values of these variables.
pub(super) fn details(names: &[String]) -> RunDetails {
    let variables = record::named_variables(names, variable).into_iter();
    let set = variables.filter_map(|(name, value)| {
        if value.is_none() {
            print_notice(&format!("the variable {name} is not recorded: it is not set"));
        }
        Some((name, value?))
    });
    RunDetails { variables: set.collect(), ..record::find_details() }
}

/// Returns the run in the environment; `None` if no run is set, or if the environment names another
/// store, whose run it is.
fn run_of_environment(root: Option<&Path>) -> Option<RunId> {
    let is_same = |named: PathBuf| {
        root.is_some_and(|root| identity(root).is_some_and(|id| identity(&named) == Some(id)))
    };
    variable(record::RUN).filter(|_| set(record::ROOT).is_none_or(is_same)).map(RunId)
}

/// Returns the value of a variable; `None` if it is unset, empty, or not UTF-8.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl StoreArgs {
    /// Opens the store. With `--db` but without `--root`, the directory of the database is the
    /// root.
    pub(super) fn catalog(&self) -> Result<Catalog> {
        let is_named = self.root.dir.is_some();
        let beside = self.db.as_deref().and_then(Path::parent).filter(|_| !is_named);
        let root = beside.map_or_else(|| self.root.root(), |dir| Ok(Path::new(".").join(dir)))?;
        Ok(Catalog::of_store(&root, self.db.as_deref()))
    }
}

impl Narrow {
    pub(super) fn filter(&self) -> RunFilter {
        RunFilter { repo: self.repo.clone(), ref_name: self.ref_name.clone() }
    }

    /// Returns the filter for rows of rundown's own database.
    pub(super) fn row_filter(&self) -> RunRowFilter {
        RunRowFilter { id: None, repo: self.repo.clone(), ref_name: self.ref_name.clone() }
    }
}

/// Returns a path from the environment; `None` if the variable is unset or empty.
pub(super) fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The environment variable that enables secure mode even if the configuration does not.
pub(super) const SECURE: &str = "RUNDOWN_SECURE";

/// Returns true if a variable is set, is not empty, and is not `0`.
pub(super) fn is_switched_on(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Returns the time zone with this name, or the user's time zone if `name` is `None`.
pub(super) fn time_zone(name: Option<&str>) -> Result<TimeZone> {
    let Some(name) = name else { return Ok(local_time_zone()) };
    TimeZone::get(name).map_err(|_| {
        Error::Usage(format!("unknown time zone `{name}`; use a name such as Europe/Berlin or UTC"))
    })
}

/// Returns the user's time zone. If `TZ` is not set, reads `/etc/localtime`. [`TimeZone::system`]
/// also looks up the name of the zone, which takes longer than listing runs.
fn local_time_zone() -> TimeZone {
    let zone_file =
        std::env::var_os("TZ").is_none().then(|| std::fs::read("/etc/localtime").ok()).flatten();
    zone_file
        .and_then(|bytes| TimeZone::tzif("local", &bytes).ok())
        .unwrap_or_else(TimeZone::system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_time_zone_is_that_of_the_system() {
        let now = jiff::Timestamp::now();
        assert_eq!(local_time_zone().to_offset(now), TimeZone::system().to_offset(now));
    }
}
