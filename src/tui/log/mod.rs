//! The log's pane: the loaded rows, requests for more, and moves, folds and searches in them.
//!
//! The functions change only [`Log`]. They return requests, and events for other panes, as
//! [`super::msg::Events`]. All is pure.

mod answers;
mod find;
mod folds;
mod moves;
mod open;
mod options;
mod parts;
mod request;
mod rows;
mod state;
mod viewport;

pub use options::{SLOW_MS, SLOW_PERCENT, Times, ViewOptions, slow_ms};
pub use rows::{Columns, Heading, LogRows, Stamps};
pub use state::{Aim, Card, FoldState, Frame, Log, Pending, Request, Shown};
pub use viewport::{Line, Viewport};
