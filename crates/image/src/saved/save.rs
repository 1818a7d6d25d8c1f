//! Images out of the store, as one archive. Owns its order and that the same images always give the same bytes: nothing in it has a time
//! or an owner, and what describes comes before what is described.

use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use serde_json::{Value, json};
use store::{Digest, ImageRecord, Store};

use super::find::path;
use crate::document::{OCI_INDEX, OCI_MANIFEST};
use crate::error::{Error, ErrorKind, Result};
use crate::layer::entry_headers;
use crate::rebuild::{layer_length, write_layer};
use crate::reference::Reference;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const BLOCK: usize = 512;
/// Pieces between the thread that reads a layer and the one that writes the archive.
const PIECES: usize = 16;

/// An image that is saved, and the names that it is saved under.
#[derive(Debug, Clone)]
pub struct SaveItem {
    /// The image.
    pub image: ImageRecord,
    /// The names: tags, without digests.
    pub names: Vec<Reference>,
}

/// The bytes of an OCI manifest of uncompressed layers, each with its digest and length.
pub fn manifest(config: &[u8], layers: &[(Digest, u64)]) -> Vec<u8> {
    let layers: Vec<Value> =
        layers.iter().map(|(digest, size)| json!({"mediaType": LAYER, "digest": digest, "size": size})).collect();
    let config = json!({"mediaType": CONFIG, "digest": Digest::of(config), "size": config.len()});
    bytes(&json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers}))
}

/// Writes `items` to `out` as one archive: an OCI layout that is docker's archive as well.
///
/// # Errors
/// `Store` for what cannot be read, `Digest` for a layer that was changed on disk, `Write` errors of `out` as `Store`.
pub fn save(store: &Store, items: &[SaveItem], out: impl Write + Send) -> Result<()> {
    let saved = items.iter().map(|item| Saved::new(store, item)).collect::<Result<Vec<_>>>()?;
    let mut archive = Archive { out };
    archive.file("oci-layout", &bytes(&json!({"imageLayoutVersion": "1.0.0"})))?;
    archive.file("index.json", &index(&saved))?;
    archive.file("manifest.json", &docker_manifest(&saved))?;
    let mut written: Vec<Digest> = Vec::new();
    for document in saved.iter().flat_map(|saved| [&saved.manifest, &saved.config]) {
        let digest = Digest::of(document);
        if !written.contains(&digest) {
            archive.file(&path(&digest), document)?;
            written.push(digest);
        }
    }
    for (diff_id, length) in saved.iter().flat_map(|saved| &saved.layers) {
        if !written.contains(diff_id) {
            archive.layer(store, diff_id, *length)?;
            written.push(*diff_id);
        }
    }
    archive.write(&[0; 2 * BLOCK])?;
    archive.out.flush().map_err(|error| writing(&error))
}

struct Saved<'a> {
    item: &'a SaveItem,
    config: Vec<u8>,
    manifest: Vec<u8>,
    layers: Vec<(Digest, u64)>,
}

impl<'a> Saved<'a> {
    fn new(store: &Store, item: &'a SaveItem) -> Result<Saved<'a>> {
        let config = store.blob(&item.image.id)?;
        let layers = item.image.layers.iter();
        let layers = layers.map(|layer| Ok((layer.diff_id, layer_length(store, &layer.diff_id)?)));
        let layers = layers.collect::<Result<Vec<_>>>()?;
        Ok(Saved { item, manifest: manifest(&config, &layers), config, layers })
    }
}

fn index(saved: &[Saved<'_>]) -> Vec<u8> {
    let mut manifests = Vec::new();
    for saved in saved {
        let described = |name: Option<&Reference>| {
            let digest = Digest::of(&saved.manifest);
            let mut entry = json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": saved.manifest.len()});
            if let Some(name) = name {
                entry["annotations"] = json!({
                    "io.containerd.image.name": name.to_string(),
                    "org.opencontainers.image.ref.name": name.tag().unwrap_or_default(),
                });
            }
            entry
        };
        if saved.item.names.is_empty() {
            manifests.push(described(None));
        }
        manifests.extend(saved.item.names.iter().map(|name| described(Some(name))));
    }
    bytes(&json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}))
}

fn docker_manifest(saved: &[Saved<'_>]) -> Vec<u8> {
    let item = |saved: &Saved<'_>| {
        let names: Vec<String> = saved.item.names.iter().map(Reference::familiar).collect();
        let layers: Vec<String> = saved.layers.iter().map(|(digest, _)| path(digest)).collect();
        let sources: serde_json::Map<String, Value> = saved
            .layers
            .iter()
            .map(|(digest, size)| (digest.to_string(), json!({"mediaType": LAYER, "size": size, "digest": digest})))
            .collect();
        json!({
            "Config": path(&Digest::of(&saved.config)),
            "RepoTags": if names.is_empty() { Value::Null } else { json!(names) },
            "Layers": layers,
            "LayerSources": sources,
        })
    };
    bytes(&Value::Array(saved.iter().map(item).collect()))
}

/// Objects of this library are sorted by key, so the same value always has the same bytes.
fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

struct Archive<W> {
    out: W,
}

impl<W: Write + Send> Archive<W> {
    fn file(&mut self, name: &str, contents: &[u8]) -> Result<()> {
        self.write(&entry_headers(name, contents.len() as u64))?;
        self.write(contents)?;
        self.pad(contents.len() as u64)
    }

    /// A layer, read by another thread than the one that writes.
    fn layer(&mut self, store: &Store, diff_id: &Digest, length: u64) -> Result<()> {
        self.write(&entry_headers(&path(diff_id), length))?;
        let (sender, pieces) = sync_channel(PIECES);
        let written = thread::scope(|scope| {
            let reader = thread::Builder::new()
                .name("layer".into())
                .spawn_scoped(scope, move || write_layer(store, diff_id, &mut Sender(sender)))
                .map_err(|error| Error::new(ErrorKind::Store, format!("cannot start a thread: {error}")))?;
            let copied = self.copy(&pieces);
            drop(pieces);
            match reader.join() {
                // What the writer says comes first: the reader has only seen that nobody takes its pieces any more.
                Ok(read) => copied.and(read),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })?;
        if written != length {
            let message = format!("layer {} has {written} bytes, and not the {length} it had", diff_id.short());
            return Err(Error::new(ErrorKind::Digest, message));
        }
        self.pad(length)
    }

    fn copy(&mut self, pieces: &Receiver<Vec<u8>>) -> Result<()> {
        while let Ok(piece) = pieces.recv() {
            self.write(&piece)?;
        }
        Ok(())
    }

    fn pad(&mut self, length: u64) -> Result<()> {
        let over = usize::try_from(length % BLOCK as u64).unwrap_or_default();
        if over > 0 { self.write(&[0; BLOCK][over..]) } else { Ok(()) }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(|error| writing(&error))
    }
}

struct Sender(SyncSender<Vec<u8>>);

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| std::io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn writing(error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Store, format!("writing the archive: {error}"))
}
