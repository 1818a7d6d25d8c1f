//! Network namespaces as places that one calls from, listens in, and watches: those of machines, and those of containers.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::process::{Output, run};
use crate::servers::{Datagrams, Listener, greeting};
use crate::{Context, Failure, Result};

/// How long nobody answers before it counts as silence: packets that are dropped are not told of.
const SILENCE: Duration = Duration::from_millis(700);
/// How long something is waited for that must come, on the slowest of machines.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// What everybody is told to say something: enough for a server of HTTP as well, which looks for more until the end.
const QUESTION: &[u8] = b"GET / HTTP/1.0\n";

/// A network namespace, by its file.
#[derive(Debug, Clone)]
pub struct Namespace(PathBuf);

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Somebody said this.
    Answer(String),
    /// The machine is there, and nobody on it.
    Refused,
    /// There is no way, or somebody on it says that there is none.
    Unreachable,
    /// Nobody says anything.
    Silence,
}

/// What may change in a namespace: multicast groups of rtnetlink(7), as its old mask has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Change {
    /// A link comes, goes, or is another (`RTMGRP_LINK`).
    Link = 1,
    /// An address of IPv6 comes, goes, or may be used now (`RTMGRP_IPV6_IFADDR`).
    AddressOfIpv6 = 0x100,
    /// A route of IPv6 (`RTMGRP_IPV6_ROUTE`).
    RouteOfIpv6 = 0x400,
}

impl Namespace {
    /// That of this file: in `/run/netns`, or of a process in `/proc`.
    pub fn at(path: impl Into<PathBuf>) -> Namespace {
        Namespace(path.into())
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A command that runs there. `nsenter(1)` leaves mounts as they are, which `ip netns exec` does not.
    pub fn command(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.0.display())).arg(program).args(arguments);
        command
    }

    /// Runs a command there to its end.
    ///
    /// # Errors
    /// It could not be started.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<Output> {
        run(&mut self.command(program, arguments))
    }

    /// A shell script there, which must succeed: its stdout without the last line end.
    ///
    /// # Errors
    /// It did not: the message has everything it wrote.
    pub fn sh(&self, script: &str) -> Result<String> {
        Ok(self.run("sh", &["-c", script])?.success()?.trim_end_matches('\n').to_owned())
    }

    /// What a thread finds that is in this network.
    ///
    /// # Errors
    /// The namespace cannot be entered, or that of the thread's work.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let namespace = File::open(&self.0).context(self.0.display())?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
                work()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// What a server says to a caller from here, who must be answered: the last line of it, as others come before it in HTTP.
    ///
    /// # Errors
    /// He is not: the message says what became of it.
    pub fn ask_tcp(&self, address: &str, port: u16) -> Result<String> {
        answered(self.tcp(socket_address(address, port)?, PATIENCE)?, address, port)
    }

    /// The same with datagrams.
    ///
    /// # Errors
    /// He is not: the message says what became of it.
    pub fn ask_udp(&self, address: &str, port: u16) -> Result<String> {
        let to = socket_address(address, port)?;
        let answer = self.within(move || {
            let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
            socket.connect(to)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            let mut answer = [0; 100];
            let said = socket.send(QUESTION).and_then(|_| socket.recv(&mut answer));
            outcome(said.map(|count| String::from_utf8_lossy(&answer[..count]).trim().to_owned()))
        });
        answered(answer?, address, port)
    }

    /// Calls, of which this must become. Only silence is not waited for longer than it takes to tell.
    ///
    /// # Errors
    /// Something else has become of it: the message says what.
    pub fn check_tcp(&self, address: &str, port: u16, expected: &Outcome) -> Result {
        let patience = if *expected == Outcome::Silence { SILENCE } else { PATIENCE };
        let outcome = self.tcp(socket_address(address, port)?, patience)?;
        if outcome == *expected {
            return Ok(());
        }
        Err(Failure::new(format!("calling {address}, port {port}: {outcome:?}, not {expected:?}")))
    }

    fn tcp(&self, to: SocketAddr, patience: Duration) -> Result<Outcome> {
        self.within(move || outcome(call(to, patience))).context(format!("calling {to}"))
    }

    /// A server of TCP here that tells everybody what address he has: at `[::]:80`, whoever comes to port 80.
    ///
    /// # Errors
    /// The address is not there, or taken.
    pub fn listen(&self, address: &str) -> Result<Listener> {
        Listener::start(self, address)
    }

    /// The same with datagrams.
    ///
    /// # Errors
    /// The address is not there, or taken.
    pub fn listen_for_datagrams(&self, address: &str) -> Result<Datagrams> {
        Datagrams::start(self, address, |_, client| greeting(client))
    }

    /// Waits until something is so that follows from such changes here: it is looked at again after each.
    ///
    /// # Errors
    /// Of the look, or of the kernel.
    pub fn wait_until(&self, change: Change, mut is_so: impl FnMut() -> Result<bool>) -> Result {
        // Subscribed before the first look, so that nothing is missed between the two.
        let changes = self.within(|| {
            let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
            bind(&socket, &SocketAddrNetlink::new(0, change as u32))?;
            Ok(socket)
        })?;
        while !is_so()? {
            match recv(&changes, &mut [0; 8192], RecvFlags::empty()) {
                // Some were lost, which is a change as well.
                Ok(_) | Err(rustix::io::Errno::NOBUFS | rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

fn call(to: SocketAddr, patience: Duration) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&to, patience)?;
    stream.set_read_timeout(Some(patience))?;
    let mut answer = String::new();
    stream.write_all(QUESTION)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().last().unwrap_or_default().to_owned())
}

fn outcome(called: std::io::Result<String>) -> Result<Outcome> {
    Ok(match called {
        Ok(answer) => Outcome::Answer(answer),
        Err(error) => match error.kind() {
            ErrorKind::ConnectionRefused => Outcome::Refused,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Outcome::Unreachable,
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Outcome::Silence,
            _ => return Err(error.into()),
        },
    })
}

fn answered(outcome: Outcome, address: &str, port: u16) -> Result<String> {
    match outcome {
        Outcome::Answer(answer) => Ok(answer),
        other => Err(Failure::new(format!("calling {address}, port {port}: {other:?}"))),
    }
}

fn socket_address(address: &str, port: u16) -> Result<SocketAddr> {
    let ip: IpAddr = address.parse().map_err(|_| Failure::new(format!("{address}: no address")))?;
    Ok(SocketAddr::new(ip, port))
}
