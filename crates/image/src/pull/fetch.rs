//! Which layers are fetched when: several at once, the largest first, each once. One thread reads all sockets; each
//! layer has two more that decode and write it, and stop the reading when they are behind.

use std::cell::RefCell;
use std::collections::HashMap;
use std::thread::{self, Scope};

use bytes::Bytes;
use store::{Digest, LayerRef, LayerSlot, Lease, Store};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use crate::client::blob::BlobStream;
use crate::client::registry::Registry;
use crate::document::Descriptor;
use crate::error::{Error, ErrorKind, Result};
use crate::lanes::{LANES, Lane, all};
use crate::progress::{LayerState, Progress, ProgressEvent};
use crate::pull::resolve::Resolved;
use crate::pull::{PullOptions, layer};

/// Pieces (of up to 1 MiB, mostly less) between the socket and the decoder.
const PIECES: usize = 4;

pub(crate) struct Fetch<'a> {
    pub(crate) store: &'a Store,
    pub(crate) lease: &'a Lease,
    pub(crate) options: &'a PullOptions,
    pub(crate) progress: &'a dyn Progress,
}

/// A layer that is not in the store yet.
struct Job<'a> {
    descriptor: &'a Descriptor,
    diff_id: Digest,
}

/// Unpacked bytes of each layer that is in the store.
type Sizes = RefCell<HashMap<Digest, u64>>;

/// What all lanes share.
struct Context<'scope, 'env, 'a> {
    scope: &'scope Scope<'scope, 'env>,
    registry: &'a Registry<'a>,
    sizes: &'a Sizes,
}

impl<'e> Fetch<'e> {
    /// Sees to it that all layers are in the store.
    pub(crate) fn layers(
        &self,
        runtime: &Runtime,
        registry: &Registry<'_>,
        resolved: &'e Resolved,
    ) -> Result<Vec<LayerRef>> {
        let sizes = Sizes::default();
        let pairs = || resolved.manifest.layers.iter().zip(&resolved.config.rootfs.diff_ids);
        let queue = RefCell::new(self.missing(pairs(), &sizes)?);
        let fetched = thread::scope(|scope| {
            let context = Context { scope, registry, sizes: &sizes };
            let lane = || Box::pin(self.lane(&context, &queue)) as Lane<'_>;
            let count = queue.borrow().len().min(LANES);
            runtime.block_on(all((0..count).map(|_| lane()).collect()))
        });
        fetched.map_err(|error| match error.kind() {
            ErrorKind::Full => {
                // What a layer unpacks to is not known before; it never is less than what is fetched.
                let missing = pairs().filter(|(_, diff_id)| !sizes.borrow().contains_key(diff_id));
                let bytes: u64 = missing.map(|(descriptor, _)| descriptor.size).sum();
                error.and(format_args!("at least {} MB more are needed", bytes.div_ceil(1_000_000)))
            }
            _ => error,
        })?;
        let sizes = sizes.into_inner();
        let layer = |(descriptor, diff_id): (&Descriptor, &Digest)| {
            let size = sizes.get(diff_id).copied().unwrap_or_default();
            LayerRef { diff_id: *diff_id, digest: descriptor.digest, size }
        };
        Ok(pairs().map(layer).collect())
    }

