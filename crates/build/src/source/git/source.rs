//! Between an address and an operation of a graph: `git://host/path#reference:directory` and its attributes, as `BuildKit`
//! makes and reads them. Pure.

use std::collections::BTreeMap;

use super::GitAddress;
use super::address::{Times, checked_checksum, checked_directory, checked_reference, times};
use crate::llb::message::SourceOp;
use crate::{Error, Result};

const SCHEME: &str = "git://";
const URL: &str = "git.fullurl";
const KEEP: &str = "git.keepgitdir";
const CHECKSUM: &str = "git.checksum";
const NO_SUBMODULES: &str = "git.skipsubmodules";
const TIMES: &str = "git.mtime";
const BY_COMMIT: &str = "git.fetchbycommit";
const AGENT: &str = "git.mountsshsock";
const TOKEN: &str = "git.authtokensecret";
const HEADER: &str = "git.authheadersecret";

impl GitAddress {
    /// The operation that brings it in.
    pub(crate) fn source(&self) -> SourceOp {
        let mut identifier = format!("{SCHEME}{}", self.place);
        let (reference, directory) = (self.reference.as_deref().unwrap_or_default(), self.directory.as_deref());
        if !reference.is_empty() || directory.is_some() {
            identifier = format!("{identifier}#{reference}");
        }
        if let Some(directory) = directory {
            identifier = format!("{identifier}:{directory}");
        }
        let mut attrs: BTreeMap<&str, &str> =
            BTreeMap::from([(URL, self.remote.as_str()), (TOKEN, "GIT_AUTH_TOKEN"), (HEADER, "GIT_AUTH_HEADER")]);
        // The keys of the host, which BuildKit asks for while it makes the graph, are for whoever fetches.
        attrs.extend(self.by_ssh.then_some((AGENT, "default")));
        attrs.extend((self.keep_git_dir == Some(true)).then_some((KEEP, "true")));
        attrs.extend((self.submodules == Some(false)).then_some((NO_SUBMODULES, "true")));
        attrs.extend(self.by_commit.then_some((BY_COMMIT, "true")));
        attrs.extend(self.checksum.as_deref().map(|checksum| (CHECKSUM, checksum)));
        attrs.extend(self.times.map(|times| match times {
            Times::Checkout => (TIMES, "checkout"),
            Times::Commit => (TIMES, "commit"),
        }));
        let attrs = attrs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        SourceOp { identifier, attrs }
    }

    /// What such an operation says, whoever has made it.
    ///
    /// # Errors
    /// `Invalid` as of [`GitAddress::parse`], and for what is no such operation.
    pub(crate) fn of_source(source: &SourceOp) -> Result<GitAddress> {
        let wrong =
            || Error::invalid(format!("{:?}: it is no repository", super::super::printable(&source.identifier)));
        let place = source.identifier.strip_prefix(SCHEME).ok_or_else(wrong)?;
        let (place, fragment) = place.split_once('#').unwrap_or((place, ""));
        let remote = match source.attrs.get(URL) {
            Some(url) if url.contains("://") || url.contains('@') => url.clone(),
            Some(url) => format!("https://{url}"),
            None => format!("https://{place}"),
        };
        // On the way to here an address need not be called a repository.
        let (remote, _) = remote.split_once('#').unwrap_or((&remote, ""));
        let mut address = match remote.split_once("://") {
            Some(("http" | "https", _)) => GitAddress::of_web(remote),
            _ => GitAddress::parse(remote)?,
        }
        .ok_or_else(wrong)?;
        let (reference, directory) = fragment.split_once(':').unwrap_or((fragment, ""));
        address.reference = (!reference.is_empty()).then(|| checked_reference(reference)).transpose()?;
        address.directory = checked_directory(directory)?;
        let is_set = |key: &str| source.attrs.get(key).is_some_and(|value| value == "true");
        address.keep_git_dir = Some(is_set(KEEP));
        address.submodules = Some(!is_set(NO_SUBMODULES));
        address.by_commit = is_set(BY_COMMIT);
        address.checksum = source.attrs.get(CHECKSUM).map(|text| checked_checksum(text)).transpose()?;
        address.times = source.attrs.get(TIMES).and_then(|text| times(text));
        Ok(address)
    }
}
