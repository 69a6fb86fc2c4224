//! The selection in one run, found again in the next one.

use std::collections::HashSet;

use super::Tree;
use crate::join::{JobNode, Place, RunNode, ShNode, ShState};
use crate::model::JobId;

/// A selection that outlives a step to another run.
pub struct KeptPlace {
    place: Place,
    /// The command line of a selected command.
    cmd: Option<String>,
    /// True if all commands of the selected job or run were shown.
    shows_all: bool,
    chosen: bool,
    folded: HashSet<JobId>,
    /// The selection in a run without the place. Once the user moves it, the place is given up.
    instead: Option<Place>,
}

impl KeptPlace {
    /// Returns the selection in a run; `None` if nothing is selected.
    #[must_use]
    pub fn of(run: &RunNode, tree: &Tree) -> Option<Self> {
        let place = tree.at.clone()?;
        let job = place.job().and_then(|id| job_of(run, id));
        let sh = job.and_then(|job| job.shs.iter().find(|sh| Some(sh.n) == place.n()));
        Some(Self {
            cmd: sh.and_then(cmd).map(ToOwned::to_owned),
            place,
            shows_all: tree.shows_all,
            chosen: tree.chosen,
            folded: tree.folded.clone(),
            instead: None,
        })
    }

    /// Returns true if this place was not found in the last run and the selection has not moved
    /// since.
    #[must_use]
    pub fn is_pending(&self, tree: &Tree) -> bool {
        self.instead.is_some() && self.instead == tree.at
    }

    /// Keeps the place for the next run. `tree` contains the current selection.
    pub fn wait(&mut self, tree: &Tree) {
        self.instead.clone_from(&tree.at);
    }

    /// Returns the selection in another run, and true if the place was found, false if only its
    /// job; `None` if the run has no such job.
    #[must_use]
    pub fn in_run(&self, run: &RunNode) -> Option<(Tree, bool)> {
        let (place, sh) = match &self.place {
            Place::Run => (Place::Run, None),
            Place::Job(id) => (Place::Job(job_of(run, id)?.job.id.clone()), None),
            Place::Sh(id, n) => {
                let sh = self.sh_in(job_of(run, id)?, *n);
                let job = || Place::Job(id.clone());
                (sh.map_or_else(job, |sh| Place::Sh(id.clone(), sh.n)), sh)
            }
        };
        let is_found = sh.is_some() || self.place.n().is_none();
        // Unless it is chosen, a selection on a command that has ended moves automatically.
        let is_running = sh.is_some_and(|sh| sh.state == ShState::Running);
        let tree = Tree {
            at: Some(place),
            shows_all: self.shows_all,
            chosen: self.chosen || !is_running,
            folded: self.folded.clone(),
            ..Tree::default()
        };
        Some((tree, is_found))
    }

    /// Returns the command of a job with the same command line, with the same number if possible;
    /// else the one with the same number.
    fn sh_in<'a>(&self, job: &'a JobNode, n: u32) -> Option<&'a ShNode> {
        let is_same = |sh: &&ShNode| self.cmd.is_some() && cmd(sh) == self.cmd.as_deref();
        let at_n = job.shs.iter().find(|sh| sh.n == n);
        at_n.filter(is_same).or_else(|| job.shs.iter().find(is_same)).or(at_n)
    }
}

fn job_of<'a>(run: &'a RunNode, id: &JobId) -> Option<&'a JobNode> {
    run.jobs.iter().find(|job| job.job.id == *id)
}

fn cmd(sh: &ShNode) -> Option<&str> {
    sh.sh.as_ref().map(|sh| sh.cmd.as_str())
}
