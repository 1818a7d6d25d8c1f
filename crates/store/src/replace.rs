//! Small files that are replaced as a whole: written under `tmp`, synced, renamed to their place. Whoever is killed leaves the
//! old file or the new one, and perhaps a name that the collector knows as rubbish.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::digest::encode_hex;
use crate::id::random_bytes;
use crate::{Error, Result, Store, tree};

/// Beginning of the names of files that are being written. Their writers hold leases.
pub(crate) const UNFINISHED: &str = "file-";

impl Store {
    /// Puts a file of these bytes in the place of `path`, which is below the store's root; its directory is made if need be. It
    /// is durable when this returns. Of two who replace one file at once the last one wins, whole.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn replace_file(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let _lease = self.lease()?;
        let directory = path.parent().unwrap_or(self.paths.root());
        tree::make_private(directory)?;
        tree::make_private(&self.paths.tmp())?;
        let unfinished = self.paths.tmp().join(format!("{UNFINISHED}{}", encode_hex(&random_bytes::<8>()?)));
        let put = || {
            write(&unfinished, bytes).map_err(|error| Error::io("writing", &unfinished, error))?;
            sys::fault::point("file: written");
            std::fs::rename(&unfinished, path).map_err(|error| Error::io("renaming to", path, error))
        };
        if let Err(error) = put() {
            // The first error is the one to tell; the collector knows the name.
            let _ = std::fs::remove_file(&unfinished);
            return Err(error);
        }
        sys::fault::point("file: has its name");
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(|error| Error::io("syncing", directory, error))
    }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
