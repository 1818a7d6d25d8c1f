//! Connections that break, registries that forget, servers that want small pieces, tokens that expire.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use image::{Access, Credentials, CredentialsSource, ErrorKind, PushOptions, push};
use store::ImageRecord;

use crate::content::{Image, LayerBlob, Place, noise, options, patience, tar};
use crate::server::{Asked, Fate, Server};

pub(crate) fn push_options() -> PushOptions {
    let access = Access { credentials: CredentialsSource::Anonymous, patience: patience(), ..Access::default() };
    PushOptions { access, ..PushOptions::default() }
}

/// A registry with an image of one layer of so many MiB, which do not compress, and a store that has pulled it. `spoil`
/// sees what comes after that.
pub(crate) fn scene(
    mib: usize,
    spoil: impl Fn(&Asked) -> Fate + Send + Sync + 'static,
) -> (Server, Place, ImageRecord) {
    let image = Image::of(&[LayerBlob::gzip(&tar(&[("noise", &noise(mib << 20, 7))]))]);
    let server = Server::start(&image, spoil);
    let place = Place::new();
    let image = image::pull(&place.store, &server.name("app"), &options(), &()).expect("it is honest with pulls");
    // As if it had come from elsewhere: nothing of it is known to this registry.
    server.content().blobs.clear();
    server.content().log.clear();
    (server, place, image)
}

/// Whether the repository has the image whole, with the id that it has in the store.
pub(crate) fn check(server: &Server, image: &ImageRecord) {
    let other = Place::new();
    let pulled = image::pull(&other.store, &server.name("other"), &options(), &()).expect("what was pushed is whole");
    assert_eq!(pulled.id, image.id);
    assert_eq!(pulled.layers[0].diff_id, image.layers[0].diff_id);
}

fn sent(server: &Server) -> usize {
    server.asked("PATCH").iter().map(|asked| asked.body).sum()
}

#[test]
fn a_push_that_nothing_spoils() {
    let (server, place, image) = scene(3, |_| Fate::Proper);
    let pushed = push(&place.store, &image, &server.name("other"), &push_options(), &()).expect("it is taken");
    check(&server, &image);
    let content = server.content();
    let (media_type, bytes) = &content.manifests[&("other".to_owned(), "latest".to_owned())];
    assert_eq!((pushed.digest, pushed.size), (image::Digest::of(bytes), bytes.len()));
    assert_eq!(*media_type, pushed.media_type);
    drop(content);
    assert_eq!(server.asked("PATCH").len(), 1, "one stream");
}

#[test]
fn what_arrived_before_the_connection_broke_is_not_sent_again() {
    let (server, place, image) = scene(3, |asked| match (asked.method.as_str(), asked.before) {
        ("PATCH", 0) => Fate::Break(1_500_000),
        ("PATCH", 1) => Fate::Break(700_000),
        _ => Fate::Proper,
    });
    push(&place.store, &image, &server.name("other"), &push_options(), &()).expect("it is resumed");
    check(&server, &image);
    let whole = server.content().blobs.values().map(Vec::len).max().expect("there are blobs");
    assert_eq!(sent(&server), whole);
    let ranges: Vec<_> = server.asked("PATCH").iter().map(|asked| asked.header("content-range").is_some()).collect();
    assert_eq!(ranges, [false, true, true]);
}

#[test]
fn an_upload_that_the_registry_forgot_begins_anew() {
    let (server, place, image) = scene(3, |asked| match (asked.method.as_str(), asked.before) {
        ("PATCH", 0) => Fate::Break(1_500_000),
        ("GET", _) if asked.target.contains("/uploads/") => Fate::Forget,
        _ => Fate::Proper,
    });
    push(&place.store, &image, &server.name("other"), &push_options(), &()).expect("it is begun anew");
    check(&server, &image);
    // One for each of the two uploads of the layer, and one for the configuration.
    assert_eq!(server.asked("POST").len(), 3);
}

#[test]
fn an_upload_whose_end_was_not_heard_of_is_not_repeated() {
    let (server, place, image) = scene(3, |asked| {
        let end = asked.method == "PUT" && asked.target.contains("digest=") && asked.before == 0;
        if end { Fate::Silent } else { Fate::Proper }
    });
    push(&place.store, &image, &server.name("other"), &push_options(), &()).expect("it is there");
    check(&server, &image);
    assert_eq!(server.asked("PATCH").len(), 1);
}

