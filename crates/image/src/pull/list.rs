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
    ask(reference, options, false, &async |registry: &Registry<'_>| registry.tags(reference).await)
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
    ask(reference, options, true, &list).map_err(|error| error.within(reference))
}

/// Asks the mirrors, if they may be asked, and the registry itself last.
fn ask<T>(
    reference: &Reference,
    options: &PullOptions,
    mirrors: bool,
    ask: &impl AsyncFn(&Registry<'_>) -> Result<T>,
) -> Result<T> {
    let access = options.access();
    let runtime = runtime()?;
    let mut refused = None;
    for source in access.registries.sources(reference).iter().filter(|source| mirrors || !source.is_mirror) {
        let answer = runtime.block_on(async {
            let registry = access.open(source, Scope::Pull, &|_, _| ()).await?;
            ask(&registry).await
        });
        match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(|| Error::new(ErrorKind::NotFound, "no registry has it")))
}
