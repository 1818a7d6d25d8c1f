//! Images, their names, and blobs.

use store::{Digest, ErrorKind, Removed, Use};

use crate::scene::{ALPINE, Scene, check_error, record};

#[test]
fn an_image_is_found_by_all_it_is_called() {
    let scene = Scene::new();
    let image = scene.image("one", &["base", "top"], &[ALPINE, "localhost:5000/a/b:1"]);
    let id = image.id.hex();
    let keys = [
        ALPINE.to_owned(),
        "localhost:5000/a/b:1".to_owned(),
        format!("docker.io/library/alpine@{}", image.manifest),
        format!("docker.io/library/alpine:latest@{}", image.manifest),
        format!("localhost:5000/a/b@{}", image.manifest),
        image.id.to_string(),
        id.clone(),
        image.id.short(),
        format!("sha256:{}", &id[..5]),
        id[..1].to_owned(),
    ];
    for key in keys {
        assert_eq!(scene.store.find_image(&key).expect(&key), image, "{key}");
    }
    let missing = [
        "docker.io/library/alpine:3".to_owned(),
        "docker.io/library/alpine".to_owned(),
        "alpine".to_owned(),
        format!("docker.io/library/debian@{}", image.manifest),
        format!("docker.io/library/alpine@{}", image.id),
        format!("{id}0"),
        id[..6].to_uppercase() + "G",
        "sha256:".to_owned(),
        String::new(),
        "%".to_owned(),
    ];
    for key in missing {
        check_error(scene.store.find_image(&key), ErrorKind::NotFound, &["no such image", &key]);
    }
}

#[test]
fn a_beginning_that_fits_two_images_is_refused() {
    let scene = Scene::new();
    // Seventeen ids begin with sixteen digits.
    let images: Vec<_> = (0..17).map(|number| scene.image(&number.to_string(), &[], &[])).collect();
    let shared = images
        .iter()
        .map(|image| image.id.hex()[..1].to_owned())
        .find(|digit| images.iter().filter(|image| image.id.hex().starts_with(digit)).count() > 1)
        .expect("two begin alike");
    check_error(scene.store.find_image(&shared), ErrorKind::Ambiguous, &[&shared]);
    assert_eq!(scene.store.images().expect("lists").len(), 17);
}

#[test]
fn a_name_that_moves_leaves_the_old_image_without_one() {
    let scene = Scene::new();
    let old = scene.image("old", &["base"], &[ALPINE]);
    let new = scene.image("new", &["base"], &[ALPINE]);
    assert_eq!(scene.store.find_image(ALPINE).expect("is there").id, new.id);
    let dangling = scene.store.find_image(&old.id.to_string()).expect("is still there");
    assert_eq!(dangling.references, Vec::<String>::new());
    scene.store.tag(&old.id, ALPINE).expect("is named");
    assert_eq!(scene.store.find_image(ALPINE).expect("is there").id, old.id);
    check_error(scene.store.tag(&Digest::of(b"none"), ALPINE), ErrorKind::NotFound, &["no such image"]);
}

#[test]
fn an_image_committed_again_keeps_its_other_names() {
    let scene = Scene::new();
    scene.image("one", &["base"], &[ALPINE]);
    scene.image("one", &["base"], &["docker.io/library/other:1"]);
    let images = scene.store.images().expect("lists");
    assert_eq!(images.len(), 1);
    assert_eq!(images[0].references, [ALPINE, "docker.io/library/other:1"]);
    assert_eq!(images[0].layers.len(), 1);
}

#[test]
fn the_last_name_takes_the_image_with_it() {
    let digest = Digest::of(b"index");
    let by_digest = format!("docker.io/library/alpine@{digest}");
    let scene = Scene::new();
    let image = scene.image("one", &["base"], &[ALPINE, "docker.io/library/other:1", &by_digest]);
    let first = scene.store.untag("docker.io/library/other:1", Use::Refuse).expect("is untagged");
    assert_eq!(first, Removed { untagged: vec!["docker.io/library/other:1".to_owned()], deleted: None });
    // As docker does: a repository's last tag takes the names by digest along.
    let last = scene.store.untag(ALPINE, Use::Refuse).expect("is untagged");
    assert_eq!(last, Removed { untagged: vec![ALPINE.to_owned(), by_digest], deleted: Some(image.id) });
    assert!(scene.store.images().expect("lists").is_empty());
    check_error(scene.store.untag(ALPINE, Use::Refuse), ErrorKind::NotFound, &["no such image", ALPINE]);
    check_error(scene.store.delete_image(&image.id, Use::Refuse), ErrorKind::NotFound, &["no such image"]);
}

