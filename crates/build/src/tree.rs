//! A tree of files as the layers that it is made of, and how it is looked at and changed.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use fsroot::Root;
use store::{Digest, LayerWriter, Store};

use crate::error::{Error, Result};

/// A tree of files: names of layers of the store, the lowest first. None at all is an empty tree.
///
/// Layers never change, so two trees of the same layers are the same for ever.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Names of layers.
    pub(crate) layers: Vec<Digest>,
}

impl Tree {
    /// What tells it from all others.
    pub(crate) fn id(&self) -> Digest {
        store::tree_name(&self.layers)
    }

    /// With one more layer on top.
    pub(crate) fn with(&self, layer: Digest) -> Tree {
        Tree { layers: self.layers.iter().copied().chain([layer]).collect() }
    }

    /// The directories of its layers, the topmost first, as overlayfs wants them.
    pub(crate) fn directories(&self, store: &Store) -> Vec<PathBuf> {
        self.layers.iter().rev().map(|layer| store.layer_dir(layer)).collect()
    }

    /// Opens it to be looked at. None for an empty one.
    ///
    /// # Errors
    /// Those of the mount.
    pub(crate) fn open(&self, store: &Store) -> Result<Option<Root>> {
        if self.layers.is_empty() {
            return Ok(None);
        }
        rooted(engine::mounted_tree(&self.directories(store), None)?).map(Some)
    }

    /// Opens it to be changed: what is changed is written into the layer.
    ///
    /// # Errors
    /// Those of the mount.
    pub(crate) fn open_upon(&self, store: &Store, layer: &LayerWriter) -> Result<Root> {
        let (upper, work) = (layer.path(), layer.make_work()?);
        rooted(engine::mounted_tree(&self.directories(store), Some((&upper, &work)))?)
    }
}

fn rooted(mount: OwnedFd) -> Result<Root> {
    Root::from_fd(mount).map_err(Error::from)
}
