//! The state of a container, computed from three facts that cannot lie together: its lock (somebody lives who answers
//! for it), `status.json` (it was started in this boot), `exit.json` (it has ended).

use std::io::ErrorKind::NotFound;
use std::num::NonZero;
use std::path::Path;

use runtime::protocol::policy::RUN_FILE;
use runtime::protocol::{EXIT_FILE, ExitRecord, Phase, SOCKET_FILE, STATUS_FILE, Status};
use rustix::fs::{Mode, OFlags};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use store::ContainerRecord;

use crate::config::ContainerConfig;
use crate::engine::Engine;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::networks::collect::Known;
use crate::session::Connection;
use notation::similar;

/// Exit status of docker's `exec` in a container that is not there or does not run.
const ABSENT: i32 = 1;
/// So many containers are looked at while a thread would be started.
const FEW: usize = 64;

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
    /// All its processes stand still.
    Paused(Status),
    /// It has ended, and its supervisor will start it again.
    Restarting(Status),
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
            State::Paused(_) => "paused",
            State::Restarting(_) => "restarting",
            State::Exited(_) => "exited",
            State::Lost(_) => "dead",
        }
    }

    /// Whether it runs, in docker's sense: also while it is paused, or waits to be started again.
    pub fn is_running(&self) -> bool {
        self.status().is_some()
    }

    /// What its supervisor says of it, if it has one.
    pub fn status(&self) -> Option<&Status> {
        match self {
            State::Running(status) | State::Paused(status) | State::Restarting(status) => Some(status),
            State::Created(_) | State::Exited(_) | State::Lost(_) => None,
        }
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
        let record = self.store.find_container(key).map_err(|error| self.no_such_container(key, error))?;
        self.observe(record)
    }

    /// With the name that may have been meant.
    fn no_such_container(&self, key: &str, error: store::Error) -> Error {
        let error = Error::from(error).with_exit_code(ABSENT);
        if error.kind() != ErrorKind::NotFound {
            return error;
        }
        let names = self.store.container_names().unwrap_or_default();
        match similar(key, names.iter().map(|(_, name)| name.as_str())) {
            Some(name) => error.with_hint(format!("did you mean {name}?")),
            None => error,
        }
    }

    /// All containers, or those that run, the newest first. Clears away first what was left of killed commands and of
    /// containers that were to go with their end, and sees to those whose supervisor was killed.
    ///
    /// # Errors
    /// `Store`.
    pub fn containers(&self, all: bool) -> Result<Vec<Container>> {
        self.store.collect_containers();
        let mut containers = self.observe_all()?;
        let is_lost = |container: &&Container| matches!(container.state, State::Lost(Some(_)));
        // One that cannot be seen to is shown as it is.
        let changed = containers.iter().filter(is_lost).filter(|lost| self.recover(lost).unwrap_or(false)).count();
        if changed > 0 {
            containers = self.observe_all()?;
        }
        // What cannot be given back now can be later, and is named by `system check`.
        self.collect_networks_but(&Known::of(&containers)).ok();
        containers.retain(|container| all || container.state.is_running());
        Ok(containers)
    }

    fn observe_all(&self) -> Result<Vec<Container>> {
        let records = self.store.containers()?;
        let workers = std::thread::available_parallelism().map_or(1, NonZero::get).min(records.len() / FEW);
        if workers < 2 {
            return records.into_iter().map(|record| self.observe(record)).collect();
        }
        let part = records.len().div_ceil(workers);
        let mut records = records.into_iter();
        std::thread::scope(|scope| {
            let mut parts = Vec::new();
            for _ in 0..workers {
                let part: Vec<_> = records.by_ref().take(part).collect();
                let observed = move || part.into_iter().map(|record| self.observe(record)).collect::<Result<Vec<_>>>();
                parts.push(scope.spawn(observed));
            }
            let mut containers = Vec::new();
            for part in parts {
                containers.extend(part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
            }
            Ok(containers)
        })
    }

    fn observe(&self, record: ContainerRecord) -> Result<Container> {
        let state = self.state(&record)?;
        let config = ContainerConfig::deserialize(&record.config).map_err(|error| {
            Error::new(ErrorKind::Store, format!("container {}: its configuration: {error}", record.name))
        })?;
        Ok(Container { record, config, state })
    }

    fn state(&self, record: &ContainerRecord) -> Result<State> {
        loop {
            let state = self.look(record)?;
            // It may have been started between two looks.
            if !matches!(state, State::Lost(_)) || !self.store.container_is_live(&record.id)? {
                return Ok(state);
            }
        }
    }

    fn look(&self, record: &ContainerRecord) -> Result<State> {
        let is_live = self.store.container_is_live(&record.id)?;
        let status: Option<Status> = read(&self.paths().run_container(&record.id).join(STATUS_FILE))?;
        // Looked at last: its supervisor writes the record before it lets status and lock go.
        match (self.ended(record)?, status) {
            // That is how the run before this one has ended.
            (Some(exit), Some(status)) if exit.started_at != status.started_at => Ok(with_status(status, is_live)),
            (Some(exit), _) if exit.started_at.is_empty() => Ok(State::Created(Some(exit))),
            (Some(exit), _) => Ok(State::Exited(exit)),
            (None, Some(status)) => Ok(with_status(status, is_live)),
            (None, None) if is_live || !self.was_started(record)? => Ok(State::Created(None)),
            (None, None) => Ok(State::Lost(None)),
        }
    }

    pub(super) fn ended(&self, record: &ContainerRecord) -> Result<Option<ExitRecord>> {
        read(&self.paths().container(&record.id).join(EXIT_FILE))
    }

    /// Whether a container of which neither supervisor nor end is known was started once.
    fn was_started(&self, record: &ContainerRecord) -> Result<bool> {
        if self.paths().container(&record.id).join(RUN_FILE).exists() {
            return Ok(true);
        }
        Ok(!record.keep_unstarted && store::boot_id()? != record.boot_id)
    }

    /// A new connection to the supervisor of a running container, for its streams or for a further process.
    ///
    /// # Errors
    /// `Conflict` when it does not run, or is paused.
    pub fn connect(&self, container: &Container) -> Result<Connection> {
        let container = &*self.settled(container)?;
        match container.state {
            State::Paused(_) => return Err(is_paused(container)),
            State::Restarting(_) => return Err(is_restarting(container)),
            _ => {}
        }
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

fn with_status(status: Status, is_live: bool) -> State {
    match status.phase {
        _ if !is_live => State::Lost(Some(status)),
        Phase::Running => State::Running(status),
        Phase::Paused => State::Paused(status),
        Phase::Restarting => State::Restarting(status),
    }
}

pub(super) fn not_running(container: &Container) -> Error {
    Error::conflict(format!("container {} is not running", container.record.name)).with_exit_code(ABSENT)
}

fn is_paused(container: &Container) -> Error {
    let name = &container.record.name;
    Error::conflict(format!("container {name} is paused, unpause the container before exec"))
        .with_hint(format!("phial unpause {name}"))
        .with_exit_code(ABSENT)
}

pub(super) fn is_restarting(container: &Container) -> Error {
    let name = &container.record.name;
    Error::conflict(format!("container {name} is restarting, wait until the container is running"))
        .with_exit_code(ABSENT)
}

/// A JSON file that a supervisor writes by rename; None when it is not there.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == NotFound => return Ok(None),
        other => other.context(|| path.display())?,
    };
    let unreadable = |error| Error::new(ErrorKind::Store, format!("{}: {error}", path.display()));
    serde_json::from_slice(&text).map(Some).map_err(unreadable)
}
