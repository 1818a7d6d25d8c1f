//! Indexes that are made here (`phial manifest`): what an entry says, the document that comes of the entries, and its way to
//! a registry. Owns no file; where a draft is kept between commands is the caller's matter.
//!
//! OCI image specification, "Image Index"; Docker image manifest version 2, schema 2, "Manifest List".

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Digest, Store};

use crate::access::{Access, runtime};
use crate::auth::token::Scope;
use crate::client::registry::Registry;
use crate::client::upload::Mount;
use crate::document::{DOCKER_LIST, DOCKER_MANIFEST, Descriptor, Document, Manifest, OCI_INDEX, OCI_MANIFEST};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Progress;
use crate::push::{PushOptions, push, put_blob};
use crate::reference::Reference;

/// What an entry of an index is for. More than [`crate::Platform`]: what an index may say of systems other than Linux.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPlatform {
    /// `amd64`, …
    #[serde(default)]
    pub architecture: String,
    /// `linux`, …
    #[serde(default)]
    pub os: String,
    /// Version of the system.
    #[serde(rename = "os.version", default, skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// What the system must have.
    #[serde(rename = "os.features", default, skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// `v7`, …
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

/// One entry of an index in the making.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexEntry {
    /// The name it was added under, in full.
    pub reference: String,
    /// What its manifest is.
    pub media_type: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Bytes of its manifest.
    pub size: u64,
    /// What it is for.
    pub platform: EntryPlatform,
    /// The image of this id in the store is meant, which is in no registry yet.
    #[serde(default)]
    pub image: Option<Digest>,
}

/// A manifest or index in a registry, as it is there.
#[derive(Clone, Debug)]
pub struct Examined {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// The document.
    pub bytes: Bytes,
    /// What it is for, of a manifest; None of an index.
    pub platform: Option<EntryPlatform>,
}

/// Fetches what `reference` names, and of a manifest what it is for.
///
/// # Errors
/// See [`ErrorKind`]; the message begins with the reference.
pub fn examine(reference: &Reference, access: &Access) -> Result<Examined> {
    let ask = async {
        let registry = access.open(&access.registries.origin(reference), Scope::Pull, &|_, _| ()).await?;
        let served = registry.manifest(&reference.selector()).await?;
        let (platform, stated) = match Document::parse(&served.bytes, &served.content_type)? {
            Document::Index(_) => (None, OCI_INDEX),
            Document::Manifest(manifest) => {
                let config = registry.small_blob(&manifest.config).await?;
                (Some(platform_of(&config)?), OCI_MANIFEST)
            }
        };
        let media_type = media_type(&served.bytes, &served.content_type, stated);
        Ok(Examined { media_type, digest: served.digest, bytes: served.bytes, platform })
    };
    runtime()?.block_on(ask).map_err(|error: Error| error.within(reference))
}

/// What an image is for, by its configuration.
///
/// # Errors
/// `Invalid` for what is no configuration.
pub fn platform_of(config: &[u8]) -> Result<EntryPlatform> {
    serde_json::from_slice(config).map_err(|error| {
        Error::new(ErrorKind::Invalid, format!("the image config is not readable: {error}")).caused_by(error)
    })
}

/// What the document calls itself, else what it was served as, else `usual`.
fn media_type(bytes: &[u8], served: &str, usual: &str) -> String {
    let inner = serde_json::from_slice::<Value>(bytes).ok();
    let inner = inner.as_ref().and_then(|document| document["mediaType"].as_str());
    let served = served.split(';').next().unwrap_or_default().trim();
    let known = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST];
    let found = inner.into_iter().chain([served]).find(|media_type| known.contains(media_type));
    found.unwrap_or(usual).to_owned()
}

/// The document that these entries make: docker's kind if all are docker's, else OCI's. Its bytes and its media type.
///
/// # Errors
/// `Invalid` if it cannot be written as JSON.
pub fn index_document(entries: &[IndexEntry]) -> Result<(Vec<u8>, &'static str)> {
    let docker = entries.iter().all(|entry| entry.media_type == DOCKER_MANIFEST);
    let media_type = if docker { DOCKER_LIST } else { OCI_INDEX };
    let manifests = entries.iter().map(|entry| DocumentEntry {
        media_type: &entry.media_type,
        size: entry.size,
        digest: &entry.digest,
        platform: &entry.platform,
    });
    let document = IndexDocument { schema_version: 2, media_type, manifests: manifests.collect() };
    let bytes = serde_json::to_vec(&document).map_err(|error| Error::new(ErrorKind::Invalid, error.to_string()))?;
    Ok((bytes, media_type))
}

