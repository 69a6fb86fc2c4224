//! The log's pane: the command line as its heading, a line of facts, and the rows, or the reason
//! why there are no rows.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::extent::Extent;
use super::{card, draw_texts, header, heading, next_step};
use crate::display::{self, Status};
use crate::document::{HitCount, Section, jobs};
use crate::join::{JobNode, Place, RunNode, ShNode, ShState};
use crate::model::{Phase, Sh};
use crate::sanitize::{Progress, name};
use crate::search::Cause;
use crate::tui::keymap::Action;
use crate::tui::layout::Pane;
use crate::tui::log::{Frame, LogRows, Stamps};
use crate::tui::model::Model;
use crate::tui::tree::Item;
use crate::tui::widget::{Strip, own_name, span, spent, spent_by};

/// The time without output, in milliseconds, from which a command counts as silent.
const SILENT_MS: i64 = 5000;

/// The width from which a position is written out.
const WIDE: u16 = 80;

/// The columns of the line of facts other than text: the sign, a separator, and the blanks.
const AROUND: usize = 7;

/// Returns the heading of the pane: the command line, or the name of the job, run or log.
pub(super) fn title(model: &Model) -> String {
    match model.shown() {
        None => "Log".into(),
        Some(Item::Run(_)) if model.tree.shows_all => "all commands of the run".into(),
        Some(Item::Job(job)) if model.tree.shows_all => {
            format!("all commands of {}", name(job.job.id.as_str()))
        }
        Some(Item::Run(run)) => own_name(run).into(),
        Some(Item::Sh(_, sh)) if sh.sh.is_some() => format!("$ {}", display::command_of(sh)),
        Some(Item::Sh(_, sh)) => display::command_of(sh),
        Some(Item::Job(job)) => name(job.job.id.as_str()).into_owned(),
    }
}

/// Draws the pane below its heading.
pub(super) fn draw(model: &Model, body: Rect, buffer: &mut Buffer) {
    let Some(item) = model.shown() else {
        match &model.run {
            Some(run) if run.jobs.is_empty() => {
                let reason = display::reason(&run.head).unwrap_or_default();
                draw_texts(model, buffer, body, &[no_jobs(run), &reason]);
            }
            None if model.waiting.is_none() => {
                draw_texts(model, buffer, body, &["reading the store"]);
            }
            Some(_) | None => {}
        }
        return;
    };
    let (status, facts, nothing) = match item {
        Item::Run(run) if model.tree.shows_all => {
            (Status::of_run(&run.head), scroll_facts(model).to_vec(), None)
        }
        Item::Job(job) if model.tree.shows_all => {
            (Status::of_job(job), scroll_facts(model).to_vec(), None)
        }
        Item::Run(run) => (
            Status::of_run(&run.head),
            run_facts(model, run).to_vec(),
            why_no_rows(model, ShState::Unknown, "no run log").map(Cow::Borrowed),
        ),
        Item::Sh(_, sh) => (
            Status::of_sh(sh),
            sh_facts(model, sh).to_vec(),
            why_no_rows(model, sh.state, "the log is missing").map(|why| {
                let not_started = sh.sh.as_ref().and_then(display::not_started);
                not_started.map_or(Cow::Borrowed(why), Cow::Owned)
            }),
        ),
        Item::Job(job) => (Status::of_job(job), Vec::new(), Some(why_no_command(model, job))),
    };
    let word = match item {
        Item::Run(run) => display::state(&run.head),
        Item::Job(_) | Item::Sh(..) => status.word(),
    };
    let (lines, notes) = (model.shown_header(body), model.notes(body.width));
    let frame = Frame { body, header: lines.len(), notes: notes.len() };
    let parts = model.log.parts(frame, nothing.is_some());
    card::draw(model, parts.card, buffer);
    header::draw(model, &lines, parts.header, buffer);
    match model.log.cause() {
        Some(cause) => {
            let (status, ending) = card::ending(model);
            let taken = ending.width() + position(model, parts.facts.width).width() + AROUND;
            let room = usize::from(parts.facts.width).saturating_sub(taken);
            let facts = card::facts(model, cause, room);
            draw_facts(model, status, &ending, &facts, parts.facts, buffer);
        }
        None => draw_facts(model, status, word, &facts, parts.facts, buffer),
    }
    draw_notes(model, &notes, parts.notes, buffer);
    if let Some(why) = nothing {
        return draw_texts(model, buffer, parts.rows, &[&why, &next_step::in_log(model)]);
    }
    draw_rows(model, parts.rows, buffer);
}

