//! Names of images, by the rules of docker: what people type (`alpine`, `localhost:5000/team/app:1.2@sha256:…`) and
//! the full form everything else uses. It never talks to anyone.
//!
//! Grammar: <https://github.com/distribution/reference>, and the OCI distribution specification, "Pulling manifests".

use std::fmt;
use std::str::FromStr;

use store::Digest;

use crate::error::{Error, ErrorKind, Result, printable};

#[cfg(test)]
mod tests;

/// The registry that a name without a host means.
const DEFAULT_DOMAIN: &str = "docker.io";
/// Docker Hub answers the registry protocol under this name only.
const DEFAULT_DOMAIN_API: &str = "registry-1.docker.io";
/// What a name without a slash is put under on [`DEFAULT_DOMAIN`].
const OFFICIAL: &str = "library/";
const DEFAULT_TAG: &str = "latest";
/// Longest `domain/path`, in bytes.
const NAME_MAX: usize = 255;
const TAG_MAX: usize = 128;

/// The full name of an image: registry, repository, and a tag, a digest, or both (then the digest decides).
///
/// ```
/// let reference: image::Reference = "alpine".parse()?;
/// assert_eq!(reference.to_string(), "docker.io/library/alpine:latest");
/// assert_eq!(reference.familiar(), "alpine:latest");
/// # Ok::<(), image::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The registry as written in names: `docker.io`, `localhost:5000`, `[::1]:5000`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// `host[:port]` that answers the registry protocol for [`Self::domain`].
    pub fn registry(&self) -> &str {
        if self.domain == DEFAULT_DOMAIN { DEFAULT_DOMAIN_API } else { &self.domain }
    }

    /// The name within the registry: `library/alpine`.
    pub fn repository(&self) -> &str {
        &self.path
    }

    /// The tag. `None` only where there is a digest.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the manifest or index, if the name is pinned to one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// `domain/path`, without tag and digest.
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The same name pinned to `digest` alone: what docker shows as a repo digest.
    #[must_use]
    pub fn at(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// The name an image is kept under in the store: with the digest alone if there is one, since a tag beside a
    /// digest was not looked at.
    pub fn canonical(&self) -> String {
        match &self.digest {
            Some(digest) => format!("{}@{digest}", self.name()),
            None => self.to_string(),
        }
    }

    /// The short form people know: no `docker.io/`, no `library/`.
    pub fn familiar(&self) -> String {
        format!("{}{}", self.familiar_name(), self.suffix())
    }

    /// [`Self::familiar`] of a name that was written down; what is no name stays as it is.
    pub fn familiar_of(name: &str) -> String {
        name.parse::<Reference>().map_or_else(|_| name.to_owned(), |reference| reference.familiar())
    }

    /// [`Self::familiar`] without tag and digest, as in the REPOSITORY column of `docker images`.
    pub fn familiar_name(&self) -> String {
        if self.domain != DEFAULT_DOMAIN {
            return self.name();
        }
        match (self.path.strip_prefix(OFFICIAL), self.path.split_once('/')) {
            (Some(rest), _) if !rest.contains('/') => rest.to_owned(),
            // `docker.io/foo.bar/x` without its host would be read as `x` on the host `foo.bar`.
            (_, Some((first, _))) if is_host_like(first) => self.name(),
            _ => self.path.clone(),
        }
    }

    /// Whether `name`, as a user typed it, says which registry it means.
    pub fn names_registry(name: &str) -> bool {
        name.split_once('/').is_some_and(|(first, _)| is_host_like(first))
    }

    /// The same name with `tag` in place of tag and digest.
    ///
    /// # Errors
    /// `Syntax` for what can be no tag.
    pub fn with_tag(&self, tag: &str) -> Result<Self> {
        format!("{}:{tag}", self.name()).parse()
    }

    /// What the registry is asked for in `/v2/NAME/manifests/…`.
    pub(crate) fn selector(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => DEFAULT_TAG.to_owned(),
        }
    }

    fn suffix(&self) -> String {
        let tag = self.tag.as_ref().map_or(String::new(), |tag| format!(":{tag}"));
        let digest = self.digest.as_ref().map_or(String::new(), |digest| format!("@{digest}"));
        tag + &digest
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}{}", self.domain, self.path, self.suffix())
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse =
            |why: &str| Error::new(ErrorKind::Syntax, format!("invalid image name {:?}: {why}", printable(text)));
        if text.is_empty() {
            return Err(refuse("it is empty"));
        }
        if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()) {
            return Err(refuse("64 hexadecimal digits are an image id"));
        }
        let (rest, digest) = split_digest(text, &refuse)?;
        let (domain, path) = split_domain(rest);
        let (path, tag) = split_tag(&path, &refuse)?;
        check_domain(domain, &refuse)?;
        check_path(path, &refuse)?;
        if domain.len() + 1 + path.len() > NAME_MAX {
            return Err(refuse("the repository name is longer than 255 characters"));
        }
        let tag = tag.map(str::to_owned).or_else(|| digest.is_none().then(|| DEFAULT_TAG.to_owned()));
        Ok(Self { domain: domain.to_owned(), path: path.to_owned(), tag, digest })
    }
}

