//! rundown: what is my CI doing, and why did it fail?
#![cfg_attr(not(test), allow(clippy::todo))]

pub mod catalog;
pub mod cri;
pub mod error;
pub mod join;
pub mod log;
pub mod model;
pub mod record;
pub mod sanitise;
pub mod store;
pub mod time;
pub mod tui;
pub mod words;
