//! What is collected, and above all what is not.

use std::sync::atomic::{AtomicBool, Ordering};

use store::{ContainerId, ContainerRecord, Digest, Paths, Store, Use};

use crate::scene::{ALPINE, Scene, names_in, record};

/// How a container came to where the collector finds it.
#[expect(clippy::struct_excessive_bools, reason = "a table of facts")]
struct Fate {
    what: &'static str,
    auto_remove: bool,
    keep_unstarted: bool,
    this_boot: bool,
    status: bool,
    exit: bool,
    directory: bool,
    collected: bool,
}

impl Fate {
    /// Created in this boot to be run, and nothing has happened since.
    const fn new(what: &'static str, collected: bool) -> Fate {
        Fate {
            what,
            auto_remove: false,
            keep_unstarted: false,
            this_boot: true,
            status: false,
            exit: false,
            directory: true,
            collected,
        }
    }
}

const FATES: &[Fate] = &[
    Fate::new("its creator was killed before it was started", true),
    Fate { keep_unstarted: true, ..Fate::new("created, to be started later", false) },
    Fate { keep_unstarted: true, auto_remove: true, ..Fate::new("created, to go once it has run", false) },
    Fate { this_boot: false, ..Fate::new("it ran when the power failed", false) },
    Fate { this_boot: false, auto_remove: true, ..Fate::new("as before, and was to go", true) },
    Fate { status: true, exit: true, ..Fate::new("it has ended", false) },
    Fate { exit: true, ..Fate::new("it has ended, and the host was rebooted", false) },
    Fate { status: true, exit: true, auto_remove: true, ..Fate::new("it has ended, and was to go", true) },
    Fate { status: true, ..Fate::new("its supervisor was killed", false) },
    Fate { status: true, auto_remove: true, ..Fate::new("as before, and was to go", false) },
    Fate { directory: false, auto_remove: true, ..Fate::new("its supervisor deleted it", true) },
    Fate { directory: false, this_boot: false, ..Fate::new("a power failure took its directory", true) },
];

fn make(scene: &Scene, fate: &Fate, record: &mut ContainerRecord) {
    record.auto_remove = fate.auto_remove;
    record.keep_unstarted = fate.keep_unstarted;
    if !fate.this_boot {
        "00000000-0000-0000-0000-000000000000".clone_into(&mut record.boot_id);
    }
    drop(scene.create(record).expect("is created"));
    if fate.status {
        let run = scene.store.paths().run_container(&record.id);
        std::fs::write(run.join(Paths::STATUS_FILE), "{}").expect("writes");
    }
    if fate.exit {
        scene.write_exit(&record.id);
    }
    if !fate.directory {
        std::fs::remove_dir_all(scene.store.paths().container(&record.id)).expect("is there");
    }
}

#[test]
fn of_containers_those_go_that_nobody_will_ever_miss() {
    for fate in FATES {
        let scene = Scene::new();
        let image = scene.image("one", &[], &[ALPINE]);
        let mut record = record(&image, "web");
        make(&scene, fate, &mut record);
        let lock = scene.store.lock_container(&record.id).expect("answers").expect("is free");
        assert!(scene.store.collect().containers.is_empty(), "alive: {}", fate.what);
        drop(lock);
        let collected = scene.store.collect_containers();
        assert!(collected.errors.is_empty(), "{:?}", collected.errors);
        assert_eq!(collected.containers == [record.id], fate.collected, "{}", fate.what);
        assert_eq!(scene.store.containers().expect("lists").is_empty(), fate.collected, "{}", fate.what);
        assert_eq!(!scene.has_directories(&record.id), fate.collected, "{}", fate.what);
    }
}

