//! An HTTP/1.1 client for one purpose: to fill a registry on loopback. One connection per request, bodies with a known
//! length, no redirects, no TLS (RFC 9112).

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::{Context, Failure, Result};

/// What is sent with a request.
pub(crate) enum Body<'a> {
    /// Nothing.
    Empty,
    /// These bytes.
    Bytes(&'a [u8]),
    /// A file, whole.
    File(File),
}

/// An answer: its status, its headers with names in small letters.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The same answer, if its status is this one.
    pub(crate) fn expect(self, status: u16, what: &str) -> Result<Answer> {
        if self.status == status {
            return Ok(self);
        }
        Err(Failure::new(format!("{what}: the registry answered {} {}", self.status, self.body)))
    }
}

/// One request.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// Path and query.
    pub(crate) target: &'a str,
    pub(crate) content_type: &'a str,
    /// Value of the `Authorization` header.
    pub(crate) authorization: Option<&'a str>,
    pub(crate) body: Body<'a>,
}

/// Sends a request and reads the whole answer.
pub(crate) fn send(to: SocketAddr, request: Request<'_>) -> Result<Answer> {
    let what = format!("{} http://{to}{}", request.method, request.target);
    exchange(to, request).context(what)
}

fn exchange(to: SocketAddr, request: Request<'_>) -> Result<Answer> {
    let length = match &request.body {
        Body::Empty => 0,
        Body::Bytes(bytes) => bytes.len() as u64,
        Body::File(file) => file.metadata()?.len(),
    };
    let authorization = request.authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
    let head = format!(
        "{} {} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Length: {length}\r\nContent-Type: {}\r\n\
         {authorization}\r\n",
        request.method, request.target, request.content_type
    );
    let mut stream = TcpStream::connect(to)?;
    stream.write_all(head.as_bytes())?;
    match request.body {
        Body::Empty => {}
        Body::Bytes(bytes) => stream.write_all(bytes)?,
        Body::File(mut file) => std::io::copy(&mut file, &mut stream).map(drop)?,
    }
    read_answer(BufReader::new(stream), request.method == "HEAD")
}

fn read_answer(mut from: BufReader<TcpStream>, bodyless: bool) -> Result<Answer> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let status = line.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    let status = status.context(format!("`{}` is no HTTP status line", line.trim_end()))?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        from.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut body = String::new();
    if !bodyless {
        // Error bodies are small; what comes of a body that is no text is of no use in a message.
        let _ = from.take(64 * 1024).read_to_string(&mut body);
    }
    Ok(Answer { status, headers, body })
}
