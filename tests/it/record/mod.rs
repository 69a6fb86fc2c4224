//! The recorder through its library: real commands, a real store, read back by other means than its
//! own.

mod command;
mod pipeline;
mod signals;
mod store;
