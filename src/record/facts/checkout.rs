//! The files of an ordinary git checkout.
//!
//! ```text
//! TOP/.git/config           [remote "origin"] url
//!          HEAD             `ref: refs/heads/NAME`, or a commit
//!          refs/heads/NAME  a commit
//!          packed-refs      `COMMIT refs/heads/NAME`, if the file above is missing
//! ```
//!
//! The result is either exactly that of git, or [`Unclear`]; git must then be run. These cases are
//! unclear: linked work trees, submodules, bare repositories, links, repositories of other users,
//! extensions (such as reftable and SHA-256), included or unusual configuration, and variables that
//! change the behavior of git. One limit: the configuration of the user and of the system is not
//! read. It has no reason to contain the URL of `origin`.

use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::git::{Git, is_sha};
use crate::file;

/// The prefix of the variables that may change the behavior of git.
const PREFIX: &[u8] = b"GIT_";

/// The prefixes of the variables among them that do not change the results here.
const HARMLESS: [&[u8]; 10] = [
    b"GIT_ASKPASS",
    b"GIT_AUTHOR_",
    b"GIT_COMMITTER_",
    b"GIT_EDITOR",
    b"GIT_HTTP_",
    b"GIT_PAGER",
    b"GIT_PROXY_",
    b"GIT_SSH",
    b"GIT_SSL_",
    b"GIT_TERMINAL_PROMPT",
];

/// The maximum size of a file that is read here.
const MAX_BYTES: u64 = 16 << 20;

/// The reason to run git: the files alone do not determine the result.
struct Unclear;

type Found<T> = Result<T, Unclear>;

impl From<io::Error> for Unclear {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// Reads the values of a directory. Returns `None` if git must be run.
pub(super) fn read(dir: &Path) -> Option<Git> {
    let changes_git = |name: &[u8]| {
        name.starts_with(PREFIX) && !HARMLESS.iter().any(|prefix| name.starts_with(prefix))
    };
    if std::env::vars_os().any(|(name, _)| changes_git(name.as_bytes())) {
        return None;
    }
    let user = rustix::process::geteuid().as_raw();
    read_in(dir, |owner| owner == user)
}

/// Reads the values of a directory, independently of the environment. `is_ours` returns true for
/// the id of the user whose repositories git trusts.
pub(super) fn read_in(dir: &Path, is_ours: impl Fn(u32) -> bool) -> Option<Git> {
    find(dir, is_ours).ok()
}

fn find(dir: &Path, is_ours: impl Fn(u32) -> bool) -> Found<Git> {
    let Some(top) = find_top(&dir.canonicalize()?)? else { return Ok(Git::default()) };
    let git_dir = top.join(".git");
    let owns = |path: &Path| path.metadata().is_ok_and(|found| is_ours(found.uid()));
    let has = |name: &str| git_dir.join(name).exists();
    if !owns(&top) || !owns(&git_dir) || !has("objects") || !has("refs") || has("commondir") {
        return Err(Unclear);
    }
    let origin = origin_in(&text_of(&git_dir.join("config"))?)?;
    let (ref_name, sha) = head_of(&git_dir)?;
    Ok(Git { origin, top: top.to_str().ok_or(Unclear)?.to_owned(), ref_name, sha })
}

/// Finds the top directory of the checkout that contains `dir`; `None` if there is no checkout.
fn find_top(dir: &Path) -> Found<Option<PathBuf>> {
    let device = dir.metadata()?.dev();
    for top in dir.ancestors() {
        // A bare repository, or the inside of a `.git`, contains HEAD. Git does not search beyond
        // the file system.
        if top.join("HEAD").exists() || top.metadata()?.dev() != device {
            return Err(Unclear);
        }
        match top.join(".git").symlink_metadata() {
            Ok(found) if found.is_dir() => return Ok(Some(top.to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            _ => return Err(Unclear),
        }
    }
    Ok(None)
}

/// Returns the URL of the remote `origin` in a configuration file; empty if it has none.
fn origin_in(config: &str) -> Found<String> {
    let (mut section, mut origin) = (String::new(), String::new());
    for line in config.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        // Continued lines and escapes are not parsed here.
        if line.contains('\\') {
            return Err(Unclear);
        }
        if let Some(header) = line.strip_prefix('[') {
            let header = header.strip_suffix(']').ok_or(Unclear)?;
            // Only the name of a subsection is case-sensitive.
            let name = header.split(' ').next().unwrap_or_default();
            section = header.replacen(name, &name.to_ascii_lowercase(), 1);
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        match (section.as_str(), key.as_str()) {
            ("core", "bare") if value != "false" => return Err(Unclear),
            ("core", "repositoryformatversion") if value != "0" => return Err(Unclear),
            ("core", "worktree") => return Err(Unclear),
            ("remote \"origin\"", "url") if value.contains(['"', '#', ';']) => {
                return Err(Unclear);
            }
            ("remote \"origin\"", "url") => value.clone_into(&mut origin),
            (section, _) if is_unusual(section) => return Err(Unclear),
            _ => {}
        }
    }
    Ok(origin)
}

/// Returns true if a section changes the meaning of the repository, or is in the old form
/// `[remote.origin]`.
fn is_unusual(section: &str) -> bool {
    section == "extensions" || section.starts_with("include") || section.starts_with("remote.")
}

/// Returns the branch and the commit of HEAD; each is empty if it does not exist.
fn head_of(git_dir: &Path) -> Found<(String, String)> {
    let path = git_dir.join("HEAD");
    if path.symlink_metadata()?.is_symlink() {
        return Err(Unclear);
    }
    let head = text_of(&path)?;
    let Some(name) = head.trim_end().strip_prefix("ref: ") else {
        return Ok((String::new(), checked_sha(&head)?));
    };
    let is_plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if !name.starts_with("refs/heads/") || !is_plain {
        return Err(Unclear);
    }
    let loose = git_dir.join(name);
    let commit = match loose.symlink_metadata() {
        Ok(_) => Some(text_of(&loose)?),
        Err(error) if error.kind() == ErrorKind::NotFound => packed(git_dir, name)?,
        Err(_) => return Err(Unclear),
    };
    match commit {
        Some(commit) => Ok((name.to_owned(), checked_sha(&commit)?)),
        // A branch without a commit. Git does not report it as a ref.
        None => Ok((String::new(), String::new())),
    }
}

fn checked_sha(line: &str) -> Found<String> {
    let sha = line.trim_end();
    if is_sha(sha) { Ok(sha.to_owned()) } else { Err(Unclear) }
}

/// Returns the commit of a packed branch; `None` if it is not packed.
fn packed(git_dir: &Path, name: &str) -> Found<Option<String>> {
    let path = git_dir.join("packed-refs");
    if !path.exists() {
        return Ok(None);
    }
    let refs = text_of(&path)?;
    let mut refs = refs.lines().filter_map(|line| line.split_once(' '));
    Ok(refs.find(|(_, found)| *found == name).map(|(commit, _)| commit.to_owned()))
}

/// Returns the text of a regular file of limited size.
fn text_of(path: &Path) -> Found<String> {
    let mut text = String::new();
    file::open_regular(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
    // A file of this size may be longer.
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes < MAX_BYTES) {
        Ok(text)
    } else {
        Err(Unclear)
    }
}
