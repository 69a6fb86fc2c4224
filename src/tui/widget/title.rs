//! The first row: the run, its state, and the badge that shows if it is live.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::{Strip, spent};
use crate::display::{self, Status};
use crate::join::RunHead;
use crate::model::Phase;
use crate::sanitize::name;
use crate::time::Time;
use crate::tui::theme::Theme;

/// The state of the output: if there may be more, and if the newest rows are on screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Badge {
    /// New rows appear as they are written.
    Live,
    /// As [`Self::Live`], but changes are detected by polling.
    Polling,
    /// The log is scrolled away from its end; this many rows have been added since.
    Paused(u64),
    /// Nothing of the run has changed for this time in milliseconds, and its recorder has probably
    /// stopped.
    Silent(i64),
    /// The store cannot be read now.
    Waiting,
    /// The file of the log was deleted; it can still be read, and may still be written.
    Deleted,
    /// Another file has taken the name of the log's file, which can still be read, and may still be
    /// written.
    Rotated,
    /// There will be no more output.
    Ended,
    /// There will be no more output, although the run was never finished.
    Interrupted,
}

impl Badge {
    /// Returns the text for a screen of this width.
    fn text(self, width: u16) -> String {
        match self {
            Self::Live => "live".into(),
            Self::Polling => "polling".into(),
            Self::Paused(0) => "paused".into(),
            Self::Paused(rows) => {
                let paused = if width < WITH_PAUSED { "" } else { "paused, " };
                let rows_word = if rows == 1 { "row" } else { "rows" };
                format!("{paused}{} new {rows_word}", display::count(rows))
            }
            Self::Silent(ms) => format!("silent for {}", display::duration(ms)),
            Self::Waiting => "waiting".into(),
            Self::Deleted => "deleted".into(),
            Self::Rotated => "rotated".into(),
            Self::Ended => "ended".into(),
            Self::Interrupted => "interrupted".into(),
        }
    }
}

/// The smallest width of a screen for the word `paused` beside the number of new rows.
const WITH_PAUSED: u16 = 60;

/// The smallest width of a screen for a state of several words.
const WITH_STATE: u16 = 70;

/// The run in the first row.
#[derive(Clone, Copy)]
pub struct Titled<'a> {
    /// The run.
    pub head: &'a RunHead,
    /// The number of its commands that have failed, while it is active; otherwise 0.
    pub failed: usize,
}

/// Draws the row. On a narrow screen it leaves out the program's name first, then the name of the
/// run, the commit, the ref and the repository.
pub fn draw_title(
    buffer: &mut Buffer,
    area: Rect,
    run: Option<Titled<'_>>,
    badge: Option<Badge>,
    now: Option<Time>,
    theme: &Theme,
) {
    let mut strip = Strip::new(buffer, area, theme.signs.ellipsis);
    strip.skip(1).skip_right(1);
    if let Some(badge) = badge {
        let style = match badge {
            Badge::Live => theme.ok,
            Badge::Ended => theme.muted,
            _ => theme.warn,
        };
        strip.put_right(&badge.text(area.width), style, 8).skip_right(2);
    }
    let Some(Titled { head, failed }) = run else {
        strip.put("rundown", theme.accent);
        return;
    };
    let status = Status::of_run(head);
    let has_state = head.phase != Phase::Unknown;
    let word = if area.width < WITH_STATE { status.word() } else { display::state(head) };
    let state =
        if has_state { format!("{} {word}", theme.signs.status(status)) } else { String::new() };
    let spent = spent(head, now).map_or_else(String::new, |spent| format!(" {spent}"));
    let names = Names::new(head);
    let failed =
        if failed > 0 { format!(" {} {failed} failed", theme.signs.dot) } else { String::new() };
    let room = strip.free().saturating_sub(state.width() + spent.width() + failed.width() + 2);
    let program = format!("rundown {} ", theme.signs.dot);
    if program.width() + names.all.width() <= room {
        strip.put(&program, theme.muted).put(&names.all, theme.strong).skip(2);
    } else if let Some(names) = [&names.all, &names.revision, &names.without_sha, &names.repo]
        .into_iter()
        .find(|n| n.width() <= room)
    {
        strip.put(names, theme.strong).skip(2);
    }
    strip
        .put(&state, theme.status(status))
        .put(&spent, theme.status(status))
        .put(&failed, theme.bad);
}

/// The names of a run, from the longest to the shortest.
struct Names {
    all: String,
    revision: String,
    without_sha: String,
    repo: String,
}

impl Names {
    fn new(head: &RunHead) -> Self {
        let run = &head.run;
        let repo = name(run.repo.as_deref().unwrap_or(run.id.short())).into_owned();
        let with = |place: Option<String>| {
            place.map_or_else(|| repo.clone(), |place| format!("{repo}  {place}"))
        };
        let revision = with(display::revision(run));
        let all = display::pipeline(run).map(|name| format!("{revision}  {name}"));
        let all = all.unwrap_or_else(|| revision.clone());
        Self { all, revision, without_sha: with(display::short_ref(run)), repo }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Outcome, Run, RunId};

    fn title(width: u16, badge: Badge) -> String {
        let at = |ms| Some(Time::from_millis(ms));
        let run = Run {
            id: RunId("01a2078a-83c0-7cf2-8c6a-6911d61998d3".into()),
            repo: Some("example".into()),
            ref_name: Some("refs/heads/main".into()),
            sha: Some("deadbeefcafe".into()),
            state: None,
            reason: None,
            queued_at: None,
            started_at: at(0),
            finished_at: at(83_000),
            in_database: true,
            details: crate::model::RunDetails::default(),
        };
        let head = RunHead {
            run,
            phase: Phase::Finished,
            outcome: Some(Outcome::Failed),
            interrupted: false,
            waiting: false,
        };
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, 1));
        let area = buffer.area;
        let run = Titled { head: &head, failed: 0 };
        draw_title(&mut buffer, area, Some(run), Some(badge), None, &Theme::new(true, false));
        crate::tui::sim::text(&buffer).trim_end().to_owned()
    }

    #[test]
    fn the_state_is_the_last_to_go() {
        assert_eq!(
            title(64, Badge::Live),
            " rundown · example  main@deadbee  ✗ failed 1m23s           live"
        );
        assert_eq!(title(50, Badge::Live), " example  main@deadbee  ✗ failed 1m23s       live");
        assert_eq!(title(40, Badge::Live), " example  main  ✗ failed 1m23s     live");
        assert_eq!(title(32, Badge::Live), " example  ✗ failed 1m23s   live");
        assert_eq!(title(24, Badge::Live), " ✗ failed 1m23s    live");
        assert_eq!(title(12, Badge::Paused(1_234)), " ✗ failed");
    }

    #[test]
    fn a_pause_counts_what_has_come() {
        assert!(title(80, Badge::Paused(0)).ends_with("  paused"));
        assert!(title(80, Badge::Paused(1)).ends_with("  paused, 1 new row"));
        assert!(title(80, Badge::Paused(12_345)).ends_with("  paused, 12.3k new rows"));
        assert!(title(40, Badge::Paused(18)).ends_with("  18 new rows"));
    }
}
