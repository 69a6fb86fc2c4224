//! The words people see, the same in every view: states as glyph *and* word, durations, exits,
//! sizes, ages.
//!
//! Pure functions from plain data to short text. Colour is never needed to understand them.

use crate::join::{Finding, FindingKind, JobNode, Pairing, Place, RunHead, ShNode, ShState};
use crate::model::{JobId, Outcome, Phase, Run, Sh};
use crate::sanitise::name;
use crate::time::Time;

/// What a state means, whatever word the store has for it: decides glyph and colour.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mark {
    /// `✓`
    Passed,
    /// `✗`
    Failed,
    /// `●`
    Active,
    /// `○`
    Queued,
    /// `⊘`
    Skipped,
    /// `■`
    Stopped,
    /// `!`
    Interrupted,
    /// `?`
    Unknown,
}

impl Mark {
    /// One character, one cell wide.
    #[must_use]
    pub const fn glyph(self) -> &'static str {
        match self {
            Self::Passed => "✓",
            Self::Failed => "✗",
            Self::Active => "●",
            Self::Queued => "○",
            Self::Skipped => "⊘",
            Self::Stopped => "■",
            Self::Interrupted => "!",
            Self::Unknown => "?",
        }
    }

    /// The same for terminals without Unicode; also one cell wide.
    #[must_use]
    pub const fn ascii_glyph(self) -> &'static str {
        match self {
            Self::Passed => "+",
            Self::Failed => "x",
            Self::Active => "*",
            Self::Queued => ".",
            Self::Skipped => "-",
            Self::Stopped => "#",
            Self::Interrupted => "!",
            Self::Unknown => "?",
        }
    }

    /// The word that goes with the glyph.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Active => "running",
            Self::Queued => "queued",
            Self::Skipped => "skipped",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
            Self::Unknown => "unknown",
        }
    }

    /// The mark of a run.
    #[must_use]
    pub const fn of_run(head: &RunHead) -> Self {
        Self::derived(head.phase, head.outcome, head.interrupted)
    }

    /// The mark of a job.
    #[must_use]
    pub const fn of_job(job: &JobNode) -> Self {
        Self::derived(job.phase, job.outcome, job.interrupted)
    }

    /// The mark of a command.
    #[must_use]
    pub const fn of_sh(sh: &ShNode) -> Self {
        match sh.state {
            ShState::Running => Self::Active,
            ShState::Passed => Self::Passed,
            ShState::Failed => Self::Failed,
            ShState::Interrupted => Self::Interrupted,
            ShState::Unknown => Self::Unknown,
        }
    }

    const fn derived(phase: Phase, outcome: Option<Outcome>, interrupted: bool) -> Self {
        match (interrupted, phase, outcome) {
            (true, ..) => Self::Interrupted,
            (_, Phase::Queued, _) => Self::Queued,
            (_, Phase::Active, _) => Self::Active,
            (_, Phase::Finished, Some(Outcome::Passed)) => Self::Passed,
            (_, Phase::Finished, Some(Outcome::Failed)) => Self::Failed,
            (_, Phase::Finished, Some(Outcome::Stopped)) => Self::Stopped,
            (_, Phase::Finished, Some(Outcome::Skipped)) => Self::Skipped,
            (_, Phase::Finished, None) | (_, Phase::Unknown, _) => Self::Unknown,
        }
    }
}

/// A duration in at most two units: `0ms`, `12ms`, `1.2s`, `34.1s`, `1m23s`, `2h05m`, `3d04h`.
/// Negative ones (a clock that stepped back) carry their sign.
#[must_use]
pub fn duration(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    let (secs, mins, hours) = (ms / 1000, ms / 60_000, ms / 3_600_000);
    match ms {
        0..1000 => format!("{sign}{ms}ms"),
        1000..60_000 => format!("{sign}{secs}.{}s", ms % 1000 / 100),
        60_000..3_600_000 => format!("{sign}{mins}m{:02}s", secs % 60),
        3_600_000..86_400_000 => format!("{sign}{hours}h{:02}m", mins % 60),
        _ => format!("{sign}{}d{:02}h", hours / 24, hours % 24),
    }
}

