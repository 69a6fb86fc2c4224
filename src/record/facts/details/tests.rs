//! The variables of seven CI systems, as in their documentation, and the details that they give.

use std::path::Path;

use super::*;
use crate::log;

/// Returns an environment of `NAME=value` lines.
fn env(text: &str) -> impl Fn(&str) -> Option<String> {
    let variable = |line: &str| {
        let (name, value) = line.trim().split_once('=').unwrap();
        (name.to_owned(), value.replace("\\n", "\n"))
    };
    let all: Vec<_> = text.trim().lines().map(variable).collect();
    move |wanted| all.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
}

/// Returns the details as text, one per line, in the order of the fields.
fn found(variables: &str) -> String {
    let commit = Commit { subject: "Fix git".into(), author: "Git Author".into() };
    let RunDetails { name, subject, author, event, url, attempt, ci_job, runner, .. } =
        choose_details(env(variables), &commit);
    let attempt = attempt.map(|attempt| attempt.to_string());
    let all = [name, subject, author, event, url, attempt, ci_job, runner];
    all.map(|value| value.unwrap_or_else(|| "–".into())).join("\n")
}

#[test]
fn details_come_from_the_variables_of_seven_ci_systems() {
    for (variables, details) in [
        (
            "GITHUB_ACTIONS=true
             GITHUB_WORKFLOW=CI
             GITHUB_ACTOR=octocat
             GITHUB_EVENT_NAME=pull_request
             GITHUB_SERVER_URL=https://github.com
             GITHUB_REPOSITORY=o/r
             GITHUB_RUN_ID=1658821493
             GITHUB_RUN_NUMBER=3
             GITHUB_RUN_ATTEMPT=2
             GITHUB_JOB=unit
             RUNNER_NAME=Hosted Agent",
            "CI\nFix git\nGit Author\npull_request\nhttps://github.com/o/r/actions/runs/1658821493\n2\n\
             unit\nHosted Agent",
        ),
        (
            "GITHUB_ACTIONS=true
             GITEA_ACTIONS=true
             GITHUB_SERVER_URL=https://git.example.org/
             GITHUB_REPOSITORY=o/r
             GITHUB_RUN_ID=777
             GITHUB_RUN_NUMBER=3",
            "–\nFix git\nGit Author\n–\nhttps://git.example.org/o/r/actions/runs/3\n–\n–\n–",
        ),
        (
            "GITLAB_CI=true
             CI_PIPELINE_NAME=nightly
             CI_COMMIT_TITLE=Fix x
             CI_COMMIT_AUTHOR=Ann Lee <ann@example.org>
             CI_PIPELINE_SOURCE=schedule
             CI_JOB_URL=https://user:secret@gitlab.com/g/r/-/jobs/12?private_token=secret
             CI_JOB_NAME=test 1/2
             CI_RUNNER_DESCRIPTION=shared-1",
            "nightly\nFix x\nAnn Lee\nschedule\nhttps://gitlab.com/g/r/-/jobs/12\n–\ntest 1/2\nshared-1",
        ),
        (
            "BUILDKITE=true
             BUILDKITE_PIPELINE_NAME=my project
             BUILDKITE_MESSAGE=Fix y\\n\\nIt was broken.
             BUILDKITE_BUILD_AUTHOR=Carol
             BUILDKITE_BUILD_CREATOR=Dave
             BUILDKITE_SOURCE=webhook
             BUILDKITE_BUILD_URL=https://buildkite.com/acme/p/builds/15
             BUILDKITE_JOB_ID=e44f-97
             BUILDKITE_RETRY_COUNT=0
             BUILDKITE_LABEL=:hammer: Specs
             BUILDKITE_AGENT_NAME=elastic-1",
            "my project\nFix y\nCarol\nwebhook\nhttps://buildkite.com/acme/p/builds/15#e44f-97\n1\n\
             :hammer: Specs\nelastic-1",
        ),
        (
            "TF_BUILD=True
             BUILD_DEFINITIONNAME=release
             BUILD_SOURCEVERSIONMESSAGE=Fix z
             BUILD_REQUESTEDFOR=Eve
             BUILD_REASON=IndividualCI
             SYSTEM_COLLECTIONURI=https://dev.azure.com/fabrikam/
             SYSTEM_TEAMPROJECT=My Project
             BUILD_BUILDID=1234
             SYSTEM_JOBATTEMPT=1
             SYSTEM_JOBDISPLAYNAME=Linux
             AGENT_NAME=Azure Pipelines 5",
            "release\nFix z\nGit Author\nIndividualCI\n\
             https://dev.azure.com/fabrikam/My%20Project/_build/results?buildId=1234\n1\nLinux\n\
             Azure Pipelines 5",
        ),
        (
            "CI=woodpecker
             CI_WORKFLOW_NAME=release
             CI_COMMIT_MESSAGE=Initial commit\\n
             CI_COMMIT_AUTHOR=john-doe
             CI_PIPELINE_EVENT=push
             CI_PIPELINE_URL=https://ci.example.com/repos/7/pipeline/8
             CI_STEP_URL=https://ci.example.com/repos/7/pipeline/8/2
             CI_STEP_NAME=build package",
            "release\nInitial commit\njohn-doe\npush\nhttps://ci.example.com/repos/7/pipeline/8/2\n–\n\
             build package\n–",
        ),
        (
            "CIRCLECI=true
             CIRCLE_USERNAME=ann
             CIRCLE_BUILD_URL=https://circleci.com/gh/o/r/42
             CIRCLE_JOB=build",
            "–\nFix git\nGit Author\n–\nhttps://circleci.com/gh/o/r/42\n–\nbuild\n–",
        ),
        (
            "JENKINS_URL=https://ci.example.org/
             JOB_NAME=folder/app
             JOB_BASE_NAME=app
             STAGE_NAME=Test
             BUILD_URL=https://ci.example.org/job/folder/job/app/3/
             NODE_NAME=agent-1",
            "folder/app\nFix git\nGit Author\n–\nhttps://ci.example.org/job/folder/job/app/3\n–\nTest\n\
             agent-1",
        ),
        ("HOME=/root", "–\nFix git\nGit Author\n–\n–\n–\n–\n–"),
    ] {
        assert_eq!(found(variables), details);
    }
}