fn split_digest<'a>(text: &'a str, refuse: &dyn Fn(&str) -> Error) -> Result<(&'a str, Option<Digest>)> {
    let Some((rest, digest)) = text.split_once('@') else { return Ok((text, None)) };
    let digest = digest.parse().map_err(|error: store::Error| refuse(&error.to_string()))?;
    Ok((rest, Some(digest)))
}

/// Docker's rule: the part before the first slash is a host when it could not be a repository name (dot, colon,
/// upper case) or is `localhost`.
fn split_domain(text: &str) -> (&str, String) {
    let (domain, path) = match text.split_once('/') {
        Some((first, rest)) if is_host_like(first) => (first, rest),
        _ => (DEFAULT_DOMAIN, text),
    };
    let domain = if domain == "index.docker.io" { DEFAULT_DOMAIN } else { domain };
    let official = domain == DEFAULT_DOMAIN && !path.contains('/');
    (domain, if official { format!("{OFFICIAL}{path}") } else { path.to_owned() })
}

fn is_host_like(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.bytes().any(|b| b.is_ascii_uppercase())
}

fn split_tag<'a>(path: &'a str, refuse: &dyn Fn(&str) -> Error) -> Result<(&'a str, Option<&'a str>)> {
    let Some((path, tag)) = path.split_once(':') else { return Ok((path, None)) };
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let fits = tag.bytes().all(|b| word(b) || b == b'.' || b == b'-') && tag.bytes().next().is_some_and(word);
    if fits && tag.len() <= TAG_MAX {
        return Ok((path, Some(tag)));
    }
    Err(refuse("a tag is at most 128 letters, digits, '_', '.', '-', and does not begin with '.' or '-'"))
}

fn check_domain(domain: &str, refuse: &dyn Fn(&str) -> Error) -> Result<()> {
    let (host, port) = match domain.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            address.parse::<std::net::Ipv6Addr>().map_err(|_| refuse("the host is no IPv6 address"))?;
            (None, rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("0")))
        }
        None => match domain.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(domain), Some("0")),
        },
    };
    if port.is_none_or(|port| !port.bytes().all(|b| b.is_ascii_digit()) || port.parse::<u16>().is_err()) {
        return Err(refuse("the port of the host is no number up to 65535"));
    }
    let label = |label: &str| {
        let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    if host.is_some_and(|host| !host.split('.').all(label)) {
        return Err(refuse("the part before the first '/' is no host name"));
    }
    Ok(())
}

fn check_path(path: &str, refuse: &dyn Fn(&str) -> Error) -> Result<()> {
    if path.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(refuse("the repository name must be lower case"));
    }
    if path.split('/').all(is_path_component) {
        return Ok(());
    }
    Err(refuse("a repository name is lower-case letters and digits, separated by '/', '.', '_', '__' or '-'"))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(component: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let separators = component.split(|c: char| c.is_ascii() && alphanumeric(c as u8));
    let separator_fits = |s: &str| matches!(s, "" | "." | "_" | "__") || s.bytes().all(|b| b == b'-');
    let edges =
        component.bytes().next().is_some_and(alphanumeric) && component.bytes().last().is_some_and(alphanumeric);
    edges && separators.into_iter().all(separator_fits)
}
