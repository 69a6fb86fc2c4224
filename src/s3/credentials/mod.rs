//! Credentials from the sources that other AWS tools use, in their order.
//!
//! | source | configured by |
//! |---|---|
//! | environment | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` |
//! | profile | `AWS_PROFILE`; `~/.aws/config`, `~/.aws/credentials`: keys, a program, or a role |
//! | web identity | `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN` |
//! | container | `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`, `AWS_CONTAINER_CREDENTIALS_FULL_URI` |
//! | instance metadata | on by default; `AWS_EC2_METADATA_DISABLED=true` |
//!
//! A source that is not configured is skipped. One that is configured but fails ends the search, so
//! that no other identity is used by mistake. Credentials stay in memory and appear in no message.
//! Those that expire are loaded again five minutes before.

mod chain;
mod container;
mod environment;
mod fetch;
mod ini;
mod instance;
mod json;
mod process;
mod profile;
mod web_identity;

use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

use jiff::Timestamp;

pub(super) use chain::Chain;
pub(super) use profile::Profile;

/// The time before the end of credentials at which they are replaced.
const RENEWED_BEFORE: Duration = Duration::from_mins(5);

/// A result whose error is a reason for a message. It contains no secrets.
type Result<T> = std::result::Result<T, String>;

/// A key with its secret. The `Debug` output contains only the source.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    /// As in "credentials from …".
    source: String,
    key_id: String,
    secret: String,
    token: Option<String>,
    expires: Option<Timestamp>,
}

impl Credentials {
    pub fn new(source: &str, key_id: &str, secret: &str) -> Self {
        let (key_id, secret) = (key_id.to_owned(), secret.to_owned());
        Self { source: source.to_owned(), key_id, secret, token: None, expires: None }
    }

    pub fn with_token(mut self, token: Option<String>) -> Self {
        self.token = token.filter(|token| !token.is_empty());
        self
    }

    fn with_end(mut self, expires: Option<Timestamp>) -> Self {
        self.expires = expires;
        self
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    pub fn secret(&self) -> &str {
        &self.secret
    }

    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Returns true if the credentials are still valid after a time.
    fn lasts(&self, now: Timestamp, time: Duration) -> bool {
        let left = self.expires.map(|expires| expires.duration_since(now));
        left.is_none_or(|left| Duration::try_from(left).is_ok_and(|left| left > time))
    }
}

impl Debug for Credentials {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("source", &self.source).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_renewed_before_they_expire() {
        let now: Timestamp = "2026-01-02T03:00:00Z".parse().unwrap();
        let ends = |text: &str| {
            let end = Some(text.parse().unwrap());
            Credentials::new("a test", "k", "s").with_end(end).lasts(now, RENEWED_BEFORE)
        };
        assert!(ends("2026-01-02T03:05:01Z") && !ends("2026-01-02T03:05:00Z"));
        assert!(!ends("2025-01-02T03:05:00Z"), "in the past");
        assert!(Credentials::new("a test", "k", "s").lasts(now, RENEWED_BEFORE));
    }

    #[test]
    fn debug_output_has_no_secrets() {
        let credentials = Credentials::new("a test", "AKIDKEY", "SECRETKEY");
        let text = format!("{:?}", credentials.with_token(Some("TOKENTEXT".into())));
        assert_eq!(text, "Credentials { source: \"a test\", .. }");
    }
}
