//! The loop over the entries of a layer. Owns the order of things: entries, then directories' attributes, then the rest of the stream.

use std::io::Read;

use super::archive::{Archive, Entry};
use super::place::{Copy, Writer};
use super::replaced::Replaced;
use super::tape::Recorder;
use super::{Error, Limits, Result};

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Bytes of file contents, holes that the archive leaves out not counted.
    pub bytes: u64,
    /// Entries of the archive, extension headers not counted.
    pub entries: u64,
    /// Extended attributes that this file system cannot keep.
    pub xattrs_lost: u64,
    /// Device nodes that were not made, because their owner was to be another than their own.
    pub devices_left_out: u64,
}

/// Who gets what is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The entries' own owners.
    Own,
    /// This user and group, of a container.
    Of(u32, u32),
    /// This user and group, of the host: set-id bits and attributes that give rights are dropped, and devices left out.
    OnHost(u32, u32),
}

/// Writes the layer in `reader`, an uncompressed tar stream, into the directory `dest`, which is empty and which nobody else uses.
///
/// Reads `reader` to its end, also past the end of the archive, so that whoever hashes the stream on its way sees all of it. Whiteouts get
/// overlayfs's form: a character device 0:0, and the attribute `trusted.overlay.opaque`. Directories that no entry
/// describes get mode 0755. Nothing is synced.
///
/// `dest` must not be reachable by other users (it is below a directory of mode 0700): device nodes and set-user-id
/// files are created as the layer has them.
///
/// # Errors
///
/// [`super::ErrorKind`]; `dest` then holds a part of the layer and is good for nothing but removal.
pub fn unpack(reader: impl Read, dest: &fsroot::Root, limits: &Limits) -> Result<Unpacked> {
    let writer = Writer::new(dest, Replaced::unwanted(), limits)?;
    write(Archive::new(reader, limits), writer, limits).map(|(done, _)| done)
}

/// As [`unpack`], and keeps what [`replay`](super::replay) needs to write the very same stream again: the layer's tape, or
/// None for an archive that has too much which the layer has not: headers, and files that later entries replaced.
///
/// # Errors
///
/// Those of [`unpack`].
pub fn unpack_with_tape(
    reader: impl Read,
    dest: &fsroot::Root,
    limits: &Limits,
) -> Result<(Unpacked, Option<Vec<u8>>)> {
    let mut recorder = Recorder::new()?;
    let writer = Writer::new(dest, Replaced::wanted(), limits)?;
    let (unpacked, replaced) = write(Archive::tapped(reader, limits, &mut recorder), writer, limits)?;
    Ok((unpacked, recorder.finish(replaced)?))
}

/// Copies the entries of `reader`, an uncompressed tar stream, into the directory `into` of `root`: a tree that is there already, and that a
/// container may be changing meanwhile. Names mean nothing but themselves; symlinks on the way are followed inside
/// `root`. A file that is there is replaced by a new one, a directory is filled further; what is a directory on
/// one side only is refused. `owner` gets everything.
///
/// # Errors
///
/// [`super::ErrorKind`]; what was written before stays.
pub fn extract(reader: impl Read, root: &fsroot::Root, into: &[u8], owner: Owner, limits: &Limits) -> Result<Unpacked> {
    let ids = match owner {
        Owner::Own => None,
        Owner::Of(user, group) | Owner::OnHost(user, group) => Some((user, group)),
    };
    let copy = Copy { into: into.to_vec(), owner: ids, harmless: matches!(owner, Owner::OnHost(..)) };
    write(Archive::new(reader, limits), Writer::copying(root, copy, limits)?, limits).map(|(done, _)| done)
}

fn write<R: Read>(mut archive: Archive<'_, R>, mut writer: Writer, limits: &Limits) -> Result<(Unpacked, Replaced)> {
    let mut entry = Entry::default();
    while archive.next(&mut entry)? {
        writer.done.entries += 1;
        if writer.done.entries > limits.entries {
            return Err(Error::too_large(format_args!("more than {} entries", limits.entries)));
        }
        writer.write(&mut entry, &mut archive)?;
    }
    archive.drain()?;
    writer.finish()
}
