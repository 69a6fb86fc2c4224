//! `rundown list`: the newest runs or, with `--before`, the runs older than a given one.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, IsTerminal, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::amounts::When;
use super::args::{List, RunsFormat};
use super::{color, hints, print_notice, print_notices};
use crate::catalog::{Catalog, ListFilter, RunFilter, RunSpec};
use crate::ci;
use crate::display::{self, Status};
use crate::dump;
use crate::error::{Error, Result};
use crate::join::RunHead;
use crate::model::{JobId, RunId};
use crate::record;
use crate::sanitize::name;
use crate::time::Time;

/// The number of newest runs that an error describes if no run matches.
const DESCRIBED_RUNS: usize = 200;

/// The maximum number of names that an error lists.
const LISTED_NAMES: usize = 10;

pub(super) fn list_runs(list: &List) -> anyhow::Result<u8> {
    list.color.apply();
    let (since, until) = times(list)?;
    let catalog = list.store.catalog()?;
    let before = before(list, &catalog)?;
    let selects = |head: &RunHead| list.state.contains(&Status::of_run(head).as_outcome());
    let has_job = list.job.as_deref().map(job_matcher);
    let filter = ListFilter {
        runs: list.narrow.filter(),
        since,
        until,
        outcomes: list.state.iter().map(|state| state.outcome()).collect(),
        selects: (!list.state.is_empty()).then_some(&selects),
        has_job: has_job.as_ref().map(|has_job| has_job as _),
    };
    let found = catalog.filtered_runs(&filter, before.as_ref(), list.limit)?;
    let stdout = io::stdout();
    let color = color(&stdout);
    let mut out = ci::Output::new(BufWriter::new(stdout.lock()));
    let written = match list.format {
        RunsFormat::Text => {
            dump::write_list_text(&found.heads, color, &list.zone.time_zone()?, &mut out)
        }
        RunsFormat::Json => dump::write_list_json(&found, &mut out),
        RunsFormat::Jsonl => dump::write_list_jsonl(&found, &mut out),
    };
    written.and_then(|()| out.flush()).map_err(Error::Output)?;
    print_notices(&catalog.notices());
    let for_people = list.format == RunsFormat::Text && stdout.is_terminal();
    match found.heads.last() {
        Some(oldest) if for_people && found.has_more => {
            print_notice(&format!("older runs: add --before {}", oldest.run.id.short()));
        }
        Some(_) => {}
        None if list.limit == 0 => {}
        None if before.is_some() => print_notice("no older run matches"),
        None if filters(list).is_empty() && catalog.is_remote() => {
            let url = catalog.path().to_string_lossy().into_owned();
            let server: Vec<String> = list.store.server.words().collect();
            let words = ["rundown", "push"].into_iter().chain(server.iter().map(String::as_str));
            let push = display::typed(words.chain([&*url]));
            print_notice(&format!("no runs in {url} yet; `{push}` pushes one"));
        }
        None if filters(list).is_empty() => {
            print_notice("no runs yet; `rundown record -- CMD` records one");
        }
        // A filter that matches nothing is an error, as is a named run that does not exist.
        None => return Err(Error::NotFound(why_nothing(list, &catalog)?).into()),
    }
    Ok(0)
}

/// Returns the first and the last time of the runs to list.
fn times(list: &List) -> Result<(Option<Time>, Option<Time>)> {
    if list.since.is_none() && list.until.is_none() {
        return Ok((None, None));
    }
    let (now, zone) = (Timestamp::now(), list.zone.time_zone()?);
    let of = |at: Option<Timestamp>| at.map(|at| Time::from_millis(at.as_millisecond()));
    let since = list.since.as_ref().map(|since| since.start(now, &zone));
    let until = list.until.as_ref().map(|until| until.end(now, &zone));
    for (option, at) in [("--since", since), ("--until", until)] {
        if at == Some(None) {
            let why = format!("{option} is not a time that exists; use a date of this calendar");
            return Err(Error::Usage(why));
        }
    }
    match (of(since.flatten()), of(until.flatten())) {
        (Some(since), Some(until)) if since > until => {
            Err(Error::Usage("--since is later than --until, so no run can match".into()))
        }
        times => Ok(times),
    }
}

