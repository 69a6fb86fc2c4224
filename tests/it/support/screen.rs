//! The screen without a terminal.

use jiff::tz::TimeZone;
use rundown::catalog::{Catalog, RunFilter};
use rundown::tui::sim::Sim;
use rundown::tui::{Options, Settings};

use super::built::{Built, at};

pub const TINY: (u16, u16) = (40, 10);
pub const SMALL: (u16, u16) = (80, 24);
pub const LARGE: (u16, u16) = (120, 40);
pub const HUGE: (u16, u16) = (250, 70);

/// Returns the defaults: colors, Unicode, times in UTC, all runs.
pub fn options() -> Options {
    Options {
        color: true,
        ascii: false,
        time_zone: TimeZone::UTC,
        filter: RunFilter::default(),
        at: None,
        watch: false,
        settings: Settings::default(),
    }
}

/// Opens a store with the defaults, two minutes after its first run.
pub fn open(store: &Built, size: (u16, u16)) -> Sim {
    open_catalog(store.catalog(), size)
}

/// Opens a catalog with the defaults, two minutes after [`at`]`(0)`.
pub fn open_catalog(catalog: Catalog, size: (u16, u16)) -> Sim {
    Sim::new(catalog, None, options(), size, at(120_000))
}
