//! Registries that lie: what they say is refused, named, and leaves nothing behind.

use image::{Digest, Error, ErrorKind, PullOptions, pull};

use crate::content::{Image, LayerBlob, OCI_LAYER, OCI_MANIFEST, Place, gzip, options, tar};
use crate::server::{Answer, Asked, End, Server, is_blob};

/// Pulls from a registry that twists the answers of [`Image::small`]; the pull must fail and leave no layer and no image.
fn check(kind: ErrorKind, part: &str, twist: impl Fn(&Asked, Answer) -> Answer + Send + Sync + 'static) {
    refused(Image::small(), &options(), kind, part, twist);
}

fn refused(
    image: Image,
    options: &PullOptions,
    kind: ErrorKind,
    part: &str,
    twist: impl Fn(&Asked, Answer) -> Answer + Send + Sync + 'static,
) -> Error {
    let server = Server::start(image, twist);
    let place = Place::new();
    let error = pull(&place.store, &server.app(), options, &()).expect_err(part);
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(part), "{error}: no {part:?}");
    assert!(error.to_string().starts_with(&format!("{}/app:latest: ", server.host())), "{error}");
    assert!(!error.to_string().contains(|c: char| c.is_control()), "{error:?}");
    assert_eq!(place.store.images().expect("the store works"), []);
    error
}

fn is_layer(asked: &Asked, answer: &Answer) -> bool {
    is_blob(asked) && !answer.body.starts_with(b"{")
}

fn is_manifest(asked: &Asked) -> bool {
    asked.target.contains("/manifests/")
}

#[test]
fn blobs_that_are_not_what_was_asked_for() {
    check(ErrorKind::Digest, "expected sha256:", |asked, mut answer| {
        if is_layer(asked, &answer) {
            // Still gzip, and still unpacks: only the time in the header differs.
            answer.body[4] ^= 1;
        }
        answer
    });
    check(ErrorKind::Digest, "has more than the", |asked, mut answer| {
        if is_layer(asked, &answer) {
            answer.body.push(0);
        }
        answer
    });
    check(ErrorKind::Digest, "has more than the", |asked, mut answer| {
        if is_layer(asked, &answer) {
            answer.body.push(0);
            return answer.ending(End::Chunked);
        }
        answer
    });
    check(ErrorKind::Digest, "has less than the", |asked, mut answer| {
        if is_layer(asked, &answer) {
            answer.body.pop();
        }
        answer
    });
    check(ErrorKind::Digest, "expected sha256:", |asked, mut answer| {
        if is_blob(asked) && !is_layer(asked, &answer) {
            answer.body[0] = b' ';
        }
        answer
    });
    check(ErrorKind::Invalid, "asked for bytes from", |asked, answer| match asked.header("range") {
        None if is_layer(asked, &answer) => answer.ending(End::Cut(20)),
        Some(_) => Answer::new(206, answer.body).with("Content-Range", "bytes 0-1/2"),
        None => answer,
    });
}

#[test]
fn a_layer_whose_content_is_not_that_of_the_config() {
    let mut layer = LayerBlob::gzip(&tar(&[("a", b"a")]));
    layer.diff_id = Digest::of(b"something else");
    let image = Image::of(&[layer]);
    refused(image, &options(), ErrorKind::Digest, "the image config says", |_, answer| answer);

    // Of two layers, one is good: it stays, the image does not.
    let mut image = Image::small();
    let broken = image.layers[1].clone();
    image.edit(|manifest| {
        manifest["layers"][1]["size"] = 7.into();
        assert_eq!(manifest["layers"][1]["digest"], broken.as_str());
    });
    refused(image, &options(), ErrorKind::Digest, "has more than the 7 bytes", |_, answer| answer);
}

#[test]
fn endless_answers() {
    check(ErrorKind::Limit, "more than the 4194304 bytes", |asked, answer| {
        if is_manifest(asked) { answer.ending(End::Endless) } else { answer }
    });
    // The size of a layer is known: what comes after it is not read.
    let server =
        Server::start(
            Image::small(),
            |asked, answer| if is_layer(asked, &answer) { answer.ending(End::Endless) } else { answer },
        );
    let place = Place::new();
    pull(&place.store, &server.app(), &options(), &()).expect("all bytes were right");
}

