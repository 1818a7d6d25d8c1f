//! Which layers are sent when, and what need not be sent: what the repository has, and what another repository of the same
//! registry lends it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::thread::{self, Scope};

use store::{Digest, LayerBlob};
use tokio::runtime::Runtime;

use crate::client::registry::Registry;
use crate::client::upload::{Mount, Session};
use crate::error::{Error, Result};
use crate::lanes::{LANES, Lane, all};
use crate::progress::{ProgressEvent, UploadState};
use crate::push::spool::Spool;
use crate::push::upload::Upload;
use crate::push::{Content, Push};

/// Blobs that are looked for in the repository, for each layer.
const LOOKS_MAX: usize = 3;
/// Mounts that are tried, for each layer: each takes a request.
const MOUNTS_MAX: usize = 3;

pub(crate) struct Layers<'a, 'r> {
    pub(crate) push: &'a Push<'a>,
    pub(crate) content: &'a Content,
    pub(crate) registry: &'a Registry<'r>,
}

/// A layer, by its place in the image.
struct Job {
    at: usize,
    diff_id: Digest,
    id: String,
}

impl<'a> Layers<'a, '_> {
    /// Sees to it that the repository has all layers, and says as which blobs, in the order of the image.
    pub(crate) fn send(&self, runtime: &Runtime) -> Result<Vec<LayerBlob>> {
        let name = self.push.reference.name();
        self.push.progress.event(ProgressEvent::Pushing { repository: &name });
        let queue = RefCell::new(self.jobs());
        let done = RefCell::new(HashMap::new());
        let sent = thread::scope(|scope| {
            let lane = || Box::pin(self.lane(scope, &queue, &done)) as Lane<'_>;
            let count = queue.borrow().len().min(LANES);
            runtime.block_on(all((0..count).map(|_| lane()).collect()))
        });
        sent?;
        let done = done.into_inner();
        let blob = |layer: &store::LayerRef| done.get(&layer.diff_id).cloned();
        let all: Option<Vec<LayerBlob>> = self.push.image.layers.iter().map(blob).collect();
        Ok(all.expect("every lane is done, so every layer is"))
    }

    /// Each layer once, announced lowest first; the largest is begun first.
    fn jobs(&self) -> Vec<Job> {
        let mut jobs: Vec<Job> = Vec::new();
        for (at, layer) in self.push.image.layers.iter().enumerate() {
            if jobs.iter().any(|job| job.diff_id == layer.diff_id) {
                continue;
            }
            let id = layer.diff_id.short();
            self.push.progress.event(ProgressEvent::Upload { id: &id, state: UploadState::Preparing });
            jobs.push(Job { at, diff_id: layer.diff_id, id });
        }
        jobs.sort_by_key(|job| self.push.image.layers[job.at].size);
        jobs
    }

    async fn lane<'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        queue: &RefCell<Vec<Job>>,
        done: &RefCell<HashMap<Digest, LayerBlob>>,
    ) -> Result<()>
    where
        'a: 'scope,
    {
        loop {
            let Some(job) = queue.borrow_mut().pop() else { return Ok(()) };
            let layer = |error: Error| error.within(format_args!("layer {}", job.id));
            let blob = self.layer(scope, &job).await.map_err(layer)?;
            // At once: a push that fails or is killed later on need not send it again.
            self.push.store.note_layer_blobs(std::slice::from_ref(&blob))?;
            done.borrow_mut().insert(job.diff_id, blob);
        }
    }

    async fn layer<'scope>(&self, scope: &'scope Scope<'scope, '_>, job: &Job) -> Result<LayerBlob>
    where
        'a: 'scope,
    {
        if let Some(blob) = self.existing(job).await? {
            self.report(job, UploadState::Exists);
            return Ok(blob);
        }
        let session = match self.mounted(job).await {
            Mounted::Blob(blob, from) => {
                self.report(job, UploadState::Mounted { from: &from });
                return Ok(blob);
            }
            Mounted::No(session) => session,
        };
        self.upload(scope, job, session).await
    }

    /// The layer's blob as the image's own manifest has it.
    fn own(&self, job: &Job) -> LayerBlob {
        let descriptor = &self.content.manifest.layers[job.at];
        LayerBlob {
            diff_id: job.diff_id,
            digest: descriptor.digest,
            size: descriptor.size,
            media_type: descriptor.media_type.clone(),
            repository: self.push.reference.name(),
        }
    }

    /// A blob of the layer that the repository has: the original one, if possible.
    async fn existing(&self, job: &Job) -> Result<Option<LayerBlob>> {
        let here = self.push.reference.name();
        let others = self.content.seen[job.at].iter().filter(|blob| blob.repository == here).cloned();
        let mut looked = Vec::new();
        for blob in std::iter::once(self.own(job)).chain(others) {
            if looked.contains(&blob.digest) || looked.len() == LOOKS_MAX {
                continue;
            }
            if self.registry.has_blob(&blob.digest).await? {
                return Ok(Some(blob));
            }
            looked.push(blob.digest);
        }
        Ok(None)
    }

    /// A blob of the layer that the registry has in another repository, mounted from there. To be refused, for whatever
    /// reason, is no failure.
    async fn mounted(&self, job: &Job) -> Mounted {
        let mut began = None;
        for (blob, from) in self.lenders(job).into_iter().take(MOUNTS_MAX) {
            match self.registry.mount(&blob.digest, &from).await {
                Ok(Mount::Mounted) => return Mounted::Blob(blob, from),
                Ok(Mount::Began(session)) => began = Some(session),
                Ok(Mount::Refused) => {}
                Err(_) => break,
            }
        }
        Mounted::No(began)
    }

    /// Blobs of the layer, and repositories of this registry that may have them: where they were seen, then where the
    /// image has a name.
    fn lenders(&self, job: &Job) -> Vec<(LayerBlob, String)> {
        let own = self.own(job);
        let name = self.push.reference.name();
        let allowed = self.push.sources(self.content);
        let seen = self.content.seen[job.at].iter().filter_map(|blob| {
            let from = self.push.repository_here(&blob.repository)?;
            Some((LayerBlob { repository: name.clone(), ..blob.clone() }, from))
        });
        let named = self.push.image.references.iter();
        let named = named.filter_map(|name| Some((own.clone(), self.push.repository_here(name)?)));
        let mut lenders: Vec<(LayerBlob, String)> = Vec::new();
        for (blob, from) in seen.chain(named) {
            let known = lenders.iter().any(|(other, place)| other.digest == blob.digest && *place == from);
            if !known && allowed.contains(&from) {
                lenders.push((blob, from));
            }
        }
        lenders.sort_by_key(|(blob, _)| blob.digest != own.digest);
        lenders
    }

    async fn upload<'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        job: &Job,
        session: Option<Session>,
    ) -> Result<LayerBlob>
    where
        'a: 'scope,
    {
        let compression = self.push.options.compression;
        let spool = Spool::start(scope, self.push.store, job.diff_id, compression)?;
        let report = |done: u64, total: Option<u64>| self.report(job, UploadState::Pushing { done, total });
        report(0, None);
        let (digest, size) = Upload::new(self.registry, spool, session, &job.id, &report).run().await?;
        self.report(job, UploadState::Done);
        let media_type = format!("application/vnd.oci.image.layer.v1.tar{}", compression.suffix());
        Ok(LayerBlob { diff_id: job.diff_id, digest, size, media_type, repository: self.push.reference.name() })
    }

    fn report(&self, job: &Job, state: UploadState<'_>) {
        self.push.progress.event(ProgressEvent::Upload { id: &job.id, state });
    }
}

/// What came of the attempts to mount.
enum Mounted {
    /// This blob is there now, from this repository.
    Blob(LayerBlob, String),
    /// None; an upload may have begun instead.
    No(Option<Session>),
}
