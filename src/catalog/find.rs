//! The run that the arguments of a command select.

use super::load;
use super::location::Location;
use super::select::{RunFilter, RunSpec, SHORTEST_PART};
use super::source::{Catalog, page_of};
use crate::error::{Error, Result};
use crate::join::RunHead;
use crate::model::{Outcome, RunId};
use crate::store::RunPage;
use crate::time::Time;

impl Catalog {
    /// Finds the run that `spec` selects.
    ///
    /// # Errors
    /// If no run matches, or if several ids or commits match. In the second case, the error lists
    /// up to ten of the matches.
    pub fn find(&self, spec: &RunSpec, filter: &RunFilter) -> Result<RunId> {
        if let Location::Path { .. } = self.place {
            return Ok(load::path_run_id());
        }
        match spec {
            RunSpec::Latest(back) => {
                let found = self.newest(RunPage { skip: *back, ..page_of(filter) })?;
                let what = if *back == 0 {
                    "no runs".to_owned()
                } else {
                    format!("no run `latest~{back}`")
                };
                found.map(|head| head.run.id).ok_or_else(|| self.not_found(&what, filter))
            }
            RunSpec::LatestThat(outcome) => {
                let page = RunPage { outcomes: vec![Some(*outcome)], ..page_of(filter) };
                let what = if *outcome == Outcome::Passed {
                    "no run has passed"
                } else {
                    "no run has failed"
                };
                self.newest(page)?
                    .map(|head| head.run.id)
                    .ok_or_else(|| self.not_found(what, filter))
            }
            RunSpec::Id(part) => self.by_id(part, filter)?.ok_or_else(|| {
                self.not_found(&format!("no run id begins or ends with `{part}`"), filter)
            }),
            RunSpec::Named(name) => self.by_name(name, filter),
        }
    }

    /// Finds a run by a part of its id, by its ref, or by its commit, in this order. An id
    /// therefore selects the same run even after a ref with the same name is created.
    fn by_name(&self, name: &str, filter: &RunFilter) -> Result<RunId> {
        let by_id = if RunSpec::may_be_id(name) { self.by_id(name, filter)? } else { None };
        if let Some(id) = by_id {
            return Ok(id);
        }
        let mut of_ref = page_of(filter);
        of_ref.ref_names.push(name.to_owned());
        if let Some(head) = self.newest(of_ref)? {
            return Ok(head.run.id);
        }
        let by_commit =
            if RunSpec::may_be_commit(name) { self.by_commit(name, filter)? } else { None };
        by_commit.ok_or_else(|| {
            if RunSpec::may_be_id(name) {
                let what = format!("no run id, ref or commit matches `{name}`");
                return self.not_found(&what, filter);
            }
            let note = format!("for an id or a commit, use at least {SHORTEST_PART} characters\n");
            self.not_found_with(&format!("no run has the ref `{name}`"), &note, filter)
        })
    }

    /// Finds the newest run of the commit that begins with `digits`; `None` if no commit does.
    /// Fails if several commits do.
    fn by_commit(&self, digits: &str, filter: &RunFilter) -> Result<Option<RunId>> {
        let page = RunPage { commit: Some(digits.to_owned()), ..page_of(filter) };
        let Some(head) = self.newest(page.clone())? else { return Ok(None) };
        let sha = head.run.sha.clone().unwrap_or_default();
        if let Some(other) = self.newest(RunPage { not_commit: Some(sha.clone()), ..page })? {
            let other = other.run.sha.unwrap_or_default();
            let text = format!(
                "several commits begin with `{digits}`; use more digits:\n  {sha}\n  {other}"
            );
            return Err(Error::NotFound(text));
        }
        Ok(Some(head.run.id))
    }

    pub(super) fn newest(&self, page: RunPage) -> Result<Option<RunHead>> {
        Ok(self.page(&RunPage { limit: 1, ..page })?.pop())
    }

    /// Finds a run by its id or a part of it; `None` if no id matches. Fails if several ids match.
    /// Runs of several repositories may have one id, which then selects the newest.
    fn by_id(&self, part: &str, filter: &RunFilter) -> Result<Option<RunId>> {
        const SHOWN: usize = 10;
        let found = self.page(&RunPage {
            id_part: Some(part.to_owned()),
            limit: SHOWN + 1,
            ..page_of(filter)
        })?;
        let first = found.first().map(|head| head.run.id.clone());
        if found.iter().any(|head| Some(&head.run.id) != first.as_ref()) {
            let more = if found.len() > SHOWN { "\n  …" } else { "" };
            let listed: Vec<String> = found.iter().take(SHOWN).map(candidate).collect();
            let text = format!(
                "several runs match `{part}`; use a longer part of the id:\n  {}{more}",
                listed.join("\n  ")
            );
            return Err(Error::NotFound(text));
        }
        Ok(first)
    }

    fn not_found(&self, what: &str, filter: &RunFilter) -> Error {
        self.not_found_with(what, "", filter)
    }

    /// Returns the error for a run that was not found. Its last line comes after `note`, which is
    /// empty or consists of complete lines.
    fn not_found_with(&self, what: &str, note: &str, filter: &RunFilter) -> Error {
        let of = |name: &str, value: &Option<String>| {
            value.as_ref().map(|v| format!(" {name} {v}")).unwrap_or_default()
        };
        let narrowed = [of("of repo", &filter.repo), of("on ref", &filter.ref_name)].concat();
        Error::NoRun(format!(
            "{what}{narrowed} in {}\n{note}`rundown list` shows all runs",
            self.path().display()
        ))
    }
}

fn candidate(head: &RunHead) -> String {
    let queued = head.run.queued_at.and_then(Time::rfc3339_millis).unwrap_or_default();
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    format!(
        "{}  {}  {}  {queued}",
        head.run.id.as_str(),
        word(&head.run.repo),
        word(&head.run.state)
    )
}
