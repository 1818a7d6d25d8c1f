//! An OCI image layout (image-spec `image-layout.md`) that is written: as an archive, or as a directory. Owns its order and that the same
//! content always gives the same bytes: nothing in it has a time or an owner, and what describes comes before what is described.

use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use store::{Digest, Store};

use super::find::path;
use crate::error::{Error, ErrorKind, Result};
use crate::layer::entry_headers;
use crate::rebuild::write_layer;

const BLOCK: usize = 512;
/// Pieces between the thread that reads a layer and the one that writes the archive.
const PIECES: usize = 16;
/// What marks a layout, and what stands in it.
const MARKER: (&str, &[u8]) = ("oci-layout", b"{\"imageLayoutVersion\":\"1.0.0\"}");

/// What a layout has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// `index.json`.
    pub index: Vec<u8>,
    /// `manifest.json`, if it is docker's archive as well.
    pub docker: Option<Vec<u8>>,
    /// Manifests, configurations and whatever else is a blob and small.
    pub documents: Vec<Vec<u8>>,
    /// Layers of the store, each with the length of its archive.
    pub layers: Vec<(Digest, u64)>,
}

impl Layout {
    /// Writes it as one archive.
    ///
    /// # Errors
    /// `Store` for what cannot be read, `Digest` for a layer that was changed on disk, `Write` errors of `out` as `Store`.
    pub fn write_archive(&self, store: &Store, out: impl Write + Send) -> Result<()> {
        let mut archive = Archive { out };
        archive.file(MARKER.0, MARKER.1)?;
        archive.file("index.json", &self.index)?;
        if let Some(docker) = &self.docker {
            archive.file("manifest.json", docker)?;
        }
        let mut written: Vec<Digest> = Vec::new();
        for document in &self.documents {
            let digest = Digest::of(document);
            if !written.contains(&digest) {
                archive.file(&path(&digest), document)?;
                written.push(digest);
            }
        }
        for (diff_id, length) in &self.layers {
            if !written.contains(diff_id) {
                archive.layer(store, diff_id, *length)?;
                written.push(*diff_id);
            }
        }
        archive.write(&[0; 2 * BLOCK])?;
        archive.out.flush().map_err(|error| writing(&error))
    }

    /// Writes it into a directory that is empty.
    ///
    /// # Errors
    /// As [`Layout::write_archive`].
    pub fn write_directory(&self, store: &Store, directory: &Path) -> Result<()> {
        let blobs = directory.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).map_err(|error| writing(&error))?;
        let put =
            |name: &str, bytes: &[u8]| std::fs::write(directory.join(name), bytes).map_err(|error| writing(&error));
        put(MARKER.0, MARKER.1)?;
        put("index.json", &self.index)?;
        self.docker.as_ref().map_or(Ok(()), |docker| put("manifest.json", docker))?;
        self.documents.iter().try_for_each(|document| put(&path(&Digest::of(document)), document))?;
        for (diff_id, _) in &self.layers {
            let file = std::fs::File::create(directory.join(path(diff_id))).map_err(|error| writing(&error))?;
            let mut out = std::io::BufWriter::with_capacity(1 << 20, file);
            write_layer(store, diff_id, &mut out)?;
            out.flush().map_err(|error| writing(&error))?;
        }
        Ok(())
    }
}

struct Archive<W> {
    out: W,
}

impl<W: Write + Send> Archive<W> {
    fn file(&mut self, name: &str, contents: &[u8]) -> Result<()> {
        self.write(&entry_headers(name, contents.len() as u64))?;
        self.write(contents)?;
        self.pad(contents.len() as u64)
    }

    /// A layer, read by another thread than the one that writes.
    fn layer(&mut self, store: &Store, diff_id: &Digest, length: u64) -> Result<()> {
        self.write(&entry_headers(&path(diff_id), length))?;
        let (sender, pieces) = sync_channel(PIECES);
        let written = thread::scope(|scope| {
            let reader = thread::Builder::new()
                .name("layer".into())
                .spawn_scoped(scope, move || write_layer(store, diff_id, &mut Sender(sender)))
                .map_err(|error| Error::new(ErrorKind::Store, format!("cannot start a thread: {error}")))?;
            let copied = self.copy(&pieces);
            drop(pieces);
            match reader.join() {
                // What the writer says comes first: the reader has only seen that nobody takes its pieces any more.
                Ok(read) => copied.and(read),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })?;
        if written != length {
            let message = format!("layer {} has {written} bytes, and not the {length} it had", diff_id.short());
            return Err(Error::new(ErrorKind::Digest, message));
        }
        self.pad(length)
    }

    fn copy(&mut self, pieces: &Receiver<Vec<u8>>) -> Result<()> {
        while let Ok(piece) = pieces.recv() {
            self.write(&piece)?;
        }
        Ok(())
    }

    fn pad(&mut self, length: u64) -> Result<()> {
        let over = usize::try_from(length % BLOCK as u64).unwrap_or_default();
        if over > 0 { self.write(&[0; BLOCK][over..]) } else { Ok(()) }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(|error| writing(&error))
    }
}

struct Sender(SyncSender<Vec<u8>>);

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| std::io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn writing(error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Store, format!("writing the archive: {error}"))
}
