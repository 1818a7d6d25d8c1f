//! Requests that write to a registry: is a blob there, mount it, begin an upload, ask where it stands, send more of it, end
//! it; and manifests. Owns which answers mean what; the order of things, and what is tried again, is `push`'s.
//!
//! OCI distribution specification 1.1, "Pushing Blobs", "Pushing Manifests".

use std::cell::Cell;
use std::time::Instant;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, LOCATION, RANGE};
use http::{Method, StatusCode, Uri};
use store::Digest;

use crate::client::body::Body;
use crate::client::http::{Outgoing, Response};
use crate::client::registry::{Registry, retrying};
use crate::client::retry::Fault;
use crate::client::url::{Origin, encode, redirect};
use crate::error::{Error, ErrorKind, Result, printable};

/// Smallest piece that the registry takes, where it says so.
const CHUNK_MIN: &str = "oci-chunk-min-length";

/// An upload that the registry has begun.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    url: Uri,
    pub(crate) chunk_min: u64,
}

/// What came of asking for a mount.
pub(crate) enum Mount {
    /// The blob is there now.
    Mounted,
    /// It is not, and an upload has begun in its place.
    Began(Session),
    /// It is not.
    Refused,
}

/// What came of sending a piece.
pub(crate) enum Sent {
    /// The registry has so many bytes now.
    Upto(Session, u64),
    /// The piece was too large for the server, or what is in front of it.
    TooLarge,
    /// The upload is not known any more, or stands elsewhere than we think.
    Lost,
}

/// A piece of a blob.
pub(crate) struct Piece {
    /// Where it begins.
    pub(crate) from: u64,
    /// Its length, unless it goes on to an end that is not known yet.
    pub(crate) length: Option<u64>,
    pub(crate) body: Body,
}

