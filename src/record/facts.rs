//! The repository, ref and commit of a run, and its details.
//!
//! Each value comes from the first source that has it: the command line, the variables of the CI
//! system, git, the name of the directory. [`choose`] is pure; [`Facts::find`] reads the
//! environment and the repository. A missing git, or a directory without a repository, is not an
//! error.

mod checkout;
mod details;
mod git;

use std::borrow::Cow;
use std::path::Path;

pub use details::{find_commit, find_details, find_job};
use git::Git;

/// The repository, ref and commit of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// The repository's name, safe as a path: one or two segments, `owner/name`.
    pub repo: String,
    /// The full ref, such as `refs/heads/main`; empty if unknown.
    pub ref_name: String,
    /// The commit in hex; empty if unknown.
    pub sha: String,
}

impl Default for Facts {
    /// Returns the facts of a run outside of a repository, whose name is then `local`.
    fn default() -> Self {
        Self { repo: NO_REPO.into(), ref_name: String::new(), sha: String::new() }
    }
}

/// Values from the command line. An empty text counts as missing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Given {
    /// The repository's name.
    pub repo: Option<String>,
    /// The ref, taken as it is.
    pub ref_name: Option<String>,
    /// The commit, taken as it is.
    pub sha: Option<String>,
}

/// The form in which a variable contains a ref.
#[derive(Clone, Copy)]
enum RefForm {
    Full,
    Branch,
    Tag,
}

/// The variables that contain the repository, in the order of the CI systems GitHub (also Gitea and
/// Forgejo), GitLab, Bitbucket, Buildkite, Woodpecker, Drone, Travis, `AppVeyor`, Azure Pipelines
/// and Jenkins, from their documentation. The first one that is set counts. `CircleCI` has two
/// variables, which [`choose`] joins.
const REPO_VARIABLES: &[&str] = &[
    "GITHUB_REPOSITORY",
    "CI_PROJECT_PATH",
    "BITBUCKET_REPO_FULL_NAME",
    "BUILDKITE_REPO",
    "CI_REPO",
    "DRONE_REPO",
    "TRAVIS_REPO_SLUG",
    "APPVEYOR_REPO_NAME",
    "BUILD_REPOSITORY_NAME",
    "GIT_URL",
];

/// The variables that contain the ref, in the same order, with `CircleCI` before Buildkite. For
/// each CI system, the tag comes before the branch, because if both are set, the tag was pushed.
const REF_VARIABLES: &[(&str, RefForm)] = &[
    ("GITHUB_REF", RefForm::Full),
    ("CI_COMMIT_TAG", RefForm::Tag),
    ("CI_COMMIT_REF_NAME", RefForm::Branch),
    ("BITBUCKET_TAG", RefForm::Tag),
    ("BITBUCKET_BRANCH", RefForm::Branch),
    ("CIRCLE_TAG", RefForm::Tag),
    ("CIRCLE_BRANCH", RefForm::Branch),
    ("BUILDKITE_TAG", RefForm::Tag),
    ("BUILDKITE_BRANCH", RefForm::Branch),
    ("CI_COMMIT_REF", RefForm::Full),
    ("DRONE_COMMIT_REF", RefForm::Full),
    ("TRAVIS_TAG", RefForm::Tag),
    ("TRAVIS_BRANCH", RefForm::Branch),
    ("APPVEYOR_REPO_TAG_NAME", RefForm::Tag),
    ("APPVEYOR_REPO_BRANCH", RefForm::Branch),
    ("BUILD_SOURCEBRANCH", RefForm::Full),
    ("GIT_BRANCH", RefForm::Branch),
];

/// The variables that contain the commit, in the same order.
const SHA_VARIABLES: &[&str] = &[
    "GITHUB_SHA",
    "CI_COMMIT_SHA",
    "BITBUCKET_COMMIT",
    "CIRCLE_SHA1",
    "BUILDKITE_COMMIT",
    "DRONE_COMMIT_SHA",
    "TRAVIS_COMMIT",
    "APPVEYOR_REPO_COMMIT",
    "BUILD_SOURCEVERSION",
    "GIT_COMMIT",
];

