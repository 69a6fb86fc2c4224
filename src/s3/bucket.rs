//! A bucket: signed requests, which are repeated while the server is unavailable.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ureq::Agent;

use super::credentials::{Chain, Credentials, Profile};
use super::exchange::{self, Answer, Limits, Outgoing, transfer_time};
use super::failure::{self, Circumstances, Failure, Next};
use super::place::{Endpoint, Place, is_region};
use super::sign::{self, BODY_HASH, Parts};
use super::url::check_key;
use super::{Body, S3Url, Settings};
use crate::error::{Error, Result};
use crate::http::{self, Backoff};

/// The first wait before a repetition. Each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);

const DEFAULT_REGION: &str = "us-east-1";

/// A bucket at a server, and its connections. Threads share it by reference.
///
/// Keys are relative to the prefix of the URL. A key that has an empty, a too long or an ambiguous
/// path (`a/../b`) is an error.
///
/// Every request is signed: without credentials, all methods fail. Public buckets are not read
/// anonymously, because a server then answers "access denied" where the cause is a missing key.
pub struct Bucket {
    url: S3Url,
    endpoint: Option<Endpoint>,
    path_style: bool,
    timeout: Duration,
    /// The region from the settings, or the one that an answer named.
    region: Mutex<String>,
    agent: Agent,
    chain: Chain,
    /// The reason why the last request failed, if it is being repeated.
    trouble: Mutex<Option<String>>,
    /// The result of [`Bucket::checks_conditions`].
    pub(super) honors_conditions: OnceLock<bool>,
}

