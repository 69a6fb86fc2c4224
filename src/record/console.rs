//! The output of jobs that run at the same time, on our own stdout and stderr.
//!
//! ```text
//! job ─► tee ─► JobOutput ─► blocks: the foreground job passes on, the others are held ┐
//!                        └─► lines: each line with the name of its job (on a terminal) ┴► ours
//! ```
//!
//! With one job at a time, none of this is used: its output is passed on unchanged. The output that
//! a background process writes after the end of its command is passed on directly. A slow reader of
//! our output delays the jobs that print, as it delays a single command.

mod blocks;
mod held;
mod lines;

use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex};

use self::blocks::{Block, Blocks};
use self::lines::{JobLines, Lines};
use super::execute::locked;
use super::sink::Tee;
use crate::ci;
use crate::cri::{PerStream, Stream};
use crate::model::JobId;

/// The destination of a job's output and of its progress lines, besides its logs.
pub enum Destination {
    /// Everything is discarded.
    Nothing,
    /// Our own stdout and stderr.
    Own,
    /// The console, because other jobs may run at the same time.
    Job(BegunJob),
}

impl Destination {
    /// Returns tees to this destination.
    ///
    /// # Errors
    /// If there are no free file descriptors.
    pub fn tees(&self) -> io::Result<PerStream<Tee>> {
        Ok(match self {
            Self::Nothing => PerStream::default(),
            Self::Own => own_tees()?,
            Self::Job(BegunJob(job)) => PerStream {
                stdout: Tee::of_job(Arc::clone(job), Stream::Stdout),
                stderr: Tee::of_job(Arc::clone(job), Stream::Stderr),
            },
        })
    }

    /// Prints a line about the progress to stderr. Ignores errors: if stderr is closed, the line is
    /// not needed.
    pub fn print_progress(&self, line: impl FnOnce() -> String) {
        match self {
            Self::Nothing => {}
            Self::Own => _ = writeln!(ci::Output::new(io::stderr()), "{}", line()),
            Self::Job(BegunJob(job)) => job.print_progress(&line()),
        }
    }
}

fn own_tees() -> io::Result<PerStream<Tee>> {
    Ok(PerStream {
        stdout: Tee::new(Some(io::stdout().as_fd().try_clone_to_owned()?)),
        stderr: Tee::new(Some(io::stderr().as_fd().try_clone_to_owned()?)),
    })
}

/// A job that has begun. Dropping it ends the output of the job, even after a panic.
pub struct BegunJob(Arc<JobOutput>);

impl Drop for BegunJob {
    fn drop(&mut self) {
        let JobOutput { console, form } = &*self.0;
        if let (Form::Blocks(blocks), JobForm::Block(block)) = (&console.form, form) {
            blocks.end(block, &console.own);
        }
    }
}

/// Our own stdout and stderr, shared by all jobs.
struct OwnStreams {
    tees: PerStream<Mutex<Tee>>,
    /// Messages for the user: output that was lost.
    failures: Mutex<Vec<String>>,
}

impl OwnStreams {
    fn pass(&self, stream: Stream, bytes: &[u8]) {
        if let Err(error) = locked(self.tees.get(stream)).pass(bytes) {
            self.report(format!("cannot forward {}: {error}", stream.as_str()));
        }
    }

    fn report(&self, failure: String) {
        locked(&self.failures).push(failure);
    }
}

/// Our own stdout and stderr, and the form in which the output of the jobs appears there.
pub struct Console {
    own: OwnStreams,
    form: Form,
}

enum Form {
    Blocks(Blocks),
    Lines(Lines),
}

impl Console {
    /// Creates a console for these jobs. Lines are interleaved if stdout and stderr are a terminal;
    /// with `color`, the names of the jobs then have colors.
    ///
    /// # Errors
    /// If there are no free file descriptors.
    pub fn new<'a>(jobs: impl Iterator<Item = &'a JobId>, color: bool) -> io::Result<Arc<Self>> {
        let form = if io::stdout().is_terminal() && io::stderr().is_terminal() {
            Form::Lines(Lines::new(jobs, color))
        } else {
            Form::Blocks(Blocks::default())
        };
        let PerStream { stdout, stderr } = own_tees()?;
        let tees = PerStream { stdout: Mutex::new(stdout), stderr: Mutex::new(stderr) };
        Ok(Arc::new(Self { own: OwnStreams { tees, failures: Mutex::default() }, form }))
    }

    /// Begins the output of a job. Jobs become the foreground job in the order of these calls.
    pub fn begin(self: &Arc<Self>, job: &JobId) -> BegunJob {
        let form = match &self.form {
            Form::Blocks(blocks) => JobForm::Block(blocks.begin()),
            Form::Lines(lines) => JobForm::Lines(lines.begin(job)),
        };
        BegunJob(Arc::new(JobOutput { console: Arc::clone(self), form }))
    }

    /// Returns messages for the user, once: output that was lost.
    pub fn take_failures(&self) -> Vec<String> {
        std::mem::take(&mut locked(&self.own.failures))
    }
}

/// The output of one job.
pub struct JobOutput {
    console: Arc<Console>,
    form: JobForm,
}

enum JobForm {
    Block(Arc<Block>),
    Lines(JobLines),
}

impl JobOutput {
    /// Passes bytes on, now or later. A failure is reported by the console.
    pub(super) fn pass(&self, stream: Stream, bytes: &[u8]) {
        let own = &self.console.own;
        match (&self.form, &self.console.form) {
            (JobForm::Lines(job), Form::Lines(lines)) => lines.pass(job, stream, bytes, own),
            (JobForm::Block(block), _) => block.pass(stream, bytes, own),
            (JobForm::Lines(_), Form::Blocks(_)) => own.pass(stream, bytes),
        }
    }

    /// Returns true if an unterminated line waits for [`JobOutput::flush`].
    pub(super) fn has_pending(&self, stream: Stream) -> bool {
        matches!(&self.form, JobForm::Lines(job) if job.has_pending(stream))
    }

    /// Prints the unterminated line of a stream.
    pub(super) fn flush(&self, stream: Stream) {
        if let (JobForm::Lines(job), Form::Lines(lines)) = (&self.form, &self.console.form) {
            lines.flush(job, stream, &self.console.own);
        }
    }

    /// Returns a copy of the descriptor of our own stream.
    ///
    /// # Errors
    /// If there is no free descriptor.
    pub(super) fn duplicate(&self, stream: Stream) -> io::Result<Option<OwnedFd>> {
        locked(self.console.own.tees.get(stream)).duplicate()
    }

    fn print_progress(&self, line: &str) {
        let line = format!("{}\n", ci::broken(line));
        match &self.console.form {
            Form::Lines(lines) => lines.print_whole(line.as_bytes(), &self.console.own),
            Form::Blocks(_) => self.pass(Stream::Stderr, line.as_bytes()),
        }
    }
}
