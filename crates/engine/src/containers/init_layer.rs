//! What every container mounts on, as the lowest of its layers: docker's `-init` layer, made once for all.
//!
//! Most images lack some of it. Without this layer each container would make it in what it writes, which costs inodes: ext4
//! without a journal looks long for one that nobody has had in the last minutes, a quarter of the time of a short run.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::engine::Engine;
use crate::error::{Context, Result};
use crate::spec::FILES;

/// The outer first.
const DIRECTORIES: [&str; 4] = ["dev", "proc", "sys", "etc"];

impl Engine {
    /// The lower directories of a container's root, the topmost first: an image's `layers`, and what there is to mount on.
    ///
    /// # Errors
    /// Those of making the latter.
    pub(crate) fn lower(&self, mut layers: Vec<PathBuf>) -> Result<Vec<PathBuf>> {
        layers.push(self.init_layer()?);
        Ok(layers)
    }

    /// The layer's directory. It is whole once its last file is there, and making what is there already changes nothing: so
    /// whoever comes first may be killed at it, and two may make it at once.
    fn init_layer(&self) -> Result<PathBuf> {
        let layer = self.paths().init_layer();
        if files(&layer).last().is_none_or(|last| last.symlink_metadata().is_err()) {
            make(&layer).context(|| layer.display())?;
        }
        Ok(layer)
    }
}

fn files(layer: &Path) -> [PathBuf; FILES.len()] {
    FILES.map(|(_, target)| layer.join(target.trim_start_matches('/')))
}

fn make(layer: &Path) -> std::io::Result<()> {
    for path in DIRECTORIES.map(|name| layer.join(name)) {
        fs::create_dir_all(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    }
    for path in files(layer) {
        fs::File::options().create(true).append(true).open(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o644))?;
    }
    Ok(())
}
