//! From an archive and a configuration to an image in the store.

use fsroot::Root;
use image::Platform;
use image::layer::{self, Limits};
use serde_json::{Value, json};
use store::{Digest, ImageRecord, LayerRef, LayerSlot, Lease, Store};

use crate::error::{Error, ErrorKind, Result};

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// What an image of one layer is made of.
pub(super) struct Recipe<'a> {
    /// Its canonical name.
    pub(super) reference: &'a str,
    /// The layer, uncompressed.
    pub(super) archive: Vec<u8>,
    /// The `config` of the image configuration.
    pub(super) config: Value,
    /// RFC 3339, where there is a time that is the same whenever the image is made.
    pub(super) created: Option<String>,
    /// The one line of its history.
    pub(super) created_by: String,
}

/// Puts the image into the store under its name, which ceases to name another one. What is there already stays.
pub(super) fn assemble(store: &Store, recipe: &Recipe<'_>) -> Result<ImageRecord> {
    let lease = store.lease()?;
    let platform = Platform::host();
    let layer = layer(store, &lease, &recipe.archive)?;
    let config = bytes(&json!({
        "architecture": platform.architecture,
        "os": platform.os,
        "created": recipe.created,
        "config": recipe.config,
        "rootfs": { "type": "layers", "diff_ids": [layer.diff_id] },
        "history": [{ "created": recipe.created, "created_by": recipe.created_by }],
    }));
    let id = store.put_blob(&lease, &config)?;
    let manifest = bytes(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": { "mediaType": CONFIG_TYPE, "digest": id, "size": config.len() },
        "layers": [{ "mediaType": LAYER_TYPE, "digest": layer.digest, "size": recipe.archive.len() }],
    }));
    let image = ImageRecord {
        id,
        manifest: store.put_blob(&lease, &manifest)?,
        references: vec![recipe.reference.to_owned()],
        created: recipe.created.clone(),
        size: layer.size,
        layers: vec![layer],
        platform: platform.to_string(),
    };
    store.commit_image(&lease, &image)?;
    // The same contents may have other names as well.
    Ok(store.image(&id)?)
}

/// The layer that the archive unpacks to, made if it is not there. Uncompressed, its two digests are one.
fn layer(store: &Store, lease: &Lease, archive: &[u8]) -> Result<LayerRef> {
    let diff_id = Digest::of(archive);
    let layer = match store.begin_layer(lease, &diff_id)? {
        LayerSlot::Present(layer) => layer,
        LayerSlot::Write(writer) => {
            let root = Root::from_fd(writer.open()?).map_err(|error| unpacking(&error))?;
            let (unpacked, tape) =
                layer::unpack_with_tape(archive, &root, &Limits::default()).map_err(|error| unpacking(&error))?;
            if let Some(tape) = &tape {
                writer.keep_tape(tape)?;
            }
            writer.commit(unpacked.bytes)?
        }
    };
    Ok(LayerRef { diff_id, digest: diff_id, size: layer.size })
}

/// Objects of this library are sorted by key, so the same value always has the same bytes. Fields that are `null`, an
/// unknown time, are as good as absent in both formats.
fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn unpacking(error: &dyn std::error::Error) -> Error {
    Error::new(ErrorKind::System, format!("unpacking a layer that was made here: {error}"))
}
