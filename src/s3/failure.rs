//! The answers of a server that refuses a request: the reason, a remedy, and whether a repetition
//! may succeed. Pure.

use std::time::Duration;

use jiff::Timestamp;
use ureq::http::StatusCode;

use super::S3Url;
use super::exchange::Answer;
use super::place::is_region;
use super::xml;
use crate::http;
use crate::sanitize;

/// The statuses and codes of a server that is temporarily unavailable.
const TEMPORARY: [u16; 6] = [408, 429, 500, 502, 503, 504];
const TEMPORARY_CODES: [&str; 8] = [
    "SlowDown",
    "RequestTimeout",
    "InternalError",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "OperationAborted",
    "ConditionalRequestConflict",
];

/// The codes of a full server, or of one with a quota.
const FULL: [&str; 6] = [
    "QuotaExceeded",
    "InsufficientStorage",
    "XMinioStorageFull",
    "XMinioAdminBucketQuotaExceeded",
    "StorageFull",
    "InsufficientCapacity",
];

/// A request that failed.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Failure {
    /// The reason, and a remedy on a line of its own.
    pub why: String,
    pub next: Next,
    /// The time to wait before a repetition, if the server named one.
    pub wait: Option<Duration>,
}

/// The next step after a failure.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// A repetition would fail again.
    Stop,
    /// The same request may succeed later.
    Repeat,
    /// The request belongs to another region.
    Region(String),
    /// The credentials have expired.
    Renew,
}

/// The circumstances of a request, for messages.
pub(super) struct Circumstances<'a> {
    pub url: &'a S3Url,
    /// The permission that the request needs.
    pub action: &'static str,
    pub region: &'a str,
    /// The source of the credentials, as in "credentials from …".
    pub source: &'a str,
    pub now: Timestamp,
}

/// Returns true for an answer that is a result: a missing object, a condition that does not hold,
/// or a range behind the end.
pub(super) fn is_result(answer: &Answer) -> bool {
    match answer.status {
        StatusCode::NOT_FOUND => {
            let fields = xml::parse_fields(&answer.body);
            !matches!(fields.get("Code").map(String::as_str), Some("NoSuchBucket"))
        }
        status => {
            let results = [
                StatusCode::NOT_MODIFIED,
                StatusCode::PRECONDITION_FAILED,
                StatusCode::RANGE_NOT_SATISFIABLE,
            ];
            results.contains(&status)
        }
    }
}

impl Failure {
    /// Describes a request to `server` without a complete answer. A silent server may answer later.
    pub fn of_connection(failure: http::Failure, server: &str) -> Self {
        let is_temporary = failure.is_broken || failure.is_timeout;
        let next = if is_temporary { Next::Repeat } else { Next::Stop };
        let mut why = failure.why;
        if is_temporary {
            let help = "--endpoint or AWS_ENDPOINT_URL_S3 names another one";
            why = format!("{why}\nthe server is {server}; {help}");
        }
        Self { why, next, wait: None }
    }

