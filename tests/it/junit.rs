//! `--format junit`: the reports of real and hostile stores are valid for the schema of Jenkins
//! (`junit-10.xsd` of its xunit plugin), and their totals and names are right.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use insta::assert_snapshot;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use regex::Regex;
use rundown::cri::Stream;
use rundown::store::{JobEnd, RunEnd, ShEnd};

use crate::support::built::{Built, at, failed_run, run_id};
use crate::support::{fixture, rundown, stderr, stdout, store};

/// An element of a report.
#[derive(Default, Debug)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    children: Vec<Element>,
    text: String,
}

impl Element {
    fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> usize {
        self.attribute(name).parse().unwrap()
    }

    fn all<'e>(&'e self, name: &str) -> Vec<&'e Self> {
        let below = self.children.iter().flat_map(|child| child.all(name));
        let own = (self.name == name).then_some(self);
        own.into_iter().chain(below).collect()
    }
}

fn element(start: &BytesStart<'_>) -> Element {
    let attribute = |attribute: quick_xml::events::attributes::Attribute<'_>| {
        let value = quick_xml::escape::unescape(&attribute.value).unwrap().into_owned();
        (attribute.key.as_ref().to_owned(), value)
    };
    let attributes = start.attributes().map(|found| attribute(found.unwrap())).collect();
    Element { name: start.name().as_ref().to_owned(), attributes, ..Element::default() }
}

/// Parses a report. Panics unless it is well-formed XML 1.0.
fn parse(xml: &str) -> Element {
    let is_char = |found: char| matches!(found, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..='\u{10ffff}');
    assert!(xml.chars().all(is_char), "a character that XML 1.0 forbids");
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => open.push(element(&start)),
            Event::Empty(start) => open.last_mut().unwrap().children.push(element(&start)),
            Event::End(_) => {
                let ended = open.pop().unwrap();
                open.last_mut().unwrap().children.push(ended);
            }
            Event::Text(text) => open.last_mut().unwrap().text.push_str(&text),
            Event::GeneralRef(name) => {
                let resolved =
                    quick_xml::escape::unescape(&format!("&{};", &*name)).unwrap().into_owned();
                open.last_mut().unwrap().text.push_str(&resolved);
            }
            Event::Decl(_) => {}
            Event::Eof => break,
            other => panic!("{other:?}"),
        }
    }
    let [root] = <[Element; 1]>::try_from(open.remove(0).children).unwrap();
    root
}

