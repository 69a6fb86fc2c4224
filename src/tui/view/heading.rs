//! The headings among the rows of the log's pane: commands, and groups.

use crate::display::{self, Status};
use crate::document::Section;
use crate::join::{JobNode, Place, ShNode};
use crate::log::Row;
use crate::sanitize::name;
use crate::search::{Marker, marker};
use crate::tui::log::Heading;
use crate::tui::model::Model;
use crate::tui::tree::{Item, item_of};
use crate::tui::widget::{own_name, spent_by};

/// Returns the heading to draw for a row; `None` if the row is not a heading.
pub(super) fn of(model: &Model, row: &Row) -> Option<Heading> {
    let Some(section) = model.log.heading(row) else { return of_group(model, row) };
    Some(match model.run.as_ref().and_then(|run| item_of(run, &section.place)) {
        Some(Item::Sh(job, sh)) => of_command(model, section, job, sh),
        Some(Item::Job(job)) => {
            let status = Status::of_job(job);
            let title = name(job.job.id.as_str()).into_owned();
            let why = model.run.as_ref().and_then(|run| display::why_skipped(run, job));
            let why = why.map(|why| format!(" because {why}"));
            let allowed = || Some(format!(", {}", display::tolerated(job)?));
            let why = why.or_else(allowed).unwrap_or_default();
            let facts = format!("{}{why}", status.word());
            Heading { status: Some(status), title, facts, ..Heading::default() }
        }
        Some(Item::Run(run)) => Heading {
            is_open: Some(section.is_open),
            title: own_name(run).into(),
            ..Heading::default()
        },
        None => Heading { title: "removed".into(), ..Heading::default() },
    })
}

/// Returns the heading of a group: `▸ Title   132 rows`.
fn of_group(model: &Model, row: &Row) -> Option<Heading> {
    let group = model.log.group(row)?;
    let Some(Marker::Heading(title)) = marker(&row.text) else { return None };
    let facts = group.rows.filter(|_| group.is_folded).map(display::rows).unwrap_or_default();
    Some(Heading { is_open: Some(!group.is_folded), title, facts, ..Heading::default() })
}

fn of_command(model: &Model, section: &Section, job: &JobNode, sh: &ShNode) -> Heading {
    let head = model.run.as_ref().map(|run| &run.head);
    let missing = head.and_then(|head| display::missing(head, sh));
    let exit = sh.sh.as_ref().and_then(display::ending);
    let attempt = sh.sh.as_ref().and_then(|sh| display::attempt(sh.attempt));
    let facts = [exit, attempt, missing, spent_by(sh, model.now)];
    let facts: Vec<_> = facts.into_iter().flatten().collect();
    // In the document of a job, the title of the pane contains the job's name.
    let is_run = model.log.document.as_ref().is_some_and(|document| document.of == Place::Run);
    let job = if is_run { format!("{} ", name(job.job.id.as_str())) } else { String::new() };
    Heading {
        is_open: section.log.is_some().then_some(section.is_open),
        status: Some(Status::of_sh(sh)),
        start: sh.sh.as_ref().and_then(|sh| sh.started_at),
        lead: format!("{job}{} ", sh.n),
        title: display::command_of(sh),
        facts: facts.join("  "),
    }
}
