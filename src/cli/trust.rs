//! Trust in stores that were found rather than named: such a store is used only if it belongs to a
//! trusted user and not every user may change it.
//!
//! The nearest `.rundown/` may belong to someone else: to another user in `/tmp`, or to the author
//! of a cloned repository. A recording would write output and command lines to that directory. So,
//! as with git's `safe.directory`, a directory that was found is used only if the directory and its
//! databases belong to this user or to root. For root, the user who called sudo is trusted too. A
//! store that git tracks came from elsewhere, even if this user owns it now: it is read like any
//! other, but nothing is recorded into it.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::geteuid;

use super::config::RULES_FILE;
use crate::error::{Error, Result};
use crate::store::{OUR_DATABASE, QUIRE_DATABASE};

/// The mode bit that lets every other user write.
const OTHERS_WRITE: u32 = 0o002;

/// Checks if a store that was found may be read.
///
/// # Errors
/// If a user who is not trusted owns it, or if every user may change it.
pub(super) fn check(root: &Path) -> Result<()> {
    let trusted = trusted_users(geteuid().as_raw(), std::env::var("SUDO_UID").ok().as_deref());
    let names = [OUR_DATABASE, QUIRE_DATABASE, RULES_FILE];
    let files = std::iter::once(root.to_owned()).chain(names.map(|name| root.join(name)));
    match files.into_iter().find_map(|file| why_untrusted(&file, &trusted)) {
        Some(why) => Err(refusal(root, why)),
        None => Ok(()),
    }
}

/// Checks if commands may be recorded into a store that was found.
///
/// # Errors
/// As [`check`], and if git tracks it.
pub(super) fn check_for_recording(root: &Path) -> Result<()> {
    check(root)?;
    if is_tracked(root) {
        return Err(refusal(root, "git tracks files in it, so it came with the repository".into()));
    }
    Ok(())
}

fn refusal(root: &Path, why: String) -> Error {
    let name = root.to_string_lossy();
    let name = shlex::try_quote(&name).unwrap_or_default();
    Error::NotTrusted { why, command: format!("rundown --root {name}"), root: root.to_owned() }
}

/// Returns the users whose files are trusted.
fn trusted_users(user: u32, sudo_user: Option<&str>) -> Vec<u32> {
    let sudo_user = sudo_user.filter(|_| user == 0).and_then(|user| user.parse().ok());
    [user, 0].into_iter().chain(sudo_user).collect()
}

/// Returns the reason why a file is not trusted; `None` if it is trusted, or does not exist. A
/// symbolic link is trusted if both the link and its target are.
fn why_untrusted(path: &Path, trusted: &[u32]) -> Option<String> {
    let link = fs::symlink_metadata(path).ok()?;
    let of_link = link.is_symlink().then(|| why_owner_untrusted(&link, trusted)).flatten();
    let target = || fs::metadata(path).ok();
    let why = of_link.or_else(|| {
        target().and_then(|file| {
            why_owner_untrusted(&file, trusted).or_else(|| why_mode_untrusted(&file))
        })
    })?;
    Some(format!("{} {why}", path.display()))
}

fn why_owner_untrusted(file: &Metadata, trusted: &[u32]) -> Option<String> {
    (!trusted.contains(&file.uid()))
        .then(|| format!("belongs to another user (uid {})", file.uid()))
}

fn why_mode_untrusted(file: &Metadata) -> Option<String> {
    (file.mode() & OTHERS_WRITE != 0)
        .then(|| "can be written by every user (to fix this, run chmod o-w)".into())
}

/// Returns true if git tracks the directory, or any file in it except `.gitignore`, `.gitkeep` and
/// the rules. Returns false if git is not available.
fn is_tracked(root: &Path) -> bool {
    let (Some(parent), Some(name)) = (root.parent(), root.file_name()) else { return false };
    let mut git = Command::new("git");
    // A repository can configure a program that watches its files (`core.fsmonitor`), and git would
    // run it. In a git hook, the variables below are set to the hook's repository.
    git.args(["-c", "core.fsmonitor=false", "--literal-pathspecs", "ls-files", "-z", "--"])
        .arg(name)
        .current_dir(parent);
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(name);
    }
    let listed =
        git.env("GIT_OPTIONAL_LOCKS", "0").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let is_of_store = |path: &[u8]| {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let is_known =
            [b".gitignore".as_slice(), b".gitkeep", RULES_FILE.as_bytes()].contains(&name);
        !path.is_empty() && !is_known
    };
    listed.is_ok_and(|listed| listed.stdout.split(|byte| *byte == 0).any(is_of_store))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn only_root_trusts_the_user_who_called_sudo() {
        assert_eq!(trusted_users(1000, None), [1000, 0]);
        assert_eq!(trusted_users(0, Some("1000")), [0, 0, 1000]);
        assert_eq!(trusted_users(1000, Some("1001")), [1000, 0], "anybody can set a variable");
        assert_eq!(trusted_users(0, Some("no number")), [0, 0]);
    }

    #[test]
    fn files_and_links_of_other_users_are_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "").unwrap();
        symlink(&file, &link).unwrap();
        let (me, other) = (geteuid().as_raw(), geteuid().as_raw() + 1);
        for path in [&file, &link] {
            assert_eq!(why_untrusted(path, &[me]), None);
            assert!(
                why_untrusted(path, &[other])
                    .unwrap()
                    .contains(&format!("another user (uid {me})"))
            );
        }
        assert_eq!(why_untrusted(&dir.path().join("none"), &[]), None);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        for path in [&file, &link] {
            assert!(why_untrusted(path, &[me]).unwrap().contains("can be written by every user"));
        }
    }
}
