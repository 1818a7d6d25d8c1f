//! Archives that have one name twice: the last entry is the one that counts, and the archive comes again all the same.

use fsroot::Root;
use image::layer::{Limits, recorded_length, replay, unpack_with_tape};
use proptest::prelude::*;
use tar::{Builder, EntryType};
use tempfile::TempDir;

use super::{archive_of, entry};

/// What was unpacked, and its tape; None if the archive is refused.
fn unpacked(archive: &[u8]) -> Option<(TempDir, Option<Vec<u8>>)> {
    let tree = TempDir::new().expect("a temporary directory");
    let root = Root::open(tree.path()).expect("the tree");
    let (_, tape) = unpack_with_tape(archive, &root, &Limits::default()).ok()?;
    Some((tree, tape))
}

fn again(tree: &TempDir, tape: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = replay(tape, &Root::open(tree.path()).expect("the tree"), &mut bytes).expect("it was recorded");
    assert_eq!(recorded_length(tape).expect("a tape"), written);
    bytes
}

#[test]
fn what_was_replaced_comes_again() {
    let mut archive = Builder::new(Vec::new());
    let (file, link) = (EntryType::Regular, EntryType::Link);
    entry(&mut archive, EntryType::Directory, "d", "", b"");
    entry(&mut archive, file, "d/f", "", &vec![b'1'; 300_000]);
    entry(&mut archive, file, "d/other", "", b"other");
    entry(&mut archive, link, "d/g", "d/f", b"");
    entry(&mut archive, file, "./d//f", "", b"second");
    entry(&mut archive, file, "d/f", "", b"");
    entry(&mut archive, file, "d/f", "", b"fourth");
    entry(&mut archive, link, "d/f", "d/other", b"");
    entry(&mut archive, EntryType::Symlink, "d/other", "nowhere", b"");
    entry(&mut archive, file, "d/other", "", b"the last");
    let bytes = archive.into_inner().expect("memory");
    let (tree, tape) = unpacked(&bytes).expect("unpacks");
    let read = |name: &str| std::fs::read(tree.path().join(name)).expect("a file");
    assert_eq!((read("d/f"), read("d/other")), (b"other".to_vec(), b"the last".to_vec()));
    assert!(again(&tree, &tape.expect("little was replaced")) == bytes);
}

#[test]
fn too_much_of_it_is_not_kept() {
    for (kind, data, last) in [
        (EntryType::Regular, vec![0; 65 << 20], EntryType::Symlink),
        // Of a directory with something in it the files would be lost.
        (EntryType::Directory, Vec::new(), EntryType::Fifo),
    ] {
        let mut archive = Builder::new(Vec::new());
        entry(&mut archive, kind, "a", "", &data);
        if kind == EntryType::Directory {
            entry(&mut archive, EntryType::Regular, "a/b", "", b"lost");
        }
        entry(&mut archive, last, "a", if last == EntryType::Symlink { "x" } else { "" }, b"");
        let (_, tape) = unpacked(&archive.into_inner().expect("memory")).expect("unpacks");
        assert_eq!(tape, None);
    }
}

#[test]
fn a_tape_that_is_cut_off_is_an_error() {
    let mut archive = Builder::new(Vec::new());
    entry(&mut archive, EntryType::Regular, "f", "", b"first");
    entry(&mut archive, EntryType::Regular, "f", "", b"second");
    let (tree, tape) = unpacked(&archive.into_inner().expect("memory")).expect("unpacks");
    let tape = tape.expect("little was replaced");
    let root = Root::open(tree.path()).expect("the tree");
    for length in 0..tape.len() {
        replay(&tape[..length], &root, &mut Vec::new()).expect_err("it is cut off");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, failure_persistence: None, ..ProptestConfig::default() })]

    /// Symlinks are not among them: one that is replaced on the way to a file changes which file it was.
    #[test]
    fn any_archive_comes_again(
        entries in prop::collection::vec(
            (0..6_usize, "\\./[abc]|([abc]/){0,1}[abc]|([abc]/){0,1}\\.wh\\.[abc]", "[abc](/[abc]){0,1}", 0..700_usize),
            1..17,
        ),
    ) {
        let kinds = [
            EntryType::Regular, EntryType::Regular, EntryType::Regular, EntryType::Directory, EntryType::Link,
            EntryType::Fifo,
        ];
        let entries = (0..).zip(&entries).map(|(number, (kind, name, link, size))| {
            let kind = kinds[*kind];
            let link = if kind == EntryType::Link { link.as_str() } else { "" };
            (kind, name.as_str(), link, vec![number; if kind == EntryType::Regular { *size } else { 0 }])
        });
        let bytes = archive_of(entries, |bytes| unpacked(bytes).is_some());
        let (tree, tape) = unpacked(&bytes).expect("unpacks");
        if let Some(tape) = tape {
            prop_assert!(again(&tree, &tape) == bytes);
        }
    }
}
