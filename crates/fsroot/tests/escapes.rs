//! Ways out of a root that strangers try, against the real kernel: every one must end inside, or in an error that says why.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use fsroot::{ErrorKind, FileType, Follow, OFlags, Root, attributes};
use tempfile::TempDir;

/// A host with a secret, and a root beside it that belongs to an adversary.
struct Scene {
    host: TempDir,
    root: Root,
}

impl Scene {
    fn new() -> Self {
        let host = TempDir::new().expect("a temporary directory");
        fs::create_dir(host.path().join("root")).expect("root");
        fs::create_dir(host.path().join("victim")).expect("victim");
        fs::write(host.path().join("victim/secret"), "secret").expect("secret");
        let root = Root::open(host.path().join("root")).expect("an openat2 kernel");
        Self { host, root }
    }

    fn inside(&self, path: &str) -> PathBuf {
        self.host.path().join("root").join(path)
    }

    fn victim(&self) -> PathBuf {
        self.host.path().join("victim")
    }

    /// Everything below the victim directory: name, mode, size, times.
    fn victim_listing(&self) -> Vec<String> {
        let mut lines = Vec::new();
        list(&self.victim(), &mut lines);
        lines.sort();
        lines
    }
}

fn list(path: &Path, lines: &mut Vec<String>) {
    let found = fs::symlink_metadata(path).expect("it is there");
    let (times, owner) = ((found.mtime(), found.mtime_nsec()), (found.uid(), found.gid()));
    lines.push(format!("{} {:o} {owner:?} {} {times:?} {}", path.display(), found.mode(), found.len(), found.nlink()));
    if found.is_dir() {
        for entry in fs::read_dir(path).expect("a directory") {
            list(&entry.expect("an entry").path(), lines);
        }
    }
}

#[test]
fn what_is_read_is_inside() {
    let scene = Scene::new();
    fs::create_dir_all(scene.inside("etc")).expect("etc");
    fs::write(scene.inside("etc/passwd"), "inside").expect("passwd");
    let host = scene.host.path().display().to_string();
    let links = [
        ("absolute", "/etc/passwd".to_owned(), Some("inside")),
        ("up", "../../../../../../etc/passwd".to_owned(), Some("inside")),
        ("out", format!("{host}/victim/secret"), None),
        ("up-and-out", "../victim/secret".to_owned(), None),
        ("magic", "/proc/self/root/etc/passwd".to_owned(), None),
        ("loop", "loop".to_owned(), None),
        ("etc-link", "/etc".to_owned(), None),
    ];
    for (name, target, _) in &links {
        symlink(target, scene.inside(name)).expect("a symlink");
    }
    let check = |path: &str, want: Option<&str>| {
        let got = scene.root.read_regular(path, 100).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert_eq!(got.as_deref(), want, "{path}");
    };
    for (name, _, want) in &links {
        check(name, *want);
    }
    check("/etc/passwd", Some("inside"));
    check("../etc/passwd", Some("inside"));
    check("etc/../../../etc/passwd", Some("inside"));
    check("etc-link/passwd", Some("inside"));
    check("../victim/secret", None);
    check("/", None);
}

#[test]
fn magic_links_lead_nowhere() {
    let root = Root::open("/proc").expect("procfs");
    for path in ["self/root", "self/root/etc", "self/exe", "self/cwd", "self/fd/0"] {
        let error = root.open_path(path, Follow::Yes).expect_err(path);
        assert_eq!(error.kind(), ErrorKind::Symlink, "{path}: {error}");
    }
    // Looking at the link itself is harmless.
    assert!(root.metadata("self/exe", Follow::No).expect("the link").is_symlink());
}

#[test]
fn the_last_component_is_followed_only_if_asked() {
    let scene = Scene::new();
    fs::write(scene.inside("file"), "four").expect("file");
    symlink("file", scene.inside("link")).expect("link");
    assert!(scene.root.metadata("link", Follow::No).expect("link").is_symlink());
    assert_eq!(scene.root.metadata("link", Follow::Yes).expect("file").size, 4);
    assert_eq!(
        scene.root.open_file("link", OFlags::RDONLY, Follow::No).expect_err("a symlink").kind(),
        ErrorKind::Symlink
    );
    assert_eq!(scene.root.read_link("link").expect("target"), Path::new("file"));
}

#[test]
fn opening_never_creates() {
    let scene = Scene::new();
    for flags in [OFlags::CREATE, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY, OFlags::TMPFILE | OFlags::WRONLY] {
        assert!(scene.root.open_file("new", flags, Follow::Yes).is_err(), "{flags:?}");
        assert!(scene.root.open_file(".", flags, Follow::Yes).is_err(), "{flags:?}");
    }
    assert_eq!(fs::read_dir(scene.inside("")).expect("root").count(), 0);
}

