//! What a pull does when all is well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use image::{Digest, ErrorKind, pull};

use crate::content::{Image, LayerBlob, OCI_INDEX, OCI_LAYER, Place, Recorder, gzip, options, reference, tar};
use crate::server::{Answer, Server};

#[test]
fn every_compression_is_read_whatever_its_label() {
    let archive = |name: &str| tar(&[(name, name.as_bytes())]);
    let two_members = |bytes: &[u8]| [gzip(&bytes[..700]), gzip(&bytes[700..])].concat();
    // A skippable frame, and then two frames: the shape of zstd:chunked.
    let zstd = |bytes: &[u8]| {
        let frame = |bytes: &[u8]| zstd::encode_all(bytes, 1).expect("memory can be written");
        [b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec(), frame(&bytes[..512]), frame(&bytes[512..])].concat()
    };
    let layers: Vec<LayerBlob> = [
        ("a", OCI_LAYER, gzip(&archive("a"))),
        ("b", OCI_LAYER, archive("b")),
        ("c", "application/vnd.oci.image.layer.v1.tar+zstd", zstd(&archive("c"))),
        ("d", "application/vnd.docker.image.rootfs.diff.tar.gzip", zstd(&archive("d"))),
        ("e", "application/vnd.docker.image.rootfs.diff.tar", two_members(&archive("e"))),
    ]
    .into_iter()
    .map(|(name, media_type, blob)| LayerBlob { media_type, blob, diff_id: Digest::of(&archive(name)) })
    .collect();
    let server = Server::honest(Image::of(&layers));
    let place = Place::new();
    let image = pull(&place.store, &server.app(), &options(), &()).expect("an honest registry");
    for (at, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        assert_eq!(place.file(&image, at, name), name.as_bytes());
    }
}

#[test]
fn what_is_here_is_not_fetched_again() {
    let server = Server::honest(Image::small());
    let place = Place::new();
    let recorder = Recorder::default();
    let first = pull(&place.store, &server.app(), &options(), &recorder).expect("an honest registry");
    let host = server.host();
    let lines = recorder.lines();
    assert_eq!(lines[..3], [format!("resolving {host}/app:latest at {host}"), "Waiting".into(), "Waiting".into()]);
    assert_eq!(lines.iter().filter(|line| *line == "Done").count(), 2, "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("done, present before: false"));
    let manifest = first.manifest;
    assert_eq!(first.references, [format!("{host}/app:latest"), format!("{host}/app@{manifest}")]);
    assert_eq!((first.layers.len(), first.platform.as_str()), (2, image::Platform::host().to_string().as_str()));
    assert_eq!(first.created.as_deref(), Some("2026-01-02T03:04:05Z"));

    let asked = server.log().len();
    let recorder = Recorder::default();
    let again = pull(&place.store, &server.app(), &options(), &recorder).expect("an honest registry");
    assert_eq!(again, first);
    assert_eq!(recorder.lines().last().map(String::as_str), Some("done, present before: true"));
    let new: Vec<_> = server.log().split_off(asked);
    // Docker Hub counts GET against its limit.
    let new: Vec<_> = new.iter().map(|asked| (asked.method.as_str(), asked.target.as_str())).collect();
    assert_eq!(new, [("HEAD", "/v2/app/manifests/latest")]);

    // Under its digest it is known as well, and nobody has to be asked.
    let asked = server.log().len();
    let pinned = reference(&format!("{host}/app@{manifest}"));
    let pinned = pull(&place.store, &pinned, &options(), &()).expect("an honest registry");
    assert_eq!((pinned.id, server.log().len()), (first.id, asked));
}

#[test]
fn a_tag_that_moved_is_followed() {
    let (old, new) = (Image::small(), Image::large());
    let mut both = Image { layers: [old.layers, new.layers].concat(), ..Image::default() };
    both.blobs = old.blobs.into_iter().chain(new.blobs).collect();
    both.manifests = old.manifests;
    let moved = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&moved);
    let (media_type, bytes) = new.manifests["latest"].clone();
    let server = Server::start(both, move |asked, answer| {
        if !flag.load(Ordering::SeqCst) || !asked.target.ends_with("/manifests/latest") {
            return answer;
        }
        // Some registries do not answer HEAD.
        if asked.method == "HEAD" {
            Answer::new(405, "")
        } else {
            Answer::new(200, bytes.clone()).with("Content-Type", &media_type)
        }
    });
    let place = Place::new();
    let first = pull(&place.store, &server.app(), &options(), &()).expect("an honest registry");
    moved.store(true, Ordering::SeqCst);
    let second = pull(&place.store, &server.app(), &options(), &()).expect("an honest registry");
    assert_ne!(first.id, second.id);
    let recorder = Recorder::default();
    let third = pull(&place.store, &server.app(), &options(), &recorder).expect("an honest registry");
    assert_eq!(third, second);
    assert_eq!(recorder.lines().last().map(String::as_str), Some("done, present before: true"));
    // The old one has lost the tag, and keeps its name by digest.
    let old = place.store.image(&first.id).expect("it is still there");
    assert_eq!(old.references, [server.app().at(first.manifest).to_string()]);
}

