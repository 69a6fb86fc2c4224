//! Signals to the recorder. The recorder runs in the test process, so the tests signal themselves.

use std::process::Command;

use rundown::cri::Stream;
use rundown::record::{Ended, Recording};
use rustix::process::{Signal, kill_process};

use super::store::{Store, job, joined, pipeline};
use crate::support::process::alone;
use crate::support::wait_until;

/// Executes a recording, and sends a signal to this process once the first command has printed
/// `ready`.
fn signalled(store: &Store, recording: Recording, signal: &str) -> Ended {
    Store::execute_while(recording, |_| {
        wait_until("the command", || joined(&store.first_log(), Stream::Stdout) == b"ready\n");
        kill_process(rustix::process::getpid(), signal_of(signal)).unwrap();
    })
}

fn signal_of(name: &str) -> Signal {
    match name {
        "TERM" => Signal::TERM,
        "HUP" => Signal::HUP,
        _ => Signal::INT,
    }
}

/// Returns true if this process was started with the signal ignored, as under `nohup` or in the
/// background of a script. A shell cannot trap such a signal.
fn is_ignored(signal: &str) -> bool {
    let probe = format!("trap 'exit 0' {signal}; kill -s {signal} $$; exit 1");
    !Command::new("sh").args(["-c", &probe]).status().unwrap().success()
}

/// Runs in a process of its own, because the signals affect the whole process.
#[test]
fn signals_reach_the_command_and_never_end_the_recorder() {
    alone(signals_reach_the_command_and_never_end_the_recorder, || {
        for (signal, trapped) in [("TERM", 41), ("HUP", 42), ("INT", 43)] {
            if is_ignored(signal) {
                continue;
            }
            let mut store = Store::new();
            store.options.signals = true;
            let script = "trap 'exit 41' TERM; trap 'exit 42' HUP; trap 'exit 43' INT; \
                          echo ready; while :; do sleep 0.02; done";
            let argv = ["sh", "-c", script].map(Into::into);
            let recording = Recording::command(&store.options, &job("job"), &argv).unwrap();
            let ended = signalled(&store, recording, signal);
            assert_eq!(ended.exit_code, trapped, "the exit code is that of the command");
            assert_eq!(store.sql::<String>("SELECT state FROM jobs"), ["failed"]);
        }
        let mut store = Store::new();
        store.options.signals = true;
        let text =
            "[jobs.a]\ncommands = ['echo ready; exec sleep 60']\n[jobs.b]\ncommands = ['true']";
        let recording = Recording::pipeline(&store.options, &pipeline(text)).unwrap();
        let ended = signalled(&store, recording, "TERM");
        assert_eq!(ended.exit_code, 1);
        assert_eq!(
            store.sql::<String>("SELECT state FROM jobs ORDER BY rowid"),
            ["aborted", "aborted"]
        );
    });
}
