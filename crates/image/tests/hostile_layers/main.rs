//! Layers that were made to break out, to exhaust, or to confuse: nothing outside of the layer's directory may ever change, and what is inside
//! must be what the entries say.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use image::layer::{ErrorKind, Limits, unpack};
use tar::{EntryType, Header};

use archive::{Archive, Item, item, tar};
use scene::Scene;

/// Archives, byte by byte.
mod archive;
/// The tests with random input.
mod properties;
/// The host around the layer.
mod scene;

#[derive(Debug)]
enum Want<'a> {
    /// Unpacks, to exactly this.
    Tree(&'a [&'a str]),
    /// Is an error of this kind whose message has this in it.
    Refused(ErrorKind, &'a str),
}

use Want::{Refused, Tree};

fn check(what: &str, archive: Archive, want: &Want<'_>) {
    check_bytes(what, &archive.end(), want);
}

fn check_bytes(what: &str, archive: &[u8], want: &Want<'_>) {
    let scene = Scene::new();
    match (scene.unpack(archive), want) {
        (Ok(_), Tree(lines)) => assert_eq!(scene.inside().lines().collect::<Vec<_>>(), *lines, "{what}"),
        (Err(error), Refused(kind, message)) => {
            assert_eq!(error.kind(), *kind, "{what}: {error}");
            assert!(error.to_string().contains(message), "{what}: {error}");
        }
        (Ok(_), Refused(..)) => panic!("{what}: not refused, but became\n{}", scene.inside()),
        (Err(error), Tree(_)) => panic!("{what}: {error}"),
    }
}

#[test]
fn names_that_lead_out() {
    let host = "/etc/phial-test-victim";
    for name in ["..", "../x", "a/../../x", "../../../../etc/x", "/../x", "a/..", "./../layers/2/shadow"] {
        check(name, tar().file(name, "x"), &Refused(ErrorKind::Refused, ".."));
        check(name, tar().dir(name), &Refused(ErrorKind::Refused, ".."));
        check(name, tar().symlink(name, "x"), &Refused(ErrorKind::Refused, ".."));
        check(name, tar().file("f", "").hardlink(name, "f"), &Refused(ErrorKind::Refused, ".."));
        check(name, tar().file("f", "").hardlink("l", name), &Refused(ErrorKind::Refused, "its layer lacks"));
    }
    check("absolute", tar().file(host, "x"), &Tree(&["etc dir", "etc/phial-test-victim \"x\""]));
    check("slashes", tar().file("//a///b//./c", "x"), &Tree(&["a dir", "a/b dir", "a/b/c \"x\""]));
    check("whiteout of ..", tar().file("a/.wh...", ""), &Refused(ErrorKind::Refused, "names nothing"));
    check("whiteout of .", tar().file("a/.wh..", ""), &Refused(ErrorKind::Refused, "names nothing"));
    check("whiteout of nothing", tar().file("a/.wh.", ""), &Refused(ErrorKind::Refused, "names nothing"));
    check("below a whiteout", tar().file(".wh.a/b", ""), &Refused(ErrorKind::Refused, "below a whiteout"));
    check("NUL", tar().pax(&[("path", b"a\0b")]).file("x", ""), &Refused(ErrorKind::Refused, "not a file name"));
    check("the top as a file", tar().file("./", "x"), &Refused(ErrorKind::Refused, "top of the layer"));
    check("the top as a symlink", tar().symlink(".", "/etc"), &Refused(ErrorKind::Refused, "top of the layer"));
    check("pax path", tar().pax(&[("path", b"../../x")]).file("x", ""), &Refused(ErrorKind::Refused, ".."));
}

