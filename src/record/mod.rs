//! The recorder.

mod child;
mod sink;
mod stop;

pub use sink::{Sink, Tee};
pub use stop::Stop;
