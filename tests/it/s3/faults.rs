//! Faults of servers and networks: lost, late, truncated, contradicting and hostile answers.

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use rundown::s3::{Body, Condition, Put, Range};

use super::{EXISTS, KEYS, OK, bucket, bucket_with, lines, message};
use crate::support::server::Server;

const BUSY: &str = "503 Slow Down\r\nRetry-After: 0\r\n\r\n<Error><Code>SlowDown</Code></Error>";

#[test]
fn an_object_is_read_with_signed_requests() {
    let server = Server::start(&["200 OK\r\nETag: \"e\"\r\n\r\nhello"]);
    let got = bucket(&server).get("a b/c", &Range::All, 5).unwrap().unwrap();
    assert_eq!((&got.bytes[..], got.total_bytes), (&b"hello"[..], 5));
    assert_eq!(got.etag.as_deref(), Some("\"e\""));
    let address = server.address.clone();
    let requests = server.requests();
    assert_eq!(lines(&requests), ["GET /runs/ci/a%20b/c"]);
    let header = |name| requests[0].header(name).unwrap();
    assert!(header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=KEYID/"));
    assert_eq!(header("x-amz-security-token"), "SECRETTOKEN");
    assert_eq!(format!("http://{}", header("host")), address);
}

#[test]
fn temporary_failures_are_repeated() {
    let truncated = "200 OK\r\nContent-Length: 5\r\n\r\nhel";
    let answers = [BUSY, truncated, "", "500 Oops\r\n\r\n", "200 OK\r\n\r\nhello"];
    let server = Server::start(&answers);
    let got = bucket(&server).get("a", &Range::All, 99).unwrap().unwrap();
    assert_eq!((got.bytes, server.requests().len()), (b"hello".to_vec(), 5));
}

#[test]
fn a_wait_beyond_the_time_limit_ends_the_request() {
    let server = Server::start(&["503 Slow Down\r\nRetry-After: 600\r\n\r\n"]);
    let error = message(bucket(&server).get("a", &Range::All, 99));
    assert_eq!(
        error,
        "cannot read s3://runs/ci/a: the server answered 503 Service Unavailable; it requests a \
         wait of 600 s"
    );
}

#[test]
fn a_silent_server_is_an_error_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let started = Instant::now();
    let bucket = bucket_with(&address, &KEYS, Duration::from_secs(1));
    let error = message(bucket.get("a", &Range::All, 99));
    assert!(error.starts_with("cannot read s3://runs/ci/a: no answer in time; gave up after "));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    drop(silent);
    let error = message(bucket.get("a", &Range::All, 99));
    assert!(error.contains("onnection refused") && error.contains("gave up after "), "{error}");
    assert!(error.contains(&format!("the server is {address}; --endpoint")), "{error}");
}

#[test]
fn a_body_that_stops_is_an_error_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let streams: Vec<_> = std::iter::from_fn(|| {
            let mut stream = listener.accept().ok()?.0;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel").ok()?;
            Some(stream)
        })
        .collect();
        drop(streams);
    });
    let bucket = bucket_with(&address, &KEYS, Duration::from_secs(1));
    let started = Instant::now();
    let error = message(bucket.get("a", &Range::All, 99));
    assert!(error.contains("no answer in time; gave up after "), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_body_that_drips_is_an_error_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n";
            let mut is_open = stream.write_all(head).is_ok();
            while is_open {
                std::thread::sleep(Duration::from_millis(20));
                is_open = stream.write_all(b"x").is_ok();
            }
        }
    });
    let bucket = bucket_with(&address, &KEYS, Duration::from_secs(1));
    let started = Instant::now();
    let error = message(bucket.get("a", &Range::All, 64 << 20));
    assert!(error.contains("no answer in time"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[test]
fn a_server_without_tls_is_explained() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        // Until the client closes the connection.
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    });
    let bucket = bucket_with(&address, &KEYS, Duration::from_secs(5));
    let error = message(bucket.get("a", &Range::All, 99));
    assert!(error.contains("does not use TLS\nfor a server without TLS"), "{error}");
}

#[test]
fn an_unknown_host_is_an_error() {
    let bucket = bucket_with("http://host.invalid", &KEYS, Duration::from_secs(5));
    let error = message(bucket.get("a", &Range::All, 99));
    assert!(error.starts_with("cannot read s3://runs/ci/a: "), "{error}");
}

