//! The order of the jobs of a pipeline, by the jobs that each job waits for.

use std::collections::HashMap;

use super::values::{Read, Refusal, suggestion};
use super::{PipelineJob, When};
use crate::model::JobId;

/// A need as written in the file.
#[derive(Clone)]
pub(super) struct Need {
    /// The byte offset of the need in the text.
    pub at: usize,
    /// The name of a job, or the name of a matrix in the file.
    pub name: String,
}

/// Returns the jobs that each job waits for, as positions in the list. These are its needs. A job
/// without needs whose `when` is not [`When::OnSuccess`] waits for all jobs with
/// [`When::OnSuccess`].
pub(in crate::record) fn waits(jobs: &[PipelineJob]) -> Vec<Vec<usize>> {
    let places: HashMap<&JobId, usize> = jobs.iter().map(|job| &job.id).zip(0..).collect();
    let is_usual = |(_, job): &(usize, &PipelineJob)| job.settings.when == When::OnSuccess;
    let usual: Vec<usize> = jobs.iter().enumerate().filter(is_usual).map(|(at, _)| at).collect();
    let of_job = |job: &PipelineJob| {
        if job.needs.is_empty() && job.settings.when != When::OnSuccess {
            return usual.clone();
        }
        job.needs.iter().filter_map(|need| places.get(need).copied()).collect()
    };
    jobs.iter().map(of_job).collect()
}

/// Sets the needs of each job. A need that names a matrix stands for all its jobs.
///
/// # Errors
/// If there is no job with the name of a need.
pub(super) fn resolve(jobs: &mut [PipelineJob], needs: &[Vec<Need>]) -> Read<()> {
    let mut named: HashMap<String, Vec<JobId>> = HashMap::new();
    for job in &*jobs {
        named.entry(job.id.0.clone()).or_default().push(job.id.clone());
        if job.base != job.id {
            named.entry(job.base.0.clone()).or_default().push(job.id.clone());
        }
    }
    let mut known: Vec<&str> = jobs.iter().map(|job| job.base.as_str()).collect();
    known.dedup();
    let ids = |need: &Need| {
        named.get(&need.name).cloned().ok_or_else(|| {
            let suggestion = suggestion(&need.name, known.iter().copied(), "the jobs are");
            Refusal::new(need.at, format!("unknown job {:?} in `needs`; {suggestion}", need.name))
        })
    };
    let found = needs.iter().map(|needs| needs.iter().map(ids).collect::<Read<Vec<_>>>());
    let found = found.collect::<Read<Vec<_>>>()?;
    for (job, needs) in jobs.iter_mut().zip(found) {
        for need in needs.into_iter().flatten() {
            if !job.needs.contains(&need) {
                job.needs.push(need);
            }
        }
    }
    Ok(())
}

/// Sorts the jobs so that each comes after the jobs that it waits for. Of the jobs that can be
/// next, the first one in the file is taken. `at` contains the byte offset of each job in the text.
///
/// # Errors
/// If jobs wait for each other in a cycle, or a job can never run.
pub(super) fn in_order(jobs: Vec<PipelineJob>, at: &[usize]) -> Read<Vec<PipelineJob>> {
    let waits = waits(&jobs);
    check_failure_jobs(&jobs, &waits, at)?;
    // The position of each job in the order; `None` until it is assigned.
    let mut places: Vec<Option<usize>> = vec![None; jobs.len()];
    for place in 0..jobs.len() {
        let has_place = |job: &usize| places.get(*job).copied().flatten().is_some();
        let is_next =
            |(job, waits): &(usize, &Vec<usize>)| !has_place(job) && waits.iter().all(has_place);
        let Some((job, _)) = waits.iter().enumerate().find(is_next) else {
            return Err(cycle(&jobs, &waits, at, has_place));
        };
        if let Some(free) = places.get_mut(job) {
            *free = Some(place);
        }
    }
    let mut sorted: Vec<_> = places.into_iter().zip(jobs).collect();
    sorted.sort_by_key(|(place, _)| *place);
    Ok(sorted.into_iter().map(|(_, job)| job).collect())
}

/// Returns an error if a job waits for a failure although no job runs before it.
fn check_failure_jobs(jobs: &[PipelineJob], waits: &[Vec<usize>], at: &[usize]) -> Read<()> {
    let never = |((job, waits), _): &((&PipelineJob, &Vec<usize>), &usize)| {
        job.settings.when == When::OnFailure && waits.is_empty()
    };
    match jobs.iter().zip(waits).zip(at).find(never) {
        Some(((job, _), at)) => Err(Refusal::new(
            *at,
            format!(
                "job `{}` with when = \"on_failure\" can never run, because no job can fail \
                 before it; add needs = [\"JOB\"]",
                job.base.as_str()
            ),
        )),
        None => Ok(()),
    }
}

/// Returns an error with the cycle that keeps the remaining jobs from starting. Each of them waits
/// for a remaining job, so following the waits leads back to a job that was seen before.
fn cycle(
    jobs: &[PipelineJob],
    waits: &[Vec<usize>],
    at: &[usize],
    is_done: impl Fn(&usize) -> bool,
) -> Refusal {
    let waiting_for =
        |job: usize| waits.get(job).and_then(|all| all.iter().copied().find(|job| !is_done(job)));
    let mut path: Vec<usize> = Vec::new();
    let mut next = (0..jobs.len()).find(|job| !is_done(job));
    while let Some(job) = next.filter(|job| !path.contains(job)) {
        path.push(job);
        next = waiting_for(job);
    }
    let start = path.iter().position(|job| Some(*job) == next).unwrap_or(0);
    // Start the cycle at the job that comes first in the file: users look there first.
    let mut around = path.split_off(start);
    let first = around.iter().enumerate().min_by_key(|(_, job)| **job).map_or(0, |(at, _)| at);
    around.rotate_left(first);
    let first = around.first().copied();
    let named = |job: &PipelineJob| {
        let waits = ", which without `needs` waits for";
        let verb = if job.needs.is_empty() { waits } else { " needs" };
        format!("`{}`{verb} ", job.id.as_str())
    };
    let round = around.iter().filter_map(|job| jobs.get(*job)).map(named).collect::<String>();
    let last = first.and_then(|job| jobs.get(job)).map_or("", |job| job.id.as_str());
    let at = first.and_then(|job| at.get(job)).copied().unwrap_or(0);
    Refusal::new(at, format!("dependency cycle: {round}`{last}`; remove one of these needs"))
}
