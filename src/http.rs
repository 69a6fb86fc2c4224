//! HTTP clients: the connections, the reasons for failures, and the waits between repetitions.
//!
//! Redirects are not followed: they would send the headers, which may contain a key, to another
//! server. A status is an answer, not an error.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use rustls::InvalidMessage;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// A request that got no complete answer.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The reason, and a remedy if there is one.
    pub why: String,
    /// True if no answer came in time.
    pub is_timeout: bool,
    /// True if the connection broke, so that a repetition may succeed.
    pub is_broken: bool,
}

/// The time that is left for a request and its repetitions.
pub(crate) struct Backoff {
    started: Instant,
    deadline: Instant,
    wait: Duration,
}

/// Creates a client with a pool of connections. The certificates are those of the system, and
/// proxies are those of the environment.
pub(crate) fn agent() -> Agent {
    // Fails only if the process has a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("rundown/", env!("CARGO_PKG_VERSION")))
        .build();
    Agent::new_with_config(config)
}

impl Failure {
    /// Describes an error of the client.
    pub fn of(error: &ureq::Error) -> Self {
        let (why, is_broken) = match error {
            ureq::Error::Timeout(_) => ("no answer in time".to_owned(), false),
            ureq::Error::HostNotFound => ("the host is unknown".to_owned(), false),
            ureq::Error::Io(error) if is_without_tls(error) => {
                let help = "for a server without TLS, use an address with http://";
                (format!("the server does not use TLS\n{help}"), false)
            }
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                let help = "for a certificate of your own, set SSL_CERT_FILE";
                (format!("the connection is not secure: {error}\n{help}"), false)
            }
            ureq::Error::Io(error) => (error.to_string(), true),
            ureq::Error::ConnectionFailed => ("the connection failed".to_owned(), true),
            error => (error.to_string(), false),
        };
        Self { why, is_timeout: matches!(error, ureq::Error::Timeout(_)), is_broken }
    }
}

/// Returns true if a server does not answer in the format of TLS.
fn is_without_tls(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    inner == Some(&rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType))
}

impl Backoff {
    /// Begins a request that may be repeated until `timeout` has passed. Each wait is twice as long
    /// as the one before; the first one is `wait`.
    pub fn new(wait: Duration, timeout: Duration) -> Self {
        let started = Instant::now();
        Self { started, deadline: started + timeout, wait }
    }

    /// Returns the time that is left.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Adds time that does not count.
    pub fn extend(&mut self, by: Duration) {
        self.deadline += by;
    }

    /// Returns the next wait: the one that the server requested, or an increasing one. Returns
    /// `None` if the time is up before its end.
    pub fn next_wait(&mut self, requested: Option<Duration>) -> Option<Duration> {
        let wait = requested.unwrap_or_else(|| jittered(self.wait));
        self.wait = self.wait.saturating_mul(2);
        (wait < self.left()).then_some(wait)
    }

    /// Describes the end of the repetitions, after [`Self::next_wait`] has returned `None`.
    pub fn end(&self, requested: Option<Duration>) -> String {
        if let Some(wait) = requested {
            return format!("it requests a wait of {} s", wait.as_secs());
        }
        let seconds = self.started.elapsed().as_secs_f64().round().max(1.0);
        format!("gave up after {seconds} s")
    }
}

/// Returns a time between half of `wait` and all of it, so that many clients do not return at the
/// same moment.
fn jittered(wait: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 512;
    let half = wait / 2;
    half + half.mul_f64(f64::from(u32::try_from(random).unwrap_or_default()) / 512.0)
}

/// Parses the value of `Retry-After`: seconds, or a date. A date in the past is no wait.
pub(crate) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = date(value)?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

/// Parses a date in a header.
pub(crate) fn date(value: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(value.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_spread() {
        let wait = Duration::from_secs(4);
        for _ in 0..100 {
            assert!((wait / 2..=wait).contains(&jittered(wait)));
        }
    }

    #[test]
    fn waits_increase_until_the_time_is_up() {
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_mins(1));
        let waits: Vec<Option<Duration>> = (0..7).map(|_| backoff.next_wait(None)).collect();
        assert!(waits[..4].windows(2).all(|pair| pair[0] <= pair[1] && pair[1].is_some()));
        assert_eq!(waits[6], None, "64 s or more is too long");
        let second = Duration::from_secs(1);
        assert_eq!(backoff.next_wait(Some(second)), Some(second));
        assert_eq!(backoff.next_wait(Some(second * 600)), None);
    }

    #[test]
    fn a_wait_is_in_seconds_or_ends_at_a_date() {
        let now: Timestamp = "2015-10-21T07:27:30Z".parse().unwrap();
        for (value, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
