//! Through a proxy that the environment names: the registry's name is for the proxy to resolve.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;

use image::{PullOptions, pull};

use crate::content::{Image, Place, options, reference};
use crate::http::Port;
use crate::server::Server;

/// Takes every CONNECT and leads it to `target`.
fn tunnel(stream: &TcpStream, target: &str) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    assert!(head.starts_with("CONNECT registry.test:80 HTTP/1.1\r\n"), "{head}");
    let (Ok(other), mut back) = (TcpStream::connect(target), stream) else { return };
    if back.write_all(b"HTTP/1.1 200 OK\r\n\r\n").is_err() {
        return;
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ended = std::io::copy(&mut &other, &mut &*stream);
            let _gone = stream.shutdown(std::net::Shutdown::Both);
        });
        let _ended = std::io::copy(&mut reader, &mut &other);
        let _gone = other.shutdown(std::net::Shutdown::Both);
    });
}

#[test]
fn a_registry_behind_a_proxy() {
    let server = Server::honest(Image::small());
    let target = server.host();
    let port = Port::open(move |stream| tunnel(&stream, &target));
    let proxy = format!("http://{}", port.host());
    let status = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "proxy::child_pulls_through_a_proxy", "--include-ignored"])
        .envs([("HTTP_PROXY", &proxy), ("HTTPS_PROXY", &proxy)])
        .env("PULL_FROM", "registry.test:80")
        .status();
    assert!(status.expect("this program runs").success());
    assert_eq!(server.layer_requests().len(), 2);
}

#[test]
#[ignore = "runs as the child of a_registry_behind_a_proxy"]
fn child_pulls_through_a_proxy() {
    let Ok(host) = std::env::var("PULL_FROM") else { return };
    let options = PullOptions { insecure: true, ..options() };
    pull(&Place::new().store, &reference(&format!("{host}/app")), &options, &()).expect("the proxy knows the way");
}