    /// What is to be fetched, the largest last, since the queue is taken from its end.
    fn missing<'d>(
        &self,
        pairs: impl Iterator<Item = (&'d Descriptor, &'d Digest)>,
        sizes: &Sizes,
    ) -> Result<Vec<Job<'d>>> {
        let mut jobs: Vec<Job<'d>> = Vec::new();
        for (descriptor, diff_id) in pairs {
            let present = self.store.layer(diff_id)?;
            self.report(descriptor, if present.is_some() { LayerState::Exists } else { LayerState::Waiting });
            if let Some(layer) = present {
                sizes.borrow_mut().insert(*diff_id, layer.size);
            } else if !jobs.iter().any(|job| job.diff_id == *diff_id) {
                jobs.push(Job { descriptor, diff_id: *diff_id });
            }
        }
        jobs.sort_by_key(|job| job.descriptor.size);
        Ok(jobs)
    }

    async fn lane<'scope>(&self, context: &Context<'scope, '_, '_>, queue: &RefCell<Vec<Job<'e>>>) -> Result<()>
    where
        'e: 'scope,
    {
        loop {
            let Some(job) = queue.borrow_mut().pop() else { return Ok(()) };
            let (descriptor, diff_id) = (job.descriptor, job.diff_id);
            let size = self.layer(context, job).await;
            let size = size.map_err(|error| error.within(format_args!("layer {}", descriptor.short_id())))?;
            self.report(descriptor, LayerState::Done);
            context.sizes.borrow_mut().insert(diff_id, size);
        }
    }

    /// One layer, downloaded here and unpacked by a thread; returns its unpacked size.
    async fn layer<'scope>(&self, context: &Context<'scope, '_, '_>, job: Job<'e>) -> Result<u64>
    where
        'e: 'scope,
    {
        let descriptor = job.descriptor;
        let (piece_sender, pieces) = mpsc::channel(PIECES);
        let (wanted_sender, wanted) = oneshot::channel();
        let (size_sender, size) = oneshot::channel();
        let (store, lease, limits) = (self.store, self.lease, &self.options.limits);
        let worker = move || {
            let work = Work { store, lease, limits, job };
            // Nobody listens when another layer has failed meanwhile.
            let _unheard = size_sender.send(work.run(pieces, wanted_sender));
        };
        thread::Builder::new()
            .name("unpack".into())
            .spawn_scoped(context.scope, worker)
            .map_err(|error| Error::new(ErrorKind::Store, format!("cannot start a thread: {error}")))?;
        if wanted.await.is_ok() {
            self.download(context, descriptor, piece_sender).await?;
        }
        let ended = || Error::new(ErrorKind::Store, "its thread ended without a word");
        size.await.map_err(|_| ended())?
    }

    async fn download(
        &self,
        context: &Context<'_, '_, '_>,
        descriptor: &Descriptor,
        pieces: mpsc::Sender<Bytes>,
    ) -> Result<()> {
        let mut stream = BlobStream::new(context.registry, descriptor);
        let (mut done, total) = (0, descriptor.size);
        self.report(descriptor, LayerState::Downloading { done, total });
        while let Some(piece) = stream.next().await? {
            done += piece.len() as u64;
            if pieces.send(piece).await.is_err() {
                // The worker has given up and says why.
                return Ok(());
            }
            self.report(descriptor, LayerState::Downloading { done, total });
        }
        self.report(descriptor, LayerState::Unpacking);
        Ok(())
    }

    fn report(&self, descriptor: &Descriptor, state: LayerState) {
        self.progress.event(ProgressEvent::Layer { id: &descriptor.short_id(), state });
    }
}

/// What a layer's thread does.
struct Work<'a> {
    store: &'a Store,
    lease: &'a Lease,
    limits: &'a crate::layer::Limits,
    job: Job<'a>,
}

impl Work<'_> {
    /// Writes the layer, or waits until another process has. `wanted` is answered if the pieces are needed, and
    /// dropped if not.
    fn run(&self, pieces: mpsc::Receiver<Bytes>, wanted: oneshot::Sender<()>) -> Result<u64> {
        let writer = match self.store.begin_layer(self.lease, &self.job.diff_id)? {
            LayerSlot::Present(layer) => return Ok(layer.size),
            LayerSlot::Write(writer) => writer,
        };
        let root = fsroot::Root::from_fd(writer.open()?)
            .map_err(|error| Error::new(ErrorKind::Store, error.to_string()).caused_by(error))?;
        // Unheard when another layer has failed: then no piece comes either.
        let _unheard = wanted.send(());
        let written = layer::unpack(pieces, self.job.descriptor, &self.job.diff_id, &root, self.limits)?;
        if let Some(tape) = &written.tape {
            writer.keep_tape(tape)?;
        }
        Ok(writer.commit(written.bytes)?.size)
    }
}
