//! Where registries have layers: remembered, bounded, and forgotten with the layer.

use store::{Digest, LayerBlob};

use crate::scene::{ALPINE, Scene};

fn blob(layer: &str, repository: &str) -> LayerBlob {
    LayerBlob {
        diff_id: Digest::of(layer.as_bytes()),
        digest: Digest::of(b"compressed"),
        size: 7,
        media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
        repository: repository.to_owned(),
    }
}

fn repositories(scene: &Scene, layer: &str) -> Vec<String> {
    let blobs = scene.store.layer_blobs(&Digest::of(layer.as_bytes())).expect("answers");
    blobs.into_iter().map(|blob| blob.repository).collect()
}

#[test]
fn the_latest_sighting_comes_first() {
    let scene = Scene::new();
    for repository in ["a/x", "b/x", "a/x"] {
        scene.store.note_layer_blobs(&[blob("base", repository), blob("top", repository)]).expect("is noted");
    }
    assert_eq!(repositories(&scene, "base"), ["a/x", "b/x"]);
    assert_eq!(scene.store.layer_blobs(&Digest::of(b"top")).expect("answers")[0], blob("top", "a/x"));
    assert!(repositories(&scene, "other").is_empty());
}

#[test]
fn sightings_are_bounded() {
    let scene = Scene::new();
    for number in 0..60 {
        scene.store.note_layer_blobs(&[blob("base", &format!("a/x{number}"))]).expect("is noted");
    }
    let kept = repositories(&scene, "base");
    assert_eq!((kept.len(), kept[0].as_str(), kept[49].as_str()), (50, "a/x59", "a/x10"));
}

#[test]
fn they_go_with_the_layer() {
    let scene = Scene::new();
    scene.image("configuration", &["base"], &[ALPINE]);
    scene.store.note_layer_blobs(&[blob("base", "a/x")]).expect("is noted");
    scene.store.untag(ALPINE, store::Use::Refuse).expect("is untagged");
    assert_eq!(scene.store.collect().layers.len(), 1);
    assert!(repositories(&scene, "base").is_empty());
}
