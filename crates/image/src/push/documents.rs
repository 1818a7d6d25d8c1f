//! Documents that were made here and belong to no image of the store: an index of images that are in the registry already, and what
//! is said of them (attestations). Owns that a manifest comes after what it names.

use bytes::Bytes;

use crate::access::{Access, runtime};
use crate::auth::token::Scope;
use crate::error::{Error, Result};
use crate::push::put_blob;
use crate::reference::Reference;
use store::Digest;

/// What is put into a registry.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    /// What manifests name: small blobs.
    pub blobs: Vec<Vec<u8>>,
    /// Manifests by their digests, each with its media type.
    pub manifests: Vec<(String, Vec<u8>)>,
    /// The last one: media type and bytes.
    pub root: (String, Vec<u8>),
}

/// Puts documents into the registry of `reference`; the last one under its tag, or without one under its digest. Returns
/// the digest of that.
///
/// # Errors
/// See [`crate::ErrorKind`]; the message begins with the reference.
pub fn push_documents(reference: &Reference, documents: &Documents, access: &Access) -> Result<Digest> {
    let send = async {
        let on_retry = |_: &str, _: &str| ();
        let scope = Scope::Push { from: Vec::new() };
        let registry = access.open(&access.registries.origin(reference), scope, &on_retry).await?;
        for blob in &documents.blobs {
            put_blob(&registry, &Digest::of(blob), blob, &on_retry).await?;
        }
        for (media_type, bytes) in &documents.manifests {
            let digest = Digest::of(bytes).to_string();
            registry.put_manifest(&digest, media_type, &Bytes::copy_from_slice(bytes)).await?;
        }
        let (media_type, bytes) = &documents.root;
        let digest = Digest::of(bytes);
        let place = reference.tag().map_or_else(|| digest.to_string(), str::to_owned);
        registry.put_manifest(&place, media_type, &Bytes::copy_from_slice(bytes)).await?;
        Ok(digest)
    };
    runtime()?.block_on(send).map_err(|error: Error| error.within(reference))
}
