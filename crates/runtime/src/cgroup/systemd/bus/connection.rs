//! A socket with somebody who speaks D-Bus: systemd itself, or a bus with it.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

use super::message::{self, Call, Kind, Message};
use super::wire::Writer;
use crate::error::{Error, Result};

/// How long an answer may take: systemd answers at once, or not at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cgroup::systemd) enum Peer {
    /// The service itself.
    Direct,
    /// A bus that passes messages on.
    Bus,
}

/// A connection over which methods of one service are called.
#[derive(Debug)]
pub(in crate::cgroup::systemd) struct Connection {
    socket: OwnedFd,
    service: &'static str,
    peer: Peer,
    serial: u32,
    /// Signals that came while something else was awaited.
    signals: Vec<Message>,
}

impl Connection {
    /// Connects to the socket, as the user that this process is.
    ///
    /// # Errors
    /// `System`, naming the socket.
    pub(in crate::cgroup::systemd) fn open(path: &[u8], peer: Peer, service: &'static str) -> Result<Connection> {
        let name = String::from_utf8_lossy(path).replace('\0', "@");
        let failed = |errno| Error::system(&name, errno);
        let address = match path.strip_prefix(&[0]) {
            Some(name) => SocketAddrUnix::new_abstract_name(name),
            None => SocketAddrUnix::new(path),
        };
        let (kind, flags) = (SocketType::STREAM, SocketFlags::CLOEXEC);
        let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None).map_err(failed)?;
        rustix::net::connect(&socket, &address.map_err(failed)?).map_err(failed)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).map_err(failed)?;
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE)).map_err(failed)?;
        let mut connection = Connection { socket, service, peer, serial: 0, signals: Vec::new() };
        connection.authenticate().map_err(|error| Error::system(format!("{name}: authentication"), error))?;
        if peer == Peer::Bus {
            connection.call_bus("Hello", "", Writer::default())?;
        }
        Ok(connection)
    }

    /// Has the bus pass on the signals that fit.
    ///
    /// # Errors
    /// `System`.
    pub(in crate::cgroup::systemd) fn subscribe(&mut self, rule: &str) -> Result<()> {
        if self.peer == Peer::Direct {
            return Ok(());
        }
        let mut body = Writer::default();
        body.text(rule);
        self.call_bus("AddMatch", "s", body).map(drop)
    }

    fn call_bus(&mut self, member: &str, signature: &str, body: Writer) -> Result<Message> {
        const BUS: &str = "org.freedesktop.DBus";
        let call = Call { destination: Some(BUS), path: "/org/freedesktop/DBus", interface: BUS, member, signature };
        self.exchange(call, &body.into_bytes())?.map_err(|error| Error::system(member, error.message()))
    }

    /// Calls a method of the service; the inner result is its own.
    ///
    /// # Errors
    /// `System` when the connection breaks.
    pub(in crate::cgroup::systemd) fn call(
        &mut self,
        path: &str,
        interface: &str,
        member: &str,
        signature: &str,
        body: Writer,
    ) -> Result<std::result::Result<Message, Message>> {
        let destination = (self.peer == Peer::Bus).then_some(self.service);
        self.exchange(Call { destination, path, interface, member, signature }, &body.into_bytes())
    }

    fn exchange(&mut self, call: Call<'_>, body: &[u8]) -> Result<std::result::Result<Message, Message>> {
        self.serial += 1;
        self.send(&call.to_bytes(self.serial, body)).map_err(broken)?;
        loop {
            let message = self.receive()?;
            match message.kind {
                Some(Kind::Return) if message.reply_to == self.serial => return Ok(Ok(message)),
                Some(Kind::Error) if message.reply_to == self.serial => return Ok(Err(message)),
                Some(Kind::Signal) => self.signals.push(message),
                _ => {}
            }
        }
    }

    /// The next signal, waiting for it.
    ///
    /// # Errors
    /// `System` when the connection breaks, or none comes for a long time.
    pub(in crate::cgroup::systemd) fn signal(&mut self) -> Result<Message> {
        if !self.signals.is_empty() {
            return Ok(self.signals.remove(0));
        }
        loop {
            let message = self.receive()?;
            if message.kind == Some(Kind::Signal) {
                return Ok(message);
            }
        }
    }

    fn receive(&mut self) -> Result<Message> {
        let nonsense = || Error::system("D-Bus", "a message that cannot be read");
        let mut prefix = [0; message::PREFIX];
        self.fill(&mut prefix).map_err(broken)?;
        let mut bytes = prefix.to_vec();
        bytes.resize(message::length(&prefix).ok_or_else(nonsense)?, 0);
        self.fill(&mut bytes[message::PREFIX..]).map_err(broken)?;
        Message::parse(&bytes).ok_or_else(nonsense)
    }

    /// The mechanism EXTERNAL: the other end takes the credentials of the socket.
    ///
    /// To a bus without a name: with one, a user namespace would have to know the number that its user has outside. To
    /// systemd itself all in one piece: a call that its server reads together with the end of the authentication stays
    /// unanswered until something else comes, so it must know that end before it answers (seen with version 252).
    fn authenticate(&mut self) -> std::result::Result<(), String> {
        let text = |errno: Errno| errno.to_string();
        if self.peer == Peer::Direct {
            // The digits of our number, in hexadecimal letters; nobody else may connect there.
            let digits = rustix::process::geteuid().as_raw().to_string();
            // The letter 7 is 37 there.
            let digits: String = digits.chars().flat_map(|digit| ['3', digit]).collect();
            self.send(format!("\0AUTH EXTERNAL {digits}\r\nBEGIN\r\n").as_bytes()).map_err(text)?;
            let answer = self.line().map_err(text)?;
            return if answer.starts_with("OK") { Ok(()) } else { Err(answer) };
        }
        self.send(b"\0AUTH EXTERNAL\r\n").map_err(text)?;
        let mut answer = self.line().map_err(text)?;
        if answer.starts_with("DATA") {
            self.send(b"DATA\r\n").map_err(text)?;
            answer = self.line().map_err(text)?;
        }
        if !answer.starts_with("OK") {
            return Err(answer);
        }
        self.send(b"BEGIN\r\n").map_err(text)
    }

    fn line(&mut self) -> rustix::io::Result<String> {
        const LONGEST: usize = 4096;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") && line.len() < LONGEST {
            let mut byte = [0];
            self.fill(&mut byte)?;
            line.extend_from_slice(&byte);
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn send(&self, mut bytes: &[u8]) -> rustix::io::Result<()> {
        while !bytes.is_empty() {
            match rustix::net::send(&self.socket, bytes, SendFlags::NOSIGNAL) {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    fn fill(&self, mut buffer: &mut [u8]) -> rustix::io::Result<()> {
        while !buffer.is_empty() {
            match rustix::io::read(&self.socket, &mut *buffer) {
                Ok(0) => return Err(Errno::CONNRESET),
                Ok(count) => buffer = &mut buffer[count..],
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

fn broken(errno: Errno) -> Error {
    match errno {
        Errno::AGAIN => Error::system("systemd", format!("no answer within {} seconds", PATIENCE.as_secs())),
        errno => Error::system("connection to systemd", errno),
    }
}

/// The path of a socket in an address such as `unix:path=/run/user/1000/bus`; an abstract one begins with a zero. Of
/// several addresses the first that is one.
pub(in crate::cgroup::systemd) fn socket_of(address: &str) -> Option<Vec<u8>> {
    address.split(';').find_map(|one| {
        let mut keys = one.strip_prefix("unix:")?.split(',');
        keys.find_map(|key| match key.split_once('=')? {
            ("path", path) => Some(unescape(path)),
            ("abstract", name) => Some([vec![0], unescape(name)].concat()),
            _ => None,
        })
    })
}

/// `%20` is a space.
fn unescape(text: &str) -> Vec<u8> {
    let (bytes, mut at, mut out) = (text.as_bytes(), 0, Vec::new());
    while let Some(byte) = bytes.get(at) {
        let digits = text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let escaped = digits.filter(|_| *byte == b'%');
        out.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    out
}

/// Whether there is a socket at a path.
pub(in crate::cgroup::systemd) fn exists(path: &[u8]) -> bool {
    use std::os::unix::ffi::OsStrExt;
    path.first() == Some(&0) || Path::new(std::ffi::OsStr::from_bytes(path)).exists()
}

impl Message {
    /// What a failure says.
    pub(in crate::cgroup::systemd) fn message(&self) -> String {
        let words = if self.signature.starts_with('s') { self.values().text().unwrap_or_default() } else { "" };
        format!("{}: {words}", self.error)
    }
}
