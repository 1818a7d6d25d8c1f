//! A service played by a thread: authentication, answers, failures, signals in between, nonsense.

use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread::JoinHandle;

use proptest::prelude::*;

use super::message::{self, Message, PREFIX};
use super::{Connection, Peer, Writer, socket_of};

/// What the other end says of how it authenticates.
const DIRECT: &[&str] = &["OK 1234"];
const ASKING: &[&str] = &["DATA", "OK 1234"];

/// Starts a service that answers every call with the messages that `answer` makes of its serial.
fn serve(
    directory: &Path,
    authentication: &'static [&'static str],
    answer: impl Fn(u32) -> Vec<u8> + Send + 'static,
) -> JoinHandle<Vec<Vec<u8>>> {
    let listener = UnixListener::bind(directory.join("socket")).expect("bound");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accepted");
        authenticate(&mut stream, authentication);
        let mut calls = Vec::new();
        while let Some(call) = read_message(&mut stream) {
            let serial = u32::from_le_bytes(call[8..12].try_into().expect("four bytes"));
            calls.push(call);
            stream.write_all(&answer(serial)).ok();
        }
        calls
    })
}

fn authenticate(stream: &mut UnixStream, answers: &[&str]) {
    for answer in answers {
        read_line(stream);
        stream.write_all(format!("{answer}\r\n").as_bytes()).expect("written");
    }
    if answers.last().is_some_and(|last| last.starts_with("OK")) {
        assert_eq!(read_line(stream), "BEGIN");
    }
}

fn read_line(stream: &mut UnixStream) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a line");
        line.extend_from_slice(&byte);
    }
    String::from_utf8_lossy(&line).trim().to_owned()
}

fn read_message(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut prefix = [0; PREFIX];
    stream.read_exact(&mut prefix).ok()?;
    let mut bytes = prefix.to_vec();
    bytes.resize(message::length(&prefix)?, 0);
    stream.read_exact(&mut bytes[PREFIX..]).ok()?;
    Some(bytes)
}

/// A message with a text: kind 2 is a result, 3 a failure, 4 a signal.
fn message(kind: u8, reply_to: u32, name: &str, text: &str) -> Vec<u8> {
    let mut body = Writer::default();
    body.text(text);
    let body = body.into_bytes();
    let mut writer = Writer::default();
    writer.raw(&[b'l', kind, 0, 1]);
    writer.u32(u32::try_from(body.len()).expect("short"));
    writer.u32(7);
    let fields = [(5, "u"), (8, "g"), (if kind == 3 { 4 } else { 3 }, "s")];
    writer.array(8, &fields, |writer, (code, kind)| {
        writer.align(8);
        writer.raw(&[*code]);
        writer.signature(kind);
        match *kind {
            "u" => writer.u32(reply_to),
            "g" => writer.signature("s"),
            _ => writer.text(name),
        }
    });
    writer.align(8);
    writer.raw(&body);
    writer.into_bytes()
}

fn open(directory: &Path, peer: Peer) -> crate::Result<Connection> {
    Connection::open(directory.join("socket").as_os_str().as_bytes(), peer, "org.example")
}

fn call(connection: &mut Connection) -> crate::Result<Result<String, String>> {
    let mut body = Writer::default();
    body.text("argument");
    let answer = connection.call("/path", "org.example.Interface", "Method", "s", body)?;
    Ok(answer.map(|answer| answer.values().text().unwrap_or_default().to_owned()).map_err(|error| error.message()))
}

#[test]
fn calls_are_answered_and_signals_kept() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let service = serve(directory.path(), DIRECT, |serial| {
        [message(4, 0, "Happened", "early"), message(2, 99, "", "for another"), message(2, serial, "", "answer")]
            .concat()
    });
    let mut connection = open(directory.path(), Peer::Direct).expect("connected");
    assert_eq!(call(&mut connection).expect("whole").as_deref(), Ok("answer"));
    assert_eq!(call(&mut connection).expect("whole").as_deref(), Ok("answer"));
    for _ in 0..2 {
        let signal = connection.signal().expect("kept");
        assert_eq!((signal.member.as_str(), signal.values().text()), ("Happened", Some("early")));
    }
    drop(connection);
    let calls = service.join().expect("the service ends");
    assert_eq!(calls.len(), 2);
    let parsed = Message::parse(&calls[0]).expect("a message");
    assert_eq!((parsed.member.as_str(), parsed.signature.as_str()), ("Method", "s"));
    assert_eq!(parsed.values().text(), Some("argument"));
}

#[test]
fn a_bus_is_greeted_first() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let service = serve(directory.path(), ASKING, |serial| message(2, serial, "", ":1.5"));
    let mut connection = open(directory.path(), Peer::Bus).expect("connected");
    connection.subscribe("type='signal'").expect("subscribed");
    drop(connection);
    let calls = service.join().expect("the service ends");
    let members: Vec<String> = calls.iter().filter_map(|call| Some(Message::parse(call)?.member)).collect();
    assert_eq!(members, ["Hello", "AddMatch"]);
}

#[test]
fn failures_have_names_and_words() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let service = serve(directory.path(), DIRECT, |serial| message(3, serial, "org.example.Wrong", "so it is"));
    let mut connection = open(directory.path(), Peer::Direct).expect("connected");
    assert_eq!(call(&mut connection).expect("whole").as_deref(), Err(&"org.example.Wrong: so it is".to_owned()));
    drop(connection);
    service.join().expect("the service ends");
}

#[test]
fn what_breaks_is_an_error() {
    let answers: [fn(u32) -> Vec<u8>; 3] =
        [|_| b"nonsense that is no message".to_vec(), |_| vec![b'l', 2, 0, 1], |_| vec![b'B'; 64]];
    for answer in answers {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let listener = UnixListener::bind(directory.path().join("socket")).expect("bound");
        let service = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("accepted");
            authenticate(&mut stream, DIRECT);
            read_message(&mut stream);
            stream.write_all(&answer(0)).expect("written");
        });
        let mut connection = open(directory.path(), Peer::Direct).expect("connected");
        assert!(call(&mut connection).is_err());
        service.join().expect("the service ends");
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let service = serve(directory.path(), &["REJECTED EXTERNAL"], |_| Vec::new());
    let error = open(directory.path(), Peer::Direct).expect_err("rejected").to_string();
    assert!(error.ends_with("authentication: REJECTED EXTERNAL"), "{error}");
    service.join().expect("the service ends");
}

#[test]
fn addresses_name_sockets() {
    for (address, socket) in [
        ("unix:path=/run/user/1000/bus", Some(&b"/run/user/1000/bus"[..])),
        ("tcp:host=a;unix:path=/a%20b,guid=12", Some(b"/a b")),
        ("unix:abstract=/tmp/x,guid=12", Some(b"\0/tmp/x")),
        ("unix:guid=12", None),
        ("unix:path=/a%", Some(b"/a%")),
        ("", None),
    ] {
        assert_eq!(socket_of(address).as_deref(), socket, "{address}");
    }
}

proptest! {
    #[test]
    fn no_bytes_bring_the_reader_down(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        Message::parse(&bytes);
        if let Some(prefix) = bytes.first_chunk() {
            message::length(prefix);
        }
    }

    #[test]
    fn texts_come_back(text in "[^\0]{0,40}", name in "[A-Za-z]{1,9}") {
        let parsed = Message::parse(&message(4, 3, &name, &text)).expect("a message");
        prop_assert_eq!(parsed.values().text(), Some(text.as_str()));
        prop_assert_eq!((parsed.member, parsed.reply_to), (name, 3));
    }
}
