//! A command line, its exit status and its resource usage as short text.

use std::borrow::Cow;

use signal_hook::consts;

use super::{duration, size};
use crate::join::ShNode;
use crate::model::Sh;
use crate::sanitize::name;

/// Returns how a command ended: `exit 101`, `killed by SIGKILL`. `None` if it succeeded or is
/// running, if no recorder saw its end, or if its exit code is unknown.
#[must_use]
pub fn exit(sh: &Sh) -> Option<String> {
    match (sh.signal, sh.exit_code) {
        _ if sh.is_lost() => None,
        (Some(signal), _) => Some(format!("killed by {}", signal_name(signal))),
        (None, Some(0) | None) => None,
        (None, Some(-1)) => Some("exit -1 (killed by a signal)".into()),
        (None, Some(code)) => Some(format!("exit {code}")),
    }
}

/// Returns how a command ended: `time limit exceeded`, or as [`exit`].
#[must_use]
pub fn ending(sh: &Sh) -> Option<String> {
    if sh.timed_out() { exit_meaning(sh) } else { exit(sh) }
}

/// Returns the reason why a command could not be started, or the usual meaning of its exit code or
/// signal: `command not found`. `None` if the exit code is unknown, or if there is no usual
/// meaning. Sanitized.
#[must_use]
pub fn exit_meaning(sh: &Sh) -> Option<String> {
    let meaning = match (not_started(sh), sh.signal, sh.exit_code) {
        (Some(why), ..) => why,
        _ if sh.timed_out() => "time limit exceeded".to_owned(),
        (None, Some(signal), _) => meaning_of_signal(signal).to_owned(),
        (None, None, code) => meaning_of_exit(code.filter(|_| !sh.is_lost())?),
    };
    Some(meaning).filter(|meaning| !meaning.is_empty())
}

/// Returns the reason why a command could not be started: `could not be started: No such file or
/// directory`. Sanitized.
#[must_use]
pub fn not_started(sh: &Sh) -> Option<String> {
    sh.start_error.as_ref().map(|why| format!("could not be started: {}", name(why)))
}

/// Returns how a command ended, with its meaning: `exit 127 (command not found)`.
#[must_use]
pub fn exit_explained(sh: &Sh) -> Option<String> {
    let meaning = exit_meaning(sh).map(|meaning| format!(" ({meaning})")).unwrap_or_default();
    Some(format!("{}{meaning}", exit(sh)?))
}

/// Returns a shorter form of [`exit`]: `exit 101`, `SIGKILL`, `timeout`.
#[must_use]
pub fn exit_in_short(sh: &Sh) -> Option<String> {
    match (sh.signal, sh.exit_code) {
        _ if sh.is_lost() => None,
        _ if sh.timed_out() => Some("timeout".into()),
        (Some(signal), _) => Some(signal_name(signal)),
        (None, Some(-1)) => Some("killed".into()),
        (None, _) => exit(sh),
    }
}

/// Returns the usual meaning of an exit code: `timeout` returns 124; a shell returns 126 or 127 if
/// it cannot run a command, and 128 plus N if signal N killed the command. Returns an empty text
/// for other exit codes.
fn meaning_of_exit(code: i64) -> String {
    let signal = code.checked_sub(128).and_then(|signal| i32::try_from(signal).ok());
    match (code, signal.and_then(signal_hook::low_level::signal_name)) {
        (124, _) => "often a timeout".into(),
        (126, _) => "not executable".into(),
        (127, _) => "command not found".into(),
        (_, Some(name)) => {
            let meaning = signal.map(meaning_of_signal).filter(|meaning| !meaning.is_empty());
            meaning.map_or_else(|| name.into(), |meaning| format!("{name}, {meaning}"))
        }
        _ => String::new(),
    }
}

/// Returns the usual reason for a signal; empty if it is unknown.
const fn meaning_of_signal(signal: i32) -> &'static str {
    match signal {
        consts::SIGHUP => "terminal closed",
        consts::SIGINT => "interrupted",
        consts::SIGILL => "invalid instruction",
        consts::SIGABRT => "aborted itself",
        consts::SIGBUS | consts::SIGSEGV => "invalid memory access",
        consts::SIGFPE => "arithmetic error",
        consts::SIGKILL => "often out of memory",
        consts::SIGPIPE => "output closed by its reader",
        consts::SIGTERM => "asked to stop",
        consts::SIGXCPU => "CPU time limit",
        consts::SIGXFSZ => "file size limit",
        consts::SIGSYS => "forbidden system call",
        _ => "",
    }
}

