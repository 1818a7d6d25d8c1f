//! Registries that want more than an image: what is pushed, and who we are, goes to them and to nobody else.

use image::{Access, Credentials, CredentialsSource, ErrorKind, PushOptions, push};

use crate::content::Image;
use crate::faults::{check, push_options, scene};
use crate::server::{Fate, Server};

#[test]
fn uploads_go_to_no_other_server() {
    let stranger = Server::start(&Image::default(), |_| Fate::Proper);
    for location in [
        format!("http://{}/v2/other/blobs/uploads/1", stranger.host()),
        "https://stranger.example/upload".to_owned(),
        "http://127.0.0.1:1/upload".to_owned(),
        "ftp://stranger.example/".to_owned(),
        String::new(),
    ] {
        for method in ["POST", "PATCH"] {
            let told = location.clone();
            let (server, place, image) = scene(2, move |asked| {
                if asked.method == method { Fate::With(vec![("Location", told.clone())]) } else { Fate::Proper }
            });
            let error = push(&place.store, &image, &server.name("other"), &push_options(), &()).expect_err(&location);
            assert_eq!(error.kind(), ErrorKind::Invalid, "{location}: {error}");
        }
    }
    assert!(stranger.content().log.is_empty());
}

#[test]
fn a_password_is_sent_when_it_is_asked_for_and_not_shown() {
    let (server, place, image) = scene(1, |asked| match asked.header("authorization") {
        _ if asked.method == "GET" => Fate::Proper,
        Some("Basic dXNlcjpzZWNyZXQ=") => Fate::Proper,
        _ => Fate::Answer(401, vec![("WWW-Authenticate", "Basic realm=\"x\"".to_owned())]),
    });
    let with = |password: &str| {
        let credentials = Credentials::Password { username: "user".to_owned(), password: password.to_owned() };
        let access = Access { credentials: CredentialsSource::Given(credentials), ..push_options().access };
        PushOptions { access, ..PushOptions::default() }
    };
    let error = push(&place.store, &image, &server.name("other"), &with("wrong"), &()).expect_err("a wrong one");
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(!error.to_string().contains("wrong"), "{error}");
    push(&place.store, &image, &server.name("other"), &with("secret"), &()).expect("the right one");
    check(&server, &image);
}

#[test]
fn a_registry_that_claims_to_have_more_than_there_is_gets_no_further() {
    let (server, place, image) = scene(2, |asked| match asked.method.as_str() {
        "PATCH" => Fate::With(vec![("Range", "0-999999999".to_owned())]),
        _ => Fate::Proper,
    });
    let error = push(&place.store, &image, &server.name("other"), &push_options(), &()).expect_err("it lies");
    assert_eq!(error.kind(), ErrorKind::Network, "{error}");
    assert_eq!(server.asked("PATCH").len(), 6);
}

#[test]
fn a_registry_that_never_has_more_is_given_up() {
    let (server, place, image) = scene(2, |asked| match asked.method.as_str() {
        "PATCH" => Fate::Claim("0-9"),
        "GET" if asked.target.contains("/uploads/") => Fate::With(vec![("Range", "0-9".to_owned())]),
        _ => Fate::Proper,
    });
    let error = push(&place.store, &image, &server.name("other"), &push_options(), &()).expect_err("nothing moves");
    assert_eq!(error.kind(), ErrorKind::Network, "{error}");
    assert!(server.asked("PATCH").len() <= 6);
}

#[test]
fn a_registry_that_takes_much_and_loses_it_each_time_is_given_up() {
    let (server, place, image) = scene(3, |asked| match asked.method.as_str() {
        "PATCH" if asked.before % 2 == 0 => Fate::With(vec![("Range", "0-2097151".to_owned())]),
        "PATCH" => Fate::Answer(503, vec![]),
        "GET" if asked.target.contains("/uploads/") => Fate::Forget,
        _ => Fate::Proper,
    });
    let error = push(&place.store, &image, &server.name("other"), &push_options(), &()).expect_err("it is lost again");
    assert_eq!(error.kind(), ErrorKind::Network, "{error}");
    assert!(error.to_string().contains("has lost the upload"), "{error}");
}

#[test]
fn a_refusal_is_told_without_what_a_terminal_would_obey() {
    let (server, place, image) = scene(1, |asked| match asked.method.as_str() {
        "PUT" if asked.target.contains("/manifests/") => Fate::Answer(400, vec![]),
        _ => Fate::Proper,
    });
    let name = server.name("other");
    let error = push(&place.store, &image, &name, &push_options(), &()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().starts_with(&format!("{name}: ")), "{error}");
    assert!(error.to_string().contains("400"), "{error}");
}

#[test]
fn an_image_that_contradicts_itself_is_not_pushed() {
    let (server, place, mut image) = scene(1, |_| Fate::Proper);
    image.layers[0].diff_id = image::Digest::of(b"something else");
    let error = push(&place.store, &image, &server.name("other"), &push_options(), &()).expect_err("it is not whole");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("contradict each other"), "{error}");
    assert!(server.content().log.is_empty());
}
