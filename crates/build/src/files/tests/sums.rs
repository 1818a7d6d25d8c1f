//! What decides about the result of a copy.

use std::collections::HashMap;
use std::fs;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fsroot::{Metadata, Root};

use super::{Scene, order};
use crate::error::Result;
use crate::files::sums::Sum;
use crate::files::{Origin, Reading, Selection, Sums};

const TREE: &str = "d/ d/a=1 d/b=2 d/e/ d/l->a d/h=>d/a";

fn digest(scene: &Scene, ignored: Option<&str>) -> Sum {
    scene
        .with(ignored, |from, _| Selection::of(&order("/d", "/x"), from).expect("is there").digest(from))
        .expect("sums")
}

#[test]
fn what_counts() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 11] = [
        ("content", |root| fs::write(root.join("d/b"), "3").expect("writes")),
        ("name", |root| fs::rename(root.join("d/b"), root.join("d/c")).expect("renames")),
        ("mode", |root| fs::set_permissions(root.join("d/b"), fs::Permissions::from_mode(0o600)).expect("sets")),
        ("mode of a directory", |root| {
            fs::set_permissions(root.join("d/e"), fs::Permissions::from_mode(0o700)).expect("sets");
        }),
        ("user", |root| lchown(root.join("d/b"), Some(5), None).expect("sets")),
        ("group of a symlink", |root| lchown(root.join("d/l"), None, Some(5)).expect("sets")),
        ("target", |root| {
            fs::remove_file(root.join("d/l")).expect("removes");
            symlink("b", root.join("d/l")).expect("made");
        }),
        ("kind", |root| {
            fs::remove_dir(root.join("d/e")).expect("removes");
            fs::write(root.join("d/e"), "").expect("writes");
        }),
        ("one more", |root| fs::write(root.join("d/e/f"), "").expect("writes")),
        ("hard links", |root| {
            fs::remove_file(root.join("d/h")).expect("removes");
            fs::write(root.join("d/h"), "1").expect("writes");
        }),
        ("attributes", |root| {
            let file = fs::File::open(root.join("d/a")).expect("opens");
            let capability = [&[1, 0, 0, 2, 0, 4][..], &[0; 14]].concat();
            fsroot::attributes::set_xattr(file, b"security.capability", &capability).expect("sets");
        }),
    ];
    let before = digest(&Scene::new(TREE, ""), None);
    for (what, change) in changes {
        let scene = Scene::new(TREE, "");
        assert_eq!(digest(&scene, None), before, "another tree with the same in it");
        change(&scene.from);
        assert_ne!(digest(&scene, None), before, "{what}");
    }
}

#[test]
fn what_does_not_count() {
    let scene = Scene::new(TREE, "");
    let (own, of_context) = (digest(&scene, None), digest(&scene, Some("")));
    assert_eq!(own, of_context, "all is root's already");
    fs::write(scene.from.join("d/b"), "2").expect("touches");
    fs::write(scene.from.join("other"), "2").expect("is not taken");
    assert_eq!(digest(&scene, None), own);
    lchown(scene.from.join("d/b"), Some(5), Some(6)).expect("sets");
    assert_eq!(digest(&scene, Some("")), of_context, "all is root's in a context");
    assert_eq!(digest(&scene, Some("d/new")), of_context);
    assert_ne!(digest(&scene, Some("d/b")), of_context);
}

#[test]
fn many_files_by_several_threads() {
    let scene = Scene::new("d/", "");
    for number in 0..1000 {
        let directory = scene.from.join(format!("d/{}", number % 17));
        fs::create_dir_all(&directory).expect("made");
        fs::write(directory.join(number.to_string()), number.to_string()).expect("writes");
    }
    let inputs = || scene.with(None, |from, _| Selection::tree("/", from).expect("is there").inputs(from));
    let (before, whole) = (inputs().expect("sums"), digest(&scene, None));
    assert_eq!(before.len(), 1 + 1 + 17 + 1000);
    fs::write(scene.from.join("d/3/139"), "other").expect("writes");
    let after = inputs().expect("sums");
    let changed: Vec<_> = before.iter().zip(&after).filter(|(one, other)| one != other).collect();
    assert_eq!(changed.iter().map(|(one, _)| one.0.as_str()).collect::<Vec<_>>(), ["d/3/139"]);
    assert_ne!(digest(&scene, None), whole);
}

/// Remembers.
#[derive(Default)]
struct Memory {
    known: Mutex<HashMap<Vec<u8>, (Metadata, Sum)>>,
    read: AtomicUsize,
}

impl Sums for Memory {
    fn sum(&self, path: &[u8], file: BorrowedFd<'_>, found: &Metadata) -> Result<Sum> {
        self.read.fetch_add(1, Ordering::Relaxed);
        Reading.sum(path, file, found)
    }

    fn known(&self, path: &[u8], found: &Metadata) -> Option<Sum> {
        let known = self.known.lock().expect("nobody panics");
        known.get(path).filter(|(seen, _)| seen == found).map(|(_, sum)| *sum)
    }

    fn remember(&self, path: &[u8], found: &Metadata, sum: Sum) {
        self.known.lock().expect("nobody panics").insert(path.to_vec(), (*found, sum));
    }
}

#[test]
fn what_is_known_is_not_read_again() {
    let (scene, memory) = (Scene::new(TREE, ""), Memory::default());
    let root = Root::open(&scene.from).expect("opens");
    let from = Origin { root: &root, ignored: None, belongs_to_root: false, sums: &memory };
    let sum = || Selection::of(&order("/d", "/x"), &from).expect("is there").digest(&from).expect("sums");
    assert_eq!((sum(), sum()), (digest(&scene, None), digest(&scene, None)));
    // One of the three has two names.
    assert_eq!(memory.read.load(Ordering::Relaxed), 2);
    fs::write(scene.from.join("d/b"), "333").expect("writes");
    assert_eq!(sum(), digest(&scene, None));
    assert_eq!(memory.read.load(Ordering::Relaxed), 3);
}
