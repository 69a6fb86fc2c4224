//! Reading runs, jobs and commands of any store.

/// A read-only view of a database.
pub struct Reader {}