/// The maximum number of characters in a segment of a repository's name. At 4 bytes each, they fit
/// in a file name, which may have 255 bytes.
const MAX_SEGMENT_CHARS: usize = 60;

impl Facts {
    /// Finds the facts of a run in `cwd`. Reads the repository only if the command line and the
    /// environment lack a fact. Never prompts and never uses the network.
    #[must_use]
    pub fn find(given: &Given, cwd: &Path) -> Self {
        let without_git = choose(given, variable, &Git::default(), "");
        if without_git.sha.is_empty()
            || without_git.ref_name.is_empty()
            || without_git.repo == NO_REPO
        {
            return choose(given, variable, &Git::read(cwd), &name_of(cwd));
        }
        without_git
    }

    /// Finds the facts of a run in `cwd` without reading the repository.
    #[must_use]
    pub fn find_without_git(given: &Given, cwd: &Path) -> Self {
        choose(given, variable, &Git::default(), &name_of(cwd))
    }
}

/// Returns a variable of our environment; `None` if it is not set, or is not UTF-8.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Returns the last part of a path; empty for a path without a name, such as `/`.
fn name_of(dir: &Path) -> Cow<'_, str> {
    dir.file_name().unwrap_or_default().to_string_lossy()
}

/// The repository's name if no source has one.
const NO_REPO: &str = "local";

/// Chooses each fact from the command line, the environment, git, and the directory's name, in this
/// order.
#[must_use]
pub fn choose(given: &Given, env: impl Fn(&str) -> Option<String>, git: &Git, dir: &str) -> Facts {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let given_value = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    let repo = given_value(&given.repo)
        .or_else(|| REPO_VARIABLES.iter().find_map(|name| set(name)))
        .or_else(|| {
            Some(format!("{}/{}", set("CIRCLE_PROJECT_USERNAME")?, set("CIRCLE_PROJECT_REPONAME")?))
        });
    let candidates =
        [repo.as_deref().unwrap_or_default(), &git.origin, last_segment(&git.top), dir];
    let ref_name = given_value(&given.ref_name)
        .or_else(|| {
            REF_VARIABLES.iter().find_map(|(name, form)| Some(full_ref(&set(name)?, *form)))
        })
        .unwrap_or_else(|| git.ref_name.clone());
    // Buildkite may set `HEAD` as the commit.
    let is_sha = |sha: &String| sha != "HEAD";
    let sha = given_value(&given.sha)
        .or_else(|| SHA_VARIABLES.iter().find_map(|name| set(name)).filter(is_sha))
        .unwrap_or_else(|| git.sha.clone());
    let repo = candidates.into_iter().find_map(safe_repo).unwrap_or_else(|| NO_REPO.into());
    Facts { repo, ref_name, sha }
}

fn full_ref(name: &str, form: RefForm) -> String {
    match form {
        _ if name.starts_with("refs/") => name.into(),
        RefForm::Full => name.into(),
        RefForm::Branch => format!("refs/heads/{}", name.strip_prefix("origin/").unwrap_or(name)),
        RefForm::Tag => format!("refs/tags/{name}"),
    }
}

fn last_segment(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// Returns the last two segments of a name, path or URL (`https://host/owner/name.git`,
/// `git@host:owner/name`); `None` if it has no usable segment. The host of a URL is not a segment.
/// Every character that is not a letter, a digit or one of `._+@-` is replaced by `-`.
fn safe_repo(name: &str) -> Option<String> {
    let path = match name.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_host, path)| path),
        None => name,
    };
    let path = path.trim_end_matches('/').strip_suffix(".git").unwrap_or(path);
    let segments =
        path.split(['/', '\\', ':']).map(safe_segment).filter(|segment| !segment.is_empty());
    let segments: Vec<String> = segments.collect();
    let last = segments.get(segments.len().saturating_sub(2)..)?.join("/");
    (!last.is_empty()).then_some(last)
}

