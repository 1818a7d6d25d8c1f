//! Owners, modes, times and all that files have beside their content.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use fsroot::{Timespec, Timestamps, attributes};
use rustix::fs::{AtFlags, CWD, FileType, Mode, utimensat};

use super::{Scene, check, listing, message, order};
use crate::llb::message::file::Copy;

fn touch(path: &Path, seconds: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: 123_456_789 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).expect("sets the time");
}

fn time(path: &Path) -> (i64, i64) {
    let found = path.symlink_metadata().expect("is there");
    (found.mtime(), found.mtime_nsec())
}

#[test]
fn modes() {
    let tree = "d/!2750 d/a=1!4755 d/b=2!1666 d/e/!1777 d/l->a";
    check(tree, "", &order("/", "/"), "d/!2750 d/a=1!4755 d/b=2!1666 d/e/!1777 d/l->a");
    let octal = Copy { mode: 0o6711, ..order("/d", "/x") };
    check(tree, "", &octal, "x/!711 x/a=1!6711 x/b=2!6711 x/e/!6711 x/l->a");
    let symbolic = Copy { mode: 0, mode_str: "a=rX,u+w".into(), ..order("/d", "/x") };
    check(tree, "", &symbolic, "x/ x/a=1!755 x/b=2 x/e/ x/l->a");
    let wrong = Copy { mode_str: "u+z".into(), ..order("/d", "/x") };
    check(tree, "", &wrong, "the mode \"u+z\" is neither octal nor as chmod takes it");
}

#[test]
fn owners() {
    let tree = "d/@1:1 d/a=1!4755@2:3 d/l->a@4:5";
    check(tree, "", &order("/", "/"), "d/@1:1 d/a=1!4755@2:3 d/l->a@4:5");
    let scene = Scene::new(tree, "");
    scene.copy_for(&order("/", "/"), None, Some((8, 9))).expect("is copied");
    assert_eq!(listing(&scene.onto), "d/@8:9 d/a=1!4755@8:9 d/l->a@8:9");
    let scene = Scene::new(tree, "");
    scene.copy_for(&order("/", "/"), Some(""), None).expect("is copied");
    assert_eq!(listing(&scene.onto), "d/ d/a=1!4755 d/l->a");
    let scene = Scene::new(tree, "");
    let text = message(scene.copy_for(&order("/d/a", "/"), None, Some((u32::MAX, 0))));
    assert!(text.contains("cannot own a file"), "{text}");
}

#[test]
fn times() {
    let scene = Scene::new("d/ d/a=1 d/l->a d/e/ d/e/f=2", "x/");
    let paths = ["", "a", "l", "e", "e/f"];
    for (seconds, path) in (1000..).zip(paths) {
        touch(&scene.from.join("d").join(path), seconds);
    }
    scene.copy(&order("/d", "/x")).expect("is copied");
    scene.copy(&order("/d", "/y")).expect("is copied");
    for (seconds, path) in (1000..).zip(paths) {
        for top in ["x", "y"] {
            assert_eq!(time(&scene.onto.join(top).join(path)), (seconds, 123_456_789), "{top} and {path:?}");
        }
    }
    let timestamp = 5_000_000_001;
    scene.copy(&Copy { timestamp, ..order("/d", "/z/z") }).expect("is copied");
    for path in ["", "z", "z/a", "z/l", "z/e", "z/e/f"] {
        assert_eq!(time(&scene.onto.join("z").join(path)), (5, 1), "{path:?}");
    }
}

#[test]
fn hard_links() {
    let links = |scene: &Scene, paths: &[&str]| -> Vec<u64> {
        let inode = |path: &&str| scene.onto.join(path).metadata().expect("is there").ino();
        let all: Vec<u64> = paths.iter().map(inode).collect();
        all.iter().map(|inode| all.iter().filter(|other| *other == inode).count() as u64).collect()
    };
    let scene = Scene::new("a=1@4:5 d/ d/b=>a d/c=1", "b=0");
    scene.copy(&order("/", "/")).expect("is copied");
    assert_eq!(links(&scene, &["a", "d/b", "d/c"]), [2, 2, 1]);
    assert_eq!(scene.onto.join("d/b").metadata().expect("is there").nlink(), 2);
    // The first copy has been replaced when the second name comes.
    let scene = Scene::new("d/ d/f=1 e/ e/f=2 g/ g/h=>d/f", "");
    scene.copy(&order("/*/?", "/x/")).expect("is copied");
    assert_eq!(listing(&scene.onto), "x/ x/f=2 x/h=1");
}