#[test]
fn symlinks_are_walked_inside() {
    let scene = Scene::new();
    let victim = scene.host.path().join("victim");
    let victim = victim.to_str().expect("text");
    let (inside, relative) = (victim.trim_start_matches('/'), "../../victim");
    let mut parents: Vec<String> = Vec::new();
    for component in inside.split('/') {
        parents.push(parents.last().map_or(component.to_owned(), |last| format!("{last}/{component}")));
    }

    let archive = tar().symlink("d", victim).file("d/shadow", "mine").dir("d/new").file("d/.wh.sub", "");
    let archive = archive.hardlink("d/hard", "d/shadow").symlink("d/soft", "x").file("d/.wh..wh..opq", "");
    scene.unpack(&archive.end()).expect("stays inside");
    let tree = scene.inside();
    assert!(tree.contains(&format!("{inside}/shadow \"mine\"\n")), "{tree}");
    assert!(tree.contains(&format!("{inside}/sub char 0:0\n")), "{tree}");

    check(
        "upwards stops at the top",
        tar().symlink("d", relative).file("d/shadow", "mine"),
        &Tree(&["d -> ../../victim", "victim dir", "victim/shadow \"mine\""]),
    );
    check(
        "a chain of symlinks",
        tar().dir("e").symlink("a", "/b").symlink("b", "e/../c").symlink("c", "../../../e").file("a/f", "x"),
        &Tree(&["a -> /b", "b -> e/../c", "c -> ../../../e", "e dir", "e/f \"x\""]),
    );
    check(
        "a loop",
        tar().symlink("a", "b").symlink("b", "a").file("a/f", ""),
        &Refused(ErrorKind::Refused, "symlinks"),
    );
    check("itself", tar().symlink("a", "a/a").file("a/f", ""), &Refused(ErrorKind::Refused, "symlinks"));
    check("a symlink to the top", tar().symlink("a", "/").file("a/f", "x"), &Tree(&["a -> /", "f \"x\""]));
    check(
        "proc",
        tar().symlink("a", "/proc/self/cwd").file("a/f", "x"),
        &Tree(&["a -> /proc/self/cwd", "proc dir", "proc/self dir", "proc/self/cwd dir", "proc/self/cwd/f \"x\""]),
    );
    check("a file over a symlink replaces it", tar().symlink("f", "/etc/passwd").file("f", "x"), &Tree(&["f \"x\""]));
    check(
        "a directory over a symlink replaces it",
        tar().symlink("d", victim).dir("d").file("d/f", "x"),
        &Tree(&["d dir", "d/f \"x\""]),
    );
    check("below a file", tar().file("f", "").file("f/x", ""), &Refused(ErrorKind::Refused, "not a directory"));
    check(
        "below a symlink to a file",
        tar().file("f", "").symlink("l", "f").file("l/x", ""),
        &Refused(ErrorKind::Refused, "not a directory"),
    );
}

#[test]
fn a_directory_that_becomes_a_symlink_is_forgotten() {
    let scene = Scene::new();
    let victim = scene.host.path().join("victim");
    let victim = victim.to_str().expect("text");
    // CVE-2025-47290: the parent was checked while it was a directory.
    let archive =
        tar().dir("d").file("d/a", "").symlink("d", victim).file("d/shadow", "mine").file("d/sub/shadow", "mine");
    scene.unpack(&archive.end()).expect("stays inside");
    assert!(scene.inside().contains(&format!("{}/shadow \"mine\"\n", &victim[1..])), "{}", scene.inside());

    check(
        "deep, and back again",
        tar().file("d/e/f/a", "").symlink("d/e", "/x").file("d/e/f/b", "").dir("d/e").file("d/e/f/c", ""),
        &Tree(&["d dir", "d/e dir", "d/e/f dir", "d/e/f/c \"\"", "x dir", "x/f dir", "x/f/b \"\""]),
    );
    check(
        "one symlink for another",
        tar().dir("x").dir("y").symlink("d", "x").file("d/a", "").symlink("d", "y").file("d/a", "2"),
        &Tree(&["d -> y", "x dir", "x/a \"\"", "y dir", "y/a \"2\""]),
    );
    check(
        "a symlink for its own target's parent",
        tar().dir("x").symlink("d", "x").file("d/a", "").symlink("x", "z").file("d/b", ""),
        &Tree(&["d -> x", "x -> z", "z dir", "z/b \"\""]),
    );
}

