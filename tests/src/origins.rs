//! Servers of files on loopback, each in a thread that ends with its value: one speaks HTTP, the other one git.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

use rustix::net::{Shutdown, shutdown};

use crate::Result;

/// A server, until it is dropped.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    socket: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Origin {
    /// The files below a directory, over HTTP, with tags that change when they do; `/` is `index.html`. What is in `FILE.headers` is
    /// said besides of `FILE`, a header a line.
    ///
    /// # Errors
    /// Of the socket.
    pub fn http(directory: &Path) -> Result<Origin> {
        let directory = directory.to_owned();
        Origin::start(move |stream| answer(&stream, &directory))
    }

    /// The repositories below a directory, over git's own protocol (`git-daemon(1)`).
    ///
    /// # Errors
    /// Of the socket.
    pub fn git(directory: &Path) -> Result<Origin> {
        let directory = directory.to_owned();
        Origin::start(move |stream| serve_git(stream, &directory))
    }

    fn start(serve: impl Fn(TcpStream) -> std::io::Result<()> + Send + 'static) -> Result<Origin> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let socket = listener.as_fd().try_clone_to_owned()?;
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(std::io::Result::ok) {
                // Who has gone meanwhile is told nothing.
                let _ = serve(stream);
            }
        });
        Ok(Origin { address, socket, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        // It ends the thread's accept(2), although the socket is not closed.
        if shutdown(&self.socket, Shutdown::Read).is_ok() {
            let _ = self.thread.take().map(JoinHandle::join);
        }
    }
}

/// One request a connection (RFC 9112).
fn answer(stream: &TcpStream, directory: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut known = None;
    // The headers are read to their end: a connection that is closed before would be reset.
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        if name.eq_ignore_ascii_case("if-none-match") {
            known = Some(value.to_owned());
        }
    }
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = file(directory, target).unwrap_or_default();
    let besides = std::fs::read_to_string(format!("{}.headers", path.display())).unwrap_or_default();
    let besides: String = besides.lines().map(|line| format!("{line}\r\n")).collect::<Vec<_>>().concat();
    let body = std::fs::read(path).ok();
    let (status, body) = body.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    let mut sum = DefaultHasher::new();
    body.hash(&mut sum);
    let etag = format!("\"{:x}\"", sum.finish());
    let (status, body) = if known.as_ref() == Some(&etag) { ("304 Not Modified", Vec::new()) } else { (status, body) };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nETag: {etag}\r\nContent-Length: {length}\r\nConnection: close\r\n{besides}\r\n");
    (&*stream).write_all(head.as_bytes())?;
    if method == "HEAD" { Ok(()) } else { (&*stream).write_all(&body) }
}

fn file(directory: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split('?').next()?.trim_start_matches('/');
    let is_below = Path::new(path).components().all(|component| matches!(component, Component::Normal(_)));
    is_below.then(|| if path.is_empty() { directory.join("index.html") } else { directory.join(path) })
}

fn serve_git(stream: TcpStream, directory: &Path) -> std::io::Result<()> {
    let mut daemon = Command::new("git");
    // The directory may belong to somebody else than the one who serves it.
    daemon.envs([("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "safe.directory"), ("GIT_CONFIG_VALUE_0", "*")]);
    daemon.args(["daemon", "--inetd", "--export-all"]).arg(format!("--base-path={}", directory.display()));
    daemon.stdin(OwnedFd::from(stream.try_clone()?)).stdout(OwnedFd::from(stream)).stderr(Stdio::null());
    daemon.status().map(drop)
}
