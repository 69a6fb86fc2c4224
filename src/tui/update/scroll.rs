//! The run-long view: opening it, folding and opening its parts, going from command to command in it.

use std::sync::Arc;

use super::keys::focus;
use super::log::{look_anew, seek, show};
use super::moving::leave;
use super::seek::say;
use crate::join::{Place, RunNode, ShState};
use crate::tui::layout::Pane;
use crate::tui::model::Model;
use crate::tui::msg::{Effect, Goal};
use crate::tui::scroll::{Section, Source, Spot, sections};

/// Shows all commands of the selected job, or of the run, in one scroll.
pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    model.tree.scroll.clone_from(&model.tree.at);
    model.tree.chosen = true;
    focus(model, Pane::Log);
    show(model)
}

/// The sections of a scroll as they are to be shown now. What is open and being read stays so when its command passes.
pub(super) fn sections_of(model: &Model, run: &RunNode, place: &Place) -> Arc<[Section]> {
    let mut opened = model.tree.opened.clone();
    let is_read = !model.log.follow && model.log.key.as_ref().is_some_and(|key| key.is_scroll && key.place == *place);
    let shown = model.log.source.iter().flat_map(Source::sections);
    for section in shown.filter(|section| is_read && section.is_open) {
        opened.entry(section.place.clone()).or_insert(true);
    }
    sections(run, place, &opened)
}

/// The address of the heading of the first section whose command failed.
pub(super) fn first_failed(model: &Model, source: &Source) -> Option<u64> {
    let at = source.sections().iter().position(|section| is_failed(model, section))?;
    Some(Spot::Heading(at).address())
}

fn is_failed(model: &Model, section: &Section) -> bool {
    let item = model.item(&section.place);
    item.and_then(|item| item.sh()).is_some_and(|sh| matches!(sh.state, ShState::Failed | ShState::Interrupted))
}

/// The section that was opened to show what was found in it is open.
pub(super) fn open_found(model: &mut Model, place: Place) {
    model.tree.opened.insert(place, true);
    if let (Some(run), Some(key)) = (&model.run, &model.log.key) {
        model.log.source = Some(Source::Scroll(sections(run, &key.place, &model.tree.opened)));
    }
}

/// What folding does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fold {
    Open,
    Close,
    Toggle,
}

/// Folds or opens what the current row lies in.
pub(super) fn fold(model: &mut Model, how: Fold) -> Vec<Effect> {
    let here = model.current_row().map(|row| row.offset);
    let source = model.log.source.as_ref();
    let Some((at, section)) = here.zip(source).and_then(|(here, source)| {
        let at = Spot::of(here).section();
        Some((at, source.sections().get(at)?))
    }) else {
        return say(model, "nothing here can be folded");
    };
    let is_open = match how {
        Fold::Open => true,
        Fold::Close => false,
        Fold::Toggle => !section.is_open,
    };
    let place = section.place.clone();
    model.tree.opened.insert(place, is_open);
    leave(model);
    model.log.at = Some(Spot::Heading(at).address());
    let _ = show(model);
    seek(model, Goal::Place(Spot::Heading(at).address()), "")
}

/// Folds or opens everything.
pub(super) fn fold_all(model: &mut Model, is_open: bool) -> Vec<Effect> {
    let places: Vec<_> = model.log.source.iter().flat_map(Source::sections).map(|part| part.place.clone()).collect();
    if places.is_empty() {
        return say(model, "nothing here can be folded");
    }
    let here = model.current_row().map(|row| row.offset);
    model.tree.opened.extend(places.into_iter().map(|place| (place, is_open)));
    leave(model);
    let _ = show(model);
    match here.map(Spot::of).filter(|_| !is_open) {
        Some(spot) => seek(model, Goal::Place(Spot::Heading(spot.section()).address()), ""),
        None => look_anew(model),
    }
}

/// The current row is a heading: it is folded or opened. Otherwise nothing happens.
pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    let is_heading = model.current_row().is_some_and(|row| model.log.heading(row).is_some());
    if is_heading { fold(model, Fold::Toggle) } else { Vec::new() }
}

/// Goes to the heading of the next or previous command, or of the next that failed, which is opened.
pub(super) fn jump(model: &mut Model, by: isize, is_for_failed: bool) -> Vec<Effect> {
    let Some(here) = model.current_row().map(|row| Spot::of(row.offset)) else { return Vec::new() };
    let Some(source) = model.log.source.clone() else { return Vec::new() };
    let is_wanted =
        |at: &usize| source.sections().get(*at).is_some_and(|section| !is_for_failed || is_failed(model, section));
    let found = if by > 0 {
        (here.section() + 1..source.sections().len()).find(is_wanted)
    } else {
        // From within a command its own heading comes first.
        let end = if matches!(here, Spot::Row(..)) { here.section() + 1 } else { here.section() };
        (0..end).rev().find(is_wanted)
    };
    let Some(at) = found else {
        return say(model, if is_for_failed { "no other command failed there" } else { "no other command there" });
    };
    if let Some(section) = source.sections().get(at).filter(|_| is_for_failed) {
        model.tree.opened.insert(section.place.clone(), true);
        let _ = show(model);
    }
    leave(model);
    seek(model, Goal::Place(Spot::Heading(at).address()), "")
}
