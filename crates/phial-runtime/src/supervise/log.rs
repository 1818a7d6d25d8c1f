//! The container's log, in docker's json-file format: one JSON object per line, with `log`, `stream` and `time`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;

/// A line longer than this is split, as docker splits it; the parts carry no newline but the last.
const LONGEST_LINE: usize = 16 * 1024;

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// A log being written.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    /// Lines not yet complete, of stdout and stderr.
    partial: [Vec<u8>; 2],
}

#[derive(Serialize)]
struct Line<'a> {
    log: &'a str,
    stream: Stream,
    time: &'a str,
}

impl Log {
    pub(super) fn open(path: &Path) -> std::io::Result<Log> {
        let file = OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
        Ok(Log { file, partial: [Vec::new(), Vec::new()] })
    }

    /// Takes output as it comes. Complete lines are written at once, with one call.
    pub(super) fn write(&mut self, stream: Stream, mut bytes: &[u8]) {
        let time = super::record::now();
        let mut text = Vec::new();
        let partial = &mut self.partial[stream as usize];
        while !bytes.is_empty() {
            let room = LONGEST_LINE - partial.len();
            let newline = bytes.iter().take(room).position(|byte| *byte == b'\n');
            let take = newline.map_or(room.min(bytes.len()), |at| at + 1);
            partial.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            if newline.is_some() || partial.len() == LONGEST_LINE {
                append(&mut text, partial, stream, &time);
                partial.clear();
            }
        }
        // A full disk loses log lines, never the container.
        self.file.write_all(&text).ok();
    }

    /// Writes what has no newline at the end of the streams.
    pub(super) fn finish(&mut self) {
        let time = super::record::now();
        let mut text = Vec::new();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let partial = std::mem::take(&mut self.partial[stream as usize]);
            if !partial.is_empty() {
                append(&mut text, &partial, stream, &time);
            }
        }
        self.file.write_all(&text).ok();
    }
}

fn append(text: &mut Vec<u8>, line: &[u8], stream: Stream, time: &str) {
    let log = String::from_utf8_lossy(line);
    let written = serde_json::to_writer(&mut *text, &Line { log: &log, stream, time });
    if written.is_ok() {
        text.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(writes: &[(Stream, &[u8])]) -> Vec<(String, String)> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut log = Log::open(file.path()).expect("opens");
        for (stream, bytes) in writes {
            log.write(*stream, bytes);
        }
        log.finish();
        let text = std::fs::read_to_string(file.path()).expect("reads");
        let parse = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let field = |name: &str| value[name].as_str().expect("a string").to_owned();
            assert!(field("time").ends_with('Z'));
            (field("stream"), field("log"))
        };
        text.lines().map(parse).collect()
    }

    #[test]
    fn lines_are_whole_whatever_the_chunks() {
        let chunks: [(Stream, &[u8]); 5] = [
            (Stream::Stdout, b"one\ntw"),
            (Stream::Stderr, b"err\n"),
            (Stream::Stdout, b"o\n"),
            (Stream::Stdout, b"\"\\\x01\xff\n"),
            (Stream::Stdout, b"end"),
        ];
        let expected = [
            ("stdout", "one\n"),
            ("stderr", "err\n"),
            ("stdout", "two\n"),
            ("stdout", "\"\\\u{1}\u{fffd}\n"),
            ("stdout", "end"),
        ];
        let expected: Vec<_> = expected.map(|(stream, log)| (stream.to_owned(), log.to_owned())).into();
        assert_eq!(lines(&chunks), expected);
    }

    #[test]
    fn a_long_line_is_split() {
        let long = vec![b'x'; LONGEST_LINE * 2 + 1];
        let lengths: Vec<usize> = lines(&[(Stream::Stdout, &long)]).iter().map(|(_, log)| log.len()).collect();
        assert_eq!(lengths, [LONGEST_LINE, LONGEST_LINE, 1]);
    }
}
