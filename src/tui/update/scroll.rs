//! The view of several commands: opening it, folding its sections and groups, and moving from
//! command to command.

use std::sync::Arc;

use super::keys::focus;
use super::log::{reload_rows, seek, show};
use super::moving::leave;
use super::seek::show_message;
use crate::join::{Place, RunNode, ShState};
use crate::log::Row;
use crate::tui::document::{Document, RowAddress, Section, sections};
use crate::tui::layout::Pane;
use crate::tui::model::{Model, Tree};
use crate::tui::msg::{Effects, Fold, Folds, Goal};

const NOTHING_TO_FOLD: &str = "nothing to fold here";

/// Shows all commands of the selected job, or of the run, in one document.
pub(super) fn open(model: &mut Model) -> Effects {
    model.tree.shows_all = true;
    model.tree.chosen = true;
    let mut effects = focus(model, Pane::Log);
    effects.extend(show(model));
    effects
}

/// Keeps sections open whose commands have just passed: the user may be reading them.
pub(super) fn keep_open(model: &mut Model) {
    let is_filtered = model.view_options.row_filter.filter.is_some();
    if model.log.follow || is_filtered {
        return;
    }
    let has_passed = |place: &Place| {
        let item = model.item(place);
        item.and_then(|item| item.sh()).is_some_and(|sh| sh.state == ShState::Passed)
    };
    let document = model.log.document.iter().filter(|document| document.has_headings);
    let shown = document.flat_map(|document| &*document.sections);
    let read =
        shown.filter(|section| section.is_open && section.may_grow() && has_passed(&section.place));
    for place in read.map(|section| section.place.clone()).collect::<Vec<_>>() {
        model.tree.opened.entry(place).or_insert(true);
    }
}

/// Returns the sections of a job or run. A filter opens all of them. While the log is followed, the
/// last section stays open until another command starts.
pub(super) fn sections_of(model: &Model, run: &RunNode, place: &Place) -> Arc<[Section]> {
    let is_filtered = model.view_options.row_filter.filter.is_some();
    let is_shown = |document: &&Document| document.has_headings && document.of == *place;
    let shown = model.log.document.as_ref().filter(|_| model.log.follow).filter(is_shown);
    let last_shown = shown
        .and_then(|document| document.sections.last())
        .filter(|section| section.is_open)
        .map(|section| &section.place);
    let last = run
        .jobs
        .iter()
        .rfind(|job| place.job().is_none_or(|id| job.job.id == *id) && !job.shs.is_empty());
    let last = last.and_then(|job| Some(Place::Sh(job.job.id.clone(), job.shs.last()?.n)));
    let stays = |place: &Place| last_shown == Some(place) && last.as_ref() == Some(place);
    let chosen = |place: &Place| {
        model.tree.opened.get(place).copied().or_else(|| stays(place).then_some(true))
    };
    sections(run, place, |place| is_filtered.then_some(true).or_else(|| chosen(place)))
}

/// Returns the address of the heading of the first section whose command failed.
pub(super) fn first_failed(model: &Model, document: &Document) -> Option<u64> {
    let mut sections = document.sections.iter().filter(|_| document.has_headings);
    let at = sections.position(|section| is_failed(model, section))?;
    Some(document.heading_of(at))
}

fn is_failed(model: &Model, section: &Section) -> bool {
    let item = model.item(&section.place);
    item.and_then(|item| item.sh())
        .is_some_and(|sh| matches!(sh.state, ShState::Failed | ShState::Interrupted))
}

/// Notes that a section was opened to show the row found in it.
pub(super) fn open_found(model: &mut Model, place: Place) {
    model.tree.opened.insert(place, true);
    if let (Some(run), Some(document)) = (&model.run, &model.log.document) {
        let sections = sections_of(model, run, &document.of);
        model.log.document = Some(Document { sections, ..document.clone() });
    }
}

/// Returns the folded groups of a document.
pub(super) fn folds(tree: &Tree, document: &Document) -> Folds {
    let chosen = tree.groups.iter().filter_map(|((place, heading), folded)| {
        Some((document.address_of(place, *heading)?, *folded))
    });
    Folds { all: tree.all_groups, chosen: Arc::new(chosen.collect()) }
}

