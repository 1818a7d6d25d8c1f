//! A container that swaps directories for symlinks while we work in its tree (CVE-2024-45310, CVE-2021-30465): whoever wins, nothing
//! outside of the root is touched.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fsroot::{Follow, OFlags, Root};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

/// Rounds of work that a test does at least, and exchanges that must have come between.
const ROUNDS: usize = 400;
const SWAPS: usize = 200;
/// How many remove one tree at once.
const REMOVERS: usize = 4;

/// Runs `work` again and again while `a` and `b` are exchanged in a loop.
fn while_exchanged(a: &Path, b: &Path, mut work: impl FnMut(usize)) {
    let (stop, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // A round may have removed one of the two.
                if renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).is_ok() {
                    swaps.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let mut round = 0;
        while round < ROUNDS || swaps.load(Ordering::Relaxed) < SWAPS {
            work(round);
            round += 1;
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// A root with a directory `real` and a symlink `link` that leads out of it, and the host's directory that it leads to.
fn scene() -> (TempDir, Root) {
    let host = TempDir::new().expect("a temporary directory");
    for dir in ["root", "root/real", "victim"] {
        fs::create_dir(host.path().join(dir)).expect(dir);
    }
    fs::write(host.path().join("victim/secret"), "secret").expect("secret");
    symlink(host.path().join("victim"), host.path().join("root/link")).expect("link");
    let root = Root::open(host.path().join("root")).expect("root");
    (host, root)
}

fn assert_untouched(host: &TempDir) {
    let names: Vec<_> = fs::read_dir(host.path().join("victim"))
        .expect("victim")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names, ["secret"]);
    assert_eq!(fs::read(host.path().join("victim/secret")).expect("secret"), b"secret");
}

#[test]
fn directories_are_made_inside_whoever_wins() {
    let (host, root) = scene();
    let (a, b) = (host.path().join("root/real"), host.path().join("root/link"));
    let mut made = 0;
    while_exchanged(&a, &b, |round| {
        made += usize::from(root.mkdir_all(format!("real/a{round}/b/c"), 0o755).is_ok());
        let _ = root.mkdir_all(format!("link/x/../../real/d{round}"), 0o755);
    });
    assert!(made > 0, "not one round succeeded");
    assert_untouched(&host);
}

#[test]
fn files_are_made_and_read_inside_whoever_wins() {
    let (host, root) = scene();
    let (a, b) = (host.path().join("root/real"), host.path().join("root/link"));
    while_exchanged(&a, &b, |round| {
        let _ = root.create_file(format!("real/f{round}"), 0o644);
        let _ = root.write_file("real/w", b"mine", 0o644);
        let _ = root.symlink("x", format!("real/s{round}"));
        let _ = root.unlink("real/secret");
        assert!(root.open_file("real/secret", OFlags::RDONLY, Follow::Yes).is_err(), "read the host's secret");
    });
    assert_untouched(&host);
}

#[test]
fn trees_are_removed_inside_whoever_wins() {
    let (host, root) = scene();
    let (a, b) = (host.path().join("root/t/real"), host.path().join("root/t/link"));
    while_exchanged(&a, &b, |_| {
        // Made beside and moved into place: here the test itself would follow the symlink.
        let new = host.path().join("root/new");
        fs::create_dir_all(new.join("real/deep/deeper")).expect("a tree");
        symlink(host.path().join("victim"), new.join("link")).expect("link");
        fs::rename(&new, host.path().join("root/t")).expect("moved into place");
        // May give up, because the other refills it; then the rest is taken once more.
        while root.remove_all("t").is_err() {}
    });
    assert_untouched(&host);
}

#[test]
fn many_remove_one_tree() {
    let host = TempDir::new().expect("a temporary directory");
    let root = Root::open(host.path()).expect("root");
    let start = std::sync::Barrier::new(REMOVERS);
    for round in 0..4 * ROUNDS {
        fs::create_dir_all(host.path().join("t/a/b/c")).expect("t");
        fs::write(host.path().join("t/a/file"), "").expect("file");
        let remove = || {
            start.wait();
            root.remove_all("t").unwrap_or_else(|error| panic!("round {round}: {error}"));
        };
        std::thread::scope(|scope| {
            for _ in 0..REMOVERS {
                scope.spawn(remove);
            }
        });
        assert!(!host.path().join("t").exists());
    }
}
