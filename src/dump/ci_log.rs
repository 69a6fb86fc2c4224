//! The log of a run for the page of a CI system, which can fold a part of it. The lines are those
//! of `--format text`. Commands for the system are written by [`crate::ci::Output`], which breaks
//! all others.

use std::io::{self, Write};

use super::printing::{Printing, run_id};
use super::text::{head_line, job_line, sh_line, write_notes, write_rows};
use super::unique_names::UniqueNames;
use crate::ci::{Output, broken_within};
use crate::display;
use crate::join::{JobNode, LogRef, Place, ShNode, ShState};
use crate::model::Sh;
use crate::sanitize::name;
use crate::time::Time;

/// The indents of a command and of its notes, as in text.
const INDENT: &str = "  ";
const NOTE_INDENT: &str = "    ";

/// A part of the log with a heading.
pub(super) struct Fold<'a> {
    /// A unique name of ASCII letters, digits, `_`, `.` and `-`.
    pub name: String,
    /// The heading. Sanitized, without markers of CI systems.
    pub title: &'a str,
    /// The times of its start and its end.
    pub began_at: Option<Time>,
    pub ended_at: Option<Time>,
    /// True if it begins folded, because nothing in it failed.
    pub is_folded: bool,
}

/// The commands of a CI system that begin and end a fold.
pub(super) struct FoldSyntax {
    /// Returns `None` if the part is printed without a fold.
    pub begin: fn(&Fold<'_>) -> Option<String>,
    pub end: fn(&Fold<'_>) -> String,
}

/// Writes the jobs and commands of a run with their rows.
pub(super) fn write_log<W: Write>(
    printing: &mut Printing<'_>,
    syntax: &FoldSyntax,
    out: &mut Output<'_, W>,
) -> io::Result<()> {
    let (run, look) = (printing.run, printing.look);
    let bare = run_id(&run.head.run).is_none();
    if !bare {
        writeln!(out, "{}", head_line(&run.head, look))?;
    }
    write_notes(run, &Place::Run, "", out)?;
    let mut names = UniqueNames::default();
    for job in &run.jobs {
        let line =
            if bare { name(job.job.id.as_str()).into_owned() } else { job_line(run, job, look) };
        if !line.is_empty() {
            writeln!(out, "{line}")?;
        }
        write_notes(run, &Place::Job(job.job.id.clone()), INDENT, out)?;
        let job_name = names.unique(&slug(job.job.id.as_str()));
        for sh in &job.shs {
            write_sh(printing, (job, sh), &job_name, syntax, out)?;
        }
    }
    if let Some(log) = run.log.as_ref().filter(|_| look.stream.is_none()) {
        let fold = Fold {
            name: names.unique("run-log"),
            title: "run log",
            began_at: run.head.run.started_at,
            ended_at: run.head.ended_at(),
            is_folded: !bare && printing.run_failure().is_none(),
        };
        write_fold(printing, &fold, syntax, (Some(log), None), out, |_| Ok(()))?;
    }
    Ok(())
}

fn write_sh<W: Write>(
    printing: &mut Printing<'_>,
    (job, node): (&JobNode, &ShNode),
    job_name: &str,
    syntax: &FoldSyntax,
    out: &mut Output<'_, W>,
) -> io::Result<()> {
    let run = printing.run;
    let bare = run_id(&run.head.run).is_none();
    let title =
        if bare { display::log_name(node) } else { sh_line(&run.head, node, printing.look) };
    let sh = node.sh.as_ref();
    let fold = Fold {
        name: format!("{job_name}.{}", node.n),
        title: &broken_within(&title),
        began_at: sh.and_then(|sh| sh.started_at),
        ended_at: sh.and_then(|sh| sh.finished_at),
        is_folded: node.state == ShState::Passed,
    };
    let place = Place::Sh(job.job.id.clone(), node.n);
    let notes = |out: &mut Output<'_, W>| write_notes(run, &place, NOTE_INDENT, out);
    write_fold(printing, &fold, syntax, (node.log.as_ref(), sh), out, notes)
}

/// Writes a fold with the rows of a log.
fn write_fold<W: Write>(
    printing: &mut Printing<'_>,
    fold: &Fold<'_>,
    syntax: &FoldSyntax,
    (log, sh): (Option<&LogRef>, Option<&Sh>),
    out: &mut Output<'_, W>,
    notes: impl FnOnce(&mut Output<'_, W>) -> io::Result<()>,
) -> io::Result<()> {
    let begin = (syntax.begin)(fold).filter(|_| log.is_some_and(|log| log.bytes > 0));
    match &begin {
        Some(command) => out.write_command(command)?,
        None => writeln!(out, "{INDENT}{}", fold.title)?,
    }
    notes(out)?;
    if let Some(log) = log {
        write_rows(printing, log, sh, out)?;
    }
    if begin.is_some() { out.write_command(&(syntax.end)(fold)) } else { Ok(()) }
}

/// The maximum length of a name in characters, without the number that makes it unique.
const MAX_NAME_CHARS: usize = 80;

/// Returns a name that resembles a text. It contains no `.`, which separates it from a number.
fn slug(text: &str) -> String {
    let keep = |found: char| {
        let is_kept = found.is_ascii_alphanumeric() || matches!(found, '_' | '-');
        if is_kept { found } else { '_' }
    };
    let slug: String = text.chars().take(MAX_NAME_CHARS).map(keep).collect();
    if slug.is_empty() { "log".to_owned() } else { slug }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_folds_have_only_safe_characters() {
        for (text, expected) in
            [("test-1_a", "test-1_a"), ("a b.c", "a_b_c"), ("a\x1b\n]", "a___"), ("", "log")]
        {
            assert_eq!(slug(text), expected);
        }
        assert_eq!(slug(&"あ".repeat(500)), "_".repeat(MAX_NAME_CHARS));
    }
}
