//! `--format markdown`, `html` and `trace`: documents for CI systems, browsers and Perfetto.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, OpenOptions};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use insta::assert_snapshot;
use rundown::cri::Stream;
use rundown::model::{JobId, RunDetails};
use rundown::store::{JobEnd, NewJob, RunEnd};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::built::{self, Built, run_id};
use crate::support::{json, rundown, stderr, stdout};

/// The largest summary that GitHub accepts.
const MIB: u64 = 1 << 20;

fn printed(dir: &Path, format: &str) -> String {
    stdout(dir, &["--root", ".", "--format", format], 0)
}

/// Makes a store whose run has hostile names and rows, and overlapping jobs and commands.
fn hostile() -> Built {
    let (mut store, run) = (Built::new(), run_id(1));
    let url = "https://ci.example.org/?a=1&b=<\"'>".to_owned();
    let details = RunDetails {
        name: Some("</title><script>alert(1)</script>".into()),
        subject: Some("@all fixes #1 | `x` \u{202e}".into()),
        author: Some("<img src=x onerror=alert(1)>".into()),
        url: Some(url),
        variables: vec![("<b>".into(), "\"'&".into())],
        ..RunDetails::default()
    };
    let names = ["a", "a-1", "a_1", "<b title='x\"y'>&", "|`@user #1", "causes"];
    let mut jobs: Vec<NewJob> = names.map(|name| NewJob::new(JobId(name.into()))).into();
    jobs[2].needs = vec![JobId("a".into()), JobId("a-1".into())];
    store.begin_with(&run, &details, &jobs, 0);
    for (at, job) in (0..).zip(names) {
        for n in 1..=2 {
            store.start(
                &run,
                job,
                n,
                "echo '</summary><b>' | `@user` && ls",
                10 + at * 20 + i64::from(n),
            );
        }
        for (row, text) in rows().into_iter().enumerate() {
            let stream = if row % 2 == 0 { Stream::Stdout } else { Stream::Stderr };
            store.print(&run, job, 1, 30 + at * 20, stream, &text);
        }
        store.append(&run, job, 2, b"2026-05-06T12:00:01Z stdout F \xff\xfe\x00\n<not a record>\n");
        store.end(&run, job, 1, 1, 100 + at * 20);
        store.end(&run, job, 2, 0, 130);
        store.end_job(&run, job, JobEnd::Failed(1), 140);
    }
    store.end_run(&run, RunEnd::Failed("command-failed"), 200);
    store
}

#[test]
fn each_row_of_several_causes_of_a_command_has_a_link_and_a_limited_length() {
    let (mut store, run) = (Built::new(), run_id(1));
    store.begin(&run, &["build"], 0);
    store.start(&run, "build", 1, "make", 10);
    for row in ["a.c:1:2: error: one", "b.c:3:4: error: two", "c.c:5:6: error: three"] {
        store.print(&run, "build", 1, 20, Stream::Stderr, &format!("{row}\n"));
    }
    store.print(&run, "build", 1, 20, Stream::Stderr, &("x".repeat(50_000) + "\n"));
    store.end(&run, "build", 1, 2, 30);
    store.end_job(&run, "build", JobEnd::Failed(2), 40);
    store.end_run(&run, RunEnd::Failed("command-failed"), 50);
    let page = printed(store.root(), "html");
    let (_, card) = page.split_once("class=\"card\"").unwrap();
    let (card, _) = card.split_once("</article>").unwrap();
    assert_eq!(
        (card.matches("<a></a>").count(), card.matches("href=\"#build-1-2\"").count()),
        (0, 3)
    );
    assert!(card.contains("more</em>") && card.len() < 20_000, "{}", card.len());
}

fn rows() -> Vec<String> {
    let mut rows: Vec<String> = [3, 4, 50, 100].map(|ticks| "`".repeat(ticks) + "\n").into();
    rows.extend(
        ["~~~~\n", "</details></details>\n", "<script>alert(1)</script>\n", "]]>\n"]
            .map(String::from),
    );
    rows.push("\x1b[1;31mred\x1b[0m \x1b[38;5;208;48;2;1;2;3mmixed\x1b[0m \x1b[2J\x07\n".into());
    rows.push("\x1b]8;;https://example.org/?a=\"&b=<\x1b\\link\x1b]8;;\x1b\\\n".into());
    rows.push("a\u{202e}b \0 &amp; <U+202E>\n".into());
    rows.push("::error file=x::y ##[error]z @user #12 www.example.org\n".into());
    rows.push("src/a.rs:3:5: error: no such file ``` </summary>\n".into());
    rows.push(format!("{}\n", "<long>".repeat(40_000)));
    rows
}

