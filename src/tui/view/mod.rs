//! The drawing of the model with the widgets. Pure.

mod card;
mod extent;
mod header;
mod heading;
mod log;
mod next_step;
mod wait;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::display::Status;
use crate::join::{RunHead, RunNode, silent_ms};
use crate::log::Name;
use crate::model::Phase;
use crate::tui::keymap::{Action, Keys, Situation};
use crate::tui::layout::{Layout, Pane, Slot, help_box};
use crate::tui::model::Model;
use crate::tui::msg::Watching;
use crate::tui::runs::RunsView;
use crate::tui::tree::TreeList;
use crate::tui::widget::{
    Badge, StatusLine, Titled, clear, draw_bars, draw_begun, draw_head, draw_hints, draw_lines,
    draw_prompt, draw_title, spent_ms,
};

/// Draws everything.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    // The terminal may already have another size than the model.
    let screen = model.screen.intersection(frame.area());
    let layout = model.layout_of(screen);
    draw(model, &layout, frame.buffer_mut());
}

fn draw(model: &Model, layout: &Layout, buffer: &mut Buffer) {
    buffer.set_style(model.screen.intersection(buffer.area), model.theme.base);
    let head = model.run.as_ref().map(titled);
    let failed = model
        .run
        .as_ref()
        .filter(|run| run.head.phase == Phase::Active)
        .map_or(0, RunNode::failed_commands);
    let run = head.as_ref().map(|head| Titled { head, failed });
    draw_title(buffer, layout.title, run, badge(model), model.now, &model.theme);
    if let Some(waiting) = model.nothing_yet() {
        let top = layout.title.bottom();
        let area = Rect { y: top, height: layout.hints.y.saturating_sub(top), ..model.screen };
        wait::draw(model, waiting, area.intersection(buffer.area), buffer);
    } else {
        draw_panes(model, layout, buffer);
    }
    if let Some(popup) = &layout.popup {
        clear(buffer, popup.head.union(popup.body), &model.theme);
        draw_slot(model, popup, true, buffer);
    }
    draw_last_row(model, layout, buffer);
    if let (Some(help), Some(page)) = (&model.help, model.help_page()) {
        let back = model.key_of(Action::Back);
        page.draw(buffer, help_box(model.screen), help, back.as_deref(), &model.theme);
    }
}

/// Draws the last row: the line being typed, the keys that may follow those pressed, or the current
/// problem. Otherwise, draws the search and the filters, and after them the result of the last key
/// or the most important keys.
fn draw_last_row(model: &Model, layout: &Layout, buffer: &mut Buffer) {
    if let Some(prompt) = &model.prompt {
        // On a screen too low for hints, the line covers the last row of the panes.
        let bottom = model.screen.bottom().saturating_sub(1);
        let area = Rect { y: bottom, height: model.screen.height.min(1), ..model.screen };
        clear(buffer, area, &model.theme);
        let literal = model.key_of(Action::Literal);
        return draw_prompt(buffer, area, prompt, literal.as_deref(), &model.theme);
    }
    if !model.pressed.is_empty() {
        let hints = model.keymap.hints_after(model.context(), &model.pressed);
        let pressed = model.theme.signs.keys(&Keys::from(model.pressed.clone()));
        return draw_begun(buffer, model.screen, &pressed, &hints, &model.theme);
    }
    let fault = fault(model);
    let finding = log::finding(model);
    let message = log::looking(model).or_else(|| model.message.clone());
    let status = StatusLine {
        fault: fault.as_deref(),
        message: message.as_deref(),
        finding: finding.as_deref(),
    };
    let hints = model.keymap.hints(model.context(), situation(model));
    draw_hints(buffer, layout.hints, &hints, &status, &model.theme);
}

/// Returns the situation in the log's pane, for the hints.
fn situation(model: &Model) -> Situation {
    match model.shown().map(|item| next_step::status(&item)) {
        _ if model.log.is_alive => Situation::Live,
        Some(Status::Failed | Status::Interrupted) if model.secure => Situation::FailedSecure,
        Some(Status::Failed | Status::Interrupted) => Situation::Failed,
        _ => Situation::Ended,
    }
}

fn draw_panes(model: &Model, layout: &Layout, buffer: &mut Buffer) {
    for (index, slot) in layout.slots.iter().enumerate() {
        draw_slot(model, slot, slot.pane == model.focus && layout.popup.is_none(), buffer);
        if index + 1 < layout.slots.len() {
            draw_bars(buffer, slot.head, slot.body, &model.theme);
        }
    }
}

