//! A server on this machine that gives scripted answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

/// A request as the server got it.
#[derive(Debug)]
pub struct Request {
    pub method: String,
    /// The path with its query.
    pub path: String,
    pub headers: Vec<String>,
    pub body: Vec<u8>,
}

impl Request {
    /// Returns the value of a header; its name is in lowercase.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A server that gives each request the next answer: a status line, headers, an empty line and a
/// body. The length of the body is added unless a header states one. An empty answer closes the
/// connection.
pub struct Server {
    pub address: String,
    thread: JoinHandle<Vec<Request>>,
}

impl Server {
    pub fn start(answers: &[&str]) -> Self {
        let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let thread = thread::spawn(move || {
            answers.iter().map(|answer| serve(listener.accept().unwrap().0, answer)).collect()
        });
        Self { address, thread }
    }

    /// Returns the requests, as many as there were answers.
    pub fn requests(self) -> Vec<Request> {
        self.thread.join().unwrap()
    }
}

/// Reads a request, and gives it an answer as described at [`Server`].
pub fn serve(mut stream: TcpStream, text: &str) -> Request {
    let request = read_request(&stream);
    if let Some((head, body)) = text.split_once("\r\n\r\n") {
        if request.method == "HEAD" {
            answer(&mut stream, &format!("{head}\r\nContent-Length: {}", body.len()), b"");
        } else {
            answer(&mut stream, head, body.as_bytes());
        }
    }
    request
}

pub fn read_request(stream: &TcpStream) -> Request {
    let mut lines = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = line();
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let headers: Vec<String> =
        std::iter::from_fn(|| Some(line()).filter(|line| !line.is_empty())).collect();
    let mut request = Request { method, path, headers, body: Vec::new() };
    let length = request.header("content-length").unwrap_or("0");
    request.body = vec![0; length.parse().unwrap()];
    lines.read_exact(&mut request.body).unwrap();
    request
}

/// Writes an answer: a status line with headers, and a body. The client may be gone.
pub fn answer(stream: &mut TcpStream, head: &str, body: &[u8]) {
    let stated = head.to_ascii_lowercase().contains("content-length:");
    let length = if stated { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let _ = write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\n{length}\r\n")
        .and_then(|()| stream.write_all(body));
}
