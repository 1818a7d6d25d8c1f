//! Layer directories: `layers/<diff id>/fs` is the tree, `layers/<diff id>/layer.json` says when it came to be, and
//! `layers/<diff id>/tape.zst` is what the layer's archive is written from again, if it came as an archive.
//!
//! A layer is written under `tmp`, and is present once it was renamed. Its files are not synced one by one, but all at
//! once after the image was listed. So after a power failure the directory of a layer that no durable image refers to
//! may be there with half of its content; that is why the record names the boot, and such a layer counts as absent.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::id::random_bytes;
use crate::lock::{self, Want};
use crate::{Digest, Error, Lease, Paths, Result, Store, boot_id, steps, tree};

/// End of the name of a layer that is being written.
pub(crate) const UNFINISHED: &str = ".layer";
/// End of the name of the lock of a layer that is being written.
pub(crate) const LOCK: &str = ".lock";

/// Version of [`Record`]. Raised when a reader of the previous one would misunderstand.
const VERSION: u32 = 1;
const RECORD_FILE: &str = "layer.json";
const TAPE_FILE: &str = "tape.zst";
/// What overlayfs needs beside a tree that is being written, while it is.
const WORK: &str = "work";
/// The tree within a layer's directory, finished or not.
const TREE: &str = "fs";

/// A layer that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its tree, in the form that overlayfs takes as a lower directory.
    pub path: PathBuf,
    /// Bytes of the unpacked tree, as its writer counted them.
    pub size: u64,
}

/// What [`Store::begin_layer`] found.
#[derive(Debug)]
pub enum LayerSlot {
    /// The layer is there; nothing is to be done.
    Present(Layer),
    /// The caller is the one who writes it.
    Write(LayerWriter),
}

/// An empty directory for one layer, and the right to be the only one who fills it. Dropping it without
/// [`commit`](LayerWriter::commit) deletes what was written; after a `kill -9`, the collector does.
#[derive(Debug)]
pub struct LayerWriter {
    paths: Arc<Paths>,
    diff_id: Digest,
    /// Declared before `_lease`, and both after what they protect is done with: see `Drop`.
    _lock: OwnedFd,
    _lease: Lease,
    finished: bool,
}

/// What `layer.json` says.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    version: u32,
    size: u64,
    boot_id: String,
}

impl Store {
    /// The layer, if it is there and was written whole.
    ///
    /// # Errors
    /// Those of the database.
    pub fn layer(&self, diff_id: &Digest) -> Result<Option<Layer>> {
        let path = self.paths.layer_fs(diff_id);
        if !path.is_dir() {
            return Ok(None);
        }
        if let Some(size) = self.durable_layer(diff_id)? {
            return Ok(Some(Layer { path, size }));
        }
        let Some(record) = read_record(&self.paths.layer(diff_id)) else { return Ok(None) };
        Ok((record.version == VERSION && record.boot_id == boot_id()?).then_some(Layer { path, size: record.size }))
    }

    /// Whether the layer is there. Without a lease the answer is old when it arrives.
    ///
    /// # Errors
    /// Those of the database.
    pub fn has_layer(&self, diff_id: &Digest) -> Result<bool> {
        Ok(self.layer(diff_id)?.is_some())
    }

    /// Where the tree of this layer is, if it is there.
    pub fn layer_dir(&self, diff_id: &Digest) -> PathBuf {
        self.paths.layer_fs(diff_id)
    }

    /// Bytes of the unpacked tree, as its writer has counted them; 0 for a layer that says nothing.
    pub fn recorded_layer_size(&self, diff_id: &Digest) -> u64 {
        recorded_size(&self.paths.layer(diff_id))
    }