    /// Describes an answer.
    pub fn of_answer(answer: &Answer, at: &Circumstances<'_>) -> Self {
        let fields = xml::parse_fields(&answer.body);
        let field = |name| fields.get(name).map(String::as_str).unwrap_or_default();
        let code = field("Code");
        let region = answer.header("x-amz-bucket-region").unwrap_or_else(|| field("Region"));
        let wait = answer.header("retry-after");
        let wait = wait.and_then(|value| http::retry_after(value, at.now));
        if is_other_region(answer.status, code) {
            return Self::of_region(region, at);
        }
        if is_temporary(answer.status, code) {
            let why = plain(answer.status, code, field("Message"));
            return Self { why, next: Next::Repeat, wait };
        }
        let is_expired =
            matches!(code, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired");
        let next = if is_expired { Next::Renew } else { Next::Stop };
        let server_time = answer.header("date").and_then(http::date);
        let why = explained(answer.status, code, at, server_time)
            .unwrap_or_else(|| plain(answer.status, code, field("Message")));
        Self { why, next, wait: None }
    }

    fn of_region(region: &str, at: &Circumstances<'_>) -> Self {
        let bucket = at.url.bucket();
        if is_region(region) && region != at.region {
            let why = format!(
                "the bucket `{bucket}` is in the region {region}, not {}\n\
                 set AWS_REGION={region}",
                at.region
            );
            return Self { why, next: Next::Region(region.to_owned()), wait: None };
        }
        let why = format!(
            "the bucket `{bucket}` is not in the region {}, or at another address\n\
             set AWS_REGION to the region of the bucket, or check AWS_ENDPOINT_URL_S3",
            at.region
        );
        Self { why, next: Next::Stop, wait: None }
    }
}

fn is_other_region(status: StatusCode, code: &str) -> bool {
    let codes = [
        "AuthorizationHeaderMalformed",
        "PermanentRedirect",
        "TemporaryRedirect",
        "IllegalLocationConstraintException",
        "IncorrectEndpoint",
    ];
    status.is_redirection() || codes.contains(&code)
}

fn is_temporary(status: StatusCode, code: &str) -> bool {
    (TEMPORARY.contains(&status.as_u16()) || TEMPORARY_CODES.contains(&code))
        && !FULL.contains(&code)
}

/// Describes the failures whose reason and remedy are known.
fn explained(
    status: StatusCode,
    code: &str,
    at: &Circumstances<'_>,
    server_time: Option<Timestamp>,
) -> Option<String> {
    let Circumstances { url, action, source, .. } = at;
    let bucket = url.bucket();
    let why = match code {
        "RequestTimeTooSkewed" => skewed(at.now, server_time),
        "NoSuchBucket" => format!(
            "the bucket `{bucket}` does not exist\ncheck its name and AWS_ENDPOINT_URL_S3, or create it"
        ),
        "InvalidAccessKeyId" | "InvalidClientTokenId" => format!(
            "the access key of the credentials from {source} does not exist at this server\n\
             check the key and the address of the server"
        ),
        "SignatureDoesNotMatch" => format!(
            "the signature does not match: the secret key of the credentials from {source} is \
             wrong, or a proxy changed the request\n\
             check the secret key"
        ),
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => {
            format!("the credentials from {source} have expired\nrenew them and try again")
        }
        "InvalidToken" => format!(
            "the session token of the credentials from {source} is not valid\n\
             check AWS_SESSION_TOKEN, or renew the credentials"
        ),
        code if FULL.contains(&code) || status == StatusCode::INSUFFICIENT_STORAGE => format!(
            "the server or its quota is full ({})\nremove old runs, or raise the quota",
            if code.is_empty() { status.to_string() } else { code.to_owned() }
        ),
        "EntityTooLarge" => "the object is larger than the server accepts".to_owned(),
        "AccessDenied" | "AllAccessDisabled" | "" if status == StatusCode::FORBIDDEN => {
            denied(action, source)
        }
        _ if status == StatusCode::UNAUTHORIZED => denied(action, source),
        _ => return None,
    };
    Some(why)
}

fn denied(action: &str, source: &str) -> String {
    // Without the permission to list, a missing object is forbidden, too.
    let missing = if action == "s3:GetObject" {
        "; a missing object has the same answer if s3:ListBucket is not allowed"
    } else {
        ""
    };
    format!(
        "access denied: the credentials from {source} do not allow {action}{missing}\n\
         allow {action}, or use other credentials"
    )
}

fn skewed(now: Timestamp, server_time: Option<Timestamp>) -> String {
    let ours = now.strftime("%Y-%m-%d %H:%M:%S");
    let theirs = match server_time {
        Some(time) => format!(", that of the server {}", time.strftime("%Y-%m-%d %H:%M:%S")),
        None => String::new(),
    };
    format!(
        "the clock of this machine is wrong: it shows {ours} UTC{theirs}\n\
         set the clock, for example with NTP; signatures are valid for 15 minutes"
    )
}

/// Describes an answer by its status, code and message.
fn plain(status: StatusCode, code: &str, message: &str) -> String {
    const SHOWN_CHARS: usize = 200;
    let mut why = format!("the server answered {status}");
    for part in [code, message].into_iter().filter(|part| !part.is_empty()) {
        let part: String = part.chars().take(SHOWN_CHARS).collect();
        why.extend([": ", &sanitize::name(&part)]);
    }
    why
}

#[cfg(test)]
mod tests {
    use ureq::http::HeaderMap;

    use super::*;

