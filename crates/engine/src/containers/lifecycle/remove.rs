//! The end of a container: what it had on disk, its row, and, where its supervisor was killed, its processes.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use runtime::cgroup::Cgroups;
use runtime::protocol::policy::{Patience, Reason, Stop};
use runtime::protocol::{NETWORK_NOTE, STATUS_FILE, Status};
use rustix::process::{Pid, PidfdFlags, Signal as RawSignal, pidfd_open, pidfd_send_signal};
use store::{ContainerId, ContainerLock};

use super::state::{Container, State, read};
use crate::config::Signal;
use crate::engine::Engine;
use crate::error::{Context, Error, ErrorKind, Result};

/// How [`Engine::remove`] goes about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemoveOptions {
    /// Kill it first, if it runs.
    pub force: bool,
    /// Remove its anonymous volumes as well, unless another container uses them.
    pub volumes: bool,
}

impl Engine {
    /// Removes a container.
    ///
    /// # Errors
    /// `Conflict` when it runs and `force` is not set.
    pub fn remove(&self, container: &Container, options: RemoveOptions) -> Result<()> {
        let mut container = self.settled(container)?;
        while !self.try_remove(&container, options)? {
            if !options.force {
                let name = &container.record.name;
                return Err(Error::conflict(format!("container {name} is being started")));
            }
            // Another has restarted it after its end.
            container = match self.container(&container.record.id.hex()) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                other => Cow::Owned(self.settled(&other?)?.into_owned()),
            };
        }
        Ok(())
    }

    /// False: another has the container's lock.
    fn try_remove(&self, container: &Container, options: RemoveOptions) -> Result<bool> {
        let name = &container.record.name;
        if container.state.is_running() {
            if !options.force {
                return Err(Error::conflict(format!("container {name} is {}", container.state.name()))
                    .with_hint(format!("stop it first: phial stop {name}; or use -f")));
            }
            self.end(container)?;
        }
        match self.store.lock_container(&container.record.id) {
            Ok(Some(lock)) => self.remove_locked(container, lock, options).map(|()| true),
            Ok(None) => Ok(false),
            // It was one that goes with its end, and another command has seen to that.
            Err(error) if error.kind() == store::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// With the lock in hand: nobody can start it meanwhile.
    fn remove_locked(&self, container: &Container, lock: ContainerLock, options: RemoveOptions) -> Result<()> {
        if let Some(status) = read(&self.paths().run_container(&container.record.id).join(STATUS_FILE))? {
            end_lost(&container.record.id, &status)?;
        }
        if options.volumes {
            self.store.remove_container_and_volumes(lock)?;
        } else {
            self.store.remove_container(lock)?;
        }
        // Of one that goes with its end, the supervisor has told.
        let ran = container.state.is_running() || matches!(container.state, State::Exited(_));
        if !(container.record.auto_remove && ran) {
            self.tell_container(container, "destroy", &[]);
        }
        Ok(())
    }

    /// After the end of a container of one's own that goes with its end (`run --rm`): removes its row, while its
    /// supervisor deletes its directory, and then what both have left. When this returns, nothing of it is there.
    pub fn forget(&self, id: &ContainerId, connection: OwnedFd) {
        // The supervisor closes it when it has done all, as does its death.
        let supervisor_is_done = || drop(io::copy(&mut File::from(connection), &mut io::sink()));
        // An error here would hide how the container ended. What stays has ended, and the next command collects it.
        self.store.remove_ended_container(id, supervisor_is_done).ok();
    }

    fn end(&self, container: &Container) -> Result<()> {
        let signal = Some(Signal::KILL.number());
        let stop = Stop { signal, timeout: Patience::Endless, reason: Reason::User, hand_over: false };
        match self.stopped(container, &stop) {
            // Its supervisor was killed meanwhile. What that left is ended by whoever has the lock.
            Err(_) if !self.store.container_is_live(&container.record.id)? => Ok(()),
            stopped => stopped.and_then(|_| self.await_supervisor(&container.record.id)),
        }
    }
}

/// Kills what is left of a container without a supervisor: everything in its cgroups, which carry its id. What it had of
/// networks is given back.
pub(crate) fn end_lost(id: &ContainerId, status: &Status) -> Result<()> {
    end_cgroups(id, status.cgroups.iter().cloned())?;
    status.network.as_deref().map_or(Ok(()), |realm| release(id, realm))
}

/// The same by what is noted in the lock file. What cannot be ended stays: the container goes all the same.
pub(crate) fn end_noted(id: &ContainerId, note: &str) {
    let (networks, cgroups): (Vec<&str>, Vec<&str>) = note.lines().partition(|line| line.starts_with(NETWORK_NOTE));
    end_cgroups(id, cgroups.into_iter().map(PathBuf::from)).ok();
    for realm in networks.iter().filter_map(|line| line.strip_prefix(NETWORK_NOTE)) {
        release(id, realm).ok();
    }
}

/// Gives back what a container that is gone had of the networks of a realm, as it was noted.
fn release(id: &ContainerId, realm: &str) -> Result<()> {
    let unreadable = |error| Error::invalid(format!("networks of container {id}: {error}"));
    let realm: net::Realm = serde_json::from_str(realm).map_err(unreadable)?;
    let id = id.hex();
    Ok(realm.collect(&|other| other == id)?)
}

fn end_cgroups(id: &ContainerId, cgroups: impl Iterator<Item = PathBuf>) -> Result<()> {
    let cgroups: Vec<PathBuf> = cgroups.filter(|path| path.to_string_lossy().contains(&id.hex())).collect();
    runtime::cgroup::thaw_leftovers(&cgroups);
    // One that was paused is still frozen: where v1 freezes, a killed process does not end before it is let go.
    if let Ok(open) = Cgroups::open(&cgroups) {
        open.signal_all(RawSignal::KILL).and_then(|()| open.thaw()).ok();
    }
    for cgroup in &cgroups {
        while kill_members(cgroup)? {}
    }
    Ok(runtime::cgroup::remove_leftovers(&cgroups)?)
}

/// Kills the processes in a cgroup and waits for each; false when there were none. By pidfd, so that a number that was
/// given away meanwhile is not hit: a process opened by its number is killed only if it still is in the cgroup.
fn kill_members(cgroup: &std::path::Path) -> Result<bool> {
    let members = members(cgroup);
    for member in &members {
        let process = match pidfd_open(*member, PidfdFlags::empty()) {
            Err(rustix::io::Errno::SRCH) => continue,
            other => other.context(|| format!("opening process {}", member.as_raw_nonzero()))?,
        };
        if self::members(cgroup).contains(member) {
            pidfd_send_signal(&process, RawSignal::KILL).ok();
            let mut events = [rustix::event::PollFd::new(&process, rustix::event::PollFlags::IN)];
            while rustix::event::poll(&mut events, None) == Err(rustix::io::Errno::INTR) {}
        }
    }
    Ok(!members.is_empty())
}

fn members(cgroup: &std::path::Path) -> Vec<Pid> {
    let text = std::fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect()
}
