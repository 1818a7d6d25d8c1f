//! From an archive or a layout to the images in it: names, configuration, and where the layers are. Owns what the two formats say; reads
//! nothing larger than a document.

use std::cell::Cell;

use serde::Deserialize;
use store::Digest;

use super::source::Source;
use crate::config::ImageConfig;
use crate::document::{Descriptor, Document, Index, Manifest};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::platform::Platform;
use crate::reference::Reference;

/// Bytes of one document; registries have the same limit.
const DOCUMENT: u64 = 4 << 20;
/// Bytes of all documents of one archive: many images can name the same large one, and all are read before the first is loaded.
const DOCUMENTS: u64 = 64 << 20;
/// Images of one archive.
const IMAGES: usize = 1000;
/// Layers of one image: what overlayfs can stack.
const LAYERS: usize = 500;
/// Indexes may lie in indexes; real ones do so once.
const NESTING: usize = 4;
/// Annotations of a layout's index that name an image: containerd's and docker's, and the specification's, which is a tag or a whole name.
const NAME: &str = "io.containerd.image.name";
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Which image of a layout is meant. Neither of both means the only one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// What `org.opencontainers.image.ref.name` says.
    pub tag: Option<String>,
    /// The digest of its manifest or index, which may lie in another index.
    pub digest: Option<Digest>,
}

/// An image that is not in the store yet.
pub(super) struct Found {
    /// What it is to be called.
    pub(super) names: Vec<Reference>,
    /// When its configuration says that it was made.
    pub(super) created: Option<String>,
    /// What it is for.
    pub(super) platform: Platform,
    /// Not as it was parsed, which takes many times the memory.
    pub(super) config_bytes: Vec<u8>,
    /// As the layout has it; docker's archive has none.
    pub(super) manifest: Option<Vec<u8>>,
    /// The lowest first.
    pub(super) layers: Vec<FoundLayer>,
}

/// A layer of it.
pub(super) struct FoundLayer {
    pub(super) diff_id: Digest,
    /// What the blob is called.
    pub(super) name: String,
    /// What the blob is said to be.
    pub(super) blob: Option<(Digest, u64)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// What is read of an archive, all in all.
struct Documents<'a> {
    source: &'a Source,
    /// Bytes that may still be read.
    left: Cell<u64>,
}

impl Documents<'_> {
    /// The whole of a document; None if nothing has this name.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let bytes = self.source.document(name, DOCUMENT)?;
        let size = bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let too_many = || {
            let message = format!("its manifests and configurations have more than {DOCUMENTS} bytes together");
            Error::new(ErrorKind::Limit, message)
        };
        self.left.set(self.left.get().checked_sub(size).ok_or_else(too_many)?);
        Ok(bytes)
    }
}

/// All images in `source` that are for `wanted`, or for this host.
///
/// # Errors
/// `Invalid` for what has no images, and for documents that contradict each other; `Platform`, `Digest`, `Limit`.
pub(super) fn find(source: &Source, wanted: Option<&Platform>) -> Result<Vec<Found>> {
    let documents = Documents { source, left: Cell::new(DOCUMENTS) };
    if let Some(bytes) = documents.read("manifest.json")? {
        return docker(&documents, &bytes, wanted);
    }
    if let Some(bytes) = documents.read("index.json")? {
        return layout(&documents, &bytes, wanted);
    }
    Err(invalid("neither manifest.json nor index.json is in it: this is no archive of images, nor an OCI layout"))
}

/// One image of an OCI layout, for `wanted`, or for this host.
///
/// # Errors
/// As of [`find`]; `NotFound` names what the layout has.
pub(super) fn find_entry(source: &Source, entry: &Entry, wanted: Option<&Platform>) -> Result<Found> {
    let documents = Documents { source, left: Cell::new(DOCUMENTS) };
    let bytes = documents.read("index.json")?.ok_or_else(|| invalid("it lacks index.json: this is no OCI layout"))?;
    let index = layout_index(&documents, &bytes)?;
    layout_image(&documents, &chosen(&documents, &index, entry)?, wanted)
}

fn chosen(documents: &Documents<'_>, index: &Index, entry: &Entry) -> Result<Descriptor> {
    if let Some(digest) = entry.digest {
        if let Some(listed) = index.manifests.iter().find(|descriptor| descriptor.digest == digest) {
            return Ok(listed.clone());
        }
        let missing = || Error::new(ErrorKind::NotFound, format!("it has no image {digest}"));
        let size = documents.read(&path(&digest))?.ok_or_else(missing)?.len() as u64;
        return Ok(Descriptor::of(digest, size));
    }
    let tag_of = |descriptor: &Descriptor| descriptor.annotations.get(REF_NAME).cloned();
    let tag = entry.tag.as_deref().unwrap_or("latest");
    if let Some(tagged) = index.manifests.iter().find(|descriptor| tag_of(descriptor).as_deref() == Some(tag)) {
        return Ok(tagged.clone());
    }
    match (index.manifests.as_slice(), &entry.tag) {
        ([only], None) => Ok(only.clone()),
        (all, _) => {
            let known = |descriptor: &Descriptor| {
                tag_of(descriptor).map_or_else(|| descriptor.digest.to_string(), |tag| printable(&tag))
            };
            let known: Vec<_> = all.iter().take(10).map(known).collect();
            let message = format!("it has no image {}; there is {}", printable(tag), known.join(", "));
            Err(Error::new(ErrorKind::NotFound, message))
        }
    }
}

