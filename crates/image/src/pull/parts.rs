//! An image whose layers are fetched one by one, each when somebody wants it: what a cache of builds in a registry is.

use store::{Digest, LayerRef, Lease, Store};

use crate::access::runtime;
use crate::auth::token::Scope;
use crate::client::registry::{OnRetry, Registry};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::{Progress, ProgressEvent};
use crate::pull::fetch::Fetch;
use crate::pull::resolve::{Resolved, resolve};
use crate::pull::{PullOptions, layer};
use crate::reference::Reference;

/// An image in a registry of which the documents are known.
pub struct RemoteImage {
    reference: Reference,
    resolved: Resolved,
}

/// Fetches what describes the image that `reference` names now, and nothing that is in it.
///
/// # Errors
/// See [`ErrorKind`]; the message begins with the reference.
pub fn look(
    store: &Store,
    reference: &Reference,
    options: &PullOptions,
    progress: &dyn Progress,
) -> Result<RemoteImage> {
    let look = |registry: &Registry<'_>, runtime: &tokio::runtime::Runtime| {
        runtime.block_on(resolve(registry, store, reference, options.platform.as_ref()))
    };
    let resolved = asked(reference, options, progress, look).map_err(|error| error.within(reference))?;
    Ok(RemoteImage { reference: reference.clone(), resolved })
}

impl RemoteImage {
    /// Its configuration, as it came.
    pub fn config(&self) -> &[u8] {
        &self.resolved.config_bytes
    }

    /// Fetches one of its layers into the store, unless it is there.
    ///
    /// # Errors
    /// `NotFound` for what is none of its layers; those of a pull.
    pub fn fetch(
        &self,
        store: &Store,
        lease: &Lease,
        diff_id: &Digest,
        options: &PullOptions,
        progress: &dyn Progress,
    ) -> Result<LayerRef> {
        let resolved = &self.resolved;
        let Some(at) = resolved.config.rootfs.diff_ids.iter().position(|layer| layer == diff_id) else {
            return Err(Error::new(ErrorKind::NotFound, format!("it has no layer {diff_id}")).within(&self.reference));
        };
        let mut one = resolved.clone();
        one.manifest.layers = vec![resolved.manifest.layers[at].clone()];
        one.config.rootfs.diff_ids = vec![*diff_id];
        let fetch = |registry: &Registry<'_>, runtime: &tokio::runtime::Runtime| {
            Fetch { store, lease, options, progress }.layers(runtime, registry, &one)
        };
        let fetched =
            asked(&self.reference, options, progress, fetch).map_err(|error| error.within(&self.reference))?;
        fetched.into_iter().next().ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no layer {diff_id}")))
    }
}

/// Asks the registry of a reference for something.
fn asked<T>(
    reference: &Reference,
    options: &PullOptions,
    progress: &dyn Progress,
    ask: impl FnOnce(&Registry<'_>, &tokio::runtime::Runtime) -> Result<T>,
) -> Result<T> {
    let name = reference.to_string();
    let on_retry = |what: &str, why: &str| {
        let what = if what.is_empty() { name.as_str() } else { what };
        progress.event(ProgressEvent::Retrying { what, why });
    };
    let on_retry: &OnRetry<'_> = &on_retry;
    let (runtime, access) = (runtime()?, options.access());
    let registry = runtime.block_on(access.open(&access.registries.origin(reference), Scope::Pull, on_retry))?;
    ask(&registry, &runtime)
}

/// Writes the layer `diff_id` from its archive, uncompressed, unless the store has it. Returns the bytes of its files.
///
/// # Errors
/// `Digest` if the archive is another one; those of a layer that is no layer.
pub fn put_layer(store: &Store, lease: &Lease, diff_id: &Digest, archive: impl std::io::Read) -> Result<u64> {
    let writer = match store.begin_layer(lease, diff_id)? {
        store::LayerSlot::Present(layer) => return Ok(layer.size),
        store::LayerSlot::Write(writer) => writer,
    };
    let root = fsroot::Root::from_fd(writer.open()?)
        .map_err(|error| Error::new(ErrorKind::Store, error.to_string()).caused_by(error))?;
    let mut archive = Hashed { archive, hasher: store::Hasher::new() };
    let limits = crate::layer::Limits::default();
    let (unpacked, tape) =
        crate::layer::unpack_with_tape(&mut archive, &root, &limits).map_err(layer::from_unpacker)?;
    let found = archive.hasher.finish();
    if found != *diff_id {
        return Err(Error::new(ErrorKind::Digest, format!("the content of the layer is {found}, not {diff_id}")));
    }
    if let Some(tape) = &tape {
        writer.keep_tape(tape)?;
    }
    Ok(writer.commit(unpacked.bytes)?.size)
}

/// What is read is hashed.
struct Hashed<R> {
    archive: R,
    hasher: store::Hasher,
}

impl<R: std::io::Read> std::io::Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.archive.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

impl std::fmt::Debug for RemoteImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RemoteImage").field(&self.reference.to_string()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_hashed() {
        let mut hashed = Hashed { archive: &b"abc"[..], hasher: store::Hasher::new() };
        std::io::copy(&mut hashed, &mut std::io::sink()).expect("memory can be read");
        assert_eq!(hashed.hasher.finish(), Digest::of(b"abc"));
    }
}