#[test]
fn only_regular_files_are_read_and_only_so_much() {
    let scene = Scene::new();
    let root = &scene.root;
    root.mknod("fifo", FileType::Fifo, 0o644, 0).expect("fifo");
    // A tty that nobody has: opening it would fail, and must not even be tried.
    root.mknod("device", FileType::CharacterDevice, 0o644, rustix::fs::makedev(4, 250)).expect("device");
    fs::create_dir(scene.inside("dir")).expect("dir");
    fs::File::create(scene.inside("huge")).and_then(|file| file.set_len(1 << 40)).expect("huge");
    fs::write(scene.inside("ten"), "0123456789").expect("ten");
    symlink("/dev/zero", scene.inside("zero")).expect("zero");
    let check = |path: &str, max: u64, want: Result<usize, ErrorKind>| {
        let got = root.read_regular(path, max).map(|bytes| bytes.len()).map_err(|error| error.kind());
        assert_eq!(got, want, "{path}");
    };
    check("fifo", 10, Err(ErrorKind::NotRegular));
    check("device", 10, Err(ErrorKind::NotRegular));
    check("dir", 10, Err(ErrorKind::NotRegular));
    check("huge", 1 << 20, Err(ErrorKind::TooLarge));
    check("zero", 10, Err(ErrorKind::NotFound));
    check("ten", 9, Err(ErrorKind::TooLarge));
    check("ten", 10, Ok(10));
    check("ten", u64::MAX, Ok(10));
}

#[test]
fn nothing_is_changed_outside() {
    let scene = Scene::new();
    let root = &scene.root;
    let victim = scene.victim();
    symlink(&victim, scene.inside("d")).expect("d");
    symlink(victim.join("secret"), scene.inside("f")).expect("f");
    symlink("../victim", scene.inside("up")).expect("up");
    symlink("/proc/self/cwd", scene.inside("magic")).expect("magic");
    let before = scene.victim_listing();

    for parent in ["d", "up", "../victim", "magic", victim.to_str().expect("text")] {
        let path = |name: &str| format!("{parent}/{name}");
        let times = fsroot::Timestamps {
            last_access: fsroot::Timespec { tv_sec: 1, tv_nsec: 0 },
            last_modification: fsroot::Timespec { tv_sec: 1, tv_nsec: 0 },
        };
        let _ = root.create_file(path("new"), 0o644);
        let _ = root.write_file(path("secret"), b"overwritten", 0o777);
        let _ = root.symlink("x", path("link"));
        let _ = root.hardlink(path("secret"), "stolen");
        let _ = root.mknod(path("null"), FileType::CharacterDevice, 0o666, rustix::fs::makedev(1, 3));
        let _ = root.unlink(path("secret"));
        let _ = root.remove_all(path("secret"));
        let _ = root.set_mode(path("secret"), 0o4777);
        let _ = root.set_owner(path("secret"), 7, 7);
        let _ = root.set_times(path("secret"), &times);
    }
    // Of the symlink itself, and of nothing behind it.
    root.set_owner("f", 7, 7).expect("the symlink's own owner");
    assert_eq!(fs::symlink_metadata(scene.inside("f")).expect("f").uid(), 7);
    assert_eq!(root.set_mode("f", 0o777).expect_err("a symlink has no mode").kind(), ErrorKind::Unsupported);
    root.write_file("f", b"mine", 0o640).expect("the symlink is replaced");
    assert_eq!(fs::read(scene.inside("f")).expect("f"), b"mine");
    assert_eq!(fs::symlink_metadata(scene.inside("f")).expect("f").mode(), 0o100_640);
    root.remove_all("d").expect("the symlink is removed");
    assert!(!scene.inside("d").exists() && !scene.inside("stolen").exists());

    assert_eq!(scene.victim_listing(), before);
}

#[test]
fn hard_links_are_replaced_and_not_written_through() {
    let scene = Scene::new();
    fs::hard_link(scene.victim().join("secret"), scene.inside("shared")).expect("a hard link");
    scene.root.write_file("shared", b"mine", 0o600).expect("written");
    assert_eq!(fs::read(scene.victim().join("secret")).expect("secret"), b"secret");
    assert_eq!(fs::read_dir(scene.inside("")).expect("root").count(), 1, "no temporary file is left");
    fs::create_dir(scene.inside("dir")).expect("dir");
    assert_eq!(scene.root.write_file("dir", b"", 0o600).expect_err("a directory").kind(), ErrorKind::IsADirectory);
    assert_eq!(fs::read_dir(scene.inside("")).expect("root").count(), 2, "nor after an error");
}

#[test]
fn paths_that_name_nothing() {
    let scene = Scene::new();
    for path in ["", "/", ".", "..", "a/..", "a/.", "//"] {
        let error = scene.root.create_file(path, 0o644).expect_err(path);
        assert!(matches!(error.kind(), ErrorKind::InvalidPath | ErrorKind::NotFound), "{path:?}: {error}");
    }
    assert_eq!(scene.root.unlink("nothing").expect_err("nothing").kind(), ErrorKind::NotFound);
    scene.root.remove_all("nothing").expect("nothing to remove is no error");
}