/// How long something took, where both ends are known.
#[must_use]
pub fn lasted(from: Option<Time>, to: Option<Time>) -> Option<String> {
    Some(duration(to?.millis_since(from?)))
}

/// How long ago something was, in one unit: `now`, `42s`, `5m`, `3h`, `12d`.
#[must_use]
pub fn age(ms: i64) -> String {
    match ms / 1000 {
        ..5 => "now".into(),
        secs @ 5..60 => format!("{secs}s"),
        secs @ 60..3600 => format!("{}m", secs / 60),
        secs @ 3600..86_400 => format!("{}h", secs / 3600),
        secs => format!("{}d", secs / 86_400),
    }
}

/// A count, exact below 10,000, then short: `9999`, `12.3k`, `4.5M`.
#[must_use]
pub fn count(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{}.{}k", n / 1000, n % 1000 / 100),
        _ => format!("{}.{}M", n / 1_000_000, n % 1_000_000 / 100_000),
    }
}

/// A number of rows: `1 row`, `12.3k rows`.
#[must_use]
pub fn rows(rows: u64) -> String {
    if rows == 1 { "1 row".into() } else { format!("{} rows", count(rows)) }
}

/// A size in binary units: `512 B`, `4.0 KiB`, `1.2 GiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    let mut value = bytes;
    let mut rest = 0;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if value < 1024 {
            return if unit == "B" {
                format!("{value} B")
            } else {
                format!("{value}.{} {unit}", rest * 10 / 1024)
            };
        }
        rest = value % 1024;
        value /= 1024;
    }
    format!("{value}.{} PiB", rest * 10 / 1024)
}

/// How a command ended, where that is worth a word: `exit 101`, `killed by SIGKILL`; `None` for
/// success and for what runs.
#[must_use]
pub fn exit(sh: &Sh) -> Option<String> {
    match (sh.signal, sh.exit_code) {
        (Some(signal), _) => Some(format!("killed by {}", signal_name(signal))),
        (None, Some(0) | None) => None,
        (None, Some(-1)) => Some("exit -1 (killed by a signal)".into()),
        (None, Some(code)) => Some(format!("exit {code}")),
    }
}

/// The same where there is little room: `exit 101`, `SIGKILL`.
#[must_use]
pub fn exit_in_short(sh: &Sh) -> Option<String> {
    match (sh.signal, sh.exit_code) {
        (Some(signal), _) => Some(signal_name(signal)),
        (None, Some(-1)) => Some("by a signal".into()),
        (None, _) => exit(sh),
    }
}

/// That a run has ended, and how: `rundown: example d61998d3 failed after 1m23s`. Sanitised.
#[must_use]
pub fn ended(head: &RunHead) -> String {
    let repo = head.run.repo.as_deref().map(|repo| format!("{} ", name(repo))).unwrap_or_default();
    let lasted = head.lasted_ms().map(|ms| format!(" after {}", duration(ms))).unwrap_or_default();
    format!("rundown: {repo}{} {}{lasted}", name(head.run.id.short()), Mark::of_run(head).word())
}

/// How much CPU time a command took, and which share of its time that is: `1m02s of CPU (182%)`.
#[must_use]
pub fn cpu(sh: &Sh) -> Option<String> {
    let cpu_ms = sh.cpu_ms?;
    let wall_ms = sh.finished_at?.millis_since(sh.started_at?);
    let share = cpu_ms.saturating_mul(100).checked_div(wall_ms).filter(|_| wall_ms > 0);
    let share = share.map(|share| format!(" ({share}%)")).unwrap_or_default();
    Some(format!("{} of CPU{share}", duration(cpu_ms)))
}

/// How much memory a command, or one of its children, had at most: `512.0 MiB of memory`.
#[must_use]
pub fn memory(sh: &Sh) -> Option<String> {
    let bytes = sh.max_rss_bytes.and_then(|bytes| u64::try_from(bytes).ok())?;
    Some(format!("{} of memory", size(bytes)))
}

