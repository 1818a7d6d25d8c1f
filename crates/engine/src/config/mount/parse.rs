//! The three notations of a mount: `-v SRC:DST[:OPTS]`, `--mount KEY=VALUE,…` and `--tmpfs DST[:OPTS]`.

use std::path::{Component, Path, PathBuf};

use super::{Mount, MountKind, Propagation, RecursiveReadOnly};
use crate::config::size;
use crate::error::{Error, Result};

impl Mount {
    /// Parses `-v SRC:DST[:OPTS]`. A source that begins with `.` is taken from `cwd`.
    ///
    /// # Errors
    /// `Unsupported` for named and anonymous volumes, `Invalid` for what is not a mount.
    pub fn parse_volume(text: &str, cwd: &Path) -> Result<Mount> {
        let invalid = |why: String| Error::invalid(format!("--volume {text}: {why}"));
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, options) = match parts.as_slice() {
            [target] => {
                return Err(no_volumes("--volume", text, &format!("'{target}' alone asks for an anonymous volume")));
            }
            [source, target] => (*source, *target, ""),
            [source, target, options] => (*source, *target, *options),
            _ => return Err(invalid("more than two colons".to_owned()).with_hint("give SOURCE:TARGET[:OPTIONS]")),
        };
        let mut mount = Mount {
            target: absolute_target(target).map_err(&invalid)?,
            read_only: false,
            kind: bind(volume_source(text, source, cwd)?, true),
        };
        for option in options.split(',').filter(|option| !option.is_empty()) {
            volume_option(&mut mount, option).map_err(&invalid)?;
        }
        Ok(mount)
    }

    /// Parses `--mount KEY=VALUE,…`. A relative source is taken from `cwd`.
    ///
    /// # Errors
    /// `Unsupported` for volumes and the other types docker has, `Invalid` for what is not a mount.
    pub fn parse_mount(text: &str, cwd: &Path) -> Result<Mount> {
        let invalid = |why: String| Error::invalid(format!("--mount {text}: {why}"));
        let mut fields = Fields::default();
        for field in fields_of(text).map_err(&invalid)? {
            fields.take(&field).map_err(&invalid)?;
        }
        match fields.kind.as_deref() {
            Some("bind") => fields.into_bind(cwd).map_err(invalid),
            Some("tmpfs") => fields.into_tmpfs().map_err(invalid),
            Some("volume") | None => {
                Err(no_volumes("--mount", text, "without type=bind or type=tmpfs it asks for a volume"))
            }
            Some(other @ ("image" | "npipe" | "cluster")) => {
                Err(Error::unsupported(format!("--mount {text}: mounts of type {other} are not supported")))
            }
            Some(other) => Err(invalid(format!("no such type '{other}'")).with_hint("type=bind or type=tmpfs")),
        }
    }

    /// Parses `--tmpfs DST[:OPTS]`, where the options are those of a tmpfs mount, such as `size=64m,mode=1770,exec`.
    ///
    /// # Errors
    /// `Invalid` for an option that a tmpfs has not.
    pub fn parse_tmpfs(text: &str) -> Result<Mount> {
        let invalid = |why: String| Error::invalid(format!("--tmpfs {text}: {why}"));
        let (target, list) = text.split_once(':').unwrap_or((text, ""));
        let target = absolute_target(target).map_err(&invalid)?;
        let (mut size, mut mode, mut options, mut read_only) = (None, None, Vec::new(), false);
        for option in list.split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=').unwrap_or((option, "")) {
                ("size", value) => {
                    size = Some(size::parse_size("size", value).map_err(|error| invalid(error.to_string()))?);
                }
                ("mode", value) => mode = Some(octal(value).map_err(&invalid)?),
                ("ro", "") => read_only = true,
                ("rw", "") => read_only = false,
                ("uid" | "gid" | "nr_inodes" | "nr_blocks", value) if value.parse::<u64>().is_ok() => {
                    options.push(option.to_owned());
                }
                ("exec" | "noexec" | "suid" | "nosuid" | "dev" | "nodev" | "noatime" | "relatime", "") => {
                    options.push(option.to_owned());
                }
                _ => return Err(invalid(format!("no such option '{option}'"))),
            }
        }
        Ok(Mount { target, read_only, kind: MountKind::Tmpfs { size, mode, options } })
    }
}

