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
//! All text for people goes through [`Output`]. JSON and XML do not need it: [`markers`] and
//! [`markers_in_line`] list the characters to escape instead. Raw bytes are written unchanged.
//!
//! The active markers depend on the environment. If only `CI` is set, the system is not in the
//! table, and all markers are active. Jenkins executes only escape sequences (`ESC[8mha:`), which
//! the sanitizer never outputs. Output that is made for one system ([`Reader`]) is also safe there
//! if this process runs elsewhere, and contains commands of our own.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::LazyLock;

use memchr::memchr2;
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

/// A CI system that reads output which was made for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reader {
    /// GitHub Actions.
    GitHub,
    /// GitLab CI.
    GitLab,
    /// Azure Pipelines.
    Azure,
}

impl Reader {
    const fn variable(self) -> &'static str {
        match self {
            Self::GitHub => "GITHUB_ACTIONS",
            Self::GitLab => "GITLAB_CI",
            Self::Azure => "TF_BUILD",
        }
    }
}

/// The variables with the directory of the repository, of GitHub, GitLab, Azure Pipelines,
/// Buildkite and Jenkins.
const WORKSPACES: [&str; 5] = [
    "GITHUB_WORKSPACE",
    "CI_PROJECT_DIR",
    "BUILD_SOURCESDIRECTORY",
    "BUILDKITE_BUILD_CHECKOUT_PATH",
    "WORKSPACE",
];

/// Returns the directory of the repository in the CI system that runs this process.
#[must_use]
pub fn workspace() -> Option<String> {
    workspace_of(|name| std::env::var(name).ok())
}

fn workspace_of(env: impl Fn(&str) -> Option<String>) -> Option<String> {
    WORKSPACES.iter().filter_map(|name| env(name)).find(|dir| dir.starts_with('/'))
}

/// The markers of the systems that read an output.
#[derive(Debug)]
pub struct Markers {
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

/// The markers of all systems.
static ALL: LazyLock<Markers> = LazyLock::new(|| Markers::of(SYSTEMS.iter(), false));

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

/// Returns true if a text may contain one of [`markers`]. Faster than the search for them, because
/// few rows contain the characters that occur in each marker.
#[must_use]
pub fn may_have_markers(json: &[u8]) -> bool {
    memchr2(b'#', b'_', json).is_some()
}

/// Returns the offsets of the characters that an XML encoder has to escape in a line, as
/// [`markers`] does for JSON. A line of XML may also contain markers at its start.
pub fn markers_in_line(line: &str) -> impl Iterator<Item = usize> {
    ALL.offsets(line)
}

impl Markers {
    /// Returns the markers of a system and of those that run this process. Commands can be stopped
    /// if the latter support it.
    #[must_use]
    pub fn of_reader(reader: Reader) -> Self {
        let ours = OURS.as_ref();
        let theirs = SYSTEMS.iter().filter(|system| system.variable == reader.variable());
        let theirs = Self::of(theirs, ours.is_some_and(|ours| ours.stops));
        let all: Vec<Marker> =
            theirs.all.into_iter().chain(ours.iter().flat_map(|ours| ours.all.clone())).collect();
        Self { found: regex(&all), all, stops: theirs.stops }
    }

    fn of<'s>(systems: impl Iterator<Item = &'s System>, stops: bool) -> Self {
        let all: Vec<Marker> = systems.flat_map(|system| system.markers).copied().collect();
        Self { found: regex(&all), all, stops }
    }

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
        // If only `CI` is set, the runner is unknown. A runner that does not support the stop
        // command would print the command as text.
        let stops = systems.iter().any(|system| system.stops && is_set(system.variable));
        Some(Self::of(systems.into_iter(), stops))
    }

    /// Returns the offset of the second character of each marker in a line.
    fn offsets<'l>(&'l self, line: &'l str) -> impl Iterator<Item = usize> + use<'l> {
        self.found.find_iter(line).map(|found| {
            let marker = self.all.iter().find(|marker| found.as_str().ends_with(marker.0));
            found.end() - marker.map_or(0, |marker| marker.0.len()) + 1
        })
    }

    /// Returns a line in which every marker is broken.
    fn broken<'l>(&self, line: &'l str) -> Cow<'l, str> {
        let mut out = String::new();
        let mut rest = 0;
        for at in self.offsets(line) {
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

/// Returns one line of text that can be part of a command of our own: the markers that any system
/// recognizes in any column are broken.
#[must_use]
pub fn broken_within(line: &str) -> Cow<'_, str> {
    static WITHIN: LazyLock<Markers> = LazyLock::new(|| {
        let all = SYSTEMS.iter().flat_map(|system| system.markers).copied();
        let all: Vec<Marker> = all.filter(|marker| marker.1 == Column::Anywhere).collect();
        Markers { found: regex(&all), all, stops: false }
    });
    WITHIN.broken(line)
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
    /// `None` unless text stops all commands.
    stop: Option<Stop>,
}

/// A stop of all commands.
struct Stop {
    /// The token that ends the stop.
    token: String,
    /// True between the command that begins the stop and the one that ends it.
    is_in_effect: bool,
}

impl<'m, W: Write> Output<'m, W> {
    /// Creates a writer of text for the systems with these markers to `out`.
    pub const fn with_markers(out: W, markers: &'m Markers) -> Self {
        Output { out, markers: Some(markers), line: Vec::new(), stop: None }
    }
}

