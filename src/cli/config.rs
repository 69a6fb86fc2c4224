//! The configuration of the screen, in a TOML file of the user. A file with faults is rejected as a
//! whole, with a list of all faults.
//!
//! ```toml
//! times = "delta"
//! [retention]
//! older-than = "30d"
//! [theme]
//! name = "dark"
//! bad = "bold red"
//! [keys]
//! next-error = ["e", "F8"]      # in every context of the action, except help and typing
//! [keys.tree]
//! open = "o"                    # in this context only
//! [[rule]]
//! pattern = "license header missing"
//! ```
//!
//! The settings apply to the screen, except `output`, `mask`, `default-masks`, `mask-output`,
//! `max-log`, `sync`, `push`, `push-timeout` and `[retention]`, which apply to the recorder. Except for the rules, output
//! for scripts does not depend on the configuration, and a faulty configuration does not prevent
//! such output or a recording. The command line takes precedence over the file.
//!
//! A store may have rules, too, in the file `rules.toml`.

mod read;
mod write;

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use memchr::memchr_iter;

use super::place::path_variable;
use crate::error::{Error, Result};
use crate::file;
use crate::record::Output;
use crate::search::UserRule;
use crate::tui::Settings;
use crate::tui::keymap::Fault;
use crate::upkeep::Limits;

/// The largest file that is read: no real configuration is larger.
const MAX_BYTES: u64 = 1 << 20;

/// The file of a store with its rules.
pub(super) const RULES_FILE: &str = "rules.toml";

/// The settings of the screen and of the recorder.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting")]
pub struct Config {
    /// The settings of the screen itself.
    pub settings: Settings,
    /// True if the screen uses only ASCII glyphs.
    pub ascii: bool,
    /// The name of the time zone in which times are shown. It has been validated.
    pub time_zone: Option<String>,
    /// The connection of the output of recorded commands.
    pub output: Output,
    /// The names of variables whose values are not recorded.
    pub mask: Vec<String>,
    /// True if variables with the name of a secret are not recorded, either.
    pub default_masks: bool,
    /// True if secrets are also replaced in the output that is passed on.
    pub mask_output: bool,
    /// The size limit of each recorded log in bytes.
    pub max_log: Option<u64>,
    /// True if the recorder syncs the logs to disk when a run ends.
    pub sync: bool,
    /// The address in object storage that runs are pushed to while they are recorded.
    pub push: Option<String>,
    /// The time for the push after the end of a run.
    pub push_timeout: Option<Duration>,
    /// The rules for errors and causes, which precede those of rundown.
    pub rules: Vec<UserRule>,
    /// The limits on the runs of a store, for `prune` and for the recorder.
    pub retention: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            ascii: false,
            time_zone: None,
            output: Output::default(),
            mask: Vec::new(),
            default_masks: true,
            mask_output: false,
            max_log: None,
            sync: true,
            push: None,
            push_timeout: None,
            rules: Vec::new(),
            retention: Limits::default(),
        }
    }
}

impl Config {
    /// Reads the user's configuration: the file that is named, or the default one if it exists.
    pub(super) fn load(named: Option<&Path>) -> Result<Self> {
        let named = named.map(Path::to_owned).or_else(|| path_variable("RUNDOWN_CONFIG"));
        let is_named = named.is_some();
        let Some(path) = named.or_else(usual_place) else { return Ok(Self::default()) };
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)) {
            Ok(_) => Self::checked(&path, &bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_named => {
                Ok(Self::default())
            }
            Err(error) => Err(Error::io("read the configuration", path)(error)),
        }
    }

    /// Reads the rules of a store, if it has any.
    pub(super) fn load_rules(root: &Path) -> Result<Vec<UserRule>> {
        let path = root.join(RULES_FILE);
        let mut bytes = Vec::new();
        let opened = file::open_regular(&path);
        match opened.and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)) {
            Ok(_) => Self::checked_only(&path, &bytes, &["rule"]).map(|config| config.rules),
            // A bundle is no directory, and has no rules.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(Error::io("read the rules", path)(error)),
        }
    }

    /// Parses the bytes of a file; `path` is for the messages. Public only for the fuzz targets.
    ///
    /// # Errors
    /// If the configuration is invalid. The error lists every fault on a line of its own, with its
    /// position.
    pub fn checked(path: &Path, bytes: &[u8]) -> Result<Self> {
        Self::checked_only(path, bytes, &read::NAMES)
    }

    fn checked_only(path: &Path, bytes: &[u8], names: &'static [&'static str]) -> Result<Self> {
        let describe = |place: &str, message: &str| format!("{}{place}: {message}", path.display());
        if bytes.len() as u64 > MAX_BYTES {
            let why = "too large for a configuration file (limit: 1 MiB)";
            return Err(Error::Config(describe("", why)));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            Error::Config(describe(&place(valid), "invalid UTF-8; save the file as UTF-8"))
        })?;
        read::parse(text, names).map_err(|faults| {
            let before = |fault: &Fault| text.as_bytes().get(..fault.at).unwrap_or_default();
            let lines: Vec<String> = faults
                .iter()
                .map(|fault| describe(&place(before(fault)), &fault.message))
                .collect();
            Error::Config(lines.join("\n"))
        })
    }

    /// Formats all settings as a file that parses to the same configuration, with comments.
    #[must_use]
    pub fn to_toml(&self) -> String {
        write::to_toml(self)
    }
}

/// Returns `:line:column` of the text that follows `before`, both from 1.
fn place(before: &[u8]) -> String {
    let line = memchr_iter(b'\n', before).count() + 1;
    let last = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    format!(":{line}:{}", String::from_utf8_lossy(last).chars().count() + 1)
}

/// Returns `$XDG_CONFIG_HOME/rundown/config.toml`, or `~/.config/…`.
pub(super) fn usual_place() -> Option<PathBuf> {
    let home =
        || std::env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(".config"));
    let dir = path_variable("XDG_CONFIG_HOME").filter(|dir| dir.is_absolute()).or_else(home);
    dir.map(|dir| dir.join("rundown/config.toml"))
}

#[cfg(test)]
mod tests;
