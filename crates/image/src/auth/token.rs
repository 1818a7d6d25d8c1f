//! Tokens: from a challenge and credentials to the `Authorization` header of further requests. Credentials go to the
//! registry itself, or to the token server that the registry names if the way there is encrypted; nowhere else.
//!
//! distribution's "Token Authentication Specification" (GET) and "`OAuth2` Token Authentication" (POST).

use std::cell::{OnceCell, RefCell};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode, Uri};
use serde::Deserialize;

use crate::auth::challenge::Challenge;
use crate::auth::credentials::{Credentials, CredentialsSource};
use crate::client::http::{Http, Outgoing};
use crate::client::refusal::failure;
use crate::client::registry::retrying;
use crate::client::retry::Fault;
use crate::client::url::{Origin, encode};
use crate::error::{Error, ErrorKind, Result, printable};

const ANSWER_MAX: u64 = 1 << 20;
/// What `OAuth2` token servers log as the program that asks.
const CLIENT_ID: &str = "phial";

/// Who we are to one registry, and the header that proves it at present.
pub(crate) struct Authority {
    /// The registry as in names of images: the key credentials are found by.
    domain: String,
    /// What we want to do, in the token servers' words.
    scopes: Vec<String>,
    source: CredentialsSource,
    found: OnceCell<Option<Credentials>>,
    header: RefCell<Option<HeaderValue>>,
    refresh: RefCell<Option<String>>,
}

/// What is to be done with a repository. Nobody asks for more than that.
pub(crate) enum Scope {
    /// To read it.
    Pull,
    /// To read and write it, and to read others, from which blobs may be mounted.
    Push {
        /// Names of those repositories.
        from: Vec<String>,
    },
    /// To show who we are.
    Nothing,
}

impl Scope {
    fn words(&self, repository: &str) -> Vec<String> {
        match self {
            Self::Pull => vec![format!("repository:{repository}:pull")],
            Self::Push { from } => {
                let others = from.iter().map(|other| format!("repository:{other}:pull"));
                std::iter::once(format!("repository:{repository}:pull,push")).chain(others).collect()
            }
            Self::Nothing => Vec::new(),
        }
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
}

impl Authority {
    pub(crate) fn new(domain: &str, repository: &str, scope: &Scope, source: CredentialsSource) -> Self {
        Self {
            domain: domain.to_owned(),
            scopes: scope.words(repository),
            source,
            found: OnceCell::new(),
            header: RefCell::new(None),
            refresh: RefCell::new(None),
        }
    }

    /// The identity token that a token server gave for a password, for [`Scope::Nothing`] only.
    pub(crate) fn take_refresh_token(&self) -> Option<String> {
        self.refresh.borrow_mut().take()
    }

    /// The header to send now, if any.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        self.header.borrow().clone()
    }

    /// Whether the user has credentials here; looked up on the first challenge, so `false` before.
    pub(crate) fn has_credentials(&self) -> bool {
        matches!(self.found.get(), Some(Some(_)))
    }

    /// Meets `challenges` of the registry at `registry`, which refused the header `used`.
    pub(crate) async fn answer(
        &self,
        http: &Http,
        registry: &Origin,
        challenges: &[Challenge],
        used: Option<&HeaderValue>,
    ) -> Result<(), Fault> {
        if self.header().as_ref() != used {
            // Another layer has been through this meanwhile.
            return Ok(());
        }
        let credentials = self.credentials()?;
        let bearer = challenges.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
        let header = match (bearer, credentials) {
            (Some(_), Some(Credentials::Bearer(token))) => bearer_header(token)?,
            (Some(Challenge::Bearer { realm, service, scope }), credentials) => {
                let scopes = scopes(&self.scopes, scope.as_deref());
                let request = TokenRequest { realm, service: service.as_deref(), scopes, credentials };
                let (header, refresh) =
                    retrying(http.patience, &|_, _| (), async || request.send(http, registry).await).await?;
                *self.refresh.borrow_mut() = refresh;
                header
            }
            (_, Some(Credentials::Password { username, password })) if challenges.contains(&Challenge::Basic) => {
                basic_header(username, password)?
            }
            _ => return Err(self.unanswerable(registry, challenges).into()),
        };
        *self.header.borrow_mut() = Some(header);
        Ok(())
    }

    fn credentials(&self) -> Result<Option<&Credentials>> {
        if let Some(found) = self.found.get() {
            return Ok(found.as_ref());
        }
        let found = self.source.find(&self.domain)?;
        Ok(self.found.get_or_init(|| found).as_ref())
    }

    fn unanswerable(&self, registry: &Origin, challenges: &[Challenge]) -> Error {
        let why = if challenges.is_empty() {
            format!("{registry} asks for credentials in a way that is not understood")
        } else if self.has_credentials() {
            format!("{registry} asks for a user name and password, and there is only a token")
        } else {
            format!("{registry} asks for credentials, and there are none for {}: log in", self.domain)
        };
        Error::new(ErrorKind::Unauthorized, why)
    }
}

/// Ours, and the registry's own where it asks for something else (public.ecr.aws wants `aws`).
fn scopes<'a>(ours: &'a [String], asked: Option<&'a str>) -> Vec<&'a str> {
    // Never more than what is wanted here: a token that can push is of no use to a pull and of much use to a thief.
    let others = asked.into_iter().filter(|asked| !asked.is_empty() && !asked.starts_with("repository:"));
    ours.iter().map(String::as_str).chain(others).collect()
}