/// Finds the run of `--before`.
fn before(list: &List, catalog: &Catalog) -> anyhow::Result<Option<RunId>> {
    let Some(run) = &list.before else { return Ok(None) };
    let filter = list.narrow.filter();
    let id = RunSpec::parse(run).and_then(|spec| catalog.find(&spec, &filter));
    let store = (&list.store, &filter);
    id.map(Some).map_err(|error| hints::for_run(error.into(), run.as_ref(), false, store))
}

/// Returns the test for runs with a job that `selector` selects, as `--job` of the view does.
fn job_matcher(selector: &str) -> impl Fn(&[JobId]) -> bool {
    let matches = record::selects(selector, &[]);
    move |jobs| jobs.iter().any(|job| job.as_str() == selector || matches(job.as_str()))
}

/// Returns the filters as they are typed.
fn filters(list: &List) -> Vec<String> {
    let states = list.state.iter().map(|state| state.word());
    let states = Some(states.collect::<Vec<_>>().join(",")).filter(|states| !states.is_empty());
    let when = |when: &Option<When>| when.as_ref().map(ToString::to_string);
    let all = [
        ("--repo", list.narrow.repo.clone()),
        ("--ref", list.narrow.ref_name.clone()),
        ("--state", states),
        ("--since", when(&list.since)),
        ("--until", when(&list.until)),
        ("--job", list.job.clone()),
    ];
    let given = all.into_iter().filter_map(|(option, value)| Some((option, value?)));
    given.map(|(option, value)| format!("{option} {}", name(&value))).collect()
}

/// Describes the filters that no run matches, and what the newest runs have instead.
fn why_nothing(list: &List, catalog: &Catalog) -> Result<String> {
    let mut text = format!("no run matches {}", filters(list).join(" "));
    let runs = catalog.runs(&RunFilter::default(), DESCRIBED_RUNS)?;
    let which = if runs.has_more {
        format!(" of the {DESCRIBED_RUNS} newest runs: ")
    } else {
        ": ".to_owned()
    };
    for (what, value) in existing(list, catalog, &runs.heads)? {
        text.extend(["\n", what, &which, &value]);
    }
    if runs.heads.is_empty() {
        text += "\nthe store has no runs";
    }
    Ok(text)
}

/// Describes what `heads` have of the kinds that the filters are about.
fn existing(
    list: &List,
    catalog: &Catalog,
    heads: &[RunHead],
) -> Result<Vec<(&'static str, String)>> {
    let mut found = Vec::new();
    if list.narrow.repo.is_some() {
        found.push(("repositories", listed(heads.iter().filter_map(|head| head.run.repo.clone()))));
    }
    if list.narrow.ref_name.is_some() {
        let refs = heads.iter().filter_map(|head| display::short_ref(&head.run));
        found.push(("refs", listed(refs)));
    }
    if !list.state.is_empty() {
        let states = heads.iter().map(|head| Status::of_run(head).as_outcome().word().to_owned());
        found.push(("states", listed(states)));
    }
    if list.since.is_some() || list.until.is_some() {
        let zone = list.zone.time_zone()?;
        let ends = [heads.last(), heads.first()].into_iter().flatten();
        let times: Vec<String> = ends.filter_map(|head| date_time(head, &zone)).collect();
        found.push(("times", times.join(" to ")));
    }
    if list.job.is_some() {
        let jobs = catalog.job_names(heads)?.into_iter().flatten();
        found.push(("jobs", listed(jobs.map(|job| job.0))));
    }
    found.retain(|(_, value)| !value.is_empty());
    Ok(found)
}

fn date_time(head: &RunHead, zone: &TimeZone) -> Option<String> {
    let run = &head.run;
    dump::date_time(run.queued_at.or(run.started_at).or_else(|| run.id.time())?, zone)
}

/// Lists the first of the different names, in order.
fn listed(names: impl Iterator<Item = String>) -> String {
    let names: BTreeSet<String> = names.collect();
    let more = if names.len() > LISTED_NAMES { ", …" } else { "" };
    let shown: Vec<_> = names.iter().take(LISTED_NAMES).map(|text| name(text)).collect();
    shown.join(", ") + more
}
