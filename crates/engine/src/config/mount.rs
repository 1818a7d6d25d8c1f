//! `-v`, `--mount`, `--tmpfs` and `--volumes-from`: directories of the host, of memory, volumes and images in a container.

pub(super) mod fields;
mod parse;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use parse::clean;

/// Something mounted into a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where in the container; absolute, without `.` and `..`.
    pub target: PathBuf,
    /// Whether the container cannot write there.
    pub read_only: bool,
    /// What is mounted.
    pub kind: MountKind,
    /// The options as they were written after the last colon of `-v`: what docker calls the mode.
    #[serde(default)]
    pub mode: String,
    /// Who asked for it.
    #[serde(default)]
    pub origin: Origin,
}

/// Who asked for a mount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// `-v`.
    #[default]
    Volume,
    /// `--mount`.
    Mount,
    /// `--tmpfs`.
    Tmpfs,
    /// `--volumes-from`.
    Container,
    /// The image's `VOLUME`.
    Image,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "type")]
pub enum MountKind {
    /// A file or directory of the host.
    Bind {
        /// Its absolute path.
        source: PathBuf,
        /// Whether a missing source is made as a directory: `-v` does, `--mount` does not.
        create_source: bool,
        /// How mounts made later travel between host and container.
        propagation: Propagation,
        /// Whether file systems mounted below the source come along.
        recursive: bool,
        /// How far read-only reaches.
        read_only_below: RecursiveReadOnly,
    },
    /// An empty directory in memory.
    Tmpfs {
        /// Most bytes it may hold; half the memory otherwise.
        size: Option<u64>,
        /// Mode of its root; 1777 otherwise.
        mode: Option<u32>,
        /// Further mount options of `--tmpfs`: flags such as `exec`, and tmpfs(5)'s own such as `nr_inodes=…`.
        options: Vec<String>,
    },
    /// A directory that the store keeps.
    Volume(VolumeMount),
    /// The files of an image, which cannot be changed.
    Image(ImageMount),
}

/// A volume in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeMount {
    /// Its name; empty until the container is created if it is to have a random one.
    pub name: String,
    /// Whether nobody named it: it goes with the container if that is asked for.
    pub anonymous: bool,
    /// Whether it begins with what the image has there, if it is empty.
    pub copy: bool,
    /// What of it is mounted, if not all.
    pub subpath: Option<PathBuf>,
    /// `volume-driver`, for one that has to be made.
    pub driver: Option<String>,
    /// `volume-opt`, for one that has to be made.
    pub options: BTreeMap<String, String>,
    /// `volume-label`, for one that has to be made.
    pub labels: BTreeMap<String, String>,
    /// How mounts made later travel between host and container.
    pub propagation: Propagation,
}

/// An image in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageMount {
    /// As the user typed it.
    pub image: String,
    /// Its id, once the container is created.
    pub id: Option<store::Digest>,
    /// What of it is mounted, if not all.
    pub subpath: Option<PathBuf>,
    /// Where changes go, and overlayfs's work directory beside it; without, nothing can be changed.
    #[serde(skip)]
    pub upper: Option<(PathBuf, PathBuf)>,
}

/// Whose mounts a container gets as well (`--volumes-from CONTAINER[:ro|rw]`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumesFrom {
    /// Name or id.
    pub container: String,
    /// What stands after the colon; empty if nothing does.
    pub mode: String,
}

impl VolumesFrom {
    /// Whether nothing can be written there.
    pub fn is_read_only(&self) -> bool {
        self.mode.split(',').any(|word| word == "ro")
    }
}

/// How mounts made later travel between host and container (`mount_namespaces(7)`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// Not at all, nor below.
    #[default]
    Rprivate,
    /// Not at all.
    Private,
    /// Both ways, also below.
    Rshared,
    /// Both ways.
    Shared,
    /// From the host to the container, also below.
    Rslave,
    /// From the host to the container.
    Slave,
}

impl Propagation {
    /// Every mode and its name.
    const ALL: [(&str, Propagation); 6] = [
        ("rprivate", Propagation::Rprivate),
        ("private", Propagation::Private),
        ("rshared", Propagation::Rshared),
        ("shared", Propagation::Shared),
        ("rslave", Propagation::Rslave),
        ("slave", Propagation::Slave),
    ];

    /// The mode's name in mount options.
    pub fn name(self) -> &'static str {
        Propagation::ALL.iter().find(|(_, mode)| *mode == self).map_or("rprivate", |(name, _)| name)
    }

    fn find(name: &str) -> Option<Propagation> {
        Propagation::ALL.iter().find(|(known, _)| *known == name).map(|(_, mode)| *mode)
    }
}

/// How far the read-only of a bind mount reaches to what is mounted below its source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecursiveReadOnly {
    /// To all of it: docker's default since 25, and the kernel's since 5.12 (`mount_setattr(2)`).
    #[default]
    All,
    /// To the top only (`bind-recursive=writable`).
    TopOnly,
}
