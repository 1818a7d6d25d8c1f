//! The documents of images: configuration, manifest, and the index around several of them. Owns their bytes and what is made of
//! them here.

use engine::BuiltImage;
use image::saved::{ManifestForm, manifest_in};
use serde_json::{Value, json};
use store::{Digest, ImageRecord};

use super::annotations::Pairs;
use super::layers::{self, Layer};
use super::settings::Settings;
use super::{Exporting, Image, config};
use crate::error::Result;
use crate::remote;

pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// An image with its layers and its configuration.
pub(super) struct Prepared<'a> {
    pub(super) image: &'a Image,
    pub(super) layers: Vec<Layer>,
    pub(super) config: Vec<u8>,
}

/// An image with all its documents.
pub(super) struct Made {
    pub(super) record: ImageRecord,
    pub(super) manifest: Descriptor,
}

/// What names a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// What it is for; None of an index.
    pub(super) platform: Option<image::Platform>,
    pub(super) annotations: Pairs,
}

impl Descriptor {
    /// As documents have it.
    pub(super) fn document(&self) -> Value {
        let mut document = json!({"mediaType": self.media_type, "digest": self.digest, "size": self.size});
        if let Some(platform) = &self.platform {
            document["platform"] = json!({"architecture": platform.architecture, "os": platform.os});
            if let Some(variant) = &platform.variant {
                document["platform"]["variant"] = json!(variant);
            }
        }
        if !self.annotations.is_empty() {
            document["annotations"] = json!(self.annotations);
        }
        document
    }

    /// Of a document.
    pub(super) fn of(media_type: &str, bytes: &[u8]) -> Descriptor {
        let (media_type, annotations) = (media_type.to_owned(), Pairs::new());
        Descriptor { media_type, digest: Digest::of(bytes), size: bytes.len() as u64, platform: None, annotations }
    }
}

/// The index of these manifests, and its media type.
pub(super) fn index(manifests: &[Value], settings: &Settings) -> (String, Vec<u8>) {
    let media_type = if settings.docker { DOCKER_LIST } else { OCI_INDEX };
    let mut document = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
    if !settings.annotations.index.is_empty() {
        document["annotations"] = json!(settings.annotations.index);
    }
    (media_type.to_owned(), document.to_string().into_bytes())
}

impl Exporting<'_> {
    /// The layers and the configuration of an image.
    ///
    /// # Errors
    /// Those of reading the layers.
    pub(super) fn prepared<'i>(&self, image: &'i Image) -> Result<Prepared<'i>> {
        let layers = layers::of(self.engine, self.lease, image, self.latest(image))?;
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| layer.layer.diff_id).collect();
        let mut config = config::document(image, &diff_ids);
        if let Some(cache) = remote::inline(self.engine, self.options, self.notes, image)? {
            config[remote::FIELD] = cache;
        }
        let config = config.to_string().into_bytes();
        Ok(Prepared { image, layers, config })
    }

    /// The documents of an image, which is not listed by that.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn made(&self, prepared: &Prepared<'_>, settings: &Settings) -> Result<Made> {
        let store = self.engine.store();
        let annotations = settings.annotations.of_manifest(&prepared.image.platform);
        let form = ManifestForm { docker: settings.docker, annotations };
        // One that is listed has a manifest, which may be the one of a registry.
        if let Ok(record) = store.image(&Digest::of(&prepared.config))
            && let Ok(bytes) = store.blob(&record.manifest)
            && is_in_form(&bytes, &form)
        {
            return Ok(made(record, &bytes, prepared));
        }
        let bytes = manifest_in(&form, &prepared.config, &prepared.lengths(self)?);
        let layers = prepared.layers.iter().map(|layer| layer.layer.clone()).collect();
        let built = BuiltImage { config: prepared.config.clone(), manifest: bytes.clone(), layers };
        let record = self.engine.record_of_built(self.lease, &built)?;
        Ok(made(record, &bytes, prepared))
    }
}

impl Prepared<'_> {
    /// The digests of the layers' archives, and their lengths.
    ///
    /// # Errors
    /// Those of reading them.
    pub(super) fn lengths(&self, exporting: &Exporting<'_>) -> Result<Vec<(Digest, u64)>> {
        self.layers.iter().map(|layer| Ok((layer.layer.diff_id, layer.length(exporting.engine)?))).collect()
    }
}

fn made(record: ImageRecord, manifest: &[u8], prepared: &Prepared<'_>) -> Made {
    let is_docker = media_type(manifest).as_deref() == Some(DOCKER_MANIFEST);
    let media_type = if is_docker { DOCKER_MANIFEST } else { OCI_MANIFEST };
    let platform = Some(prepared.image.platform.clone());
    let manifest = Descriptor { platform, ..Descriptor::of(media_type, manifest) };
    Made { record, manifest }
}

fn media_type(manifest: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(manifest).ok()?;
    document["mediaType"].as_str().map(str::to_owned)
}

/// Whether a manifest says what it is to say.
fn is_in_form(manifest: &[u8], form: &ManifestForm) -> bool {
    let Ok(document) = serde_json::from_slice::<Value>(manifest) else { return false };
    let annotations = document.get("annotations").cloned().unwrap_or_else(|| json!({}));
    let is_docker = document["mediaType"].as_str() == Some(DOCKER_MANIFEST);
    annotations == json!(form.annotations) && is_docker == form.docker
}
