//! Signals to containers, and waiting for their end: by events, never by looking again and again.

use runtime::protocol::policy::{Patience, Pause, Reason, Stop, Update};
use runtime::protocol::{ExitRecord, Kind, Signal as SignalFrame};
use serde::Serialize;
use store::{ContainerId, ContainerLock};

use super::state::{Container, State, is_restarting, not_running};
use crate::config::Signal;
use crate::engine::Engine;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::session::{Connection, refusal};

/// How [`Engine::stop`] goes about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StopOptions {
    /// The first signal; the container's own if there is none.
    pub signal: Option<Signal>,
    /// Seconds between that and SIGKILL; the container's own, or 10, if there are none, and no end if they are negative.
    pub timeout: Option<i64>,
}

impl StopOptions {
    pub(super) fn request(self, reason: Reason, hand_over: bool) -> Stop {
        let seconds = |seconds: i64| u32::try_from(seconds).map_or(Patience::Endless, Patience::Seconds);
        let timeout = self.timeout.map_or(Patience::Own, seconds);
        Stop { signal: self.signal.map(Signal::number), timeout, reason, hand_over }
    }
}

impl Engine {
    /// Sends a signal to a container's first process.
    ///
    /// # Errors
    /// `Conflict` when the container does not run.
    pub fn kill(&self, container: &Container, signal: Signal) -> Result<()> {
        let container = &*self.settled(container)?;
        if !container.state.is_running() {
            return Err(not_running(container));
        }
        if self.signal(container, signal)? { Ok(()) } else { Err(not_running(container)) }
    }

    /// Waits for a container's end and returns its exit status. Of one that does not run it is the last one, and 0 of
    /// one that never ran.
    ///
    /// # Errors
    /// `System` when its supervisor was killed.
    pub fn wait(&self, container: &Container) -> Result<i32> {
        let container = &*self.settled(container)?;
        if container.state.is_running()
            && let Some(mut connection) = self.waiting(container)?
        {
            return Ok(self.told_end(container, &mut connection)?.exit_code);
        }
        match self.container(&container.record.id.hex())?.state {
            State::Exited(exit) | State::Created(Some(exit)) => Ok(exit.exit_code),
            State::Created(None) => Ok(0),
            _ => Err(lost(container)),
        }
    }

    /// Ends a container: a signal, then, after some time, SIGKILL. Returns when it has ended. One that does not run is
    /// left alone. Its supervisor does it: whoever asked may be killed meanwhile.
    ///
    /// # Errors
    /// `System` when its supervisor was killed meanwhile.
    pub fn stop(&self, container: &Container, options: StopOptions) -> Result<()> {
        let container = &*self.settled(container)?;
        if !container.state.is_running() {
            return Ok(());
        }
        self.stopped(container, &options.request(Reason::User, false))?;
        self.await_supervisor(&container.record.id)?;
        self.tell_container(container, "stop", &[]);
        Ok(())
    }

    /// Has the supervisor of a container end it. What comes back is its lock, if that was asked for and another has not
    /// been faster.
    pub(super) fn stopped(&self, container: &Container, stop: &Stop) -> Result<Option<ContainerLock>> {
        let Some(mut connection) = self.ask_to_stop(container, stop)? else { return Ok(None) };
        self.told_end(container, &mut connection)?;
        let lock = connection.take_descriptors().pop();
        Ok(lock.map(|lock| ContainerLock::from_fd(container.record.id, lock)))
    }