fn draw_rows(model: &Model, area: Rect, buffer: &mut Buffer) {
    let (log, view_options) = (&model.log, &model.log.options);
    if log.window.rows.is_empty() && view_options.row_filter.narrows() && log.request.is_none() {
        let nothing = ["no row matches the filter", &next_step::under_a_filter(model)];
        return draw_texts(model, buffer, area, &nothing);
    }
    if log.looking.is_some() && !log.is_seeking() {
        return draw_texts(model, buffer, area, &["searching for rows that match the filter"]);
    }
    let (above, rows) = log.window.rows.split_at_checked(log.top).unwrap_or_default();
    let columns = model.log.columns();
    let start = model.shown_span().map(|(start, _)| start);
    // The rows before the cause are only its context.
    let of_cause = |cause: &Cause| {
        let offsets = cause.rows.iter().map(|row| row.offset);
        offsets.filter(|offset| cause.at.is_some_and(|at| *offset >= at)).collect::<Vec<_>>()
    };
    let marked = model.log.cause().map(of_cause).unwrap_or_default();
    let headings: Vec<_> =
        rows.iter().take(usize::from(area.height)).map(|row| heading::of(model, row)).collect();
    let indices = (log.top..).take(headings.len());
    let cuts: Vec<_> = indices.map(|index| log.cut_after(index)).collect();
    let rows = LogRows {
        rows,
        headings: &headings,
        numbers: log.known.numbers.get(log.top..).unwrap_or_default(),
        depths: log.known.depths.get(log.top..).unwrap_or_default(),
        cuts: &cuts,
        above,
        style: log.style,
        sideways: log.sideways,
        wrap: view_options.wrap,
        wrapped: log.wrapped_row(),
        line: log.line,
        columns,
        stamps: Stamps {
            times: view_options.times,
            start,
            before: start.filter(|_| !log.has_headings()),
            zone: &model.time_zone,
            slow_ms: model.slow_ms(),
        },
        search: view_options.search.as_ref(),
        at: if model.focus == Pane::Log { log.cursor } else { log.at },
        marked: &marked,
        // While the log grows, the cursor follows its last row, which is not a choice of the user.
        cursor: (!(log.follow && log.is_alive)).then_some(model.focus == Pane::Log),
        progress: view_options.row_filter.progress,
        is_interrupted: log.is_interrupted,
        theme: &model.theme,
    };
    rows.draw(buffer, area);
    if columns.bar > 0 {
        draw_bar(model, Rect { x: area.right().saturating_sub(1), width: 1, ..area }, buffer);
    }
}

/// Draws the bar that shows the position and the size of the visible part of the document.
fn draw_bar(model: &Model, area: Rect, buffer: &mut Buffer) {
    let log = &model.log;
    let extent = Extent::of(model);
    let (Some(first), true) = (log.window.rows.get(log.top), extent.bytes > 0 && area.height > 0)
    else {
        return;
    };
    let below = model.log.first_below().map_or(u64::MAX, |row| row.offset);
    let line = |address: u64| {
        let line = extent.share(address, u64::from(area.height));
        u16::try_from(line).unwrap_or(area.height).min(area.height)
    };
    let top = line(first.offset).min(area.height.saturating_sub(1));
    let end = line(below).max(top + 1);
    for y in top..end {
        let line = Rect { y: area.y + y, height: 1, ..area };
        Strip::new(buffer, line, "").put(model.theme.signs.thumb, model.theme.muted);
    }
}

/// Returns the reason why a run has no jobs. A directory that was opened by its path is shown as a
/// run without an ID.
fn no_jobs(run: &RunNode) -> &'static str {
    match run.head.phase {
        _ if run.head.run.id.as_str().is_empty() => "no logs found in this directory",
        Phase::Queued | Phase::Active => "no jobs yet",
        Phase::Finished | Phase::Unknown => "no jobs recorded",
    }
}

