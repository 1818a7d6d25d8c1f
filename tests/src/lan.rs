//! A host of one's own and another machine beside it, as network namespaces: what a test does to the network of the one,
//! nobody else sees, and real packets go between the two.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use tempfile::TempDir;

use crate::process::{Output, run};
use crate::{Context, Failure, Result, Stage};

/// How long nobody answers before it counts as silence: packets that are dropped are not told of.
const SILENCE: Duration = Duration::from_millis(700);

/// The addresses of the host on the link between the two.
pub const HOST: (&str, &str) = ("192.0.2.1", "2001:db8::1");
/// The addresses of the other machine.
pub const OUTSIDE: (&str, &str) = ("192.0.2.2", "2001:db8::2");

/// A network namespace with a name of `ip-netns(8)`, which goes with the value.
#[derive(Debug)]
pub struct Machine {
    name: String,
}

/// A host and a machine beside it, connected by a link.
#[derive(Debug)]
pub struct Lan {
    /// Where the program runs.
    pub host: Machine,
    /// A machine of somebody else.
    pub outside: Machine,
}

impl Machine {
    /// A new one, whose loopback interface is up.
    ///
    /// # Errors
    /// `ip` is missing, or the kernel refuses.
    pub fn new() -> Result<Machine> {
        // Names of temporary directories are new.
        let unique = TempDir::new()?;
        let tail = unique.path().extension().or(unique.path().file_name()).unwrap_or_default();
        let machine = Machine { name: format!("phial-{}", tail.to_string_lossy().trim_start_matches('.')) };
        run(Command::new("ip").args(["netns", "add", &machine.name]))?.success()?;
        machine.ip("link set lo up")?;
        Ok(machine)
    }

    /// Its file.
    pub fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// A command that runs there. `nsenter(1)` leaves mounts as they are, which `ip netns exec` does not.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display())).arg(program).args(arguments);
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
        within(&self.path(), work)
    }

    /// What a server says to a caller from here; an error if it cannot be reached.
    ///
    /// # Errors
    /// It is refused, or nobody answers.
    pub fn ask_tcp(&self, address: &str, port: u16) -> Result<String> {
        let to = SocketAddr::new(ip(address)?, port);
        self.within(move || {
            let mut stream = TcpStream::connect_timeout(&to, SILENCE).context(format!("connecting to {to}"))?;
            stream.set_read_timeout(Some(SILENCE))?;
            let mut answer = String::new();
            stream.write_all(b"who\n")?;
            stream.read_to_string(&mut answer).context(format!("reading from {to}"))?;
            Ok(answer.trim().to_owned())
        })
    }

    /// The same with datagrams.
    ///
    /// # Errors
    /// Nobody answers.
    pub fn ask_udp(&self, address: &str, port: u16) -> Result<String> {
        let to = SocketAddr::new(ip(address)?, port);
        self.within(move || {
            let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
            socket.connect(to)?;
            socket.set_read_timeout(Some(SILENCE))?;
            socket.send(b"who\n")?;
            let mut answer = [0; 100];
            let count = socket.recv(&mut answer).context(format!("waiting for {to}"))?;
            Ok(String::from_utf8_lossy(&answer[..count]).trim().to_owned())
        })
    }

    /// What `ip(8)` does there, or says.
    ///
    /// # Errors
    /// It did not succeed.
    pub fn ip(&self, words: &str) -> Result<String> {
        let words: Vec<&str> = words.split_whitespace().collect();
        run(Command::new("ip").args(["-n", &self.name]).args(words))?.success()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Named after what it was: processes that are still in it keep it alive, not its name.
        let deleted = Command::new("ip").args(["netns", "del", &self.name]).process_group(0).status();
        if !std::thread::panicking() {
            assert!(deleted.is_ok_and(|status| status.success()), "network namespace {} cannot be deleted", self.name);
        }
    }
}

impl Lan {
    /// A host with one link, over which it reaches the other machine and everything else.
    ///
    /// # Errors
    /// `ip` is missing, or the kernel refuses.
    pub fn new() -> Result<Lan> {
        let (host, outside) = (Machine::new()?, Machine::new()?);
        host.ip(&format!("link add eth0 type veth peer name eth0 netns {}", outside.name))?;
        for (machine, own) in [(&host, HOST), (&outside, OUTSIDE)] {
            machine.ip(&format!("addr add {}/24 dev eth0", own.0))?;
            machine.ip(&format!("addr add {}/64 dev eth0 nodad", own.1))?;
            machine.ip("link set eth0 up")?;
        }
        host.ip(&format!("route add default via {}", OUTSIDE.0))?;
        host.ip(&format!("-6 route add default via {}", OUTSIDE.1))?;
        Ok(Lan { host, outside })
    }

    /// A host on which the program has an image. It runs there from now on.
    ///
    /// # Errors
    /// As of [`Stage::busybox`] and [`Lan::new`].
    pub fn with_stage() -> Result<(Lan, Stage)> {
        let lan = Lan::new()?;
        let mut stage = Stage::busybox()?;
        stage.phial.enter(&lan.host.path());
        Ok((lan, stage))
    }
}

/// What a thread finds that is in the network namespace of this file: a machine's, or that of a process in `/proc`.
///
/// # Errors
/// The namespace cannot be entered, or that of the thread's work.
pub fn within<T: Send>(namespace: &Path, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let namespace = File::open(namespace).context(namespace.display())?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            work()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn ip(address: &str) -> Result<IpAddr> {
    address.parse().map_err(|_| Failure::new(format!("{address}: no address")))
}
