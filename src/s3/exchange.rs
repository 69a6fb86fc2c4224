//! One request and its answer, within limits of time and size.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ureq::http::{HeaderMap, Request, Response, StatusCode, header};
use ureq::{Agent, AsSendBody, SendBody};

use super::Body;
use crate::http;

/// The slowest transfer, in bytes per second, that is not ended by the time limit.
const SLOWEST_BYTES: u64 = 64 << 10;

/// The size of a read of a body, in bytes.
const PART_BYTES: usize = 64 << 10;

/// The size of the body of a failure that is read.
const MAX_FAILURE_BYTES: u64 = 64 << 10;

/// A request that can be sent more than once.
pub(super) struct Outgoing<'a> {
    pub method: &'static str,
    pub url: &'a str,
    pub headers: &'a [(&'static str, String)],
    pub body: Body<'a>,
}

/// The limits of a request.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// The time for the connection, for the answer to begin, and for each pause of the server.
    pub silence: Duration,
    /// The time for the request as a whole, in addition to [`transfer_time`] for the bytes of the
    /// answer that have been received.
    pub total: Duration,
    /// The size of the body of a successful answer that is accepted.
    pub bytes: u64,
    /// False to connect directly even if the environment names a proxy.
    pub may_use_proxy: bool,
}

/// An answer that was received as a whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Empty if the body of a failure could not be read: its status is known nevertheless.
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns the value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns the time of the answer by the clock of the server, if it is stated.
    pub fn date(&self) -> Option<Timestamp> {
        self.header("date").and_then(http::date)
    }
}

/// Sends a request and receives its answer, of any status.
///
/// # Errors
/// If no complete answer was received.
pub(super) fn send(
    agent: &Agent,
    outgoing: &Outgoing<'_>,
    limits: Limits,
) -> Result<Answer, http::Failure> {
    let deadline = Instant::now() + limits.total;
    let mut request = Request::builder().method(outgoing.method).uri(outgoing.url);
    for (name, value) in outgoing.headers {
        request = request.header(*name, value);
    }
    if matches!(outgoing.method, "PUT" | "POST") {
        request = request.header(header::CONTENT_LENGTH, outgoing.body.len());
    }
    let failed = |error: ureq::Error| http::Failure::of(&error);
    let response = match outgoing.body.reader() {
        Some(mut part) => run(agent, request.body(SendBody::from_reader(&mut part)), limits),
        None => run(agent, request.body(()), limits),
    };
    let mut response = response.map_err(failed)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = if status.is_success() { limits.bytes } else { MAX_FAILURE_BYTES };
    // One more byte than the limit, so that a body of exactly this size is accepted.
    let limit = bytes.saturating_add(1);
    let body = receive(response.body_mut().with_config().limit(limit).reader(), deadline);
    let mut answer = Answer { status, headers, body: Vec::new() };
    match body.map_err(failed).and_then(|body| complete(&answer, body, outgoing.method, bytes)) {
        Ok(body) => answer.body = body,
        Err(failure) if answer.status.is_success() => return Err(failure),
        Err(_) => {}
    }
    Ok(answer)
}

/// Sends a request, and receives the head of its answer.
fn run(
    agent: &Agent,
    request: Result<Request<impl AsSendBody>, ureq::http::Error>,
    limits: Limits,
) -> Result<Response<ureq::Body>, ureq::Error> {
    let silence = Some(limits.silence);
    let mut config = agent
        .configure_request(request?)
        .timeout_global(Some(limits.total + transfer_time(limits.bytes)))
        .timeout_resolve(silence)
        .timeout_connect(silence)
        .timeout_recv_response(silence)
        .timeout_per_read(silence)
        .timeout_per_write(silence);
    if !limits.may_use_proxy {
        config = config.proxy(None);
    }
    agent.run(config.build())
}

/// Returns the longest time that the transfer of so many bytes may take.
pub(super) const fn transfer_time(bytes: u64) -> Duration {
    Duration::from_secs(bytes / SLOWEST_BYTES)
}

/// Receives a body until `deadline`, which the bytes that were received extend. The stated or
/// largest size of a body is no reason to wait: a server may send one byte after the other.
fn receive(mut body: impl Read, deadline: Instant) -> Result<Vec<u8>, ureq::Error> {
    let (mut bytes, mut part) = (Vec::new(), vec![0; PART_BYTES]);
    loop {
        let len = body.read(&mut part)?;
        if len == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(part.get(..len).unwrap_or_default());
        if Instant::now() > deadline + transfer_time(bytes.len() as u64) {
            return Err(ureq::Error::Timeout(ureq::Timeout::Global));
        }
    }
}

/// Returns the body if it has the length that the headers state.
fn complete(
    answer: &Answer,
    body: Vec<u8>,
    method: &str,
    limit_bytes: u64,
) -> Result<Vec<u8>, http::Failure> {
    let failure = |why, is_broken| http::Failure { why, is_timeout: false, is_broken };
    let found = body.len() as u64;
    if found > limit_bytes {
        let why = format!("the answer is larger than {limit_bytes} bytes");
        return Err(failure(why, false));
    }
    let stated = answer.header(header::CONTENT_LENGTH.as_str());
    let stated = stated.and_then(|length| length.parse::<u64>().ok());
    match stated.filter(|stated| *stated != found && method != "HEAD") {
        Some(stated) => {
            Err(failure(format!("the answer ended after {found} of {stated} bytes"), true))
        }
        None => Ok(body),
    }
}

/// A body while it is sent. A file is read at positions, so its cursor does not move, and a
/// repetition begins at its start.
pub(super) enum Part<'a> {
    Bytes(&'a [u8]),
    File { file: &'a File, at: u64, end: u64 },
}

impl Read for Part<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Bytes(bytes) => bytes.read(into),
            Self::File { file, at, end } => {
                let left = usize::try_from(*end - *at).unwrap_or(usize::MAX).min(into.len());
                let found = file.read_at(into.get_mut(..left).unwrap_or_default(), *at)?;
                *at += found as u64;
                Ok(found)
            }
        }
    }
}