#[test]
fn ranges_are_requested_and_checked() {
    let part = |range: &str| format!("206 Partial Content\r\nContent-Range: {range}\r\n\r\ncde");
    for (answer, range, expected) in [
        (&part("bytes 2-4/9")[..], Range::Part(2..5), Ok(("cde", 9))),
        (&part("bytes 6-8/9"), Range::Suffix(3), Ok(("cde", 9))),
        (&part("bytes 6-8/9"), Range::Part(6..20), Ok(("cde", 9))),
        (&part("bytes 3-5/9"), Range::Part(2..5), Err("another range")),
        (&part("bytes 2-3/9"), Range::Part(2..4), Err("another range")),
        (&part("bytes 2-4/*"), Range::Part(2..5), Err("does not state its range")),
        ("200 OK\r\nContent-Range: bytes 2-4/9\r\n\r\ncde", Range::Part(2..5), Ok(("cde", 9))),
        ("200 OK\r\nContent-Range: bytes 2-4/9\r\n\r\ncde", Range::All, Err("another range")),
        ("200 OK\r\n\r\nabcdef", Range::Part(2..5), Ok(("cde", 6))),
        ("200 OK\r\n\r\nabcdef", Range::Suffix(9), Ok(("abcdef", 6))),
        (
            "416 Range Not Satisfiable\r\nContent-Range: bytes */4\r\n\r\n",
            Range::Part(5..6),
            Ok(("", 4)),
        ),
    ] {
        let server = Server::start(&[answer]);
        let got = bucket(&server).get("a", &range, 99);
        match expected {
            Ok((bytes, total_bytes)) => {
                let got = got.unwrap().unwrap();
                assert_eq!((got.bytes, got.total_bytes), (bytes.into(), total_bytes), "{answer}");
            }
            Err(why) => assert!(message(got).contains(why)),
        }
        let requests = server.requests();
        assert_eq!(requests[0].header("range").is_none(), range == Range::All);
    }
}

