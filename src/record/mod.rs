//! The recorder: runs commands, and records their output and their results.
//!
//! ```text
//! exec FILE ─► pipeline ─┐                     ┌─ facts: repo, ref, commit, CI system
//! record CMD ────────────┴─► run (begin, lock) ┴─► execute: jobs in threads, command by command
//!                                                    │ rows before and after each command
//!                                                    ├──► row_queue ─► thread ─► database
//!                                                    ▼
//!            stop ── signals ──► child: spawn, wait ── stdout ─► reader ┐ one lock
//!                                                   ── stderr ─► reader ┴► sink ─► sh-<n>.log,
//!                                                                          then our own streams
//! ```
//!
//! The recorder makes three promises:
//!
//! - **The command is not affected.** It always runs, unless it must be recorded and cannot be. It
//!   is never killed or delayed because recording it fails (for limits see `run`). We exit with its
//!   exit code.
//! - **The record is true.** A log contains the output byte for byte, in whole CRI records, except
//!   for secrets, which are replaced, and for the middle of a log that reaches a size limit. If a
//!   write fails, the log ends there, and the failure is reported at the end. The log is closed
//!   before its row is finished, so a log with a finished row does not change any more.
//! - **A crash can be detected.** The run's `recorder.lock` is held before its row appears, and each
//!   command's log is locked until it is closed. So an active run without these locks was
//!   interrupted, unless it was begun by [`begin_run`] and waits for its next command.
//!
//! Nothing here draws on the screen. For details see the modules: `steps` on runs with many
//! recorders, `number` on the numbers of commands, `row_queue` on retries and time limits, `child`
//! on threads and time-outs, `stop` on signals, `mask` on secrets, `pipeline` on the file format,
//! `console` on the output of parallel jobs, `schedule` on the order of jobs, `facts` on the
//! metadata of a run.

mod child;
mod command;
mod console;
mod context;
mod execute;
mod facts;
mod logs;
mod mask;
mod number;
mod pipeline;
mod reserve;
mod row_queue;
mod run;
mod schedule;
mod sink;
mod steps;
mod stop;

pub use crate::store::RunEnd;
pub use child::Output;
pub use context::{JOB, ROOT, RUN, TRACEPARENT, is_traceparent, traceparent_of_run};
#[doc(hidden)]
pub use context::{
    parent_span_id, span_id, span_id_of_job, span_id_of_queue, span_id_of_run, trace_id,
};
pub use facts::{Facts, Given, find_details, find_job};
pub use mask::{Masker, Masking, Secrets};
pub use pipeline::{
    JobSettings, Pipeline, PipelineCommand, PipelineJob, When, load_pipeline, parse_pipeline,
    read_pipeline,
};
pub use run::{Ended, Options, Recording, default_job, record_command, record_line, run_pipeline};
pub use steps::{begin_run, end_run};
pub use stop::Stop;

// For the program only.
#[doc(hidden)]
pub use pipeline::DEMO;
#[cfg(feature = "cli")]
pub(crate) use pipeline::selects;
#[doc(hidden)]
pub use sink::{MIN_LOG_BYTES, Sink};
