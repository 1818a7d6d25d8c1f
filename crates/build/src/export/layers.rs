//! The layers of an image by the digests of their archives. A step does not know them, as nobody wants to read again what it
//! has just written unless an image is made of it; from then on they are remembered.
//!
//! An image that is said to be made at a time (`SOURCE_DATE_EPOCH`) has no file that was changed later: a layer with such files is
//! made once more, from its archive with that time in the place of later ones, and is another layer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use engine::Engine;
use fsroot::Root;
use image::layer::{Form, measure_until, pack, pack_until};
use store::{Digest, Hashing, LayerRef, Lease};

use super::Image;
use crate::error::{Error, Result};

/// A layer of an image.
pub(super) struct Layer {
    pub(super) layer: LayerRef,
    /// Bytes of its archive, if they were counted just now.
    counted: Option<u64>,
}

impl Layer {
    /// Bytes of its archive.
    pub(super) fn length(&self, engine: &Engine) -> Result<u64> {
        match self.counted {
            Some(length) => Ok(length),
            None => Ok(image::layer_length(engine.store(), &self.layer.diff_id)?),
        }
    }
}

/// The layers of an image, the lowest first. `latest` is when files of those that steps have made were changed at the latest.
///
/// # Errors
/// Those of reading them.
pub(super) fn of(engine: &Engine, lease: &Lease, image: &Image, latest: Option<u64>) -> Result<Vec<Layer>> {
    let layers = &image.tree.layers;
    let naming = Naming { engine, lease, latest: latest.and_then(|latest| i64::try_from(latest).ok()) };
    // What steps have made is not called as in images; and of that, most is remembered.
    let known = |name: &Digest| {
        if image.created.contains_key(name) { naming.remembered(name) } else { naming.foreign(name).map(Some) }
    };
    let mut named = layers.iter().map(known).collect::<Result<Vec<_>>>()?;
    let unknown: Vec<usize> = (0..layers.len()).filter(|number| named[*number].is_none()).collect();
    let next = AtomicUsize::new(0);
    let lane = || -> Result<Vec<(usize, Layer)>> {
        let mut found = Vec::new();
        while let Some(number) = unknown.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.push((*number, naming.found_out(&layers[*number])?));
        }
        Ok(found)
    };
    let lanes = thread::available_parallelism().map_or(1, usize::from).min(unknown.len());
    let found = thread::scope(|scope| {
        let others: Vec<_> = (1..lanes).map(|_| scope.spawn(lane)).collect();
        let joined = others.into_iter().map(thread::ScopedJoinHandle::join);
        let own = lane();
        let mut all = vec![own];
        all.extend(joined.map(|found| found.unwrap_or_else(|panic| std::panic::resume_unwind(panic))));
        all
    });
    for (number, layer) in found.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten() {
        named[number] = Some(layer);
    }
    Ok(named.into_iter().flatten().collect())
}

/// Finds out what layers are called.
struct Naming<'a> {
    engine: &'a Engine,
    lease: &'a Lease,
    latest: Option<i64>,
}

impl Naming<'_> {
    /// A layer of an image that it begins with.
    fn foreign(&self, name: &Digest) -> Result<Layer> {
        let missing = || Error::new(crate::ErrorKind::NotFound, format!("layer {name} is gone"));
        let layer = self.engine.store().layer(name)?.ok_or_else(missing)?;
        Ok(layer_of(*name, layer.size, None))
    }

    /// A layer whose name is known, and which is there.
    fn remembered(&self, name: &Digest) -> Result<Option<Layer>> {
        let store = self.engine.store();
        let own = store.written_digest(name)?;
        let known = match self.latest {
            None => own,
            Some(latest) => store.tree_sum(name, &until(latest))?,
        };
        let Some(diff_id) = known else { return Ok(None) };
        if own != Some(diff_id) {
            // Another one than the step has made: it may have gone with the last image that had it.
            return Ok(store.layer(&diff_id)?.map(|layer| layer_of(diff_id, layer.size, None)));
        }
        // One that came from another host is called as in images already.
        if diff_id == *name {
            return self.foreign(name).map(Some);
        }
        let layer = store.link_layer(self.lease, name, &diff_id)?;
        Ok(Some(layer_of(diff_id, layer.size, None)))
    }

    fn found_out(&self, name: &Digest) -> Result<Layer> {
        let store = self.engine.store();
        let root = Root::open(store.layer_dir(name))?;
        if let Some(latest) = self.latest
            && measure_until(root.dir(), Form::Layer, latest)?.late > 0
        {
            let (layer, length) = self.engine.layer_of_archive(self.lease, |out| {
                pack_until(root.dir(), Form::Layer, latest, out).map(drop).map_err(std::io::Error::other)
            })?;
            store.note_tree_sum(name, &until(latest), &layer.diff_id)?;
            return Ok(Layer { layer, counted: Some(length) });
        }
        let (diff_id, length) = match store.written_digest(name)? {
            Some(diff_id) => (diff_id, None),
            None => summed(self.engine, name)?,
        };
        if let Some(latest) = self.latest {
            store.note_tree_sum(name, &until(latest), &diff_id)?;
        }
        let layer = store.link_layer(self.lease, name, &diff_id)?;
        Ok(layer_of(diff_id, layer.size, length))
    }
}

/// As what the digest is remembered that an archive has of which nothing is later than this.
fn until(latest: i64) -> Digest {
    Digest::of(format!("diff id until {latest}").as_bytes())
}

fn layer_of(diff_id: Digest, size: u64, counted: Option<u64>) -> Layer {
    Layer { layer: LayerRef { diff_id, digest: diff_id, size }, counted }
}

/// The digest of a layer's archive and its length.
pub(crate) fn summed(engine: &Engine, name: &Digest) -> Result<(Digest, Option<u64>)> {
    let root = Root::open(engine.store().layer_dir(name))?;
    let mut sum = Hashing::new(std::io::sink());
    pack(root.dir(), Form::Layer, &mut sum)?;
    let (diff_id, length) = sum.finish();
    engine.store().note_written_digest(name, &diff_id)?;
    Ok((diff_id, Some(length)))
}
