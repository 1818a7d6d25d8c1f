//! Trees with everything a file can have, archived by the tar programs that people use, unpacked by us, and compared file by file;
//! and the other way round.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use fsroot::{FileType, Root, Timespec, Timestamps, attributes};
use image::layer::{Form, Limits, pack, replay, unpack, unpack_with_tape};
use tempfile::TempDir;

/// What a format of tar can hold.
#[derive(Clone, Copy)]
struct Format {
    program: &'static str,
    arguments: &'static [&'static str],
    xattrs: bool,
    nanoseconds: bool,
    /// Names of more than 255 bytes, large ids, times before 1970.
    extremes: bool,
}

impl Format {
    /// True if holes are archived as holes.
    fn keeps_holes(self) -> bool {
        self.arguments.contains(&"-S") || self.arguments.contains(&"--format=pax")
    }
}

const POSIX: Format = Format {
    program: "tar",
    arguments: &["--format=posix", "--xattrs", "--xattrs-include=*"],
    xattrs: true,
    nanoseconds: true,
    extremes: true,
};

#[test]
fn posix() {
    check(POSIX);
}

#[test]
fn posix_with_each_sparse_version() {
    check(Format { arguments: &["--format=posix", "--xattrs", "--xattrs-include=*", "-S"], ..POSIX });
    let sparse = |version| Format { arguments: version, xattrs: false, ..POSIX };
    check(sparse(&["--format=posix", "-S", "--sparse-version=0.0"]));
    check(sparse(&["--format=posix", "-S", "--sparse-version=0.1"]));
    check(sparse(&["--format=posix", "-S", "--sparse-version=1.0"]));
}

#[test]
fn gnu() {
    check(Format { arguments: &["--format=gnu"], xattrs: false, nanoseconds: false, ..POSIX });
    check(Format { arguments: &["--format=gnu", "-S"], xattrs: false, nanoseconds: false, ..POSIX });
    check(Format { arguments: &["--format=oldgnu", "-S"], xattrs: false, nanoseconds: false, ..POSIX });
}

#[test]
fn ustar() {
    check(Format { arguments: &["--format=ustar"], xattrs: false, nanoseconds: false, extremes: false, ..POSIX });
}

#[test]
fn bsdtar() {
    let format = Format { program: "bsdtar", ..POSIX };
    check(Format { arguments: &["--format=pax"], ..format });
    check(Format { arguments: &["--format=gnutar"], xattrs: false, nanoseconds: false, extremes: false, ..format });
    check(Format { arguments: &["--format=ustar"], xattrs: false, nanoseconds: false, extremes: false, ..format });
}

