//! The tree of jobs and commands, and what of it one wants to see first.

use std::collections::{HashMap, HashSet};

use super::Model;
use crate::join::{JobNode, Place, RunNode, ShNode, ShState};
use crate::model::{JobId, Outcome, Phase};

/// The tree of jobs and commands.
#[derive(Default)]
pub struct Tree {
    /// What is selected.
    pub at: Option<Place>,
    /// The jobs whose commands are hidden.
    pub folded: HashSet<JobId>,
    /// The first row on screen.
    pub top: usize,
    /// The command to which one came by its rank among the slowest.
    pub ranked: Option<Place>,
    /// The user has chosen what is selected: it does not move on by itself.
    pub chosen: bool,
    /// The job, or the run, all of whose commands are shown in one scroll, as long as it is
    /// selected.
    pub scroll: Option<Place>,
    /// The parts of scrolls that somebody has folded or opened: whether they are open.
    pub opened: HashMap<Place, bool>,
    /// Whether all groups in logs are folded, or none; `None`: those that ask for it.
    pub all_groups: Option<bool>,
    /// The groups that somebody has folded or opened, by the commands and the places of their
    /// headings: whether they are folded.
    pub groups: HashMap<(Place, u64), bool>,
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
    /// Its name.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Run(_) => Place::Run,
            Self::Job(job) => Place::Job(job.job.id.clone()),
            Self::Sh(job, sh) => Place::Sh(job.job.id.clone(), sh.n),
        }
    }

    /// The job it is or belongs to.
    #[must_use]
    pub const fn job(&self) -> Option<&'a JobNode> {
        match self {
            Self::Run(_) => None,
            Self::Job(job) | Self::Sh(job, _) => Some(job),
        }
    }

    /// The command that it is.
    #[must_use]
    pub const fn sh(&self) -> Option<&'a ShNode> {
        match self {
            Self::Sh(_, sh) => Some(sh),
            Self::Run(_) | Self::Job(_) => None,
        }
    }

    fn is_at(&self, place: &Place) -> bool {
        match (self, place) {
            (Self::Run(_), Place::Run) => true,
            (Self::Job(job), Place::Job(id)) => job.job.id == *id,
            (Self::Sh(job, sh), Place::Sh(id, n)) => sh.n == *n && job.job.id == *id,
            _ => false,
        }
    }
}

impl Model {
    /// The visible rows of the tree.
    #[must_use]
    pub fn items(&self) -> Vec<Item<'_>> {
        self.all_items()
            .into_iter()
            .filter(|item| item.sh().is_none() || !self.is_folded(item))
            .collect()
    }

    /// The rows of the tree, folded away or not.
    #[must_use]
    pub fn all_items(&self) -> Vec<Item<'_>> {
        let Some(run) = &self.run else { return Vec::new() };
        let with_shs = |job| {
            std::iter::once(Item::Job(job)).chain(job.shs.iter().map(move |sh| Item::Sh(job, sh)))
        };
        std::iter::once(Item::Run(run)).chain(run.jobs.iter().flat_map(with_shs)).collect()
    }

    fn is_folded(&self, item: &Item<'_>) -> bool {
        item.job().is_some_and(|job| self.tree.folded.contains(&job.job.id))
    }

    /// Where the selection stands among the visible rows.
    #[must_use]
    pub fn item_at(&self, items: &[Item<'_>]) -> Option<usize> {
        let at = self.tree.at.as_ref()?;
        let found = items.iter().position(|item| item.is_at(at));
        // A command in a folded job is represented by the job.
        let job = || at.job().cloned().map(Place::Job);
        found.or_else(|| job().and_then(|job| items.iter().position(|item| item.is_at(&job))))
    }

    /// What is shown: the selected command, of a selected job the most telling one, or the run
    /// itself.
    #[must_use]
    pub fn shown(&self) -> Option<Item<'_>> {
        let run = self.run.as_ref()?;
        let at = self.tree.at.as_ref()?;
        let Some(id) = at.job() else { return Some(Item::Run(run)) };
        let job = run.jobs.iter().find(|job| job.job.id == *id)?;
        if self.is_scroll() {
            return Some(Item::Job(job));
        }
        let sh = match at {
            Place::Sh(_, n) => job.shs.iter().find(|sh| sh.n == *n),
            _ => telling_sh(job),
        };
        Some(sh.map_or(Item::Job(job), |sh| Item::Sh(job, sh)))
    }

    /// Whether all commands of what is selected are shown in one scroll.
    #[must_use]
    pub fn is_scroll(&self) -> bool {
        self.tree.scroll.is_some() && self.tree.scroll == self.tree.at
    }

    /// A job or command of the open run.
    #[must_use]
    pub fn item(&self, place: &Place) -> Option<Item<'_>> {
        let run = self.run.as_ref()?;
        let Some(id) = place.job() else { return Some(Item::Run(run)) };
        let job = run.jobs.iter().find(|job| job.job.id == *id)?;
        let Some(n) = place.n() else { return Some(Item::Job(job)) };
        job.shs.iter().find(|sh| sh.n == n).map(|sh| Item::Sh(job, sh))
    }

    /// Whether something is odd about a row of the tree.
    #[must_use]
    pub fn is_odd(&self, item: &Item<'_>) -> bool {
        self.run.as_ref().is_some_and(|run| run.findings.at(&item.place()).next().is_some())
    }
}

/// The command of a job that one wants to see first: the first failed, else the one that runs, else
/// the first.
#[must_use]
pub fn telling_sh(job: &JobNode) -> Option<&ShNode> {
    let with = |state| job.shs.iter().find(move |sh| sh.state == state);
    let running = || job.shs.iter().rfind(|sh| sh.state == ShState::Running);
    with(ShState::Failed)
        .or_else(running)
        .or_else(|| with(ShState::Interrupted))
        .or_else(|| job.shs.first())
}

/// What one wants to see first of a run: while it runs the command that runs, else the first that
/// failed, else the first.
#[must_use]
pub fn telling_place(run: &RunNode) -> Option<Place> {
    let place = |job: &JobNode, sh: Option<&ShNode>| {
        sh.map_or_else(|| Place::Job(job.job.id.clone()), |sh| Place::Sh(job.job.id.clone(), sh.n))
    };
    let find_sh = |state: ShState| {
        let in_job =
            |job: &JobNode| Some(place(job, Some(job.shs.iter().find(|sh| sh.state == state)?)));
        run.jobs.iter().find_map(in_job)
    };
    let find_job = |wanted: fn(&&JobNode) -> bool| run.jobs.iter().find(wanted);
    // Between two commands the last one is what there is to see.
    let active =
        || find_job(|job| job.phase == Phase::Active).map(|job| place(job, job.shs.last()));
    let running = || find_sh(ShState::Running).or_else(active);
    // A run can fail without a failed command: its own log says why, or else the job itself is what
    // there is to see.
    let own_log =
        || (run.log.is_some() && run.head.outcome == Some(Outcome::Failed)).then_some(Place::Run);
    let failed_job =
        || find_job(|job| job.outcome == Some(Outcome::Failed)).map(|job| place(job, None));
    let failed_sh = || find_sh(ShState::Failed).or_else(|| find_sh(ShState::Interrupted));
    let failed = || failed_sh().or_else(own_log).or_else(failed_job);
    // Something odd about the run is what there is to see where it tells why the run does not go
    // on, or failed.
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
