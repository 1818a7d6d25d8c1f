//! Volumes: how they come into being and go, alone and with containers, and who may take them away.

use std::os::unix::fs::PermissionsExt;

use store::{
    ContainerLock, ContainerRecord, ErrorKind, Hold, ImageRecord, Store, Use, Uses, VolumeLock, VolumeRecord, VolumeUse,
};

use crate::scene::{ALPINE, Scene, check_error, record};

fn volume(name: &str) -> VolumeRecord {
    let map = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into_iter().collect();
    VolumeRecord {
        name: name.to_owned(),
        driver: "local".to_owned(),
        created: "2026-01-02T03:04:05Z".to_owned(),
        anonymous: false,
        labels: map("a", "\"b\"\n"),
        options: map("type", "tmpfs"),
    }
}

fn make(store: &Store, record: &VolumeRecord) {
    let lock = store.lock_volume(&record.name).expect("is locked");
    assert_eq!(store.locked_volume(&lock).expect("answers"), None);
    store.insert_volume(&lock, record).expect("is made");
}

/// A container that uses volumes which come into being with it: `+` before a name makes it anonymous and owned.
fn create_with(scene: &Scene, record: &ContainerRecord, names: &[&str]) -> store::Result<ContainerLock> {
    let mut uses = Uses::default();
    let mut locks = Vec::new();
    for name in names {
        let (name, anonymous) = (name.trim_start_matches('+'), name.starts_with('+'));
        uses.volumes.push(VolumeUse { name: name.to_owned(), owned: anonymous });
        if locks.iter().any(|lock: &VolumeLock| lock.name() == name) {
            continue;
        }
        let lock = scene.store.lock_volume(name)?;
        if scene.store.locked_volume(&lock)?.is_none() {
            uses.new_volumes.push(VolumeRecord { anonymous, ..volume(name) });
        }
        locks.push(lock);
    }
    scene.store.reserve_container(&record.id)?.with_uses(uses).commit(record)
}

fn names(store: &Store) -> Vec<String> {
    store.volumes().expect("lists").into_iter().map(|volume| volume.name).collect()
}

fn on_disk(scene: &Scene) -> Vec<String> {
    crate::scene::names_in(&scene.store.paths().volumes())
}

fn image(scene: &Scene) -> ImageRecord {
    scene.image("one", &[], &[ALPINE])
}

#[test]
fn a_volume_is_found_as_it_was_made_and_gone_when_it_is_removed() {
    let scene = Scene::new();
    let record = volume("data");
    make(&scene.store, &record);
    assert_eq!(scene.store.volume("data").expect("answers").as_ref(), Some(&record));
    assert_eq!(scene.store.volumes().expect("lists"), std::slice::from_ref(&record));
    let path = scene.store.paths().volume_data("data");
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("is there").permissions().mode() & 0o7777;
    assert_eq!((mode(&path), mode(&scene.store.paths().volume("data"))), (0o755, 0o700));
    std::fs::create_dir_all(path.join("a/b")).expect("is made");

    let lock = scene.store.lock_volume("data").expect("is locked");
    check_error(scene.store.insert_volume(&lock, &record), ErrorKind::Conflict, &["data"]);
    check_error(scene.store.insert_volume(&lock, &volume("other")), ErrorKind::Invalid, &["other"]);
    drop(lock);
    scene.store.remove_volume("data").expect("is removed");
    assert!(names(&scene.store).is_empty() && on_disk(&scene).is_empty() && scene.names_in_tmp().is_empty());
    check_error(scene.store.remove_volume("data"), ErrorKind::NotFound, &["no such volume: data"]);
    // The name is free, and what was in it is gone.
    make(&scene.store, &record);
    assert!(!path.join("a").exists());
}

#[test]
fn names_are_dockers() {
    let scene = Scene::new();
    for name in ["", "a", "-ab", ".ab", "a/b", "..", "a b", &"x".repeat(256)] {
        check_error(scene.store.lock_volume(name), ErrorKind::Invalid, &["volume name"]);
    }
    for name in ["ab", "A.b_c-1", &"x".repeat(255)] {
        make(&scene.store, &volume(name));
    }
}

#[test]
fn a_volume_in_use_stays_and_its_users_are_named() {
    let scene = Scene::new();
    let record = record(&image(&scene), "web");
    let lock = create_with(&scene, &record, &["data", "data"]).expect("is created");
    check_error(scene.store.remove_volume("data"), ErrorKind::Conflict, &["in use", "web", &record.id.short()]);
    assert_eq!(scene.store.volume_users("data").expect("answers"), [(record.id, "web".to_owned())]);
    assert_eq!(scene.store.volume_use_counts().expect("answers").get("data"), Some(&1));
    assert_eq!(scene.store.collect().volumes, Vec::<String>::new());
    scene.store.remove_container_and_volumes(lock).expect("is removed");
    assert_eq!(names(&scene.store), ["data"], "one with a name is nobody's to take along");
    scene.store.remove_volume("data").expect("nobody uses it");
}

