//! Layers point one way: a module of `src/` imports only from rows above its own (the table
//! in `ARCHITECTURE.md`).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rows from the top down. Modules of the same row do not import each other.
const ROWS: &[&[&str]] = &[
    &["time"],
    &["ci", "error", "file", "model", "cri", "sanitize"],
    &["log", "store", "events", "panics"],
    &["join", "search"],
    &["display"],
    &["catalog", "record"],
    &["doctor"],
    &["dump", "tui"],
    &["demo"],
    &["cli"],
];

fn row_of(module: &str) -> usize {
    let row = ROWS.iter().position(|row| row.contains(&module));
    row.unwrap_or_else(|| {
        panic!("`{module}` has no row: add it to ROWS and to the table in ARCHITECTURE.md")
    })
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Returns the modules that a source names as `crate::x`, also in `use crate::{x, y::z}`.
fn imports(source: &str) -> BTreeSet<String> {
    let word = |text: &str| {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    let mut found = BTreeSet::new();
    for (at, _) in source.match_indices("crate::") {
        let rest = &source[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let group = group.split(';').next().unwrap();
                found.extend(group.split([',', '{', '}']).map(|item| word(item.trim())));
            }
            None => _ = found.insert(word(rest)),
        }
    }
    found.retain(|module| ROWS.iter().any(|row| row.contains(&module.as_str())));
    found
}

#[test]
fn modules_import_only_from_rows_above_their_own() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 20, "the sources were found");
    let mut wrong = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&src).unwrap();
        let module = relative
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs");
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let source = fs::read_to_string(&file).unwrap();
        let code: Vec<&str> =
            source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for import in imports(&code.join("\n")) {
            if import != module && row_of(&import) >= row_of(module) {
                wrong.push(format!("{} imports crate::{import}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that point up or sideways:\n{}", wrong.join("\n"));
}

/// A pane owns its state: its files do not depend on the whole screen.
#[test]
fn a_pane_does_not_import_the_screen() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tui/runs");
    let mut files = Vec::new();
    sources(&dir, &mut files);
    assert!(!files.is_empty(), "the sources were found");
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        for module in ["app", "model", "update", "view", "session", "worker"] {
            let import = format!("crate::tui::{module}");
            assert!(!source.contains(&import), "{} imports {import}", file.display());
        }
    }
}

#[test]
fn imports_of_every_form_are_found() {
    let source = "use crate::cri::Record;\nuse crate::{log, store::Reader, display};\n\
                  let x = crate::time::Time::now();";
    let found: Vec<String> = imports(source).into_iter().collect();
    assert_eq!(found, ["cri", "display", "log", "store", "time"]);
}
