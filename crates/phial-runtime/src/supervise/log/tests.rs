//! What the drivers write, byte by byte, and when a file is finished.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runtime::protocol::log::{Finished, finished};

use super::*;

const TIME: Timestamp = Timestamp::constant(1_500_000_000, 123_000_000);

fn target(directory: &Path, driver: Driver) -> Target {
    Target {
        driver,
        path: directory.join("container.log"),
        max_size: None,
        max_files: 1,
        compress: false,
        attributes: BTreeMap::new(),
        buffer: None,
    }
}

fn write(target: &Target, writes: &[(Stream, &[u8])]) -> Vec<u8> {
    let mut log = Log::open(target).expect("opens");
    for (stream, bytes) in writes {
        log.write(*stream, bytes, TIME);
    }
    log.finish(TIME);
    std::fs::read(&target.path).expect("reads")
}

fn json_lines(bytes: &[u8]) -> Vec<(String, String)> {
    let parse = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let field = |name: &str| value[name].as_str().expect("a string").to_owned();
        assert_eq!(field("time"), "2017-07-14T02:40:00.123Z");
        (field("stream"), field("log"))
    };
    std::str::from_utf8(bytes).expect("is text").lines().map(parse).collect()
}

fn in_a_directory(check: impl FnOnce(&Path)) {
    check(tempfile::tempdir().expect("a directory").path());
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
    in_a_directory(|dir| assert_eq!(json_lines(&write(&target(dir, Driver::JsonFile), &chunks)), expected));
}

#[test]
fn a_long_line_is_split() {
    let long = vec![b'x'; LONGEST_LINE * 2 + 1];
    in_a_directory(|dir| {
        let bytes = write(&target(dir, Driver::JsonFile), &[(Stream::Stdout, &long)]);
        let lengths: Vec<usize> = json_lines(&bytes).iter().map(|(_, log)| log.len()).collect();
        assert_eq!(lengths, [LONGEST_LINE, LONGEST_LINE, 1]);
    });
}

#[test]
fn attributes_are_said_of_every_line() {
    in_a_directory(|dir| {
        let attributes = BTreeMap::from([("tag".to_owned(), "web".to_owned())]);
        let bytes = write(&Target { attributes, ..target(dir, Driver::JsonFile) }, &[(Stream::Stdout, b"a\n")]);
        let expected = "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"attrs\":{\"tag\":\"web\"},\"time\":\"2017-07-14T02:40:00.123Z\"}\n";
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
    });
}

#[test]
fn kubernetes_lines() {
    in_a_directory(|dir| {
        let long = [&vec![b'x'; LONGEST_LINE][..], b"end\n"].concat();
        let bytes = write(&target(dir, Driver::K8sFile), &[(Stream::Stdout, b"a\xff\n"), (Stream::Stderr, &long)]);
        let time = "2017-07-14T02:40:00.123000000Z";
        let expected =
            format!("{time} stdout F a\u{fffd}\n{time} stderr P {}\n{time} stderr F end\n", "x".repeat(LONGEST_LINE));
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
    });
}

#[test]
fn local_messages() {
    in_a_directory(|dir| {
        let bytes = write(&target(dir, Driver::Local), &[(Stream::Stdout, b"hi\n")]);
        let expected =
            [&[0, 0, 0, 22, 10, 6][..], b"stdout", &[16, 192, 169, 171, 147, 216, 193, 196, 232, 20, 26, 2]].concat();
        let expected = [&expected, &b"hi"[..], &[0, 0, 0, 22]].concat();
        assert_eq!(bytes, expected);
        assert_eq!(record::whole_messages(&bytes), bytes.len());
        assert_eq!(record::whole_messages(&bytes[..bytes.len() - 1]), 0);
    });
}

#[test]
fn what_a_killed_writer_left_half_done_is_mended() {
    let cases: [(Driver, &[u8]); 3] =
        [(Driver::JsonFile, b"{\"log\":\"x"), (Driver::K8sFile, b"2017-"), (Driver::Local, &[0, 0, 0, 9, 1, 2])];
    for (driver, torn) in cases {
        in_a_directory(|dir| {
            let target = target(dir, driver);
            let before = write(&target, &[(Stream::Stdout, b"a\n")]);
            std::fs::write(&target.path, [&before, torn].concat()).expect("writes");
            let after = write(&target, &[(Stream::Stdout, b"b\n")]);
            let between: &[u8] = if driver == Driver::Local { b"" } else { &[torn, b"\n"].concat() };
            assert!(after.starts_with(&[&before, between].concat()), "{driver:?}");
            assert_eq!(after.len(), 2 * before.len() + between.len(), "{driver:?}");
        });
    }
}

fn numbers(path: &Path) -> Vec<u64> {
    finished(path).expect("lists").iter().map(|file| file.number).collect()
}

#[test]
fn files_are_finished_at_their_size_and_the_oldest_go() {
    in_a_directory(|dir| {
        let target = Target { max_size: Some(300), max_files: 3, ..target(dir, Driver::JsonFile) };
        let mut log = Log::open(&target).expect("opens");
        for number in 0..50 {
            log.write(Stream::Stdout, format!("line {number}\n").as_bytes(), TIME);
        }
        log.finish(TIME);
        // A line has about 73 bytes, so five make more than 300.
        assert_eq!(numbers(&target.path), [8, 9]);
        let files: Vec<PathBuf> =
            finished(&target.path).expect("lists").into_iter().map(|Finished { path, .. }| path).collect();
        let text: Vec<u8> =
            files.iter().chain([&target.path]).flat_map(|path| std::fs::read(path).expect("reads")).collect();
        let texts: Vec<String> = json_lines(&text).into_iter().map(|(_, log)| log).collect();
        assert_eq!(texts, (35..50).map(|number| format!("line {number}\n")).collect::<Vec<_>>());
    });
}

#[test]
fn one_file_only_is_begun_anew() {
    in_a_directory(|dir| {
        let target = Target { max_size: Some(100), ..target(dir, Driver::K8sFile) };
        let many: Vec<u8> = (0..1000).flat_map(|number| format!("{number}\n").into_bytes()).collect();
        let left = write(&target, &[(Stream::Stdout, &many)]);
        assert!(left.len() < 200 && left.ends_with(b" 999\n"), "{}", String::from_utf8_lossy(&left));
        assert_eq!(numbers(&target.path), [0_u64; 0]);
    });
}

#[test]
fn finished_files_are_compressed_once() {
    use std::io::Read;
    in_a_directory(|dir| {
        let log = dir.join("container.log");
        let plain = |number| runtime::protocol::log::finished_path(&log, number, false);
        for number in 1..=3 {
            std::fs::write(plain(number), format!("text {number}").repeat(1000)).expect("writes");
        }
        // Another process is at the second.
        let busy = std::fs::File::open(plain(2)).expect("opens");
        busy.lock().expect("locks");
        compress(log.as_os_str());
        let forms: Vec<_> = finished(&log).expect("lists").into_iter().map(|f| (f.number, f.compressed)).collect();
        assert_eq!(forms, [(1, true), (2, false), (3, true)]);
        let file = std::fs::File::open(runtime::protocol::log::finished_path(&log, 3, true)).expect("opens");
        let mut text = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("is gzip");
        assert_eq!(text, "text 3".repeat(1000));
    });
}
