//! A probe of a server: whether it honors the conditions of writes.
//!
//! Some servers ignore `If-None-Match` and replace the object. Two recorders would then replace the
//! objects of each other, so such a server must not be written to.

use uuid::Uuid;

use super::{Body, Bucket, Condition, Put};
use crate::error::Result;

/// The start of the key of a probe. A random id follows.
const PROBE: &str = ".rundown-probe-";

impl Bucket {
    /// Returns true if the server honors [`Condition::IfAbsent`]. The first call creates an object
    /// with a random key, tries to create it again, and deletes it. Later calls return the same
    /// result without a request; if several threads call at first, each sends its own probe.
    ///
    /// If the object cannot be deleted, it remains, and the result is valid nevertheless: the
    /// credentials of a recorder may allow no deletion.
    ///
    /// # Errors
    /// If a write fails. The next call tries again.
    pub fn checks_conditions(&self) -> Result<bool> {
        if let Some(known) = self.honors_conditions.get() {
            return Ok(*known);
        }
        let key = format!("{PROBE}{}", Uuid::new_v4().simple());
        let write = || self.put(&key, Body::Bytes(b"probe"), Condition::IfAbsent);
        // The first write may find the object, too: a proxy can send a request twice.
        write()?;
        let second = write();
        // A failure is described above.
        let _ = self.delete(&key);
        let is_honored = second? == Put::Exists;
        Ok(*self.honors_conditions.get_or_init(|| is_honored))
    }
}
