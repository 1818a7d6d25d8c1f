//! Requests over HTTP/1.1: connections, redirects, time limits, and errors in words. Knows nothing of registries. An
//! `Authorization` header never leaves the origin it was made for (CVE-2020-15157).
//!
//! HTTP/2 is left out on purpose: layers want one connection each, and frames only add a copy.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use crate::client::body::Body;
use crate::client::broken::{BROKE, broken, silent};
use crate::client::retry::{Again, Fault, Patience};
use crate::client::tls;
use crate::client::url::{Origin, redirect};
use crate::error::{Error, ErrorKind, Result};

const REDIRECTS_MAX: usize = 10;
/// Hyper reads what fits into one buffer with one system call, and starts small: 1 MiB is where more no longer helps.
const READ_BUFFER: usize = 1 << 20;
const AGENT: &str = concat!("phial/", env!("CARGO_PKG_VERSION"));

/// An answer whose body is still to come.
pub(crate) type Response = http::Response<Incoming>;

/// A request that can be sent again.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Uri,
    pub(crate) headers: HeaderMap,
    /// Sent to the origin of `url` only.
    pub(crate) authorization: Option<HeaderValue>,
    /// Sent to the origin of `url` only as well.
    pub(crate) private: HeaderMap,
    pub(crate) body: Bytes,
}

impl Outgoing {
    pub(crate) fn get(url: Uri) -> Self {
        let (headers, private) = (HeaderMap::new(), HeaderMap::new());
        Self { method: Method::GET, url, headers, authorization: None, private, body: Bytes::new() }
    }
}

/// Connections of one pull.
pub(crate) struct Http {
    /// Plain HTTP and unknown certificates are fine.
    insecure: bool,
    pub(crate) patience: Patience,
    /// Certificates per registry.
    certificates: PathBuf,
    proxies: Matcher,
    pools: Mutex<HashMap<Origin, Connections>>,
    /// Whether anybody has answered yet. Before, a connection that cannot be made is a typing error more often than a
    /// fault that passes.
    answered: AtomicBool,
}

#[derive(Clone)]
enum Connections {
    Direct(Pool<HttpsConnector<HttpConnector>, Body>),
    Proxied(Pool<HttpsConnector<Tunnel<HttpConnector>>, Body>),
}

impl Http {
    pub(crate) fn new(insecure: bool, patience: Patience, certificates: PathBuf) -> Self {
        Self {
            insecure,
            patience,
            certificates,
            proxies: Matcher::from_env(),
            pools: Mutex::default(),
            answered: AtomicBool::new(false),
        }
    }

    pub(crate) fn insecure(&self) -> bool {
        self.insecure
    }

    /// Sends `request` and follows redirects; also says which origin answered in the end.
    pub(crate) async fn send(&self, mut request: Outgoing) -> Result<(Response, Origin), Fault> {
        let first = Origin::of(&request.url)?;
        let mut origin = first.clone();
        for _ in 0..=REDIRECTS_MAX {
            let response = self.send_once(&request, &origin).await?;
            let Some(location) = location(&request, &response) else { return Ok((response, origin)) };
            request.url = redirect(&request.url, &location)?;
            let next = Origin::of(&request.url)?;
            if origin.encrypted && !next.encrypted && !self.insecure {
                let why = format!("{origin} redirects to {next} without encryption");
                return Err(Error::new(ErrorKind::Insecure, why).into());
            }
            // Once outside, there is no way back: a foreign host could send us anywhere on the registry.
            if next != first {
                request.authorization = None;
                request.private.clear();
            }
            origin = next;
        }
        let why = format!("{first} redirects more than {REDIRECTS_MAX} times");
        Err(Error::new(ErrorKind::Invalid, why).into())
    }

    /// Sends `request` with a body that comes in pieces. Redirects are not followed: the body is gone then. `moved` is
    /// when a piece was last taken; the server may take as long as it likes, if only it takes something.
    pub(crate) async fn send_stream(
        &self,
        request: &Outgoing,
        body: Body,
        moved: &Cell<Instant>,
    ) -> Result<Response, Fault> {
        let origin = Origin::of(&request.url)?;
        let stalled = async {
            loop {
                let still = self.answer_limit().saturating_sub(moved.get().elapsed());
                if still.is_zero() {
                    return;
                }
                tokio::time::sleep(still).await;
            }
        };
        tokio::select! {
            answer = self.request(request, body, &origin) => answer,
            () = stalled => Err(silent(&origin, self.patience.idle)),
        }
    }

    async fn send_once(&self, request: &Outgoing, origin: &Origin) -> Result<Response, Fault> {
        let answer = timeout(self.answer_limit(), self.request(request, Body::from(request.body.clone()), origin));
        answer.await.unwrap_or_else(|_| Err(silent(origin, self.patience.idle)))
    }