struct TokenRequest<'a> {
    realm: &'a str,
    service: Option<&'a str>,
    scopes: Vec<&'a str>,
    credentials: Option<&'a Credentials>,
}

impl TokenRequest<'_> {
    /// The header, and the identity token that came with it.
    async fn send(&self, http: &Http, registry: &Origin) -> Result<(HeaderValue, Option<String>), Fault> {
        let outgoing = match self.credentials {
            Some(Credentials::Identity(token)) => self.exchange(token)?,
            Some(Credentials::Password { username, password }) => self.ask(Some((username, password)))?,
            _ => self.ask(None)?,
        };
        let realm = Origin::of(&outgoing.url)?;
        // Also for anonymous tokens: over plain HTTP everybody on the way could use them.
        http.check_encryption(&realm).map_err(|error| error.within(format!("token server of {registry}")))?;
        let (response, origin) = http.send(outgoing).await?;
        let refused =
            matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST);
        if refused && self.credentials.is_some() {
            let why = format!("{registry}: its token server {origin} refuses the credentials: log in again");
            return Err(Error::new(ErrorKind::Unauthorized, why).into());
        }
        if response.status() != StatusCode::OK {
            return Err(failure(http, response, &origin, &format!("token server {origin}")).await);
        }
        let bytes = http.read(response, &origin, ANSWER_MAX).await?;
        // Not the parser's message: it could quote a token.
        let answer: TokenAnswer = serde_json::from_slice(&bytes).map_err(|_| unreadable(&origin))?;
        let token = [answer.token, answer.access_token].into_iter().flatten().find(|token| !token.is_empty());
        let header = bearer_header(&token.ok_or_else(|| unreadable(&origin))?)?;
        Ok((header, answer.refresh_token.filter(|token| !token.is_empty())))
    }

    fn ask(&self, credentials: Option<(&String, &String)>) -> Result<Outgoing> {
        let mut query = self.common();
        if let Some((username, _)) = credentials {
            query.push(format!("account={}", encode(username)));
            if self.scopes.is_empty() {
                // Who only logs in wants what can be kept instead of the password.
                query.push(format!("client_id={CLIENT_ID}&offline_token=true"));
            }
        }
        let joint = if self.realm.contains('?') { '&' } else { '?' };
        let mut outgoing = Outgoing::get(self.url(&format!("{}{joint}{}", self.realm, query.join("&")))?);
        let header = credentials.map(|(username, password)| basic_header(username, password)).transpose()?;
        outgoing.authorization = header;
        Ok(outgoing)
    }

    fn exchange(&self, token: &str) -> Result<Outgoing> {
        let mut form = vec!["grant_type=refresh_token".to_owned(), format!("client_id={CLIENT_ID}")];
        form.extend(self.service.map(|service| format!("service={}", encode(service))));
        // Here, unlike in the query of a GET, scopes are one field.
        if !self.scopes.is_empty() {
            form.push(format!("scope={}", encode(&self.scopes.join(" "))));
        }
        form.push(format!("refresh_token={}", encode(token)));
        let mut outgoing = Outgoing::get(self.url(self.realm)?);
        outgoing.method = Method::POST;
        outgoing.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        outgoing.body = Bytes::from(form.join("&"));
        Ok(outgoing)
    }

    fn common(&self) -> Vec<String> {
        let service = self.service.map(|service| format!("service={}", encode(service)));
        let scopes = self.scopes.iter().map(|scope| format!("scope={}", encode(scope)));
        service.into_iter().chain(scopes).collect()
    }

    fn url(&self, text: &str) -> Result<Uri> {
        let refuse = || {
            let why = format!("token server {:?} of the registry is no URL", printable(self.realm));
            Error::new(ErrorKind::Invalid, why)
        };
        text.parse().map_err(|_| refuse())
    }
}

fn unreadable(origin: &Origin) -> Error {
    Error::new(ErrorKind::Invalid, format!("token server {origin}: its answer holds no token"))
}

pub(crate) fn basic_header(username: &str, password: &str) -> Result<HeaderValue> {
    secret(basic_authorization(username, password))
}

/// What `Authorization` says for a user with a password (RFC 7617).
pub fn basic_authorization(username: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{username}:{password}")))
}

fn bearer_header(token: &str) -> Result<HeaderValue> {
    secret(format!("Bearer {token}"))
}

fn secret(value: String) -> Result<HeaderValue> {
    let unfit = |_| Error::new(ErrorKind::Invalid, "a token holds characters that no header can carry");
    let mut value = HeaderValue::try_from(value).map_err(unfit)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_never_ask_for_more_than_is_wanted() {
        let ours = "repository:a:pull";
        let push = Scope::Push { from: vec!["b".to_owned()] };
        assert_eq!(push.words("a"), ["repository:a:pull,push", "repository:b:pull"]);
        for (asked, expected) in [
            (None, &[ours][..]),
            (Some(""), &[ours]),
            (Some(ours), &[ours]),
            (Some("aws"), &[ours, "aws"]),
            (Some("repository:a:pull,push"), &[ours]),
        ] {
            assert_eq!(scopes(&Scope::Pull.words("a"), asked), expected);
        }
    }

    #[test]
    fn tokens_that_would_break_a_header_are_refused() {
        for token in ["a\r\nX: y", "a\nb", "\0"] {
            assert_eq!(bearer_header(token).map_err(|error| error.kind()), Err(ErrorKind::Invalid));
        }
        let header = bearer_header("abc").expect("plain letters");
        assert!(!format!("{header:?}").contains("abc"), "a token shows in debug output");
    }
}
