//! Passing on. The container is the same namespace as the host at another address: the proxy only connects.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc;
use std::thread;

use super::{EVERYWHERE, wanted};
use crate::Protocol;
use crate::port::{Proxy, Reservation};
use crate::running::{Running, component};
use crate::testing::Namespace;

/// Where the container is.
const CONTAINER: &str = "127.0.0.2:80";

/// A port that leads there.
const PORT: u16 = 8080;

fn serve(host: &Namespace, protocol: Protocol) -> Running {
    component(host, move || proxy(protocol).1)
}

fn proxy(protocol: Protocol) -> (Reservation, Proxy) {
    let reservation = Reservation::take(&[wanted(protocol, &EVERYWHERE, Some((PORT, PORT)))]).expect("is free");
    let mut proxy = Proxy::new().expect("opens");
    let socket = reservation.published().next().and_then(|one| reservation.socket(one)).expect("is reserved");
    proxy.serve(socket, protocol, CONTAINER.parse().expect("is one")).expect("is served");
    (reservation, proxy)
}

fn connect(host: &Namespace) -> TcpStream {
    host.run(|| TcpStream::connect(("::1", PORT)).expect("it listens"))
}

fn listen(host: &Namespace) -> TcpListener {
    host.run(|| TcpListener::bind(CONTAINER).expect("is free"))
}

#[test]
fn both_ends_say_all_they_have_to_say() {
    let host = Namespace::new();
    let (_running, listener) = (serve(&host, Protocol::Tcp), listen(&host));
    // More than fits into all the buffers on the way.
    let large: Vec<u8> = (0..40_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    thread::scope(|scope| {
        let container = scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("somebody came");
            let mut question = Vec::new();
            stream.read_to_end(&mut question).expect("comes to its end");
            stream.write_all(&question).expect("is taken");
            question
        });
        let mut client = connect(&host);
        let mut sender = client.try_clone().expect("a descriptor");
        let large = &large;
        scope.spawn(move || {
            sender.write_all(large).expect("is taken");
            sender.shutdown(Shutdown::Write).expect("is connected");
        });
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).expect("comes to its end");
        assert!(&answer == large);
        assert!(&container.join().expect("it does not panic") == large);
    });
}

#[test]
fn the_end_of_one_way_is_not_the_end_of_the_other() {
    let host = Namespace::new();
    let (_running, listener) = (serve(&host, Protocol::Tcp), listen(&host));
    for container_first in [true, false] {
        let client = connect(&host);
        let (container, _) = listener.accept().expect("somebody came");
        let (mut first, mut second) = if container_first { (container, client) } else { (client, container) };
        first.shutdown(Shutdown::Write).expect("is connected");
        assert_eq!(second.read(&mut [0; 8]).expect("is at its end"), 0);
        second.write_all(b"still here").expect("is taken");
        drop(second);
        let mut text = String::new();
        first.read_to_string(&mut text).expect("comes to its end");
        assert_eq!(text, "still here");
    }
}