/// Notes the groups that were folded or opened by a request.
pub(super) fn note_folds(model: &mut Model, changes: &[(u64, bool)]) {
    for (address, is_folded) in changes {
        if let Some(place) = model.log.place_at(*address) {
            model.tree.groups.insert(place, *is_folded);
        }
    }
}

/// Folds or opens the innermost group around the current row, or else its section.
pub(super) fn fold(model: &mut Model, how: Fold) -> Effects {
    let Some(row) = model.current_row() else { return Effects::none() };
    if model.log.heading(row).is_some() {
        return fold_section(model, how);
    }
    let here = row.offset;
    leave(model);
    seek(model, Goal::Fold(here, how), NOTHING_TO_FOLD)
}

/// Folds or opens the section of the current row.
pub(super) fn fold_section(model: &mut Model, how: Fold) -> Effects {
    let here = model.current_row().map(|row| row.offset);
    let document = model.log.document.as_ref().filter(|document| document.has_headings);
    let found = here.zip(document).and_then(|(here, document)| {
        Some((document.heading_of(document.row(here).section()), document.section(here)?))
    });
    let Some((heading, section)) = found else { return show_message(model, NOTHING_TO_FOLD) };
    let is_open = !how.of(!section.is_open);
    model.tree.opened.insert(section.place.clone(), is_open);
    leave(model);
    model.log.at = Some(heading);
    let _ = show(model);
    seek(model, Goal::Place(heading), "")
}

/// Folds or opens everything.
pub(super) fn fold_all(model: &mut Model, is_open: bool) -> Effects {
    let here = model.current_row().map(|row| row.offset);
    let Some(document) = model.log.document.clone() else {
        return show_message(model, NOTHING_TO_FOLD);
    };
    model.tree.all_groups = Some(!is_open);
    model.tree.groups.clear();
    if document.has_headings {
        let places = document.sections.iter().map(|section| (section.place.clone(), is_open));
        model.tree.opened.extend(places);
    }
    leave(model);
    let _ = show(model);
    let section = here.map(|here| document.row(here).section());
    match section.filter(|_| !is_open && document.has_headings) {
        Some(section) => seek(model, Goal::Place(document.heading_of(section)), ""),
        None => reload_rows(model),
    }
}

/// Folds or opens the section or group of which the current row is the heading. Does nothing on
/// other rows.
pub(super) fn enter(model: &mut Model) -> Effects {
    let is_heading = |row: &Row| model.log.heading(row).is_some() || model.log.group(row).is_some();
    if model.current_row().is_some_and(is_heading) {
        fold(model, Fold::Toggle)
    } else {
        Effects::none()
    }
}

/// Goes to the heading of the next or previous command. If only failed commands count, also opens
/// the section.
pub(super) fn jump(model: &mut Model, by: isize, is_for_failed: bool) -> Effects {
    let Some(document) = model.log.document.clone() else { return Effects::none() };
    let Some(here) = model.current_row().map(|row| document.row(row.offset)) else {
        return Effects::none();
    };
    let is_wanted = |at: &usize| {
        document
            .sections
            .get(*at)
            .is_some_and(|section| !is_for_failed || is_failed(model, section))
    };
    let found = if by > 0 {
        (here.section() + 1..document.sections.len()).find(is_wanted)
    } else {
        // From a row of a command, the heading of that command comes first.
        let end =
            if matches!(here, RowAddress::Row(..)) { here.section() + 1 } else { here.section() };
        (0..end).rev().find(is_wanted)
    };
    let Some(at) = found else {
        return show_message(
            model,
            match (is_for_failed, by > 0) {
                (true, true) => "no failed command below",
                (true, false) => "no failed command above",
                (false, true) => "no command below",
                (false, false) => "no command above",
            },
        );
    };
    if let Some(section) = document.sections.get(at).filter(|_| is_for_failed) {
        model.tree.opened.insert(section.place.clone(), true);
        let _ = show(model);
    }
    leave(model);
    seek(model, Goal::Place(document.heading_of(at)), "")
}