/// Returns the most severe problem. A wait that fills the screen is not repeated.
fn fault(model: &Model) -> Option<String> {
    let waiting = model.waiting.as_ref().filter(|_| model.run.is_some()).map(|waiting| {
        let wait = &waiting.wait;
        let why = wait.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let still =
            wait::still(model, waiting).map(|still| format!(" {still}")).unwrap_or_default();
        format!("{}{why}; retrying{still}", wait.what)
    });
    let hangs =
        model.hangs().filter(|_| model.run.is_some()).and_then(|reads| wait::hangs(model, reads));
    hangs.or(waiting).or_else(|| model.store_fault.as_ref().or(model.log.fault.as_ref()).cloned())
}

/// Returns the run for the title. A run of logs that were opened by their path has no repository:
/// the name of the directory or of the log is shown instead.
fn titled(run: &RunNode) -> RunHead {
    let mut head = run.head.clone();
    if head.run.id.as_str().is_empty() {
        let log = || {
            run.jobs.iter().flat_map(|job| &job.shs).find_map(|sh| Some(&*sh.log.as_ref()?.path))
        };
        let file_name = run.dir.as_deref().or_else(log).and_then(|path| path.file_name());
        head.run.repo = file_name.map(|name| name.to_string_lossy().into_owned());
    }
    head
}

fn draw_slot(model: &Model, slot: &Slot, has_focus: bool, buffer: &mut Buffer) {
    let runs = RunsView {
        runs: &model.runs,
        open: model.wanted.as_ref(),
        has_focus: model.focus == Pane::Runs,
        now: model.now,
        theme: &model.theme,
    };
    let title = match slot.pane {
        Pane::Runs => runs.title(),
        Pane::Tree => "Jobs".into(),
        Pane::Log => log::title(model),
    };
    draw_head(buffer, slot.head, &title, &model.theme, has_focus);
    match slot.pane {
        Pane::Runs => runs.draw(buffer, slot.body),
        Pane::Tree => draw_tree(model, slot.body, buffer),
        Pane::Log => log::draw(model, slot.body, buffer),
    }
}

fn draw_tree(model: &Model, body: Rect, buffer: &mut Buffer) {
    let items = model.items();
    if let Some(run) = model.run.as_ref().filter(|run| run.jobs.is_empty()) {
        let has_ended = matches!(run.head.phase, Phase::Finished | Phase::Unknown);
        let nothing = if has_ended { "no jobs" } else { "no jobs yet" };
        draw_texts(model, buffer, body, &["", nothing, &next_step::in_tree(model, run)]);
    }
    let list = TreeList {
        items: &items,
        top: model.tree.top,
        at: model.tree.index_in(&items),
        is_odd: &|item| {
            model.run.as_ref().is_some_and(|run| run.findings.at(&item.place()).next().is_some())
        },
        is_folded: &|job| model.tree.folded.contains(&job.job.id),
        whole_ms: model.run.as_ref().and_then(|run| spent_ms(&run.head, model.now)),
        has_focus: model.focus == Pane::Tree,
        now: model.now,
        theme: &model.theme,
    };
    list.draw(buffer, body);
}

/// Draws lines of text where there is nothing else to show.
fn draw_texts(model: &Model, buffer: &mut Buffer, body: Rect, lines: &[&str]) {
    draw_lines(buffer, body, lines, &model.theme);
}

/// Returns the badge for the state of the output. Returns `None` if no run is open, unless the
/// screen waits for the store. Also returns `None` for the ended log of a run in progress: the
/// title contains the state of the run, which differs from that of the log.
fn badge(model: &Model) -> Option<Badge> {
    let names = || model.log.file_states.iter().map(|(_, state)| state.name);
    if names().any(|name| name == Name::Missing) {
        return Some(Badge::Deleted);
    }
    if names().any(|name| name != Name::Same) {
        return Some(Badge::Rotated);
    }
    if model.waiting.is_some() {
        return Some(Badge::Waiting);
    }
    let head = &model.run.as_ref()?.head;
    let silent_ms = model.run.as_ref().zip(model.now).and_then(|(run, now)| silent_ms(run, now));
    if let Some(ms) = silent_ms {
        return Some(Badge::Silent(ms));
    }
    let (log, unseen) = (&model.log, model.log.unseen());
    let is_reading_above = !log.follow && log.has_rows();
    Some(match (head.phase, model.watching) {
        (Phase::Finished, _) if head.interrupted => Badge::Interrupted,
        (Phase::Finished, _) => Badge::Ended,
        _ if !log.may_grow() && !is_awaited(model) => return None,
        // It is unknown if a log that was opened by its path is still written.
        _ if is_reading_above && !log.is_alive && unseen == 0 => return None,
        _ if is_reading_above => Badge::Paused(unseen),
        (_, Watching::Polling) => Badge::Polling,
        (_, Watching::Told) => Badge::Live,
    })
}

/// Returns true if the log on screen has not begun, but may still do so.
fn is_awaited(model: &Model) -> bool {
    let status = model.shown().map(|item| next_step::status(&item));
    status.is_none_or(|status| matches!(status, Status::Queued | Status::Active | Status::Waiting))
}