/// Returns the tags of a page as their names and attributes. Panics if the page is not as plain as
/// rundown writes it: quoted attributes, and `<`, `>` and quotes only in tags.
fn tags(page: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut tags = Vec::new();
    let mut rest = page.strip_prefix("<!doctype html>").unwrap();
    while let Some(at) = rest.find('<') {
        assert!(!rest[..at].contains(['>', '"', '\'']), "{}", &rest[..at]);
        let end = rest.find('>').unwrap();
        let (name, mut attributes) =
            rest[at + 1..end].split_once(' ').unwrap_or((&rest[at + 1..end], ""));
        let mut found = BTreeMap::new();
        while !attributes.trim().is_empty() {
            let text = attributes.trim_start();
            let Some((key, value)) = text.split_once("=\"") else {
                assert!(["open", "hidden", "checked"].contains(&text), "{text}");
                found.insert(text.to_owned(), String::new());
                break;
            };
            let (value, after) = value.split_once('"').unwrap();
            found.insert(key.to_owned(), value.to_owned());
            attributes = after;
        }
        tags.push((name.to_owned(), found));
        rest = &rest[end + 1..];
        // The stylesheet and the script are not foreign.
        if let "style" | "script" = name {
            rest = &rest[rest.find(&format!("</{name}>")).unwrap()..];
        }
    }
    tags
}

/// Tests that a page is plain, and that ids are unique and links to rows lead somewhere.
fn assert_page(page: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let tags = tags(page);
    let known = [
        "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "dl", "div",
        "dt", "dd", "label", "input", "output", "button", "main", "section", "article", "details",
        "summary", "span", "code", "p", "a", "i", "em", "ul", "li", "script",
    ];
    let (mut open, mut ids) = (Vec::new(), HashSet::new());
    for (name, attributes) in &tags {
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop().as_deref(), Some(name)),
            None if ["meta", "input"].contains(&name.as_str()) => {}
            None => open.push(name.clone()),
        }
        assert!(known.contains(&name.trim_start_matches('/')), "{name}");
        assert!(
            attributes.keys().all(|key| !key.starts_with("on") && key != "style" && key != "src")
        );
        let id = attributes.get("id");
        assert!(id.is_none_or(|id| ids.insert(id.clone())), "{id:?} is not unique");
    }
    assert!(open.is_empty(), "{open:?}");
    for (_, attributes) in &tags {
        if let Some(target) = attributes.get("href").and_then(|href| href.strip_prefix('#')) {
            assert!(ids.contains(target), "{target}");
        }
    }
    tags
}

#[test]
fn a_hostile_run_is_a_safe_page() {
    let store = hostile();
    let page = printed(store.root(), "html");
    let tags = assert_page(&page);
    assert_eq!(tags.iter().filter(|(name, _)| name == "script").count(), 1);
    let classes: BTreeSet<&str> =
        tags.iter().filter_map(|(_, attributes)| Some(attributes.get("class")?.as_str())).collect();
    for class in ["b f1 p1", "k f208 m g16", "e", "x", "c"] {
        assert!(classes.contains(class), "{class}: {classes:?}");
    }
    assert!(
        page.contains("title=\"https://example.org/?a=&#34;&#38;b=&#60;\""),
        "the link of a row"
    );
    let harmless = |found: char| found == '\n' || rundown::sanitize::is_harmless(found);
    assert!(page.chars().all(harmless), "{:?}", page.chars().find(|found| !harmless(*found)));
}

/// A CI system breaks commands in text. The policy must still match.
#[test]
fn the_policy_of_a_page_allows_its_own_script_and_stylesheet_only() {
    let store = hostile();
    let mut command = rundown(store.root());
    for system in ["CI", "GITHUB_ACTIONS", "TF_BUILD", "GITLAB_CI", "BUILDKITE", "TRAVIS"] {
        command.env(system, "true");
    }
    let output = command.args(["--root", ".", "--format", "html"]).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    assert_page(&page);
    let hash = |name: &str| {
        let start = page.find(&format!("<{name}>")).unwrap() + name.len() + 2;
        let end = start + page[start..].find(&format!("</{name}>")).unwrap();
        format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(&page[start..end])))
    };
    let policy = format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash("style"),
        hash("script")
    );
    assert!(page.contains(&policy), "{policy}");
}

#[test]
fn a_page_shows_the_run() {
    let store = built::two_runs();
    let page = printed(store.root(), "html");
    assert_page(&page);
    let body = &page[page.find("<body>").unwrap()..page.find("<script>").unwrap()];
    assert_snapshot!("page", body);
}

