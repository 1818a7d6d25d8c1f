//! What is known of the contents of files: their sums, by what the kernel says of each file. Kept in one file for each context.
//!
//! A file that has the same inode, size, and times as before has the same content: the time of its last change cannot be set
//! by anybody. But two changes within one tick of the kernel's clock have one time, so what was changed just before it was read
//! is not remembered.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use fsroot::{Metadata, Timespec};
use store::{Digest, Paths};

use crate::error::Result;
use crate::files::{Reading, Sums};

/// What the file begins with. Another beginning is that of another version, and nothing is known then.
const MAGIC: &[u8; 8] = b"phsums\0\x02";
/// As much of a file says which context it is of: paths are no longer.
const MOST_HEAD: u64 = 8 + 4 + 4096;
/// Nanoseconds in which a file may have been changed twice: more than one tick of any kernel.
const TICK: i128 = 20_000_000;
/// A larger file of sums is not read.
const MOST: u64 = 1 << 30;

/// What tells one content of a file from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: i128,
    changed: i128,
}

/// What is known of the contents of files.
#[derive(Debug)]
pub(crate) struct Index {
    /// Where it is kept; nowhere, if nobody comes back to the context.
    file: Option<PathBuf>,
    /// Which context it is of.
    context: PathBuf,
    known: Mutex<Known>,
}

/// What was found at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    stamp: Stamp,
    sum: [u8; 32],
    /// Whether this build has asked for it, or has found it.
    is_wanted: bool,
}

/// By paths.
type Remembered = HashMap<Vec<u8>, Seen>;

#[derive(Debug, Default)]
struct Known {
    sums: Remembered,
    is_read: bool,
    is_new: bool,
}

impl Index {
    /// Of the context at this path.
    pub(super) fn of(context: &Path, paths: &Paths) -> Index {
        let name = Digest::of(context.as_os_str().as_encoded_bytes()).hex();
        Index { file: Some(paths.contexts().join(name)), context: context.to_owned(), known: Mutex::default() }
    }

    /// One that is not kept.
    pub(super) fn forgetful() -> Index {
        Index { file: None, context: PathBuf::new(), known: Mutex::default() }
    }

    /// Keeps what is known for the next build. What cannot be kept is read again.
    pub(super) fn keep(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(file), true) = (&self.file, known.is_new) {
            // Files that are made again and again under other names would make it longer for ever.
            let is_there = |path: &[u8]| self.context.join(OsStr::from_bytes(path)).symlink_metadata().is_ok();
            known.sums.retain(|path, seen| seen.is_wanted || is_there(path));
            write(file, &self.context, &known.sums).ok();
        }
    }
}

impl Sums for Index {
    fn sum(&self, path: &[u8], file: BorrowedFd<'_>, found: &Metadata) -> Result<[u8; 32]> {
        Reading.sum(path, file, found)
    }

    fn known(&self, path: &[u8], found: &Metadata) -> Option<[u8; 32]> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.is_read {
            known.is_read = true;
            known.sums = self.file.as_deref().and_then(read).unwrap_or_default();
        }
        let stamp = Stamp::of(found);
        let seen = known.sums.get_mut(path).filter(|seen| seen.stamp == stamp)?;
        seen.is_wanted = true;
        Some(seen.sum)
    }

    fn remember(&self, path: &[u8], found: &Metadata, sum: [u8; 32]) {
        let stamp = Stamp::of(found);
        if now() - stamp.changed > TICK {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.sums.insert(path.to_vec(), Seen { stamp, sum, is_wanted: true });
            known.is_new = true;
        }
    }
}

impl Stamp {
    fn of(found: &Metadata) -> Stamp {
        Stamp {
            device: found.device,
            inode: found.inode,
            size: found.size,
            modified: nanoseconds(found.modified),
            changed: nanoseconds(found.changed),
        }
    }
}

fn nanoseconds(time: Timespec) -> i128 {
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

fn now() -> i128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(now.as_nanos()).unwrap_or(i128::MAX)
}

/// Reads what was kept; nothing if that is not readable.
fn read(file: &Path) -> Option<Remembered> {
    if std::fs::metadata(file).ok()?.len() > MOST {
        return None;
    }
    let bytes = std::fs::read(file).ok()?;
    let (content, sum) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    // A power failure may have left half of it.
    if Digest::of(content) != Digest::from_bytes(sum.try_into().ok()?) {
        return None;
    }
    let mut rest = content.strip_prefix(MAGIC)?;
    let length = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
    rest = rest.get(length..)?;
    let mut known = HashMap::new();
    while !rest.is_empty() {
        let length = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
        let (path, further) = rest.split_at_checked(length)?;
        rest = further;
        let stamp = Stamp {
            device: u64::from_le_bytes(take(&mut rest)?),
            inode: u64::from_le_bytes(take(&mut rest)?),
            size: u64::from_le_bytes(take(&mut rest)?),
            modified: i128::from_le_bytes(take(&mut rest)?),
            changed: i128::from_le_bytes(take(&mut rest)?),
        };
        known.insert(path.to_vec(), Seen { stamp, sum: take(&mut rest)?, is_wanted: false });
    }
    Some(known)
}

