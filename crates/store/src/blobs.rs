//! Small content by digest. What is read is hashed again, so a blob that the disk changed is an error and never content.

use std::io::ErrorKind::NotFound;
use std::path::Path;

use crate::digest::encode_hex;
use crate::id::random_bytes;
use crate::{Digest, Error, ErrorKind, Lease, Result, Store, tree};

/// Beginning of the names of blobs that are being written. Their writers hold leases.
pub(crate) const UNFINISHED: &str = "blob-";

impl Store {
    /// Keeps these bytes and returns their digest. It is durable once an image that refers to it is synced.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn put_blob(&self, _lease: &Lease, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        let path = self.paths.blob(&digest);
        // A file with the right name and other content is what a power failure leaves: it is written again.
        if std::fs::read(&path).is_ok_and(|found| found == bytes) {
            return Ok(digest);
        }
        tree::make_private(&self.paths.tmp())?;
        let unfinished = self.paths.tmp().join(format!("{UNFINISHED}{}", encode_hex(&random_bytes::<8>()?)));
        let written = std::fs::write(&unfinished, bytes)
            .map_err(|error| Error::io("writing", &unfinished, error))
            .and_then(|()| rename(&unfinished, &path));
        if written.is_err() {
            // The first error is the one to tell; the collector knows the name.
            let _ = std::fs::remove_file(&unfinished);
        }
        written.map(|()| digest)
    }

    /// The content with this digest.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it is not here, [`ErrorKind::Corrupt`] if what is here is not it.
    pub fn blob(&self, digest: &Digest) -> Result<Vec<u8>> {
        let path = self.paths.blob(digest);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == NotFound => {
                return Err(Error::new(ErrorKind::NotFound, format!("no such blob: {digest}")));
            }
            Err(error) => return Err(Error::io("reading", &path, error)),
        };
        let found = Digest::of(&bytes);
        if found != *digest {
            return Err(Error::new(ErrorKind::Corrupt, format!("{} has the content of {found}", path.display())));
        }
        Ok(bytes)
    }

    /// Whether there is a blob with this name. Only reading it says whether it is whole.
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.paths.blob(digest).exists()
    }
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    sys::fault::point("blob: written");
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == NotFound => {
            if let Some(parent) = to.parent() {
                tree::make_private(parent)?;
            }
            std::fs::rename(from, to)
        }
        other => other,
    }
    .map_err(|error| Error::io("renaming to", to, error))?;
    sys::fault::point("blob: has its name");
    Ok(())
}
