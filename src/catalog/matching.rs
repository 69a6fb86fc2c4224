//! The runs of a list in memory that match a request, as the database selects them.

use crate::join::RunHead;
use crate::model::RunId;
use crate::store::{Beside, RunPage, forms_of};

/// Returns the requested page of runs, which are ordered from the newest to the oldest. Returns
/// `None` if the page starts from a run that is not among them.
pub(super) fn matching(heads: &[RunHead], page: &RunPage) -> Option<Vec<RunHead>> {
    // A complete id matches only its run, even if other ids begin or end with it.
    let is_id = |part: &String| heads.iter().any(|head| head.run.id.as_str() == part);
    let is_whole = page.id_part.as_ref().is_some_and(is_id);
    let position = |id: &RunId| heads.iter().position(|head| head.run.id == *id);
    let range = match &page.beside {
        Some(Beside::Older(id)) => position(id)?.saturating_add(1)..heads.len(),
        Some(Beside::Newer(id)) => 0..position(id)?,
        None => 0..heads.len(),
    };
    let found = heads.get(range).unwrap_or_default().iter();
    let found = found.filter(|head| is_wanted(head, page, is_whole));
    if let Some(Beside::Newer(_)) = page.beside {
        let mut nearest: Vec<_> = found.rev().take(page.limit).cloned().collect();
        nearest.reverse();
        return Some(nearest.into_iter().skip(page.skip).collect());
    }
    Some(found.skip(page.skip).take(page.limit).cloned().collect())
}

/// Returns true if a run matches all conditions. `is_whole` is true if the requested id is
/// complete.
fn is_wanted(head: &RunHead, page: &RunPage, is_whole: bool) -> bool {
    let run = &head.run;
    let id = run.id.as_str();
    let has_part = |part: &String| {
        id == part || !is_whole && (id.starts_with(&**part) || id.ends_with(&**part))
    };
    let has_commit = |digits: &String| {
        let sha = run.sha.as_deref().unwrap_or_default().to_ascii_lowercase();
        sha.starts_with(&digits.to_ascii_lowercase())
    };
    let has_ref = |name: &String| {
        let own = run.ref_name.as_ref();
        own.is_some_and(|own| forms_of(name).iter().any(|name| is_name(own, name)))
    };
    let at = run.listed_at();
    (page.outcomes.is_empty() || page.outcomes.contains(&head.outcome))
        && page.ref_names.iter().all(has_ref)
        && page.commit.as_ref().is_none_or(has_commit)
        && page.not_commit.as_ref().is_none_or(|sha| run.sha.as_ref().is_some_and(|own| own != sha))
        && page.since.is_none_or(|since| at.is_some_and(|at| at >= since))
        && page.until.is_none_or(|until| at.is_some_and(|at| at <= until))
        && page
            .repo
            .as_ref()
            .is_none_or(|repo| run.repo.as_ref().is_some_and(|own| is_name(own, repo)))
        && page.id_part.as_ref().is_none_or(has_part)
}

/// Returns true if a run has a name. Lists in object storage contain only the start of a long name,
/// with `…` at its end.
fn is_name(own: &str, name: &str) -> bool {
    own == name || own.strip_suffix('…').is_some_and(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::{Recorder, run_head};
    use crate::model::Run;

    #[test]
    fn a_ref_matches_with_and_without_its_namespace() {
        let matches = |own: &str, name: &str| {
            let mut run = Run::without_row(RunId("1".into()), None);
            run.ref_name = Some(own.into());
            let page = RunPage { ref_names: vec![name.into()], limit: 1, ..RunPage::default() };
            matching(&[run_head(run, Recorder::Unknown)], &page).unwrap().len() == 1
        };
        for (own, name) in [
            ("refs/heads/main", "main"),
            ("refs/tags/v1", "v1"),
            ("main", "refs/heads/main"),
            ("main", "main"),
        ] {
            assert!(matches(own, name), "{own} {name}");
        }
        assert!(!matches("refs/heads/main", "refs/tags/main"));
        assert!(!matches("refs/heads/main", "ain"));
    }
}
