//! The manifest of a push. If the registry has the very blobs that the image's own manifest names, it is that one, byte for
//! byte, and its digest stays. Otherwise it is that one with the blobs that were sent, and everything else as it was.

use serde_json::{Map, Value, json};
use store::LayerBlob;

use crate::document::{DOCKER_MANIFEST, OCI_MANIFEST};
use crate::error::{Error, ErrorKind, Result};
use crate::push::Content;

const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// The bytes and the media type of the manifest that names `blobs`, one for each layer of the image.
pub(crate) fn naming(content: &Content, blobs: &[LayerBlob]) -> Result<(Vec<u8>, String)> {
    let unreadable = |error: serde_json::Error| {
        Error::new(ErrorKind::Invalid, format!("the manifest is not readable: {error}")).caused_by(error)
    };
    let mut manifest: Map<String, Value> = serde_json::from_slice(&content.manifest_bytes).map_err(unreadable)?;
    let docker = is_docker(&manifest, content);
    let same = content.manifest.layers.iter().map(|layer| layer.digest).eq(blobs.iter().map(|blob| blob.digest));
    if same {
        return Ok((content.manifest_bytes.clone(), if docker { DOCKER_MANIFEST } else { OCI_MANIFEST }.to_owned()));
    }
    // Docker's manifests know no zstd.
    let docker = docker && !blobs.iter().any(|blob| blob.media_type.ends_with("zstd"));
    let media_type = if docker { DOCKER_MANIFEST } else { OCI_MANIFEST };
    manifest.insert("mediaType".to_owned(), json!(media_type));
    if let Some(config) = manifest.get_mut("config").and_then(Value::as_object_mut) {
        config.insert("mediaType".to_owned(), json!(if docker { DOCKER_CONFIG } else { OCI_CONFIG }));
    }
    // Without the layers' annotations: they describe blobs (the tables of contents of eStargz), and these are others.
    let layers: Vec<Value> = blobs.iter().map(|blob| layer(blob, docker)).collect();
    manifest.insert("layers".to_owned(), Value::Array(layers));
    let bytes = serde_json::to_vec(&manifest).map_err(unreadable)?;
    Ok((bytes, media_type.to_owned()))
}

fn is_docker(manifest: &Map<String, Value>, content: &Content) -> bool {
    match manifest.get("mediaType").and_then(Value::as_str) {
        Some(media_type) => media_type == DOCKER_MANIFEST,
        None => content.manifest.config.media_type == DOCKER_CONFIG,
    }
}

fn layer(blob: &LayerBlob, docker: bool) -> Value {
    let compression = ["gzip", "zstd"].into_iter().find(|name| blob.media_type.ends_with(name));
    let media_type = match (docker, compression) {
        (true, Some(name)) => format!("{DOCKER_LAYER}.{name}"),
        (true, None) => DOCKER_LAYER.to_owned(),
        (false, Some(name)) => format!("{OCI_LAYER}+{name}"),
        (false, None) => OCI_LAYER.to_owned(),
    };
    json!({ "mediaType": media_type, "digest": blob.digest, "size": blob.size })
}
