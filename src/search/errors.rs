//! Which rows tell of an error. A stand-in.

/// Every text that is an error contains at least one of these, case as written.
pub static LITERALS: &[&str] = &["error:", "FAILED"];

/// Whether a shown text tells of an error.
#[must_use]
pub fn is_error(text: &str) -> bool {
    LITERALS.iter().any(|literal| text.contains(literal))
}
