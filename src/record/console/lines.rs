//! Output in lines, each with the name of its job, for a terminal.
//!
//! ```text
//! ▶ build · make
//! build │ cc -c main.c
//! test  │ running 30 tests
//! ```
//!
//! The content of a line is passed on unchanged. An unterminated line is printed when the thread
//! that reads the stream flushes it, or when it is long. If another job then prints, a newline ends
//! the line first.

use std::sync::Mutex;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::OwnStreams;
use crate::cri::{PerStream, Stream};
use crate::model::JobId;
use crate::record::execute::locked;
use crate::sanitize;

/// The length at which an unterminated line is printed.
const LONG_BYTES: usize = 64 << 10;

/// The maximum width of a name.
const MAX_NAME_COLUMNS: usize = 24;

/// The colors of the names, as parameters of SGR. Red is the color of failures.
const PALETTE: [u8; 10] = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];

/// The lines of all jobs.
pub(super) struct Lines {
    /// The jobs with the text before each of their lines.
    jobs: Vec<(JobId, String)>,
    /// The source of the line that the cursor is in; `None` at the start of a line. Held while
    /// printing.
    open: Mutex<Option<Source>>,
}

/// A job, by its index, and one of its streams.
type Source = (usize, Stream);

/// The lines of one job.
pub(super) struct JobLines {
    job: usize,
    /// The text before each line.
    lead: String,
    /// The unterminated lines that are not printed yet.
    pending: PerStream<Mutex<Vec<u8>>>,
}

impl JobLines {
    pub(super) fn has_pending(&self, stream: Stream) -> bool {
        !locked(self.pending.get(stream)).is_empty()
    }
}

impl Lines {
    pub(super) fn new<'a>(jobs: impl Iterator<Item = &'a JobId>, color: bool) -> Self {
        let names: Vec<_> = jobs.map(|job| (job.clone(), short_name(job))).collect();
        let width = names.iter().map(|(_, name)| name.width()).max().unwrap_or(0);
        let colors = PALETTE.iter().cycle();
        let jobs = names.into_iter().zip(colors).map(|((job, name), sgr)| {
            let pad = " ".repeat(width.saturating_sub(name.width()));
            let lead = if color {
                format!("\x1b[0;{sgr}m{name}{pad} │\x1b[0m ")
            } else {
                format!("{name}{pad} │ ")
            };
            (job, lead)
        });
        Self { jobs: jobs.collect(), open: Mutex::default() }
    }

    pub(super) fn begin(&self, job: &JobId) -> JobLines {
        let found = self.jobs.iter().enumerate().find(|(_, (id, _))| id == job);
        let (job, lead) =
            found.map_or((usize::MAX, String::new()), |(at, (_, lead))| (at, lead.clone()));
        JobLines { job, lead, pending: PerStream::default() }
    }

    /// Prints the complete lines, and an unterminated one if it is long.
    pub(super) fn pass(&self, job: &JobLines, stream: Stream, bytes: &[u8], own: &OwnStreams) {
        let mut pending = locked(job.pending.get(stream));
        pending.extend_from_slice(bytes);
        let lines = memchr::memrchr(b'\n', &pending).map_or(0, |at| at + 1);
        let is_long = pending.len() - lines >= LONG_BYTES;
        let count = if is_long { pending.len() } else { lines };
        self.print((job.job, stream), &job.lead, pending.get(..count).unwrap_or_default(), own);
        pending.drain(..count);
    }

    /// Prints the unterminated line of a stream.
    pub(super) fn flush(&self, job: &JobLines, stream: Stream, own: &OwnStreams) {
        let mut pending = locked(job.pending.get(stream));
        self.print((job.job, stream), &job.lead, &pending, own);
        pending.clear();
    }

    fn print(&self, source: Source, lead: &str, text: &[u8], own: &OwnStreams) {
        if !text.is_empty() {
            let mut open = locked(&self.open);
            own.pass(source.1, &with_lead(&mut open, source, lead, text));
        }
    }

    /// Prints a line of our own to stderr.
    pub(super) fn print_whole(&self, line: &[u8], own: &OwnStreams) {
        let mut open = locked(&self.open);
        let end = if open.take().is_some() { &b"\n"[..] } else { b"" };
        own.pass(Stream::Stderr, &[end, line].concat());
    }
}

/// Returns the text to print for a text of this source: completes the open line of another source,
/// and adds `lead` to each line that begins.
fn with_lead(open: &mut Option<Source>, source: Source, lead: &str, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + lead.len());
    let mut continues = *open == Some(source);
    if open.is_some() && !continues {
        out.push(b'\n');
    }
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if !continues {
            out.extend_from_slice(lead.as_bytes());
        }
        out.extend_from_slice(line);
        continues = false;
    }
    *open = (!text.ends_with(b"\n")).then_some(source);
    out
}

/// Returns the displayed name of a job, cut to [`MAX_NAME_COLUMNS`].
fn short_name(job: &JobId) -> String {
    let name = sanitize::name(job.as_str());
    if name.width() <= MAX_NAME_COLUMNS {
        return name.into_owned();
    }
    let mut columns = 0;
    let fits = |found: &char| {
        columns += found.width().unwrap_or(0);
        columns < MAX_NAME_COLUMNS
    };
    let cut: String = name.chars().take_while(fits).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STDOUT: Source = (0, Stream::Stdout);
    const STDERR: Source = (0, Stream::Stderr);
    const OTHER: Source = (1, Stream::Stdout);

    fn printed(parts: &[(Source, &str)]) -> String {
        let mut open = None;
        let text = |(source, text): &(Source, &str)| {
            let lead = if source.0 == 0 { "a │ " } else { "b │ " };
            with_lead(&mut open, *source, lead, text.as_bytes())
        };
        String::from_utf8(parts.iter().flat_map(text).collect()).unwrap()
    }

    #[test]
    fn a_lead_is_at_the_start_of_each_line_and_of_no_other_part() {
        assert_eq!(printed(&[(STDOUT, "1\n\n2\n"), (OTHER, "3\n")]), "a │ 1\na │ \na │ 2\nb │ 3\n");
        assert_eq!(printed(&[(STDOUT, "on"), (STDOUT, "e\ntwo\n")]), "a │ one\na │ two\n");
        assert_eq!(
            printed(&[(STDOUT, "Continue? "), (OTHER, "x\n"), (STDOUT, "yes\n")]),
            "a │ Continue? \nb │ x\na │ yes\n"
        );
        assert_eq!(printed(&[(STDOUT, "10%\r"), (STDERR, "note\n")]), "a │ 10%\r\na │ note\n");
    }

    #[test]
    fn names_are_harmless_padded_and_cut() {
        let jobs = ["a", "über", "evil\x1b[2J\nname", &"long".repeat(10), &"字".repeat(20)];
        let jobs = jobs.map(|name| JobId(name.into()));
        let lines = Lines::new(jobs.iter(), false);
        let leads: Vec<&str> = lines.jobs.iter().map(|(_, lead)| lead.as_str()).collect();
        assert_eq!(leads[0], format!("a{} │ ", " ".repeat(23)));
        assert!(leads.iter().all(|lead| lead.width() == 27), "{leads:#?}");
        assert!(!leads.concat().contains(['\x1b', '\n']));
        let colored = Lines::new(jobs.iter(), true);
        assert!(colored.jobs[0].1.starts_with("\x1b[0;36ma "));
        assert_ne!(colored.jobs[0].1.get(..7), colored.jobs[1].1.get(..7));
    }
}
