//! The lines of a log, and where the last of them begin.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use super::LogEntry;

/// Bytes read at once.
const BLOCK: usize = 64 * 1024;

/// Reads whole lines from where a file stands.
pub(super) struct Lines<R> {
    file: R,
    /// What was read and is not yet a whole line.
    rest: Vec<u8>,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(file: R) -> Lines<R> {
        Lines { file, rest: Vec::new() }
    }

    /// Hands every line that is there to `sink`. What is no entry is passed over.
    pub(super) fn drain(&mut self, sink: &mut dyn FnMut(&LogEntry<'_>) -> io::Result<()>) -> io::Result<()> {
        loop {
            let begin = self.rest.len();
            self.rest.resize(begin + BLOCK, 0);
            let count = self.file.read(&mut self.rest[begin..])?;
            self.rest.truncate(begin + count);
            let Some(end) = self.rest[begin..].iter().rposition(|byte| *byte == b'\n') else {
                if count == 0 {
                    return Ok(());
                }
                continue;
            };
            let whole = begin + end + 1;
            for line in self.rest[..whole].split(|byte| *byte == b'\n') {
                if let Ok(entry) = serde_json::from_slice(line) {
                    sink(&entry)?;
                }
            }
            self.rest.drain(..whole);
        }
    }
}

/// Places a file where its last `lines` lines begin, reading it from its end.
pub(super) fn seek_to_last(mut file: &File, lines: u64) -> io::Result<()> {
    let mut position = file.seek(SeekFrom::End(0))?;
    let mut block = vec![0; BLOCK];
    // The newline that ends the last line is the first to be seen.
    let mut left = lines.saturating_add(1);
    while position > 0 {
        let begin = position.saturating_sub(BLOCK as u64);
        let part = &mut block[..usize::try_from(position - begin).unwrap_or(BLOCK)];
        file.read_exact_at(part, begin)?;
        for (index, _) in part.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            left -= 1;
            if left == 0 {
                return file.seek(SeekFrom::Start(begin + index as u64 + 1)).map(drop);
            }
        }
        position = begin;
    }
    file.seek(SeekFrom::Start(0)).map(drop)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::logs::Stream;

    /// A log of `count` lines that say their number, the odd ones on stderr.
    fn log(count: usize) -> File {
        let mut file = tempfile::tempfile().expect("a temporary file");
        for number in 0..count {
            let stream = ["stdout", "stderr"][number % 2];
            writeln!(file, r#"{{"log":"{number}\n","stream":"{stream}","time":"2026-08-05T12:00:00Z"}}"#)
                .expect("written");
        }
        file
    }

    fn entries(file: File) -> Vec<(String, Stream)> {
        let mut found = Vec::new();
        let mut sink = |entry: &LogEntry<'_>| {
            found.push((entry.text.trim_end().to_owned(), entry.stream));
            Ok(())
        };
        Lines::new(file).drain(&mut sink).expect("reads");
        found
    }

    #[test]
    fn the_last_lines_of_long_and_short_logs() {
        for (count, tail) in [(0, 3), (2, 3), (3, 3), (4, 3), (5000, 3), (5000, 2500), (5000, 0), (5000, 5000)] {
            let file = log(count);
            seek_to_last(&file, tail as u64).expect("is seekable");
            let found = entries(file);
            assert_eq!(found.len(), count.min(tail), "{tail} of {count}");
            if let Some((text, stream)) = found.last() {
                let expected = if count % 2 == 0 { Stream::Stderr } else { Stream::Stdout };
                assert_eq!((text.as_str(), *stream), ((count - 1).to_string().as_str(), expected));
            }
        }
    }

    #[test]
    fn a_line_is_read_when_it_is_whole() {
        let (line, more) = (br#"{"log":"a","stream":"stdout","#, b"\"time\":\"x\"}\nnonsense\n");
        let mut lines = Lines::new(line.as_slice());
        let mut count = 0;
        lines
            .drain(&mut |_| {
                count += 1;
                Ok(())
            })
            .expect("reads");
        assert_eq!(count, 0);
        lines.file = more.as_slice();
        lines
            .drain(&mut |entry| {
                assert_eq!((&*entry.text, &*entry.time), ("a", "x"));
                count += 1;
                Ok(())
            })
            .expect("reads");
        assert_eq!(count, 1);
    }
}
