//! The user's terminal: its size, and raw mode that is always undone.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, Once, PoisonError};

use runtime::protocol::WindowSize;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

/// The size of the terminal behind this descriptor; None if it is none, or one that knows no size.
pub fn window_size(terminal: impl AsFd) -> Option<WindowSize> {
    let size = tcgetwinsize(terminal).ok()?;
    let size = WindowSize { rows: size.ws_row, columns: size.ws_col };
    (size.rows > 0 && size.columns > 0).then_some(size)
}

/// Whether the descriptor is a terminal.
pub fn is_terminal(descriptor: impl AsFd) -> bool {
    isatty(descriptor)
}

/// A terminal, and how it was before it became raw.
#[derive(Debug)]
struct Before {
    terminal: OwnedFd,
    modes: Termios,
}

/// The terminal that is raw now, for the panic hook: a panic ends the release build without running destructors.
static RAW: Mutex<Option<Before>> = Mutex::new(None);

/// While this lives, every key goes to the container as it is typed, and nothing is echoed or translated here.
#[derive(Debug)]
pub(super) struct RawMode(Before);

impl RawMode {
    /// Makes the terminal raw (`cfmakeraw` of `termios(3)`).
    pub(super) fn enter(terminal: BorrowedFd<'_>) -> io::Result<RawMode> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let next = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                if let Some(before) = remember(None) {
                    before.restore();
                }
                next(panic);
            }));
        });
        let before =
            || io::Result::Ok(Before { terminal: terminal.try_clone_to_owned()?, modes: tcgetattr(terminal)? });
        let own = before()?;
        remember(Some(before()?));
        RawMode::again(terminal)?;
        Ok(RawMode(own))
    }

    /// Makes the terminal raw again after a shell has used it in between (stopped, then continued).
    pub(super) fn again(terminal: BorrowedFd<'_>) -> io::Result<()> {
        let mut raw = tcgetattr(terminal)?;
        raw.make_raw();
        Ok(tcsetattr(terminal, OptionalActions::Drain, &raw)?)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        remember(None);
        self.0.restore();
    }
}

impl Before {
    fn restore(&self) {
        // A terminal that has gone away needs nothing restored.
        let _ = tcsetattr(&self.terminal, OptionalActions::Drain, &self.modes);
    }
}

/// Replaces what the panic hook restores.
fn remember(before: Option<Before>) -> Option<Before> {
    std::mem::replace(&mut RAW.lock().unwrap_or_else(PoisonError::into_inner), before)
}
