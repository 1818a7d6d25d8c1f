//! The container's networks: crate `net` knows what is to be done, this is when.

use std::fs::File;

use net::attach::{Attached, Joining, Plan};
use runtime::protocol::{Disconnect, Request, SHARED_FILE};
use runtime::{Error, ErrorKind, Result};
use rustix::process::Pid;
use serde::Deserialize;

use super::dispatch::Dispatcher;
use super::poll::{Event, Interest, Poll};
use super::record;

/// Reserves what the request asks for. On an error nothing of it is left.
pub(super) fn reserve(request: &Request) -> Result<Option<Attached>> {
    let Some(plan) = &request.network else { return Ok(None) };
    let invalid = |error| Error::new(ErrorKind::Invalid, format!("request: network: {error}"));
    let plan = Plan::deserialize(plan).map_err(invalid)?;
    let realm = plan.realm.clone();
    Attached::reserve(plan).map(Some).map_err(|error| {
        realm.release(&request.id).ok();
        error_of(error)
    })
}

/// What stands in the lock file about them.
pub(super) fn note(network: Option<&Attached>) -> Option<String> {
    network.and_then(|network| serde_json::to_string(network.realm()).ok())
}

/// Attaches the networks of a process that waits for them.
pub(super) fn attach(network: &mut Attached, process: Pid) -> Result<()> {
    let path = format!("/proc/{}/ns/net", process.as_raw_nonzero());
    let namespace = File::open(&path).map_err(|error| Error::system(path, error))?;
    network.attach(namespace).map_err(error_of)
}

/// An error of networks as one of a start.
#[expect(clippy::needless_pass_by_value, reason = "it takes the place of the other")]
pub(super) fn error_of(error: net::Error) -> Error {
    let kind = match error.kind() {
        net::ErrorKind::Invalid | net::ErrorKind::Conflict | net::ErrorKind::NotFound => ErrorKind::Invalid,
        net::ErrorKind::Unsupported => ErrorKind::Unsupported,
        _ => ErrorKind::System,
    };
    let words = Error::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => words.with_hint(hint),
        None => words,
    }
}

impl Dispatcher {
    /// Listens to what the networks of the container have to do.
    pub(super) fn watch_network(&self) {
        watch(self.network.as_ref(), &self.poll);
    }

    /// A run of the container has ended.
    pub(super) fn detach_networks(&mut self) {
        let Some(network) = &mut self.network else { return };
        // Who enters the namespace has made the file before, and can only do so while the first process lives.
        let is_shared = std::fs::remove_file(self.request.run_dir.join(SHARED_FILE)).is_ok();
        network.detach(is_shared);
    }

    /// The container has ended and stays so.
    pub(super) fn leave_networks(&mut self) {
        let Some(network) = &mut self.network else { return };
        let released = network.release();
        if let (Ok(()), Some(lock)) = (released, &self.lock) {
            record::forget_note(lock);
        }
    }

    /// Asked for a further network.
    pub(super) fn connect(&mut self, joining: Joining) -> Result<()> {
        self.must_live()?;
        let network = self.network.as_mut().ok_or_else(without)?;
        let connected = network.connect(joining).map_err(error_of);
        self.watch_network();
        connected
    }

    /// Asked to leave one.
    pub(super) fn disconnect(&mut self, asked: &Disconnect) -> Result<()> {
        self.must_live()?;
        let network = self.network.as_mut().ok_or_else(without)?;
        let disconnected = network.disconnect(&asked.network).map_err(error_of);
        self.watch_network();
        disconnected
    }

    /// Asked to write down once more where the container is.
    pub(super) fn note_networks(&self) -> Result<()> {
        self.must_live()?;
        self.network.as_ref().map_or(Ok(()), |network| network.note_anew().map_err(error_of))
    }
}

fn watch(network: Option<&Attached>, poll: &Poll) {
    for descriptor in network.into_iter().flat_map(Attached::descriptors).flatten() {
        // Without it names and ports of ::1 are not served; better than no container.
        poll.watch(descriptor, Event::Network, Interest::READ).ok();
    }
}

fn without() -> Error {
    Error::new(ErrorKind::Invalid, "the container has no networks of its own")
}