#[test]
fn anonymous_volumes_go_with_their_last_container_if_asked_for() {
    let scene = Scene::new();
    let image = image(&scene);
    let (first, second, third) = (record(&image, "first"), record(&image, "second"), record(&image, "third"));
    let first = create_with(&scene, &first, &["+one", "+two"]).expect("is created");
    let second = create_with(&scene, &second, &["+two", "named"]).expect("is created");
    let third = create_with(&scene, &third, &["+three"]).expect("is created");
    scene.store.remove_container_and_volumes(first).expect("is removed");
    assert_eq!(names(&scene.store), ["named", "three", "two"], "the second one still uses it");
    scene.store.remove_container(third).expect("is removed");
    assert_eq!(names(&scene.store), ["named", "three", "two"], "nobody asked for that");
    scene.store.remove_container_and_volumes(second).expect("is removed");
    assert_eq!((names(&scene.store), on_disk(&scene)), (vec!["named".into(), "three".into()], names(&scene.store)));
}

#[test]
fn a_volume_that_its_user_named_is_never_taken_along() {
    let scene = Scene::new();
    let image = image(&scene);
    let (owner, other) = (record(&image, "owner"), record(&image, "other"));
    let owner = create_with(&scene, &owner, &["+hex"]).expect("is created");
    let other = create_with(&scene, &other, &["hex"]).expect("is created");
    scene.store.remove_container_and_volumes(owner).expect("is removed");
    scene.store.remove_container_and_volumes(other).expect("is removed");
    assert_eq!(names(&scene.store), ["hex"]);
}

#[test]
fn of_a_container_that_goes_with_its_end_the_collector_takes_the_volumes() {
    let scene = Scene::new();
    let mut record = record(&image(&scene), "web");
    record.auto_remove = true;
    drop(create_with(&scene, &record, &["+one", "named"]).expect("is created"));
    // What the supervisor does.
    std::fs::remove_dir_all(scene.store.paths().container(&record.id)).expect("is there");
    std::fs::remove_dir_all(scene.store.paths().run_container(&record.id)).expect("is there");
    let collected = scene.store.collect_ended();
    assert!(collected.errors.is_empty(), "{collected:?}");
    assert_eq!(
        (collected.volumes, names(&scene.store), on_disk(&scene)),
        (vec!["one".into()], vec!["named".into()], vec!["named".into()])
    );
}

#[test]
fn what_was_never_started_leaves_no_anonymous_volume() {
    let scene = Scene::new();
    drop(create_with(&scene, &record(&image(&scene), "web"), &["+one", "named"]).expect("is created"));
    assert_eq!(scene.store.collect_containers().containers.len(), 1);
    assert_eq!(names(&scene.store), ["named"]);
}

#[test]
fn what_was_started_keeps_its_volumes_if_its_directory_is_lost_or_cannot_be_seen() {
    let scene = Scene::new();
    let mut record = record(&image(&scene), "web");
    "00000000-0000-0000-0000-000000000000".clone_into(&mut record.boot_id);
    drop(create_with(&scene, &record, &["+one"]).expect("is created"));
    let containers = scene.store.paths().containers();
    let aside = containers.with_extension("aside");
    std::fs::rename(&containers, &aside).expect("is moved");
    std::fs::write(&containers, "every look fails").expect("is written");
    assert!(scene.store.collect_containers().containers.is_empty());
    assert!(scene.store.collect_ended().containers.is_empty());
    assert_eq!(scene.store.containers().expect("lists").len(), 1);
    std::fs::remove_file(&containers).expect("is removed");
    std::fs::create_dir(&containers).expect("is made");
    assert_eq!(scene.store.collect_containers().containers, [record.id]);
    scene.store.collect_volumes();
    assert_eq!((names(&scene.store), on_disk(&scene)), (vec!["one".into()], vec!["one".into()]));
}

#[test]
fn a_directory_without_a_row_is_garbage_unless_it_is_being_made() {
    let scene = Scene::new();
    let lock = scene.store.lock_volume("data").expect("is locked");
    scene.store.locked_volume(&lock).expect("answers");
    let file = scene.store.paths().volume_data("data").join("half");
    std::fs::write(&file, "a killed process was here").expect("is written");
    assert!(scene.store.collect_volumes().volumes.is_empty());
    drop(lock);
    let again = scene.store.lock_volume("data").expect("is locked");
    assert_eq!(scene.store.locked_volume(&again).expect("answers"), None);
    assert!(!file.exists(), "the next one begins with nothing");
    drop(again);
    assert_eq!(scene.store.collect_volumes().volumes, ["data"]);
    assert!(on_disk(&scene).is_empty());
}

