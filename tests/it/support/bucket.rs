//! A server on this machine with one bucket in memory: it lists, reads in parts, creates under a
//! condition, and deletes. It can fail on request.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use super::rundown;
use super::server::{Request, answer, read_request};

/// A test that decides about a request: `None` to serve it, or else an answer as a status line and
/// headers. The answer `""` closes the connection, and [`LOST`] does so after the request was
/// served.
type Fault = dyn FnMut(&Request) -> Option<String> + Send;

/// The answer that is lost on its way.
pub const LOST: &str = "lost";

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    /// The ages of objects, in minutes; 0 if not stated.
    ages: BTreeMap<String, u32>,
    /// The requests that came: the method, a space, and the key or `?` for a list.
    log: Vec<String>,
    ranges: Vec<String>,
    fault: Option<Box<Fault>>,
}

/// A server with a bucket.
#[derive(Clone)]
pub struct Bucket {
    pub address: String,
    state: Arc<Mutex<State>>,
}

impl Bucket {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let bucket = Self { address, state: Arc::default() };
        let state = Arc::clone(&bucket.state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&state);
                thread::spawn(move || serve(stream.unwrap(), &state));
            }
        });
        bucket
    }

    /// Returns the program with the credentials of the bucket.
    pub fn rundown(&self, dir: &Path) -> Command {
        let mut command = rundown(dir);
        command.env("AWS_ENDPOINT_URL_S3", &self.address);
        command.env("AWS_ACCESS_KEY_ID", "id").env("AWS_SECRET_ACCESS_KEY", "key");
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, dir: &Path, args: &[&str]) -> Output {
        self.rundown(dir).args(args).output().unwrap()
    }

    /// Sets the test that decides about requests.
    pub fn fail(&self, fault: impl FnMut(&Request) -> Option<String> + Send + 'static) {
        self.state.lock().unwrap().fault = Some(Box::new(fault));
    }

    /// Serves all requests again.
    pub fn heal(&self) {
        self.state.lock().unwrap().fault = None;
    }

    /// Returns the requests since the last call: the method, and the key or the prefix of a list.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().log)
    }

    /// Sets the age of an object, in minutes.
    pub fn set_age(&self, key: &str, minutes: u32) {
        self.state.lock().unwrap().ages.insert(key.to_owned(), minutes);
    }

    pub fn ranges(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().ranges)
    }

    pub fn keys(&self) -> Vec<String> {
        self.state.lock().unwrap().objects.keys().cloned().collect()
    }

    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.state.lock().unwrap().objects.clone()
    }

    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.state.lock().unwrap().objects.get(key).cloned()
    }

    pub fn put(&self, key: &str, bytes: &[u8]) {
        self.state.lock().unwrap().objects.insert(key.to_owned(), bytes.to_vec());
    }

    pub fn delete(&self, key: &str) {
        self.state.lock().unwrap().objects.remove(key).unwrap();
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let request = read_request(&stream);
    let mut state = state.lock().unwrap();
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let key = decoded(path.strip_prefix("/runs").unwrap().trim_start_matches('/'));
    let asked: BTreeMap<&str, String> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name, decoded(value)))
        .collect();
    let shown = if key.is_empty() { format!("?{}", asked["prefix"]) } else { key.clone() };
    let range = request.header("range").map(ToOwned::to_owned);
    state.ranges.extend(range);
    state.log.push(format!("{} {shown}", request.method));
    let fault = state.fault.as_mut().and_then(|fault| fault(&request));
    match fault {
        Some(head) if head.is_empty() => {}
        Some(head) if head == LOST => _ = perform(&mut state.objects, &key, &request),
        Some(head) => answer(&mut stream, &head, b""),
        None if key.is_empty() => {
            let head = format!("200 OK\r\nDate: {}", date(0));
            answer(&mut stream, &head, list(&state, &asked).as_bytes());
        }
        None => {
            let age = state.ages.get(&key).copied().unwrap_or_default();
            let (head, body) = perform(&mut state.objects, &key, &request);
            let head = format!("{head}\r\nDate: {}\r\nLast-Modified: {}", date(0), date(age));
            if request.method == "HEAD" {
                answer(&mut stream, &format!("{head}\r\nContent-Length: {}", body.len()), b"");
            } else {
                answer(&mut stream, &head, &body);
            }
        }
    }
}

fn perform(
    objects: &mut BTreeMap<String, Vec<u8>>,
    key: &str,
    request: &Request,
) -> (String, Vec<u8>) {
    let status = |text: &str| (text.to_owned(), Vec::new());
    match request.method.as_str() {
        "PUT" if request.header("if-none-match").is_some() && objects.contains_key(key) => {
            status("412 Precondition Failed")
        }
        "PUT" => {
            objects.insert(key.to_owned(), request.body.clone());
            status("200 OK")
        }
        "DELETE" => {
            objects.remove(key);
            status("204 No Content")
        }
        _ => match objects.get(key) {
            None => status("404 Not Found"),
            Some(object) => read(object, request),
        },
    }
}

fn read(object: &[u8], request: &Request) -> (String, Vec<u8>) {
    let etag = format!("\"{:x}\"", fnv(object));
    if request.header("if-none-match") == Some(&etag) {
        return ("304 Not Modified".to_owned(), Vec::new());
    }
    let Some(range) = request.header("range") else {
        return (format!("200 OK\r\nETag: {etag}"), object.to_vec());
    };
    let (first, last) = range["bytes=".len()..].split_once('-').unwrap();
    let size = object.len();
    let part = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) => first..size.min(last + 1),
        (_, suffix) => size.saturating_sub(suffix.unwrap())..size,
    };
    if part.start >= part.end {
        return (format!("416 Range\r\nContent-Range: bytes */{size}"), Vec::new());
    }
    let stated = format!("Content-Range: bytes {}-{}/{size}", part.start, part.end - 1);
    (format!("206 Partial Content\r\n{stated}\r\nETag: {etag}"), object[part].to_vec())
}

/// Returns the time of an age in minutes, up to that of a day, in the form of HTTP.
fn date(age: u32) -> String {
    let minutes = 24 * 60 - 1 - age;
    format!("Fri, 02 Jan 2026 {:02}:{:02}:00 GMT", minutes / 60, minutes % 60)
}

fn list(state: &State, asked: &BTreeMap<&str, String>) -> String {
    let objects = &state.objects;
    let after = asked.get("start-after").cloned().unwrap_or_default();
    let max: usize = asked["max-keys"].parse().unwrap();
    let is_listed = |key: &&String| key.starts_with(&asked["prefix"]) && **key > after;
    let keys: Vec<&String> = objects.keys().filter(is_listed).collect();
    let entries = keys.iter().take(max.min(1000)).map(|key| {
        let size = objects[*key].len();
        let minutes = 24 * 60 - 1 - state.ages.get(*key).copied().unwrap_or_default();
        let (hours, minutes) = (minutes / 60, minutes % 60);
        format!(
            "<Contents><Key>{key}</Key><Size>{size}</Size><ETag>1</ETag>\
             <LastModified>2026-01-02T{hours:02}:{minutes:02}:00.000Z</LastModified></Contents>"
        )
    });
    let entries = entries.collect::<Vec<_>>().concat();
    let has_more = keys.len() > max.min(1000);
    format!("<ListBucketResult><IsTruncated>{has_more}</IsTruncated>{entries}</ListBucketResult>")
}

/// A hash, for the version of an object.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}