fn safe_segment(segment: &str) -> String {
    let is_safe = |c: char| c.is_alphanumeric() || "._+@-".contains(c);
    let safe: String =
        segment.chars().take(MAX_SEGMENT_CHARS).map(|c| if is_safe(c) { c } else { '-' }).collect();
    if safe.chars().all(|c| c == '.') { String::new() } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(env: &[(&str, &str)], git: &Git) -> [String; 3] {
        let env = |name: &str| {
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        let Facts { repo, ref_name, sha } = choose(&Given::default(), env, git, "some dir");
        [repo, ref_name, sha]
    }

    #[test]
    fn facts_are_read_from_the_variables_of_every_ci_system() {
        let nothing = Git::default();
        for (env, facts) in [
            (
                &[
                    ("GITHUB_REPOSITORY", "o/r"),
                    ("GITHUB_REF", "refs/pull/7/merge"),
                    ("GITHUB_SHA", "ab"),
                ][..],
                ["o/r", "refs/pull/7/merge", "ab"],
            ),
            (
                &[
                    ("CI_PROJECT_PATH", "group/sub/r"),
                    ("CI_COMMIT_REF_NAME", "main"),
                    ("CI_COMMIT_SHA", "ab"),
                ],
                ["sub/r", "refs/heads/main", "ab"],
            ),
            (
                &[
                    ("CI_PROJECT_PATH", "g/r"),
                    ("CI_COMMIT_REF_NAME", "v1"),
                    ("CI_COMMIT_TAG", "v1"),
                ],
                ["g/r", "refs/tags/v1", ""],
            ),
            (
                &[
                    ("BUILDKITE_REPO", "git@github.com:o/r.git"),
                    ("BUILDKITE_BRANCH", "main"),
                    ("BUILDKITE_TAG", ""),
                ],
                ["o/r", "refs/heads/main", ""],
            ),
            (
                &[
                    ("CIRCLE_PROJECT_USERNAME", "o"),
                    ("CIRCLE_PROJECT_REPONAME", "r"),
                    ("CIRCLE_SHA1", "cd"),
                ],
                ["o/r", "", "cd"],
            ),
            (
                &[
                    ("GIT_URL", "https://host:8080/o/r.git"),
                    ("GIT_BRANCH", "origin/main"),
                    ("GIT_COMMIT", "ef"),
                ],
                ["o/r", "refs/heads/main", "ef"],
            ),
            (&[], ["some-dir", "", ""]),
        ] {
            assert_eq!(chosen(env, &nothing), facts);
        }
    }

    #[test]
    fn command_line_facts_override_those_of_ci_which_override_those_of_git() {
        let git = Git {
            origin: "https://h/git/r".into(),
            top: "/x/top".into(),
            ref_name: "refs/heads/g".into(),
            sha: "99".into(),
        };
        assert_eq!(chosen(&[], &git), ["git/r", "refs/heads/g", "99"]);
        assert_eq!(chosen(&[("GITHUB_SHA", "ab")], &git), ["git/r", "refs/heads/g", "ab"]);
        assert_eq!(chosen(&[], &Git { origin: String::new(), ..git.clone() })[0], "top");
        let given = Given {
            repo: Some("mine".into()),
            ref_name: Some("refs/x".into()),
            sha: Some(String::new()),
        };
        let facts = choose(&given, |_| Some("ci".into()), &git, "dir");
        assert_eq!(
            facts,
            Facts { repo: "mine".into(), ref_name: "refs/x".into(), sha: "ci".into() }
        );
    }

    #[test]
    fn a_repository_name_is_always_a_safe_path() {
        for (name, safe) in [
            ("../../etc/passwd", Some("etc/passwd")),
            ("..", None),
            ("/", None),
            ("", None),
            ("https://host", None),
            ("https://host/name", Some("name")),
            ("a b\n\u{1b}[31m/c", Some("a-b---31m/c")),
            ("日本/語", Some("日本/語")),
            ("file:///srv/git/r.git/", Some("git/r")),
            ("a//..//b", Some("a/b")),
        ] {
            assert_eq!(safe_repo(name).as_deref(), safe, "{name:?}");
        }
        assert!(safe_repo(&"ü".repeat(1000)).unwrap().len() <= 255);
    }
}
