//! Layers that nobody thought of: changed bytes, and entries at random.

use proptest::prelude::*;
use tar::EntryType;

use crate::archive::{Item, item, tar};
use crate::scene::Scene;

/// An archive that has most of what an archive can have.
fn rich_archive() -> Vec<u8> {
    tar()
        .dir("./")
        .dir("d")
        .file("d/f", &"contents ".repeat(100))
        .pax(&[("path", b"d/long"), ("mtime", b"1.5"), ("SCHILY.xattr.user.x", b"v"), ("uid", b"7")])
        .file("x", "y")
        .item(Item { data: b"d/gnu-long-name\0", ..item("././@LongLink", EntryType::GNULongName) })
        .symlink("x", "../../../../victim")
        .hardlink("d/h", "d/f")
        .file("d/.wh.gone", "")
        .file("d/.wh..wh..opq", "")
        .pax(&[("GNU.sparse.size", b"7"), ("GNU.sparse.map", b"2,3")])
        .file("s", "abc")
        .symlink("l", "d")
        .file("l/through", "x")
        .end()
}

#[test]
fn the_rich_archive_is_good() {
    let scene = Scene::new();
    scene.unpack(&rich_archive()).expect("it is good");
    assert_eq!(scene.inside().lines().count(), 9, "{}", scene.inside());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever bytes are changed: no panic, nothing outside is touched.
    #[test]
    fn changed_bytes_stay_inside(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), mend in any::<bool>()) {
        let mut archive = rich_archive();
        for (place, byte) in changes {
            let place = place.index(archive.len());
            archive[place] = byte;
        }
        if mend {
            // Nearly all changes would end at the checksum.
            for block in archive.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
                block[148..156].fill(b' ');
                let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
                block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
        let _ = Scene::new().unpack(&archive);
    }

    /// Any sequence of names and types, from a small alphabet so that they meet: no panic, nothing outside is touched.
    #[test]
    fn any_entries_stay_inside(entries in prop::collection::vec((0..8_usize, "(/|\\.\\./)?[abc](/[abc.]){0,3}|\\.wh\\.[ab]", "(/|\\.\\./){0,4}([abcv](/[abc.]){0,2}|victim|victim/shadow)"), 1..30)) {
        let kinds = [
            EntryType::Regular, EntryType::Directory, EntryType::Symlink, EntryType::Symlink, EntryType::Link,
            EntryType::Fifo, EntryType::Char, EntryType::Directory,
        ];
        let mut whole = tar();
        let scene = Scene::new();
        for (kind, name, link) in &entries {
            let name = name.trim_start_matches("../");
            let next = Item { link: link.as_bytes(), mode: 0o755, ..item(name, kinds[*kind]) };
            // Alone as well, so that one bad entry does not hide the others.
            let _ = scene.unpack(&tar().item(next).end());
            whole = whole.item(next);
        }
        let _ = Scene::new().unpack(&whole.end());
    }
}
