//! The columns of the list of runs: their texts, and their widths.
//!
//! ```text
//!  ✗ failed       main  test: cargo test --workspace  exit 101    34.0s    2m  example  7f3a9c01
//!  ✗ failed       main  test: cargo test --works…    34.0s    2m  7f3a9c01
//!  ✗ main test      2m
//! ```
//!
//! A narrow list leaves columns out; the others keep their meaning and their order.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

use crate::catalog::Highlight;
use crate::display;
use crate::join::RunHead;
use crate::model::{Outcome, Run, Sh};
use crate::sanitize::name;
use crate::time::Time;
use crate::tui::widget::spent;

/// The width of a state word, such as `interrupted`.
const WORD: usize = 11;
/// The width of a short ID.
const ID: usize = 8;
/// The number of digits of a commit.
const SHA: usize = 7;
/// The width of an exit status, such as `exit 101`.
const EXIT: usize = 8;
/// The width of a duration.
pub(super) const SPENT: usize = 7;
/// The width of an age.
pub(super) const AGE: usize = 4;
/// The width from which columns are two blanks apart.
const WIDE: usize = 60;
/// The width that the optional columns leave for the ref and for the failure, if they need it.
const LEAST_REF: usize = 12;
const LEAST_WHAT: usize = 20;
/// The width that a narrow list leaves for the failure.
const LEAST_JOB: usize = 8;
/// The least columns for a command after its job.
const LEAST_COMMAND: usize = 12;
/// The most columns for a repository.
const MOST_REPO: usize = 16;
/// The width of the failure's column from which the commit also has a column.
const WIDE_WHAT: usize = 80;

/// The widths of the widest texts.
#[derive(Clone, Copy, Default)]
pub(super) struct Widest {
    pub place: usize,
    pub sha: usize,
    pub what: usize,
    /// 0 if all runs are of one repository.
    pub repo: usize,
}

/// The widths of the columns; 0 for one that is left out. The sign and the age are always shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Columns {
    /// The number of blanks between two columns.
    pub gap: usize,
    pub word: usize,
    pub place: usize,
    pub sha: usize,
    pub what: usize,
    pub exit: usize,
    pub spent: usize,
    pub repo: usize,
    pub id: usize,
}

impl Columns {
    /// Divides a row of `width` columns.
    pub(super) fn new(width: usize, widest: Widest) -> Self {
        let (gap, is_wide) = if width < WIDE { (1, false) } else { (2, true) };
        let what = if is_wide { LEAST_WHAT } else { widest.what.min(LEAST_JOB) };
        let least = widest.place.min(LEAST_REF) + if what > 0 { what + gap } else { 0 };
        // The sign with a blank at either side, the age, and a blank at the end.
        let mut room = width.saturating_sub(3 + AGE + 1);
        let mut take = |columns: usize, is_wanted: bool| {
            let fits = is_wanted && columns > 0 && columns + gap + least + gap <= room;
            room -= if fits { columns + gap } else { 0 };
            if fits { columns } else { 0 }
        };
        let word = take(WORD, is_wide);
        let repo = take(widest.repo.min(MOST_REPO), is_wide);
        let spent = take(SPENT, is_wide || what == 0);
        let (id, exit) = (take(ID, is_wide), take(EXIT, is_wide));
        let place =
            if what == 0 { room } else { widest.place.min(room.saturating_sub(what + gap)) };
        let place = place.saturating_sub(usize::from(what == 0) * gap);
        room = room.saturating_sub(place + gap);
        let sha = if is_wide && widest.sha + 2 * gap + WIDE_WHAT <= room { widest.sha } else { 0 };
        room -= if sha > 0 { sha + gap } else { 0 };
        let what = if what > 0 { room.saturating_sub(gap) } else { 0 };
        Self { gap, word, place, sha, what, exit, spent, repo, id }
    }
}

/// The texts in the row of a run.
pub(super) struct Texts<'a> {
    pub head: &'a RunHead,
    pub id: Cow<'a, str>,
    pub repo: Cow<'a, str>,
    /// The ref, or without one, the repository or the ID.
    pub place: String,
    /// The first digits of the commit.
    pub sha: String,
    /// The job that failed or is running.
    pub job: String,
    /// The job and its command; without a job, the name of the run, or the subject of its commit.
    pub what: String,
    /// True if `what` belongs to the run, not to a job.
    pub is_title: bool,
    pub exit: String,
    pub spent: String,
    pub age: String,
}

