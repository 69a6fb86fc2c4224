//! Files of JSON lines, one per signal. A file appears when it is complete: its lines are written
//! to a temporary file in the same directory, which then replaces it.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::{self, BufWriter, IntoInnerError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::write_line;
use crate::dump::{OtlpLine, Signal};
use crate::error::{Error, Result};

/// The extension of the files.
const EXTENSION: &str = "jsonl";

/// The files that are being written.
pub(super) struct Files(Vec<SignalFile>);

struct SignalFile {
    signal: Signal,
    /// The path as the user named it.
    name: PathBuf,
    /// The path of the file itself.
    path: PathBuf,
    draft: BufWriter<NamedTempFile>,
}

impl Files {
    /// Creates a file for each signal.
    pub fn create(to: &Path, signals: &[Signal]) -> Result<Self> {
        let files = paths(to, signals).into_iter().map(|(signal, name)| {
            let path = replaceable(&name)?;
            let draft = draft(&path).map_err(Error::io("write", &name))?;
            Ok(SignalFile { signal, name, path, draft: BufWriter::new(draft) })
        });
        files.collect::<Result<_>>().map(Self)
    }

    pub fn write(&mut self, line: &OtlpLine<'_>) -> Result<()> {
        let file = self.0.iter_mut().find(|file| file.signal == line.signal);
        file.map_or(Ok(()), |file| {
            write_line(line, &mut file.draft).map_err(Error::io("write", &file.name))
        })
    }

    /// Puts the files into their places. Returns their names.
    pub fn finish(self) -> Result<String> {
        let mut names = Vec::new();
        for SignalFile { name, path, draft, .. } in self.0 {
            let draft = draft.into_inner().map_err(IntoInnerError::into_error);
            let placed = draft.and_then(|draft| draft.persist(path).map_err(|error| error.error));
            placed.map_err(Error::io("write", &name))?;
            names.push(name.display().to_string());
        }
        Ok(names.join(", "))
    }
}

/// Returns the path of each signal: the path itself for one signal, and otherwise `ci.traces.jsonl`
/// for `ci.jsonl` or `ci`.
fn paths(to: &Path, signals: &[Signal]) -> Vec<(Signal, PathBuf)> {
    if let [signal] = signals {
        return vec![(*signal, to.to_owned())];
    }
    let has_extension = to.extension().is_some_and(|extension| extension == EXTENSION);
    let stem = if has_extension { to.with_extension("") } else { to.to_owned() };
    let path = |signal: &Signal| {
        let mut name = OsString::from(&stem);
        name.push(format!(".{signal}.{EXTENSION}"));
        (*signal, PathBuf::from(name))
    };
    signals.iter().map(path).collect()
}

/// Returns the path of a file that may be replaced. Follows a link to a file, which stays.
pub(in crate::cli) fn replaceable(name: &Path) -> Result<PathBuf> {
    match fs::metadata(name) {
        Ok(found) if found.is_dir() => {
            Err(Error::Usage(format!("{} is a directory: add the name of a file", name.display())))
        }
        Ok(found) if !found.is_file() => {
            Err(Error::Usage(format!("{} is not a regular file", name.display())))
        }
        Ok(_) => fs::canonicalize(name).map_err(Error::io("write", name)),
        Err(_) => Ok(name.to_owned()),
    }
}

/// Creates the temporary file for a file, with the mode of a new file.
pub(in crate::cli) fn draft(path: &Path) -> io::Result<NamedTempFile> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mode = Permissions::from_mode(0o666);
    tempfile::Builder::new().prefix(".rundown-").permissions(mode).tempfile_in(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_signal_has_the_named_file_and_several_have_one_each() {
        let names = |to: &str, signals: &[Signal]| -> Vec<String> {
            let paths = paths(Path::new(to), signals);
            paths.iter().map(|(_, path)| path.display().to_string()).collect()
        };
        assert_eq!(names("a/ci.json", &[Signal::Logs]), ["a/ci.json"]);
        for to in ["a/ci", "a/ci.jsonl"] {
            assert_eq!(
                names(to, &[Signal::Traces, Signal::Logs]),
                ["a/ci.traces.jsonl", "a/ci.logs.jsonl"]
            );
        }
        assert_eq!(names("v1.2", &Signal::ALL)[2], "v1.2.metrics.jsonl");
    }
}
