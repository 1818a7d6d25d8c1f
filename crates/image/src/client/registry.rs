//! Requests of the distribution protocol: a manifest, a small blob, the beginning of a large one; each with
//! authorization, retries, and the answer of a refusing registry in words.
//!
//! OCI distribution specification 1.1, "Pulling manifests", "Pulling blobs", "Error codes".

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, StatusCode, Uri};
use store::Digest;

use crate::auth::challenge;
use crate::auth::credentials::CredentialsSource;
use crate::auth::token::{Authority, Scope};
use crate::client::http::{Http, Outgoing, Response};
use crate::client::refusal::failure;
use crate::client::retry::{Attempts, Fault, Patience};
use crate::client::url::{Origin, host_of, is_loopback};
use crate::document::{DOCKER_LIST, DOCKER_MANIFEST, Descriptor, OCI_INDEX, OCI_MANIFEST};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::registries::Endpoint;

/// The specification wants registries to take manifests of up to 4 MiB; docker and containerd read no more.
pub(crate) const DOCUMENT_MAX: u64 = 4 << 20;
const CONTENT_DIGEST: &str = "docker-content-digest";

/// Told about each attempt that is made again: what was asked for, what went wrong.
pub(crate) type OnRetry<'a> = dyn Fn(&str, &str) + 'a;

/// One repository of one registry.
pub(crate) struct Registry<'a> {
    pub(crate) http: Http,
    /// `scheme://host[:port]/v2/repository`.
    pub(crate) base: String,
    pub(crate) origin: Origin,
    pub(crate) repository: String,
    pub(crate) authority: Authority,
    pub(crate) on_retry: &'a OnRetry<'a>,
}

/// A manifest or index as it came.
pub(crate) struct Served {
    pub(crate) bytes: Bytes,
    pub(crate) content_type: String,
    pub(crate) digest: Digest,
}

impl<'a> Registry<'a> {
    /// Finds out how to speak to the registry at `endpoint`. No request is made unless plain HTTP is possible.
    pub(crate) async fn open(
        endpoint: &Endpoint,
        http: Http,
        credentials: CredentialsSource,
        scope: Scope,
        on_retry: &'a OnRetry<'a>,
    ) -> Result<Self> {
        let host = endpoint.host.as_str();
        let scheme = choose_scheme(&http, host).await?;
        let root: Uri = format!("{scheme}://{host}/")
            .parse()
            .map_err(|_| Error::new(ErrorKind::Invalid, format!("registry {host} makes no URL")))?;
        Ok(Self {
            http,
            base: format!("{scheme}://{host}/v2/{}", endpoint.repository),
            origin: Origin::of(&root)?,
            repository: endpoint.repository.clone(),
            authority: Authority::new(&endpoint.domain, &endpoint.repository, &scope, credentials),
            on_retry,
        })
    }

    /// The manifest or index called `selector` (a tag or a digest), verified.
    pub(crate) async fn manifest(&self, selector: &str) -> Result<Served> {
        let headers = accepted();
        retrying(self.http.patience, self.on_retry, async || {
            let (response, origin) = self.request(Method::GET, &format!("manifests/{selector}"), &headers).await?;
            let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
            let content_type = text(CONTENT_TYPE.as_str()).unwrap_or_default().to_owned();
            let claimed = text(CONTENT_DIGEST).map(str::to_owned);
            let bytes = self.http.read(response, &origin, DOCUMENT_MAX).await?;
            let digest = Digest::of(&bytes);
            self.check_manifest(selector, claimed.as_deref(), &digest)?;
            Ok(Served { bytes, content_type, digest })
        })
        .await
    }

    /// The digest of what `selector` names now, without fetching it; `None` if the registry does not say. Docker Hub
    /// counts fetched manifests against its limit, and not this.
    pub(crate) async fn digest(&self, selector: &str) -> Option<Digest> {
        let (response, _) = self.request(Method::HEAD, &format!("manifests/{selector}"), &accepted()).await.ok()?;
        response.headers().get(CONTENT_DIGEST)?.to_str().ok()?.parse().ok()
    }

    /// A digest that was asked for must be that of the content; one that the registry claims as well.
    fn check_manifest(&self, selector: &str, claimed: Option<&str>, digest: &Digest) -> Result<()> {
        let wrong = |what: &str, expected: &str| {
            let why = format!("{}: {what} is {}, the content is {digest}", self.origin, printable(expected));
            Err(Error::new(ErrorKind::Digest, why))
        };
        if selector.parse::<Digest>().is_ok_and(|asked| asked != *digest) {
            return wrong("the manifest asked for", selector);
        }
        match claimed {
            // Another algorithm than ours cannot be checked, and does not have to be.
            Some(claimed) if claimed.starts_with("sha256:") && claimed != digest.to_string() => {
                wrong("Docker-Content-Digest", claimed)
            }
            _ => Ok(()),
        }
    }

    /// A blob that fits into memory, verified.
    pub(crate) async fn small_blob(&self, descriptor: &Descriptor) -> Result<Bytes> {
        if descriptor.size > DOCUMENT_MAX {
            let why = format!("the image config has {} bytes, more than {DOCUMENT_MAX}", descriptor.size);
            return Err(Error::new(ErrorKind::Limit, why));
        }
        retrying(self.http.patience, self.on_retry, async || {
            let (response, origin) = self.blob(descriptor, &HeaderMap::new()).await?;
            let bytes = self.http.read(response, &origin, descriptor.size).await?;
            verify(&bytes, descriptor).map_err(|error| error.within(&origin))?;
            Ok(bytes)
        })
        .await
    }

