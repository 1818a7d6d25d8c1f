//! Logging in: whether a registry accepts credentials, as it says itself, before they are kept.
//!
//! docker CLI reference, `docker login`; distribution's "Token Authentication Specification".

use http::{StatusCode, Uri};

use crate::access::{Access, runtime};
use crate::auth::credentials::{Credentials, CredentialsSource};
use crate::auth::file::{CredentialsFile, Kept};
use crate::auth::token::Scope;
use crate::client::http::Outgoing;
use crate::client::registry::retrying;
use crate::error::{Error, ErrorKind, Result};
use crate::reference::Reference;

/// The registry that `server` names: `docker.io` for nothing, a URL of Docker Hub, or a name of it; `host[:port]` of another
/// one, with or without scheme and path.
///
/// # Errors
/// `Syntax` for what is no host.
pub fn login_domain(server: Option<&str>) -> Result<String> {
    let Some(server) = server else { return Ok("docker.io".to_owned()) };
    let bare = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://")).unwrap_or(server);
    let host = bare.split('/').next().unwrap_or_default().to_ascii_lowercase();
    let refuse =
        || Error::new(ErrorKind::Syntax, format!("{server:?} is no registry: it is written HOST or HOST:PORT"));
    if matches!(host.as_str(), "docker.io" | "index.docker.io" | "registry-1.docker.io") {
        return Ok("docker.io".to_owned());
    }
    // A host without a dot is one here, because nothing else can be meant.
    let reference: Reference =
        format!("{}/x", if host.contains(['.', ':']) { host.clone() } else { format!("{host}:443") })
            .parse()
            .map_err(|_| refuse())?;
    if reference.domain() == "docker.io" { Err(refuse()) } else { Ok(host) }
}

/// Asks the registry `domain` whether it accepts `credentials`, and keeps them (or the identity token that it gave for them)
/// where `access.credentials` says. Returns where they are kept.
///
/// # Errors
/// `Unauthorized` if it does not accept them; `Credentials` if they cannot be kept; those of the network.
pub fn login(domain: &str, credentials: &Credentials, access: &Access) -> Result<Kept> {
    let file = CredentialsFile::of(&access.credentials)?;
    let identity = check(domain, credentials, access).map_err(|error| error.within(domain))?;
    match (identity, credentials) {
        (Some(token), Credentials::Password { username, .. }) => {
            file.store(domain, Some(username), &Credentials::Identity(token))
        }
        _ => file.store(domain, None, credentials),
    }
}

/// Asks the registry `domain` whether it accepts what is kept for it; false if nothing is.
///
/// # Errors
/// As [`login`].
pub fn login_again(domain: &str, access: &Access) -> Result<bool> {
    let Some(credentials) = access.credentials.find(domain)? else { return Ok(false) };
    check(domain, &credentials, access).map_err(|error| error.within(domain)).map(|_| true)
}

/// Forgets what is kept for the registry `domain`. Returns whether there was anything.
///
/// # Errors
/// `Credentials` if the file or the helper cannot be used.
pub fn logout(domain: &str, source: &CredentialsSource) -> Result<bool> {
    CredentialsFile::of(source)?.erase(domain)
}

/// Whether the registry accepts the credentials; the identity token that its token server gives for a password.
fn check(domain: &str, credentials: &Credentials, access: &Access) -> Result<Option<String>> {
    let reference: Reference = format!("{domain}/x").parse().or_else(|_| format!("{domain}:443/x").parse())?;
    let mut endpoint = access.registries.origin(&reference);
    domain.clone_into(&mut endpoint.domain);
    if domain != "docker.io" {
        domain.clone_into(&mut endpoint.host);
    }
    let access = Access { credentials: CredentialsSource::Given(credentials.clone()), ..access.clone() };
    runtime()?.block_on(async {
        let registry = access.open(&endpoint, Scope::Nothing, &|_, _| ()).await?;
        let root = registry.base.split("/v2/").next().unwrap_or_default();
        let url: Uri = format!("{root}/v2/")
            .parse()
            .map_err(|_| Error::new(ErrorKind::Invalid, format!("{domain} makes no URL")))?;
        retrying(registry.http.patience, &|_, _| (), async || {
            let (response, origin) = registry.authorized(Outgoing::get(url.clone())).await?;
            match response.status() {
                // Some registries want a scope for everything, this included; the token itself says who we are.
                StatusCode::FORBIDDEN if registry.authority.header().is_some() => Ok(()),
                status if status.is_success() => Ok(()),
                StatusCode::UNAUTHORIZED => {
                    let why = format!("unauthorized: incorrect username or password (says {origin})");
                    Err(Error::new(ErrorKind::Unauthorized, why).into())
                }
                StatusCode::NOT_FOUND => {
                    let why = format!("{origin} is no registry: it has no /v2/");
                    Err(Error::new(ErrorKind::NotFound, why).into())
                }
                _ => Err(registry.refusal(response, origin).await),
            }
        })
        .await?;
        Ok(registry.authority.take_refresh_token())
    })
}

#[cfg(test)]
mod tests {
    use super::login_domain;

    #[test]
    fn servers() {
        for (server, expected) in [
            (None, Some("docker.io")),
            (Some("https://index.docker.io/v1/"), Some("docker.io")),
            (Some("registry-1.docker.io"), Some("docker.io")),
            (Some("https://R.example:5000/v2/"), Some("r.example:5000")),
            (Some("localhost"), Some("localhost")),
            (Some("corp"), Some("corp")),
            (Some("[::1]:5000"), Some("[::1]:5000")),
            (Some(""), None),
            (Some("a b"), None),
            (Some("user@host"), None),
        ] {
            assert_eq!(login_domain(server).ok().as_deref(), expected, "{server:?}");
        }
    }
}
