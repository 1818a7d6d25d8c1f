//! Making images durable while nobody waits: a process of its own, `phial system sync`, outlives the command that
//! pulled. If it is killed the next one does its work; only a power failure before that means to pull again.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use crate::engine::Engine;
use crate::error::Result;

impl Engine {
    /// Waits until every listed image would survive a power failure; returns how many did not before.
    ///
    /// # Errors
    /// `Store`.
    pub fn sync_images(&self) -> Result<usize> {
        Ok(self.store.sync_images()?)
    }

    /// Sees to it that [`Engine::sync_images`] happens. What does not work here is no error: the image is there.
    pub fn sync_images_later(&self) {
        if !self.store.has_unsynced_images().unwrap_or(false) {
            return;
        }
        let Some(program) = self.options.program.and_then(|path| File::open(path).ok()) else { return };
        let directory = |path: &Path| path.to_str().map(str::to_owned);
        let (Some(root), Some(run)) = (directory(self.paths().root()), directory(self.paths().run())) else { return };
        let arguments = ["phial", "--root", &root, "--run", &run, "system", "sync", "--quiet"];
        sys::spawn::detached(program.as_fd(), &arguments, &[]).ok();
    }
}
