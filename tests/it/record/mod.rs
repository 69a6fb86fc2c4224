//! The recorder as a library. The tests record real commands, and check the store with SQL and by
//! reading its logs.

mod command;
mod console;
mod output;
mod pipeline;
mod secrets;
mod signals;
mod store;
mod summary;
