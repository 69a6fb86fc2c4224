//! What the README says of keys is what the table of keys says. `UPDATE_README=1 cargo test --test readme` writes it anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use rundown::tui::keymap::markdown;

const BEGIN: &str = "<!-- keys -->\n";
const END: &str = "<!-- /keys -->";

#[test]
fn the_readme_lists_the_keys_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (listed, after) = rest.split_once(END).unwrap();
    let wanted = format!("\n{}\n", markdown());
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(path, [before, BEGIN, &wanted, END, after].concat()).unwrap();
        return;
    }
    assert!(
        listed == wanted,
        "the keys in README.md are not those of the table: UPDATE_README=1 cargo test --test readme"
    );
}
