//! A host and a container with a name server, and name servers outside, for tests.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::Command;

use simple_dns::{CLASS, Name, Packet, QCLASS, QTYPE, Question, TYPE};

use crate::dns::{ADDRESS, Outside, Server};
use crate::register::{Register, Registers};
use crate::running::{self, Running};
use crate::testing::Namespace;
use crate::{Endpoint, address::Mac, lease};

/// A host and a container.
pub(super) struct Site {
    pub(super) host: Namespace,
    pub(super) container: Namespace,
    directory: tempfile::TempDir,
    running: Vec<Running>,
}

/// Who is on a network: names and addresses.
pub(super) type Who<'a> = (&'a [&'a str], &'a [&'a str]);

impl Site {
    pub(super) fn new() -> Site {
        let directory = tempfile::tempdir().expect("a directory");
        Site { host: Namespace::new(), container: Namespace::new(), directory, running: Vec::new() }
    }

    /// Writes the register of a network.
    pub(super) fn register(&self, network: &str, who: &[Who<'_>]) {
        self.register_as(network, true, who);
    }

    /// The same, of a network on which containers may have no names.
    pub(super) fn register_as(&self, network: &str, names: bool, who: &[Who<'_>]) {
        let definition = lease::tests::network("10.0.0.0/8");
        let mut register =
            Register::new(crate::Network { id: network.to_owned(), name: network.to_owned(), names, ..definition });
        register.endpoints = who.iter().map(endpoint).collect();
        self.registers().lock().and_then(|locked| locked.write(&register)).expect("is written");
    }

    fn registers(&self) -> Registers {
        Registers::new(self.directory.path())
    }

    pub(super) fn paths(&self, networks: &[&str]) -> Vec<PathBuf> {
        networks.iter().map(|network| self.registers().path(network)).collect()
    }

    /// Lets the container have a name server.
    pub(super) fn serve(&mut self, networks: &[&str], outside: Outside) {
        let paths = self.paths(networks);
        self.serve_with(move |container| Server::open(container, paths, outside));
    }

    pub(super) fn serve_with(
        &mut self,
        open: impl FnOnce(std::os::fd::BorrowedFd<'_>) -> crate::Result<Server> + Send + 'static,
    ) {
        let container = self.container.fd().try_clone_to_owned().expect("a descriptor");
        self.running.push(running::component(&self.host, move || open(container.as_fd()).expect("opens")));
    }

    /// Opens a name server that the test itself lets work.
    pub(super) fn by_hand(&self, outside: Outside, test: impl FnOnce(&Site, &mut Server) + Send) {
        self.host.run(|| {
            let mut server = Server::open(self.container.fd(), Vec::new(), outside).expect("opens");
            test(self, &mut server);
        });
    }

    /// Asks such a server for an address; the socket that gets the answer.
    pub(super) fn ask(&self, server: &mut Server, id: u16, name: &str) -> UdpSocket {
        let client = self.container.run(|| UdpSocket::bind("127.0.0.1:0").expect("is free"));
        client.send_to(&query(id, name), ADDRESS).expect("is sent");
        server.ready();
        client
    }

    /// Waits until such a server has something to do, and lets it.
    pub(super) fn until_ready(server: &mut Server) {
        let (stop, _writer) = std::io::pipe().expect("a pipe");
        assert!(running::wait(&[server.as_fd()], &stop, None));
        server.ready();
    }

    /// Runs `dig` in the container, against its name server; what it says.
    pub(super) fn dig(&self, arguments: &str) -> String {
        let output = self.container.run(|| {
            let mut dig = Command::new("dig");
            dig.args(["@127.0.0.11", "+noall", "+answer", "+tries=1", "+time=10", "+nocookie"]);
            dig.args(arguments.split_whitespace()).output()
        });
        let output = output.expect("dig is installed");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("is text").trim_end().to_owned()
    }

    /// Starts a server outside, at an address in a namespace. It says to a query what `answer` says, which may be nothing.
    pub(super) fn outside(
        &mut self,
        in_container: bool,
        address: &str,
        answer: impl Fn(&[u8], bool) -> Option<Vec<u8>> + Send + 'static,
    ) -> SocketAddr {
        let namespace = if in_container { &self.container } else { &self.host };
        let address: SocketAddr = address.parse().expect("is one");
        let (udp, tcp) = namespace
            .run(|| (UdpSocket::bind(address).expect("is free"), TcpListener::bind(address).expect("is free")));
        self.running.push(running::run(move |stop| {
            while running::wait(&[udp.as_fd(), tcp.as_fd()], &stop, None) {
                udp.set_nonblocking(true).expect("is set");
                tcp.set_nonblocking(true).expect("is set");
                let mut query = [0; 2048];
                while let Ok((length, from)) = udp.recv_from(&mut query) {
                    answer(&query[..length], false).map(|reply| udp.send_to(&reply, from));
                }
                while let Ok((stream, _)) = tcp.accept() {
                    serve_stream(stream, &answer).ok();
                }
            }
        }));
        address
    }
}

/// A question for an address.
pub(super) fn query(id: u16, name: &str) -> Vec<u8> {
    let mut packet = Packet::new_query(id);
    let (kind, class) = (QTYPE::TYPE(TYPE::A), QCLASS::CLASS(CLASS::IN));
    packet.questions.push(Question::new(Name::new_unchecked(name), kind, class, false));
    packet.build_bytes_vec().expect("is short")
}

/// Answers one question of a connection, whose other end may give up meanwhile.
fn serve_stream(mut stream: TcpStream, answer: &impl Fn(&[u8], bool) -> Option<Vec<u8>>) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut query)?;
    let Some(reply) = answer(&query, true) else { return Ok(()) };
    let length = u16::try_from(reply.len()).expect("is short").to_be_bytes();
    stream.write_all(&[&length[..], &reply].concat())
}

fn endpoint((names, addresses): &Who<'_>) -> Endpoint {
    let addresses = addresses.iter().map(|text| text.parse::<IpAddr>().expect("is one"));
    let (mut ipv4, mut ipv6) = (None, None);
    for address in addresses {
        match address {
            IpAddr::V4(address) => ipv4 = Some(address),
            IpAddr::V6(address) => ipv6 = Some(address),
        }
    }
    Endpoint {
        container: names.first().copied().unwrap_or("none").to_owned(),
        id: "2".repeat(64),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        link: "veth1".to_owned(),
        mac: Mac([2; 6]),
        ipv4,
        ipv6,
        ports: Vec::new(),
    }
}