/// Returns the reason why there are no rows; `None` if there are rows, or if rows may still be
/// found.
fn why_no_rows(model: &Model, state: ShState, no_log: &'static str) -> Option<&'static str> {
    if !model.log.has_rows() {
        return Some(if state == ShState::Running { "no log yet" } else { no_log });
    }
    let is_waited_for = model.log.request.is_some()
        || model.log.fault.is_some()
        || model.log.options.row_filter.narrows();
    let is_empty = model.log.window.rows.is_empty() && !is_waited_for;
    is_empty.then_some(if state == ShState::Running { "no output yet" } else { "no output" })
}

/// Draws the lines of the notes, and an ellipsis if some of them do not fit.
fn draw_notes(model: &Model, notes: &[String], area: Rect, buffer: &mut Buffer) {
    let cut = notes.len() > usize::from(area.height);
    for (line, y) in notes.iter().zip(area.top()..area.bottom()) {
        let row = Rect { y, height: 1, ..area };
        let mut strip = Strip::new(buffer, row, model.theme.signs.ellipsis);
        strip.put("! ", model.theme.warn).put(line, model.theme.warn);
        if cut && y + 1 == area.bottom() {
            strip.put(" ", model.theme.warn).put(model.theme.signs.ellipsis, model.theme.warn);
        }
    }
}

fn why_no_command(model: &Model, job: &JobNode) -> Cow<'static, str> {
    if let Some(why) = model.run.as_ref().and_then(|run| display::why_skipped(run, job)) {
        return format!("skipped because {why}").into();
    }
    let why = match (Status::of_job(job), job.phase) {
        (Status::Skipped, _) => "skipped; no command was run",
        (_, Phase::Queued) => "waiting to start",
        (_, Phase::Active) => "waiting for the first command",
        (_, Phase::Finished | Phase::Unknown) => "no command was run",
    };
    why.into()
}

/// Draws `✗ failed · exit 101 · 34.0s · 1.2k rows` and, at the right, the position in the log.
fn draw_facts(
    model: &Model,
    status: Status,
    word: &str,
    facts: &[Option<String>],
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = &model.theme;
    let mut strip = Strip::new(buffer, area, theme.signs.ellipsis);
    strip.skip_right(1).put_right(&position(model, area.width), theme.muted, 24).skip_right(1);
    strip
        .put(theme.signs.status(status), theme.status(status))
        .skip(1)
        .put(word, theme.status(status));
    for fact in facts.iter().flatten() {
        let fact = format!(" {} {fact}", theme.signs.dot);
        if fact.width() <= strip.free() {
            strip.put(&fact, theme.muted);
        }
    }
}

/// Returns the time since the last output of a running command, if it is at least [`SILENT_MS`].
fn silence(model: &Model) -> Option<String> {
    let (_, last) = model.log.known.span.filter(|_| model.log.is_alive)?;
    let silent_ms = model.now?.millis_since(last);
    (silent_ms >= SILENT_MS).then(|| format!("silent for {}", display::duration(silent_ms)))
}

fn sh_facts(model: &Model, sh: &ShNode) -> [Option<String>; 12] {
    let head = model.run.as_ref().map(|run| &run.head);
    let missing = head.and_then(|head| display::missing(head, sh)).filter(|_| sh.log.is_some());
    let [rows, bytes] = log_facts(model);
    let of_sh = |fact: fn(&Sh) -> Option<String>| sh.sh.as_ref().and_then(fact);
    [
        of_sh(display::exit),
        of_sh(display::exit_meaning),
        of_sh(|sh| display::attempt(sh.attempt)),
        missing,
        of_sh(display::cut),
        spent_by(sh, model.now),
        silence(model),
        rows,
        bytes,
        started(model, sh),
        of_sh(display::cpu),
        of_sh(display::memory),
    ]
}

fn run_facts(model: &Model, run: &RunNode) -> [Option<String>; 4] {
    let [rows, bytes] = log_facts(model);
    [display::reason(&run.head), spent(&run.head, model.now), rows, bytes]
}

/// Returns the facts about several commands: the number of commands, the number that failed, the
/// duration of the job or run, and the number of rows of all logs.
fn scroll_facts(model: &Model) -> [Option<String>; 6] {
    let (run, of) = (model.run.as_ref(), model.log.document.as_ref().map(|document| &document.of));
    let shs =
        || run.zip(of).into_iter().flat_map(|(run, of)| jobs(run, of)).flat_map(|job| &job.shs);
    let commands = match shs().count() {
        1 => "1 command".to_owned(),
        count => format!("{} commands", display::count(count as u64)),
    };
    let failed = shs().filter(|sh| sh.state == ShState::Failed).count();
    let spent = match model.shown() {
        Some(Item::Run(run)) => spent(&run.head, model.now),
        Some(Item::Job(job)) => span(job.phase, job.job.started_at, job.ended_at(), model.now),
        _ => None,
    };
    let tolerated = match model.shown() {
        Some(Item::Job(job)) => display::tolerated(job).map(String::from),
        _ => None,
    };
    // The number of failed commands is more precise than the reason.
    let reason = run
        .filter(|_| failed == 0 && of == Some(&Place::Run))
        .and_then(|run| display::reason(&run.head));
    let rows = model.log.known.total_rows.map(display::rows);
    [
        reason,
        tolerated,
        Some(commands),
        (failed > 0).then(|| format!("{failed} failed")),
        spent,
        rows,
    ]
}