    /// What was kept with [`LayerWriter::keep_tape`]; None for a layer that was made here or by an older version.
    ///
    /// # Errors
    /// Those of `open(2)`.
    pub fn layer_tape(&self, diff_id: &Digest) -> Result<Option<File>> {
        let path = self.paths.layer(diff_id).join(TAPE_FILE);
        match File::open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("opening", &path, error)),
        }
    }

    /// The layer, or the right to write it. While another writes it, waits until that one is done or has given up.
    ///
    /// A thread that has the right to write one layer must not wait for another: two such threads might wait for each
    /// other. Use [`Store::try_begin_layer`] there, or one thread for each layer. A layer that occurs twice in one
    /// image is to be asked for once.
    ///
    /// # Errors
    /// Those of the file system and the database.
    pub fn begin_layer(&self, lease: &Lease, diff_id: &Digest) -> Result<LayerSlot> {
        loop {
            if let Some(slot) = self.layer_slot(lease, diff_id, Want::Exclusive)? {
                return Ok(slot);
            }
        }
    }

    /// As [`Store::begin_layer`], but None while another writes the layer.
    ///
    /// # Errors
    /// Those of the file system and the database.
    pub fn try_begin_layer(&self, lease: &Lease, diff_id: &Digest) -> Result<Option<LayerSlot>> {
        self.layer_slot(lease, diff_id, Want::ExclusiveNow)
    }

    /// A directory for a layer whose digest is known only when it is whole; [`Store::name_layer`] then. Until that, it goes as any
    /// unfinished layer does.
    ///
    /// # Errors
    /// Those of the file system and the database.
    pub fn begin_nameless_layer(&self, lease: &Lease) -> Result<LayerWriter> {
        loop {
            let nobodys = Digest::from_bytes(random_bytes::<32>()?);
            if let LayerSlot::Write(writer) = self.begin_layer(lease, &nobodys)? {
                return Ok(writer);
            }
        }
    }

    /// What was written is the layer `diff_id`; if that is there already, what was written goes.
    ///
    /// # Errors
    /// Those of the file system and the database.
    pub fn name_layer(&self, lease: &Lease, nameless: LayerWriter, diff_id: &Digest) -> Result<LayerSlot> {
        // Nobody else knows the random digest, so nobody waits for this writer while it waits for another.
        let writer = match self.begin_layer(lease, diff_id)? {
            LayerSlot::Present(layer) => return Ok(LayerSlot::Present(layer)),
            LayerSlot::Write(writer) => writer,
        };
        let (from, to) = (unfinished_path(&self.paths, nameless.diff_id()), unfinished_path(&self.paths, diff_id));
        tree::delete(&to)?;
        std::fs::rename(&from, &to).map_err(|error| Error::io("renaming to", &to, error))?;
        // Of the nameless one there is only its lock file left.
        drop(nameless);
        Ok(LayerSlot::Write(writer))
    }

    fn layer_slot(&self, lease: &Lease, diff_id: &Digest, want: Want) -> Result<Option<LayerSlot>> {
        if let Some(layer) = self.layer(diff_id)? {
            return Ok(Some(LayerSlot::Present(layer)));
        }
        tree::make_private(&self.paths.tmp())?;
        let Some(lock) = lock::acquire(&lock_path(&self.paths, diff_id), want)? else { return Ok(None) };
        let writer = LayerWriter {
            paths: Arc::clone(&self.paths),
            diff_id: *diff_id,
            _lock: lock,
            _lease: lease.clone(),
            finished: false,
        };
        // The writer that was waited for may have finished it.
        if let Some(layer) = self.layer(diff_id)? {
            return Ok(Some(LayerSlot::Present(layer)));
        }
        writer.clear()?;
        Ok(Some(LayerSlot::Write(writer)))
    }

    /// The size of a layer that some durable image or step of a build refers to.
    fn durable_layer(&self, diff_id: &Digest) -> Result<Option<u64>> {
        self.read("looking for a layer", |transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT image_layers.size FROM image_layers JOIN images ON images.id = image_layers.image
                 WHERE image_layers.diff_id = ?1 AND images.unsynced IS NULL LIMIT 1",
            )?;
            let mut rows = statement.query([diff_id.hex()])?;
            if let Some(row) = rows.next()? {
                return Ok(Some(row.get(0)?));
            }
            let mut statement = transaction
                .prepare_cached("SELECT size FROM step_results WHERE own = ?1 AND unsynced IS NULL LIMIT 1")?;
            let mut rows = statement.query([diff_id.hex()])?;
            Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
        })
    }
}

impl LayerWriter {
    /// Which layer this is.
    pub fn diff_id(&self) -> &Digest {
        &self.diff_id
    }

    /// The directory to fill. It is empty at first, and its mode is 0755: it becomes `/` of containers.
    pub fn path(&self) -> PathBuf {
        unfinished_path(&self.paths, &self.diff_id).join(TREE)
    }

    /// The directory to fill, opened for reading.
    ///
    /// # Errors
    /// Those of `open(2)`.
    pub fn open(&self) -> Result<OwnedFd> {
        let path = self.path();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::open(&path, flags, Mode::empty()).map_err(|errno| Error::io("opening", &path, errno))
    }

