//! `volume export` and `volume import`: the files of a volume as one tar archive, as podman has it. Owns which volumes have files here;
//! what an archive may do is up to `image::layer`, to which it is hostile.

use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use fsroot::Root;
use image::layer::{Form, Limits, Owner, extract, pack};
use store::VolumeRecord;

use super::VolumeConfig;
use super::driver::{self, Place};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};

impl Engine {
    /// Writes all files of a volume to `out`. Whoever changes them meanwhile is not stopped.
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` for a volume whose files are mounted in containers only; those of reading and writing.
    pub fn export_volume(&self, name: &str, out: impl Write) -> Result<()> {
        // Nobody removes it meanwhile, and no build has it alone.
        let _hold = self.store.hold_volume(name)?;
        let root = opened(&self.files(&self.volume(name)?)?)?;
        pack(root.dir(), Form::Plain, out)?;
        Ok(())
    }

    /// Puts the files of an archive, compressed or not, into a volume. A volume that is not there is made, and is there only when
    /// it has all of them; in one that is, files of the same names are replaced, and others stay.
    ///
    /// # Errors
    /// `Invalid` for a name that cannot be; `Unsupported` as above; `Image` for what is no archive.
    pub fn import_volume(&self, config: &VolumeConfig, from: impl Read + Send) -> Result<VolumeRecord> {
        let mut from = Some(from);
        let made = self
            .create_filled_volume(config, Some(|path: &Path| from.take().map_or(Ok(()), |from| unpack(path, from))))?;
        // It was there.
        if let Some(from) = from {
            let _hold = self.store.hold_volume(&made.name)?;
            unpack(&self.files(&made)?, from)?;
        }
        Ok(made)
    }

    /// Where the files of a volume are on this host.
    fn files(&self, volume: &VolumeRecord) -> Result<PathBuf> {
        match driver::place(volume, self.paths().volume_data(&volume.name))? {
            Place::Directory { path, .. } => Ok(path),
            Place::FileSystem { kind, .. } => Err(Error::unsupported(format!(
                "volume {} is a file system of type {kind}, which is mounted in containers only",
                volume.name
            ))
            .with_hint(format!("phial run -v {}:/data IMAGE tar -C /data -c .", volume.name))),
        }
    }
}

fn unpack(path: &Path, from: impl Read + Send) -> Result<()> {
    let reading = |error: std::io::Error| Error::new(ErrorKind::Image, format!("reading the archive: {error}"));
    let from = image::decompressed(BufReader::with_capacity(256 << 10, from)).map_err(reading)?;
    extract(from, &opened(path)?, b"", Owner::Own, &Limits::default())?;
    Ok(())
}

fn opened(path: &Path) -> Result<Root> {
    Root::open(path).map_err(|error| Error::new(ErrorKind::System, error.to_string()))
}
