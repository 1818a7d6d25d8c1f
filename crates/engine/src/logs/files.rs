//! The files of a log, one after the other: finished ones, compressed or not, then the one that is written to; while all of
//! them may get a number, be compressed and be removed. See [`runtime::protocol::log`] for their names.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use flate2::read::MultiGzDecoder;
use runtime::protocol::log::{finished, finished_path};

use super::decode::{Counter, Decoder, Format, Sink, be32};

/// Bytes read at once.
const BLOCK: usize = 64 * 1024;

/// A log, read from some place to its end, and on from there when it has grown.
pub(super) struct Files {
    path: PathBuf,
    format: Format,
    file: Option<Open>,
}

/// A file of it.
struct Open {
    source: Source,
    /// Its number; that of the file which is written to is the one that it will get.
    number: u64,
    decoder: Decoder,
}

enum Source {
    Plain(File),
    Compressed(Box<MultiGzDecoder<BufReader<File>>>),
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Plain(file) => file.read(buffer),
            Source::Compressed(decoder) => decoder.read(buffer),
        }
    }
}

/// From where a log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// Its beginning; files that were finished before this are not looked at.
    Beginning(Option<SystemTime>),
    /// So many entries before its end.
    Last(u64),
}

impl Files {
    pub(super) fn open(path: &Path, format: Format, from: From) -> io::Result<Files> {
        let mut files = Files { path: path.to_owned(), format, file: None };
        match from {
            From::Beginning(not_before) => files.file = files.oldest(not_before)?,
            From::Last(entries) => files.file = files.place(entries)?,
        }
        Ok(files)
    }

    /// Hands every entry that is there and was not read yet to `sink`.
    pub(super) fn drain(&mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        if self.file.is_none() {
            self.file = self.after(0)?;
        }
        let mut block = vec![0; BLOCK];
        while let Some(file) = &mut self.file {
            // A file that is followed by another has got all that it gets: whoever looks for the next one first, then reads
            // to the end, misses nothing.
            let number = file.number;
            let next = self.after(number)?;
            let Some(file) = &mut self.file else { return Ok(()) };
            file.drain(&mut block, sink)?;
            if next.is_none() {
                return Ok(());
            }
            self.file = next;
        }
        Ok(())
    }

    /// The file that comes after the one of this number, if there is one.
    fn after(&self, number: u64) -> io::Result<Option<Open>> {
        loop {
            let files = finished(&self.path)?;
            if let Some(next) = files.iter().find(|file| file.number > number) {
                // It may be compressed or removed just now: then another look is needed.
                if let Some(open) = self.open_finished(next.number)? {
                    return Ok(Some(open));
                }
                continue;
            }
            let newest = files.last().map_or(0, |file| file.number);
            let current = self.open_current(newest)?;
            let is_same = |open: &Open| self.file.as_ref().is_some_and(|file| file.is(open));
            return Ok(match current {
                // The file that is being read is the one that is written to.
                Some(open) if is_same(&open) => None,
                Some(open) if open.number == newest + 1 => Some(open),
                // A file was finished in between.
                Some(_) => continue,
                None => None,
            });
        }
    }

    fn oldest(&self, not_before: Option<SystemTime>) -> io::Result<Option<Open>> {
        let is_older = |path: &Path| {
            let modified = path.metadata().and_then(|metadata| metadata.modified());
            not_before.is_some_and(|time| modified.is_ok_and(|modified| modified < time))
        };
        let files = finished(&self.path)?;
        // A compressed file is younger than what is in it, so that none is left out which is needed.
        let older = files.iter().take_while(|file| is_older(&file.path)).last();
        self.after(older.map_or(0, |file| file.number))
    }

