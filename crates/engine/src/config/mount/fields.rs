//! The long notation of a mount: `--mount KEY=VALUE,…`.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::parse::{absolute_target, clean, octal};
use super::{ImageMount, Mount, MountKind, Origin, Propagation, RecursiveReadOnly, VolumeMount};
use crate::config::size;
use crate::error::{Error, Result};

impl Mount {
    /// Parses `--mount KEY=VALUE,…`. A relative source of a bind mount is taken from `cwd`. Without a type it is a volume.
    ///
    /// # Errors
    /// `Unsupported` for the types that only other systems have, `Invalid` for what is not a mount.
    pub fn parse_mount(text: &str, cwd: &Path) -> Result<Mount> {
        let invalid = |why: String| Error::invalid(format!("--mount {text}: {why}"));
        let mut fields = Fields::default();
        for field in notation::fields::split(text).map_err(&invalid)? {
            fields.take(&field).map_err(&invalid)?;
        }
        let kind = fields.kind.as_deref().unwrap_or("volume").to_owned();
        if matches!(kind.as_str(), "npipe" | "cluster") {
            return Err(Error::unsupported(format!("--mount {text}: mounts of type {kind} are not supported")));
        }
        if !matches!(kind.as_str(), "bind" | "volume" | "tmpfs" | "image") {
            return Err(invalid(format!("no such type '{kind}'")).with_hint("type=bind, volume, tmpfs or image"));
        }
        fields.refuse_others(&kind).map_err(&invalid)?;
        fields.into_mount(&kind, cwd).map_err(invalid)
    }
}

/// The fields as they come.
#[derive(Default)]
struct Fields {
    kind: Option<String>,
    source: Option<String>,
    target: Option<String>,
    read_only: Option<bool>,
    propagation: Option<Propagation>,
    bind_recursive: Option<String>,
    create_source: bool,
    volume: VolumeMount,
    no_copy: bool,
    image_subpath: Option<PathBuf>,
    tmpfs_size: Option<u64>,
    tmpfs_mode: Option<u32>,
    /// Keys that belong to one type.
    of_types: Vec<String>,
}

impl Fields {
    fn take(&mut self, field: &str) -> Result<(), String> {
        let (key, value) = field.split_once('=').map_or((field, None), |(key, value)| (key, Some(value)));
        let text = || value.filter(|value| !value.is_empty()).ok_or_else(|| format!("'{key}' needs a value"));
        let key = key.to_ascii_lowercase();
        if key.contains('-') {
            self.of_types.push(key.clone());
        }
        match key.as_str() {
            "type" => self.kind = Some(text()?.to_ascii_lowercase()),
            "source" | "src" => self.source = Some(text()?.to_owned()),
            "target" | "dst" | "destination" => self.target = Some(text()?.to_owned()),
            "readonly" | "ro" => self.read_only = Some(boolean(&key, value)?),
            "bind-propagation" => {
                let mode = text()?;
                self.propagation =
                    Some(Propagation::find(mode).ok_or_else(|| format!("no such propagation '{mode}'"))?);
            }
            "bind-recursive" => self.bind_recursive = Some(text()?.to_owned()),
            "bind-nonrecursive" => {
                let recursive = if boolean(&key, value)? { "disabled" } else { "enabled" };
                self.bind_recursive = Some(recursive.to_owned());
            }
            "bind-create-src" => self.create_source = boolean(&key, value)?,
            "volume-nocopy" => self.no_copy = boolean(&key, value)?,
            "volume-subpath" => self.volume.subpath = Some(subpath(&key, text()?)?),
            "volume-driver" => self.volume.driver = Some(text()?.to_owned()),
            "volume-opt" => pair(&mut self.volume.options, text()?),
            "volume-label" => pair(&mut self.volume.labels, text()?),
            "image-subpath" => self.image_subpath = Some(subpath(&key, text()?)?),
            "tmpfs-size" => {
                self.tmpfs_size = Some(size::parse_size("tmpfs-size", text()?).map_err(|error| error.to_string())?);
            }
            "tmpfs-mode" => self.tmpfs_mode = Some(octal(text()?)?),
            "consistency" => drop(text()?),
            _ => return Err(format!("no such field '{key}'")),
        }
        Ok(())
    }

