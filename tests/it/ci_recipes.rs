//! The recipes of `docs/ci.md`: each is run as it is written, step by step, with the shell and the
//! variables of its system. The programs of other projects (`gh`, `glab`, `buildkite-agent`) are
//! replaced by scripts that keep their arguments and their input.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use regex::Regex;
use tempfile::TempDir;
use yaml_rust2::{Yaml, YamlLoader};

use crate::support::script;

/// When a step is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum When {
    /// If no step before it failed.
    Passed,
    /// If a step before it failed.
    Failed,
    Always,
}

/// A step of a recipe.
struct Step {
    script: String,
    when: When,
    variables: Vec<(String, String)>,
}

impl Step {
    fn new(script: impl Into<String>, when: When) -> Self {
        Self { script: script.into(), when, variables: Vec::new() }
    }
}

/// Returns the first fenced block of a section of the document.
fn recipe(section: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once(&format!("\n## {section}\n")).unwrap();
    let (_, block) = section.split_once("\n```").unwrap();
    let (_, block) = block.split_once('\n').unwrap();
    block.split_once("\n```").unwrap().0.to_owned() + "\n"
}

fn yaml(section: &str) -> Yaml {
    YamlLoader::load_from_str(&recipe(section)).unwrap().remove(0)
}

/// Returns a list of commands as one script.
fn joined(commands: &Yaml) -> String {
    let commands = commands.as_vec().unwrap().iter().map(|command| command.as_str().unwrap());
    commands.collect::<Vec<_>>().join("\n")
}

/// Returns a table of variables. Expressions of GitHub get the values of a pull request.
fn variables(table: &Yaml) -> Vec<(String, String)> {
    let value = |text: &str| match text {
        "${{ github.token }}" => "secret".to_owned(),
        "${{ github.event.number }}" => "7".to_owned(),
        text => text.to_owned(),
    };
    let entries = table.as_hash().into_iter().flatten();
    let text = |yaml: &Yaml| yaml.as_str().unwrap().to_owned();
    entries.map(|(name, text_of)| (text(name), value(&text(text_of)))).collect()
}

fn github() -> Vec<Step> {
    let job = &yaml("GitHub Actions")["jobs"]["check"];
    let steps = job["steps"].as_vec().unwrap().iter().filter(|step| !step["run"].is_badvalue());
    let steps = steps.map(|step| {
        let when = match step["if"].as_str() {
            None => When::Passed,
            Some(condition) if condition.contains("failure()") => When::Failed,
            Some(condition) => {
                assert_eq!(condition, "always()");
                When::Always
            }
        };
        let variables = [variables(&job["env"]), variables(&step["env"])].concat();
        Step { script: step["run"].as_str().unwrap().to_owned(), when, variables }
    });
    steps.collect()
}

fn gitlab() -> Vec<Step> {
    let job = &yaml("GitLab CI")["check"];
    let variables = variables(&job["variables"]);
    let steps = [("script", When::Passed), ("after_script", When::Always)];
    let steps = steps.map(|(key, when)| {
        let script = format!("set -eo pipefail\n{}", joined(&job[key]));
        Step { script, when, variables: variables.clone() }
    });
    steps.into()
}

fn jenkins() -> Vec<Step> {
    let recipe = recipe("Jenkins");
    let steps = Regex::new(r"(?s)sh '''(.*?)'''|sh '([^'\n]*)'").unwrap();
    let mut steps: Vec<Step> = steps
        .captures_iter(&recipe)
        .map(|found| {
            let script = found.get(1).or_else(|| found.get(2)).unwrap().as_str();
            Step::new(script, When::Passed)
        })
        .collect();
    for step in &mut steps {
        step.variables.push(("RUNDOWN_ROOT".to_owned(), "rundown-store".to_owned()));
    }
    steps.last_mut().unwrap().when = When::Always;
    steps
}

fn buildkite() -> Vec<Step> {
    let step = &yaml("Buildkite")["steps"][0];
    let script = step["command"].as_str().unwrap().replace("$$", "$");
    vec![Step { script, when: When::Passed, variables: variables(&step["env"]) }]
}

fn woodpecker() -> Vec<Step> {
    let yaml = yaml("Woodpecker");
    let steps = yaml["steps"].as_vec().unwrap().iter().map(|step| {
        let runs_after_failure = !step["when"].is_badvalue();
        let when = if runs_after_failure { When::Always } else { When::Passed };
        let variables = variables(&step["environment"]);
        Step { script: joined(&step["commands"]), when, variables }
    });
    steps.collect()
}

