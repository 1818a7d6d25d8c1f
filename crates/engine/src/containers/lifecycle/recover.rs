//! Containers whose supervisor was killed, and those of an earlier boot: what is left of them is cleared away, and what
//! their policy wants is started again.
//!
//! Two moments have this done. The next command that looks at all containers sees to those of this boot, of which
//! `status.json` tells. Those that the host took with it are brought back by `phial system boot` only: until somebody
//! wants that, they are listed as dead.

use runtime::protocol::policy::{RUN_FILE, Reason, RestartPolicy, RunRecord};
use runtime::protocol::{ExitRecord, STATUS_FILE, Status};
use store::ContainerLock;

use super::remove::end_lost;
use super::state::{Container, State, read};
use super::stop::StopOptions;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::session::Connection;

/// The exit code of a container of whose end nobody knows, as docker has it.
pub(crate) const UNKNOWN: i32 = 255;

/// What became of one container.
#[derive(Debug)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Whether it could be done.
    pub result: Result<()>,
}

impl Engine {
    /// Brings back after a boot what should be running, in the order in which it was created: what is to run always, what
    /// ran and nobody has stopped, what has failed.
    ///
    /// # Errors
    /// `Store` when containers cannot be listed. What could not be started is in the outcomes.
    pub fn boot(&self) -> Result<Vec<Outcome>> {
        let mut containers = self.containers(true)?;
        containers.reverse();
        let mut outcomes = Vec::new();
        for container in containers {
            let name = container.record.name.clone();
            match self.after_boot(&container) {
                Ok(None) => {}
                Ok(Some(restarts)) => {
                    outcomes.push(Outcome { name, result: self.bring_back(&container, restarts) });
                }
                Err(error) => outcomes.push(Outcome { name, result: Err(error) }),
            }
        }
        Ok(outcomes)
    }

    /// Stops everything that runs, all at once, without a word about whether somebody wants it: [`Engine::boot`] brings
    /// it back.
    ///
    /// # Errors
    /// `Store` when containers cannot be listed.
    pub fn shutdown(&self) -> Result<Vec<Outcome>> {
        let running = self.containers(false)?;
        let stop = StopOptions::default().request(Reason::Shutdown, false);
        // Each has its own time to end in, from now on.
        let asked: Vec<_> = running.iter().map(|container| self.ask_to_stop(container, &stop)).collect();
        let outcome = |(container, asked): (&Container, Result<Option<Connection>>)| {
            let result = asked.and_then(|connection| self.ends(container, connection));
            Outcome { name: container.record.name.clone(), result }
        };
        Ok(running.iter().zip(asked).map(outcome).collect())
    }

    fn ends(&self, container: &Container, connection: Option<Connection>) -> Result<()> {
        let Some(mut connection) = connection else { return Ok(()) };
        self.told_end(container, &mut connection)?;
        self.await_supervisor(&container.record.id)?;
        self.tell_container(container, "stop", &[]);
        Ok(())
    }

    /// Whether a container is to be brought back after a boot, and how often its policy had started it.
    fn after_boot(&self, container: &Container) -> Result<Option<u32>> {
        let policy = container.config.restart;
        let (exit_code, restarts) = match &container.state {
            _ if policy == RestartPolicy::No => return Ok(None),
            State::Exited(exit) => (exit.exit_code, exit.restarts),
            State::Lost(status) => (UNKNOWN, status.as_ref().map_or(0, |status| status.restarts)),
            _ => return Ok(None),
        };
        let record = self.run_record(container)?;
        let stopped = record.as_ref().is_some_and(|record| record.stopped);
        let restarts = restarts.max(record.map_or(0, |record| record.restarts));
        let comes = match policy {
            RestartPolicy::Always => true,
            _ => !stopped && policy.wants(exit_code, restarts),
        };
        Ok(comes.then_some(restarts))
    }

    fn bring_back(&self, container: &Container, restarts: u32) -> Result<()> {
        match self.store.lock_container(&container.record.id)? {
            Some(lock) => self.start_detached(self.ready_with(container, lock, restarts)?),
            // Another is just starting it.
            None => Ok(()),
        }
    }

    fn run_record(&self, container: &Container) -> Result<Option<RunRecord>> {
        read(&self.paths().container(&container.record.id).join(RUN_FILE))
    }

    /// Sees to a container whose supervisor was killed in this boot; true if it is another one now.
    pub(super) fn recover(&self, container: &Container) -> Result<bool> {
        let State::Lost(Some(_)) = container.state else { return Ok(false) };
        let Some(lock) = self.store.lock_container(&container.record.id)? else { return Ok(true) };
        // What was seen may be over: with the lock in hand it is looked at once more.
        let status: Option<Status> = read(&self.paths().run_container(&container.record.id).join(STATUS_FILE))?;
        let Some(status) = status.filter(|status| !self.has_ended(container, status)) else { return Ok(true) };
        end_lost(&container.record.id, &status)?;
        if container.record.auto_remove {
            self.store.remove_container(lock)?;
            self.tell_container(container, "destroy", &[]);
            return Ok(true);
        }
        self.restart_lost(container, lock, &status)
    }

    fn has_ended(&self, container: &Container, status: &Status) -> bool {
        let exit: Result<Option<ExitRecord>> = self.ended(&container.record);
        exit.is_ok_and(|exit| exit.is_some_and(|exit| exit.started_at == status.started_at))
    }

    fn restart_lost(&self, container: &Container, lock: ContainerLock, status: &Status) -> Result<bool> {
        let stopped = self.run_record(container)?.is_some_and(|record| record.stopped);
        if stopped || !container.config.restart.wants(UNKNOWN, status.restarts) {
            return Ok(false);
        }
        let restarts = status.restarts + 1;
        // What cannot be started is dead from now on; the reason is what a start by hand says.
        let started: Result<(), Error> =
            self.ready_with(container, lock, restarts).and_then(|ready| self.start_detached(ready));
        Ok(started.is_ok())
    }
}
