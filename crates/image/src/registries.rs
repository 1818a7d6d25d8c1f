//! The registries file: which mirrors stand in for a registry, which registries need no encryption, and what names without
//! a registry mean. Owns the format and its checks; whether anybody answers there is for `client`.
//!
//! ```toml
//! search = ["docker.io", "registry.example"]
//!
//! [aliases]
//! tool = "registry.example/team/tool"
//!
//! [registry."docker.io"]
//! mirrors = ["mirror.example:5000", "cache.example/hub"]
//!
//! [registry."10.0.0.5:5000"]
//! insecure = true
//! ```

use std::collections::BTreeMap;
use std::io::{ErrorKind as IoErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result, printable};
use crate::reference::Reference;

#[cfg(test)]
mod tests;

const FILE_MAX: u64 = 1 << 20;
/// Where names without a registry are looked for if nobody says otherwise.
const HUB: &str = "docker.io";

/// What the registries file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registries {
    /// Empty is Docker Hub alone.
    search: Vec<String>,
    /// Names without tag, to full names without tag.
    aliases: BTreeMap<String, String>,
    settings: BTreeMap<String, Settings>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Settings {
    insecure: bool,
    mirrors: Vec<Mirror>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mirror {
    host: String,
    /// Goes in front of the names of repositories; empty for most.
    prefix: String,
}

/// One place where a repository can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// As in names of images: what credentials and settings are found by.
    pub(crate) domain: String,
    /// `host[:port]` that answers.
    pub(crate) host: String,
    pub(crate) repository: String,
    /// Plain HTTP and unknown certificates are fine.
    pub(crate) insecure: bool,
    pub(crate) is_mirror: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    search: Vec<String>,
    #[serde(default)]
    aliases: BTreeMap<String, String>,
    #[serde(default)]
    registry: BTreeMap<String, RawSettings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSettings {
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    mirrors: Vec<String>,
}

impl Registries {
    /// The file that is read if nobody names another.
    pub const DEFAULT_FILE: &str = "/etc/phial/registries.toml";
    /// Environment variable that names another.
    pub const VARIABLE: &str = "PHIAL_REGISTRIES";

    /// Reads `file`, else the file that the environment names, else [`Self::DEFAULT_FILE`], which need not be there.
    ///
    /// # Errors
    /// `Configuration` for a file that was named and is not there, and for one that is not understood as a whole.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        let named = file.map(Path::to_owned);
        let named =
            named.or_else(|| std::env::var_os(Self::VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from));
        let path = named.as_deref().unwrap_or(Path::new(Self::DEFAULT_FILE));
        let refuse = |why: &dyn std::fmt::Display| bad(format!("registries file {}: {why}", path.display()));
        let mut text = String::new();
        match std::fs::File::open(path) {
            Ok(file) => file.take(FILE_MAX).read_to_string(&mut text).map_err(|error| refuse(&error))?,
            Err(error) if error.kind() == IoErrorKind::NotFound && named.is_none() => return Ok(Self::default()),
            Err(error) => return Err(refuse(&error)),
        };
        Self::parse(&text).map_err(|error| error.within(format_args!("registries file {}", path.display())))
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    /// `Configuration`; the message names the line or the entry.
    pub fn parse(text: &str) -> Result<Self> {
        let raw: Raw = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let line = line.map_or_else(String::new, |line| format!("line {line}: "));
            bad(format!("{line}{}", printable(error.message())))
        })?;
        let search: Result<Vec<String>> = raw.search.iter().map(|host| domain(host, "search")).collect();
        let aliases: Result<BTreeMap<_, _>> = raw.aliases.iter().map(|(name, full)| alias(name, full)).collect();
        let settings: Result<BTreeMap<_, _>> =
            raw.registry.into_iter().map(|(host, raw)| settings(&host, &raw)).collect();
        Ok(Self { search: search?, aliases: aliases?, settings: settings? })
    }

    /// What `name`, as a user typed it, may stand for, in the order in which to look: one reference if it names its
    /// registry or has an alias, else one for each registry that is searched.
    ///
    /// # Errors
    /// `Syntax` for what is no name of an image.
    pub fn candidates(&self, name: &str) -> Result<Vec<Reference>> {
        let reference: Reference = name.parse()?;
        if Reference::names_registry(name) {
            return Ok(vec![reference]);
        }
        let (short, rest) = split(name);
        if let Some(full) = self.aliases.get(short) {
            return Ok(vec![format!("{full}{rest}").parse()?]);
        }
        let in_registry =
            |host: &String| if host == HUB { Ok(reference.clone()) } else { format!("{host}/{name}").parse() };
        if self.search.is_empty() { Ok(vec![reference]) } else { self.search.iter().map(in_registry).collect() }
    }

    /// Where the repository of `reference` can be read: its mirrors, then its registry.
    pub(crate) fn sources(&self, reference: &Reference) -> Vec<Endpoint> {
        let mirrors = self.settings.get(reference.domain()).map_or(&[][..], |settings| &settings.mirrors);
        let mirror = |mirror: &Mirror| {
            let joint = if mirror.prefix.is_empty() { "" } else { "/" };
            Endpoint {
                domain: mirror.host.clone(),
                host: mirror.host.clone(),
                repository: format!("{}{joint}{}", mirror.prefix, reference.repository()),
                insecure: self.is_insecure(&mirror.host),
                is_mirror: true,
            }
        };
        mirrors.iter().map(mirror).chain([self.origin(reference)]).collect()
    }

    /// Where the repository of `reference` is written: its registry.
    pub(crate) fn origin(&self, reference: &Reference) -> Endpoint {
        Endpoint {
            domain: reference.domain().to_owned(),
            host: reference.registry().to_owned(),
            repository: reference.repository().to_owned(),
            insecure: self.is_insecure(reference.domain()),
            is_mirror: false,
        }
    }

    /// Whether plain HTTP and unknown certificates are fine with the registry `domain`.
    pub(crate) fn is_insecure(&self, domain: &str) -> bool {
        self.settings.get(domain).is_some_and(|settings| settings.insecure)
    }
}