impl<'a> Texts<'a> {
    pub(super) fn new(head: &'a RunHead, highlight: Option<&Highlight>, now: Option<Time>) -> Self {
        let run = &head.run;
        let job =
            highlight.map_or_else(|| reason(head), |found| name(found.job.as_str()).into_owned());
        let sh = highlight.and_then(|found| found.sh.as_ref());
        let what = sh.map(|sh| format!("{job}: {}", display::command(sh)));
        let title = || display::pipeline(run).or_else(|| display::subject(run));
        let title = if job.is_empty() { title() } else { None };
        let is_title = title.is_some();
        let what = what.or(title);
        let sha = run.sha.as_deref().map(|sha| sha.chars().take(SHA).collect::<String>());
        let age = since(run).zip(now).map(|(then, now)| display::age(now.millis_since(then)));
        Self {
            head,
            id: name(run.id.short()),
            repo: run.repo.as_deref().map(name).unwrap_or_default(),
            place: place(run),
            sha: sha.map(|sha| name(&sha).into_owned()).unwrap_or_default(),
            what: what.unwrap_or_else(|| job.clone()),
            is_title,
            job,
            exit: sh
                .and_then(Sh::exit_status)
                .and(sh)
                .and_then(display::exit_in_short)
                .unwrap_or_default(),
            spent: spent(head, now).unwrap_or_default(),
            age: age.unwrap_or_default(),
        }
    }

    /// Returns the text for the column of the failure: the job alone if the command would be cut to
    /// a few characters.
    pub(super) fn what(&self, columns: usize) -> &str {
        let is_cut = !self.is_title
            && self.what.width() > columns
            && columns < self.job.width() + LEAST_COMMAND;
        if is_cut { &self.job } else { &self.what }
    }
}

fn place(run: &Run) -> String {
    let repo = || run.repo.as_deref().map(|repo| name(repo).into_owned());
    display::short_ref(run).or_else(repo).unwrap_or_else(|| name(run.id.short()).into_owned())
}

/// Returns the stored reason for a failure without a failed job.
fn reason(head: &RunHead) -> String {
    let reason = display::reason(head).filter(|_| head.outcome == Some(Outcome::Failed));
    reason.unwrap_or_default()
}

const fn since(run: &Run) -> Option<Time> {
    match (run.finished_at, run.started_at) {
        (Some(at), _) | (None, Some(at)) => Some(at),
        (None, None) => run.queued_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_come_as_the_width_allows() {
        let columns = |width, what| {
            let widest = Widest { place: 4, sha: 7, what, repo: 7 };
            let Columns { word, place, sha, what, exit, spent, repo, id, .. } =
                Columns::new(width, widest);
            [word, place, sha, what, exit, spent, repo, id]
        };
        assert_eq!(columns(24, 30), [0, 4, 0, 10, 0, 0, 0, 0]);
        assert_eq!(columns(24, 0), [0, 7, 0, 0, 0, 7, 0, 0]);
        assert_eq!(columns(78, 30), [11, 4, 0, 21, 0, 7, 7, 8]);
        assert_eq!(columns(118, 30), [11, 4, 0, 51, 8, 7, 7, 8]);
        assert_eq!(columns(118, 0), columns(118, 30), "wide columns do not move");
    }

    proptest! {
        #[test]
        fn columns_never_need_more_than_there_is(
            width in 12_usize..300,
            place in 0_usize..80,
            sha in 0_usize..8,
            what in 0_usize..80,
            repo in 0_usize..80,
        ) {
            let columns = Columns::new(width, Widest { place, sha, what, repo });
            let Columns { gap, word, place, sha, what, exit, spent, repo, id } = columns;
            let optional = [word, place, sha, what, exit, spent, repo, id];
            let taken: usize =
                optional.iter().filter(|columns| **columns > 0).map(|columns| columns + gap).sum();
            prop_assert!(3 + AGE + 1 + taken <= width, "{columns:?}");
        }
    }
}
