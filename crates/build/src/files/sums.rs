//! What decides about the result of a copy, as a sum. Owns what goes into it, and the threads that read files.
//!
//! Names, kinds, modes, owners, contents, targets of symlinks, numbers of devices, extended attributes, and which files are one:
//! all that a copy has from its source, but no time. A file that was only touched is copied from the cache.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fsroot::{Metadata, Name, OFlags, attributes};
use ring::digest::{Context, SHA256};

use super::attributes::{kept_xattrs, owner_in};
use super::cursor::Cursor;
use super::resolve::is_gone;
use super::selection::{Entry, Selection};
use super::{Origin, changed, shown};
use crate::error::{Error, Result};

/// How many files a thread takes at once.
const AT_ONCE: usize = 32;
/// Below these a second thread costs more than it does.
const FEW: usize = 4 * AT_ONCE;
const LITTLE: u64 = 4 << 20;
/// How much is read at once.
const BUFFER: u64 = 128 * 1024;

/// A SHA-256.
pub(crate) type Sum = [u8; 32];

/// Whoever knows what is in files.
pub(crate) trait Sums: Sync {
    /// The SHA-256 of a regular file: its path in the root without a slash before it, open for reading, and what it is.
    fn sum(&self, path: &[u8], file: BorrowedFd<'_>, found: &Metadata) -> Result<Sum>;

    /// What `remember` was told of this file or directory, if it is the same and has the same times of change: then it is not even
    /// opened.
    fn known(&self, _path: &[u8], _found: &Metadata) -> Option<Sum> {
        None
    }

    /// Is told the sum of what a file has in it and of its extended attributes; of a directory, of these alone.
    fn remember(&self, _path: &[u8], _found: &Metadata, _sum: Sum) {}
}

/// Reads every file.
pub(crate) struct Reading;

impl Sums for Reading {
    fn sum(&self, path: &[u8], file: BorrowedFd<'_>, found: &Metadata) -> Result<Sum> {
        let mut buffer = vec![0; usize::try_from(found.size.saturating_add(1).min(BUFFER)).unwrap_or(1)];
        let (mut sum, mut at) = (Context::new(&SHA256), 0);
        loop {
            let answer = rustix::io::retry_on_intr(|| rustix::io::pread(file, &mut buffer[..], at));
            let count = answer.map_err(|errno| Error::system(shown(path), errno))?;
            if count == 0 {
                return Ok(finished(sum));
            }
            sum.update(&buffer[..count]);
            at += count as u64;
        }
    }
}

impl Selection {
    /// The sum of all that decides what a copy of it is.
    ///
    /// # Errors
    /// `Changed` if a file is not what it was when it was found.
    pub(crate) fn digest(&self, from: &Origin<'_>) -> Result<Sum> {
        let sums = self.sums(from)?;
        let mut all = Context::new(&SHA256);
        for source in &self.sources {
            text(&mut all, &source.name);
            number(&mut all, source.entries.len() as u64);
            for index in source.entries.clone() {
                let entry = &self.entries[index];
                text(&mut all, source.below(entry));
                all.update(&sums[index]);
                number(&mut all, entry.first.map_or(0, |first| first as u64 + 1));
                all.update(&[u8::from(entry.is_taken)]);
            }
        }
        Ok(finished(all))
    }

    /// For people who ask what has changed: each path with the sum of its mode, owner and content.
    ///
    /// # Errors
    /// `Changed` if a file is not what it was when it was found.
    pub(crate) fn inputs(&self, from: &Origin<'_>) -> Result<Vec<(String, Sum)>> {
        let sums = self.sums(from)?;
        let paths = self.entries.iter().map(|entry| String::from_utf8_lossy(&entry.path).into_owned());
        Ok(paths.zip(sums).collect())
    }

    /// The sum of each entry, without its name.
    fn sums(&self, from: &Origin<'_>) -> Result<Vec<Sum>> {
        let bytes: u64 =
            self.entries.iter().map(|entry| if entry.found.is_file() { entry.found.size } else { 0 }).sum();
        let is_little = self.entries.len() < FEW && bytes < LITTLE;
        let threads = if is_little { 1 } else { thread::available_parallelism().map_or(1, usize::from) };
        let next = AtomicUsize::new(0);
        let mut sums = vec![Sum::default(); self.entries.len()];
        let parts = if threads < 2 {
            vec![self.part(from, &next)]
        } else {
            thread::scope(|scope| {
                let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.part(from, &next))).collect();
                let joined = workers.into_iter().map(thread::ScopedJoinHandle::join);
                joined.map(|part| part.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
            })
        };
        for part in parts {
            for (index, sum) in part? {
                sums[index] = sum;
            }
        }
        for (index, entry) in self.entries.iter().enumerate() {
            if let Some(first) = entry.first {
                sums[index] = sums[first];
            }
        }
        Ok(sums)
    }

