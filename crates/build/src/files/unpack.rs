//! Archives that `ADD` unpacks: told by their content, never by their name. Owns the question whether something is one.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::os::fd::OwnedFd;

use fsroot::{Follow, Root};
use image::layer::{Limits, Owner, extract};

use super::attributes::Made;
use super::copy::Copied;
use super::resolve::{directory, resolve};
use super::selection::Entry;
use super::sums::check;
use super::{Ids, shown};
use crate::error::{Error, ErrorKind, Result};

/// The header of an entry in an archive.
const HEADER: usize = 512;
/// Where its checksum is, in octal.
const CHECKSUM: std::ops::Range<usize> = 148..156;
/// How much of a file is read at once.
const BUFFER: usize = 128 * 1024;

/// Unpacks `archive` into the directory at `path`, if it is an archive, compressed or not. Its files are the owner's, or
/// whose they are in it.
///
/// # Errors
/// What is wrong with it, and `Changed` if it is not what it was when it was found.
pub(super) fn unpack(
    archive: OwnedFd,
    entry: &Entry,
    onto: &Root,
    path: &[u8],
    timestamp: i64,
    owner: Option<Ids>,
) -> Result<Option<Copied>> {
    let mut file = File::from(archive);
    let system = |error| Error::system(shown(&entry.path), error);
    if !is_archive(&file) {
        return Ok(None);
    }
    file.rewind().map_err(system)?;
    let above = Made::new(0o755, owner, timestamp);
    directory(onto, path, Some(&above))?;
    let into = resolve(onto, path, Follow::Yes, None)?.path;
    let owner = owner.map_or(Owner::Own, |(user, group)| Owner::Of(user, group));
    let stream = image::decompressed(BufReader::with_capacity(BUFFER, &file)).map_err(system)?;
    let done = extract(stream, onto, &into, owner, &Limits::default()).map_err(|error| {
        let kind = if error.is_full() { ErrorKind::Full } else { ErrorKind::Invalid };
        let text = error.to_string().replacen("layer entry ", "", 1).replacen("layer: ", "", 1);
        Error::new(kind, format!("unpacking {}: {text}", shown(&entry.path)))
    })?;
    check(&file, entry)?;
    above.finish()?;
    Ok(Some(Copied { bytes: done.bytes, files: done.entries }))
}

/// Whether it begins as an archive does, when it is decompressed.
fn is_archive(file: &File) -> bool {
    let mut header = [0; HEADER];
    let decompressed = image::decompressed(BufReader::with_capacity(BUFFER, file));
    decompressed.and_then(|mut stream| stream.read_exact(&mut header)).is_ok() && is_header(&header)
}

/// Whether the checksum is right: of all bytes, with spaces where it stands itself. Some old programs have added bytes with signs.
fn is_header(header: &[u8; HEADER]) -> bool {
    let text = String::from_utf8_lossy(&header[CHECKSUM]);
    let Ok(wanted) = i64::from_str_radix(text.trim_matches([' ', '\0']), 8) else { return false };
    let bytes = || header.iter().enumerate().map(|(at, byte)| if CHECKSUM.contains(&at) { b' ' } else { *byte });
    let unsigned: i64 = bytes().map(i64::from).sum();
    let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
    wanted == unsigned || wanted == signed
}
