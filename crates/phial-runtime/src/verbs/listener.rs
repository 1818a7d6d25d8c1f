//! Handing the listener of a filter of system calls to who serves it (runtime-spec `config-linux.md`, `listenerPath`,
//! and "The Container Process State").

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use oci_spec::runtime::Spec;
use runtime::launch::Helper;
use runtime::plan::HookPoint;
use runtime::{Error, ErrorKind, Result};
use rustix::process::Pid;
use serde::Serialize;

use super::SPEC_VERSION;
use super::hooks::State;

/// What is sent along with the descriptor.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProcessState<'a> {
    oci_version: &'a str,
    /// Names of the descriptors, in their order.
    fds: [&'a str; 1],
    /// The process that is filtered.
    pid: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a str>,
    /// The container that it is in.
    state: State<'a>,
}

/// Sends it. Calls of the process wait until somebody there answers them.
pub(super) fn send(spec: &Spec, state: State<'_>, process: Pid, listener: &OwnedFd) -> Result<()> {
    let profile = spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref());
    let path = profile.and_then(|profile| profile.listener_path().as_ref()).ok_or_else(|| {
        Error::new(ErrorKind::Invalid, "linux.seccomp.listenerPath: is missing, and the filter has a listener")
    })?;
    let metadata = profile.and_then(|profile| profile.listener_metadata().as_deref());
    let pid = process.as_raw_nonzero().get();
    let message = ProcessState { oci_version: SPEC_VERSION, fds: ["seccompFd"], pid, metadata, state };
    let failed = |cause: &dyn std::fmt::Display| {
        Error::system(format!("linux.seccomp.listenerPath {}", path.display()), cause)
            .with_hint("a program must listen on that unix socket before the container is made")
    };
    let bytes = serde_json::to_vec(&message).map_err(|error| failed(&error))?;
    let mut socket = UnixStream::connect(path).map_err(|error| failed(&error))?;
    let sent = sys::fdpass::send(&socket, &bytes, &[listener.as_fd()]).map_err(|errno| failed(&errno))?;
    socket.write_all(bytes.get(sent..).unwrap_or_default()).map_err(|error| failed(&error))
}

/// Helps a further process: of all there is to help with, only the listener can be meant.
pub(super) struct Further<'a> {
    pub(super) spec: &'a Spec,
    pub(super) state: State<'a>,
}

impl Helper for Further<'_> {
    fn write_maps(&mut self, _process: Pid) -> Result<()> {
        Err(Error::new(ErrorKind::Invalid, "a further process has no user namespace of its own"))
    }

    fn run_hooks(&mut self, _process: Pid) -> Result<()> {
        Err(Error::new(ErrorKind::Invalid, "a further process has no hooks"))
    }

    fn state(&self, _process: Pid, _point: HookPoint) -> Vec<u8> {
        Vec::new()
    }

    fn take_listener(&mut self, process: Pid, listener: OwnedFd) -> Result<()> {
        send(self.spec, self.state.clone(), process, &listener)
    }
}
