//! Images of an archive or a layout, into the store. Owns the order: everything that is small is read and judged first, then come the
//! layers, several at once, then one transaction for each image. Who is killed on the way leaves layers that the collector takes.

use std::io::{self, BufReader, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fsroot::Root;
use store::{Digest, Hasher, ImageRecord, LayerRef, LayerSlot, LayerWriter, Lease, Store};

use super::find::{Entry, Found, FoundLayer, find, find_entry};
use super::save::manifest;
use super::source::{Input, Source};
use crate::decompress::Decompressed;
use crate::error::{Error, ErrorKind, Result};
use crate::layer::{self, Limits};
use crate::platform::Platform;
use crate::progress::{Progress, Told};
use crate::pull::from_unpacker;
use crate::rebuild::layer_length;
use crate::reference::Reference;

/// Layers that are unpacked at once.
const LANES: usize = 4;
/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// What the images must be for; this host otherwise.
    pub platform: Option<Platform>,
    /// What one layer may ask for.
    pub limits: Limits,
}

/// An image that was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The image.
    pub image: ImageRecord,
    /// The names that it has from the archive.
    pub names: Vec<Reference>,
}

/// Loads every image of `input`, and tells `progress` how much of each layer was read.
///
/// # Errors
/// See [`ErrorKind`]. Of several images those before the one that could not be loaded are there.
pub fn load(store: &Store, input: Input, options: &LoadOptions, progress: &dyn Progress) -> Result<Vec<Loaded>> {
    let lease = store.lease()?;
    let spool = store.paths().tmp();
    std::fs::create_dir_all(&spool)
        .map_err(|error| Error::new(ErrorKind::Store, format!("{}: {error}", spool.display())))?;
    let source = Source::open(input, &spool, progress)?;
    let found = find(&source, options.platform.as_ref())?;
    let load = Load { store, lease: &lease, source: &source, limits: &options.limits, progress };
    found.into_iter().map(|found| load.image(found)).collect()
}

/// Takes one image of the directory of an OCI layout into the store, without a name: it is there as long as the lease is, and longer
/// as far as something was made upon it.
///
/// # Errors
/// See [`ErrorKind`].
pub fn bring(
    store: &Store,
    lease: &Lease,
    layout: Root,
    entry: &Entry,
    options: &LoadOptions,
    progress: &dyn Progress,
) -> Result<ImageRecord> {
    let source = Source::Layout(layout);
    let found = find_entry(&source, entry, options.platform.as_ref())?;
    Load { store, lease, source: &source, limits: &options.limits, progress }.brought(&found)
}

struct Load<'a> {
    store: &'a Store,
    lease: &'a Lease,
    source: &'a Source,
    limits: &'a Limits,
    progress: &'a dyn Progress,
}