/// A request to the bucket.
pub(super) struct Operation<'a> {
    /// The attempt, as a verb.
    pub doing: &'static str,
    /// The permission that it needs.
    pub action: &'static str,
    pub method: &'static str,
    /// The full key; empty for the bucket itself.
    pub key: String,
    pub query: Vec<(&'static str, String)>,
    /// Further headers, with names in lowercase.
    pub headers: Vec<(&'static str, String)>,
    pub body: Body<'a>,
    /// The size of the body of an answer that is accepted.
    pub limit_bytes: u64,
}

/// An answer that is a result, after a number of attempts.
pub(super) struct Reply {
    pub answer: Answer,
    /// True if an earlier attempt failed, and may have been processed.
    pub is_repeated: bool,
}

/// The corrections of a request that are made at most once.
#[derive(Default)]
struct Corrections {
    region: bool,
    credentials: bool,
}

impl Bucket {
    /// Prepares a client. Sends no request.
    ///
    /// # Errors
    /// If the address of the server or the region is not valid, or if the profile cannot be read.
    pub fn new(url: S3Url, settings: &Settings) -> Result<Self> {
        let variables = &settings.variables;
        let profile = Profile::load(variables).map_err(|why| error("use", url.to_string(), why))?;
        let of_profile = |key| profile.as_ref().and_then(|profile| profile.get(key));
        let named = [
            (settings.endpoint.as_deref(), "--endpoint"),
            (variables.get("AWS_ENDPOINT_URL_S3"), "AWS_ENDPOINT_URL_S3"),
            (variables.get("AWS_ENDPOINT_URL"), "AWS_ENDPOINT_URL"),
            (of_profile("endpoint_url"), "endpoint_url of the profile"),
        ];
        let endpoint = named.into_iter().find_map(|(text, source)| Some((text?, source)));
        let endpoint = endpoint.map(|(text, source)| Endpoint::parse(text, source)).transpose()?;
        let region = settings.region.as_deref();
        let region = region
            .or_else(|| variables.get("AWS_REGION"))
            .or_else(|| variables.get("AWS_DEFAULT_REGION"))
            .or_else(|| of_profile("region"))
            .unwrap_or(DEFAULT_REGION);
        if !is_region(region) {
            let why = "the region is not valid\nset AWS_REGION to a name such as us-east-1";
            return Err(Error::Usage(why.into()));
        }
        let agent = http::agent();
        Ok(Self {
            url,
            endpoint,
            path_style: settings.path_style,
            timeout: settings.timeout,
            region: Mutex::new(region.to_owned()),
            chain: Chain::new(variables.clone(), region.to_owned(), agent.clone()),
            agent,
            trouble: Mutex::default(),
            honors_conditions: OnceLock::new(),
        })
    }

    /// Returns the address of the bucket.
    #[must_use]
    pub fn url(&self) -> &S3Url {
        &self.url
    }

    /// Returns a text that identifies the server.
    #[must_use]
    pub fn server(&self) -> String {
        self.endpoint.as_ref().map_or_else(|| "aws".to_owned(), Endpoint::to_string)
    }

    /// Returns the reason why the last request failed, on one line, if it is being repeated.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.lock_trouble().clone()
    }

    fn lock_trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deletes an object. A missing object is no error.
    ///
    /// # Errors
    /// If the server does not confirm the deletion.
    pub fn delete(&self, key: &str) -> Result<()> {
        let delete = Operation {
            doing: "delete",
            action: "s3:DeleteObject",
            method: "DELETE",
            ..self.operation(key)
        };
        self.perform(&delete).map(drop)
    }

    /// Begins the description of a request for an object.
    pub(super) fn operation(&self, key: &str) -> Operation<'_> {
        Operation {
            doing: "read",
            action: "s3:GetObject",
            method: "GET",
            // An empty key must not become the prefix.
            key: if key.is_empty() { String::new() } else { self.url.full_key(key) },
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Bytes(b""),
            limit_bytes: 1 << 20,
        }
    }

    /// Sends a request for an object until it has a result, a failure that is not temporary, or no
    /// time left.
    pub(super) fn perform(&self, operation: &Operation<'_>) -> Result<Reply> {
        match check_key(&operation.key) {
            Ok(()) => self.repeated(operation),
            Err(why) => Err(self.error(operation, format!("the key {why}"))),
        }
    }

    /// Sends a request as [`Self::perform`] does, also for the bucket itself.
    pub(super) fn repeated(&self, operation: &Operation<'_>) -> Result<Reply> {
        let failed = |why| self.error(operation, why);
        let refused = |why| self.refused(operation, why);
        let body_hash = operation
            .body
            .sha256()
            .map_err(|error| failed(format!("the local file cannot be read: {error}")))?;
        // The time for a transfer does not count for the time limit.
        let upload = transfer_time(operation.body.len());
        let mut backoff = Backoff::new(FIRST_WAIT, self.timeout);
        let mut corrections = Corrections::default();
        let mut is_repeated = false;
        loop {
            let credentials = self.chain.current().map_err(refused)?;
            let began = Instant::now();
            let left = backoff.left() + upload;
            let failure = match self.attempt(operation, &body_hash, &credentials, left) {
                Ok(answer) => {
                    *self.lock_trouble() = None;
                    return Ok(Reply { answer, is_repeated });
                }
                Err(failure) => failure,
            };
            if self.corrects(&failure.next, &mut corrections, &credentials).map_err(refused)? {
                continue;
            }
            if failure.next != Next::Repeat {
                return Err(refused(failure.why));
            }
            is_repeated = true;
            *self.lock_trouble() = failure.why.lines().next().map(ToOwned::to_owned);
            backoff.extend(began.elapsed().min(upload));
            let Some(wait) = backoff.next_wait(failure.wait) else {
                return Err(failed(gave_up(&failure, &backoff)));
            };
            thread::sleep(wait);
        }
    }

    /// Changes the region or the credentials after an answer that requires it, each at most once
    /// per request. Returns true if the request may succeed now.
    fn corrects(
        &self,
        next: &Next,
        corrections: &mut Corrections,
        credentials: &Credentials,
    ) -> std::result::Result<bool, String> {
        match next {
            Next::Region(region) if !corrections.region => {
                corrections.region = true;
                self.region.lock().unwrap_or_else(PoisonError::into_inner).clone_from(region);
                Ok(true)
            }
            Next::Renew if !corrections.credentials => {
                corrections.credentials = true;
                self.chain.renew(credentials)
            }
            _ => Ok(false),
        }
    }

    /// Sends a request once.
    fn attempt(
        &self,
        operation: &Operation<'_>,
        body_hash: &str,
        credentials: &Credentials,
        left: Duration,
    ) -> std::result::Result<Answer, Failure> {
        let region = self.region.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let place = Place::of(&self.url, self.endpoint.as_ref(), &region, self.path_style);
        let (path, query) = (place.path(&operation.key), sign::query(&operation.query));
        let mut headers = operation.headers.clone();
        headers.push(("host", place.host.clone()));
        headers.push((BODY_HASH, body_hash.to_owned()));
        let now = Timestamp::now();
        let parts = Parts { method: operation.method, path: &path, query: &query, headers };
        let headers = sign::sign(parts, credentials, &region, now);
        let mark = if query.is_empty() { "" } else { "?" };
        let server = format!("{}://{}", place.scheme, place.host);
        let url = format!("{server}{path}{mark}{query}");
        let (method, body) = (operation.method, operation.body);
        let outgoing = Outgoing { method, url: &url, headers: &headers, body };
        let limits = Limits {
            silence: (self.timeout / 3).min(left),
            total: left,
            bytes: operation.limit_bytes,
            may_use_proxy: true,
        };
        let answer = exchange::send(&self.agent, &outgoing, limits)
            .map_err(|failure| Failure::of_connection(failure, &server))?;
        if answer.status.is_success() || failure::is_result(&answer) {
            return Ok(answer);
        }
        let at = Circumstances {
            url: &self.url,
            action: operation.action,
            region: &region,
            source: credentials.source(),
            now,
        };
        Err(Failure::of_answer(&answer, &at))
    }

    pub(super) fn error(&self, operation: &Operation<'_>, why: String) -> Error {
        error(operation.doing, self.url.shown(&operation.key), why)
    }

    /// Returns the error of a request that would fail again.
    pub(super) fn refused(&self, operation: &Operation<'_>, why: String) -> Error {
        Error::Refused { doing: operation.doing, url: self.url.shown(&operation.key), why }
    }
}

/// Adds the end of the repetitions to the first line of a reason.
fn gave_up(failure: &Failure, backoff: &Backoff) -> String {
    let (first, help) = failure.why.split_once('\n').unwrap_or((&failure.why, ""));
    let newline = if help.is_empty() { "" } else { "\n" };
    format!("{first}; {}{newline}{help}", backoff.end(failure.wait))
}

fn error(doing: &'static str, url: String, why: String) -> Error {
    Error::Remote { doing, url, why }
}
