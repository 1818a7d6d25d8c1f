//! From a reference to one manifest and its config, verified and held against each other. Fetches nothing that the
//! store has under its digest.

use bytes::Bytes;
use store::{Digest, Store};

use crate::client::registry::{Registry, Served};
use crate::config::ImageConfig;
use crate::document::{Descriptor, Document, Manifest};
use crate::error::{Error, ErrorKind, Result};
use crate::platform::Platform;
use crate::reference::Reference;

/// Indexes may lie in indexes; real ones do so once.
const NESTING_MAX: usize = 4;

/// What a reference stands for.
#[derive(Clone)]
pub(crate) struct Resolved {
    /// The digest of what the reference itself names: the index, if there is one.
    pub(crate) digest: Digest,
    pub(crate) manifest: Manifest,
    pub(crate) manifest_digest: Digest,
    pub(crate) manifest_bytes: Bytes,
    pub(crate) config: ImageConfig,
    pub(crate) config_bytes: Bytes,
}

impl Resolved {
    /// The digest of the config.
    pub(crate) fn image_id(&self) -> Digest {
        self.manifest.config.digest
    }
}

/// Asks `registry` what `reference` is on `platform` (on this host, if `None`).
pub(crate) async fn resolve(
    registry: &Registry<'_>,
    store: &Store,
    reference: &Reference,
    platform: Option<&Platform>,
) -> Result<Resolved> {
    let wanted = platform.cloned().unwrap_or_else(Platform::host).normal();
    let mut served = registry.manifest(&reference.selector()).await?;
    let digest = served.digest;
    for _ in 0..=NESTING_MAX {
        let index = match Document::parse(&served.bytes, &served.content_type)? {
            Document::Index(index) => index,
            Document::Manifest(manifest) => {
                let config_bytes = config_bytes(registry, store, &manifest.config).await?;
                let config = ImageConfig::parse(&config_bytes)?;
                check(&manifest, &config, platform)?;
                return Ok(Resolved {
                    digest,
                    manifest,
                    manifest_digest: served.digest,
                    manifest_bytes: served.bytes,
                    config,
                    config_bytes,
                });
            }
        };
        served = manifest(registry, store, wanted.choose(&index)?).await?;
    }
    Err(Error::new(ErrorKind::Invalid, format!("indexes lie in each other more than {NESTING_MAX} deep")))
}

async fn manifest(registry: &Registry<'_>, store: &Store, descriptor: &Descriptor) -> Result<Served> {
    if let Some(bytes) = stored(store, descriptor) {
        return Ok(Served { bytes, content_type: descriptor.media_type.clone(), digest: descriptor.digest });
    }
    let served = registry.manifest(&descriptor.digest.to_string()).await?;
    if served.bytes.len() as u64 == descriptor.size {
        return Ok(served);
    }
    let (digest, size, got) = (descriptor.digest, descriptor.size, served.bytes.len());
    Err(Error::new(ErrorKind::Digest, format!("manifest {digest} has {got} bytes, the index says {size}")))
}

async fn config_bytes(registry: &Registry<'_>, store: &Store, descriptor: &Descriptor) -> Result<Bytes> {
    match stored(store, descriptor) {
        Some(bytes) => Ok(bytes),
        None => registry.small_blob(descriptor).await,
    }
}

/// The store verifies what it reads; whatever is wrong with it, the registry has it too.
fn stored(store: &Store, descriptor: &Descriptor) -> Option<Bytes> {
    store.blob(&descriptor.digest).ok().filter(|bytes| bytes.len() as u64 == descriptor.size).map(Bytes::from)
}

fn check(manifest: &Manifest, config: &ImageConfig, asked: Option<&Platform>) -> Result<()> {
    let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
    if layers != diff_ids {
        let why = format!("the manifest has {layers} layers, the image config {diff_ids}");
        return Err(Error::new(ErrorKind::Invalid, why));
    }
    let platform = config.platform();
    if platform.os != "linux" {
        return Err(Error::new(ErrorKind::Unsupported, format!("the image is for {platform}, not for Linux")));
    }
    if let Some(asked) = asked.filter(|asked| !asked.runs(&platform)) {
        return Err(Error::new(ErrorKind::Platform, format!("no image for {asked}; there is {platform}")));
    }
    Ok(())
}