#[test]
fn directories_are_made_inside() {
    let scene = Scene::new();
    let host = scene.victim().display().to_string();
    symlink("/run", scene.inside("var-run")).expect("a link to what is missing");
    symlink("../../../x/y", scene.inside("up")).expect("up");
    symlink(format!("{host}/made"), scene.inside("out")).expect("out");
    symlink("loop2", scene.inside("loop1")).expect("loop1");
    symlink("loop1", scene.inside("loop2")).expect("loop2");
    fs::write(scene.inside("file"), "").expect("file");
    symlink("/file", scene.inside("to-file")).expect("to-file");
    let before = scene.victim_listing();

    let check = |path: &str, want: Result<&str, ErrorKind>| {
        let made = scene.root.mkdir_all(path, 0o750);
        match (made, want) {
            (Ok(fd), Ok(real)) => {
                let found = fs::metadata(scene.inside(real)).expect(real);
                assert_eq!(attributes::metadata(&fd).expect("open").inode, found.ino(), "{path} is not {real}");
            }
            (Err(error), Err(kind)) => assert_eq!(error.kind(), kind, "{path}: {error}"),
            (Ok(_), Err(kind)) => panic!("{path} was made and not refused as {kind:?}"),
            (Err(error), Ok(_)) => panic!("{path}: {error}"),
        }
    };
    check("a/b/c", Ok("a/b/c"));
    check("/a/b/c", Ok("a/b/c"));
    check("a/../../../d/e/", Ok("d/e"));
    check("var-run/lock", Ok("run/lock"));
    check("up/z", Ok("x/y/z"));
    check("out/z", Ok(&format!("{}/made/z", &host[1..])));
    check("loop1/a", Err(ErrorKind::Symlink));
    check("file/a", Err(ErrorKind::NotADirectory));
    check("to-file/a/b", Err(ErrorKind::NotADirectory));
    check("/", Ok(""));
    assert_eq!(fs::metadata(scene.inside("a/b")).expect("a/b").permissions().mode() & 0o7777, 0o750);
    assert_eq!(scene.victim_listing(), before);
}

#[test]
fn trees_are_removed_and_nothing_else() {
    let scene = Scene::new();
    let before = scene.victim_listing();
    fs::create_dir_all(scene.inside("t/a/b")).expect("t");
    fs::write(scene.inside("t/a/file"), "").expect("file");
    symlink(scene.victim(), scene.inside("t/a/b/out")).expect("out");
    symlink("../../..", scene.inside("t/up")).expect("up");
    scene.root.remove_all("t").expect("removed");
    assert_eq!(fs::read_dir(scene.inside("")).expect("root").count(), 0);
    assert_eq!(scene.victim_listing(), before);
}

#[test]
fn a_tree_deeper_than_any_stack_is_removed() {
    let scene = Scene::new();
    let mut dir = scene.root.dir().try_clone().expect("the root");
    let name = fsroot::Name::new("d").expect("a name");
    for _ in 0..500 {
        dir.make_dir(name, 0o755).expect("one deeper");
        dir = dir.open_dir(name).expect("one deeper");
    }
    drop(dir);
    scene.root.remove_all("d").expect("removed");
    assert_eq!(fs::read_dir(scene.inside("")).expect("root").count(), 0);
}

#[test]
fn extended_attributes_by_descriptor() {
    let scene = Scene::new();
    fs::write(scene.inside("file"), "").expect("file");
    symlink("file", scene.inside("link")).expect("link");
    for (path, follow) in [("file", Follow::No), ("link", Follow::No)] {
        let fd = scene.root.open_path(path, follow).expect(path);
        attributes::set_xattr(&fd, b"trusted.phial", path.as_bytes()).expect("set");
        assert_eq!(attributes::xattr(&fd, b"trusted.phial").expect("read").as_deref(), Some(path.as_bytes()));
        assert_eq!(attributes::xattr_names(&fd).expect("names"), [b"trusted.phial".to_vec()]);
        assert_eq!(attributes::xattr(&fd, b"trusted.other").expect("none"), None);
    }
}

#[test]
fn errors_name_the_call_and_the_path() {
    let scene = Scene::new();
    let error = scene.root.open_path("no/such\n", Follow::Yes).expect_err("nothing there");
    let text = error.to_string();
    let root = scene.inside("").display().to_string();
    assert!(text.starts_with("openat2(") && text.contains(root.trim_end_matches('/')), "{text}");
    assert!(text.contains("\"no/such\\n\"") && text.ends_with("No such file or directory (os error 2)"), "{text}");
    assert!(text.contains(", O_PATH|O_CLOEXEC, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS)"), "{text}");
    assert_eq!(error.raw_os_error(), Some(2));
}

#[test]
fn a_regular_file_can_be_read_through_a_descriptor() {
    let scene = Scene::new();
    fs::write(scene.inside("file"), "text").expect("file");
    let mut text = String::new();
    scene.root.open_regular("file").expect("open").read_to_string(&mut text).expect("read");
    assert_eq!(text, "text");
}