#[test]
fn every_command_forgets_what_its_supervisor_deleted() {
    let scene = Scene::new();
    let image = scene.image("one", &[], &[ALPINE]);
    let mut locks = Vec::new();
    let mut ids = Vec::new();
    for (name, auto_remove) in [("ended", true), ("alive", true), ("kept", false)] {
        let mut record = record(&image, name);
        record.auto_remove = auto_remove;
        locks.push(scene.create(&record).expect("is created"));
        ids.push(record.id);
    }
    assert!(scene.store.collect_ended().containers.is_empty());
    for directory in [scene.store.paths().container(&ids[0]), scene.store.paths().run_container(&ids[0])] {
        std::fs::remove_dir_all(directory).expect("is there");
    }
    assert_eq!(scene.store.collect_ended().containers, [ids[0]]);
    assert!(scene.store.collect_ended().containers.is_empty());
    assert_eq!(scene.store.containers().expect("lists").len(), 2);
}

#[test]
fn a_directory_without_a_row_goes_unless_its_creator_lives() {
    let scene = Scene::new();
    let id = ContainerId::generate().expect("the kernel has random bytes");
    let reservation = scene.store.reserve_container(&id).expect("is reserved");
    std::fs::create_dir(reservation.dir().join("upper")).expect("is made");
    assert!(scene.store.collect().containers.is_empty());
    assert!(reservation.dir().exists() && reservation.run_dir().exists());
    drop(reservation);
    assert!(!scene.has_directories(&id));

    std::fs::create_dir_all(scene.store.paths().container(&id).join("upper/etc")).expect("is made");
    std::fs::create_dir(scene.store.paths().containers().join("not-an-id")).expect("is made");
    assert_eq!(scene.store.collect().containers, [id]);
    assert!(!scene.has_directories(&id));
    assert!(scene.store.paths().containers().join("not-an-id").exists(), "what is not ours stays");
}

/// Ends those who collect.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn who_makes_containers_is_not_disturbed_by_those_who_collect() {
    const ROUNDS: usize = 4000;
    let scene = Scene::new();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let store = Store::open(scene.store.paths()).expect("opens");
                while !is_over.load(Ordering::Relaxed) {
                    let collected = store.collect_containers();
                    assert!(collected.errors.is_empty(), "{:?}", collected.errors);
                }
            });
        }
        // Also when this thread panics.
        let _over = Over(&is_over);
        let store = Store::open(scene.store.paths()).expect("opens");
        for number in 0..ROUNDS {
            let id = ContainerId::generate().expect("the kernel has random bytes");
            let reservation = store.reserve_container(&id).expect("is reserved");
            assert!(store.container_is_live(&id).expect("answers"), "{number}: its lock is not its own");
            assert!(reservation.dir().exists() && reservation.run_dir().exists(), "{number}: its directories are gone");
        }
    });
}

#[test]
fn content_goes_with_the_last_image_that_has_it() {
    let scene = Scene::new();
    let first = scene.image("first", &["base", "one"], &["docker.io/library/first:1"]);
    let second = scene.image("second", &["base", "two"], &["docker.io/library/second:1"]);
    let nothing = scene.store.collect();
    assert_eq!((nothing.layers.len(), nothing.blobs.len(), nothing.errors.len()), (0, 0, 0));

    scene.store.delete_image(&first.id, Use::Refuse).expect("is deleted");
    let collected = scene.store.collect();
    assert_eq!(collected.layers, [first.layers[1].diff_id]);
    assert_eq!(collected.bytes, 3);
    assert_eq!(collected.blobs.len(), 2);
    assert!(second.layers.iter().all(|layer| scene.store.layer_dir(&layer.diff_id).join("name").exists()));

    scene.store.untag("docker.io/library/second:1", Use::Refuse).expect("is untagged");
    assert_eq!(scene.store.collect().layers.len(), 2);
    assert!(names_in(&scene.store.paths().layers()).is_empty());
    assert!(names_in(&scene.store.paths().blobs()).is_empty());
    assert!(scene.names_in_tmp().is_empty());
}

#[test]
fn a_lease_protects_what_no_image_has_yet() {
    let scene = Scene::new();
    let lease = scene.lease();
    let image = scene.prepare_image(&lease, "one", &["base"], &[ALPINE]);
    assert!(scene.store.collect().layers.is_empty());
    let clone = lease.clone();
    drop(lease);
    assert!(scene.store.collect().layers.is_empty());
    scene.store.commit_image(&clone, &image).expect("is whole");
    drop(clone);
    assert!(scene.store.collect().layers.is_empty());

    scene.layer(&scene.lease(), "given up");
    assert_eq!(scene.store.collect().layers, [Digest::of(b"given up")]);
}

