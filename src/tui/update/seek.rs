//! Finding things in the log on screen: searching, filtering, errors, slow gaps, places and marks.
//!
//! The worker does the search. This module only sets the goal, the starting point and the message
//! for a row that is not found.

use super::keys::focus;
use super::log::{open_from, refresh, reload_rows, seek, show};
use super::tree;
use crate::cri::Stream;
use crate::display;
use crate::join::Place;
use crate::sanitize::Progress;
use crate::search::{PatternFilter, Query, Towards};
use crate::tui::at::Where;
use crate::tui::document::RowAddress;
use crate::tui::keymap::{Action, Key};
use crate::tui::layout::Pane;
use crate::tui::model::Model;
use crate::tui::msg::{Effects, Goal, Sought};
use crate::tui::prompt::{Prompt, PromptKind, parse_goto};

/// The most rows of context around the rows that a filter passes.
const MAX_CONTEXT: usize = 20;

/// Opens a prompt. Does nothing if the log has no rows.
pub(super) fn open(model: &mut Model, kind: PromptKind) -> Effects {
    if model.log.has_rows() {
        model.prompt = Some(Prompt::new(kind));
    }
    Effects::none()
}

/// Handles a key while a line is being typed.
pub(super) fn press(model: &mut Model, key: Key, action: Option<Action>) -> Effects {
    let Some(prompt) = &mut model.prompt else { return Effects::none() };
    match action {
        Some(Action::Accept) => return accept(model),
        Some(Action::Back) => model.prompt = None,
        Some(Action::Literal) if prompt.kind.is_pattern() => prompt.is_literal = !prompt.is_literal,
        Some(Action::Older) => recall(model, 1),
        Some(Action::Newer) => recall(model, -1),
        _ => {
            prompt.type_key(key);
            let is_mark = matches!(prompt.kind, PromptKind::Mark | PromptKind::GoToMark);
            if is_mark && !prompt.input.value().is_empty() {
                return accept(model);
            }
        }
    }
    Effects::none()
}

/// Replaces the typed text with an older or newer pattern.
fn recall(model: &mut Model, by: isize) {
    let Some(prompt) = model.prompt.as_mut().filter(|prompt| prompt.kind.is_pattern()) else {
        return;
    };
    if prompt.back == 0 {
        prompt.input.value().clone_into(&mut prompt.draft);
    }
    prompt.back = prompt.back.saturating_add_signed(by).min(model.past.len());
    let text =
        model.past.get(prompt.back).filter(|_| prompt.back > 0).unwrap_or(&prompt.draft).to_owned();
    prompt.fill(&text);
}

/// Applies the typed text. If it is not valid, the prompt stays open with the reason.
fn accept(model: &mut Model) -> Effects {
    let Some(prompt) = model.prompt.take() else { return Effects::none() };
    let text = prompt.input.value().to_owned();
    let done = match prompt.kind {
        PromptKind::Search => search(model, &text, prompt.is_literal),
        PromptKind::Filter => filter(model, &text, prompt.is_literal),
        PromptKind::Goto => {
            let goal = parse_goto(&text, model.command_span(), &model.time_zone);
            goal.map(|goal| go_to(model, goal)).map_err(ToOwned::to_owned)
        }
        PromptKind::Mark => Ok(mark(model, &text)),
        PromptKind::GoToMark => Ok(go_to_mark(model, &text)),
    };
    match done {
        Ok(mut effects) => {
            effects.extend(focus(model, Pane::Log));
            effects
        }
        Err(why) => {
            model.prompt = Some(Prompt { fault: Some(why), ..prompt });
            Effects::none()
        }
    }
}

/// Searches from the current row. An empty pattern clears the search.
fn search(model: &mut Model, pattern: &str, is_literal: bool) -> Result<Effects, String> {
    if pattern.is_empty() {
        return Ok(clear_search(model));
    }
    model.view_options.search =
        Some(Query::new(pattern, is_literal)?.showing(model.view_options.row_filter.progress));
    model.past.push(pattern);
    model.log.known.hits = None;
    let from = search_start(model);
    Ok(seek_match(model, from, Towards::Down))
}

/// Clears the search: its matches are no longer marked or counted.
pub(super) fn clear_search(model: &mut Model) -> Effects {
    model.view_options.search = None;
    (model.log.known.hits, model.log.asked) = (None, None);
    refresh(model)
}

/// Goes to the next or previous row that matches.
pub(super) fn next_match(model: &mut Model, towards: Towards) -> Effects {
    if model.view_options.search.is_none() {
        let text = model.pointing("no search", Action::Search);
        return show_message(model, &text);
    }
    let from = beside(model, towards);
    seek_match(model, from, towards)
}

fn seek_match(model: &mut Model, from: u64, towards: Towards) -> Effects {
    let Some(query) = model.view_options.search.clone() else { return Effects::none() };
    let missed = format!("no row matches {}", query.pattern());
    seek(model, Goal::Next { what: Sought::Match(query), from, towards, round: true }, &missed)
}

/// Returns the row at which a search begins: the one under the cursor. A cursor that follows the
/// log was not placed by the user, so the first row on screen takes its place.
fn search_start(model: &Model) -> u64 {
    let first = model.log.window.rows.get(model.log.top).filter(|_| model.log.follow);
    first.or_else(|| model.current_row()).map_or(0, |row| row.offset)
}

/// Returns the address from which the next row is searched; the search skips the row itself.
fn beside(model: &Model, towards: Towards) -> u64 {
    let here = search_start(model);
    if towards == Towards::Down { here.saturating_add(1) } else { here }
}