#[test]
fn only_variables_of_the_ci_system_at_hand_are_read_and_none_with_a_secret() {
    let read = std::cell::RefCell::new(Vec::new());
    let github = |name: &str| {
        read.borrow_mut().push(name.to_owned());
        (name == "GITHUB_ACTIONS").then(|| "true".to_owned())
    };
    let _ = choose_details(github, &Commit::default());
    let all = read.take();
    assert!(all.iter().any(|name| name == "GITHUB_JOB"));
    assert!(!all.iter().any(|name| name == "CI_JOB_NAME"), "{all:?}");
    for system in SYSTEMS {
        let lists = [
            system.name,
            system.subject,
            system.author,
            system.actor,
            system.event,
            system.url,
            system.job,
            system.runner,
        ];
        for name in lists.concat() {
            for word in ["TOKEN", "SECRET", "PASSWORD", "KEY_", "EMAIL"] {
                assert!(!name.contains(word), "{name}");
            }
        }
    }
}

#[test]
fn the_author_is_the_user_who_started_the_run_if_git_has_none() {
    let github = env("GITHUB_ACTIONS=true\nGITHUB_ACTOR=octocat");
    let details = choose_details(github, &Commit::default());
    assert_eq!((details.author.as_deref(), details.subject), (Some("octocat"), None));
}

#[test]
fn unusual_values_are_left_out_or_cut() {
    let buildkite = |name: &str, value: &str| {
        choose_details(env(&format!("BUILDKITE=true\n{name}={value}")), &Commit::default())
    };
    for count in ["-1", "x", "", "4294967295"] {
        assert_eq!(buildkite("BUILDKITE_RETRY_COUNT", count).attempt, None, "{count}");
    }
    for (url, safe) in [
        ("javascript:alert(1)", None),
        ("ftp://host/x", None),
        ("https://", None),
        ("https://host/a b", None),
        ("https://host", Some("https://host")),
        ("https://a:b@c@host/x#frag", Some("https://host/x")),
        ("HTTPS://host/x?a=https://other/@y", Some("HTTPS://host/x")),
    ] {
        assert_eq!(buildkite("BUILDKITE_BUILD_URL", url).url.as_deref(), safe, "{url}");
    }
    let long = buildkite("BUILDKITE_MESSAGE", &"ü".repeat(9999)).subject.unwrap();
    assert_eq!(long.chars().count(), MAX_CHARS);
}

#[test]
fn the_ci_job_is_a_safe_directory_name() {
    let job = |name: &str| job_of(env(&format!("GITLAB_CI=true\nCI_JOB_NAME={name}")));
    for (name, safe) in [
        ("test 1/2", "test 1-2"),
        ("../../x", "..-..-x"),
        ("a\u{1b}[31m", "a-[31m"),
        (&"ü".repeat(300), &"ü".repeat(127)),
    ] {
        let job = job(name).unwrap();
        assert_eq!(job.as_str(), safe);
        assert!(log::path::job_dir(Path::new("/r"), &job).is_some());
    }
    assert_eq!([job(".."), job("."), job(" ")], [None, None, None]);
    assert_eq!(job_of(env("CI_JOB_NAME=x")), None);
}
