//! A socket of this host, reached from a container through one that is the container's own: whoever connects to the second is
//! connected to the first by this process, so that neither its owner nor its permission bits matter.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{Context, Result};

/// As many connections are open at once; further ones are closed. Whoever connects is a stranger, and each costs threads.
const MOST: usize = 64;
/// How long it is waited until descriptors are tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// Leads from one socket to another until it is dropped.
#[derive(Debug)]
pub struct Forward {
    listener: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Forward {
    /// Listens at `path`, and connects to `to` for whoever comes.
    ///
    /// # Errors
    /// `System` when nobody can be listened to there.
    pub(super) fn listen(path: &Path, to: &Path) -> Result<Forward> {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Err(crate::Error::system(path.display(), io::ErrorKind::InvalidInput));
        };
        // Through the directory's descriptor: a path of a socket has 107 bytes at most (`unix(7)`).
        let short = sys::fdpass::socket_path(directory, name).context(|| path.display())?;
        let listener = UnixListener::bind(short.as_path()).context(|| path.display())?;
        let ours = listener.as_fd().try_clone_to_owned().context(|| path.display())?;
        let to: PathBuf = to.to_owned();
        let thread = std::thread::Builder::new().name("agent".into()).spawn(move || serve(&listener, &to));
        Ok(Forward { listener: ours, thread: Some(thread.context(|| "starting a thread")?) })
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        // Whoever waits for a connection is told that there will be none.
        rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn serve(listener: &UnixListener, to: &Path) {
    let open = Arc::new(());
    loop {
        let theirs = match listener.accept() {
            Ok((theirs, _)) => theirs,
            // It was shut down.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            // This process has no descriptor left, which passes.
            Err(_) => {
                std::thread::sleep(PAUSE);
                continue;
            }
        };
        // A connection that cannot be served is closed, which is an answer as well.
        if Arc::strong_count(&open) <= 2 * MOST {
            UnixStream::connect(to).and_then(|ours| connect(theirs, ours, &open)).ok();
        }
    }
}

/// Copies in both directions until both have ended, each of which has a share of `open`.
fn connect(one: UnixStream, other: UnixStream, open: &Arc<()>) -> io::Result<()> {
    let directions = [(one.try_clone()?, other.try_clone()?), (other, one)];
    for (mut from, mut to) in directions {
        let share = Arc::clone(open);
        std::thread::Builder::new().name("agent".into()).spawn(move || {
            io::copy(&mut from, &mut to).ok();
            to.shutdown(Shutdown::Write).ok();
            drop(share);
        })?;
    }
    Ok(())
}