    async fn request(&self, request: &Outgoing, body: Body, origin: &Origin) -> Result<Response, Fault> {
        self.check_encryption(origin)?;
        let mut built = Request::new(body);
        *built.method_mut() = request.method.clone();
        *built.uri_mut() = request.url.clone();
        *built.headers_mut() = request.headers.clone();
        built.headers_mut().extend(request.private.clone());
        built.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(value) = &request.authorization {
            built.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        let answer = match self.connections(origin)? {
            Connections::Direct(pool) => pool.request(built).await,
            Connections::Proxied(pool) => pool.request(built).await,
        };
        match answer {
            Ok(response) => {
                self.answered.store(true, Ordering::Relaxed);
                Ok(response)
            }
            Err(error) if error.is_connect() => {
                let mut fault = broken(origin, &error, "cannot connect to");
                if !self.answered.load(Ordering::Relaxed) {
                    fault.again = Again::Never;
                }
                Err(fault)
            }
            Err(error) => Err(broken(origin, &error, BROKE)),
        }
    }

    fn answer_limit(&self) -> Duration {
        self.patience.connect + self.patience.idle
    }

    /// Whether `origin` may be spoken to at all.
    pub(crate) fn check_encryption(&self, origin: &Origin) -> Result<()> {
        if origin.encrypted || self.insecure || origin.is_loopback() {
            return Ok(());
        }
        let why = format!("{origin} would be spoken to without encryption, which nobody allowed");
        Err(Error::new(ErrorKind::Insecure, why))
    }

    /// The body, if it has no more than `limit` bytes.
    pub(crate) async fn read(&self, response: Response, origin: &Origin, limit: u64) -> Result<Bytes, Fault> {
        let mut body = response.into_body();
        let mut bytes = BytesMut::new();
        while let Some(piece) = self.next_piece(&mut body, origin).await? {
            if (bytes.len() + piece.len()) as u64 > limit {
                let why = format!("{origin} answers with more than the {limit} bytes allowed here");
                return Err(Error::new(ErrorKind::Limit, why).into());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }

    /// The next piece of a body; `None` at its end.
    pub(crate) async fn next_piece(&self, body: &mut Incoming, origin: &Origin) -> Result<Option<Bytes>, Fault> {
        loop {
            match timeout(self.patience.idle, body.frame()).await {
                Err(_) => return Err(silent(origin, self.patience.idle)),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(broken(origin, &error, BROKE)),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    fn connections(&self, origin: &Origin) -> Result<Connections> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = pools.get(origin) {
            return Ok(found.clone());
        }
        let made = self.connect_to(origin)?;
        pools.insert(origin.clone(), made.clone());
        Ok(made)
    }

    fn connect_to(&self, origin: &Origin) -> Result<Connections> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(self.patience.connect));
        // These connections are for this origin only: for plain HTTP no certificate is ever looked at.
        let verify = origin.encrypted && !self.insecure;
        let config = tls::config(&origin.authority(), &self.certificates, verify)?;
        let secured = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1();
        let Some(proxy) = self.proxy_for(origin) else {
            return Ok(Connections::Direct(pool().build(secured.wrap_connector(tcp))));
        };
        let (uri, authorization) = proxy?;
        let mut tunnel = Tunnel::new(uri, tcp);
        if let Some(value) = authorization {
            tunnel = tunnel.with_auth(value);
        }
        Ok(Connections::Proxied(pool().build(secured.wrap_connector(tunnel))))
    }

    /// The proxy that `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` name. Never for this host itself.
    fn proxy_for(&self, origin: &Origin) -> Option<Result<(Uri, Option<HeaderValue>)>> {
        if origin.is_loopback() {
            return None;
        }
        let scheme = if origin.encrypted { "https" } else { "http" };
        let target: Uri = format!("{scheme}://{origin}/").parse().ok()?;
        let proxy = self.proxies.intercept(&target)?;
        if proxy.uri().scheme_str() != Some("http") {
            let why = format!("proxy {} for {origin}: only http:// proxies are supported", proxy.uri());
            return Some(Err(Error::new(ErrorKind::Unsupported, why)));
        }
        Some(Ok((proxy.uri().clone(), proxy.basic_auth().cloned())))
    }
}

fn pool() -> hyper_util::client::legacy::Builder {
    let mut builder = Pool::builder(TokioExecutor::new());
    builder.http1_max_buf_size(READ_BUFFER).retry_canceled_requests(true);
    builder
}

fn location(request: &Outgoing, response: &Response) -> Option<String> {
    let moved = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let safe = request.method == Method::GET || request.method == Method::HEAD;
    let value = response.headers().get(LOCATION)?.to_str().ok()?;
    (moved && safe).then(|| value.to_owned())
}
