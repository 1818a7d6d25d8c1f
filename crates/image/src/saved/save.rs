//! Images out of the store, as one archive. Owns the documents that describe them; the same images always give the same bytes.

use std::io::Write;

use serde_json::{Value, json};
use store::{Digest, ImageRecord, Store};

use super::find::path;
use super::layout::Layout;
use crate::document::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use crate::error::Result;
use crate::rebuild::layer_length;
use crate::reference::Reference;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// An image that is saved, and the names that it is saved under.
#[derive(Debug, Clone)]
pub struct SaveItem {
    /// The image.
    pub image: ImageRecord,
    /// The names: tags, without digests.
    pub names: Vec<Reference>,
}

/// What a manifest says besides its layers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManifestForm {
    /// Whether it is docker's (schema 2) and not OCI's.
    pub docker: bool,
    /// Its annotations.
    pub annotations: std::collections::BTreeMap<String, String>,
}

/// The bytes of an OCI manifest of uncompressed layers, each with its digest and length.
pub fn manifest(config: &[u8], layers: &[(Digest, u64)]) -> Vec<u8> {
    manifest_in(&ManifestForm::default(), config, layers)
}

/// The bytes of a manifest of uncompressed layers, each with its digest and length.
pub fn manifest_in(form: &ManifestForm, config: &[u8], layers: &[(Digest, u64)]) -> Vec<u8> {
    let (own, of_config, of_layer) =
        if form.docker { (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER) } else { (OCI_MANIFEST, CONFIG, LAYER) };
    let layers: Vec<Value> =
        layers.iter().map(|(digest, size)| json!({"mediaType": of_layer, "digest": digest, "size": size})).collect();
    let config = json!({"mediaType": of_config, "digest": Digest::of(config), "size": config.len()});
    let mut manifest = json!({"schemaVersion": 2, "mediaType": own, "config": config, "layers": layers});
    if !form.annotations.is_empty() {
        manifest["annotations"] = json!(form.annotations);
    }
    bytes(&manifest)
}

/// Writes `items` to `out` as one archive: an OCI layout that is docker's archive as well.
///
/// # Errors
/// `Store` for what cannot be read, `Digest` for a layer that was changed on disk, `Write` errors of `out` as `Store`.
pub fn save(store: &Store, items: &[SaveItem], out: impl Write + Send) -> Result<()> {
    let saved = items.iter().map(|item| Saved::new(store, item)).collect::<Result<Vec<_>>>()?;
    let layout = Layout {
        index: index(&saved),
        docker: Some(docker_manifest(&saved)),
        documents: saved.iter().flat_map(|saved| [saved.manifest.clone(), saved.config.clone()]).collect(),
        layers: saved.iter().flat_map(|saved| saved.layers.clone()).collect(),
    };
    layout.write_archive(store, out)
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
    let item = |saved: &Saved<'_>| docker_item(Digest::of(&saved.config), &saved.item.names, &saved.layers);
    bytes(&Value::Array(saved.iter().map(item).collect()))
}

/// What docker's `manifest.json` says of an image.
pub fn docker_item(config: Digest, names: &[Reference], layers: &[(Digest, u64)]) -> Value {
    let names: Vec<String> = names.iter().map(Reference::familiar).collect();
    let paths: Vec<String> = layers.iter().map(|(digest, _)| path(digest)).collect();
    let sources: serde_json::Map<String, Value> = layers
        .iter()
        .map(|(digest, size)| (digest.to_string(), json!({"mediaType": LAYER, "size": size, "digest": digest})))
        .collect();
    json!({
        "Config": path(&config),
        "RepoTags": if names.is_empty() { Value::Null } else { json!(names) },
        "Layers": paths,
        "LayerSources": sources,
    })
}

/// Objects of this library are sorted by key, so the same value always has the same bytes.
fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
