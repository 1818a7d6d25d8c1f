//! Where everything lies. Pure: nothing here touches a file system, except that a relative path is made absolute.

use std::path::{Path, PathBuf};

use crate::{ContainerId, Digest, Error, Result};

/// The two directories a store consists of, and the names below them.
///
/// ```text
/// ROOT/  phial.db  events/  lock  blobs/sha256/<hex>  layers/<diff id>/{layer.json,fs/}  tmp/  containers/<id>/
///        volumes/<name>/_data  manifests/<hex>.json  init-layer/  contexts/<hex>
/// RUN/   containers/<id>/{lock,status.json,sock}  networks/<id>.json
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    root: PathBuf,
    run: PathBuf,
}

impl Paths {
    /// Default of [`Paths::root`].
    pub const DEFAULT_ROOT: &'static str = "/var/lib/phial";
    /// Default of [`Paths::run`].
    pub const DEFAULT_RUN: &'static str = "/run/phial";
    /// Environment variable that changes [`Paths::root`].
    pub const ROOT_VARIABLE: &'static str = "PHIAL_ROOT";
    /// Environment variable that changes [`Paths::run`].
    pub const RUN_VARIABLE: &'static str = "PHIAL_RUN";

    /// File in a container's run directory whose lock says that the container lives.
    pub const LOCK_FILE: &'static str = "lock";
    /// File in a container's run directory that its supervisor writes once the container was started. The supervisor's
    /// protocol names it; the store only looks whether it is there.
    pub const STATUS_FILE: &'static str = "status.json";
    /// File in a container's directory that its supervisor writes when the container has ended. The supervisor's
    /// protocol names it; the store only looks whether it is there.
    pub const EXIT_FILE: &'static str = "exit.json";
    /// File in a container's directory that says that it was started, where nothing else would after a reboot. The
    /// supervisor's protocol names it; the store only looks whether it is there.
    pub const RUN_FILE: &'static str = "run.json";

    /// A store in these two directories.
    ///
    /// # Errors
    /// When a path is relative and there is no working directory.
    pub fn new(root: impl AsRef<Path>, run: impl AsRef<Path>) -> Result<Paths> {
        Ok(Paths { root: absolute(root.as_ref())?, run: absolute(run.as_ref())? })
    }

    /// What the command line says, or else the environment, or else the defaults.
    ///
    /// # Errors
    /// As [`Paths::new`].
    pub fn choose(root: Option<&Path>, run: Option<&Path>) -> Result<Paths> {
        let pick = |flag: Option<&Path>, variable: &str, default: &str| match (flag, std::env::var_os(variable)) {
            (Some(path), _) => path.to_owned(),
            (None, Some(path)) if !path.is_empty() => PathBuf::from(path),
            (None, _) => PathBuf::from(default),
        };
        Paths::new(
            pick(root, Paths::ROOT_VARIABLE, Paths::DEFAULT_ROOT),
            pick(run, Paths::RUN_VARIABLE, Paths::DEFAULT_RUN),
        )
    }

    /// What survives a reboot.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What does not.
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.root.join("phial.db")
    }

    /// The database's log: what was committed since the last checkpoint.
    pub fn database_log(&self) -> PathBuf {
        self.root.join("phial.db-wal")
    }

    /// The store-wide lock file.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The directory of all blobs.
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    /// A blob's file.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    /// The directory of all layers.
    pub fn layers(&self) -> PathBuf {
        self.root.join("layers")
    }

    /// What belongs to one layer: its record and its tree.
    pub fn layer(&self, diff_id: &Digest) -> PathBuf {
        self.layers().join(diff_id.hex())
    }

    /// A layer's tree: what overlayfs takes as a lower directory.
    pub fn layer_fs(&self, diff_id: &Digest) -> PathBuf {
        self.layers().join(diff_id.hex()).join("fs")
    }

    /// What is being written or deleted.
    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// The directory of what is known of the files of builds' contexts, one file for each.
    pub fn contexts(&self) -> PathBuf {
        self.root.join("contexts")
    }

    /// The directory of the journal of events.
    pub fn events(&self) -> PathBuf {
        self.root.join("events")
    }

    /// The directory of all containers' persistent directories.
    pub fn containers(&self) -> PathBuf {
        self.root.join("containers")
    }

    /// A container's persistent directory.
    pub fn container(&self, id: &ContainerId) -> PathBuf {
        self.containers().join(id.hex())
    }

    /// The lowest layer of every container: what it mounts on.
    pub fn init_layer(&self) -> PathBuf {
        self.root.join("init-layer")
    }

    /// The directory of all volumes.
    pub fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    /// A volume's own directory, whose lock is the volume's. The name must be a valid one.
    pub fn volume(&self, name: &str) -> PathBuf {
        self.volumes().join(name)
    }

    /// The directory of the lists of manifests in the making.
    pub fn manifest_lists(&self) -> PathBuf {
        self.root.join("manifests")
    }

    /// The file of the list with this name, in full.
    pub fn manifest_list(&self, name: &str) -> PathBuf {
        self.manifest_lists().join(format!("{}.json", Digest::of(name.as_bytes()).hex()))
    }

    /// What containers see of a volume.
    pub fn volume_data(&self, name: &str) -> PathBuf {
        self.volume(name).join("_data")
    }

    /// The directory of all containers' run directories.
    pub fn run_containers(&self) -> PathBuf {
        self.run.join("containers")
    }

    /// The directory of the registers of what lives on networks, which are not the store's.
    pub fn run_networks(&self) -> PathBuf {
        self.run.join("networks")
    }

    /// A container's directory below RUN.
    pub fn run_container(&self, id: &ContainerId) -> PathBuf {
        self.run_containers().join(id.hex())
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| Error::io("making absolute", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_the_two_directories() {
        let paths = Paths::new("/a", "/b").expect("is absolute");
        let digest = Digest::from_bytes([0xab; 32]);
        let hex = "ab".repeat(32);
        let id: ContainerId = hex.parse().expect("is an id");
        let cases = [
            (paths.database(), "/a/phial.db".to_owned()),
            (paths.blob(&digest), format!("/a/blobs/sha256/{hex}")),
            (paths.layer_fs(&digest), format!("/a/layers/{hex}/fs")),
            (paths.container(&id), format!("/a/containers/{hex}")),
            (paths.run_container(&id), format!("/b/containers/{hex}")),
        ];
        for (path, expected) in cases {
            assert_eq!(path, Path::new(&expected));
        }
    }

    #[test]
    fn the_command_line_wins_and_paths_become_absolute() {
        let paths = Paths::choose(Some(Path::new("here")), Some(Path::new("/there"))).expect("resolves");
        assert!(paths.root().is_absolute());
        assert!(paths.root().ends_with("here"));
        assert_eq!(paths.run(), Path::new("/there"));
    }
}