impl<W: Write> Output<'_, W> {
    /// Creates a writer of text to `out`.
    pub fn new(out: W) -> Self {
        Output { out, markers: OURS.as_ref(), line: Vec::new(), stop: None }
    }

    /// Creates a writer of unchanged data to `out`.
    pub fn verbatim(out: W) -> Self {
        Output { out, markers: None, line: Vec::new(), stop: None }
    }

    /// Makes the runner ignore all commands in the text that follows, until
    /// [`Output::resume_commands`], if it supports that. Commands of our own
    /// ([`Output::write_command`]) are not ignored. The token is random, so recorded text cannot
    /// contain it.
    pub fn stop_commands(&mut self) {
        if self.markers.is_some_and(|markers| markers.stops) {
            let token = Uuid::new_v4().simple().to_string();
            self.stop = Some(Stop { token, is_in_effect: false });
        }
    }

    /// Writes a command for the runner on a line of its own. Recorded text in it must have passed
    /// [`broken_within`], and the escaping of the command.
    ///
    /// # Errors
    /// Fails if `out` cannot be written.
    pub fn write_command(&mut self, command: &str) -> io::Result<()> {
        self.end_line()?;
        self.end_stop()?;
        writeln!(self.out, "{command}")
    }

    /// Makes the runner execute commands again, unless it already does. Dropping the writer has the
    /// same effect.
    ///
    /// # Errors
    /// Fails if `out` cannot be written. The token is then written to standard error, which the
    /// runner reads as well.
    pub fn resume_commands(&mut self) -> io::Result<()> {
        if self.stop.is_none() {
            return Ok(());
        }
        let line = self.end_line();
        let ended = self.end_stop();
        self.stop = None;
        line.and(ended)
    }

    /// Ends the stop of commands, if it is in effect.
    fn end_stop(&mut self) -> io::Result<()> {
        let Some(stop) = self.stop.as_mut().filter(|stop| stop.is_in_effect) else { return Ok(()) };
        stop.is_in_effect = false;
        let line = format!("::{}::\n", stop.token);
        let written = self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush());
        written.inspect_err(|_| drop(io::stderr().write_all(line.as_bytes())))
    }

    /// Begins the stop of commands, unless it is in effect.
    fn begin_stop(&mut self) -> io::Result<()> {
        let stop = self.stop.as_mut().filter(|stop| !stop.is_in_effect);
        stop.map_or(Ok(()), |stop| {
            stop.is_in_effect = true;
            writeln!(self.out, "::stop-commands::{}", stop.token)
        })
    }

    /// Writes the held line, and completes it.
    fn end_line(&mut self) -> io::Result<()> {
        if !self.line.is_empty() {
            self.line.push(b'\n');
        }
        self.write_line()
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
        self.begin_stop()?;
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

    #[test]
    fn a_text_with_a_marker_of_json_may_have_markers() {
        let all = SYSTEMS.iter().flat_map(|system| system.markers);
        for Marker(text, _) in all.filter(|marker| marker.1 == Column::Anywhere) {
            assert!(markers(text).next().is_some() && may_have_markers(text.as_bytes()), "{text}");
        }
    }

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
        let mut output = Output::with_markers(&mut out, markers.as_ref().unwrap());
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
        let mut output = Output::with_markers(&mut out, markers.as_ref().unwrap());
        output.stop_commands();
        output.write_all(b"half a line").unwrap();
        drop(output);
        let text = String::from_utf8(out).unwrap();
        let [stop, line, resume] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        let token = stop.strip_prefix("::stop-commands::").unwrap();
        assert!(token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{token}");
        assert_eq!((line, resume), ("half a line", format!("::{token}::").as_str()));
    }

    #[test]
    fn commands_of_our_own_are_executed_between_text_that_is_ignored() {
        let markers = markers_of(&["GITHUB_ACTIONS"]).unwrap();
        let mut out = Vec::new();
        let mut output = Output::with_markers(&mut out, &markers);
        output.stop_commands();
        output.write_command("::group::a").unwrap();
        output.write_all(b"::error::x").unwrap();
        output.write_command("::endgroup::").unwrap();
        output.write_command("::group::b").unwrap();
        output.write_all(b"text\n").unwrap();
        output.resume_commands().unwrap();
        drop(output);
        let text = String::from_utf8(out).unwrap();
        let token = text.lines().find_map(|line| line.strip_prefix("::stop-commands::")).unwrap();
        assert_eq!(
            text.replace(token, "T").lines().collect::<Vec<_>>(),
            [
                "::group::a",
                "::stop-commands::T",
                ":·:error::x",
                "::T::",
                "::endgroup::",
                "::group::b",
                "::stop-commands::T",
                "text",
                "::T::"
            ]
        );
    }

    #[test]
    fn output_for_a_system_is_safe_there_wherever_it_is_made() {
        let line = "::a ##[b] ##vso[c] section_end:1:d";
        for (reader, expected) in [
            (Reader::GitHub, ":·:a #·#[b] "),
            (Reader::GitLab, "s·ection_end:1:d"),
            (Reader::Azure, " #·#[b] #·#vso[c] "),
        ] {
            let broken = Markers::of_reader(reader).broken(line).into_owned();
            assert!(broken.contains(expected), "{broken}");
        }
        assert_eq!(broken_within(line), "::a #·#[b] #·#vso[c] s·ection_end:1:d");
    }

    #[test]
    fn the_workspace_is_the_first_absolute_directory_of_a_known_variable() {
        let env = |name: &str| match name {
            "CI_PROJECT_DIR" => Some("builds/x".to_owned()),
            "WORKSPACE" => Some("/var/jenkins/x".to_owned()),
            _ => None,
        };
        assert_eq!(workspace_of(env).as_deref(), Some("/var/jenkins/x"));
        assert_eq!(workspace_of(|_| None), None);
    }

    #[test]
    fn the_encoder_contains_the_markers_of_all_ci_systems() {
        let text = "::a ##[b] ##vso[c] section_end:1:d travis_time:e ##teamcity[f]";
        assert_eq!(markers(text).collect::<Vec<_>>(), [5, 11, 20, 36, 50]);
    }
}