fn bind(source: PathBuf, create_source: bool) -> MountKind {
    MountKind::Bind {
        source,
        create_source,
        propagation: Propagation::default(),
        recursive: true,
        read_only_below: RecursiveReadOnly::default(),
    }
}

fn no_volumes(flag: &str, text: &str, what: &str) -> Error {
    Error::unsupported(format!("{flag} {text}: {what}, and this version has no volumes"))
        .with_hint("mount a directory of the host: -v /absolute/path:/target")
}

/// What `-v` calls a source: an absolute path, one that begins with `.`, or the name of a volume.
fn volume_source(text: &str, source: &str, cwd: &Path) -> Result<PathBuf> {
    if source.starts_with(['/', '.']) {
        return Ok(clean(&cwd.join(source)));
    }
    if source.is_empty() {
        return Err(Error::invalid(format!("--volume {text}: the source is empty")));
    }
    if source.contains('/') || source.starts_with('~') {
        return Err(Error::invalid(format!(
            "--volume {text}: '{source}' is neither an absolute path nor a name of a volume"
        ))
        .with_hint(format!("for a directory of the host write ./{source}, or its absolute path")));
    }
    Err(no_volumes("--volume", text, &format!("'{source}' is the name of a volume")))
}

fn volume_option(mount: &mut Mount, option: &str) -> Result<(), String> {
    let MountKind::Bind { propagation, recursive, .. } = &mut mount.kind else {
        return Err("not a bind mount".to_owned());
    };
    match option {
        "ro" | "readonly" => mount.read_only = true,
        "rw" => mount.read_only = false,
        "rbind" => *recursive = true,
        "bind" => *recursive = false,
        // Relabelling for SELinux: docker takes it on hosts without SELinux as well, where it means nothing.
        "z" | "Z" | "cached" | "delegated" | "consistent" | "default" => {}
        "nocopy" => return Err("nocopy is for volumes".to_owned()),
        other => *propagation = Propagation::find(other).ok_or_else(|| format!("no such option '{other}'"))?,
    }
    Ok(())
}

/// The fields of `--mount` as they come.
#[derive(Default)]
struct Fields {
    kind: Option<String>,
    source: Option<String>,
    target: Option<String>,
    read_only: bool,
    propagation: Option<Propagation>,
    bind_recursive: Option<String>,
    tmpfs_size: Option<u64>,
    tmpfs_mode: Option<u32>,
}

impl Fields {
    fn take(&mut self, field: &str) -> Result<(), String> {
        let (key, value) = field.split_once('=').map_or((field, None), |(key, value)| (key, Some(value)));
        let text = || value.filter(|value| !value.is_empty()).ok_or_else(|| format!("'{key}' needs a value"));
        match key.to_ascii_lowercase().as_str() {
            "type" => self.kind = Some(text()?.to_ascii_lowercase()),
            "source" | "src" => self.source = Some(text()?.to_owned()),
            "target" | "dst" | "destination" => self.target = Some(text()?.to_owned()),
            "readonly" | "ro" => self.read_only = boolean(key, value)?,
            "bind-propagation" => {
                let mode = text()?;
                self.propagation =
                    Some(Propagation::find(mode).ok_or_else(|| format!("no such propagation '{mode}'"))?);
            }
            "bind-recursive" => self.bind_recursive = Some(text()?.to_owned()),
            "bind-nonrecursive" => {
                let recursive = if boolean(key, value)? { "disabled" } else { "enabled" };
                self.bind_recursive = Some(recursive.to_owned());
            }
            "tmpfs-size" => {
                self.tmpfs_size = Some(size::parse_size("tmpfs-size", text()?).map_err(|error| error.to_string())?);
            }
            "tmpfs-mode" => self.tmpfs_mode = Some(octal(text()?)?),
            "consistency" => drop(text()?),
            _ => return Err(format!("no such field '{key}'")),
        }
        Ok(())
    }

