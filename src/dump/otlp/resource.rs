//! The attributes of a resource: the pipeline, the run and the repository.

use super::Signal;
use super::wire::Attributes;
use crate::join::RunNode;
use crate::model::Run;

/// Returns the attributes of the resource of a signal. The resource of metrics does not name the
/// run or its commit: the conventions forbid that by default, because each run would be a time
/// series of its own.
pub(super) fn of_run<'a>(node: &'a RunNode, signal: Signal, service: &'a str) -> Attributes<'a> {
    let (run, mut attributes) = (&node.head.run, Attributes::default());
    attributes.text("service.name", Some(service));
    attributes.text("cicd.pipeline.name", run.details.name.as_deref());
    push_repository(run, &mut attributes);
    if signal != Signal::Metrics {
        attributes.text("cicd.pipeline.run.id", Some(run.id.as_str()));
        attributes.text("cicd.pipeline.run.url.full", run.details.url.as_deref());
        attributes.text("cicd.worker.name", run.details.runner.as_deref());
        push_ref(run, &mut attributes);
    }
    attributes
}

/// Adds the repository: `owner/name`, or a name alone.
fn push_repository<'a>(run: &'a Run, attributes: &mut Attributes<'a>) {
    let Some(repo) = run.repo.as_deref() else { return };
    let (owner, name) = repo.rsplit_once('/').unzip();
    attributes.text("vcs.owner.name", owner);
    attributes.text("vcs.repository.name", Some(name.unwrap_or(repo)));
}

/// Adds the ref, the commit, and the number of a pull request or merge request.
fn push_ref<'a>(run: &'a Run, attributes: &mut Attributes<'a>) {
    let full = run.ref_name.as_deref();
    let part = |lead| full.and_then(|full| full.strip_prefix(lead));
    let (branch, tag) = (part("refs/heads/"), part("refs/tags/"));
    let change = part("refs/pull/").or_else(|| part("refs/merge-requests/"));
    attributes.text("vcs.ref.head.name", branch.or(tag).or(full));
    attributes.text("vcs.ref.type", branch.map(|_| "branch").or(tag.map(|_| "tag")));
    attributes.text("vcs.ref.head.revision", run.sha.as_deref());
    attributes.text("vcs.change.id", change.and_then(|change| change.split('/').next()));
}
