//! Searching a registry: Docker Hub's old interface, `/v1/search`, which some other registries have as well. The protocol of
//! registries proper has no search.

use http::{StatusCode, Uri};
use serde::{Deserialize, Deserializer};

use crate::access::{Access, runtime};
use crate::auth::credentials::Credentials;
use crate::auth::token::basic_header;
use crate::client::http::{Http, Outgoing};
use crate::client::refusal::failure;
use crate::client::registry::{DOCUMENT_MAX, choose_scheme, retrying};
use crate::client::retry::Fault;
use crate::client::url::{Origin, encode};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::reference::Reference;

/// Docker Hub answers searches under this name.
const HUB_INDEX: &str = "index.docker.io";
/// What the interface gives at most.
pub const SEARCH_MAX: u32 = 100;

/// One repository that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Found {
    /// Its name in the registry.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// What its owner says about it.
    #[serde(deserialize_with = "or_default")]
    pub description: String,
    /// How many users like it.
    #[serde(deserialize_with = "or_default")]
    pub star_count: u64,
    /// Whether it is one of the registry's own.
    #[serde(deserialize_with = "or_default")]
    pub is_official: bool,
    /// Whether it is built by the registry; not used any more.
    #[serde(deserialize_with = "or_default")]
    pub is_automated: bool,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Found>,
}

/// Looks for repositories: `term` is words, with a registry and a slash in front if it is not the `default` one.
///
/// # Errors
/// `Unsupported` where the registry has no search; those of the network.
pub fn search(term: &str, default: &str, limit: u32, access: &Access) -> Result<Vec<Found>> {
    let (domain, words) = match term.split_once('/') {
        Some((host, words)) if Reference::names_registry(term) => (host, words),
        _ => (default, term),
    };
    let reference: Reference = format!("{domain}/x").parse()?;
    // Docker Hub finds its own repositories without this only.
    let words = if reference.domain() == "docker.io" { words.strip_prefix("library/").unwrap_or(words) } else { words };
    let endpoint = access.registries.origin(&reference);
    let host = if reference.domain() == "docker.io" { HUB_INDEX } else { endpoint.host.as_str() };
    let http = access.http(&endpoint);
    let credentials = access.credentials.find(reference.domain())?;
    let mut found = runtime()?.block_on(async {
        let scheme = choose_scheme(&http, host).await?;
        let url: Uri = format!("{scheme}://{host}/v1/search?q={}&n={limit}", encode(words))
            .parse()
            .map_err(|_| Error::new(ErrorKind::Invalid, format!("registry {host} makes no URL")))?;
        retrying(http.patience, &|_, _| (), async || ask(&http, &url, credentials.as_ref()).await).await
    })?;
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

async fn ask(http: &Http, url: &Uri, credentials: Option<&Credentials>) -> Result<Vec<Found>, Fault> {
    let mut request = Outgoing::get(url.clone());
    let (mut response, mut origin) = http.send(request.clone()).await?;
    if let (StatusCode::UNAUTHORIZED, Some(Credentials::Password { username, password })) =
        (response.status(), credentials)
        && origin == Origin::of(url)?
    {
        request.authorization = Some(basic_header(username, password)?);
        (response, origin) = http.send(request).await?;
    }
    let none = || {
        let why = format!("{origin} has no search: the registry protocol knows none, and it does not offer docker's");
        Error::new(ErrorKind::Unsupported, why)
    };
    match response.status() {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Err(none().into()),
        status if status.is_success() => {
            let bytes = http.read(response, &origin, DOCUMENT_MAX).await?;
            let answer: Answer = serde_json::from_slice(&bytes).map_err(|error| {
                // A registry with a web page answers everything with it.
                let why = format!("{origin} has no search that is understood: {}", printable(&error.to_string()));
                Error::new(ErrorKind::Unsupported, why)
            })?;
            Ok(answer.results)
        }
        _ => Err(failure(http, response, &origin, &format!("search of {origin}")).await),
    }
}

/// Registries write `null` for what they do not know.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(source: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(source)?.unwrap_or_default())
}
