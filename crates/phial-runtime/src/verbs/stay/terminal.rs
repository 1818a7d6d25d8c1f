//! Bytes between the user's terminal and the process's. The user's is raw as long as this lives.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use runtime::protocol::WindowSize;
use rustix::io::{Errno, read, write};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

use crate::failure::{Failure, Result};

/// The size of the user's terminal, if stdin is one: the process is to have it from its beginning.
pub(in crate::verbs) fn window() -> Option<WindowSize> {
    let size = tcgetwinsize(stdin()).ok()?;
    Some(WindowSize { rows: size.ws_row, columns: size.ws_col })
}

/// The master of the process's terminal.
pub(super) struct Terminal {
    master: Option<OwnedFd>,
    input_ended: bool,
    /// How the user's terminal was, if stdin is one.
    before: Option<Termios>,
}

impl Terminal {
    /// Takes over the user's terminal for the process's.
    pub(super) fn take(master: OwnedFd) -> Result<Terminal> {
        let before = isatty(stdin()).then(|| tcgetattr(stdin())).transpose();
        let before = before.map_err(|errno| Failure::system("the terminal's modes", errno))?;
        if let Some(modes) = &before {
            let mut raw = modes.clone();
            raw.make_raw();
            tcsetattr(stdin(), OptionalActions::Drain, &raw).map_err(|errno| Failure::system("the terminal", errno))?;
        }
        let terminal = Terminal { master: Some(master), input_ended: false, before };
        terminal.resize();
        Ok(terminal)
    }

    /// Gives the process the size of the user's terminal.
    pub(super) fn resize(&self) {
        if let (Some(master), Ok(size)) = (&self.master, tcgetwinsize(stdin())) {
            // A process that has just ended needs no size.
            tcsetwinsize(master, size).ok();
        }
    }

    pub(super) fn input(&self) -> Option<BorrowedFd<'static>> {
        (!self.input_ended && self.master.is_some()).then(stdin)
    }

    pub(super) fn output(&self) -> Option<BorrowedFd<'_>> {
        self.master.as_ref().map(AsFd::as_fd)
    }

    /// Copies what is there, once in each direction that has something.
    pub(super) fn copy(&mut self, typed: bool, output: bool) {
        let mut buffer = [0; 4096];
        if typed && let Some(master) = &self.master {
            match read(stdin(), &mut buffer) {
                Ok(count) if count > 0 => write_all(master.as_fd(), &buffer[..count]),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Ok(_) | Err(_) => self.input_ended = true,
            }
        }
        if output {
            self.pass_output(&mut buffer);
        }
    }

    /// Copies what the process has written before its end.
    pub(super) fn drain(&mut self) {
        let mut buffer = [0; 4096];
        while self.pass_output(&mut buffer) {}
    }

    /// Whether there was something.
    fn pass_output(&mut self, buffer: &mut [u8]) -> bool {
        let Some(master) = &self.master else { return false };
        match read(master, &mut *buffer) {
            Ok(count) if count > 0 => {
                write_all(stdout(), &buffer[..count]);
                true
            }
            Err(Errno::INTR) => true,
            // A terminal answers EIO once its other side is closed.
            Ok(_) | Err(_) => {
                self.master = None;
                false
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A terminal that has gone away needs nothing restored.
            tcsetattr(stdin(), OptionalActions::Drain, before).ok();
        }
    }
}

/// What nobody takes any more is dropped.
fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match write(to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