#[test]
fn a_port_that_nobody_listens_at_resets() {
    let host = Namespace::new();
    let _running = serve(&host, Protocol::Tcp);
    for _ in 0..10 {
        let error = connect(&host).read(&mut [0; 8]).expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_reset_is_passed_on() {
    let host = Namespace::new();
    let (_running, listener) = (serve(&host, Protocol::Tcp), listen(&host));
    for container_first in [true, false] {
        let client = connect(&host);
        let (container, _) = listener.accept().expect("somebody came");
        let (first, mut second) = if container_first { (container, client) } else { (client, container) };
        rustix::net::sockopt::set_socket_linger(&first, Some(std::time::Duration::ZERO)).expect("is set");
        drop(first);
        let error = second.read(&mut [0; 8]).expect_err("is reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_thousand_connections_and_none_is_left() {
    let host = Namespace::new();
    let listener = listen(&host);
    let (told, counts) = mpsc::channel();
    let running = component(&host, move || Counted { reservation: proxy(Protocol::Tcp), told });
    thread::scope(|scope| {
        let container = scope.spawn(|| {
            let accepted: Vec<TcpStream> = (0..1000).map(|_| listener.accept().expect("somebody came").0).collect();
            for mut stream in accepted {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("has come");
                stream.write_all(&byte).expect("is taken");
            }
        });
        let clients: Vec<TcpStream> =
            host.run(|| (0..1000).map(|_| TcpStream::connect(("::1", PORT)).expect("it listens")).collect());
        for (number, mut client) in clients.iter().enumerate() {
            client.write_all(&[number.to_le_bytes()[0]]).expect("is taken");
        }
        for (number, mut client) in clients.into_iter().enumerate() {
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).expect("comes to its end");
            assert_eq!(answer, [number.to_le_bytes()[0]]);
        }
        container.join().expect("it does not panic");
    });
    // The last of them goes when the proxy has seen that both ends are closed.
    while counts.recv().expect("it runs") != 0 {}
    drop(running);
}

/// A proxy that tells how many connections there are whenever something has happened.
struct Counted {
    reservation: (Reservation, Proxy),
    told: mpsc::Sender<usize>,
}

impl std::os::fd::AsFd for Counted {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.reservation.1.as_fd()
    }
}

impl crate::running::Component for Counted {
    fn ready(&mut self) {
        self.reservation.1.ready();
        self.told.send(self.reservation.1.counts().0).ok();
    }
    fn deadline(&self) -> Option<std::time::Instant> {
        self.reservation.1.deadline()
    }
    fn due(&mut self, now: std::time::Instant) {
        self.reservation.1.due(now);
    }
}

#[test]
fn datagrams_go_both_ways_and_come_from_where_they_were_sent_to() {
    let host = Namespace::new();
    let _running = serve(&host, Protocol::Udp);
    let container = host.run(|| UdpSocket::bind(CONTAINER).expect("is free"));
    for asked in ["[::1]:8080", "127.0.0.1:8080", "127.0.0.9:8080"] {
        let asked: SocketAddr = asked.parse().expect("is one");
        let own = if asked.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
        let clients: Vec<UdpSocket> = host.run(|| (0..3).map(|_| UdpSocket::bind(own).expect("is free")).collect());
        for (number, client) in clients.iter().enumerate() {
            client.send_to(&number.to_le_bytes(), asked).expect("is sent");
        }
        for _ in &clients {
            let mut buffer = [0; 64];
            let (length, from) = container.recv_from(&mut buffer).expect("has come");
            container.send_to(&buffer[..length], from).expect("is sent");
        }
        for (number, client) in clients.iter().enumerate() {
            let mut buffer = [0; 64];
            let (length, from) = client.recv_from(&mut buffer).expect("has come");
            assert_eq!((&buffer[..length], from), (&number.to_le_bytes()[..], asked));
        }
    }
}

#[test]
fn clients_that_are_quiet_are_forgotten() {
    Namespace::new().run(|| {
        let (_reservation, mut proxy) = proxy(Protocol::Udp);
        let container = UdpSocket::bind(CONTAINER).expect("is free");
        // As many as there may be, and one more.
        let clients: Vec<UdpSocket> = (0..1025).map(|_| UdpSocket::bind("127.0.0.1:0").expect("is free")).collect();
        for client in &clients {
            client.send_to(b"hello", ("127.0.0.1", PORT)).expect("is sent");
            proxy.ready();
            assert_eq!(container.recv(&mut [0; 8]).expect("has come"), 5);
        }
        assert_eq!(proxy.counts().1, 1024);
        let deadline = proxy.deadline().expect("there are clients");
        proxy.due(std::time::Instant::now());
        assert_eq!(proxy.counts().1, 1024);
        proxy.due(deadline + std::time::Duration::from_mins(1));
        assert_eq!(proxy.counts().1, 0);
        assert_eq!(proxy.deadline(), None);
    });
}

#[test]
fn a_container_that_refuses_datagrams_may_take_them_later() {
    Namespace::new().run(|| {
        let (_reservation, mut proxy) = proxy(Protocol::Udp);
        let client = UdpSocket::bind("127.0.0.1:0").expect("is free");
        client.send_to(b"lost", ("127.0.0.1", PORT)).expect("is sent");
        proxy.ready();
        let container = UdpSocket::bind(CONTAINER).expect("is free");
        client.send_to(b"kept", ("127.0.0.1", PORT)).expect("is sent");
        proxy.ready();
        let mut buffer = [0; 8];
        let length = container.recv(&mut buffer).expect("has come");
        assert_eq!(&buffer[..length], b"kept");
    });
}

#[test]
fn a_port_stays_reserved_when_nothing_is_passed_on_any_more() {
    Namespace::new().run(|| {
        let (reservation, proxy) = proxy(Protocol::Tcp);
        TcpStream::connect(("::1", PORT)).expect("it listens");
        drop(proxy);
        assert!(TcpStream::connect(("::1", PORT)).is_err());
        assert!(TcpListener::bind(("::1", PORT)).is_err());
        drop(reservation);
        TcpListener::bind(("::1", PORT)).expect("is free again");
    });
}
