//! A proxy on this machine that damages the traffic between a client and a server.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::server::read_request;

/// The treatment of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The request does not reach the server.
    Drop,
    /// The server serves the request, and the answer is lost.
    Lose,
    /// The answer ends after half of its bytes.
    Truncate,
    /// The request reaches the server twice. The client gets the second answer.
    Repeat,
    /// The answer comes late.
    Delay,
}

const FAULTS: [Fault; 5] = [Fault::Drop, Fault::Lose, Fault::Truncate, Fault::Repeat, Fault::Delay];

/// A proxy. Its faults are those of a pseudo-random sequence.
pub struct Proxy {
    pub address: String,
    faults: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts a proxy before the server at an address. `percent` of the requests have a fault.
    pub fn start(server: &str, percent: u64, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let faults = Arc::new(AtomicUsize::new(0));
        let proxy = Self { address, faults: Arc::clone(&faults) };
        let server = server.strip_prefix("http://").unwrap().to_owned();
        let random = Arc::new(Mutex::new(seed));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let fault = next_fault(&mut random.lock().unwrap(), percent);
                faults.fetch_add(usize::from(fault.is_some()), Ordering::Relaxed);
                let server = server.clone();
                thread::spawn(move || pass(stream.unwrap(), &server, fault));
            }
        });
        proxy
    }

    /// Returns the number of requests that had a fault.
    pub fn faults(&self) -> usize {
        self.faults.load(Ordering::Relaxed)
    }
}

/// Returns the fault of the next request: see <https://prng.di.unimi.it/splitmix64.c>.
fn next_fault(state: &mut u64, percent: u64) -> Option<Fault> {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z % 100 < percent).then(|| FAULTS[(z >> 32) as usize % FAULTS.len()])
}

fn pass(mut client: TcpStream, server: &str, fault: Option<Fault>) {
    let request = read_request(&client);
    if fault == Some(Fault::Drop) {
        return;
    }
    let mut text = format!("{} {} HTTP/1.1\r\n", request.method, request.path);
    for header in request.headers.iter().filter(|line| !line.starts_with("connection:")) {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("connection: close\r\n\r\n");
    let send = || {
        let mut stream = TcpStream::connect(server).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream.write_all(&request.body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    };
    let mut answer = send();
    match fault {
        Some(Fault::Lose) => return,
        Some(Fault::Truncate) => answer.truncate(answer.len() / 2),
        Some(Fault::Repeat) => answer = send(),
        Some(Fault::Delay) => thread::sleep(Duration::from_millis(50)),
        Some(Fault::Drop) | None => {}
    }
    // The client may be gone.
    let _ = client.write_all(&answer);
}
