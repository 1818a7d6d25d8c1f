//! Archives that `ADD` unpacks.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use image::layer::{Form, pack};

use super::{Scene, build, listing, message, order};
use crate::llb::message::file::Copy;

fn archive(tree: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    build(directory.path(), tree);
    let root = fsroot::Root::open(directory.path()).expect("opens");
    let mut archive = Vec::new();
    pack(root.dir(), Form::Plain, &mut archive).expect("packs");
    archive
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = image::compress::Gzip::new(Vec::new(), 1).expect("begins");
    gzip.write_all(bytes).expect("compresses");
    gzip.finish().expect("ends")
}

fn by(program: &str, bytes: &[u8]) -> Vec<u8> {
    let mut child =
        Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program is there");
    child.stdin.take().expect("is a pipe").write_all(bytes).expect("takes it");
    child.wait_with_output().expect("ends").stdout
}

fn add(src: &str, dest: &str) -> Copy {
    Copy { attempt_unpack: true, ..order(src, dest) }
}

fn check(content: &[u8], onto: &str, copy: &Copy, expected: &str) {
    let scene = Scene::new("", onto);
    fs::write(scene.from.join("a"), content).expect("writes");
    scene.copy_for(copy, Some(""), None).expect("is copied");
    assert_eq!(listing(&scene.onto), expected);
}

#[test]
fn archives_however_they_are_compressed() {
    let plain = archive("d/!711 d/f=1!600@3:4 l->d");
    let unpacked = "x/ x/d/!711 x/d/f=1!600@3:4 x/l->d";
    check(&plain, "", &add("/a", "/x"), unpacked);
    check(&plain, "", &add("/a", "/x/"), unpacked);
    check(&gzip(&plain), "", &add("/a", "/x"), unpacked);
    check(&by("bzip2", &plain), "", &add("/a", "/x"), unpacked);
    check(&by("xz", &plain), "", &add("/a", "/x"), unpacked);
    let mut zstd = image::compress::zstd(Vec::new()).expect("begins");
    zstd.write_all(&plain).expect("compresses");
    check(&zstd.finish().expect("ends"), "", &add("/a", "/x"), unpacked);
    check(&plain, "r/ r/d/ r/d/f=0 x->r", &add("/a", "/x"), "r/ r/d/!711 r/d/f=1!600@3:4 r/l->d x->r");
}

#[test]
fn owners() {
    let scene = Scene::new("", "");
    fs::write(scene.from.join("a"), archive("d/ d/f=1@3:4")).expect("writes");
    scene.copy_for(&add("/a", "/x"), Some(""), Some((7, 8))).expect("is unpacked");
    assert_eq!(listing(&scene.onto), "x/@7:8 x/d/@7:8 x/d/f=1@7:8");
}

#[test]
fn what_is_no_archive_is_copied() {
    check(b"text", "", &add("/a", "/x/"), "x/ x/a=text");
    check(b"", "", &add("/a", "/x"), "x=");
    let plain = archive("d/");
    let scene = Scene::new("", "");
    for (name, content) in [("empty", &[0; 1024][..]), ("short", &plain[..511]), ("text.gz", &gzip(b"text"))] {
        fs::write(scene.from.join(name), content).expect("writes");
    }
    scene.copy(&add("/*", "/x/")).expect("is copied");
    for name in ["empty", "short", "text.gz"] {
        let read = |root: &std::path::Path| fs::read(root.join(name)).expect("is there");
        assert_eq!(read(&scene.onto.join("x")), read(&scene.from), "{name}");
    }
    let scene = Scene::new("", "");
    fs::write(scene.from.join("a"), plain).expect("writes");
    scene.copy(&order("/a", "/x")).expect("nobody wants it unpacked");
    assert!(scene.onto.join("x").is_file());
}

#[test]
fn a_broken_archive() {
    let scene = Scene::new("", "");
    let whole = archive("d/ d/f=1 d/g=2");
    fs::write(scene.from.join("a"), &whole[..1200]).expect("writes");
    let text = message(scene.copy(&add("/a", "/x")));
    assert!(text.starts_with("unpacking \"/a\": "), "{text}");
}
