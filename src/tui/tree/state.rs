//! The tree of jobs and commands, and the item of a run to show first.

use std::collections::HashSet;

use crate::join::{JobNode, Place, RunNode, ShNode, ShState};
use crate::model::{JobId, Outcome, Phase};

/// The tree of jobs and commands.
#[derive(Default)]
pub struct Tree {
    /// The selected item.
    pub at: Option<Place>,
    /// The jobs whose commands are hidden.
    pub folded: HashSet<JobId>,
    /// The index of the first row on screen.
    pub top: usize,
    /// The number of rows on screen.
    pub height: usize,
    /// The command that was last reached by its rank among the slowest.
    pub ranked: Option<Place>,
    /// True if the user chose the selection, which then no longer moves automatically.
    pub chosen: bool,
    /// True if all commands of the selected job or run are shown, as long as it is selected.
    pub shows_all: bool,
}

/// A row of the tree.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// The run itself.
    Run(&'a RunNode),
    /// A job.
    Job(&'a JobNode),
    /// A command with its job.
    Sh(&'a JobNode, &'a ShNode),
}

impl<'a> Item<'a> {
    /// Returns the item's place in the run.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Run(_) => Place::Run,
            Self::Job(job) => Place::Job(job.job.id.clone()),
            Self::Sh(job, sh) => Place::Sh(job.job.id.clone(), sh.n),
        }
    }

    /// Returns the job itself, or the job of a command; `None` for the run.
    #[must_use]
    pub const fn job(&self) -> Option<&'a JobNode> {
        match self {
            Self::Run(_) => None,
            Self::Job(job) | Self::Sh(job, _) => Some(job),
        }
    }

    /// Returns the command; `None` for a run or a job.
    #[must_use]
    pub const fn sh(&self) -> Option<&'a ShNode> {
        match self {
            Self::Sh(_, sh) => Some(sh),
            Self::Run(_) | Self::Job(_) => None,
        }
    }

    pub(super) fn is_at(&self, place: &Place) -> bool {
        match (self, place) {
            (Self::Run(_), Place::Run) => true,
            (Self::Job(job), Place::Job(id)) => job.job.id == *id,
            (Self::Sh(job, sh), Place::Sh(id, n)) => sh.n == *n && job.job.id == *id,
            _ => false,
        }
    }
}

/// Returns all rows of the tree, including those in folded jobs.
#[must_use]
pub fn items_of(run: &RunNode) -> Vec<Item<'_>> {
    let with_shs = |job| {
        std::iter::once(Item::Job(job)).chain(job.shs.iter().map(move |sh| Item::Sh(job, sh)))
    };
    std::iter::once(Item::Run(run)).chain(run.jobs.iter().flat_map(with_shs)).collect()
}

/// Returns the item of a run at a place.
#[must_use]
pub fn item_of<'a>(run: &'a RunNode, place: &Place) -> Option<Item<'a>> {
    let Some(id) = place.job() else { return Some(Item::Run(run)) };
    let job = run.jobs.iter().find(|job| job.job.id == *id)?;
    let Some(n) = place.n() else { return Some(Item::Job(job)) };
    job.shs.iter().find(|sh| sh.n == n).map(|sh| Item::Sh(job, sh))
}

impl Tree {
    /// Returns the visible rows.
    #[must_use]
    pub fn items<'a>(&self, run: &'a RunNode) -> Vec<Item<'a>> {
        let is_folded = |item: &Item<'_>| {
            item.sh().is_some() && item.job().is_some_and(|job| self.folded.contains(&job.job.id))
        };
        items_of(run).into_iter().filter(|item| !is_folded(item)).collect()
    }

    /// Returns the index of the selection among the visible rows.
    #[must_use]
    pub fn index_in(&self, items: &[Item<'_>]) -> Option<usize> {
        let at = self.at.as_ref()?;
        let found = items.iter().position(|item| item.is_at(at));
        // A command in a folded job is represented by its job.
        let job = || at.job().cloned().map(Place::Job);
        found.or_else(|| job().and_then(|job| items.iter().position(|item| item.is_at(&job))))
    }

    /// Returns the item in the log's pane: the selected command, the command of a selected job to
    /// show first (see `telling_sh`), or the run itself. If all commands of a job are shown, or
    /// it has none, returns the job.
    #[must_use]
    pub fn shown<'a>(&self, run: &'a RunNode) -> Option<Item<'a>> {
        let at = self.at.as_ref()?;
        let Some(id) = at.job() else { return Some(Item::Run(run)) };
        let job = run.jobs.iter().find(|job| job.job.id == *id)?;
        if self.shows_all {
            return Some(Item::Job(job));
        }
        let sh = match at {
            Place::Sh(_, n) => job.shs.iter().find(|sh| sh.n == *n),
            _ => telling_sh(job),
        };
        Some(sh.map_or(Item::Job(job), |sh| Item::Sh(job, sh)))
    }
}

