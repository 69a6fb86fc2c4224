//! Tests of valid pipeline files, and of refusals with their lines.

use super::*;
use crate::record::mask::Masking;

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
            "[jobs.a]\nservices = 'x'",
            "p.toml:2: unknown key \"services\"; expected one of `needs`, `commands`, `env`, \
             `dir`, `shell`, `timeout`, `allow_failure`, `retry`, `when`, `matrix`, `mask`, \
             `output`",
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
fn every_error_of_a_setting_reports_its_line_and_the_valid_form() {
    let wide = (0..17).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    for (setting, expected) in [
        ("env = ['A']", "`env` must be a table (env = { NAME = \"value\" }), not an array"),
        ("env.A = 1", "the variable \"A\" must be a string, not a number"),
        ("env.'A=B' = 'x'", "invalid variable name \"A=B\": use letters, digits and `_`"),
        (
            "env.A = \"x\\u0000\"",
            "the variable \"A\" contains a NUL byte, which no program accepts; \
          remove it",
        ),
        ("dir = ''", "`dir` is empty; remove it"),
        ("dir = ['x']", "`dir` must be a string, not an array"),
        ("shell = 'bash'", "`shell` must be an array, not a string"),
        (
            "shell = []",
            "`shell` without a program; name one, as in \
             [\"docker\", \"exec\", \"ci\", \"sh\", \"-c\"]",
        ),
        ("shell = ['sh', 1]", "an argument must be a string, not a number"),
        (
            "timeout = 600",
            "`timeout` must be a string such as \"90s\", \"10m\" or \"1h30m\", not a number",
        ),
        (
            "timeout = '10'",
            "invalid `timeout` \"10\"; use a string such as \"90s\", \"10m\" or \"1h30m\"",
        ),
        (
            "timeout = '-5m'",
            "invalid `timeout` \"-5m\"; use a string such as \"90s\", \"10m\" or \"1h30m\"",
        ),
        (
            "timeout = '0s'",
            "invalid `timeout` \"0s\"; use a string such as \"90s\", \"10m\" or \"1h30m\"",
        ),
        ("allow_failure = 'yes'", "`allow_failure` must be true or false, not a string"),
        ("retry = 11", "`retry` must be a number from 0 to 10, not 11"),
        ("retry = -1", "`retry` must be a number from 0 to 10, not -1"),
        ("retry = 1.5", "`retry` must be a number from 0 to 10, not a number"),
        ("retry = '2'", "`retry` must be a number from 0 to 10, not a string"),
        ("when = 'allways'", "unknown value \"allways\" of `when`; did you mean `always`?"),
        (
            "when = 'manual'",
            "unknown value \"manual\" of `when`; expected one of `on_success`, `always`, \
             `on_failure`",
        ),
        ("output = 'tty'", "unknown value \"tty\" of `output`; did you mean `pty`?"),
        ("mask = 'TOKEN'", "`mask` must be an array, not a string"),
        ("mask = [1]", "an entry of `mask` must be a string, not a number"),
        ("mask = ['']", "invalid variable name \"\": use letters, digits and `_`"),
        (
            "matrix = ['x']",
            "`matrix` must be a table (matrix = { os = [\"linux\", \"mac\"] }), not an array",
        ),
        ("matrix.os = 'x'", "\"os\" of `matrix` must be an array, not a string"),
        ("matrix.os = []", "\"os\" of `matrix` has no values; add one, or remove it"),
        (
            "matrix.os = [['x']]",
            "a value of \"os\" of `matrix` must be a string, a number, or true or false, not an \
             array",
        ),
        ("matrix.'a=b' = ['x']", "invalid variable name \"a=b\": use letters, digits and `_`"),
        (
            "matrix.os = ['x']\nenv.os = 'y'",
            "\"os\" is in `matrix` and in `env`; remove one of them",
        ),
        (
            &format!("matrix = {{ a = [{wide}], b = [{wide}] }}"),
            "`matrix` has more than 256 combinations; remove values, or divide the job",
        ),
    ] {
        let expected = format!("p.toml:3: {expected}");
        assert_eq!(refusal(&format!("[jobs.a]\ncommands = ['x']\n{setting}")), expected);
        // The defaults of the file are checked in the same way.
        let expected = expected.replace(":3:", ":1:");
        assert_eq!(refusal(&format!("{setting}\n[jobs.a]\ncommands = ['x']")), expected);
    }
}

