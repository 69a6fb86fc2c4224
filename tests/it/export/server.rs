//! Requests of the export to a server on this machine.

use std::net::TcpListener;
use std::process::Output;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::nightly;
use crate::support::built::Built;
use crate::support::rundown;
use crate::support::server::{Request, Server};

const KEY: &str = "authorization=Bearer%20top-secret";

const OK: &str = "200 OK\r\n\r\n{}";

/// Returns the compressed JSON of a request.
fn document(request: &Request) -> Value {
    serde_json::from_reader(GzDecoder::new(&request.body[..])).unwrap()
}

fn export(store: &Built, args: &[&str]) -> Output {
    let mut command = rundown(store.root());
    command.env("OTEL_EXPORTER_OTLP_HEADERS", KEY).args(["export", "otlp", "--root", "."]);
    command.args(args).output().unwrap()
}

/// Exports the traces of a run to a server with these answers. Returns the exit code, stderr and
/// the requests.
fn sent(answers: &[&str], args: &[&str]) -> (Option<i32>, String, Vec<Request>) {
    let server = Server::start(answers);
    let to = ["--signals", "traces", "--to", &server.address];
    let output = export(&nightly(), &[&to, args].concat());
    assert_eq!(output.stdout, b"");
    let error = String::from_utf8(output.stderr).unwrap().replace(&server.address, "URL");
    assert!(!error.contains("top-secret"), "{error}");
    (output.status.code(), error, server.requests())
}

#[test]
fn each_signal_is_sent_compressed_to_its_path() {
    let server = Server::start(&[OK, OK, OK]);
    let output = export(&nightly(), &["--to", &format!("{}/otlp/", server.address)]);
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
    let requests = server.requests();
    let paths: Vec<&str> = requests.iter().map(|request| &request.path[..]).collect();
    assert_eq!(paths, ["/otlp/v1/traces", "/otlp/v1/logs", "/otlp/v1/metrics"]);
    for (request, key) in requests.iter().zip(["resourceSpans", "resourceLogs", "resourceMetrics"])
    {
        assert_eq!(document(request).as_object().unwrap().keys().collect::<Vec<_>>(), [key]);
        for header in [
            "content-type: application/json",
            "content-encoding: gzip",
            "authorization: Bearer top-secret",
            concat!("user-agent: rundown/", env!("CARGO_PKG_VERSION")),
        ] {
            assert!(request.headers.iter().any(|line| line == header), "{:?}", request.headers);
        }
    }
}

#[test]
fn a_request_is_repeated_while_the_server_is_unavailable() {
    let started = Instant::now();
    let answers = ["503 Service Unavailable\r\nRetry-After: 1\r\n\r\nbusy", OK];
    let (code, error, requests) = sent(&answers, &[]);
    assert!(started.elapsed() >= Duration::from_secs(1), "waits as long as requested");
    assert_eq!((code, requests.len()), (Some(0), 2));
    assert_eq!(requests[0].body, requests[1].body);
    assert_eq!(
        error,
        "rundown: URL/v1/traces: the server answered 503 Service Unavailable: busy; trying again \
         for up to 30 s\n"
    );
    for status in ["429 Too Many Requests", "502 Bad Gateway", "504 Gateway Timeout"] {
        let (code, _, requests) = sent(&[&format!("{status}\r\n\r\n"), OK], &[]);
        assert_eq!((code, requests.len()), (Some(0), 2), "{status}");
    }
}

#[test]
fn a_wait_beyond_the_time_limit_ends_the_export() {
    let answers = ["429 Too Many Requests\r\nRetry-After: 600\r\n\r\n"];
    let (code, error, _) = sent(&answers, &["--timeout", "2"]);
    assert_eq!(code, Some(6));
    assert_eq!(
        error,
        "rundown: cannot send to URL/v1/traces: the server answered 429 Too Many Requests; it \
         requests a wait of 600 s\n         to wait longer, use --timeout N\n"
    );
}

#[test]
fn other_failures_are_not_repeated_and_have_a_remedy() {
    for (answer, message) in [
        ("413 Payload Too Large\r\n\r\n", "413 Payload Too Large\n         raise the limit"),
        (
            "400 Bad Request\r\n\r\n{\"code\":3,\"message\":\"bad \\u001b[31mid\"}",
            "400 Bad Request: bad ␛[31mid\n",
        ),
        ("401 Unauthorized\r\n\r\n", "set OTEL_EXPORTER_OTLP_HEADERS"),
        ("404 Not Found\r\n\r\n", "usually port 4318"),
        ("308 Permanent Redirect\r\nLocation: https://x/\r\n\r\n", "--to https://x/"),
        ("500 Internal Server Error\r\n\r\n", "500 Internal Server Error"),
    ] {
        let (code, error, requests) = sent(&[answer], &[]);
        assert_eq!((code, requests.len()), (Some(6), 1), "{answer}");
        assert!(error.starts_with("rundown: cannot send to URL/v1/traces: the server answered"));
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn rejected_records_are_reported() {
    let reply = |spans: u32| {
        let success = format!("{{\"rejectedSpans\":\"{spans}\",\"errorMessage\":\"too old\"}}");
        format!("200 OK\r\nContent-Type: application/json\r\n\r\n{{\"partialSuccess\":{success}}}")
    };
    for (spans, code, notice) in [
        (3, 0, "URL/v1/traces rejected 3 of 8 records of traces: too old"),
        (8, 6, "URL/v1/traces rejected 8 of 8 records of traces: too old"),
        (0, 0, "URL/v1/traces accepted traces: too old"),
    ] {
        let (found, error, _) = sent(&[&reply(spans)], &[]);
        assert_eq!((found, &error[..]), (Some(code), &format!("rundown: {notice}\n")[..]));
    }
}

#[test]
fn an_address_that_is_not_valid_is_a_usage_error() {
    let output = export(&nightly(), &["--to", "http://a b"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains("http://a b/v1/traces in --to is not a valid address"), "{error}");
}

#[test]
fn a_server_that_does_not_answer_is_an_error() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let to = format!("http://{closed}");
    let output = export(&nightly(), &["--to", &to, "--timeout", "1"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6));
    let last = error.lines().rev().nth(1).unwrap();
    assert!(last.starts_with(&format!("rundown: cannot send to {to}/v1/traces: ")), "{error}");
    assert!(last.contains("onnection refused") && last.contains("gave up after "));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("http://{}", silent.local_addr().unwrap());
    let output = export(&nightly(), &["--to", &to, "--timeout", "1"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6));
    assert!(error.contains("/v1/traces: no answer in time\n"), "{error}");
}
