//! How much is passed on per second on a connection to a port that the kernel does not lead to its container, against a
//! connection to the container itself; how long a small question and its answer take. A measurement, no promise: it prints.
//! Needs root.
//!
//! `cargo run --release -p net --example proxy_speed`

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use net::Protocol;
use net::port::{Proxy, Reservation, Wanted};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const BYTES: usize = 4 << 30;
const PART: usize = 128 << 10;
const QUESTIONS: usize = 20_000;

fn main() {
    sys::namespace::unshare_network().expect("needs root");
    sys::loopback::up().expect("is there");
    let container: SocketAddr = "127.0.0.2:80".parse().expect("is one");
    let listener = TcpListener::bind(container).expect("is free");
    let wanted = Wanted {
        protocol: Protocol::Tcp,
        hosts: vec!["::1".parse().expect("is one")],
        host_ports: Some(8080..=8080),
        port: 80,
    };
    let reservation = Reservation::take(&[wanted]).expect("is free");
    let mut proxy = Proxy::new().expect("opens");
    let socket = reservation.published().next().and_then(|one| reservation.socket(one)).expect("is reserved");
    proxy.serve(socket, Protocol::Tcp, container).expect("is served");
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let serving = std::thread::spawn(move || serve(proxy, &stopped));
    for address in [container, "[::1]:8080".parse().expect("is one")] {
        let (rate, one) = (throughput(address, &listener), round_trip(address, &listener));
        let words = format!("{address}: {rate:.2} GB/s, one question and answer in {one:?} (median)\n");
        std::io::stdout().write_all(words.as_bytes()).ok();
    }
    stop.store(true, Ordering::Relaxed);
    serving.join().expect("does not panic");
}

fn serve(mut proxy: Proxy, stop: &AtomicBool) {
    let limit = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    while !stop.load(Ordering::Relaxed) {
        poll(&mut [PollFd::new(&proxy, PollFlags::IN)], Some(&limit)).expect("can be waited for");
        proxy.ready();
    }
}

/// Gigabytes per second from a client to the container.
#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn throughput(address: SocketAddr, listener: &TcpListener) -> f64 {
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = TcpStream::connect(address).expect("it listens");
            let part = vec![1; PART];
            (0..BYTES / PART).for_each(|_| client.write_all(&part).expect("is taken"));
        });
        let (mut stream, _) = listener.accept().expect("somebody came");
        let mut part = vec![0; PART];
        while stream.read(&mut part).expect("is connected") > 0 {}
    });
    BYTES as f64 / 1e9 / start.elapsed().as_secs_f64()
}

fn round_trip(address: SocketAddr, listener: &TcpListener) -> Duration {
    let mut times = Vec::with_capacity(QUESTIONS);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("somebody came");
            let mut byte = [0];
            while stream.read(&mut byte).expect("is connected") > 0 {
                stream.write_all(&byte).expect("is taken");
            }
        });
        let mut client = TcpStream::connect(address).expect("it listens");
        for _ in 0..QUESTIONS {
            let start = Instant::now();
            client.write_all(&[1]).expect("is taken");
            client.read_exact(&mut [0]).expect("has come");
            times.push(start.elapsed());
        }
    });
    times.sort_unstable();
    times[times.len() / 2]
}
