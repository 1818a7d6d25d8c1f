//! The state of a container, computed from three facts that cannot lie together: its lock (somebody lives who answers
//! for it), `status.json` (it was started in this boot), `exit.json` (it has ended).

use std::io::ErrorKind::NotFound;
use std::path::Path;

use runtime::protocol::{EXIT_FILE, ExitRecord, SOCKET_FILE, STATUS_FILE, Status};
use rustix::fs::{Mode, OFlags};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use store::ContainerRecord;

use crate::config::ContainerConfig;
use crate::engine::Engine;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::session::Connection;

/// Exit status of docker's `exec` in a container that is not there or does not run.
const ABSENT: i32 = 1;

/// A container as it was at one instant.
#[derive(Debug, Clone)]
pub struct Container {
    /// What the store keeps of it.
    pub record: ContainerRecord,
    /// What it was asked to be.
    pub config: ContainerConfig,
    /// How it fares.
    pub state: State,
}

/// How a container fares.
#[derive(Debug, Clone)]
pub enum State {
    /// It has not run. If that is because it could not be started, the record says why.
    Created(Option<ExitRecord>),
    /// It runs.
    Running(Status),
    /// It has ended.
    Exited(ExitRecord),
    /// Nobody can say how it ended: its supervisor was killed, or the host went down. Its processes may still be there
    /// in the first case; `status` then tells where.
    Lost(Option<Status>),
}

impl State {
    /// Docker's word for it.
    pub fn name(&self) -> &'static str {
        match self {
            State::Created(_) => "created",
            State::Running(_) => "running",
            State::Exited(_) => "exited",
            State::Lost(_) => "dead",
        }
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        matches!(self, State::Running(_))
    }
}

impl Container {
    /// The first twelve digits of its id.
    pub fn short_id(&self) -> String {
        self.record.id.short()
    }
}

impl Engine {
    /// The container with this name, id, or unique beginning of an id.
    ///
    /// # Errors
    /// `NotFound`, and `Invalid` for a beginning that fits several.
    pub fn container(&self, key: &str) -> Result<Container> {
        let record = self.store.find_container(key).map_err(|error| Error::from(error).with_exit_code(ABSENT))?;
        self.observe(record)
    }

    /// All containers, or those that run, the newest first. Clears away first what was left of killed commands and of
    /// containers that were to go with their end.
    ///
    /// # Errors
    /// `Store`.
    pub fn containers(&self, all: bool) -> Result<Vec<Container>> {
        self.store.collect_containers();
        let containers = self.store.containers()?.into_iter().map(|record| self.observe(record));
        containers
            .filter(|container| all || container.as_ref().is_ok_and(|container| container.state.is_running()))
            .collect()
    }

    fn observe(&self, record: ContainerRecord) -> Result<Container> {
        let state = self.state(&record)?;
        let config = ContainerConfig::deserialize(&record.config).map_err(|error| {
            Error::new(ErrorKind::Store, format!("container {}: its configuration: {error}", record.name))
        })?;
        Ok(Container { record, config, state })
    }

    fn state(&self, record: &ContainerRecord) -> Result<State> {
        if let Some(ended) = self.ended(record)? {
            return Ok(ended);
        }
        let is_live = self.store.container_is_live(&record.id)?;
        let status: Option<Status> = read(&self.paths().run_container(&record.id).join(STATUS_FILE))?;
        match status {
            Some(status) if is_live => Ok(State::Running(status)),
            None if is_live => Ok(State::Created(None)),
            // It may have ended between the two looks: its supervisor writes the record before it lets the lock go.
            status => match self.ended(record)? {
                Some(ended) => Ok(ended),
                None if status.is_none() && (record.keep_unstarted || store::boot_id()? == record.boot_id) => {
                    Ok(State::Created(None))
                }
                None => Ok(State::Lost(status)),
            },
        }
    }

    fn ended(&self, record: &ContainerRecord) -> Result<Option<State>> {
        let exit: Option<ExitRecord> = read(&self.paths().container(&record.id).join(EXIT_FILE))?;
        Ok(exit.map(|exit| if exit.started_at.is_empty() { State::Created(Some(exit)) } else { State::Exited(exit) }))
    }

    /// A new connection to the supervisor of a running container.
    ///
    /// # Errors
    /// `Conflict` when it does not run.
    pub fn connect(&self, container: &Container) -> Result<Connection> {
        let container = &*self.settled(container)?;
        self.try_connect(container)?.ok_or_else(|| not_running(container))
    }

    /// As [`Engine::connect`]; None when nobody listens: the container has ended meanwhile.
    pub(crate) fn try_connect(&self, container: &Container) -> Result<Option<Connection>> {
        let directory = self.paths().run_container(&container.record.id);
        let directory = match rustix::fs::open(&directory, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            other => other.context(|| directory.display())?,
        };
        match Connection::connect(std::os::fd::AsFd::as_fd(&directory), SOCKET_FILE) {
            Ok(connection) => Ok(Some(connection)),
            Err(error) if matches!(error.kind(), NotFound | std::io::ErrorKind::ConnectionRefused) => Ok(None),
            Err(error) => {
                Err(Error::system(format!("connecting to the supervisor of {}", container.record.name), error))
            }
        }
    }
}

pub(super) fn not_running(container: &Container) -> Error {
    Error::conflict(format!("container {} is not running", container.record.name)).with_exit_code(ABSENT)
}

/// A JSON file that a supervisor writes by rename; None when it is not there.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == NotFound => return Ok(None),
        other => other.context(|| path.display())?,
    };
    let unreadable = |error| Error::new(ErrorKind::Store, format!("{}: {error}", path.display()));
    serde_json::from_slice(&text).map(Some).map_err(unreadable)
}
