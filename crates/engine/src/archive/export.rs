//! `export`: the root file system of a container as an archive, without what is mounted there.

use std::io::Write;

use image::layer::{Form, pack};

use super::copy::packing;
use super::view::Seen;
use crate::containers::lifecycle::Container;
use crate::engine::Engine;
use crate::error::Result;

impl Engine {
    /// Writes all files of a container to `out`, as one tar archive. Volumes and other mounts are left out, as docker does.
    ///
    /// # Errors
    /// `Conflict` for a container that is just being started, `System` for what cannot be read or written.
    pub fn export(&self, container: &Container, out: impl Write) -> Result<()> {
        let view = self.view(container, Seen::Root)?;
        pack(view.root.dir(), Form::Plain, out).map_err(packing)?;
        self.tell_container(container, "export", &[]);
        Ok(())
    }
}
