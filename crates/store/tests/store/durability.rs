//! What a power failure takes: what was not synced, and nothing else.

use rusqlite::Connection;
use store::{Digest, ErrorKind, Store};

use crate::scene::{ALPINE, Scene, check_error, record};

/// Another boot than this one.
const EARLIER: &str = "00000000-0000-4000-8000-000000000000";

/// What is unsynced now was written in an earlier boot, and this one has just begun.
fn power_failure(scene: &Scene) -> Store {
    let paths = scene.store.paths();
    let database = Connection::open(paths.database()).expect("opens");
    let sql = "UPDATE images SET unsynced = ?1 || substr(unsynced, 37) WHERE unsynced IS NOT NULL";
    database.execute(sql, [EARLIER]).expect("is valid");
    std::fs::remove_file(paths.run().join("boot")).expect("the store was opened in this boot");
    for layer in std::fs::read_dir(paths.layers()).expect("is there") {
        let file = layer.expect("reads").path().join("layer.json");
        let text = std::fs::read_to_string(&file).expect("a record");
        std::fs::write(&file, text.replace(&store::boot_id().expect("known"), EARLIER)).expect("writes");
    }
    Store::open(paths).expect("opens")
}

#[test]
fn an_image_that_was_not_synced_was_never_pulled() {
    let scene = Scene::new();
    let kept = scene.image("kept", &["base", "kept"], &["localhost/kept:1"]);
    assert_eq!(scene.store.sync_images().expect("syncs"), 1);
    assert_eq!(scene.store.sync_images().expect("syncs"), 0);
    let lost = scene.image("lost", &["base", "lost"], &[ALPINE]);
    assert!(scene.store.has_unsynced_images().expect("asks"));

    let store = power_failure(&scene);
    assert_eq!(store.images().expect("lists"), std::slice::from_ref(&kept));
    check_error(store.find_image(ALPINE), ErrorKind::NotFound, &[ALPINE]);
    let there = |layer: usize, image: &store::ImageRecord| store.has_layer(&image.layers[layer].diff_id);
    // The layer below both is as durable as the image that was kept.
    assert!(there(0, &kept).expect("asks") && there(1, &kept).expect("asks") && there(0, &lost).expect("asks"));
    assert!(!there(1, &lost).expect("asks"));
    // It can be pulled again.
    assert_eq!(scene.image("lost", &["base", "lost"], &[ALPINE]), lost);
}

#[test]
fn what_is_durable_stays_durable_when_it_is_pulled_again() {
    let scene = Scene::new();
    let image = scene.image("one", &["base"], &[ALPINE]);
    scene.store.sync_images().expect("syncs");
    scene.image("one", &["base"], &["localhost/other:1"]);
    let store = power_failure(&scene);
    assert_eq!(store.find_image(ALPINE).expect("is there").layers, image.layers);
}

#[test]
fn a_container_keeps_its_lost_image_out_of_sight() {
    let scene = Scene::new();
    let image = scene.image("one", &["base"], &[ALPINE]);
    drop(scene.create(&record(&image, "web")).expect("is created"));
    let store = power_failure(&scene);
    assert_eq!(store.images().expect("lists"), []);
    assert_eq!(store.image(&image.id).expect("the container's").id, image.id);
    assert!(!store.has_layer(&Digest::of(b"base")).expect("asks"));
}