    /// What one thread does: files from where `next` is, until there are none left.
    fn part(&self, from: &Origin<'_>, next: &AtomicUsize) -> Result<Vec<(usize, Sum)>> {
        let (mut cursor, mut done) = (Cursor::new(from.root), Vec::new());
        loop {
            let start = next.fetch_add(AT_ONCE, Ordering::Relaxed);
            if start >= self.entries.len() {
                return Ok(done);
            }
            for index in start..self.entries.len().min(start + AT_ONCE) {
                let entry = &self.entries[index];
                if entry.first.is_none() {
                    let sum = one(entry, from, &mut cursor)
                        .inspect_err(|_| next.store(self.entries.len(), Ordering::Relaxed))?;
                    done.push((index, sum));
                }
            }
        }
    }
}

/// The sum of one entry, without its name.
pub(super) fn one(entry: &Entry, from: &Origin<'_>, cursor: &mut Cursor<'_>) -> Result<Sum> {
    let found = &entry.found;
    let mut sum = Context::new(&SHA256);
    number(&mut sum, u64::from(found.file_type.as_raw_mode() | found.mode));
    let (user, group) = owner_in(found, from);
    number(&mut sum, u64::from(user));
    number(&mut sum, u64::from(group));
    if found.is_dir() || found.is_file() {
        sum.update(&inside(entry, from, cursor)?);
    } else {
        text(&mut sum, &entry.target);
        number(&mut sum, found.special_device);
    }
    Ok(finished(sum))
}

/// What is in a file, and its extended attributes.
fn inside(entry: &Entry, from: &Origin<'_>, cursor: &mut Cursor<'_>) -> Result<Sum> {
    let (path, found) = (&entry.path, &entry.found);
    if let Some(known) = from.sums.known(path, found) {
        return Ok(known);
    }
    let mut sum = Context::new(&SHA256);
    let xattrs = if found.is_dir() {
        kept_xattrs(cursor.dir(path)?)?
    } else {
        let file = open(entry, cursor)?;
        sum.update(&from.sums.sum(path, file.as_fd(), found)?);
        check(&file, entry)?;
        kept_xattrs(&file)?
    };
    for (key, value) in xattrs {
        text(&mut sum, &key);
        text(&mut sum, &value);
    }
    let sum = finished(sum);
    from.sums.remember(path, found, sum);
    Ok(sum)
}

/// Opens a regular file for reading.
///
/// It was seen to be one, so it is opened at once and then looked at again. Should it have become a FIFO, opening it does not
/// block; nothing is read from what is not the same file.
pub(super) fn open(entry: &Entry, cursor: &mut Cursor<'_>) -> Result<OwnedFd> {
    let (dir, name) = cursor.parent(&entry.path)?;
    let opened = dir.open(Name::new(name)?, OFlags::RDONLY | OFlags::NONBLOCK);
    let file = opened.map_err(|error| if is_gone(&error) { changed(&entry.path) } else { error.into() })?;
    check(&file, entry)?;
    Ok(file)
}

/// Whether the file is the one that was found, as it was then.
///
/// # Errors
/// `Changed`
pub(super) fn check(file: impl AsFd, entry: &Entry) -> Result<()> {
    let (now, found) = (attributes::metadata(file)?, &entry.found);
    let is_same = now.same_file(found)
        && now.file_type == found.file_type
        && (now.size, now.modified, now.changed) == (found.size, found.modified, found.changed);
    if is_same { Ok(()) } else { Err(changed(&entry.path)) }
}

fn text(sum: &mut Context, text: &[u8]) {
    number(sum, text.len() as u64);
    sum.update(text);
}

fn number(sum: &mut Context, number: u64) {
    sum.update(&number.to_le_bytes());
}

fn finished(sum: Context) -> Sum {
    let mut bytes = Sum::default();
    bytes.copy_from_slice(sum.finish().as_ref());
    bytes
}
