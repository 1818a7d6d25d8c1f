//! From a reference to an image in the store: resolve, fetch what is missing, verify everything, commit. Owns the order
//! of these steps and how many layers are on their way at once.
//!
//! Nothing is trusted before its digest is known: a layer is written while it arrives, but into a directory that the
//! store discards unless blob and content were the right ones. A pull that is killed leaves the layers it finished;
//! the next one fetches the others.

/// From a reference to one manifest and its config.
mod resolve;

/// Which layers are fetched when.
mod fetch;

/// One layer, from pieces to a directory.
mod layer;

/// Decompression.
mod decode;

/// Layers one by one.
mod parts;
pub use parts::{RemoteImage, look, put_layer};

/// Tags and platforms.
mod list;
pub use list::{platforms, tags};

use std::path::PathBuf;

use store::{Digest, ImageRecord, LayerBlob, LayerRef, Lease, Store};
use tokio::runtime::Runtime;

use crate::access::{Access, runtime};
use crate::auth::credentials::CredentialsSource;
use crate::auth::token::Scope;
use crate::client::registry::OnRetry;
use crate::client::retry::Patience;
use crate::document::Descriptor;
use crate::error::{Error, ErrorKind, Result};
use crate::layer::Limits;
use crate::platform::Platform;
use crate::progress::{Progress, ProgressEvent};
use crate::reference::Reference;
use crate::registries::{Endpoint, Registries};

pub(crate) use self::layer::from_unpacker;

use self::fetch::Fetch;
use self::resolve::{Resolved, resolve};

/// How to pull.
#[derive(Clone, Debug, Default)]
pub struct PullOptions {
    /// What the image must be for; `None` takes what this host runs.
    pub platform: Option<Platform>,
    /// Accept unknown certificates, and plain HTTP where there is no TLS (`--tls-verify=false`). For this host's own
    /// addresses plain HTTP is always accepted.
    pub insecure: bool,
    /// Directory with the certificates of single registries, in docker's layout: `HOST[:PORT]/*.crt` are believed,
    /// `HOST[:PORT]/X.cert` with `X.key` is shown. `None` is `/etc/docker/certs.d`.
    pub certificates: Option<PathBuf>,
    /// Where credentials come from.
    pub credentials: CredentialsSource,
    /// How long to wait for a registry in trouble.
    pub patience: Patience,
    /// What one layer may ask for.
    pub limits: Limits,
    /// Mirrors, and registries that need no encryption.
    pub registries: Registries,
}

impl PullOptions {
    /// The part that is the same for everything done with registries.
    pub(crate) fn access(&self) -> Access {
        Access {
            insecure: self.insecure,
            certificates: self.certificates.clone(),
            credentials: self.credentials.clone(),
            patience: self.patience,
            registries: self.registries.clone(),
        }
    }
}

/// Fetches the image that `reference` names now, unless the store has it, and returns it.
///
/// Blocks; makes its own threads. Any number of pulls may run at once, in any number of processes: each layer is
/// fetched by one of them.
///
/// # Errors
/// See [`ErrorKind`]; the message begins with the reference.
pub fn pull(
    store: &Store,
    reference: &Reference,
    options: &PullOptions,
    progress: &dyn Progress,
) -> Result<ImageRecord> {
    let pull = Pull { store, reference, options, progress };
    runtime().and_then(|runtime| pull.run(&runtime)).map_err(|error| error.within(reference))
}

struct Pull<'a> {
    store: &'a Store,
    reference: &'a Reference,
    options: &'a PullOptions,
    progress: &'a dyn Progress,
}

