//! What lies between a client and a registry in real life: connections that break, and a token server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crate::{Context, Result};

/// A server thread on a free port of loopback, one connection after the other in threads of their own. It ends with
/// its value.
#[derive(Debug)]
struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (stop, stopped) = (Arc::new(AtomicBool::new(false)), Arc::new(serve));
        let flag = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(std::io::Result::ok) {
                if flag.load(Ordering::SeqCst) {
                    return;
                }
                let serve = Arc::clone(&stopped);
                std::thread::spawn(move || serve(stream));
            }
        });
        Ok(Server { address, stop, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // The connection wakes the thread, which then sees the flag.
        if TcpStream::connect(self.address).is_ok() {
            let _ = self.thread.take().map(JoinHandle::join);
        }
    }
}

/// A proxy in front of a registry that breaks the first connections after some bytes of an answer.
#[derive(Debug)]
pub struct Flaky {
    server: Server,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    breaks: AtomicUsize,
    bytes: AtomicU64,
}

impl Flaky {
    /// Breaks `breaks` connections, each after `after` bytes that came from the registry.
    ///
    /// # Errors
    /// No free port.
    pub fn start(registry: SocketAddr, breaks: usize, after: u64) -> Result<Flaky> {
        let counts = Arc::new(Counts::default());
        counts.breaks.store(breaks, Ordering::SeqCst);
        let shared = Arc::clone(&counts);
        // A connection that fails is exactly what this is for.
        let server = Server::start(move |client| drop(pass_on(&client, registry, after, &shared)))?;
        Ok(Flaky { server, counts })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// How many connections it still would break.
    pub fn breaks_left(&self) -> usize {
        self.counts.breaks.load(Ordering::SeqCst)
    }

    /// How many bytes it passed from the registry to clients.
    pub fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::SeqCst)
    }
}

fn pass_on(client: &TcpStream, registry: SocketAddr, after: u64, counts: &Counts) -> Result {
    let server = TcpStream::connect(registry)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let (mut from, mut to, mut passed, mut buffer) = (&server, client, 0, vec![0; 16 * 1024]);
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return client.shutdown(Shutdown::Both).map_err(Into::into);
        }
        passed += count as u64;
        let take_one = |left: usize| left.checked_sub(1);
        if passed > after && counts.breaks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one).is_ok() {
            server.shutdown(Shutdown::Both)?;
            return client.shutdown(Shutdown::Both).map_err(Into::into);
        }
        counts.bytes.fetch_add(count as u64, Ordering::SeqCst);
        to.write_all(&buffer[..count])?;
    }
}

/// A token server (the Docker registry v2 token protocol): everybody gets a token.
#[derive(Debug)]
pub struct Tokens {
    server: Server,
    asked: Arc<AtomicUsize>,
}

impl Tokens {
    /// Starts it.
    ///
    /// # Errors
    /// No free port.
    pub fn start() -> Result<Tokens> {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        // A client that goes away gets no token.
        let server = Server::start(move |client| drop(give_token(&client, &count)))?;
        Ok(Tokens { server, asked })
    }

    /// The address that a registry sends clients to.
    pub fn realm(&self) -> String {
        format!("http://{}/token", self.server.address)
    }

    /// How many tokens were given.
    pub fn given(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn give_token(client: &TcpStream, count: &AtomicUsize) -> Result {
    let mut lines = BufReader::new(client).lines();
    let request = lines.next().context("no request")??;
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let known = request.starts_with("GET /token?") && request.contains("service=loopback");
    let (status, body) =
        if known { ("200 OK", r#"{"token":"let-me-in","expires_in":300}"#) } else { ("404 Not Found", "{}") };
    count.fetch_add(usize::from(known), Ordering::SeqCst);
    let mut to = client;
    write!(to, "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len())?;
    write!(to, "Connection: close\r\n\r\n{body}")?;
    Ok(())
}
