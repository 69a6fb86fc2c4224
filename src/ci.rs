//! Text that CI systems interpret as commands, and the writer that prevents this for recorded text.
//!
//! A runner reads the output of a step and executes the commands in it: `::error::…` (GitHub),
//! `##vso[…]` (Azure). A recorded log, or a name in a store, may contain the same text. The start
//! of a command is called its marker. [`Output`] breaks every marker with a visible dot:
//!
//! ```text
//!   ::add-mask::x            :·:add-mask::x          at the start of a line, also after blanks
//! x ##vso[task.complete]     x #·#vso[task.complete]
//! ```
//!
//! All text for people goes through [`Output`]. JSON does not need it: [`markers`] lists the
//! characters to escape instead. Raw bytes are written unchanged.
//!
//! The active markers depend on the environment. If only `CI` is set, the system is not in the
//! table, and all markers are active. Jenkins executes only escape sequences (`ESC[8mha:`), which
//! the sanitizer never outputs.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::LazyLock;

use regex::Regex;
use uuid::Uuid;

/// The character that is inserted after the first character of a marker to break it. It must be
/// visible, and must have a weight in Unicode collation: .NET runners use culture-sensitive
/// comparison, which ignores characters without a weight.
const BREAK: char = '·';

/// A place in a line where a runner looks for a marker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    /// The first column.
    Start,
    /// The first column that is not blank.
    Indented,
    /// Any column.
    Anywhere,
}

/// A text that begins a command.
#[derive(Clone, Copy, Debug)]
struct Marker(&'static str, Column);

/// A CI system.
struct System {
    /// The environment variable that the runner sets.
    variable: &'static str,
    markers: &'static [Marker],
    /// True if the runner supports `::stop-commands::TOKEN`.
    stops: bool,
}

/// The systems that execute commands in the output of a step. Sources: actions/runner
/// `ActionCommand.cs`, azure-pipelines-agent `Command.cs`, gitlab `lib/gitlab/regex.rb`, the
/// documentation of Buildkite, `TeamCity` and Travis. The tool `act`, Gitea and Forgejo set the
/// same variable as GitHub.
const SYSTEMS: &[System] = &[
    System {
        variable: "GITHUB_ACTIONS",
        markers: &[Marker("::", Column::Indented), Marker("##[", Column::Anywhere)],
        stops: true,
    },
    System {
        variable: "TF_BUILD",
        markers: &[Marker("##vso", Column::Anywhere), Marker("##[", Column::Anywhere)],
        stops: false,
    },
    System {
        variable: "GITLAB_CI",
        markers: &[
            Marker("section_start:", Column::Anywhere),
            Marker("section_end:", Column::Anywhere),
        ],
        stops: false,
    },
    System {
        variable: "BUILDKITE",
        markers: &[
            Marker("--- ", Column::Start),
            Marker("+++ ", Column::Start),
            Marker("~~~ ", Column::Start),
            Marker("^^^ ", Column::Start),
        ],
        stops: false,
    },
    System {
        variable: "TEAMCITY_VERSION",
        markers: &[Marker("##teamcity[", Column::Anywhere)],
        stops: false,
    },
    System {
        variable: "TRAVIS",
        markers: &[
            Marker("travis_fold:", Column::Anywhere),
            Marker("travis_time:", Column::Anywhere),
        ],
        stops: false,
    },
];

/// The markers of the systems that run this process.
#[derive(Debug)]
struct Markers {
    found: Regex,
    all: Vec<Marker>,
    stops: bool,
}

/// The markers for this process; `None` outside of CI.
static OURS: LazyLock<Option<Markers>> =
    LazyLock::new(|| Markers::of_env(|name| std::env::var(name).ok()));

/// An expression for the markers that a system recognizes in any column, for all systems.
static ANYWHERE: LazyLock<Regex> = LazyLock::new(|| {
    let all = SYSTEMS.iter().flat_map(|system| system.markers);
    regex(all.filter(|marker| marker.1 == Column::Anywhere))
});

/// Returns true if a CI system reads what this process prints.
#[must_use]
pub fn is_active() -> bool {
    OURS.is_some()
}

/// Returns the offsets of the characters that a JSON encoder has to escape. For each marker from
/// `ANYWHERE`, this is the second character, because the first one may be the end of an escape,
/// as in `\travis_fold:`.
pub fn markers(json: &str) -> impl Iterator<Item = usize> {
    ANYWHERE.find_iter(json).map(|found| found.start() + 1)
}

impl Markers {
    /// Returns the markers of the systems whose variables are set; `None` outside of CI.
    fn of_env(env: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let is_set =
            |name| env(name).is_some_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
        let mut systems: Vec<&System> =
            SYSTEMS.iter().filter(|system| is_set(system.variable)).collect();
        if systems.is_empty() && is_set("CI") {
            systems.extend(SYSTEMS);
        }
        if systems.is_empty() {
            return None;
        }
        let all: Vec<Marker> = systems.iter().flat_map(|system| system.markers).copied().collect();
        // If only `CI` is set, the runner is unknown. A runner that does not support the stop
        // command would print the command as text.
        let stops = systems.iter().any(|system| system.stops && is_set(system.variable));
        Some(Self { found: regex(&all), all, stops })
    }

    /// Returns a line in which every marker is broken.
    fn broken<'l>(&self, line: &'l str) -> Cow<'l, str> {
        let mut out = String::new();
        let mut rest = 0;
        for found in self.found.find_iter(line) {
            let marker = self.all.iter().find(|marker| found.as_str().ends_with(marker.0));
            let at = found.end() - marker.map_or(0, |marker| marker.0.len()) + 1;
            out.push_str(line.get(rest..at).unwrap_or_default());
            out.push(BREAK);
            rest = at;
        }
        if rest == 0 {
            return Cow::Borrowed(line);
        }
        out.push_str(line.get(rest..).unwrap_or_default());
        Cow::Owned(out)
    }
}

