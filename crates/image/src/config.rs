//! The image config: what a container of this image starts with, and the digests of its unpacked layers. Types are our
//! own because docker's fields (health check, `ONBUILD`, `SHELL`) are missing elsewhere. Never written back: the bytes
//! are the image's identity.
//!
//! OCI image specification, "Image Configuration"; docker's image specification 1.2 for the rest.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use store::Digest;

use crate::error::{Error, ErrorKind, Result};
use crate::platform::Platform;

/// An image config. Fields nobody here reads stay in the raw bytes.
#[derive(Clone, Debug, Deserialize)]
pub struct ImageConfig {
    /// RFC 3339 time of the build.
    #[serde(default)]
    pub created: Option<String>,
    /// Who built it.
    #[serde(default)]
    pub author: Option<String>,
    /// Processor, as `GOARCH`.
    #[serde(default, deserialize_with = "or_default")]
    pub architecture: String,
    /// Operating system, as `GOOS`.
    #[serde(default, deserialize_with = "or_default")]
    pub os: String,
    /// Variant of the processor.
    #[serde(default)]
    pub variant: Option<String>,
    /// What a container starts with.
    #[serde(default, deserialize_with = "or_default")]
    pub config: Config,
    /// The layers.
    pub rootfs: RootFs,
    /// One entry per build step.
    #[serde(default, deserialize_with = "or_default")]
    pub history: Vec<History>,
}

/// Defaults of a container made from the image. Go writes empty lists as `null`; here they are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Config {
    /// `user[:group]`, names or numbers.
    #[serde(deserialize_with = "or_default")]
    pub user: String,
    /// `port/protocol`.
    #[serde(deserialize_with = "keys", serialize_with = "set", skip_serializing_if = "Vec::is_empty")]
    pub exposed_ports: Vec<String>,
    /// `NAME=value`.
    #[serde(deserialize_with = "or_default")]
    pub env: Vec<String>,
    /// Program and first arguments; `None` differs from an empty list only in what is shown.
    pub entrypoint: Option<Vec<String>>,
    /// Arguments, or the command when there is no entrypoint.
    pub cmd: Option<Vec<String>>,
    /// What docker's builders set with `CMD`, and what means something on Windows only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub args_escaped: bool,
    /// Paths that get a volume of their own.
    #[serde(deserialize_with = "keys", serialize_with = "set", skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// Where the process starts; empty is `/`.
    #[serde(deserialize_with = "or_default")]
    pub working_dir: String,
    /// Labels.
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    /// Signal that asks the process to end, by name or number.
    pub stop_signal: Option<String>,
    /// Seconds between that signal and SIGKILL.
    pub stop_timeout: Option<i64>,
    /// How to learn whether the container is well.
    pub healthcheck: Option<Healthcheck>,
    /// Instructions for builds on top of this image.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
    /// The shell of `RUN`, `CMD` and `ENTRYPOINT` in shell form.
    pub shell: Option<Vec<String>>,
}

/// A health check. Times are nanoseconds; 0 means the engine's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", line]`.
    #[serde(deserialize_with = "or_default")]
    pub test: Vec<String>,
    /// Between two checks.
    #[serde(skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// For one check.
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// From the start, in which failures do not count.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// Between two checks in that period.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// Failures in a row until the container is unhealthy.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: i64,
}

/// The layers of an image, lowest first.
#[derive(Clone, Debug, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    pub kind: String,
    /// Digests of the uncompressed tar archives.
    #[serde(default, deserialize_with = "or_default")]
    pub diff_ids: Vec<Digest>,
}

/// One step of the build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct History {
    /// RFC 3339 time.
    pub created: Option<String>,
    /// The instruction.
    pub created_by: Option<String>,
    /// Who ran it.
    pub author: Option<String>,
    /// What was said about it.
    pub comment: Option<String>,
    /// Whether the step changed no file, and so has no layer.
    #[serde(deserialize_with = "or_default")]
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Reads a config blob.
    ///
    /// # Errors
    /// `Invalid` for bytes that are no image config.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let unreadable = |error: serde_json::Error| {
            Error::new(ErrorKind::Invalid, format!("the image config is not readable: {error}")).caused_by(error)
        };
        serde_json::from_slice(bytes).map_err(unreadable)
    }

    /// What the image was built for. Images of old builders say nothing, and mean Linux on amd64.
    pub fn platform(&self) -> Platform {
        let or = |text: &str, default: &str| if text.is_empty() { default.to_owned() } else { text.to_owned() };
        let (os, architecture) = (or(&self.os, "linux"), or(&self.architecture, "amd64"));
        Platform { os, architecture, variant: self.variant.clone() }.normal()
    }
}

/// `null` is the empty value: Go writes nil slices and maps that way.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(source: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(source)?.unwrap_or_default())
}

/// Go's sets are maps to empty objects.
fn keys<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<String>, D::Error> {
    let set: Option<BTreeMap<String, serde_json::Value>> = Option::deserialize(source)?;
    Ok(set.unwrap_or_default().into_keys().collect())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

fn set<S: Serializer>(keys: &[String], sink: S) -> Result<S::Ok, S::Error> {
    sink.collect_map(keys.iter().map(|key| (key, serde_json::json!({}))))
}
