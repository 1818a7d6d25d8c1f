//! A host with two bridges and three containers, and a machine outside; questions that are asked of a trace and of the kernel.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::super::{Colour, Place, Places, Question, Role, Sender, Transport, Verdict, text, trace};
use crate::testing::Namespace;

/// How long it takes until a packet counts as lost: on one machine, an answer takes microseconds.
const PATIENCE: Duration = Duration::from_millis(400);

/// The namespaces, with what listens in them.
pub(super) struct Stage {
    pub(super) host: Namespace,
    /// On the first bridge, 172.17.0.2 and `fd00:17::2`.
    pub(super) web: Namespace,
    /// On the first bridge, 172.17.0.3 and `fd00:17::3`.
    pub(super) db: Namespace,
    /// On the second bridge, 172.18.0.2 and `fd00:18::2`.
    pub(super) other: Namespace,
    /// 192.0.2.2 and `2001:db8::2`, beside the host's 192.0.2.1 and `2001:db8::1`.
    pub(super) outside: Namespace,
    listeners: Vec<TcpListener>,
}

/// What a sender sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Answer,
    Refusal,
    Nothing,
}

const HOST: &str = "
ip link add br0 type bridge; ip addr add 172.17.0.1/16 dev br0; ip addr add fd00:17::1/64 dev br0 nodad; ip link set br0 up
ip link add br1 type bridge; ip addr add 172.18.0.1/16 dev br1; ip addr add fd00:18::1/64 dev br1 nodad; ip link set br1 up
echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
";

impl Stage {
    pub(super) fn new() -> Stage {
        let [host, web, db, other, outside] = std::array::from_fn(|_| Namespace::new());
        let stage = Stage { host, web, db, other, outside, listeners: Vec::new() };
        for namespace in [&stage.host, &stage.web, &stage.db, &stage.other, &stage.outside] {
            sh(namespace, "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad");
        }
        sh(&stage.host, HOST);
        stage.attach(&stage.web, "web", "br0", "172.17.0.2", "fd00:17::2");
        stage.attach(&stage.db, "db", "br0", "172.17.0.3", "fd00:17::3");
        stage.attach(&stage.other, "other", "br1", "172.18.0.2", "fd00:18::2");
        let outside = path(stage.outside.fd());
        sh(
            &stage.host,
            &format!(
                "ip link add eth0 type veth peer name eth0 netns {outside}
                 ip addr add 192.0.2.1/24 dev eth0; ip addr add 2001:db8::1/64 dev eth0 nodad; ip link set eth0 up"
            ),
        );
        sh(
            &stage.outside,
            "ip addr add 192.0.2.2/24 dev eth0; ip addr add 2001:db8::2/64 dev eth0 nodad; ip link set eth0 up
             ip route add 172.16.0.0/12 via 192.0.2.1; ip route add fd00::/16 via 2001:db8::1",
        );
        sh(&stage.host, "ip route add default via 192.0.2.2; ip route add default via 2001:db8::2");
        stage
    }

    fn attach(&self, container: &Namespace, name: &str, bridge: &str, ipv4: &str, ipv6: &str) {
        let inside = path(container.fd());
        let (v4, v6) = (gateway(ipv4), gateway(ipv6));
        sh(
            &self.host,
            &format!(
                "ip link add {name} type veth peer name eth0 netns {inside}; ip link set {name} master {bridge} up"
            ),
        );
        sh(
            container,
            &format!(
                "ip addr add {ipv4}/16 dev eth0; ip addr add {ipv6}/64 dev eth0 nodad; ip link set eth0 up
                 ip route add default via {v4}; ip route add default via {v6}"
            ),
        );
    }

    /// Lets a namespace listen.
    pub(super) fn listen(mut self, name: &str, ports: &[u16]) -> Stage {
        for port in ports {
            let bind = || TcpListener::bind(("::", *port)).expect("the port is free");
            let listener = self.namespace(name).run(bind);
            self.listeners.push(listener);
        }
        self
    }

    /// Runs a script on the host.
    pub(super) fn on_host(&self, script: &str) {
        sh(&self.host, script);
    }

    /// Gives rules to `nft`.
    pub(super) fn nft(&self, rules: &str) {
        let run = || {
            let mut nft =
                Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("nft is installed");
            let mut stdin = nft.stdin.take().expect("it is a pipe");
            std::io::Write::write_all(&mut stdin, rules.as_bytes()).expect("it reads");
            drop(stdin);
            assert!(nft.wait().expect("it ends").success(), "{rules}");
        };
        self.host.run(run);
    }

    fn namespace(&self, name: &str) -> &Namespace {
        match name {
            "host" => &self.host,
            "web" => &self.web,
            "db" => &self.db,
            "other" => &self.other,
            _ => &self.outside,
        }
    }

