//! OTLP over HTTP: each line is sent as one compressed request, and repeated if the server is
//! temporarily unavailable.
//!
//! Only failures that the protocol calls temporary are repeated, because a request that was
//! processed twice doubles its records: connections that fail, and the statuses 429, 502, 503 and
//! 504. Redirects are not followed: they would send the headers, which may contain a key, to
//! another server.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use ureq::http::{HeaderName, HeaderValue, Response, StatusCode, Uri, header};
use ureq::{Agent, Body};

use super::address::{Address, Endpoint};
use super::reply::{self, Rejected};
use crate::cli::place::variable;
use crate::cli::print_notice;
use crate::dump::{OtlpLine, Report, Signal};
use crate::error::{Error, Result};
use crate::http::{self, Backoff};

/// The variable of OpenTelemetry with headers, which may contain a key.
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// The statuses of a server that is temporarily unavailable.
const TEMPORARY: [u16; 4] = [429, 502, 503, 504];

/// The first wait before a repetition. Each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The remedy if the time is up.
const LONGER: &str = "to wait longer, use --timeout N";

/// The number of bytes of a reply that are read.
const MAX_REPLY_BYTES: u64 = 64 << 10;

/// A server, and the records that it got.
pub(super) struct Server {
    agent: Agent,
    headers: Vec<(HeaderName, HeaderValue)>,
    timeout: Duration,
    endpoints: Vec<Sent>,
    /// True after the first notice about a repetition.
    has_warned: bool,
}

/// The records of a signal that were sent.
struct Sent {
    signal: Signal,
    endpoint: Endpoint,
    records: u64,
    rejected: Rejected,
}

/// A failed attempt.
struct Failure {
    why: String,
    /// True if a repetition may succeed.
    is_temporary: bool,
    /// The time to wait before a repetition, if the server named one.
    wait: Option<Duration>,
}

impl Server {
    pub fn new(address: &Address, signals: &[Signal], timeout: Duration) -> Result<Self> {
        let endpoints = address.of(signals)?.into_iter().map(|(signal, endpoint)| {
            check(&endpoint)?;
            Ok(Sent { signal, endpoint, records: 0, rejected: Rejected::default() })
        });
        let endpoints = endpoints.collect::<Result<_>>()?;
        let headers = headers(&variable(HEADERS).unwrap_or_default())?;
        Ok(Self { agent: http::agent(), headers, timeout, endpoints, has_warned: false })
    }

    /// Sends a line.
    pub fn send(&mut self, line: &OtlpLine<'_>) -> Result<()> {
        let place = self.endpoints.iter().position(|sent| sent.signal == line.signal);
        let Some(place) = place else { return Ok(()) };
        let body = compressed(line.json).map_err(|error| Error::Internal(error.to_string()))?;
        let rejected = self.repeated(place, &body)?;
        if let Some(sent) = self.endpoints.get_mut(place) {
            sent.records += line.records;
            sent.rejected.records += rejected.records;
            if !rejected.message.is_empty() {
                sent.rejected.message = rejected.message;
            }
        }
        Ok(())
    }

    /// Adds the rejected records to the report. Returns true if all records of a signal were
    /// rejected.
    pub fn finish(self, report: &mut Report) -> bool {
        let mut is_any_lost = false;
        for Sent { signal, endpoint, records, rejected } in self.endpoints {
            let url = endpoint.shown;
            if rejected.records > 0 {
                let (count, why) = (rejected.records, rejected.message);
                let colon = if why.is_empty() { "" } else { ": " };
                let records_of = format!("{count} of {records} records of {signal}");
                report.notices.push(format!("{url} rejected {records_of}{colon}{why}"));
            } else if !rejected.message.is_empty() {
                report.notices.push(format!("{url} accepted {signal}: {}", rejected.message));
            }
            is_any_lost |= records > 0 && rejected.records >= records;
        }
        is_any_lost
    }

    /// Sends a request until the server accepts or refuses it, or until the time is up.
    fn repeated(&mut self, place: usize, body: &[u8]) -> Result<Rejected> {
        let mut backoff = Backoff::new(FIRST_WAIT, self.timeout);
        loop {
            let Some(sent) = self.endpoints.get(place) else { return Ok(Rejected::default()) };
            let failure = match self.attempt(&sent.endpoint, body, backoff.left()) {
                Ok(rejected) => return Ok(rejected),
                Err(failure) => failure,
            };
            let shown = &sent.endpoint.shown;
            let error = |why: String| Error::Remote { doing: "send to", url: shown.clone(), why };
            if !failure.is_temporary {
                return Err(error(failure.why));
            }
            let Some(wait) = backoff.next_wait(failure.wait) else {
                let end = backoff.end(failure.wait);
                return Err(error(format!("{}; {end}\n{LONGER}", failure.why)));
            };
            if !self.has_warned {
                let limit = self.timeout.as_secs();
                print_notice(&format!(
                    "{shown}: {}; trying again for up to {limit} s",
                    failure.why
                ));
                self.has_warned = true;
            }
            thread::sleep(wait);
        }
    }

