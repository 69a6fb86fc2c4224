//! The values of a git repository.
//!
//! Starting git takes longer than the rest of a short recording. [`Git::read`] therefore reads the
//! files of an ordinary checkout itself ([`checkout`]), and starts git in all other cases. A commit
//! may be in a pack, so [`Commit::read`] always starts git, once. Git never prompts and never uses
//! the network.

use std::path::Path;
use std::process::{Command, Stdio};

use super::checkout;

/// Git's values for a directory; empty if unknown.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Git {
    /// The URL of the remote `origin`.
    pub origin: String,
    /// The top directory of the work tree.
    pub top: String,
    /// The full name of the checked out branch; empty with a detached head.
    pub ref_name: String,
    /// The checked out commit.
    pub sha: String,
}

/// The text of a commit; empty if unknown.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Commit {
    /// The first line of its message.
    pub subject: String,
    /// The name of its author.
    pub author: String,
}

impl Git {
    /// Reads the values of a directory. All are empty outside of a repository.
    #[must_use]
    pub fn read(dir: &Path) -> Self {
        checkout::read(dir).unwrap_or_else(|| Self::read_by_git(dir))
    }

    /// Reads the values of a directory by running git.
    pub(super) fn read_by_git(dir: &Path) -> Self {
        let output =
            git(dir, &["rev-parse", "--show-toplevel", "HEAD", "--symbolic-full-name", "HEAD"]);
        let mut lines = output.lines();
        let mut values = Self { top: lines.next().unwrap_or_default().into(), ..Self::default() };
        if values.top.is_empty() {
            return values;
        }
        values.sha = lines.next().filter(|line| is_sha(line)).unwrap_or_default().into();
        values.ref_name =
            lines.next().filter(|line| line.starts_with("refs/")).unwrap_or_default().into();
        values.origin = git(dir, &["config", "--get", "remote.origin.url"]).trim_end().into();
        values
    }
}

impl Commit {
    /// Reads a commit of the repository at `dir` by running git. Returns empty texts if `sha` is
    /// not a commit of the repository.
    #[must_use]
    pub fn read(dir: &Path, sha: &str) -> Self {
        let is_hex = !sha.is_empty() && sha.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex {
            return Self::default();
        }
        Self::parse(&git(dir, &["cat-file", "commit", sha]))
    }

    /// Parses a commit object: headers, a blank line, the message.
    fn parse(object: &str) -> Self {
        let (headers, message) = object.split_once("\n\n").unwrap_or((object, ""));
        let author = headers.lines().find_map(|line| line.strip_prefix("author "));
        let name = author.and_then(|author| author.split_once(" <")).map_or("", |(name, _)| name);
        let subject = message.lines().map(str::trim).find(|line| !line.is_empty());
        Self { subject: subject.unwrap_or_default().into(), author: name.into() }
    }
}