#[test]
fn a_large_answer_is_an_error() {
    let server = Server::start(&["200 OK\r\n\r\n123456"]);
    let error = message(bucket(&server).get("a", &Range::All, 5));
    assert_eq!(error, "cannot read s3://runs/ci/a: the answer is larger than 5 bytes");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_missing_object_is_none_but_a_missing_bucket_is_an_error() {
    let answer = |code: &str| format!("404 Not Found\r\n\r\n<Error><Code>{code}</Code></Error>");
    let server = Server::start(&[&answer("NoSuchKey"), &answer("NoSuchBucket")]);
    let bucket = bucket(&server);
    assert_eq!(bucket.get("a", &Range::All, 5).unwrap(), None);
    let error = message(bucket.get("a", &Range::All, 5));
    assert!(error.contains("the bucket `runs` does not exist"), "{error}");
}

#[test]
fn refusals_are_not_repeated() {
    for (answer, why) in [
        (
            "403 Forbidden\r\nDate: Fri, 02 Jan 2026 03:04:05 GMT\r\n\r\n\
             <Error><Code>RequestTimeTooSkewed</Code></Error>",
            "that of the server 2026-01-02 03:04:05\nset the clock",
        ),
        (
            "403 Forbidden\r\n\r\n<Error><Code>AccessDenied</Code></Error>",
            "the credentials from the environment do not allow s3:PutObject\nallow s3:PutObject",
        ),
        ("507 Insufficient Storage\r\n\r\n", "is full (507 Insufficient Storage)"),
    ] {
        let server = Server::start(&[answer]);
        let put = bucket(&server).put("a", Body::Bytes(b"x"), Condition::Any);
        let error = message(put);
        assert!(error.starts_with("cannot write s3://runs/ci/a: "), "{error}");
        assert!(error.contains(why), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn the_region_of_an_answer_is_used_from_then_on() {
    let moved = "301 Moved Permanently\r\nx-amz-bucket-region: eu-west-1\r\n\r\n";
    let server = Server::start(&[moved, OK, OK, moved]);
    let bucket = bucket(&server);
    bucket.delete("a").unwrap();
    bucket.delete("b").unwrap();
    let error = message(bucket.delete("c"));
    assert!(error.contains("is not in the region eu-west-1, or at another address"), "{error}");
    let regions: Vec<bool> = server
        .requests()
        .iter()
        .map(|request| request.header("authorization").unwrap().contains("/eu-west-1/s3/"))
        .collect();
    assert_eq!(regions, [false, true, true, true]);
}

#[test]
fn a_write_without_an_answer_is_resolved_by_its_id() {
    // The server creates the object, but its answer is lost.
    let server = Server::start(&["", EXISTS, OK]);
    let put = bucket(&server).put("a", Body::Bytes(b"x"), Condition::IfAbsent);
    assert_eq!(put.unwrap(), Put::Exists, "an object without the id belongs to another writer");
    let requests = server.requests();
    assert_eq!(lines(&requests), ["PUT /runs/ci/a", "PUT /runs/ci/a", "HEAD /runs/ci/a"]);
    assert_eq!(requests[1].header("if-none-match"), Some("*"));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let answers = ["", EXISTS, "200 OK\r\nx-amz-meta-rundown-write: ID\r\n\r\n"];
        let mut id = String::new();
        for answer in answers {
            let stream = listener.accept().unwrap().0;
            let request = crate::support::server::serve(stream, &answer.replace("ID", &id));
            id = request.header("x-amz-meta-rundown-write").unwrap_or(&id).to_owned();
        }
    });
    let bucket = bucket_with(&address, &KEYS, Duration::from_secs(20));
    let put = bucket.put("a", Body::Bytes(b"x"), Condition::IfAbsent);
    assert_eq!(put.unwrap(), Put::Written);
    thread.join().unwrap();
}

#[test]
fn a_write_of_an_existing_object_is_no_error() {
    let server = Server::start(&[EXISTS]);
    let put = bucket(&server).put("a", Body::Bytes(b"x"), Condition::IfAbsent);
    assert_eq!((put.unwrap(), server.requests().len()), (Put::Exists, 1));
}

#[test]
fn a_file_is_sent_again_from_its_start() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"hello, world").unwrap();
    let server = Server::start(&[BUSY, OK]);
    let body = Body::File { file: &file, bytes: 5 };
    assert_eq!(bucket(&server).put("a", body, Condition::Any).unwrap(), Put::Written);
    let requests = server.requests();
    assert_eq!((&requests[0].body[..], &requests[1].body[..]), (&b"hello"[..], &b"hello"[..]));
    assert_eq!(
        requests[1].header("x-amz-content-sha256"),
        Some("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
    );
}

#[test]
fn a_server_that_ignores_conditions_is_found_once() {
    for (second, honors) in [(OK, false), (EXISTS, true)] {
        let server = Server::start(&[OK, second, "204 No Content\r\n\r\n"]);
        let bucket = bucket(&server);
        assert_eq!(bucket.checks_conditions().unwrap(), honors);
        assert_eq!(bucket.checks_conditions().unwrap(), honors, "remembered");
        let requests = server.requests();
        let methods: Vec<&str> = requests.iter().map(|request| &request.method[..]).collect();
        assert_eq!(methods, ["PUT", "PUT", "DELETE"]);
        assert!(requests.iter().all(|request| request.path == requests[0].path));
        assert!(requests[0].path.starts_with("/runs/ci/.rundown-probe-"));
    }
}

#[test]
fn lists_are_requested_by_key_and_checked() {
    let list = |key: &str| {
        format!(
            "200 OK\r\n\r\n<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true\
             </IsTruncated><Contents><Key>{key}</Key><Size>3</Size></Contents></ListBucketResult>"
        )
    };
    let answers = [list("ci/a%2Fb+c"), list("ci/a%2F%2E%2E"), list("other/a"), list("ci/%FF")];
    let server = Server::start(&answers.each_ref().map(String::as_str));
    let bucket = bucket(&server);
    let listed = bucket.list("a/", Some("a/1"), 2).unwrap();
    let keys: Vec<&str> = listed.objects.iter().map(|object| &object.key[..]).collect();
    assert_eq!((&keys[..], listed.has_more), (&["a/b c"][..], true));
    let listed = bucket.list("", None, 2).unwrap();
    let error = message(bucket.get(&listed.objects[0].key, &Range::All, 5));
    assert!(error.ends_with("the key contains the part `..`"), "{error}");
    let error = message(bucket.list("", None, 2));
    assert_eq!(error, "cannot list s3://runs/ci/: the list contains a key outside of the prefix");
    assert!(message(bucket.list("", None, 2)).contains("a key is not UTF-8"));
    assert_eq!(
        lines(&server.requests())[0],
        "GET /runs/?encoding-type=url&list-type=2&max-keys=2&prefix=ci%2Fa%2F\
         &start-after=ci%2Fa%2F1"
    );
}
