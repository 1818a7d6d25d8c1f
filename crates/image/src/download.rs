//! A file from a web server, as a stream: `import http://…`, `ADD https://…`. A thread fetches, a pipe brings.
//!
//! What the caller sends besides the request, a password for instance, goes to the server of the URL and to nobody whom that
//! one redirects to.

use std::io::{self, PipeReader, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::SystemTime;

use http::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LAST_MODIFIED};
use http::{StatusCode, Uri};

use crate::client::date;
use crate::client::http::{Http, Outgoing};
use crate::client::retry::Patience;
use crate::client::tls::CERTS_D;
use crate::error::{Error, ErrorKind, Result, printable};

/// What comes from a web server.
#[derive(Debug)]
pub struct Download {
    pieces: PipeReader,
    /// None once it has ended and was asked how.
    thread: Option<JoinHandle<Result<()>>>,
    head: Head,
}

/// What a server says of a file.
#[derive(Debug, Clone, Default)]
struct Head {
    modified: Option<SystemTime>,
    etag: Option<String>,
}

/// What a server answers if it was asked for what has changed.
#[derive(Debug)]
pub enum Answer {
    /// It is what it was.
    Unchanged,
    /// This is what it is now.
    Changed(Download),
}

/// Fetches `url`, which begins with `http://` or `https://`.
///
/// # Errors
/// `Syntax` for what is no such URL; whatever keeps the answer from beginning. What goes wrong later is an error of reading.
pub fn download(url: &str) -> Result<Download> {
    match request(url, HeaderMap::new(), None)? {
        Answer::Changed(download) => Ok(download),
        Answer::Unchanged => {
            Err(Error::new(ErrorKind::Invalid, format!("{} answers what was not asked", printable(url))))
        }
    }
}

/// The same with `headers`, which the server of the URL alone gets to see, and only if the file is no longer the one that it
/// has called `etag`.
///
/// # Errors
/// As [`download`]; `Syntax` also for what is no header.
pub fn download_changed(url: &str, headers: &[(String, String)], etag: Option<&str>) -> Result<Answer> {
    let mut private = HeaderMap::new();
    for (name, value) in headers {
        // The value is not shown: it may be a password.
        let wrong = || Error::new(ErrorKind::Syntax, format!("the header {:?} cannot be sent", printable(name)));
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        private.append(HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?, value);
    }
    request(url, private, etag)
}

fn request(url: &str, private: HeaderMap, etag: Option<&str>) -> Result<Answer> {
    let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| {
        Error::new(ErrorKind::Syntax, format!("{} is no URL: {error}", printable(url)))
    })?;
    let mut outgoing = Outgoing { private, ..Outgoing::get(uri) };
    if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
        outgoing.headers.insert(IF_NONE_MATCH, etag);
    }
    let failed = |error: io::Error| Error::new(ErrorKind::Network, error.to_string());
    let (pieces, out) = io::pipe().map_err(failed)?;
    let (told, head) = sync_channel(1);
    let fetch = move || fetch(outgoing, &told, out);
    let thread = std::thread::Builder::new().name("download".into()).spawn(fetch).map_err(failed)?;
    match head.recv() {
        Ok(Some(head)) => Ok(Answer::Changed(Download { pieces, thread: Some(thread), head })),
        Ok(None) => Ok(Answer::Unchanged),
        // It has ended without an answer, and knows why.
        Err(_) => match thread.join() {
            Ok(Err(error)) => Err(error),
            Ok(Ok(())) => Err(Error::new(ErrorKind::Network, format!("{} does not answer", printable(url)))),
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

/// Says what the answer begins with (nothing if the file is unchanged), and then writes what it contains.
fn fetch(request: Outgoing, told: &SyncSender<Option<Head>>, mut out: impl Write) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::new(ErrorKind::Network, error.to_string()))?;
    // Whoever writes http:// means it.
    let insecure = request.url.scheme_str() == Some("http");
    let asked = request.headers.contains_key(IF_NONE_MATCH);
    let http = Http::new(insecure, Patience::default(), PathBuf::from(CERTS_D));
    runtime.block_on(async {
        let (response, origin) = http.send(request).await.map_err(|fault| fault.error)?;
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED && asked {
            let _nobody_waits = told.send(None);
            return Ok(());
        }
        if !status.is_success() {
            let kind = match status {
                StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => ErrorKind::Unauthorized,
                StatusCode::FORBIDDEN => ErrorKind::Denied,
                status if status.is_server_error() => ErrorKind::Network,
                _ => ErrorKind::NotFound,
            };
            return Err(Error::new(kind, format!("{origin} answers {status}")));
        }
        let _nobody_waits = told.send(Some(head(response.headers())));
        let mut body = response.into_body();
        while let Some(piece) = http.next_piece(&mut body, &origin).await.map_err(|fault| fault.error)? {
            // Nobody reads any more, and knows why.
            if out.write_all(&piece).is_err() {
                return Ok(());
            }
        }
        Ok(())
    })
}

fn head(headers: &HeaderMap) -> Head {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    Head { modified: text(LAST_MODIFIED).and_then(date::parse), etag: text(ETAG).map(ToOwned::to_owned) }
}

impl Download {
    /// When the file was last changed, if the server says that.
    pub fn modified(&self) -> Option<SystemTime> {
        self.head.modified
    }

    /// What the server calls the file as it is now, if it does: for [`download_changed`].
    pub fn etag(&self) -> Option<&str> {
        self.head.etag.as_deref()
    }
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.pieces.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Err(error))) => Err(io::Error::other(error)),
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            _ => Ok(0),
        }
    }
}
