//! The journal, read: what is there, and then what comes. Lines are found whatever writers and changes of files do
//! meanwhile.

use std::fs::{DirBuilder, File};
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use jiff::Timestamp;
use runtime::protocol::events::{CURRENT_FILE, Event, Journal, LONGEST, PREVIOUS_FILE};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, Reader as Changes, WatchFlags, add_watch, init};
use rustix::io::Errno;

use super::select::Selection;
use crate::engine::Engine;
use crate::error::{Context, Error, Result};

impl Engine {
    /// Hands every event that is asked for to `sink`: those that are in the journal already, if `since` asks for them, then
    /// what comes, until `until`.
    ///
    /// # Errors
    /// What `sink` answers, and `System` when the journal cannot be read.
    pub fn events(&self, selection: &Selection, sink: &mut dyn FnMut(&Event) -> io::Result<()>) -> Result<()> {
        let journal = self.journal();
        let directory = journal.directory();
        DirBuilder::new().recursive(true).mode(0o700).create(directory).context(|| directory.display())?;
        let failed = |error: io::Error| Error::system(directory.display(), error);
        let mut reader = JournalReader::open(&journal).map_err(failed)?;
        loop {
            reader.drain(&mut |event| if selection.wants(event) { sink(event) } else { Ok(()) }).map_err(failed)?;
            // What was written until then is read by now.
            let left = selection.until.map(|until| until.as_nanosecond() - Timestamp::now().as_nanosecond());
            if left.is_some_and(|left| left <= 0) {
                return reader
                    .drain(&mut |event| if selection.wants(event) { sink(event) } else { Ok(()) })
                    .map_err(failed);
            }
            reader.wait(left).map_err(failed)?;
        }
    }
}

/// The two files of the journal, and a watch on them.
struct JournalReader<'a> {
    directory: &'a Path,
    watch: OwnedFd,
    previous: Option<Lines>,
    current: Option<Lines>,
}

