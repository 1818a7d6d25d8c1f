//! Containers: how they come into being, how they are found, when they are alive, how they go.

use std::os::fd::OwnedFd;

use store::{ContainerId, Digest, ErrorKind, Store};

use crate::scene::{ALPINE, Scene, check_error, record};

#[test]
fn a_container_is_found_by_all_it_is_called() {
    let scene = Scene::new();
    let image = scene.image("one", &[], &[ALPINE]);
    let mut record = record(&image, "web");
    record.config = serde_json::json!({ "env": { "A": "ä\u{0}\"" }, "memory": 1_u64 << 40 });
    let _lock = scene.create(&record).expect("is created");
    let id = record.id.hex();
    for key in [id.as_str(), "web", "/web", &id[..12], &id[..1]] {
        assert_eq!(scene.store.find_container(key).expect(key), record);
    }
    for key in ["", "/", "we", "Web", "%", &format!("{id}0")] {
        check_error(scene.store.find_container(key), ErrorKind::NotFound, &["no such container", key]);
    }
    assert_eq!(scene.store.containers().expect("lists"), [record]);
}

#[test]
fn a_beginning_that_fits_two_containers_is_refused_and_a_name_comes_first() {
    let scene = Scene::new();
    let image = scene.image("one", &[], &[ALPINE]);
    let mut locks = Vec::new();
    for (digits, name) in [("aa", "one"), ("ab", "two"), ("b0", "aa")] {
        let mut record = record(&image, name);
        record.id = format!("{digits:0<64}").parse().expect("is an id");
        locks.push(scene.create(&record).expect("is created"));
    }
    check_error(scene.store.find_container("a"), ErrorKind::Ambiguous, &["id a "]);
    assert_eq!(scene.store.find_container("ab").expect("is unique").name, "two");
    assert_eq!(scene.store.find_container("aa").expect("is a name").name, "aa");
}

#[test]
fn a_name_that_is_taken_names_its_holder() {
    let scene = Scene::new();
    let image = scene.image("one", &[], &[ALPINE]);
    let holder = record(&image, "web");
    let lock = scene.create(&holder).expect("is created");
    let second = record(&image, "web");
    let words = ["the container name \"/web\" is already in use by container", &holder.id.hex()];
    check_error(scene.create(&second), ErrorKind::Conflict, &words);
    assert!(!scene.has_directories(&second.id), "a refused container leaves nothing");
    scene.store.remove_container(lock).expect("is removed");
    assert!(!scene.has_directories(&holder.id));
    let _lock = scene.create(&second).expect("the name is free again");
}

#[test]
fn what_cannot_be_a_container_is_refused() {
    let scene = Scene::new();
    let image = scene.image("one", &[], &[ALPINE]);
    let mut imageless = record(&image, "web");
    imageless.image = Digest::of(b"absent");
    check_error(scene.create(&imageless), ErrorKind::NotFound, &["no such image", &imageless.image.to_string()]);
    let nameless = record(&image, "a/b");
    check_error(scene.create(&nameless), ErrorKind::Invalid, &["\"a/b\""]);
    let other = ContainerId::generate().expect("the kernel has random bytes");
    let reservation = scene.store.reserve_container(&other).expect("is reserved");
    check_error(reservation.commit(&record(&image, "web")), ErrorKind::Invalid, &[&other.hex()]);
    for id in [imageless.id, nameless.id, other] {
        assert!(!scene.has_directories(&id));
    }
    let record = record(&image, "web");
    let _lock = scene.create(&record).expect("is created");
    check_error(scene.store.reserve_container(&record.id), ErrorKind::Conflict, &[&record.id.hex()]);
    assert!(scene.has_directories(&record.id), "the refused one has not taken the first one's directories along");
}

#[test]
fn containers_without_a_name_get_one() {
    let scene = Scene::new();
    let image = scene.image("one", &[], &[ALPINE]);
    for _ in 0..20 {
        let mut record = record(&image, "");
        let reservation = scene.store.reserve_container(&record.id).expect("is reserved");
        let _lock = reservation.commit_with_random_name(&mut record).expect("is created");
        assert_eq!(scene.store.find_container(&record.name).expect("is there").id, record.id);
    }
}

#[test]
fn a_container_lives_as_long_as_any_copy_of_its_lock() {
    let scene = Scene::new();
    let image = scene.image("one", &[], &[ALPINE]);
    let record = record(&image, "web");
    let reservation = scene.store.reserve_container(&record.id).expect("is reserved");
    let live = || scene.store.container_is_live(&record.id).expect("answers");
    assert!(live());
    let lock = reservation.commit(&record).expect("is created");
    assert!(live());
    let creator: OwnedFd = lock.into_fd();
    let supervisor = creator.try_clone().expect("is duplicated");
    drop(creator);
    assert!(live());
    assert!(scene.store.lock_container(&record.id).expect("answers").is_none());
    drop(supervisor);
    assert!(!live());
    let again = scene.store.lock_container(&record.id).expect("answers").expect("is free");
    assert!(live());
    drop(again);
    let absent = ContainerId::generate().expect("the kernel has random bytes");
    assert!(!scene.store.container_is_live(&absent).expect("answers"));
    check_error(scene.store.lock_container(&absent), ErrorKind::NotFound, &["no such container", &absent.hex()]);
    assert!(!scene.has_directories(&absent));
}

#[test]
fn after_a_reboot_a_container_can_be_locked_again() {
    let scene = Scene::new();
    let image = scene.image("one", &[], &[ALPINE]);
    let record = record(&image, "web");
    drop(scene.create(&record).expect("is created"));
    std::fs::remove_dir_all(scene.store.paths().run()).expect("a reboot empties /run");
    assert!(!scene.store.container_is_live(&record.id).expect("answers"));
    let lock = scene.store.lock_container(&record.id).expect("answers").expect("is free");
    scene.store.remove_container(lock).expect("is removed");
    assert!(scene.store.containers().expect("lists").is_empty());
}

#[test]
fn those_who_only_look_do_not_keep_others_from_the_lock() {
    const ROUNDS: usize = 300;
    let scene = Scene::new();
    let image = scene.image("one", &[], &[ALPINE]);
    let record = record(&image, "web");
    drop(scene.create(&record).expect("is created"));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let store = Store::open(scene.store.paths()).expect("opens");
                for _ in 0..ROUNDS {
                    store.container_is_live(&record.id).expect("answers");
                }
            });
        }
        for _ in 0..ROUNDS {
            assert!(scene.store.lock_container(&record.id).expect("answers").is_some());
        }
    });
}

#[test]
fn a_collector_that_comes_first_is_waited_for() {
    let scene = Scene::new();
    let id = ContainerId::generate().expect("is made");
    let directory = scene.store.paths().run_container(&id);
    std::fs::create_dir_all(&directory).expect("is made");
    let file = std::fs::File::create(directory.join(store::Paths::LOCK_FILE)).expect("is made");
    file.lock().expect("is locked");
    std::thread::scope(|scope| {
        let reserved = scope.spawn(|| scene.store.reserve_container(&id).map(drop));
        let begun = std::time::Instant::now();
        while !reserved.is_finished() && begun.elapsed() < std::time::Duration::from_millis(50) {
            std::thread::yield_now();
        }
        drop(file);
        reserved.join().expect("does not panic").expect("is reserved");
    });
}
