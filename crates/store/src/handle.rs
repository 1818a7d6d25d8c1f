//! The handle everything starts from.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction};

use crate::database::{self, Durability, Failure};
use crate::lock::{self, Want};
use crate::{ContainerId, Paths, Result, durability};

/// A log of so many bytes is long: some 120 pages.
const LONG_LOG: u64 = 512 * 1024;

/// A store, opened. Any number of processes and threads may have the same one open.
#[derive(Debug)]
pub struct Store {
    pub(crate) paths: Arc<Paths>,
    connection: Mutex<Connection>,
    /// Whether this handle has written anything.
    has_written: AtomicBool,
    /// What ends what a container has besides its directories.
    pub(crate) end: End,
}

/// What is done before the last directory of a container goes that nobody holds the lock of: it gets what is written in the
/// lock file, if anything is.
pub type End = fn(&ContainerId, &str);

/// Protects what is added to the store until an image refers to it: while any process holds a lease, no unreferenced
/// blob or layer is collected. Clones are the same lease; it ends with the last of them, or with the process.
///
/// Hold it from before the first question whether a layer is there until after [`Store::commit_image`].
#[derive(Debug, Clone)]
#[must_use = "dropping a lease exposes what was added under it to the collector"]
pub struct Lease(#[expect(dead_code, reason = "held for its lock")] Arc<OwnedFd>);

impl Store {
    /// Opens the store, which is made if it is not there. The first to open it in a boot forgets the images that a power
    /// failure took.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if a newer version made it.
    pub fn open(paths: &Paths) -> Result<Store> {
        let connection = database::open(paths)?;
        durability::forget_lost_images(paths, &connection)?;
        Ok(Store {
            paths: Arc::new(paths.clone()),
            connection: Mutex::new(connection),
            has_written: AtomicBool::new(false),
            end: |_, _| (),
        })
    }

    /// With somebody who ends what a container has besides its directories.
    #[must_use]
    pub fn with_end(mut self, end: End) -> Store {
        self.end = end;
        self
    }

    /// Where everything lies.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Takes a lease. Waits while another process collects, which is a matter of milliseconds: what it collects is
    /// deleted later.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub fn lease(&self) -> Result<Lease> {
        loop {
            // None is an answer only to those who do not wait.
            if let Some(lock) = lock::acquire(&self.paths.lock(), Want::Shared)? {
                return Ok(Lease(Arc::new(lock)));
            }
        }
    }

    /// Moves what was committed from the database's log into the database, if the log is long and nobody is in the way.
    /// A process that is the only one to have the store open reads the whole log first, 1.4 µs for each of its pages, and
    /// a container's life leaves nine. This syncs four times (milliseconds), so call it where nobody waits: while a
    /// container runs. It is a `stat(2)` if there is nothing to do.
    ///
    /// # Errors
    /// Those of the database.
    pub fn checkpoint_if_due(&self) -> Result<()> {
        let log = std::fs::metadata(self.paths.database_log()).map_or(0, |metadata| metadata.len());
        if log < LONG_LOG { Ok(()) } else { database::checkpoint(&mut self.connection()) }
    }

    pub(crate) fn read<T>(
        &self,
        doing: &str,
        body: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        database::read(&self.connection(), doing, body)
    }

    pub(crate) fn write<T>(
        &self,
        durability: Durability,
        doing: &str,
        body: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        self.has_written.store(true, Ordering::Relaxed);
        database::write(&self.connection(), durability, doing, body)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A thread that panicked rolled its transaction back while it unwound.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Store {
    /// Whoever has written, and has had no better moment, sees to it that the log does not grow: each command that opens
    /// the store alone reads all of it.
    fn drop(&mut self) {
        if self.has_written.load(Ordering::Relaxed) {
            // The work is done; a log that stays long costs the next command time, and nothing else.
            let _ = self.checkpoint_if_due();
        }
    }
}