    /// Asks for a blob; the caller reads and verifies it.
    pub(crate) async fn blob(&self, descriptor: &Descriptor, headers: &HeaderMap) -> Result<(Response, Origin), Fault> {
        self.request(Method::GET, &format!("blobs/{}", descriptor.digest), headers).await
    }

    /// The URL of something in the repository.
    pub(crate) fn url(&self, path: &str) -> Result<Uri> {
        let url = format!("{}/{path}", self.base);
        url.parse().map_err(|_| Error::new(ErrorKind::Invalid, format!("{url} is no URL")))
    }

    async fn request(&self, method: Method, path: &str, headers: &HeaderMap) -> Result<(Response, Origin), Fault> {
        let outgoing = Outgoing { method, headers: headers.clone(), ..Outgoing::get(self.url(path)?) };
        let (response, origin) = self.authorized(outgoing).await?;
        if response.status().is_success() || response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok((response, origin));
        }
        Err(self.refusal(response, origin).await)
    }

    /// Sends what may be sent twice, with the authorization that the registry turns out to want.
    pub(crate) async fn authorized(&self, mut outgoing: Outgoing) -> Result<(Response, Origin), Fault> {
        outgoing.authorization = self.authority.header();
        let (response, origin) = self.http.send(outgoing.clone()).await?;
        if response.status() != StatusCode::UNAUTHORIZED || origin != self.origin {
            return Ok((response, origin));
        }
        self.meet(&response, outgoing.authorization.as_ref()).await?;
        outgoing.authorization = self.authority.header();
        self.http.send(outgoing).await
    }

    /// Gets the authorization that `response`, a 401 of this registry to a request with `used`, demands.
    pub(crate) async fn meet(&self, response: &Response, used: Option<&HeaderValue>) -> Result<(), Fault> {
        let values = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenges = challenge::parse(values.filter_map(|value| value.to_str().ok()));
        self.authority.answer(&self.http, &self.origin, &challenges, used).await
    }

    pub(crate) async fn refusal(&self, response: Response, origin: Origin) -> Fault {
        let status = response.status();
        let host = origin.authority();
        let anonymous = !self.authority.has_credentials();
        let foreign = origin != self.origin;
        let what = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if foreign => {
                format!(
                    "{} redirects to {host}, to which no credentials are given, and which denies access",
                    self.origin
                )
            }
            StatusCode::NOT_FOUND => format!("not found in {host}"),
            // Docker Hub gives strangers a token for anything, and then does not say what is missing.
            StatusCode::UNAUTHORIZED if anonymous => format!("not found in {host} (or it is private: log in)"),
            StatusCode::UNAUTHORIZED => {
                format!("{host} does not accept the credentials, or {} is not there", self.repository)
            }
            StatusCode::FORBIDDEN if anonymous => format!("{host} denies access (it may be private: log in)"),
            StatusCode::FORBIDDEN => format!("{host} denies access to this user"),
            _ => host,
        };
        let mut fault = failure(&self.http, response, &origin, &what).await;
        if status == StatusCode::UNAUTHORIZED && anonymous && !foreign {
            // What the registry says here is "authentication required", for names that do not exist as well.
            fault.error = Error::new(ErrorKind::NotFound, what);
        }
        fault
    }
}

fn accepted() -> HeaderMap {
    let types = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST];
    types.into_iter().map(|media_type| (ACCEPT, HeaderValue::from_static(media_type))).collect()
}

/// Which of http and https the registry speaks, where that is open: for this host itself, and where the caller allowed
/// anything. Everywhere else it is https, unasked.
pub(crate) async fn choose_scheme(http: &Http, host: &str) -> Result<&'static str> {
    let local = is_loopback(host_of(host));
    if !local && !http.insecure() {
        return Ok("https");
    }
    let order = if local { ["http", "https"] } else { ["https", "http"] };
    let mut first = None;
    for scheme in order {
        let url = format!("{scheme}://{host}/v2/");
        let url: Uri = url.parse().map_err(|_| Error::new(ErrorKind::Invalid, format!("{url} is no URL")))?;
        match http.send(Outgoing::get(url)).await {
            // What a TLS server says to plain HTTP.
            Ok((response, _)) if response.status() == StatusCode::BAD_REQUEST => {}
            Ok(_) => return Ok(scheme),
            Err(fault) => first = first.or(Some(fault.error)),
        }
    }
    Err(first.unwrap_or_else(|| Error::new(ErrorKind::Network, format!("{host} speaks neither http nor https"))))
}

/// Runs `ask` until it succeeds, fails for good, or patience ends.
pub(crate) async fn retrying<T>(
    patience: Patience,
    on_retry: &OnRetry<'_>,
    ask: impl AsyncFn() -> Result<T, Fault>,
) -> Result<T> {
    let mut attempts = Attempts::new(patience);
    loop {
        match ask().await {
            Ok(value) => return Ok(value),
            Err(fault) => {
                let (delay, error) = attempts.next(fault)?;
                on_retry("", &error.to_string());
                tokio::time::sleep(delay).await;
            }
        }
    }
}

/// Whether `bytes` are what `descriptor` says.
pub(crate) fn verify(bytes: &[u8], descriptor: &Descriptor) -> Result<()> {
    let digest = Digest::of(bytes);
    if bytes.len() as u64 == descriptor.size && digest == descriptor.digest {
        return Ok(());
    }
    let (expected, size) = (&descriptor.digest, descriptor.size);
    let why = format!("expected {expected} of {size} bytes, got {digest} of {} bytes", bytes.len());
    Err(Error::new(ErrorKind::Digest, why))
}