fn docker(documents: &Documents<'_>, bytes: &[u8], wanted: Option<&Platform>) -> Result<Vec<Found>> {
    let items: Vec<Item> = serde_json::from_slice(bytes)
        .map_err(|error| invalid(format!("manifest.json is not readable: {error}")).caused_by(error))?;
    if items.is_empty() || items.len() > IMAGES {
        return Err(invalid(format!("manifest.json has {} images; 1 to {IMAGES} are read", items.len())));
    }
    items.into_iter().map(|item| docker_image(documents, item, wanted)).collect()
}

fn docker_image(documents: &Documents<'_>, item: Item, wanted: Option<&Platform>) -> Result<Found> {
    let name = printable(&item.config);
    let config_bytes = documents
        .read(&item.config)?
        .ok_or_else(|| invalid(format!("manifest.json names the configuration {name}, which is not in the archive")))?;
    check_name(&item.config, Digest::of(&config_bytes))?;
    let config = ImageConfig::parse(&config_bytes)?;
    let layers = item.layers.unwrap_or_default();
    let diff_ids = &config.rootfs.diff_ids;
    if layers.len() != diff_ids.len() {
        let message =
            format!("manifest.json has {} layers of {name}, its configuration {}", layers.len(), diff_ids.len());
        return Err(invalid(message));
    }
    let layers = diff_ids.iter().zip(layers).map(|(diff_id, name)| FoundLayer { diff_id: *diff_id, name, blob: None });
    let found = Found {
        names: item.repo_tags.unwrap_or_default().iter().map(|name| name.parse()).collect::<Result<_>>()?,
        layers: layers.collect(),
        platform: config.platform(),
        created: config.created,
        config_bytes,
        manifest: None,
    };
    found.checked(wanted)
}

/// A name that is a digest is held against it.
fn check_name(path: &str, digest: Digest) -> Result<()> {
    let last = path.rsplit('/').next().unwrap_or(path);
    match Digest::from_hex(last.strip_suffix(".json").unwrap_or(last)) {
        Ok(stated) if stated != digest => Err(wrong(path, stated, digest)),
        _ => Ok(()),
    }
}

