//! A container that exists, made ready to be started: its lock is taken, what an earlier supervisor has left is cleared
//! away, and its files are written anew from its row, its image and this host.
//!
//! Killed at any moment of that, it is what it was: `exit.json`, which tells how it has ended, is removed by its new
//! supervisor, once other files say that it runs. Of one whose supervisor was killed, `run.json` takes the place of
//! `status.json` before that goes.

use std::fs;
use std::path::Path;

use runtime::protocol::policy::{RUN_FILE, RunRecord};
use runtime::protocol::{EXIT_FILE, ExitRecord, SOCKET_FILE, STATUS_FILE, Status, VERSION};
use store::ContainerLock;

use crate::containers::create::{Created, WORK};
use crate::containers::lifecycle::{Container, State, end_lost, read};
use crate::engine::Engine;
use crate::error::{Context, Error, Result};

impl Engine {
    /// Makes a container that does not run ready to be started. None: it runs.
    ///
    /// # Errors
    /// `Conflict` for one that is paused; those of [`Engine::create`] for what it needs and is not there any more.
    pub fn ready(&self, container: &Container) -> Result<Option<Created>> {
        let mut seen = self.settled(container)?.into_owned();
        loop {
            let container = &seen;
            match &container.state {
                State::Paused(_) => {
                    let name = &container.record.name;
                    return Err(Error::conflict("cannot start a paused container, try unpause instead")
                        .with_hint(format!("phial unpause {name}")));
                }
                State::Running(_) | State::Restarting(_) => return Ok(None),
                State::Created(_) | State::Exited(_) | State::Lost(_) => {}
            }
            // Who has the lock is just starting or removing it: it is looked at again.
            if let Some(lock) = self.store.lock_container(&container.record.id)? {
                return self.ready_with(container, lock, 0).map(Some);
            }
            seen = self.settled(&self.container(&container.record.id.hex())?)?.into_owned();
        }
    }

    /// As [`Engine::ready`], with the container's lock in hand.
    pub(crate) fn ready_with(&self, container: &Container, lock: ContainerLock, restarts: u32) -> Result<Created> {
        let (record, config) = (container.record.clone(), container.config.clone());
        let directory = self.paths().container(&record.id);
        self.clear(&directory, container)?;
        if record.auto_remove {
            // Overlayfs would take the leftover of a volatile mount for that of a crash (kernel overlayfs.rst, "Volatile
            // mount"). Of one that crashed, neither row nor directory is left.
            fs::remove_dir_all(directory.join(WORK).join("work/incompat")).ok();
        }
        let layers = self.rewrite(&record, config.clone())?;
        Ok(Created { record, config, lock, layers, again: true, restarts })
    }

    /// Clears away what a supervisor that was killed has left; one that has ended by itself leaves nothing of this.
    fn clear(&self, directory: &Path, container: &Container) -> Result<()> {
        let run_dir = self.paths().run_container(&container.record.id);
        let path = run_dir.join(STATUS_FILE);
        if let Some(status) = read::<Status>(&path)? {
            end_lost(&container.record.id, &status)?;
            let exit: Option<ExitRecord> = read(&directory.join(EXIT_FILE))?;
            if exit.is_none_or(|exit| exit.started_at != status.started_at) {
                keep_lost(directory, &status)?;
            }
            fs::remove_file(&path).context(|| path.display())?;
        }
        match fs::remove_file(run_dir.join(SOCKET_FILE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context(|| run_dir.display()),
            _ => Ok(()),
        }
    }
}

/// Notes where a reboot does not take it that the container was started, and that nobody knows how it ended.
fn keep_lost(directory: &Path, status: &Status) -> Result<()> {
    let path = directory.join(RUN_FILE);
    let known: Option<RunRecord> = read(&path)?;
    if known.is_none_or(|known| known.started_at != status.started_at) {
        let (started_at, restarts) = (status.started_at.clone(), status.restarts);
        let record = RunRecord { version: VERSION, started_at, stopped: false, restarts };
        let beside = directory.join(".run.json");
        let json = serde_json::to_vec(&record).expect("a record has string keys");
        fs::write(&beside, json).and_then(|()| fs::rename(&beside, &path)).context(|| path.display())?;
    }
    // The one of an earlier run says nothing about this one.
    match fs::remove_file(directory.join(EXIT_FILE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context(|| directory.display()),
        _ => Ok(()),
    }
}
