//! `rundown bundle`: writes runs to one portable file, or checks such a file.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::args::{Bundle, Server};
use super::export::{draft, replaceable};
use super::selection::Selection;
use super::{print_notice, print_notices, remote};
use crate::bundle::{self, Bundled, Checked};
use crate::display;
use crate::error::{Error, Result};
use crate::file::FilePath;
use crate::join::RunParts;
use crate::log::Container;
#[cfg(feature = "remote")]
use crate::s3::{Body, Bucket, Condition};

/// Writes or checks a bundle. Returns the exit code.
pub(super) fn bundle(args: &Bundle) -> anyhow::Result<u8> {
    match (&args.check, &args.output) {
        (Some(path), _) => Ok(check(path, &args.store.server)?),
        (None, Some(path)) => write(args, path),
        (None, None) => Err(Error::Usage("name the file with -o FILE".into()).into()),
    }
}

/// Reads all of a bundle, and prints its defects. The exit code is 1 if there are any.
fn check(path: &Path, server: &Server) -> Result<u8> {
    let place = if remote::is_url(path) {
        remote::container(path, server)?
    } else {
        Container::File(FilePath::named(path))
    };
    let Checked { runs, logs, bytes, defects } = bundle::check(path, &place)?;
    let content = content(runs, logs, bytes);
    let path = path.display();
    if defects.is_empty() {
        print_notice(&format!("{path} is complete: {content}"));
        return Ok(0);
    }
    print_notices(&defects);
    print_notice(&format!("{path} is damaged; it should contain {content}"));
    Ok(1)
}

fn write(args: &Bundle, path: &Path) -> anyhow::Result<u8> {
    let mut runs = selected(args)?;
    let mut ids = HashSet::new();
    if let Some(twice) = runs.iter().find(|parts| !ids.insert(&parts.run.id)) {
        let id = twice.run.id.as_str();
        let why = if id.is_empty() {
            "a bundle contains at most one path of logs without a run".to_owned()
        } else {
            format!("several of these runs have the id {id}")
        };
        return Err(Error::Usage(format!("{why}\nwrite each to a bundle of its own")).into());
    }
    // The newest first, as in a list.
    runs.sort_by_key(|parts| Reverse((parts.run.listed_at(), parts.run.id.clone())));
    let count = runs.len();
    let failed = |error| Error::io("write", path)(error);
    let draft = Draft::new(path, &args.store.server)?;
    let out = BufWriter::with_capacity(256 << 10, draft.file());
    let Bundled { logs, bytes, missing } =
        bundle::write(runs, out).map_err(|error| match error {
            Error::Output(source) => failed(source),
            error => error,
        })?;
    let size = draft.file().metadata().map_err(failed)?.len();
    draft.place(path)?;
    print_notices(&missing);
    let content = content(count, logs, bytes);
    print_notice(&format!("{}: {content}, compressed to {}", path.display(), display::size(size)));
    Ok(if missing.is_empty() { 0 } else { 6 })
}

/// A bundle that is being written.
enum Draft {
    /// A file next to the one that it replaces when it is complete.
    File(NamedTempFile, PathBuf),
    /// A temporary file, which is then sent.
    #[cfg(feature = "remote")]
    Object(File, Box<(Bucket, String)>),
}

impl Draft {
    fn new(path: &Path, server: &Server) -> Result<Self> {
        let failed = |error| Error::io("write", path)(error);
        if remote::is_url(path) {
            return Self::of_object(path, server);
        }
        let target = replaceable(path)?;
        Ok(Self::File(draft(&target).map_err(failed)?, target))
    }

    #[cfg(feature = "remote")]
    fn of_object(path: &Path, server: &Server) -> Result<Self> {
        let object = Box::new(remote::object(path, server)?);
        let file = tempfile::tempfile().map_err(Error::io("write", path))?;
        Ok(Self::Object(file, object))
    }

    #[cfg(not(feature = "remote"))]
    fn of_object(path: &Path, _: &Server) -> Result<Self> {
        Err(remote::unsupported(path))
    }

    fn file(&self) -> &File {
        match self {
            Self::File(file, _) => file.as_file(),
            #[cfg(feature = "remote")]
            Self::Object(file, _) => file,
        }
    }

    /// Puts the complete bundle into its place.
    fn place(self, path: &Path) -> Result<()> {
        match self {
            Self::File(file, target) => {
                file.persist(target).map_err(|error| Error::io("write", path)(error.error))?;
            }
            #[cfg(feature = "remote")]
            Self::Object(file, object) => {
                let (bucket, key) = &*object;
                let bytes = file.metadata().map_err(Error::io("write", path))?.len();
                bucket.put(key, Body::File { file: &file, bytes }, Condition::Any)?;
            }
        }
        Ok(())
    }
}

fn content(runs: usize, logs: usize, bytes: u64) -> String {
    let runs = display::runs(u64::try_from(runs).unwrap_or(u64::MAX));
    let logs = if logs == 1 { "1 log".to_owned() } else { format!("{logs} logs") };
    format!("{runs} with {logs} of {}", display::size(bytes))
}

/// Loads the selected runs, each once.
fn selected(args: &Bundle) -> anyhow::Result<Vec<RunParts>> {
    let Bundle { runs, last, failed, narrow, store, .. } = args;
    let runs = runs.iter().map(AsRef::as_ref).collect();
    let mut known = HashSet::new();
    let mut found = Vec::new();
    let (last, failed, skips_active) = (*last, *failed, false);
    let selection = Selection { runs, last, failed, skips_active, narrow, store };
    selection.for_each(|catalog, id| {
        let gone = || Error::NotFound(format!("run {} was deleted", id.as_str()));
        let parts = catalog.run_parts(id)?.ok_or_else(gone)?;
        // Logs that were named by their path have no id.
        let path = id.as_str().is_empty().then(|| catalog.path());
        if known.insert((path, parts.run.repo.clone(), id.clone())) {
            found.push(parts);
        }
        print_notices(&catalog.notices());
        Ok(())
    })?;
    Ok(found)
}
