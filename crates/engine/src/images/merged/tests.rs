//! Layers as overlayfs merges them, with real whiteouts, opaque directories and symlinks.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, FileType as Kind, Mode, XattrFlags, mknodat, setxattr};

use super::*;

/// One entry of a layer.
enum Entry {
    File(&'static str),
    Link(&'static str),
    Whiteout,
    Opaque,
    Fifo,
}

use Entry::{Fifo, File, Link, Opaque, Whiteout};

/// Makes the layers, the topmost first, and reads `etc/passwd` from them.
fn check(layers: &[&[(&str, Entry)]], expected: Result<Option<&str>, &str>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut paths = Vec::new();
    for (number, entries) in layers.iter().enumerate() {
        let layer = directory.path().join(number.to_string());
        fs::create_dir(&layer).expect("created");
        for (path, entry) in *entries {
            make(&layer.join(path), entry);
        }
        paths.push(layer);
    }
    let merged = Merged::open(&paths).expect("the layers are there");
    let found = merged.read("etc/passwd", 16).map_err(|error| error.to_string());
    let expected = expected.map(|content| content.map(|text| text.as_bytes().to_vec())).map_err(str::to_owned);
    assert_eq!(found, expected);
}

fn make(path: &Path, entry: &Entry) {
    fs::create_dir_all(path.parent().expect("is below a layer")).expect("created");
    match entry {
        File(content) => fs::write(path, content).expect("written"),
        Link(target) => symlink(target, path).expect("linked"),
        Whiteout => mknodat(CWD, path, Kind::CharacterDevice, Mode::empty(), 0).expect("made"),
        Fifo => mknodat(CWD, path, Kind::Fifo, Mode::empty(), 0).expect("made"),
        Opaque => {
            fs::create_dir_all(path).expect("created");
            setxattr(path, "trusted.overlay.opaque", b"y", XattrFlags::empty()).expect("marked");
        }
    }
}

#[test]
fn the_topmost_layer_wins() {
    check(&[&[], &[]], Ok(None));
    check(&[&[("etc/passwd", File("new"))], &[("etc/passwd", File("old"))]], Ok(Some("new")));
    check(&[&[("etc/group", File("x"))], &[("etc/passwd", File("old"))]], Ok(Some("old")));
    check(&[&[("opt/x", File("x"))], &[("etc/x", File("x"))], &[("etc/passwd", File("old"))]], Ok(Some("old")));
}

#[test]
fn what_was_deleted_is_not_found() {
    check(&[&[("etc/passwd", Whiteout)], &[("etc/passwd", File("old"))]], Ok(None));
    check(&[&[("etc", Whiteout)], &[("etc/passwd", File("old"))]], Ok(None));
    check(&[&[("etc", Opaque)], &[("etc/passwd", File("old"))]], Ok(None));
    check(&[&[("etc", File("x"))], &[("etc/passwd", File("old"))]], Ok(None));
    check(&[&[("etc", Opaque), ("etc/passwd", File("new"))], &[("etc/passwd", File("old"))]], Ok(Some("new")));
    check(&[&[("etc/x", File("x"))], &[("etc", Opaque)], &[("etc/passwd", File("old"))]], Ok(None));
}

#[test]
fn symlinks_lead_through_all_layers_and_never_out() {
    check(&[&[("etc/passwd", Link("../usr/passwd"))], &[("usr/passwd", File("there"))]], Ok(Some("there")));
    check(&[&[("etc/passwd", Link("/usr/passwd"))], &[("usr/passwd", File("there"))]], Ok(Some("there")));
    check(&[&[("etc", Link("usr/etc"))], &[("usr/etc/passwd", File("there"))]], Ok(Some("there")));
    check(&[&[("etc/passwd", Link("../../../../usr/passwd"))], &[("usr/passwd", File("there"))]], Ok(Some("there")));
    check(&[&[("etc/passwd", Link("/proc/self/environ"))]], Ok(None));
    check(
        &[&[("etc/passwd", Link("/usr"))], &[("usr/x", File("x"))]],
        Err("the image's etc/passwd is not a regular file"),
    );
    check(&[&[("etc/passwd", Link("passwd"))]], Err("the image's etc/passwd hides behind too many symlinks"));
}

#[test]
fn what_would_block_or_fill_memory_is_refused() {
    check(&[&[("etc/passwd", Fifo)]], Err("the image's etc/passwd is not a regular file"));
    check(&[&[("etc/passwd", File("seventeen bytes.."))]], Err("the image's etc/passwd is larger than 16 bytes"));
    check(
        &[&[("etc/passwd", Link("/dev/zero"))], &[("dev/zero", Fifo)]],
        Err("the image's etc/passwd is not a regular file"),
    );
}