/// Returns the number of rows and the size of the log.
fn log_facts(model: &Model) -> [Option<String>; 2] {
    let rows = model.log.known.total_rows.map(display::rows);
    [rows, model.log.has_rows().then(|| display::size(model.log.window.file_bytes))]
}

/// Formats the wall-clock time of the command's start, in the time zone of the screen.
fn started(model: &Model, sh: &ShNode) -> Option<String> {
    let start = sh.sh.as_ref()?.started_at?.to_jiff()?.to_zoned_datetime(model.time_zone.clone());
    Some(format!("at {}", start.strftime("%H:%M:%S")))
}

/// Returns the position of the cursor: `row 118 of 1,204`, `118/1,204` in a narrow pane, and with
/// headings `command 3 of 14`. While the rows are not counted, it is the percentage of the bytes
/// above the row. It is empty if all rows are on screen and rows are not wrapped.
fn position(model: &Model, width: u16) -> String {
    let (log, height) = (&model.log, model.log.height());
    let is_whole = log.window.at_start && log.window.at_end && log.window.rows.len() <= height;
    let Some(row) = log.current_row().filter(|_| !is_whole || log.options.wrap) else {
        return String::new();
    };
    let (unit, number, all) = if log.has_headings() {
        let (number, all) = command_of(model, row.offset);
        ("command", Some(number), Some(all))
    } else {
        let number = log.known.numbers.get(log.cursor_index()).copied().flatten();
        ("row", number.map(|number| number + 1), log.known.total_rows)
    };
    let is_wide = width >= WIDE;
    match (number, all) {
        (Some(number), Some(all)) => {
            let (number, all) = (display::grouped(number), display::grouped(all));
            if is_wide { format!("{unit} {number} of {all}") } else { format!("{number}/{all}") }
        }
        (Some(number), None) if is_wide => format!("{unit} {}", display::grouped(number)),
        (Some(number), None) => display::grouped(number),
        (None, _) => format!("~{}%", Extent::of(model).share(row.offset, 100)),
    }
}

/// Returns the number of the command that contains an address, and the number of commands.
fn command_of(model: &Model, address: u64) -> (u64, u64) {
    let Some(document) = &model.log.document else { return (0, 0) };
    let sections = &*document.sections;
    let commands = |sections: &[Section]| {
        sections.iter().filter(|section| section.place.n().is_some()).count() as u64
    };
    let here = sections.get(..=document.row(address).section()).unwrap_or(sections);
    (commands(here), commands(sections))
}

/// Returns the current search and filters, and the number of matching rows: `/error 3 of 17`.
pub(super) fn finding(model: &Model) -> Option<String> {
    let (view_options, known) = (&model.log.options, &model.log.known);
    let search = view_options.search.as_ref().map(|query| {
        let count = known.hits.map(|hits| format!(" {}", matches(hits))).unwrap_or_default();
        format!("/{}{count}", query.pattern())
    });
    let filter = view_options.row_filter.filter.as_ref().map(|filter| {
        let count = known.passed.map(|hits| format!(" {}", matches(hits))).unwrap_or_default();
        let context = if view_options.row_filter.context > 0 {
            format!(" {}{}", model.theme.signs.around(), view_options.row_filter.context)
        } else {
            String::new()
        };
        format!(
            "&{}{}{count}{context}",
            if filter.is_inverse { "!" } else { "" },
            filter.query.pattern()
        )
    });
    let stream = view_options.row_filter.stream.map(|stream| format!("only {}", stream.as_str()));
    let progress =
        (view_options.row_filter.progress == Progress::All).then(|| "full progress".to_owned());
    let all: Vec<_> = [search, filter, stream, progress].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join("  "))
}

/// Formats a number of matches: `3 of 1,234`, with a `+` while more may be found.
fn matches(hits: HitCount) -> String {
    if hits.rows == 0 && !hits.is_all {
        return "counting".into();
    }
    let more = if hits.is_all { "" } else { "+" };
    let all = format!("{}{more}", display::grouped(hits.rows));
    match hits.number {
        Some(number) => format!("{} of {all}", display::grouped(number)),
        None if hits.rows == 1 && hits.is_all => "1 row".to_owned(),
        None => format!("{all} rows"),
    }
}

/// Returns the progress of a long search.
pub(super) fn looking(model: &Model) -> Option<String> {
    let shows_all = || model.key_of(Action::Back).map(|key| format!("{key} shows all rows"));
    let how = if model.log.is_seeking() { Some("any key stops".to_owned()) } else { shows_all() };
    let how = how.map(|how| format!(" ({how})")).unwrap_or_default();
    model.log.looking.map(|percent| format!("searching: {percent}% of the log{how}"))
}
