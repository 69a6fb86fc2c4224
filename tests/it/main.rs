//! Tests of the public API and of the real binary: one module per topic, linked as one program.
//!
//! All tests run as threads of one process. A test that depends on the state of a process (its
//! signals, its memory, its stdout) runs in a process of its own: see `support::process`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and prints for the reader of a failure"
)]

mod always;
mod big_store;
mod broken_stores;
mod bundle;
mod ci_formats;
mod ci_recipes;
mod ci_systems;
mod completions;
mod compressed;
mod config;
mod costly_stores;
mod cri_corpus;
mod details;
mod digest;
mod exits;
mod export;
mod follow;
mod fuzz_corpus;
mod help;
mod hostile_bytes;
mod hostile_stores;
mod hygiene;
mod junit;
mod keys;
mod layering;
mod leaving;
mod library;
mod list;
mod live;
mod log_pane;
mod man;
mod mutated_stores;
mod odd_screens;
mod once;
mod pages;
mod panes;
mod plain;
mod prune;
mod pty;
#[cfg(feature = "remote")]
mod push;
mod quire_store;
mod quire_versions;
mod readme;
mod record;
#[cfg(feature = "remote")]
mod remote_bundle;
#[cfg(feature = "remote")]
mod remote_faults;
#[cfg(feature = "remote")]
mod remote_store;
mod repair;
mod rows;
mod run_names;
#[cfg(feature = "remote")]
mod s3;
mod schemas;
mod screens;
mod scroll;
mod steps;
mod support;
#[cfg(target_os = "linux")]
mod terminal_sizes;
mod trace;
mod trust;
mod waiting;
mod watching;
