//! `events.jsonl`: the commands that may have a log are numbered without gaps, and a run that is
//! described only by its events is loaded and printed.

use std::collections::HashSet;
use std::fs;

use rundown::catalog::{Catalog, RunFilter};
use rundown::events::Events;
use rundown::model::Origin;

const RUN_DIR: &str = "runs/demo.git/0196a402-0002-7000-8000-0000b1100002";

/// Reads the input as the events of a run, alone and as part of a store.
pub fn events(data: &[u8]) {
    let mut events = Events::default();
    let mut lines = 0;
    for line in data.split(|byte| *byte == b'\n') {
        events.take(line);
        lines += 1;
        assert!(events.unknown_lines <= lines);
    }
    check_events(&events);
    let has_events = events.began_at.is_some();
    assert!(has_events || (events.jobs.is_empty() && events.ended.is_none()));
    check_store(data);
}

fn check_events(events: &Events) {
    let ids: HashSet<_> = events.jobs.iter().map(|(job, _)| job.id.as_str()).collect();
    assert_eq!(ids.len(), events.jobs.len());
    for (job, shs) in &events.jobs {
        assert_eq!(job.state.is_some(), job.finished_at.is_some());
        let numbers: Vec<u32> = shs.iter().filter_map(|sh| sh.n).collect();
        assert!(numbers.iter().copied().eq((1..).take(numbers.len())));
        for (place, sh) in shs.iter().enumerate() {
            assert_eq!(sh.exit_code.is_some(), sh.finished_at.is_some());
            assert_eq!(sh.n.is_none(), sh.origin == Origin::GivenUp);
            assert!(sh.finished_at.is_some() || sh.n.is_none() || place + 1 == shs.len());
        }
    }
}

fn check_store(data: &[u8]) {
    let dir = super::scratch();
    let run_dir = dir.path().join(RUN_DIR);
    fs::create_dir_all(run_dir.join("jobs/build")).unwrap();
    fs::write(run_dir.join("events.jsonl"), data).unwrap();
    let log = "2026-05-06T12:00:00.1Z stdout F hello\n";
    fs::write(run_dir.join("jobs/build/sh-1.log"), log).unwrap();
    let catalog = Catalog::of_store(dir.path(), None);
    let heads = catalog.runs(&RunFilter::default(), 10).unwrap().heads;
    assert_eq!(heads.len(), 1);
    let run = catalog.run(&heads[0].run.id).unwrap().unwrap();
    assert!(run.jobs.iter().any(|job| job.job.id.as_str() == "build"));
    super::assert_prints(&run);
}
