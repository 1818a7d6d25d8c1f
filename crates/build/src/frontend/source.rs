//! What comes from outside: images, repositories, and what is at an address.

use std::collections::BTreeMap;

use dockerfile::Error;

use super::{Conversion, Result};
use crate::llb::message::{Kind as Operation, Platform, SourceOp};
use crate::llb::{Output, called, operation};
use crate::source::git::GitAddress;
use crate::source::without_credentials;

impl Conversion<'_> {
    /// An image.
    pub(super) fn image(&mut self, reference: &str, platform: &Platform, name: String) -> Output {
        let source = SourceOp { identifier: format!("docker-image://{reference}"), attrs: BTreeMap::new() };
        let operation = operation(Operation::Source(source), Some(platform));
        self.builder.add(&operation, called(name))
    }

    /// A repository.
    pub(super) fn repository(&mut self, address: &GitAddress) -> Output {
        let name = called(format!("[internal] load git source {}", address.shown()));
        self.builder.add(&operation(Operation::Source(address.source()), None), name)
    }

    /// What is at an address, as a file of this name.
    pub(super) fn address(&mut self, address: &str, name: &str, checksum: Option<&str>) -> Output {
        let mut attrs = BTreeMap::from([("http.filename".to_owned(), name.to_owned())]);
        attrs.extend(checksum.map(|checksum| ("http.checksum".to_owned(), checksum.to_owned())));
        let source = SourceOp { identifier: address.to_owned(), attrs };
        let operation = operation(Operation::Source(source), None);
        self.builder.add(&operation, called(without_credentials(address)))
    }
}

/// What a source of `ADD` is if it is no path.
pub(super) enum Outside {
    /// A repository.
    Git(Box<GitAddress>),
    /// What is on a web server.
    Web,
}

/// What is not in the context.
///
/// # Errors
/// `Meaning` for the address of a repository that cannot be one.
pub(super) fn outside(source: &str) -> Result<Option<Outside>> {
    if let Some(address) = git(GitAddress::parse(source), source)? {
        return Ok(Some(Outside::Git(Box::new(address))));
    }
    Ok((source.starts_with("http://") || source.starts_with("https://")).then_some(Outside::Web))
}

/// An error of a repository's address as one of the Dockerfile.
pub(super) fn git<T>(found: crate::Result<T>, source: &str) -> Result<T> {
    found.map_err(|error| {
        let hint = error.hint().map(ToOwned::to_owned);
        hint.into_iter().fold(Error::meaning(error.to_string()).at_word(source), Error::with_hint)
    })
}

/// Whether a source of `ADD` is a path.
pub(super) fn is_path(source: &str) -> bool {
    matches!(outside(source), Ok(None))
}
