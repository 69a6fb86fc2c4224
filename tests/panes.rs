//! The panes of runs and jobs and the header of a command at four sizes, through the headless loop on real stores.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::built::{Built, at, failed_run, passed_run, run_id};
use insta::assert_snapshot;
use jiff::tz::TimeZone;
use rundown::catalog::RunFilter;
use rundown::tui::sim::Sim;
use rundown::tui::{Options, Settings};

const TINY: (u16, u16) = (40, 10);
const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (120, 40);
const HUGE: (u16, u16) = (250, 70);

fn options() -> Options {
    Options {
        colour: true,
        ascii: false,
        time_zone: TimeZone::UTC,
        filter: RunFilter::default(),
        at: None,
        settings: Settings::default(),
    }
}

fn open(store: &Built, size: (u16, u16)) -> Sim {
    Sim::new(store.catalog(), None, options(), size, at(120_000))
}

/// An older run that passed and the newest, which failed.
fn two_runs() -> Built {
    let mut store = Built::new();
    passed_run(&mut store, &run_id(1), -3_600_000);
    failed_run(&mut store, &run_id(2), 0);
    store
}

#[test]
fn the_panes_fit_every_size() {
    let store = two_runs();
    for (name, size) in [("tiny", TINY), ("small", SMALL), ("large", LARGE), ("huge", HUGE)] {
        let mut sim = open(&store, size);
        assert_snapshot!(format!("log_{name}"), sim.screen());
        sim.keys("Tab");
        if name == "large" || name == "huge" {
            sim.keys("Tab");
        }
        assert_snapshot!(format!("tree_{name}"), sim.screen());
        assert_snapshot!(format!("runs_{name}"), sim.keys("r").screen());
    }
}