impl Pull<'_> {
    fn run(&self, runtime: &Runtime) -> Result<ImageRecord> {
        let lease = self.store.lease()?;
        let known = self.known()?;
        if let (Some(image), Some(digest)) = (&known, self.reference.digest()) {
            return Ok(self.done(*digest, image.clone(), true));
        }
        let name = self.reference.to_string();
        self.progress.event(ProgressEvent::Resolving { reference: &name, registry: self.reference.registry() });
        let on_retry = |layer: &str, why: &str| {
            let what = if layer.is_empty() { name.as_str() } else { layer };
            self.progress.event(ProgressEvent::Retrying { what, why });
        };
        let mut refused = None;
        // What one of them had of the layers stays, so the next one is asked for the rest only.
        for source in self.options.registries.sources(self.reference) {
            match self.run_from(runtime, &source, &lease, known.as_ref(), &on_retry) {
                Ok(image) => return Ok(image),
                Err(error) if source.is_mirror && error.kind() != ErrorKind::Store => {
                    let message = format!("mirror {}: {error}", source.host);
                    self.progress.event(ProgressEvent::Warning { message: &message });
                    refused = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(refused.unwrap_or_else(|| Error::new(ErrorKind::NotFound, "no registry has it")))
    }

    fn run_from(
        &self,
        runtime: &Runtime,
        source: &Endpoint,
        lease: &Lease,
        known: Option<&ImageRecord>,
        on_retry: &OnRetry<'_>,
    ) -> Result<ImageRecord> {
        let registry = runtime.block_on(self.options.access().open(source, Scope::Pull, on_retry))?;
        if let Some(image) = known {
            let digest = runtime.block_on(registry.digest(&self.reference.selector()));
            if let Some(digest) = digest.filter(|digest| self.has_names(image, *digest)) {
                return Ok(self.done(digest, image.clone(), true));
            }
        }
        let platform = self.options.platform.as_ref();
        let resolved = runtime.block_on(resolve(&registry, self.store, self.reference, platform))?;
        self.warn_of_platform(&resolved);
        let same = |image: &&ImageRecord| image.id == resolved.image_id() && image.manifest == resolved.manifest_digest;
        if let Some(image) = known.filter(same).filter(|image| self.has_names(image, resolved.digest)) {
            return Ok(self.done(resolved.digest, image.clone(), true));
        }
        let fetch = Fetch { store: self.store, lease, options: self.options, progress: self.progress };
        let layers = fetch.layers(runtime, &registry, &resolved)?;
        let image = self.commit(lease, &resolved, layers)?;
        Ok(self.done(resolved.digest, image, false))
    }

    fn done(&self, digest: Digest, image: ImageRecord, already_present: bool) -> ImageRecord {
        self.progress.event(ProgressEvent::Done { digest: &digest, already_present });
        image
    }

    /// As docker: an image for another platform that nobody asked for is worth a warning, since emulation may run it.
    fn warn_of_platform(&self, resolved: &Resolved) {
        let (host, image) = (Platform::host(), resolved.config.platform());
        if self.options.platform.is_none() && !host.runs(&image) {
            let message = format!("the image is for {image}, this host is {host}");
            self.progress.event(ProgressEvent::Warning { message: &message });
        }
    }

    /// The names that this pull gives the image: as it was asked for, and by digest.
    fn names(&self, digest: Digest) -> Vec<String> {
        let mut names = vec![self.reference.canonical(), self.reference.at(digest).canonical()];
        names.sort();
        names.dedup();
        names
    }

    fn has_names(&self, image: &ImageRecord, digest: Digest) -> bool {
        self.names(digest).iter().all(|name| image.references.contains(name))
    }

    /// What the store has under this name, if nothing of it is missing and it is for the right platform.
    fn known(&self) -> Result<Option<ImageRecord>> {
        let image = match self.store.find_image(&self.reference.canonical()) {
            Ok(image) => image,
            Err(error) if error.kind() == store::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let wanted = self.options.platform.clone().unwrap_or_else(Platform::host).normal();
        if !image.platform.parse().is_ok_and(|platform| wanted.runs(&platform)) {
            return Ok(None);
        }
        for layer in &image.layers {
            if !self.store.has_layer(&layer.diff_id)? {
                return Ok(None);
            }
        }
        Ok(Some(image))
    }

    fn commit(&self, lease: &Lease, resolved: &Resolved, layers: Vec<LayerRef>) -> Result<ImageRecord> {
        self.store.put_blob(lease, &resolved.manifest_bytes)?;
        let id = self.store.put_blob(lease, &resolved.config_bytes)?;
        let record = ImageRecord {
            id,
            manifest: resolved.manifest_digest,
            references: self.names(resolved.digest),
            created: resolved.config.created.clone(),
            size: layers.iter().map(|layer| layer.size).sum(),
            layers,
            platform: resolved.config.platform().to_string(),
        };
        self.store.commit_image(lease, &record)?;
        self.store.note_layer_blobs(&self.seen(resolved))?;
        Ok(self.store.image(&id)?)
    }

    /// What a push of these layers to this registry need not send.
    fn seen(&self, resolved: &Resolved) -> Vec<LayerBlob> {
        let pairs = resolved.manifest.layers.iter().zip(&resolved.config.rootfs.diff_ids);
        let blob = |(descriptor, diff_id): (&Descriptor, &Digest)| LayerBlob {
            diff_id: *diff_id,
            digest: descriptor.digest,
            size: descriptor.size,
            media_type: descriptor.media_type.clone(),
            repository: self.reference.name(),
        };
        pairs.map(blob).collect()
    }
}