    fn places(&self) -> Places {
        let place = |name: &str, role| {
            let file = File::from(self.namespace(name).fd().try_clone_to_owned().expect("descriptors are left"));
            Place::of(name, role, file).expect("it is a namespace")
        };
        let containers = ["web", "db", "other"].map(|name| place(name, Role::Container));
        Places::new(place("host", Role::Host), containers.into())
    }

    /// Asks a trace, and says what the verdict must be; then asks the kernel, which must agree.
    pub(super) fn check(&self, from: &str, to: &str, protocol: &str, port: u16, expected: Verdict) {
        let places = self.places();
        let to: IpAddr = to.parse().expect("is an address");
        let outside = if to.is_ipv4() { "192.0.2.2" } else { "2001:db8::2" };
        let sender = match from {
            "outside" => Sender::Outside(outside.parse().ok(), Some("eth0".to_owned())),
            name => Sender::Namespace(places.named(name).expect("is one of the stage"), None),
        };
        let transport = Transport::from_name(protocol).expect("is one");
        let question = Question { from: sender, to, protocol: transport, port, source_port: None };
        let servers = self.servers(transport, port);
        let answer = trace(&places, &question).expect("the stage can be read");
        let words = text(&answer, Colour::Off);
        assert_eq!(answer.verdict, expected, "{from} → {to} {protocol} {port}\n{words}");
        assert!(answer.certain, "{words}");
        let seen = match transport {
            Transport::Tcp => self.connect(from, SocketAddr::new(to, port)),
            _ => self.datagram(from, SocketAddr::new(to, port), &servers),
        };
        let fits = match answer.verdict {
            Verdict::Works => seen == Seen::Answer,
            Verdict::Refused | Verdict::Rejected => seen == Seen::Refusal,
            Verdict::Dropped | Verdict::Unanswered => seen == Seen::Nothing,
            // The kernel asks for a neighbour for three seconds.
            Verdict::Unreachable => seen != Seen::Answer,
        };
        assert!(fits, "a real packet from {from} to {to} {protocol} {port}: {seen:?}\n{words}");
    }

    fn connect(&self, from: &str, to: SocketAddr) -> Seen {
        self.namespace(from).run(|| match TcpStream::connect_timeout(&to, PATIENCE) {
            Ok(_) => Seen::Answer,
            Err(error) if error.kind() == ErrorKind::TimedOut => Seen::Nothing,
            Err(_) => Seen::Refusal,
        })
    }

    /// What answers datagrams: in two containers, whatever the port.
    fn servers(&self, transport: Transport, port: u16) -> Vec<UdpSocket> {
        let ports = [port, 53];
        let bind = |name: &str| {
            self.namespace(name).run(|| {
                let free = ports.iter().filter_map(|port| UdpSocket::bind(("::", *port)).ok());
                let all: Vec<UdpSocket> = free.collect();
                for socket in &all {
                    socket.set_read_timeout(Some(PATIENCE / 4)).expect("it can be set");
                }
                all
            })
        };
        if transport == Transport::Udp { ["web", "db"].into_iter().flat_map(bind).collect() } else { Vec::new() }
    }

    /// A datagram to wherever there is a server, and back.
    fn datagram(&self, from: &str, to: SocketAddr, servers: &[UdpSocket]) -> Seen {
        let client = self.namespace(from).run(|| {
            let any: IpAddr = if to.is_ipv4() { [0, 0, 0, 0].into() } else { [0; 16].into() };
            UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(to).map(|()| socket))
        });
        let Ok(client) = client else { return Seen::Refusal };
        client.set_read_timeout(Some(PATIENCE)).expect("it can be set");
        if client.send(b"?").is_err() {
            return Seen::Refusal;
        }
        for socket in servers {
            let mut buffer = [0; 8];
            if let Ok((_, peer)) = uninterrupted(|| socket.recv_from(&mut buffer)) {
                let _ = socket.send_to(b"!", peer);
                break;
            }
        }
        match uninterrupted(|| client.recv(&mut [0; 8])) {
            Ok(_) => Seen::Answer,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Seen::Nothing,
            Err(_) => Seen::Refusal,
        }
    }
}

/// Runs a script in a namespace.
pub(super) fn sh(namespace: &Namespace, script: &str) {
    let status = namespace.run(|| Command::new("sh").args(["-ec", script]).status().expect("there is a shell"));
    assert!(status.success(), "{script}");
}

/// Waits again where a wait with a limit was interrupted, which the kernel does not do by itself (`signal(7)`).
fn uninterrupted<T>(mut wait: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    loop {
        match wait() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            answer => return answer,
        }
    }
}

/// A name of a namespace for programs.
fn path(namespace: BorrowedFd<'_>) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd())
}

fn gateway(address: &str) -> String {
    format!("{}1", &address[..address.len() - 1])
}