    fn into_bind(self, cwd: &Path) -> Result<Mount, String> {
        if self.tmpfs_size.is_some() || self.tmpfs_mode.is_some() {
            return Err("tmpfs-size and tmpfs-mode are for type=tmpfs".to_owned());
        }
        let source = self.source.ok_or("no source")?;
        let target = absolute_target(self.target.as_deref().ok_or("no target")?)?;
        let (recursive, read_only_below) = match self.bind_recursive.as_deref() {
            None | Some("enabled" | "readonly") => (true, RecursiveReadOnly::All),
            Some("disabled") => (false, RecursiveReadOnly::TopOnly),
            Some("writable") => (true, RecursiveReadOnly::TopOnly),
            Some(other) => {
                return Err(format!("bind-recursive={other}: not one of enabled, disabled, writable, readonly"));
            }
        };
        if self.bind_recursive.as_deref() == Some("readonly") && !self.read_only {
            return Err("bind-recursive=readonly needs readonly".to_owned());
        }
        let kind = MountKind::Bind {
            source: clean(&cwd.join(source)),
            create_source: false,
            propagation: self.propagation.unwrap_or_default(),
            recursive,
            read_only_below,
        };
        Ok(Mount { target, read_only: self.read_only, kind })
    }

    fn into_tmpfs(self) -> Result<Mount, String> {
        if self.source.is_some() {
            return Err("a tmpfs has no source".to_owned());
        }
        if self.propagation.is_some() || self.bind_recursive.is_some() {
            return Err("bind-propagation and bind-recursive are for type=bind".to_owned());
        }
        let target = absolute_target(self.target.as_deref().ok_or("no target")?)?;
        let kind = MountKind::Tmpfs { size: self.tmpfs_size, mode: self.tmpfs_mode, options: Vec::new() };
        Ok(Mount { target, read_only: self.read_only, kind })
    }
}

/// The fields of one line of CSV (RFC 4180): a field in double quotes may hold commas, and quotes doubled.
fn fields_of(text: &str) -> Result<Vec<String>, String> {
    let mut fields = vec![String::new()];
    let mut characters = text.chars().peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        let at_start = fields.last().is_none_or(String::is_empty);
        match character {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => push(&mut fields, '"'),
            '"' if quoted => quoted = false,
            '"' if at_start => quoted = true,
            '"' => return Err("a quote within a field".to_owned()),
            ',' if !quoted => fields.push(String::new()),
            other => push(&mut fields, other),
        }
    }
    if quoted { Err("a quote is not closed".to_owned()) } else { Ok(fields) }
}

fn push(fields: &mut [String], character: char) {
    if let Some(last) = fields.last_mut() {
        last.push(character);
    }
}

fn boolean(key: &str, value: Option<&str>) -> Result<bool, String> {
    match value {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => Err(format!("{key}={other}: neither true nor false")),
    }
}

fn octal(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| format!("'{text}' is not a mode in octal digits"))
}

fn absolute_target(target: &str) -> Result<PathBuf, String> {
    if !target.starts_with('/') {
        return Err(format!("the target '{target}' is not an absolute path"));
    }
    match clean(Path::new(target)) {
        root if root == Path::new("/") => Err("the target is the root directory".to_owned()),
        target => Ok(target),
    }
}

/// The path without `.`, `..` and doubled slashes, by its text alone.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => cleaned.push(name),
            Component::ParentDir => drop(cleaned.pop()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    cleaned
}

#[cfg(test)]
mod tests;
