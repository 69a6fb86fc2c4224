//! Tests of valid pipeline files, and of every refusal with its line.

use super::*;

fn refusal(text: &str) -> String {
    parse_pipeline(text, Path::new("p.toml")).unwrap_err().to_string()
}

fn order(text: &str) -> String {
    let pipeline = parse_pipeline(text, Path::new("p.toml")).unwrap();
    pipeline.jobs().iter().map(|job| job.id.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_text_is_for_the_shell_and_a_list_is_a_program() {
    let text =
        "name = \"x\"\n[jobs.build]\ncommands = [\"echo $A | cat\", [\"cargo\", \"te\\\"st\"]]\n";
    let pipeline = parse_pipeline(text, Path::new("p.toml")).unwrap();
    assert_eq!(pipeline.name(), Some("x"));
    let [shell, argv] = pipeline.jobs()[0].commands.as_slice() else { unreachable!() };
    assert_eq!(shell.argv(), ["sh", "-c", "echo $A | cat"]);
    assert_eq!(shell.stored(), "echo $A | cat");
    assert_eq!(argv.argv(), ["cargo", "te\"st"]);
    assert_eq!(argv.stored(), r#"["cargo","te\"st"]"#);
}

#[test]
fn jobs_run_in_the_order_of_the_file() {
    assert_eq!(
        order("[jobs.z]\ncommands=['x']\n[jobs.a]\ncommands=['x']\n[jobs.m]\ncommands=['x']\n"),
        "z a m"
    );
}

#[test]
fn a_job_runs_after_those_it_needs() {
    let text = "
        [jobs.deploy]\nneeds = ['test', 'lint']\ncommands = ['x']
        [jobs.test]\nneeds = ['build']\ncommands = ['x']
        [jobs.lint]\ncommands = ['x']
        [jobs.build]\ncommands = ['x']";
    assert_eq!(order(text), "lint build test deploy");
}

#[test]
fn every_refusal_names_its_line_and_what_would_be_right() {
    for (text, expected) in [
        (
            "",
            "p.toml:1: no jobs: write at least one, as a table [jobs.NAME] with commands = [\"…\"]",
        ),
        (
            "\n[jobs]\n",
            "p.toml:2: no jobs: write at least one, as a table [jobs.NAME] with commands = [\"…\"]",
        ),
        ("name = 1\n[jobs.a]\ncommands = ['x']", "p.toml:1: `name` has to be a text, not a number"),
        ("jobs = 'x'", "p.toml:1: `jobs` has to be a table, [jobs.NAME], not a text"),
        ("[jobs]\na = ['x']", "p.toml:2: the job `a` has to be a table, [jobs.a], not a list"),
        ("[jobs.a]\n", "p.toml:1: the job `a` has no commands: add commands = [\"…\"]"),
        ("[jobs.a]\ncommands = []", "p.toml:2: the job `a` has no commands: name at least one"),
        ("[jobs.a]\ncommands = 'x'", "p.toml:2: `commands` has to be a list, not a text"),
        (
            "[jobs.a]\ncommands = [\n'x',\n7]",
            "p.toml:4: a command has to be a text or a list of texts, not a number",
        ),
        ("[jobs.a]\ncommands = ['x', ' ']", "p.toml:2: an empty command: remove it"),
        (
            "[jobs.a]\ncommands = [[]]",
            "p.toml:2: a list of arguments without a program: name one, as in [\"cargo\", \"test\"]",
        ),
        (
            "[jobs.a]\ncommands = [['x', true]]",
            "p.toml:2: an argument has to be a text, not true or false",
        ),
        (
            "[jobs.a]\n\ncomands = ['x']",
            "p.toml:3: unknown key \"comands\": did you mean `commands`?",
        ),
        (
            "[jobs.a]\nwhen = 'x'",
            "p.toml:2: unknown key \"when\": the keys here are `needs`, `commands`",
        ),
        ("[job.a]\ncommands = ['x']", "p.toml:1: unknown key \"job\": did you mean `jobs`?"),
        (
            "[jobs.build]\ncommands = ['x']\n[jobs.a]\ncommands = ['x']\nneeds = ['biuld']",
            "p.toml:5: there is no job \"biuld\" to need: did you mean `build`?",
        ),
        (
            "[jobs.build]\ncommands = ['x']\n[jobs.test]\ncommands = ['x']\nneeds = [\n'deployment']",
            "p.toml:6: there is no job \"deployment\" to need: the jobs are `build`, `test`",
        ),
        (
            "[jobs.a]\ncommands = ['x']\nneeds = ['b']",
            "p.toml:3: there is no job \"b\" to need: the jobs are `a`",
        ),
        (
            "[jobs.a]\ncommands = ['x']\nneeds = [1]",
            "p.toml:3: a need has to be a text, not a number",
        ),
        (
            "[jobs.a]\ncommands = ['x']\nneeds = ['a']",
            "p.toml:1: jobs that wait for each other: `a` needs `a`; remove one of these needs",
        ),
        (
            "[jobs.z]\ncommands = ['x']\nneeds=['c']\n[jobs.a]\ncommands = ['x']\nneeds=['c']\n[jobs.c]\ncommands=['x']\nneeds=['a']",
            "p.toml:4: jobs that wait for each other: `a` needs `c` needs `a`; remove one of these needs",
        ),
        (
            "[jobs.'..']\ncommands = ['x']",
            "p.toml:1: the job name \"..\" cannot be the name of a directory",
        ),
        (
            "[jobs.'']\ncommands = ['x']",
            "p.toml:1: the job name \"\" cannot be the name of a directory",
        ),
        (
            "[jobs.'a/b']\ncommands = ['x']",
            "p.toml:1: the job name \"a/b\" cannot be the name of a directory",
        ),
    ] {
        assert_eq!(refusal(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_toml_is_refused_with_its_line() {
    assert!(refusal("[jobs.a]\ncommands = ['x'\n").starts_with("p.toml:"));
    assert!(
        refusal("[jobs.a]\ncommands = ['x']\n[jobs.a]\ncommands = ['y']")
            .starts_with("p.toml:3: duplicate key")
    );
}

#[test]
fn a_file_that_is_no_utf8_is_refused_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.toml");
    std::fs::write(&path, b"[jobs.a]\ncommands = ['\xff']").unwrap();
    assert!(
        load_pipeline(&path)
            .unwrap_err()
            .to_string()
            .ends_with("p.toml:2: not UTF-8, as TOML has to be")
    );
    assert!(matches!(load_pipeline(&dir.path().join("missing")), Err(Error::Usage(_))));
}

#[test]
fn the_demonstration_is_a_pipeline() {
    assert!(parse_pipeline(DEMO, Path::new("demo.toml")).unwrap().jobs().len() >= 5);
}
