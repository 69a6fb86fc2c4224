//! The options of a recording, from the arguments, the configuration and the environment; and the
//! work after its end.

use std::env::VarError;
use std::path::{Path, PathBuf};

use super::args::{RecordArgs, RunFacts};
use super::config::Config;
use super::place::{path_variable, variable};
use super::uploader::{PUSH, Target};
use super::{print_notice, print_notices};
use crate::error::{Result, chain};
use crate::file::identity;
use crate::model::{RunDetails, RunId};
use crate::record::{self, Ended, Facts, Given, Masking, Options, Recording, Stop};
use crate::store::OUR_DATABASE;
use crate::upkeep::{Limits, prune_if_due};

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

/// The part of a store that a recording adds.
pub(super) enum Adds {
    /// A run.
    Run,
    /// A command of the run with this id. Without an id, the command belongs to the run in the
    /// environment, or else to a run of its own.
    Command(Option<String>),
}

/// Returns the configuration. Ignores a faulty one, with a notice: a recording never fails because
/// of it.
pub(super) fn config_or_default(path: Option<&Path>) -> Config {
    Config::load(path).unwrap_or_else(|error| {
        print_notice(&format!("ignoring the configuration: {}", chain(&error)));
        Config::default()
    })
}

/// Returns the options of a recording. Ignores a faulty configuration, with a notice. Without a
/// store, the commands run but are not recorded.
///
/// # Errors
/// If there is no store, but the run must be recorded.
pub(super) fn setup(facts: &RunFacts, store: &RecordArgs, adds: Adds) -> Result<Setup> {
    let config = config_or_default(store.config.as_deref());
    let must_record = store.must_record;
    let store_root = match store.root.root_to_write() {
        Err(error) if must_record => return Err(error),
        root => root.map_err(|error| chain(&error)),
    };
    let run = match adds {
        Adds::Run => None,
        Adds::Command(Some(named)) => Some(RunId(named)),
        Adds::Command(None) => run_of_environment(store_root.as_deref().ok()),
    };
    let is_named = store.push.push.as_ref().is_some_and(|url| !url.is_empty());
    if run.is_some() && is_named && variable(PUSH).is_none() {
        let why = "the command is a step, and `rundown begin` or `rundown end` push its run";
        print_notice(&format!("--push is ignored: {why}"));
    }
    let mut options = Options::new("");
    // A run that exists has its facts. A step only needs them if it becomes a run of its own, so it
    // does not wait for git.
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
    Ok(Setup { options, push: Target::of(&store.push, &config), retention: config.retention })
}

/// The options of a recording, and the limits on the runs of its store.
pub(super) struct Setup {
    pub options: Options,
    /// The object storage that a new run is pushed to.
    pub push: Option<Target>,
    pub retention: Limits,
}

impl Setup {
    /// Executes a run to its end. Pushes it meanwhile if that is set, unless it was begun by another
    /// process, which pushes it.
    pub(super) fn execute(&self, begun: Recording) -> Ended {
        let is_own = begun.is_recorded() && self.options.run.as_ref() != Some(begun.run());
        let root = self.options.store_root.as_deref().ok().filter(|_| is_own);
        let uploader =
            self.push.as_ref().zip(root).and_then(|(push, root)| push.upload(root, begun.run()));
        let ended = begun.execute(&Stop::new());
        if let Some(uploader) = uploader {
            uploader.wait();
        }
        ended
    }

    /// Prints the messages of a recording that has ended, and removes old runs if that is due.
    /// Returns the exit code.
    pub(super) fn finish(&self, ended: &Ended) -> u8 {
        print_notices(&ended.warnings);
        if let Ok(root) = &self.options.store_root
            && self.options.run.as_ref() != Some(&ended.run)
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
    let variables = names.iter().filter_map(|name| match std::env::var(name) {
        Ok(value) => Some((name.clone(), value)),
        Err(error) => {
            let why = match error {
                VarError::NotPresent => "not set",
                VarError::NotUnicode(_) => "not UTF-8",
            };
            print_notice(&format!("the variable {name} is not recorded: it is {why}"));
            None
        }
    });
    RunDetails { variables: variables.collect(), ..record::find_details() }
}

/// Returns the run in the environment; `None` if no run is set, or if it belongs to another store.
fn run_of_environment(root: Option<&Path>) -> Option<RunId> {
    let is_same = |named: PathBuf| {
        root.is_some_and(|root| identity(root).is_some_and(|id| identity(&named) == Some(id)))
    };
    variable(record::RUN).filter(|_| path_variable(record::ROOT).is_none_or(is_same)).map(RunId)
}
