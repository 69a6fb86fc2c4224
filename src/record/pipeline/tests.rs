//! Tests of valid pipeline files, and of refusals with their lines.

use super::*;

fn refusal(text: &str) -> String {
    parse_pipeline(text, Path::new("p.toml")).unwrap_err().to_string()
}

fn order(text: &str) -> String {
    let pipeline = parse_pipeline(text, Path::new("p.toml")).unwrap();
    pipeline.jobs().iter().map(|job| job.id.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_string_is_run_by_the_shell_and_a_list_is_an_argv() {
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
fn a_job_runs_after_the_jobs_it_needs() {
    let text = "
        [jobs.deploy]\nneeds = ['test', 'lint']\ncommands = ['x']
        [jobs.test]\nneeds = ['build']\ncommands = ['x']
        [jobs.lint]\ncommands = ['x']
        [jobs.build]\ncommands = ['x']";
    assert_eq!(order(text), "lint build test deploy");
}

#[test]
fn every_error_reports_its_line_and_the_valid_form() {
    for (text, expected) in [
        ("", "p.toml:1: no jobs; add a table [jobs.NAME] with commands = [\"…\"]"),
        ("\n[jobs]\n", "p.toml:2: no jobs; add a table [jobs.NAME] with commands = [\"…\"]"),
        ("name = 1\n[jobs.a]\ncommands = ['x']", "p.toml:1: `name` must be a string, not a number"),
        ("jobs = 'x'", "p.toml:1: `jobs` must be a table ([jobs.NAME]), not a string"),
        ("[jobs]\na = ['x']", "p.toml:2: job `a` must be a table ([jobs.a]), not an array"),
        ("[jobs.a]\n", "p.toml:1: job `a` has no commands; add commands = [\"…\"]"),
        ("[jobs.a]\ncommands = []", "p.toml:2: job `a` has no commands; add at least one"),
        ("[jobs.a]\ncommands = 'x'", "p.toml:2: `commands` must be an array, not a string"),
        (
            "[jobs.a]\ncommands = [\n'x',\n7]",
            "p.toml:4: a command must be a string or an array of strings, not a number",
        ),
        ("[jobs.a]\ncommands = ['x', ' ']", "p.toml:2: empty command; remove it"),
        (
            "[jobs.a]\ncommands = [[]]",
            "p.toml:2: command without a program; name one, as in [\"cargo\", \"test\"]",
        ),
        (
            "[jobs.a]\ncommands = [['x', true]]",
            "p.toml:2: an argument must be a string, not true or false",
        ),
        (
            "[jobs.a]\n\ncomands = ['x']",
            "p.toml:3: unknown key \"comands\"; did you mean `commands`?",
        ),
        (
            "[jobs.a]\nwhen = 'x'",
            "p.toml:2: unknown key \"when\"; expected one of `needs`, `commands`",
        ),
        ("[job.a]\ncommands = ['x']", "p.toml:1: unknown key \"job\"; did you mean `jobs`?"),
        (
            "[jobs.build]\ncommands = ['x']\n[jobs.a]\ncommands = ['x']\nneeds = ['biuld']",
            "p.toml:5: unknown job \"biuld\" in `needs`; did you mean `build`?",
        ),
        (
            "[jobs.build]\ncommands = ['x']\n[jobs.test]\ncommands = ['x']\n\
             needs = [\n'deployment']",
            "p.toml:6: unknown job \"deployment\" in `needs`; the jobs are `build`, `test`",
        ),
        (
            "[jobs.a]\ncommands = ['x']\nneeds = ['b']",
            "p.toml:3: unknown job \"b\" in `needs`; the jobs are `a`",
        ),
        (
            "[jobs.a]\ncommands = ['x']\nneeds = [1]",
            "p.toml:3: an entry of `needs` must be a string, not a number",
        ),
        (
            "[jobs.a]\ncommands = ['x']\nneeds = ['a']",
            "p.toml:1: dependency cycle: `a` needs `a`; remove one of these needs",
        ),
        (
            "[jobs.z]\ncommands = ['x']\nneeds=['c']\n\
             [jobs.a]\ncommands = ['x']\nneeds=['c']\n\
             [jobs.c]\ncommands=['x']\nneeds=['a']",
            "p.toml:4: dependency cycle: `a` needs `c` needs `a`; remove one of these needs",
        ),
        (
            "[jobs.'..']\ncommands = ['x']",
            "p.toml:1: invalid job name \"..\": not a valid directory name",
        ),
        (
            "[jobs.'']\ncommands = ['x']",
            "p.toml:1: invalid job name \"\": not a valid directory name",
        ),
        (
            "[jobs.'a/b']\ncommands = ['x']",
            "p.toml:1: invalid job name \"a/b\": not a valid directory name",
        ),
    ] {
        assert_eq!(refusal(text), expected, "{text}");
    }
}

#[test]
fn invalid_toml_is_rejected_with_its_line() {
    assert!(refusal("[jobs.a]\ncommands = ['x'\n").starts_with("p.toml:"));
    assert!(
        refusal("[jobs.a]\ncommands = ['x']\n[jobs.a]\ncommands = ['y']")
            .starts_with("p.toml:3: duplicate key")
    );
}

#[test]
fn a_file_that_is_not_utf8_is_rejected_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.toml");
    std::fs::write(&path, b"[jobs.a]\ncommands = ['\xff']").unwrap();
    assert!(
        load_pipeline(&path)
            .unwrap_err()
            .to_string()
            .ends_with("p.toml:2: invalid UTF-8; save the file as UTF-8")
    );
    assert!(matches!(load_pipeline(&dir.path().join("missing")), Err(Error::Usage(_))));
}

#[test]
fn the_demonstration_is_a_valid_pipeline() {
    assert!(parse_pipeline(DEMO, Path::new("demo.toml")).unwrap().jobs().len() >= 5);
}
