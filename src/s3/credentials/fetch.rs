//! Requests for credentials.

use std::thread;
use std::time::Duration;

use ureq::Agent;

use super::Result;
use crate::http::{self, Backoff};
use crate::s3::exchange::{self, Answer, Limits, Outgoing};

/// The first wait before a repetition.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// The statuses of a service that is temporarily unavailable.
const TEMPORARY: [u16; 5] = [429, 500, 502, 503, 504];

/// The limits for a service on the network of the machine, which never needs a proxy.
pub(super) const LOCAL: Limits = Limits {
    silence: Duration::from_secs(1),
    total: Duration::from_secs(3),
    bytes: 64 << 10,
    may_use_proxy: false,
};

/// The limits for a service on the internet.
pub(super) const REMOTE: Limits = Limits {
    silence: Duration::from_secs(5),
    total: Duration::from_secs(15),
    bytes: 64 << 10,
    may_use_proxy: true,
};

/// Sends a request, and repeats it if the service is temporarily unavailable. A service that does
/// not answer in time gets no second request.
///
/// # Errors
/// Returns the failure of the connection.
pub(super) fn send(
    agent: &Agent,
    outgoing: &Outgoing<'_>,
    limits: Limits,
) -> std::result::Result<Answer, http::Failure> {
    let mut backoff = Backoff::new(FIRST_WAIT, limits.total);
    loop {
        let limits = Limits { total: backoff.left(), ..limits };
        let answer = exchange::send(agent, outgoing, limits);
        let is_temporary = match &answer {
            Ok(answer) => TEMPORARY.contains(&answer.status.as_u16()),
            Err(failure) => failure.is_broken,
        };
        match backoff.next_wait(None).filter(|_| is_temporary) {
            Some(wait) => thread::sleep(wait),
            None => return answer,
        }
    }
}

/// Sends a request as [`send`] does, and returns the body of a successful answer.
///
/// # Errors
/// Returns the reason, with the name of the service.
pub(super) fn body(
    agent: &Agent,
    outgoing: &Outgoing<'_>,
    limits: Limits,
    service: &str,
) -> Result<Vec<u8>> {
    let answer = send(agent, outgoing, limits)
        .map_err(|failure| format!("{service} gave no credentials: {}", failure.why))?;
    if answer.status.is_success() {
        Ok(answer.body)
    } else {
        Err(format!("{service} gave no credentials: it answered {}", answer.status))
    }
}