/// In the order in which docker writes them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IndexDocument<'a> {
    schema_version: u32,
    media_type: &'a str,
    manifests: Vec<DocumentEntry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DocumentEntry<'a> {
    media_type: &'a str,
    size: u64,
    digest: &'a Digest,
    platform: &'a EntryPlatform,
}

/// Puts the index that `entries` make into the registry of `target`, under its tag, and before it whatever of its entries is
/// not in that repository; `told` hears of each of those. Returns the digest of the index.
///
/// # Errors
/// `Unsupported` for an entry of another registry; otherwise as [`push`].
pub fn push_index(
    store: Option<&Store>,
    target: &Reference,
    entries: &[IndexEntry],
    access: &Access,
    progress: &dyn Progress,
    told: &dyn Fn(&Reference),
) -> Result<Digest> {
    if entries.is_empty() {
        return Err(Error::new(ErrorKind::Invalid, format!("{target}: an index without manifests is of no use")));
    }
    let mut entries = entries.to_vec();
    for entry in &mut entries {
        if let (Some(id), Some(store)) = (entry.image, store) {
            let options = PushOptions { access: access.clone(), ..PushOptions::default() };
            let place = target.at(entry.digest);
            let pushed = push(store, &store.image(&id)?, &place, &options, progress)?;
            entry.digest = pushed.digest;
            entry.size = pushed.size as u64;
            entry.media_type = pushed.media_type;
        }
    }
    let send = async {
        let scope = Scope::Push { from: sources(target, &entries)? };
        let registry = access.open(&access.registries.origin(target), scope, &|_, _| ()).await?;
        for entry in &entries {
            if entry.image.is_some() || lend(&registry, target, entry, access).await? {
                told(&target.at(entry.digest));
            }
        }
        let (document, media_type) = index_document(&entries)?;
        registry.put_manifest(target.tag().unwrap_or("latest"), media_type, &Bytes::from(document)).await
    };
    runtime()?.block_on(send).map_err(|error: Error| error.within(target))
}

/// The repositories that entries are in, all of the registry of `target`.
fn sources(target: &Reference, entries: &[IndexEntry]) -> Result<Vec<String>> {
    let mut all = BTreeSet::new();
    for entry in entries.iter().filter(|entry| entry.image.is_none()) {
        let reference: Reference = entry.reference.parse()?;
        if reference.domain() != target.domain() {
            let why = format!(
                "{} is in another registry than {}: pull it, and create the list anew",
                reference.familiar(),
                target.familiar()
            );
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        if reference.repository() != target.repository() {
            all.insert(reference.repository().to_owned());
        }
    }
    Ok(all.into_iter().collect())
}

/// Sees to it that the repository has the manifest of `entry` and all that it names; false if it is of that repository.
async fn lend(registry: &Registry<'_>, target: &Reference, entry: &IndexEntry, access: &Access) -> Result<bool> {
    let reference: Reference = entry.reference.parse()?;
    if reference.repository() == target.repository() {
        return Ok(false);
    }
    let place = access.registries.origin(&reference);
    let lender = access.open(&place, Scope::Pull, &|_, _| ()).await?;
    let served = lender.manifest(&entry.digest.to_string()).await?;
    let Document::Manifest(manifest) = Document::parse(&served.bytes, &served.content_type)? else {
        return Err(Error::new(ErrorKind::Invalid, format!("{} is an index by now", entry.reference)));
    };
    for blob in blobs(&manifest) {
        if registry.has_blob(&blob.digest).await? {
            continue;
        }
        match registry.mount(&blob.digest, reference.repository()).await {
            Ok(Mount::Mounted) => {}
            _ if blob.digest == manifest.config.digest => {
                let bytes = lender.small_blob(blob).await?;
                put_blob(registry, &blob.digest, &bytes, &|_, _| ()).await?;
            }
            _ => {
                let why = format!(
                    "the registry does not lend layer {} of {}: pull that image, and create the list anew",
                    blob.short_id(),
                    reference.familiar()
                );
                return Err(Error::new(ErrorKind::Unsupported, why));
            }
        }
    }
    registry.put_manifest(&entry.digest.to_string(), &entry.media_type, &served.bytes).await.map(|_| true)
}

fn blobs(manifest: &Manifest) -> impl Iterator<Item = &Descriptor> {
    std::iter::once(&manifest.config).chain(&manifest.layers)
}