/// A name without tag and digest, and those.
fn split(name: &str) -> (&str, &str) {
    let slash = name.rfind('/').map_or(0, |slash| slash + 1);
    let end = name.find('@').unwrap_or(name.len());
    let end = name[slash.min(end)..end].find(':').map_or(end, |colon| slash + colon);
    name.split_at(end)
}

/// `host[:port]` as it stands in names of images.
fn domain(host: &str, what: &str) -> Result<String> {
    let refuse = || bad(format!("{what}: {:?} is no registry: it is written HOST or HOST:PORT", printable(host)));
    if host.contains('/') || !Reference::names_registry(&format!("{host}/x")) {
        return Err(refuse());
    }
    let reference: Reference = format!("{host}/x").parse().map_err(|_| refuse())?;
    Ok(reference.domain().to_owned())
}

fn alias(name: &str, full: &str) -> Result<(String, String)> {
    let refuse = |why: &str| Err(bad(format!("aliases.{}: {why}", printable(name))));
    if name.parse::<Reference>().is_err() || Reference::names_registry(name) || !split(name).1.is_empty() {
        return refuse("an alias is a short name without registry, tag and digest");
    }
    if full.parse::<Reference>().is_err() || !Reference::names_registry(full) || !split(full).1.is_empty() {
        let full = printable(full);
        return refuse(&format!("{full:?} is no full name: it is written REGISTRY/NAME, without tag and digest"));
    }
    Ok((name.to_owned(), full.to_owned()))
}

fn settings(host: &str, raw: &RawSettings) -> Result<(String, Settings)> {
    let host = domain(host, "registry")?;
    let mirrors: Result<Vec<Mirror>> = raw.mirrors.iter().map(|text| mirror(text, &host)).collect();
    let settings = Settings { insecure: raw.insecure, mirrors: mirrors? };
    Ok((host, settings))
}

fn mirror(text: &str, of: &str) -> Result<Mirror> {
    let refuse = |why: &str| bad(format!("registry.{of:?}.mirrors: {:?} {why}", printable(text)));
    if text.starts_with("http://") {
        return Err(refuse("is without encryption: leave http:// out, and set insecure = true for that registry"));
    }
    let bare = text.strip_prefix("https://").unwrap_or(text).trim_end_matches('/');
    let (host, prefix) = bare.split_once('/').unwrap_or((bare, ""));
    let host = domain(host, "mirrors").map_err(|_| refuse("is no mirror: it is written HOST[:PORT][/PREFIX]"))?;
    if format!("{bare}/x").parse::<Reference>().is_err() {
        return Err(refuse("has a prefix that no repository can have"));
    }
    Ok(Mirror { host, prefix: prefix.to_owned() })
}

fn bad(message: String) -> Error {
    Error::new(ErrorKind::Configuration, message)
}