#[test]
fn a_name_by_digest_stays_beside_a_tag_of_its_repository() {
    let scene = Scene::new();
    let by_digest = format!("localhost:5000/a@{}", Digest::of(b"index"));
    scene.image("one", &[], &["localhost:5000/a:1", "localhost:5000/a:2", &by_digest]);
    scene.store.untag("localhost:5000/a:1", Use::Refuse).expect("is untagged");
    let image = scene.store.find_image("localhost:5000/a:2").expect("is there");
    assert_eq!(image.references, ["localhost:5000/a:2".to_owned(), by_digest]);
}

#[test]
fn an_image_in_use_goes_only_when_told_and_its_layers_stay() {
    let scene = Scene::new();
    let image = scene.image("one", &["base"], &[ALPINE, "docker.io/library/other:1"]);
    let record = record(&image, "user");
    let lock = scene.create(&record).expect("is created");
    scene.store.untag("docker.io/library/other:1", Use::Refuse).expect("it is not the last name");
    for refused in [scene.store.untag(ALPINE, Use::Refuse), scene.store.delete_image(&image.id, Use::Refuse)] {
        check_error(refused, ErrorKind::Conflict, &["/user", &record.id.short(), &image.id.short()]);
    }
    let removed = scene.store.untag(ALPINE, Use::Ignore).expect("is forced");
    assert_eq!(removed.deleted, Some(image.id));

    check_error(scene.store.find_image(&image.id.to_string()), ErrorKind::NotFound, &[]);
    assert!(scene.store.images().expect("lists").is_empty());
    assert_eq!(scene.store.collect().layers, []);
    let hidden = scene.store.image(&image.id).expect("the container still has it");
    assert_eq!(hidden.layers, image.layers);
    assert!(scene.store.layer_dir(&image.layers[0].diff_id).join("name").exists());

    scene.store.remove_container(lock).expect("is removed");
    check_error(scene.store.image(&image.id), ErrorKind::NotFound, &[]);
    let collected = scene.store.collect();
    assert_eq!(collected.layers, [image.layers[0].diff_id]);
    assert_eq!(collected.blobs.len(), 2);
}

#[test]
fn a_hidden_image_that_comes_back_is_listed_again() {
    let scene = Scene::new();
    let image = scene.image("one", &["base"], &[ALPINE]);
    let lock = scene.create(&record(&image, "user")).expect("is created");
    scene.store.delete_image(&image.id, Use::Ignore).expect("is forced");
    scene.image("one", &["base"], &[ALPINE]);
    scene.store.remove_container(lock).expect("is removed");
    assert_eq!(scene.store.find_image(ALPINE).expect("is there"), image);
}

#[test]
fn an_image_without_all_its_content_is_not_committed() {
    let scene = Scene::new();
    let lease = scene.lease();
    let whole = scene.prepare_image(&lease, "one", &["base"], &[ALPINE]);
    let mut without_layer = whole.clone();
    without_layer.layers[0].diff_id = Digest::of(b"absent");
    let mut without_manifest = whole.clone();
    without_manifest.manifest = Digest::of(b"absent");
    for image in [without_layer, without_manifest] {
        let absent = Digest::of(b"absent").to_string();
        check_error(scene.store.commit_image(&lease, &image), ErrorKind::NotFound, &[&absent]);
    }
    assert!(scene.store.images().expect("lists").is_empty());
    scene.store.commit_image(&lease, &whole).expect("is whole");
}

#[test]
fn a_blob_that_the_disk_changed_is_never_content() {
    let scene = Scene::new();
    let lease = scene.lease();
    let digest = scene.store.put_blob(&lease, b"content").expect("is put");
    assert_eq!(scene.store.blob(&digest).expect("is there"), b"content");
    let path = scene.store.paths().blob(&digest);
    for damaged in ["c0ntent", "cont", ""] {
        std::fs::write(&path, damaged).expect("writes");
        let found = Digest::of(damaged.as_bytes()).to_string();
        check_error(scene.store.blob(&digest), ErrorKind::Corrupt, &[&found, &path.display().to_string()]);
    }
    // Pulled again, it is mended.
    scene.store.put_blob(&lease, b"content").expect("is put");
    assert_eq!(scene.store.blob(&digest).expect("is there"), b"content");
    let absent = Digest::of(b"absent");
    check_error(scene.store.blob(&absent), ErrorKind::NotFound, &["no such blob", &absent.to_string()]);
    assert!(scene.names_in_tmp().is_empty());
}