/// The name of an element, its required and its optional attributes, and its children.
type ElementRule =
    (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

/// The rules of `junit-10.xsd` for the elements that a report may contain.
const SCHEMA: &[ElementRule] = &[
    ("testsuites", &[], &["name", "time", "tests", "failures", "errors"], &["testsuite"]),
    (
        "testsuite",
        &["name", "tests", "failures", "errors"],
        &[
            "group",
            "time",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
            "file",
            "log",
            "url",
        ],
        &["testsuite", "properties", "testcase", "system-out", "system-err"],
    ),
    (
        "testcase",
        &["name"],
        &["time", "classname", "group"],
        &["skipped", "error", "failure", "system-out", "system-err"],
    ),
    ("failure", &[], &["type", "message"], &[]),
    ("error", &[], &["type", "message"], &[]),
    ("skipped", &[], &["type", "message"], &[]),
];

/// Returns the violations of the schema.
fn violations(element: &Element) -> Vec<String> {
    let Some((name, required, optional, children)) =
        SCHEMA.iter().find(|(name, ..)| *name == element.name)
    else {
        return vec![format!("element {}", element.name)];
    };
    // SUREFIRE_TIME
    let time = Regex::new(r"^(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?$").unwrap();
    let mut found = Vec::new();
    for key in element.attributes.keys() {
        if !required.contains(&key.as_str()) && !optional.contains(&key.as_str()) {
            found.push(format!("{name}@{key}"));
        }
    }
    for key in required.iter().filter(|key| !element.attributes.contains_key(**key)) {
        found.push(format!("{name} without {key}"));
    }
    if !time.is_match(element.attribute("time")) {
        found.push(format!("{name}@time"));
    }
    let is_mixed = ["failure", "error", "skipped"].contains(name);
    if !is_mixed && !element.text.trim().is_empty() {
        found.push(format!("text in {name}"));
    }
    for child in &element.children {
        if !children.contains(&child.name.as_str()) {
            found.push(format!("{} in {name}", child.name));
        }
        found.extend(violations(child));
    }
    found
}

/// Asserts that a report is valid, that its totals are right, and that its names are unique.
#[track_caller]
fn assert_valid(xml: &str) -> Element {
    let root = parse(xml);
    assert_eq!(root.name, "testsuites");
    assert_eq!(violations(&root), [""; 0], "{xml}");
    let sum = |key: &str| root.children.iter().map(|suite| suite.number(key)).sum::<usize>();
    for key in ["tests", "failures", "errors"] {
        assert_eq!(root.number(key), sum(key), "{key}");
    }
    let (mut suites, mut cases) = (HashSet::new(), HashSet::new());
    for suite in &root.children {
        assert!(suites.insert(suite.attribute("name")), "{}", suite.attribute("name"));
        for (key, element) in [
            ("tests", "testcase"),
            ("failures", "failure"),
            ("errors", "error"),
            ("skipped", "skipped"),
        ] {
            assert_eq!(suite.number(key), suite.all(element).len(), "{key}");
        }
        for case in &suite.children {
            let (class, name) = (case.attribute("classname"), case.attribute("name"));
            assert!(!class.is_empty() && !name.is_empty(), "{case:?}");
            assert!(cases.insert((class, name)), "{class} {name}");
        }
    }
    root
}

fn report(dir: &Path, args: &[&str]) -> String {
    stdout(dir, &[&["--root", ".", "--once", "--format", "junit"], args].concat(), 0)
}

#[test]
fn a_failed_run_is_a_report_of_its_jobs_and_commands() {
    let mut built = Built::new();
    failed_run(&mut built, &run_id(1), 0);
    let xml = report(built.root(), &[]);
    assert_valid(&xml);
    assert_snapshot!("junit_failed_run", xml);
}

#[test]
fn the_file_attribute_is_added_on_request_only() {
    let mut built = Built::new();
    failed_run(&mut built, &run_id(1), 0);
    let root = parse(&report(built.root(), &["--junit-file-attribute"]));
    let files: Vec<&str> = root.all("testcase").iter().map(|case| case.attribute("file")).collect();
    assert_eq!(files, ["", "", "src/parser.rs", ""]);
    let message = stderr(built.root(), &["--root", ".", "--once", "--junit-file-attribute"], 2);
    assert!(message.contains("it applies to junit"), "{message}");
}

#[test]
fn files_are_relative_to_the_workspace_of_the_ci_system() {
    let mut built = Built::new();
    failed_run(&mut built, &run_id(1), 0);
    // The commands ran in `/src`.
    for (workspace, expected) in [("/src", "src/parser.rs"), ("/other", "src/parser.rs")] {
        let mut command = rundown(built.root());
        command.args(["--root", ".", "--format", "junit", "--junit-file-attribute"]);
        let output = command.env("CI_PROJECT_DIR", workspace).output().unwrap();
        let root = parse(&String::from_utf8(output.stdout).unwrap());
        let file = root.all("testcase")[2].attribute("file").to_owned();
        assert_eq!(file, expected, "{workspace}");
    }
}

/// Returns the result of each test case: its class, name, result and message.
fn results(root: &Element) -> Vec<(String, String, String, String)> {
    let result = |case: &&Element| {
        let (class, name) = (case.attribute("classname"), case.attribute("name"));
        let result = case.children.first();
        let of = |text: fn(&Element) -> &str| result.map_or("", text).to_owned();
        let message = of(|result| result.attribute("message"));
        (class.to_owned(), name.to_owned(), of(|result| &result.name), message)
    };
    root.all("testcase").iter().map(result).collect()
}

#[test]
fn each_end_of_a_command_or_job_has_its_result() {
    let (mut built, run) = (Built::new(), run_id(1));
    let jobs = ["fails", "starts", "repeats", "bare", "empty", "skipped", "lost"];
    built.begin(&run, &jobs, 0);
    built.start(&run, "fails", 1, "a", 1);
    built.end(&run, "fails", 1, 3, 2);
    built.end_job(&run, "fails", JobEnd::Failed(3), 3);
    built.start(&run, "starts", 1, "b", 1);
    let why = "No such file or directory";
    built.finish(
        &run,
        "starts",
        1,
        &ShEnd { start_error: Some(why.into()), ..ShEnd::new(at(2), 127) },
    );
    built.end_job(&run, "starts", JobEnd::Failed(127), 3);
    for (n, exit_code) in [(1, 1), (2, 0)] {
        built.start_attempt(Some(n), &run, "repeats", n, "c", i64::from(n));
        built.end(&run, "repeats", n, exit_code, i64::from(n));
    }
    built.end_job(&run, "repeats", JobEnd::Complete, 3);
    built.start(&run, "bare", 1, "d", 1);
    built.end(&run, "bare", 1, 0, 2);
    built.end_job(&run, "bare", JobEnd::Failed(1), 3);
    built.end_job(&run, "skipped", JobEnd::Skipped, 3);
    built.start(&run, "lost", 1, "e", 1);
    built.kill_recorder(&run);
    let root = assert_valid(&report(built.root(), &[]));
    let found = results(&root);
    let found: Vec<[&str; 4]> = found.iter().map(|(a, b, c, d)| [&**a, b, c, d]).collect();
    let expected = [
        ["fails", "1 a", "failure", "exit 3"],
        ["starts", "1 b", "error", "could not be started: No such file or directory"],
        ["repeats", "1 c", "skipped", "failed without consequences: exit 1"],
        ["repeats", "2 c", "", ""],
        ["bare", "1 d", "", ""],
        ["bare", "bare", "error", "failed without a failed command: exit 1"],
        ["empty", "empty", "skipped", "skipped"],
        ["skipped", "skipped", "skipped", "skipped: one of fails, starts, bare failed"],
        ["lost", "1 e", "error", "interrupted: its end was not recorded"],
    ];
    assert_eq!(found, expected);
}

#[test]
fn only_a_whole_run_is_blamed_for_a_failure_without_a_failed_command() {
    let (mut built, run) = (Built::new(), run_id(1));
    built.begin(&run, &["a"], 0);
    built.start(&run, "a", 1, "true", 1);
    built.end(&run, "a", 1, 0, 2);
    built.end_job(&run, "a", JobEnd::Complete, 3);
    built.end_run(&run, RunEnd::Failed("pipeline-failure"), 4);
    let last = |args: &[&str]| results(&assert_valid(&report(built.root(), args))).pop().unwrap();
    let (class, name, result, message) = last(&[]);
    assert_eq!([&*class, &*name, &*result], ["run", "run", "error"]);
    assert_eq!(message, "the run failed: pipeline-failure");
    assert_eq!(last(&["--job", "a"]).0, "a");
    assert_eq!(last(&["--sh", "1"]).0, "a");
}

#[test]
fn reports_of_broken_stores_and_of_logs_are_valid() {
    for (name, runs) in [("quire-v2-broken", 14), ("quire-v11-broken", 9)] {
        let dir = store(name);
        for n in 0..runs {
            assert_valid(&report(dir.path(), &[&format!("latest~{n}")]));
        }
    }
    let dir = store("quire-v11-broken");
    assert_snapshot!("junit_b1100004", report(dir.path(), &["b1100004"]));
    let log = fixture("failures").join("rust-cascade.log");
    let root = assert_valid(&report(dir.path(), &[log.to_str().unwrap()]));
    assert_eq!((root.number("tests"), root.number("failures")), (1, 1));
}

#[test]
fn hostile_names_and_rows_are_text_of_a_valid_report() {
    let (mut built, run) = (Built::new(), run_id(1));
    // The first two names look the same.
    let jobs = ["a\u{1}", "a␁", "]]>&<x y='\"'>", "\u{202e}\u{ffff}"];
    built.begin(&run, &jobs, 0);
    let row =
        "error: ]]></failure><!-- &amp; \0\u{1}\x1b[31m\u{fffe}\u{85}\u{202e}\u{2028} \u{1f600}\n";
    for job in jobs {
        built.start(&run, job, 1, "make ]]>\u{8}\n&lt;", 1);
        built.print(&run, job, 1, 2, Stream::Stderr, row);
        built.print(&run, job, 1, 2, Stream::Stderr, "::error::x\n##vso[task.complete]\n");
        built.append(&run, job, 1, b"1970-01-01T00:00:00.002Z stderr F \xff\xfe error: invalid\n");
        built.end(&run, job, 1, 1, 3);
        built.end_job(&run, job, JobEnd::Failed(1), 4);
    }
    built.end_run(&run, RunEnd::Failed("job-failed"), 5);
    let xml = report(built.root(), &[]);
    let root = assert_valid(&xml);
    assert!(!xml.contains("##vso[") && !xml.contains("\n::"), "{xml}");
    let [first, ..] = root.all("failure")[..] else { panic!("{xml}") };
    assert!(first.attribute("message").starts_with("error: ]]></failure><!-- &amp; ␀␁"), "{xml}");
    assert!(first.text.contains("\n::error::x\n##vso[task.complete]"), "{}", first.text);
}

#[test]
fn a_row_and_a_log_of_any_length_make_a_short_report() {
    let (mut built, run) = (Built::new(), run_id(1));
    built.begin(&run, &["a"], 0);
    built.start(&run, "a", 1, "make", 1);
    let errors = "src/a.c:1:2: error: expected ';'\n".repeat(100_000);
    built.print(&run, "a", 1, 2, Stream::Stderr, &errors);
    let long = format!("src/b.c:1:2: error: {}\n", "x".repeat(1 << 20));
    built.print(&run, "a", 1, 3, Stream::Stderr, &long);
    built.end(&run, "a", 1, 1, 4);
    let xml = report(built.root(), &[]);
    assert_valid(&xml);
    assert!(xml.len() < 100_000, "{}", xml.len());
}
