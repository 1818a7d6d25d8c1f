//! Manifests and indexes as registries hand them out: which of the two a document is, and what it says. Owns the
//! types and their validation; never fetches. The digest of a document is that of its bytes, so nothing here is ever
//! written back.
//!
//! OCI image specification, "Image Manifest" and "Image Index"; Docker image manifest version 2, schema 2.

use std::collections::BTreeMap;

use serde::Deserialize;
use store::Digest;

use crate::error::{Error, ErrorKind, Result, printable};
use crate::platform::Platform;

#[cfg(test)]
mod tests;

/// Media type of an OCI manifest.
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI index.
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of docker's manifest (schema 2).
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Media type of docker's manifest list.
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_SCHEMA_1: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];
/// Configs that describe a container image; anything else is an artifact (a chart, a signature).
const IMAGE_CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
/// overlayfs stops at 500 lower directories; docker stops at 127. Nothing real comes near this.
const LAYERS_MAX: usize = 500;
const ENTRIES_MAX: usize = 4096;

/// What a document says about another: enough to fetch it and to know that the right thing came.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is.
    #[serde(default)]
    pub media_type: String,
    /// SHA-256 of the content.
    pub digest: Digest,
    /// Length of the content in bytes.
    pub size: u64,
    /// Where else the content may be had. Kept to refuse it clearly; never followed (CVE-2020-15157).
    #[serde(default)]
    pub urls: Vec<String>,
    /// Set on the entries of an index.
    #[serde(default)]
    pub platform: Option<Platform>,
    /// Free-form notes.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// One of which nothing else is known.
    pub(crate) fn of(digest: Digest, size: u64) -> Descriptor {
        let (media_type, urls, annotations) = (String::new(), Vec::new(), BTreeMap::new());
        Descriptor { media_type, digest, size, urls, platform: None, annotations }
    }
}

/// One image for one platform: a config and the layers, lowest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The image config.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// Free-form notes.
    pub annotations: BTreeMap<String, String>,
}

/// A choice of manifests, one per platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Manifests, or further indexes.
    pub manifests: Vec<Descriptor>,
    /// Free-form notes.
    pub annotations: BTreeMap<String, String>,
}