#[test]
fn extended_attributes() {
    let scene = Scene::new("a=1@4:5 d/", "");
    let opened = |path: &Path| File::open(path).expect("opens");
    // All that may do something is to bind to low ports: VFS_CAP_REVISION_2 with CAP_NET_BIND_SERVICE.
    let capability = [&[1, 0, 0, 2, 0, 4][..], &[0; 14]].concat();
    let has_user = attributes::set_xattr(opened(&scene.from.join("d")), b"user.mine", b"x").is_ok();
    attributes::set_xattr(opened(&scene.from.join("a")), b"security.capability", &capability).expect("is set");
    if has_user {
        for key in [&b"user.mine"[..], b"user.overlay.opaque"] {
            attributes::set_xattr(opened(&scene.from.join("a")), key, b"y").expect("is set");
        }
    }
    attributes::set_xattr(opened(&scene.from.join("a")), b"trusted.mine", b"y").expect("is set");
    for owner in [None, Some((7, 7))] {
        scene.copy_for(&order("/", "/"), None, owner).expect("is copied");
        let names = |path: &str| attributes::xattr_names(opened(&scene.onto.join(path))).expect("lists");
        let users: &[&[u8]] = if has_user { &[b"user.mine"] } else { &[] };
        assert_eq!(names("a"), [&[&b"security.capability"[..]], users].concat());
        assert_eq!(names("d"), users);
        let value = attributes::xattr(opened(&scene.onto.join("a")), b"security.capability").expect("reads");
        assert_eq!(value, Some(capability.clone()));
    }
}

#[test]
fn large_and_sparse_files() {
    let scene = Scene::new("", "");
    let mut file = File::create(scene.from.join("a")).expect("made");
    let part: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    file.write_all(&part).expect("writes");
    file.seek(SeekFrom::Start(64 << 20)).expect("seeks");
    file.write_all(&part).expect("writes");
    file.set_len(128 << 20).expect("grows");
    let copied = scene.copy(&order("/a", "/b")).expect("is copied");
    assert_eq!((copied.files, copied.bytes), (1, 128 << 20));
    let (from, onto) = (scene.from.join("a"), scene.onto.join("b"));
    let (mut one, mut other) = (File::open(&from).expect("opens"), File::open(&onto).expect("opens"));
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    for mebibyte in 0..128 {
        one.read_exact(&mut left).expect("reads");
        other.read_exact(&mut right).expect("reads");
        assert!(left == right, "they differ in mebibyte {mebibyte}");
    }
    let blocks = |path: &Path| path.metadata().expect("is there").blocks();
    assert!(blocks(&onto) <= blocks(&from) + 64, "{} and {}", blocks(&onto), blocks(&from));
}

#[test]
fn what_is_neither_file_nor_directory() {
    let scene = Scene::new("d/", "");
    let path = |name: &str| scene.from.join("d").join(name);
    let mode = Mode::from_raw_mode(0o640);
    let null = rustix::fs::makedev(1, 3);
    rustix::fs::mknodat(CWD, path("null"), FileType::CharacterDevice, mode, null).expect("made");
    rustix::fs::mknodat(CWD, path("fifo"), FileType::Fifo, mode, 0).expect("made");
    let _listener = std::os::unix::net::UnixListener::bind(path("socket")).expect("binds");
    scene.copy(&order("/d", "/x")).expect("is copied");
    let found = |name: &str| scene.onto.join("x").join(name).symlink_metadata();
    let device = found("null").expect("is there");
    assert!(device.file_type().is_char_device() && device.rdev() == null && device.mode() & 0o7777 == 0o640);
    assert!(found("fifo").expect("is there").file_type().is_fifo());
    assert!(found("socket").is_err());
    // No device comes from a context.
    scene.copy_for(&order("/d", "/y"), Some(""), None).expect("is copied");
    let names: Vec<_> =
        fs::read_dir(scene.onto.join("y")).expect("lists").map(|entry| entry.expect("reads").file_name()).collect();
    assert_eq!(names, ["fifo"]);
    let text = message(scene.copy(&order("/d/socket", "/z")));
    assert_eq!(text, "\"/d/socket\" is a Socket, which cannot be copied");
}
