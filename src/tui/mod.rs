//! The terminal UI.
pub mod keymap;
pub mod layout;
pub mod model;
pub mod msg;
pub mod theme;
pub mod update;
pub mod view;
pub mod widget;