/// Where a run comes from, `main@12d4999`: the ref without `refs/heads/`, the sha's first seven
/// digits. Sanitised.
#[must_use]
pub fn revision(run: &Run) -> Option<String> {
    let ref_name =
        run.ref_name.as_deref().map(|name| name.strip_prefix("refs/heads/").unwrap_or(name));
    let sha = run.sha.as_deref().map(|sha| sha.chars().take(7).collect::<String>());
    let text = match (ref_name, sha) {
        (None, None) => return None,
        (Some(ref_name), None) => ref_name.to_owned(),
        (None, Some(sha)) => format!("@{sha}"),
        (Some(ref_name), Some(sha)) => format!("{ref_name}@{sha}"),
    };
    Some(name(&text).into_owned())
}

/// The branch or tag of a run, where the store says one. Sanitised.
#[must_use]
pub fn short_ref(run: &Run) -> Option<String> {
    let full = run.ref_name.as_deref().filter(|full| !full.is_empty())?;
    let short = full.strip_prefix("refs/heads/").or_else(|| full.strip_prefix("refs/tags/"));
    Some(name(short.unwrap_or(full)).into_owned())
}

/// Why a run ended as it did, in the store's own word: the reason of a failure, the word for a stop
/// (`superseded`). Sanitised.
#[must_use]
pub fn reason(head: &RunHead) -> Option<String> {
    let stop = || head.run.state.as_ref().filter(|_| head.outcome == Some(Outcome::Stopped));
    head.run.reason.as_ref().or_else(stop).map(|word| name(word).into_owned())
}

/// What of a command is not there and may be missed.
#[must_use]
pub fn missing(head: &RunHead, node: &ShNode) -> Option<String> {
    let lost =
        node.sh.as_ref().and_then(|sh| sh.lost_bytes).and_then(|bytes| u64::try_from(bytes).ok());
    match (lost, node.pairing) {
        (Some(bytes), _) => Some(format!("the last {} of output were lost", size(bytes))),
        // Some writers write a log, or a row, only when the command or the run has ended.
        (_, Pairing::RowOnly) => {
            Some(if node.state == ShState::Running { "no log yet" } else { "no log" }.into())
        }
        (_, Pairing::FileOnly) if !head.run.in_database => None,
        (_, Pairing::FileOnly) => Some("no row in the database".into()),
        (None, Pairing::Exact | Pairing::Time | Pairing::Position) => None,
    }
}

/// That a log was written to after another file had taken its place.
#[must_use]
pub fn late(bytes: u64) -> String {
    format!("{} more went to the file that this one replaced; that is not shown", size(bytes))
}