#[test]
fn the_options_for_rows_apply_to_a_page() {
    let store = built::two_runs();
    let rows = |args: &[&str]| {
        let args = [&["--root", ".", "--format", "html"], args].concat();
        let page = stdout(store.root(), &args, 0);
        (page.matches("<p id=").count(), page)
    };
    let (all, page) = rows(&[]);
    assert!(page.contains("<input type=\"checkbox\" id=\"times\">"));
    let (stderr, _) = rows(&["--stream", "stderr"]);
    assert!(stderr > 0 && stderr < all);
    assert_eq!(rows(&["--grep", "case_17"]).0, 3);
    let (_, page) = rows(&["--sh", "2", "--tail", "1"]);
    assert!(
        page.contains("left out; to read them: <code>rundown 00000002 --once --job test --sh 2")
    );
    assert!(page.contains("<dt>Rows</dt><dd>the last 1 row of each log</dd>"));
    let (_, page) = rows(&["-t", "relative"]);
    assert!(page.contains("id=\"times\" checked>") && page.contains("<i>+0.490s </i>"));
    let (_, page) = rows(&["--failed"]);
    assert!(!page.contains("id=\"build\"") && page.contains("id=\"test-2\""));
}

/// Markup takes more space in a page than in the log.
#[test]
fn a_large_log_is_cut_around_its_cause() {
    let dir = TempDir::new().unwrap();
    let rows = |text: &str| format!("{}\n", text.repeat(200)).repeat(10_000);
    let log = format!("{}error: no such file\n{}", rows("<"), rows(">"));
    fs::write(dir.path().join("x.log"), log).unwrap();
    let page = stdout(dir.path(), &["./x.log", "--format", "html"], 0);
    assert!(page.len() < 18 << 20, "{}", page.len());
    assert_eq!(page.matches("class=\"gap\"").count(), 2);
    assert!(page.contains("rows (") && page.contains("left out"));
    for row in [1, 10_001, 20_001] {
        assert!(page.contains(&format!("<p id=\"job-1-{row}\"")), "{row}");
    }
    assert!(page.matches("<p id=").count() > 10_000);
}

#[test]
fn a_page_of_many_logs_has_unique_ids_and_names_what_it_leaves_out() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("logs")).unwrap();
    for n in 1..=500 {
        let log = "2026-01-02T03:04:05Z stdout F text\n";
        fs::write(dir.path().join(format!("logs/sh-{n}.log")), log).unwrap();
    }
    let page = stdout(dir.path(), &["logs/", "--format", "html"], 0);
    assert_page(&page);
    assert_eq!(page.matches("<details class=\"sh\"").count(), 500);
}

#[test]
fn a_summary_has_the_jobs_and_the_causes() {
    let store = built::two_runs();
    assert_snapshot!("summary", printed(store.root(), "markdown"));
}

#[test]
fn foreign_text_in_a_summary_is_in_code_only() {
    let store = hostile();
    let summary = printed(store.root(), "markdown");
    let mut fence: Option<String> = None;
    let mut fences = 0;
    for line in summary.lines() {
        match &fence {
            Some(end) if line == end => fence = None,
            Some(end) => assert!(!line.trim().starts_with(end.as_str()), "{line}"),
            None if line.starts_with("```") => {
                fences += 1;
                fence = Some(line.trim_end_matches("text").to_owned());
            }
            None => {
                let parts: Vec<&str> = line.split("<code>").collect();
                for (at, part) in parts.iter().enumerate() {
                    let (code, plain) = part.split_once("</code>").unwrap_or(("", part));
                    assert!(at == 0 || !code.contains(['<', '>', '|', '@', '`', '*', '_', ':']));
                    assert!(!plain.contains(['@', '`', '\'']), "{line}");
                }
            }
        }
    }
    assert!(fence.is_none() && fences >= 6, "{fences}");
    assert_eq!(summary.matches("<details").count(), summary.matches("\n</details>\n").count());
}

/// Makes a directory of logs with a failure each, more than fit into a summary.
fn many_failures() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("logs")).unwrap();
    let log = format!("{}error: no such file\n", format!("{}\n", "x".repeat(490)).repeat(9));
    for n in 1..=300 {
        fs::write(dir.path().join(format!("logs/sh-{n}.log")), &log).unwrap();
    }
    dir
}

