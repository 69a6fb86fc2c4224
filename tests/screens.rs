//! What the screen shows and what keys do, through the headless loop on real stores.

mod common;

use common::built::{Built, at, failed_run, passed_run, run_id};
use insta::assert_snapshot;
use jiff::tz::TimeZone;
use rundown::catalog::RunFilter;
use rundown::cri::Stream;
use rundown::model::RunId;
use rundown::store::{JobEnd, RunEnd};
use rundown::tui::Options;
use rundown::tui::layout::Pane;
use rundown::tui::msg::{Effect, Mouse, Msg};
use rundown::tui::sim::Sim;

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (120, 40);
const TINY: (u16, u16) = (40, 10);

fn options() -> Options {
    Options { colour: true, ascii: false, time_zone: TimeZone::UTC, filter: RunFilter::default() }
}

fn open(store: &Built, run: Option<RunId>, size: (u16, u16)) -> Sim {
    Sim::new(store.catalog(), run, options(), size, at(120_000))
}

/// An older run that passed and the newest, which failed.
fn two_runs() -> Built {
    let mut store = Built::new();
    passed_run(&mut store, &run_id(1), -3_600_000);
    failed_run(&mut store, &run_id(2), 0);
    store
}

#[test]
fn dump() {
    let store = two_runs();
    for size in [SMALL, LARGE, TINY] {
        let mut sim = open(&store, None, size);
        println!("{}", sim.screen());
        println!("{}", sim.keys("r").screen());
        println!("{}", sim.keys("Esc ?").screen());
    }
    println!("{}", open(&store, None, SMALL).styles());
}
