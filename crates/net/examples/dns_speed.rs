//! How many questions about containers the name server answers per second of processor time, and how long an answer takes.
//! A measurement, no promise: it prints. Needs root.
//!
//! `cargo run --release -p net --example dns_speed`

use std::io::Write;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use net::dns::{Outside, Server};
use net::register::{Register, Registers};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};

const QUESTIONS: usize = 500_000;
const UNDER_WAY: usize = 64;

fn main() {
    let directory = std::env::temp_dir().join(format!("dns_speed.{}", std::process::id()));
    let path = register(&directory);
    let container = std::thread::spawn(|| {
        sys::namespace::unshare_network().expect("needs root");
        sys::loopback::up().expect("is there");
        std::fs::File::open("/proc/thread-self/ns/net").expect("is there")
    });
    let container = container.join().expect("does not panic");
    let stop = Arc::new(AtomicBool::new(false));
    let before = Instant::now();
    let server = Server::open(container.as_fd(), vec![path], Outside::Closed).expect("opens");
    let opened = before.elapsed();
    let stopped = stop.clone();
    let serving = std::thread::spawn(move || serve(server, &stopped));
    let (wall, one) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            sys::namespace::enter(container.as_fd()).expect("needs root");
            ask()
        });
        asking.join().expect("does not panic")
    });
    stop.store(true, Ordering::Relaxed);
    let used = serving.join().expect("does not panic");
    std::fs::remove_dir_all(&directory).ok();
    let rate = |time: Duration| QUESTIONS as u128 * 1_000_000 / time.as_micros();
    let words = format!(
        "{} answers/s of wall time, {} answers/s of processor time, one answer in {one:?} (median), \
         opened in {opened:?}\n",
        rate(wall),
        rate(used)
    );
    std::io::stdout().write_all(words.as_bytes()).ok();
}

/// Serves until it is told to stop; how much processor time that took.
fn serve(mut server: Server, stop: &AtomicBool) -> Duration {
    let used = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("is not negative");
    let before = used();
    let limit = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    while !stop.load(Ordering::Relaxed) {
        poll(&mut [PollFd::new(&server, PollFlags::IN)], Some(&limit)).expect("can be waited for");
        server.ready();
    }
    used().saturating_sub(before)
}

/// Asks; how long all questions took that were under way together, and how long one that was alone.
fn ask() -> (Duration, Duration) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("is free");
    socket.connect("127.0.0.11:53").expect("is connected");
    let query = b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x04c042\x03web\0\0\x01\0\x01";
    let mut answer = [0; 512];
    let mut times: Vec<Duration> = (0..10_000)
        .map(|_| {
            let start = Instant::now();
            socket.send(query).expect("is sent");
            socket.recv(&mut answer).expect("has come");
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let start = Instant::now();
    for _ in 0..UNDER_WAY {
        socket.send(query).expect("is sent");
    }
    for _ in 0..QUESTIONS - UNDER_WAY - times.len() {
        socket.recv(&mut answer).expect("has come");
        socket.send(query).expect("is sent");
    }
    for _ in 0..UNDER_WAY {
        socket.recv(&mut answer).expect("has come");
    }
    (start.elapsed(), times[times.len() / 2])
}

/// Writes the register of a network with a hundred containers.
fn register(directory: &Path) -> PathBuf {
    let network = serde_json::json!({
        "id": "1", "name": "web", "created": "2026-01-01T00:00:00Z", "driver": "bridge", "link": "br-1", "pools": [],
    });
    let mut register = Register::new(serde_json::from_value(network).expect("is one"));
    register.endpoints = (0..100)
        .map(|number| {
            let (name, address) = (format!("c{number:03}"), format!("10.0.0.{}", number + 2));
            let endpoint = serde_json::json!({
                "container": name, "id": "2", "names": [name], "link": "veth", "mac": "02:42:0a:00:00:02", "ipv4": address,
            });
            serde_json::from_value(endpoint).expect("is one")
        })
        .collect();
    let registers = Registers::new(directory);
    registers.lock().and_then(|locked| locked.write(&register)).expect("is written");
    registers.path("1")
}
