//! One specification, in JSON or YAML.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{Hook, Mount};
use serde::{Deserialize, Deserializer};

use crate::config::device::is_qualified;
use crate::error::{Error, Result};

/// Most bytes of one file.
const MOST: u64 = 8 * 1024 * 1024;

/// What a file says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    cdi_version: String,
    pub(super) kind: String,
    pub(super) devices: Vec<OneDevice>,
    /// What every device of it changes.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) container_edits: ContainerEdits,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OneDevice {
    pub(super) name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) container_edits: ContainerEdits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ContainerEdits {
    #[serde(deserialize_with = "or_default")]
    pub(super) env: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) device_nodes: Vec<DeviceNode>,
    #[serde(deserialize_with = "or_default")]
    pub(super) net_devices: Vec<serde_json::Value>,
    #[serde(deserialize_with = "or_default")]
    pub(super) hooks: Vec<OneHook>,
    #[serde(deserialize_with = "or_default")]
    pub(super) mounts: Vec<OneMount>,
    pub(super) intel_rdt: Option<serde_json::Value>,
    #[serde(rename = "additionalGids", deserialize_with = "or_default")]
    pub(super) additional_gids: Vec<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeviceNode {
    pub(super) path: String,
    pub(super) host_path: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) major: Option<u32>,
    pub(super) minor: Option<u32>,
    pub(super) file_mode: Option<u32>,
    pub(super) permissions: Option<String>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OneMount {
    host_path: String,
    container_path: String,
    #[serde(default, deserialize_with = "or_default")]
    options: Vec<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OneHook {
    pub(super) hook_name: HookName,
    path: PathBuf,
    #[serde(default, deserialize_with = "or_default")]
    args: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    env: Vec<String>,
    timeout: Option<i64>,
}

/// When a hook runs (runtime-spec, "POSIX-platform Hooks").
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum HookName {
    Prestart,
    CreateRuntime,
    CreateContainer,
    StartContainer,
    Poststart,
    Poststop,
}

impl Document {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// `Invalid` for what is no specification of a version that is known.
    pub(super) fn read(path: &Path) -> Result<Document> {
        let wrong = |error: String| Error::invalid(error);
        let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
        if size > MOST {
            return Err(wrong(format!("is larger than {MOST} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        Document::parse(&text, path.extension().is_some_and(|extension| extension == "json"))
    }

    /// Parses and checks a specification.
    ///
    /// # Errors
    /// As of [`Document::read`].
    pub(super) fn parse(text: &str, is_json: bool) -> Result<Document> {
        let document: Document = if is_json {
            serde_json::from_str(text).map_err(|error| Error::invalid(error.to_string()))?
        } else {
            // Its message may quote the file on lines of its own.
            let first = |error: String| error.lines().next().unwrap_or_default().to_owned();
            serde_saphyr::from_str(text).map_err(|error| Error::invalid(first(error.to_string())))?
        };
        let version: Vec<Option<u32>> = document.cdi_version.splitn(3, '.').map(|part| part.parse().ok()).collect();
        if !matches!(version.as_slice(), [Some(0), Some(3..), Some(_)] | [Some(1), Some(_), Some(_)]) {
            return Err(Error::invalid(format!("cdiVersion {:?} is not known", document.cdi_version)));
        }
        if document.devices.is_empty() {
            return Err(Error::invalid("has no devices"));
        }
        for device in &document.devices {
            let name = format!("{}={}", document.kind, device.name);
            if !is_qualified(&name) {
                return Err(Error::invalid(format!("{name:?} is not vendor/class=name")));
            }
        }
        Ok(document)
    }
}

impl OneMount {
    /// As the configuration has it: a bind mount, unless the type says otherwise.
    pub(super) fn to_oci(&self) -> Result<Mount> {
        if !self.container_path.starts_with('/') {
            return Err(Error::invalid(format!("mounts: {} is not an absolute path", self.container_path)));
        }
        let kind = self.kind.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("bind");
        let mut options = self.options.clone();
        if kind == "bind" && !options.iter().any(|option| option == "bind" || option == "rbind") {
            options.push("bind".to_owned());
        }
        let mut mount = Mount::default();
        mount
            .set_destination(self.container_path.clone().into())
            .set_source(Some(self.host_path.clone().into()))
            .set_typ(Some(kind.to_owned()))
            .set_options(Some(options));
        Ok(mount)
    }
}

impl OneHook {
    pub(super) fn to_oci(&self) -> Hook {
        let mut hook = Hook::default();
        hook.set_path(self.path.clone())
            .set_args(Some(self.args.clone()).filter(|args| !args.is_empty()))
            .set_env(Some(self.env.clone()).filter(|env| !env.is_empty()))
            .set_timeout(self.timeout);
        hook
    }
}

/// `null` is what nothing is.
fn or_default<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(from: D) -> std::result::Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}
