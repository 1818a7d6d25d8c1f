//! A layer's archive, compressed while it is sent. What was compressed lies in a file without a name, so that what a broken
//! connection lost can be sent again without compressing it again, and nothing stays after a `kill -9`.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};
use std::time::Instant;

use bytes::Bytes;
use rustix::fs::{Mode, OFlags};
use store::{Digest, Hasher, Store};
use tokio::sync::{mpsc, watch};

use crate::error::{Error, ErrorKind, Result};
use crate::push::Compression;
use crate::rebuild::write_layer;

/// Bytes handed to the connection at once.
const PIECE: usize = 256 << 10;

/// How far the compression is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    pub(crate) written: u64,
    pub(crate) end: End,
}

/// Whether it has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    NotYet,
    Whole(Digest),
    Failed,
}

/// A compressed archive in the making.
pub(crate) struct Spool {
    file: Arc<File>,
    state: watch::Receiver<State>,
    error: Arc<Mutex<Option<Error>>>,
}

impl Spool {
    /// Starts to compress the layer `diff_id` in a thread of `scope`. Dropping the spool ends the thread.
    pub(crate) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        store: &'scope Store,
        diff_id: Digest,
        compression: Compression,
    ) -> Result<Self> {
        let file = Arc::new(unnamed(store)?);
        let (sender, state) = watch::channel(State { written: 0, end: End::NotYet });
        let error = Arc::default();
        let spool = Self { file: Arc::clone(&file), state, error: Arc::clone(&error) };
        let work = move || {
            let mut sink = Sink { file, sender, hasher: Hasher::new(), written: 0 };
            let written = compression.run(&mut sink, |out| write_layer(store, &diff_id, out));
            let end = match written {
                Ok(_) => End::Whole(sink.hasher.clone().finish()),
                Err(why) => {
                    *error.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                    End::Failed
                }
            };
            sink.sender.send_modify(|state| state.end = end);
        };
        thread::Builder::new()
            .name("archive".into())
            .spawn_scoped(scope, work)
            .map_err(|error| Error::new(ErrorKind::Store, format!("cannot start a thread: {error}")))?;
        Ok(spool)
    }

    /// How far it is, once there are more than `sent` bytes, or it has ended.
    ///
    /// # Errors
    /// Why the archive could not be written.
    pub(crate) async fn beyond(&mut self, sent: u64) -> Result<State> {
        let state = self.state.wait_for(|state| state.written > sent || state.end != End::NotYet).await;
        let state = state.map_or(State { written: 0, end: End::Failed }, |state| *state);
        if state.end == End::Failed {
            let why = self.error.lock().unwrap_or_else(PoisonError::into_inner).take();
            return Err(why.unwrap_or_else(|| Error::new(ErrorKind::Store, "its thread ended without a word")));
        }
        Ok(state)
    }

    /// The length of all of it, once that is known.
    pub(crate) fn whole(&self) -> Option<u64> {
        let state = *self.state.borrow();
        matches!(state.end, End::Whole(_)).then_some(state.written)
    }

    /// Gives the bytes from `from` on to `pieces`: `length` of them, or all there will be. Returns how many were taken.
    pub(crate) async fn feed(
        &mut self,
        from: u64,
        length: Option<u64>,
        pieces: mpsc::Sender<Bytes>,
        moved: &Cell<Instant>,
        report: &dyn Fn(u64),
    ) -> Result<u64> {
        let mut done = 0;
        loop {
            let left = length.map_or(u64::MAX, |length| length - done);
            let state = if left == 0 { return Ok(done) } else { self.beyond(from + done).await? };
            let there = (state.written - from - done).min(left);
            if there == 0 {
                return Ok(done);
            }
            let piece = self.read(from + done, usize::try_from(there).map_or(PIECE, |there| there.min(PIECE)))?;
            let count = piece.len() as u64;
            // Waiting for the compression is not the server's fault.
            moved.set(Instant::now());
            if pieces.send(piece).await.is_err() {
                return Ok(done);
            }
            moved.set(Instant::now());
            done += count;
            report(from + done);
        }
    }

    /// So many bytes from `from` on, which have been written.
    pub(crate) fn read(&self, from: u64, count: usize) -> Result<Bytes> {
        let mut bytes = vec![0; count];
        self.file
            .read_exact_at(&mut bytes, from)
            .map_err(|error| Error::new(ErrorKind::Store, format!("reading what was compressed: {error}")))?;
        Ok(Bytes::from(bytes))
    }
}

fn unnamed(store: &Store) -> Result<File> {
    let directory = store.paths().tmp();
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::open(&directory, flags, Mode::RUSR | Mode::WUSR).map(File::from);
    file.map_err(|errno| {
        let error = std::io::Error::from(errno);
        Error::new(ErrorKind::Store, format!("making a file in {}: {error}", directory.display())).caused_by(error)
    })
}

struct Sink {
    file: Arc<File>,
    sender: watch::Sender<State>,
    hasher: Hasher,
    written: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.sender.is_closed() {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        self.file.write_all_at(bytes, self.written)?;
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        self.sender.send_modify(|state| state.written = self.written);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