    /// An empty directory on the same file system, for whoever mounts [`LayerWriter::path`] as what an overlay writes to. It goes
    /// with [`LayerWriter::commit`].
    ///
    /// # Errors
    /// Those of the file system.
    pub fn make_work(&self) -> Result<PathBuf> {
        let path = unfinished_path(&self.paths, &self.diff_id).join(WORK);
        tree::delete(&path)?;
        tree::make_private(&path)?;
        Ok(path)
    }

    /// Keeps what the layer's archive can be written from again, beside its tree.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn keep_tape(&self, tape: &[u8]) -> Result<()> {
        let path = unfinished_path(&self.paths, &self.diff_id).join(TAPE_FILE);
        std::fs::write(&path, tape).map_err(|error| Error::io("writing", &path, error))
    }

    /// The layer is whole: from now on it is there. `size`: bytes of the unpacked tree. It is durable once an image
    /// that refers to it is synced.
    ///
    /// # Errors
    /// Those of the file system; then the layer is not there.
    pub fn commit(mut self, size: u64) -> Result<Layer> {
        let unfinished = unfinished_path(&self.paths, &self.diff_id);
        tree::delete(&unfinished.join(WORK))?;
        write_record(&unfinished, &Record { version: VERSION, size, boot_id: boot_id()? })?;
        sys::fault::point("layer: written");
        let finished = self.paths.layer(&self.diff_id);
        // rename(2) replaces only an empty directory, and a layer never is one.
        match rustix::fs::rename(&unfinished, &finished) {
            // Somebody put it there without the lock; it is as good as ours, which the drop deletes.
            Ok(()) | Err(Errno::EXIST | Errno::NOTEMPTY) => {}
            Err(errno) => return Err(Error::io("renaming to", &finished, errno)),
        }
        sys::fault::point("layer: has its name");
        self.finished = true;
        Ok(Layer { path: finished.join(TREE), size })
    }

    /// The layer is the one that a step of a build has written under the name `written`: it has two names from now on.
    ///
    /// # Errors
    /// Those of the file system; then the layer is not there.
    pub(crate) fn link_to(mut self, written: &Digest) -> Result<Layer> {
        let finished = self.paths.layer(&self.diff_id);
        steps::make_link(written, &finished)?;
        sys::fault::point("layer: linked");
        self.finished = true;
        Ok(Layer { path: finished.join(TREE), size: recorded_size(&finished) })
    }

    /// Removes what dead writers and power failures left, and makes the directory to fill.
    fn clear(&self) -> Result<()> {
        tree::discard(&self.paths, &self.paths.layer(&self.diff_id))?;
        tree::discard(&self.paths, &unfinished_path(&self.paths, &self.diff_id))?;
        tree::make_private(&self.paths.layers())?;
        let path = self.path();
        tree::make_private(&path)?;
        // Not with mkdir(2): the umask would have its say.
        rustix::fs::chmod(&path, Mode::from_raw_mode(0o755))
            .map_err(|errno| Error::io("changing mode of", &path, errno))
    }
}

impl Drop for LayerWriter {
    fn drop(&mut self) {
        // Nobody can be told; what stays is found by the collector.
        let _ = tree::discard(&self.paths, &unfinished_path(&self.paths, &self.diff_id));
        let _ = std::fs::remove_file(lock_path(&self.paths, &self.diff_id));
    }
}

pub(crate) fn lock_path(paths: &Paths, diff_id: &Digest) -> PathBuf {
    paths.tmp().join(format!("{}{LOCK}", diff_id.hex()))
}

pub(crate) fn unfinished_path(paths: &Paths, diff_id: &Digest) -> PathBuf {
    paths.tmp().join(format!("{}{UNFINISHED}", diff_id.hex()))
}

/// Bytes of a finished layer as its record says; 0 if it says nothing.
pub(crate) fn recorded_size(layer: &Path) -> u64 {
    read_record(layer).map_or(0, |record| record.size)
}

fn read_record(layer: &Path) -> Option<Record> {
    serde_json::from_slice(&std::fs::read(layer.join(RECORD_FILE)).ok()?).ok()
}

fn write_record(layer: &Path, record: &Record) -> Result<()> {
    let path = layer.join(RECORD_FILE);
    let text = serde_json::to_vec(record).map_err(|error| Error::io("encoding", &path, error))?;
    std::fs::write(&path, text).map_err(|error| Error::io("writing", &path, error))
}
