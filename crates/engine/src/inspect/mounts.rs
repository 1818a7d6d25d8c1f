//! What `inspect` tells of mounts: `Mounts`, which is what the container has, and the fields of `HostConfig` and `Config`
//! that repeat what was asked for.

use serde_json::{Map, Value, json};
use store::Paths;

use crate::config::{ContainerConfig, ImageMount, Mount, MountKind, Origin, VolumeMount};

/// `Mounts`: everything but what `--tmpfs` made, which docker shows elsewhere.
pub(super) fn mounts(config: &ContainerConfig, paths: &Paths) -> Value {
    config.mounts.iter().filter(|mount| mount.origin != Origin::Tmpfs).map(|one| mount(one, paths)).collect()
}

fn mount(mount: &Mount, paths: &Paths) -> Value {
    let propagation = match &mount.kind {
        MountKind::Bind { propagation, .. } => propagation.name(),
        _ => "",
    };
    let (name, source) = match &mount.kind {
        MountKind::Bind { source, .. } => (None, source.display().to_string()),
        MountKind::Volume(volume) => (Some(&volume.name), paths.volume_data(&volume.name).display().to_string()),
        MountKind::Image(image) => (None, image.image.clone()),
        MountKind::Tmpfs { .. } => (None, String::new()),
    };
    let mut value = json!({"Type": kind(mount)});
    let mut add = |key: &str, field: Value| value.as_object_mut().map(|object| object.insert(key.to_owned(), field));
    if let Some(name) = name {
        add("Name", json!(name));
    }
    add("Source", source.into());
    add("Destination", json!(mount.target));
    if name.is_some() {
        add("Driver", "local".into());
    }
    add("Mode", mode(mount).into());
    add("RW", (!mount.read_only).into());
    add("Propagation", propagation.into());
    value
}

fn kind(mount: &Mount) -> &'static str {
    match &mount.kind {
        MountKind::Bind { .. } => "bind",
        MountKind::Tmpfs { .. } => "tmpfs",
        MountKind::Volume(_) => "volume",
        MountKind::Image(_) => "image",
    }
}

/// A volume with a name is shared between containers, as far as SELinux is concerned: docker says so here.
fn mode(mount: &Mount) -> &str {
    match &mount.kind {
        MountKind::Volume(volume) if mount.mode.is_empty() && !volume.anonymous => "z",
        _ => &mount.mode,
    }
}

/// `HostConfig.Binds`: what `-v` asked for, but for anonymous volumes.
pub(super) fn binds(config: &ContainerConfig) -> Vec<String> {
    let of_flag = config.mounts.iter().filter(|mount| mount.origin == Origin::Volume);
    of_flag.filter_map(bind).collect()
}

fn bind(mount: &Mount) -> Option<String> {
    let source = match &mount.kind {
        MountKind::Bind { source, .. } => source.display().to_string(),
        MountKind::Volume(VolumeMount { name, anonymous: false, .. }) => name.clone(),
        _ => return None,
    };
    let mode = if mount.mode.is_empty() && mount.read_only { "ro" } else { &mount.mode };
    let colon = if mode.is_empty() { "" } else { ":" };
    Some(format!("{source}:{}{colon}{mode}", mount.target.display()))
}

/// `HostConfig.Mounts`: what `--mount` asked for; null if nothing.
pub(super) fn asked(config: &ContainerConfig) -> Value {
    let asked: Vec<Value> = config.mounts.iter().filter(|mount| mount.origin == Origin::Mount).map(asked_for).collect();
    if asked.is_empty() { Value::Null } else { asked.into() }
}

fn asked_for(mount: &Mount) -> Value {
    let mut value = json!({"Type": kind(mount), "Target": mount.target});
    let mut add = |key: &str, field: Value| value.as_object_mut().map(|object| object.insert(key.to_owned(), field));
    if mount.read_only {
        add("ReadOnly", true.into());
    }
    match &mount.kind {
        MountKind::Bind { source, propagation, recursive, .. } => {
            add("Source", json!(source));
            add("BindOptions", json!({"Propagation": propagation.name(), "NonRecursive": !recursive}));
        }
        MountKind::Tmpfs { size, mode, .. } => {
            add("TmpfsOptions", json!({"SizeBytes": size.unwrap_or(0), "Mode": mode.unwrap_or(0)}));
        }
        MountKind::Volume(volume) => {
            if !volume.anonymous {
                add("Source", json!(volume.name));
            }
            add(
                "VolumeOptions",
                json!({
                    "NoCopy": !volume.copy,
                    "Labels": volume.labels,
                    "Subpath": volume.subpath,
                    "DriverConfig": {"Name": volume.driver, "Options": volume.options},
                }),
            );
        }
        MountKind::Image(ImageMount { image, subpath, .. }) => {
            add("Source", json!(image));
            add("ImageOptions", json!({"Subpath": subpath}));
        }
    }
    value
}

/// `HostConfig.Tmpfs`: what `--tmpfs` asked for; null if nothing.
pub(super) fn tmpfs(config: &ContainerConfig) -> Value {
    let of_flag = config.mounts.iter().filter(|mount| mount.origin == Origin::Tmpfs);
    let all: Map<String, Value> =
        of_flag.map(|mount| (mount.target.display().to_string(), mount.mode.clone().into())).collect();
    if all.is_empty() { Value::Null } else { all.into() }
}

/// `HostConfig.VolumesFrom`: null if nothing was asked for.
pub(super) fn volumes_from(config: &ContainerConfig) -> Value {
    let from = config.volumes_from.iter().map(|from| {
        let colon = if from.mode.is_empty() { "" } else { ":" };
        format!("{}{colon}{}", from.container, from.mode)
    });
    let from: Vec<String> = from.collect();
    if from.is_empty() { Value::Null } else { json!(from) }
}

/// `Config.Volumes`: paths of the image's `VOLUME`s and of volumes without a name; null if there are none.
pub(super) fn paths_of_volumes(config: &ContainerConfig, image: &[String]) -> Value {
    let anonymous = |mount: &&Mount| {
        mount.origin == Origin::Volume && matches!(&mount.kind, MountKind::Volume(volume) if volume.anonymous)
    };
    let own = config.mounts.iter().filter(anonymous).map(|mount| mount.target.display().to_string());
    let all: Map<String, Value> = image.iter().cloned().chain(own).map(|path| (path, json!({}))).collect();
    if all.is_empty() { Value::Null } else { all.into() }
}