/// Returns true if a text is a full object name.
pub(super) fn is_sha(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the output of git; empty if git is missing. The output of a failed call is kept: a
/// repository without a commit still has a top directory.
fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(dir)
        .args(args)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_NO_LAZY_FETCH", "1");
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Runs git in a directory, independently of the user's configuration.
    fn run(dir: &Path, args: &[&str]) {
        let mut command = Command::new("git");
        // In a git hook, these variables point to the repository that is being committed to.
        for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            command.env_remove(variable);
        }
        command.args(["-c", "user.name=Ann Lee", "-c", "user.email=a@b"]);
        command.args(["-c", "protocol.file.allow=always"]);
        assert!(command.arg("-C").arg(dir).args(args).status().unwrap().success(), "{args:?}");
    }

    fn commit(dir: &Path, message: &str) {
        run(dir, &["commit", "--quiet", "--allow-empty", "-m", message]);
    }

    /// Makes a repository with one commit and a remote.
    fn repository(dir: &Path) {
        fs::create_dir_all(dir).unwrap();
        run(dir, &["init", "--quiet", "--initial-branch=main"]);
        commit(dir, "Add x");
        run(dir, &["remote", "add", "origin", "ssh://git@host/o/r.git"]);
    }

    #[test]
    fn git_facts_describe_the_checkout_and_are_empty_outside_of_a_repository() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Git::read(&dir.path().join("missing")), Git::default());
        assert_eq!(Git::read(dir.path()), Git::default());
        run(dir.path(), &["init", "--quiet", "--initial-branch=main"]);
        let empty = Git::read(dir.path());
        assert!(!empty.top.is_empty() && empty.sha.is_empty() && empty.ref_name.is_empty());
        repository(dir.path());
        let found = Git::read(dir.path());
        assert_eq!(
            (found.ref_name.as_str(), found.sha.len(), found.origin.as_str()),
            ("refs/heads/main", 40, "ssh://git@host/o/r.git")
        );
        run(dir.path(), &["checkout", "--quiet", "--detach"]);
        assert_eq!(Git::read(dir.path()).ref_name, "");
    }

    /// Checks that the files of a directory are read as git reads them. Returns false if they are
    /// not read.
    #[track_caller]
    fn is_read(dir: &Path) -> bool {
        match checkout::read_in(dir, |_| true) {
            Some(read) => {
                assert_eq!(read, Git::read_by_git(dir));
                true
            }
            None => false,
        }
    }

    #[test]
    fn the_files_of_an_ordinary_checkout_are_read_as_git_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        let repo = dir.path().join("repo");
        let inside = repo.join("a/b");
        assert!(is_read(dir.path()), "no repository");
        repository(&repo);
        fs::create_dir_all(&inside).unwrap();
        symlink(&inside, dir.path().join("link")).unwrap();
        assert!(is_read(&repo) && is_read(&inside) && is_read(&dir.path().join("link")));
        run(&repo, &["checkout", "--quiet", "-b", "feature/x"]);
        assert!(is_read(&inside), "a branch with a slash");
        run(&repo, &["pack-refs", "--all"]);
        assert!(is_read(&repo), "a packed branch");
        commit(&repo, "Change x");
        assert!(is_read(&repo), "a packed branch with a newer file");
        run(&repo, &["tag", "-a", "v1", "-m", "v1"]);
        run(&repo, &["pack-refs", "--all"]);
        run(&repo, &["checkout", "--quiet", "v1"]);
        assert!(is_read(&repo), "a detached head");
        run(&repo, &["checkout", "--quiet", "--orphan", "new"]);
        assert!(is_read(&repo), "a branch without a commit");
        run(&repo, &["config", "--add", "remote.origin.url", "https://host/two"]);
        run(&repo, &["config", "alias.x", "log"]);
        assert!(is_read(&repo), "several URLs");
        run(&repo, &["remote", "remove", "origin"]);
        assert!(is_read(&repo), "no remote");
        fs::remove_dir_all(repo.join(".git")).unwrap();
        assert!(is_read(&repo), "no repository any more");
    }

    #[test]
    fn unusual_repositories_are_left_to_git() {
        let dir = tempfile::tempdir().unwrap();
        let repo = dir.path().join("repo");
        repository(&repo);
        for (key, value) in [
            ("extensions.worktreeConfig", "true"),
            ("core.repositoryFormatVersion", "1"),
            ("core.worktree", ".."),
            ("core.bare", "true"),
            ("include.path", "/dev/null"),
            ("includeIf.onbranch:main.path", "/dev/null"),
            ("remote.origin.url", "a#b"),
            ("alias.x", "a\\b"),
        ] {
            let config = fs::read(repo.join(".git/config")).unwrap();
            run(&repo, &["config", key, value]);
            assert!(!is_read(&repo), "{key}");
            fs::write(repo.join(".git/config"), config).unwrap();
            assert!(is_read(&repo));
        }
        let tree = dir.path().join("tree");
        run(&repo, &["worktree", "add", "--quiet", tree.to_str().unwrap()]);
        assert!(!is_read(&tree), "a linked work tree");
        run(&repo, &["submodule", "--quiet", "add", repo.to_str().unwrap(), "sub"]);
        assert!(!is_read(&repo.join("sub")), "a submodule");
        assert!(!is_read(&repo.join(".git")) && !is_read(&repo.join(".git/refs")));
        let bare = dir.path().join("bare");
        run(dir.path(), &["clone", "--quiet", "--bare", "repo", "bare"]);
        assert!(!is_read(&bare));
        run(&repo, &["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
        run(&repo, &["symbolic-ref", "HEAD", "refs/heads/alias"]);
        assert!(!is_read(&repo), "a symbolic branch");
        run(&repo, &["symbolic-ref", "HEAD", "refs/other/main"]);
        assert!(!is_read(&repo), "a head outside of the branches");
        // Git refuses a repository of another user.
        assert_eq!(checkout::read_in(dir.path(), |_| false), Some(Git::default()));
        run(&repo, &["symbolic-ref", "HEAD", "refs/heads/main"]);
        assert!(is_read(&repo));
        assert_eq!(checkout::read_in(&repo, |_| false), None);
        fs::remove_file(repo.join(".git/HEAD")).unwrap();
        assert!(!is_read(&repo), "a damaged repository");
    }

    #[test]
    fn a_commit_has_the_first_line_of_its_message_and_the_name_of_its_author() {
        let dir = tempfile::tempdir().unwrap();
        repository(dir.path());
        commit(dir.path(), "Fix the build\nof y\n\nIt was broken.\n\nauthor No One <x>");
        run(dir.path(), &["gc", "--quiet"]);
        let sha = Git::read(dir.path()).sha;
        let found = Commit::read(dir.path(), &sha);
        assert_eq!(found, Commit { subject: "Fix the build".into(), author: "Ann Lee".into() });
        for sha in ["", "HEAD", "--help", &"0".repeat(40)] {
            assert_eq!(Commit::read(dir.path(), sha), Commit::default(), "{sha}");
        }
        let signed = "tree 1\nauthor Élodie <e@x> 1 +0000\ngpgsig -----BEGIN\n \n x\n\n\n Merge\n";
        let signed = Commit::parse(signed);
        assert_eq!((&*signed.author, &*signed.subject), ("Élodie", "Merge"));
        assert_eq!(Commit::parse(""), Commit::default());
    }
}
