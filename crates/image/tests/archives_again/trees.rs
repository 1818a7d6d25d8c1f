//! The archives of trees that were made here: what is unpacked again is the same tree, marks of overlayfs included.

use std::path::Path;

use fsroot::Root;
use image::layer::{Form, Limits, pack, unpack};
use proptest::prelude::*;
use tar::EntryType;
use tempfile::TempDir;

use super::archive_of;

/// What an archive becomes; None if it is refused.
fn unpacked(archive: &[u8]) -> Option<TempDir> {
    let tree = TempDir::new().expect("a temporary directory");
    unpack(archive, &Root::open(tree.path()).expect("the tree"), &Limits::default()).ok()?;
    Some(tree)
}

fn packed(tree: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    pack(Root::open(tree).expect("the tree").dir(), Form::Layer, &mut bytes).expect("packs");
    bytes
}

#[test]
fn overlay_marks_that_no_layer_can_tell_are_refused() {
    for mark in ["redirect", "metacopy"] {
        let tree = TempDir::new().expect("a temporary directory");
        std::fs::create_dir(tree.path().join("d")).expect("a directory");
        let root = Root::open(tree.path()).expect("the tree");
        let key = format!("trusted.overlay.{mark}");
        fsroot::attributes::set_xattr(root.open_dir("d").expect("d"), key.as_bytes(), b"/x").expect("an attribute");
        let error = pack(root.dir(), Form::Layer, Vec::new()).expect_err("no layer can tell");
        assert!(error.to_string().contains("overlayfs"), "{error}");
        pack(root.dir(), Form::Plain, Vec::new()).expect("a tree as it is");
    }
    let tree = TempDir::new().expect("a temporary directory");
    std::fs::write(tree.path().join(".wh.x"), "").expect("a file");
    let error = pack(Root::open(tree.path()).expect("the tree").dir(), Form::Layer, Vec::new()).expect_err("a name");
    assert!(error.to_string().contains(".wh.x"), "{error}");
}

#[test]
fn a_tree_of_any_depth_is_packed() {
    let tree = TempDir::new().expect("a temporary directory");
    let root = Root::open(tree.path()).expect("the tree");
    let path = vec!["d"; 1500].join("/");
    root.mkdir_all(&path, 0o755).expect("directories");
    for depth in [10, 700, 1499] {
        let dir = vec!["d"; depth].join("/");
        root.create_file(format!("{dir}/f"), 0o644).expect("a file");
        root.create_file(format!("{dir}/a"), 0o644).expect("a file");
    }
    let bytes = packed(tree.path());
    assert!(packed(unpacked(&bytes).expect("our own archive").path()) == bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_layer_comes_again(
        entries in prop::collection::vec(
            (0..7_usize, "([abc]/){0,2}(\\.wh\\.)?[abc]|([abc]/){0,2}\\.wh\\.\\.wh\\.\\.opq", "[abc](/[abc]){0,2}", 0..1500_usize),
            1..25,
        ),
    ) {
        let kinds = [
            EntryType::Regular, EntryType::Regular, EntryType::Directory, EntryType::Symlink, EntryType::Link,
            EntryType::Fifo, EntryType::Char,
        ];
        let entries = entries.iter().map(|(kind, name, link, size)| {
            let kind = kinds[*kind];
            let link = if matches!(kind, EntryType::Symlink | EntryType::Link) { link.as_str() } else { "" };
            (kind, name.as_str(), link, vec![b'x'; if kind == EntryType::Regular { *size } else { 0 }])
        });
        let bytes = archive_of(entries, |bytes| unpacked(bytes).is_some());
        let tree = unpacked(&bytes).expect("unpacks");
        let packed_tree = packed(tree.path());
        let copy = unpacked(&packed_tree).expect("our own archive");
        prop_assert!(packed(copy.path()) == packed_tree);
    }
}
