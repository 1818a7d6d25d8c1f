//! A large blob as a stream of pieces. A broken connection is resumed where it broke, with a `Range` request, so
//! whoever decompresses and hashes the stream never learns of it. Verifies the length; the reader verifies the digest.
//!
//! RFC 9110, section 14; OCI distribution specification, "Pulling blobs".

use bytes::Bytes;
use http::StatusCode;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};
use hyper::body::Incoming;

use crate::client::http::Response;
use crate::client::registry::Registry;
use crate::client::retry::{Attempts, Fault};
use crate::client::url::Origin;
use crate::document::Descriptor;
use crate::error::{Error, ErrorKind, Result, printable};

/// A connection that brought this much was of use: failures are counted anew. Less, and a server that drops
/// connections byte by byte could keep a pull busy for ever.
const PROGRESS: u64 = 1 << 20;

/// The content of one descriptor, from the first byte to the last.
pub(crate) struct BlobStream<'a> {
    registry: &'a Registry<'a>,
    descriptor: &'a Descriptor,
    /// Bytes handed out.
    done: u64,
    /// `done` when failures were last counted anew.
    counted: u64,
    attempts: Attempts,
    body: Option<Body>,
}

struct Body {
    stream: Incoming,
    origin: Origin,
    /// Bytes to drop first, from a server that begins again.
    skip: u64,
}

impl<'a> BlobStream<'a> {
    pub(crate) fn new(registry: &'a Registry<'a>, descriptor: &'a Descriptor) -> Self {
        let attempts = Attempts::new(registry.http.patience);
        Self { registry, descriptor, done: 0, counted: 0, attempts, body: None }
    }

    /// The next piece; `None` after `descriptor.size` bytes.
    ///
    /// # Errors
    /// When patience ends, or when the server has more or less than the descriptor says.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if self.done == self.descriptor.size {
                return Ok(None);
            }
            let fault = match self.advance().await {
                Ok(piece) => return Ok(Some(piece)),
                Err(fault) => fault,
            };
            self.body = None;
            if self.done - self.counted >= PROGRESS {
                self.attempts.progress();
                self.counted = self.done;
            }
            let (delay, error) = self.attempts.next(fault)?;
            (self.registry.on_retry)(self.descriptor.short_id().as_str(), &error.to_string());
            tokio::time::sleep(delay).await;
        }
    }

    async fn advance(&mut self) -> Result<Bytes, Fault> {
        if self.body.is_none() {
            self.body = Some(self.connect().await?);
        }
        let size = self.descriptor.size;
        let body = self.body.as_mut().expect("connected above");
        loop {
            let piece = self.registry.http.next_piece(&mut body.stream, &body.origin).await?;
            let Some(mut piece) = piece else {
                let why = format!("{}: the blob ended after {} of {size} bytes", body.origin, self.done);
                return Err(Fault::passing(Error::new(ErrorKind::Network, why)));
            };
            let skipped = piece.len().min(usize::try_from(body.skip).unwrap_or(usize::MAX));
            body.skip -= skipped as u64;
            let piece = piece.split_off(skipped);
            if piece.is_empty() {
                continue;
            }
            if self.done + piece.len() as u64 > size {
                return Err(wrong_size(&body.origin, "more", size).into());
            }
            self.done += piece.len() as u64;
            return Ok(piece);
        }
    }

    async fn connect(&self) -> Result<Body, Fault> {
        let mut headers = HeaderMap::new();
        // Content-Encoding on top of a layer's own compression would change the bytes that are hashed.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if self.done > 0 {
            let range = HeaderValue::try_from(format!("bytes={}-", self.done));
            headers.insert(RANGE, range.expect("digits are fit for a header"));
        }
        let (response, origin) = self.registry.blob(self.descriptor, &headers).await?;
        let skip = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                self.check_range(&response, &origin)?;
                0
            }
            StatusCode::RANGE_NOT_SATISFIABLE => return Err(wrong_size(&origin, "less", self.descriptor.size).into()),
            _ => {
                self.check_length(&response, &origin)?;
                self.done
            }
        };
        Ok(Body { stream: response.into_body(), origin, skip })
    }

    fn check_range(&self, response: &Response, origin: &Origin) -> Result<()> {
        let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let expected = format!("bytes {}-", self.done);
        if self.done > 0 && range.starts_with(&expected) {
            return Ok(());
        }
        let why = format!("{origin}: asked for bytes from {}, got {:?}", self.done, printable(range));
        Err(Error::new(ErrorKind::Invalid, why))
    }

    fn check_length(&self, response: &Response, origin: &Origin) -> Result<()> {
        let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        match length {
            Some(length) if length > self.descriptor.size => Err(wrong_size(origin, "more", self.descriptor.size)),
            Some(length) if length < self.descriptor.size => Err(wrong_size(origin, "less", self.descriptor.size)),
            _ => Ok(()),
        }
    }
}

fn wrong_size(origin: &Origin, relation: &str, size: u64) -> Error {
    Error::new(ErrorKind::Digest, format!("{origin} has {relation} than the {size} bytes the manifest says"))
}
