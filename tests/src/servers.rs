//! Servers of a test, in threads: they listen in a network namespace, and tell everybody who comes what address he has.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;

use rustix::net::{Shutdown, shutdown};

use crate::namespace::{Namespace, PATIENCE};
use crate::{Context, Result};

/// A server of TCP, until it is dropped.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

/// A server of UDP, until it is dropped.
#[derive(Debug)]
pub struct Datagrams {
    /// One that wakes it, for the last time.
    waker: UdpSocket,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    pub(crate) fn start(place: &Namespace, address: &str) -> Result<Listener> {
        let listener = place.within(|| Ok(TcpListener::bind(address)?)).context(address)?;
        let socket = listener.as_fd().try_clone_to_owned()?;
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(std::io::Result::ok) {
                // Who has gone meanwhile is told nothing.
                let _ = greet(stream);
            }
        });
        Ok(Listener { socket, thread: Some(thread) })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // It ends the thread's accept(2), although the socket is not closed.
        if shutdown(&self.socket, Shutdown::Read).is_ok() {
            let _ = self.thread.take().map(JoinHandle::join);
        }
    }
}

impl Datagrams {
    /// Answers what comes from somebody with what is made of it, but for datagrams without content.
    pub(crate) fn start(
        place: &Namespace,
        address: &str,
        mut answer: impl FnMut(&[u8], SocketAddr) -> Vec<u8> + Send + 'static,
    ) -> Result<Datagrams> {
        let bind = || {
            let socket = UdpSocket::bind(address)?;
            let own = socket.local_addr()?;
            let waker = UdpSocket::bind(SocketAddr::new(own.ip(), 0))?;
            waker.connect(own)?;
            Ok((socket, waker))
        };
        let (socket, waker) = place.within(bind).context(address)?;
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length @ 1.., client)) = socket.recv_from(&mut buffer) {
                // Who has gone meanwhile needs no answer.
                let _ = socket.send_to(&answer(&buffer[..length], client), client);
            }
        });
        Ok(Datagrams { waker, thread: Some(thread) })
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        if self.waker.send(b"").is_ok() {
            let _ = self.thread.take().map(JoinHandle::join);
        }
    }
}

fn greet(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let _ = stream.read(&mut [0; 100])?;
    stream.write_all(&greeting(stream.peer_addr()?))
}

/// What a client is told: his address.
pub(crate) fn greeting(client: SocketAddr) -> Vec<u8> {
    client.ip().to_canonical().to_string().into_bytes()
}