/// What stands in `index.json`, in a directory that says of itself that it is a layout.
fn layout_index(documents: &Documents<'_>, bytes: &[u8]) -> Result<Index> {
    #[derive(Deserialize)]
    struct Marker {
        #[serde(rename = "imageLayoutVersion")]
        version: String,
    }
    let marker = documents.read("oci-layout")?.ok_or_else(|| invalid("it lacks the file oci-layout"))?;
    let marker: Marker = serde_json::from_slice(&marker)
        .map_err(|error| invalid(format!("oci-layout is not readable: {error}")).caused_by(error))?;
    if !marker.version.starts_with("1.") {
        let message = format!("it is an OCI layout of version {}, not 1", printable(&marker.version));
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    match Document::parse(bytes, "")? {
        Document::Index(index) => Ok(index),
        Document::Manifest(_) => Err(invalid("index.json is no index")),
    }
}

fn layout(documents: &Documents<'_>, bytes: &[u8], wanted: Option<&Platform>) -> Result<Vec<Found>> {
    let index = layout_index(documents, bytes)?;
    let host = Platform::host();
    let fits = |descriptor: &&Descriptor| {
        let platform = descriptor.platform.clone().filter(|platform| !platform.os.is_empty()).map(Platform::normal);
        platform.is_none_or(|platform| wanted.unwrap_or(&host).runs(&platform))
    };
    let fitting: Vec<&Descriptor> = index.manifests.iter().filter(fits).collect();
    if index.manifests.is_empty() || fitting.len() > IMAGES {
        return Err(invalid(format!("index.json has {} images; 1 to {IMAGES} are read", index.manifests.len())));
    }
    if fitting.is_empty() {
        let wanted = wanted.unwrap_or(&host);
        return Err(Error::new(ErrorKind::Platform, format!("no image in it is for {wanted}")));
    }
    fitting.into_iter().map(|descriptor| layout_image(documents, descriptor, wanted)).collect()
}

fn layout_image(documents: &Documents<'_>, entry: &Descriptor, wanted: Option<&Platform>) -> Result<Found> {
    let mut bytes = blob(documents, entry)?;
    let mut media_type = entry.media_type.clone();
    for _ in 0..NESTING {
        match Document::parse(&bytes, &media_type)? {
            Document::Manifest(manifest) => return layout_manifest(documents, entry, &manifest, bytes, wanted),
            Document::Index(index) => {
                let host = Platform::host();
                let chosen = wanted.unwrap_or(&host).choose(&index)?;
                bytes = blob(documents, chosen)?;
                media_type.clone_from(&chosen.media_type);
            }
        }
    }
    Err(invalid(format!("indexes lie in each other more than {NESTING} deep")))
}

fn layout_manifest(
    documents: &Documents<'_>,
    entry: &Descriptor,
    manifest: &Manifest,
    bytes: Vec<u8>,
    wanted: Option<&Platform>,
) -> Result<Found> {
    let config_bytes = blob(documents, &manifest.config)?;
    let config = ImageConfig::parse(&config_bytes)?;
    let diff_ids = &config.rootfs.diff_ids;
    if manifest.layers.len() != diff_ids.len() {
        let (layers, wanted) = (manifest.layers.len(), diff_ids.len());
        return Err(invalid(format!("the manifest has {layers} layers, the image config {wanted}")));
    }
    let layers = diff_ids.iter().zip(&manifest.layers).map(|(diff_id, layer)| FoundLayer {
        diff_id: *diff_id,
        name: path(&layer.digest),
        blob: Some((layer.digest, layer.size)),
    });
    let found = Found {
        names: names(entry),
        layers: layers.collect(),
        platform: config.platform(),
        created: config.created,
        config_bytes,
        manifest: Some(bytes),
    };
    found.checked(wanted)
}

/// A name without a repository (`latest`) names nothing here.
fn names(entry: &Descriptor) -> Vec<Reference> {
    let whole = entry.annotations.get(NAME);
    let whole = whole.or_else(|| entry.annotations.get(REF_NAME).filter(|name| name.contains([':', '/'])));
    whole.and_then(|name| name.parse().ok()).into_iter().collect()
}

/// A document of a layout, held against its digest.
fn blob(documents: &Documents<'_>, descriptor: &Descriptor) -> Result<Vec<u8>> {
    let name = path(&descriptor.digest);
    let bytes = documents.read(&name)?.ok_or_else(|| invalid(format!("it lacks the blob {name}")))?;
    let digest = Digest::of(&bytes);
    if digest == descriptor.digest && bytes.len() as u64 == descriptor.size {
        return Ok(bytes);
    }
    if digest == descriptor.digest {
        let (size, got) = (descriptor.size, bytes.len());
        return Err(Error::new(ErrorKind::Digest, format!("{name} has {got} bytes, its descriptor says {size}")));
    }
    Err(wrong(&name, descriptor.digest, digest))
}

/// Where a layout has a blob.
pub(super) fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

impl Found {
    fn checked(self, wanted: Option<&Platform>) -> Result<Self> {
        if self.layers.len() > LAYERS {
            let message = format!("the image has {} layers, more than {LAYERS}", self.layers.len());
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let platform = &self.platform;
        if platform.os != "linux" {
            return Err(Error::new(ErrorKind::Unsupported, format!("the image is for {platform}, not for Linux")));
        }
        match wanted {
            Some(wanted) if !wanted.runs(platform) => {
                Err(Error::new(ErrorKind::Platform, format!("no image for {wanted}; there is {platform}")))
            }
            _ => Ok(self),
        }
    }
}

fn wrong(name: &str, stated: Digest, found: Digest) -> Error {
    let name = printable(name);
    Error::new(ErrorKind::Digest, format!("{name} has the content of {found}, and not of {stated}"))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds `count` images that all name the same configuration of 4 MiB.
    fn found(count: usize) -> Result<usize> {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let put = |name: &str, text: String| std::fs::write(directory.path().join(name), text).expect("writes");
        let os = r#""os": "linux", "architecture": "amd64""#;
        let mut config = format!(r#"{{{os}, "rootfs": {{"type": "layers", "diff_ids": []}}}}"#);
        config.extend(std::iter::repeat_n(' ', usize::try_from(DOCUMENT).expect("is small") - config.len()));
        put("config", config);
        put("manifest.json", format!("[{}]", vec![r#"{"Config": "config"}"#; count].join(",")));
        let source = Source::Layout(fsroot::Root::open(directory.path()).expect("opens"));
        find(&source, Some(&"linux/amd64".parse()?)).map(|images| images.len())
    }

    #[test]
    fn many_images_cannot_have_one_large_document_read_again_and_again() {
        assert_eq!(found(15).expect("are found"), 15);
        for count in [16, 1000] {
            let error = found(count).expect_err("is more than is read");
            assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        }
    }
}