#[test]
fn names_after_the_expansion_and_conditions_are_checked() {
    let long = "x".repeat(250);
    for (text, expected) in [
        (
            "[jobs.a]\ncommands = ['x']\nmatrix.os = ['x', 'y', 'x']".to_owned(),
            "p.toml:1: two jobs have the name \"a (os=x)\"; rename one".to_owned(),
        ),
        (
            "[jobs.'a (os=x-y)']\ncommands = ['x']\n\
             [jobs.a]\ncommands = ['x']\nmatrix.os = ['x/y']"
                .to_owned(),
            "p.toml:3: two jobs have the name \"a (os=x-y)\"; rename one".to_owned(),
        ),
        (
            format!("[jobs.a]\ncommands = ['x']\nmatrix.os = ['{long}']"),
            format!("p.toml:1: invalid job name \"a (os={long})\": not a valid directory name"),
        ),
        (
            "[jobs.a]\ncommands = ['x']\nwhen = 'on_failure'".to_owned(),
            "p.toml:1: job `a` with when = \"on_failure\" can never run, because no job can fail \
             before it; add needs = [\"JOB\"]"
                .to_owned(),
        ),
        (
            "[jobs.clean]\ncommands = ['x']\nwhen = 'always'\n\
             [jobs.b]\ncommands = ['x']\nneeds = ['clean']"
                .to_owned(),
            "p.toml:1: dependency cycle: `clean`, which without `needs` waits for `b` needs \
             `clean`; remove one of these needs"
                .to_owned(),
        ),
    ] {
        assert_eq!(refusal(&text), expected);
    }
}

#[test]
fn a_pipeline_has_a_limited_number_of_jobs() {
    let axis = (0..16).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let mut text = format!("matrix = {{ a = [{axis}], b = [{axis}] }}\n");
    text.extend((0..16).map(|job| format!("[jobs.j{job}]\ncommands = ['x']\n")));
    let pipeline = parse_pipeline(&text, Path::new("p.toml")).unwrap();
    assert_eq!(pipeline.jobs().len(), 4096);
    text += "[jobs.last]\ncommands = ['x']\nmatrix = {}";
    assert_eq!(refusal(&text), "p.toml:34: more than 4096 jobs; divide the pipeline");
}

#[test]
fn a_job_has_its_settings_and_the_defaults_of_the_file() {
    let text = r#"
        dir = "src"
        timeout = "1h30m"
        retry = 1
        mask = ["A"]
        output = "merge"
        shell = ["bash", "-euc"]
        env = { A = "file", B = "file" }
        [jobs.plain]
        commands = ["x"]
        [jobs.own]
        commands = ["x"]
        dir = "/other"
        timeout = "90 seconds"
        retry = 0
        mask = ["B", "A"]
        output = "pty"
        shell = ["ssh", "host"]
        when = "always"
        allow_failure = true
        env = { B = "job", C = "job" }
    "#;
    let pipeline = parse_pipeline(text, Path::new("p.toml")).unwrap();
    let env = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    };
    let plain = JobSettings {
        env: env(&[("A", "file"), ("B", "file")]),
        dir: Some("src".into()),
        shell: Some(vec!["bash".into(), "-euc".into()]),
        timeout: Some(Duration::from_mins(90)),
        allow_failure: false,
        retry: 1,
        when: When::OnSuccess,
        mask: vec!["A".into()],
        output: Some(Output::Merge),
    };
    assert_eq!(pipeline.jobs()[0].settings, plain);
    let own = JobSettings {
        env: env(&[("A", "file"), ("B", "job"), ("C", "job")]),
        dir: Some("/other".into()),
        shell: Some(vec!["ssh".into(), "host".into()]),
        timeout: Some(Duration::from_secs(90)),
        allow_failure: true,
        retry: 0,
        when: When::Always,
        mask: vec!["A".into(), "B".into()],
        output: Some(Output::Pty),
    };
    assert_eq!(pipeline.jobs()[1].settings, own);
}