    fn failure(status: u16, headers: &[(&'static str, &str)], body: &str) -> Failure {
        let mut answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        };
        for (name, value) in headers {
            answer.headers.insert(*name, value.parse().unwrap());
        }
        let at = Circumstances {
            url: &S3Url::parse("s3://runs/ci").unwrap().unwrap(),
            action: "s3:GetObject",
            region: "us-east-1",
            source: "the environment",
            now: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        Failure::of_answer(&answer, &at)
    }

    /// Answers of AWS, of other servers and of proxies.
    #[test]
    fn refusals_have_a_reason_and_a_remedy() {
        for (status, body, why) in [
            (
                403,
                "<Error><Code>AccessDenied</Code><Message>Access Denied</Message>\
                 <RequestId>656c</RequestId><HostId>Uuag</HostId></Error>",
                "the credentials from the environment do not allow s3:GetObject; a missing object",
            ),
            (403, "", "do not allow s3:GetObject"),
            (401, "<html>login</html>", "access denied"),
            (
                403,
                "<Error><Code>InvalidAccessKeyId</Code><Message>The AWS Access Key Id you provided \
                 does not exist in our records.</Message><AWSAccessKeyId>AKIA</AWSAccessKeyId>\
                 </Error>",
                "the access key of the credentials from the environment does not exist",
            ),
            (
                403,
                "<Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we \
                 calculated does not match</Message></Error>",
                "the secret key of the credentials from the environment is wrong",
            ),
            (
                404,
                "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist\
                 </Message><BucketName>runs</BucketName></Error>",
                "the bucket `runs` does not exist\ncheck its name",
            ),
            (
                507,
                "<Error><Code>XMinioStorageFull</Code><Message>Storage backend has reached its \
                 minimum free drive threshold.</Message></Error>",
                "the server or its quota is full (XMinioStorageFull)\nremove old runs",
            ),
            (507, "", "full (507 Insufficient Storage)"),
            (
                503,
                "<Error><Code>InsufficientCapacity</Code></Error>",
                "full (InsufficientCapacity)",
            ),
            (
                400,
                "<Error><Code>InvalidToken</Code><Message>The provided token is malformed\
                 </Message></Error>",
                "check AWS_SESSION_TOKEN",
            ),
            (
                400,
                "<Error><Code>Odd</Code><Message>a &#27;[31mb</Message></Error>",
                "the server answered 400 Bad Request: Odd: a \u{241b}[31mb",
            ),
        ] {
            let failure = failure(status, &[], body);
            assert_eq!((failure.next, failure.wait), (Next::Stop, None), "{body}");
            assert!(failure.why.contains(why), "{}", failure.why);
        }
    }

    #[test]
    fn temporary_failures_are_repeated() {
        let wait = [("retry-after", "7")];
        for (status, body) in [
            (408, ""),
            (429, ""),
            (500, "<Error><Code>InternalError</Code></Error>"),
            (502, "<html>"),
            (
                503,
                "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>",
            ),
            (504, ""),
            (400, "<Error><Code>RequestTimeout</Code></Error>"),
            (409, "<Error><Code>ConditionalRequestConflict</Code></Error>"),
        ] {
            let failure = failure(status, &wait, body);
            assert_eq!(failure.next, Next::Repeat, "{status} {body}");
            assert_eq!(failure.wait, Some(Duration::from_secs(7)));
        }
        for status in [400, 403, 405, 409, 411, 413, 501] {
            assert_eq!(failure(status, &wait, "").next, Next::Stop, "{status}");
        }
    }

    #[test]
    fn the_region_is_that_of_the_answer() {
        let header = [("x-amz-bucket-region", "eu-west-1")];
        let to = Next::Region("eu-west-1".into());
        assert_eq!(failure(301, &header, "").next, to);
        let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization \
                    header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'\
                    </Message><Region>eu-west-1</Region></Error>";
        assert_eq!(failure(400, &[], body).next, to);
        for region in ["", "us-east-1", "evil.example/?"] {
            let failure = failure(301, &[("x-amz-bucket-region", region)], "");
            assert_eq!(failure.next, Next::Stop, "{region}");
            assert!(failure.why.contains("set AWS_REGION"), "{}", failure.why);
        }
    }

    #[test]
    fn expired_credentials_are_renewed_and_a_wrong_clock_is_explained() {
        let body = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.\
                    </Message><Token-0>secret</Token-0></Error>";
        let expired = failure(400, &[], body);
        assert_eq!(expired.next, Next::Renew);
        assert!(!expired.why.contains("secret"), "{}", expired.why);
        let body = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
        let skewed = failure(403, &[("date", "Fri, 02 Jan 2026 04:04:05 GMT")], body);
        assert_eq!(skewed.next, Next::Stop);
        assert!(
            skewed.why.starts_with(
                "the clock of this machine is wrong: it shows 2026-01-02 03:04:05 UTC, that of the \
                 server 2026-01-02 04:04:05\nset the clock"
            ),
            "{}",
            skewed.why
        );
    }

    #[test]
    fn missing_objects_and_conditions_are_results() {
        let is_result = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            let body = body.as_bytes().to_vec();
            super::is_result(&Answer { status, headers: HeaderMap::new(), body })
        };
        assert!(is_result(404, "<Error><Code>NoSuchKey</Code></Error>") && is_result(404, ""));
        assert!(is_result(304, "") && is_result(412, "") && is_result(416, ""));
        assert!(!is_result(404, "<Error><Code>NoSuchBucket</Code></Error>"));
        assert!(!is_result(403, "") && !is_result(503, ""));
    }
}
