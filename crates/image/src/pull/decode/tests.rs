//! Streams of every form, cut into pieces of every size, whole and damaged.

use std::io::Write;
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

use proptest::prelude::*;

use bytes::Bytes;
use store::Digest;
use tokio::sync::mpsc;

use super::{BLOCK, RATIO_FREE, Stop, Taken, check, decode};
use crate::{Error, ErrorKind};

/// Feeds `bytes` in pieces of `size`; returns what comes out, or the error.
fn run(bytes: &[u8], size: usize, limit: u64) -> Result<(Vec<u8>, Taken), Error> {
    let (sender, pieces) = mpsc::channel(4);
    let (block_sender, blocks) = sync_channel(4);
    let (spare_sender, spare) = channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            for piece in bytes.chunks(size.max(1)) {
                if sender.blocking_send(Bytes::copy_from_slice(piece)).is_err() {
                    return;
                }
            }
        });
        let decoder = scope.spawn(move || decode(pieces, &block_sender, &spare, limit));
        let mut out = Vec::new();
        while let Ok(block) = blocks.recv() {
            out.extend_from_slice(&block);
            let _unneeded = spare_sender.send(block);
        }
        match decoder.join().expect("it does not panic") {
            Ok(taken) => Ok((out, taken)),
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Unwanted) => panic!("all blocks were taken"),
        }
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory can be written")
}

#[test]
fn the_ratio_is_bounded_where_it_could_fill_a_disk() {
    for (total, taken, limit, fits) in [
        (RATIO_FREE, 1, u64::MAX, true),
        (RATIO_FREE + 1, 1, u64::MAX, false),
        (RATIO_FREE * 250, RATIO_FREE, u64::MAX, true),
        (RATIO_FREE * 251, RATIO_FREE, u64::MAX, false),
        (100, 100, 99, false),
        (100, 100, 100, true),
    ] {
        let found = check(total, taken, limit).map_err(|error| error.kind());
        assert_eq!(found, if fits { Ok(()) } else { Err(ErrorKind::Limit) }, "{total} of {taken}");
    }
}

#[test]
fn blocks_are_whole_and_limits_hold() {
    let content: Vec<u8> = (0..=250).cycle().take(BLOCK * 2 + 7).collect();
    for (blob, size) in [(gzip(&content), 1000), (content.clone(), 1 << 20), (gzip(&content), 1)] {
        let (out, taken) = run(&blob, size, u64::MAX).expect("well formed");
        assert!(out == content);
        assert_eq!((taken.bytes, taken.digest), (blob.len() as u64, Digest::of(&blob)));
    }
    let refused = run(&gzip(&content), 1000, BLOCK as u64).map(|_| ()).map_err(|error| error.kind());
    assert_eq!(refused, Err(ErrorKind::Limit));
}

proptest! {
    #[test]
    fn pieces_of_any_size_are_one_stream(content: Vec<u8>, size in 1usize..40, form in 0..3) {
        let blob = match form {
            0 => gzip(&content),
            1 => zstd::encode_all(&content[..], 1).expect("memory can be written"),
            // In front, so that it is not taken for anything else.
            _ => [b"ustar", content.as_slice()].concat(),
        };
        let expected = if form == 2 { blob.clone() } else { content };
        let (out, taken) = run(&blob, size, u64::MAX).expect("well formed");
        prop_assert_eq!(out, expected);
        prop_assert_eq!((taken.bytes, taken.digest), (blob.len() as u64, Digest::of(&blob)));
    }

    #[test]
    fn damaged_streams_end(content: Vec<u8>, at: usize, byte: u8, zstandard: bool) {
        let mut blob = if zstandard { zstd::encode_all(&content[..], 1).expect("memory") } else { gzip(&content) };
        let at = at % blob.len();
        blob[at] = byte;
        let _any = run(&blob, 17, 1 << 24);
    }
}
