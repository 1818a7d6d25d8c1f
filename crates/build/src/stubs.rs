//! What is made in a tree so that something can be mounted on it, and is nothing of a command's result: taken away when it has
//! ended, if it is still as it was made.
//!
//! The command has had the tree in its hands meanwhile. Paths are resolved in the tree itself, so that a link that it has put
//! in the place of a directory leads nowhere else (CVE-2024-23652), and only what is empty goes.

use std::path::{Path, PathBuf};

use fsroot::{Follow, Root, Timestamps};
use store::{LayerWriter, Store};

use crate::error::Result;
use crate::tree::Tree;

/// What is made to be mounted on.
#[derive(Debug, Default)]
pub(crate) struct Stubs {
    directories: Vec<PathBuf>,
    /// Paths that were not there, those below first.
    missing: Vec<PathBuf>,
    /// Directories in which something was made, and when they had been changed last.
    above: Vec<(PathBuf, Timestamps)>,
}

impl Stubs {
    /// Looks what is not there in a tree of that on which something will be mounted.
    ///
    /// # Errors
    /// Those of the mount.
    pub(crate) fn before(base: &Tree, store: &Store, targets: &[PathBuf]) -> Result<Stubs> {
        let mut stubs = Stubs { directories: base.directories(store), ..Stubs::default() };
        if targets.is_empty() {
            return Ok(stubs);
        }
        let root = base.open(store)?;
        for target in targets {
            stubs.look(root.as_ref(), target);
        }
        stubs.missing.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
        stubs.missing.dedup();
        Ok(stubs)
    }

    fn look(&mut self, root: Option<&Root>, target: &Path) {
        let target = target.strip_prefix("/").unwrap_or(target);
        let paths: Vec<&Path> = target.ancestors().filter(|path| *path != Path::new("")).collect();
        let found = |path: &Path| root.and_then(|root| root.metadata(path, Follow::Yes).ok());
        for path in paths {
            match found(path) {
                None => self.missing.push(path.to_owned()),
                Some(found) => {
                    let times = Timestamps { last_access: found.modified, last_modification: found.modified };
                    self.above.push((path.to_owned(), times));
                    return;
                }
            }
        }
    }

    /// Takes away what was made.
    ///
    /// # Errors
    /// Those of the mount.
    pub(crate) fn remove(&self, layer: &LayerWriter) -> Result<()> {
        if self.missing.is_empty() {
            return Ok(());
        }
        let (upper, work) = (layer.path(), layer.make_work()?);
        let root = Root::from_fd(engine::mounted_tree(&self.directories, Some((&upper, &work)))?)?;
        for path in &self.missing {
            // What a command has made of it stays.
            remove_empty(&root, path).ok();
        }
        for (path, times) in &self.above {
            if self.missing.iter().any(|missing| missing.parent() == Some(path)) {
                root.set_times(path, times).ok();
            }
        }
        Ok(())
    }
}

fn remove_empty(root: &Root, path: &Path) -> fsroot::Result<()> {
    let (directory, name) = root.parent(path)?;
    let found = directory.metadata(name)?;
    if found.is_dir() {
        directory.remove_dir(name)
    } else if found.is_file() && found.size == 0 {
        directory.unlink(name)
    } else {
        Ok(())
    }
}
