//! What is told to the one who waits for a pull, a push, or a file that is read. Says what happens, never how it looks.

use std::io::{self, Read};

use store::Digest;

/// Receives the events, from several threads at once. Must not block: the work waits for it.
pub trait Progress: Sync {
    /// Called for each event. Those with numbers of bytes come often; drawing them every time is too much.
    fn event(&self, event: ProgressEvent<'_>);
}

/// No interest.
impl Progress for () {
    fn event(&self, _event: ProgressEvent<'_>) {}
}

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ProgressEvent<'a> {
    /// The registry is asked what the reference means.
    Resolving {
        /// The full name.
        reference: &'a str,
        /// `host[:port]`.
        registry: &'a str,
    },
    /// A layer changed its state. Each layer is announced once as `Waiting` or `Exists`, lowest first, before any
    /// other state.
    Layer {
        /// The first 12 digits of the layer's digest.
        id: &'a str,
        /// The new state.
        state: LayerState,
    },
    /// A push begins.
    Pushing {
        /// The repository, without tag.
        repository: &'a str,
    },
    /// A layer of a push changed its state. Each is announced once as `Preparing`, lowest first, before any other state.
    Upload {
        /// The first 12 digits of the layer's diff id.
        id: &'a str,
        /// The new state.
        state: UploadState<'a>,
    },
    /// The image is in the registry.
    Pushed {
        /// The tag.
        tag: &'a str,
        /// The digest of the manifest.
        digest: &'a Digest,
        /// Bytes of the manifest.
        size: usize,
    },
    /// Some of a file was read.
    Reading {
        /// The first 12 digits of a layer's diff id, or what file it is.
        what: &'a str,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, where that is known.
        total: Option<u64>,
    },
    /// A request went wrong and is made again.
    Retrying {
        /// The layer's first 12 digits, or the name asked for.
        what: &'a str,
        /// What went wrong.
        why: &'a str,
    },
    /// Something the caller should know and that stops nothing.
    Warning {
        /// A sentence without full stop.
        message: &'a str,
    },
    /// The image is in the store.
    Done {
        /// What the reference stood for: the digest of the index, or of the manifest if there is no index.
        digest: &'a Digest,
        /// Whether it was there before.
        already_present: bool,
    },
}

/// Where a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerState {
    /// In the store already.
    Exists,
    /// To be fetched.
    Waiting,
    /// On its way: decompressed, hashed and written as it comes.
    Downloading {
        /// Compressed bytes so far.
        done: u64,
        /// Compressed bytes in all.
        total: u64,
    },
    /// All bytes are here, the rest is being written.
    Unpacking,
    /// Verified and in the store.
    Done,
}

/// Where a layer of a push is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadState<'a> {
    /// To be looked at.
    Preparing,
    /// The repository has it.
    Exists,
    /// Another repository of the registry has it, and shares it.
    Mounted {
        /// That repository.
        from: &'a str,
    },
    /// On its way: compressed as it goes.
    Pushing {
        /// Compressed bytes so far.
        done: u64,
        /// Compressed bytes in all, once that is known.
        total: Option<u64>,
    },
    /// The registry has verified it.
    Done,
}

/// A reader that tells how much of it was read.
pub struct Told<'a, R> {
    source: R,
    progress: &'a dyn Progress,
    what: String,
    done: u64,
    total: Option<u64>,
}

impl<'a, R: Read> Told<'a, R> {
    /// Reads `source`, which is called `what` and has `total` bytes, if that is known.
    pub fn new(source: R, progress: &'a dyn Progress, what: impl Into<String>, total: Option<u64>) -> Self {
        Self { source, progress, what: what.into(), done: 0, total }
    }
}

impl<R: Read> Read for Told<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.done += count as u64;
        self.progress.event(ProgressEvent::Reading { what: &self.what, done: self.done, total: self.total });
        Ok(count)
    }
}