fn take<const COUNT: usize>(rest: &mut &[u8]) -> Option<[u8; COUNT]> {
    let (taken, further) = rest.split_at_checked(COUNT)?;
    *rest = further;
    taken.try_into().ok()
}

/// The contexts that something is known of: each file with the path of its context. None is the path of one that says nothing
/// readable, as of another version.
pub(crate) fn all(paths: &Paths) -> Vec<(PathBuf, Option<PathBuf>)> {
    let entries = std::fs::read_dir(paths.contexts()).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).map(|file| (context_of(&file), file)).map(|(of, file)| (file, of)).collect()
}

fn context_of(file: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    std::fs::File::open(file).ok()?.take(MOST_HEAD).read_to_end(&mut head).ok()?;
    let mut rest = head.strip_prefix(MAGIC)?;
    let length = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
    Some(PathBuf::from(OsStr::from_bytes(rest.get(..length)?)))
}

fn write(file: &Path, context: &Path, known: &Remembered) -> std::io::Result<()> {
    let mut bytes = MAGIC.to_vec();
    let context = context.as_os_str().as_bytes();
    bytes.extend(u32::try_from(context.len()).unwrap_or_default().to_le_bytes());
    bytes.extend(context);
    for (path, Seen { stamp, sum, .. }) in known {
        bytes.extend(u32::try_from(path.len()).unwrap_or_default().to_le_bytes());
        bytes.extend(path);
        for number in [stamp.device, stamp.inode, stamp.size] {
            bytes.extend(number.to_le_bytes());
        }
        for number in [stamp.modified, stamp.changed] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(sum);
    }
    let sum = Digest::of(&bytes);
    bytes.extend(sum.as_bytes());
    let directory = file.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(directory)?;
    let mut beside = tempfile::NamedTempFile::new_in(directory)?;
    beside.write_all(&bytes)?;
    beside.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(number: u64) -> Stamp {
        Stamp { device: 1, inode: number, size: 3, modified: -5, changed: 7 }
    }

    #[test]
    fn what_is_kept_is_read_and_half_of_it_is_not() {
        let directory = tempfile::TempDir::new().expect("a directory can be made");
        let file = directory.path().join("contexts/sums");
        let seen = |number: u8| Seen { stamp: stamp(number.into()), sum: [number; 32], is_wanted: false };
        let known: HashMap<_, _> = (0..100_u8).map(|number| (vec![b'a', number], seen(number))).collect();
        write(&file, Path::new("/of/it"), &known).expect("is written");
        assert_eq!(context_of(&file), Some(PathBuf::from("/of/it")));
        assert_eq!(read(&file), Some(known));
        let bytes = std::fs::read(&file).expect("reads");
        for length in [0, 7, 8, 40, bytes.len() - 1] {
            std::fs::write(&file, &bytes[..length]).expect("writes");
            assert_eq!(read(&file), None, "{length}");
        }
    }

    #[test]
    fn what_was_changed_just_now_is_not_remembered() {
        let directory = tempfile::TempDir::new().expect("a directory can be made");
        let paths = Paths::new(directory.path().join("root"), directory.path().join("run")).expect("is absolute");
        let path = directory.path().join("file");
        std::fs::write(&path, "one").expect("writes");
        let found = fsroot::attributes::metadata(std::fs::File::open(&path).expect("opens")).expect("is there");
        let index = Index::of(directory.path(), &paths);
        let now = Metadata { changed: Timespec { tv_sec: i64::MAX / 4, tv_nsec: 0 }, ..found };
        index.remember(b"file", &now, [1; 32]);
        assert_eq!(index.known(b"file", &now), None);
        let long_ago = Metadata { changed: Timespec { tv_sec: 1, tv_nsec: 0 }, ..found };
        index.remember(b"file", &long_ago, [1; 32]);
        assert_eq!(index.known(b"file", &long_ago), Some([1; 32]));
        assert_eq!(index.known(b"file", &found), None, "it was changed since");
        index.keep();
        let again = Index::of(directory.path(), &paths);
        assert_eq!(again.known(b"file", &long_ago), Some([1; 32]));
        assert_eq!(again.known(b"other", &long_ago), None);
        // What is there is remembered, although a build does not want it; what is gone is not.
        again.remember(b"gone", &long_ago, [2; 32]);
        again.keep();
        let third = Index::of(directory.path(), &paths);
        assert_eq!(third.known(b"third", &long_ago), None);
        third.remember(b"third", &long_ago, [3; 32]);
        third.keep();
        let last = read(third.file.as_deref().expect("it has one")).expect("is readable");
        assert_eq!((last.contains_key(&b"file"[..]), last.contains_key(&b"gone"[..])), (true, false));
    }
}
