//! Gets the disk to work while layers still arrive. An image's commit syncs all of it; the kernel would leave every byte
//! until then, and the pull would end with a wait for the whole image at the speed of the disk. Correctness never
//! depends on this.

use std::cell::Cell;
use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, Scope};

/// Compressed bytes between two syncs: some 100 MiB on disk, a fraction of a second of work.
const STRIDE: u64 = 48 << 20;

/// Syncs the store's file system now and then. Dropping it ends its thread.
pub(crate) struct Writeback {
    wake: Option<SyncSender<()>>,
    pending: Cell<u64>,
}

impl Writeback {
    /// Starts in `scope`, for the file system of `root`. Without a thread or without `root` it does nothing.
    pub(crate) fn start<'scope>(scope: &'scope Scope<'scope, '_>, root: &Path) -> Self {
        let (wake, woken) = sync_channel(1);
        let started = File::open(root).and_then(|root| {
            thread::Builder::new().name("writeback".into()).spawn_scoped(scope, move || {
                for () in woken {
                    // The commit syncs again, and reports what fails.
                    let _reported_later = rustix::fs::syncfs(&root);
                }
            })
        });
        Self { wake: started.is_ok().then_some(wake), pending: Cell::new(0) }
    }

    /// So many bytes more have arrived. Does not block: while one sync is at work, the next is only noted.
    pub(crate) fn add(&self, bytes: u64) {
        let pending = self.pending.get() + bytes;
        if pending < STRIDE {
            return self.pending.set(pending);
        }
        self.pending.set(0);
        if let Some(wake) = &self.wake {
            // Full: a sync is to come anyway.
            let _noted = wake.try_send(());
        }
    }
}
