//! Credentials from a program (`credential_process`).
//!
//! The command is split into words as a shell does, but no shell runs it: variables and globs are
//! not expanded. Its stderr is discarded, because it would damage the screen.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{Credentials, Result, json};

/// The time for the program.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The time between two checks for its end.
const POLL: Duration = Duration::from_millis(10);

/// The size of its output that is read.
const MAX_OUTPUT_BYTES: u64 = 64 << 10;

/// Runs a program, and returns the credentials that it prints. `profile` is its profile, as shown
/// in messages.
pub(super) fn load(command: &str, profile: &str) -> Result<Credentials> {
    let source = format!("the credential_process of {profile}");
    let output = output(command, TIMEOUT)
        .map_err(|why| format!("{source} {why}\nrun the program in a shell to see its messages"))?;
    json::parse(&output, &source, Some(1))
}

/// Returns the output of a program.
///
/// # Errors
/// Returns the defect, as the end of a sentence about the program. It does not contain the command,
/// which may have secrets as arguments.
fn output(command: &str, timeout: Duration) -> Result<Vec<u8>> {
    let words = shlex::split(command).ok_or("has an open quote")?;
    let (program, arguments) = words.split_first().ok_or("is empty")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot be started: {error}"))?;
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        // Ends when the pipe is closed, which a detached process may delay.
        thread::spawn(move || {
            let mut output = Vec::new();
            let read = stdout.take(MAX_OUTPUT_BYTES).read_to_end(&mut output);
            let _ = sender.send(read.map(|_| output));
        });
    }
    let deadline = Instant::now() + timeout;
    let output = receiver.recv_timeout(timeout);
    let is_successful = ended(&mut child, deadline);
    let is_successful = is_successful.ok_or("did not end in time")?;
    if !is_successful {
        return Err("failed".into());
    }
    output.ok().and_then(std::result::Result::ok).ok_or_else(|| "did not end its output".into())
}

/// Waits for the end of a program until the deadline, and ends it then. Returns true if it was
/// successful, and `None` if the time was up.
fn ended(child: &mut Child, deadline: Instant) -> Option<bool> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            // Another part of the process has waited for all children.
            Err(_) => return Some(false),
            Ok(None) if Instant::now() < deadline => thread::sleep(POLL),
            Ok(None) => {
                let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                let _ = group.map(|group| kill_process_group(group, Signal::KILL));
                let _ = child.wait();
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_split_into_words_but_not_expanded() {
        let found = output("printf '%s|' a 'b c' $HOME *", TIMEOUT).unwrap();
        assert_eq!(found, b"a|b c|$HOME|*|");
    }

    #[test]
    fn failures_do_not_contain_the_command() {
        for (command, why) in [
            ("printf 'secret", "has an open quote"),
            ("", "is empty"),
            ("/nonexistent/secret", "cannot be started: No such file"),
            ("false secret", "failed"),
        ] {
            let error = output(command, TIMEOUT).unwrap_err();
            assert!(error.starts_with(why) && !error.contains("secret"), "{error}");
        }
        let started = Instant::now();
        let error = output("sleep 60", Duration::from_millis(50)).unwrap_err();
        assert_eq!(error, "did not end in time");
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
