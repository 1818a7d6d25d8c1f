//! What a pull tells the one who waits for it. Says what happens, never how it looks.

use store::Digest;

/// Receives the events of a pull, from several threads at once. Must not block: the download waits for it.
pub trait Progress: Sync {
    /// Called for each event. `Downloading` comes often; drawing it every time is too much.
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
