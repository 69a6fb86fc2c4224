//! What the README shows is what rundown shows: its screens, of runs that were recorded, and the
//! keys of the table. `UPDATE_README=1 cargo test --test it readme` writes them anew.

use std::fs;
use std::path::Path;

use jiff::tz::TimeZone;
use rundown::catalog::{Catalog, RunFilter};
use rundown::store::Writer;
use rundown::time::Time;
use rundown::tui::keymap::markdown;
use rundown::tui::sim::Sim;
use rundown::tui::{Options, Settings};
use tempfile::TempDir;

use crate::support::{copy_tree, fixture};

/// Two minutes after the end of the newest run.
const NOW: Time = Time::from_millis(1_795_482_378_030);

/// A screen of the README: its name, its size, and the keys that lead to it from the start.
const SCREENS: &[(&str, (u16, u16), &str)] =
    &[("landing", (100, 28), ""), ("scroll", (80, 20), "Shift-Tab g Enter j j z a g")];

/// The store of a small C project: a run that passed, and the next one, which failed.
fn recorded() -> TempDir {
    let dir = TempDir::new().unwrap();
    let (from, db) = (fixture("stores/tally"), dir.path().join("rundown.db"));
    copy_tree(&from.join("runs"), &dir.path().join("runs"));
    drop(Writer::open(&db).unwrap());
    let sql = fs::read_to_string(from.join("rundown.sql")).unwrap();
    rusqlite::Connection::open(db).unwrap().execute_batch(&sql).unwrap();
    dir
}

fn screen(root: &Path, size: (u16, u16), keys: &str) -> String {
    let options = Options {
        color: true,
        ascii: false,
        time_zone: TimeZone::UTC,
        filter: RunFilter::default(),
        at: None,
        settings: Settings::default(),
    };
    let mut sim = Sim::new(Catalog::of_store(root, None), None, options, size, NOW);
    format!("```text\n{}```", sim.keys(keys).screen())
}

/// A text with what stands between two marks replaced.
fn replaced(text: &str, begin: &str, end: &str, by: &str) -> String {
    let (before, rest) =
        text.split_once(begin).unwrap_or_else(|| panic!("no {begin} in README.md"));
    let (_, after) = rest.split_once(end).unwrap();
    format!("{before}{begin}\n\n{by}\n\n{end}{after}")
}

#[test]
fn the_readme_shows_the_screens_and_the_keys_as_they_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let store = recorded();
    let mut wanted = replaced(&readme, "<!-- keys -->", "<!-- /keys -->", markdown().trim_end());
    for (name, size, keys) in SCREENS {
        let shown = screen(store.path(), *size, keys);
        wanted = replaced(&wanted, &format!("<!-- screen: {name} -->"), "<!-- /screen -->", &shown);
    }
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(path, wanted).unwrap();
        return;
    }
    let told = readme.lines().zip(wanted.lines()).find(|(is, should)| is != should);
    assert!(
        readme == wanted,
        "README.md is not as it should be: UPDATE_README=1 cargo test --test it readme\n{told:#?}"
    );
}
