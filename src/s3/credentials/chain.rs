//! The search for credentials, and those that were found last.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use ureq::Agent;

use super::{Credentials, RENEWED_BEFORE, Result};
use super::{container, environment, instance, profile, web_identity};
use crate::s3::Variables;

/// The circumstances of a search.
pub(super) struct Context {
    pub variables: Variables,
    pub region: String,
    pub agent: Agent,
}

/// A source. Returns `None` if it is not configured.
type Source = fn(&Context) -> Result<Option<Credentials>>;

/// The sources in their order.
const SOURCES: [Source; 5] =
    [environment::load, profile::load, web_identity::load, container::load, instance::load];

/// The sources of credentials, shared by threads.
pub(in crate::s3) struct Chain {
    context: Context,
    found: Mutex<Option<Arc<Credentials>>>,
}

impl Chain {
    pub fn new(variables: Variables, region: String, agent: Agent) -> Self {
        Self { context: Context { variables, region, agent }, found: Mutex::new(None) }
    }

    /// Returns valid credentials. Loads them at first, and before they expire. If that fails, those
    /// that are still valid are used.
    pub fn current(&self) -> Result<Arc<Credentials>> {
        let now = Timestamp::now();
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match found {
            Some(found) if found.lasts(now, RENEWED_BEFORE) => Ok(found),
            // The lock is not held: a slow source does not stop other threads from ending.
            found => match self.load() {
                Ok(loaded) => Ok(loaded),
                Err(why) => found.filter(|found| found.lasts(now, Duration::ZERO)).ok_or(why),
            },
        }
    }

    /// Replaces credentials that the server rejects as expired. Returns false if their source still
    /// has the same ones.
    pub fn renew(&self, expired: &Credentials) -> Result<bool> {
        Ok(*self.load()? != *expired)
    }

    fn load(&self) -> Result<Arc<Credentials>> {
        for source in SOURCES {
            if let Some(loaded) = source(&self.context)? {
                let loaded = Arc::new(loaded);
                let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
                *found = Some(Arc::clone(&loaded));
                return Ok(loaded);
            }
        }
        Err(not_found(&self.context.variables))
    }
}

/// Describes a search without a result.
fn not_found(variables: &Variables) -> String {
    let instance = if instance::is_disabled(variables) {
        "the instance metadata (disabled)"
    } else {
        "the instance metadata (no answer)"
    };
    format!(
        "no credentials were found in the environment, {}, a web identity, a container or \
         {instance}\n\
         set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
        profile::shown(variables)
    )
}
