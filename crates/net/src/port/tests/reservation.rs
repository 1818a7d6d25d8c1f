//! Reserving.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use super::{EVERYWHERE, wanted};
use crate::port::{Reservation, Wanted};
use crate::testing::Namespace;
use crate::{ErrorKind, Protocol, Published, Result};

fn taken(reservation: &Reservation) -> Vec<String> {
    let told = |one: &Published| format!("{}/{}", SocketAddr::new(one.host, one.host_port), one.protocol);
    reservation.published().map(told).collect()
}

fn refused(result: Result<Reservation>) -> (ErrorKind, String) {
    let error = result.expect_err("it is refused");
    (error.kind(), error.to_string())
}

#[test]
fn nobody_else_gets_what_is_reserved() {
    let host = Namespace::new();
    host.run(|| {
        let both = [
            wanted(Protocol::Tcp, &EVERYWHERE, Some((8080, 8080))),
            wanted(Protocol::Udp, &EVERYWHERE, Some((8080, 8080))),
            wanted(Protocol::Tcp, &["127.0.0.1"], Some((81, 81))),
            wanted(Protocol::Tcp, &["::1"], Some((81, 81))),
        ];
        let first = Reservation::take(&both).expect("all are free");
        let expected = [
            "0.0.0.0:8080/tcp",
            "[::]:8080/tcp",
            "0.0.0.0:8080/udp",
            "[::]:8080/udp",
            "127.0.0.1:81/tcp",
            "[::1]:81/tcp",
        ];
        assert_eq!(taken(&first), expected);
        for address in ["0.0.0.0:8080", "[::]:8080", "127.0.0.1:8080", "[::1]:8080"] {
            assert!(TcpListener::bind(address).is_err(), "{address}");
            assert!(UdpSocket::bind(address).is_err(), "{address}");
        }
        // Nobody is listened to: who connects is refused at once.
        assert!(TcpStream::connect("127.0.0.1:8080").is_err());
        for one in &both {
            let (kind, message) = refused(Reservation::take(std::slice::from_ref(one)));
            assert_eq!(kind, ErrorKind::Conflict);
            let (host, port) = (one.hosts[0], one.host_ports.clone().expect("is said"));
            let address = SocketAddr::new(host, *port.start());
            assert_eq!(message, format!("port {address}/{} is in use", one.protocol));
        }
        drop(first);
        Reservation::take(&both).expect("all are free again");
    });
}

#[test]
fn one_that_fails_takes_nothing() {
    Namespace::new().run(|| {
        let listener = TcpListener::bind("127.0.0.1:82").expect("is free");
        let both =
            [wanted(Protocol::Tcp, &["0.0.0.0"], Some((81, 81))), wanted(Protocol::Tcp, &EVERYWHERE, Some((82, 82)))];
        assert_eq!(refused(Reservation::take(&both)).1, "port 0.0.0.0:82/tcp is in use");
        drop(listener);
        TcpListener::bind("0.0.0.0:81").expect("is free");
        Reservation::take(&both).expect("all are free");
    });
}

#[test]
fn a_port_is_the_first_that_is_free_at_all_addresses() {
    Namespace::new().run(|| {
        let _first = UdpSocket::bind("0.0.0.0:8000").expect("is free");
        let _second = UdpSocket::bind("[::1]:8001").expect("is free");
        let range = [wanted(Protocol::Udp, &EVERYWHERE, Some((8000, 8003)))];
        let reservations: Vec<Reservation> = (0..2).map(|_| Reservation::take(&range).expect("there is one")).collect();
        assert_eq!(taken(&reservations[0]), ["0.0.0.0:8002/udp", "[::]:8002/udp"]);
        assert_eq!(taken(&reservations[1]), ["0.0.0.0:8003/udp", "[::]:8003/udp"]);
        let message = "no port of 8000-8003/udp is free at 0.0.0.0 and ::".to_owned();
        assert_eq!(refused(Reservation::take(&range)), (ErrorKind::Conflict, message));
    });
}

#[test]
fn ports_that_nobody_chose_are_the_lowest_of_the_host() {
    Namespace::new().run(|| {
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40003").expect("is ours");
        let _other = TcpListener::bind("127.0.0.1:40001").expect("is free");
        let any = wanted(Protocol::Tcp, &EVERYWHERE, None);
        let three = Reservation::take(&[any.clone(), any.clone(), any.clone()]).expect("there are three");
        let ports: Vec<u16> = three.published().map(|published| published.host_port).collect();
        assert_eq!(ports, [40000, 40000, 40002, 40002, 40003, 40003]);
        assert_eq!(refused(Reservation::take(&[any])).0, ErrorKind::Conflict);
    });
}

#[test]
fn what_cannot_be_is_said() {
    Namespace::new().run(|| {
        let strange = wanted(Protocol::Tcp, &["192.0.2.1"], Some((80, 80)));
        let message = "192.0.2.1: not an address of this host".to_owned();
        assert_eq!(refused(Reservation::take(&[strange])), (ErrorKind::Invalid, message));
        let sctp = Reservation::take(&[wanted(Protocol::Sctp, &["0.0.0.0"], Some((80, 80)))]);
        // Whether the kernel has it depends on how it was built.
        if let Err(error) = sctp {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert_eq!(error.to_string(), "port 0.0.0.0:80/sctp: this kernel has no SCTP");
        }
    });
}

#[test]
fn connections_that_have_ended_are_not_in_the_way() {
    Namespace::new().run(|| {
        let listener = TcpListener::bind("0.0.0.0:8080").expect("is free");
        let client = TcpStream::connect("127.0.0.1:8080").expect("it listens");
        let (served, _) = listener.accept().expect("somebody came");
        // The first to close is the one who waits.
        drop((served, listener));
        drop(client);
        assert_eq!(rustix_bind("0.0.0.0:8080", false), Err(rustix::io::Errno::ADDRINUSE));
        let all = [wanted(Protocol::Tcp, &EVERYWHERE, Some((8080, 8080)))];
        let _held = Reservation::take(&all).expect("only leftovers are in the way");
        for address in ["0.0.0.0:8080", "[::1]:8080"] {
            for reuse in [true, false] {
                assert_eq!(rustix_bind(address, reuse), Err(rustix::io::Errno::ADDRINUSE), "{address} {reuse}");
            }
        }
        assert!(Reservation::take(&all).is_err());
        assert!(TcpStream::connect("127.0.0.1:8080").is_err());
    });
}

fn rustix_bind(address: &str, reuse: bool) -> std::result::Result<(), rustix::io::Errno> {
    let address: SocketAddr = address.parse().expect("is one");
    let family = match address.ip() {
        IpAddr::V4(_) => rustix::net::AddressFamily::INET,
        IpAddr::V6(_) => rustix::net::AddressFamily::INET6,
    };
    let socket = rustix::net::socket(family, rustix::net::SocketType::STREAM, None)?;
    rustix::net::sockopt::set_socket_reuseaddr(&socket, reuse)?;
    rustix::net::bind(&socket, &address)
}

#[test]
fn thousands_of_ports() {
    Namespace::new().run(|| {
        let all: Vec<Wanted> =
            (10_000..15_000).map(|port| wanted(Protocol::Tcp, &EVERYWHERE, Some((port, port)))).collect();
        let held = Reservation::take(&all).expect("all are free");
        assert_eq!(held.published().count(), 10_000);
    });
}