#[test]
fn a_layer_that_occurs_twice_is_fetched_once() {
    let layer = || LayerBlob::gzip(&tar(&[("same", b"x")]));
    let server = Server::honest(Image::of(&[layer(), LayerBlob::gzip(&tar(&[("other", b"y")])), layer()]));
    let place = Place::new();
    let image = pull(&place.store, &server.app(), &options(), &()).expect("an honest registry");
    assert_eq!((image.layers.len(), server.layer_requests().len()), (3, 2));
    assert_eq!(image.layers[0], image.layers[2]);
}

#[test]
fn an_image_without_layers_is_an_image() {
    let server = Server::honest(Image::of(&[]));
    let place = Place::new();
    let image = pull(&place.store, &server.app(), &options(), &()).expect("an honest registry");
    assert_eq!((image.layers.len(), image.size), (0, 0));
}

#[test]
fn the_platform_decides_in_an_index() {
    let mut image = Image::small();
    let (media_type, bytes) = image.manifests["latest"].clone();
    let host = image::Platform::host();
    let entry = |architecture: &str, bytes: &[u8]| {
        serde_json::json!({"mediaType": media_type, "digest": Digest::of(bytes).to_string(), "size": bytes.len(),
            "platform": {"os": "linux", "architecture": architecture}})
    };
    let index = serde_json::json!({"schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [entry("s390x", b"not served"), entry(&host.architecture, &bytes)]});
    let digest = image.serve("latest", OCI_INDEX, index.to_string().into_bytes());
    let server = Server::honest(image);
    let place = Place::new();
    let pulled = pull(&place.store, &server.app(), &options(), &()).expect("an honest registry");
    assert_eq!(pulled.manifest, Digest::of(&bytes));
    assert!(pulled.references.contains(&format!("{}/app@{digest}", server.host())), "{:?}", pulled.references);

    let riscv = image::PullOptions { platform: "riscv64".parse().ok(), ..options() };
    let error = pull(&place.store, &server.app(), &riscv, &()).expect_err("no such platform");
    assert_eq!(error.kind(), ErrorKind::Platform);
    let known = format!("no image for linux/riscv64; there is linux/s390x, {host}");
    assert!(error.to_string().ends_with(&known), "{error}");
}

#[test]
fn an_image_for_another_platform_is_warned_of_and_refused_when_one_was_asked_for() {
    let mut image = Image::small();
    let config = image.blobs.values().find_map(|blob| serde_json::from_slice::<serde_json::Value>(blob).ok());
    let mut config = config.expect("the config is JSON");
    config["architecture"] = "s390x".into();
    let config = config.to_string().into_bytes();
    image.blobs.insert(Digest::of(&config).to_string(), config.clone());
    image.edit(|manifest| {
        manifest["config"]["digest"] = Digest::of(&config).to_string().into();
        manifest["config"]["size"] = config.len().into();
    });
    let server = Server::honest(image);
    let place = Place::new();
    let asked = image::PullOptions { platform: "amd64".parse().ok(), ..options() };
    let error = pull(&place.store, &server.app(), &asked, &()).expect_err("another platform");
    assert_eq!(error.kind(), ErrorKind::Platform);
    let recorder = Recorder::default();
    pull(&place.store, &server.app(), &options(), &recorder).expect("a warning stops nothing");
    assert!(
        recorder.lines().iter().any(|line| line.contains("the image is for linux/s390x")),
        "{:?}",
        recorder.lines()
    );
}

#[test]
fn names_that_are_not_there_are_reported_with_the_registry() {
    let server = Server::honest(Image::small());
    let place = Place::new();
    let nope = reference(&format!("{}/nope:1", server.host()));
    let error = pull(&place.store, &nope, &options(), &()).expect_err("not there");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let host = server.host();
    assert_eq!(error.to_string(), format!("{host}/nope:1: not found in {host}: manifest unknown"));

    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let free = free.expect("a free port");
    let nobody = reference(&format!("{free}/x"));
    let error = pull(&place.store, &nobody, &options(), &()).expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().starts_with(&format!("{free}/x:latest: cannot connect to {free}: ")), "{error}");

    // Headers that are no text are as good as none.
    let odd = Server::start(Image::small(), |asked, answer| {
        if asked.target.contains("/manifests/") {
            Answer::new(200, answer.body).with("Content-Type", b"\xff\xfe").with("Docker-Content-Digest", b"\x80")
        } else {
            answer
        }
    });
    pull(&place.store, &odd.app(), &options(), &()).expect("the content is right");
}
