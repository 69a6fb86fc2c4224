//! The only error type. It reports the operation, its object and the reason for the failure.
//!
//! The text of a variant is a lowercase fragment; the chain of sources is printed once, in `main`.
//! Malformed log lines and missing files are *data* with their own types, not errors.
//! [`Error::exit_code`] is the contract with scripts.

use std::io;
use std::path::PathBuf;

/// An error that stops rundown from completing a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory could not be read or written.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// The attempt, as a verb: `read`, `create`.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// An SQLite operation failed.
    #[error("cannot {doing} the database {}", path.display())]
    Database {
        /// The attempt, as a verb: `open`, `read`.
        doing: &'static str,
        /// The database file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: rusqlite::Error,
    },
    /// A file that is not a database of runs.
    #[error(
        "{} is not a database of CI runs: {why}\n\
         try --root DIR or --db FILE to choose another",
        path.display()
    )]
    NotAStore {
        /// The file.
        path: PathBuf,
        /// The defect, and the expected content.
        why: String,
    },
    /// A bundle that is damaged, or has a version that is not known.
    #[error("cannot read the bundle {}: {why}", path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// The defect.
        why: String,
    },
    /// A database of another program, or of a newer rundown. It can be read but is never written.
    #[error("cannot write to {}: {why}", path.display())]
    NotOurs {
        /// The database file.
        path: PathBuf,
        /// The kind of the database.
        why: String,
    },
    /// A store on a read-only file system, or one that this user may not write.
    #[error(
        "cannot {doing} {}: it is read-only\ntry --root DIR to choose a writable store",
        path.display()
    )]
    ReadOnly {
        /// The attempt, as a verb: `create`, `write`.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
    },
    /// A database on a file system without the locks that SQLite needs.
    #[error(
        "cannot lock the database {}: its file system does not support locks\n\
         try --root DIR to choose a store on a local disk",
        path.display()
    )]
    NoLocks {
        /// The database file.
        path: PathBuf,
    },
    /// A database that another process has locked.
    #[error("the database {} is locked by another process; try again later", path.display())]
    Locked {
        /// The database file.
        path: PathBuf,
    },
    /// A database that must be read from a copy, but the copy cannot be made.
    #[error(
        "cannot make a private copy of {} in {} (set TMPDIR to use another directory)",
        path.display(),
        dir.display()
    )]
    Copy {
        /// The database file.
        path: PathBuf,
        /// The directory for temporary files.
        dir: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A database that changed so often that no read of it was consistent.
    #[error("the database {} kept changing while it was read; try again", path.display())]
    Unstable {
        /// The database file.
        path: PathBuf,
    },
    /// A database that could not be read within the time limit.
    #[error(
        "the database {} did not respond in time\n\
         try --root DIR or --db FILE to choose another",
        path.display()
    )]
    TooLong {
        /// The database file.
        path: PathBuf,
    },
    /// A database that needs too much memory, or contains a value that is too large.
    #[error(
        "cannot use the database {}: {why}\ntry --root DIR or --db FILE to choose another",
        path.display()
    )]
    TooLarge {
        /// The database file.
        path: PathBuf,
        /// The part that is too large.
        why: &'static str,
    },
    /// A store that rundown found by itself and that may come from another user or a repository.
    /// The user did not name it.
    #[error("the store {} is not used: {why}\nto use it anyway: {command}", root.display())]
    NotTrusted {
        /// The directory of the store.
        root: PathBuf,
        /// The reason why it is not trusted.
        why: String,
        /// The command that names the store, so that it is used.
        command: String,
    },
    /// A missing store.
    #[error(
        "no store at {}: {why}\n\
         try `rundown demo`, `rundown record -- CMD`, or --root DIR for another store",
        root.display()
    )]
    NoStore {
        /// The directory that was searched.
        root: PathBuf,
        /// The missing part.
        why: &'static str,
    },
    /// The requested run does not exist, or nothing in it matched.
    #[error("{0}")]
    NotFound(String),
    /// The store contains no run that matches the request.
    #[error("{0}")]
    NoRun(String),
    /// A word that matches no run and is similar to a valid word.
    #[error("{text}")]
    Mistyped {
        /// The message, with the valid word.
        text: String,
        /// The exit code of the error without the suggestion.
        code: u8,
    },
    /// The command line is invalid.
    #[error("{0}")]
    Usage(String),
    /// A pipeline file that cannot be run. Nothing was started.
    #[error("{}:{line}: {message}", path.display())]
    Pipeline {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The defect, and its correction.
        message: String,
    },
    /// An invalid configuration: all its defects, each on a line of its own with its position.
    #[error("{0}")]
    Config(String),
    /// Stdout cannot be written.
    #[error("cannot write to stdout")]
    Output(#[source] io::Error),
    /// A server did not answer, or what it answered cannot be used.
    #[error("cannot {doing} {url}: {why}")]
    Remote {
        /// The attempt, as a verb: `send to`, `read`.
        doing: &'static str,
        /// The address without credentials.
        url: String,
        /// The reason, and a remedy.
        why: String,
    },
    /// A server refused a request, or a request cannot be sent: the same request would fail again.
    #[error("cannot {doing} {url}: {why}")]
    Refused {
        /// The attempt, as a verb.
        doing: &'static str,
        /// The address without credentials.
        url: String,
        /// The reason, and a remedy.
        why: String,
    },
    /// The terminal cannot be used.
    #[error("cannot use the terminal")]
    Terminal(#[source] io::Error),
    /// A bug in rundown.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// Returns the exit code for scripts; docs/cli.md has the table.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Pipeline { .. } | Self::Config(_) => 2,
            Self::NotFound(_) | Self::NoRun(_) => 5,
            Self::Mistyped { code, .. } => *code,
            Self::Io { .. }
            | Self::Database { .. }
            | Self::NotAStore { .. }
            | Self::Bundle { .. }
            | Self::NotOurs { .. }
            | Self::ReadOnly { .. }
            | Self::NoLocks { .. }
            | Self::Locked { .. }
            | Self::Copy { .. }
            | Self::Unstable { .. }
            | Self::TooLong { .. }
            | Self::TooLarge { .. }
            | Self::NotTrusted { .. }
            | Self::NoStore { .. }
            | Self::Output(_)
            | Self::Remote { .. }
            | Self::Refused { .. } => 6,
            Self::Terminal(_) | Self::Internal(_) => 70,
        }
    }

    /// Returns true if the reader of stdout has gone, as after `| head -1`.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(source) if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Wraps an I/O error with the operation and its object, for `map_err`.
    pub fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { doing, path },
            _ => Self::Io { doing, path, source },
        }
    }

    /// Wraps an SQLite error with the operation and its database, for `map_err`.
    pub fn database(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{
            DatabaseBusy, DatabaseLocked, FileLockingProtocolFailed, OperationInterrupted,
            OutOfMemory, TooBig,
        };
        use rusqlite::ffi::{SQLITE_IOERR_LOCK, SQLITE_IOERR_RDLOCK};
        let path = path.into();
        move |source| match source.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked) => Self::Locked { path },
            Some(OperationInterrupted) => Self::TooLong { path },
            Some(TooBig) => Self::TooLarge { path, why: "it contains a value larger than 4 MiB" },
            Some(OutOfMemory) => {
                Self::TooLarge { path, why: "it needs more memory than the limit" }
            }
            Some(FileLockingProtocolFailed) => Self::NoLocks { path },
            _ if matches!(
                extended_code(&source),
                Some(SQLITE_IOERR_LOCK | SQLITE_IOERR_RDLOCK)
            ) =>
            {
                Self::NoLocks { path }
            }
            _ => Self::Database { doing, path, source },
        }
    }
}

fn extended_code(error: &rusqlite::Error) -> Option<std::ffi::c_int> {
    error.sqlite_error().map(|error| error.extended_code)
}

/// A result whose error is [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Formats an error and its sources, outermost first: `cannot read x: permission denied`. Omits the
/// source of an SQLite error, which only repeats the message with a number.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), next_source);
    std::iter::once(error.to_string())
        .chain(sources.map(ToString::to_string))
        .collect::<Vec<_>>()
        .join(": ")
}

/// Formats an error as [`chain`] does, but always on one line: the lines of an error with advice
/// are joined with semicolons.
#[must_use]
pub fn line(error: &dyn std::error::Error) -> String {
    chain(error).lines().collect::<Vec<_>>().join("; ")
}

fn next_source<'e>(
    error: &&'e (dyn std::error::Error + 'static),
) -> Option<&'e (dyn std::error::Error + 'static)> {
    if error.is::<rusqlite::Error>() { None } else { error.source() }
}
