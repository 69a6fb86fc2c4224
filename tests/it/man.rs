//! Manual pages.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{run, stderr, stdout};

#[test]
fn all_pages_are_written_and_are_the_printed_ones() {
    let dir = TempDir::new().unwrap();
    let notice = stderr(dir.path(), &["man", "--dir", "new/man1"], 0);
    assert_eq!(notice, "rundown: wrote 18 pages to new/man1\n");
    let pages = dir.path().join("new/man1");
    assert_eq!(fs::read_dir(&pages).unwrap().count(), 18);
    let written = |name: &str| fs::read_to_string(pages.join(name)).unwrap();
    assert_eq!(stdout(dir.path(), &["man"], 0), written("rundown.1"));
    assert_eq!(stdout(dir.path(), &["man", "list"], 0), written("rundown-list.1"));
    for (command, lint) in
        [("mandoc", &["-T", "lint", "-W", "warning"][..]), ("groff", &["-man", "-ww", "-z"])]
    {
        for page in fs::read_dir(&pages).unwrap() {
            let page = page.unwrap().path();
            let Ok(checked) = Command::new(command).args(lint).arg(&page).output() else { break };
            let found = [checked.stdout, checked.stderr].concat();
            assert_eq!(String::from_utf8_lossy(&found), "", "{command} {}", page.display());
        }
    }
}

#[test]
fn an_unknown_page_and_a_directory_that_cannot_be_made_are_errors() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    assert_eq!(run(dir.path(), &["man", "bogus"]).status.code(), Some(2));
    assert_eq!(run(dir.path(), &["man", "list", "--dir", "x"]).status.code(), Some(2));
    let error = stderr(dir.path(), &["man", "--dir", "file/man1"], 6);
    assert!(error.starts_with("rundown: cannot create file/man1: "), "{error}");
}