#[test]
fn a_refused_container_makes_no_volume() {
    let scene = Scene::new();
    let image = image(&scene);
    let _lock = scene.create(&record(&image, "web")).expect("is created");
    check_error(create_with(&scene, &record(&image, "web"), &["data"]), ErrorKind::Conflict, &["web"]);
    assert!(names(&scene.store).is_empty());
    // One that is removed while a container is made of it: the container is not made.
    let second = record(&image, "second");
    let uses = Uses { volumes: vec![VolumeUse { name: "gone".into(), owned: false }], ..Uses::default() };
    let reservation = scene.store.reserve_container(&second.id).expect("is reserved").with_uses(uses);
    check_error(reservation.commit(&second), ErrorKind::NotFound, &["no such volume: gone"]);
    assert!(!scene.has_directories(&second.id));
}

#[test]
fn an_image_that_is_mounted_is_in_use() {
    let scene = Scene::new();
    let (own, mounted) = (image(&scene), scene.image("two", &["base"], &["docker.io/library/tools:latest"]));
    let record = record(&own, "web");
    let uses = Uses { images: vec![mounted.id, mounted.id], ..Uses::default() };
    let reservation = scene.store.reserve_container(&record.id).expect("is reserved").with_uses(uses);
    let lock = reservation.commit(&record).expect("is created");
    for image in [own.id, mounted.id] {
        assert_eq!(scene.store.image_users(&image).expect("answers"), [record.id]);
    }
    check_error(scene.store.delete_image(&mounted.id, Use::Refuse), ErrorKind::Conflict, &["/web"]);
    scene.store.delete_image(&mounted.id, Use::Ignore).expect("is hidden");
    assert!(scene.store.collect().layers.is_empty());
    assert_eq!(scene.store.image(&mounted.id).expect("is there for its container").id, mounted.id);
    scene.store.remove_container(lock).expect("is removed");
    assert_eq!(scene.store.collect().layers.len(), 1);
}

#[test]
fn many_who_want_the_same_new_volume_get_one() {
    let scene = Scene::new();
    let image = image(&scene);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (scene, image) = (&scene, &image);
            scope.spawn(move || {
                let own = Scene::in_directory(&scene.directory());
                for round in 0..20 {
                    let record = record(image, &format!("c-{number}-{round}"));
                    let lock = create_with(&own, &record, &["data"]).expect("is created");
                    own.store.remove_container(lock).expect("is removed");
                    // Sometimes it is just being used, and sometimes another was faster.
                    own.store.remove_volume("data").ok();
                }
            });
        }
    });
    scene.store.remove_volume("data").ok();
    let collected = scene.store.collect();
    assert!(collected.errors.is_empty(), "{collected:?}");
    assert!(names(&scene.store).is_empty() && on_disk(&scene).is_empty() && scene.names_in_tmp().is_empty());
}

#[test]
fn containers_are_renamed_and_changed() {
    let scene = Scene::new();
    let image = image(&scene);
    let (web, other) = (record(&image, "web"), record(&image, "other"));
    let _locks = [scene.create(&web).expect("is created"), scene.create(&other).expect("is created")];
    check_error(scene.store.rename_container(&web.id, "other"), ErrorKind::Conflict, &["/other", &other.id.hex()]);
    check_error(scene.store.rename_container(&web.id, "-x"), ErrorKind::Invalid, &["-x"]);
    scene.store.rename_container(&web.id, "shop").expect("is renamed");
    assert_eq!(scene.store.find_container("shop").expect("is there").id, web.id);
    check_error(scene.store.find_container("web"), ErrorKind::NotFound, &["web"]);

    let change = |memory: u64| {
        scene.store.change_container(&web.id, move |config| {
            config["memory"] = memory.into();
            if memory == 0 { Err("refused") } else { Ok(()) }
        })
    };
    assert_eq!(change(7).expect("answers"), Ok(()));
    assert_eq!(change(0).expect("answers"), Err("refused"));
    assert_eq!(scene.store.find_container("shop").expect("is there").config["memory"], 7);
}

#[test]
fn a_volume_that_is_held_stays() {
    let scene = Scene::new();
    let store = &scene.store;
    make(store, &volume("cache"));
    let hold = |how| store.try_hold_volume("cache", how).expect("answers");
    let (first, second) = (hold(Hold::Shared), hold(Hold::Shared));
    assert!(first.is_some() && second.is_some() && hold(Hold::Alone).is_none());
    drop(first);
    assert!(hold(Hold::Alone).is_none(), "the second one has it still");
    assert!(store.is_volume_held("cache").expect("answers"));
    check_error(store.remove_volume("cache"), ErrorKind::Conflict, &["a command of a build"]);
    drop(second);
    assert!(!store.is_volume_held("cache").expect("answers"));
    let alone = hold(Hold::Alone);
    assert!(alone.is_some() && hold(Hold::Shared).is_none());
    drop(alone);
    assert!(scene.names_in_tmp().is_empty());
    store.remove_volume("cache").expect("nobody holds it");
}