impl Registry<'_> {
    /// Whether the repository has the blob.
    pub(crate) async fn has_blob(&self, digest: &Digest) -> Result<bool> {
        retrying(self.http.patience, self.on_retry, async || {
            let url = self.url(&format!("blobs/{digest}"))?;
            let head = Outgoing { method: Method::HEAD, ..Outgoing::get(url) };
            let (response, origin) = self.authorized(head).await?;
            match response.status() {
                status if status.is_success() => Ok(true),
                StatusCode::NOT_FOUND => Ok(false),
                _ => Err(self.refusal(response, origin).await),
            }
        })
        .await
    }

    /// Asks for the blob that `repository` of the same registry has.
    pub(crate) async fn mount(&self, digest: &Digest, repository: &str) -> Result<Mount, Fault> {
        let query = format!("mount={}&from={}", encode(&digest.to_string()), encode(repository));
        let (response, origin) = self.post(&format!("blobs/uploads/?{query}")).await?;
        match response.status() {
            StatusCode::CREATED => Ok(Mount::Mounted),
            StatusCode::ACCEPTED => Ok(Mount::Began(self.session(&self.url("blobs/uploads/")?, &response)?)),
            status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => Ok(Mount::Refused),
            _ => Err(self.refusal(response, origin).await),
        }
    }

    /// Begins an upload.
    pub(crate) async fn begin_upload(&self) -> Result<Session, Fault> {
        let (response, origin) = self.post("blobs/uploads/").await?;
        if response.status() == StatusCode::ACCEPTED {
            return Ok(self.session(&self.url("blobs/uploads/")?, &response)?);
        }
        Err(self.refusal(response, origin).await)
    }

    async fn post(&self, path: &str) -> Result<(Response, Origin), Fault> {
        let mut post = Outgoing { method: Method::POST, ..Outgoing::get(self.url(path)?) };
        // Some registries insist on it, and an empty body has none by itself.
        post.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        self.authorized(post).await
    }

    /// How many bytes of the upload the registry has; None if it does not know the upload any more.
    pub(crate) async fn standing(&self, session: &Session) -> Result<Option<(Session, u64)>, Fault> {
        let (response, origin) = self.authorized(Outgoing::get(session.url.clone())).await?;
        match response.status() {
            StatusCode::NO_CONTENT | StatusCode::OK | StatusCode::ACCEPTED => {
                let stands = ended_at(&response);
                let next = self.session(&session.url, &response).unwrap_or_else(|_| session.clone());
                Ok(Some((next, stands)))
            }
            status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => Ok(None),
            _ => Err(self.refusal(response, origin).await),
        }
    }

    /// Sends a piece. An expired token is renewed, for the next attempt.
    pub(crate) async fn send_piece(
        &self,
        session: &Session,
        piece: Piece,
        moved: &Cell<Instant>,
    ) -> Result<Sent, Fault> {
        let mut patch = Outgoing { method: Method::PATCH, ..Outgoing::get(session.url.clone()) };
        patch.authorization = self.authority.header();
        patch.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        if let Some(length) = piece.length {
            let range = format!("{}-{}", piece.from, (piece.from + length).saturating_sub(1));
            patch.headers.insert(CONTENT_RANGE, HeaderValue::try_from(range).expect("digits are fit for a header"));
        }
        let response = self.http.send_stream(&patch, piece.body, moved).await?;
        match response.status() {
            status if status.is_success() => {
                let (next, has) = (self.session(&session.url, &response)?, ended_at(&response));
                Ok(Sent::Upto(next, has))
            }
            StatusCode::UNAUTHORIZED => {
                self.meet(&response, patch.authorization.as_ref()).await?;
                let why = format!("{} wants to know again who we are", self.origin);
                Err(Fault::passing(Error::new(ErrorKind::Unauthorized, why)))
            }
            StatusCode::PAYLOAD_TOO_LARGE => Ok(Sent::TooLarge),
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::RANGE_NOT_SATISFIABLE => Ok(Sent::Lost),
            _ => Err(self.refusal(response, self.origin.clone()).await),
        }
    }

    /// Ends an upload: all bytes but `rest` have been sent.
    pub(crate) async fn end_upload(&self, session: &Session, digest: &Digest, rest: Bytes) -> Result<Sent, Fault> {
        let url = session.url.to_string();
        let joint = if url.contains('?') { '&' } else { '?' };
        let url: Uri = format!("{url}{joint}digest={}", encode(&digest.to_string()))
            .parse()
            .map_err(|_| Error::new(ErrorKind::Invalid, format!("{}: its upload has no URL", self.origin)))?;
        let mut put = Outgoing { method: Method::PUT, ..Outgoing::get(url) };
        put.headers.insert(CONTENT_LENGTH, HeaderValue::from(rest.len()));
        put.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        put.body = rest;
        let (response, origin) = self.authorized(put).await?;
        match response.status() {
            StatusCode::CREATED | StatusCode::NO_CONTENT | StatusCode::OK => Ok(Sent::Upto(session.clone(), 0)),
            StatusCode::PAYLOAD_TOO_LARGE => Ok(Sent::TooLarge),
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::RANGE_NOT_SATISFIABLE => Ok(Sent::Lost),
            _ => Err(self.refusal(response, origin).await),
        }
    }

    /// Puts a manifest or index under `selector`, a tag or its digest.
    pub(crate) async fn put_manifest(&self, selector: &str, media_type: &str, bytes: &Bytes) -> Result<Digest> {
        let digest = Digest::of(bytes);
        retrying(self.http.patience, self.on_retry, async || {
            let mut put =
                Outgoing { method: Method::PUT, ..Outgoing::get(self.url(&format!("manifests/{selector}"))?) };
            let media_type = HeaderValue::try_from(media_type)
                .map_err(|_| Error::new(ErrorKind::Invalid, "the media type of the manifest is no header"))?;
            put.headers.insert(CONTENT_TYPE, media_type);
            put.body = bytes.clone();
            let (response, origin) = self.authorized(put).await?;
            if response.status().is_success() {
                return Ok(());
            }
            Err(self.refusal(response, origin).await)
        })
        .await?;
        Ok(digest)
    }

    /// Where the upload goes on. Only on the registry itself: what is pushed is nobody else's business, and a foreign host
    /// could be one that only we can reach.
    fn session(&self, base: &Uri, response: &Response) -> Result<Session> {
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let location = header(LOCATION.as_str())
            .ok_or_else(|| Error::new(ErrorKind::Invalid, format!("{} begins an upload nowhere", self.origin)))?;
        let mut url = redirect(base, location)?;
        let origin = Origin::of(&url)?;
        if origin != self.origin {
            // A registry behind a proxy that ends TLS often does not know that it is.
            if origin.host != self.origin.host || origin.encrypted || !self.origin.encrypted {
                let why = format!("{} sends the upload to another server: {}", self.origin, printable(location));
                return Err(Error::new(ErrorKind::Invalid, why));
            }
            let path = url.path_and_query().map_or("/", |path| path.as_str());
            url = redirect(&self.url("")?, path)?;
        }
        let chunk_min = header(CHUNK_MIN).and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Session { url, chunk_min })
    }
}

/// How many bytes the registry says it has. `0-0` is one byte or none; to send one again does no harm.
fn ended_at(response: &Response) -> u64 {
    let range = response.headers().get(RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let last = range.trim_start_matches("bytes=").split_once('-').and_then(|(_, last)| last.trim().parse::<u64>().ok());
    last.filter(|last| *last > 0).map_or(0, |last| last.saturating_add(1))
}
