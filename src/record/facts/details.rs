//! Metadata of a run: the commit's text, and the CI system, job and runner that it runs in.
//!
//! The values come from git and from the variables in [`SYSTEMS`], which the CI systems document.
//! No other variable is read. None of them contains a secret, except that a URL may: its user,
//! password and query are removed.

use std::path::Path;

use super::git::Commit;
use crate::model::{JobId, RunDetails};

/// The variables of a CI system. Of several variables for one value, the first one that is set
/// counts.
struct System {
    /// The variables that only this system sets, each with its value. An empty value stands for
    /// any value that is not empty. One such variable is enough.
    marks: &'static [(&'static str, &'static str)],
    name: &'static [&'static str],
    /// The commit's message or its first line.
    subject: &'static [&'static str],
    /// The commit's author: `Name` or `Name <mail>`.
    author: &'static [&'static str],
    /// The user who started the run.
    actor: &'static [&'static str],
    event: &'static [&'static str],
    /// Complete URLs; see [`url_of`] for those that are made of several variables.
    url: &'static [&'static str],
    /// The number of the attempt, and the value of the first one.
    attempt: Option<(&'static str, u32)>,
    job: &'static [&'static str],
    runner: &'static [&'static str],
}

/// The CI systems GitHub (also Gitea and Forgejo), GitLab, Buildkite, Azure Pipelines, Woodpecker,
/// `CircleCI` and Jenkins, from their documentation. Jenkins is last, because its marks may also be
/// set in the jobs of the others.
const SYSTEMS: &[System] = &[
    System {
        marks: &[("GITHUB_ACTIONS", "true")],
        name: &["GITHUB_WORKFLOW"],
        subject: &[],
        author: &[],
        actor: &["GITHUB_ACTOR"],
        event: &["GITHUB_EVENT_NAME"],
        url: &[],
        attempt: Some(("GITHUB_RUN_ATTEMPT", 1)),
        job: &["GITHUB_JOB"],
        runner: &["RUNNER_NAME"],
    },
    System {
        marks: &[("GITLAB_CI", "true")],
        name: &["CI_PIPELINE_NAME"],
        subject: &["CI_COMMIT_TITLE", "CI_COMMIT_MESSAGE"],
        author: &["CI_COMMIT_AUTHOR"],
        actor: &["GITLAB_USER_NAME", "GITLAB_USER_LOGIN"],
        event: &["CI_PIPELINE_SOURCE"],
        url: &["CI_JOB_URL", "CI_PIPELINE_URL"],
        attempt: None,
        job: &["CI_JOB_NAME"],
        runner: &["CI_RUNNER_DESCRIPTION"],
    },
    System {
        marks: &[("BUILDKITE", "true")],
        name: &["BUILDKITE_PIPELINE_NAME", "BUILDKITE_PIPELINE_SLUG"],
        subject: &["BUILDKITE_MESSAGE"],
        author: &["BUILDKITE_BUILD_AUTHOR"],
        actor: &["BUILDKITE_BUILD_CREATOR"],
        event: &["BUILDKITE_SOURCE"],
        url: &["BUILDKITE_BUILD_URL"],
        attempt: Some(("BUILDKITE_RETRY_COUNT", 0)),
        job: &["BUILDKITE_LABEL", "BUILDKITE_STEP_KEY"],
        runner: &["BUILDKITE_AGENT_NAME"],
    },
    System {
        marks: &[("TF_BUILD", "")],
        name: &["BUILD_DEFINITIONNAME"],
        subject: &["BUILD_SOURCEVERSIONMESSAGE"],
        author: &[],
        actor: &["BUILD_REQUESTEDFOR"],
        event: &["BUILD_REASON"],
        url: &[],
        attempt: Some(("SYSTEM_JOBATTEMPT", 1)),
        job: &["SYSTEM_JOBDISPLAYNAME", "AGENT_JOBNAME"],
        runner: &["AGENT_NAME"],
    },
    System {
        marks: &[("CI", "woodpecker"), ("CI_SYSTEM_NAME", "woodpecker")],
        name: &["CI_WORKFLOW_NAME"],
        subject: &["CI_COMMIT_MESSAGE"],
        author: &["CI_COMMIT_AUTHOR"],
        actor: &["CI_PIPELINE_AUTHOR"],
        event: &["CI_PIPELINE_EVENT"],
        url: &["CI_STEP_URL", "CI_PIPELINE_URL"],
        attempt: None,
        job: &["CI_STEP_NAME"],
        runner: &[],
    },
    System {
        marks: &[("CIRCLECI", "true")],
        name: &[],
        subject: &[],
        author: &[],
        actor: &["CIRCLE_USERNAME"],
        event: &[],
        url: &["CIRCLE_BUILD_URL"],
        attempt: None,
        job: &["CIRCLE_JOB"],
        runner: &[],
    },
    System {
        marks: &[("JENKINS_URL", ""), ("JENKINS_HOME", "")],
        name: &["JOB_NAME"],
        subject: &[],
        author: &[],
        actor: &["CHANGE_AUTHOR_DISPLAY_NAME", "CHANGE_AUTHOR"],
        event: &[],
        url: &["BUILD_URL"],
        attempt: None,
        job: &["STAGE_NAME", "JOB_BASE_NAME"],
        runner: &["NODE_NAME"],
    },
];

/// The maximum number of characters of a text.
const MAX_CHARS: usize = 500;

/// The maximum number of bytes of the name of a directory.
const MAX_NAME_BYTES: usize = 255;

/// Finds the details of a run in the variables of the CI system.
#[must_use]
pub fn find_details() -> RunDetails {
    choose_details(variable, &Commit::default())
}

