//! Networks and servers in trouble: what is tried again, and that a broken download goes on where it broke.

use std::time::Duration;

use image::{ErrorKind, Patience, pull};

use crate::content::{Image, Place, Recorder, noise, options, patience};
use crate::server::{Answer, End, Server, is_blob};

#[test]
fn a_broken_download_is_resumed_where_it_broke() {
    // The first answer ends after 1,000,000 bytes, the second after as many more, the third within a few bytes.
    let server = Server::start(Image::large(), |asked, answer| match (is_blob(asked), asked.before) {
        (true, 0 | 1) if answer.body.len() > 100_000 => answer.ending(End::Cut(1_000_000)),
        (true, 2) => answer.ending(End::Cut(3)),
        _ => answer,
    });
    let place = Place::new();
    let recorder = Recorder::default();
    let image = pull(&place.store, &server.app(), &options(), &recorder).expect("it was resumed");
    assert_eq!(place.file(&image, 0, "noise"), noise(3 << 20, 7));
    let ranges: Vec<_> = server.layer_requests().iter().map(|asked| asked.header("range").map(str::to_owned)).collect();
    let range = |from: usize| Some(format!("bytes={from}-"));
    assert_eq!(ranges, [None, range(1_000_000), range(2_000_000), range(2_000_003)]);
    assert_eq!(recorder.lines().iter().filter(|line| line.starts_with("retry: ")).count(), 3);
}

#[test]
fn a_server_without_ranges_begins_again_and_the_known_bytes_are_dropped() {
    let server = Server::start(Image::large(), |asked, answer| match (is_blob(asked), asked.before) {
        (true, 0) if answer.body.len() > 100_000 => answer.ending(End::Cut(1_234_567)),
        (true, _) if answer.status == 206 => Answer::new(200, whole(&answer, asked.header("range"))),
        _ => answer,
    });
    let place = Place::new();
    let image = pull(&place.store, &server.app(), &options(), &()).expect("it was read again");
    assert_eq!(place.file(&image, 0, "noise"), noise(3 << 20, 7));
}

/// The whole blob, of which `answer` is the end: the image is the same each time it is made.
fn whole(answer: &Answer, range: Option<&str>) -> Vec<u8> {
    let image = Image::large();
    let blob = image.blobs[&image.layers[0]].clone();
    assert!(blob.ends_with(&answer.body) && range.is_some());
    blob
}

#[test]
fn passing_refusals_are_waited_out() {
    for status in [429, 500, 502, 503, 504, 408] {
        let server = Server::start(Image::small(), move |asked, answer| match asked.before {
            0 if asked.target != "/v2/" => Answer::new(status, "").with("Retry-After", "0"),
            1 if asked.target != "/v2/" => Answer::new(status, "<html>"),
            _ => answer,
        });
        let place = Place::new();
        pull(&place.store, &server.app(), &options(), &()).unwrap_or_else(|error| panic!("{status}: {error}"));
        assert_eq!(server.layer_requests().len(), 6, "{status}");
    }
}

#[test]
fn patience_ends() {
    let busy = || {
        Server::start(Image::small(), |asked, answer| {
            if asked.target.contains("/manifests/") {
                Answer::new(429, r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"rate limit\u001b[31m"}]}"#)
            } else {
                answer
            }
        })
    };
    let server = busy();
    let place = Place::new();
    let error = pull(&place.store, &server.app(), &options(), &()).expect_err("always busy");
    assert_eq!(error.kind(), ErrorKind::TooManyRequests);
    let host = server.host();
    let expected = format!("{host}/app:latest: {host} answers 429 Too Many Requests: rate limit [31m");
    assert_eq!(error.to_string(), expected);
    assert_eq!(server.log().len(), 6);

    // A registry that wants to be left alone for an hour is, and the user knows.
    let server = Server::start(Image::small(), |asked, answer| {
        if asked.target.contains("/manifests/") { Answer::new(503, "").with("Retry-After", "3600") } else { answer }
    });
    let error = pull(&place.store, &server.app(), &options(), &()).expect_err("closed");
    assert_eq!((error.kind(), server.log().len()), (ErrorKind::Network, 1));
    assert!(error.to_string().ends_with("(come back in 3600 s)"), "{error}");
}

#[test]
fn dropping_connections_for_ever_ends_the_pull() {
    let server = Server::start(Image::large(), |asked, answer| {
        if is_blob(asked) && answer.body.len() > 100_000 { answer.ending(End::Cut(10)) } else { answer }
    });
    let place = Place::new();
    let error = pull(&place.store, &server.app(), &options(), &()).expect_err("ten bytes each");
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("layer "), "{error}");
    assert_eq!(server.layer_requests().len(), 6);
    assert_eq!(place.leftovers(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn silence_is_a_fault() {
    let server = Server::start(Image::large(), |asked, answer| match (is_blob(asked), asked.before) {
        // Half of it, and then nothing, with the connection open.
        (true, 0) if answer.body.len() > 100_000 => {
            let half = answer.body[..answer.body.len() / 2].to_vec();
            let length = answer.body.len().to_string();
            Answer::new(200, half).with("Content-Length", length).ending(End::Hang)
        }
        _ => answer,
    });
    let place = Place::new();
    let patience = Patience { idle: Duration::from_millis(200), ..patience() };
    let options = image::PullOptions { patience, ..options() };
    let image = pull(&place.store, &server.app(), &options, &()).expect("it was resumed");
    assert_eq!(place.file(&image, 0, "noise"), noise(3 << 20, 7));
}
