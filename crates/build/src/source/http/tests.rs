//! Files from a web server that says when they were changed, and sends some of those who ask elsewhere.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};

use super::*;

/// Answers everything with what `answer` says to a request: its first line and its headers. Says where it is.
fn server(answer: impl Fn(&str, &[String]) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let host = listener.local_addr().expect("it is bound").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let first = lines.next().unwrap_or_default();
            let headers: Vec<String> = lines.map(|line| line.to_ascii_lowercase()).collect();
            let text =
                format!("HTTP/1.1 {}", answer(&first, &headers).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
            // Whoever goes away early has what it wants.
            let _ = (&stream).write_all(text.as_bytes());
        }
    });
    host
}

const FILE: &str =
    "200 OK\r\nETag: \"one\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 4\r\n\r\ntext";

#[test]
fn a_file_is_fetched_once() {
    let host = server(|_, headers| {
        let is_known = headers.iter().any(|line| line == "if-none-match: \"one\"");
        if is_known { "304 Not Modified\r\n\r\n".to_owned() } else { FILE.to_owned() }
    });
    let place = tempfile::tempdir().expect("there is room");
    let (url, into) = (format!("http://{host}/a?b#c"), place.path().join("f"));
    let fetched = fetch(&url, &[], &into, 4).expect("it is there");
    assert_eq!(std::fs::read(&fetched.file).expect("it is there"), b"text");
    assert_eq!(fetched.sha256, ring::digest::digest(&SHA256, b"text").as_ref());
    let found = std::fs::metadata(&into).expect("it is there");
    assert_eq!((found.mode() & 0o7777, found.mtime()), (0o600, 784_111_777));
    let again = place.path().join("g");
    assert_eq!(fetch_changed(&url, &[], fetched.etag.as_deref(), &again, 4).expect("it is there"), None);
    assert!(!again.exists());
    assert!(fetch_changed(&url, &[], Some("\"two\""), &again, 4).expect("it is there").is_some());
    let error = fetch(&url, &[], &place.path().join("h"), 3).expect_err("it is longer");
    assert_eq!(error.to_string(), format!("{url}: it has more than 3 bytes"));
    assert!(!place.path().join("h").exists());
    assert!(fetch(&url, &[], &into, 4).is_err(), "another one's file is there");
}

#[test]
fn what_cannot_be_had() {
    let host = server(|first, _| match first.split(' ').nth(1) {
        Some("/short") => "200 OK\r\nContent-Length: 9\r\n\r\ntext".to_owned(),
        Some("/secret") => "401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_owned(),
        Some("/same") => "304 Not Modified\r\n\r\n".to_owned(),
        _ => "404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
    });
    let place = tempfile::tempdir().expect("there is room");
    let into = place.path().join("f");
    let error = |path: &str| fetch(&format!("http://{host}{path}"), &[], &into, 99).expect_err(path);
    assert_eq!(error("/none").kind(), ErrorKind::NotFound);
    assert!(error("/secret").hint().is_some_and(|hint| hint.contains("HTTP_AUTH_TOKEN_HOST")));
    assert!(error("/short").to_string().contains("/short: "));
    assert_eq!(error("/same").kind(), ErrorKind::NotFound);
    assert!(!into.exists());
    let error = fetch("http://u:secret@[::1", &[], &into, 9).expect_err("it is no address");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[test]
fn a_password_goes_to_nobody_else() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = |seen: &Arc<Mutex<Vec<String>>>, name: &str, headers: &[String]| {
        let sent = headers.iter().filter(|line| line.starts_with("authorization") || line.starts_with("x-mine"));
        seen.lock().expect("nobody panics").push(format!("{name} {}", sent.cloned().collect::<Vec<_>>().join(" ")));
    };
    let of_other = Arc::clone(&seen);
    let other = server(move |_, headers| {
        log(&of_other, "other", headers);
        FILE.to_owned()
    });
    let of_first = Arc::clone(&seen);
    let first = server(move |first, headers| {
        log(&of_first, "first", headers);
        let next = if first.contains("/a") { "/b".to_owned() } else { format!("http://{other}/c") };
        format!("302 Found\r\nLocation: {next}\r\nContent-Length: 0\r\n\r\n")
    });
    let place = tempfile::tempdir().expect("there is room");
    let headers = [("X-Mine".to_owned(), "m".to_owned())];
    fetch(&format!("http://u:p@{first}/a"), &headers, &place.path().join("f"), 9).expect("it is there");
    let mine = "x-mine: m authorization: basic dtpw";
    assert_eq!(
        *seen.lock().expect("nobody panics"),
        [format!("first {mine}"), format!("first {mine}"), "other ".to_owned()]
    );
}

#[test]
fn secrets_are_called_as_the_host_is() {
    let of = |known: &'static str, value: &'static str| {
        authorization("https://h.example:8443/a", &|name| Ok((name == known).then(|| value.as_bytes().to_vec())))
    };
    let sent = |known, value| of(known, value).expect("it is one line").map(|(_, value)| value);
    assert_eq!(sent("HTTP_AUTH_TOKEN_h.example", "t\n").as_deref(), Some("Bearer t"));
    assert_eq!(sent("HTTP_AUTH_HEADER_h.example", "H x").as_deref(), Some("H x"));
    assert_eq!(sent("HTTP_AUTH_TOKEN_other", "t"), None);
    assert!(of("HTTP_AUTH_TOKEN_h.example", "a\nb").is_err());
}
