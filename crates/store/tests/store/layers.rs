//! Layers: one writer, present by one rename, trusted only if whole.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;

use rustix::fs::{IFlags, fstatfs, ioctl_getflags};
use store::{Digest, LayerSlot, LayerWriter, Store};

use crate::scene::{ALPINE, Scene};

/// statfs(2); ext2 and ext3 have the same number and the same flag.
const EXT4_SUPER_MAGIC: i64 = 0xEF53;

fn writer(slot: LayerSlot) -> LayerWriter {
    match slot {
        LayerSlot::Write(writer) => writer,
        LayerSlot::Present(layer) => panic!("{} is there", layer.path.display()),
    }
}

fn begin(scene: &Scene, diff_id: &Digest) -> LayerSlot {
    scene.store.begin_layer(&scene.lease(), diff_id).expect("a layer begins")
}

#[test]
fn a_layer_is_there_once_it_is_committed() {
    let scene = Scene::new();
    let diff_id = Digest::of(b"layer");
    let layer = writer(begin(&scene, &diff_id));
    let mode = std::fs::metadata(layer.path()).expect("is there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o755, "it becomes / of containers, whatever the umask is");
    assert_eq!(std::fs::read_dir(layer.path()).expect("is a directory").count(), 0);
    std::fs::write(layer.path().join("file"), "content").expect("writes");
    assert!(!scene.store.has_layer(&diff_id).expect("answers"));
    let committed = layer.commit(7).expect("is committed");
    assert_eq!(committed.path, scene.store.layer_dir(&diff_id));
    assert_eq!(scene.store.layer(&diff_id).expect("answers"), Some(committed.clone()));
    assert!(matches!(begin(&scene, &diff_id), LayerSlot::Present(found) if found == committed));
    assert_eq!(std::fs::read_to_string(committed.path.join("file")).expect("reads"), "content");
    assert!(scene.names_in_tmp().is_empty());
}

#[test]
fn ext4_gives_each_layer_a_part_of_the_disk_of_its_own() {
    let scene = Scene::new();
    let tmp = File::open(scene.store.paths().tmp()).expect("is there");
    let spreads = ioctl_getflags(&tmp).is_ok_and(|flags| flags.contains(IFlags::TOPDIR));
    let is_ext4 = fstatfs(&tmp).expect("answers").f_type == EXT4_SUPER_MAGIC;
    assert_eq!(spreads, is_ext4, "other file systems have no such flag, and the store is opened all the same");
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    let scene = Scene::new();
    let diff_id = Digest::of(b"layer");
    let layer = writer(begin(&scene, &diff_id));
    std::fs::create_dir_all(layer.path().join("some/where")).expect("is made");
    drop(layer);
    assert!(!scene.store.has_layer(&diff_id).expect("answers"));
    assert!(scene.names_in_tmp().is_empty());
}

#[test]
fn of_many_at_once_one_writes_and_the_others_find() {
    const THREADS: usize = 8;
    let scene = Scene::new();
    let diff_id = Digest::of(b"layer");
    let start = Barrier::new(THREADS);
    let written: usize = std::thread::scope(|scope| {
        let work = || {
            // A handle each, as processes have.
            let store = Store::open(scene.store.paths()).expect("opens");
            let lease = store.lease().expect("a lease");
            start.wait();
            match store.begin_layer(&lease, &diff_id).expect("a layer begins") {
                LayerSlot::Present(layer) => {
                    assert_eq!(std::fs::read_to_string(layer.path.join("file")).expect("reads"), "content");
                    0
                }
                LayerSlot::Write(layer) => {
                    assert!(store.try_begin_layer(&lease, &diff_id).expect("answers").is_none());
                    std::fs::write(layer.path().join("file"), "content").expect("writes");
                    layer.commit(7).expect("is committed");
                    1
                }
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("does not panic")).sum()
    });
    assert_eq!(written, 1);
    assert!(scene.names_in_tmp().is_empty());
}

#[test]
fn when_the_writer_gives_up_one_who_waits_takes_over() {
    let scene = Scene::new();
    let diff_id = Digest::of(b"layer");
    let first = writer(begin(&scene, &diff_id));
    std::fs::write(first.path().join("half"), "content").expect("writes");
    std::thread::scope(|scope| {
        let second = scope.spawn(|| {
            let second = writer(begin(&scene, &diff_id));
            assert_eq!(std::fs::read_dir(second.path()).expect("is a directory").count(), 0);
            second.commit(0).expect("is committed");
        });
        drop(first);
        second.join().expect("does not panic");
    });
    assert!(scene.store.has_layer(&diff_id).expect("answers"));
}

#[test]
fn an_unreferenced_layer_of_another_boot_counts_as_absent() {
    let scene = Scene::new();
    let lease = scene.lease();
    let diff_id = scene.layer(&lease, "layer").diff_id;
    let record = scene.store.paths().layer(&diff_id).join("layer.json");
    let text = std::fs::read_to_string(&record).expect("reads");
    let damages = [
        text.replace(&store::boot_id().expect("/proc is there"), "00000000-0000-0000-0000-000000000000"),
        text.replace("\"version\":1", "\"version\":2"),
        String::new(),
    ];
    for damaged in damages {
        std::fs::write(&record, damaged).expect("writes");
        assert!(!scene.store.has_layer(&diff_id).expect("answers"));
        let again = writer(begin(&scene, &diff_id));
        assert!(!scene.store.paths().layer(&diff_id).exists(), "what is not trusted is gone");
        again.commit(5).expect("is committed");
    }
    // What a durable image refers to needs no record.
    scene.image("one", &["layer"], &[ALPINE]);
    scene.store.sync_images().expect("syncs");
    std::fs::write(&record, "").expect("writes");
    assert_eq!(scene.store.layer(&diff_id).expect("answers").expect("is there").size, 5);
}
