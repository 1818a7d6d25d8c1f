//! Containers that run and come to a network, or leave it. Their supervisor and their row cannot change at one instant: between
//! the two a container is on a network that its row does not name. Whoever finds it so takes it off, unless somebody is
//! just about it.

use std::fs::File;

use net::Network;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use store::ContainerId;

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
        let file = self.registers().file(MOVING)?;
        rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockShared)).context(|| MOVING)?;
        Ok(Moving(file))
    }

    /// Takes a container off a network that its row does not name, if that is still so and nobody is moving one.
    ///
    /// # Errors
    /// `Store`; `System` when the kernel refuses.
    pub(super) fn finish_move(&self, id: &ContainerId, network: &Network) -> Result<()> {
        let file = self.registers().file(MOVING)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Ok(()),
            locked => locked.context(|| MOVING)?,
        }
        let container = self.container(&id.hex())?;
        let is_on = self.endpoints_of(id)?.iter().any(|(on, _)| on.id == network.id);
        if !is_on || container.config.network.is_on(network) || !container.state.is_running() {
            return Ok(());
        }
        self.disconnect_live(&container, network)?;
        self.rewrite_names(&container.record, &container.config)
    }
}
