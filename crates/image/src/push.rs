//! From an image in the store to a registry: layers, configuration, manifest, in this order, so that whoever sees the manifest
//! sees everything. Owns that order, and what is pushed where the exact blobs of the original are not to be had.
//!
//! A pulled layer's blob is not kept. If the registry has it (in the repository, or in another one to mount from), the
//! manifest that was pulled is pushed as it is. If not, the layer's archive is written again, byte for byte the one that the
//! configuration names, and compressed anew; the manifest then names the new blob. The configuration, and with it the id
//! of the image, is always the same.

/// Which layers are sent when, and what need not be sent.
mod layers;

/// A layer's archive, compressed while it is sent.
mod spool;

/// Compression on all processors.
mod compress;

/// One blob on its way, whatever happens on the way.
mod upload;

/// The manifest that names what was sent.
mod manifest;

/// Documents without layers.
mod documents;

use std::collections::BTreeSet;

use bytes::Bytes;
use store::{Digest, ImageRecord, LayerBlob, Store};

use crate::access::{Access, runtime};
use crate::auth::token::Scope;
use crate::client::registry::{OnRetry, Registry, retrying};
use crate::config::ImageConfig;
use crate::document::{Document, Manifest};
use crate::error::{Error, ErrorKind, Result};
use crate::platform::Platform;
use crate::progress::{Progress, ProgressEvent};
use crate::reference::Reference;

pub use self::compress::Compression;
pub use self::documents::{Documents, push_documents};
use self::layers::Layers;

/// Repositories that a push asks to read from, to mount their blobs. Each is a line in the request for a token.
const SOURCES_MAX: usize = 8;

/// How to push.
#[derive(Clone, Debug, Default)]
pub struct PushOptions {
    /// How registries are reached.
    pub access: Access,
    /// What layers are compressed with that have to be compressed.
    pub compression: Compression,
}

/// What is in the registry now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of the manifest.
    pub digest: Digest,
    /// Bytes of the manifest.
    pub size: usize,
    /// What the manifest is.
    pub media_type: String,
    /// What the image is for.
    pub platform: Platform,
}

/// Puts `image` into the registry of `reference`, under its tag; without one, under the digest of the manifest only.
///
/// Blocks; makes its own threads.
///
/// # Errors
/// See [`ErrorKind`]; the message begins with the reference. What has been sent of the layers stays in the registry, and is
/// not sent again by the next push.
pub fn push(
    store: &Store,
    image: &ImageRecord,
    reference: &Reference,
    options: &PushOptions,
    progress: &dyn Progress,
) -> Result<Pushed> {
    let push = Push { store, image, reference, options, progress };
    push.run().map_err(|error| error.within(reference))
}

pub(crate) struct Push<'a> {
    pub(crate) store: &'a Store,
    pub(crate) image: &'a ImageRecord,
    pub(crate) reference: &'a Reference,
    pub(crate) options: &'a PushOptions,
    pub(crate) progress: &'a dyn Progress,
}

/// What is to be pushed, read from the store.
pub(crate) struct Content {
    pub(crate) manifest: Manifest,
    pub(crate) manifest_bytes: Vec<u8>,
    config_bytes: Vec<u8>,
    /// Where the layers' blobs were seen, layer by layer.
    pub(crate) seen: Vec<Vec<LayerBlob>>,
}

impl Push<'_> {
    fn run(&self) -> Result<Pushed> {
        // From here to the end nothing of the image is collected.
        let _lease = self.store.lease()?;
        let content = self.content()?;
        let name = self.reference.name();
        let on_retry = |layer: &str, why: &str| {
            let what = if layer.is_empty() { name.as_str() } else { layer };
            self.progress.event(ProgressEvent::Retrying { what, why });
        };
        let runtime = runtime()?;
        let access = &self.options.access;
        let endpoint = access.registries.origin(self.reference);
        let scope = Scope::Push { from: self.sources(&content) };
        let registry = runtime.block_on(access.open(&endpoint, scope, &on_retry))?;
        let layers = Layers { push: self, content: &content, registry: &registry };
        let blobs = layers.send(&runtime)?;
        let (bytes, media_type) = manifest::naming(&content, &blobs)?;
        runtime.block_on(self.finish(&registry, &content, Bytes::from(bytes), media_type, &on_retry))
    }

    async fn finish(
        &self,
        registry: &Registry<'_>,
        content: &Content,
        bytes: Bytes,
        media_type: String,
        on_retry: &OnRetry<'_>,
    ) -> Result<Pushed> {
        put_blob(registry, &self.image.id, &content.config_bytes, on_retry).await?;
        let digest = Digest::of(&bytes);
        let tag = self.reference.tag().map_or_else(|| digest.to_string(), str::to_owned);
        registry.put_manifest(&tag, &media_type, &bytes).await?;
        self.progress.event(ProgressEvent::Pushed { tag: &tag, digest: &digest, size: bytes.len() });
        let platform = self.image.platform.parse()?;
        Ok(Pushed { digest, size: bytes.len(), media_type, platform })
    }

    /// Reads and checks what the store has. A configuration that names other layers than the image has is never pushed.
    fn content(&self) -> Result<Content> {
        let manifest_bytes = self.store.blob(&self.image.manifest)?;
        let Document::Manifest(manifest) = Document::parse(&manifest_bytes, "")? else {
            return Err(Error::new(ErrorKind::Invalid, "its manifest is an index"));
        };
        let config_bytes = self.store.blob(&self.image.id)?;
        let config = ImageConfig::parse(&config_bytes)?;
        let diff_ids: Vec<Digest> = self.image.layers.iter().map(|layer| layer.diff_id).collect();
        if config.rootfs.diff_ids != diff_ids || manifest.layers.len() != diff_ids.len() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "its configuration, its manifest and its layers contradict each other",
            ));
        }
        let seen: Result<Vec<_>, _> = diff_ids.iter().map(|diff_id| self.store.layer_blobs(diff_id)).collect();
        Ok(Content { manifest, manifest_bytes, config_bytes, seen: seen? })
    }

    /// Repositories of the same registry that have, or had, blobs of these layers.
    pub(crate) fn sources(&self, content: &Content) -> Vec<String> {
        let own = self.reference.repository();
        let named = self.image.references.iter().filter_map(|name| self.repository_here(name));
        let seen = content.seen.iter().flatten().filter_map(|blob| self.repository_here(&blob.repository));
        let all: BTreeSet<String> = named.chain(seen).filter(|repository| repository != own).collect();
        all.into_iter().take(SOURCES_MAX).collect()
    }

    /// The repository in `name`, if it is of the registry that is pushed to.
    pub(crate) fn repository_here(&self, name: &str) -> Option<String> {
        let reference: Reference = name.parse().ok()?;
        (reference.domain() == self.reference.domain()).then(|| reference.repository().to_owned())
    }
}

/// Puts a blob that is in memory, unless the repository has it.
pub(crate) async fn put_blob(
    registry: &Registry<'_>,
    digest: &Digest,
    bytes: &[u8],
    on_retry: &OnRetry<'_>,
) -> Result<()> {
    if registry.has_blob(digest).await? {
        return Ok(());
    }
    let bytes = Bytes::copy_from_slice(bytes);
    retrying(registry.http.patience, on_retry, async || {
        let session = registry.begin_upload().await?;
        upload::taken(registry, &registry.end_upload(&session, digest, bytes.clone()).await?)
    })
    .await
}