/// A project with a Makefile, and the programs that a recipe calls.
struct Project {
    dir: TempDir,
    /// The variables of the CI system.
    system: Vec<(&'static str, String)>,
    /// The text of all steps on stdout and stderr.
    printed: String,
}

impl Project {
    fn new(passes: bool, system: &[(&'static str, &str)]) -> Self {
        let dir = TempDir::new().unwrap();
        let check = if passes {
            "@echo all good"
        } else {
            "@echo 'src/lib.rs:7:5: error: no such thing' >&2; exit 3"
        };
        let makefile = format!("all:\n\t@echo compiling\ncheck:\n\t{check}\n");
        fs::write(dir.path().join("Makefile"), makefile).unwrap();
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_rundown"), bin.join("rundown")).unwrap();
        for name in ["gh", "glab", "buildkite-agent"] {
            let text = format!("#!/bin/sh\necho \"$@\" > {name}.args\ncat > {name}.stdin\n");
            script(&bin, name, &text);
        }
        let root = dir.path().to_str().unwrap();
        let system = system.iter().map(|(name, value)| (*name, value.replace("ROOT", root)));
        Self { system: system.collect(), dir, printed: String::new() }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }

    fn command(&self, program: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = self.dir.path().join("bin");
        let mut command = Command::new(program);
        command.env_clear().current_dir(&self.dir);
        command.env("PATH", format!("{}:{path}", bin.display())).env("HOME", self.dir.path());
        command.envs(self.system.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command, and returns true if it passed.
    fn run(&mut self, command: &mut Command) -> bool {
        let Output { status, stdout, stderr } = command.output().unwrap();
        self.printed.push_str(&String::from_utf8_lossy(&[stdout, stderr].concat()));
        status.success()
    }

    /// Runs the steps as a CI system does. Returns the numbers of those that failed.
    fn run_steps(&mut self, shell: &[&str], steps: &[Step]) -> Vec<usize> {
        let mut failed = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            let is_run = match step.when {
                When::Passed => failed.is_empty(),
                When::Failed => !failed.is_empty(),
                When::Always => true,
            };
            if !is_run {
                continue;
            }
            let mut command = self.command(shell[0]);
            command.args(&shell[1..]).args(["-c", &step.script]);
            command.envs(step.variables.iter().map(|(name, value)| (name, value)));
            // GitHub passes these variables on to later steps.
            let github = self.read("github.env");
            command.envs(github.lines().filter_map(|line| line.split_once('=')));
            let status = if failed.is_empty() { "success" } else { "failed" };
            command.env("CI_JOB_STATUS", status);
            if !self.run(&mut command) {
                failed.push(number);
            }
        }
        failed
    }

    /// Asserts that the reports of a run exist and contain its failure, if it failed.
    fn assert_reports(&self, passes: bool) {
        let junit = self.read("junit.xml");
        assert_eq!(junit.contains("<failure "), !passes, "{junit}\n{}", self.printed);
        let page = self.read("run.html");
        assert!(page.starts_with("<!doctype html>"), "{page}\n{}", self.printed);
        assert_eq!(page.contains("no such thing"), !passes);
        assert!(self.dir.path().join("rundown-store/rundown.db").exists());
    }
}

#[test]
fn the_recipe_for_github_annotates_comments_and_summarizes() {
    let system = [
        ("CI", "true"),
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_ENV", "ROOT/github.env"),
        ("GITHUB_STEP_SUMMARY", "ROOT/summary.md"),
        ("GITHUB_WORKSPACE", "ROOT"),
        ("GITHUB_REPOSITORY", "example/project"),
        ("GITHUB_REF", "refs/heads/main"),
    ];
    for passes in [true, false] {
        let mut project = Project::new(passes, &system);
        let failed = project.run_steps(&["bash", "-e"], &github());
        assert_eq!(failed, if passes { vec![] } else { vec![2] }, "{}", project.printed);
        project.assert_reports(passes);
        let annotation = "::error file=src/lib.rs,line=7,col=5,title=";
        assert_eq!(project.printed.contains(annotation), !passes, "{}", project.printed);
        let summary = project.read("summary.md");
        assert!(summary.contains("| ✓ passed | <code>build</code> |"), "{summary}");
        assert_eq!(summary.contains("no such thing"), !passes, "{summary}");
        let comment = project.read("gh.args");
        let expected = "pr comment 7 --edit-last --create-if-none --body-file comment.md\n";
        assert_eq!(comment, if passes { "" } else { expected });
        assert_eq!(project.read("comment.md").contains("no such thing"), !passes);
    }
}

#[test]
fn the_recipe_for_gitlab_writes_sections_and_reports() {
    let system = [
        ("CI", "true"),
        ("GITLAB_CI", "true"),
        ("CI_PROJECT_DIR", "ROOT"),
        ("CI_PROJECT_PATH", "example/project"),
        ("CI_MERGE_REQUEST_IID", "3"),
    ];
    for passes in [true, false] {
        let mut project = Project::new(passes, &system);
        let failed = project.run_steps(&["bash"], &gitlab());
        assert_eq!(failed, if passes { vec![] } else { vec![0] }, "{}", project.printed);
        project.assert_reports(passes);
        assert!(project.printed.contains("section_start:"), "{}", project.printed);
        let quality: serde_json::Value =
            serde_json::from_str(&project.read("codequality.json")).unwrap();
        assert_eq!(quality.as_array().unwrap().len(), usize::from(!passes), "{quality}");
        let note = project.read("glab.args");
        assert_eq!(
            note.starts_with("mr note 3 --unique --message ### ✗ failed"),
            !passes,
            "{note}"
        );
    }
}

#[test]
fn the_recipe_for_jenkins_writes_a_test_report() {
    let system = [("CI", "true"), ("JENKINS_URL", "http://ci.example.org/"), ("WORKSPACE", "ROOT")];
    for passes in [true, false] {
        let mut project = Project::new(passes, &system);
        let failed = project.run_steps(&["sh", "-xe"], &jenkins());
        assert_eq!(failed, if passes { vec![] } else { vec![2] }, "{}", project.printed);
        project.assert_reports(passes);
        let cause = "  > src/lib.rs:7:5: error: no such thing";
        assert_eq!(project.printed.contains(cause), !passes, "{}", project.printed);
    }
}

#[test]
fn the_recipe_for_buildkite_annotates_the_build() {
    let system = [("CI", "true"), ("BUILDKITE", "true"), ("BUILDKITE_BUILD_CHECKOUT_PATH", "ROOT")];
    for passes in [true, false] {
        let mut project = Project::new(passes, &system);
        let failed = project.run_steps(&["bash", "-e"], &buildkite());
        assert_eq!(failed, if passes { vec![] } else { vec![0] }, "{}", project.printed);
        project.assert_reports(passes);
        let expected = "annotate --style error --context rundown\n";
        assert_eq!(project.read("buildkite-agent.args"), if passes { "" } else { expected });
        assert_eq!(project.read("buildkite-agent.stdin").contains("no such thing"), !passes);
    }
}

#[test]
fn the_recipe_for_woodpecker_reports_in_a_later_step() {
    let system = [("CI", "woodpecker"), ("CI_SYSTEM_NAME", "woodpecker")];
    for passes in [true, false] {
        let mut project = Project::new(passes, &system);
        let failed = project.run_steps(&["sh", "-e"], &woodpecker());
        assert_eq!(failed, if passes { vec![] } else { vec![0] }, "{}", project.printed);
        project.assert_reports(passes);
        assert_eq!(project.printed.contains("likely cause, src/lib.rs:7"), !passes);
    }
}

#[test]
fn the_recipe_for_make_records_its_targets() {
    for passes in [true, false] {
        let mut project = Project::new(passes, &[]);
        let makefile = project.read("Makefile") + &recipe("Make");
        fs::write(project.dir.path().join("Makefile"), makefile).unwrap();
        let mut make = project.command("make");
        assert_eq!(project.run(make.arg("recorded")), passes, "{}", project.printed);
        let page = project.read("run.html");
        assert_eq!(page.contains("no such thing"), !passes, "{}", project.printed);
        assert_eq!(project.printed.contains("likely cause, src/lib.rs:7"), !passes);
    }
}

#[test]
fn the_git_hook_refuses_a_push_and_prints_why() {
    for passes in [true, false] {
        let mut project = Project::new(passes, &[]);
        let hook = script(project.dir.path(), "pre-push", &recipe("Git hook"));
        let mut command = project.command(&hook);
        assert_eq!(project.run(&mut command), passes, "{}", project.printed);
        assert_eq!(project.printed.contains("likely cause, src/lib.rs:7"), !passes);
    }
}