/// Returns the command of a job to show first: the first one that failed, else the last one
/// running, else the first interrupted one, else the first one.
#[must_use]
fn telling_sh(job: &JobNode) -> Option<&ShNode> {
    let with = |state| job.shs.iter().find(move |sh| sh.state == state);
    let running = || job.shs.iter().rfind(|sh| sh.state == ShState::Running);
    with(ShState::Failed)
        .or_else(running)
        .or_else(|| with(ShState::Interrupted))
        .or_else(|| job.shs.first())
}

/// Returns the place in a run to show first. In an active run: the running command, else a failure,
/// else a finding about the run, else the last command. In a finished run: the first failure, else
/// a finding about the run, else the first command. If the run passed although a command failed,
/// the run itself.
#[must_use]
pub fn telling_place(run: &RunNode) -> Option<Place> {
    let place = |job: &JobNode, sh: Option<&ShNode>| {
        sh.map_or_else(|| Place::Job(job.job.id.clone()), |sh| Place::Sh(job.job.id.clone(), sh.n))
    };
    let find_sh = |state: ShState| run.first_in(state).map(|(job, sh)| place(job, Some(sh)));
    let find_job = |wanted: fn(&&JobNode) -> bool| run.jobs.iter().find(wanted);
    // Between two commands, show the last one.
    let active = || {
        let job = find_job(|job| job.phase == Phase::Active && !job.waiting)?;
        Some(place(job, job.shs.last()))
    };
    let running = || find_sh(ShState::Running).or_else(active);
    // A run can fail without a failed command: show its own log, which contains the reason, or else
    // the failed job.
    let own_log =
        || (run.log.is_some() && run.head.outcome == Some(Outcome::Failed)).then_some(Place::Run);
    let failed_job =
        || find_job(|job| job.outcome == Some(Outcome::Failed)).map(|job| place(job, None));
    let failed_sh = || find_sh(ShState::Failed).or_else(|| find_sh(ShState::Interrupted));
    // A run that passed has tolerated its failures: they are not what the user looks for.
    let is_tolerated = run.head.outcome == Some(Outcome::Passed);
    let failed = || {
        let failed = failed_sh().or_else(own_log).or_else(failed_job);
        failed.map(|place| if is_tolerated { Place::Run } else { place })
    };
    // A finding about the run is shown first if it may explain why the run failed or does not
    // progress.
    let is_odd = run.findings.at(&Place::Run).next().is_some();
    let odd = || (is_odd && run.head.outcome != Some(Outcome::Passed)).then_some(Place::Run);
    let own = || (is_odd || run.log.is_some()).then_some(Place::Run);
    let first_job = || run.jobs.first().map(|job| place(job, None));
    let first_sh = || find_job(|job| !job.shs.is_empty()).map(|job| place(job, job.shs.first()));
    let first = || first_sh().or_else(own).or_else(first_job);
    let last_sh =
        || run.jobs.iter().rfind(|job| !job.shs.is_empty()).map(|job| place(job, job.shs.last()));
    match run.head.phase {
        Phase::Finished | Phase::Unknown => failed().or_else(odd).or_else(first),
        Phase::Queued | Phase::Active => {
            running().or_else(failed).or_else(odd).or_else(last_sh).or_else(first)
        }
    }
}