/// Shows only rows that match, or with a leading `!`, only rows that do not. An empty pattern shows
/// all rows.
fn filter(model: &mut Model, pattern: &str, is_literal: bool) -> Result<Effects, String> {
    let (is_inverse, pattern) =
        pattern.strip_prefix('!').map_or((false, pattern), |pattern| (true, pattern));
    let filter = match pattern {
        "" => None,
        pattern => {
            let query =
                Query::new(pattern, is_literal)?.showing(model.view_options.row_filter.progress);
            Some(PatternFilter { query, is_inverse })
        }
    };
    if !pattern.is_empty() {
        model.past.push(pattern);
    }
    Ok(set_filter(model, filter))
}

/// Sets or clears the filter, and shows the rows that pass it.
pub(super) fn set_filter(model: &mut Model, filter: Option<PatternFilter>) -> Effects {
    model.view_options.row_filter.filter = filter;
    model.log.known.passed = None;
    if model.log.has_headings() {
        let _ = show(model);
    }
    reload_rows(model)
}

/// Shows more or fewer rows of context around the rows that the filter passes.
pub(super) fn widen(model: &mut Model, by: isize) -> Effects {
    if model.view_options.row_filter.filter.is_none() {
        let text = model.pointing("no filter", Action::Filter);
        return show_message(model, &text);
    }
    let row_filter = &mut model.view_options.row_filter;
    row_filter.context = row_filter.context.saturating_add_signed(by).min(MAX_CONTEXT);
    reload_rows(model)
}

/// Shows rows of one stream only, or of both.
pub(super) fn only(model: &mut Model, stream: Option<Stream>) -> Effects {
    if model.view_options.row_filter.stream == stream {
        return Effects::none();
    }
    model.view_options.row_filter.stream = stream;
    reload_rows(model)
}

/// Toggles between all progress states of a row and the last one.
pub(super) fn unfold(model: &mut Model) -> Effects {
    let row_filter = &mut model.view_options.row_filter;
    let (progress, message) = match row_filter.progress {
        Progress::Last => (Progress::All, "showing all progress states"),
        Progress::All => (Progress::Last, "showing the last progress state"),
    };
    row_filter.progress = progress;
    // Queries match the text that is shown.
    if let Some(filter) = &mut row_filter.filter {
        filter.query = filter.query.clone().showing(progress);
    }
    model.view_options.search =
        model.view_options.search.take().map(|query| query.showing(progress));
    (model.log.known.hits, model.log.known.passed) = (None, None);
    model.message = Some(message.into());
    reload_rows(model)
}

/// Goes to the next or previous row with an error.
pub(super) fn next_error(model: &mut Model, towards: Towards) -> Effects {
    let from = beside(model, towards);
    seek(
        model,
        Goal::Next { what: Sought::Error, from, towards, round: true },
        "no error in this log",
    )
}

/// Goes to the next or previous slow row.
pub(super) fn next_gap(model: &mut Model, towards: Towards) -> Effects {
    let (min_ms, from) = (model.slow_ms(), search_start(model));
    let side = if towards == Towards::Down { "below" } else { "above" };
    let missed = format!("no gap of {} or more {side}", display::duration(min_ms));
    seek(model, Goal::Next { what: Sought::Gap { min_ms }, from, towards, round: true }, &missed)
}

/// Goes to the position at which the log was requested to open.
pub(super) fn open_at(model: &mut Model, at: &str) -> Effects {
    if let Some(Where::Byte(byte)) = Where::parse(at) {
        return open_from(model, byte);
    }
    match parse_goto(at, model.command_span(), &model.time_zone) {
        Ok(goal) => go_to(model, goal),
        Err(why) => show_message(model, why),
    }
}

fn go_to(model: &mut Model, goal: Goal) -> Effects {
    let goal = match goal {
        // Row numbers count within one command.
        Goal::Row(number) => Goal::Row(model.log.document.as_ref().map_or(number, |document| {
            let here = model.current_row().map_or(0, |row| row.offset);
            document.address(RowAddress::Row(document.row(here).section(), number))
        })),
        goal => goal,
    };
    let missed = match goal {
        Goal::Row(_) => "the log has fewer rows",
        Goal::Time(_) => "the log ends before that time",
        _ => "the log is empty",
    };
    seek(model, goal, missed)
}

fn mark(model: &mut Model, name: &str) -> Effects {
    let place = model.current_row().and_then(|row| model.log.place_at(row.offset));
    let run = model.log.document.as_ref().map(|document| document.run.clone());
    if let (Some(name), Some((place, offset)), Some(run)) = (name.chars().next(), place, run) {
        model.marks.insert(name, (run, place, offset));
        model.message = Some(format!("marked {}", crate::sanitize::name(&name.to_string())));
    }
    Effects::none()
}

fn go_to_mark(model: &mut Model, name: &str) -> Effects {
    let Some((run, place, offset)) =
        name.chars().next().and_then(|name| model.marks.get(&name)).cloned()
    else {
        let text = model.pointing("no such mark", Action::Mark);
        return show_message(model, &text);
    };
    if model.wanted.as_ref() != Some(&run) {
        return show_message(model, "this mark belongs to another run");
    }
    go_to_place(model, place, offset)
}

/// Goes to a row of a command's log: in the document on screen if it contains the log, else in that
/// log alone.
pub(super) fn go_to_place(model: &mut Model, place: Place, offset: u64) -> Effects {
    let address =
        model.log.document.as_ref().and_then(|document| document.address_of(&place, offset));
    let mut effects = Effects::none();
    if address.is_none() {
        model.tree.chosen = true;
        effects = tree::select(model, place);
    }
    effects.extend(seek(model, Goal::Place(address.unwrap_or(offset)), "the log is empty"));
    effects
}

/// Shows a message in the last row, until the next key.
pub(super) fn show_message(model: &mut Model, what: &str) -> Effects {
    model.message = Some(what.to_owned());
    Effects::none()
}