#[test]
fn manifests_that_are_not_what_was_asked_for() {
    check(ErrorKind::Digest, "Docker-Content-Digest", |asked, answer| {
        if is_manifest(asked) {
            Answer::new(200, answer.body)
                .with("Content-Type", OCI_MANIFEST)
                .with("Docker-Content-Digest", Digest::of(b"x").to_string())
        } else {
            answer
        }
    });
    let mut image = Image::small();
    let (_, bytes) = image.manifests["latest"].clone();
    let entry = serde_json::json!({"mediaType": OCI_MANIFEST, "digest": Digest::of(&bytes).to_string(),
        "size": bytes.len() + 1, "platform": {"os": "linux", "architecture": image::Platform::host().architecture}});
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
    image.serve("latest", crate::content::OCI_INDEX, index.into_bytes());
    refused(image, &options(), ErrorKind::Digest, "the index says", |_, answer| answer);

    // By digest, another manifest is refused whatever the header says.
    let server = Server::start(Image::small(), |asked, answer| {
        if is_manifest(asked) {
            Answer::new(200, [answer.body.as_slice(), b" "].concat()).with("Content-Type", OCI_MANIFEST)
        } else {
            answer
        }
    });
    let digest = Digest::of(&Image::small().manifests["latest"].1);
    let error = pull(&Place::new().store, &server.app().at(digest), &options(), &()).expect_err("another manifest");
    assert_eq!(error.kind(), ErrorKind::Digest, "{error}");

    for (part, body) in [
        ("not readable", "\u{0}"),
        ("CVE-2021-41190", r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#),
        ("neither", r#"{"schemaVersion":2}"#),
    ] {
        check(
            ErrorKind::Invalid,
            part,
            move |asked, answer| if is_manifest(asked) { Answer::new(200, body) } else { answer },
        );
    }
    check(ErrorKind::Invalid, "answers 418", |_, _| Answer::new(418, "\u{1b}[31m"));
}

#[test]
fn an_index_that_holds_itself_ends() {
    // It cannot: its digest would have to be in it. A chain can be long, though.
    let mut image = Image::small();
    let (mut media_type, mut bytes) = image.manifests["latest"].clone();
    for _ in 0..6 {
        let entry =
            serde_json::json!({"mediaType": media_type, "digest": Digest::of(&bytes).to_string(), "size": bytes.len()});
        bytes = serde_json::json!({"schemaVersion": 2, "manifests": [entry]}).to_string().into_bytes();
        crate::content::OCI_INDEX.clone_into(&mut media_type);
        image.serve("latest", &media_type, bytes.clone());
    }
    refused(image, &options(), ErrorKind::Invalid, "more than 4 deep", |_, answer| answer);
}

#[test]
fn counts_of_layers_must_agree() {
    let mut image = Image::small();
    image.edit(|manifest| {
        let layer = manifest["layers"][0].clone();
        manifest["layers"].as_array_mut().expect("a list").push(layer);
    });
    refused(image, &options(), ErrorKind::Invalid, "3 layers, the image config 2", |_, answer| answer);
}

#[test]
fn bombs() {
    let archive = tar(&[("zeroes", &vec![0; 8 << 20])]);
    let bomb = || Image::of(&[LayerBlob::gzip(&archive)]);
    let mut options = options();
    options.limits.stream_bytes = 1 << 20;
    refused(bomb(), &options, ErrorKind::Limit, "1048576", |_, answer| answer);
    options.limits.stream_bytes = 16 << 20;
    options.limits.entries = 0;
    refused(bomb(), &options, ErrorKind::Limit, "layer ", |_, answer| answer);
    // A config that says it is large is not even asked for.
    let mut image = Image::small();
    image.edit(|manifest| manifest["config"]["size"] = (5_u64 << 20).into());
    refused(image, &crate::content::options(), ErrorKind::Limit, "5242880", |_, answer| answer);
}

#[test]
fn layers_that_are_no_archives_or_in_unknown_compression() {
    for (blob, kind, part) in [
        (b"BZh91AY".to_vec(), ErrorKind::Unsupported, "bzip2"),
        (b"\xfd7zXZ\0".to_vec(), ErrorKind::Unsupported, "xz"),
        ([gzip(b"x"), b"garbage".to_vec()].concat(), ErrorKind::Invalid, "decompress"),
        (gzip(b"x")[..12].to_vec(), ErrorKind::Invalid, "decompress"),
        (b"\x1f".to_vec(), ErrorKind::Invalid, ""),
        (vec![b'x'; 5000], ErrorKind::Invalid, ""),
    ] {
        let image = Image::of(&[LayerBlob { media_type: OCI_LAYER, diff_id: Digest::of(b"x"), blob }]);
        refused(image, &options(), kind, part, |_, answer| answer);
    }
}

#[test]
fn layers_from_elsewhere_are_refused_and_nobody_is_asked() {
    let stranger = Server::honest(Image::small());
    let url = format!("http://{}/v2/app/blobs/x", stranger.host());
    for media_type in [OCI_LAYER, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"] {
        let mut image = Image::small();
        image.edit(|manifest| {
            manifest["layers"][0]["urls"] = serde_json::json!([url]);
            manifest["layers"][0]["mediaType"] = media_type.into();
        });
        refused(image, &options(), ErrorKind::Unsupported, "layer ", |_, answer| answer);
    }
    assert_eq!(stranger.log().len(), 0);
}

#[test]
fn redirects_that_lead_nowhere() {
    check(ErrorKind::Invalid, "redirects more than 10 times", |asked, answer| {
        if is_manifest(asked) { Answer::new(302, "").with("Location", format!("{}x", asked.target)) } else { answer }
    });
    for location in ["ftp://x/", "", "https://", "http://user:password@127.0.0.1/", "\u{7f}"] {
        check(ErrorKind::Invalid, "", move |asked, answer| {
            if is_manifest(asked) { Answer::new(307, "").with("Location", location) } else { answer }
        });
    }
    // Nobody listens in 192.0.2.0/24, and without encryption nobody is asked to.
    check(ErrorKind::Insecure, "without encryption", |asked, answer| {
        if is_manifest(asked) { Answer::new(307, "").with("Location", "http://192.0.2.1/x") } else { answer }
    });
}