    /// Asks the supervisor of a container to end it, and does not wait. None: it has ended.
    pub(super) fn ask_to_stop(&self, container: &Container, stop: &Stop) -> Result<Option<Connection>> {
        let Some(mut connection) = self.try_connect(container)? else { return Ok(None) };
        match connection.send(Kind::Stop, stop, &[]) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(None),
            other => {
                other.map(|()| Some(connection)).context(|| format!("stopping container {}", container.record.name))
            }
        }
    }

    /// Stops all processes of a container where they are.
    ///
    /// # Errors
    /// `Conflict` when it does not run or is paused, `System` when they do not stop.
    pub fn pause(&self, container: &Container) -> Result<()> {
        let container = &*self.settled(container)?;
        let name = &container.record.name;
        match container.state {
            State::Running(_) => self.ask(container, Kind::Pause, &Pause::default()).map(drop),
            State::Paused(_) => Err(Error::conflict(format!("container {name} is already paused"))),
            State::Restarting(_) => Err(is_restarting(container)),
            _ => Err(not_running(container)),
        }
    }

    /// As [`Engine::pause`], as long as the connection that comes back lasts: its supervisor lets go of the container when this
    /// process is killed.
    ///
    /// # Errors
    /// As [`Engine::pause`].
    pub(crate) fn pause_leased(&self, container: &Container) -> Result<Connection> {
        self.ask(container, Kind::Pause, &Pause { leased: true })
    }

    /// Ends that, and comes back when the container goes on.
    pub(crate) fn end_pause(&self, container: &Container, mut connection: Connection) {
        let answer = connection.send_empty(Kind::Resume).and_then(|()| connection.receive());
        if !matches!(answer, Ok(Some(_))) {
            // A supervisor of before such leases has hung up; or the container was killed or removed meanwhile.
            let _ = self.container(&container.record.id.hex()).and_then(|container| self.unpause(&container));
        }
    }

    /// Lets all processes of a paused container go on.
    ///
    /// # Errors
    /// `Conflict` when it is not paused.
    pub fn unpause(&self, container: &Container) -> Result<()> {
        let container = &*self.settled(container)?;
        match container.state {
            State::Paused(_) => self.ask(container, Kind::Resume, &()).map(drop),
            _ => Err(Error::conflict(format!("container {} is not paused", container.record.name))),
        }
    }

    /// Tells the supervisor of a running container what has changed. One that does not run learns of it from its row when
    /// it is started.
    pub(super) fn tell_update(&self, container: &Container, update: Update) -> Result<()> {
        let container = &*self.settled(container)?;
        match self.ask(container, Kind::Update, &update) {
            // It has ended meanwhile, or does not run.
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            other => other.map(drop),
        }
    }

    /// Asks a supervisor for something that it does at once.
    pub(crate) fn ask(&self, container: &Container, kind: Kind, payload: &impl Serialize) -> Result<Connection> {
        let name = &container.record.name;
        let Some(mut connection) = self.try_connect(container)? else { return Err(not_running(container)) };
        match connection.send(kind, payload, &[]).and_then(|()| connection.receive()) {
            Ok(Some((Kind::Ok, _))) => Ok(connection),
            Ok(Some((Kind::Failed, payload))) => Err(refusal(name, &payload)),
            Ok(Some(_)) => Err(lost(container)),
            Ok(None) => Err(not_running(container)),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(not_running(container)),
            Err(error) => Err(Error::system(format!("talking to the supervisor of container {name}"), error)),
        }
    }

    /// Waits until nobody holds the lock of a container that has ended, whose supervisor is about to leave. Also returns
    /// when it runs again: the lock may have gone to who restarts it.
    pub(super) fn await_supervisor(&self, id: &ContainerId) -> Result<()> {
        if !self.store.container_is_live(id)? {
            return Ok(());
        }
        match self.container(&id.hex()).and_then(|container| self.settled(&container).map(drop)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Sends a signal; false when the container has ended.
    fn signal(&self, container: &Container, signal: Signal) -> Result<bool> {
        let Some(mut connection) = self.try_connect(container)? else { return Ok(false) };
        let name = &container.record.name;
        let frame = SignalFrame { signal: signal.number() };
        // Before it is sent, because what follows from it is told by another process.
        self.tell_container(container, "kill", &[("signal", &signal.number().to_string())]);
        match connection.send(Kind::Signal, &frame, &[]).and_then(|()| connection.receive()) {
            Ok(Some((Kind::Ok, _))) => Ok(true),
            Ok(Some((Kind::Failed, payload))) => Err(refusal(name, &payload)),
            Ok(Some(_)) => Err(lost(container)),
            Ok(None) => Ok(false),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Error::system(format!("sending {signal} to container {name}"), error)),
        }
    }

    /// A connection that will tell of the container's end.
    pub(crate) fn waiting(&self, container: &Container) -> Result<Option<Connection>> {
        let Some(mut connection) = self.try_connect(container)? else { return Ok(None) };
        match connection.send_empty(Kind::Wait) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(None),
            other => {
                other.map(|()| Some(connection)).context(|| format!("waiting for container {}", container.record.name))
            }
        }
    }

    /// The record of the container's end, when it comes. A supervisor that was leaving while it was asked hangs up
    /// without an answer; then the record is on disk.
    pub(crate) fn told_end(&self, container: &Container, connection: &mut Connection) -> Result<ExitRecord> {
        if let Ok(Some((Kind::Exited, payload))) = connection.receive() {
            return serde_json::from_slice(&payload).map_err(|_| lost(container));
        }
        match self.container(&container.record.id.hex())?.state {
            State::Exited(record) | State::Created(Some(record)) => Ok(record),
            _ => Err(lost(container)),
        }
    }
}

fn lost(container: &Container) -> Error {
    let name = &container.record.name;
    Error::new(ErrorKind::System, format!("container {name}: its supervisor was killed, so nobody knows how it ended"))
        .with_hint(format!("phial rm -f {name} removes what is left"))
}
