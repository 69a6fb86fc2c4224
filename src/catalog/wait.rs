//! The state that a view shows while the store cannot be read or has no runs. It describes the
//! situation and the file that the view waits for, not the operation that failed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, chain};

/// The reason why the view shows no run or no new data. Reads are retried until one succeeds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wait {
    /// The situation, as in `the database is locked by another process`.
    pub what: String,
    /// More details.
    pub why: Option<String>,
    /// The file or directory that the view waits for.
    pub path: Option<PathBuf>,
    /// True if the store does not exist yet, or has no run to list. The user can create both by
    /// recording a command.
    pub is_absent: bool,
}

impl Wait {
    /// Describes an error to a user who waits. `has_read` is true if the store has been read
    /// before.
    #[must_use]
    pub fn of(error: &Error, has_read: bool) -> Self {
        let wait = |what: &str, why: Option<String>, path: &Path| {
            let path = Some(path.to_owned());
            Self { what: what.into(), why, path, is_absent: false }
        };
        match error {
            Error::NoStore { root, why } => {
                Self { is_absent: true, ..wait("no store yet", Some((*why).to_owned()), root) }
            }
            Error::Io { path, source, .. } if source.kind() == ErrorKind::NotFound => {
                let name =
                    path.file_name().map_or_else(|| "it".into(), |name| name.to_string_lossy());
                let state = if has_read { "was removed" } else { "does not exist yet" };
                wait(&format!("{name} {state}"), None, path)
            }
            Error::Locked { path } => wait("the database is locked by another process", None, path),
            Error::Unstable { path } => {
                wait("the database changes faster than it can be read", None, path)
            }
            Error::NotAStore { path, why } => {
                wait("not a database of CI runs", Some(why.clone()), path)
            }
            Error::Io { path, source, .. } => {
                wait("the store cannot be read", Some(source.to_string()), path)
            }
            Error::Database { path, source, .. } => {
                wait("the database cannot be read", Some(source.to_string()), path)
            }
            Error::Remote { url, why, .. } | Error::Refused { url, why, .. } => {
                wait("the store cannot be read", Some(first_line(why)), Path::new(url))
            }
            Error::NotFound(what) | Error::NoRun(what) => {
                Self { what: first_line(what), why: None, path: None, is_absent: false }
            }
            other => Self {
                what: "the store cannot be read".into(),
                why: Some(chain(other)),
                path: None,
                is_absent: false,
            },
        }
    }

    /// Describes a store without runs, or if `is_narrowed`, without runs that match the filter.
    #[must_use]
    pub fn for_first_run(root: Option<&Path>, is_narrowed: bool) -> Self {
        let what = if is_narrowed {
            "no run matches --repo and --ref yet"
        } else {
            "the store has no runs yet"
        };
        Self { what: what.into(), why: None, path: root.map(Path::to_owned), is_absent: true }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_missing_database_is_reported_as_not_yet_created_or_removed() {
        let missing = || Error::io("open", "/store/quire.db")(ErrorKind::NotFound.into());
        assert_eq!(Wait::of(&missing(), false).what, "quire.db does not exist yet");
        assert_eq!(Wait::of(&missing(), true).what, "quire.db was removed");
        let path = Some(PathBuf::from("/store/quire.db"));
        assert_eq!(Wait::of(&missing(), true).path, path);
    }

    #[test]
    fn an_error_is_reported_with_its_reason_and_its_path() {
        let denied = Error::io("open", "/store/quire.db")(io::Error::other("permission denied"));
        let wait = Wait::of(&denied, false);
        assert_eq!(
            (&wait.what[..], wait.why.as_deref()),
            ("the store cannot be read", Some("permission denied"))
        );
        assert_eq!(wait.path, Some(PathBuf::from("/store/quire.db")));
    }
}