#[test]
fn hard_links() {
    let host = Scene::new();
    let shadow = host.host.path().join("victim/shadow");
    let shadow = shadow.to_str().expect("text");
    let lacks = |name: &str, archive: Archive| check(name, archive, &Refused(ErrorKind::Refused, "its layer lacks"));
    lacks("absolute", tar().hardlink("l", shadow));
    lacks("through a symlink", tar().symlink("d", "/etc").hardlink("l", "d/passwd"));
    lacks("to nothing", tar().hardlink("l", "nothing"));
    lacks("to the top", tar().hardlink("l", "/"));
    lacks("to what is hidden", tar().file(".wh.a", "").hardlink("l", ".wh.a"));
    lacks("below a file", tar().file("f", "").hardlink("l", "f/x"));
    lacks("to what it replaces", tar().file("d/x", "").hardlink("d", "d/x"));
    check("to a directory", tar().dir("d").hardlink("l", "d"), &Refused(ErrorKind::Refused, "is a directory"));
    check("to itself", tar().file("f", "x").hardlink("f", "./f"), &Tree(&["f \"x\""]));
    check(
        "to a symlink",
        tar().symlink("s", shadow).hardlink("l", "s"),
        &Tree(&[&format!("l -> {shadow}"), &format!("s -> {shadow}")]),
    );
    check(
        "through a symlink inside",
        tar().file("r/f", "x").symlink("d", "r").hardlink("l", "d/f").file("l", "y"),
        &Tree(&["d -> r", "l \"y\"", "r dir", "r/f \"x\""]),
    );
    // A hard link to a symlink, and then a file: not written through, neither the link nor the symlink.
    check(
        "then a file",
        tar().symlink("s", shadow).hardlink("l", "s").file("l", "x"),
        &Tree(&["l \"x\"", &format!("s -> {shadow}")]),
    );

    // The entry of the link has mode 4777, of which nothing may reach the file (CVE-2021-32760).
    let scene = Scene::new();
    scene.unpack(&tar().file("f", "x").hardlink("l", "f").end()).expect("a hard link");
    let (file, link) = (fs::metadata(scene.layer().join("f")), fs::metadata(scene.layer().join("l")));
    let (file, link) = (file.expect("f"), link.expect("l"));
    assert_eq!((file.ino(), file.nlink(), file.mode()), (link.ino(), 2, 0o100_644));
}

#[test]
fn the_last_entry_of_a_name_counts() {
    check("file, file", tar().file("f", "first").file("f", "2"), &Tree(&["f \"2\""]));
    check(
        "hard-linked file, file",
        tar().file("f", "1").hardlink("l", "f").file("f", "2"),
        &Tree(&["f \"2\"", "l \"1\""]),
    );
    check("directory, file", tar().file("d/e/f", "").file("d", "x"), &Tree(&["d \"x\""]));
    check(
        "directory, directory",
        tar().file("d/a", "").dir("d").file("d/b", ""),
        &Tree(&["d dir", "d/a \"\"", "d/b \"\""]),
    );
    check("file, directory", tar().file("d", "x").dir("d").file("d/b", ""), &Tree(&["d dir", "d/b \"\""]));
    check("symlink, symlink", tar().symlink("s", "a").symlink("s", "b"), &Tree(&["s -> b"]));
    let fifo = item("x", EntryType::Fifo);
    check("fifo, file", tar().item(fifo).file("x", "1"), &Tree(&["x \"1\""]));
    check("directory, fifo", tar().file("x/y", "").item(fifo), &Tree(&["x fifo"]));
}

