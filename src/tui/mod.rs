//! The terminal UI.
use crate::{catalog::Catalog, error::Result, join::RunHead, model::RunId};
/// O.
pub struct Options {
    /// c
    pub colour: bool,
    /// a
    pub ascii: bool,
    /// t
    pub time_zone: jiff::tz::TimeZone,
}
/// L.
pub struct Left {
    /// h
    pub head: Option<RunHead>,
}
/// R.
/// # Errors
/// none
pub fn run(_c: Catalog, _o: Option<RunId>, _x: Options) -> Result<Left> {
    Ok(Left { head: None })
}