/// Builds the expression that finds markers in one line. Colors before a marker are skipped,
/// because some runners strip them first.
#[expect(clippy::expect_used, reason = "the table is a constant, and every test compiles it")]
fn regex<'m>(markers: impl IntoIterator<Item = &'m Marker>) -> Regex {
    let pattern = |Marker(text, place): &Marker| {
        let text = regex::escape(text);
        match place {
            Column::Start => format!(r"\A(?:\x1b\[[0-9;]*m)*{text}"),
            Column::Indented => format!(r"\A(?:\s|\x1b\[[0-9;]*m)*{text}"),
            Column::Anywhere => text,
        }
    };
    let patterns: Vec<String> = markers.into_iter().map(pattern).collect();
    Regex::new(&patterns.join("|")).expect("a table of expressions")
}

/// Returns a text with all markers broken, so that a CI system finds no command in it.
#[must_use]
pub fn broken(text: &str) -> String {
    let mut output = Output::new(Vec::new());
    // Writing to a vector cannot fail.
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    String::from_utf8_lossy(&output.out).into_owned()
}

/// A writer of text in which a CI system finds no command. Outside of CI, bytes are written
/// unchanged.
///
/// In CI, a line is held until it is complete, because a marker may arrive in pieces.
/// [`Write::flush`] writes an incomplete line.
pub struct Output<'m, W: Write> {
    out: W,
    markers: Option<&'m Markers>,
    line: Vec<u8>,
    /// The token that ends a stop of all commands; `None` while no stop is in effect.
    token: Option<String>,
}

impl<W: Write> Output<'_, W> {
    /// Creates a writer of text to `out`.
    pub fn new(out: W) -> Self {
        Output { out, markers: OURS.as_ref(), line: Vec::new(), token: None }
    }

    /// Creates a writer of unchanged data to `out`.
    pub fn verbatim(out: W) -> Self {
        Output { out, markers: None, line: Vec::new(), token: None }
    }

    /// Makes the runner ignore all commands until [`Output::resume_commands`], if it supports that.
    /// The token is random, so recorded text cannot contain it.
    ///
    /// # Errors
    /// Fails if `out` cannot be written.
    pub fn stop_commands(&mut self) -> io::Result<()> {
        if self.markers.is_some_and(|markers| markers.stops) {
            let token = Uuid::new_v4().simple().to_string();
            writeln!(self.out, "::stop-commands::{token}")?;
            self.token = Some(token);
        }
        Ok(())
    }

    /// Makes the runner execute commands again, unless it already does. Dropping the writer has the
    /// same effect.
    ///
    /// # Errors
    /// Fails if `out` cannot be written. The token is then written to standard error, which the
    /// runner reads as well.
    pub fn resume_commands(&mut self) -> io::Result<()> {
        let Some(token) = self.token.take() else { return Ok(()) };
        if !self.line.is_empty() {
            self.line.push(b'\n');
        }
        let line = format!("::{token}::\n");
        let written = self.write_line().and_then(|()| self.out.write_all(line.as_bytes()));
        written.and_then(|()| self.out.flush()).inspect_err(|_| {
            let _ = io::stderr().write_all(line.as_bytes());
        })
    }

    /// Writes the held line.
    fn write_line(&mut self) -> io::Result<()> {
        let Some(markers) = self.markers.filter(|_| !self.line.is_empty()) else { return Ok(()) };
        let line = std::mem::take(&mut self.line);
        let written =
            self.out.write_all(markers.broken(&String::from_utf8_lossy(&line)).as_bytes());
        // Keep the capacity of the buffer.
        self.line = line;
        self.line.clear();
        written
    }
}

impl<W: Write> Write for Output<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.markers.is_none() {
            return self.out.write(bytes);
        }
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.write_line()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_line()?;
        self.out.flush()
    }
}