/// Returns the CPU time of a command and its share of the wall-clock time: `1m02s of CPU (182%)`.
/// Returns `None` if the CPU time, the start or the end is unknown.
#[must_use]
pub fn cpu(sh: &Sh) -> Option<String> {
    let cpu_ms = sh.cpu_ms?;
    let wall_ms = sh.finished_at?.millis_since(sh.started_at?);
    let share = cpu_ms.saturating_mul(100).checked_div(wall_ms).filter(|_| wall_ms > 0);
    let share = share.map(|share| format!(" ({share}%)")).unwrap_or_default();
    Some(format!("{} of CPU{share}", duration(cpu_ms)))
}

/// Returns the peak memory of the largest process among a command and its children:
/// `512.0 MiB of memory`. Returns `None` if it was not recorded.
#[must_use]
pub fn memory(sh: &Sh) -> Option<String> {
    let bytes = sh.max_rss_bytes.and_then(|bytes| u64::try_from(bytes).ok())?;
    Some(format!("{} of memory", size(bytes)))
}

/// Returns a command as one line, truncated if it is long: its argv quoted for a shell, or the
/// first line of its script after those that only set up the shell. Sanitized.
#[must_use]
pub fn command(sh: &Sh) -> String {
    if sh.is_unknown() {
        return "unknown command".into();
    }
    first_line(without_preamble(&shell_line(sh)))
}

/// Returns a whole command as a user would type it: its argv quoted for a shell, or its script.
/// Untrusted text.
#[must_use]
pub fn shell_line(sh: &Sh) -> Cow<'_, str> {
    let typed = sh.argv().map(|argv| typed(argv.iter().map(String::as_str)));
    typed.map_or(Cow::Borrowed(&sh.cmd), Cow::Owned)
}

/// Commands that end or change the shell in which they run.
const SHELL_WORDS: [&str; 3] = ["exit", "exec", "set"];

/// Returns a command that changes to its directory first: `cd DIR && COMMAND`. Returns `None` if
/// the directory is unknown or cannot be quoted. Untrusted text.
///
/// A script with several lines, or with `;`, `||` or `&`, is put into a subshell: if `cd` fails,
/// none of its commands runs. So is a script that would end or change the user's shell.
#[must_use]
pub fn in_directory(sh: &Sh) -> Option<String> {
    let cwd = sh.cwd.as_deref().filter(|cwd| !cwd.is_empty())?;
    let (dir, line) = (shlex::try_quote(cwd).ok()?, shell_line(sh));
    let command = line.trim_end();
    let rest = command.replace("&&", "").replace(">&", "");
    let is_list = rest.contains("||") || rest.contains(['\n', ';', '&']);
    let changes_shell = rest.split_whitespace().any(|word| SHELL_WORDS.contains(&word));
    Some(if (is_list || changes_shell) && sh.argv().is_none() {
        format!("cd {dir} && (\n{command}\n)")
    } else {
        format!("cd {dir} && {command}")
    })
}

/// Removes blank lines, and lines that only set up the shell, from the start of a script. Returns
/// the whole script if it has no other lines.
fn without_preamble(script: &str) -> &str {
    let sets_up = |line: &str| {
        let line = line.trim();
        line.is_empty()
            || ["#!", "set -", "set +", "shopt "].iter().any(|lead| line.starts_with(lead))
    };
    let mut lines = script.split_inclusive('\n').scan(0, |end, line| {
        *end += line.len();
        Some((*end - line.len(), line))
    });
    let rest = lines.find(|(_, line)| !sets_up(line)).and_then(|(start, _)| script.get(start..));
    rest.unwrap_or(script)
}

/// Returns the command line of a node, or the name of its log if the command is unknown. Sanitized.
#[must_use]
pub fn command_of(node: &ShNode) -> String {
    node.sh.as_ref().map_or_else(|| log_name(node), command)
}

/// Returns an argument vector as a command line, quoted for a shell.
#[must_use]
pub fn typed<'a>(argv: impl IntoIterator<Item = &'a str> + Clone) -> String {
    // An argument with a NUL cannot be quoted for a shell. Then no argument is quoted.
    shlex::try_join(argv.clone()).unwrap_or_else(|_| argv.into_iter().collect::<Vec<_>>().join(" "))
}

