//! Which files a log consists of, while they are renamed and compressed.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;
use crate::logs::LogEntry;

/// What a supervisor and its compressor do to the files of a log.
struct Log {
    dir: tempfile::TempDir,
    format: Format,
    written: u64,
    finished: u64,
}

impl Log {
    fn new(format: Format) -> Log {
        Log { dir: tempfile::tempdir().expect("a directory"), format, written: 0, finished: 0 }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("container.log")
    }

    fn write(&mut self) {
        let number = self.written;
        let bytes = match self.format {
            Format::Json => {
                format!("{{\"log\":\"{number}\\n\",\"stream\":\"stdout\",\"time\":\"2026-08-05T12:00:00Z\"}}\n")
                    .into_bytes()
            }
            Format::Kubernetes => format!("2026-08-05T12:00:00Z stdout F {number}\n").into_bytes(),
            Format::Local => {
                let text = number.to_string();
                let mut message = b"\x0a\x06stdout\x10\x01\x1a".to_vec();
                message.push(u8::try_from(text.len()).expect("is short"));
                message.extend(text.as_bytes());
                let length = u32::try_from(message.len()).expect("is short").to_be_bytes();
                [&length, &message[..], &length].concat()
            }
        };
        let file = OpenOptions::new().append(true).create(true).open(self.path());
        file.and_then(|mut file| file.write_all(&bytes)).expect("writes");
        self.written += 1;
    }

    fn finish(&mut self) {
        self.finished += 1;
        if fs::rename(self.path(), finished_path(&self.path(), self.finished, false)).is_err() {
            self.finished -= 1;
        }
    }

    fn compress(&self, index: usize) {
        let files = finished(&self.path()).expect("lists");
        let Some(file) = files.get(index).filter(|file| !file.compressed) else { return };
        let target = File::create(finished_path(&self.path(), file.number, true)).expect("creates");
        let mut encoder = GzEncoder::new(target, Compression::fast());
        encoder.write_all(&fs::read(&file.path).expect("reads")).expect("writes");
        encoder.finish().expect("writes");
        fs::remove_file(&file.path).expect("removes");
    }

    fn remove_oldest(&self) {
        if let [file, _, ..] = &finished(&self.path()).expect("lists")[..] {
            fs::remove_file(&file.path).expect("removes");
        }
    }

    fn open(&self, from: From) -> Files {
        Files::open(&self.path(), self.format, from).expect("opens")
    }
}

fn drain(files: &mut Files) -> Vec<u64> {
    let mut found = Vec::new();
    let mut sink = |entry: &LogEntry<'_>| {
        found.push(std::str::from_utf8(&entry.text).expect("is text").trim_end().parse().expect("a number"));
        Ok(())
    };
    files.drain(&mut sink).expect("reads");
    found
}

const FORMATS: [Format; 3] = [Format::Json, Format::Kubernetes, Format::Local];

/// Sixty entries: twenty in a compressed file, twenty in a plain one, twenty in the one that is written to.
fn sixty(format: Format) -> Log {
    let mut log = Log::new(format);
    for number in 0..60 {
        if number == 20 || number == 40 {
            log.finish();
        }
        log.write();
    }
    log.compress(0);
    log
}

#[test]
fn the_last_entries_wherever_they_begin() {
    for format in FORMATS {
        let log = sixty(format);
        assert_eq!(drain(&mut log.open(From::Beginning(None))), (0..60).collect::<Vec<_>>(), "{format:?}");
        for entries in [0, 1, 19, 20, 21, 39, 40, 41, 59, 60, 61, 1000] {
            let expected: Vec<u64> = (60_u64.saturating_sub(entries)..60).collect();
            assert_eq!(drain(&mut log.open(From::Last(entries))), expected, "{format:?} {entries}");
        }
    }
}

#[test]
fn the_last_of_very_many() {
    for format in FORMATS {
        let mut log = Log::new(format);
        (0..20_000).for_each(|_| log.write());
        for entries in [3, 9000] {
            assert_eq!(drain(&mut log.open(From::Last(entries))), (20_000 - entries..20_000).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_half_written_end_and_a_damaged_file_are_passed_over() {
    for format in FORMATS {
        let mut log = sixty(format);
        fs::write(finished_path(&log.path(), 2, false), [0xff; 1000]).expect("writes");
        let compressed = finished_path(&log.path(), 1, true);
        let bytes = fs::read(&compressed).expect("reads");
        fs::write(&compressed, &bytes[..bytes.len() / 2]).expect("writes");
        let found = drain(&mut log.open(From::Beginning(None)));
        assert!(found.ends_with(&(40..60).collect::<Vec<_>>()), "{format:?}: {found:?}");
        let half: &[u8] = if format == Format::Local { &[0, 0, 0, 9, 1] } else { b"2026-" };
        OpenOptions::new().append(true).open(log.path()).and_then(|mut file| file.write_all(half)).expect("writes");
        let found = drain(&mut log.open(From::Last(5)));
        assert!((55..60).collect::<Vec<_>>().ends_with(&found) && found.len() >= 4, "{format:?}: {found:?}");
        log.written = 0;
    }
}

#[test]
fn files_from_before_are_left_out() {
    let log = sixty(Format::Json);
    let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
    let file = File::options().append(true).open(finished_path(&log.path(), 1, true)).expect("opens");
    file.set_modified(old).expect("sets the time");
    let found = drain(&mut log.open(From::Beginning(Some(old + std::time::Duration::from_secs(1)))));
    assert_eq!(found, (20..60).collect::<Vec<_>>());
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Write,
    Finish,
    Compress(usize),
    Read,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => Just(Act::Write),
        3 => Just(Act::Finish),
        2 => (0..4_usize).prop_map(Act::Compress),
        2 => Just(Act::Read),
    ]
}

proptest! {
    #[test]
    fn one_who_follows_loses_and_repeats_nothing(acts in prop::collection::vec(act(), 0..60), format in 0..3_usize) {
        let mut log = Log::new(FORMATS[format]);
        let mut files = log.open(From::Beginning(None));
        let mut found = Vec::new();
        for act in acts {
            match act {
                Act::Write => log.write(),
                Act::Finish => log.finish(),
                Act::Compress(index) => log.compress(index),
                Act::Read => found.extend(drain(&mut files)),
            }
        }
        found.extend(drain(&mut files));
        prop_assert_eq!(found, (0..log.written).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_removed_is_missed_and_nothing_else(acts in prop::collection::vec((act(), any::<bool>()), 0..60)) {
        let mut log = Log::new(Format::Json);
        let mut files = log.open(From::Last(0));
        let mut found = VecDeque::new();
        for (act, removes) in acts {
            match act {
                Act::Write => log.write(),
                Act::Finish => log.finish(),
                Act::Compress(index) => log.compress(index),
                Act::Read => found.extend(drain(&mut files)),
            }
            if removes {
                log.remove_oldest();
            }
        }
        found.extend(drain(&mut files));
        let found: Vec<u64> = found.into();
        prop_assert!(found.is_sorted_by(|one, next| one < next), "{:?}", found);
        prop_assert!(log.written == 0 || found.last() == Some(&(log.written - 1)));
    }
}
