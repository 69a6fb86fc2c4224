//! The line being typed: searches, filters, positions and marks.

use crate::document::Goal;
use crate::join::Place;
use crate::search::{PatternFilter, Query};
use crate::tui::app::{focus, in_log, in_tree, show_message};
use crate::tui::keymap::{Action, Key};
use crate::tui::layout::Pane;
use crate::tui::log::Log;
use crate::tui::model::Model;
use crate::tui::msg::Effects;
use crate::tui::prompt::{Prompt, PromptKind, parse_goto};

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
            let goal = parse_goto(&text, model.shown_span(), &model.time_zone);
            goal.map(|goal| in_log(model, |log| log.go_to(goal))).map_err(ToOwned::to_owned)
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
        return Ok(in_log(model, Log::clear_search));
    }
    let query = Query::new(pattern, is_literal)?;
    model.past.push(pattern);
    Ok(in_log(model, |log| log.search(query)))
}

/// Shows only rows that match, or with a leading `!`, only rows that do not. An empty pattern shows
/// all rows.
fn filter(model: &mut Model, pattern: &str, is_literal: bool) -> Result<Effects, String> {
    let (is_inverse, pattern) =
        pattern.strip_prefix('!').map_or((false, pattern), |pattern| (true, pattern));
    if pattern.is_empty() {
        return Ok(in_log(model, |log| log.set_filter(None)));
    }
    let filter = PatternFilter { query: Query::new(pattern, is_literal)?, is_inverse };
    model.past.push(pattern);
    Ok(in_log(model, |log| log.set_filter(Some(filter))))
}

fn mark(model: &mut Model, name: &str) -> Effects {
    let place = model.log.current_row().and_then(|row| model.log.place_at(row.offset));
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
        return show_message(model, text);
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
        effects = in_tree(model, |tree, run| tree.select(run, place));
    }
    let goal = Goal::Place(address.unwrap_or(offset));
    effects.extend(in_log(model, |log| log.seek(goal, "the log is empty")));
    effects
}
