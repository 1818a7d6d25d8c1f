//! Signals to containers, and waiting for their end: by events, never by looking again and again.

use std::os::fd::AsFd;
use std::time::Duration;

use runtime::protocol::{ExitRecord, Kind, Signal as SignalFrame};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use store::{ContainerId, Paths};

use super::state::{Container, State, not_running};
use crate::config::Signal;
use crate::engine::Engine;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::session::{Connection, refusal};

/// Seconds between the stop signal and SIGKILL when nobody says otherwise: docker's.
const STOP_TIMEOUT: u32 = 10;

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
            State::Running(_) | State::Lost(_) => Err(lost(container)),
        }
    }

    /// Ends a container: its stop signal, then, after `timeout` seconds, SIGKILL. Returns when it has ended. No timeout
    /// given means the container's own, or 10; a negative one is without end. One that does not run is left alone.
    ///
    /// # Errors
    /// `System` when its supervisor was killed meanwhile.
    pub fn stop(&self, container: &Container, timeout: Option<i64>) -> Result<()> {
        let container = &*self.settled(container)?;
        if !container.state.is_running() {
            return Ok(());
        }
        let Some(mut connection) = self.waiting(container)? else { return Ok(()) };
        let signal = container.config.stop_signal.unwrap_or(Signal::TERM);
        let seconds = timeout.unwrap_or_else(|| container.config.stop_timeout.unwrap_or(STOP_TIMEOUT).into());
        self.send(container, signal, &connection)?;
        if !ends_within(&connection, u64::try_from(seconds).ok())? {
            self.send(container, Signal::KILL, &connection)?;
        }
        self.told_end(container, &mut connection)?;
        self.await_supervisor(&container.record.id)?;
        self.tell_container(container, "stop", &[]);
        Ok(())
    }

    /// Sends a signal to a container whose end `waiting` will tell of. That it has ended meanwhile is no error: it is
    /// what was wanted, whether the supervisor has gone already or still answers that there is no such process.
    pub(super) fn send(&self, container: &Container, signal: Signal, waiting: &Connection) -> Result<()> {
        match self.signal(container, signal) {
            Err(error) if !ends_within(waiting, Some(0))? => Err(error),
            _ => Ok(()),
        }
    }

    /// Waits until nobody holds the container's lock any more. Only for a container that has ended: its supervisor is
    /// about to leave.
    pub(super) fn await_supervisor(&self, id: &ContainerId) -> Result<()> {
        let path = self.paths().run_container(id).join(Paths::LOCK_FILE);
        match rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => Ok(()),
            other => {
                let file = other.context(|| path.display())?;
                retry(|| flock(&file, FlockOperation::LockShared)).context(|| path.display())
            }
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

/// Whether something comes on the connection within this time; without one, it is waited for.
fn ends_within(connection: &Connection, seconds: Option<u64>) -> Result<bool> {
    let deadline = seconds.map(|seconds| std::time::Instant::now() + Duration::from_secs(seconds));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(std::time::Instant::now()));
        let left = left.map(|left| Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 }));
        match poll(&mut [PollFd::new(&connection.as_fd(), PollFlags::IN)], left.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other.context(|| "waiting for a container's end")? > 0),
        }
    }
}

fn retry<T>(call: impl Fn() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            other => return other,
        }
    }
}

fn lost(container: &Container) -> Error {
    let name = &container.record.name;
    Error::new(ErrorKind::System, format!("container {name}: its supervisor was killed, so nobody knows how it ended"))
        .with_hint(format!("phial rm -f {name} removes what is left"))
}