impl JournalReader<'_> {
    fn open(journal: &Journal) -> io::Result<JournalReader<'_>> {
        let directory = journal.directory();
        // Watched before it is read, so that nothing which is written in between is missed.
        let watch = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        add_watch(&watch, directory, WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO)?;
        loop {
            let current = Lines::open(&directory.join(CURRENT_FILE))?;
            let previous = Lines::open(&directory.join(PREVIOUS_FILE))?;
            // Renamed between the two: then the one before it was missed.
            if current.is_none() || current.as_ref().map(|lines| lines.id) != previous.as_ref().map(|lines| lines.id) {
                return Ok(JournalReader { directory, watch, previous, current });
            }
        }
    }

    /// Hands on every event that was not read yet.
    fn drain(&mut self, sink: &mut dyn FnMut(&Event) -> io::Result<()>) -> io::Result<()> {
        // Who opened it before it was renamed may have written to it since.
        if let Some(previous) = &mut self.previous {
            previous.drain(sink)?;
        }
        loop {
            if let Some(current) = &mut self.current {
                current.drain(sink)?;
            }
            let there = Lines::open(&self.directory.join(CURRENT_FILE))?;
            let known = |lines: &Option<Lines>, id| lines.as_ref().is_some_and(|lines| lines.id == id);
            let Some(there) = there.filter(|there| !known(&self.current, there.id)) else { return Ok(()) };
            // A file may have come and gone since the last look.
            let before = Lines::open(&self.directory.join(PREVIOUS_FILE))?;
            if let Some(before) =
                before.filter(|before| !known(&self.current, before.id) && !known(&self.previous, before.id))
            {
                self.current = Some(before);
                continue;
            }
            self.previous = self.current.take();
            if let Some(previous) = &mut self.previous {
                previous.drain(sink)?;
            }
            self.current = Some(there);
        }
    }

    /// Waits until something changes, or so many nanoseconds.
    fn wait(&self, left: Option<i128>) -> io::Result<()> {
        let left = left.map(|left| Timespec {
            tv_sec: i64::try_from(left / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(left % 1_000_000_000).unwrap_or_default(),
        });
        match poll(&mut [PollFd::new(&self.watch, PollFlags::IN)], left.as_ref()) {
            Err(Errno::INTR) | Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut changes = Changes::new(&self.watch, &mut space);
        loop {
            match changes.next() {
                Ok(_) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// Bytes read at once.
const BLOCK: usize = 64 * 1024;

/// A file, and how far it was read.
struct Lines {
    file: File,
    id: (u64, u64),
    /// What was read and is not yet a whole line.
    rest: Vec<u8>,
}

impl Lines {
    fn open(path: &Path) -> io::Result<Option<Lines>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let metadata = file.metadata()?;
        Ok(Some(Lines { file, id: (metadata.dev(), metadata.ino()), rest: Vec::new() }))
    }

    fn drain(&mut self, sink: &mut dyn FnMut(&Event) -> io::Result<()>) -> io::Result<()> {
        loop {
            let begin = self.rest.len();
            self.rest.resize(begin + BLOCK, 0);
            let count = self.file.read(&mut self.rest[begin..])?;
            self.rest.truncate(begin + count);
            if count == 0 {
                return Ok(());
            }
            let Some(end) = self.rest[begin..].iter().rposition(|byte| *byte == b'\n') else {
                // No event is so long: something else was written there.
                if self.rest.len() > 2 * LONGEST {
                    self.rest.clear();
                }
                continue;
            };
            let whole = begin + end + 1;
            self.rest[..whole].split(|byte| *byte == b'\n').filter_map(parse).try_for_each(|event| sink(&event))?;
            self.rest.drain(..whole);
        }
    }
}

/// The event of a line. One that was cut short by a full disk may have the next behind it.
fn parse(line: &[u8]) -> Option<Event> {
    const BEGINNING: &[u8] = br#"{"Type":"#;
    if line.is_empty() {
        return None;
    }
    serde_json::from_slice(line).ok().or_else(|| {
        let begin = line.windows(BEGINNING.len()).rposition(|window| window == BEGINNING)?;
        serde_json::from_slice(&line[begin..]).ok()
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use runtime::protocol::events::{MOST, Type};

    use super::*;

    fn event(number: usize) -> Event {
        Event::now(Type::Container, number.to_string(), "start").with([("pad", "x".repeat(3000))])
    }

    fn read(reader: &mut JournalReader<'_>) -> Vec<usize> {
        let mut found = Vec::new();
        let mut sink = |event: &Event| {
            found.push(event.actor.id.parse().expect("a number"));
            Ok(())
        };
        reader.drain(&mut sink).expect("reads");
        found
    }

    #[test]
    fn a_reader_that_follows_misses_nothing_when_files_change() {
        let dir = tempfile::tempdir().expect("a directory");
        let journal = Journal::new(dir.path());
        let each = usize::try_from(MOST).expect("is small") / 3000 / 2;
        let mut reader = JournalReader::open(&journal).expect("opens");
        let mut found = Vec::new();
        for number in 0..5 * each {
            journal.write(&event(number)).expect("writes");
            if number % (each / 3) == 0 {
                found.extend(read(&mut reader));
            }
        }
        found.extend(read(&mut reader));
        assert_eq!(found, (0..5 * each).collect::<Vec<_>>());
    }

    #[test]
    fn one_who_looked_away_finds_what_two_files_hold() {
        let dir = tempfile::tempdir().expect("a directory");
        let journal = Journal::new(dir.path());
        let each = usize::try_from(MOST).expect("is small") / 3000;
        journal.write(&event(0)).expect("writes");
        let mut reader = JournalReader::open(&journal).expect("opens");
        for number in 1..3 * each {
            journal.write(&event(number)).expect("writes");
        }
        let found = read(&mut reader);
        // The file it had open, then those that are there: in order, none twice, the newest last.
        assert!(found.is_sorted_by(|one, next| one < next));
        assert_eq!((found.first(), found.last()), (Some(&0), Some(&(3 * each - 1))));
        assert_eq!(read(&mut reader), Vec::<usize>::new());
    }

    #[test]
    fn what_is_no_event_is_passed_over() {
        let dir = tempfile::tempdir().expect("a directory");
        let journal = Journal::new(dir.path());
        let mut file = File::create(dir.path().join(CURRENT_FILE)).expect("creates");
        file.write_all(b"nonsense\n\n{\"Type\":\"container\",\"Act").expect("writes");
        journal.write(&event(1)).expect("writes");
        file.write_all(b"").expect("writes");
        let mut reader = JournalReader::open(&journal).expect("opens");
        assert_eq!(read(&mut reader), [1]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
            let _ = parse(&[br#"{"Type":"#, &bytes[..]].concat());
        }
    }
}
