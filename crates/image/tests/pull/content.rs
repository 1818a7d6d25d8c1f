//! Images made on the spot, and a store to pull them into.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use image::{CredentialsSource, Digest, LayerState, Patience, Progress, ProgressEvent, PullOptions, Reference};
use store::{ImageRecord, Paths, Store};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A tar archive with these regular files.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *content).expect("memory can be written");
    }
    builder.into_inner().expect("memory can be written")
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

/// `len` bytes that do not compress.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

/// One layer of a [`Image`]: the blob, and what it contains.
pub(crate) struct LayerBlob {
    pub(crate) media_type: &'static str,
    pub(crate) blob: Vec<u8>,
    pub(crate) diff_id: Digest,
}

impl LayerBlob {
    pub(crate) fn gzip(archive: &[u8]) -> Self {
        Self { media_type: OCI_LAYER, blob: gzip(archive), diff_id: Digest::of(archive) }
    }
}

/// What a registry serves: blobs by digest, manifests by tag or digest.
#[derive(Clone, Default)]
pub(crate) struct Image {
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    /// Media type and bytes.
    pub(crate) manifests: BTreeMap<String, (String, Vec<u8>)>,
    /// Digests of the layers' blobs, lowest first.
    pub(crate) layers: Vec<String>,
}

impl Image {
    /// An image of these layers, tagged `latest`.
    pub(crate) fn of(layers: &[LayerBlob]) -> Self {
        let mut image = Self::default();
        let diff_ids: Vec<String> = layers.iter().map(|layer| layer.diff_id.to_string()).collect();
        let config = serde_json::json!({
            "architecture": image::Platform::host().architecture, "os": "linux", "created": "2026-01-02T03:04:05Z",
            "config": {"Cmd": ["sh"]}, "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = config.to_string().into_bytes();
        let descriptors: Vec<_> = layers
            .iter()
            .map(|layer| {
                let digest = Digest::of(&layer.blob).to_string();
                image.blobs.insert(digest.clone(), layer.blob.clone());
                image.layers.push(digest.clone());
                serde_json::json!({"mediaType": layer.media_type, "digest": digest, "size": layer.blob.len()})
            })
            .collect();
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": descriptors,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": Digest::of(&config).to_string(), "size": config.len()},
        });
        image.blobs.insert(Digest::of(&config).to_string(), config);
        image.serve("latest", OCI_MANIFEST, manifest.to_string().into_bytes());
        image
    }

    /// A small image: two layers, `one` and `two`.
    pub(crate) fn small() -> Self {
        Self::of(&[LayerBlob::gzip(&tar(&[("one", b"1")])), LayerBlob::gzip(&tar(&[("two", b"2")]))])
    }

    /// One layer of some MiB that does not compress.
    pub(crate) fn large() -> Self {
        Self::of(&[LayerBlob::gzip(&tar(&[("noise", &noise(3 << 20, 7))]))])
    }

    /// Serves a document under `tag` and its digest, which is returned.
    pub(crate) fn serve(&mut self, tag: &str, media_type: &str, bytes: Vec<u8>) -> String {
        let digest = Digest::of(&bytes).to_string();
        self.manifests.insert(digest.clone(), (media_type.to_owned(), bytes.clone()));
        self.manifests.insert(tag.to_owned(), (media_type.to_owned(), bytes));
        digest
    }

    /// The manifest tagged `latest`, changed by `edit`.
    pub(crate) fn edit(&mut self, edit: impl FnOnce(&mut serde_json::Value)) {
        let (media_type, bytes) = self.manifests["latest"].clone();
        let mut manifest = serde_json::from_slice(&bytes).expect("it was made from JSON");
        edit(&mut manifest);
        self.serve("latest", &media_type, manifest.to_string().into_bytes());
    }
}

/// A store that goes away with the value.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    pub(crate) store: Store,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = open(directory.path());
        Self { directory, store }
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Content of a file of the image's layer number `layer`.
    pub(crate) fn file(&self, image: &ImageRecord, layer: usize, name: &str) -> Vec<u8> {
        let path = self.store.layer_dir(&image.layers[layer].diff_id).join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Names below `layers` and `tmp`: nothing of a refused layer may stay there.
    pub(crate) fn leftovers(&self) -> Vec<PathBuf> {
        let list =
            |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().map(|entry| entry.expect("readable").path());
        let paths = self.store.paths();
        list(paths.layers()).chain(list(paths.tmp())).collect()
    }
}

pub(crate) fn open(directory: &std::path::Path) -> Store {
    let paths = Paths::new(directory.join("root"), directory.join("run")).expect("absolute paths");
    Store::open(&paths).expect("a new store")
}

/// Patience of tests: no waiting between attempts.
pub(crate) fn patience() -> Patience {
    Patience { first_delay: Duration::ZERO, ..Patience::default() }
}

pub(crate) fn options() -> PullOptions {
    PullOptions { credentials: CredentialsSource::Anonymous, patience: patience(), ..PullOptions::default() }
}

pub(crate) fn reference(text: &str) -> Reference {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Keeps what a pull said.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no test thread panics while it holds this").clone()
    }
}

impl Progress for Recorder {
    fn event(&self, event: ProgressEvent<'_>) {
        let line = match event {
            ProgressEvent::Resolving { reference, registry } => format!("resolving {reference} at {registry}"),
            // Their number depends on the network.
            ProgressEvent::Layer { state: LayerState::Downloading { .. }, .. } => return,
            ProgressEvent::Layer { state, .. } => format!("{state:?}"),
            ProgressEvent::Retrying { why, .. } => format!("retry: {why}"),
            ProgressEvent::Warning { message } => format!("warning: {message}"),
            ProgressEvent::Done { already_present, .. } => format!("done, present before: {already_present}"),
            _ => return,
        };
        self.0.lock().expect("no test thread panics while it holds this").push(line);
    }
}
