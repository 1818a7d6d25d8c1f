//! A file from a web server, as a stream: `import http://…`. A thread fetches, a pipe brings.

use std::io::{self, PipeReader, Read, Write};
use std::path::PathBuf;
use std::thread::JoinHandle;

use http::Uri;

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
}

/// Fetches `url`, which begins with `http://` or `https://`.
///
/// # Errors
/// `Syntax` for what is no such URL. What goes wrong later is an error of reading.
pub fn download(url: &str) -> Result<Download> {
    let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| {
        Error::new(ErrorKind::Syntax, format!("{} is no URL: {error}", printable(url)))
    })?;
    let failed = |error: io::Error| Error::new(ErrorKind::Network, error.to_string());
    let (pieces, out) = io::pipe().map_err(failed)?;
    let fetch = move || fetch(uri, out);
    let thread = std::thread::Builder::new().name("download".into()).spawn(fetch).map_err(failed)?;
    Ok(Download { pieces, thread: Some(thread) })
}

fn fetch(url: Uri, mut out: impl Write) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::new(ErrorKind::Network, error.to_string()))?;
    // Whoever writes http:// means it.
    let insecure = url.scheme_str() == Some("http");
    let http = Http::new(insecure, Patience::default(), PathBuf::from(CERTS_D));
    runtime.block_on(async {
        let (response, origin) = http.send(Outgoing::get(url)).await.map_err(|fault| fault.error)?;
        if !response.status().is_success() {
            let message = format!("{origin} answers {}", response.status());
            return Err(Error::new(ErrorKind::NotFound, message));
        }
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