    fn refuse_others(&self, kind: &str) -> Result<(), String> {
        let foreign = |key: &&String| !key.strip_prefix(kind).is_some_and(|rest| rest.starts_with('-'));
        match self.of_types.iter().find(foreign) {
            Some(key) => Err(format!("{key} is not for type={kind}")),
            None => Ok(()),
        }
    }

    fn into_mount(self, kind: &str, cwd: &Path) -> Result<Mount, String> {
        let target = absolute_target(self.target.as_deref().ok_or("no target")?)?;
        let read_only = self.read_only.unwrap_or(kind == "image");
        let kind = match kind {
            "bind" => self.into_bind(cwd)?,
            "tmpfs" => self.into_tmpfs()?,
            "image" => self.into_image()?,
            _ => self.into_volume()?,
        };
        Ok(Mount { target, read_only, kind, mode: String::new(), origin: Origin::Mount })
    }

    fn into_bind(self, cwd: &Path) -> Result<MountKind, String> {
        let source = self.source.ok_or("no source")?;
        let (recursive, read_only_below) = match self.bind_recursive.as_deref() {
            None | Some("enabled" | "readonly") => (true, RecursiveReadOnly::All),
            Some("disabled") => (false, RecursiveReadOnly::TopOnly),
            Some("writable") => (true, RecursiveReadOnly::TopOnly),
            Some(other) => {
                return Err(format!("bind-recursive={other}: not one of enabled, disabled, writable, readonly"));
            }
        };
        if self.bind_recursive.as_deref() == Some("readonly") && self.read_only != Some(true) {
            return Err("bind-recursive=readonly needs readonly".to_owned());
        }
        Ok(MountKind::Bind {
            source: clean(&cwd.join(source)),
            create_source: self.create_source,
            propagation: self.propagation.unwrap_or_default(),
            recursive,
            read_only_below,
        })
    }

    fn into_tmpfs(self) -> Result<MountKind, String> {
        if self.source.is_some() {
            return Err("a tmpfs has no source".to_owned());
        }
        Ok(MountKind::Tmpfs { size: self.tmpfs_size, mode: self.tmpfs_mode, options: Vec::new() })
    }

    fn into_volume(self) -> Result<MountKind, String> {
        let name = self.source.unwrap_or_default();
        if name.starts_with(['/', '.']) {
            return Err(format!("'{name}' is no name of a volume: a path needs type=bind"));
        }
        if !name.is_empty() {
            store::names::validate_volume(&name).map_err(|error| error.to_string())?;
        }
        if name.is_empty() && self.volume.subpath.is_some() {
            return Err("volume-subpath needs a source: a new volume is empty".to_owned());
        }
        Ok(MountKind::Volume(VolumeMount { anonymous: name.is_empty(), name, copy: !self.no_copy, ..self.volume }))
    }

    fn into_image(self) -> Result<MountKind, String> {
        let image = self.source.ok_or("no source")?;
        if self.read_only == Some(false) {
            return Err("an image cannot be written to".to_owned());
        }
        Ok(MountKind::Image(ImageMount { image, id: None, subpath: self.image_subpath, upper: None }))
    }
}

/// A path within a volume or an image.
fn subpath(key: &str, text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if path.is_absolute() || path.components().any(|component| component == Component::ParentDir) {
        return Err(format!("{key}={text}: must be relative, and have no '..'"));
    }
    Ok(path.components().filter(|component| *component != Component::CurDir).collect())
}

fn pair(map: &mut BTreeMap<String, String>, text: &str) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    map.insert(key.to_owned(), value.to_owned());
}

fn boolean(key: &str, value: Option<&str>) -> Result<bool, String> {
    let parse = |value| notation::truth(value).ok_or_else(|| format!("{key}={value}: neither true nor false"));
    value.map_or(Ok(true), parse)
}