#[test]
fn whiteouts() {
    let opaque = |scene: &Scene, path: &str| {
        let dir = fs::File::open(scene.layer().join(path)).expect("a directory");
        fsroot::attributes::xattr(&dir, b"trusted.overlay.opaque").expect("readable").as_deref() == Some(&b"y"[..])
    };
    let check_opaque = |what: &str, archive: Archive, tree: &[&str], path: &str, want: bool| {
        let scene = Scene::new();
        scene.unpack(&archive.end()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(scene.inside().lines().collect::<Vec<_>>(), tree, "{what}");
        assert_eq!(opaque(&scene, path), want, "{what}");
    };
    check("a file", tar().file("a/.wh.f", ""), &Tree(&["a dir", "a/f char 0:0"]));
    check("twice", tar().file(".wh.f", "").file(".wh.f", ""), &Tree(&["f char 0:0"]));
    check("with contents", tar().file(".wh.f", "contents").file("g", "x"), &Tree(&["f char 0:0", "g \"x\""]));
    check("aufs", tar().file(".wh..wh.aufs", "").file(".wh..wh.plnk/1", "x").dir(".wh..wh.orph"), &Tree(&[]));
    check("over a symlink", tar().symlink("s", "/etc").file(".wh.s", ""), &Tree(&["s -> /etc"]));
    check("over a file of this layer", tar().file("f", "x").file(".wh.f", ""), &Tree(&["f \"x\""]));
    check("before a file of this layer", tar().file(".wh.f", "").file("f", "x"), &Tree(&["f \"x\""]));
    check("before a symlink", tar().file(".wh.f", "").symlink("f", "x"), &Tree(&["f -> x"]));
    check_opaque("opaque", tar().dir("d").file("d/.wh..wh..opq", ""), &["d dir"], "d", true);
    check_opaque("opaque without an entry", tar().file("d/.wh..wh..opq", ""), &["d dir"], "d", true);
    check_opaque("the top", tar().file(".wh..wh..opq", ""), &[], "", true);
    check_opaque("before a directory", tar().file(".wh.d", "").dir("d"), &["d dir"], "d", true);
    check_opaque("after a directory", tar().dir("d").file(".wh.d", ""), &["d dir"], "d", true);
    let implied = tar().file(".wh.d", "").file("d/x", "");
    check_opaque("before an implied directory", implied, &["d dir", "d/x \"\""], "d", true);
    check_opaque("of something else", tar().dir("d").file("d/.wh.x", ""), &["d dir", "d/x char 0:0"], "d", false);
    let replaced = tar().file("d/.wh..wh..opq", "").file("d", "").dir("d");
    check_opaque("a directory that was replaced", replaced, &["d dir"], "d", false);
}

#[test]
fn overlayfs_s_own_attributes_are_not_taken_from_a_layer() {
    let scene = Scene::new();
    let names =
        ["trusted.overlay.redirect", "trusted.overlay.opaque", "user.overlay.opaque", "security.selinux", "user.mine"];
    let keys: Vec<_> = names.iter().map(|name| format!("SCHILY.xattr.{name}")).collect();
    let records: Vec<_> = keys.iter().map(|key| (key.as_str(), &b"y"[..])).collect();
    scene.unpack(&tar().pax(&records).dir("d").pax(&records).file("f", "").end()).expect("unpacked");
    for name in ["d", "f"] {
        let file = fs::File::open(scene.layer().join(name)).expect(name);
        let found = fsroot::attributes::xattr_names(&file).expect("names");
        assert_eq!(found, [b"user.mine".to_vec()], "{name}");
    }
}

#[test]
fn devices() {
    let device = |kind, device| Item { device, ..item("dev", kind) };
    check("char", tar().item(device(EntryType::Char, (1, 3))), &Tree(&["dev char 1:3"]));
    check("block", tar().item(device(EntryType::Block, (7, 200))), &Tree(&["dev block 7:200"]));
    check("out of range", tar().item(device(EntryType::Char, (4096, 0))), &Refused(ErrorKind::Refused, "4096:0"));
    check("out of range", tar().item(device(EntryType::Char, (0, 1 << 20))), &Refused(ErrorKind::Refused, "0:1048576"));
    check(
        "below",
        tar().item(device(EntryType::Char, (1, 1))).file("dev/x", ""),
        &Refused(ErrorKind::Refused, "not a directory"),
    );
}

#[test]
fn broken_archives() {
    let whole = tar().file("f", "contents").end();
    let malformed =
        |what: &str, bytes: &[u8], message: &str| check_bytes(what, bytes, &Refused(ErrorKind::Malformed, message));
    malformed("half a header", &whole[..300], "cut off");
    malformed("half the contents", &whole[..516], "cut off");
    malformed("half the padding", &whole[..700], "cut off");
    malformed("only an extended header", &tar().pax(&[("path", b"x")]).0, "cut off");
    malformed("an extended header at the end", &tar().pax(&[("path", b"x")]).end(), "followed by no entry");
    malformed("text", &[b'x'; 1024], "checksum");
    malformed("an entry after a zero block", &[&[0; 512][..], &whole].concat(), "follows a zero block");
    check_bytes("nothing at all", b"", &Tree(&[]));
    check_bytes("no padding", &whole[..520], &Tree(&["f \"contents\""]));
    check_bytes("no end", &whole[..1024], &Tree(&["f \"contents\""]));
    check_bytes("one zero block", &whole[..1536], &Tree(&["f \"contents\""]));
    check(
        "bad number",
        tar().raw(with(|header| header.size.copy_from_slice(b"0000000008\0\0")), b""),
        &Refused(ErrorKind::Malformed, "size"),
    );
    check("unknown type", tar().item(item("f", EntryType::new(b'Z'))), &Refused(ErrorKind::Refused, "type 'Z'"));
}

/// A header of a file, changed by hand.
fn with(change: impl FnOnce(&mut tar::OldHeader)) -> Header {
    let mut header = item("f", EntryType::Regular).header();
    change(header.as_old_mut());
    header
}

#[test]
fn sizes_and_ids_out_of_range() {
    let huge = |bytes: &[u8; 12]| tar().raw(with(|header| header.size = *bytes), b"x");
    check("2^63", huge(b"\x80\0\0\0\x80\0\0\0\0\0\0\0"), &Refused(ErrorKind::Malformed, "size"));
    check(
        "2^63-1",
        huge(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"),
        &Refused(ErrorKind::TooLarge, "bytes uncompressed"),
    );
    check("2^95", huge(b"\x80\x80\0\0\0\0\0\0\0\0\0\0"), &Refused(ErrorKind::Malformed, "size"));
    check("-1", huge(&[0xff; 12]), &Refused(ErrorKind::Malformed, "negative"));
    check("octal", huge(b"777777777777"), &Refused(ErrorKind::Malformed, "cut off"));
    let pax = |key: &str, value: &str| tar().pax(&[(key, value.as_bytes())]).file("f", "x");
    check("pax -1", pax("size", "-1"), &Refused(ErrorKind::Malformed, "size"));
    check("pax 2^63", pax("size", "9223372036854775808"), &Refused(ErrorKind::Malformed, "size"));
    check("pax 2^63-1", pax("size", "9223372036854775807"), &Refused(ErrorKind::TooLarge, "bytes"));
    check("uid 2^32", pax("uid", "4294967296"), &Refused(ErrorKind::Refused, "uid 4294967296"));
    check("uid 2^32-1", pax("uid", "4294967295"), &Refused(ErrorKind::Refused, "uid 4294967295"));
    check("gid 2^63", pax("gid", "9223372036854775808"), &Refused(ErrorKind::Malformed, "gid"));
    check("uid -1", tar().raw(with(|header| header.uid = [0xff; 8]), b""), &Refused(ErrorKind::Malformed, "negative"));
    check("a header of 2^63", tar().raw(huge_extension(b'x'), b""), &Refused(ErrorKind::TooLarge, "extended headers"));
    check("a name of 2^63", tar().raw(huge_extension(b'L'), b""), &Refused(ErrorKind::TooLarge, "extended headers"));
    check("globals of 2^63", tar().raw(huge_extension(b'g'), b""), &Refused(ErrorKind::TooLarge, "extended headers"));
}

fn huge_extension(flag: u8) -> Header {
    with(|header| {
        header.size = *b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff";
        header.linkflag = [flag];
    })
}

#[test]
fn limits_hold() {
    let small = Limits {
        stream_bytes: 1 << 20,
        entries: 3,
        directories: 10,
        name_bytes: 200,
        xattr_bytes: 1000,
        header_bytes: 4096,
    };
    let check = |what: &str, archive: Archive, message: &str| {
        let error = Scene::new().unpack_within(&archive.end(), &small).expect_err(what);
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{what}: {error}");
        assert!(error.to_string().contains(message), "{what}: {error}");
    };
    check("bytes", tar().file("f", &"x".repeat(1 << 20)), "1048576 bytes uncompressed");
    check("bytes after the end", Archive([vec![0; 1024], vec![1; 1 << 20]].concat()), "1048576 bytes uncompressed");
    check("entries", tar().file("a", "").file("b", "").file("c", "").file("d", ""), "3 entries");
    check("directories", tar().dir("1/2/3/4/5/6/7/8/9/10/11"), "10 directories");
    let long = "x".repeat(201);
    check("name", tar().pax(&[("path", long.as_bytes())]).file("f", ""), "name of 201 bytes");
    check("target", tar().pax(&[("linkpath", long.as_bytes())]).symlink("f", ""), "link target of 201 bytes");
    check("xattrs", tar().pax(&[("SCHILY.xattr.user.a", &[b'x'; 1000])]).file("f", ""), "extended attributes");
    check("headers", tar().pax(&[("comment", &[b'x'; 5000])]).file("f", ""), "extended headers");
    let empty = || item("", EntryType::XHeader);
    check("empty headers", (0..20).fold(tar(), |archive, _| archive.item(empty())).file("f", ""), "extended headers");
}

#[test]
fn sparse_maps_that_lie() {
    let one = |map: &str, size: &str, data: &[u8]| {
        tar()
            .pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", size.as_bytes())])
            .item(Item { data: &[format!("{map:\0<512}").as_bytes(), data].concat(), ..item("f", EntryType::Regular) })
    };
    let listed = |map: &str, size: &str, data: &str| {
        tar().pax(&[("GNU.sparse.size", size.as_bytes()), ("GNU.sparse.map", map.as_bytes())]).file("f", data)
    };
    let bad = |what: &str, archive: Archive| check(what, archive, &Refused(ErrorKind::Malformed, "sparse"));
    check("good", one("1\n2\n3\n", "7", b"abc"), &Tree(&["f \"\\0\\0abc\\0\\0\""]));
    check("good", listed("2,3", "7", "abc"), &Tree(&["f \"\\0\\0abc\\0\\0\""]));
    bad("overlap", one("2\n0\n2\n1\n2\n", "7", b"abcd"));
    bad("outside", one("1\n5\n3\n", "7", b"abc"));
    bad("more than there is", one("1\n0\n4\n", "7", b"abc"));
    bad("less than there is", one("1\n0\n2\n", "7", b"abc"));
    bad("no number", one("1\nx\n2\n", "7", b"abc"));
    bad("endless", one("99999999\n", "7", b"abc"));
    bad("overflow", one("1\n9223372036854775807\n9223372036854775807\n", "7", b"abc"));
    bad("list overlap", listed("0,2,1,2", "7", "abcd"));
    bad("list odd", listed("0,2,1", "7", "ab"));
    bad("no size", tar().pax(&[("GNU.sparse.map", b"0,1")]).file("f", "x"));
    bad("version 2", tar().pax(&[("GNU.sparse.major", b"2"), ("GNU.sparse.realsize", b"1")]).file("f", "x"));
    bad("old, not GNU", tar().raw(ustar_sparse(), b""));
    // A hole of nearly 2^63 bytes: the file system refuses it, and nothing is written.
    check("huge", one("0\n", "9223372036854775807", b""), &Refused(ErrorKind::Write, "ftruncate"));
}

fn ustar_sparse() -> Header {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[0] = b'f';
    header.set_entry_type(EntryType::GNUSparse);
    for set in [Header::set_mode, |header: &mut Header, value| header.set_size(u64::from(value))] {
        set(&mut header, 0);
    }
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

#[test]
fn the_stream_is_read_to_its_end() {
    struct Counted<'a>(&'a [u8], &'a mut usize);
    impl Read for Counted<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            // Odd pieces, so that blocks straddle them.
            let most = buffer.len().min(777);
            let count = self.0.read(&mut buffer[..most])?;
            *self.1 += count;
            Ok(count)
        }
    }
    let mut archive = tar().file("f", &"x".repeat(5000)).end();
    archive.resize(archive.len() + 1_000_001, b'g');
    let scene = Scene::new();
    let root = fsroot::Root::open(scene.layer()).expect("the layer's directory");
    let mut count = 0;
    let done =
        unpack(Counted(&archive, &mut count), &root, &Limits::default()).expect("garbage at the end is no error");
    assert_eq!(count, archive.len());
    assert_eq!((done.entries, done.bytes), (1, 5000));
}

#[test]
fn an_error_of_the_stream_is_handed_on() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("digest mismatch"))
        }
    }
    let scene = Scene::new();
    let root = fsroot::Root::open(scene.layer()).expect("the layer's directory");
    let error = unpack(Broken, &root, &Limits::default()).expect_err("the stream's error");
    assert_eq!(error.kind(), ErrorKind::Read);
    assert!(error.to_string().contains("digest mismatch"), "{error}");
}
