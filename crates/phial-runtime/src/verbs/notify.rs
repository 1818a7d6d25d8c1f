//! What the caller gets of a process: its pid in a file, a pidfd and the master of its terminal through sockets.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use sys::clone::Child;

use crate::command_line::Words;
use crate::failure::{Failure, Result};

/// Where to send what.
#[derive(Debug)]
pub(super) struct Notify {
    pid_file: Option<PathBuf>,
    pidfd_socket: Option<PathBuf>,
    console_socket: Option<PathBuf>,
}

impl Notify {
    /// What the options say, for a process with or without a terminal that is left or stayed with.
    pub(super) fn of(words: &Words, terminal: bool, detached: bool) -> Result<Notify> {
        let console_socket = words.path("console-socket");
        match (terminal, detached, &console_socket) {
            (true, true, None) => {
                Err(Failure::new("cannot allocate tty if runc will detach without setting console socket")
                    .with_hint("--console-socket names who gets the terminal's master"))
            }
            (false, _, Some(_)) | (true, false, Some(_)) => {
                Err(Failure::new("cannot use console socket if runc will not detach or allocate tty"))
            }
            _ => Ok(Notify {
                pid_file: words.path("pid-file"),
                pidfd_socket: words.path("pidfd-socket"),
                console_socket,
            }),
        }
    }

    /// Sends everything. A terminal that nobody was named for comes back.
    pub(super) fn tell(&self, child: &Child, console: Option<OwnedFd>) -> Result<Option<OwnedFd>> {
        let own = match (&self.console_socket, console) {
            (Some(socket), Some(master)) => {
                send(socket, b"/dev/ptmx", master.as_fd())?;
                None
            }
            (_, console) => console,
        };
        if let Some(socket) = &self.pidfd_socket {
            send(socket, b"pidfd", child.pidfd.as_fd())?;
        }
        if let Some(file) = &self.pid_file {
            let pid = child.pid.as_raw_nonzero().to_string();
            // An engine reads it as soon as it is there.
            crate::files::replace(file, pid.as_bytes()).map_err(|error| Failure::system(file.display(), error))?;
        }
        Ok(own)
    }
}

fn send(socket: &Path, payload: &[u8], descriptor: BorrowedFd<'_>) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| Failure::system(socket.display(), error);
    let stream = UnixStream::connect(socket).map_err(|error| failed(&error))?;
    sys::fdpass::send(&stream, payload, &[descriptor]).map(drop).map_err(|errno| failed(&errno))
}
