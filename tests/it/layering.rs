//! Layers point one way: a module of `src/` or `src/tui/` imports only from rows above its own (the
//! tables in `ARCHITECTURE.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A directory whose modules are in rows.
struct Layers {
    /// The directory.
    dir: &'static str,
    /// The path of the directory in imports.
    path: &'static str,
    /// The rows from the top down. Modules of the same row do not import each other.
    rows: &'static [&'static [&'static str]],
    /// The files that connect all modules.
    roots: &'static [&'static str],
}

const CRATE: Layers = Layers {
    dir: "src",
    path: "crate::",
    rows: &[
        &["time"],
        &["ci", "error", "file", "http", "model", "cri", "sanitize"],
        &["s3"],
        &["log", "store", "events", "panics"],
        &["join", "search", "upkeep"],
        &["bundle", "display", "document"],
        &["remote"],
        &["catalog", "record"],
        &["doctor", "push"],
        &["dump", "tui"],
        &["demo"],
        &["cli"],
    ],
    roots: &["lib", "main"],
};

const TUI: Layers = Layers {
    dir: "src/tui",
    path: "crate::tui::",
    rows: &[
        &["copies", "keymap", "motion", "new_runs", "wait"],
        &["layout", "theme"],
        &["msg"],
        &["excerpt", "input", "prompt", "term", "watch"],
        &["at", "external", "widget", "worker"],
        &["help", "log", "runs", "tree"],
        &["model"],
        &["app", "view"],
        &["update"],
        &["session", "sim"],
    ],
    roots: &["mod"],
};

impl Layers {
    fn row_of(&self, module: &str) -> usize {
        let row = self.rows.iter().position(|row| row.contains(&module));
        row.unwrap_or_else(|| {
            panic!(
                "`{module}` of {} has no row: add it here and to the table in ARCHITECTURE.md",
                self.dir
            )
        })
    }

    /// Returns the modules that a source imports, also in `use crate::{x, y::z}`.
    fn imports(&self, source: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (at, _) in source.match_indices(self.path) {
            let rest = &source[at + self.path.len()..];
            match rest.strip_prefix('{') {
                Some(group) => {
                    let group = group.split(';').next().unwrap();
                    found.extend(group.split([',', '{', '}']).map(|item| word(item.trim())));
                }
                None => _ = found.insert(word(rest)),
            }
        }
        found.retain(|module| self.rows.iter().any(|row| row.contains(&module.as_str())));
        found
    }

    /// Panics if a module imports from its own row or from one below.
    fn check(&self) {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(self.dir);
        let mut files = Vec::new();
        sources(&dir, &mut files);
        assert!(files.len() > 20, "the sources were found");
        let mut wrong = Vec::new();
        for file in files {
            let relative = file.strip_prefix(&dir).unwrap();
            let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
            let module = first.trim_end_matches(".rs");
            if self.roots.contains(&module) {
                continue;
            }
            for import in self.imports(&code(&file)) {
                if import != module && self.row_of(&import) >= self.row_of(module) {
                    wrong.push(format!("{} imports {}{import}", relative.display(), self.path));
                }
            }
        }
        assert!(wrong.is_empty(), "imports that point up or sideways:\n{}", wrong.join("\n"));
    }
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Returns the first words of the outermost items of a path or group: of `{a::{b, c}, d}`, these
/// are `a` and `d`.
fn outer_words(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else { return vec![word(path)] };
    let mut depth = 0;
    let items = group.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    items.map(|item| word(item.trim())).collect()
}

/// Returns a source without comments and without its tests.
fn code(file: &Path) -> String {
    let source = fs::read_to_string(file).unwrap();
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path.file_stem().is_some_and(|stem| stem != "tests")
        {
            found.push(path);
        }
    }
}

#[test]
fn modules_import_only_from_rows_above_their_own() {
    CRATE.check();
    TUI.check();
}

/// Checks that the files of a directory of the screen do not import each other in a circle. A
/// parent may import its children, and a child its parent.
#[test]
fn files_of_the_screen_do_not_import_each_other_in_a_circle() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tui");
    let mut files = Vec::new();
    sources(&dir, &mut files);
    let name = |file: &Path| file.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut siblings: BTreeMap<PathBuf, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for file in &files {
        let source = code(file);
        let imports = source.match_indices("use super::").flat_map(|(at, path)| {
            outer_words(source[at + path.len()..].split(';').next().unwrap())
        });
        let parent = file.parent().unwrap().to_owned();
        siblings.entry(parent).or_default().insert(name(file), imports.collect());
    }
    assert!(siblings.len() > 5, "the directories were found");
    for (dir, mut files) in siblings {
        files.remove("mod");
        // Remove files that import no remaining file, until nothing changes.
        loop {
            let names: BTreeSet<String> = files.keys().cloned().collect();
            let before = files.len();
            files.retain(|_, imports| imports.iter().any(|import| names.contains(import)));
            if files.len() == before {
                break;
            }
        }
        assert!(files.is_empty(), "{} has a circle among {:?}", dir.display(), files.keys());
    }
}

#[test]
fn imports_of_every_form_are_found() {
    assert_eq!(outer_words("{a::{b, c}, d}"), ["a", "d"]);
    assert_eq!(outer_words("a::b"), ["a"]);
    let source = "use crate::cri::Record;\nuse crate::{log, store::Reader, display};\n\
                  let x = crate::time::Time::now();";
    let found: Vec<String> = CRATE.imports(source).into_iter().collect();
    assert_eq!(found, ["cri", "display", "log", "store", "time"]);
}
