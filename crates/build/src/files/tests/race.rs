//! Somebody changes the source while it is copied: he can make the copy fail, and never make it take what is outside.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{Scene, listing, order};
use crate::error::ErrorKind;
use crate::files::Selection;

/// Rounds of work at least, and exchanges that must have come between.
const ROUNDS: usize = 200;
const SWAPS: usize = 200;

#[test]
fn nothing_outside_is_taken_whoever_wins() {
    let scene = Scene::new("c/ c/real/ c/real/sub/ c/real/sub/secret=mine c/real/sub/other=mine c/z/", "");
    fs::create_dir_all(scene.from.join("victim/sub")).expect("made");
    fs::write(scene.from.join("victim/sub/secret"), "secret").expect("written");
    symlink(scene.from.join("victim"), scene.from.join("c/link")).expect("made");
    let (a, b) = (scene.from.join("c/real"), scene.from.join("c/link"));
    let inside =
        Scene { from: scene.from.join("c"), onto: scene.onto.clone(), _directory: tempfile::tempdir().expect("made") };
    let (stop, swaps, mut done) = (AtomicBool::new(false), AtomicUsize::new(0), 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE).expect("both are there");
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut round = 0;
        while round < ROUNDS || swaps.load(Ordering::Relaxed) < SWAPS || done == 0 {
            for source in ["/", "/real/sub/secret", "/*/sub/s*"] {
                let copy = order(source, &format!("/{round}/"));
                done += usize::from(inside.copy_for(&copy, Some(""), None).is_ok());
            }
            let sum = inside.with(Some(""), |from, _| Selection::of(&order("/", "/"), from)?.digest(from));
            drop(sum);
            round += 1;
        }
        stop.store(true, Ordering::Relaxed);
    });
    let copies = listing(&scene.onto);
    assert!(copies.contains("/secret=mine"), "nothing was copied");
    assert!(!copies.contains("=secret"), "the secret was copied");
}

#[test]
fn a_changed_file_is_found_out() {
    type Change = fn(&std::path::Path);
    let changes: [(&str, Change); 5] = [
        ("longer", |path| fs::write(path, "longer").expect("writes")),
        ("as long", |path| fs::write(path, "2").expect("writes")),
        ("removed", |path| fs::remove_file(path).expect("removes")),
        ("another", |path| {
            fs::write(path.with_extension("new"), "1").expect("writes");
            fs::rename(path.with_extension("new"), path).expect("renames");
        }),
        ("a pipe", |path| {
            fs::remove_file(path).expect("removes");
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(CWD, path, rustix::fs::FileType::Fifo, mode, 0).expect("made");
        }),
    ];
    for (what, change) in changes {
        let scene = Scene::new("d/ d/a=1", "");
        scene.with(Some(""), |from, onto| {
            let copy = order("/d", "/x");
            let selection = Selection::of(&copy, from).expect("is there");
            let seen = fs::metadata(scene.from.join("d/a")).expect("is there");
            change(&scene.from.join("d/a"));
            // The clock of files is coarse: what is changed at once may have the same time.
            while fs::symlink_metadata(scene.from.join("d/a")).is_ok_and(|now| is_same(&now, &seen)) {
                change(&scene.from.join("d/a"));
            }
            for error in [selection.digest(from).map(|_| ()), selection.copy(&copy, from, onto, None).map(|_| ())] {
                let error = error.expect_err(what);
                assert_eq!(error.kind(), ErrorKind::Changed, "{what}: {error}");
                assert_eq!(error.to_string(), "\"/d/a\" was changed while it was copied", "{what}");
            }
        });
    }
}

fn is_same(now: &fs::Metadata, seen: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (now.ino(), now.size(), now.ctime_nsec()) == (seen.ino(), seen.size(), seen.ctime_nsec())
}