impl<W: Write> Drop for Output<'_, W> {
    fn drop(&mut self) {
        let _ = self.resume_commands();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markers_of(variables: &[&str]) -> Option<Markers> {
        Markers::of_env(|name| variables.contains(&name).then(|| "true".to_owned()))
    }

    fn broken(variable: &str, line: &str) -> String {
        markers_of(&[variable]).unwrap().broken(line).into_owned()
    }

    #[test]
    fn a_marker_is_escaped_only_at_the_positions_where_its_ci_system_matches_it() {
        for (variable, line, expected) in [
            ("GITHUB_ACTIONS", "::error::x", ":·:error::x"),
            ("GITHUB_ACTIONS", " \u{a0}\u{3000}::error::x", " \u{a0}\u{3000}:·:error::x"),
            ("GITHUB_ACTIONS", "\x1b[0;31m  \x1b[1m::x", "\x1b[0;31m  \x1b[1m:·:x"),
            ("GITHUB_ACTIONS", "  std::io::Error", "  std::io::Error"),
            ("GITHUB_ACTIONS", "::a ##[b] ###[c]", ":·:a #·#[b] ##·#[c]"),
            ("GITHUB_ACTIONS", "##vso[task.complete]", "##vso[task.complete]"),
            ("TF_BUILD", "x ##vso[a.b]##vso[c.d] ##[error]", "x #·#vso[a.b]#·#vso[c.d] #·#[error]"),
            ("TF_BUILD", "::error::x", "::error::x"),
            (
                "GITLAB_CI",
                "xsection_start:1:a section_end:1:a",
                "xs·ection_start:1:a s·ection_end:1:a",
            ),
            ("BUILDKITE", "--- a", "-·-- a"),
            ("BUILDKITE", "\x1b[0m^^^ +++", "\x1b[0m^·^^ +++"),
            ("BUILDKITE", "  --- a/diff", "  --- a/diff"),
            ("BUILDKITE", "-----", "-----"),
            ("TEAMCITY_VERSION", "x ##teamcity[buildStop]", "x #·#teamcity[buildStop]"),
            ("TRAVIS", "travis_fold:start:x", "t·ravis_fold:start:x"),
            ("CI", "::a ##vso[b] section_end:1:c", ":·:a #·#vso[b] s·ection_end:1:c"),
        ] {
            assert_eq!(broken(variable, line), expected, "{variable} {line:?}");
        }
    }

    #[test]
    fn ci_systems_are_detected_by_their_variables() {
        assert!(markers_of(&[]).is_none());
        assert!(markers_of(&["HOME"]).is_none());
        let off = |name: &str| (name == "CI").then(|| "false".to_owned());
        assert!(Markers::of_env(off).is_none());
        assert!(markers_of(&["GITHUB_ACTIONS", "CI"]).unwrap().stops);
        // With `CI` alone, the runner is unknown and may not support a stop.
        assert!(!markers_of(&["CI"]).unwrap().stops);
        assert_eq!(
            markers_of(&["CI"]).unwrap().all.len(),
            SYSTEMS.iter().map(|s| s.markers.len()).sum::<usize>()
        );
        let both = markers_of(&["GITHUB_ACTIONS", "GITLAB_CI"]).unwrap();
        assert_eq!(both.broken("::a section_end:1:a"), ":·:a s·ection_end:1:a");
    }

    #[test]
    fn a_marker_in_chunks_is_escaped_and_an_unfinished_line_is_written_on_flush() {
        let markers = markers_of(&["GITHUB_ACTIONS"]);
        let mut out = Vec::new();
        let mut output =
            Output { out: &mut out, markers: markers.as_ref(), line: Vec::new(), token: None };
        for piece in ["  :", ":a", "::\nx #", "#[", "b]\n", "::end"] {
            output.write_all(piece.as_bytes()).unwrap();
        }
        output.flush().unwrap();
        drop(output);
        assert_eq!(String::from_utf8(out).unwrap(), "  :·:a::\nx #·#[b]\n:·:end");
    }

    #[test]
    fn the_end_of_a_stop_command_is_on_its_own_line_even_if_the_writer_is_dropped() {
        let markers = markers_of(&["GITHUB_ACTIONS"]);
        let mut out = Vec::new();
        let mut output =
            Output { out: &mut out, markers: markers.as_ref(), line: Vec::new(), token: None };
        output.stop_commands().unwrap();
        output.write_all(b"half a line").unwrap();
        drop(output);
        let text = String::from_utf8(out).unwrap();
        let [stop, line, resume] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        let token = stop.strip_prefix("::stop-commands::").unwrap();
        assert!(token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{token}");
        assert_eq!((line, resume), ("half a line", format!("::{token}::").as_str()));
    }

    #[test]
    fn the_encoder_contains_the_markers_of_all_ci_systems() {
        let text = "::a ##[b] ##vso[c] section_end:1:d travis_time:e ##teamcity[f]";
        assert_eq!(markers(text).collect::<Vec<_>>(), [5, 11, 20, 36, 50]);
    }
}
