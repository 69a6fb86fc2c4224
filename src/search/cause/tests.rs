use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::file::FilePath;

#[test]
#[ignore = "prints"]
fn look() {
    let dir = std::env::var("LOOK")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/failures"), PathBuf::from);
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "log"))
        .collect();
    files.sort();
    let (mut good, mut all) = (0, 0);
    for path in files {
        let log = LogFile::open(&FilePath::named(&path)).unwrap();
        let exit = fs::read_to_string(path.with_extension("exit")).ok().and_then(|s| s.trim().parse().ok());
        let begun = std::time::Instant::now();
        let cause = find_cause(&log, exit, Tail::Emit).unwrap();
        let took = begun.elapsed();
        let text = |row: &Row| plain(&row.text, Progress::Last).into_owned();
        let label = fs::read_to_string(path.with_extension("cause")).ok();
        let mut mark = "    ".to_owned();
        if let Some(label) = &label {
            all += 1;
            let hit = label.lines().any(|l| cause.rows.iter().any(|row| text(row).contains(l)));
            let at = label
                .lines()
                .any(|l| cause.rows.iter().any(|row| Some(row.offset) == cause.at && text(row).contains(l)));
            good += usize::from(hit);
            mark = format!("{}{}", if hit { "ok " } else { "MISS " }, if at { "" } else { "(not at) " });
        }
        eprintln!(
            "{mark}=== {} exit {exit:?} rule {:?} {took:?}",
            path.file_stem().unwrap().to_str().unwrap(),
            cause.rule
        );
        if std::env::var("BRIEF").is_ok_and(|v| v.is_empty()) || mark.contains("MISS") || mark.contains("not at") {
            for row in &cause.rows {
                let text: String = text(row).chars().take(110).collect();
                eprintln!("  {} {text}", if Some(row.offset) == cause.at { ">" } else { " " });
            }
        }
    }
    eprintln!("{good} of {all}");
}