/// Finds the subject and the author of the commit `sha` in `cwd`. Returns `None` if the variables
/// of the CI system contain both, or if the commit is not in the repository. Runs git once, which
/// takes a few milliseconds.
#[must_use]
pub fn find_commit(cwd: &Path, sha: &str) -> Option<RunDetails> {
    let system = system_of(variable);
    let has = |names: fn(&System) -> &'static [&'static str]| {
        system.is_some_and(|system| text(variable, names(system)).is_some())
    };
    if sha.is_empty() || (has(|system| system.subject) && has(|system| system.author)) {
        return None;
    }
    let commit = Commit::read(cwd, sha);
    (commit != Commit::default()).then(|| choose_details(variable, &commit))
}

/// Returns the name of the CI system's job, for a job of a recording. It is safe as the name of a
/// directory.
#[must_use]
pub fn find_job() -> Option<JobId> {
    job_of(variable)
}

/// Returns a variable of our environment. Invalid UTF-8 is replaced.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Chooses each value from the variables of the CI system, or else from the commit. The user who
/// started the run is the last choice for the author.
#[must_use]
pub fn choose_details(env: impl Fn(&str) -> Option<String>, commit: &Commit) -> RunDetails {
    let env = &env;
    let of_commit = |text: &str| line(text).filter(|text| !text.is_empty());
    let Some(system) = system_of(env) else {
        let (subject, author) = (of_commit(&commit.subject), of_commit(&commit.author));
        return RunDetails { subject, author, ..RunDetails::default() };
    };
    let attempt = system.attempt.and_then(|(name, first)| {
        let count: u32 = env(name)?.trim().parse().ok()?;
        count.checked_sub(first)?.checked_add(1).map(i64::from)
    });
    let name_only = |author: String| match author.split_once(" <") {
        Some((name, _)) => name.trim().to_owned(),
        None => author,
    };
    RunDetails {
        name: text(env, system.name),
        subject: text(env, system.subject).or_else(|| of_commit(&commit.subject)),
        author: text(env, system.author)
            .map(name_only)
            .or_else(|| of_commit(&commit.author))
            .or_else(|| text(env, system.actor)),
        event: text(env, system.event),
        url: url_of(env, system),
        attempt,
        ci_job: text(env, system.job),
        runner: text(env, system.runner),
        ..RunDetails::default()
    }
}

fn system_of(env: impl Fn(&str) -> Option<String>) -> Option<&'static System> {
    let is_set = |(name, value): &(&str, &str)| {
        env(name).is_some_and(|found| {
            if value.is_empty() { !found.is_empty() } else { found.eq_ignore_ascii_case(value) }
        })
    };
    SYSTEMS.iter().find(|system| system.marks.iter().any(is_set))
}

/// Returns the first line of the first variable that is set.
fn text(env: impl Fn(&str) -> Option<String>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| line(&env(name)?))
}

/// Returns the first line of a text that is not blank, cut to [`MAX_CHARS`].
fn line(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(MAX_CHARS).collect())
}

/// Returns the URL of the page of the run or the job.
fn url_of(env: &impl Fn(&str) -> Option<String>, system: &System) -> Option<String> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let number = |name: &str| set(name).filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some(url) = system.url.iter().find_map(|name| safe_url(&set(name)?)) {
        // Buildkite shows a job on the page of its build.
        let job = set("BUILDKITE_JOB_ID").filter(|_| system.url.contains(&"BUILDKITE_BUILD_URL"));
        return Some(job.map_or(url.clone(), |job| format!("{url}#{}", escaped(&job))));
    }
    if let Some(server) = set("GITHUB_SERVER_URL").and_then(|url| safe_url(&url)) {
        // In Gitea and Forgejo, the URL contains the number of the run in its repository.
        let is_gitea = set("GITEA_ACTIONS").or_else(|| set("FORGEJO_ACTIONS")).is_some();
        let run = number(if is_gitea { "GITHUB_RUN_NUMBER" } else { "GITHUB_RUN_ID" })?;
        let repo = set("GITHUB_REPOSITORY")?;
        return Some(format!("{server}/{}/actions/runs/{run}", escaped(&repo)));
    }
    let server = ["SYSTEM_COLLECTIONURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"];
    let server = server.iter().find_map(|name| safe_url(&set(name)?))?;
    let (project, build) = (set("SYSTEM_TEAMPROJECT")?, number("BUILD_BUILDID")?);
    Some(format!("{server}/{}/_build/results?buildId={build}", escaped(&project)))
}

/// Returns an HTTP or HTTPS URL without its user, password, query, fragment and last `/`. Returns
/// `None` for another text.
fn safe_url(url: &str) -> Option<String> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let is_web = ["http", "https"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
    let rest = rest.split(['?', '#']).next()?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit('@').next().filter(|host| !host.is_empty())?;
    let is_plain = |text: &str| !text.contains(|c: char| c.is_whitespace() || c.is_control());
    let url = format!("{scheme}://{host}{}", path.trim_end_matches('/'));
    (is_web && is_plain(&url)).then_some(url)
}

/// Returns a text as a part of the path of a URL: percent-encodes the other bytes.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(escape).collect()
}

/// Returns the name of the CI system's job as the name of a directory: `/` and control characters
/// become `-`, and a long name is cut.
fn job_of(env: impl Fn(&str) -> Option<String>) -> Option<JobId> {
    let name = text(&env, system_of(&env)?.job)?;
    let safe = |c: char| if c == '/' || c.is_control() { '-' } else { c };
    let mut name: String = name.chars().map(safe).collect();
    name.truncate(name.floor_char_boundary(MAX_NAME_BYTES));
    Some(JobId(name)).filter(|job| ![".", ".."].contains(&job.as_str()))
}

#[cfg(test)]
mod tests;
