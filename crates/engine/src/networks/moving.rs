//! Containers that run and come to a network, or leave it. Their supervisor and their row cannot change at one instant: between
//! the two a container is on a network that its row does not name. Whoever finds it so takes it off, unless somebody is
//! just about it.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;

use net::Network;
use store::ContainerId;

use crate::config::network::DEFAULT_NETWORK;
use crate::config::{ContainerConfig, Network as Mode};
use crate::engine::Engine;
use crate::error::{Context, Result};

/// File among the registers: locked by whoever moves a container (shared), and by who looks for what others have left.
const MOVING: &str = "moving";

/// That a container moves; as long as this value lives, nobody takes it for one whose move was never finished.
#[derive(Debug)]
pub(super) struct Moving(#[expect(dead_code, reason = "held for its lock")] File);

impl Engine {
    /// Begins to move a container.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn begin_move(&self) -> Result<Moving> {
        let file = self.moving()?;
        file.lock_shared().context(|| MOVING)?;
        Ok(Moving(file))
    }

    /// Takes a container off a network that its row does not name, if that is still so and nobody is moving one.
    ///
    /// # Errors
    /// `Store`; `System` when the kernel refuses.
    pub(super) fn finish_move(&self, id: &ContainerId, network: &Network) -> Result<()> {
        let file = self.moving()?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(()),
            other => other.map_err(std::io::Error::from).context(|| MOVING)?,
        }
        let container = self.container(&id.hex())?;
        let is_on = self.endpoints_of(id)?.iter().any(|(on, _)| on.id == network.id);
        if !is_on || names(&container.config, network) || !container.state.is_running() {
            return Ok(());
        }
        self.disconnect_live(&container, network)?;
        self.rewrite_names(&container.record, &container.config)
    }

    fn moving(&self) -> Result<File> {
        let directory = self.paths().run_networks();
        let path = directory.join(MOVING);
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).context(|| directory.display())?;
        File::options().create(true).truncate(false).write(true).open(&path).context(|| path.display())
    }
}

/// Whether a configuration has a container on this network.
pub(super) fn names(config: &ContainerConfig, network: &Network) -> bool {
    match &config.network {
        Mode::Own(connections) if connections.is_empty() => network.name == DEFAULT_NETWORK,
        mode => mode.connections().iter().any(|connection| connection.network == network.id),
    }
}
