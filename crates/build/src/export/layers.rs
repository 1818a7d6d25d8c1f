//! The layers of an image by the digests of their archives. A step does not know them, as nobody wants to read again what it
//! has just written unless an image is made of it; from then on they are remembered.

use engine::Engine;
use fsroot::Root;
use image::layer::{Form, pack};
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

/// The layers of an image, the lowest first.
///
/// # Errors
/// Those of reading them.
pub(super) fn of(engine: &Engine, lease: &Lease, image: &Image) -> Result<Vec<Layer>> {
    let layers = &image.tree.layers;
    std::thread::scope(|scope| {
        let threads: Vec<_> = layers
            .iter()
            .map(|name| {
                // What steps have made is not called as in images; and of that, most is remembered.
                let is_own = image.created.contains_key(name);
                let remembered = if is_own { engine.store().written_digest(name) } else { Ok(Some(*name)) };
                match remembered {
                    Ok(None) => Err(scope.spawn(move || summed(engine, name))),
                    Ok(Some(diff_id)) => Ok(Ok((diff_id, None))),
                    Err(error) => Ok(Err(Error::from(error))),
                }
            })
            .collect();
        let mut found = Vec::new();
        for (name, thread) in layers.iter().zip(threads) {
            let (diff_id, counted) = match thread {
                Ok(known) => known?,
                Err(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?,
            };
            // One that came from another host is called as in images already.
            let layer = if image.created.contains_key(name) && diff_id != *name {
                engine.store().link_layer(lease, name, &diff_id)?
            } else {
                let missing = || Error::new(crate::ErrorKind::NotFound, format!("layer {diff_id} is gone"));
                engine.store().layer(&diff_id)?.ok_or_else(missing)?
            };
            found.push(Layer { layer: LayerRef { diff_id, digest: diff_id, size: layer.size }, counted });
        }
        Ok(found)
    })
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