/// What something odd means, and why it may be. Sanitised.
#[must_use]
pub fn finding(kind: &FindingKind) -> String {
    let commands = |n: usize| if n == 1 { "1 command".to_owned() } else { format!("{n} commands") };
    let logs = |n: usize| if n == 1 { "1 log is".to_owned() } else { format!("{n} logs are") };
    match kind {
        FindingKind::Orphaned => {
            "its writer stopped before it had ended, and called it failed when started anew: how long it took is not known".into()
        }
        FindingKind::Interrupted => "its recorder is gone without having finished it: nothing more will come".into(),
        FindingKind::Stalled => {
            "all its jobs have ended but the run has not: its writer has stopped, perhaps because two commands began in one millisecond".into()
        }
        FindingKind::FailedAlone => {
            "none of its commands failed: its writer stopped while it wrote what they did, see the notes of its jobs".into()
        }
        FindingKind::UnknownState(word) => format!("its state, `{}`, is a word that this rundown does not know", name(word)),
        FindingKind::JobsGone { logs: n, orphaned: true } => {
            format!("the database has no jobs of this run, though {} here: its writer stopped before it wrote them", logs(*n))
        }
        FindingKind::JobsGone { logs: n, orphaned: false } => {
            format!("the database has no jobs of this run, though {} here: they were deleted, perhaps by an upgrade (quire's version 7 did so)", logs(*n))
        }
        FindingKind::LogsGone { commands: n } => {
            format!("no log of {} is here: they were removed, or never copied", commands(*n))
        }
        FindingKind::RowsEnd { commands, collided } => {
            let which = if *commands == 1 { "no row of this command".into() } else { format!("no rows of {commands} commands from this one on") };
            let why = if *collided { "two commands began in one millisecond, which it cannot hold" } else { "its writer stopped, perhaps because two commands began in one millisecond" };
            format!("the database has {which}: {why}")
        }
        FindingKind::LogMissing => "its log is not here: it was removed, or never copied".into(),
        FindingKind::LogShorter { by_bytes } => {
            format!("its log is {} shorter than when the command ended: it was cut, or the machine lost power", size(*by_bytes))
        }
        FindingKind::LogLonger { by_bytes } => {
            format!("its log is {} longer than when the command ended: something else was written to it", size(*by_bytes))
        }
        FindingKind::NumberMissing { numbers: 1, first_n } => {
            format!("sh-{first_n}.log is not here, though later ones are: it was removed, or never copied")
        }
        FindingKind::NumberMissing { numbers, first_n } => {
            format!("{numbers} logs, the first of them sh-{first_n}.log, are not here, though later ones are: they were removed, or never copied")
        }
        FindingKind::OutOfOrder => "its commands did not begin in the order of their logs: the clock was set back meanwhile".into(),
        FindingKind::NeverEnded => "it was started and never ended: perhaps there is no such program".into(),
        FindingKind::JobNeverEnded => "it has not ended, though its run has".into(),
        FindingKind::JobOutlivesRun { by_ms } => format!("it ended {} after its run did", duration(*by_ms)),
        FindingKind::JobWithoutRow => "the database has no row of it".into(),
        FindingKind::ClockWentBack { by_ms } => {
            format!("it ended {} before it began: the clock was set back meanwhile", duration(*by_ms))
        }
        FindingKind::UnknownEvents { lines: 1 } => "a line of its events.jsonl is no event that is known".into(),
        FindingKind::UnknownEvents { lines } => format!("{lines} lines of its events.jsonl are no events that are known"),
        FindingKind::EventsCut { read_bytes } => {
            format!("its events.jsonl is larger than any run should need: only the first {} are read", size(*read_bytes))
        }
        FindingKind::RowsCut { rows } => {
            format!("it has more rows than are read of one run: {rows} of its jobs and commands are shown, the others are not")
        }
        FindingKind::UnsafeRunName => "its names cannot be a path: if it has logs they are not read".into(),
        FindingKind::UnsafeName => "its name has characters that could steer a terminal: signs are shown in their place".into(),
        FindingKind::Refused(what) | FindingKind::Unreadable(what) => name(what).into_owned(),
        FindingKind::Malformed { lines: 1, first_line } => format!("line {first_line} of its log is no record"),
        FindingKind::Malformed { lines, first_line } => {
            format!("{lines} lines of its log are no records, the first is line {first_line}")
        }
        FindingKind::Torn => "the last line of its log is cut off".into(),
    }
}

/// Where in its run something is: `job build, command 3`; nothing for the run itself. Sanitised.
#[must_use]
pub fn place(place: &Place) -> Option<String> {
    // A log opened by its path has no job.
    let job = name(place.job().map(JobId::as_str).filter(|id| !id.is_empty())?);
    Some(place.n().map_or_else(|| format!("job {job}"), |n| format!("job {job}, command {n}")))
}

/// What something odd means with its place before it. What names its place itself stands alone.
#[must_use]
pub fn finding_with_place(finding: &Finding) -> String {
    let what = self::finding(&finding.kind);
    let names_itself = matches!(finding.kind, FindingKind::Refused(_) | FindingKind::Unreadable(_));
    match place(&finding.place).filter(|_| !names_itself) {
        Some(place) => format!("{place}: {what}"),
        None => what,
    }
}