    fn open_finished(&self, number: u64) -> io::Result<Option<Open>> {
        for compressed in [false, true] {
            match File::open(finished_path(&self.path, number, compressed)) {
                Ok(file) => {
                    let source = if compressed {
                        Source::Compressed(Box::new(MultiGzDecoder::new(BufReader::new(file))))
                    } else {
                        Source::Plain(file)
                    };
                    return Ok(Some(self.opened(source, number)));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The file that is written to, if no other than this is the newest finished one; else it has another number.
    fn open_current(&self, newest: u64) -> io::Result<Option<Open>> {
        let file = match File::open(&self.path) {
            // Not begun yet; or one was just finished, and the next is about to be begun.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let now = finished(&self.path)?.last().map_or(0, |file| file.number);
        Ok(Some(self.opened(Source::Plain(file), if now == newest { newest + 1 } else { now.max(newest) + 2 })))
    }

    fn opened(&self, source: Source, number: u64) -> Open {
        Open { source, number, decoder: Decoder::new(self.format, 0) }
    }

    /// The file in which the last `entries` entries begin, placed there.
    fn place(&self, entries: u64) -> io::Result<Option<Open>> {
        let Some(mut file) = self.youngest()? else { return Ok(None) };
        let mut left = entries;
        loop {
            let found = file.place(self.format, left)?;
            if found >= left {
                return Ok(Some(file));
            }
            left -= found;
            let before = finished(&self.path)?.into_iter().rev().find(|before| before.number < file.number);
            let Some(before) = before else { return Ok(Some(file)) };
            match self.open_finished(before.number)? {
                Some(older) => file = older,
                None => return Ok(Some(file)),
            }
        }
    }

    fn youngest(&self) -> io::Result<Option<Open>> {
        loop {
            let newest = finished(&self.path)?.last().map_or(0, |file| file.number);
            match self.open_current(newest)? {
                Some(open) if open.number == newest + 1 => return Ok(Some(open)),
                Some(_) => {}
                None if newest == 0 => return Ok(None),
                None => return self.open_finished(newest),
            }
        }
    }
}

impl Open {
    fn drain(&mut self, block: &mut [u8], sink: &mut Sink<'_>) -> io::Result<()> {
        loop {
            match self.source.read(block) {
                Ok(0) => return Ok(()),
                Ok(count) => self.decoder.take(&block[..count], sink)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A damaged compressed file ends where the damage begins.
                Err(_) if matches!(self.source, Source::Compressed(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether both are the same file, neither of them compressed.
    fn is(&self, other: &Open) -> bool {
        let id = |open: &Open| match &open.source {
            Source::Plain(file) => file.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino())),
            Source::Compressed(_) => None,
        };
        id(self).is_some() && id(self) == id(other)
    }

    /// Places the file so that `entries` entries follow, or at its beginning if it has fewer. How many follow.
    fn place(&mut self, format: Format, entries: u64) -> io::Result<u64> {
        match &mut self.source {
            Source::Plain(file) if format == Format::Local => seek_to_last_messages(file, entries),
            Source::Plain(file) => seek_to_last_lines(file, entries),
            Source::Compressed(decoder) => {
                let count = count(decoder, format)?;
                let inner = decoder.get_mut();
                inner.seek(SeekFrom::Start(0))?;
                let file = inner.get_ref().try_clone()?;
                **decoder = MultiGzDecoder::new(BufReader::new(file));
                self.decoder = Decoder::new(format, count.saturating_sub(entries));
                Ok(count.min(entries))
            }
        }
    }
}

fn count(source: &mut impl Read, format: Format) -> io::Result<u64> {
    let mut counter = Counter::new(format);
    let mut block = vec![0; BLOCK];
    loop {
        match source.read(&mut block) {
            Ok(0) => return Ok(counter.count),
            Ok(count) => counter.take(&block[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // As when it is read.
            Err(_) => return Ok(counter.count),
        }
    }
}

/// Places a file where its last `lines` lines begin, reading it from its end. How many there are, at most `lines`.
fn seek_to_last_lines(mut file: &File, lines: u64) -> io::Result<u64> {
    let mut position = file.seek(SeekFrom::End(0))?;
    if lines == 0 {
        return Ok(0);
    }
    let mut block = vec![0; BLOCK];
    let mut found = 0;
    while position > 0 {
        let begin = position.saturating_sub(BLOCK as u64);
        let part = &mut block[..usize::try_from(position - begin).unwrap_or(BLOCK)];
        file.read_exact_at(part, begin)?;
        for (index, _) in part.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            // The end of the line before the first that is wanted.
            if found == lines {
                return file.seek(SeekFrom::Start(begin + index as u64 + 1)).map(|_| found);
            }
            found += 1;
        }
        position = begin;
    }
    file.seek(SeekFrom::Start(0)).map(|_| found)
}

/// The same of `local`, whose messages have their length behind them as well.
fn seek_to_last_messages(mut file: &File, messages: u64) -> io::Result<u64> {
    let mut position = file.seek(SeekFrom::End(0))?;
    let mut found = 0;
    while found < messages && position > 0 {
        let (mut before, mut behind) = ([0; 4], [0; 4]);
        let begin = position.checked_sub(4).and_then(|at| {
            file.read_exact_at(&mut behind, at).ok()?;
            let begin = at.checked_sub(be32(&behind)? as u64 + 4)?;
            file.read_exact_at(&mut before, begin).ok()?;
            (before == behind).then_some(begin)
        });
        let Some(begin) = begin else {
            // Half a message at the end, or damage: then all are gone through from the beginning.
            return from_the_beginning(file, messages);
        };
        position = begin;
        found += 1;
    }
    file.seek(SeekFrom::Start(position)).map(|_| found)
}

fn from_the_beginning(mut file: &File, messages: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let all = count(&mut file, Format::Local)?;
    let (mut position, mut length) = (0, [0; 4]);
    for _ in 0..all.saturating_sub(messages) {
        file.read_exact_at(&mut length, position)?;
        position += be32(&length).unwrap_or_default() as u64 + 8;
    }
    file.seek(SeekFrom::Start(position)).map(|_| all.min(messages))
}

#[cfg(test)]
mod tests;
