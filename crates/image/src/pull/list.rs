//! What there is to pull: the tags of a repository, the platforms of an image.

use store::Digest;

use crate::access::runtime;
use crate::auth::token::Scope;
use crate::client::registry::Registry;
use crate::document::Document;
use crate::error::{Error, ErrorKind, Result};
use crate::platform::Platform;
use crate::pull::PullOptions;
use crate::reference::Reference;

/// All tags of the repository of `reference`, as its registry orders them. Mirrors are not asked: they have what somebody
/// wanted before, not all there is.
///
/// # Errors
/// See [`ErrorKind`]; the message begins with the repository.
pub fn tags(reference: &Reference, options: &PullOptions) -> Result<Vec<String>> {
    ask(reference, options, async |registry| registry.tags(reference).await)
        .map_err(|error| error.within(reference.name()))
}

/// The platforms that an index offers, each with the digest of its manifest; none if `reference` is no index.
///
/// # Errors
/// See [`ErrorKind`]; the message begins with the reference.
pub fn platforms(reference: &Reference, options: &PullOptions) -> Result<Vec<(Digest, Platform)>> {
    let list = async |registry: &Registry<'_>| {
        let served = registry.manifest(&reference.selector()).await?;
        let Document::Index(index) = Document::parse(&served.bytes, &served.content_type)? else {
            return Ok(Vec::new());
        };
        let offers = index.manifests.into_iter().filter_map(|entry| Some((entry.digest, entry.platform?.normal())));
        // Attestations are for nobody, and images for other systems cannot be unpacked.
        let offers: Vec<_> = offers.filter(|(_, platform)| platform.os == "linux").collect();
        if offers.is_empty() {
            return Err(Error::new(ErrorKind::Platform, "the index has no image for Linux"));
        }
        Ok(offers)
    };
    ask(reference, options, list).map_err(|error| error.within(reference))
}

fn ask<T>(
    reference: &Reference,
    options: &PullOptions,
    ask: impl AsyncFnOnce(&Registry<'_>) -> Result<T>,
) -> Result<T> {
    let access = options.access();
    runtime()?.block_on(async {
        let registry = access.open(&access.registries.origin(reference), Scope::Pull, &|_, _| ()).await?;
        ask(&registry).await
    })
}