/// A command as one types it, on one line: an argv quoted for a shell, of a script its first line.
/// Sanitised.
#[must_use]
pub fn command(sh: &Sh) -> String {
    let typed = sh.argv().map(|argv| typed(argv.iter().map(String::as_str)));
    first_line(typed.as_deref().unwrap_or(without_preamble(&sh.cmd)))
}

/// A script without the lines at its beginning that only set the shell up; all of it where there is
/// nothing else.
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
    let told = lines.find(|(_, line)| !sets_up(line)).and_then(|(start, _)| script.get(start..));
    told.unwrap_or(script)
}

/// An argument vector as one would type it.
#[must_use]
pub fn typed<'a>(argv: impl IntoIterator<Item = &'a str> + Clone) -> String {
    // What no shell could be given (a NUL) stands as it is.
    shlex::try_join(argv.clone()).unwrap_or_else(|_| argv.into_iter().collect::<Vec<_>>().join(" "))
}

/// The first line of a text that has something in it, cut where it is long. Sanitised.
#[must_use]
pub fn first_line(text: &str) -> String {
    const SHOWN_CHARS: usize = 200;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let cut: String = first.chars().take(SHOWN_CHARS).collect();
    let more = if cut.len() < first.len() || lines.next().is_some() { " …" } else { "" };
    format!("{}{more}", name(&cut))
}

/// What a command is called when only its log is known: the log's file name. Sanitised.
#[must_use]
pub fn log_name(node: &ShNode) -> String {
    let file_name = node.log.as_ref().and_then(|log| log.path.file_name());
    file_name.map(|file| name(&file.to_string_lossy()).into_owned()).unwrap_or_default()
}

fn signal_name(signal: i32) -> String {
    signal_hook::low_level::signal_name(signal)
        .map_or_else(|| format!("signal {signal}"), Into::into)
}

/// `+12.345s`, with the sign that it has.
#[must_use]
pub fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { '-' } else { '+' };
    let ms = ms.unsigned_abs();
    format!("{sign}{}.{:03}s", ms / 1000, ms % 1000)
}

/// A number in a row: `1st`, `12th`, `23rd`.
#[must_use]
pub fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// A number with its thousands set apart: `12,345`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The word that was probably meant: a slip of the fingers away, and more kept than changed.
#[must_use]
pub fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, name) = known.map(|name| (strsim::osa_distance(wrong, name), name)).min()?;
    let chars = name.chars().count();
    (distance < chars && distance <= 2.max(chars / 3)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Origin;

    #[test]
    fn durations_take_two_units() {
        for (ms, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (1000, "1.0s"),
            (34_099, "34.0s"),
            (59_999, "59.9s"),
            (83_012, "1m23s"),
            (7_500_000, "2h05m"),
            (273_600_000, "3d04h"),
            (-1500, "-1.5s"),
        ] {
            assert_eq!(duration(ms), text);
        }
        assert_eq!(duration(i64::MIN), "-106751991167d07h");
    }

    #[test]
    fn a_command_reads_as_one_types_it() {
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
    fn numbers_in_a_row_end_as_one_says_them() {
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 13, 21, 102, 113].map(ordinal).join(" "),
            "1st 2nd 3rd 4th 11th 12th 13th 21st 102nd 113th"
        );
    }

    #[test]
    fn sizes_and_counts_stay_short() {
        assert_eq!(
            [size(0), size(1023), size(1024), size(1536)],
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB"]
        );
        assert_eq!(size(u64::MAX), "16383.9 PiB");
        assert_eq!([count(9999), count(12_345), count(4_560_000)], ["9999", "12.3k", "4.5M"]);
    }

    #[test]
    fn ages_take_one_unit() {
        assert_eq!(
            [-5, 4999, 42_000, 300_000, 10_800_000, 1_036_800_000].map(age),
            ["now", "now", "42s", "5m", "3h", "12d"]
        );
    }
}