#[test]
fn a_server_that_refuses_large_bodies_gets_small_ones() {
    let (server, place, image) = scene(10, |asked| {
        let length = asked.header("content-length").and_then(|length| length.parse::<usize>().ok());
        // A stream without a length is cut off once it is too long; here at once.
        let large = asked.method == "PATCH" && length.is_none_or(|length| length > 5 << 20);
        if large { Fate::Answer(413, vec![]) } else { Fate::Proper }
    });
    push(&place.store, &image, &server.name("other"), &push_options(), &()).expect("in pieces");
    check(&server, &image);
    let pieces: Vec<usize> = server.asked("PATCH").iter().map(|asked| asked.body).filter(|body| *body > 0).collect();
    assert_eq!(pieces.len(), 3, "{pieces:?}");
    assert_eq!(&pieces[..2], [4 << 20, 4 << 20]);
}

#[test]
fn whoever_is_asked_again_who_it_is_says_so_and_goes_on() {
    let (server, place, image) = scene(3, |asked| match (asked.method.as_str(), asked.before) {
        ("PATCH", 0) => Fate::Break(1_500_000),
        // The token has expired meanwhile.
        ("PATCH", 1) => Fate::Answer(401, vec![("WWW-Authenticate", "Basic realm=\"x\"".to_owned())]),
        ("PATCH", _) if asked.header("authorization").is_none() => Fate::Answer(403, vec![]),
        _ => Fate::Proper,
    });
    let credentials = Credentials::Password { username: "user".to_owned(), password: "secret".to_owned() };
    let access = Access { credentials: CredentialsSource::Given(credentials), ..push_options().access };
    let options = PushOptions { access, ..PushOptions::default() };
    push(&place.store, &image, &server.name("other"), &options, &()).expect("it goes on");
    check(&server, &image);
    let whole = server.content().blobs.values().map(Vec::len).max().expect("there are blobs");
    assert_eq!(sent(&server), whole);
}

#[test]
fn patience_ends() {
    let (server, place, image) = scene(3, |asked| match asked.method.as_str() {
        "PATCH" => Fate::Break(10),
        _ => Fate::Proper,
    });
    let error = push(&place.store, &image, &server.name("other"), &push_options(), &()).expect_err("ten bytes each");
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("layer "), "{error}");
    assert_eq!(server.asked("PATCH").len(), 6);
    // Without its layers there is no manifest.
    assert!(!server.content().manifests.keys().any(|(repository, _)| repository == "other"));
}

#[test]
fn a_registry_that_is_busy_is_asked_again() {
    let (server, place, image) = scene(1, |asked| match (asked.method.as_str(), asked.before) {
        ("POST", 0) => Fate::Answer(429, vec![("Retry-After", "0".to_owned())]),
        ("HEAD", 0) | ("PUT", 1) => Fate::Answer(503, vec![]),
        _ => Fate::Proper,
    });
    push(&place.store, &image, &server.name("other"), &push_options(), &()).expect("it has time in the end");
    check(&server, &image);
}

#[test]
fn a_mount_that_is_refused_becomes_an_upload() {
    let (server, place, image) = scene(1, |_| Fate::Proper);
    push(&place.store, &image, &server.name("other"), &push_options(), &()).expect("it is taken");
    check(&server, &image);
    let posts: Vec<String> = server.asked("POST").into_iter().map(|asked| asked.target).collect();
    // The layer was seen in `app`, so that is asked first; its answer, an upload that has begun, is used.
    assert!(posts[0].contains("mount=") && posts[0].ends_with("from=app"), "{posts:?}");
    assert_eq!(posts.len(), 2, "{posts:?}");
}

#[test]
fn a_layer_that_arrived_is_not_sent_again_after_a_failure() {
    let layer = |seed| LayerBlob::gzip(&tar(&[("noise", &noise(1 << 20, seed))]));
    let broken = Arc::new(AtomicBool::new(true));
    let breaks = Arc::clone(&broken);
    // The manifest, which comes after the layers, is refused.
    let server = Server::start(&Image::of(&[layer(3), layer(5)]), move |asked| {
        let manifest = asked.method == "PUT" && asked.target.contains("/manifests/");
        if manifest && breaks.load(Ordering::SeqCst) { Fate::Answer(400, vec![]) } else { Fate::Proper }
    });
    let place = Place::new();
    let image = image::pull(&place.store, &server.name("app"), &options(), &()).expect("it is honest with pulls");
    server.content().blobs.clear();
    push(&place.store, &image, &server.name("other"), &push_options(), &()).expect_err("the manifest is refused");
    assert_eq!(server.asked("PATCH").len(), 2);
    broken.store(false, Ordering::SeqCst);
    push(&place.store, &image, &server.name("other"), &push_options(), &()).expect("it is taken");
    assert_eq!(server.asked("PATCH").len(), 2);
    check(&server, &image);
}