#[test]
fn what_is_being_written_is_not_rubbish() {
    let scene = Scene::new();
    let lease = scene.lease();
    let diff_id = Digest::of(b"layer");
    let store::LayerSlot::Write(writer) = scene.store.begin_layer(&lease, &diff_id).expect("begins") else {
        panic!("the store is new");
    };
    assert_eq!(scene.store.collect().temporary, 0);
    assert!(writer.path().exists());
    writer.commit(0).expect("is committed");
    let tmp = scene.store.paths().tmp();
    std::fs::create_dir_all(tmp.join("trash-0123456789abcdef/usr/bin")).expect("is made");
    std::fs::create_dir_all(tmp.join(format!("{}.layer/fs", diff_id.hex()))).expect("is made");
    std::fs::write(tmp.join("blob-0123456789abcdef"), "half").expect("writes");
    assert_eq!(scene.store.collect().temporary, 2, "blobs being written are under leases");
    drop(lease);
    assert_eq!(scene.store.collect().temporary, 1);
    assert!(scene.names_in_tmp().is_empty());
}

#[test]
fn a_file_is_replaced_whole_and_what_a_killed_writer_left_is_rubbish() {
    let scene = Scene::new();
    let paths = scene.store.paths();
    let list = paths.manifest_list("docker.io/library/app:1");
    scene.store.replace_file(&list, b"old").expect("is written");
    scene.store.replace_file(&list, b"new").expect("is written");
    assert_eq!(std::fs::read(&list).expect("is there"), b"new");
    assert_eq!(std::fs::read_dir(paths.manifest_lists()).expect("is there").count(), 1);
    assert!(scene.names_in_tmp().is_empty());
    // Nothing else is superfluous.
    for name in ["file-0123456789abcdef", "blob-0123456789abcdef"] {
        std::fs::write(paths.tmp().join(name), "half").expect("writes");
    }
    assert_eq!(scene.store.garbage().expect("is looked at").temporary.len(), 2);
    let lease = scene.lease();
    assert_eq!(scene.store.collect().temporary, 0, "files being written are under leases");
    drop(lease);
    assert_eq!(scene.store.collect().temporary, 2);
    assert!(scene.names_in_tmp().is_empty());
}

#[test]
fn a_tree_of_any_depth_can_be_deleted_and_links_are_not_followed() {
    let scene = Scene::new();
    let image = scene.image("one", &[], &[ALPINE]);
    let record = record(&image, "web");
    let lock = scene.create(&record).expect("is created");
    let outside = scene.directory().join("outside");
    std::fs::create_dir(&outside).expect("is made");
    std::fs::write(outside.join("precious"), "content").expect("writes");
    let upper = scene.store.paths().container(&record.id).join("upper");
    std::fs::create_dir(&upper).expect("is made");
    std::os::unix::fs::symlink(&outside, upper.join("link")).expect("is linked");
    // Paths end at 4096 bytes; trees need not.
    let mut here = upper.clone();
    for _ in 0..15 {
        here.push("d".repeat(200));
    }
    std::fs::create_dir_all(&here).expect("is made");
    for round in 0..3 {
        let deeper = upper.join(format!("round{round}"));
        std::fs::create_dir(&deeper).expect("is made");
        std::fs::rename(upper.join("d".repeat(200)), deeper.join("below")).expect("moves");
        let mut chain = upper.join("d".repeat(200));
        for _ in 1..15 {
            chain.push("d".repeat(200));
        }
        std::fs::create_dir_all(&chain).expect("is made");
        std::fs::rename(&deeper, chain.join("deep")).expect("moves");
    }
    scene.store.remove_container(lock).expect("is removed");
    assert!(!scene.has_directories(&record.id));
    assert!(scene.names_in_tmp().is_empty());
    assert!(outside.join("precious").exists());
}
