//! The short notations of a mount: `-v [SRC:]DST[:OPTS]`, `--tmpfs DST[:OPTS]` and `--volumes-from CONTAINER[:OPTS]`.

use std::path::{Component, Path, PathBuf};

use super::{Mount, MountKind, Origin, Propagation, RecursiveReadOnly, VolumeMount, VolumesFrom};
use crate::config::size;
use crate::error::{Error, Result};

impl Mount {
    /// Parses `-v [SRC:]DST[:OPTS]`: a path of the host, which is taken from `cwd` if it begins with `.`, the name of a
    /// volume, or nothing for an anonymous one.
    ///
    /// # Errors
    /// `Invalid` for what is not a mount.
    pub fn parse_volume(text: &str, cwd: &Path) -> Result<Mount> {
        let invalid = |why: String| Error::invalid(format!("--volume {text}: {why}"));
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, mode) = match parts.as_slice() {
            [target] => (None, *target, ""),
            [source, target] => (Some(*source), *target, ""),
            [source, target, mode] => (Some(*source), *target, *mode),
            _ => return Err(invalid("more than two colons".to_owned()).with_hint("give SOURCE:TARGET[:OPTIONS]")),
        };
        let mut mount = Mount {
            target: absolute_target(target).map_err(&invalid)?,
            read_only: false,
            kind: source.map_or(Ok(anonymous()), |source| volume_source(text, source, cwd))?,
            mode: mode.to_owned(),
            origin: Origin::Volume,
        };
        volume_options(&mut mount, mode).map_err(&invalid)?;
        Ok(mount)
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
        let kind = MountKind::Tmpfs { size, mode, options };
        Ok(Mount { target, read_only, kind, mode: list.to_owned(), origin: Origin::Tmpfs })
    }
}

impl VolumesFrom {
    /// Parses `--volumes-from CONTAINER[:OPTS]`.
    ///
    /// # Errors
    /// `Invalid` for an empty name and for options other than `ro`, `rw`, `z` and `Z`.
    pub fn parse(text: &str) -> Result<VolumesFrom> {
        let invalid = |why: String| Error::invalid(format!("--volumes-from {text}: {why}"));
        let (container, mode) = text.split_once(':').unwrap_or((text, ""));
        if container.is_empty() {
            return Err(invalid("the container is missing".to_owned()));
        }
        let unknown = |word: &&str| !matches!(*word, "ro" | "rw" | "z" | "Z" | "nocopy");
        match mode.split(',').find(unknown) {
            Some(word) if text.contains(':') => Err(invalid(format!("no such option '{word}'"))),
            _ if mode.contains("ro") && mode.contains("rw") => Err(invalid("both ro and rw".to_owned())),
            _ => Ok(VolumesFrom { container: container.to_owned(), mode: mode.to_owned() }),
        }
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

fn anonymous() -> MountKind {
    MountKind::Volume(VolumeMount { anonymous: true, copy: true, ..VolumeMount::default() })
}

/// What `-v` calls a source: an absolute path, one that begins with `.`, or the name of a volume.
fn volume_source(text: &str, source: &str, cwd: &Path) -> Result<MountKind> {
    if source.starts_with(['/', '.']) {
        return Ok(bind(clean(&cwd.join(source)), true));
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
    store::names::validate_volume(source).map_err(|error| Error::invalid(format!("--volume {text}: {error}")))?;
    Ok(MountKind::Volume(VolumeMount { name: source.to_owned(), copy: true, ..VolumeMount::default() }))
}

/// What an option of `-v` is about: of each kind there can be one.
#[derive(PartialEq, Eq)]
enum About {
    Access,
    Label,
    Propagation,
    Recursion,
    Copy,
    Consistency,
}

fn volume_options(mount: &mut Mount, options: &str) -> Result<(), String> {
    let mut seen = Vec::new();
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let about = volume_option(mount, option)?;
        if seen.contains(&about) {
            return Err(format!("'{option}' comes after another option about the same"));
        }
        seen.push(about);
    }
    Ok(())
}

fn volume_option(mount: &mut Mount, option: &str) -> Result<About, String> {
    match (option, &mut mount.kind) {
        ("ro" | "readonly", _) => mount.read_only = true,
        ("rw", _) => mount.read_only = false,
        // Relabelling for SELinux: docker takes it on hosts without SELinux as well, where it means nothing.
        ("z" | "Z", _) => return Ok(About::Label),
        ("cached" | "delegated" | "consistent" | "default", _) => return Ok(About::Consistency),
        ("rbind" | "bind", MountKind::Bind { recursive, .. }) => {
            *recursive = option == "rbind";
            return Ok(About::Recursion);
        }
        ("nocopy", MountKind::Volume(volume)) => {
            volume.copy = false;
            return Ok(About::Copy);
        }
        ("nocopy", _) => return Err("nocopy is for volumes".to_owned()),
        (other, MountKind::Bind { propagation, .. } | MountKind::Volume(VolumeMount { propagation, .. })) => {
            *propagation = Propagation::find(other).ok_or_else(|| format!("no such option '{other}'"))?;
            return Ok(About::Propagation);
        }
        (other, _) => return Err(format!("no such option '{other}'")),
    }
    Ok(About::Access)
}

pub(super) fn octal(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| format!("'{text}' is not a mode in octal digits"))
}

pub(super) fn absolute_target(target: &str) -> Result<PathBuf, String> {
    if !target.starts_with('/') {
        return Err(format!("the target '{target}' is not an absolute path"));
    }
    match clean(Path::new(target)) {
        root if root == Path::new("/") => Err("the target is the root directory".to_owned()),
        target => Ok(target),
    }
}

/// The path without `.`, `..` and doubled slashes, by its text alone.
pub(crate) fn clean(path: &Path) -> PathBuf {
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
