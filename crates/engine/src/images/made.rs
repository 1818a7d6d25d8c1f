//! Images that are made of files on this host (`commit`, `import`). Owns how a layer comes to be whose digest is only known when it is
//! whole, and how the image around it gets into the store; what is said about it is up to the two.

use std::io::{self, Write};
use std::thread;

use fsroot::Root;
use image::layer::{self, Limits};
use image::{ImageConfig, Reference};
use serde_json::{Map, Value};
use store::{Hashing, ImageRecord, LayerRef, LayerSlot, Lease};

use crate::engine::Engine;
use crate::error::{Context, Error, ErrorKind, Result};

/// An image that a build has made: its documents, and its layers, which are in the store.
#[derive(Debug, Clone)]
pub struct BuiltImage {
    /// Its configuration.
    pub config: Vec<u8>,
    /// Its manifest.
    pub manifest: Vec<u8>,
    /// Its layers, the lowest first.
    pub layers: Vec<LayerRef>,
}

/// A layer that was made just now.
pub(super) struct Made {
    pub(super) layer: LayerRef,
    /// Bytes of its archive.
    length: u64,
}

impl Engine {
    /// Lists an image under the names in its record.
    ///
    /// # Errors
    /// Those of the store.
    pub fn list_record(&self, lease: &Lease, record: &ImageRecord) -> Result<ImageRecord> {
        self.store.commit_image(lease, record)?;
        self.sync_images_later();
        for name in &record.references {
            self.tell_image(&record.id.to_string(), "tag", &Reference::familiar_of(name));
        }
        Ok(self.store.image(&record.id)?)
    }

    /// The record of an image that a build has made, without a name and not listed: its documents are in the store as long as the
    /// lease lives.
    ///
    /// # Errors
    /// Those of the store; `Image` for documents that are none.
    pub fn record_of_built(&self, lease: &Lease, built: &BuiltImage) -> Result<ImageRecord> {
        let parsed = ImageConfig::parse(&built.config)?;
        Ok(ImageRecord {
            id: self.store.put_blob(lease, &built.config)?,
            manifest: self.store.put_blob(lease, &built.manifest)?,
            references: Vec::new(),
            created: parsed.created.clone(),
            size: built.layers.iter().map(|layer| layer.size).sum(),
            layers: built.layers.clone(),
            platform: parsed.platform().to_string(),
        })
    }

    /// The layer of the archive that `write` writes, and how many bytes that has. Packed again, the layer must give the same archive.
    ///
    /// # Errors
    /// Those of the store; `Image` for what is no archive, and for errors of `write`.
    pub fn layer_of_archive(
        &self,
        lease: &Lease,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send,
    ) -> Result<(LayerRef, u64)> {
        let made = self.layer_of(lease, Keep::Nothing, write)?;
        Ok((made.layer, made.length))
    }

    /// The documents of an image around its layers, and the image.
    pub(super) fn assembled(
        &self,
        lease: &Lease,
        document: &Map<String, Value>,
        below: &[LayerRef],
        made: Made,
        name: Option<&Reference>,
    ) -> Result<ImageRecord> {
        let config = Value::Object(document.clone()).to_string().into_bytes();
        let parsed = ImageConfig::parse(&config)?;
        let id = self.store.put_blob(lease, &config)?;
        let lengths = below.iter().map(|layer| Ok((layer.diff_id, image::layer_length(&self.store, &layer.diff_id)?)));
        let mut lengths = lengths.collect::<Result<Vec<_>>>()?;
        lengths.push((made.layer.diff_id, made.length));
        let manifest = self.store.put_blob(lease, &image::saved::manifest(&config, &lengths))?;
        let layers: Vec<LayerRef> = below.iter().cloned().chain([made.layer]).collect();
        let record = ImageRecord {
            id,
            manifest,
            references: name.iter().map(|name| name.canonical()).collect(),
            created: parsed.created.clone(),
            size: layers.iter().map(|layer| layer.size).sum(),
            layers,
            platform: parsed.platform().to_string(),
        };
        self.store.commit_image(lease, &record)?;
        self.sync_images_later();
        Ok(self.store.image(&id)?)
    }

    /// The layer of the archive that `write` writes. It is unpacked while it is written, into a directory of its own, which takes the
    /// place of the layer once its digest is known.
    pub(super) fn layer_of(
        &self,
        lease: &Lease,
        keep: Keep,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send,
    ) -> Result<Made> {
        let writer = self.store.begin_nameless_layer(lease)?;
        let root = Root::from_fd(writer.open()?).map_err(|error| Error::new(ErrorKind::Store, error.to_string()))?;
        let (reader, pipe) = io::pipe().context(|| "making a pipe")?;
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, 1 << 20);
        let (written, unpacked) = thread::scope(|scope| {
            let producer = thread::Builder::new().name("layer".into()).spawn_scoped(scope, move || {
                let mut out = Hashing::new(pipe);
                write(&mut out).map(|()| out.finish())
            });
            let producer = producer.context(|| "starting a thread")?;
            let unpacked = layer::unpack_with_tape(reader, &root, &Limits::default());
            match producer.join() {
                Ok(written) => Ok::<_, Error>((written, unpacked)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })?;
        let ((diff_id, length), (unpacked, tape)) = match (written, unpacked) {
            (Ok(written), Ok(unpacked)) => (written, unpacked),
            (Ok(_), Err(why)) => return Err(why.into()),
            // Who unpacks and stops breaks the pipe, and says why.
            (Err(_), Err(why)) if why.kind() != layer::ErrorKind::Malformed => return Err(why.into()),
            (Err(error), _) => return Err(Error::new(ErrorKind::Image, error.to_string())),
        };
        if let (Keep::Tape, Some(tape)) = (keep, &tape) {
            writer.keep_tape(tape)?;
        }
        let layer = match self.store.name_layer(lease, writer, &diff_id)? {
            LayerSlot::Present(layer) => layer,
            LayerSlot::Write(writer) => writer.commit(unpacked.bytes)?,
        };
        Ok(Made { layer: LayerRef { diff_id, digest: diff_id, size: layer.size }, length })
    }
}

/// Whether a layer keeps what its archive is written from again: what we have packed is packed the same way again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Tape,
    Nothing,
}

pub(super) fn without_nulls(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, field| !field.is_null());
    }
    value
}
