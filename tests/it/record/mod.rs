//! The recorder as a library: real commands, and a real store that SQL and the tests' code read.

mod command;
mod pipeline;
mod signals;
mod store;