impl Load<'_> {
    fn image(&self, found: Found) -> Result<Loaded> {
        let mut record = self.brought(&found)?;
        record.references = found.names.iter().map(Reference::canonical).collect();
        record.references.sort();
        record.references.dedup();
        self.store.commit_image(self.lease, &record)?;
        Ok(Loaded { image: self.store.image(&record.id)?, names: found.names })
    }

    /// The image as the store has it, but for its names; nobody finds it yet.
    fn brought(&self, found: &Found) -> Result<ImageRecord> {
        let id = Digest::of(&found.config_bytes);
        let sizes = self.layers(&found.layers)?;
        self.store.put_blob(self.lease, &found.config_bytes)?;
        let (manifest, layers) = match self.known(&id, found) {
            Some(known) => (known.manifest, known.layers),
            None => self.described(found, &sizes)?,
        };
        Ok(ImageRecord {
            id,
            manifest,
            references: Vec::new(),
            created: found.created.clone(),
            size: sizes.iter().sum(),
            layers,
            platform: found.platform.to_string(),
        })
    }

    /// The image as the store has it: where it came from a registry, that one's digests are worth keeping.
    fn known(&self, id: &Digest, found: &Found) -> Option<ImageRecord> {
        let known = self.store.image(id).ok()?;
        let same = known.layers.iter().map(|layer| &layer.diff_id).eq(found.layers.iter().map(|layer| &layer.diff_id));
        (same && self.store.has_blob(&known.manifest)).then_some(known)
    }

    /// The manifest, which docker's archive lacks, and the layers as it has them.
    fn described(&self, found: &Found, sizes: &[u64]) -> Result<(Digest, Vec<LayerRef>)> {
        let described = |digest: fn(&FoundLayer) -> Digest| {
            let layers = found.layers.iter().zip(sizes);
            layers
                .map(|(layer, size)| LayerRef { diff_id: layer.diff_id, digest: digest(layer), size: *size })
                .collect()
        };
        if let Some(bytes) = &found.manifest {
            let layers = described(|layer| layer.blob.map_or(layer.diff_id, |(digest, _)| digest));
            return Ok((self.store.put_blob(self.lease, bytes)?, layers));
        }
        let lengths = found.layers.iter().map(|layer| Ok((layer.diff_id, layer_length(self.store, &layer.diff_id)?)));
        let bytes = manifest(&found.config_bytes, &lengths.collect::<Result<Vec<_>>>()?);
        Ok((self.store.put_blob(self.lease, &bytes)?, described(|layer| layer.diff_id)))
    }

    /// Sees to it that all layers are in the store; returns the bytes of their trees.
    fn layers(&self, layers: &[FoundLayer]) -> Result<Vec<u64>> {
        let mut distinct: Vec<&FoundLayer> = Vec::new();
        for layer in layers {
            if !distinct.iter().any(|other| other.diff_id == layer.diff_id) {
                distinct.push(layer);
            }
        }
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
        let lane = || {
            while let Some(layer) = distinct.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = self.layer(layer) {
                    next.store(distinct.len(), Ordering::Relaxed);
                    let mut failed = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    failed.get_or_insert(error.within(format_args!("layer {}", layer.diff_id.short())));
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..distinct.len().min(LANES) {
                // One thread does all where no other can be had.
                let _ = thread::Builder::new().name("unpack".into()).spawn_scoped(scope, lane);
            }
            lane();
        });
        if let Some(error) = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            return Err(error);
        }
        let size = |layer: &FoundLayer| {
            let missing = || Error::new(ErrorKind::Store, format!("layer {} has gone", layer.diff_id.short()));
            Ok(self.store.layer(&layer.diff_id)?.ok_or_else(missing)?.size)
        };
        layers.iter().map(size).collect()
    }

    fn layer(&self, layer: &FoundLayer) -> Result<()> {
        match self.store.begin_layer(self.lease, &layer.diff_id)? {
            LayerSlot::Present(_) => Ok(()),
            LayerSlot::Write(writer) => self.unpack(layer, writer),
        }
    }

    fn unpack(&self, layer: &FoundLayer, writer: LayerWriter) -> Result<()> {
        let missing = || Error::new(ErrorKind::Invalid, "the archive lacks it");
        let part = self.source.part(&layer.name)?.ok_or_else(missing)?;
        if let Some((_, size)) = layer.blob
            && size != part.size()
        {
            let message = format!("it has {} bytes, its descriptor says {size}", part.size());
            return Err(Error::new(ErrorKind::Digest, message));
        }
        // A blob that is the archive itself is hashed once.
        let blob = layer.blob.filter(|(digest, _)| *digest != layer.diff_id);
        let blob_hasher = blob.map(|_| Hasher::new());
        let size = part.size();
        let part = Told::new(part, self.progress, layer.diff_id.short(), Some(size));
        let part = BufReader::with_capacity(PIECE, Hashing { source: part, hasher: blob_hasher });
        let unreadable = |error: io::Error| Error::new(ErrorKind::Invalid, error.to_string()).caused_by(error);
        let stream = Decompressed::new(part, self.limits.stream_bytes).map_err(unreadable)?;
        let mut stream = Hashing { source: stream, hasher: Some(Hasher::new()) };
        let root = Root::from_fd(writer.open()?).map_err(|error| from_unpacker(error.into()))?;
        let (unpacked, tape) = layer::unpack_with_tape(&mut stream, &root, self.limits).map_err(from_unpacker)?;
        check("its content", stream.hasher.take(), layer.diff_id)?;
        if let Some((digest, _)) = blob {
            let mut rest = stream.source.into_inner().into_inner();
            io::copy(&mut rest, &mut io::sink()).map_err(unreadable)?;
            check("its blob", rest.hasher.take(), digest)?;
        }
        if let Some(tape) = &tape {
            writer.keep_tape(tape)?;
        }
        writer.commit(unpacked.bytes)?;
        Ok(())
    }
}

fn check(what: &str, hasher: Option<Hasher>, wanted: Digest) -> Result<()> {
    match hasher.map(Hasher::finish) {
        Some(digest) if digest != wanted => {
            Err(Error::new(ErrorKind::Digest, format!("{what} is {digest}, the image says {wanted}")))
        }
        _ => Ok(()),
    }
}

/// Hashes what is read.
struct Hashing<R> {
    source: R,
    hasher: Option<Hasher>,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        Ok(count)
    }
}