#[test]
fn our_own() {
    let tree = TempDir::new().expect("a temporary directory");
    make_tree(tree.path(), POSIX);
    let archive = |top: &Path| {
        let mut bytes = Vec::new();
        pack(Root::open(top).expect("the tree").dir(), Form::Layer, &mut bytes).expect("packs");
        bytes
    };
    let (bytes, copy) = (archive(tree.path()), TempDir::new().expect("a temporary directory"));
    let root = Root::open(copy.path()).expect("the copy");
    unpack(bytes.as_slice(), &root, &Limits::default()).expect("unpacks");
    same(&listing(copy.path(), POSIX), &listing(tree.path(), POSIX), "our own");
    assert!(archive(copy.path()) == bytes, "the archive of the copy is not the same");

    // GNU tar makes the same of it, without a word.
    let copy = TempDir::new().expect("a temporary directory");
    let mut tar = Command::new("tar")
        .args(["-x", "-p", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--warning=no-timestamp", "-C"])
        .arg(copy.path())
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tar");
    std::io::Write::write_all(&mut tar.stdin.take().expect("a pipe"), &bytes).expect("tar reads it all");
    let output = tar.wait_with_output().expect("tar ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    same(&listing(copy.path(), POSIX), &listing(tree.path(), POSIX), "tar -x");
}

fn same(got: &str, want: &str, what: &str) {
    for (want, got) in want.lines().zip(got.lines()) {
        assert_eq!(got, want, "{what}");
    }
    assert_eq!(got, want, "{what}");
}

fn check(format: Format) {
    let archive = archive_of(format);
    let what = format!("{} {}", format.program, format.arguments.join(" "));
    let layer = TempDir::new().expect("a temporary directory");
    let root = Root::open(layer.path()).expect("the layer's directory");
    let (_, tape) = unpack_with_tape(archive.bytes.as_slice(), &root, &Limits::default())
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut again = Vec::new();
    replay(tape.expect("it is short").as_slice(), &root, &mut again).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(again == archive.bytes, "{what}: the archive that comes back is not the one that went in");
    let (want, got) = (listing(archive.tree.path(), format), listing(layer.path(), format));
    same(&got, &want, &what);
    if format.keeps_holes() {
        let blocks = fs::metadata(layer.path().join("holes/many")).expect("the sparse file").blocks();
        assert!(blocks < 2000, "{what}: a file of 64 MiB with little in it takes {blocks} blocks");
    }
}

struct Archived {
    tree: TempDir,
    bytes: Vec<u8>,
}

/// A tree, archived.
fn archive_of(format: Format) -> Archived {
    let tree = TempDir::new().expect("a temporary directory");
    make_tree(tree.path(), format);
    let mut command = Command::new(format.program);
    command.args(["-c", "-f", "-"]).args(format.arguments).args([
        "-C".as_ref(),
        tree.path().as_os_str(),
        OsStr::new("."),
    ]);
    let output = command.env("LC_ALL", "C.UTF-8").stderr(Stdio::inherit()).output();
    let output = output.unwrap_or_else(|error| {
        panic!("{}: {error} (Debian: tar, libarchive-tools; 'cargo xtask test' installs them)", format.program)
    });
    assert!(output.status.success(), "{} {:?}: {}", format.program, format.arguments, output.status);
    Archived { tree, bytes: output.stdout }
}

fn make_tree(top: &Path, format: Format) {
    let root = Root::open(top).expect("the tree");
    for dir in ["etc", "bin", "var/tmp", "dev", "empty", "holes", "closed"] {
        fs::create_dir_all(top.join(dir)).expect(dir);
    }
    make_contents(top);
    make_holes(top);
    make_names(top, format);
    make_kinds(&root, top);
    if format.xattrs {
        make_xattrs(&root);
    }
    if format.extremes {
        fs::write(top.join("etc/old"), "").expect("old");
        // bsdtar writes the fraction of a time before 1970 with the wrong sign.
        set_times(&root, "etc/old", -1_000_000_000, if format.program == "tar" { 123_456_789 } else { 0 });
        root.set_owner("etc/old", 4_000_000_000, 3_000_000).expect("large ids");
    }
    let modes = [
        ("etc", 0o755),
        ("bin/su", 0o4755),
        ("bin/wall", 0o2755),
        ("var/tmp", 0o1777),
        ("etc/secret", 0),
        ("etc/all", 0o777),
        ("closed/file", 0o444),
        ("closed", 0o555),
        ("empty", 0o2750),
    ];
    root.set_owner("bin/su", 100, 200).expect("an owner");
    root.set_owner("empty", 0, 50).expect("an owner");
    for (path, mode) in modes {
        root.set_mode(path, mode).expect(path);
    }
    for (index, path) in
        ["etc/secret", "bin/su", "closed", "empty", "var/tmp", "var", "etc/link", "."].iter().enumerate()
    {
        set_times(&root, path, 1_000_000_000 + i64::try_from(index).expect("small"), 123_456_789);
    }
}

fn set_times(root: &Root, path: &str, seconds: i64, nanoseconds: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: time, last_modification: time };
    if path == "." {
        attributes::set_times(root, &times).expect(path);
    } else {
        root.set_times(path, &times).expect(path);
    }
}

fn make_contents(top: &Path) {
    for size in [0, 1, 511, 512, 513, 10_240, 262_143, 262_144, 300_000, 1_500_001] {
        let contents: Vec<u8> =
            (0..size).map(|index: u32| index.wrapping_mul(2_654_435_761).to_be_bytes()[0] | 1).collect();
        fs::write(top.join(format!("var/size-{size}")), contents).expect("contents");
    }
    for file in ["bin/su", "bin/wall", "etc/secret", "etc/all", "closed/file", "etc/target"] {
        fs::write(top.join(file), file).expect(file);
    }
}

/// Zeros that are written, which we make holes of, and holes that are archived as such.
fn make_holes(top: &Path) {
    let mut zeros = vec![0_u8; 2_000_000];
    zeros[700_000] = 1;
    zeros[1_300_000..1_300_100].fill(7);
    fs::write(top.join("holes/zeros"), &zeros).expect("zeros");
    fs::write(top.join("holes/only-zeros"), vec![0; 400_000]).expect("zeros");
    fs::write(top.join("holes/small-zeros"), vec![0; 5000]).expect("zeros");
    let sparse = |name: &str, size: u64, places: &[u64]| {
        let file = File::create(top.join("holes").join(name)).expect(name);
        for place in places {
            file.write_all_at(format!("at {place}").as_bytes(), *place).expect(name);
        }
        file.set_len(size).expect(name);
    };
    sparse("end", 10_000_000, &[0]);
    sparse("start", 10_000_004, &[9_999_996]);
    sparse("nothing", 5_000_000, &[]);
    // More parts than a header, and than one block behind it, can list.
    let places: Vec<u64> = (0..64).map(|index| index * 1_048_576 + 4096).collect();
    sparse("many", 64 << 20, &places);
}

fn make_names(top: &Path, format: Format) {
    let long = "n".repeat(if format.extremes { 99 } else { 80 });
    let mut dir = top.join("names");
    for depth in 0..if format.extremes { 5 } else { 1 } {
        dir = dir.join(format!("{long}{depth}"));
    }
    fs::create_dir_all(&dir).expect("long names");
    fs::write(dir.join("file"), "long").expect("a long name");
    // ustar holds at most 100 bytes of a target.
    symlink("t".repeat(if format.extremes { 300 } else { 100 }), dir.join("link")).expect("a long target");
    if format.extremes {
        fs::write(dir.join("x".repeat(255)), "longest").expect("the longest name");
        fs::hard_link(dir.join("file"), top.join("names/hard")).expect("a hard link to a long name");
    }
    for name in [&b"new\nline"[..], b"-dash", b"back\\slash", b" blank ", "\u{e4}\u{1f600}".as_bytes()] {
        fs::write(top.join("names").join(OsStr::from_bytes(name)), name).expect("a strange name");
    }
    if format.program == "tar" {
        // bsdtar wants names that are text.
        fs::write(top.join("names").join(OsStr::from_bytes(b"\xff\xfe=\x01")), "bytes").expect("no text");
    }
}

fn make_kinds(root: &Root, top: &Path) {
    symlink("target", top.join("etc/link")).expect("link");
    symlink("/nowhere/../..", top.join("etc/dangling")).expect("dangling");
    root.set_owner("etc/link", 12, 34).expect("a symlink's owner");
    fs::hard_link(top.join("etc/target"), top.join("etc/hard")).expect("hard");
    fs::hard_link(top.join("etc/target"), top.join("bin/hard")).expect("hard");
    root.mknod("dev/fifo", FileType::Fifo, 0o622, 0).expect("fifo");
    root.mknod("dev/null", FileType::CharacterDevice, 0o666, rustix::fs::makedev(1, 3)).expect("null");
    root.mknod("dev/loop300", FileType::BlockDevice, 0o660, rustix::fs::makedev(7, 300)).expect("loop");
    root.set_owner("dev/loop300", 0, 6).expect("an owner");
    root.set_mode("dev/null", 0o666).expect("a mode that no umask allows");
}

fn make_xattrs(root: &Root) {
    let set = |path: &str, key: &str, value: &[u8]| {
        let fd = root.open_path(path, fsroot::Follow::No).expect(path);
        attributes::set_xattr(&fd, key.as_bytes(), value).expect(key);
    };
    // cap_net_raw, effective and permitted.
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    set("bin/wall", "security.capability", &capability);
    set("etc/target", "user.text", b"value");
    set("etc/target", "user.bytes", b"a\0=\n\xff");
    set("etc/target", "user.with=equals", b"x");
    set("empty", "user.dir", b"on a directory");
    set("closed", "trusted.phial", &[b'x'; 1000]);
}

fn listing(top: &Path, format: Format) -> String {
    let root = Root::open(top).expect("a tree");
    let mut lines = String::new();
    let mut rest = vec![top.to_owned()];
    while let Some(path) = rest.pop() {
        let found = fs::symlink_metadata(&path).expect("it is there");
        let name = path.strip_prefix(top).expect("below the top");
        let times = (found.mtime(), if format.nanoseconds { found.mtime_nsec() } else { 0 });
        let (mode, uid, gid, device) = (found.mode(), found.uid(), found.gid(), found.rdev());
        write!(lines, "{} {mode:o} {uid}:{gid} {times:?} {device}", name.as_os_str().as_bytes().escape_ascii())
            .expect("a string");
        if found.is_dir() {
            let entries = fs::read_dir(&path).expect("a directory");
            let mut entries: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
            entries.sort();
            rest.extend(entries.into_iter().rev());
        } else if found.is_symlink() {
            write!(lines, " -> {}", fs::read_link(&path).expect("a symlink").display()).expect("a string");
        } else if found.is_file() {
            let contents = fs::read(&path).expect("contents");
            let sum = contents.iter().fold(1_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
            write!(lines, " {} bytes {sum:x}, {} links", contents.len(), found.nlink()).expect("a string");
        }
        if format.xattrs {
            let fd = if name.as_os_str().is_empty() {
                root.open_path(".", fsroot::Follow::No)
            } else {
                root.open_path(name, fsroot::Follow::No)
            };
            let fd = fd.expect("it is there");
            for key in attributes::xattr_names(&fd).expect("names") {
                let value = attributes::xattr(&fd, &key).expect("a value").unwrap_or_default();
                write!(lines, " {}={}", key.escape_ascii(), value.escape_ascii()).expect("a string");
            }
        }
        lines.push('\n');
    }
    lines
}