/// What `/v2/NAME/manifests/…` may answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// One image.
    Manifest(Manifest),
    /// A choice of images.
    Index(Index),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: u64,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    fs_layers: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl Document {
    /// Reads a document that was served as `content_type` (empty if unknown).
    ///
    /// # Errors
    /// `Invalid` for what is no such document, and for one that could be read in two ways (CVE-2021-41190): with both
    /// layers and manifests, or with a media type that contradicts the header or the content. `Unsupported` for
    /// docker's schema 1 and for artifacts.
    pub fn parse(bytes: &[u8], content_type: &str) -> Result<Self> {
        let served = content_type.split(';').next().unwrap_or_default().trim();
        if DOCKER_SCHEMA_1.contains(&served) {
            return Err(schema_1());
        }
        let raw: Raw = serde_json::from_slice(bytes)
            .map_err(|error| invalid(format!("the manifest is not readable: {error}")).caused_by(error))?;
        raw.refuse_ambiguity()?;
        let stated = raw.stated_kind(served)?;
        if raw.schema_version == 1 {
            return Err(schema_1());
        }
        if raw.schema_version != 2 {
            return Err(invalid(format!("schemaVersion {} of the manifest is not 2", raw.schema_version)));
        }
        let annotations = raw.annotations.unwrap_or_default();
        match (raw.manifests, raw.config, raw.layers) {
            (Some(manifests), _, _) if stated != Some(Kind::Manifest) => Index::checked(manifests, annotations),
            (None, Some(config), Some(layers)) if stated != Some(Kind::Index) => {
                Manifest::checked(config, layers, annotations)
            }
            (None, None, _) => Err(invalid("the manifest has neither a config nor manifests")),
            (None, Some(_), None) => Err(invalid("the manifest has no layers")),
            _ => Err(invalid("the content of the manifest contradicts its media type")),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Manifest,
    Index,
}

impl Kind {
    fn of(media_type: &str) -> Option<Self> {
        match media_type {
            OCI_MANIFEST | DOCKER_MANIFEST => Some(Self::Manifest),
            OCI_INDEX | DOCKER_LIST => Some(Self::Index),
            _ => None,
        }
    }
}

impl Raw {
    fn refuse_ambiguity(&self) -> Result<()> {
        let image = self.layers.is_some() || self.config.is_some() || self.fs_layers.is_some();
        if self.manifests.is_some() && image {
            return Err(invalid("the manifest has both layers and manifests, so it means two things (CVE-2021-41190)"));
        }
        if self.fs_layers.is_some() && self.layers.is_some() {
            return Err(invalid("the manifest has both layers and fsLayers, so it means two things"));
        }
        Ok(())
    }

    /// What header and document agree on. Registries that say `application/json` say nothing.
    fn stated_kind(&self, served: &str) -> Result<Option<Kind>> {
        let inner = self.media_type.as_deref().unwrap_or_default();
        if DOCKER_SCHEMA_1.contains(&inner) {
            return Err(schema_1());
        }
        match (Kind::of(served), Kind::of(inner)) {
            (Some(_), Some(_)) if served != inner => {
                Err(invalid(format!("the manifest was served as {served} and calls itself {}", printable(inner))))
            }
            (_, None) if !inner.is_empty() => Err(unknown_type(inner)),
            (outer, inner) => Ok(outer.or(inner)),
        }
    }
}

fn unknown_type(media_type: &str) -> Error {
    let why = format!("media type {} is neither an image nor an index of images", printable(media_type));
    Error::new(ErrorKind::Unsupported, why)
}

impl Index {
    fn checked(manifests: Vec<Descriptor>, annotations: BTreeMap<String, String>) -> Result<Document> {
        if manifests.len() > ENTRIES_MAX {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("the index has {} entries, more than {ENTRIES_MAX}", manifests.len()),
            ));
        }
        Ok(Document::Index(Self { manifests, annotations }))
    }
}

impl Manifest {
    fn checked(config: Descriptor, layers: Vec<Descriptor>, annotations: BTreeMap<String, String>) -> Result<Document> {
        if !config.media_type.is_empty() && !IMAGE_CONFIGS.contains(&config.media_type.as_str()) {
            let why = format!("not a container image: its config is {}", printable(&config.media_type));
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        if layers.len() > LAYERS_MAX {
            let why = format!("the image has {} layers, more than {LAYERS_MAX}", layers.len());
            return Err(Error::new(ErrorKind::Limit, why));
        }
        layers.iter().try_for_each(Descriptor::check_layer)?;
        Ok(Document::Manifest(Self { config, layers, annotations }))
    }
}

impl Descriptor {
    /// The first 12 digits of the digest: how a layer is called in progress and errors.
    pub fn short_id(&self) -> String {
        self.digest.short()
    }

    fn check_layer(&self) -> Result<()> {
        let media_type = self.media_type.as_str();
        let refuse = |why: &str| {
            let what = format!("layer {} ({}) {why}", self.short_id(), printable(media_type));
            Err(Error::new(ErrorKind::Unsupported, what))
        };
        if media_type.contains(".foreign.") || media_type.contains(".nondistributable.") {
            return refuse("is not distributed by registries, only by the vendor that owns it");
        }
        if !self.urls.is_empty() {
            return refuse("names other servers to fetch it from, which is not done");
        }
        if media_type.ends_with("+encrypted") {
            return refuse("is encrypted");
        }
        let oci = media_type.strip_prefix("application/vnd.oci.image.layer.v1.tar");
        let docker = media_type.strip_prefix("application/vnd.docker.image.rootfs.diff.tar");
        match oci.or(docker) {
            Some("" | "+gzip" | "+zstd" | ".gzip" | ".zstd") => Ok(()),
            _ => refuse("is no tar archive of files"),
        }
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

fn schema_1() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "the image is in docker's manifest schema 1, given up in 2017: push it again with a current tool",
    )
}
