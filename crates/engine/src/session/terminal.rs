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

/// The terminal that is raw now, and how it was before: for the panic hook, as a panic ends the release build
/// without running destructors.
static RAW: Mutex<Option<(OwnedFd, Termios)>> = Mutex::new(None);

/// While this lives, every key goes to the container as it is typed, and nothing is echoed or translated here.
#[derive(Debug)]
pub(super) struct RawMode(());

impl RawMode {
    /// Makes the terminal raw (`cfmakeraw` of `termios(3)`).
    pub(super) fn enter(terminal: BorrowedFd<'_>) -> io::Result<RawMode> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let next = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                next(panic);
            }));
        });
        let before = tcgetattr(terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        let own = terminal.try_clone_to_owned()?;
        *RAW.lock().unwrap_or_else(PoisonError::into_inner) = Some((own, before));
        tcsetattr(terminal, OptionalActions::Drain, &raw)?;
        Ok(RawMode(()))
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
        restore();
    }
}

fn restore() {
    if let Some((terminal, before)) = RAW.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // A terminal that has gone away needs nothing restored.
        let _ = tcsetattr(terminal, OptionalActions::Drain, &before);
    }
}