#[test]
fn a_summary_fits_into_the_rest_of_the_file() {
    let dir = many_failures();
    let file = dir.path().join("summary.md");
    for (before, is_written) in [
        (0, true),
        (1, true),
        (600 << 10, true),
        (MIB - 300, true),
        (MIB - 40, false),
        (MIB, false),
        (2 * MIB, false),
    ] {
        fs::write(&file, vec![b'x'; usize::try_from(before).unwrap()]).unwrap();
        let out = OpenOptions::new().append(true).open(&file).unwrap();
        let output = rundown(dir.path())
            .args(["logs/", "--format", "markdown"])
            .stdout(out)
            .output()
            .unwrap();
        let notice = String::from_utf8(output.stderr).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let after = text.len() as u64;
        assert!(output.status.success() && notice.contains("left out"), "{before}: {notice}");
        assert_eq!(after > before, is_written, "{before}");
        assert!(after <= MIB.max(before), "{before}: {after}");
        assert_eq!(text.contains("> Left out for lack of space: "), is_written, "{before}");
        if before < MIB - 10_000 {
            assert!(after > MIB - 10_000, "{before}: the space is used: {after}");
        }
    }
    let small = ["logs/", "--format", "markdown", "--max-bytes", "7000"];
    let summary = stdout(dir.path(), &small, 0);
    assert!(summary.len() <= 7_000 && summary.contains("error&#58; no such file"), "{summary}");
    assert!(stderr(dir.path(), &small, 0).contains("left out 299 failed commands"));
}

/// A bar of a trace: its track, start and end in microseconds, category and name.
type Bar = (u64, i64, i64, String, String);

fn bars(trace: &Value) -> Vec<Bar> {
    let events = trace["traceEvents"].as_array().unwrap();
    let bars = events.iter().filter(|event| event["ph"] == "X").map(|event| {
        let number = |key: &str| event[key].as_i64().unwrap();
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        let tid = event["tid"].as_u64().unwrap();
        (tid, number("ts"), number("ts") + number("dur"), text("cat"), text("name"))
    });
    bars.collect()
}

/// Tests that the bars of each track are nested or apart.
fn assert_nested(bars: &[Bar]) {
    for (at, one) in bars.iter().enumerate() {
        for other in bars[at + 1..].iter().filter(|other| other.0 == one.0) {
            let is_apart = other.1 >= one.2 || one.1 >= other.2;
            let is_within = one.1 <= other.1 && other.2 <= one.2;
            let is_around = other.1 <= one.1 && one.2 <= other.2;
            assert!(is_apart || is_within || is_around, "{one:?} {other:?}");
        }
    }
}

#[test]
fn the_bars_of_a_trace_are_nested_and_its_arrows_begin_and_end_in_bars() {
    let store = hostile();
    let trace = json(store.root(), &["--root", ".", "--format", "trace"], 0);
    let bars = bars(&trace);
    assert_nested(&bars);
    let commands = bars.iter().filter(|bar| bar.3 == "command").count();
    assert_eq!((commands, bars.iter().filter(|bar| bar.3 == "job").count()), (12, 6));
    let events = trace["traceEvents"].as_array().unwrap();
    let names = events.iter().filter(|event| event["name"] == "thread_name");
    let tracks: BTreeSet<u64> = names.map(|event| event["tid"].as_u64().unwrap()).collect();
    assert!(bars.iter().all(|bar| tracks.contains(&bar.0)));
    let mut arrows = 0;
    for event in events.iter().filter(|event| event["cat"] == "needs") {
        let (tid, ts) = (event["tid"].as_u64().unwrap(), event["ts"].as_i64().unwrap());
        let is_in_job = |bar: &&Bar| bar.3 == "job" && bar.0 == tid && bar.1 <= ts && ts < bar.2;
        assert!(bars.iter().any(|bar| is_in_job(&bar)), "{event}");
        arrows += usize::from(event["ph"] == "f");
    }
    assert_eq!(arrows, 2);
    assert_eq!(events.iter().filter(|event| event["cat"] == "cause").count(), 6);
    assert_eq!(printed(store.root(), "trace"), printed(store.root(), "trace"));
}

#[test]
fn a_trace_closes_what_has_no_end() {
    let store = built::running();
    let trace = json(store.root(), &["--root", ".", "--format", "trace"], 0);
    let open: Vec<&Value> = trace["traceEvents"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["args"]["unfinished"] == true)
        .collect();
    let found: Vec<_> =
        open.iter().map(|event| (event["cat"].as_str().unwrap(), event["dur"].as_i64())).collect();
    // The last known time is that of the only row.
    assert_eq!(found, [("run", Some(20_000)), ("job", Some(10_000)), ("command", Some(10_000))]);
}

#[test]
fn a_trace_has_the_jobs_and_commands() {
    let store = built::two_runs();
    assert_snapshot!("trace", printed(store.root(), "trace"));
}

#[test]
fn the_selection_applies_to_summaries_and_traces() {
    let store = built::two_runs();
    for format in ["markdown", "trace"] {
        let printed = |args: &[&str]| {
            stdout(store.root(), &[&["--root", ".", "--format", format], args].concat(), 0)
        };
        assert!(printed(&[]).contains("build"));
        for args in [["--job", "test"], ["--sh", "2"]] {
            assert!(!printed(&args).contains("build"), "{format} {args:?}");
        }
        assert!(!printed(&["--failed"]).contains("cargo fmt"), "{format}");
    }
}