/// Returns the first non-blank line of a text, truncated if it is long. Sanitized.
#[must_use]
pub fn first_line(text: &str) -> String {
    const SHOWN_CHARS: usize = 200;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let cut: String = first.chars().take(SHOWN_CHARS).collect();
    let more = if cut.len() < first.len() || lines.next().is_some() { " …" } else { "" };
    format!("{}{more}", name(&cut))
}

/// Returns the file name of a command's log, which identifies a command if nothing else is known.
/// Sanitized.
#[must_use]
pub fn log_name(node: &ShNode) -> String {
    let file_name = node.log.as_ref().and_then(|log| log.path.file_name());
    file_name.map(|file| name(&file.to_string_lossy()).into_owned()).unwrap_or_default()
}

fn signal_name(signal: i32) -> String {
    signal_hook::low_level::signal_name(signal)
        .map_or_else(|| format!("signal {signal}"), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Origin;

    #[test]
    fn a_command_is_displayed_as_typed_in_a_shell() {
        let sh = |cmd: &str| Sh { origin: Origin::Call, cmd: cmd.into(), ..Sh::default() };
        for (cmd, text) in [
            ("cargo test", "cargo test"),
            (r#"["sh","-c","echo a; exit 3"]"#, "sh -c 'echo a; exit 3'"),
            ("\n# compile\nmake all\n", "# compile …"),
            ("make all\n", "make all"),
            ("#!/bin/bash\nset -euo pipefail\n\nmake all", "make all"),
            ("set -x", "set -x"),
            ("printf '\x1b[2J'", "printf '␛[2J'"),
            ("", ""),
        ] {
            assert_eq!(command(&sh(cmd)), text);
        }
    }

    #[test]
    fn exit_codes_and_signals_are_explained() {
        let exit_code = |code| exit_explained(&Sh { exit_code: Some(code), ..Sh::default() });
        for (code, text) in [
            (0, None),
            (1, Some("exit 1")),
            (101, Some("exit 101")),
            (124, Some("exit 124 (often a timeout)")),
            (126, Some("exit 126 (not executable)")),
            (127, Some("exit 127 (command not found)")),
            (128, Some("exit 128")),
            (137, Some("exit 137 (SIGKILL, often out of memory)")),
            (255, Some("exit 255")),
            (-1, Some("exit -1 (killed by a signal)")),
            (i64::MIN, Some("exit -9223372036854775808")),
        ] {
            assert_eq!(exit_code(code).as_deref(), text);
        }
        let signal =
            |signal| exit_explained(&Sh { signal: Some(signal), ..Sh::default() }).unwrap();
        assert_eq!(signal(consts::SIGSEGV), "killed by SIGSEGV (invalid memory access)");
        assert_eq!(signal(consts::SIGUSR1), "killed by SIGUSR1");
        assert_eq!(signal(64), "killed by signal 64");
    }

    #[test]
    fn a_command_runs_in_its_directory_or_not_at_all() {
        let in_dir = |cwd: &str, cmd: &str| {
            let (origin, cwd) = (Origin::Call, Some(cwd.to_owned()));
            in_directory(&Sh { origin, cmd: cmd.into(), cwd, ..Sh::default() })
        };
        for (cwd, cmd, text) in [
            ("/src", r#"["make","a b"]"#, "cd /src && make 'a b'"),
            ("/a b", r#"["sh","-c","a\nb; c"]"#, "cd '/a b' && sh -c 'a\nb; c'"),
            ("/src", "make && ./a 2>&1 | tee b", "cd /src && make && ./a 2>&1 | tee b"),
            ("/src", "a || b", "cd /src && (\na || b\n)"),
            ("/src", "a; exit 3", "cd /src && (\na; exit 3\n)"),
            ("/src", "a &", "cd /src && (\na &\n)"),
            ("/src", "set -e\nmake\n", "cd /src && (\nset -e\nmake\n)"),
            ("/src", "make\n", "cd /src && make"),
            ("/src", "make && exit 3", "cd /src && (\nmake && exit 3\n)"),
            ("/src", "exec make", "cd /src && (\nexec make\n)"),
            ("/src", "find . -exec x", "cd /src && find . -exec x"),
        ] {
            assert_eq!(in_dir(cwd, cmd).as_deref(), Some(text));
        }
        assert_eq!(in_dir("", "make"), None);
        assert_eq!(in_directory(&Sh { cmd: "make".into(), ..Sh::default() }), None);
    }
}
