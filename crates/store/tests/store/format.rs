//! Formats on disk: the current one, older ones, newer ones, and who may read them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection;
use store::{DatabaseFile, Digest, ErrorKind, FORMAT, Paths, Store};

use crate::scene::{ALPINE, Scene, check_error, record};

/// A database of format 1 with one image, its names and one container, as text.
const FORMAT_1: &str = include_str!("fixtures/format-1.sql");
/// The same of format 2.
const FORMAT_2: &str = include_str!("fixtures/format-2.sql");
/// The same of format 3.
const FORMAT_3: &str = include_str!("fixtures/format-3.sql");
/// The same of format 4.
const FORMAT_4: &str = include_str!("fixtures/format-4.sql");
/// The same of format 5.
const FORMAT_5: &str = include_str!("fixtures/format-5.sql");

fn paths_with(directory: &Path, statements: &str) -> Paths {
    let paths = Paths::new(directory.join("root"), directory.join("run")).expect("is absolute");
    std::fs::create_dir(paths.root()).expect("is made");
    let connection = Connection::open(paths.database()).expect("opens");
    connection.execute_batch(statements).expect("the fixture is valid");
    paths
}

/// All statements that make the database what it is.
fn schema(paths: &Paths) -> Vec<String> {
    let connection = Connection::open(paths.database()).expect("opens");
    let mut statement =
        connection.prepare("SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name").expect("is valid");
    let rows = statement.query_map([], |row| row.get(0)).expect("reads");
    rows.map(|row| row.expect("reads")).collect()
}

#[test]
fn format_1_is_read() {
    is_read(FORMAT_1);
}

#[test]
fn format_2_is_read() {
    is_read(FORMAT_2);
}

#[test]
fn format_3_is_read() {
    is_read(FORMAT_3);
}

#[test]
fn format_4_is_read() {
    is_read(FORMAT_4);
}

#[test]
fn format_5_is_read() {
    is_read(FORMAT_5);
}

fn is_read(fixture: &str) {
    let directory = tempfile::TempDir::new().expect("a directory can be made");
    let paths = paths_with(directory.path(), fixture);
    let store = Store::open(&paths).expect("opens");
    let image = store.find_image(ALPINE).expect("is there");
    assert_eq!(image.id, Digest::of(b"configuration"));
    assert_eq!(image.manifest, Digest::of(b"manifest"));
    assert_eq!(image.references, [ALPINE, "localhost:5000/alpine:3"]);
    assert_eq!(image.created.as_deref(), Some("2026-01-02T03:04:05Z"));
    assert_eq!((image.size, image.platform.as_str()), (8_400_000, "linux/amd64"));
    let sizes: Vec<u64> = image.layers.iter().map(|layer| layer.size).collect();
    assert_eq!(sizes, [8_000_000, 400_000]);
    assert_eq!(image.layers[1].diff_id, Digest::of(b"top"));
    let container = store.find_container("amber_retort").expect("is there");
    assert_eq!(container.image, image.id);
    assert_eq!(container.image_name, "alpine");
    assert!(container.auto_remove && !container.keep_unstarted);
    assert_eq!(container.config["command"][0], "sh");
    assert_eq!(container.config["network"], "none", "nothing was a network of its own then");
    assert!(store.networks().expect("lists").is_empty(), "there were no networks then");
    assert!(store.volumes().expect("lists").is_empty(), "there were no volumes then");

    let new = Scene::new();
    assert_eq!(schema(&paths), schema(new.store.paths()), "a migrated store is like a new one");
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let directory = tempfile::TempDir::new().expect("a directory can be made");
    let newer = FORMAT + 1;
    let paths = paths_with(directory.path(), &format!("CREATE TABLE future (x); PRAGMA user_version = {newer}"));
    let fragments =
        [&format!("has format {newer}"), &format!("up to {FORMAT}"), &paths.database().display().to_string()];
    check_error(Store::open(&paths), ErrorKind::Unsupported, &fragments.map(String::as_str));
    assert_eq!(schema(&paths), ["CREATE TABLE future (x)"]);
}

#[test]
fn what_is_no_database_is_refused() {
    let directory = tempfile::TempDir::new().expect("a directory can be made");
    let paths = paths_with(directory.path(), "");
    std::fs::write(paths.database(), "not a database, and long enough to be taken for one: ".repeat(30))
        .expect("writes");
    check_error(Store::open(&paths), ErrorKind::Corrupt, &[&paths.database().display().to_string()]);
}

#[test]
fn nobody_else_can_enter_the_store() {
    let scene = Scene::new();
    let image = scene.image("one", &["base"], &[ALPINE]);
    let record = record(&image, "web");
    let _lock = scene.create(&record).expect("is created");
    let paths = scene.store.paths();
    let directories = [
        paths.root().to_owned(),
        paths.run().to_owned(),
        paths.blobs(),
        paths.layers(),
        paths.layer(&image.layers[0].diff_id),
        paths.tmp(),
        paths.container(&record.id),
        paths.run_container(&record.id),
    ];
    for directory in directories {
        let mode = std::fs::metadata(&directory).expect("is there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o700, "{}", directory.display());
    }
}

#[test]
fn the_log_is_emptied_when_it_is_long() {
    let scene = Scene::new();
    let image = scene.image("one", &[], &[ALPINE]);
    let log = || std::fs::metadata(scene.store.paths().database_log()).map_or(0, |metadata| metadata.len());
    while log() < 600 * 1024 {
        let lock = scene.create(&record(&image, "web")).expect("is created");
        scene.store.remove_container(lock).expect("is removed");
    }
    scene.store.checkpoint_if_due().expect("nobody is in the way");
    assert!(log() < 10 * 1024, "{}", log());
    assert_eq!(scene.store.find_image(ALPINE).expect("is there"), image);
}

#[test]
fn who_is_killed_while_setting_aside_leaves_a_store_that_is_refused() {
    let directory = tempfile::TempDir::new().expect("a directory can be made");
    let paths = Paths::new(directory.path().join("root"), directory.path().join("run")).expect("is absolute");
    drop(Store::open(&paths).expect("is made"));
    std::fs::create_dir_all(paths.volume_data("data")).expect("is made");
    std::fs::write(paths.volume_data("data").join("file"), "precious").expect("writes");
    std::fs::write(paths.database_log(), "what was committed last").expect("writes");
    // As far as the first rename.
    let begun = paths.root().join("damaged-1");
    std::fs::create_dir(&begun).expect("is made");
    std::fs::rename(paths.database(), begun.join("phial.db")).expect("is moved");
    check_error(Store::open(&paths), ErrorKind::Corrupt, &["is missing or empty", "volumes"]);
    assert!(paths.database_log().exists(), "nobody has touched the log");
    let judged = DatabaseFile::of(&paths);
    assert_eq!(Store::set_damaged_aside(&paths, judged).expect("goes on"), Some(begun.clone()));
    for name in ["phial.db", "phial.db-wal", "volumes/data/_data/file", "containers"] {
        assert!(begun.join(name).exists(), "{name}");
    }
    Store::open(&paths).expect("begins anew");
    assert_eq!(Store::set_damaged_aside(&paths, judged).expect("looks"), None, "the new one was never judged");
    Store::open(&paths).expect("is still there");
}