#[test]
fn a_shell_receives_each_command_as_its_last_argument() {
    let text = "[jobs.a]\nshell = ['ssh', 'host']\n\
                commands = [\"echo $A | cat\", ['printf', '%s', \"a b\", \"it's\", '']]";
    let pipeline = parse_pipeline(text, Path::new("p.toml")).unwrap();
    let job = &pipeline.jobs()[0];
    let argv: Vec<_> = job.commands.iter().map(|command| job.argv(command)).collect();
    assert_eq!(argv[0], ["ssh", "host", "echo $A | cat"]);
    assert_eq!(argv[1].len(), 3);
    let words = shlex::split(argv[1][2].to_str().unwrap()).unwrap();
    assert_eq!(words, ["printf", "%s", "a b", "it's", ""]);
    // The command is stored as it was written.
    assert_eq!(job.commands[1].stored(), r#"["printf","%s","a b","it's",""]"#);
}

#[test]
fn a_matrix_becomes_one_job_for_each_combination() {
    let text = "
        [jobs.test]
        commands = ['x']
        env.A = 'a'
        matrix = { py = [3.10, '3/12'], os = ['linux'], fast = [true, 0x1F] }
        [jobs.deploy]
        needs = ['test']
        commands = ['x']
        [jobs.one]
        needs = ['test (py=3.10, os=linux, fast=true)', 'deploy', 'deploy']
        commands = ['x']";
    let pipeline = parse_pipeline(text, Path::new("p.toml")).unwrap();
    let ids: Vec<_> = pipeline.jobs().iter().map(|job| job.id.as_str()).collect();
    let names = [
        "test (py=3.10, os=linux, fast=true)",
        "test (py=3.10, os=linux, fast=0x1F)",
        "test (py=3-12, os=linux, fast=true)",
        "test (py=3-12, os=linux, fast=0x1F)",
    ];
    assert_eq!(ids, [&names[..], &["deploy", "one"]].concat());
    let last = &pipeline.jobs()[3];
    assert_eq!(last.base.as_str(), "test");
    let env: Vec<_> = last.settings.env.iter().map(|(a, b)| format!("{a}={b}")).collect();
    assert_eq!(env, ["A=a", "fast=0x1F", "os=linux", "py=3/12"]);
    let needs = |job: usize| -> Vec<&str> {
        pipeline.jobs()[job].needs.iter().map(JobId::as_str).collect()
    };
    assert_eq!(needs(4), names);
    assert_eq!(needs(5), [names[0], "deploy"]);
}

#[test]
fn a_matrix_of_the_file_applies_to_all_jobs_without_their_own() {
    let text = "matrix.os = ['a', 'b']\n[jobs.x]\ncommands = ['x']\n\
                [jobs.y]\nmatrix = {}\ncommands = ['x']\n\
                [jobs.z]\nmatrix.py = [3]\ncommands = ['x']";
    assert_eq!(order(text), "x (os=a) x (os=b) y z (py=3)");
}

#[test]
fn a_job_with_when_and_without_needs_comes_after_all_jobs_without_when() {
    let text = "
        [jobs.clean]\nwhen = 'always'\ncommands = ['x']
        [jobs.alarm]\nwhen = 'on_failure'\ncommands = ['x']
        [jobs.early]\nwhen = 'always'\nneeds = ['a']\ncommands = ['x']
        [jobs.b]\nneeds = ['a']\ncommands = ['x']
        [jobs.a]\ncommands = ['x']";
    assert_eq!(order(text), "a early b clean alarm");
}

const MANY: &str = "
    [jobs.build]\ncommands = ['x']
    [jobs.test]\nneeds = ['build']\nmatrix.os = ['linux', 'mac']\ncommands = ['x']
    [jobs.deploy]\nneeds = ['test', 'build']\ncommands = ['x']
    [jobs.alarm]\nwhen = 'on_failure'\nneeds = ['deploy']\ncommands = ['x']";

#[test]
fn jobs_are_selected_by_name_by_the_name_of_their_matrix_or_by_a_glob() {
    let pipeline = parse_pipeline(MANY, Path::new("p.toml")).unwrap();
    let only = |selectors: &[&str]| {
        let found = pipeline.only(selectors).unwrap();
        let shown = |job: &PipelineJob| {
            let needs: Vec<_> = job.needs.iter().map(JobId::as_str).collect();
            format!("{} <{}>", job.id.as_str(), needs.join(";"))
        };
        found.jobs().iter().map(shown).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(only(&["build"]), "build <>");
    assert_eq!(only(&["test"]), "test (os=linux) <> test (os=mac) <>");
    assert_eq!(only(&["deploy", "test (os=mac)"]), "test (os=mac) <> deploy <test (os=mac)>");
    assert_eq!(only(&["*linux*", "b*"]), "build <> test (os=linux) <build>");
    // Selected alone, a job that waits for failures runs.
    let alone = pipeline.only(&["alarm"]).unwrap();
    assert_eq!(alone.jobs()[0].settings.when, When::Always);
    let with_need = pipeline.only(&["alarm", "deploy"]).unwrap();
    assert_eq!(with_need.jobs()[1].settings.when, When::OnFailure);
    let refusal = |selector| pipeline.only(&[selector]).unwrap_err().to_string();
    assert_eq!(refusal("biuld"), "the pipeline has no job \"biuld\"; did you mean `build`?");
    assert_eq!(
        refusal("[x"),
        "the pipeline has no job \"[x\"; the jobs are `build`, `test`, `deploy`, `alarm`"
    );
}

#[test]
fn a_plan_lists_jobs_with_their_needs_settings_and_commands() {
    let text = r#"
        env = { CI = "1", TOKEN = "secret", NPM_TOKEN = "a secret" }
        mask = ["TOKEN"]
        [jobs.build]
        commands = ["cargo build", ["cargo", "test it", "--key=a secret"]]
        env.TEXT = "a\u001b[2J b"
        [jobs.test]
        needs = ["build"]
        matrix.os = ["linux", "mac"]
        shell = ["docker", "exec", "ci", "sh", "-c"]
        dir = "src"
        timeout = "1h30m"
        retry = 2
        output = "pty"
        allow_failure = true
        commands = ["set -e\nmake"]
        [jobs.clean]
        when = "always"
        needs = ["test", "build"]
        commands = [["true"]]
        [jobs.linux]
        needs = ["test (os=linux)"]
        commands = [["true"]]
        "#;
    let pipeline = parse_pipeline(text, Path::new("p.toml")).unwrap();
    let of_matrix = |os: &str| {
        format!(
            "test (os={os})\n  needs: build\n  env: 'CI=1' 'NPM_TOKEN=[NPM_TOKEN]' 'TOKEN=[TOKEN]' 'os={os}'\n  \
             dir: src\n  timeout: 1h 30m\n  allow_failure: true\n  retry: 2\n  mask: TOKEN\n  \
             output: pty\n  $ docker exec ci sh -c 'set -e\n    make'\n\n"
        )
    };
    let common = "  env: 'CI=1' 'NPM_TOKEN=[NPM_TOKEN]' 'TOKEN=[TOKEN]'\n";
    let expected = format!(
        "build\n  env: 'CI=1' 'NPM_TOKEN=[NPM_TOKEN]' 'TEXT=a␛[2J b' 'TOKEN=[TOKEN]'\n  mask: TOKEN\n  \
         $ sh -c 'cargo build'\n  $ cargo 'test it' '--key=[NPM_TOKEN]'\n\n{}{}\
         clean\n  needs: test, build\n{common}  when: always\n  mask: TOKEN\n  $ true\n\n\
         linux\n  needs: test (os=linux)\n{common}  mask: TOKEN\n  $ true\n",
        of_matrix("linux"),
        of_matrix("mac")
    );
    assert_eq!(pipeline.plan(&Masking::default()), expected);
}

#[test]
fn errors_of_a_pipeline_from_stdin_name_it() {
    let read = |text: &[u8]| read_pipeline(&mut &*text, Path::new("<stdin>"));
    assert_eq!(
        read(b"[jobs.a]\ncomands = []").unwrap_err().to_string(),
        "<stdin>:2: unknown key \"comands\"; did you mean `commands`?"
    );
    assert_eq!(
        read(b"\n\xff").unwrap_err().to_string(),
        "<stdin>:2: invalid UTF-8; save the file as UTF-8"
    );
    assert_eq!(read(b"[jobs.a]\ncommands = ['x']").unwrap().jobs().len(), 1);
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