    /// Sends a request once.
    fn attempt(
        &self,
        endpoint: &Endpoint,
        body: &[u8],
        left: Duration,
    ) -> std::result::Result<Rejected, Failure> {
        let mut request = self
            .agent
            .post(&endpoint.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_ENCODING, "gzip");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.config().timeout_global(Some(left)).build();
        let mut response = request.send(body).map_err(|error| Failure::of_connection(&error))?;
        let reply = response.body_mut().with_config().limit(MAX_REPLY_BYTES).read_to_vec();
        // A reply that cannot be read has a status nevertheless.
        let reply = reply.unwrap_or_default();
        if response.status().is_success() {
            Ok(Rejected::parse(&reply))
        } else {
            Err(Failure::of_status(&response, &reply))
        }
    }
}

impl Failure {
    fn of_connection(error: &ureq::Error) -> Self {
        let failure = http::Failure::of(error);
        let help = if failure.is_timeout { format!("\n{LONGER}") } else { String::new() };
        Self { why: format!("{}{help}", failure.why), is_temporary: failure.is_broken, wait: None }
    }

    fn of_status(response: &Response<Body>, reply: &[u8]) -> Self {
        let (status, message) = (response.status(), reply::failure(reply));
        let value = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let wait =
            value(header::RETRY_AFTER).and_then(|value| http::retry_after(value, Timestamp::now()));
        let mut why = format!("the server answered {status}");
        if !message.is_empty() {
            why.extend([": ", &message]);
        }
        let redirect = value(header::LOCATION).filter(|_| status.is_redirection());
        let help = redirect.map(|to| format!("to use the new address: --to {to}"));
        why.extend(help.or_else(|| help_for(status)).map(|help| format!("\n{help}")));
        Self { why, is_temporary: TEMPORARY.contains(&status.as_u16()), wait }
    }
}

/// Rejects an address that the client cannot use.
fn check(endpoint: &Endpoint) -> Result<()> {
    let parsed = endpoint.url.parse::<Uri>();
    parsed.map(drop).map_err(|error| {
        Error::Usage(format!("{} in --to is not a valid address: {error}", endpoint.shown))
    })
}

/// Returns a remedy for a status.
fn help_for(status: StatusCode) -> Option<String> {
    let help = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!("set {HEADERS}, such as authorization=Bearer%20TOKEN")
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            "check that the address is that of OTLP over HTTP, usually port 4318".to_owned()
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            "raise the limit of the server; a request has about 1 MiB before compression".to_owned()
        }
        _ => return None,
    };
    Some(help)
}

fn compressed(json: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(json)?;
    encoder.finish()
}

/// Parses headers: `name=value,name=value`, with percent-encoded values. An error does not contain
/// the text, which may be a key.
fn headers(text: &str) -> Result<Vec<(HeaderName, HeaderValue)>> {
    let entries = text.split(',').enumerate().filter(|(_, entry)| !entry.trim().is_empty());
    let headers = entries.map(|(at, entry)| {
        header_of(entry).ok_or_else(|| {
            let why = "is not NAME=VALUE with a percent-encoded value";
            Error::Usage(format!("entry {} of {HEADERS} {why}", at + 1))
        })
    });
    headers.collect()
}

fn header_of(entry: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = entry.split_once('=')?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
    let mut value = HeaderValue::from_bytes(&decoded(value.trim())?).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

/// Decodes `%XX`; `None` if a `%` is not followed by two hexadecimal digits.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_decoded_and_errors_do_not_contain_them() {
        let found = headers("authorization=Bearer%20a%3D, x-team = ci,").unwrap();
        let found: Vec<_> =
            found.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(found, [("authorization", &b"Bearer a="[..]), ("x-team", b"ci")]);
        for text in ["secret", "a=b,secret", "secret key=b", "a=%zzsecret", "a=%0asecret"] {
            let error = headers(text).unwrap_err().to_string();
            assert!(error.contains(HEADERS) && !error.contains("secret"), "{error}");
        }
    }
}
