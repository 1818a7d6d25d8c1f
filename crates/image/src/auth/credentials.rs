//! Credentials of the user for one registry: docker's `config.json` and the credential helpers it names. Reads them
//! (`file` writes them), and never shows a secret (`Debug` leaves it out).
//!
//! docker CLI reference, "Configuration files"; the protocol of <https://github.com/docker/docker-credential-helpers>.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind as IoErrorKind, Read};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use crate::auth::helper;
use crate::error::{Error, ErrorKind, Result, printable};

#[cfg(test)]
mod tests;

/// The key docker login has always used for Docker Hub.
const HUB_KEY: &str = "https://index.docker.io/v1/";
const HUB_HOSTS: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];
const FILE_MAX: u64 = 4 << 20;
/// Go decodes with padding; hand-written files often lack it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where a pull finds credentials.
#[derive(Clone, Debug, Default)]
pub enum CredentialsSource {
    /// `$DOCKER_CONFIG/config.json`, or `~/.docker/config.json`, as docker does; none if the file is missing.
    #[default]
    Docker,
    /// `config.json` in this directory; none if the file is missing.
    Directory(PathBuf),
    /// A file of that format.
    File(PathBuf),
    /// These, for the registry of the reference.
    Given(Credentials),
    /// None at all.
    Anonymous,
}

/// How to prove who we are to one registry.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password.
    Password {
        /// The user's name.
        username: String,
        /// The secret.
        password: String,
    },
    /// An `OAuth2` refresh token, exchanged for access tokens at the registry's token server.
    Identity(String),
    /// A bearer token that the registry takes as it is.
    Bearer(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { username, .. } => write!(out, "Password({username})"),
            Self::Identity(_) => out.write_str("Identity"),
            Self::Bearer(_) => out.write_str("Bearer"),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ConfigFile {
    auths: Option<BTreeMap<String, Option<Entry>>>,
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase", default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl CredentialsSource {
    /// Credentials for `domain` (`docker.io`, `localhost:5000`), if there are any.
    ///
    /// # Errors
    /// `Credentials` for a file or a helper that is named and cannot be used.
    pub fn find(&self, domain: &str) -> Result<Option<Credentials>> {
        match self {
            Self::Anonymous => Ok(None),
            Self::Given(credentials) => Ok(Some(credentials.clone())),
            Self::File(path) => read_file(path)?.map_or_else(
                || Err(unusable(format!("credentials file {}: no such file", path.display()))),
                |file| file.find(domain, path),
            ),
            Self::Docker | Self::Directory(_) => {
                let Some(path) = self.config_file() else { return Ok(None) };
                read_file(&path)?.map_or(Ok(None), |file| file.find(domain, &path))
            }
        }
    }
}

impl CredentialsSource {
    /// The file of docker's format, if this source is one.
    pub(crate) fn config_file(&self) -> Option<PathBuf> {
        match self {
            Self::Docker => docker_config(),
            Self::Directory(directory) => Some(directory.join("config.json")),
            Self::File(path) => Some(path.clone()),
            Self::Given(_) | Self::Anonymous => None,
        }
    }
}

fn docker_config() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let directory = set("DOCKER_CONFIG").map(PathBuf::from);
    Some(directory.or_else(|| Some(PathBuf::from(set("HOME")?).join(".docker")))?.join("config.json"))
}

pub(crate) fn read_file(path: &Path) -> Result<Option<ConfigFile>> {
    let refuse = |why: &dyn fmt::Display| unusable(format!("credentials file {}: {why}", path.display()));
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), IoErrorKind::NotFound | IoErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(refuse(&error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_MAX).read_to_end(&mut bytes).map_err(|error| refuse(&error))?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Some(ConfigFile::default()));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|error| refuse(&error))
}

impl ConfigFile {
    /// The helper that keeps the credentials of `domain`.
    pub(crate) fn helper(&self, domain: &str) -> Option<&str> {
        let helpers = self.cred_helpers.iter().flatten();
        let own = helpers.filter(|(key, _)| names(key, domain)).map(|(_, helper)| helper.as_str()).next();
        own.or(self.creds_store.as_deref()).filter(|helper| !helper.is_empty())
    }

    /// A helper for this registry comes first, then the helper for all, then the file itself: docker's order.
    fn find(&self, domain: &str, path: &Path) -> Result<Option<Credentials>> {
        let answer = self.helper(domain).map(|helper| helper::get(helper, server_key(domain))).transpose()?.flatten();
        if answer.is_some() {
            return Ok(answer);
        }
        let mut entries: Vec<_> = self.auths.iter().flatten().filter(|(key, _)| names(key, domain)).collect();
        // The exact key before one that needed normalizing.
        entries.sort_by_key(|(key, _)| !key.eq_ignore_ascii_case(server_key(domain)));
        for (key, entry) in entries.into_iter().filter_map(|(key, entry)| Some((key, entry.as_ref()?))) {
            let found = entry.credentials().map_err(|why| {
                unusable(format!("credentials file {}: auths[{:?}]: {why}", path.display(), printable(key)))
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

impl Entry {
    fn credentials(&self) -> Result<Option<Credentials>, &'static str> {
        let set = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
        if let Some(token) = set(&self.registrytoken) {
            return Ok(Some(Credentials::Bearer(token)));
        }
        if let Some(token) = set(&self.identitytoken) {
            return Ok(Some(Credentials::Identity(token)));
        }
        let Some(auth) = set(&self.auth) else {
            let plain = set(&self.username).zip(set(&self.password));
            return Ok(plain.map(|(username, password)| Credentials::Password { username, password }));
        };
        let text = BASE64.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.ok_or("auth is not base64 of text")?;
        let (username, password) = text.split_once(':').ok_or("auth is not base64 of user:password")?;
        // Docker's files end some passwords with zero bytes.
        let password = password.trim_end_matches('\0').to_owned();
        Ok(Some(Credentials::Password { username: username.to_owned(), password }))
    }
}

/// Whether a key of the file means the registry `domain`: keys may carry a scheme and a path.
pub(crate) fn names(key: &str, domain: &str) -> bool {
    let host = |text: &str| {
        let bare = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
        bare.split('/').next().unwrap_or_default().to_ascii_lowercase()
    };
    let (key, domain) = (host(key), host(domain));
    let hub = |name: &str| HUB_HOSTS.contains(&name);
    key == domain || (hub(&key) && hub(&domain))
}

pub(crate) fn server_key(domain: &str) -> &str {
    if HUB_HOSTS.contains(&domain) { HUB_KEY } else { domain }
}

fn unusable(message: String) -> Error {
    Error::new(ErrorKind::Credentials, message)
}
